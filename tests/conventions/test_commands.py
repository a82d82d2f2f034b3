"""The commands that documents name exist, and `make` lists what there is."""

import re
import subprocess
from pathlib import Path

PHONY = re.compile(r"^\.PHONY: ([a-z]+)$", re.MULTILINE)
NAMED = re.compile(r"(?:^|`|\n)make ([a-z]+)\b")


def _commands(root: Path) -> set[str]:
    """Return the public targets of the Makefile."""
    return set(PHONY.findall((root / "Makefile").read_text()))


def test_help_lists_every_command(root: Path) -> None:
    """`make` alone prints one line for each command."""
    shown = subprocess.run(["make"], cwd=root, check=True, capture_output=True, text=True).stdout
    assert {line.split()[1] for line in shown.splitlines() if line.startswith("  make ")} == _commands(root)


def test_documents_name_commands_that_exist(root: Path, files: list[str]) -> None:
    """Every `make ...` in a document, or in what continuous integration runs, is a command."""
    texts = {path: (root / path).read_text() for path in files if path.endswith(".md") or path == ".ci/run"}
    named = {(path, command) for path, text in texts.items() for command in NAMED.findall(text)}
    assert named != set()
    assert {(path, command) for path, command in named if command not in _commands(root)} == set()

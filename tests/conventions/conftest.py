"""What the convention tests look at: the project's own files, as text and as syntax trees."""

import ast
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's folder."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def files(root: Path) -> list[str]:
    """Return the paths of all files that are, or are about to be, under version control."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    named = subprocess.run(listing, cwd=root, check=True, capture_output=True, text=True).stdout
    return sorted(path for path in named.split("\0") if path and (root / path).is_file())


@pytest.fixture(scope="session")
def modules(root: Path, files: list[str]) -> dict[str, ast.Module]:
    """Return the product's modules: path to syntax tree."""
    paths = [path for path in files if path.startswith(("libs/", "services/")) and path.endswith(".py")]
    return {path: ast.parse((root / path).read_text()) for path in paths}

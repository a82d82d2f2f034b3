"""Where things lie and how big they may grow, so that anyone can guess the file for a change."""

import ast
import tomllib
from pathlib import Path, PurePosixPath

JUNK_DRAWERS = {"utils", "util", "helpers", "helper", "core", "base", "manager", "managers", "misc"}
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50


def test_namespace_and_tests_have_no_package_marker(files: list[str]) -> None:
    """Neither a `firstline` folder nor the tests hold an `__init__.py`, which would shadow the other folders."""
    markers = [PurePosixPath(path) for path in files if path.endswith("__init__.py")]
    assert [str(path) for path in markers if path.parent.name == "firstline" or path.parts[0] == "tests"] == []


def test_package_markers_hold_only_a_docstring(modules: dict[str, ast.Module]) -> None:
    """A service's `__init__.py` says what the package is and does nothing on import."""
    markers = {path: tree for path, tree in modules.items() if PurePosixPath(path).match("firstline/*/__init__.py")}
    assert len(markers) > 1
    assert [path for path, tree in markers.items() if len(tree.body) != 1 or not ast.get_docstring(tree)] == []


def test_every_part_of_the_namespace_is_installed(root: Path, modules: dict[str, ast.Module]) -> None:
    """The build settings name exactly the folders that hold a part of the namespace."""
    parts = {path.partition("/firstline/")[0] for path in modules}
    hatch = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert set(hatch["dev-mode-dirs"]) == parts
    assert set(hatch["targets"]["wheel"]["packages"]) == {f"{part}/firstline" for part in parts}


def test_no_module_is_a_junk_drawer(files: list[str]) -> None:
    """No Python file, and no folder of one, is called utils, helpers, core, base, manager or misc."""
    paths = [PurePosixPath(path) for path in files if path.endswith(".py")]
    assert [str(path) for path in paths if JUNK_DRAWERS & {*path.parts, path.stem}] == []


def test_modules_stay_readable(root: Path, modules: dict[str, ast.Module]) -> None:
    """No module grows past 400 lines."""
    lines = {path: (root / path).read_text().count("\n") for path in modules}
    assert {path: count for path, count in lines.items() if count > LONGEST_MODULE} == {}


def test_functions_stay_readable(modules: dict[str, ast.Module]) -> None:
    """No function grows past 50 lines, its signature and docstring included; a migration may list as many tables."""
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in modules.items()
        if "/migrations/" not in path
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or node.lineno) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []

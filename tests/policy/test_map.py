"""The table in docs/policy.md is true: every clause is listed, every file and every test that it names exists."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CLAUSES = (
    "1.1 1.2 1.3 1.4 2.1 2.2 2.3 2.4 3.1 3.2 3.3 3.4 3.5 3.6 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 closing".split()  # noqa: SIM905
)
HEADER = "| clause | demands | where | tests |"


class Row(NamedTuple):
    """One row of the table; `missing` is what the row says is not built yet."""

    clause: str
    demands: str
    files: list[str]
    tests: list[str]
    missing: str


def read(document: str) -> list[Row]:
    """Return the table's rows; whatever stands in a cell beside names in backticks and "not yet: …" is an error."""
    lines = document.splitlines()
    start = lines.index(HEADER) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        clause, demands, where, proof = (cell.strip() for cell in line.strip("|").split("|"))
        tests, _, missing = proof.partition("not yet: ")
        rows.append(Row(clause, demands, names(where), names(tests), missing))
    return rows


def names(cell: str) -> list[str]:
    """Return the names in backticks, of which the cell must consist."""
    assert re.fullmatch(r"(`[^` ]+` ?)*", cell), f"only names in backticks belong here: {cell}"
    return re.findall(r"`([^`]+)`", cell)


@cache
def defined_in(path: str) -> frozenset[str]:
    """Return the tests that a file defines, those of a class as `Class::test`."""
    found = set()
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        functions = [member for member in members if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)]
        found |= {prefix + member.name for member in functions if member.name.startswith("test_")}
    return frozenset(found)


ROWS = read((ROOT / "docs" / "policy.md").read_text("utf-8"))


def test_every_clause_is_listed_in_order() -> None:
    """The table lists each clause, none that isn't one, in the policy's order."""
    listed = [row.clause for row in ROWS]
    assert list(dict.fromkeys(listed)) == CLAUSES
    assert listed == sorted(listed, key=CLAUSES.index)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.clause} {row.demands[:30]}" for row in ROWS])
class TestRow:
    """What each row owes."""

    def test_is_proven(self, row: Row) -> None:
        """No clause is without files that do what it demands and tests that prove it, whatever else is missing."""
        assert row.demands
        assert row.files
        assert row.tests

    def test_is_walked_through(self, row: Row) -> None:
        """Of each row something is lived through by HTTP and mail."""
        assert any(name.startswith("tests/policy/") for name in row.tests), row.demands

    def test_names_files_that_exist(self, row: Row) -> None:
        """Every file is there, and is part of the product."""
        for name in row.files:
            assert (ROOT / name).is_file(), name
            assert name.startswith(("policies/", "libs/", "services/")), name

    def test_names_tests_that_exist(self, row: Row) -> None:
        """Every test is defined in the file that it is said to be in."""
        for name in row.tests:
            path, _, test = name.partition("::")
            assert (ROOT / path).is_file(), name
            assert test in defined_in(path), name


def test_names_are_read_strictly() -> None:
    """Prose among the names, or a table without its columns, is an error and not an empty list."""
    with pytest.raises(AssertionError, match="only names in backticks"):
        names("`a.py` and others")
    with pytest.raises(ValueError, match="not enough values"):
        read(f"{HEADER}\n|---|\n| 1.1 | too short |\n")
    assert read(f"{HEADER}\n|---|\n| 1.1 | x | `a` `b` | `c` not yet: d |\n\n| no | more | | |") == [
        Row("1.1", "x", ["a", "b"], ["c"], "d")
    ]


def test_tests_are_found_as_pytest_finds_them() -> None:
    """Tests of a file are its functions and those of its classes, by the names that pytest uses."""
    found = defined_in("tests/policy/test_map.py")
    assert {"test_every_clause_is_listed_in_order", "TestRow::test_names_files_that_exist"} <= found
    assert "names" not in found

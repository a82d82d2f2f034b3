"""Tables as CSV that a spreadsheet reads as what they are: no text in them is taken for a formula."""

import csv
from collections.abc import Sequence
from io import StringIO

Cell = str | int | float | None
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""What a cell begins with that some program evaluates; full-width forms are folded to these first."""

_FULL_WIDTH = str.maketrans("\uff1d\uff0b\uff0d\uff20", "=+-@")


def csv_text(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table by RFC 4180; texts that a program could evaluate get an apostrophe before them."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Cell) -> Cell:
    """Return a value as it is to stand in a cell."""
    # Only texts: a negative number begins with a sign and is no formula. Programs skip blanks before they look.
    if isinstance(value, str) and value.lstrip(" \u00a0").translate(_FULL_WIDTH).startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value

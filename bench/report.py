"""What every benchmark here does at its end: print a table and keep the figures as JSON in bench/out/."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

OUT = Path(__file__).parent / "out"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the median.
        unit: of the value.
        floor: the least acceptable `ratio` (for a ratio "at most", the greatest; the note says which).
        ratio: the value against the yardstick measured in the same run.
        note: the yardstick, what is aimed at, how it was measured.

    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    note: str = ""


def publish(name: str, figures: Sequence[Figure]) -> None:
    """Print the figures as a table and write them to `bench/out/<name>.json`."""
    rows = [("figure", "value", "unit", "ratio", "floor", "note")]
    rows += [(f.name, _short(f.value), f.unit, _short(f.ratio), _short(f.floor), f.note) for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].ljust(widths[2])]
        cells += [row[column].rjust(widths[column]) for column in (3, 4)]
        print("  ".join([*cells, row[5]]).rstrip())
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"

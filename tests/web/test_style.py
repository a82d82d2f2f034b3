"""The style sheet: its tokens, and that they can be read in light and dark."""

import re
from pathlib import Path

import firstline.web
import pytest

SHEET = (Path(firstline.web.__path__[0]) / "static/style.css").read_text()
TOKENS, REST = SHEET.split("\n}\n", 1)
PAIR = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
COLOURS = {name: (light, dark) for name, light, dark in PAIR.findall(TOKENS)}

TEXT, LINE = 4.5, 3.0
READ = [
    *[
        (front, back, TEXT)
        for front in ("ink", "ink-soft", "accent", "good", "warn", "bad")
        for back in ("ground", "raised")
    ],
    ("accent-ink", "accent", TEXT),
    *[(front, back, LINE) for front in ("line", "focus") for back in ("ground", "raised")],
]


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), READ)
def test_everything_can_be_read(front: str, back: str, least: float, scheme: str) -> None:
    """Text has a contrast of 4.5 to 1, lines that matter 3 to 1, in light and in dark."""
    side = ["light", "dark"].index(scheme)
    assert _contrast(COLOURS[front][side], COLOURS[back][side]) >= least


def test_tokens_have_the_names_of_their_roles() -> None:
    """Colours are named by what they are for, and each has a light and a dark value."""
    roles = {"ink", "ink-soft", "line", "ground", "raised", "accent", "accent-ink", "good", "warn", "bad", "focus"}
    assert set(COLOURS) == roles


def test_no_colour_stands_outside_the_tokens() -> None:
    """After the first block every colour is a token."""
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[ ;,)])|rgba?\(|hsla?\(", REST) == []


def test_no_type_size_stands_outside_the_tokens() -> None:
    """Type sizes are those of the scale (or relative to the text around)."""
    sizes = set(re.findall(r"font-size: ([^;]+);", REST))
    assert [size for size in sorted(sizes) if not size.startswith("var(") and not size.endswith("em")] == []


def test_the_type_scale_is_that_of_the_design() -> None:
    """At the browser's usual size the scale is 13, 14 (console), 15, 17, 21 and 27 px."""
    sizes = [float(rem) * 16 for rem in re.findall(r"--text-[a-z]+: ([\d.]+)rem;", TOKENS)]
    assert sizes == [13, 14, 15, 17, 21, 27]


def test_distances_lie_on_the_grid() -> None:
    """The steps of space are those of the 4 px grid."""
    assert re.findall(r"--s\d: (\d+)px;", TOKENS) == ["4", "8", "12", "16", "24", "32", "48"]


def test_motion_is_short_and_can_be_switched_off() -> None:
    """Nothing moves for more than 150 ms, and not at all for whoever asks for that."""
    assert [int(time) for time in re.findall(r"(\d+)ms", SHEET)] == [120]
    assert "@media (prefers-reduced-motion: reduce)" in SHEET


def test_nothing_is_loaded_from_elsewhere() -> None:
    """The sheet names no address and imports nothing."""
    assert re.findall(r"url\(|@import|expression\(", SHEET) == []

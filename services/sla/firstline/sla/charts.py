"""Charts as SVG, made of plain shapes: readable without colours, in light and dark, and by screen readers.

The file stands alone, as a picture in a page or a document, and follows the reader's choice of light or dark by
itself. Every label and figure is text, and whoever can't see the bars reads the title and the description.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

WIDTH = 440
"""Of the drawing; wide enough for a telephone to show it at its own size."""

_PAD, _HEAD, _ROW, _BAR, _LEGEND = 12, 30, 44, 12, 20
_LETTERS, _LONGEST_TITLE = 58, 52
"""So many letters have room in a line, and so many bold ones."""

_FEWEST_PIXELS = 1.0
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
_INK, _SOFT, _GROUND = "var(--ink)", "var(--ink-soft)", "var(--raised)"
_TOKENS = {
    "ink": ("#1b2129", "#e6e9ec"),
    "ink-soft": ("#545e6a", "#a5aeb8"),
    "raised": ("#ffffff", "#1c2126"),
    "accent": ("#155e75", "#7cc4d8"),
    "bad": ("#ad2a20", "#ff9e94"),
    "warn": ("#855000", "#e5b566"),
    "good": ("#1d6b3f", "#7ccf9b"),
    "line": ("#828c98", "#727c87"),
}
"""Light and dark, as in the website's style sheet."""

_LIGHT, _DARK = ("".join(f"--{name}:{values[side]};" for name, values in _TOKENS.items()) for side in (0, 1))
_STYLE = f"<style>svg{{{_LIGHT}}}@media(prefers-color-scheme:dark){{svg{{{_DARK}}}}}</style>"


@dataclass(frozen=True, slots=True)
class Series:
    """What one part of the bars stands for.

    Attributes:
        name: in the legend.
        colour: one of accent, bad, warn, good, line.
        hatched: striped, so that it differs from its neighbour without colours too.

    """

    name: str
    colour: str
    hatched: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, an amount for each series, and what is said of it in figures."""

    label: str
    amounts: Sequence[float]
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Horizontal bars on one scale; `name` makes the parts' IDs unique on a page."""

    name: str
    title: str
    description: str
    series: Sequence[Series]
    bars: Sequence[Bar]


def svg(chart: Chart) -> str:
    """Return the drawing."""
    legend = _HEAD + _LEGEND * len(_legend_rows(chart))
    # By what is drawn: a picture in a page takes the room that it needs.
    height = legend + _ROW * max(1, len(chart.bars)) + _PAD
    most = max((sum(bar.amounts) for bar in chart.bars), default=0.0)
    body = [_bar(chart, bar, legend + _ROW * place, most) for place, bar in enumerate(chart.bars)]
    if not chart.bars:
        body = [_text(_PAD, legend + 20, "Nothing to show in this span of time.", _SOFT)]
    labelled = f"aria-labelledby={quoteattr(f'{chart.name}-title {chart.name}-desc')}"
    place = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
    return "\n".join(
        [
            f'<svg {place} class="chart" role="img" {labelled} font-family="{_FONT}" font-size="13">',
            f"<title id={quoteattr(f'{chart.name}-title')}>{escape(chart.title)}</title>",
            f"<desc id={quoteattr(f'{chart.name}-desc')}>{escape(chart.description)}</desc>",
            _STYLE,
            *_patterns(chart),
            f'<rect width="{WIDTH}" height="{height}" fill="{_GROUND}"/>',
            _text(_PAD, 20, _short(chart.title, _LONGEST_TITLE), _INK, more=' font-weight="600"'),
            *_legend(chart),
            *body,
            "</svg>",
            "",
        ]
    )


def _patterns(chart: Chart) -> list[str]:
    """Return the stripes of the series that are hatched."""
    found = []
    for place, series in enumerate(chart.series):
        if series.hatched:
            found.append(
                f"<pattern id={quoteattr(_pattern(chart, place))} width='6' height='6' patternUnits='userSpaceOnUse'"
                f" patternTransform='rotate(45)'><rect width='6' height='6' fill='{_GROUND}'/>"
                f"<rect width='3.5' height='6' fill='{_colour(series)}'/></pattern>"
            )
    return ["<defs>", *found, "</defs>"] if found else []


def _colour(series: Series) -> str:
    """Return the variable of a series' colour, which follows the reader's choice of light or dark."""
    return f"var(--{series.colour})"


def _pattern(chart: Chart, place: int) -> str:
    """Return the ID of a series' stripes."""
    return f"{chart.name}-stripes-{place}"


def _fill(chart: Chart, place: int) -> str:
    """Return what the bars of a series are filled with."""
    series = chart.series[place]
    return f"url(#{_pattern(chart, place)})" if series.hatched else _colour(series)


def _legend_rows(chart: Chart) -> list[list[int]]:
    """Return which series stand in which row of the legend: two in each."""
    places = list(range(len(chart.series)))
    return [places[start : start + 2] for start in range(0, len(places), 2)]


def _legend(chart: Chart) -> list[str]:
    """Return the names of the series, each beside its sample."""
    found = []
    for row, places in enumerate(_legend_rows(chart)):
        for column, place in enumerate(places):
            x, y = _PAD + column * WIDTH // 2, _HEAD + row * _LEGEND
            found.append(_rect(x, y + 2, 12, 12, _fill(chart, place), _colour(chart.series[place])))
            found.append(_text(x + 18, y + 13, chart.series[place].name, _SOFT, size=12))
    return found


def _bar(chart: Chart, bar: Bar, top: float, most: float) -> str:
    """Return a bar with its label above it on the left and its figures on the right."""
    room = WIDTH - 2 * _PAD
    found = [
        _text(_PAD, top + 18, _short(bar.label, _LETTERS - len(bar.text)), _INK),
        _text(WIDTH - _PAD, top + 18, bar.text, _SOFT, more=' text-anchor="end"'),
    ]
    x = float(_PAD)
    for place, amount in enumerate(bar.amounts):
        # What is there at all is seen: a bar of no width would say "none".
        width = max(_FEWEST_PIXELS, amount / most * room) if amount and most else 0.0
        if width:
            outline = _colour(chart.series[place])
            found.append(_rect(x, top + 25, width, _BAR, _fill(chart, place), outline))
        x += width
    return "\n".join(found)


def _rect(x: float, y: float, width: float, height: float, fill: str, outline: str) -> str:
    """Return a rectangle."""
    place = f'x="{x:.4g}" y="{y:.4g}" width="{width:.4g}" height="{height:.4g}"'
    return f'<rect {place} fill="{fill}" stroke="{outline}" stroke-width="0.75"/>'


def _text(x: float, y: float, words: str, fill: str, *, size: int = 0, more: str = "") -> str:
    """Return words; `size` is in pixels, that of the drawing if it is 0."""
    sized = f' font-size="{size}"' if size else ""
    return f'<text x="{x:.4g}" y="{y:.4g}" fill="{fill}"{sized}{more}>{escape(words)}</text>'


def _short(words: str, most: int) -> str:
    """Return words as far as there is room for them; the description has them all."""
    return words if len(words) <= most else f"{words[: most - 1]}…"

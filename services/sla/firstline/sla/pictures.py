"""Reports as charts: which bars, and the words beside them."""

from collections.abc import Callable, Mapping, Sequence

from firstline.sla.charts import Bar, Chart, Series
from firstline.sla.reports import By, Line, Report, ReportName

MOST_BARS = 20
"""So many groups are drawn, the largest, of months the latest; the table has them all."""

TITLES: Mapping[ReportName, str] = {
    "attainment": "Answers in time",
    "response-times": "How long answers took",
    "whose-time": "Whose time it was",
    "requests": "Requests that came in",
}
GROUPED: Mapping[By, str] = {
    "target": "by target",
    "topic": "by topic",
    "tier": "by tier",
    "agent": "by specialist",
    "organization": "by organisation",
    "urgency": "by urgency",
    "month": "by month",
}
SERIES: Mapping[ReportName, tuple[Series, ...]] = {
    "attainment": (Series("in time", "accent"), Series("late", "bad", hatched=True)),
    "response-times": (Series("half came within", "accent"), Series("nine of ten came within", "accent", hatched=True)),
    "whose-time": (
        Series("the desk", "accent"),
        Series("the client", "warn", hatched=True),
        Series("third parties", "line"),
        Series("a release", "good", hatched=True),
    ),
    "requests": (Series("requests", "accent"),),
}
NONE = "\u2013"
"""Stands where there is no figure."""

_HOUR = 60


def chart_of(report: Report, labels: Mapping[str | None, str]) -> Chart:
    """Return the chart of a report; `labels` name its groups."""
    shown = report.lines[-MOST_BARS:] if report.by == "month" else report.lines[:MOST_BARS]
    bars = [
        Bar(labels.get(key_of(line), str(line["key"])), _AMOUNTS[report.name](line), said(report.name, line))
        for line in shown
    ]
    title = f"{TITLES[report.name]}, {GROUPED[report.by]}"
    told = [f"{bar.label}: {bar.text}" for bar in bars]
    if len(report.lines) > MOST_BARS:
        told.append(f"and {len(report.lines) - MOST_BARS} more in the table")
    whole = f"All together: {said(report.name, report.total)}."
    return Chart(
        f"chart-{report.name}", title, " ".join([whole, *(f"{one}." for one in told)]), SERIES[report.name], bars
    )


def key_of(line: Line) -> str | None:
    """Return the key of a line's group."""
    key = line["key"]
    return None if key is None else str(key)


def said(name: ReportName, line: Line) -> str:
    """Return a line's figures in words."""
    return _SAYS[name](line)


def percent(value: object) -> str:
    """Return a share in words."""
    return NONE if value is None else f"{100 * _number(value):.0f} %"


def duration(value: object) -> str:
    """Return business minutes in words."""
    if value is None:
        return NONE
    minutes = round(_number(value))
    return f"{minutes} min" if minutes < _HOUR else f"{minutes // _HOUR} h {minutes % _HOUR:02d} min"


def _number(value: object) -> float:
    """Return a figure, 0 for what has none."""
    return float(value) if isinstance(value, int | float) else 0.0


def _answers(line: Line) -> str:
    """Say how many answers came in time."""
    return f"{percent(line['share'])} of {line['answers']}"


def _times(line: Line) -> str:
    """Say within which time half of the answers came, and nine of ten."""
    return f"{duration(line['net_p50'])} · {duration(line['net_p90'])}"


def _shares(line: Line) -> str:
    """Say how much of the time was the desk's own."""
    return f"{percent(line['own_share'])} the desk's · {line['requests']} requests"


def _requests(line: Line) -> str:
    """Say how many requests came in, and how many came again."""
    return f"{line['requests']} · {percent(line['reopened_share'])} reopened"


_SAYS: Mapping[ReportName, Callable[[Line], str]] = {
    "attainment": _answers,
    "response-times": _times,
    "whose-time": _shares,
    "requests": _requests,
}


def _columns(*names: str) -> Callable[[Line], list[float]]:
    """Return what takes these figures of a line as the parts of its bar."""
    return lambda line: [_number(line[name]) for name in names]


def _within(line: Line) -> list[float]:
    """Return the parts of a bar that reaches to what half took, and on to what nine of ten took."""
    half, most = _number(line["net_p50"]), _number(line["net_p90"])
    return [half, most - half]


_AMOUNTS: Mapping[ReportName, Callable[[Line], list[float]]] = {
    "attainment": _columns("in_time", "late"),
    "response-times": _within,
    "whose-time": _columns("own", "client", "third_party", "release"),
    "requests": _columns("requests"),
}


WHAT_IF = (
    Series("late as it was, too", "bad"),
    Series("late only with the change", "bad", hatched=True),
    Series("late only as it was", "line"),
)


def what_if_chart(
    changes: Mapping[str, object], by: By, total: Mapping[str, int], found: Sequence[tuple[str, Mapping[str, int]]]
) -> Chart:
    """Return the chart of a simulation: all answers, then the groups that change most."""
    tried = ", ".join(f"{path} = {'null' if value is None else value}" for path, value in changes.items())
    bars = [_what_if_bar(label, counted) for label, counted in [("All answers", total), *found[: MOST_BARS - 1]]]
    told = " ".join(f"{bar.label}: {bar.text}." for bar in bars)
    return Chart(
        "what-if", f"What if {tried or 'nothing changed'}?", f"Late answers, {GROUPED[by]}. {told}", WHAT_IF, bars
    )


def _what_if_bar(label: str, counted: Mapping[str, int]) -> Bar:
    """Return the bar of one group: late both ways, newly, and no longer."""
    both = counted["late"] - counted["no_longer_late"]
    amounts = [both, counted["newly_late"], counted["no_longer_late"]]
    return Bar(label, amounts, f"{counted['late']} \u2192 {counted['late_then']} late of {counted['answers']}")

"""Reports as supervisors read them: a chart and a table each, in plain words (clauses 2.1, 2.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from firstline.web.words import count, one_line, span

Json = Mapping[str, Any]

SPANS: Final = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "A year"}
GROUPS: Final = {
    "": "What suits each",
    "target": "Target",
    "topic": "Topic",
    "tier": "Tier",
    "agent": "Specialist",
    "organization": "Organisation",
    "urgency": "Urgency",
    "month": "Month",
}
DEFAULT_SPAN: Final = "30"
HOUR, MANY = timedelta(hours=1), timedelta(hours=100)
NONE: Final = "\u2013"
"""Stands where there is no figure."""


def number(value: Any) -> str:
    """Return a count in words."""
    return f"{value:,}"


def percent(value: Any) -> str:
    """Return a share in words."""
    return NONE if value is None else f"{value:.0%}"


def minutes(value: Any) -> str:
    """Return business minutes in words; of very many only the hours."""
    if value is None:
        return NONE
    length = timedelta(minutes=round(value))
    return span(length) if length < MANY else f"{length // HOUR:,} h"


Column = tuple[str, str, Callable[[Any], str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is told of a report.

    Attributes:
        title: its heading.
        lead: what it counts, in a sentence.
        by: what it is grouped by unless something else is asked for.
        groups: what it can be grouped by.
        columns: heading, figure and words of each column.

    """

    title: str
    lead: str
    by: str
    groups: tuple[str, ...]
    columns: tuple[Column, ...]


_RUNS: Final = ("target", "topic", "tier", "agent", "organization", "urgency", "month")
KINDS: Final[Mapping[str, Kind]] = {
    "attainment": Kind(
        "Answers in time",
        "Of the answers that were given, how many came before their target had run out.",
        "target",
        _RUNS,
        (
            ("Answers", "answers", number),
            ("In time", "share", percent),
            ("Late", "late", number),
            ("Never answered, late", "unanswered_late", number),
        ),
    ),
    "response-times": Kind(
        "How long answers took",
        "In business time: net of waiting for others, and in the last column with it.",
        "topic",
        _RUNS,
        (
            ("Answers", "answers", number),
            ("Half within", "net_p50", minutes),
            ("9 of 10 within", "net_p90", minutes),
            ("9 of 10, with waiting", "gross_p90", minutes),
        ),
    ),
    "whose-time": Kind(
        "Whose time it was",
        "The business time of requests that were resolved or closed: the desk's own, and what was waited for.",
        "topic",
        _RUNS[1:],
        (
            ("Requests", "requests", number),
            ("The desk", "own", minutes),
            ("The client", "client", minutes),
            ("Third parties", "third_party", minutes),
            ("A release", "release", minutes),
        ),
    ),
    "requests": Kind(
        "Requests that came in",
        "How many, and what became of them.",
        "month",
        ("topic", "tier", "organization", "urgency", "month"),
        (
            ("Requests", "requests", number),
            ("Out of turn", "out_of_turn_share", percent),
            ("Reopened", "reopened_share", percent),
            ("Split off", "split_off_share", percent),
            ("Not covered", "out_of_scope_share", percent),
            ("Rated", "rated", number),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A report as the page shows it.

    Attributes:
        name: the API's name for it.
        title: its heading.
        lead: what it counts.
        by: what its lines stand for.
        columns: the headings of the figures.
        rows: a label and its figures each; the last is the sum.
        chart: the address of its picture.
        file: the address of its table as CSV.
        remark: what is to be known beside it, empty for nothing.

    """

    name: str
    title: str
    lead: str
    by: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    chart: str
    file: str
    remark: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What the page was asked for: a number of days until now, and a group (empty: what suits each report)."""

    days: str
    by: str

    @classmethod
    def of(cls, days: str, by: str) -> "Wish":
        """Return a wish that can be fulfilled."""
        # From an address bar, perhaps: a page in place of an error, since a report for another span harms nobody.
        return cls(days if days in SPANS else DEFAULT_SPAN, by if by in GROUPS else "")

    def wanted(self, name: str, now: datetime) -> dict[str, str]:
        """Return the query of a report; what it can't be grouped by is left aside."""
        kind = KINDS[name]
        # The end is left to the service: its "now" is the one by which it counted.
        start = now - timedelta(days=int(self.days))
        return {"by": self.by if self.by in kind.groups else kind.by, "from": start.isoformat()}


def table(name: str, wish: Wish, report: Json) -> Table:
    """Return a report as the page shows it."""
    kind = KINDS[name]
    query = urlencode({"days": wish.days, "by": wish.by})
    rows = [(one_line(line["label"]), _figures(kind, line["figures"])) for line in report["lines"]]
    # The sum comes from the service: shares and percentiles of groups don't add up.
    rows.append(("All", _figures(kind, report["total"])))
    return Table(
        name=name,
        title=kind.title,
        lead=kind.lead,
        by=GROUPS[report["by"]],
        columns=tuple(heading for heading, _, _ in kind.columns),
        rows=tuple(rows),
        chart=f"/console/reports/{name}.svg?{query}",
        file=f"/console/reports/{name}.csv?{query}",
        remark=_remark(report),
    )


def _figures(kind: Kind, figures: Json) -> tuple[str, ...]:
    """Return a line's figures in words, column by column."""
    return tuple(words(figures[figure]) for _, figure, words in kind.columns)


def _remark(report: Json) -> str:
    """Return what is late at this moment, in words; nothing where nothing is."""
    late = sum(report["late_now"].values())
    return f"{count(late, 'clock is', 'clocks are')} late and unanswered at this moment." if late else ""

"""Reports as pure sums over what was recorded: targets kept, how long things took, whose time it was, how many (2.3).

Each report takes the rows of a span of time one after the other, so that a long span needs no more memory than its
groups, and for percentiles eight bytes a figure.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

ReportName = Literal["attainment", "response-times", "whose-time", "requests"]
By = Literal["target", "topic", "tier", "agent", "organization", "urgency", "month"]

RESPONSES = ("first_response", "next_response")
SHARES = (50, 75, 90, 95)
"""Percentiles that are told."""

Value = str | int | float | None
Line = dict[str, Value]
"""A row of a report: the group's `key` (None: nothing was named there) and its figures."""


class RunRow(Protocol):
    """What reports read of an ended run; see `firstline.sla.store.records.Ended`."""

    target: str
    month: str
    outcome: str
    late: bool | None
    minutes: float
    gross: float
    client: float
    third_party: float
    release: float
    owed: float
    agent: str | None
    topic: str | None
    tier: str | None
    organization_id: str | None
    urgency: str


class TakenRow(Protocol):
    """What reports read of a request; see `firstline.sla.store.records.Taken`."""

    month: str
    organization_id: str | None
    topic: str | None
    tier: str | None
    urgency: str
    verdict: str
    split_off: bool
    out_of_turn: bool
    reopened: int
    mark: str | None


@dataclass(slots=True)
class Attainment:
    """How many answers kept their target, and how many runs ended without an answer."""

    answers: int = 0
    late: int = 0
    unanswered: int = 0
    unanswered_late: int = 0

    def add(self, *rows: Any) -> None:
        """Count what an event has ended, where it had a target; it was late if any of that was."""
        # Without a target nothing can be kept or missed.
        timed = [row for row in rows if row.late is not None]
        if not timed:
            return
        late = any(row.late for row in timed)
        if timed[0].outcome == "met":
            self.answers += 1
            self.late += late
        else:
            self.unanswered += 1
            self.unanswered_late += late

    def figures(self) -> Line:
        """Return the figures; `share` is that of the answers in time, None where there was no answer."""
        in_time = self.answers - self.late
        return {
            "answers": self.answers,
            "in_time": in_time,
            "late": self.late,
            "share": share(in_time, self.answers),
            "unanswered": self.unanswered,
            "unanswered_late": self.unanswered_late,
        }


@dataclass(slots=True)
class ResponseTimes:
    """How long answers took, net and gross of waiting."""

    # Eight bytes each: a list of Python's floats takes four times that, and percentiles need all of them at once.
    net: "array[float]" = field(default_factory=lambda: array("d"))
    gross: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, *rows: Any) -> None:
        """Count an answer; a first one took what the first response did."""
        row = rows[0]
        if row.outcome == "met" and row.target in RESPONSES:
            self.net.append(row.minutes)
            self.gross.append(row.gross)

    def figures(self) -> Line:
        """Return percentiles in business minutes: the least figure that so many of a hundred don't exceed."""
        found: Line = {"answers": len(self.net)}
        # Sorted once, at the end: to keep them in order would cost more with each answer.
        for name, figures in (("net", sorted(self.net)), ("gross", sorted(self.gross))):
            found |= {f"{name}_p{part}": in_minutes(percentile(figures, part)) for part in SHARES}
        return found


@dataclass(slots=True)
class WhoseTime:
    """Where the business time of requests went that were resolved or closed."""

    requests: int = 0
    own: float = 0.0
    owed: float = 0.0
    client: float = 0.0
    third_party: float = 0.0
    release: float = 0.0
    gross: float = 0.0

    @property
    def waited(self) -> float:
        """What was waited for others."""
        return self.client + self.third_party + self.release

    def add(self, *rows: Any) -> None:
        """Count a resolution."""
        row = rows[0]
        if row.target != "resolution":
            return
        self.requests += 1
        self.own += row.minutes
        self.owed += row.owed
        self.client += row.client
        self.third_party += row.third_party
        self.release += row.release
        self.gross += row.gross

    def figures(self) -> Line:
        """Return minutes.

        `own` is the desk's time, `owed` what of it passed before answers, `resolved` that from an ending until it was
        reopened, `gross` all of it.
        """
        return {
            "requests": self.requests,
            "own": in_minutes(self.own),
            "owed": in_minutes(self.owed),
            "client": in_minutes(self.client),
            "third_party": in_minutes(self.third_party),
            "release": in_minutes(self.release),
            "resolved": in_minutes(self.gross - self.own - self.waited),
            "gross": in_minutes(self.gross),
            "own_share": share(self.own, self.own + self.waited),
        }


@dataclass(slots=True)
class Requests:
    """How many requests came in, and what became of them (POLICY 1.5)."""

    requests: int = 0
    out_of_turn: int = 0
    reopened: int = 0
    split_off: int = 0
    out_of_scope: int = 0
    marks: Counter[str] = field(default_factory=Counter)

    def add(self, *rows: Any) -> None:
        """Count a request."""
        row = rows[0]
        self.requests += 1
        self.out_of_turn += row.out_of_turn
        self.reopened += row.reopened > 0
        self.split_off += row.split_off
        self.out_of_scope += row.verdict == "out"
        if row.mark is not None:
            self.marks[row.mark] += 1

    def figures(self) -> Line:
        """Return counts and shares; each mark that was given has a column of its own."""
        counted = {name: getattr(self, name) for name in ("out_of_turn", "reopened", "split_off", "out_of_scope")}
        shares: Line = {f"{name}_share": share(count, self.requests) for name, count in counted.items()}
        marks: Line = {f"mark_{mark}": count for mark, count in sorted(self.marks.items())}
        return {"requests": self.requests, **counted, **shares, "rated": self.marks.total(), **marks}


class Sums(Protocol):
    """The sums of one group."""

    def add(self, *rows: Any) -> None:
        """Count a request, or the runs that one event has ended."""

    def figures(self) -> Line:
        """Return what is told of the group."""


S = TypeVar("S", bound=Sums)
MAKE: dict[ReportName, Callable[[], Sums]] = {
    "attainment": Attainment,
    "response-times": ResponseTimes,
    "whose-time": WhoseTime,
    "requests": Requests,
}
GROUPS: dict[ReportName, tuple[By, ...]] = {
    "attainment": ("target", "topic", "tier", "agent", "organization", "urgency", "month"),
    "response-times": ("target", "topic", "tier", "agent", "organization", "urgency", "month"),
    "whose-time": ("topic", "tier", "agent", "organization", "urgency", "month"),
    "requests": ("topic", "tier", "organization", "urgency", "month"),
}
"""By what each report can be grouped; the first is taken when nothing is asked for."""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report: a line for each group that had anything, the largest first (months in order), and the sum."""

    name: ReportName
    by: By
    lines: Sequence[Line]
    total: Line


class Groups:
    """The sums of each group of a report, and of all rows."""

    def __init__(self, name: ReportName, by: By) -> None:
        self._name, self._by, self._make = name, by, MAKE[name]
        self._column = "organization_id" if by == "organization" else by
        self._groups: dict[str | None, Sums] = {}
        self._all = self._make()

    def add(self, *rows: Any) -> None:
        """Count a request, or the runs that one event has ended, in their group and in the sum."""
        if self._by == "target":
            for row in rows:
                self._group(row).add(row)
        else:
            self._group(rows[0]).add(*rows)
        self._all.add(*rows)

    def _group(self, row: Any) -> Sums:
        """Return the sums of a row's group."""
        key = getattr(row, self._column)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._make()
        return group

    def report(self) -> Report:
        """Return the report so far; groups of which nothing is to be told are left out."""
        lines = [{"key": key, **group.figures()} for key, group in self._groups.items()]
        # A row may count for nothing here, such as a resolution among answers, and would else make an empty line.
        told = [line for line in lines if any(line[name] for name in _COUNTED if name in line)]
        return Report(self._name, self._by, sorted(told, key=self._order), {"key": None, **self._all.figures()})

    def _order(self, line: Line) -> tuple[float, str]:
        """Return where a line stands: the largest first, months in their own order."""
        size = 0.0 if self._by == "month" else -sum(float(line.get(name) or 0) for name in _COUNTED)
        return size, str(line["key"] or "")


_COUNTED = ("answers", "requests", "unanswered")


def share(part: float, whole: float) -> float | None:
    """Return a part of a whole, rounded to four digits; None of nothing."""
    return round(part / whole, 4) if whole else None


def in_minutes(figure: float | None) -> float | int | None:
    """Return minutes as they are told: to a hundredth, whole ones as whole numbers."""
    if figure is None:
        return None
    told = round(figure, 2)
    return int(told) if told.is_integer() else told


def percentile(ordered: Sequence[float], part: int) -> float | None:
    """Return the least of ordered figures that `part` of a hundred don't exceed; None of none."""
    if not ordered:
        return None
    # The nearest rank, rounded up in whole numbers: with floats a rank may come out one too high.
    return ordered[-(-part * len(ordered) // 100) - 1]


def names_of(report: Report) -> list[str]:
    """Return the names of a report's columns in order, those that only some lines have included."""
    found: dict[str, None] = dict.fromkeys(report.total)
    for line in report.lines:
        found |= dict.fromkeys(line)
    return list(found)

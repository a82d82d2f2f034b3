"""What a simulation counted, in plain words: how many answers would have been late, beside how many were (2.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from firstline.web.trials import Basis, told
from firstline.web.words import count, instant, one_line, stamp

Json = Mapping[str, Any]

STATES: Final = {"waiting": "waits", "done": "done", "cancelled": "cancelled", "failed": "not finished"}


@dataclass(frozen=True, slots=True)
class Line:
    """An earlier simulation: what was tried, on answers of how long, how far it is, and when it was asked for."""

    id: str
    tried: str
    span: str
    state: str
    over: bool
    iso: str
    made: str


def line(found: Basis, job: Json, now: datetime) -> Line:
    """Return a simulation as the list shows it."""
    tried = "; ".join(f"{one.about} {one.then}" for one in told(found, job["set"])) or "Nothing changed"
    over = job["state"] not in ("waiting", "running")
    state = STATES.get(job["state"]) or f"{far(job)} %"
    days = round((instant(job["until"]) - instant(job["from"])) / timedelta(days=1))
    of = f"Answers of {count(days, 'day', 'days')}"
    return Line(job["id"], tried, of, state, over, job["made_at"], stamp(instant(job["made_at"]), now))


def far(job: Json) -> int:
    """Return how much of a simulation is done, in percent."""
    return int(100 * job["done"] / job["runs"]) if job["runs"] else 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulation has counted, as the page shows it.

    Attributes:
        state: waiting, running, done, cancelled or failed.
        period: which answers.
        progress: how far it is, in words.
        percent: the same as a number.
        answers: how many were counted.
        sentence: the result in one sentence.
        detail: which way how many went.
        rows: group, answers, late, late then, newly late, no longer late; the last is the sum.
        problem: why it could not be finished, empty for nothing.

    """

    state: str
    period: str
    progress: str
    percent: int
    answers: int
    sentence: str
    detail: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    problem: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.state not in ("waiting", "running")


COLUMNS: Final = ("Answers", "Were late", "Would be late", "Newly late", "No longer late")
_FIGURES: Final = ("answers", "late", "late_then", "newly_late", "no_longer_late")


def outcome(job: Json, now: datetime) -> Outcome:
    """Return a simulation as the page shows it."""
    total = job["total"]
    start, until = (stamp(instant(job[name]), now) for name in ("from", "until"))
    lines = [*((one_line(line["label"]), line) for line in job["lines"]), ("All", total)]
    newly, better = (f"{total[name]:,}" for name in ("newly_late", "no_longer_late"))
    return Outcome(
        state=job["state"],
        period=f"Answers from {start} to {until}",
        progress=f"{job['done']:,} of {count(job['runs'], 'record', 'records')} recounted",
        percent=far(job),
        answers=total["answers"],
        sentence=_sentence(total),
        detail=f"{newly} that came in time would have been late; {better} that were late would have come in time.",
        rows=tuple((label, tuple(f"{figures[name]:,}" for name in _FIGURES)) for label, figures in lines),
        problem=one_line(job.get("problem") or ""),
    )


def _sentence(total: Json) -> str:
    """Say how many would have been late, beside how many were."""
    answers, late, then = (total[name] for name in ("answers", "late", "late_then"))
    if not answers:
        return "No answer was given in this time."
    shares = [f"{part:,} ({part / answers:.0%})" for part in (then, late)]
    return f"Of {count(answers, 'answer', 'answers')}, {shares[0]} would have been late; {shares[1]} were."

"""Bodies and documents of simulations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from firstline.sla.recount import Tally
from firstline.sla.reports import By
from firstline.sla.schemas import Instant
from firstline.sla.store.simulations import Asked, Simulation

State = Literal["waiting", "running", "done", "cancelled", "failed"]


class SimulationIn(BaseModel):
    """What is to be tried, and on which answers."""

    model_config = ConfigDict(extra="forbid")

    set: dict[str, Any] = Field(
        max_length=50,
        description="Changes to the policy by their paths: `targets.first_response`, `targets.high.first_response`,"
        " `targets.rules`, `calendar.hours.mon`, `calendar.tz`, `urgency.recovery.partial`,"
        " `scope.topics.updates.urgency`. None: a recount under the policy as it is.",
        examples=[{"targets.first_response": 240}],
    )
    start: Instant | None = Field(None, validation_alias="from", description="Default: 30 days before `until`.")
    until: Instant | None = Field(None, description="Not included. Default: now.")


class CountsOut(BaseModel):
    """Answers, how many of them were late, and how many would have been late with the changes."""

    answers: int
    late: int
    late_then: int
    newly_late: int = Field(description="Of `late_then`, those that were in time.")
    no_longer_late: int = Field(description="Of `late`, those that would have been in time.")


class CountsLineOut(CountsOut):
    """The answers of one group."""

    key: str | None
    label: str


class SimulationOut(BaseModel):
    """A simulation and how far it has come; `total` and `lines` hold what is counted so far."""

    id: str
    state: State
    made_at: datetime
    made_by: str
    set: dict[str, Any]
    start: datetime = Field(serialization_alias="from")
    until: datetime
    done: int = Field(description="How many of the recorded `runs` have been recounted.")
    runs: int
    problem: str | None = Field(description="Why it `failed`.")
    by: By
    total: CountsOut
    lines: list[CountsLineOut]


class AskedOut(BaseModel):
    """A simulation and how far it has come, without what it has counted."""

    id: str
    state: State
    made_at: datetime
    set: dict[str, Any]
    start: datetime = Field(serialization_alias="from")
    until: datetime
    done: int
    runs: int


class SimulationsOut(BaseModel):
    """The latest simulations that somebody asked for, the newest first."""

    items: list[AskedOut]


class BasisOut(BaseModel):
    """The parts of the newest policy that a simulation may change, as the policy has them."""

    version: str
    calendar: dict[str, Any]
    targets: dict[str, Any]
    urgency: dict[str, Any]
    scope: dict[str, Any]


def asked_out(job: Asked) -> AskedOut:
    """Return a simulation as the list shows it."""
    return AskedOut(
        id=job.id,
        state=job.state,
        made_at=job.made_at,
        set=job.changes,
        start=job.start,
        until=job.until,
        done=job.done,
        runs=max(job.total, job.done),
    )


def simulation_out(
    job: Simulation, by: By, found: Sequence[tuple[str | None, Sequence[int]]], labels: Mapping[str | None, str]
) -> SimulationOut:
    """Return a simulation's document."""
    tally = Tally.read(job.tally)
    return SimulationOut(
        id=job.id,
        state=job.state,
        made_at=job.made_at,
        made_by=job.made_by,
        set=job.changes,
        start=job.start,
        until=job.until,
        done=job.done,
        runs=max(job.total, job.done),
        problem=tally.problem,
        by=by,
        total=CountsOut(**counts(tally.total)),
        lines=[CountsLineOut(key=key, label=labels[key], **counts(given)) for key, given in found],
    )


def counts(given: Sequence[int]) -> dict[str, int]:
    """Return counts by their names."""
    answers, both, newly, no_longer = given
    return {
        "answers": answers,
        "late": both + no_longer,
        "late_then": both + newly,
        "newly_late": newly,
        "no_longer_late": no_longer,
    }

"""What was asked of what-if, how far it has come, and what it has counted so far."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.port import Sql
from firstline.common.store.tables import JsonText, UtcTime
from firstline.sla.store.metadata import SlaTable


class SimulationTable(SlaTable, table=True):
    """A simulation; `place` is the last run that was counted into `tally`."""

    __tablename__ = "simulation"
    __table_args__ = (
        sa.Index("ix_simulation_made_at", "made_at", "id"),
        sa.Index(
            "ix_simulation_unfinished",
            "made_at",
            sqlite_where=sa.text("finished_at IS NULL"),
            postgresql_where=sa.text("finished_at IS NULL"),
        ),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    made_at: datetime = Field(sa_type=UtcTime)
    made_by: str = Field(sa_type=sa.Text)
    changes: str = Field(sa_type=JsonText)
    start: datetime = Field(sa_type=UtcTime)
    until: datetime = Field(sa_type=UtcTime)
    state: str = Field(sa_type=sa.Text)
    total: int
    done: int
    place: str | None = Field(sa_type=JsonText)
    tally: str = Field(sa_type=JsonText)
    finished_at: datetime | None = Field(sa_type=UtcTime)


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulation as stored; `state` is waiting, running, done, cancelled or failed."""

    id: str
    made_at: datetime
    made_by: str
    changes: dict[str, Any]
    start: datetime
    until: datetime
    state: str
    total: int
    done: int
    place: list[Any] | None
    tally: dict[str, Any]
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A simulation as it stands in a list: without what it has counted, which may be much."""

    id: str
    made_at: datetime
    changes: dict[str, Any]
    start: datetime
    until: datetime
    state: str
    total: int
    done: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An ended run as far as a recount needs it, with the policy versions by which it was judged."""

    ticket_id: str
    target: str
    ended_by: str
    ended_at: datetime
    month: str
    outcome: str
    late: bool | None
    agent: str | None
    topic: str | None
    tier: str | None
    organization_id: str | None
    urgency: str
    policy_version: str
    hours_version: str | None
    targets_version: str | None


@dataclass(frozen=True, slots=True)
class Came:
    """What the first urgency of a ticket depended on; `covered` None: an earlier release took it."""

    ticket_id: str
    first_topic: str | None
    recovery: str | None
    claim: str | None
    covered: bool | None


_ALL = ", ".join(Simulation.__slots__)
_ANSWER = ", ".join(f"run.{name}" for name in Answer.__slots__ if name != "policy_version")
ADD: Sql[None] = Sql(
    f"INSERT INTO simulation ({_ALL}) VALUES ({', '.join(f':{name}' for name in Simulation.__slots__)})",  # noqa: S608
    type(None),
)
SIMULATION = Sql(f"SELECT {_ALL} FROM simulation WHERE id = :id", Simulation)  # noqa: S608
ASKED_BY = Sql(
    f"SELECT {', '.join(Asked.__slots__)} FROM simulation"  # noqa: S608
    " WHERE made_by = :by ORDER BY made_at DESC, id DESC LIMIT :limit",
    Asked,
)
NEXT = Sql(
    f"SELECT {_ALL} FROM simulation WHERE finished_at IS NULL ORDER BY made_at LIMIT 1",  # noqa: S608
    Simulation,
)
UNFINISHED = Sql("SELECT COUNT(*) FROM simulation WHERE finished_at IS NULL", int)
PROGRESS: Sql[None] = Sql(
    "UPDATE simulation SET state = :state, done = :done, place = :place, tally = :tally, finished_at = :finished_at"
    " WHERE id = :id AND finished_at IS NULL",
    type(None),
)
CANCEL: Sql[None] = Sql(
    "UPDATE simulation SET state = 'cancelled', finished_at = :now WHERE id = :id AND finished_at IS NULL", type(None)
)
FORGET: Sql[None] = Sql("DELETE FROM simulation WHERE made_at < :before AND finished_at IS NOT NULL", type(None))
COUNT_ENDED = Sql("SELECT COUNT(*) FROM run WHERE ended_at >= :start AND ended_at < :until", int)
# Without the span's start, from which SQLite would read again for each portion: `after` begins there.
ANSWERS_IN = Sql(
    f"SELECT {_ANSWER.replace('run.hours_version', 'ticket.policy_version, run.hours_version')}"  # noqa: S608
    " FROM run JOIN ticket ON ticket.id = run.ticket_id WHERE run.ended_at < :until"
    " AND (run.ended_at, run.ticket_id, run.target, run.ended_by) > (:after, :after_id, :after_target, :after_event)"
    " ORDER BY run.ended_at, run.ticket_id, run.target, run.ended_by LIMIT :limit",
    Answer,
)
CAME = Sql(
    "SELECT ticket_id, first_topic, recovery, claim, covered FROM taken WHERE ticket_id = ANY(:ticket_ids)", Came
)

"""What reports read: a row for each request that was taken, and one for each run of a clock that ended."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.port import Sql
from firstline.common.store.tables import UtcTime
from firstline.sla.store.metadata import SlaTable


class TakenTable(SlaTable, table=True):
    """A request as reports count it: when and about what it came in, and what became of it."""

    __tablename__ = "taken"
    __table_args__ = (sa.Index("ix_taken_taken_at", "taken_at", "ticket_id"),)
    ticket_id: str = Field(primary_key=True, sa_type=sa.Text)
    taken_at: datetime = Field(sa_type=UtcTime)
    month: str = Field(sa_type=sa.Text)
    organization_id: str | None = Field(sa_type=sa.Text)
    topic: str | None = Field(sa_type=sa.Text)
    tier: str | None = Field(sa_type=sa.Text)
    urgency: str = Field(sa_type=sa.Text)
    verdict: str = Field(sa_type=sa.Text)
    split_off: bool
    out_of_turn: bool
    reopened: int
    mark: str | None = Field(sa_type=sa.Text)
    first_topic: str | None = Field(sa_type=sa.Text)
    recovery: str | None = Field(sa_type=sa.Text)
    claim: str | None = Field(sa_type=sa.Text)
    covered: bool | None


class RunTable(SlaTable, table=True):
    """An ended run of a clock. `ended_by` is the event for a next response, empty for what a request has once."""

    __tablename__ = "run"
    __table_args__ = (sa.Index("ix_run_ended_at", "ended_at", "ticket_id", "target", "ended_by"),)
    ticket_id: str = Field(primary_key=True, sa_type=sa.Text)
    target: str = Field(primary_key=True, sa_type=sa.Text)
    ended_by: str = Field(primary_key=True, sa_type=sa.Text)
    started_at: datetime = Field(sa_type=UtcTime)
    ended_at: datetime = Field(sa_type=UtcTime)
    month: str = Field(sa_type=sa.Text)
    outcome: str = Field(sa_type=sa.Text)
    late: bool | None
    target_minutes: float | None
    minutes: float
    gross: float
    client: float
    third_party: float
    release: float
    owed: float
    agent: str | None = Field(sa_type=sa.Text)
    topic: str | None = Field(sa_type=sa.Text)
    tier: str | None = Field(sa_type=sa.Text)
    organization_id: str | None = Field(sa_type=sa.Text)
    urgency: str = Field(sa_type=sa.Text)
    hours_version: str | None = Field(sa_type=sa.Text)
    targets_version: str | None = Field(sa_type=sa.Text)


class NameTable(SlaTable, table=True):
    """What somebody of the desk, or an organisation, is called in reports."""

    __tablename__ = "name"
    id: str = Field(primary_key=True, sa_type=sa.Text)
    name: str = Field(sa_type=sa.Text)


@dataclass(frozen=True, slots=True)
class Taken:
    """A request as reports count it; `month` is that of the policy's time zone, such as `2026-11`.

    Attributes:
        ticket_id: which request.
        taken_at: its receipt, or the instant at which it was split off.
        month: that instant's.
        organization_id: whose it is.
        topic: the topic that it has now; None while none was named.
        tier: whose turn it is now.
        urgency: what it has now.
        verdict: whether the policy covers it, as judged last.
        split_off: whether it was made of another one's message.
        out_of_turn: whether somebody has taken it before others that came earlier, because it is urgent.
        reopened: how often.
        mark: how its client rated the handling.
        first_topic: the topic that it came in with; what its first urgency depended on, like the rest below.
        recovery: what its client stated; None where an earlier release took it, like `covered`.
        claim: the urgency that its client claimed.
        covered: whether the topic was not out of scope.

    """

    ticket_id: str
    taken_at: datetime
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
    first_topic: str | None
    recovery: str | None
    claim: str | None
    covered: bool | None


@dataclass(frozen=True, slots=True)
class Ended:
    """An ended run of a clock (`firstline.sla.runs.Run`), with what reports group by at its end.

    Attributes:
        ended_by: the event that ended it, empty for what a request has once.
        month: that of its end in the policy's time zone, such as `2026-11`.
        outcome: `met` or `ended`.
        late: None where there was no target.
        minutes: what was counted, in business minutes like all that follows.
        gross: all of it, waiting included.
        client: what was waited for the client; `third_party` and `release` alike.
        owed: of a resolution's minutes those in which an answer was owed.
        agent: who ended it, where that was somebody of the desk.

    """

    ticket_id: str
    target: str
    ended_by: str
    started_at: datetime
    ended_at: datetime
    month: str
    outcome: str
    late: bool | None
    target_minutes: float | None
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
    hours_version: str | None
    targets_version: str | None


@dataclass(frozen=True, slots=True)
class LateNow:
    """How many clocks of a target have passed their deadline and still run or stand."""

    target: str
    clocks: int


@dataclass(frozen=True, slots=True)
class Name:
    """What an ID is called."""

    id: str
    name: str


_TAKEN, _ENDED = ", ".join(Taken.__slots__), ", ".join(Ended.__slots__)
ADD_TAKEN: Sql[None] = Sql(
    f"INSERT INTO taken ({_TAKEN}) VALUES ({', '.join(f':{name}' for name in Taken.__slots__)})"  # noqa: S608
    " ON CONFLICT DO NOTHING",
    type(None),
)
TAKEN = Sql(f"SELECT {_TAKEN} FROM taken WHERE ticket_id = :ticket_id FOR UPDATE", Taken)  # noqa: S608
JUDGED: Sql[None] = Sql(
    "UPDATE taken SET topic = :topic, tier = :tier, urgency = :urgency, verdict = COALESCE(:verdict, verdict)"
    " WHERE ticket_id = :ticket_id",
    type(None),
)
SET_VERDICT: Sql[None] = Sql("UPDATE taken SET verdict = :verdict WHERE ticket_id = :ticket_id", type(None))
TOOK_OUT_OF_TURN: Sql[None] = Sql("UPDATE taken SET out_of_turn = :yes WHERE ticket_id = :ticket_id", type(None))
REOPENED: Sql[None] = Sql("UPDATE taken SET reopened = reopened + 1 WHERE ticket_id = :ticket_id", type(None))
RATED: Sql[None] = Sql("UPDATE taken SET mark = :mark WHERE ticket_id = :ticket_id", type(None))
# Both without the span's start, from which SQLite would read again for each portion: `after` begins there.
TAKEN_IN = Sql(
    f"SELECT {_TAKEN} FROM taken WHERE taken_at < :until"  # noqa: S608
    " AND (taken_at, ticket_id) > (:after, :after_id) ORDER BY taken_at, ticket_id LIMIT :limit",
    Taken,
)
_NOT_KEY = [name for name in Ended.__slots__ if name not in ("ticket_id", "target", "ended_by")]
SAVE_RUN: Sql[None] = Sql(
    f"INSERT INTO run ({_ENDED}) VALUES ({', '.join(f':{name}' for name in Ended.__slots__)})"  # noqa: S608
    " ON CONFLICT (ticket_id, target, ended_by) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NOT_KEY),
    type(None),
)
ENDED_IN = Sql(
    f"SELECT {_ENDED} FROM run WHERE ended_at < :until"  # noqa: S608
    " AND (ended_at, ticket_id, target, ended_by) > (:after, :after_id, :after_target, :after_event)"
    " ORDER BY ended_at, ticket_id, target, ended_by LIMIT :limit",
    Ended,
)
# By an index of late clocks alone, which are few, so that it costs nothing to ask often.
LATE_NOW = Sql(
    "SELECT target, COUNT(*) FROM clock WHERE breached AND state IN ('running', 'paused') GROUP BY target", LateNow
)
CALL: Sql[None] = Sql(
    "INSERT INTO name (id, name) VALUES (:id, :name) ON CONFLICT (id) DO UPDATE SET name = excluded.name", type(None)
)
FORGET_NAME: Sql[None] = Sql("DELETE FROM name WHERE id = :id", type(None))
NAMES = Sql("SELECT id, name FROM name WHERE id = ANY(:ids)", Name)

"""The sla service's tables, and its queries of tickets, licences, the queue and people."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.participants import participants_in
from firstline.common.store.port import Sql
from firstline.common.store.tables import Serial, UtcTime
from firstline.sla.forecast import Waited
from firstline.sla.store import (  # their tables are made with these
    clocks,
    facts,
    policies,
    recomputes,
    records,
    simulations,
)
from firstline.sla.store.metadata import METADATA, SlaTable

__all__ = ["METADATA", "clocks", "facts", "policies", "recomputes", "records", "simulations"]


class TicketTable(SlaTable, table=True):
    """What clocks need to know of a ticket."""

    __tablename__ = "ticket"
    id: str = Field(primary_key=True, sa_type=sa.Text)
    number: str = Field(unique=True, sa_type=sa.Text)
    organization_id: str | None = Field(sa_type=sa.Text)
    policy_version: str = Field(sa_type=sa.Text)
    urgency: str = Field(sa_type=sa.Text)
    calendar_version: str | None = Field(sa_type=sa.Text)
    targets_version: str | None = Field(sa_type=sa.Text)


class LicenceTable(SlaTable, table=True):
    """The edition of a licence, which rules of targets may ask for."""

    __tablename__ = "licence"
    id: str = Field(primary_key=True, sa_type=sa.Text)
    edition: str | None = Field(sa_type=sa.Text)


class WaitingTable(SlaTable, table=True):
    """An entry of the queue, as queue last told it, with what was foretold when it came in."""

    __tablename__ = "waiting"
    __table_args__ = (sa.Index("ix_waiting_order", "turn", "since", "position"),)
    ticket_id: str = Field(primary_key=True, sa_type=sa.Text)
    turn: int = Field(sa_type=sa.SmallInteger)
    since: datetime = Field(sa_type=UtcTime)
    position: int = Field(sa_type=sa.BigInteger)
    entered_at: datetime = Field(sa_type=UtcTime)
    ahead: int
    p50_at: datetime | None = Field(sa_type=UtcTime)
    p90_at: datetime | None = Field(sa_type=UtcTime)


class WaitedTable(SlaTable, table=True):
    """An entry that was answered: business minutes until then, how many were ahead, and what had been foretold.

    Only the last of them are looked at, so only those are kept.
    """

    __tablename__ = "waited"
    seq: int | None = Field(primary_key=True, sa_type=Serial)
    ticket_id: str = Field(sa_type=sa.Text)
    entered_at: datetime = Field(sa_type=UtcTime)
    answered_at: datetime = Field(sa_type=UtcTime)
    minutes: float
    ahead: int
    p50_at: datetime | None = Field(sa_type=UtcTime)
    p90_at: datetime | None = Field(sa_type=UtcTime)


class RefillTable(SlaTable, table=True):
    """A log that is read once more from its beginning, and how far: an earlier release kept less of it."""

    __tablename__ = "refill"
    source: str = Field(primary_key=True, sa_type=sa.Text)
    position: int = Field(sa_type=sa.BigInteger)


class ParticipantTable(SlaTable, table=True):
    """Who takes part in a ticket on the client's side and may ask for its forecast: addresses as compared."""

    __tablename__ = "participant"
    ticket_id: str = Field(primary_key=True, sa_type=sa.Text)
    address: str = Field(primary_key=True, index=True, sa_type=sa.Text)


class PersonTable(SlaTable, table=True):
    """A person's address, by which copies of it are found when they are to be erased."""

    __tablename__ = "person"
    id: str = Field(primary_key=True, sa_type=sa.Text)
    address: str = Field(sa_type=sa.Text)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What clocks need to know of a ticket.

    Attributes:
        id: of the ticket.
        number: by which people know it.
        organization_id: whose it is.
        policy_version: the one under which it was taken.
        urgency: its present one.
        calendar_version: the policy version whose hours its clocks are timed by; None: that under which it was taken.
        targets_version: the same of targets, which only a recompute changes.

    """

    id: str
    number: str
    organization_id: str | None
    policy_version: str
    urgency: str
    calendar_version: str | None = None
    targets_version: str | None = None

    @property
    def hours(self) -> str:
        """The policy version whose hours its clocks are timed by."""
        return self.calendar_version or self.policy_version

    @property
    def targets(self) -> str:
        """The policy version whose targets it has."""
        return self.targets_version or self.policy_version

    def under(self, hours: str, targets: str | None) -> "Ticket":
        """Return it timed by the hours of a version, and by the targets of another where one is named."""
        named = (self.id, self.number, self.organization_id, self.policy_version, self.urgency)
        return Ticket(*named, hours, targets or self.targets_version)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry of the queue: its key, and what was foretold when it came in."""

    ticket_id: str
    turn: int
    since: datetime
    position: int
    entered_at: datetime
    ahead: int
    p50_at: datetime | None
    p90_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refill:
    """A log that is read once more, and how far."""

    source: str
    position: int


@dataclass(frozen=True, slots=True)
class Score:
    """Of answers about which something had been foretold, how many there are and how many came in time."""

    answers: int
    within_p50: int
    within_p90: int


INSERT_TICKET: Sql[None] = Sql(
    "INSERT INTO ticket (id, number, organization_id, policy_version, urgency, calendar_version, targets_version)"
    " VALUES (:id, :number, :organization_id, :policy_version, :urgency, :calendar_version, :targets_version)",
    type(None),
)
SET_URGENCY: Sql[None] = Sql("UPDATE ticket SET urgency = :urgency WHERE id = :id", type(None))
_TICKET = "SELECT id, number, organization_id, policy_version, urgency, calendar_version, targets_version FROM ticket"
TICKET = Sql(f"{_TICKET} WHERE id = :id", Ticket)
# Who tells of a ticket's clocks has its row, so that a recompute and an event don't pass each other.
TICKET_TO_TIME = Sql(f"{_TICKET} WHERE id = :id FOR UPDATE", Ticket)
TICKETS_TO_TIME = Sql(f"{_TICKET} WHERE id = ANY(:ids) ORDER BY id FOR UPDATE", Ticket)
TICKETS_TO_TIME_NOW = Sql(f"{_TICKET} WHERE id = ANY(:ids) ORDER BY id FOR UPDATE SKIP LOCKED", Ticket)
TICKETS = Sql(f"{_TICKET} WHERE id = ANY(:ids)", Ticket)
SET_TERMS: Sql[None] = Sql(
    "UPDATE ticket SET calendar_version = :calendar_version,"
    " targets_version = COALESCE(:targets_version, targets_version) WHERE id = ANY(:ids)",
    type(None),
)
TICKETS_AFTER = Sql(f"{_TICKET} WHERE id > :after ORDER BY id LIMIT :limit", Ticket)
TICKETS_BY_NUMBER = Sql(f"{_TICKET} WHERE number = ANY(:numbers)", Ticket)
EDITION = Sql("SELECT edition FROM licence WHERE id = :id", str)
HAS_LICENCE = Sql("SELECT id FROM licence WHERE id = :id", str)
SAVE_LICENCE: Sql[None] = Sql(
    "INSERT INTO licence (id, edition) VALUES (:id, :edition)"
    " ON CONFLICT (id) DO UPDATE SET edition = excluded.edition",
    type(None),
)
_WAITING = ", ".join(Waiting.__slots__)
WAITING = Sql(f"SELECT {_WAITING} FROM waiting WHERE ticket_id = :ticket_id", Waiting)  # noqa: S608
ENTER: Sql[None] = Sql(
    f"INSERT INTO waiting ({_WAITING})"  # noqa: S608
    " VALUES (:ticket_id, :turn, :since, :position, :entered_at, :ahead, :p50_at, :p90_at)"
    " ON CONFLICT (ticket_id) DO UPDATE SET turn = excluded.turn, since = excluded.since, position = excluded.position,"
    " entered_at = excluded.entered_at, ahead = excluded.ahead, p50_at = excluded.p50_at, p90_at = excluded.p90_at",
    type(None),
)
MOVE: Sql[None] = Sql(
    "UPDATE waiting SET turn = :turn, since = :since, position = :position WHERE ticket_id = :ticket_id", type(None)
)
LEAVE: Sql[None] = Sql("DELETE FROM waiting WHERE ticket_id = :ticket_id", type(None))
AHEAD = Sql(
    "SELECT COUNT(*) FROM (SELECT 1 FROM waiting WHERE (turn, since, position) < (:turn, :since, :position)"
    " LIMIT :limit) AS ahead",
    int,
)
ADD_WAITED = Sql(
    "INSERT INTO waited (ticket_id, entered_at, answered_at, minutes, ahead, p50_at, p90_at)"
    " VALUES (:ticket_id, :entered_at, :answered_at, :minutes, :ahead, :p50_at, :p90_at) RETURNING seq",
    int,
)
FORGET_WAITED: Sql[None] = Sql("DELETE FROM waited WHERE seq <= :up_to", type(None))
LATELY = Sql("SELECT minutes, ahead FROM waited ORDER BY seq DESC LIMIT :limit", Waited)
SCORE = Sql(
    "SELECT COUNT(p90_at), COUNT(CASE WHEN answered_at <= p50_at THEN 1 END),"
    " COUNT(CASE WHEN answered_at <= p90_at THEN 1 END)"
    " FROM (SELECT answered_at, p50_at, p90_at FROM waited ORDER BY seq DESC LIMIT :limit) AS lately",
    Score,
)

REFILLS = Sql("SELECT source, position FROM refill ORDER BY source", Refill)
MOVE_REFILL: Sql[None] = Sql("UPDATE refill SET position = :position WHERE source = :source", type(None))
DROP_REFILL: Sql[None] = Sql("DELETE FROM refill WHERE source = :source", type(None))
# Held until the commit, so that no newer event of the stream is applied meanwhile.
APPLIED = Sql("SELECT version FROM inbox_stream WHERE source = :source AND stream = :stream FOR UPDATE", int)
PARTICIPANTS = participants_in("participant")
PERSON_ADDRESS = Sql("SELECT address FROM person WHERE id = :id", str)
SAVE_PERSON: Sql[None] = Sql(
    "INSERT INTO person (id, address) VALUES (:id, :address) ON CONFLICT (id) DO UPDATE SET address = excluded.address",
    type(None),
)
FORGET_PERSON: Sql[None] = Sql("DELETE FROM person WHERE id = :id", type(None))

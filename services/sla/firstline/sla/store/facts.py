"""The facts of each ticket's history, as the events that clocks are folded from."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.port import Sql
from firstline.common.store.tables import JsonText, Serial, UtcTime
from firstline.sla.history import ClockEvent
from firstline.sla.store.metadata import SlaTable


class FactTable(SlaTable, table=True):
    """An event of a ticket's history that clocks care about, by the ID of the event that told it (and its origin)."""

    __tablename__ = "fact"
    __table_args__ = (sa.UniqueConstraint("ticket_id", "id"),)
    seq: int | None = Field(primary_key=True, sa_type=Serial)
    ticket_id: str = Field(sa_type=sa.Text)
    id: str = Field(sa_type=sa.Text)
    type: str = Field(sa_type=sa.Text)
    at: datetime = Field(sa_type=UtcTime)
    cause: str | None = Field(sa_type=sa.Text)
    targets: str | None = Field(sa_type=JsonText)
    origin: str | None = Field(sa_type=sa.Text)
    traits: str | None = Field(sa_type=JsonText)


@dataclass(frozen=True, slots=True)
class FactOf(ClockEvent):
    """A fact, and the ticket that it belongs to."""

    ticket_id: str = ""


INSERT_FACT: Sql[None] = Sql(
    "INSERT INTO fact (ticket_id, id, type, at, cause, targets, origin, traits)"
    " VALUES (:ticket_id, :id, :type, :at, :cause, :targets, :origin, :traits)"
    " ON CONFLICT DO NOTHING",
    type(None),
)
_FACT = ", ".join(ClockEvent.__slots__)
FACTS = Sql(f"SELECT {_FACT} FROM fact WHERE ticket_id = :ticket_id ORDER BY seq", ClockEvent)  # noqa: S608
FACTS_OF = Sql(
    f"SELECT {_FACT}, ticket_id FROM fact WHERE ticket_id = ANY(:ticket_ids) ORDER BY ticket_id, seq",  # noqa: S608
    FactOf,
)
# Of a fact that an earlier release kept: what the event says of the ticket, in place of the targets chosen by it.
FILL_TRAITS: Sql[None] = Sql(
    "UPDATE fact SET traits = :traits, targets = NULL WHERE ticket_id = :ticket_id AND id = :id AND traits IS NULL",
    type(None),
)

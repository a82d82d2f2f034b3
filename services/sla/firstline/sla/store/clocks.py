"""The clocks as last published, and the due table: what is to be told next, and when."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.port import Sql
from firstline.common.store.tables import JsonText, UtcTime
from firstline.sla.store.metadata import SlaTable


class ClockTable(SlaTable, table=True):
    """A clock as last published; `next_at` is the instant of its next milestone, NULL when nothing is to come."""

    __tablename__ = "clock"
    __table_args__ = (
        sa.UniqueConstraint("ticket_id", "target"),
        sa.Index(
            "ix_clock_next_at",
            "next_at",
            sqlite_where=sa.text("next_at IS NOT NULL"),
            postgresql_where=sa.text("next_at IS NOT NULL"),
        ),
        sa.Index(
            "ix_clock_due_at",
            "due_at",
            "id",
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        ),
        sa.Index(
            "ix_clock_late",
            "target",
            "state",
            sqlite_where=sa.text("breached"),
            postgresql_where=sa.text("breached"),
        ),
        sa.Index(
            "ix_clock_alive",
            "ticket_id",
            sqlite_where=sa.text("state IN ('running', 'paused')"),
            postgresql_where=sa.text("state IN ('running', 'paused')"),
        ),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    ticket_id: str = Field(sa_type=sa.Text)
    target: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    due_at: datetime | None = Field(sa_type=UtcTime)
    warn_at: datetime | None = Field(sa_type=UtcTime)
    warned: bool
    breached: bool
    next_at: datetime | None = Field(sa_type=UtcTime)
    rule: str | None = Field(sa_type=sa.Text)
    target_minutes: float | None
    warnings: str | None = Field(sa_type=JsonText)
    told: int = Field(sa_column_kwargs={"server_default": "0"})


@dataclass(frozen=True, slots=True)
class StoredClock:
    """A clock as last published.

    Attributes:
        id: the clock's.
        ticket_id: the ticket's.
        target: what is timed.
        state: idle, running, paused or met.
        due_at: the deadline; None unless running.
        warn_at: the next warning.
        warned: no warning is left to be published of the present run.
        breached: the breach of the present run was published.
        next_at: when something is to be published next.
        rule: the rule that gives the target.
        target_minutes: the business minutes that it gives.
        warnings: instants at which to warn, each with the business minutes counted then; None: an earlier release
            stored the clock.
        told: how many of the warnings were published.

    """

    id: str
    ticket_id: str
    target: str
    state: str = "idle"
    due_at: datetime | None = None
    warn_at: datetime | None = None
    warned: bool = False
    breached: bool = False
    next_at: datetime | None = None
    rule: str | None = None
    target_minutes: float | None = None
    warnings: list[list[str | float]] | None = None
    told: int = 0


_COLUMNS = ", ".join(StoredClock.__slots__)
_CLOCK = f"SELECT {_COLUMNS} FROM clock"  # noqa: S608
CLOCK = Sql(f"{_CLOCK} WHERE id = :id", StoredClock)
CLOCKS = Sql(f"{_CLOCK} WHERE ticket_id = :ticket_id ORDER BY target FOR UPDATE", StoredClock)
CLOCKS_OF = Sql(f"{_CLOCK} WHERE ticket_id = ANY(:ticket_ids) ORDER BY ticket_id, target", StoredClock)
CLOCKS_TO_TIME = Sql(f"{_CLOCK} WHERE ticket_id = ANY(:ticket_ids) ORDER BY ticket_id, target FOR UPDATE", StoredClock)
# Locked or passed over: replicas share what is due, and a clock that somebody's fact is changing is judged after it.
DUE = Sql(f"{_CLOCK} WHERE next_at <= :now ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED", StoredClock)
CLOCKS_DUE = Sql(
    f"{_CLOCK} WHERE due_at < :before AND (due_at, id) > (:after_due, :after_id) ORDER BY due_at, id LIMIT :limit",
    StoredClock,
)
NEXT_DUE = Sql("SELECT next_at FROM clock WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1", datetime)
SAVE_CLOCK: Sql[None] = Sql(
    f"INSERT INTO clock ({_COLUMNS}) VALUES (:{', :'.join(StoredClock.__slots__)})"  # noqa: S608
    " ON CONFLICT (ticket_id, target) DO UPDATE SET state = excluded.state, due_at = excluded.due_at,"
    " warn_at = excluded.warn_at, warned = excluded.warned, breached = excluded.breached, next_at = excluded.next_at,"
    " rule = excluded.rule, target_minutes = excluded.target_minutes, warnings = excluded.warnings,"
    " told = excluded.told",
    type(None),
)
# Of a clock that is stored already; cheaper than to store it by its ticket and target.
CHANGE_CLOCK: Sql[None] = Sql(
    f"UPDATE clock SET {', '.join(f'{name} = :{name}' for name in StoredClock.__slots__[3:])} WHERE id = :id",  # noqa: S608
    type(None),
)

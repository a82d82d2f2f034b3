"""The tables of queue and every query on them; each one that runs often walks a partial index from its beginning."""

# ruff: noqa: S608 (statements are put together from the names of columns and from conditions that stand here)

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import product
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from firstline.common.participants import participants_in
from firstline.common.store.port import Sql, Value
from firstline.common.store.tables import (
    NAMING,
    JsonText,
    UtcTime,
    add_answer_table,
    add_erasure_table,
    add_inbox_tables,
    add_log_tables,
)
from firstline.queue.entry import Entry, Key, Rules

METADATA = sa.MetaData(naming_convention=NAMING)
add_log_tables(METADATA)
add_inbox_tables(METADATA)
add_answer_table(METADATA)
add_erasure_table(METADATA)

LEASES: Final = "leases"
"""Announced by every transaction that begins or prolongs a lease."""


class QueueTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of this service's tables, with metadata of its own."""


class EntryTable(QueueTable, table=True):
    """One row for each ticket, kept when it leaves the queue.

    `turn` is 0 for an entry out of turn, 1 for one in turn and NULL while the ticket has no entry; `free_turn` is the
    same, but NULL also while somebody holds the entry. With (since, position) each is the key in the order of service,
    in an index of its own, so that claimed entries at the head of the queue are not walked past again and again.
    """

    __tablename__ = "queue_entry"
    ticket_id: str = Field(primary_key=True, sa_type=sa.Text)
    number: str = Field(unique=True, sa_type=sa.Text)
    subject: str = Field(sa_type=sa.Text)
    organization_id: str | None = Field(sa_type=sa.Text)
    status: str = Field(sa_type=sa.Text)
    urgency: str = Field(sa_type=sa.Text)
    urgency_provisional: bool
    topic: str | None = Field(sa_type=sa.Text)
    tier: str = Field(sa_type=sa.Text)
    out_of_turn: bool
    turn: int | None = Field(sa_type=sa.SmallInteger)
    free_turn: int | None = Field(sa_type=sa.SmallInteger)
    since: datetime | None = Field(sa_type=UtcTime)
    position: int | None = Field(sa_type=sa.BigInteger)
    owner: str | None = Field(sa_type=sa.Text)
    agent: str | None = Field(sa_type=sa.Text)
    fence: int = Field(sa_type=sa.BigInteger)
    lease_expires_at: datetime | None = Field(sa_type=UtcTime)


class ParticipantTable(QueueTable, table=True):
    """Who takes part in a ticket on the client's side and may ask for its place: addresses as compared."""

    __tablename__ = "queue_participant"
    ticket_id: str = Field(primary_key=True, sa_type=sa.Text)
    address: str = Field(primary_key=True, index=True, sa_type=sa.Text)


class PersonTable(QueueTable, table=True):
    """A person, as accounts last said."""

    __tablename__ = "queue_person"
    id: str = Field(primary_key=True, sa_type=sa.Text)
    address: str = Field(sa_type=sa.Text)
    serves: bool


class PolicyTable(QueueTable, table=True):
    """What a published policy version says of the order."""

    __tablename__ = "queue_policy"
    __table_args__ = (sa.Index("ix_queue_policy_effective_from", "effective_from", "version"),)
    version: str = Field(primary_key=True, sa_type=sa.Text)
    effective_from: datetime = Field(sa_type=UtcTime)
    levels: str = Field(sa_type=JsonText)
    max_in_a_row: int


class StreakTable(QueueTable, table=True):
    """How many entries out of turn were served in a row, for each kind of wish; kept only while there is a bound."""

    __tablename__ = "queue_streak"
    wish: str = Field(primary_key=True, sa_type=sa.Text)
    count: int


def _index(name: str, condition: str, *columns: str) -> None:
    """Define a partial index on entries: those without a place, soon nearly all, are not in it."""
    table = METADATA.tables["queue_entry"].c
    where = sa.text(condition)
    sa.Index(name, *(table[column] for column in columns), sqlite_where=where, postgresql_where=where)


# The lists show who is worked on too, claims walk along free entries only: an index for each, with and without a tier.
_index("ix_queue_entry_waiting", "turn IS NOT NULL", "turn", "since", "position")
_index("ix_queue_entry_waiting_tier", "turn IS NOT NULL", "tier", "turn", "since", "position")
_index("ix_queue_entry_free", "free_turn IS NOT NULL", "free_turn", "since", "position")
_index("ix_queue_entry_free_tier", "free_turn IS NOT NULL", "tier", "free_turn", "since", "position")
_index("ix_queue_entry_lease", "lease_expires_at IS NOT NULL", "lease_expires_at")
_index("ix_queue_entry_agent", "agent IS NOT NULL", "agent")


@dataclass(frozen=True, slots=True)
class Person:
    """A person: the address that copies are known by, and whether they serve clients."""

    address: str
    serves: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How many entries stand out of turn (turn 0) or in turn (turn 1)."""

    turn: int
    count: int


_NAMES: Final = tuple(field.name for field in fields(Entry))
_COLUMNS: Final = ", ".join(_NAMES)
_CHANGES: Final = ", ".join(f"{name} = excluded.{name}" for name in (*_NAMES[1:], "turn", "free_turn"))
_FREE: Final = "free_turn IS NOT NULL"

ENTRY = Sql(f"SELECT {_COLUMNS} FROM queue_entry WHERE ticket_id = :ticket_id", Entry)
ENTRY_BY_NUMBER = Sql(f"SELECT {_COLUMNS} FROM queue_entry WHERE number = :number", Entry)
ENTRY_TO_CHANGE = Sql(f"SELECT {_COLUMNS} FROM queue_entry WHERE ticket_id = :ticket_id FOR UPDATE", Entry)
ENTRY_BY_NUMBER_TO_CHANGE = Sql(f"SELECT {_COLUMNS} FROM queue_entry WHERE number = :number FOR UPDATE", Entry)
ENTRIES_AFTER = Sql(
    f"SELECT {_COLUMNS} FROM queue_entry WHERE ticket_id > :after ORDER BY ticket_id LIMIT :limit", Entry
)
# An upsert: the handler has decided under the row's lock, or knows of no row yet and is alone with the stream.
SAVE_ENTRY: Sql[None] = Sql(
    f"INSERT INTO queue_entry ({_COLUMNS}, turn, free_turn)"
    f" VALUES ({', '.join(f':{name}' for name in _NAMES)}, :turn, :free_turn)"
    f" ON CONFLICT (ticket_id) DO UPDATE SET {_CHANGES}",
    type(None),
)
# Only what a claim changes: the rest may have been moved on by an event in between.
SAVE_CLAIM: Sql[None] = Sql(
    "UPDATE queue_entry SET owner = :owner, agent = :agent, fence = :fence, lease_expires_at = :lease_expires_at,"
    " free_turn = :free_turn WHERE ticket_id = :ticket_id",
    type(None),
)


def _take(*, tier: bool, skills: bool, in_turn: bool) -> Sql[Entry]:
    """Return the statement that claims the first free entry, of a tier, of some topics, or in turn only."""
    conditions = [_FREE]
    conditions += ["tier = :tier"] if tier else []
    conditions += ["free_turn = 1"] if in_turn else []
    conditions += ["(topic IS NULL OR topic = ANY(:skills))"] if skills else []
    first = (
        f"SELECT ticket_id FROM queue_entry WHERE {' AND '.join(conditions)}"
        " ORDER BY free_turn, since, position LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    # The outer condition is looked at again on PostgreSQL when the row changed between choosing and locking it.
    return Sql(
        "UPDATE queue_entry SET agent = :agent, fence = fence + 1, lease_expires_at = :until, free_turn = NULL"
        f" WHERE ticket_id = ({first}) AND {_FREE} RETURNING {_COLUMNS}",
        Entry,
    )


TAKE: Mapping[tuple[bool, bool, bool], Sql[Entry]] = MappingProxyType(
    {
        (tier, skills, in_turn): _take(tier=tier, skills=skills, in_turn=in_turn)
        for tier, skills, in_turn in product((False, True), repeat=3)
    }
)
"""Claims the first free entry, by whether a tier and skills are wished for and whether it has to be one in turn.

Skills are looked at row by row along the index: with a rare skill the cost grows with the entries passed over.
"""


def _firsts(condition: str) -> Sql[Key]:
    """Return the query for the first free entry out of turn and the first in turn."""
    first = (
        "SELECT * FROM (SELECT out_of_turn, since, position FROM queue_entry"
        f" WHERE {_FREE}{condition} AND free_turn = {{turn}} ORDER BY since, position LIMIT 1) AS {{name}}"
    )
    return Sql(f"{first.format(turn=0, name='urgent')} UNION ALL {first.format(turn=1, name='other')}", Key)


# Two looks into one index, however long the queue is.
FIRSTS, FIRSTS_OF_TIER = _firsts(""), _firsts(" AND tier = :tier")


def _tally(condition: str) -> Sql[Tally]:
    """Return the query that counts free entries before a key, :limit at most."""
    ahead = (
        f"SELECT free_turn AS turn FROM queue_entry WHERE {_FREE}{condition}"
        " AND (free_turn, since, position) < (:turn, :since, :position) LIMIT :limit"
    )
    return Sql(f"SELECT turn, count(*) FROM ({ahead}) AS ahead GROUP BY turn ORDER BY turn", Tally)


# The limit bounds what somebody far behind costs: a walk of so many entries along the index.
AHEAD, AHEAD_OF_TIER = _tally(""), _tally(" AND tier = :tier")


def _page(condition: str) -> Sql[Entry]:
    """Return the query for a page of entries, claimed ones too, after a key."""
    return Sql(
        f"SELECT {_COLUMNS} FROM queue_entry WHERE turn IS NOT NULL{condition}"
        f" AND (turn, since, position) > (:turn, :since, :position) ORDER BY turn, since, position LIMIT :limit",
        Entry,
    )


PAGE, PAGE_OF_TIER = _page(""), _page(" AND tier = :tier")

# Replicas that look at the same time share the work instead of waiting for one another.
EXPIRED = Sql(
    f"SELECT {_COLUMNS} FROM queue_entry WHERE lease_expires_at <= :now"
    " ORDER BY lease_expires_at LIMIT :limit FOR UPDATE SKIP LOCKED",
    Entry,
)
NEXT_EXPIRY = Sql(
    "SELECT lease_expires_at FROM queue_entry WHERE lease_expires_at IS NOT NULL ORDER BY lease_expires_at LIMIT 1",
    datetime,
)
# In one order, as everybody who locks several entries does: two that lock crosswise would be a deadlock.
HELD_BY = Sql(f"SELECT {_COLUMNS} FROM queue_entry WHERE agent = :agent ORDER BY ticket_id FOR UPDATE", Entry)

STREAK = Sql("SELECT count FROM queue_streak WHERE wish = :wish FOR UPDATE", int)
# Not an upsert: of two first claims at once the second fails, looks again, and waits for the row like any later one.
ADD_STREAK: Sql[None] = Sql("INSERT INTO queue_streak (wish, count) VALUES (:wish, 0)", type(None))
SAVE_STREAK: Sql[None] = Sql("UPDATE queue_streak SET count = :count WHERE wish = :wish", type(None))

# Versions are few, and one may be published before it takes effect.
RULES = Sql(
    "SELECT levels, max_in_a_row FROM queue_policy WHERE effective_from <= :at"
    " ORDER BY effective_from DESC, version DESC LIMIT 1",
    Rules,
)
SAVE_RULES: Sql[None] = Sql(
    "INSERT INTO queue_policy (version, effective_from, levels, max_in_a_row)"
    " VALUES (:version, :effective_from, :levels, :max_in_a_row)"
    " ON CONFLICT (version) DO UPDATE SET effective_from = excluded.effective_from, levels = excluded.levels,"
    " max_in_a_row = excluded.max_in_a_row",
    type(None),
)

PARTICIPANTS: Final = participants_in("queue_participant")
ADDRESSES = PARTICIPANTS.addresses

PERSON = Sql("SELECT address, serves FROM queue_person WHERE id = :id", Person)
SAVE_PERSON: Sql[None] = Sql(
    "INSERT INTO queue_person (id, address, serves) VALUES (:id, :address, :serves)"
    " ON CONFLICT (id) DO UPDATE SET address = excluded.address, serves = excluded.serves",
    type(None),
)
FORGET_PERSON: Sql[None] = Sql("DELETE FROM queue_person WHERE id = :id", type(None))


def turn_of(key: Key) -> int:
    """Return the key's first column."""
    return 0 if key.out_of_turn else 1


def entry_row(entry: Entry) -> dict[str, Value]:
    """Return an entry as the parameters of SAVE_ENTRY."""
    row: dict[str, Value] = {name: getattr(entry, name) for name in _NAMES}
    return row | {"turn": turn_of(entry.key) if entry.key else None, "free_turn": _free_turn(entry)}


def claim_row(entry: Entry) -> dict[str, Value]:
    """Return an entry's claim and owner as the parameters of SAVE_CLAIM."""
    names = ("ticket_id", "owner", "agent", "fence", "lease_expires_at")
    return {name: getattr(entry, name) for name in names} | {"free_turn": _free_turn(entry)}


def _free_turn(entry: Entry) -> int | None:
    """Return the turn of an entry that may be claimed, else None."""
    return turn_of(entry.key) if entry.key and entry.agent is None else None

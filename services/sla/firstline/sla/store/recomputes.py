"""Recomputes: their tables and queries. Which requests run is told by an index that holds those alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.port import Sql
from firstline.common.store.tables import Serial, UtcTime
from firstline.sla.store.metadata import SlaTable

Scope = Literal["all", "calendar", "targets"]
State = Literal["running", "done", "cancelled", "overtaken"]
PUBLICATION = "policy.published"
"""In the place of who asked for it, where the publication of the version itself did."""


class RecomputeTable(SlaTable, table=True):
    """A recompute of the clocks that run; `after` is the last request that it has been through."""

    __tablename__ = "recompute"
    __table_args__ = (
        sa.Index(
            "ix_recompute_running",
            "seq",
            sqlite_where=sa.text("state = 'running'"),
            postgresql_where=sa.text("state = 'running'"),
        ),
    )
    seq: int | None = Field(primary_key=True, sa_type=Serial)
    id: str = Field(unique=True, sa_type=sa.Text)
    policy_version: str = Field(sa_type=sa.Text)
    scope: str = Field(sa_type=sa.Text)
    dry_run: bool
    state: str = Field(sa_type=sa.Text)
    asked_by: str = Field(sa_type=sa.Text)
    started_at: datetime = Field(sa_type=UtcTime)
    ended_at: datetime | None = Field(sa_type=UtcTime)
    after: str = Field(sa_type=sa.Text)
    requests: int
    clocks: int
    changed: int
    later: int
    earlier: int
    breached: int
    relieved: int
    failed: int


class RecomputeChangeTable(SlaTable, table=True):
    """A clock that a recompute changes, or would: how it stood, and how it stands then."""

    __tablename__ = "recompute_change"
    recompute_id: str = Field(primary_key=True, sa_type=sa.Text)
    ticket_id: str = Field(primary_key=True, sa_type=sa.Text)
    target: str = Field(primary_key=True, sa_type=sa.Text)
    number: str = Field(sa_type=sa.Text)
    due_before: datetime | None = Field(sa_type=UtcTime)
    due_after: datetime | None = Field(sa_type=UtcTime)
    breached_before: bool
    breached_after: bool
    minutes_before: float | None
    minutes_after: float | None
    rule_before: str | None = Field(sa_type=sa.Text)
    rule_after: str | None = Field(sa_type=sa.Text)
    problem: str | None = Field(sa_type=sa.Text)


@dataclass(frozen=True, slots=True)
class Recompute:
    """A recompute, as far as it has come.

    Attributes:
        id: its ID.
        policy_version: the version by which the requests are timed from then on.
        scope: what of it: its hours (`calendar`), its `targets`, or `all`.
        dry_run: whether it only says what would change.
        state: of the work; `overtaken` where a newer version's hours came before its end.
        asked_by: who asked for it, or PUBLICATION.
        started_at: when it was asked for.
        ended_at: when the last request was done.
        after: the request that was done last.
        requests: how many have been done.
        clocks: how many clocks these have.
        changed: of these, the clocks with another deadline, target, rule or lateness.
        later: the clocks whose deadline moves back.
        earlier: the clocks whose deadline comes nearer.
        breached: the clocks that are late only now.
        relieved: the clocks that were late and are not.
        failed: the requests that stay as they were because the new terms can't time them.

    """

    id: str
    policy_version: str
    scope: Scope
    dry_run: bool
    state: State
    asked_by: str
    started_at: datetime
    ended_at: datetime | None
    after: str
    requests: int
    clocks: int
    changed: int
    later: int
    earlier: int
    breached: int
    relieved: int
    failed: int


@dataclass(frozen=True, slots=True)
class Change:
    """A clock that is changed: its deadline, its target's minutes and rule, whether it is late.

    Attributes:
        minutes_before: the target that it has; None while it isn't timed.
        minutes_after: the target that it gets; None where it isn't timed any more.
        problem: why a request stays as it was.

    """

    ticket_id: str
    target: str
    number: str
    due_before: datetime | None
    due_after: datetime | None
    breached_before: bool
    breached_after: bool
    minutes_before: float | None
    minutes_after: float | None
    rule_before: str | None
    rule_after: str | None
    problem: str | None = None


_COLUMNS = ", ".join(Recompute.__slots__)
_CHANGE = ", ".join(Change.__slots__)
ADD: Sql[None] = Sql(
    f"INSERT INTO recompute ({_COLUMNS}) VALUES ({', '.join(f':{name}' for name in Recompute.__slots__)})",  # noqa: S608
    type(None),
)
RECOMPUTE = Sql(f"SELECT {_COLUMNS} FROM recompute WHERE id = :id", Recompute)  # noqa: S608
RECOMPUTE_TO_CHANGE = Sql(f"SELECT {_COLUMNS} FROM recompute WHERE id = :id FOR UPDATE", Recompute)  # noqa: S608
RUNNING = Sql(
    f"SELECT {_COLUMNS} FROM recompute WHERE state = 'running' ORDER BY seq LIMIT 1 FOR UPDATE",  # noqa: S608
    Recompute,
)
FOLLOWING = Sql(
    f"SELECT id FROM recompute WHERE state = 'running' AND asked_by = '{PUBLICATION}' LIMIT 1",  # noqa: S608
    str,
)
ASKED_FOR = Sql(
    f"SELECT COUNT(*) FROM recompute WHERE state = 'running' AND asked_by <> '{PUBLICATION}'",  # noqa: S608
    int,
)
# Locked, or another replica that finds nothing more of its changes would forget it before they are gone.
OLDEST = Sql(f"SELECT {_COLUMNS} FROM recompute ORDER BY seq LIMIT 1 FOR UPDATE", Recompute)  # noqa: S608
LATEST = Sql(f"SELECT {_COLUMNS} FROM recompute ORDER BY seq DESC LIMIT :limit", Recompute)  # noqa: S608
SAVE: Sql[None] = Sql(
    "UPDATE recompute SET state = :state, ended_at = :ended_at, after = :after, requests = :requests, clocks = :clocks,"
    " changed = :changed, later = :later, earlier = :earlier, breached = :breached, relieved = :relieved,"
    " failed = :failed WHERE id = :id",
    type(None),
)
ADD_CHANGE: Sql[None] = Sql(
    f"INSERT INTO recompute_change (recompute_id, {_CHANGE}) VALUES (:recompute_id,"  # noqa: S608
    f" {', '.join(f':{name}' for name in Change.__slots__)})",
    type(None),
)
CHANGES = Sql(
    f"SELECT {_CHANGE} FROM recompute_change WHERE recompute_id = :id AND (ticket_id, target) > (:ticket_id, :target)"  # noqa: S608
    " ORDER BY ticket_id, target LIMIT :limit",
    Change,
)
FORGET_CHANGES: Sql[None] = Sql(
    "DELETE FROM recompute_change WHERE recompute_id = :id AND (ticket_id, target) IN (SELECT ticket_id, target"
    " FROM recompute_change WHERE recompute_id = :id ORDER BY ticket_id, target LIMIT :limit)",
    type(None),
)
FORGET: Sql[None] = Sql("DELETE FROM recompute WHERE id = :id", type(None))
ALIVE = Sql(
    "SELECT DISTINCT ticket_id FROM clock WHERE state IN ('running', 'paused') AND ticket_id > :after"
    " ORDER BY ticket_id LIMIT :limit",
    str,
)

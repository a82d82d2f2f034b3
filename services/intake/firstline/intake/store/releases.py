"""Queries on releases and on the requests that wait for them."""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class Release:
    """A version that requests were planned for, and who shipped it when (None: not yet)."""

    version: str
    note: str | None
    shipped_by: str | None
    shipped_by_role: str | None
    shipped_by_client: str | None
    shipped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Expected:
    """A release with the number of requests that wait for it."""

    version: str
    note: str | None
    shipped_at: datetime | None
    waiting: int


_COLUMNS = "version, note, shipped_by, shipped_by_role, shipped_by_client, shipped_at"
# The row is there from the first plan on, so that planning for a version and shipping it wait for each other.
HOLD_RELEASE = Sql(
    "INSERT INTO release (version) VALUES (:version) ON CONFLICT (version) DO UPDATE SET version = excluded.version"
    " RETURNING version, note, shipped_by, shipped_by_role, shipped_by_client, shipped_at",
    Release,
)
SHIP: Sql[None] = Sql(
    "UPDATE release SET note = :note, shipped_by = :shipped_by, shipped_by_role = :shipped_by_role,"
    " shipped_by_client = :shipped_by_client, shipped_at = :shipped_at WHERE version = :version",
    type(None),
)
SETTLE: Sql[None] = Sql("UPDATE release SET settled_at = :now WHERE version = :version", type(None))
# One at a time, the earliest first: all that waited for it come back before the next one's turn.
UNSETTLED = Sql(
    f"SELECT {_COLUMNS} FROM release WHERE settled_at IS NULL AND shipped_at IS NOT NULL"  # noqa: S608
    " ORDER BY shipped_at LIMIT 1",
    Release,
)
AWAITING = Sql("SELECT id FROM ticket WHERE awaited_release = :version ORDER BY id LIMIT :limit", str)
_EXPECTED = (
    "SELECT r.version, r.note, r.shipped_at,"
    " (SELECT COUNT(*) FROM ticket t WHERE t.awaited_release = r.version) AS waiting FROM release r"
)
EXPECTED = Sql(
    f"{_EXPECTED} WHERE r.shipped_at IS NULL AND r.version > :after ORDER BY r.version LIMIT :limit", Expected
)
AWAITED = Sql(
    f"{_EXPECTED} WHERE r.shipped_at IS NULL AND r.version > :after"  # noqa: S608 (no values of others)
    " AND EXISTS (SELECT 1 FROM ticket w WHERE w.awaited_release = r.version) ORDER BY r.version LIMIT :limit",
    Expected,
)
"""Those of EXPECTED that requests wait for."""
RELEASE = Sql(f"{_EXPECTED} WHERE r.version = :version", Expected)

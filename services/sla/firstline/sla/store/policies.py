"""Policy versions that intake published, and which of them was published last: its hours count for all requests."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.port import Sql
from firstline.common.store.tables import JsonText, Serial
from firstline.sla.store.metadata import SlaTable


class PolicyTable(SlaTable, table=True):
    """A policy version that intake published."""

    __tablename__ = "policy"
    seq: int | None = Field(primary_key=True, sa_type=Serial)
    version: str = Field(unique=True, sa_type=sa.Text)
    document: str = Field(sa_type=JsonText)


class NewestTable(SlaTable, table=True):
    """The policy version that was published last, in the only row, and where in intake's log that stands."""

    __tablename__ = "in_force"
    id: int = Field(primary_key=True, sa_type=sa.SmallInteger)
    version: str = Field(sa_type=sa.Text)
    position: int = Field(sa_type=sa.BigInteger)


@dataclass(frozen=True, slots=True)
class Newest:
    """The policy version that was published last, and the position of that in intake's log."""

    version: str
    position: int


SAVE_POLICY: Sql[None] = Sql(
    "INSERT INTO policy (seq, version, document)"
    " VALUES ((SELECT COALESCE(MAX(seq), 0) + 1 FROM policy), :version, :document) ON CONFLICT (version) DO NOTHING",
    type(None),
)
POLICY: Sql[dict[str, Any]] = Sql("SELECT document FROM policy WHERE version = :version", dict)
KNOWN_VERSION = Sql("SELECT version FROM policy WHERE version = :version", str)
NEWEST_VERSION = Sql("SELECT version FROM in_force WHERE id = 1", str)
# By whoever lets a clock run, until the commit: a newer version waits for it, so that the recompute which that begins
# finds the clock; and who comes behind the newer version sees it here.
HOLD_NEWEST = Sql("SELECT version FROM in_force WHERE id = 1 FOR SHARE", str)
# Also by whoever asks for what only so many may wait of: the next one counts when this one's is there.
IN_FORCE_TO_CHANGE = Sql("SELECT version, position FROM in_force WHERE id = 1 FOR UPDATE", Newest)
FIRST_IN_FORCE: Sql[None] = Sql(
    "INSERT INTO in_force (id, version, position) VALUES (1, :version, :position)", type(None)
)
CHANGE_IN_FORCE: Sql[None] = Sql(
    "UPDATE in_force SET version = :version, position = :position WHERE id = 1", type(None)
)

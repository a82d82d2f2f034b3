"""Queries on certificates: what was erased of a person, as each service reports it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firstline.common.erasure import mentions
from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was erased: by service, how much of each kind, and when; complete once all have answered.

    It outlives the person's row, or nobody could show later that they were erased.
    """

    person_id: str
    asked_by: str
    asked_at: datetime
    reports: dict[str, Any]
    completed_at: datetime | None


_CERTIFICATE = (
    "SELECT person_id, asked_by, asked_at, reports, completed_at FROM certificate WHERE person_id = :person_id"
)
CERTIFICATE = Sql(_CERTIFICATE, Certificate)
CERTIFICATE_TO_CHANGE = Sql(f"{_CERTIFICATE} FOR UPDATE", Certificate)
ADD_CERTIFICATE: Sql[None] = Sql(
    "INSERT INTO certificate (person_id, asked_by, asked_at, reports, completed_at)"
    " VALUES (:person_id, :asked_by, :asked_at, :reports, NULL) ON CONFLICT (person_id) DO NOTHING",
    type(None),
)
REPORT: Sql[None] = Sql(
    "UPDATE certificate SET reports = :reports, completed_at = :completed_at WHERE person_id = :person_id", type(None)
)
DELETE_PERSON: Sql[None] = Sql("DELETE FROM person WHERE id = :id", type(None))
KEY_MENTIONS = mentions("api_key", "name")
"""Names of keys, which whoever makes them chooses."""

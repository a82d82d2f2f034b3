"""Queries on what clients ask the supervisor."""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class SupervisorRequest:
    """What a client's side asked, and the answer once there is one; `asked_by` and `answered_by` are names."""

    id: str
    ticket_id: str
    kind: str
    body: str
    asked_by: str
    asked_at: datetime
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What no supervisor has answered yet, with the request that it is about."""

    id: str
    ticket_id: str
    number: str
    subject: str
    kind: str
    body: str
    asked_by: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Somebody who answers."""

    email: str
    name: str | None
    language: str | None


_COLUMNS = "id, ticket_id, kind, body, asked_by, asked_at, answer, answered_by, answered_at"
ASK: Sql[None] = Sql(
    "INSERT INTO supervisor_request (id, ticket_id, kind, body, asked_by, asked_at)"
    " VALUES (:id, :ticket_id, :kind, :body, :asked_by, :asked_at)",
    type(None),
)
ANSWER: Sql[None] = Sql(
    "UPDATE supervisor_request SET answer = :answer, answered_by = :answered_by, answered_at = :answered_at"
    " WHERE id = :id",
    type(None),
)
SUPERVISOR_REQUEST = Sql(f"SELECT {_COLUMNS} FROM supervisor_request WHERE id = :id", SupervisorRequest)  # noqa: S608
SUPERVISOR_REQUESTS = Sql(
    f"SELECT {_COLUMNS} FROM supervisor_request WHERE ticket_id = :ticket_id AND id > :after"  # noqa: S608
    " ORDER BY id LIMIT :limit",
    SupervisorRequest,
)
UNANSWERED = Sql(
    "SELECT s.id, s.ticket_id, t.number, t.subject, s.kind, s.body, s.asked_by, s.asked_at FROM supervisor_request s"
    " JOIN ticket t ON t.id = s.ticket_id WHERE s.answered_at IS NULL AND s.id > :after ORDER BY s.id LIMIT :limit",
    Unanswered,
)
SUPERVISORS = Sql(
    "SELECT email, name, language FROM person WHERE role = 'supervisor' AND active ORDER BY id LIMIT :limit", Supervisor
)

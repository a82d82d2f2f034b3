"""Queries on incidents: what they are, which requests they concern, the answers to all of those, and banners."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from firstline.common.store.port import Sql
from firstline.intake.store.words import SHOWN_CHARS
from firstline.intake.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Incident:
    """A cause that several requests have in common; `banner` has `text`, `from` and `until`, which may be None.

    Attributes:
        id: grows with time, so that lists go by it.
        title: for staff, and in their events.
        status: `open` or `resolved`.
        version: that of its stream.
        tickets: how many requests are linked now.

    """

    id: str
    title: str
    status: str
    version: int
    tickets: int
    banner: dict[str, Any] | None
    opened_by: str
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to all requests of an incident, and how far it has come.

    Attributes:
        body: what all requests get.
        resolve: whether they are resolved with it, as far as they haven't ended.
        author: `author` of the messages and `actor` of the events, as they were when it was written.
        total: how many requests are to get it.
        sent: how many have got it.
        refused: how many could not, and why stands with each.

    """

    id: str
    incident_id: str
    body: str
    resolve: bool
    author: dict[str, Any]
    total: int
    sent: int
    refused: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """One request's part of an answer to all."""

    answer_id: str
    ticket_id: str


@dataclass(frozen=True, slots=True)
class Likeness:
    """What an open request is compared by."""

    id: str
    topic: str | None
    subject: str
    text: str


INCIDENT_COLUMNS = tuple(field.name for field in fields(Incident))
_INCIDENT = f"SELECT {', '.join(INCIDENT_COLUMNS)} FROM incident"  # noqa: S608
INCIDENT = Sql(f"{_INCIDENT} WHERE id = :id", Incident)
INCIDENT_TO_CHANGE = Sql(f"{_INCIDENT} WHERE id = :id FOR UPDATE", Incident)
INCIDENTS = Sql(f"{_INCIDENT} WHERE id < :after ORDER BY id DESC LIMIT :limit", Incident)
INCIDENTS_OF_STATUS = Sql(f"{_INCIDENT} WHERE status = :status AND id < :after ORDER BY id DESC LIMIT :limit", Incident)
INSERT_INCIDENT: Sql[None] = Sql(
    f"INSERT INTO incident ({', '.join(INCIDENT_COLUMNS)})"  # noqa: S608
    f" VALUES ({', '.join(':' + name for name in INCIDENT_COLUMNS)})",
    type(None),
)
UPDATE_INCIDENT: Sql[None] = Sql(
    "UPDATE incident SET title = :title, status = :status, version = :version, tickets = :tickets, banner = :banner,"
    " updated_at = :updated_at, resolved_at = :resolved_at WHERE id = :id",
    type(None),
)
WITH_BANNERS = Sql(f"{_INCIDENT} WHERE status = 'open' AND banner IS NOT NULL ORDER BY id DESC LIMIT :limit", Incident)

LINK_TICKET: Sql[None] = Sql(
    "INSERT INTO incident_ticket (incident_id, ticket_id, linked_by, linked_at)"
    " VALUES (:incident_id, :ticket_id, :linked_by, :linked_at) ON CONFLICT (incident_id, ticket_id) DO NOTHING",
    type(None),
)
UNLINK_TICKET: Sql[None] = Sql(
    "DELETE FROM incident_ticket WHERE incident_id = :incident_id AND ticket_id = :ticket_id", type(None)
)
LINKED_TICKETS = Sql(
    f"SELECT {', '.join('t.' + field.name for field in fields(Ticket))} FROM incident_ticket i"  # noqa: S608
    " JOIN ticket t ON t.id = i.ticket_id WHERE i.incident_id = :incident_id AND i.ticket_id > :after"
    " ORDER BY i.ticket_id LIMIT :limit",
    Ticket,
)
INCIDENTS_OF_TICKET = Sql(
    f"SELECT {', '.join('c.' + name for name in INCIDENT_COLUMNS)} FROM incident_ticket i"  # noqa: S608
    " JOIN incident c ON c.id = i.incident_id WHERE i.ticket_id = :ticket_id ORDER BY i.incident_id",
    Incident,
)
ALREADY_LINKED = Sql(
    "SELECT ticket_id FROM incident_ticket WHERE incident_id = :incident_id AND ticket_id = ANY(:ticket_ids)", str
)
CONCERNS_ADDRESS = Sql(
    "SELECT i.ticket_id FROM participant p JOIN incident_ticket i ON i.ticket_id = p.ticket_id"
    " WHERE p.address = :address AND i.incident_id = :incident_id LIMIT 1",
    str,
)
CONCERNS_ORGANIZATION = Sql(
    "SELECT i.ticket_id FROM incident_ticket i JOIN ticket t ON t.id = i.ticket_id"
    " WHERE i.incident_id = :incident_id AND t.organization_id = :organization_id LIMIT 1",
    str,
)

_ANSWER = "SELECT id, incident_id, body, resolve, author, total, sent, refused, created_at FROM incident_answer"
ANSWER = Sql(f"{_ANSWER} WHERE id = :id", Answer)
ANSWERS = Sql(f"{_ANSWER} WHERE incident_id = :incident_id ORDER BY id DESC LIMIT :limit", Answer)
INSERT_ANSWER: Sql[None] = Sql(
    "INSERT INTO incident_answer (id, incident_id, body, resolve, author, total, sent, refused, created_at)"
    " VALUES (:id, :incident_id, :body, :resolve, :author, :total, 0, 0, :created_at)",
    type(None),
)
# In the database: an incident may have thousands of requests, whose IDs need not come here and go back.
INSERT_REPLIES: Sql[None] = Sql(
    "INSERT INTO incident_reply (answer_id, ticket_id) SELECT :answer_id, ticket_id FROM incident_ticket"
    " WHERE incident_id = :incident_id",
    type(None),
)
PENDING_REPLIES = Sql(
    "SELECT answer_id, ticket_id FROM incident_reply WHERE done_at IS NULL ORDER BY answer_id, ticket_id LIMIT :limit",
    Reply,
)
TAKE_REPLY = Sql(
    "SELECT answer_id, ticket_id FROM incident_reply WHERE answer_id = :answer_id AND ticket_id = :ticket_id"
    " AND done_at IS NULL FOR UPDATE SKIP LOCKED",
    Reply,
)
SETTLE_REPLY: Sql[None] = Sql(
    "UPDATE incident_reply SET done_at = :now, problem = :problem WHERE answer_id = :answer_id"
    " AND ticket_id = :ticket_id AND done_at IS NULL",
    type(None),
)
COUNT_REPLY: Sql[None] = Sql(
    "UPDATE incident_answer SET sent = sent + :sent, refused = refused + :refused WHERE id = :id", type(None)
)
REFUSED_REPLIES = Sql(
    "SELECT ticket_id FROM incident_reply WHERE answer_id = :answer_id AND problem IS NOT NULL"
    " ORDER BY ticket_id LIMIT :limit",
    str,
)

_LIKENESS = f"SELECT t.id, t.topic, t.subject, substr(m.body, 1, {SHOWN_CHARS}) AS text FROM"
_FIRST = (
    "JOIN message m ON m.id = (SELECT f.id FROM message f WHERE f.ticket_id = t.id AND f.audience = 'public'"
    " ORDER BY f.id LIMIT 1)"
)
_ENDED = "('resolved', 'closed')"
LIKE_INCIDENT = Sql(
    f"{_LIKENESS} incident_ticket i JOIN ticket t ON t.id = i.ticket_id {_FIRST}"
    " WHERE i.incident_id = :incident_id ORDER BY i.ticket_id DESC LIMIT :limit",
    Likeness,
)
SIMILAR = Sql(
    f"{_LIKENESS} ticket_words x JOIN ticket t ON t.id = x.ticket_id {_FIRST}"
    " WHERE x.words @@ CAST(CAST(:postgres_query AS text) AS tsquery)"
    f" AND t.status NOT IN {_ENDED} AND t.created_at > :since ORDER BY x.ticket_id DESC LIMIT :limit",
    Likeness,
    sqlite=f"{_LIKENESS} ticket_fts CROSS JOIN ticket_words x ON x.seq = ticket_fts.rowid"
    f" CROSS JOIN ticket t ON t.id = x.ticket_id {_FIRST.replace('JOIN', 'CROSS JOIN', 1)}"
    f" WHERE ticket_fts MATCH :sqlite_query AND t.status NOT IN {_ENDED} AND t.created_at > :since"
    " ORDER BY ticket_fts.rowid DESC LIMIT :limit",
)

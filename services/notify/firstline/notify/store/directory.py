"""Queries on policy versions and on the copies of people and requests."""

from dataclasses import dataclass
from typing import Any

from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class Person:
    """A person, as accounts last said."""

    id: str
    email: str
    name: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """What mails about a request need.

    Attributes:
        id: of the request.
        number: its public name.
        status: after the last event.
        subject: in the requester's words.
        requester_email: in lower case.
        language: that of the request.
        policy_version: the version that it was taken under.
        conversation: Message-IDs, oldest first, each with the address that it was sent to (None: it came in).
        parting: a reply (`body`, `specialist`) that goes out with the ending which the next event tells.

    """

    id: str
    number: str
    status: str
    subject: str
    requester_email: str
    language: str
    policy_version: str
    conversation: list[list[str | None]]
    parting: dict[str, Any] | None


POLICY = Sql("SELECT document FROM policy WHERE version = :version", dict)
# A version is a hash of its content, so a second one of the same name says the same.
SAVE_POLICY: Sql[None] = Sql(
    "INSERT INTO policy (version, document) VALUES (:version, :document) ON CONFLICT (version) DO NOTHING", type(None)
)
PERSON = Sql("SELECT id, email, name, language FROM person WHERE id = :id", Person)
PERSON_BY_EMAIL = Sql("SELECT id, email, name, language FROM person WHERE email = :email ORDER BY id LIMIT 1", Person)
SAVE_PERSON: Sql[None] = Sql(
    "INSERT INTO person (id, email, name, language) VALUES (:id, :email, :name, :language)"
    " ON CONFLICT (id) DO UPDATE SET email = excluded.email, name = excluded.name, language = excluded.language",
    type(None),
)
ERASE_PERSON: Sql[None] = Sql("DELETE FROM person WHERE id = :id", type(None))
_TICKET = (
    "SELECT id, number, status, subject, requester_email, language, policy_version, conversation, parting FROM ticket"
)
TICKET_TO_CHANGE = Sql(f"{_TICKET} WHERE id = :id FOR UPDATE", Ticket)
INSERT_TICKET: Sql[None] = Sql(
    "INSERT INTO ticket"
    " (id, number, status, subject, requester_email, language, policy_version, conversation, parting)"
    " VALUES (:id, :number, :status, :subject, :requester_email, :language, :policy_version, :conversation, :parting)",
    type(None),
)
UPDATE_TICKET: Sql[None] = Sql(
    "UPDATE ticket SET status = :status, language = :language, conversation = :conversation, parting = :parting"
    " WHERE id = :id",
    type(None),
)
TICKETS_OF = Sql("SELECT id FROM ticket WHERE requester_email = :email", str)
ERASE_TICKET: Sql[None] = Sql(
    "UPDATE ticket SET subject = '', requester_email = '', conversation = '[]', parting = NULL WHERE id = :id",
    type(None),
)

"""Queries by which a person is erased: request by request, then what else names them, along primary keys."""

from dataclasses import dataclass

from firstline.common.erasure import mentions
from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class Known:
    """A person's address and name, as accounts last said."""

    email: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody wrote or asked, and perhaps what was answered; `author` is an ID or address, `name` theirs."""

    id: str
    side: str
    author: str | None
    name: str | None
    body: str
    answer: str | None
    ticket_id: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that lies outside the store, by its row."""

    id: str
    file_key: str | None


@dataclass(frozen=True, slots=True)
class RawMail:
    """A mail, and in which words of its row somebody may be named."""

    id: str
    file_key: str
    outcome: str | None
    ticket_id: str | None
    words: str


KNOWN = Sql("SELECT email, name FROM person WHERE id = :id", Known)
INCIDENTS_OF = Sql(
    "SELECT DISTINCT incident_id FROM incident_ticket WHERE ticket_id = ANY(:tickets) ORDER BY incident_id", str
)
TICKETS_OF = Sql("SELECT ticket_id FROM participant WHERE address = :address ORDER BY ticket_id", str)
NAMES_OF = Sql("SELECT DISTINCT name FROM participant WHERE address = :address AND name IS NOT NULL", str)
DROP_PARTICIPANT: Sql[None] = Sql(
    "DELETE FROM participant WHERE ticket_id = :ticket_id AND address = :address", type(None)
)
DROP_MERGED_PARTICIPANT: Sql[None] = Sql(
    "DELETE FROM participant_merge WHERE ticket_id = :ticket_id AND address = :address", type(None)
)
ERASE_TICKET: Sql[None] = Sql(
    "UPDATE ticket SET subject = :subject, requester_id = NULL, requester_email = '', requester_name = NULL,"
    " fields = '{}', doc_refs = '[]', external_ref = NULL, metadata = '{}' WHERE id = :id",
    type(None),
)
CLEAN_SUBJECT: Sql[None] = Sql("UPDATE ticket SET subject = :subject WHERE id = :id", type(None))
_MESSAGES = "SELECT id, side, author_id, author_name, body, NULL, ticket_id FROM message"
MESSAGES = Sql(
    f"{_MESSAGES} WHERE ticket_id = :ticket_id ORDER BY id",
    Words,
)
MESSAGES_AFTER = Sql(
    f"{_MESSAGES} WHERE id > :after ORDER BY id LIMIT :limit",
    Words,
)
CHANGE_MESSAGE: Sql[None] = Sql(
    "UPDATE message SET author_id = :author, author_name = :name, body = :body WHERE id = :id", type(None)
)
ASKED = Sql(
    "SELECT id, 'client', asked_by, asked_by, body, answer, ticket_id FROM supervisor_request"
    " WHERE ticket_id = :ticket_id ORDER BY id",
    Words,
)
CHANGE_ASKED: Sql[None] = Sql(
    "UPDATE supervisor_request SET asked_by = COALESCE(:name, ''), body = :body, answer = :answer WHERE id = :id",
    type(None),
)
ATTACHED_BY = Sql(
    "SELECT a.id, a.file_key FROM message_attachment x JOIN message m ON m.id = x.message_id"
    " JOIN attachment a ON a.id = x.attachment_id"
    " WHERE x.ticket_id = :ticket_id AND m.side = 'client' AND m.author_id = ANY(:authors) ORDER BY a.id",
    File,
)
UPLOADED = Sql(
    "SELECT id, CASE WHEN uploader = ANY(:authors) THEN COALESCE(file_key, '') END FROM attachment WHERE id > :after"
    " ORDER BY id LIMIT :limit",
    File,
)
ERASE_ATTACHMENT: Sql[None] = Sql(
    "UPDATE attachment SET name = :name, uploader = '', sha256 = '', file_key = NULL, status = 'erased', reason = NULL"
    " WHERE id = :id",
    type(None),
)
_WORDS = (
    "SELECT id, file_key, outcome, ticket_id, mail_from || ' ' || COALESCE(from_address, '') || ' ' || rcpt_to ||"
    " ' ' || COALESCE(subject, '') || ' ' || COALESCE(text, '') || ' ' || COALESCE(remark, '') FROM mail"
)
MAILS_AFTER = Sql(f"{_WORDS} WHERE id > :after ORDER BY id LIMIT :limit", RawMail)
DROP_RAW_MAIL: Sql[None] = Sql("UPDATE mail SET sha256 = '', file_key = '' WHERE id = :id", type(None))
ERASE_MAIL: Sql[None] = Sql(
    "UPDATE mail SET sha256 = '', file_key = '', mail_from = '', rcpt_to = '[]', message_id = NULL, fingerprint = NULL,"
    " from_address = NULL, subject = NULL, text = NULL, attachments = NULL, remark = NULL WHERE id = :id",
    type(None),
)
# What was deleted from the full-text index of SQLite stays in its segments until they are merged. PostgreSQL keeps
# no such copy: there the statement finds no row.
MERGE_WORDS: Sql[None] = Sql(
    "UPDATE ticket_words SET words = words WHERE seq < 0",
    type(None),
    sqlite="INSERT INTO ticket_fts (ticket_fts) VALUES ('optimize')",
)

# Texts that are nobody's own: what staff or others wrote, in which the person may be named.
TICKET_MENTIONS = {
    "given": mentions("ticket", "subject", "fields", "metadata"),
    "referred to": mentions("ticket", "external_ref", "doc_refs", "defect_ref"),
    "answered": mentions("ticket", "supervisor_request", "rating", "planned_release"),
    "judged": mentions("ticket", "urgency_reason", "urgency_claim", "hints"),
}


@dataclass(frozen=True, slots=True)
class TicketWords:
    """A request's ID, and all its texts in which somebody may be named."""

    id: str
    words: str


_TICKET_TEXTS = (
    *("subject", "fields", "metadata", "external_ref", "doc_refs", "defect_ref", "supervisor_request", "rating"),
    *("planned_release", "urgency_reason", "urgency_claim", "hints"),
)
_ALL_TEXTS = " || ' ' || ".join(f"COALESCE({name}, '')" for name in _TICKET_TEXTS)
TICKET_WORDS_AFTER = Sql(
    f"SELECT id, {_ALL_TEXTS} FROM ticket"  # noqa: S608
    " WHERE id > :after ORDER BY id LIMIT :limit",
    TicketWords,
)
ASKED_MENTIONS = mentions("supervisor_request", "body", "answer")
ACCESS_MENTIONS = mentions("access_request", "host", "reason", "reveals")
INCIDENT_MENTIONS = mentions("incident", "title", "banner")
INCIDENT_ANSWER_MENTIONS = mentions("incident_answer", "body", "author")
CANNED_MENTIONS = mentions("canned_answer", "title", "text")
FILE_MENTIONS = mentions("attachment", "name", "reason")


@dataclass(frozen=True, slots=True)
class TextFile:
    """An attached text file, and the request that it is attached to, if it is."""

    id: str
    file_key: str | None
    size: int
    ticket_id: str | None


TEXT_FILES = Sql(
    "SELECT a.id, CASE WHEN a.type = 'text/plain' THEN a.file_key END, a.size, x.ticket_id FROM attachment a"
    " LEFT JOIN message_attachment x ON x.attachment_id = a.id WHERE a.id > :after ORDER BY a.id LIMIT :limit",
    TextFile,
)
OTHER_FILES = Sql(
    "SELECT a.type FROM message_attachment x JOIN attachment a ON a.id = x.attachment_id"
    " WHERE x.ticket_id = ANY(:tickets) AND a.file_key IS NOT NULL AND a.type <> 'text/plain'",
    str,
)
TEXTS_HELD = Sql("SELECT count(*) FROM held_text WHERE status = 'held'", int)
# A split copies the row of a file, so that several may name the same bytes.
CHANGE_FILE: Sql[None] = Sql(
    "UPDATE attachment SET file_key = :file_key, size = :size, sha256 = :sha256 WHERE file_key = :before", type(None)
)
INCIDENT_OF_ANSWER = Sql("SELECT incident_id FROM incident_answer WHERE id = :id", str)

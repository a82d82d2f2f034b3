"""Queries by which a person is erased from deliveries, attempts and the feed."""

from dataclasses import dataclass

from firstline.common.erasure import mentions
from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class FeedBody:
    """An event as the feed shows it."""

    position: int
    body: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a request keeps of its correspondence."""

    subject: str
    conversation: str
    parting: str | None


TOLD_ABOUT = Sql("SELECT DISTINCT ticket_id FROM delivery WHERE recipient = :recipient AND ticket_id IS NOT NULL", str)
MAILS_OF_TICKET = Sql(
    "SELECT message_id FROM delivery WHERE ticket_id = :ticket_id AND channel = 'mail' AND message_id IS NOT NULL"
    " ORDER BY id",
    str,
)
# Mails that went to nobody who still takes part; supervisors are told by mail too, and take part in nothing.
ERASE_OTHERS: Sql[None] = Sql(
    "UPDATE delivery SET state = 'erased', reason = '', recipient = NULL, payload = NULL, next_at = NULL"
    " WHERE ticket_id = :ticket_id AND channel = 'mail' AND kind <> 'supervisor_requested'"
    " AND recipient IS NOT NULL AND NOT (recipient = ANY(:people))",
    type(None),
)
ERASE_ATTEMPTS: Sql[None] = Sql(
    "UPDATE attempt SET detail = '', excerpt = '' WHERE delivery_id IN"
    " (SELECT id FROM delivery WHERE ticket_id = :ticket_id)",
    type(None),
)
CONVERSATION = Sql("SELECT subject, conversation, parting FROM ticket WHERE id = :id FOR UPDATE", Conversation)
CHANGE_CONVERSATION: Sql[None] = Sql(
    "UPDATE ticket SET subject = :subject, conversation = :conversation, parting = :parting WHERE id = :id", type(None)
)
FEED_AFTER = Sql("SELECT position, body FROM feed WHERE position > :after ORDER BY position LIMIT :limit", FeedBody)
CHANGE_FEED: Sql[None] = Sql("UPDATE feed SET body = :body WHERE position = :position", type(None))


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery: what still goes out, and by which Message-ID a mail that went out may be kept as a file."""

    id: str
    channel: str
    message_id: str | None
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What an attempt to deliver was answered."""

    delivery_id: str
    number: int
    detail: str
    excerpt: str


DELIVERIES_AFTER = Sql(
    "SELECT id, channel, message_id, payload FROM delivery WHERE id > :after ORDER BY id LIMIT :limit", Sent
)
CHANGE_PAYLOAD: Sql[None] = Sql("UPDATE delivery SET payload = :payload WHERE id = :id", type(None))
ATTEMPTS_AFTER = Sql(
    "SELECT delivery_id, number, detail, excerpt FROM attempt WHERE (delivery_id, number) > (:delivery_id, :number)"
    " ORDER BY delivery_id, number LIMIT :limit",
    Tried,
)
CHANGE_ATTEMPT: Sql[None] = Sql(
    "UPDATE attempt SET detail = :detail, excerpt = :excerpt WHERE delivery_id = :delivery_id AND number = :number",
    type(None),
)
TICKET_MENTIONS = mentions("ticket", "subject", "conversation", "parting")
REASON_MENTIONS = mentions("delivery", "reason")
ENDPOINT_MENTIONS = mentions("endpoint", "description")

"""Queries on deliveries and their attempts."""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.store.port import Sql, Unit, Value


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as staff see it; `attempts_before` were made before somebody asked to try again.

    Attributes:
        channel: `mail` or `webhook`.
        kind: the text of a mail, or the type of an event.
        event_id: the event that it tells of.
        recipient: a mail's address; None of webhooks, and once erased.
        message_id: the mail's Message-ID.
        state: `pending`, then `sent` (a mail), `delivered` (an event), `failed` for good or `exhausted` by failures;
            `suppressed` was not sent on purpose, `erased` lost its recipient.
        reason: why it failed, or is not sent.
        attempts: how many were made in all.
        first_at: the first attempt of the present plan.
        next_at: the next one; None where none will be.
        finished_at: when it was sent or given up.

    """

    id: str
    channel: str
    kind: str
    event_id: str
    ticket_id: str | None
    number: str | None
    endpoint_id: str | None
    recipient: str | None
    message_id: str | None
    state: str
    reason: str
    attempts: int
    attempts_before: int
    created_at: datetime
    first_at: datetime | None
    next_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery that is due: what is sent to whom."""

    id: str
    recipient: str
    mail_from: str
    payload: bytes
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Push:
    """A webhook delivery that is due, with its endpoint."""

    id: str
    event_id: str
    payload: bytes
    endpoint_id: str
    url: str
    secrets: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver.

    Attributes:
        number: from 1.
        at: when it began.
        took_ms: how long the other side took.
        outcome: what it came to.
        status: the HTTP status or SMTP code; None where nobody answered.
        detail: the same in words.
        excerpt: the beginning of what the other side said.

    """

    delivery_id: str
    number: int
    at: datetime
    took_ms: int
    outcome: str
    status: int | None
    detail: str
    excerpt: str


INSERT_DELIVERY: Sql[None] = Sql(
    "INSERT INTO delivery (id, channel, kind, event_id, ticket_id, number, endpoint_id, recipient,"
    " mail_from, message_id, automatic, state, reason, payload, attempts, attempts_before, created_at, first_at,"
    " next_at, finished_at, traceparent) VALUES (:id, :channel, :kind, :event_id, :ticket_id, :number,"
    " :endpoint_id, :recipient, :mail_from, :message_id, :automatic, :state, :reason, :payload, 0, 0, :created_at,"
    " NULL, :next_at, :finished_at, :traceparent)",
    type(None),
)
_DELIVERY = (
    "SELECT id, channel, kind, event_id, ticket_id, number, endpoint_id, recipient, message_id, state,"
    " reason, attempts, attempts_before, created_at, first_at, next_at, finished_at FROM delivery"
)
DELIVERY = Sql(f"{_DELIVERY} WHERE id = :id", Delivery)
DELIVERY_TO_CHANGE = Sql(f"{_DELIVERY} WHERE id = :id FOR UPDATE", Delivery)
ANSWERS_ON_TICKET = Sql(
    "SELECT COUNT(*) FROM delivery WHERE ticket_id = :ticket_id AND recipient = :recipient AND automatic", int
)
ANSWERS_TO = Sql(
    "SELECT COUNT(*) FROM delivery WHERE recipient = :recipient AND created_at > :since AND automatic", int
)
# Bounded by its caller's cap: the partial index holds answers to strangers only, and an hour of them is read.
ANSWERS_TO_STRANGERS = Sql(
    "SELECT COUNT(*) FROM delivery WHERE created_at > :since AND automatic AND kind = 'acknowledgement_unknown_sender'",
    int,
)
DUE_MAIL = Sql(
    "SELECT id, recipient, mail_from, payload, traceparent FROM delivery WHERE state = 'pending' AND channel = 'mail'"
    " AND next_at <= :now ORDER BY next_at, id LIMIT :limit",
    Outgoing,
)
# One seek for each idle endpoint finds its first delivery: a long line behind one costs the others nothing.
DUE_PUSHES = Sql(
    "SELECT d.id, d.event_id, d.payload, d.endpoint_id, e.url, e.secrets, d.traceparent"
    " FROM endpoint e JOIN delivery d ON d.id ="
    " (SELECT x.id FROM delivery x WHERE x.endpoint_id = e.id AND x.state = 'pending' AND x.next_at <= :now"
    " ORDER BY x.next_at, x.id LIMIT 1)"
    " WHERE e.state = 'enabled' AND NOT (e.id = ANY(:busy)) ORDER BY e.organization_id, e.id LIMIT :limit",
    Push,
)
# Only what is still to come: what is due already is the step's, and would wake the worker without end while it is busy.
NEXT_DUE = Sql(
    "SELECT next_at FROM delivery WHERE state = 'pending' AND channel = :channel AND next_at > :now"
    " ORDER BY next_at LIMIT 1",
    datetime,
)
# What has arrived is not kept a second time: the bytes go, the record stays.
SETTLE: Sql[None] = Sql(
    "UPDATE delivery SET state = :state, reason = :reason, attempts = :attempts, first_at = :first_at,"
    " next_at = :next_at, finished_at = :finished_at,"
    " payload = CASE WHEN :state IN ('sent', 'delivered') THEN NULL ELSE payload END WHERE id = :id",
    type(None),
)
# `attempts` goes on counting, `attempts_before` keeps where
# the new plan begins: attempts have one number each for ever.
TRY_AGAIN: Sql[None] = Sql(
    "UPDATE delivery SET state = 'pending', reason = '', attempts_before = attempts, first_at = NULL, next_at = :now,"
    " finished_at = NULL WHERE id = :id",
    type(None),
)
GIVE_UP_ENDPOINT: Sql[None] = Sql(
    "UPDATE delivery SET state = 'failed', reason = :reason, next_at = NULL, finished_at = :now"
    " WHERE endpoint_id = :endpoint_id AND state = 'pending'",
    type(None),
)
ERASE_RECIPIENT: Sql[None] = Sql(
    "UPDATE delivery SET state = 'erased', reason = '', recipient = NULL, payload = NULL, next_at = NULL"
    " WHERE recipient = :recipient",
    type(None),
)
ERASE_TICKET_PAYLOADS: Sql[None] = Sql(
    "UPDATE delivery SET state = 'erased', reason = '', recipient = NULL, payload = NULL, next_at = NULL"
    " WHERE ticket_id = :ticket_id AND payload IS NOT NULL",
    type(None),
)
INSERT_ATTEMPT: Sql[None] = Sql(
    "INSERT INTO attempt (delivery_id, number, at, took_ms, outcome, status, detail, excerpt)"
    " VALUES (:delivery_id, :number, :at, :took_ms, :outcome, :status, :detail, :excerpt)",
    type(None),
)
ATTEMPTS = Sql(
    "SELECT delivery_id, number, at, took_ms, outcome, status, detail, excerpt FROM attempt"
    " WHERE delivery_id = :delivery_id ORDER BY delivery_id, number",
    Attempt,
)

FILTERS = ("channel", "ticket_id", "state")


async def list_deliveries(unit: Unit, filters: dict[str, str], after: str | None, limit: int) -> list[Delivery]:
    """Return deliveries, newest first, along the primary key or the index of a filter.

    The statement has one form for each set of filters that are present, never `:x IS NULL OR …`, which no index serves.
    """
    given: dict[str, Value] = {name: filters[name] for name in FILTERS if name in filters}
    conditions = [f"{name} = :{name}" for name in given]
    if after is not None:
        conditions.append("id < :after")
        given["after"] = after
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return await unit.all(Sql(f"{_DELIVERY}{where} ORDER BY id DESC LIMIT :limit", Delivery), **given, limit=limit)

"""Idempotency: an answer is stored with the change it tells of, and given again to a retry with the same key.

The row goes in under a unique key in the verb's own transaction: of concurrent calls with one key the first commits,
and the others, run again by the store, find its answer (ADR 5).
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from firstline.common.errors import FirstlineError, Invalid, Unavailable
from firstline.common.ports import Clock
from firstline.common.store.port import Sql, Store, Unit, Value

KEPT_FOR = timedelta(days=7)
KEY_LIMIT = 200


class IdempotencyKeyReused(Invalid):
    """The key was used before for another body; use a new key for a new request."""

    title = "The Idempotency-Key belongs to another request"


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer: HTTP status, JSON text and ETag, and the digest of the request that it answers."""

    digest: str
    status: int
    body: str
    etag: str | None


@dataclass(frozen=True, slots=True)
class Retry:
    """What makes a retry recognisable: the caller and operation, their key, and a digest of what they sent."""

    scope: str
    key: str
    digest: str


STORED = Sql("SELECT digest, status, body, etag FROM answer WHERE scope = :scope AND key = :key", Answer)
STORE: Sql[None] = Sql(
    "INSERT INTO answer (scope, key, digest, status, body, etag, stored_at)"
    " VALUES (:scope, :key, :digest, :status, :body, :etag, :stored_at)",
    type(None),
)
FORGET: Sql[None] = Sql("DELETE FROM answer WHERE stored_at < :before", type(None))


def retry_of(principal_id: str, operation: str, key: str | None, body: bytes) -> Retry | None:
    """Return the marks of a request that carries an Idempotency-Key.

    Raises:
        Invalid: the key is empty or longer than 200 characters.

    The key is the caller's own: another person's, or another operation's, is another key. Of the body only a digest is
    kept.
    """
    if key is None:
        return None
    if not key.strip() or len(key) > KEY_LIMIT:
        raise Invalid(f"Idempotency-Key must have 1 to {KEY_LIMIT} characters; a new UUID does well.")
    return Retry(f"{principal_id} {operation}", key, hashlib.sha256(body).hexdigest())


async def stored_answer(unit: Unit, retry: Retry) -> Answer | None:
    """Return the answer given before.

    Raises:
        IdempotencyKeyReused: it was given to a request with another body.

    """
    answer = await unit.one(STORED, scope=retry.scope, key=retry.key)
    if answer is not None and answer.digest != retry.digest:
        raise IdempotencyKeyReused(
            "This Idempotency-Key came with another body before. Use a new key, or send the first body again."
        )
    return answer


def answer_row(retry: Retry, status: int, body: str, etag: str | None, now: datetime) -> dict[str, Value]:
    """Return the row that keeps an answer, for STORE."""
    return {
        "scope": retry.scope,
        "key": retry.key,
        "digest": retry.digest,
        "status": status,
        "body": body,
        "etag": etag,
        "stored_at": now,
    }


async def forget_old(unit: Unit, now: datetime) -> int:
    """Delete answers older than seven days; return how many."""
    return await unit.run(FORGET, before=now - KEPT_FOR)


Made = tuple[int, str, str | None]
"""A fresh answer: HTTP status, JSON text, ETag."""


async def answer_once(
    store: Store, clock: Clock, retry: Retry | None, work: Callable[[Unit], Awaitable[Made]]
) -> Answer:
    """Run a verb in one transaction that also keeps its answer; a retry gets that answer and changes nothing.

    Raises:
        IdempotencyKeyReused: the key came with another body before.

    """

    async def unit_of_work(unit: Unit) -> Answer:
        known = await stored_answer(unit, retry) if retry else None
        if known is not None:
            return known
        # A verb that raises keeps no answer: a retry after a mistake, or after 503, is a new attempt.
        status, body, etag = await work(unit)
        if retry is not None:
            await unit.run(STORE, **answer_row(retry, status, body, etag, clock.now()))
        return Answer(retry.digest if retry else "", status, body, etag)

    try:
        return await store.write(unit_of_work)
    except Unavailable:
        raise
    except FirstlineError:
        # While this call waited for what it was to change, the first one with its key may have changed that.
        known = await store.read(lambda unit: stored_answer(unit, retry)) if retry else None
        if known is None:
            raise
        return known

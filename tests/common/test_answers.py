"""Idempotency keys: a retry gets the answer that was given, one effect whatever the concurrency, for seven days."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from firstline.common.answers import (
    KEPT_FOR,
    Answer,
    IdempotencyKeyReused,
    Made,
    Retry,
    answer_once,
    answer_row,
    forget_old,
    retry_of,
    stored_answer,
)
from firstline.common.errors import Conflict, Invalid
from firstline.common.ports import ManualClock
from firstline.common.store.port import Sql, Store, Unit

pytestmark = pytest.mark.both_stores

ADD: Sql[None] = Sql("INSERT INTO fact (name) VALUES (:name)", type(None))
ADD_FIRST: Sql[None] = Sql("INSERT INTO fact (name) VALUES ('first') ON CONFLICT DO NOTHING", type(None))
EFFECTS = Sql("SELECT COUNT(*) FROM fact", int)


def retry(key: str = "k", body: bytes = b"{}", principal: str = "anna", operation: str = "submit") -> Retry:
    """Return the marks of a request that carries a key."""
    marks = retry_of(principal, operation, key, body)
    assert marks is not None
    return marks


class Verb:
    """A verb with one effect each time that it runs, and an answer that tells which time it was."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.runs = 0

    async def __call__(self, unit: Unit) -> Made:
        """Do it."""
        self.runs += 1
        await unit.run(ADD, name=f"effect {self.runs}")
        return 201, f'{{"run":{self.runs}}}', f'"{self.runs}"'

    async def once(self, marks: Retry | None, work: Callable[[Unit], Awaitable[Made]] | None = None) -> Answer:
        """Do it unless it was done for this key."""
        return await answer_once(self.store, self.clock, marks, work or self)

    async def effects(self) -> int:
        """Return how many effects there are."""
        return await self.store.read(lambda unit: unit.one(EFFECTS)) or 0


@pytest.fixture
def verb(store: Store, clock: ManualClock) -> Verb:
    """Return a verb that was never used."""
    return Verb(store, clock)


async def test_the_same_key_and_body_get_the_same_answer(verb: Verb) -> None:
    """A retry gets status, body and ETag of the first answer, and changes nothing."""
    first = await verb.once(retry())
    assert (first.status, first.body, first.etag) == (201, '{"run":1}', '"1"')
    assert await verb.once(retry()) == first
    assert await verb.effects() == 1


async def test_without_a_key_each_request_counts(verb: Verb) -> None:
    """Requests without a key are new ones."""
    assert [(await verb.once(None)).body for _ in range(2)] == ['{"run":1}', '{"run":2}']
    assert await verb.effects() == 2


async def test_the_same_key_with_another_body_is_refused(verb: Verb) -> None:
    """A key that came with another body is 422 and has no effect; the first body still gets its answer."""
    first = await verb.once(retry())
    with pytest.raises(IdempotencyKeyReused) as refused:
        await verb.once(retry(body=b"{ }"))
    assert (refused.value.status, refused.value.slug) == (422, "idempotency-key-reused")
    assert await verb.effects() == 1
    assert await verb.once(retry()) == first


@pytest.mark.parametrize("other", [retry(key="other"), retry(principal="sven"), retry(operation="reply")])
async def test_a_key_counts_for_one_caller_and_operation(verb: Verb, other: Retry) -> None:
    """Another key, caller or operation is another request."""
    await verb.once(retry())
    assert (await verb.once(other)).body == '{"run":2}'


async def test_64_callers_have_one_effect(verb: Verb) -> None:
    """Of 64 concurrent requests with one key one has an effect, and all hear the same answer."""
    answers = await asyncio.gather(*(verb.once(retry()) for _ in range(64)))
    assert len({answer.body for answer in answers}) == 1
    assert await verb.effects() == 1


async def test_64_callers_of_two_bodies(verb: Verb) -> None:
    """Where half of the callers send another body, one half hears the answer and the other half is refused."""
    jobs = [verb.once(retry(body=b"first" if number % 2 else b"second")) for number in range(64)]
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    refused = [isinstance(answer, IdempotencyKeyReused) for answer in answers]
    assert refused in ([False, True] * 32, [True, False] * 32)
    assert await verb.effects() == 1


async def test_a_refused_request_is_not_remembered(verb: Verb) -> None:
    """A verb that fails stores neither effect nor answer, so that the key may be tried again."""

    async def refuse(unit: Unit) -> Made:
        await verb(unit)
        raise Conflict("Not now.")

    with pytest.raises(Conflict):
        await verb.once(retry(), refuse)
    assert await verb.effects() == 0
    assert (await verb.once(retry())).body == '{"run":2}'


async def test_callers_of_a_verb_that_is_possible_once_hear_one_answer(verb: Verb) -> None:
    """A retry that waited for the first call gets its answer, though the verb is not possible any more."""

    async def only_once(unit: Unit) -> Made:
        if not await unit.run(ADD_FIRST):
            raise Conflict("It was done already.")
        return 201, "done", None

    answers = await asyncio.gather(*(verb.once(retry(), only_once) for _ in range(8)))
    assert [(answer.status, answer.body) for answer in answers] == [(201, "done")] * 8
    with pytest.raises(Conflict):
        await verb.once(retry(key="other"), only_once)


async def test_answers_are_forgotten_after_seven_days(verb: Verb) -> None:
    """An answer is kept for seven days to the minute, and then its key is as good as new."""

    async def forget_at(later: timedelta) -> int:
        return await verb.store.write(lambda unit: forget_old(unit, verb.clock.now() + later))

    first = await verb.once(retry())
    assert await forget_at(KEPT_FOR) == 0
    assert await verb.once(retry()) == first
    assert await forget_at(KEPT_FOR + timedelta(minutes=1)) == 1
    assert timedelta(days=7) == KEPT_FOR
    assert (await verb.once(retry())).body == '{"run":2}'


async def test_a_row_stored_by_hand_is_found(verb: Verb) -> None:
    """An answer that an insertion stored is found by its marks, with all that was said."""
    store: Sql[None] = Sql(
        "INSERT INTO answer (scope, key, digest, status, body, etag, stored_at)"
        " VALUES (:scope, :key, :digest, :status, :body, :etag, :stored_at)",
        type(None),
    )
    row = answer_row(retry(), 201, "{}", None, verb.clock.now())
    await verb.store.write(lambda unit: unit.run(store, **row))
    found = await verb.store.read(lambda unit: stored_answer(unit, retry()))
    assert found == Answer(retry().digest, 201, "{}", None)
    assert await verb.store.read(lambda unit: stored_answer(unit, retry("unknown"))) is None


@pytest.mark.parametrize("key", ["", " ", "\t", "k" * 201])
def test_keys_have_1_to_200_characters(key: str) -> None:
    """A key that is empty, blank or too long is refused."""
    with pytest.raises(Invalid):
        retry_of("anna", "submit", key, b"")


def test_no_key_is_no_retry() -> None:
    """A request without a key has no marks; the longest key has."""
    assert retry_of("anna", "submit", None, b"") is None
    assert retry("k" * 200).key == "k" * 200

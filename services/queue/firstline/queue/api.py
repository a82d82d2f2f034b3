"""HTTP routes: the queue, a request's place in it, claims."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from firstline.common.answers import Made, answer_once, retry_of
from firstline.common.application import json_answer, permit
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT
from firstline.common.permissions import Access
from firstline.common.policy.model import Tier
from firstline.common.store.port import Unit
from firstline.queue.entry import Entry
from firstline.queue.schemas import (
    ClaimIn,
    ClaimOut,
    HeldOut,
    KeepIn,
    PlaceOut,
    QueuePage,
    TransferIn,
    claim_out,
    held_out,
    item_out,
    place_out,
)
from firstline.queue.service.claiming import Wish, claim_token, take_named, take_next
from firstline.queue.service.desk import Hand, Queue, find_for, rules_at
from firstline.queue.service.keeping import Proof, read_proof, release, renew, transfer
from firstline.queue.service.places import BEFORE_ALL, page, standing, summary
from firstline.queue.store import turn_of

router = APIRouter(prefix="/v1/queue", tags=["queue"])
NOTHING_TO_DO = 204


async def queue_of(request: Request) -> Queue:
    """Return the service's instance."""
    queue: Queue = request.app.state.queue
    return queue


QueueHere = Annotated[Queue, Depends(queue_of)]
Reference = Annotated[str, Path(description="ID or number of the request.", examples=["FL-7K3M-9QPX"])]


@router.get("")
async def list_queue(
    queue: QueueHere,
    _access: Annotated[Access, Depends(permit("queue.list"))],
    tier: Annotated[Tier | None, Query(description="Only requests of this tier.")] = None,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> QueuePage:
    """Read the queue in the order of service, requests in work included."""
    name = f"queue {tier}"  # a cursor of another tier's list would skip entries
    after = _place(queue.cursors.read(name, cursor))
    now = queue.runtime.ports.clock.now()

    async def work(unit: Unit) -> QueuePage:
        # One more than is shown tells whether there is a next page.
        found = await page(unit, tier, after, limit + 1)
        sums, rules = await summary(unit, tier), await rules_at(unit, now)
        return QueuePage(
            items=[item_out(entry, sums, rules) for entry in found[:limit]],
            next=queue.cursors.write(name, _cursor(found[limit - 1])) if len(found) > limit else None,
            waiting=sums.waiting,
            out_of_turn=sums.out_of_turn,
            oldest_since=sums.oldest_since,
            at_least=sums.at_least,
        )

    return await queue.runtime.store.read(work)


def _cursor(entry: Entry) -> list[str | int]:
    """Return the key of the last entry on a page, after which the next one begins."""
    return [turn_of(entry.key), entry.key.since.isoformat(), entry.key.position] if entry.key else []


def _place(place: list[str | int] | None) -> tuple[int, datetime, int]:
    """Return the place that a cursor stands for."""
    if place is None:
        return BEFORE_ALL
    turn, since, position = place
    return int(turn), datetime.fromisoformat(str(since)), int(position)


@router.get("/{ticket_id}")
async def read_place(
    ticket_id: Reference, queue: QueueHere, access: Annotated[Access, Depends(permit("queue.read"))]
) -> PlaceOut:
    """Read where a request stands in the queue and why: exactly up to 1,000 ahead, then at least that many."""
    now = queue.runtime.ports.clock.now()

    async def work(unit: Unit) -> PlaceOut:
        entry = await find_for(unit, access, ticket_id)
        return place_out(entry, await standing(unit, entry, now), staff=access.principal.is_staff)

    return await queue.runtime.store.read(work)


@dataclass(frozen=True, slots=True)
class Claimant:
    """A specialist who wants to claim something, or to do something with a claim."""

    queue: Queue
    hand: Hand
    token: str | None

    def proof(self, body: KeepIn | None) -> Proof:
        """Return what shows which claim is meant."""
        return read_proof(self.queue.claim_key, self.token, body.fence if body else None)

    def shown(self, entry: Entry) -> ClaimOut:
        """Return the caller's claim with its token."""
        return claim_out(entry, claim_token(self.queue.claim_key, entry))


async def claimant(
    queue: QueueHere,
    access: Annotated[Access, Depends(permit("queue.claim"))],
    claim_token: Annotated[str | None, Header(description="Shows which claim is meant; else a fence may.")] = None,
) -> Claimant:
    """Return who wants to claim or keep, now."""
    # Once for the whole call: the lease, its event and the answer have to name the same instants, also where the store
    # runs the unit again.
    now = queue.runtime.ports.clock.now()
    return Claimant(queue, Hand(access.principal, now, now + queue.lease), claim_token)


By = Annotated[Claimant, Depends(claimant)]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="Makes a retry safe: same key and body, same answer, for 7 days."),
]


@router.post(
    "/claims",
    status_code=201,
    response_model=ClaimOut,
    responses={NOTHING_TO_DO: {"description": "Nothing waits that fits."}},
)
async def claim_request(request: Request, by: By, body: ClaimIn | None = None, key: Key = None) -> Response:
    """Claim the next request, first come first served, or a certain one.

    High urgency is served out of turn. Requests that you own don't jump: name one to take it. A request that you hold
    already is renewed. 204: nobody waits. 409: another specialist holds it, or it is not in the queue.
    """
    wish = body or ClaimIn()
    retry = retry_of(by.hand.who.id, "claim_request", key, await request.body())

    async def work(unit: Unit) -> Made:
        taken = await _take(unit, by, wish)
        return (201, by.shown(taken).model_dump_json(), None) if taken else (NOTHING_TO_DO, "", None)

    # A retry must not claim a second request, so the answer is stored with the claim that it tells of.
    answer = await answer_once(by.queue.runtime.store, by.queue.runtime.ports.clock, retry, work)
    return json_answer(answer.body, answer.status) if answer.body else Response(status_code=answer.status)


async def _take(unit: Unit, by: Claimant, wish: ClaimIn) -> Entry | None:
    """Claim what is wished for: a named request, or the next that fits."""
    log = by.queue.runtime.log
    if wish.ticket_id is not None:
        return await take_named(unit, log, by.hand, wish.ticket_id)
    skills = None if wish.skills is None else tuple(wish.skills)
    return await take_next(unit, log, by.hand, Wish(wish.tier, skills))


@router.post("/claims/{ticket_id}/renew")
async def renew_claim(ticket_id: Reference, by: By, body: KeepIn | None = None) -> ClaimOut:
    """Prolong your claim; the new claim token replaces the old one."""
    proof = by.proof(body)
    log = by.queue.runtime.log
    return by.shown(await _write(by, lambda unit: renew(unit, log, by.hand, ticket_id, proof)))


@router.post("/claims/{ticket_id}/release", status_code=NOTHING_TO_DO)
async def release_claim(ticket_id: Reference, by: By, body: KeepIn | None = None) -> None:
    """Give a claim back: yours, or as a supervisor anybody's. The request keeps its place."""
    proof = by.proof(body)
    log = by.queue.runtime.log
    await by.queue.runtime.store.write(lambda unit: release(unit, log, by.hand, ticket_id, proof))


@router.post("/claims/{ticket_id}/transfer")
async def transfer_claim(ticket_id: Reference, by: By, body: TransferIn) -> HeldOut:
    """Hand a claim to another specialist: yours, or as a supervisor anybody's.

    They own the request from then on, and get its claim token by claiming it.
    """
    proof = by.proof(body)
    log = by.queue.runtime.log
    moved = await _write(by, lambda unit: transfer(unit, log, by.hand, ticket_id, proof, body.agent, body.note))
    return held_out(moved)


async def _write(by: Claimant, work: Callable[[Unit], Awaitable[Entry]]) -> Entry:
    """Run a verb that returns an entry in a transaction of its own."""
    return await by.queue.runtime.store.write(work)

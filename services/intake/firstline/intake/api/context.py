"""What the routes have in common: the service's instance, who asks, and how an answer is made and kept."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Path, Request, Response

from firstline.common.answers import Made, Retry, answer_once, retry_of
from firstline.common.application import json_answer, permit
from firstline.common.events import Origin
from firstline.common.paging import check_version, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.schemas.given import MessageIn
from firstline.intake.schemas.shown import TicketOut, ticket_out
from firstline.intake.service.change import Change, begin, find_for, side_of
from firstline.intake.service.claims import check_claim
from firstline.intake.service.correspondence import NewMessage, author_of
from firstline.intake.service.desk import Desk
from firstline.intake.service.information import completeness_of
from firstline.intake.ticket import Ticket, allowed

Reference = Annotated[str, Path(description="ID or number of the request.", examples=["FL-7K3M-9QPX"])]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="Makes a retry safe: same key and body, same answer, for 7 days."),
]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag that you read; 412 if it is older.")]
ClaimToken = Annotated[
    str | None, Header(alias="Claim-Token", description="From `POST /v1/queue/claims`; shows that you hold the claim.")
]
Verb = Callable[[Change], Awaitable[Ticket]]


async def desk_of(request: Request) -> Desk:
    """Return the service's instance."""
    desk: Desk = request.app.state.intake
    return desk


DeskHere = Annotated[Desk, Depends(desk_of)]


async def retry_here(request: Request, access: Access, key: str | None) -> Retry | None:
    """Return the marks of this request if it carries an Idempotency-Key."""
    return retry_of(access.principal.id, f"{request.method} {request.url.path}", key, await request.body())


def shown(desk: Desk, access: Access, ticket: Ticket, participants: list[str], at: datetime | None = None) -> TicketOut:
    """Return a request's document, with the verbs that the caller may use now, or could `at` an instant."""
    policy, rules = desk.policies.of(ticket.policy_version)
    # By the version that the request was taken under: a policy published since changes nobody's window.
    verbs = allowed(ticket, side_of(access.principal), policy.closing.reopen_window, at or desk.now())
    document = ticket_out(ticket, policy, access.principal, verbs, participants)
    return document.model_copy(update={"completeness": completeness_of(ticket, rules)})


def document(desk: Desk, access: Access, ticket: Ticket, participants: list[str]) -> str:
    """Return a request's document as JSON text."""
    return shown(desk, access, ticket, participants).model_dump_json()


@dataclass(frozen=True, slots=True)
class Call:
    """A caller's wish to change one request, with the guards that came along."""

    desk: Desk
    access: Access
    reference: str
    retry: Retry | None
    if_match: str | None
    claim_token: str | None

    async def begin(self, unit: Unit) -> Change:
        """Begin the change once If-Match and the claim were looked at.

        Raises:
            NotFound: nothing there for the caller.
            PreconditionFailed: the caller read an older version.
            StaleClaim: somebody else holds the request.

        """
        change = await begin(self.desk, unit, self.access, self.reference)
        # The version before the claim: whoever has read an older request should hear of that first, whoever holds it.
        check_version(self.if_match, change.ticket.version)
        if self.access.principal.is_staff:
            await check_claim(change, self.access.principal, self.claim_token)
        return change

    async def change(self, verb: Verb) -> Response:
        """Run a verb in one transaction and answer with the request's new document."""

        async def work(unit: Unit) -> Made:
            change = await self.begin(unit)
            ticket = await verb(change)
            return 200, self.document(change, ticket), etag_of(ticket.version)

        return await self.answer(work)

    async def answer(self, work: Callable[[Unit], Awaitable[Made]]) -> Response:
        """Run work in one transaction, or answer a retry as before."""
        answer = await answer_once(self.desk.store, self.desk.ports.clock, self.retry, work)
        return json_answer(answer.body, answer.status, answer.etag)

    def document(self, change: Change, ticket: Ticket) -> str:
        """Return a changed request's document as JSON text."""
        return document(self.desk, self.access, ticket, [person.address for person in change.participants])

    def message(self, change: Change, body: MessageIn) -> NewMessage:
        """Return what the caller wrote as a message that came in now, through the API."""
        principal = self.access.principal
        return NewMessage(
            body=body.body,
            author=author_of(principal, side_of(principal)),
            origin=Origin(channel="api"),
            received_at=change.now,
            uploader=principal.id,
            attachment_ids=tuple(body.attachment_ids),
            article_ids=tuple(body.article_ids),
            fields=body.fields,
        )


def call(operation: str) -> Callable[..., Awaitable[Call]]:
    """Return the dependency of a verb's route, under its row of the permission table."""

    async def called(
        request: Request,
        reference: Reference,
        desk: DeskHere,
        access: Annotated[Access, Depends(permit(operation))],
        idempotency_key: Key = None,
        if_match: IfMatch = None,
        claim_token: ClaimToken = None,
    ) -> Call:
        retry = await retry_here(request, access, idempotency_key)
        return Call(desk, access, reference, retry, if_match, claim_token)

    return called


async def read_ticket(desk: Desk, access: Access, reference: str) -> tuple[Ticket, list[str]]:
    """Return a request within reach and its participants' addresses."""

    async def work(unit: Unit) -> tuple[Ticket, list[str]]:
        ticket, people = await find_for(unit, access, reference)
        return ticket, [person.address for person in people]

    return await desk.store.read(work)

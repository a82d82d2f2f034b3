"""What a client asks the supervisor and thinks of the handling; neither moves the request (closing paragraph, 2.3)."""

from dataclasses import replace
from typing import Literal

from firstline.common.errors import Conflict, Fault, Invalid, NotFound
from firstline.common.events import Recipient, TicketRated, TicketSupervisorAnswered, TicketSupervisorRequested
from firstline.common.permissions import Principal
from firstline.intake.service.change import Change
from firstline.intake.store.supervision import ANSWER, ASK, SUPERVISOR_REQUEST, SUPERVISORS, SupervisorRequest
from firstline.intake.ticket import Ticket, demand_text

Kind = Literal["accelerate", "comment"]
SUPERVISORS_TOLD = 20


class SupervisorRequestOpen(Conflict):
    """A supervisor has yet to answer what was asked before; wait for the answer, or add a message to the request."""

    title = "The supervisor has been asked already"


class AlreadyAnswered(Conflict):
    """A supervisor has answered it; the client can ask again."""

    title = "It is answered already"


async def ask(change: Change, asker: Principal, kind: Kind, body: str) -> SupervisorRequest:
    """Ask the supervisor to accelerate or to comment; the request keeps its place and its clocks.

    Raises:
        SupervisorRequestOpen: an earlier one is not answered.
        IllegalTransition: the request goes on in another one.
        Invalid: no text.

    """
    earlier = change.ticket.supervisor_request
    if earlier is not None:
        raise SupervisorRequestOpen(
            f"What was asked on {earlier['asked_at'][:10]} is not answered yet. Wait for the answer; what is new can be"
            " added to the request as a message.",
            extra={"supervisor_request_id": earlier["id"]},
        )
    # After the look at an open one: its error says more than that the verb isn't possible now.
    change.demand("supervisor-requests", "client")
    asked = SupervisorRequest(
        id=change.desk.ports.ids.new(),
        ticket_id=change.ticket.id,
        kind=kind,
        body=change.clean(demand_text(body), "supervisor_request") or "",
        asked_by=asker.name or asker.email,
        asked_at=change.now,
        answer=None,
        answered_by=None,
        answered_at=None,
    )
    row = {name: getattr(asked, name) for name in ("id", "ticket_id", "kind", "body", "asked_by", "asked_at")}
    await change.unit.run(ASK, **row)
    # Beside the row, so that whoever reads the request sees it without a second question.
    change.become(supervisor_request={"id": asked.id, "kind": kind, "asked_at": change.now.isoformat()})
    change.listen()  # whoever writes to the supervisor is not silent, until the answer
    supervisors = await change.unit.all(SUPERVISORS, limit=SUPERVISORS_TOLD)
    change.say(
        TicketSupervisorRequested,
        request_id=asked.id,
        kind=kind,
        body=asked.body,
        asked_by=asked.asked_by,
        supervisors=[Recipient(address=one.email, name=one.name, language=one.language) for one in supervisors],
    )
    await change.save()
    return asked


async def answer(change: Change, supervisor: Principal, request_id: str, body: str) -> SupervisorRequest:
    """Answer what the client asked; it is no reply to the request itself.

    Raises:
        NotFound: this request has no such question.
        AlreadyAnswered: somebody was faster.
        Invalid: no text.

    """
    asked = await change.unit.one(SUPERVISOR_REQUEST, id=request_id)
    if asked is None or asked.ticket_id != change.ticket.id:
        raise NotFound("Nothing with this ID is here for you. Check the ID.")
    if asked.answered_at is not None:
        raise AlreadyAnswered(f"It was answered on {asked.answered_at:%Y-%m-%d %H:%M} UTC. Read that answer.")
    name = supervisor.name or "Supervisor"
    answered = replace(
        asked, answer=change.clean(demand_text(body), "supervisor_answer"), answered_by=name, answered_at=change.now
    )
    await change.unit.run(
        ANSWER, id=asked.id, answer=answered.answer, answered_by=name, answered_at=answered.answered_at
    )
    # The client may ask again from now on.
    change.become(supervisor_request=None)
    change.listen(told=False)
    change.say(TicketSupervisorAnswered, request_id=asked.id, kind=asked.kind, body=answered.answer, answered_by=name)
    await change.save()
    return answered


async def rate(change: Change, mark: str, comment: str | None) -> Ticket:
    """Take the client's rating of the handling; a later one takes the place of an earlier one.

    Raises:
        IllegalTransition: it is neither resolved nor closed, or goes on in another request.
        Invalid: the policy has no such mark.

    """
    change.demand("rating", "client")
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    known = [given.code for given in policy.closing.marks]
    if known and mark not in known:
        raise Invalid("There is no such mark.", faults=(Fault("/mark", f"Use one of: {', '.join(known)}."),))
    words = change.clean((comment or "").strip() or None, "rating")
    before = change.ticket.rating
    # Sent twice, told once.
    if before is not None and (before["mark"], before["comment"]) == (mark, words):
        return change.ticket
    change.become(rating={"mark": mark, "comment": words, "rated_at": change.now.isoformat()})
    change.say(TicketRated, mark=mark, comment=words)
    return await change.save()

"""Duplicates and related requests: merge, unmerge, link, unlink (clause 2.4).

No text moves. A duplicate is closed, and what is written to it from then on goes to the request that it was merged
into; so everybody who takes part in it has to take part there.
"""

from firstline.common.errors import Conflict, Fault, Invalid, NotFound
from firstline.common.events import (
    OwedAnswer,
    TicketClosed,
    TicketDuplicateJoined,
    TicketLinked,
    TicketMerged,
    TicketParticipantAdded,
    TicketResumed,
    TicketUnlinked,
)
from firstline.intake.owing import owed_since
from firstline.intake.service.change import Change, find, recipients_of
from firstline.intake.service.correspondence import end_of_merges, remark, reopened
from firstline.intake.store.directory import PERSON_BY_EMAIL
from firstline.intake.store.relations import (
    ADD_MERGED_PARTICIPANT,
    LINK,
    LINKED,
    NOTE_MERGED_PARTICIPANTS,
    UNLINK,
)
from firstline.intake.store.tickets import PARTICIPANTS, TICKET_TO_CHANGE, Participant
from firstline.intake.ticket import Ticket

DUPLICATE = "duplicate"
SPAM = "spam"


class NotMergeable(Conflict):
    """The two can't be merged as they stand; the detail says what to do instead."""

    title = "These requests can't be merged"


class NotTheSamePeople(Conflict):
    """Somebody who takes part in the one may not read the other; link the two instead."""

    title = "Other people take part"


async def other(change: Change, reference: str, pointer: str) -> Change:
    """Begin the change of the other request that a caller of the staff names, locking it.

    Raises:
        Invalid: there is none, or it is the same.

    """
    try:
        found = await find(change.unit, reference)
    except NotFound as error:
        fault = Fault(pointer, "Give the ID or number of another request.")
        raise Invalid("There is no such request.", faults=(fault,)) from error
    if found.id == change.ticket.id:
        raise Invalid("A request can't belong to itself.", faults=(Fault(pointer, "Name another request."),))
    # Two merges that lock each other's requests are a deadlock, which the database ends and the store runs again.
    ticket = await change.unit.one(TICKET_TO_CHANGE, id=found.id)
    people = await change.unit.all(PARTICIPANTS, ticket_id=found.id)
    return Change(change.desk, change.unit, ticket or found, people, change.actor)


async def merge(change: Change, reference: str, *, add_participants: bool) -> Ticket:
    """Close a duplicate and let it go on in another request, which owes what answers it was owed from then on.

    Whoever takes part in the duplicate but not there is added only where that was asked for, and only as one of the
    organisation's people: who only takes part in a request of theirs isn't.

    Raises:
        IllegalTransition: it is merged already.
        Invalid: there is no such other request, or the policy knows no duplicates.
        NotMergeable: it is spam, or the other one has ended, or goes on elsewhere itself.
        NotTheSamePeople: somebody may not read the other one.

    """
    change.demand("merge", "staff")
    _check_duplicate(change)
    into = await other(change, reference, "/into")
    await _check_target(into)
    await _bring_along(change, into, add_participants=add_participants)
    policy, _ = into.desk.policies.of(into.ticket.policy_version)
    await remark(into, policy.relations.text("merged_here", change.ticket.number))
    _owe(change.ticket, into)
    await into.save()
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    await remark(change, policy.relations.text("merged_into", into.ticket.number))
    change.end("closed", merged_into=into.ticket.id, close_reason=DUPLICATE, closed_at=change.now)
    since = owed_since(change.ticket.owed)
    change.say(TicketMerged, into=into.ticket.id, into_number=into.ticket.number, owed_since=since)
    change.say(TicketClosed, reason=DUPLICATE, into_number=into.ticket.number)
    return await change.save()


def _owe(duplicate: Ticket, into: Change) -> None:
    """Let the other request owe the answers that the duplicate is owed, with the place of their messages' receipt.

    What the client wrote to the duplicate after we began to wait for them is their word, wherever they wrote it.
    """
    owed = [OwedAnswer.model_validate({"ticket_id": one, "since": since}) for one, since in duplicate.owed.items()]
    ticket = into.ticket
    waits_since = ticket.waiting_since if ticket.waiting_cause == "client" else None
    if waits_since and any(one.since > waits_since for one in owed):
        into.go_open()
        into.say(TicketResumed, cause="client")
    into.say(
        TicketDuplicateJoined,
        duplicate=duplicate.id,
        duplicate_number=duplicate.number,
        owed=owed,
        owed_since=owed_since({**ticket.owed, **duplicate.owed}),
    )


def _check_duplicate(change: Change) -> None:
    """Refuse what can be nobody's duplicate: spam, whose sender would be told, and all where the policy has none."""
    if change.ticket.close_reason == SPAM:
        raise NotMergeable(f"{change.ticket.number} was closed as spam. Reopen it first if it is none.")
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    if "staff" not in policy.closing.sides(DUPLICATE):
        raise Invalid("The policy has no closing reason for duplicates. Link the requests instead.", clause="2.4")


async def _check_target(into: Change) -> None:
    """Refuse a request that nobody goes on with; it must not be merged itself, so no circle can arise."""
    ticket = into.ticket
    if ticket.merged_into is not None:
        end = await end_of_merges(into)
        raise NotMergeable(
            f"{ticket.number} itself goes on in {end.number}. Merge into that one.",
            extra={"ticket_id": end.id, "number": end.number},
        )
    if ticket.status in ("resolved", "closed"):
        raise NotMergeable(
            f"{ticket.number} is {ticket.status}. Reopen it first, merge it into this one, or link the two."
        )


async def _bring_along(change: Change, into: Change, *, add_participants: bool) -> None:
    """Let those who take part in the duplicate take part in the other one, or raise NotTheSamePeople."""
    there = {person.address for person in into.participants}
    missing = [person for person in change.participants if person.address not in there]
    organization = change.ticket.organization_id
    # Looked at before the wish: that lets in the organisation's own people, and nobody else.
    strangers = not all([await _belongs(change, person, organization) for person in missing])
    if organization != into.ticket.organization_id or strangers:
        raise NotTheSamePeople(
            f"Not everybody who takes part in {change.ticket.number} may read {into.ticket.number}: merging would show"
            " it to them. Link the two instead."
        )
    if missing and not add_participants:
        names = ", ".join(person.address for person in missing)
        raise NotTheSamePeople(
            f"{names} would read {into.ticket.number} from now on. Send add_participants if they may, or link the two.",
            extra={"participants": [person.address for person in missing]},
        )
    for person in missing:
        await _add(into, person, change.ticket.id)
    await into.unit.run(NOTE_MERGED_PARTICIPANTS, into=into.ticket.id, duplicate=change.ticket.id)


async def _belongs(change: Change, participant: Participant, organization: str | None) -> bool:
    """Tell whether a participant is one of an organisation's people."""
    person = await change.unit.one(PERSON_BY_EMAIL, email=participant.address)
    if person is None or organization is None:
        return False
    return person.active and person.organization_id == organization


async def _add(into: Change, person: Participant, merged_from: str) -> None:
    """Let somebody take part because of a merge, until it is taken back."""
    added = Participant(into.ticket.id, person.address, person.name, person.language)
    await into.unit.run(
        ADD_MERGED_PARTICIPANT,
        ticket_id=added.ticket_id,
        address=added.address,
        name=added.name,
        language=added.language,
        merged_from=merged_from,
    )
    into.participants = [*into.participants, added]
    into.say(TicketParticipantAdded, participant=recipients_of([added])[0])


async def unmerge(change: Change) -> Ticket:
    """Take a merge back: the request is open again, and who took part elsewhere only because of it no longer does.

    What was to be answered when it was merged, and has not been since, is owed here again, at its old place.

    Raises:
        IllegalTransition: it isn't merged.

    """
    change.demand("unmerge", "staff")
    await reopened(change, "staff", change.now)
    return await change.save()


async def link(change: Change, reference: str) -> Ticket:
    """Let two requests name each other; a link that is there stays as it is.

    Raises:
        Invalid: there is no such other request.

    """
    to = await other(change, reference, "/to")
    if await change.unit.one(LINKED, ticket_id=change.ticket.id, other_id=to.ticket.id) is not None:
        return change.ticket
    # In both directions, so that each request's relations are read along its own key.
    for one, far in ((change, to), (to, change)):
        await one.unit.run(LINK, ticket_id=one.ticket.id, other_id=far.ticket.id, created_at=change.now)
        one.say(TicketLinked, to=far.ticket.id, to_number=far.ticket.number)
    await to.save()
    return await change.save()


async def unlink(change: Change, reference: str) -> Ticket:
    """Take a link back on both sides; where there is none, nothing changes.

    Raises:
        Invalid: there is no such other request.

    """
    to = await other(change, reference, "/to")
    if await change.unit.one(LINKED, ticket_id=change.ticket.id, other_id=to.ticket.id) is None:
        return change.ticket
    for one, far in ((change, to), (to, change)):
        await one.unit.run(UNLINK, ticket_id=one.ticket.id, other_id=far.ticket.id)
        one.say(TicketUnlinked, to=far.ticket.id, to_number=far.ticket.number)
    await to.save()
    return await change.save()

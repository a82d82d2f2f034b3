"""What a verb's body asks of one request; single calls and calls for many go through here alike."""

from firstline.common.errors import Fault, Forbidden, Invalid
from firstline.common.paging import check_version
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api.context import Call
from firstline.intake.schemas.given import (
    CloseIn,
    HandOverIn,
    MessageIn,
    ReleasePlanIn,
    ReopenIn,
    ResolveIn,
    ResumeIn,
    TriageIn,
    WaitIn,
)
from firstline.intake.service import correspondence, releases, verbs
from firstline.intake.service.change import Change, begin, side_of
from firstline.intake.service.correspondence import NewMessage, Told
from firstline.intake.ticket import Ticket


async def say(here: Call, unit: Unit, body: MessageIn) -> Told:
    """Add a message, or a note; a note needs no claim, so that others can add one while somebody is at work."""
    # Through `begin`, which looks at the claim: what clients read is written by one specialist at a time.
    if body.audience == "public":
        change = await here.begin(unit)
        return await correspondence.reply(change, here.message(change, body), here.access)
    change = await begin(here.desk, unit, here.access, here.reference)
    check_version(here.if_match, change.ticket.version)
    return await correspondence.note(change, here.message(change, body))


async def triage(_here: Call, change: Change, body: TriageIn) -> Ticket:
    """Judge a request."""
    scope = body.scope.model_dump(exclude_none=True) if body.scope else None
    return await verbs.triage(change, verbs.Triage(**body.model_dump(exclude={"scope"}), scope=scope))


async def wait(_here: Call, change: Change, body: WaitIn) -> Ticket:
    """Let a request wait."""
    return await verbs.wait(change, body.cause, body.circumstance, body.note)


async def resume(_here: Call, change: Change, body: ResumeIn) -> Ticket:
    """End waiting."""
    return await verbs.resume(change, body.note)


async def hand_over(_here: Call, change: Change, body: HandOverIn) -> Ticket:
    """Hand a request over to development."""
    plan = body.planned_release.plan() if body.planned_release else None
    return await releases.hand_over(change, body.defect_ref, plan)


async def plan_release(_here: Call, change: Change, body: ReleasePlanIn) -> Ticket:
    """Plan the release that a request waits for."""
    return await releases.plan_release(change, body.planned_release.plan())


async def resolve(here: Call, change: Change, body: ResolveIn) -> Ticket:
    """Say that the problem is solved."""
    return await verbs.resolve(change, _last_words(here, change, body))


async def close(here: Call, change: Change, body: CloseIn) -> Ticket:
    """Close a request."""
    side = side_of(here.access.principal)
    message = _last_words(here, change, body)
    return await verbs.close(change, side, body.reason, body.circumstance, message, body.refer_to)


async def reopen(here: Call, change: Change, body: ReopenIn) -> Ticket:
    """Open an ended request again."""
    message = here.message(change, MessageIn(body=body.body))
    return await verbs.reopen(change, side_of(here.access.principal), message)


def check_message(access: Access, body: MessageIn) -> None:
    """Refuse what would be left aside in silence.

    Raises:
        Forbidden: a note by somebody else than staff.
        Invalid: fields by staff, pages by clients, or a note with attachments or pages.

    """
    if body.audience == "internal" and not access.principal.is_staff:
        raise Forbidden("Internal notes are for staff. Send the message with audience public.")
    # Refused and not left aside: who sends something believes that it was taken.
    if body.fields and access.principal.is_staff:
        fault = Fault("/fields", "Leave them out; they are the client's answers.")
        raise Invalid("Fields come from the client's side.", faults=(fault,))
    if body.article_ids and (body.audience == "internal" or not access.principal.is_staff):
        fault = Fault("/article_ids", "Leave them out; write the address into the text.")
        raise Invalid("Pages are linked in public messages of staff.", faults=(fault,))
    if body.audience == "internal" and body.attachment_ids:
        fault = Fault("/attachment_ids", "Leave them out, or attach them to a public message.")
        raise Invalid("A note takes no attachments.", faults=(fault,))


def _last_words(here: Call, change: Change, given: ResolveIn | CloseIn) -> NewMessage | None:
    """Return the message that goes out with a verb, None where there is none.

    Raises:
        Invalid: files without a text.

    """
    if given.body is not None:
        pages = given.article_ids if isinstance(given, ResolveIn) else []
        return here.message(change, MessageIn(body=given.body, attachment_ids=given.attachment_ids, article_ids=pages))
    if given.attachment_ids:
        fault = Fault("/body", "Write the text that the files go with, or leave the files out.")
        raise Invalid("Files need a text.", faults=(fault,))
    return None

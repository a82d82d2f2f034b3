"""Reminding of what is for the client to say, and closing on their silence (clauses 4.2, 4.8, closing paragraph)."""

from datetime import timedelta

from firstline.common.events import MissingField, TicketClosed, TicketReminded
from firstline.common.policy.closing import SilenceRule
from firstline.common.store.port import Unit
from firstline.intake.service.change import Change
from firstline.intake.service.correspondence import with_merged
from firstline.intake.service.desk import SYSTEM, Desk
from firstline.intake.silence import Act, closing_after_reminder, next_act, rule_of
from firstline.intake.store.due import DROP_DUE, SAVE_DUE
from firstline.intake.store.mails import HELD_BESIDE, PENDING
from firstline.intake.store.tickets import PARTICIPANTS, TICKET_TO_CHANGE

LOOK_AGAIN = timedelta(minutes=15)
"""After this it is looked again at a closing that a held mail puts off."""


async def act_on_silence(desk: Desk, unit: Unit, ticket_id: str) -> Act | None:
    """Remind of or close a request if that is due now; return what was done.

    Nothing is done while a mail that came in before has not been judged, and nothing is closed while one is held beside
    the request or a duplicate that goes on in it: it may be what we wait for. A held mail moves no day, or strangers
    could keep a request open by mail.
    """
    ticket = await unit.one(TICKET_TO_CHANGE, id=ticket_id)
    policy, _ = desk.policies.of(ticket.policy_version) if ticket else (None, None)
    rule = rule_of(ticket, policy.closing.silence) if ticket and policy else None
    if ticket is None or rule is None:
        await unit.run(DROP_DUE, ticket_id=ticket_id)
        return None
    # Judged from the request and not from the table, which only says when to look.
    act, due = next_act(ticket, rule)
    # Somebody wrote meanwhile, or the day was set by an older rule: the table learns the right one.
    if due > desk.now():
        await unit.run(SAVE_DUE, ticket_id=ticket_id, due_at=due)
        return None
    unread = await unit.one(PENDING, limit=1)
    if unread is not None and unread.received_at <= due:
        return None
    if act == "close" and await unit.one(HELD_BESIDE, ticket_ids=await with_merged(unit, ticket_id)) is not None:
        await unit.run(SAVE_DUE, ticket_id=ticket_id, due_at=desk.now() + LOOK_AGAIN)
        return None
    change = Change(desk, unit, ticket, await unit.all(PARTICIPANTS, ticket_id=ticket_id), SYSTEM)
    await (_remind(change, rule) if act == "remind" else _close(change, rule))
    return act


async def _remind(change: Change, rule: SilenceRule) -> None:
    """Say what is still to be said, and when the request closes without it."""
    ticket = change.ticket
    missing = ticket.missing_information if ticket.status == "waiting" else []
    kind = "missing_information" if missing else ticket.waiting_cause or ticket.status
    change.become(reminded_at=change.now, closes_at=closing_after_reminder(ticket, rule, change.now))
    change.say(
        TicketReminded,
        kind=kind,
        closes_at=change.ticket.closes_at,
        missing_information=[MissingField(**one) for one in missing],
    )
    await change.save()


async def _close(change: Change, rule: SilenceRule) -> None:
    """Close on the client's silence, for the reason that the policy names."""
    change.end("closed", circumstance=rule.circumstance, close_reason=rule.reason, closed_at=change.now)
    change.say(TicketClosed, reason=rule.reason, circumstance=rule.circumstance)
    await change.save()

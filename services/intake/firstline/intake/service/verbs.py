"""The verbs that move a request: triage, wait, resume, resolve, close, reopen (clauses 1.3, 2.1-2.3, 4.8)."""

from dataclasses import asdict, dataclass
from typing import Any

from firstline.common.errors import Fault, Invalid
from firstline.common.events import (
    TicketClosed,
    TicketResolved,
    TicketResumed,
    TicketTriaged,
    TicketWaiting,
)
from firstline.common.policy.model import Policy
from firstline.intake.scope import Rulebook, missing_information, revised, scope_of
from firstline.intake.service.change import Change
from firstline.intake.service.correspondence import NewMessage, add_message, reopened
from firstline.intake.service.information import demand_documentation
from firstline.intake.store.releases import HOLD_RELEASE
from firstline.intake.store.reports import COUNT_CLAIM, NO_ORGANIZATION
from firstline.intake.ticket import Side, Ticket, changes_between

OUT_OF_SCOPE = "out_of_scope"
TRIAGED = (
    "topic",
    "urgency",
    "urgency_provisional",
    "urgency_reason",
    "complexity",
    "tier",
    "scope",
    "doc_required",
    "language",
    "missing_information",
)


@dataclass(frozen=True, slots=True)
class Triage:
    """A specialist's judgement; None leaves a value as it is. An urgency comes with its reason (reading A6).

    Attributes:
        topic: a code of the policy; tier, scope and questions follow from it.
        urgency: a level's code.
        reason: why that urgency; the client reads it.
        complexity: how hard it seems to be.
        tier: who goes on with it.
        scope: members of the scope that are not as the topic says.
        doc_required: whether the client has to name the documentation that they have read (clause 1.2).
        language: code of the language that the client is written to.

    """

    topic: str | None = None
    urgency: str | None = None
    reason: str | None = None
    complexity: str | None = None
    tier: str | None = None
    scope: dict[str, Any] | None = None
    doc_required: bool | None = None
    language: str | None = None


async def triage(change: Change, given: Triage) -> Ticket:
    """Judge the request; an urgency given here ends the provisional state.

    Raises:
        IllegalTransition: it is closed.
        Invalid: an unknown topic, urgency or referral, an urgency without its reason, a scope that contradicts itself,
            a demand for documentation without a question for it.

    """
    change.demand("triage", "staff")
    policy, rules = change.desk.policies.of(change.ticket.policy_version)
    before = change.ticket
    if given.topic is not None:
        _set_topic(change, rules, given.topic)
    if given.urgency is not None:
        _set_urgency(change, policy, given.urgency, given.reason)
        # Counted where it is judged, so that no report has to read requests.
        if before.urgency_provisional:
            await _count(change, returned=policy.out_of_turn.returned(before.urgency, given.urgency))
    # A new topic has its own questions, and would forget that documentation was asked for.
    if given.doc_required is not None or (given.topic is not None and before.doc_required):
        demanded = before.doc_required if given.doc_required is None else given.doc_required
        demand_documentation(change, policy, rules, demanded=demanded)
    plain = {name: getattr(given, name) for name in ("complexity", "tier", "language")}
    change.become(**{name: value for name, value in plain.items() if value is not None})
    if given.scope is not None:
        change.become(scope=revised(rules, change.ticket.topic, change.ticket.scope, given.scope))
    if before.status == "new":
        change.become(status="open")
    after = change.ticket
    change.say(
        TicketTriaged,
        changes=changes_between(before, after, TRIAGED),
        reason=change.clean(given.reason, "reason"),
        urgency=after.urgency,
        urgency_provisional=after.urgency_provisional,
        topic=after.topic,
        tier=after.tier,
    )
    return await change.save()


def _set_topic(change: Change, rules: Rulebook, topic: str) -> None:
    """Set the topic, and what follows from it: tier, scope and what is missing (clauses 1.3, 4.2)."""
    rule = rules.topics.get(topic)
    if rule is None:
        known = ", ".join(code for code in rules.topics if code)
        raise Invalid("There is no such topic.", faults=(Fault("/topic", f"Use one of: {known}."),))
    ticket = change.ticket
    members = {"product": ticket.product, "version": ticket.product_version, "doc_refs": ticket.doc_refs}
    # Only whether there is one counts here; the text itself need not be read.
    members |= {"subject": ticket.subject, "body": "given", "licence_key": ticket.licence_last4}
    missing = missing_information(rule, ticket.fields, members)
    change.become(
        topic=topic,
        tier=rule.tier,
        scope=scope_of(rules, topic, ticket.scope),
        missing_information=[asdict(asked) for asked in missing],
    )


def _set_urgency(change: Change, policy: Policy, urgency: str, reason: str | None) -> None:
    """Set the urgency with its reason, which the client reads (clause 2.1)."""
    known = [level.code for level in policy.urgency.levels]
    if urgency not in known:
        raise Invalid("There is no such urgency.", faults=(Fault("/urgency", f"Use one of: {', '.join(known)}."),))
    if not (reason or "").strip():
        fault = Fault("/reason", "Say why; the client sees it.")
        raise Invalid("An urgency needs its reason.", faults=(fault,), clause="2.1")
    change.become(urgency=urgency, urgency_provisional=False, urgency_reason=change.clean(reason, "urgency_reason"))


async def _count(change: Change, *, returned: bool) -> None:
    """Count what became of a provisional urgency, for its organisation."""
    organization = change.ticket.organization_id or NO_ORGANIZATION
    await change.unit.run(
        COUNT_CLAIM, organization_id=organization, confirmed=int(not returned), returned=int(returned)
    )


async def wait(change: Change, cause: str, circumstance: str | None, note: str | None) -> Ticket:
    """Let the request wait for the client, a third party or a release (clause 2.3).

    Raises:
        IllegalTransition: not from this status.
        Invalid: the policy has no such circumstance that delays, or it makes a request wait for somebody else.

    """
    change.demand("wait", "staff")
    _check_circumstance(change, circumstance, "delay", cause)
    named = circumstance or usual_circumstance(change, cause)
    # The mail that asks the client to say something says what.
    missing = change.ticket.missing_information if cause == "client" else []
    change.wait_for(cause, named)
    if cause == "release":
        await _await_plan(change)
    change.say(
        TicketWaiting,
        cause=cause,
        circumstance=named,
        note=change.clean(note, "note"),
        missing_information=missing,
        closes_at=change.ticket.closes_at,
    )
    return await change.save()


async def _await_plan(change: Change) -> None:
    """Wait for the release that is planned, if one is and it isn't out yet, so that it brings the request back."""
    plan = change.ticket.planned_release
    release = await change.unit.one(HOLD_RELEASE, version=plan["version"]) if plan else None
    if release is not None and release.shipped_at is None:
        change.become(awaited_release=release.version)


def usual_circumstance(change: Change, cause: str) -> str | None:
    """Return what the client is told where nothing nearer was named: the policy's first for that cause (clause 4.8)."""
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    return next((known.code for known in policy.circumstances if known.cause == cause), None)


def _check_circumstance(change: Change, code: str | None, effect: str, cause: str | None = None) -> None:
    """Raise Invalid for a circumstance that the policy doesn't name for this effect and cause (clause 4.8)."""
    if code is None:
        return
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    fitting = [known.code for known in policy.circumstances if known.effect == effect and known.cause in (None, cause)]
    if code not in fitting:
        codes = ", ".join(fitting)
        fault = Fault("/circumstance", f"Use one of: {codes}.")
        raise Invalid("The policy names no such circumstance.", faults=(fault,), clause="4.8")


async def resume(change: Change, note: str | None) -> Ticket:
    """End waiting.

    Raises:
        IllegalTransition: it isn't waiting.

    """
    change.demand("resume", "staff")
    cause = change.ticket.waiting_cause
    change.go_open()
    change.say(TicketResumed, cause=cause or "client", note=change.clean(note, "note"))
    return await change.save()


async def resolve(change: Change, message: NewMessage | None) -> Ticket:
    """Say that the problem is solved; a text goes to the client first.

    Raises:
        IllegalTransition: not from this status.

    """
    change.demand("resolve", "staff")
    # Before the end, so that the answer stands in the correspondence and ends what was owed.
    if message is not None:
        await add_message(change, message)
    change.end("resolved", resolved_at=change.now)
    change.say(TicketResolved, closes_at=change.ticket.closes_at)
    return await change.save()


async def close(
    change: Change,
    side: Side,
    reason: str,
    circumstance: str | None,
    message: NewMessage | None,
    refer_to: str | None = None,
) -> Ticket:
    """Close for a reason of the policy; a text goes to the other side first.

    Raises:
        IllegalTransition: not from this status by this side.
        Invalid: the reason is not one that this side may give, or there is no such circumstance or referral.

    """
    change.demand("close", side)
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    if side not in policy.closing.sides(reason):
        known = ", ".join(known.code for known in policy.closing.reasons if side in known.by)
        raise Invalid("This reason can't be given here.", faults=(Fault("/reason", f"Use one of: {known}."),))
    _check_circumstance(change, circumstance, "abort")
    # Taken before the scope is revised, or the event wouldn't tell of that.
    before = change.ticket
    if reason == OUT_OF_SCOPE:
        _leave_out(change, refer_to)
    if message is not None:
        await add_message(change, message)
    change.end("closed", circumstance=circumstance, close_reason=reason, closed_at=change.now)
    referral = change.ticket.scope.get("refer_to") if reason == OUT_OF_SCOPE else None
    changes = changes_between(before, change.ticket, ("scope",))
    change.say(TicketClosed, reason=reason, circumstance=circumstance, refer_to=referral, changes=changes)
    return await change.save()


def _leave_out(change: Change, refer_to: str | None) -> None:
    """Let the scope say what closing as out of scope says, and whom to ask instead (clause 1.3)."""
    policy, rules = change.desk.policies.of(change.ticket.policy_version)
    given = {"verdict": "out"} | ({"refer_to": refer_to} if refer_to else {})
    # Without a topic nothing says why: the reason's own title is what the client reads then.
    if change.ticket.topic is None and change.ticket.scope["verdict"] != "out":
        given["reason"] = next(known.title for known in policy.closing.reasons if known.code == OUT_OF_SCOPE)
    change.become(scope=revised(rules, change.ticket.topic, change.ticket.scope, given))


async def reopen(change: Change, side: Side, message: NewMessage) -> Ticket:
    """Open an ended request again, with the text that says why.

    Raises:
        IllegalTransition: it hasn't ended.
        PastTheWindow: it ended too long ago.
        Invalid: no text.

    """
    change.demand("reopen", side)
    await add_message(change, message)
    await reopened(change, side, message.received_at)
    return await change.save()

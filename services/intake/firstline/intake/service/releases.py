"""Hand-over to development, the planned release, and its shipping (clauses 2.2, 2.3).

A release that ships brings every request that waited for it back into the queue, in portions: what is left to do stands
in the store, so that a stop in between loses nothing and a repetition does nothing twice.
"""

from datetime import date
from typing import Any

from firstline.common.errors import Conflict, Fault, Invalid
from firstline.common.events import (
    Actor,
    TicketHandedOver,
    TicketReleased,
    TicketReleasePlanned,
    TicketResumed,
    TicketWaiting,
)
from firstline.common.releases import last_day
from firstline.common.store.port import Unit
from firstline.intake.service.change import Change
from firstline.intake.service.desk import Desk
from firstline.intake.service.holding import without_secrets
from firstline.intake.service.verbs import usual_circumstance
from firstline.intake.store.releases import AWAITING, HOLD_RELEASE, SETTLE, SHIP, UNSETTLED, Release
from firstline.intake.store.tickets import PARTICIPANTS, TICKET_TO_CHANGE
from firstline.intake.ticket import Ticket

RELEASE_CHANNEL = "releases"
REQUESTS_A_STEP = 20

Plan = dict[str, Any]
"""`version`, `date` (ISO, or None) and `precision` (None without a date)."""


class ReleaseShipped(Conflict):
    """The release is out, so nothing can wait for it any more; answer the client, or name a later one."""

    title = "The release is out already"


async def hand_over(change: Change, defect_ref: str, plan: Plan | None) -> Ticket:
    """Hand the request over to development; it waits for the release that is planned, or until one is.

    Raises:
        IllegalTransition: not from this status.
        ReleaseShipped: the planned release is out.
        Invalid: it is planned for the past.

    """
    change.demand("handover", "staff")
    # Holds the release's row until the end, so that it can't ship between the look and the waiting.
    await _check_plan(change, plan)
    circumstance = usual_circumstance(change, "release")
    change.wait_for("release", circumstance)
    defect_ref = change.clean(defect_ref, "defect_ref") or defect_ref
    change.become(
        defect_ref=defect_ref,
        planned_release=plan,
        awaited_release=plan["version"] if plan else None,
        released_in=None,
    )
    change.say(TicketHandedOver, defect_ref=defect_ref, planned_release=plan)
    change.say(TicketWaiting, cause="release", circumstance=circumstance)
    return await change.save()


async def plan_release(change: Change, plan: Plan) -> Ticket:
    """Plan the release of the solution, or move it; the same plan again changes nothing.

    Raises:
        IllegalTransition: it does not wait for a release.
        ReleaseShipped: that release is out.
        Invalid: it is planned for the past.

    """
    change.demand("release-plan", "staff")
    before = change.ticket.planned_release
    if plan == before and change.ticket.awaited_release == plan["version"]:
        return change.ticket
    await _check_plan(change, plan)
    change.become(planned_release=plan, awaited_release=plan["version"])
    change.say(TicketReleasePlanned, planned_release=plan, before=before)
    return await change.save()


async def _check_plan(change: Change, plan: Plan | None) -> None:
    """Raise Invalid for a plan in the past, and ReleaseShipped for a release that is out."""
    if plan is None:
        return
    if plan["date"] is not None and last_day(date.fromisoformat(plan["date"]), plan["precision"]) < change.now.date():
        fault = Fault("/planned_release/date", "Give a date that is still to come, or none.")
        raise Invalid("A release can't be planned for the past.", faults=(fault,), clause="2.2")
    release = await change.unit.one(HOLD_RELEASE, version=plan["version"])
    if release is not None and release.shipped_at is not None:
        raise ReleaseShipped(
            f"Version {release.version} shipped on {release.shipped_at:%Y-%m-%d}. Tell the client to take it, or name"
            " a later release."
        )


async def ship(desk: Desk, unit: Unit, version: str, note: str | None, actor: Actor) -> Release:
    """Record that a release is out; its requests come back by `bring_back`. Of several times the first one counts."""
    release = await unit.one(HOLD_RELEASE, version=version)
    assert release is not None  # the statement made it
    if release.shipped_at is not None:
        return release
    # A note belongs to no request, so of what is taken out nothing is kept.
    note = without_secrets(desk, note) if note else note
    shipped = Release(version, note, actor.id, actor.role, actor.client_id, desk.now())
    await unit.run(
        SHIP,
        version=version,
        note=note,
        shipped_by=actor.id,
        shipped_by_role=actor.role,
        shipped_by_client=actor.client_id,
        shipped_at=shipped.shipped_at,
    )
    unit.announce(RELEASE_CHANNEL)
    return shipped


async def bring_back(desk: Desk, unit: Unit) -> int:
    """Bring some of the requests back whose release is out; return how much was done, 0 when none is left."""
    release = await unit.one(UNSETTLED)
    if release is None:
        return 0
    waiting = await unit.all(AWAITING, version=release.version, limit=REQUESTS_A_STEP)
    for ticket_id in waiting:
        await _bring_back(desk, unit, ticket_id, release)
    # Planning for a version that shipped is refused under the same lock, so none can come after these.
    if len(waiting) < REQUESTS_A_STEP:
        await unit.run(SETTLE, version=release.version, now=desk.now())
    # At least 1, since the next release may have to be looked at, though this one had nobody.
    return max(1, len(waiting))


async def _bring_back(desk: Desk, unit: Unit, ticket_id: str, release: Release) -> None:
    """Bring one request back, unless somebody has moved it meanwhile."""
    ticket = await unit.one(TICKET_TO_CHANGE, id=ticket_id)
    if ticket is None or ticket.awaited_release != release.version:
        return  # somebody moved it while we waited for it
    actor = Actor(id=release.shipped_by or "", role=release.shipped_by_role or "", client_id=release.shipped_by_client)
    change = Change(desk, unit, ticket, await unit.all(PARTICIPANTS, ticket_id=ticket_id), actor)
    change.go_open()
    change.become(released_in=release.version)
    change.say(TicketReleased, version=release.version, note=release.note)
    change.say(TicketResumed, cause="release")
    await change.save()

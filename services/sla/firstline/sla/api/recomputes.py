"""Recomputes: clocks that run are timed by other terms: by hand, tried first if wanted, or by new hours (2.1, 2.3)."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from firstline.common.answers import Made, answer_once, retry_of
from firstline.common.application import json_answer, permit
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.sla.api.context import SlaHere
from firstline.sla.schemas import Body
from firstline.sla.service import recompute
from firstline.sla.store.recomputes import CHANGES, LATEST, Change, Recompute

router = APIRouter(prefix="/v1/clocks/recomputes", tags=["time"])

SHOWN = 50
Recomputing = Annotated[Access, Depends(permit("clocks.recompute"))]
RecomputeId = Annotated[str, Path(max_length=64, description="ID of the recompute.")]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="Makes a retry safe: same key and body, same answer, for 7 days."),
]


class RecomputeIn(Body):
    """What open requests are to be timed by from now on."""

    policy_version: str | None = Field(None, max_length=200, description="Default: the newest.")
    scope: Literal["all", "calendar", "targets"] = Field(
        "all",
        description="`targets`: its targets and their rules; `calendar`: its working hours, which for every open "
        "request are the newest version's in any case, so that this only times them once more.",
    )
    dry_run: bool = Field(False, description="Say what would change, and change nothing.")


class RecomputeOut(BaseModel):
    """A recompute and how far it has come."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    policy_version: str
    scope: Literal["all", "calendar", "targets"]
    dry_run: bool
    state: Literal["running", "done", "cancelled", "overtaken"] = Field(
        description="`overtaken`: a newer version's hours came before the end, and their recompute does it all."
    )
    asked_by: str = Field(
        description="ID of who asked for it; `policy.published` where a version with other hours was published."
    )
    started_at: datetime
    ended_at: datetime | None
    requests: int = Field(description="Requests done so far, of those with a clock that runs or is paused.")
    clocks: int = Field(description="Clocks of these requests.")
    changed: int = Field(description="Clocks with another deadline, target, rule or lateness.")
    later: int = Field(description="Clocks that are due later.")
    earlier: int = Field(description="Clocks that are due earlier.")
    breached: int = Field(description="Clocks that are late by the new terms only.")
    relieved: int = Field(description="Clocks that were late and are not by the new terms.")
    failed: int = Field(description="Requests that the new terms can't time; they stay as they are.")


class ChangeOut(BaseModel):
    """A clock that would change, before and after."""

    model_config = ConfigDict(from_attributes=True)

    ticket_id: str
    number: str
    target: str
    due_before: datetime | None
    due_after: datetime | None
    breached_before: bool
    breached_after: bool
    minutes_before: float | None = Field(description="Business minutes that the target gives; null while not timed.")
    minutes_after: float | None = Field(description="The same by the new terms; null where it isn't timed any more.")
    rule_before: str | None = Field(description="The rule that gives the target.")
    rule_after: str | None = Field(description="The rule that gives it by the new terms.")
    problem: str | None = Field(description="Why the request stays as it was; null when it doesn't.")


class RecomputesOut(BaseModel):
    """The latest recomputes, the newest first."""

    items: list[RecomputeOut]


@router.post("", status_code=202, response_model=RecomputeOut)
async def begin_recompute(
    body: RecomputeIn, request: Request, sla: SlaHere, access: Recomputing, idempotency_key: Key = None
) -> Response:
    """Time the open requests by the targets of another policy version than the one that they were taken under.

    Hours need no asking: those of the newest version count for every open request, and its publication begins a
    recompute by itself. A version with other hours is refused, but for its `targets`. It is done in portions, one
    recompute after another, and ten at most may wait. With `dry_run` nothing changes, and the changes are listed.
    """

    async def work(unit: Unit) -> Made:
        begun = await recompute.begin(sla, unit, access, body.policy_version, body.scope, dry_run=body.dry_run)
        return 202, _out(begun).model_dump_json(), None

    retry = retry_of(access.principal.id, "POST /v1/clocks/recomputes", idempotency_key, await request.body())
    answer = await answer_once(sla.runtime.store, sla.runtime.ports.clock, retry, work)
    return json_answer(answer.body, answer.status, answer.etag)


@router.get("")
async def list_recomputes(sla: SlaHere, _access: Recomputing) -> RecomputesOut:
    """List the last 50 recomputes, the newest first; they are kept for 30 days."""
    found = await sla.runtime.store.read(lambda unit: unit.all(LATEST, limit=SHOWN))
    return RecomputesOut(items=[_out(one) for one in found])


@router.get("/{recompute_id}")
async def read_recompute(recompute_id: RecomputeId, sla: SlaHere, _access: Recomputing) -> RecomputeOut:
    """Read how far a recompute has come and what it changed."""
    return _out(await sla.runtime.store.read(lambda unit: recompute.find(unit, recompute_id)))


@router.get("/{recompute_id}/changes")
async def list_changes(
    recompute_id: RecomputeId,
    sla: SlaHere,
    _access: Recomputing,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[ChangeOut]:
    """List the clocks that a dry run would change, by request; of any other run the requests that it could not do.

    What a run has done is told by `clock.scheduled` and the other events of clocks.
    """
    name = f"recompute {recompute_id}"
    place = sla.cursors.read(name, cursor)
    ticket_id, target = (str(place[0]), str(place[1])) if place else ("", "")

    async def work(unit: Unit) -> list[Change]:
        await recompute.find(unit, recompute_id)
        return await unit.all(CHANGES, id=recompute_id, ticket_id=ticket_id, target=target, limit=limit + 1)

    found = await sla.runtime.store.read(work)
    last = found[limit - 1] if len(found) > limit else None
    more = sla.cursors.write(name, [last.ticket_id, last.target]) if last else None
    return Page[ChangeOut](items=[ChangeOut.model_validate(change) for change in found[:limit]], next=more)


@router.post("/{recompute_id}/cancel")
async def cancel_recompute(recompute_id: RecomputeId, sla: SlaHere, _access: Recomputing) -> RecomputeOut:
    """Stop a recompute that somebody asked for; the requests that it has done keep their new terms."""
    return _out(await sla.runtime.store.write(lambda unit: recompute.cancel(sla, unit, recompute_id)))


def _out(found: Recompute) -> RecomputeOut:
    """Return a recompute's document."""
    return RecomputeOut.model_validate(found)

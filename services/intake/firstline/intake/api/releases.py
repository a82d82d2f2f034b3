"""Releases: what is planned, what requests wait for it, and that it has shipped (clause 2.2)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from firstline.common.answers import Made, answer_once
from firstline.common.application import json_answer, permit
from firstline.common.errors import NotFound
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api.context import DeskHere, Key, retry_here
from firstline.intake.schemas.given import VERSION_PATTERN, ShipIn
from firstline.intake.schemas.releases import ReleaseOut, ShippedOut
from firstline.intake.service import releases
from firstline.intake.service.change import actor_of
from firstline.intake.store.releases import AWAITED, EXPECTED, RELEASE, Expected

router = APIRouter(prefix="/v1/releases", tags=["releases"])

Version = Annotated[str, Path(pattern=VERSION_PATTERN, description="Version of the release.", examples=["24.200"])]


@router.get("")
async def list_releases(
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("releases.read"))],
    waiting: Annotated[bool, Query(description="Only those that requests wait for now.")] = False,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[ReleaseOut]:
    """List the releases that requests were planned for and that are not out yet, by version."""
    query = AWAITED if waiting else EXPECTED
    place = desk.cursors.read("releases", cursor)
    after = str(place[0]) if place else ""
    found = await desk.store.read(lambda unit: unit.all(query, after=after, limit=limit + 1))
    more = desk.cursors.write("releases", [found[limit - 1].version]) if len(found) > limit else None
    return Page[ReleaseOut](items=[_shown(release) for release in found[:limit]], next=more)


@router.get("/{version}")
async def read_release(
    version: Version, desk: DeskHere, _access: Annotated[Access, Depends(permit("releases.read"))]
) -> ReleaseOut:
    """Read whether a release is out, and how many requests still wait for it."""
    found = await desk.store.read(lambda unit: unit.one(RELEASE, version=version))
    if found is None:
        raise NotFound("No request was planned for this release. Check the version.")
    return _shown(found)


@router.post("/{version}/ship", response_model=ShippedOut)
async def ship_release(
    request: Request,
    version: Version,
    body: ShipIn,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("releases.ship"))],
    idempotency_key: Key = None,
) -> Response:
    """Say that a release is out: all requests that wait for it come back into the queue and their clients are told.

    Many come back in portions right after the answer. Shipping it again changes nothing.
    """
    retry = await retry_here(request, access, idempotency_key)

    async def work(unit: Unit) -> Made:
        release = await releases.ship(desk, unit, version, body.note, actor_of(access.principal))
        assert release.shipped_at is not None
        shown = ShippedOut(version=release.version, note=release.note, shipped_at=release.shipped_at)
        return 200, shown.model_dump_json(), None

    answer = await answer_once(desk.store, desk.ports.clock, retry, work)
    # The first portion right away; the worker does the rest, and this one too if we don't come to it.
    await desk.store.write(lambda unit: releases.bring_back(desk, unit))
    return json_answer(answer.body, answer.status, answer.etag)


def _shown(release: Expected) -> ReleaseOut:
    """Return a release's document."""
    return ReleaseOut(
        version=release.version, note=release.note, shipped_at=release.shipped_at, waiting=release.waiting
    )

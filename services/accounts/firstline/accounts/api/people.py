"""People over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from firstline.accounts.api.answering import (
    FULL_PAGE,
    AtDesk,
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    created,
    page_of,
    tag,
)
from firstline.accounts.schemas import CertificateBody, NewPerson, PersonBody, PersonChanges
from firstline.accounts.service import people
from firstline.accounts.service.desk import actor_of
from firstline.accounts.service.erasing import erase_person, read_certificate
from firstline.accounts.store.directory import Person
from firstline.common.application import permit
from firstline.common.paging import Page, check_version, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit

router = APIRouter(prefix="/v1/people", tags=["people"])
Reader = Annotated[Access, Depends(permit("people.read"))]
Leader = Annotated[Access, Depends(permit("people.manage"))]
Eraser = Annotated[Access, Depends(permit("people.erase"))]


@router.get("")
async def list_people(
    desk: AtDesk,
    _access: Reader,
    organization_id: Annotated[str | None, Query(description="Only those of one organization.")] = None,
    cursor: Cursor = None,
    limit: Limit = FULL_PAGE,
) -> Page[PersonBody]:
    """List people, oldest first."""

    async def rows(unit: Unit, after: str, limit: int) -> list[Person]:
        return await people.list_people(unit, organization_id, after=after, limit=limit)

    # The list is named after what it is of: a cursor of another organisation's would skip people.
    return await page_of(desk, f"people {organization_id}", cursor, limit, rows, PersonBody)


@router.post("", status_code=201, response_model=PersonBody)
async def create_person(
    desk: AtDesk, request: Request, access: Leader, body: NewPerson, idempotency_key: IdempotencyKey = None
) -> Response:
    """Make a person known. Only an admin may make an admin."""
    people.check_rank(access.principal, body.role)
    # Outside of the unit, which may be run again: the ID stays the same.
    person = body.person(desk.ports)

    async def make(unit: Unit) -> tuple[PersonBody, str]:
        added = await people.add_person(unit, desk.log, actor_of(access.principal), person)
        return PersonBody.model_validate(added), etag_of(added.version)

    return await created(desk, request, access.principal, idempotency_key, make)


@router.get("/{person_id}")
async def read_person(desk: AtDesk, response: Response, _access: Reader, person_id: str) -> PersonBody:
    """Read a person."""
    person = await desk.store.read(lambda unit: people.read_person(unit, person_id))
    tag(response, person.version)
    return PersonBody.model_validate(person)


@router.patch("/{person_id}")
async def change_person(
    desk: AtDesk,
    response: Response,
    access: Leader,
    person_id: str,
    body: PersonChanges,
    if_match: IfMatch = None,
) -> PersonBody:
    """Change a person. Another role or organization, or `active: false`, ends every session of theirs."""

    async def change(unit: Unit) -> Person:
        old = await people.read_person(unit, person_id, to_change=True)
        check_version(if_match, old.version)
        wanted = body.applied(old)
        # Of the role before as well as after: else a supervisor could take an admin's away.
        people.check_rank(access.principal, old.role, wanted.role)
        return await people.change_person(unit, desk.log, actor_of(access.principal), old, wanted)

    person = await desk.store.write(change)
    tag(response, person.version)
    return PersonBody.model_validate(person)


@router.delete("/{person_id}", status_code=202)
async def delete_person(desk: AtDesk, access: Eraser, person_id: str) -> CertificateBody:
    """Erase a person everywhere: sessions and keys end at once, what they wrote follows. It can't be taken back.

    Their requests stay, with number, times and what staff answered, without the person's words, name and address.
    """
    by = actor_of(access.principal)
    # 202, since other services hear of it by an event and answer when they are done.
    certificate = await desk.store.write(lambda unit: erase_person(unit, desk, by, person_id))
    return CertificateBody.of(certificate)


@router.get("/{person_id}/erasure")
async def read_erasure(desk: AtDesk, _access: Eraser, person_id: str) -> CertificateBody:
    """Read what was erased of a person where and when; `completed_at` is null until every service has answered."""
    certificate = await desk.store.read(lambda unit: read_certificate(unit, person_id))
    return CertificateBody.of(certificate)

"""Erasing a person: accounts forgets them, tells every service to, and certifies what each of them reports."""

from collections.abc import Mapping

from firstline.accounts.service.desk import Desk
from firstline.accounts.service.sessions import end_sessions
from firstline.accounts.store.certificates import (
    ADD_CERTIFICATE,
    CERTIFICATE,
    CERTIFICATE_TO_CHANGE,
    DELETE_PERSON,
    KEY_MENTIONS,
    REPORT,
    Certificate,
)
from firstline.accounts.store.credentials import DROP_KEYS, DROP_LINKS
from firstline.accounts.store.directory import PERSON_TO_CHANGE
from firstline.common.bus import SOURCES
from firstline.common.envelope import Envelope
from firstline.common.erasure import Erasing, begin_erasure, common_stages, mentions_stage
from firstline.common.errors import NotFound
from firstline.common.events import Actor, ErasureApplied, PersonErased
from firstline.common.inbox import Handler
from firstline.common.secrets import decrypt
from firstline.common.store.port import Unit

SERVICES = SOURCES["accounts"]
"""Who reports what it erased."""


async def erase_person(unit: Unit, desk: Desk, by: Actor, person_id: str) -> Certificate:
    """Erase a person here and tell the others; whoever was erased before gets the same certificate.

    Raises:
        NotFound: nobody with this ID was ever known.

    """
    person = await unit.one(PERSON_TO_CHANGE, id=person_id)
    if person is None:
        # Behind the person's lock: whoever erases them at the same moment holds it until the certificate is there.
        return await _known_certificate(unit, person_id, "Nobody has this ID. Check the ID.")
    # All in one transaction with the event: who is told to be
    # erased can't sign in any more, and who can was not told of.
    await end_sessions(unit, person_id)
    await unit.run(DROP_LINKS, person_id=person_id)
    await unit.run(DROP_KEYS, person_id=person_id)
    await unit.run(DELETE_PERSON, id=person_id)
    await begin_erasure(unit, person_id, person.email, [person.name], [])
    # Its data name the ID alone: the log keeps it for good, and the address is what is to be forgotten. The others know
    # the address from their copies.
    event = PersonErased(actor=by, organization_id=person.organization_id, id=person_id)
    await desk.log.append(unit, f"person/{person_id}", event)
    certificate = Certificate(person_id, by.id, desk.ports.clock.now(), {}, None)
    await unit.run(ADD_CERTIFICATE, person_id=person_id, asked_by=by.id, asked_at=certificate.asked_at, reports={})
    return certificate


async def read_certificate(unit: Unit, person_id: str) -> Certificate:
    """Return what was erased of a person so far.

    Raises:
        NotFound: nobody asked to erase them.

    """
    return await _known_certificate(
        unit, person_id, "Nobody with this ID was erased. Check the ID, or erase the person first."
    )


async def _known_certificate(unit: Unit, person_id: str, missing: str) -> Certificate:
    """Return a person's certificate, or raise NotFound with these words."""
    certificate = await unit.one(CERTIFICATE, person_id=person_id)
    if certificate is None:
        raise NotFound(missing)
    return certificate


async def erasure_applied(unit: Unit, event: Envelope) -> None:
    """Put a service's report into the certificate; with the last one it is complete."""
    data = event.payload(ErasureApplied)
    certificate = await unit.one(CERTIFICATE_TO_CHANGE, person_id=data.person_id)
    # Portions come before the last one and say nothing of the end; a report of a person who was never erased here is
    # another desk's, or of a restored store.
    if certificate is None or not data.done:
        return
    report = {"erased": data.erased, "not_looked_into": data.not_looked_into, "at": event.time.isoformat()}
    reports = certificate.reports | {data.service: report}
    complete = event.time if set(reports) >= set(SERVICES) else None
    await unit.run(REPORT, person_id=data.person_id, reports=reports, completed_at=complete)


HANDLERS: Mapping[str, Handler] = {"erasure.applied": erasure_applied}


def erasing(desk: Desk) -> Erasing:
    """Return the work on accounts' own log and answers."""

    def opened(body: str) -> str:
        """Return the body of an answer that was kept encrypted."""
        return str((decrypt(desk.answers_key, body) or {}).get("body", ""))

    stages = (mentions_stage("API keys", KEY_MENTIONS), *common_stages(opened))
    return Erasing("accounts", desk.store, desk.log, desk.ports, stages)

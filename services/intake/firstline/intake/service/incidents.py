"""Incidents: requests that have one cause, found by their likeness, answered together, announced by a banner."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from firstline.common.errors import Conflict, Fault, FirstlineError, Invalid, NotFound, Unavailable
from firstline.common.events import (
    Actor,
    Author,
    EventData,
    IncidentOpened,
    IncidentResolved,
    IncidentUpdated,
    Origin,
    TicketIncidentLinked,
    TicketIncidentUnlinked,
)
from firstline.common.permissions import Access, Relation
from firstline.common.store.port import Unit
from firstline.intake.search import terms_of
from firstline.intake.service import verbs
from firstline.intake.service.change import Change, actor_of, begin, side_of
from firstline.intake.service.correspondence import NewMessage, author_of, reply
from firstline.intake.service.desk import Desk, learn_policies
from firstline.intake.service.holding import demand_no_secret
from firstline.intake.store.incidents import (
    ALREADY_LINKED,
    ANSWER,
    CONCERNS_ADDRESS,
    CONCERNS_ORGANIZATION,
    COUNT_REPLY,
    INCIDENT_COLUMNS,
    INCIDENT_TO_CHANGE,
    INSERT_ANSWER,
    INSERT_INCIDENT,
    INSERT_REPLIES,
    LIKE_INCIDENT,
    LINK_TICKET,
    SETTLE_REPLY,
    SIMILAR,
    TAKE_REPLY,
    UNLINK_TICKET,
    UPDATE_INCIDENT,
    WITH_BANNERS,
    Answer,
    Incident,
    Likeness,
    Reply,
)
from firstline.intake.store.incidents import INCIDENT as INCIDENT_BY_ID
from firstline.intake.store.tickets import PARTICIPANTS, TICKET_TO_CHANGE
from firstline.intake.ticket import demand_text

INCIDENT_CHANNEL = "incidents"
"""Announced when an answer is to go to all requests of an incident."""
MOST_BANNERS = 20
LOOKED_AT, CANDIDATES, PROPOSED = 20, 200, 25
"""Requests of the incident that others are compared with, how many of those, and how many are proposed."""
MOST_TERMS = 12
LEAST_SHARED = 2
WINDOW = timedelta(days=7)
"""How long before the incident was opened a request may have come in that has the same cause."""


class IncidentOver(Conflict):
    """The incident is resolved; open another one."""

    title = "The incident is resolved"


@dataclass(frozen=True, slots=True)
class Proposal:
    """An open request that may have the same cause, and the words that it shares."""

    ticket_id: str
    words: tuple[str, ...]
    same_topic: bool


async def incident_of(unit: Unit, incident_id: str, *, to_change: bool = False) -> Incident:
    """Return an incident.

    Raises:
        NotFound: there is none with this ID.
        IncidentOver: it is to be changed, and resolved.

    """
    found = await unit.one(INCIDENT_TO_CHANGE if to_change else INCIDENT_BY_ID, id=incident_id)
    if found is None:
        raise NotFound("There is no incident with this ID. Check the ID.")
    if to_change and found.status != "open":
        raise IncidentOver("This incident is resolved. Open another one if the trouble is back.")
    return found


async def open_incident(desk: Desk, unit: Unit, access: Access, title: str, references: Sequence[str]) -> Incident:
    """Open an incident with the requests that are known to have its cause.

    Raises:
        Invalid: one of the requests isn't there.
        SecretForMany: the title, which a banner shows to clients, seems to hold a secret.

    """
    demand_no_secret(desk, title, "/title")
    now = desk.now()
    # Stored before its requests are linked, whose rows refer to it.
    incident = Incident(desk.ports.ids.new(), title, "open", 1, 0, None, access.principal.id, now, now, None)
    await unit.run(INSERT_INCIDENT, **{name: getattr(incident, name) for name in INCIDENT_COLUMNS})
    linked = await _link(desk, unit, access, incident, references)
    event = IncidentOpened(actor=actor_of(access.principal), title=title, linked=linked)
    return await _save(desk, unit, replace(incident, tickets=len(linked)), event)


async def link(desk: Desk, unit: Unit, access: Access, incident_id: str, references: Sequence[str]) -> Incident:
    """Link requests to an incident; those that are linked stay so.

    Raises:
        NotFound: there is no such incident.
        IncidentOver: it is resolved.
        Invalid: one of the requests isn't there.

    """
    incident = await incident_of(unit, incident_id, to_change=True)
    linked = await _link(desk, unit, access, incident, references)
    if not linked:
        return incident
    event = IncidentUpdated(actor=actor_of(access.principal), title=incident.title, linked=linked)
    return await _save(desk, unit, replace(incident, tickets=incident.tickets + len(linked)), event)


async def _link(desk: Desk, unit: Unit, access: Access, incident: Incident, references: Sequence[str]) -> list[str]:
    """Link requests; return the IDs of those that were not linked before."""
    changes, by = await _changes(desk, unit, access, references), access.principal.id
    ids = [change.ticket.id for change in changes]
    known = set(await unit.all(ALREADY_LINKED, incident_id=incident.id, ticket_ids=ids))
    linked = []
    for change in changes:
        ticket_id = change.ticket.id
        if ticket_id in known:
            continue
        await unit.run(LINK_TICKET, incident_id=incident.id, ticket_id=ticket_id, linked_by=by, linked_at=change.now)
        change.say(TicketIncidentLinked, incident_id=incident.id, title=incident.title)
        await change.save()
        linked.append(ticket_id)
    return linked


async def unlink(desk: Desk, unit: Unit, access: Access, incident_id: str, references: Sequence[str]) -> Incident:
    """Take requests out of an incident; those that are not in it change nothing.

    Raises:
        NotFound: there is no such incident.
        IncidentOver: it is resolved.
        Invalid: one of the requests isn't there.

    """
    incident = await incident_of(unit, incident_id, to_change=True)
    unlinked = []
    for change in await _changes(desk, unit, access, references):
        if await unit.run(UNLINK_TICKET, incident_id=incident.id, ticket_id=change.ticket.id):
            change.say(TicketIncidentUnlinked, incident_id=incident.id, title=incident.title)
            await change.save()
            unlinked.append(change.ticket.id)
    if not unlinked:
        return incident
    event = IncidentUpdated(actor=actor_of(access.principal), title=incident.title, unlinked=unlinked)
    return await _save(desk, unit, replace(incident, tickets=incident.tickets - len(unlinked)), event)


async def _changes(desk: Desk, unit: Unit, access: Access, references: Sequence[str]) -> list[Change]:
    """Return the requests named, locked in the order of their names, so that two calls seldom wait in a circle."""
    changes = {}
    for at, reference in sorted(enumerate(references), key=lambda pair: pair[1]):
        try:
            change = await begin(desk, unit, access, reference)
        except NotFound as error:
            fault = Fault(f"/ticket_ids/{at}", f"There is no request {reference[:80]!r} here. Check the ID.")
            raise Invalid("A request can't be linked.", faults=(fault,)) from error
        changes[change.ticket.id] = change
    return list(changes.values())


async def set_banner(
    desk: Desk, unit: Unit, access: Access, incident_id: str, banner: dict[str, Any] | None
) -> Incident:
    """Show a text in the portal while the incident is open and its time has come, or take it away.

    Raises:
        NotFound: there is no such incident.
        IncidentOver: it is resolved.
        SecretForMany: the text seems to hold a secret.

    """
    incident = await incident_of(unit, incident_id, to_change=True)
    if banner is not None:
        demand_no_secret(desk, banner["text"], "/text")
    if banner == incident.banner:
        return incident
    changes = {"banner": [incident.banner, banner]}
    event = IncidentUpdated(actor=actor_of(access.principal), title=incident.title, changes=changes)
    return await _save(desk, unit, replace(incident, banner=banner), event)


async def resolve(desk: Desk, unit: Unit, access: Access, incident_id: str) -> Incident:
    """Say that the trouble is over; its banner goes. Its requests stay as they are: an answer to all may resolve them.

    Raises:
        NotFound: there is no such incident.

    """
    # Read again where it isn't there, for the error; resolved twice is no mistake.
    incident = await unit.one(INCIDENT_TO_CHANGE, id=incident_id) or await incident_of(unit, incident_id)
    if incident.status == "resolved":
        return incident
    event = IncidentResolved(actor=actor_of(access.principal), title=incident.title)
    return await _save(desk, unit, replace(incident, status="resolved", resolved_at=desk.now()), event)


async def _save(desk: Desk, unit: Unit, incident: Incident, event: EventData) -> Incident:
    """Store an incident under its next version, with its event."""
    version = await desk.log.append(unit, f"incident/{incident.id}", event)
    saved = replace(incident, version=version, updated_at=desk.now())
    fixed = ("opened_by", "opened_at")
    await unit.run(UPDATE_INCIDENT, **{name: getattr(saved, name) for name in INCIDENT_COLUMNS if name not in fixed})
    return saved


async def answer_all(desk: Desk, unit: Unit, access: Access, incident_id: str, body: str, *, resolving: bool) -> Answer:
    """Record one answer to all requests that are linked now; the worker gives each its own reply.

    Raises:
        NotFound: there is no such incident.
        Invalid: no text.
        SecretForMany: the text seems to hold a secret.
        Conflict: no request is linked.

    """
    incident = await unit.one(INCIDENT_TO_CHANGE, id=incident_id) or await incident_of(unit, incident_id)
    if not incident.tickets:
        raise Conflict("No request is linked to this incident, so nobody would be answered. Link some first.")
    text, author = demand_text(body), author_of(access.principal, side_of(access.principal))
    # Refused and not masked as in one reply: the mails go out at once, and whoever writes it is still there to mend it.
    demand_no_secret(desk, text, "/body")
    given = {"author": author.model_dump(), "actor": actor_of(access.principal).model_dump()}
    answer_id = desk.ports.ids.new()
    await unit.run(
        INSERT_ANSWER,
        id=answer_id,
        incident_id=incident.id,
        body=text,
        resolve=resolving,
        author=given,
        total=incident.tickets,
        created_at=desk.now(),
    )
    # The list is drawn up now: who is linked later gets no words that were not written for them.
    await unit.run(INSERT_REPLIES, answer_id=answer_id, incident_id=incident.id)
    event = IncidentUpdated(actor=actor_of(access.principal), title=incident.title, answer_id=answer_id)
    await _save(desk, unit, incident, event)
    unit.announce(INCIDENT_CHANNEL)
    answer = await unit.one(ANSWER, id=answer_id)
    assert answer is not None  # this transaction has just stored it
    return answer


async def give_reply(desk: Desk, unit: Unit, pending: Reply) -> bool:
    """Give one request its part of an answer, once; False where somebody else does or has done it."""
    # Locked or passed over: replicas share an answer's replies row by row.
    taken = await unit.one(TAKE_REPLY, answer_id=pending.answer_id, ticket_id=pending.ticket_id)
    answer = await unit.one(ANSWER, id=pending.answer_id) if taken else None
    ticket = await unit.one(TICKET_TO_CHANGE, id=pending.ticket_id) if answer else None
    if answer is None or ticket is None:
        return False
    await learn_policies(desk, unit)
    people = await unit.all(PARTICIPANTS, ticket_id=ticket.id)
    change = Change(desk, unit, ticket, people, Actor(**answer.author["actor"]))
    message = NewMessage(answer.body, Author(**answer.author["author"]), Origin(channel="api"), change.now)
    # What has ended meanwhile gets the words alone, or refuses them by its own rules.
    ended = ticket.status in ("resolved", "closed")
    await (verbs.resolve(change, message) if answer.resolve and not ended else reply(change, message))
    await settle(unit, pending, change.now, None)
    return True


async def settle(unit: Unit, pending: Reply, now: datetime, problem: str | None) -> None:
    """Note that a request has had its part, or why it could have none."""
    given = {"answer_id": pending.answer_id, "ticket_id": pending.ticket_id}
    if await unit.run(SETTLE_REPLY, **given, now=now, problem=problem):
        await unit.run(COUNT_REPLY, id=pending.answer_id, sent=int(problem is None), refused=int(problem is not None))


async def give_or_refuse(desk: Desk, pending: Reply) -> None:
    """Give one request its part of an answer; one that can't have it, having been closed say, blocks no other.

    Raises:
        Unavailable: the store can't be reached.

    """
    try:
        await desk.store.write(lambda unit: give_reply(desk, unit, pending))
    except Unavailable:
        raise
    except FirstlineError as error:
        problem = error.detail
        await desk.store.write(lambda unit: settle(unit, pending, desk.now(), problem))


async def proposals(unit: Unit, incident: Incident) -> list[Proposal]:
    """Return open requests that may have the same cause, the likeliest first.

    They share words with the title and the requests of the incident, the more of these have a word the better; a
    request on the same topic needs one word less.
    """
    known = await unit.all(LIKE_INCIDENT, incident_id=incident.id, limit=LOOKED_AT)
    counted = Counter(term for one in known for term in terms_of(one.subject, one.text))
    # The title speaks for several requests, or a new incident without any would propose nothing.
    counted.update({term: max(1, len(known) // 2) for term in terms_of(incident.title)})
    topics = {one.topic for one in known if one.topic}
    terms = [term for term, _ in counted.most_common(MOST_TERMS)]
    if not terms:
        return []
    found = await unit.all(
        SIMILAR,
        postgres_query=" | ".join(f"'{term}'" for term in terms),
        sqlite_query=f"words : ({' OR '.join(f'{chr(34)}{term}{chr(34)}' for term in terms)})",
        since=incident.opened_at - WINDOW,
        limit=CANDIDATES,
    )
    if not found:
        return []
    ids = [one.id for one in found]
    linked = set(await unit.all(ALREADY_LINKED, incident_id=incident.id, ticket_ids=ids))
    return _ranked([one for one in found if one.id not in linked], terms, topics)


def _ranked(found: Sequence[Likeness], terms: Sequence[str], topics: set[str]) -> list[Proposal]:
    """Return requests by how much they share; a word that most of them have tells little."""
    words = {one.id: set(terms_of(one.subject, one.text)).intersection(terms) for one in found}
    spread = Counter(term for shared in words.values() for term in shared)
    scored = []
    for one in found:
        shared, same = words[one.id], one.topic in topics
        if len(shared) >= min(LEAST_SHARED, len(terms)) - same:
            score = sum(1 / spread[term] for term in shared) + len(shared) + same
            scored.append((score, Proposal(one.id, tuple(sorted(shared)), same)))
    return [proposal for _, proposal in sorted(scored, key=lambda pair: (-pair[0], pair[1].ticket_id))][:PROPOSED]


async def banners(desk: Desk, unit: Unit, access: Access) -> list[Incident]:
    """Return the incidents whose banner the caller is shown now: all, or those that concern them."""
    now = desk.now()
    # Few have a banner, so their times are compared here, and no index has to know the present.
    found = [one for one in await unit.all(WITH_BANNERS, limit=MOST_BANNERS) if _is_due(one, now)]
    if access.relation is Relation.ANY or desk.policies.current.incidents.banner == "all":
        return found
    return [one for one in found if await _concerns(unit, access, one)]


def _is_due(incident: Incident, now: datetime) -> bool:
    """Say whether a banner's time has come and is not over."""
    assert incident.banner is not None  # they are chosen by that
    begin, until = incident.banner["from"], incident.banner["until"]
    return (begin is None or datetime.fromisoformat(begin) <= now) and (
        until is None or now < datetime.fromisoformat(until)
    )


async def _concerns(unit: Unit, access: Access, incident: Incident) -> bool:
    """Say whether an incident has a request of the caller, or of the organisation that they act for."""
    who = access.principal
    if await unit.all(CONCERNS_ADDRESS, incident_id=incident.id, address=who.email):
        return True
    theirs = access.relation is Relation.ORGANIZATION and who.organization_id is not None
    return theirs and bool(
        await unit.all(CONCERNS_ORGANIZATION, incident_id=incident.id, organization_id=who.organization_id)
    )

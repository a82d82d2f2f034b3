"""Queries on requests, participants and claims."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from firstline.common.permissions import Access, Relation
from firstline.common.store.port import Sql, Unit, Value
from firstline.intake.ticket import Ticket

_COLUMNS = tuple(field.name for field in fields(Ticket))
_FIXED = (
    "id",
    "number",
    "requester_id",
    "requester_email",
    "organization_id",
    "received_at",
    "created_at",
    "channel",
    "suggested_articles",
)


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody on the client's side; `address` in lower case."""

    ticket_id: str
    address: str
    name: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The highest fence seen of a ticket's claims."""

    fence: int
    agent: str
    expires_at: datetime
    live: bool


_ALL = ", ".join(_COLUMNS)
INSERT_TICKET: Sql[None] = Sql(
    f"INSERT INTO ticket ({_ALL}) VALUES ({', '.join(':' + name for name in _COLUMNS)})",  # noqa: S608
    type(None),
)
UPDATE_TICKET: Sql[None] = Sql(
    "UPDATE ticket SET "  # noqa: S608
    + ", ".join(f"{name} = :{name}" for name in _COLUMNS if name not in _FIXED)
    + " WHERE id = :id",
    type(None),
)
TICKET = Sql(f"SELECT {_ALL} FROM ticket WHERE id = :id", Ticket)  # noqa: S608
TICKET_BY_NUMBER = Sql(f"SELECT {_ALL} FROM ticket WHERE number = :number", Ticket)  # noqa: S608
TICKET_TO_CHANGE = Sql(f"SELECT {_ALL} FROM ticket WHERE id = :id FOR UPDATE", Ticket)  # noqa: S608
OPEN_FOLLOWER = Sql(
    f"SELECT {_ALL} FROM ticket WHERE follows = :ticket_id"  # noqa: S608
    " AND status NOT IN ('resolved', 'closed') LIMIT 1 FOR UPDATE",
    Ticket,
)
TICKET_BY_REF = Sql(
    f"SELECT {_ALL} FROM ticket WHERE external_ref = :external_ref AND organization_id = :organization_id",  # noqa: S608
    Ticket,
)
TICKET_BY_OWN_REF = Sql(
    f"SELECT {_ALL} FROM ticket WHERE external_ref = :external_ref AND requester_email = :requester_email"  # noqa: S608
    " AND organization_id IS NULL",
    Ticket,
)
INSERT_PARTICIPANT: Sql[None] = Sql(
    "INSERT INTO participant (ticket_id, address, name, language) VALUES (:ticket_id, :address, :name, :language)",
    type(None),
)
PARTICIPANTS = Sql(
    "SELECT ticket_id, address, name, language FROM participant WHERE ticket_id = :ticket_id ORDER BY address",
    Participant,
)
PARTICIPANTS_OF_ALL = Sql(
    "SELECT ticket_id, address, name, language FROM participant WHERE ticket_id = ANY(:ticket_ids)"
    " ORDER BY ticket_id, address",
    Participant,
)
CLAIM = Sql("SELECT fence, agent, expires_at, live FROM claim WHERE ticket_id = :ticket_id", Claim)
SAVE_CLAIM: Sql[None] = Sql(
    "INSERT INTO claim (ticket_id, fence, agent, expires_at, live)"
    " VALUES (:ticket_id, :fence, :agent, :expires_at, :live)"
    " ON CONFLICT (ticket_id) DO UPDATE SET fence = excluded.fence, agent = excluded.agent,"
    " expires_at = excluded.expires_at, live = excluded.live WHERE excluded.fence >= claim.fence",
    type(None),
)

EQUALITIES = ("status", "tier", "topic", "urgency", "waiting_cause", "organization_id", "external_ref", "number")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list shows.

    Attributes:
        equal: values by column, of those in EQUALITIES.
        people: addresses in lower case; each of them takes part.
        updated_after: an instant.
        after: the id at which the page before ended.
        limit: how many at most.

    """

    equal: Mapping[str, Value]
    people: tuple[str, ...] = ()
    updated_after: datetime | None = None
    after: str | None = None
    limit: int = 25


async def list_tickets(unit: Unit, access: Access, wanted: Wanted) -> tuple[list[Ticket], list[Participant]]:
    """Return requests within the caller's reach, newest first, and the participants of all of them."""
    sql, given = listing(access, wanted)
    tickets = await unit.all(sql, **given)
    return tickets, await unit.all(PARTICIPANTS_OF_ALL, ticket_ids=[ticket.id for ticket in tickets])


def listing(access: Access, wanted: Wanted) -> tuple[Sql[Ticket], dict[str, Value]]:
    """Return the statement of a list and its parameters.

    A page is read along an index that ends in the id, as far as it goes: by a participant's address where there is
    one, by the organisation, else by the primary key. What is one's own and what is the organisation's are two such
    walks, joined.
    """
    given: dict[str, Value] = {"limit": wanted.limit, **wanted.equal}
    plain = [f"t.{name} = :{name}" for name in EQUALITIES if name in wanted.equal]
    if wanted.updated_after is not None:
        plain.append("t.updated_at > :updated_after")
        given["updated_after"] = wanted.updated_after
    if wanted.after is not None:
        given["after"] = wanted.after
    people = wanted.people if access.relation is Relation.ANY else (access.principal.email, *wanted.people)
    given |= {f"person{index}": address for index, address in enumerate(people)}
    walks = [_walk(plain, list(range(len(people))), wanted.after)]
    if access.relation is Relation.ORGANIZATION and access.principal.organization_id is not None:
        given["mine"] = access.principal.organization_id
        walks.append(_walk(["t.organization_id = :mine", *plain], list(range(1, len(people))), wanted.after, own=False))
        parts = " UNION ".join(f"SELECT * FROM ({walk}) AS walk{index}" for index, walk in enumerate(walks))  # noqa: S608
        return Sql(f"{parts} ORDER BY id DESC LIMIT :limit", Ticket), given
    return Sql(walks[0], Ticket), given


def _walk(conditions: list[str], people: list[int], after: str | None, *, own: bool = True) -> str:
    """Return one walk along an index; `people` are the parameters of those who take part."""
    source, key, conditions = "ticket t", "t.id", [*conditions]
    if own and people:
        first, *people = people
        source, key = "participant p JOIN ticket t ON t.id = p.ticket_id", "p.ticket_id"
        conditions.append(f"p.address = :person{first}")
    conditions += [
        f"EXISTS (SELECT 1 FROM participant o WHERE o.ticket_id = t.id AND o.address = :person{index})"  # noqa: S608
        for index in people
    ]
    if after is not None:
        conditions.append(f"{key} < :after")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    columns = ", ".join(f"t.{name}" for name in _COLUMNS)
    return f"SELECT {columns} FROM {source}{where} ORDER BY {key} DESC LIMIT :limit"  # noqa: S608

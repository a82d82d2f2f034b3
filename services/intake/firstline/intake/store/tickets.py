"""Queries on requests, participants and claims."""

from dataclasses import dataclass, fields
from datetime import datetime

from firstline.common.permissions import Access, Relation
from firstline.common.store.port import Sql, Unit, Value
from firstline.intake.ticket import Ticket

_COLUMNS = tuple(field.name for field in fields(Ticket))
_FIXED = ("id", "number", "requester_id", "requester_email", "organization_id", "received_at", "created_at", "channel")


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
TICKET_BY_REF = Sql(
    f"SELECT {_ALL} FROM ticket WHERE organization_id = :organization_id AND external_ref = :external_ref",  # noqa: S608
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
CLAIM = Sql("SELECT fence, agent, expires_at, live FROM claim WHERE ticket_id = :ticket_id", Claim)
SAVE_CLAIM: Sql[None] = Sql(
    "INSERT INTO claim (ticket_id, fence, agent, expires_at, live)"
    " VALUES (:ticket_id, :fence, :agent, :expires_at, :live)"
    " ON CONFLICT (ticket_id) DO UPDATE SET fence = excluded.fence, agent = excluded.agent,"
    " expires_at = excluded.expires_at, live = excluded.live WHERE excluded.fence >= claim.fence",
    type(None),
)

EQUALITIES = ("status", "tier", "topic", "urgency", "waiting_cause", "organization_id", "external_ref", "number")


async def list_tickets(
    unit: Unit, access: Access, filters: dict[str, Value], updated_after: datetime | None, after: str | None, limit: int
) -> list[Ticket]:
    """Return requests within the caller's reach, newest first, after an id.

    `filters` holds equalities by column, and `requester` for a participant's address. Each page is read along the
    primary key or an index that ends in it.
    """
    given: dict[str, Value] = {"limit": limit}
    conditions = [f"t.{name} = :{name}" for name in EQUALITIES if name in filters]
    given.update({name: filters[name] for name in EQUALITIES if name in filters})
    if after is not None:
        conditions.append("t.id < :after")
        given["after"] = after
    if updated_after is not None:
        conditions.append("t.updated_at > :updated_after")
        given["updated_after"] = updated_after
    _add_people(access, filters, conditions, given)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    columns = ", ".join(f"t.{name}" for name in _COLUMNS)
    text = f"SELECT {columns} FROM ticket t{where} ORDER BY t.id DESC LIMIT :limit"  # noqa: S608
    return await unit.all(Sql(text, Ticket), **given)


def _add_people(access: Access, filters: dict[str, Value], conditions: list[str], given: dict[str, Value]) -> None:
    """Add the permission filter, and the one by participant."""
    takes_part = "EXISTS (SELECT 1 FROM participant p WHERE p.ticket_id = t.id AND p.address = :{})"
    if "requester" in filters:
        conditions.append(takes_part.format("requester"))
        given["requester"] = filters["requester"]
    if access.relation is Relation.ANY:
        return
    given["me"] = access.principal.email
    within = [takes_part.format("me")]
    if access.relation is Relation.ORGANIZATION and access.principal.organization_id:
        given["mine"] = access.principal.organization_id
        within.append("t.organization_id = :mine")
    conditions.append(f"({' OR '.join(within)})")

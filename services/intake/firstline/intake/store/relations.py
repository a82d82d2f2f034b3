"""Queries on requests that belong together: split, merged, following, linked (clause 2.4)."""

from dataclasses import dataclass

from firstline.common.permissions import Access, Relation
from firstline.common.store.port import Sql, Unit, Value


@dataclass(frozen=True, slots=True)
class Related:
    """A request that another one belongs to, and how."""

    kind: str
    ticket_id: str
    number: str
    subject: str
    status: str


_SHOWN = "t.id AS ticket_id, t.number, t.subject, t.status"
_THERE = "FROM ticket s JOIN ticket t ON t.id = s.{column} WHERE s.id = :ticket_id"
_BACK = "FROM ticket t WHERE t.{column} = :ticket_id"
_WAYS = (
    ("split_from", _THERE.format(column="split_from")),
    ("split_into", _BACK.format(column="split_from")),
    ("merged_into", _THERE.format(column="merged_into")),
    ("merged_from", _BACK.format(column="merged_into")),
    ("follows", _THERE.format(column="follows")),
    ("followed_by", _BACK.format(column="follows")),
    ("linked", "FROM ticket_link l JOIN ticket t ON t.id = l.other_id WHERE l.ticket_id = :ticket_id"),
)
_RELATED = tuple(f"SELECT '{kind}' AS kind, {_SHOWN} {source}" for kind, source in _WAYS)
_IN_REACH = (
    " AND (EXISTS (SELECT 1 FROM participant p WHERE p.ticket_id = t.id AND p.address = :address)"
    " OR t.organization_id = :organization_id)"
)
# By kind and ID, because the seven ways have no other order in common that pages could follow.
_PAGE = (
    "SELECT kind, ticket_id, number, subject, status FROM ({ways}) AS r WHERE (kind, ticket_id) > (:kind, :after)"
    " ORDER BY kind, ticket_id LIMIT :limit"
)
RELATED = Sql(_PAGE.format(ways=" UNION ALL ".join(_RELATED)), Related)
RELATED_IN_REACH = Sql(_PAGE.format(ways=" UNION ALL ".join(f"{way}{_IN_REACH}" for way in _RELATED)), Related)
"""The same for who sees only what they take part in and, where `organization_id` is given, their organisation's."""
LINKED = Sql("SELECT other_id FROM ticket_link WHERE ticket_id = :ticket_id AND other_id = :other_id", str)
LINK: Sql[None] = Sql(
    "INSERT INTO ticket_link (ticket_id, other_id, created_at) VALUES (:ticket_id, :other_id, :created_at)", type(None)
)
UNLINK: Sql[None] = Sql("DELETE FROM ticket_link WHERE ticket_id = :ticket_id AND other_id = :other_id", type(None))
# The first condition is the partial index's own: without it a database may not see that all it needs is in there.
MERGED_INTO = Sql("SELECT id FROM ticket WHERE merged_into IS NOT NULL AND merged_into = ANY(:ticket_ids)", str)
ADD_MERGED_PARTICIPANT: Sql[None] = Sql(
    "INSERT INTO participant (ticket_id, address, name, language, merged_from)"
    " VALUES (:ticket_id, :address, :name, :language, :merged_from)",
    type(None),
)
# Who takes part in the duplicate by a merge themselves does by that merge in the other one too.
NOTE_MERGED_PARTICIPANTS: Sql[None] = Sql(
    "INSERT INTO participant_merge (ticket_id, address, merged_from)"
    " SELECT :into, address, :duplicate FROM participant WHERE ticket_id = :duplicate AND merged_from IS NULL"
    " UNION SELECT :into, address, merged_from FROM participant_merge WHERE ticket_id = :duplicate"
    " ON CONFLICT DO NOTHING",
    type(None),
)
FORGET_MERGED_PARTICIPANTS: Sql[None] = Sql(
    "DELETE FROM participant_merge WHERE ticket_id = :ticket_id AND merged_from = ANY(:merged_from)", type(None)
)
DROP_MERGED_PARTICIPANTS: Sql[None] = Sql(
    "DELETE FROM participant WHERE ticket_id = :ticket_id AND merged_from IS NOT NULL AND NOT EXISTS (SELECT 1"
    " FROM participant_merge m WHERE m.ticket_id = participant.ticket_id AND m.address = participant.address)",
    type(None),
)
OWN_PARTICIPANT: Sql[None] = Sql(
    "UPDATE participant SET merged_from = NULL WHERE ticket_id = :ticket_id AND address = :address", type(None)
)


async def related(unit: Unit, access: Access, ticket_id: str, after: tuple[str, str], limit: int) -> list[Related]:
    """Return the requests within the caller's reach that one belongs to, after a kind and the ID of a request."""
    place: dict[str, Value] = {"ticket_id": ticket_id, "kind": after[0], "after": after[1], "limit": limit}
    if access.relation is Relation.ANY:
        return await unit.all(RELATED, **place)
    shared = access.principal.organization_id if access.relation is Relation.ORGANIZATION else None
    given = {"address": access.principal.email, "organization_id": shared}
    return await unit.all(RELATED_IN_REACH, **place, **given)

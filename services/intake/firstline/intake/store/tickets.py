"""Queries on requests, participants and claims."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime

from firstline.common.permissions import Access, Relation
from firstline.common.store.port import Sql, Unit, Value
from firstline.intake.search import Term
from firstline.intake.store.words import postgres_query, sqlite_query
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
TICKETS = Sql(f"SELECT {_ALL} FROM ticket WHERE id = ANY(:ids) ORDER BY id", Ticket)  # noqa: S608
TICKET_BY_NUMBER = Sql(f"SELECT {_ALL} FROM ticket WHERE number = :number", Ticket)  # noqa: S608
TICKET_TO_CHANGE = Sql(f"SELECT {_ALL} FROM ticket WHERE id = :id FOR UPDATE", Ticket)  # noqa: S608
# Locked, for whoever finds it is about to write to it.
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
# An older fence changes nothing: queue's events may come later than a token that is newer than they.
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
        terms: words, all of which stand in the subject or the correspondence.
        after: the id at which the page before ended.
        limit: how many at most.

    """

    equal: Mapping[str, Value]
    people: tuple[str, ...] = ()
    updated_after: datetime | None = None
    terms: tuple[Term, ...] = ()
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
    one, by the organisation or another filter, else by the primary key. What is one's own and what is the
    organisation's are two such walks, joined.
    """
    given: dict[str, Value] = {"limit": wanted.limit, **wanted.equal}
    plain = [f"t.{name} = :{name}" for name in EQUALITIES if name in wanted.equal]
    if wanted.updated_after is not None:
        plain.append("t.updated_at > :updated_after")
        given["updated_after"] = wanted.updated_after
    if wanted.after is not None:
        given["after"] = wanted.after
    notes = access.principal.is_staff
    if wanted.terms:
        given["sqlite_query"] = sqlite_query(wanted.terms, notes=notes)
        given["postgres_query"] = postgres_query(wanted.terms)
    people = wanted.people if access.relation is Relation.ANY else (access.principal.email, *wanted.people)
    given |= {f"person{index}": address for index, address in enumerate(people)}
    walk = Walk(plain, tuple(range(len(people))), after=wanted.after is not None, words=bool(wanted.terms), notes=notes)
    if access.relation is Relation.ORGANIZATION and access.principal.organization_id is not None:
        given["mine"] = access.principal.organization_id
        theirs = replace(
            walk, conditions=["t.organization_id = :mine", *plain], people=walk.people[1:], organization=True
        )
        return _joined(walk, theirs), given
    return Sql(walk.text, Ticket, sqlite=walk.sqlite if wanted.terms else None), given


def _joined(*walks: "Walk") -> Sql[Ticket]:
    """Return the statement that reads what any of the walks finds, each request once."""

    def union(texts: Iterable[str]) -> str:
        parts = " UNION ".join(f"SELECT * FROM ({text}) AS walk{index}" for index, text in enumerate(texts))  # noqa: S608
        return f"{parts} ORDER BY id DESC LIMIT :limit"

    words = walks[0].words
    return Sql(
        union(walk.text for walk in walks),
        Ticket,
        sqlite=union(walk.sqlite for walk in walks) if words else None,
    )


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk along an index.

    Attributes:
        conditions: what holds of the requests `t`.
        people: the numbers of the parameters `person0` ... of those who take part; the first one leads.
        after: whether it goes on after a page.
        words: whether words are searched.
        notes: whether they may stand in internal notes.
        organization: whether it goes along an organisation's requests, whoever takes part.

    """

    conditions: list[str]
    people: tuple[int, ...]
    after: bool
    words: bool
    notes: bool
    organization: bool = False

    @property
    def text(self) -> str:
        """The walk as PostgreSQL does it: it knows how frequent words are, and chooses what leads."""
        source, key = self._source
        conditions = [*self._conditions]
        if self.words:
            source += " JOIN ticket_words x ON x.ticket_id = t.id"
            found = f"x.words @@ {_QUERY}"
            conditions.append(f"({found} OR x.notes @@ {_QUERY})" if self.notes else found)
        if self.after:
            conditions += [f"{key} < :after", *(["x.ticket_id < :after"] if self.words else [])]
        return _select(source, conditions, key)

    @property
    def sqlite(self) -> str:
        """The walk with words as SQLite does it: along the full-text table where nobody's requests are to be led by."""
        source, key = self._source
        after = f"{key} < :after"
        conditions = [*self._conditions]
        if self.people[:1] or self.organization:
            conditions.append(f"+t.id IN ({_FOUND})")
        else:
            source, key = _FULL_TEXT, "ticket_fts.rowid"
            conditions.append("ticket_fts MATCH :sqlite_query")
            after = "ticket_fts.rowid < (SELECT seq FROM ticket_words WHERE ticket_id = :after)"
        return _select(source, [*conditions, *([after] if self.after else [])], key)

    @property
    def _source(self) -> tuple[str, str]:
        """Return what the walk goes along, and the key that it is in the order of."""
        if self.people and not self.organization:
            return "participant p JOIN ticket t ON t.id = p.ticket_id", "p.ticket_id"
        return "ticket t", "t.id"

    @property
    def _conditions(self) -> list[str]:
        """Return what holds of each request, those who take part included."""
        others = self.people if self.organization else self.people[1:]
        lead = [] if self.organization else self.people[:1]
        return [
            *self.conditions,
            *(f"p.address = :person{index}" for index in lead),
            *(
                f"EXISTS (SELECT 1 FROM participant o WHERE o.ticket_id = t.id AND o.address = :person{index})"  # noqa: S608
                for index in others
            ),
        ]


_QUERY = "CAST(CAST(:postgres_query AS text) AS tsquery)"
_FULL_TEXT = (
    "ticket_fts CROSS JOIN ticket_words x ON x.seq = ticket_fts.rowid CROSS JOIN ticket t ON t.id = x.ticket_id"
)
_FOUND = (
    "SELECT x.ticket_id FROM ticket_fts CROSS JOIN ticket_words x ON x.seq = ticket_fts.rowid"
    " WHERE ticket_fts MATCH :sqlite_query"
)


def _select(source: str, conditions: list[str], key: str) -> str:
    """Return the statement of one walk, newest first."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    columns = ", ".join(f"t.{name}" for name in _COLUMNS)
    return f"SELECT {columns} FROM {source}{where} ORDER BY {key} DESC LIMIT :limit"  # noqa: S608

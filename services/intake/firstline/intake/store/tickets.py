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


@dataclass(frozen=True, slots=True)
class Numbered:
    """A request's number, and its ID."""

    number: str
    id: str


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
NUMBERED = Sql("SELECT number, id FROM ticket WHERE number = ANY(:numbers)", Numbered)
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

WINDOW = 1000
"""Requests among which words are looked for along the order of the list, before their index is asked."""

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
        down_to: the last id that is looked at.
        rare: whether the words are rare, so that the index of words leads and not the order of the list.
        limit: how many at most.
        window: among how many of the newest words are looked for first.

    """

    equal: Mapping[str, Value]
    people: tuple[str, ...] = ()
    updated_after: datetime | None = None
    terms: tuple[Term, ...] = ()
    after: str | None = None
    down_to: str | None = None
    rare: bool = False
    limit: int = 25
    window: int = WINDOW


async def list_tickets(unit: Unit, access: Access, wanted: Wanted) -> tuple[list[Ticket], list[Participant]]:
    """Return requests within the caller's reach, newest first, and the participants of all of them."""
    if wanted.terms and access.relation is Relation.ANY and not wanted.people:
        tickets = await _searched(unit, access, wanted)
    else:
        sql, given = listing(access, wanted)
        tickets = await unit.all(sql, **given)
    return tickets, await unit.all(PARTICIPANTS_OF_ALL, ticket_ids=[ticket.id for ticket in tickets])


async def _searched(unit: Unit, access: Access, wanted: Wanted) -> list[Ticket]:
    """Return requests with the words, of everybody's: first among the newest, then by the index of words.

    PostgreSQL can't tell a frequent beginning of words from a rare one, and walks through all requests for five of
    them. A frequent one fills the page from the newest requests; whatever doesn't is rare enough to be looked up.
    """
    edge_sql, edge_given = edge(wanted)
    last = await unit.one(edge_sql, **edge_given)
    sql, given = listing(access, replace(wanted, down_to=last))
    tickets = await unit.all(sql, **given)
    if last is None or len(tickets) >= wanted.limit:
        return tickets
    further = replace(wanted, after=last, rare=True, limit=wanted.limit - len(tickets))
    sql, given = listing(access, further)
    return tickets + await unit.all(sql, **given)


def edge(wanted: Wanted) -> tuple[Sql[str], dict[str, Value]]:
    """Return the statement, and its parameters, for the last request of the first window of a list."""
    plain, given = _plain(wanted)
    after = ["t.id < :after"] if wanted.after is not None else []
    where = f" WHERE {' AND '.join([*plain, *after])}" if plain or after else ""
    text = f"SELECT t.id FROM ticket t{where} ORDER BY t.id DESC LIMIT 1 OFFSET :beyond"  # noqa: S608
    return Sql(text, str), {**given, "beyond": wanted.window - 1}


def _plain(wanted: Wanted) -> tuple[list[str], dict[str, Value]]:
    """Return the conditions on the requests' own columns, and their parameters."""
    given: dict[str, Value] = {**wanted.equal}
    plain = [f"t.{name} = :{name}" for name in EQUALITIES if name in wanted.equal]
    if wanted.updated_after is not None:
        plain.append("t.updated_at > :updated_after")
        given["updated_after"] = wanted.updated_after
    if wanted.after is not None:
        given["after"] = wanted.after
    return plain, given


def listing(access: Access, wanted: Wanted) -> tuple[Sql[Ticket], dict[str, Value]]:
    """Return the statement of a list and its parameters.

    A page is read along an index that ends in the id, as far as it goes: by a participant's address where there is
    one, by the organisation or another filter, else by the primary key. What is one's own and what is the
    organisation's are two such walks, joined.
    """
    plain, given = _plain(wanted)
    given["limit"] = wanted.limit
    if wanted.down_to is not None:
        given["down_to"] = wanted.down_to
    notes = access.principal.is_staff
    if wanted.terms:
        given["sqlite_query"] = sqlite_query(wanted.terms, notes=notes)
        given["postgres_query"] = postgres_query(wanted.terms)
    people = wanted.people if access.relation is Relation.ANY else (access.principal.email, *wanted.people)
    given |= {f"person{index}": address for index, address in enumerate(people)}
    walk = Walk(
        plain,
        tuple(range(len(people))),
        after=wanted.after is not None,
        words=bool(wanted.terms),
        notes=notes,
        down_to=wanted.down_to is not None,
        rare=wanted.rare,
    )
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
        down_to: whether it ends at some request.
        rare: whether PostgreSQL goes along the index of words.
        organization: whether it goes along an organisation's requests, whoever takes part.

    """

    conditions: list[str]
    people: tuple[int, ...]
    after: bool
    words: bool
    notes: bool
    down_to: bool = False
    rare: bool = False
    organization: bool = False

    @property
    def text(self) -> str:
        """The walk as PostgreSQL does it: it knows how frequent words are, and chooses what leads."""
        if self.rare:
            return self._looked_up
        source, key = self._source
        conditions = [*self._conditions]
        if self.words:
            source += " JOIN ticket_words x ON x.ticket_id = t.id"
            conditions.append(self._found)
        for key_too in (key, *(["x.ticket_id"] if self.words else [])):
            conditions += self._stretch(key_too, ":after", ":down_to")
        return _select(source, conditions, key)

    @property
    def _looked_up(self) -> str:
        """The requests that the index of words finds, brought in order, and each looked at until the page is full."""
        found = f"SELECT x.ticket_id FROM ticket_words x WHERE {self._found}"  # noqa: S608
        if self.after:
            found += " AND x.ticket_id < :after"
        # OFFSET 0 keeps PostgreSQL from doing it in another order.
        each = " AND ".join(("t.id = f.ticket_id", *self._conditions))
        columns = ", ".join(_COLUMNS)
        return (
            f"WITH found AS MATERIALIZED ({found}) SELECT {columns} FROM"  # noqa: S608
            " (SELECT ticket_id FROM found ORDER BY ticket_id DESC OFFSET 0) AS f"
            f" CROSS JOIN LATERAL (SELECT {columns} FROM ticket t WHERE {each} OFFSET 0) AS t"
            " ORDER BY f.ticket_id DESC LIMIT :limit"
        )

    @property
    def _found(self) -> str:
        """Return the condition that a request has the words, in notes too where the reader may see these."""
        found = f"x.words @@ {_QUERY}"
        return f"({found} OR x.notes @@ {_QUERY})" if self.notes else found

    def _stretch(self, key: str, after: str, down_to: str) -> list[str]:
        """Return the conditions on a key by which a walk begins and ends."""
        return [*([f"{key} < {after}"] if self.after else []), *([f"{key} >= {down_to}"] if self.down_to else [])]

    @property
    def sqlite(self) -> str:
        """The walk with words as SQLite does it: along the full-text table where nobody's requests are to be led by."""
        source, key = self._source
        stretch = self._stretch(key, ":after", ":down_to")
        conditions = [*self._conditions]
        if self.people[:1] or self.organization:
            conditions.append(f"+t.id IN ({_FOUND})")
        else:
            source, key = _FULL_TEXT, "ticket_fts.rowid"
            conditions.append("ticket_fts MATCH :sqlite_query")
            stretch = self._stretch(key, _ROW.format(":after"), _ROW.format(":down_to"))
        return _select(source, [*conditions, *stretch], key)

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
_ROW = "(SELECT seq FROM ticket_words WHERE ticket_id = {})"
_FOUND = (
    "SELECT x.ticket_id FROM ticket_fts CROSS JOIN ticket_words x ON x.seq = ticket_fts.rowid"
    " WHERE ticket_fts MATCH :sqlite_query"
)


def _select(source: str, conditions: list[str], key: str) -> str:
    """Return the statement of one walk, newest first."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    columns = ", ".join(f"t.{name}" for name in _COLUMNS)
    return f"SELECT {columns} FROM {source}{where} ORDER BY {key} DESC LIMIT :limit"  # noqa: S608

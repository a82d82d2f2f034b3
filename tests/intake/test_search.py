"""Searching for words, on both stores: within reach, in order, page by page, and never by what is gone."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from firstline.common.permissions import Access, Principal, Relation, Role
from firstline.common.policy.model import Policy
from firstline.common.store.migrate import migrate_postgres
from firstline.common.store.port import Sql, Unit
from firstline.common.store.postgres import PostgresStore, prepare
from firstline.intake.search import Term
from firstline.intake.service.words import rewrite_words
from firstline.intake.store import words
from firstline.intake.store.tickets import EQUALITIES, Wanted, edge, list_tickets, listing
from intake_world import World, open_world

CLARA, KIM, PIA = "client:clara", "client:kim@acme", "partner:pia@acme"


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, empty_store: Path, policy: Policy, tmp_path: Path
) -> AsyncIterator[World]:
    """Run intake on the store that the test asks for."""
    more: dict[str, Any] = {}
    if getattr(request, "param", "sqlite") == "postgres":
        database = request.getfixturevalue("database")
        await asyncio.to_thread(migrate_postgres, "intake", database)
        more["open_store"] = lambda _path, ports: PostgresStore(database, ports)
    async with open_world(empty_store, policy, tmp_path, **more) as running:
        yield running


on_both_stores = pytest.mark.parametrize("world", ["sqlite", "postgres"], indirect=True)


async def found(world: World, q: str, who: str = "agent:anna", limit: int = 2, **query: Any) -> list[str]:
    """Return the subjects of all that a search finds, page after page."""
    subjects: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await world.get("/v1/tickets", who, q=q, limit=limit, **query, **cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        subjects += [item["subject"] for item in page["items"]]
        if page["next"] is None:
            return subjects
        cursor = {"cursor": page["next"]}


@on_both_stores
async def test_words_are_searched_within_reach(world: World) -> None:
    """Each finds their own, their organisation's or all requests by all of the words, newest first, with filters."""
    await world.person("kim", "acme")
    for index in range(5):
        await world.submit(CLARA, subject=f"White page {index}", body="Nach dem Update bleibt die Seite weiß.")
    await world.submit(KIM, subject="Invoice", body="The page stays white.", topic="updates")
    last = await world.submit(PIA, subject="Slow", body="Reports take minutes.")
    await world.must(last, "messages", {"body": "Since the update, too."}, PIA)
    mine = [f"White page {index}" for index in (4, 3, 2, 1, 0)]
    expected = {
        "white": (["Invoice", *mine], mine, ["Invoice"], ["Invoice"]),
        "UPDATES": (["Slow", *mine], mine, [], ["Slow"]),
        "update minutes": (["Slow"], [], [], ["Slow"]),
        "weiss seite": (mine, mine, [], []),
        "nothing at all": ([], [], [], []),
        "white clara@shop.example": (mine, mine, [], []),
    }
    for q, everybody in expected.items():
        for who, subjects in zip(("agent:anna", CLARA, KIM, PIA), everybody, strict=True):
            assert await found(world, q, who) == subjects, (q, who)
    assert await found(world, "page", topic="updates") == ["Invoice"]
    assert await found(world, "page", status="new", requester="clara@shop.example") == mine
    await _forget(world, last)


async def _forget(world: World, last: dict[str, Any]) -> None:
    """What is written in a note is staff's; what was taken away is found no more, and the rest still is."""
    await world.must(last, "messages", {"body": "Smells like the harddisk.", "audience": "internal"})
    assert await found(world, "harddisk") == ["Slow"]
    assert await found(world, "harddisk", PIA) == []
    mask: Sql[None] = Sql(
        "UPDATE message SET body = '-' WHERE ticket_id = :ticket_id AND body LIKE 'Since%'", type(None)
    )

    async def work(unit: Unit) -> None:
        await unit.run(mask, ticket_id=last["id"])
        await rewrite_words(unit, last["id"])

    await world.runtime.store.write(work)
    assert await found(world, "update", PIA) == []
    assert await found(world, "minutes slow", PIA) == await found(world, "harddisk") == ["Slow"]


async def test_what_is_found_is_shown(world: World) -> None:
    """An item says where the words stand, in the subject and in the first message; clients see no note."""
    ticket = await world.submit(CLARA, subject="White page", body="It stays white.")
    await world.must(ticket, "messages", {"body": "White, again.", "audience": "internal"})
    for who in (CLARA, "agent:anna"):
        (item,) = (await world.get("/v1/tickets", who, q="white")).json()["items"]
        parts = [(one["text"], [one["text"][begin:end] for begin, end in one["marks"]]) for one in item["found"]]
        assert parts == [("White page", ["White"]), ("It stays white.", ["white"])]
    note = await world.submit(CLARA, subject="Other", body="Nothing.")
    await world.must(note, "messages", {"body": "The printer, again.", "audience": "internal"})
    (item,) = (await world.get("/v1/tickets", q="printer")).json()["items"]
    assert [one["text"] for one in item["found"]] == ["The printer, again."]
    assert (await world.get("/v1/tickets", CLARA, q="printer")).json()["items"] == []


@pytest.mark.parametrize("q", ["a", "!!", "x" * 501])
async def test_what_can_not_be_searched_for_is_refused(world: World, q: str) -> None:
    """A search without a word, or an endless one, says what to write instead."""
    answer = await world.get("/v1/tickets", q=q)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#query/q")


@on_both_stores
async def test_a_long_thread_is_found_by_its_first_words(world: World) -> None:
    """Texts as long as they may be are taken, whatever they are made of, and found by their words."""
    ticket = await world.submit(body=" ".join(f"{chr(0x20000) * 30}{number}" for number in range(3000)))
    for part in range(6):
        body = " ".join(f"{'я' * 40}{part}{number:05}" for number in range(3000))
        await world.must(ticket, "messages", {"body": body})
    await world.must(ticket, "messages", {"body": "'); DROP TABLE \\ \" : * & | ! <-> NOT near("})
    assert await found(world, "white page") == ["White page"]
    assert await found(world, "drop' | !table\" & near(* \\") in (["White page"], [])


@on_both_stores
async def test_rare_words_are_found_behind_the_newest(world: World) -> None:
    """What the newest requests don't fill a page with is looked up in the rest, each once, in order, with filters."""
    words = ("rare", "white", "white rare", "other", "rare")
    made = [(await world.submit(subject=f"{word} {i}", body="b"))["subject"] for i, word in enumerate(words)]
    access = Access(Principal("anna", Role.AGENT, "anna@shop.example"), Relation.ANY)

    async def listed(term: str, **more: Any) -> list[str]:
        wanted = Wanted(more.pop("equal", {}), terms=(Term(term, whole=False),), window=2, **more)
        tickets, _ = await world.desk.store.read(lambda unit: list_tickets(unit, access, wanted))
        return [ticket.subject for ticket in tickets]

    assert await listed("rare") == [made[4], made[2], made[0]]
    assert await listed("rare", limit=2) == [made[4], made[2]]
    assert await listed("white", equal={"status": "new"}) == [made[2], made[1]]
    assert await listed("white", equal={"status": "closed"}) == []
    assert await listed("nowhere") == []


async def test_rare_words_are_looked_up_on_postgresql(database: str) -> None:
    """Behind the newest, the index of words leads, and each request it finds is read by its key."""
    await asyncio.to_thread(migrate_postgres, "intake", database)
    connection = await asyncpg.connect(database)
    for name in ("seqscan", "hashjoin", "mergejoin"):
        await connection.execute(f"SET enable_{name} = off")
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    agent = Access(Principal("anna", Role.AGENT, "anna@shop.example"), Relation.ANY)
    for equal in ({}, {"status": "new"}):
        wanted = Wanted(equal, terms=(Term("white", whole=False),), rare=True)
        plan = await explained(connection, prepare(listing(agent, wanted)[0]).text)
        assert "ix_ticket_words" in plan, plan
        assert re.search(r"Index Scan using \w+ on ticket t", plan), plan
        assert "Seq Scan" not in plan, plan
    await connection.close()


async def test_every_list_walks_an_index_on_postgresql(database: str) -> None:
    """Whatever the filters and words, PostgreSQL can go along an index, reading no table and sorting nothing."""
    await asyncio.to_thread(migrate_postgres, "intake", database)
    connection = await asyncpg.connect(database)
    for name in ("seqscan", "bitmapscan", "sort", "hashagg", "material"):
        await connection.execute(f"SET enable_{name} = off")
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    for text in _lists():
        plan = await explained(connection, text)
        assert "Seq Scan" not in plan, (text, plan)
        assert "UNION" in text or "Sort" not in plan, (text, plan)
    for name, sql in vars(words).items():
        if isinstance(sql, Sql):
            assert "Seq Scan" not in await explained(connection, prepare(sql).text), name
    await connection.close()


async def explained(connection: Any, text: str) -> str:
    """Return how PostgreSQL does a statement whose parameters it doesn't know."""
    given = ", ".join("NULL" for _ in set(re.findall(r"\$\d+", text)))
    await connection.execute(f"PREPARE wanted AS {text}")
    rows = await connection.fetch(f"EXPLAIN EXECUTE wanted ({given})" if given else "EXPLAIN EXECUTE wanted")
    await connection.execute("DEALLOCATE wanted")
    return "\n".join(row[0] for row in rows)


def _lists() -> list[str]:
    client = Principal("clara", Role.CLIENT, "clara@shop.example", "acme")
    agent = Principal("anna", Role.AGENT, "anna@shop.example")
    reaches = [Access(client, Relation.OWN), Access(client, Relation.ORGANIZATION), Access(agent, Relation.ANY)]
    filters = [(), *itertools.combinations(EQUALITIES, 1), *itertools.pairwise(EQUALITIES)]
    terms = (Term("white", whole=False), Term("500", whole=True))
    cases = itertools.product(reaches, filters, (((), None), (("kim@shop.example",), "id"), ((), "id")), ((), terms))
    texts = []
    for access, names, (people, after), asked in cases:
        since = datetime(2026, 1, 1, tzinfo=UTC) if after else None
        wanted = Wanted(dict.fromkeys(names, "x"), people, since, asked, after)
        texts.append(prepare(listing(access, wanted)[0]).text)
        if asked and access.relation is Relation.ANY and not people:
            texts.append(prepare(edge(wanted)[0]).text)
            texts.append(prepare(listing(access, replace(wanted, down_to="id"))[0]).text)
    assert all(re.search(r"LIMIT (\$\d|1 OFFSET)", text) for text in texts)
    return texts

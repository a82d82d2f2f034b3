"""Product time moved by hand: forward only, kept over a restart, and answered when all that fell due is done."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from firstline.standalone.operations import LocalServices, create_app
from near_desk import URL, api, near_desk

MONDAY = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


async def put(http: httpx.AsyncClient, now: datetime | str) -> httpx.Response:
    """Ask to move time."""
    return await http.put("/v1/dev/clock", json={"now": now if isinstance(now, str) else now.isoformat()})


async def now(http: httpx.AsyncClient) -> datetime:
    """Return product time as the API tells it."""
    return datetime.fromisoformat((await http.get("/v1/dev/clock")).json()["now"])


async def events(http: httpx.AsyncClient, kind: str, ticket_id: str) -> list[dict[str, Any]]:
    """Return the events of a type and a request from the feed."""
    items = (await http.get("/v1/events", params={"type": kind})).json()["items"]
    return [item for item in items if ticket_id in str(item)]


async def test_time_moves_forward_only(folder: Path) -> None:
    """The first instant may be any, later ones only later; an earlier one is refused and nothing has changed."""
    async with near_desk(folder) as desk, api(desk) as http:
        first = await put(http, MONDAY)
        assert (first.status_code, datetime.fromisoformat(first.json()["now"])) == (200, MONDAY)
        assert (await put(http, MONDAY)).status_code == 200
        assert (await put(http, MONDAY + timedelta(hours=1))).status_code == 200
        back = await put(http, MONDAY)
        assert (back.status_code, back.json()["type"]) == (409, "/problems/time-goes-forward")
        assert "07:00" in back.json()["detail"]
        assert await now(http) == MONDAY + timedelta(hours=1)


async def test_an_instant_of_another_zone_is_the_same_instant(folder: Path) -> None:
    """Time is told in UTC whatever zone it was given in."""
    async with near_desk(folder) as desk, api(desk) as http:
        answer = await put(http, "2026-03-02T09:00:00+03:00")
        assert answer.json()["now"] == "2026-03-02T06:00:00Z"


async def test_an_instant_that_is_none_is_refused(folder: Path) -> None:
    """A time without a zone, a word, or nothing at all is a 422 that names the member; time stays as it is."""
    async with near_desk(folder) as desk, api(desk) as http:
        await put(http, MONDAY)
        for wrong in ("2026-03-02T09:00:00", "tomorrow", ""):
            answer = await put(http, wrong)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/now")
        assert (await http.put("/v1/dev/clock", json={})).status_code == 422
        assert await now(http) == MONDAY


async def test_time_survives_a_restart(folder: Path) -> None:
    """After a restart it is what it was, and still goes forward only."""
    async with near_desk(folder) as desk, api(desk) as http:
        await put(http, MONDAY)
    async with near_desk(folder) as desk, api(desk) as http:
        assert await now(http) == MONDAY
        assert (await put(http, MONDAY - timedelta(seconds=1))).status_code == 409
        assert (await put(http, MONDAY + timedelta(seconds=1))).status_code == 200


async def test_moves_at_the_same_time_never_lead_back(folder: Path) -> None:
    """Of many moves at once each is done or refused, and afterwards it is the latest instant of all."""
    instants = [MONDAY + timedelta(minutes=number * 7 % 10) for number in range(10)]
    async with near_desk(folder) as desk, api(desk) as http:
        await put(http, MONDAY)
        answers = await asyncio.gather(*(put(http, instant) for instant in instants))
        assert {answer.status_code for answer in answers} <= {200, 409}
        done = [i for i, answer in zip(instants, answers, strict=True) if answer.status_code == 200]
        assert done == sorted(done)
        assert await now(http) == max(instants)
    async with near_desk(folder) as desk, api(desk) as http:
        assert await now(http) == max(instants)


async def test_a_lease_that_runs_out_is_seen_at_once(folder: Path) -> None:
    """When the answer is there, a claim whose lease ran out is given back and its event is in the feed."""
    async with near_desk(folder) as desk, api(desk, "client", "clara") as clara, api(desk, "agent", "anna") as anna:
        await put(clara, MONDAY)
        ticket = (await clara.post("/v1/tickets", json={"subject": "White page", "body": "It is white."})).json()["id"]
        await put(clara, MONDAY)
        assert (await anna.post("/v1/queue/claims", json={})).status_code == 201
        await put(clara, MONDAY + timedelta(minutes=29))
        assert await events(anna, "queue.expired", ticket) == []
        assert (await anna.post("/v1/queue/claims", json={})).status_code == 204
        await put(clara, MONDAY + timedelta(minutes=30))
        assert len(await events(anna, "queue.expired", ticket)) == 1
        assert (await anna.post("/v1/queue/claims", json={})).json()["ticket_id"] == ticket


async def test_clocks_warn_and_breach_before_the_answer(folder: Path) -> None:
    """When the answer is there, clocks that reached their warning or their end have said so, once each."""
    async with near_desk(folder) as desk, api(desk, "client", "clara") as clara, api(desk, "agent", "anna") as anna:
        await put(clara, MONDAY)
        ticket = (await clara.post("/v1/tickets", json={"subject": "White page", "body": "It is white."})).json()["id"]
        await put(clara, MONDAY)
        (clock,) = [
            clock
            for clock in (await anna.get("/v1/clocks", params={"ticket_ids": ticket})).json()["items"]
            if clock["target"] == "first_response"
        ]
        warn, due = (datetime.fromisoformat(clock[name]) for name in ("warn_at", "due_at"))
        seen = []
        for instant in (warn - timedelta(seconds=1), warn, due, due + timedelta(days=3)):
            await put(clara, instant)
            kinds = ("clock.warned", "clock.breached")
            found = [await events(anna, kind, ticket) for kind in kinds]
            seen.append(tuple(sum("first_response" in str(event) for event in of_kind) for of_kind in found))
        assert seen == [(0, 0), (1, 0), (1, 1), (1, 1)]


async def test_the_systems_time_can_not_be_moved() -> None:
    """Where time is the machine's, there is nothing to read or move, and the answer says how to have it otherwise."""
    app: FastAPI = create_app(LocalServices({}), [], None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as http:
        for answer in (await put(http, MONDAY), await http.get("/v1/dev/clock"), await put(http, "nonsense")):
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
            assert "FIRSTLINE_CLOCK=manual" in answer.json()["detail"]

"""The desk as a whole: what it keeps, what it lets go of, and the people to try it with."""

import asyncio
import shutil
from pathlib import Path

import httpx
import pytest
from firstline.common.policy.loader import PolicyNotValid
from firstline.standalone.desk import PolicyNotReadable, StandaloneDesk, settle
from firstline.standalone.seed import LICENCE_KEY, seed
from near_desk import api, near_desk

PEOPLE = {
    "client": ("clara@shop.example", "client"),
    "specialist": ("anna@firstline.example", "agent"),
    "supervisor": ("sven@firstline.example", "supervisor"),
}


async def signed_in(desk: StandaloneDesk, code: str) -> tuple[str, str]:
    """Sign in with a link's code; return e-mail address and role as the desk knows them."""
    async with api(desk) as http:
        session = await http.post("/v1/sign-in/codes", json={"code": code})
        assert session.status_code == 200, session.text
        headers = {"Authorization": f"Bearer {session.json()['access_token']}"}
        me = (await http.get("/v1/me", headers=headers)).json()
    return me["email"], me["role"]


async def test_a_restart_keeps_everything(folder: Path) -> None:
    """After a restart the request, its place, its clocks, its mail and the tokens are what they were."""
    async with near_desk(folder) as desk, api(desk, "client", "clara") as clara, api(desk, "agent", "anna") as anna:
        body = {"subject": "White page", "body": "It is white."}
        await clara.put("/v1/dev/clock", json={"now": "2026-03-02T06:00:00Z"})
        ticket = (await clara.post("/v1/tickets", json=body, headers={"Idempotency-Key": "k"})).json()
        await settle(desk.runtimes)
        before = await everything(anna, ticket["id"])
        headers = dict(anna.headers)
    assert list(folder.rglob("*-wal")) == list(folder.rglob("*.draft")) == []
    async with near_desk(folder) as desk, api(desk, "client", "clara") as clara, api(desk) as again:
        again.headers.update(headers)
        assert await everything(again, ticket["id"]) == before
        retried = await clara.post("/v1/tickets", json=body, headers={"Idempotency-Key": "k"})
        assert retried.json()["id"] == ticket["id"]
        await settle(desk.runtimes)
        assert await everything(again, ticket["id"]) == before
    assert len(list((folder / "mail").glob("*.eml"))) == 1


async def everything(http: httpx.AsyncClient, ticket_id: str) -> list[str]:
    """Return what each service says of a request."""
    of = f"?ticket_id={ticket_id}"
    paths = (
        f"tickets/{ticket_id}",
        f"queue/{ticket_id}",
        f"clocks?ticket_ids={ticket_id}",
        f"deliveries{of}",
        "events",
    )
    answers = [await http.get(f"/v1/{path}") for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.text for answer in answers]


async def test_a_desk_that_stopped_holds_nothing(folder: Path) -> None:
    """After the stop no task of the desk is left and names are resolved no more."""
    async with near_desk(folder) as desk:
        resolver = desk.services["notify"].state.notify.http._resolver
        assert await resolver("127.0.0.1") == ("127.0.0.1",)
    with pytest.raises(RuntimeError, match="after shutdown"):
        await resolver("127.0.0.1")
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_people_to_try_the_desk_with_can_sign_in(folder: Path) -> None:
    """Each link signs in its person; a second start makes new links and nobody twice."""
    async with near_desk(folder) as desk:
        accounts = desk.services["accounts"].state.accounts
        first, second = await seed(accounts), await seed(accounts)
        await settle(desk.runtimes)
        assert len({person.code for person in (*first, *second)}) == 6
        for person in (*first, *second):
            assert await signed_in(desk, person.code) == PEOPLE[person.title]
        async with api(desk, "admin", "root") as http:
            people, licences, shops = [
                (await http.get(f"/v1/{plural}")).json()["items"] for plural in ("people", "licences", "organizations")
            ]
    assert sorted(one["email"] for one in people) == sorted(email for email, _ in PEOPLE.values())
    assert [licence["last4"] for licence in licences] == [LICENCE_KEY[-4:]]
    assert [licence["organization_id"] for licence in licences] == [shop["id"] for shop in shops]


async def test_a_link_signs_in_on_the_website(folder: Path) -> None:
    """A link as it is printed at the start opens the person's first page."""
    async with near_desk(folder) as desk, api(desk) as browser:
        (client, *_) = await seed(desk.services["accounts"].state.accounts)
        page = await browser.get("/sign-in", params={"code": client.code}, follow_redirects=True)
    assert (page.status_code, client.name in page.text or client.email in page.text) == (200, True)


async def test_a_broken_policy_stops_the_start_before_anything_is_made(tmp_path: Path) -> None:
    """A policy with a mistake, or none at that place, ends the start with its reason; no store was made."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: x\n")
    for path, error in ((broken, PolicyNotValid), (tmp_path / "none.yaml", PolicyNotReadable)):
        with pytest.raises(error):
            async with near_desk(tmp_path / "data", policy=path):
                pass
    assert not (tmp_path / "data" / "stores").exists()


async def test_another_policy_is_in_force_after_a_restart(folder: Path, tmp_path: Path) -> None:
    """A desk that is started with another policy file serves that one."""
    shutil.copy(Path(__file__).parents[1] / "policy" / "nightwatch.yaml", tmp_path / "own.yaml")
    async with near_desk(folder) as desk, api(desk, "agent", "anna") as http:
        assert (await http.get("/v1/policy")).json()["name"] == "bitrix24"
    async with near_desk(folder, policy=tmp_path / "own.yaml") as desk, api(desk, "agent", "anna") as http:
        assert (await http.get("/v1/policy")).json()["name"] == "nightwatch"

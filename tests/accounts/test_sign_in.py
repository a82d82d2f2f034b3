"""Signing in by link, staying signed in by refresh tokens, and signing out; wall time decides what has expired."""

import asyncio
import sqlite3
from datetime import timedelta
from typing import Any

import httpx
import pytest
from firstline.accounts.service.sessions import new_sign_in_link
from firstline.accounts.worker import PORTION
from firstline.common.permissions import Principal, Role
from firstline.common.store.port import Unit
from firstline.common.tokens import Verifier

GRACE = timedelta(seconds=30)
MOMENT = timedelta(microseconds=1)


async def _refresh(world: Any, token: str) -> httpx.Response:
    answer: httpx.Response = await world.post("/v1/tokens/refresh", {"refresh_token": token}, None)
    return answer


async def test_a_link_signs_its_person_in(world: Any) -> None:
    """The answer has the person and two tokens, is not cached, and the bearer token says who they are."""
    anna = await world.person("anna@firstline.example", Role.AGENT, name="Anna", tier="helpdesk", skills=("dns",))
    answer = await world.post("/v1/sign-in/codes", {"code": await world.link(anna)}, None)
    body = answer.json()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert sorted(body) == ["access_token", "expires_in", "person", "refresh_token", "token_type"]
    assert (body["expires_in"], body["token_type"]) == (900, "Bearer")
    assert body["person"] == (await world.get(f"/v1/people/{anna.id}")).json()
    assert Verifier(world.signer.public_keys(), world.wall).principal(body["access_token"]) == Principal(
        id=anna.id, role=Role.AGENT, email="anna@firstline.example", tier="helpdesk", skills=("dns",), name="Anna"
    )


async def test_a_link_works_until_it_expires(world: Any) -> None:
    """A link without a number of uses signs in again and again, up to but not including its last instant."""
    code = await world.link(await world.person(), timedelta(days=1))
    for wait in (timedelta(), timedelta(days=1) - MOMENT, MOMENT):
        world.wall.move(world.wall.now() + wait)
        answer = await world.post("/v1/sign-in/codes", {"code": code}, None)
    assert answer.status_code == 401


async def test_product_time_does_not_matter(world: Any) -> None:
    """Moving product time, as a demo does, ends neither links nor sessions."""
    clara = await world.person()
    code, session = await world.link(clara), await world.signed_in(clara)
    world.clock.move(world.clock.now() + timedelta(days=400))
    assert (await world.post("/v1/sign-in/codes", {"code": code}, None)).status_code == 200
    assert (await _refresh(world, session["refresh_token"])).status_code == 200


async def test_a_link_for_one_use_works_once(world: Any) -> None:
    """Of many who use it at once exactly one is signed in."""
    code = await world.link(await world.person(), uses=1)
    answers = await asyncio.gather(*(world.post("/v1/sign-in/codes", {"code": code}, None) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19


async def test_all_useless_codes_answer_alike(world: Any) -> None:
    """Unknown, expired, used-up codes and those of inactive people get the same 401, word for word."""
    clara = await world.person()
    expired, used = await world.link(clara, timedelta()), await world.link(clara, uses=1)
    await world.post("/v1/sign-in/codes", {"code": used}, None)
    gone = await world.person("gone@shop.example")
    inactive = await world.link(gone)
    await world.patch(f"/v1/people/{gone.id}", {"active": False})
    sent = ["unknown", "0", "ü", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
    answers = [await world.post("/v1/sign-in/codes", {"code": code}, None) for code in [*sent, expired, used, inactive]]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.parametrize("path", ["/v1/sign-in/codes", "/v1/tokens/refresh", "/v1/sign-out"])
@pytest.mark.parametrize("text", ["", "{}", "null", '{"code": "", "refresh_token": ""}', '{"code": null}', "%%"])
async def test_a_body_that_holds_no_secret_is_refused(world: Any, path: str, text: str) -> None:
    """Nothing, null, an empty secret and no JSON are 422."""
    answer = await world.client.post(path, content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


async def test_refreshing_replaces_both_tokens(world: Any) -> None:
    """Each refresh token is good for the next pair, and the chain goes on."""
    token = (await world.signed_in(await world.person()))["refresh_token"]
    seen = {token}
    for _ in range(3):
        world.wall.move(world.wall.now() + timedelta(days=29))
        answer = await _refresh(world, token)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        token = answer.json()["refresh_token"]
        seen.add(token)
        me = await world.client.get("/v1/me", headers={"Authorization": f"Bearer {answer.json()['access_token']}"})
        assert me.json()["email"] == "clara@shop.example"
    assert len(seen) == 4


async def test_a_refresh_token_expires(world: Any) -> None:
    """After thirty days of wall time without use the session has ended."""
    token = (await world.signed_in(await world.person()))["refresh_token"]
    world.wall.move(world.wall.now() + timedelta(days=30))
    assert (await _refresh(world, token)).status_code == 401


async def test_a_stolen_refresh_token_ends_the_family(world: Any) -> None:
    """An old token that comes back ends every token of its sign-in, and no other sign-in of the person."""
    clara = await world.person()
    first, elsewhere = await world.signed_in(clara), await world.signed_in(clara)
    second = (await _refresh(world, first["refresh_token"])).json()
    third = (await _refresh(world, second["refresh_token"])).json()
    world.wall.move(world.wall.now() + GRACE + MOMENT)
    answers = [await _refresh(world, session["refresh_token"]) for session in (first, second, third)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert (await _refresh(world, elsewhere["refresh_token"])).status_code == 200


async def test_a_refresh_token_may_come_again_at_once(world: Any) -> None:
    """Two tabs that refresh together, or an answer that got lost, don't end the session."""
    token = (await world.signed_in(await world.person()))["refresh_token"]
    answers = await asyncio.gather(*(_refresh(world, token) for _ in range(3)))
    world.wall.move(world.wall.now() + GRACE)
    answers.append(await _refresh(world, token))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 4
    world.wall.move(world.wall.now() + MOMENT)
    assert (await _refresh(world, answers[0].json()["refresh_token"])).status_code == 200
    assert (await _refresh(world, token)).status_code == 401
    assert (await _refresh(world, answers[1].json()["refresh_token"])).status_code == 401


@pytest.mark.parametrize("change", [{"active": False}, {"role": "agent"}, {"organization_id": None}])
async def test_a_change_of_standing_ends_every_session(world: Any, change: dict[str, Any]) -> None:
    """Who is made inactive, or gets another role or organisation, is signed out everywhere, and stays so."""
    clara = await world.person(organization_id=(await world.organization()).id)
    sessions = [await world.signed_in(clara) for _ in range(2)]
    await world.patch(f"/v1/people/{clara.id}", change)
    await world.patch(f"/v1/people/{clara.id}", {"active": True})
    for session in sessions:
        assert (await _refresh(world, session["refresh_token"])).status_code == 401


async def test_another_name_ends_no_session(world: Any) -> None:
    """A change that moves no right keeps people signed in, and the next token has the new name."""
    clara = await world.person()
    session = await world.signed_in(clara)
    await world.patch(f"/v1/people/{clara.id}", {"name": "Clara Mint"})
    refreshed = (await _refresh(world, session["refresh_token"])).json()
    assert refreshed["person"]["name"] == "Clara Mint"


async def test_signing_out_ends_the_session(world: Any) -> None:
    """No token of the family can be refreshed after it; signing out twice, or of nothing, is no fault."""
    first = await world.signed_in(await world.person())
    second = (await _refresh(world, first["refresh_token"])).json()
    for token in (first["refresh_token"], first["refresh_token"], "unknown"):
        answer = await world.post("/v1/sign-out", {"refresh_token": token}, None)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await _refresh(world, second["refresh_token"])).status_code == 401


async def test_no_secret_is_stored(world: Any) -> None:
    """Neither the code of a link nor a refresh token is anywhere in the store's files."""
    clara = await world.person()
    code = await world.link(clara)
    session = await world.signed_in(clara)
    stored = b"".join(path.read_bytes() for path in world.path.parent.iterdir())
    assert clara.id.encode() in stored
    assert code.encode() not in stored
    assert session["refresh_token"].encode() not in stored


async def test_what_has_expired_is_deleted(world: Any) -> None:
    """The worker deletes expired links and refresh tokens, in as many portions as it takes, and nothing else."""
    clara = await world.person()
    for _ in range(3):
        await world.link(clara, timedelta(days=31))
        await world.signed_in(clara)
    await world.link(clara, timedelta(days=400))
    world.wall.move(world.wall.now() + timedelta(days=20))
    await world.signed_in(clara)
    world.wall.move(world.wall.now() + timedelta(days=15))
    await world.runtime.settle()
    with sqlite3.connect(world.path) as connection:
        links = connection.execute("SELECT COUNT(*) FROM sign_in_link").fetchone()[0]
        tokens = connection.execute("SELECT COUNT(*) FROM refresh_token").fetchone()[0]
    connection.close()
    assert (links, tokens) == (1, 1)


async def test_much_that_has_expired_is_deleted_in_portions(world: Any) -> None:
    """More than a portion of expired links is deleted without waiting for the next hour."""
    clara, ports = await world.person(), world.runtime.ports

    async def many(unit: Unit) -> None:
        for _ in range(PORTION + 1):
            await new_sign_in_link(unit, ports, world.wall, clara.id, timedelta(days=1))

    await world.write(many)
    world.wall.move(world.wall.now() + timedelta(days=2))
    await world.runtime.settle()
    with sqlite3.connect(world.path) as connection:
        left = connection.execute("SELECT COUNT(*) FROM sign_in_link").fetchone()[0]
    connection.close()
    assert left == 0


async def test_who_one_is_stands_in_the_token(world: Any) -> None:
    """Somebody with a token from the command line, whom no table knows, reads who they are taken for."""
    me = await world.get("/v1/me", "agent", id="anna", tier="helpdesk", skills=("dns",))
    assert me.json() == {
        "id": "anna",
        "role": "agent",
        "email": "agent@firstline.example",
        "name": None,
        "organization_id": None,
        "tier": "helpdesk",
        "skills": ["dns"],
        "client_id": None,
    }


async def test_the_public_keys_verify_tokens(world: Any) -> None:
    """Anybody may read the key set; it verifies the desk's tokens and holds no private part."""
    keys = (await world.get("/.well-known/jwks.json", None)).json()
    assert Verifier(keys, world.wall).principal(world.token("agent")).role is Role.AGENT
    assert [sorted(key) for key in keys["keys"]] == [["alg", "crv", "kid", "kty", "use", "x"]]

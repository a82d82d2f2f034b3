"""Secrets that were pasted into texts are moved to the vault (clause 4.3): unread, once, by the holder of the claim."""

from typing import Any

import pytest
from firstline.common.errors import Invalid
from firstline.common.policy.model import Policy
from firstline.intake.service.moving import fitted
from intake_world import World

SECRET = "Zq7!kanarie-Vx3"
PASTED = f"Login: admin\nPassword: {SECRET}\nThe list is slow."
AS_FTP = {"kind": "ftp", "reason": "You wrote it in a message.", "host": "shop.example"}


async def claimed(world: World, ticket: Any) -> str:
    """Let the specialist hold the claim; return its token."""
    await world.claims(ticket, "queue.claimed", "anna", 1)
    return world.claim_token(ticket)


async def held(world: World, ticket: Any) -> list[dict[str, Any]]:
    """Return what was held back of a request."""
    items: list[dict[str, Any]] = (await world.get(f"/v1/tickets/{ticket['id']}/held-texts")).json()["items"]
    return items


async def move(world: World, ticket: Any, held_id: str, body: Any, **headers: str) -> Any:
    """Move a text to the vault."""
    return await world.post(f"/v1/tickets/{ticket['id']}/held-texts/{held_id}/vault", body, **headers)


async def revealed(world: World, ticket: Any, request: Any, token: str) -> Any:
    """Read access data."""
    path = f"/v1/tickets/{ticket['id']}/access-requests/{request['id']}/reveal"
    return (await world.post(path, {"reason": "Compare the files."}, Claim_Token=token)).json()["values"]


async def test_a_pasted_password_lies_with_the_access_data(world: World) -> None:
    """It is sealed as what it is, read with a reason only, and the text stays masked; its original is overwritten."""
    ticket = await world.submit(body=PASTED)
    (one,) = await held(world, ticket)
    token = await claimed(world, ticket)
    answer = await move(world, ticket, one["id"], AS_FTP, Claim_Token=token)
    assert answer.status_code == 201, answer.text
    moved = answer.json()
    assert (moved["status"], moved["given"], moved["host"]) == ("provided", ["ftp"], "shop.example")
    assert (moved["requested_by"], moved["provided_by"]) == ("Anna", "Clara")
    assert SECRET not in answer.text
    assert (await held(world, ticket))[0]["status"] == "moved"
    assert SECRET not in (await world.messages(ticket))[0]["body"]
    ((key, content),) = world.rows("SELECT data_key, content FROM held_text")
    assert not any(key + content)
    assert await revealed(world, ticket, moved, token) == {"ftp": {"password": SECRET}}
    told = dict(await world.events(ticket["id"]))["ticket.access_provided"]
    assert (told["request_id"], told["kinds"], told["moved_from"]) == (moved["id"], ["ftp"], one["id"])


async def test_it_ends_like_what_was_given(world: World) -> None:
    """With the request it is deleted, and the client is told to change it; without a new question by mail before."""
    ticket = await world.submit(body=PASTED)
    (one,) = await held(world, ticket)
    await move(world, ticket, one["id"], AS_FTP, Claim_Token=await claimed(world, ticket))
    assert "ticket.access_requested" not in dict(await world.events(ticket["id"]))
    await world.verb(ticket, "resolve", {}, Claim_Token=world.claim_token(ticket))
    assert world.rows("SELECT count(*) FROM access_secret") == [(0,)]
    due = dict(await world.events(ticket["id"]))["ticket.access_change_due"]
    assert [(change["kind"], change["host"]) for change in due["access"]] == [("ftp", "shop.example")]


async def test_only_the_holder_of_the_claim_moves_and_once(world: World) -> None:
    """Without the claim, as a client, twice, or of another request it is refused, and nothing changes."""
    ticket, other = await world.submit(body=PASTED), await world.submit(body=PASTED)
    (one,), (foreign,) = await held(world, ticket), await held(world, other)
    assert (await move(world, ticket, one["id"], AS_FTP)).status_code == 409
    token = await claimed(world, ticket)
    before = world.stored()
    assert (await move(world, ticket, one["id"], AS_FTP, who="client:clara", Claim_Token=token)).status_code == 403
    assert (await move(world, ticket, foreign["id"], AS_FTP, Claim_Token=token)).status_code == 404
    assert (await move(world, ticket, one["id"], {**AS_FTP, "kind": "none"}, Claim_Token=token)).status_code == 422
    assert (await move(world, ticket, one["id"], {**AS_FTP, "reason": ""}, Claim_Token=token)).status_code == 422
    assert world.stored() == before
    assert (await move(world, ticket, one["id"], AS_FTP, Claim_Token=token)).status_code == 201
    again = await move(world, ticket, one["id"], AS_FTP, Claim_Token=token)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/text-not-held")
    release = f"/v1/tickets/{ticket['id']}/held-texts/{one['id']}/release"
    assert "access data" in (await world.post(release, Claim_Token=token)).json()["detail"]


async def test_a_retry_moves_once(world: World) -> None:
    """The same call with the same Idempotency-Key is answered as before."""
    ticket = await world.submit(body=PASTED)
    (one,) = await held(world, ticket)
    headers = {"Claim_Token": await claimed(world, ticket), "Idempotency_Key": "k"}
    answers = [await move(world, ticket, one["id"], AS_FTP, **headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert world.rows("SELECT count(*) FROM access_request") == [(1,)]


async def test_what_a_fields_name_gave_away_is_moved_whole(world: World) -> None:
    """A value that is secret by its field's name alone goes to the vault as it was typed."""
    ticket = await world.submit(fields={"password": SECRET})
    (one,) = await held(world, ticket)
    token = await claimed(world, ticket)
    moved = (await move(world, ticket, one["id"], {**AS_FTP, "host": None}, Claim_Token=token)).json()
    assert await revealed(world, ticket, moved, token) == {"ftp": {"password": SECRET}}


def test_secrets_go_where_they_belong(policy: Policy) -> None:
    """Keys and passwords go into their own fields, several into one below one another; what fits nowhere is refused."""
    rules = policy.access
    assert rules is not None
    both = fitted(rules, "ssh", [("private_key", "KEY"), ("password", "one"), ("token", "two"), ("password", "one")])
    assert {name: value.get_secret_value() for name, value in both.items()} == {
        "private_key": "KEY",
        "password": "one\ntwo",
    }
    with pytest.raises(Invalid, match="no place") as refused:
        fitted(rules, "ftp", [("private_key", "KEY")])
    assert refused.value.faults[0].detail == "Use one of: ssh."
    with pytest.raises(Invalid, match="no place") as refused:
        fitted(rules, "ssh", [("private_key", "KEY"), ("licence_key", "L")])
    assert "its own form" in refused.value.faults[0].detail

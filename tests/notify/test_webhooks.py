"""Webhooks: signed, isolated from one another, tried over 72 hours, ended when nobody wants them (P23-P26, F22, 44)."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from firstline.common.outbound import Limits
from firstline.common.store.port import Sql
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError


async def endpoint(world: Any, sink: Any, **values: Any) -> dict[str, Any]:
    """Return a new endpoint, with its secret."""
    answer = await world.call("POST", "/v1/webhook-endpoints", body={"url": sink.url} | values)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def pushes(world: Any) -> list[dict[str, Any]]:
    """Return webhook deliveries, oldest first."""
    found: list[dict[str, Any]] = await world.deliveries("channel=webhook")
    return found


async def test_an_event_is_pushed_signed_and_without_texts(world: Any, sinks: Any) -> None:
    """The reference library accepts the signature; the body is the feed's form of the event: no text, no address."""
    sink = await sinks()
    made = await endpoint(world, sink)
    (event,) = await world.tell(world.submitted())
    await world.settle()
    ((headers, body),) = sink.got
    verified = Webhook(made["secret"]).verify(body, headers)
    assert verified == (await world.get("/v1/events?type=ticket.submitted"))["items"][0]
    assert headers["webhook-id"] == verified["id"] == event.id
    assert (verified["type"], verified["ticket_id"], verified["status"]) == ("ticket.submitted", event.subject, "new")
    assert verified["links"]["request"].endswith(f"/v1/tickets/{event.subject}")
    for text in (b"front page", b"white", b"Clara", b"shop.example"):
        assert text not in body
    (delivery,) = await pushes(world)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)


async def test_content_goes_only_where_it_is_wanted(world: Any, sinks: Any) -> None:
    """An endpoint made with content gets the public texts; a note's text goes nowhere."""
    sink = await sinks()
    await endpoint(world, sink, content=True, types=["ticket.replied"])
    await world.tell(world.submitted(), world.replied())
    await world.settle()
    (body,) = (json.loads(body) for _, body in sink.got)
    assert body["data"]["body"] == "Clear the cache."
    assert body["data"]["author"] == {"role": "agent", "side": "staff"}, "who of the staff it is stays inside"
    assert body["data"]["automatic"] is False


async def test_retries_carry_the_same_id_and_bytes(world: Any, sinks: Any) -> None:
    """Errors, redirects and a wish to wait lead to further tries of the same bytes under the same id."""
    sink = await sinks(answers=[b"500 No", b"302 Moved|Location: /x\r\n", b"429 Slow|Retry-After: 3600\r\n"])
    await endpoint(world, sink)
    await world.tell(world.submitted())
    await world.settle()
    await world.pass_time(timedelta(minutes=1))
    await world.pass_time(timedelta(minutes=1))
    await world.pass_time(timedelta(minutes=50))
    assert len(sink.got) == 3
    await world.pass_time(timedelta(minutes=15))
    assert len(sink.got) == 4
    assert len({(headers["webhook-id"], body) for headers, body in sink.got}) == 1
    read = await world.get(f"/v1/deliveries/{(await pushes(world))[0]['id']}", "agent")
    assert [one["status"] for one in read["attempt_list"]] == [500, 302, 429, 204]


async def test_an_endpoint_down_for_three_days_gets_everything(world: Any, sinks: Any) -> None:
    """Nothing is lost while a receiver is away for 72 hours; all of it arrives within one interval afterwards."""
    sink = await sinks()
    await endpoint(world, sink)
    await sink.stop()
    await world.tell(world.submitted())
    await world.tell(world.replied())
    for _ in range(36):
        await world.pass_time(timedelta(hours=2))
    assert [one["state"] for one in await pushes(world)] == ["pending", "pending"]
    sink.server = await asyncio.start_server(sink._serve, "127.0.0.1", sink.port)
    await world.pass_time(timedelta(hours=5))
    assert [one["state"] for one in await pushes(world)] == ["delivered", "delivered"]
    assert len({headers["webhook-id"] for headers, _ in sink.got}) == 2


async def test_an_endpoint_that_takes_nothing_is_disabled_with_one_notice(world: Any, sinks: Any) -> None:
    """After 72 hours without success its deliveries end, the endpoint too, and the feed still has the events."""
    sink = await sinks()
    made = await endpoint(world, sink)
    await sink.stop()
    await world.tell(world.submitted())
    await world.tell(world.replied())
    for _ in range(20):
        await world.pass_time(timedelta(hours=5))
    read = await world.get(f"/v1/webhook-endpoints/{made['id']}")
    assert read["state"] == "disabled"
    assert "Nothing was delivered since 2026-11-23 12:00 UTC" in read["reason"]
    assert {one["state"] for one in await pushes(world)} <= {"exhausted", "failed"}
    notices = (await world.get("/v1/events?type=endpoint.disabled", "agent"))["items"]
    assert [one["data"]["endpoint_id"] for one in notices] == [made["id"]]
    assert len((await world.get("/v1/events?type=ticket", "agent"))["items"]) == 2
    await world.tell(world.replied())
    assert len(await pushes(world)) == 2


async def test_an_endpoint_that_is_gone_is_disabled_at_once(world: Any, sinks: Any) -> None:
    """410 ends the endpoint; enabled again, it begins with the next event."""
    sink = await sinks(answers=[b"410 Gone"])
    made = await endpoint(world, sink)
    await world.tell(world.submitted())
    await world.settle()
    assert (await pushes(world))[0]["state"] == "failed"
    assert (await world.get(f"/v1/webhook-endpoints/{made['id']}"))["state"] == "disabled"
    again = await world.call("PATCH", f"/v1/webhook-endpoints/{made['id']}", body={"state": "enabled"})
    assert (again.json()["state"], again.json()["reason"]) == ("enabled", "")
    await world.tell(world.replied())
    await world.settle()
    assert [one["state"] for one in await pushes(world)] == ["failed", "delivered"]


async def test_a_hanging_endpoint_holds_up_nobody_else(start: Any, sinks: Any) -> None:
    """While three receivers hang, a fourth gets its event within a second (P25), and each hanging one has one call."""
    world = await start(limits=Limits(answer=3))
    hanging, quick = [await sinks(hangs=True) for _ in range(3)], await sinks()
    for sink in (*hanging, quick):
        await endpoint(world, sink)
    begun = asyncio.get_running_loop().time()
    await world.tell(world.submitted(), world.replied())
    async with asyncio.timeout(1):
        await quick.arrived.wait()
        while len(quick.got) < 2:
            await asyncio.sleep(0.01)
    await world.tell(world.replied())
    async with asyncio.timeout(1):
        while len(quick.got) < 3:
            await asyncio.sleep(0.01)
    assert asyncio.get_running_loop().time() - begun < 2
    assert [len(sink.got) for sink in hanging] == [1, 1, 1]


async def test_during_a_rotation_both_secrets_sign_and_only_the_new_one_after(world: Any, sinks: Any) -> None:
    """Receivers may change over at leisure; when the overlap is over the old secret is worth nothing."""
    sink = await sinks()
    made = await endpoint(world, sink)
    turned = await world.call("POST", f"/v1/webhook-endpoints/{made['id']}/rotate-secret", body={"overlap_hours": 2})
    assert turned.json()["secret"] != made["secret"]
    await world.tell(world.submitted())
    await world.settle()
    await world.pass_time(timedelta(hours=2))
    await world.tell(world.replied())
    await world.settle()
    (during, first), (after, second) = sink.got
    for secret in (made["secret"], turned.json()["secret"]):
        Webhook(secret).verify(first, during)
    Webhook(turned.json()["secret"]).verify(second, after)
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(second, after)


async def test_secrets_are_encrypted_at_rest(world: Any, sinks: Any) -> None:
    """Neither the endpoint's row nor the answer kept for retries holds the secret in clear."""
    made = await endpoint(world, await sinks())
    secrets = await world.write(lambda unit: unit.all(Sql("SELECT secrets FROM endpoint", str)))
    assert made["secret"].removeprefix("whsec_") not in secrets[0]
    for path in world.path.parent.glob("notify.db*"):
        assert made["secret"].removeprefix("whsec_").encode() not in path.read_bytes()


async def test_an_endpoint_whose_secret_cannot_be_read_says_so(world: Any, sinks: Any) -> None:
    """Nothing unsigned leaves; the attempt tells what to do."""
    sink = await sinks()
    await endpoint(world, sink)
    await world.write(lambda unit: unit.run(Sql("UPDATE endpoint SET secrets = 'x'", type(None))))
    await world.tell(world.submitted())
    await world.settle()
    assert sink.got == []
    assert "Rotate it" in (await pushes(world))[0]["reason"]


async def test_an_address_that_turned_private_is_not_called(world: Any, sinks: Any) -> None:
    """The place is checked again at each attempt, not only when the endpoint was made."""
    await endpoint(world, await sinks())
    moved = Sql("UPDATE endpoint SET url = 'http://169.254.169.254/latest'", type(None))
    await world.write(lambda unit: unit.run(moved))
    await world.tell(world.submitted())
    await world.settle()
    assert "not public" in (await pushes(world))[0]["reason"]

"""Sending mails: once, by plan over 72 hours, with the same Message-ID at each try (P12, P27, F20)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from firstline.common.mail_out import CapturedMail, MailRefused, MailUnreachable, SmtpMail
from firstline.common.ports import offload


@dataclass(slots=True)
class Relay:
    """A mail server on a loopback socket that answers each stage as it is told."""

    replies: dict[str, str] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    vanishes: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak SMTP."""
        writer.write(b"220 relay\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.partition(" ")[0].upper()
            if verb == "MAIL":
                self.senders.append(line)
            if verb == "DATA" and "DATA" not in self.replies:
                writer.write(b"354 go on\r\n")
                self.taken.append((await reader.readuntil(b"\r\n.\r\n"))[:-5])
                if self.vanishes:
                    self.vanishes -= 1
                    break
                verb = "END"
            writer.write(f"{self.replies.get(verb, '250 OK')}\r\n".encode())
            if verb == "QUIT":
                break
        writer.close()


@dataclass(slots=True)
class Broken:
    """A way out that fails after or before a mail has left, as often as it is told."""

    through: Any
    failures: list[Callable[[], Exception]]

    async def discard(self, message_id: str, holds: Callable[[bytes], bool] | None = None) -> bool:
        """Keep nothing, so that nothing is to be removed."""
        return False

    async def send(self, mail: bytes, mail_from: str, to: tuple[str, ...]) -> None:
        """Send, then fail while failures are left."""
        await self.through.send(mail, mail_from, to)
        if self.failures:
            failure = self.failures.pop(0)
            raise failure()


async def relay_mail(relay: Relay) -> tuple[asyncio.Server, SmtpMail]:
    """Return a started relay and the port that sends through it."""
    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    return server, SmtpMail("127.0.0.1", server.sockets[0].getsockname()[1], hello="desk.example", deadline=5)


async def test_a_mail_leaves_by_smtp(start: Any) -> None:
    """The relay gets the composed bytes; answers go out under the null sender, replies under the reply address."""
    relay = Relay()
    server, port = await relay_mail(relay)
    async with server:
        world = await start(mail_port=port)
        await world.tell(world.submitted(), world.replied())
        await world.settle()
    assert [b"Message-ID: <fl-7k3m-9qpx." in mail for mail in relay.taken] == [True, True]
    assert relay.senders[0].startswith("MAIL FROM:<>")
    assert relay.senders[1].startswith("MAIL FROM:<support+fl-7k3m-9qpx.")


async def test_a_mail_whose_fate_is_unknown_is_sent_again_with_the_same_message_id(start: Any) -> None:
    """A connection lost after the final dot leads to a second try of the same bytes."""
    relay = Relay(vanishes=1)
    server, port = await relay_mail(relay)
    async with server:
        world = await start(mail_port=port)
        await world.tell(world.submitted())
        await world.settle()
        (delivery,) = await world.deliveries()
        assert (delivery["state"], delivery["attempts"]) == ("pending", 1)
        await world.pass_time(timedelta(minutes=2))
    assert relay.taken[0] == relay.taken[1]
    assert len(relay.taken) == 2
    assert [one["state"] for one in await world.deliveries()] == ["sent"]


async def test_a_crash_between_sending_and_recording_leaves_one_file(start: Any, tmp_path: Any) -> None:
    """The mail is sent again after the crash and replaces its own file: one mail for the client."""
    port = Broken(CapturedMail(tmp_path / "mail", offload), [lambda: MailUnreachable("the process died")])
    world = await start(mail_port=port)
    await world.tell(world.submitted())
    await world.settle()
    await world.pass_time(timedelta(minutes=2))
    assert len(world.mails()) == 1
    read = await world.get(f"/v1/deliveries/{(await world.deliveries())[0]['id']}", "agent")
    assert [one["outcome"] for one in read["attempt_list"]] == ["retry", "delivered"]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize(("code", "state"), [("450", "pending"), ("550", "failed")])
async def test_refusals_at_every_stage(start: Any, stage: str, code: str, state: str) -> None:
    """4xx is tried again, 5xx never, and what the server said is kept."""
    relay = Relay({stage: f"{code} not you"})
    server, port = await relay_mail(relay)
    async with server:
        world = await start(mail_port=port)
        await world.tell(world.submitted())
        await world.settle()
        (delivery,) = await world.deliveries()
        assert (delivery["state"], delivery["attempts"]) == (state, 1)
        assert f"{code} not you" in delivery["reason"]
        read = await world.get(f"/v1/deliveries/{delivery['id']}", "agent")
        assert read["attempt_list"][0]["status"] == int(code)


async def test_a_server_that_stays_away_is_tried_for_72_hours_and_then_shown(start: Any, tmp_path: Any) -> None:
    """Attempts follow the plan; after 72 hours the delivery is exhausted and the specialists hear of it once."""
    port = Broken(CapturedMail(tmp_path / "mail", offload), [lambda: MailRefused(450, "later")] * 1000)
    world = await start(mail_port=port)
    begun = world.clock.now()
    await world.tell(world.submitted())
    await world.settle()
    while (delivery := (await world.deliveries())[0])["state"] == "pending":
        await world.pass_time(timedelta(minutes=30))
    assert delivery["state"] == "exhausted"
    assert timedelta(hours=72) <= world.clock.now() - begun <= timedelta(hours=77)
    read = await world.get(f"/v1/deliveries/{delivery['id']}", "agent")
    assert [one["number"] for one in read["attempt_list"]] == list(range(1, delivery["attempts"] + 1))
    assert 20 <= delivery["attempts"] <= 40
    events = (await world.get("/v1/events?type=delivery", "agent"))["items"]
    assert [(one["type"], one["ticket_id"]) for one in events] == [("delivery.exhausted", delivery["ticket_id"])]


async def test_a_failed_mail_can_be_sent_again_by_hand(start: Any, tmp_path: Any) -> None:
    """A supervisor's retry sends it now under the same Message-ID, with a new 72 hours; once sent, it is refused."""
    port = Broken(CapturedMail(tmp_path / "mail", offload), [lambda: MailRefused(550, "no such user")])
    world = await start(mail_port=port)
    await world.tell(world.submitted())
    await world.settle()
    (failed,) = await world.deliveries()
    assert failed["state"] == "failed"
    again = await world.call("POST", f"/v1/deliveries/{failed['id']}/retry", "supervisor")
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    await world.settle()
    (sent,) = await world.deliveries()
    assert (sent["state"], sent["attempts"], sent["message_id"]) == ("sent", 2, failed["message_id"])
    refused = await world.call("POST", f"/v1/deliveries/{failed['id']}/retry", "supervisor")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-to-be-repeated")
    assert (await world.call("POST", "/v1/deliveries/none/retry", "supervisor")).status_code == 404


async def test_what_was_never_to_be_sent_is_not_sent_by_hand(world: Any) -> None:
    """A suppressed delivery, or one without a usable address, can't be retried."""
    await world.tell(world.by_mail("support@firstline.example"))
    (suppressed,) = await world.deliveries()
    answer = await world.call("POST", f"/v1/deliveries/{suppressed['id']}/retry", "supervisor")
    assert answer.status_code == 409


async def test_a_mail_that_breaks_our_own_code_holds_up_no_other(start: Any, tmp_path: Any) -> None:
    """An unforeseen failure counts as a try and is shown; the mails behind it leave."""
    port = Broken(CapturedMail(tmp_path / "mail", offload), [lambda: RuntimeError("unforeseen")])
    world = await start(mail_port=port)
    await world.tell(world.submitted())
    await world.settle()
    await world.tell(world.replied())
    await world.settle()
    first, second = await world.deliveries()
    assert (first["state"], second["state"]) == ("pending", "sent")
    assert "on our side" in first["reason"]
    assert "unforeseen" not in first["reason"]

"""Mails end to end: kept, judged, each with exactly one outcome, whatever fails in between."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from firstline.common.addresses import message_id, reply_address
from firstline.common.errors import Unavailable
from firstline.common.lease import Alone
from firstline.common.policy.model import Policy
from firstline.intake import parsing
from firstline.intake.inbound import MailRules
from firstline.intake.mail import ParsedMail
from firstline.intake.parser import InProcessParser
from firstline.intake.service.inbound import MailSettings, Read, read_mail, settle_mail
from firstline.intake.store.mails import PENDING
from firstline.intake.worker import judge_mails
from intake_world import DESK_ADDRESS, MAIL_KEY, OpenWorld, World, picture, raw_mail


def counts(world: World) -> dict[str, object]:
    """Return what is kept beside the mails themselves."""
    stored = world.stored()
    return {name: stored[name] for name in ("ticket", "message", "attachment", "message_attachment", "log_event")}


def raw_files(world: World) -> list[str]:
    """Return the files of raw mails."""
    return sorted(key for (key,) in world.rows("SELECT file_key FROM mail"))


async def test_a_mail_becomes_a_request(world: World) -> None:
    """A mail without a number opens a request with its sender as requester, its files, and its marks in the event."""
    files = {"shot.png": picture(), "shot.bmp": picture("BMP")}
    judged = await world.mail(raw_mail(files=files, Message_ID="<one@shop.example>"))
    assert (judged["outcome"], judged["reason"]) == ("new_ticket", "no_number")
    assert [(file["name"], file["status"]) for file in judged["attachments"]] == [
        ("shot.png", "ok"),
        ("shot.bmp", "rejected"),
    ]
    ticket = await world.ticket(judged["ticket_id"])
    assert (ticket["subject"], ticket["channel"], ticket["participants"]) == (
        "White page",
        "email",
        ["clara@shop.example"],
    )
    (message,) = await world.messages(ticket, "client:clara")
    assert message["body"].strip() == "It is white."
    taken, refused = sorted(message["attachments"], key=lambda file: str(file["status"]))
    assert (taken["name"], taken["reason"]) == ("shot.png", None)
    assert "ZIP" in refused["reason"]
    content = await world.get(f"/v1/attachments/{taken['id']}", "client:clara")
    assert content.content == picture()
    assert (await world.get(f"/v1/attachments/{refused['id']}", "client:clara")).status_code == 404
    ((kind, data),) = await world.events(ticket["id"])
    assert (kind, data["origin"]["message_id"], data["origin"]["mail_id"]) == (
        "ticket.submitted",
        "<one@shop.example>",
        judged["id"],
    )
    assert (data["origin"]["verified"], data["received_at"]) == (False, world.clock.now())


async def test_a_participants_mail_is_appended(world: World) -> None:
    """A mail that names the number is added with its files, ends waiting for the client, and names its receipt time."""
    ticket = await world.submit()
    await world.must(ticket, "wait", {"cause": "client"})
    received = world.clock.now()
    mail_id = await world.keep(raw_mail(f"Re: [{ticket['number'].lower()}] x", "24.100", files={"a.png": picture()}))
    await world.runtime.settle()
    judged = (await world.get(f"/v1/mails/{mail_id}")).json()
    assert (judged["outcome"], judged["reason"], judged["ticket_id"]) == ("appended", "participant", ticket["id"])
    told = await world.events(ticket["id"], after=2)
    assert [kind for kind, _ in told] == ["ticket.replied", "ticket.resumed"]
    assert told[0][1]["received_at"] == received
    assert told[0][1]["author"]["side"] == "client"
    assert [file["name"] for file in told[0][1]["attachments"]] == ["a.png"]
    assert (await world.messages(ticket, "client:clara"))[-1]["attachments"][0]["status"] == "ok"


async def test_an_event_says_which_files_were_refused(world: World) -> None:
    """Who tells the sender reads of each file whether it was taken, and of a refused one the policy's advice."""
    ticket = await world.submit()
    await world.mail(raw_mail(f"[{ticket['number']}]", files={"a.png": picture(), "a.bmp": picture("BMP")}))
    ((_, told),) = await world.events(ticket["id"], after=1)
    advice = world.desk.policies.current.attachments.advice.only_in_archive
    assert [(file["name"], file["status"], file["reason"]) for file in told["attachments"]] == [
        ("a.png", "ok", None),
        ("a.bmp", "rejected", advice),
    ]


async def test_a_mail_programs_signature_is_no_file_to_tell_of(world: World) -> None:
    """What signs a mail is not kept, and nobody is told so with every mail."""
    ticket = await world.submit()
    raw = raw_mail(f"[{ticket['number']}]", files={"smime.p7s": b"\x30\x80" + bytes(40)})
    await world.mail(raw.replace(b"application/octet-stream", b"application/pkcs7-signature"))
    ((_, told),) = await world.events(ticket["id"], after=1)
    assert [(file["status"], file["reason"]) for file in told["attachments"]] == [("rejected", None)]


async def test_more_files_than_a_message_takes_are_named_as_refused(world: World) -> None:
    """A mail is taken with as many files as the policy allows; of the rest it says why they were not."""
    files = {f"{index}.png": picture() for index in range(22)}
    judged = await world.mail(raw_mail(files=files))
    assert judged["outcome"] == "new_ticket"
    assert [file["status"] for file in judged["attachments"]].count("rejected") == 2
    (message,) = await world.messages({"id": judged["ticket_id"]})
    reasons = {file["reason"] for file in message["attachments"] if file["status"] == "rejected"}
    assert reasons == {world.desk.policies.current.attachments.advice.count}
    assert len(world.files()) == 21


async def test_a_strangers_mail_is_held(world: World) -> None:
    """A stranger's mail with a right number is held beside the request: an event for staff, nothing to be read."""
    ticket = await world.submit()
    before = counts(world)
    stranger = raw_mail(f"[{ticket['number']}]", "Send it to me.", "eve@else.example", {"a.png": picture()})
    judged = await world.mail(stranger, "eve@else.example")
    assert (judged["outcome"], judged["reason"], judged["ticket_id"]) == (
        "quarantined",
        "not_a_participant",
        ticket["id"],
    )
    ((kind, data),) = await world.events(ticket["id"], after=1)
    assert (kind, data["mail_id"], data["status"]) == ("ticket.held_mail", judged["id"], "new")
    assert counts(world) == before | {"log_event": [(before["log_event"][0][0] + 1,)]}  # type: ignore[index]
    assert len(await world.messages(ticket, "client:clara")) == 1
    assert (await world.ticket(ticket["id"]))["participants"] == ["clara@shop.example"]
    assert world.files() == raw_files(world)


@pytest.mark.parametrize(
    ("mail", "outcome", "reason"),
    [
        (raw_mail(Auto_Submitted="auto-replied", files={"a.png": picture()}), "refused", "automatic"),
        (raw_mail(sender=DESK_ADDRESS, files={"a.png": picture()}), "refused", "own_address"),
        (raw_mail(sender="", files={"a.png": picture()}), "quarantined", "no_sender"),
    ],
)
async def test_what_opens_nothing_leaves_nothing(world: World, mail: bytes, outcome: str, reason: str) -> None:
    """A mail that is refused or held leaves its outcome and its raw bytes, and neither rows nor files beside them."""
    before = counts(world)
    judged = await world.mail(mail)
    assert (judged["outcome"], judged["reason"], judged["ticket_id"]) == (outcome, reason, None)
    assert counts(world) == before
    assert world.files() == raw_files(world)


async def test_the_same_mail_again_is_a_duplicate(world: World) -> None:
    """A copy names the mail that it copies; one with the same Message-ID and another text is no copy."""
    mail = raw_mail(files={"a.png": picture()}, Message_ID="<one@shop.example>")
    first = await world.mail(mail)
    before = counts(world)
    again = await world.mail(b"Received: from there\r\n" + mail)
    assert (again["outcome"], again["duplicate_of"], again["ticket_id"]) == ("duplicate", first["id"], None)
    assert counts(world) == before
    assert len(world.files()) == 3  # two raw mails, one file
    other = await world.mail(raw_mail(body="Something else.", Message_ID="<one@shop.example>"))
    assert other["outcome"] == "new_ticket"


async def test_a_returned_mail_is_a_note_for_staff(world: World) -> None:
    """The return of a mail of ours is kept as an internal note, whoever signs as its sender, and moves nothing."""
    ticket = await world.submit()
    ours = message_id(MAIL_KEY, ticket["number"], "d1", "firstline.example")
    raw = raw_mail("Undelivered", "It came back.", "mailer-daemon@shop.example", In_Reply_To=ours)
    judged = await world.mail(raw, "")
    assert (judged["outcome"], judged["reason"]) == ("appended", "returned_mail")
    assert [message["audience"] for message in await world.messages(ticket)] == ["public", "internal"]
    assert [message["audience"] for message in await world.messages(ticket, "client:clara")] == ["public"]
    assert [kind for kind, _ in await world.events(ticket["id"], after=1)] == ["ticket.noted"]


@pytest.mark.parametrize("state", [("wait", {"cause": "client"}), ("resolve", {}), ("close", {"reason": "aborted"})])
async def test_automatic_mail_has_no_effect(world: World, state: tuple[str, dict[str, Any]]) -> None:
    """A participant's robot is kept in the correspondence; it ends no waiting and reopens nothing, however late."""
    ticket = await world.submit()
    status = (await world.must(ticket, *state))["status"]
    for days in (0, 100 if status == "closed" else 3):
        world.move(days=days)
        raw = raw_mail(f"Re: [{ticket['number']}]", f"I am away {days}.", Auto_Submitted="auto-replied")
        assert (await world.mail(raw))["outcome"] == "appended"
    assert (await world.ticket(ticket["id"]))["status"] == status
    told = await world.events(ticket["id"], after=2)
    assert [(kind, data["origin"]["automatic"]) for kind, data in told] == [("ticket.replied", True)] * 2


async def test_a_late_mail_opens_a_request_that_follows(world: World) -> None:
    """A person's mail to what was closed too long ago becomes a new request; the mail's outcome says so."""
    ticket = await world.submit()
    await world.must(ticket, "close", {"reason": "aborted"})
    world.move(days=31)
    judged = await world.mail(raw_mail(f"Re: [{ticket['number']}]", "Again!", files={"a.png": picture()}))
    assert judged["outcome"] == "new_ticket"
    new = await world.ticket(judged["ticket_id"])
    assert (new["follows"], new["status"], new["channel"]) == (ticket["id"], "new", "email")
    assert (await world.messages(new))[0]["attachments"][0]["name"] == "a.png"
    assert (await world.ticket(ticket["id"]))["status"] == "closed"


async def test_a_signed_address_finds_the_request(world: World) -> None:
    """A mail to our signed reply address needs no number in its subject; a stranger's is held all the same."""
    ticket = await world.submit()
    to = reply_address(MAIL_KEY, ticket["number"], DESK_ADDRESS)
    assert (await world.mail(raw_mail("Hello"), to=to))["outcome"] == "appended"
    assert (await world.mail(raw_mail("Hello", sender="eve@else.example"), to=to))["outcome"] == "quarantined"


async def test_a_failed_sender_check_holds_the_mail(opened: OpenWorld, tmp_path: Path) -> None:
    """Where the configured server says that the sender is forged, the mail is held; a pass takes the badge away."""
    async with opened(tmp_path, server="mx.firstline.example") as world:
        ticket = await world.submit()
        for result, outcome in (("fail", "quarantined"), ("pass", "appended")):
            check = f"mx.firstline.example; dmarc={result} header.from=shop.example"
            raw = raw_mail(f"[{ticket['number']}]", result, Authentication_Results=check)
            assert (await world.mail(raw))["outcome"] == outcome
        assert (await world.messages(ticket))[-1]["verified"] is True


async def test_staff_by_mail_is_held(world: World) -> None:
    """An agent's address in From never makes an answer of ours (nobody has checked who it is)."""
    await world.person("anna", role="agent")
    ticket = await world.submit()
    judged = await world.mail(raw_mail(f"[{ticket['number']}]", "Solved.", "anna@shop.example"))
    assert (judged["outcome"], judged["reason"]) == ("quarantined", "staff_by_mail")
    assert len(await world.messages(ticket)) == 1


@pytest.mark.parametrize("garbage", [b"", b"\0\xff" * 500, b"From: \n\n", b"Subject: " + b"=?utf-8?q?=00?= " * 50])
async def test_garbage_has_its_outcome_too(world: World, garbage: bytes) -> None:
    """Whatever came in is kept byte for byte and ends in an outcome; it blocks nothing that comes after it."""
    bad = await world.keep(garbage, "x@else.example")
    good = await world.mail(raw_mail())
    assert good["outcome"] == "new_ticket"
    assert (await world.get(f"/v1/mails/{bad}")).json()["outcome"] == "quarantined"
    assert world.rows("SELECT count(*) FROM mail WHERE outcome IS NULL") == [(0,)]


class Trap(InProcessParser):
    """A parser that fails on one text, or is out of reach for a while."""

    def __init__(self) -> None:
        self.down = False

    async def parse(self, raw: bytes) -> tuple[ParsedMail, list[bytes]]:
        """Fail where the trap is set."""
        if self.down:
            raise Unavailable("The parser is not there.")
        if b"trap" in raw:
            raise RuntimeError("trapped")
        return parsing.parse(raw)


async def test_a_failing_mail_is_held_and_blocks_no_other(opened: OpenWorld, tmp_path: Path) -> None:
    """A mail whose judging fails is held as unreadable; its neighbours are judged in the same step."""
    async with opened(tmp_path, parser=Trap()) as world:
        ids = [await world.keep(raw_mail(body=body)) for body in ("first", "trap", "third")]
        await world.runtime.settle()
        outcomes = [(await world.get(f"/v1/mails/{mail_id}")).json()["outcome"] for mail_id in ids]
        assert outcomes == ["new_ticket", "quarantined", "new_ticket"]


async def test_mails_wait_while_the_parser_is_away(opened: OpenWorld, tmp_path: Path) -> None:
    """What can't be parsed now is no unreadable mail: it waits, and is judged once the parser is back."""
    trap = Trap()
    trap.down = True
    async with opened(tmp_path, parser=trap) as world:
        mail_id = await world.keep(raw_mail())
        with pytest.raises(Unavailable):
            await judge_mails(world.desk, trap, _settings(), Alone())
        assert world.rows("SELECT count(*) FROM mail WHERE outcome IS NULL") == [(1,)]
        trap.down = False
        await world.runtime.settle()
        assert (await world.get(f"/v1/mails/{mail_id}")).json()["outcome"] == "new_ticket"


def _settings() -> MailSettings:
    return MailSettings(MailRules(frozenset({DESK_ADDRESS})), MAIL_KEY)


async def test_a_mail_judged_twice_has_one_outcome(opened: OpenWorld, tmp_path: Path) -> None:
    """Two judges of one mail, or one that starts over after a crash, make one request, one event and keep one file."""
    trap = Trap()
    trap.down = True
    async with opened(tmp_path, parser=trap) as world:
        await world.keep(raw_mail(files={"a.png": picture()}))  # without a Message-ID nothing else tells copies
        (pending,) = await world.desk.store.read(lambda unit: unit.all(PENDING, limit=9))
        trap.down = False
        judges = [judge_mails(world.desk, InProcessParser(), _settings(), Alone()) for _ in range(3)]
        await asyncio.gather(*judges)
        await world.runtime.settle()  # the desk's own worker may be a judge too, and still be at work
        assert world.rows("SELECT count(*) FROM ticket") == [(1,)]
        assert world.rows("SELECT count(*) FROM log_event WHERE type = 'ticket.submitted'") == [(1,)]
        assert len(world.files()) == 2
        read: Read = await read_mail(world.desk, pending, *parsing.parse(raw_mail()))
        assert await world.desk.store.write(lambda unit: settle_mail(world.desk, unit, _settings(), read)) is None


async def test_mails_outlive_a_crash_before_they_are_judged(opened: OpenWorld, tmp_path: Path) -> None:
    """A mail that was accepted and not judged when the process died is judged by the next one, once."""
    trap = Trap()
    trap.down = True
    async with opened(tmp_path, parser=trap) as world:
        mail_id = await world.keep(raw_mail())
    async with opened(tmp_path) as world:
        await world.runtime.settle()
        assert (await world.get(f"/v1/mails/{mail_id}")).json()["outcome"] == "new_ticket"
        assert world.rows("SELECT count(*) FROM ticket") == [(1,)]


async def test_an_open_request_is_changed_under_its_own_policy(
    opened: OpenWorld, tmp_path: Path, policy: Policy
) -> None:
    """A mail that waited for a restart with another policy is added to its request as if nothing had changed."""
    trap = Trap()
    trap.down = True
    async with opened(tmp_path, parser=trap) as world:
        ticket = await world.submit(topic="updates")
        mail_id = await world.keep(raw_mail(f"[{ticket['number']}]"))
    document = policy.document()
    document["closing"]["reopen_window_days"] = 1
    async with opened(tmp_path, current=Policy.from_document(document)) as world:
        await asyncio.sleep(0.05)
        await world.runtime.settle()
        assert (await world.get(f"/v1/mails/{mail_id}")).json()["outcome"] == "appended"
        assert (await world.ticket(ticket["id"]))["policy_version"] == policy.version


async def test_a_policy_that_registers_nothing_by_mail_refuses_it(
    opened: OpenWorld, tmp_path: Path, policy: Policy
) -> None:
    """Where e-mail is no official channel a mail is refused with that reason, and leaves no file."""
    document = policy.document()
    document["channels"]["official"] = [way for way in document["channels"]["official"] if way["code"] != "email"]
    async with opened(tmp_path, current=Policy.from_document(document)) as world:
        judged = await world.mail(raw_mail(files={"a.png": picture()}))
        assert (judged["outcome"], judged["reason"]) == ("refused", "channel_not_official")
        assert world.rows("SELECT count(*) FROM attachment") == [(0,)]
        assert world.files() == raw_files(world)


async def test_clients_do_not_see_mails(world: World) -> None:
    """Inbound mail is for staff; its list comes in pages, by outcome too."""
    for index in range(5):
        await world.mail(raw_mail(f"{index}"))
    assert (await world.get("/v1/mails", "client:clara")).status_code == 403
    first = (await world.get("/v1/mails", limit=2, outcome="new_ticket")).json()
    rest = (await world.get("/v1/mails", limit=10, outcome="new_ticket", cursor=first["next"])).json()
    assert [mail["subject"] for mail in first["items"] + rest["items"]] == ["4", "3", "2", "1", "0"]
    assert (await world.get("/v1/mails", outcome="refused")).json() == {"items": [], "next": None}
    assert (await world.get("/v1/mails/none")).status_code == 404

"""One acknowledgement a request, or one recorded reason why not (clause 4.4; P12, P14, check 12)."""

from datetime import timedelta
from typing import Any

import pytest
from firstline.common.addresses import read_message_id, read_reply_address, reply_address, tagged_numbers
from firstline.common.event_parts import Actor, MissingField, Origin, RequesterRef, Scope
from firstline.common.events import PolicyPublished
from firstline.common.policy.model import Policy

CLARA, KEY, NUMBER = "clara@shop.example", b"k" * 32, "FL-7K3M-9QPX"


async def test_a_request_is_acknowledged_once_with_its_id(world: Any) -> None:
    """The mail goes to the requester at once, names the ID once, and can be answered to a signed address."""
    await world.tell(world.submitted())
    await world.settle()
    (mail,) = world.mails()
    assert mail["To"] == "Clara <clara@shop.example>"
    assert mail["Subject"] == f"[{NUMBER}] Site white after the update"
    assert read_message_id(KEY, mail["Message-ID"]) == NUMBER
    assert read_reply_address(KEY, mail["Reply-To"].addresses[0].addr_spec) == NUMBER
    assert mail["Auto-Submitted"] == "auto-replied"
    text = mail.get_content()
    assert "Its ID is FL-7K3M-9QPX" in text
    assert f"https://desk.example/requests/{NUMBER}" in text
    assert "The Helpdesk is open now" in text
    assert "ticket" not in text.lower()
    (delivery,) = await world.deliveries()
    assert (delivery["kind"], delivery["state"], delivery["attempts"]) == ("acknowledgement", "sent", 1)
    assert delivery["message_id"] == mail["Message-ID"]


async def test_the_acknowledgement_asks_refers_and_tells_the_hours(world: Any) -> None:
    """What is missing, who helps instead, what the licence allows and when the Helpdesk opens stand in it (A14)."""
    await world.pass_time(timedelta(hours=10))
    scope = Scope(verdict="out", support_mode="none", reason="Own code.", refer_to=world.policy.scope.referrals[0].code)
    missing = [MissingField(field="version", question="Which version do you use?")]
    await world.tell(world.submitted(scope=scope, missing_information=missing, entitlement="expired"))
    await world.settle()
    text = " ".join(world.mails()[0].get_content().split())
    assert "- Which version do you use?" in text
    assert "Own code." in text
    assert world.policy.scope.referrals[0].advice in text
    assert world.policy.entitlement.expired.notice in text
    assert "works Mon-Fri 06:00-16:00 (UTC) and opens again on 2026-11-24 06:00 (UTC)" in text


@pytest.mark.parametrize(
    ("special", "said"),
    [
        ({"public_holidays": {"country": "DE"}, "holidays": ["2026-11-24"]}, "opens again on 2026-11-25 06:00 (UTC)"),
        ({"public_holidays": {"country": "DE", "dates": {"2026": ["2026-11-24"]}}}, "on 2026-11-25 06:00 (UTC)"),
        ({"hours": {"fri": [["06:00", "16:00"]]}, "works_as": {"2026-11-24": "fri"}}, "on 2026-11-24 06:00 (UTC)"),
        (
            {"hours_from": {"2026-11-23": {"thu": [["09:00", "12:00"]]}}},
            "works Thu 09:00-12:00 (UTC) and opens again on",
        ),
        ({"hours_from": {"2026-11-24": {"thu": [["09:00", "12:00"]]}}}, "on 2026-11-26 09:00 (UTC)"),
        ({"tz": "Asia/Kolkata"}, "(Asia/Kolkata) and opens again on 2026-11-24 06:00 (Asia/Kolkata)"),
    ],
)
async def test_the_acknowledgement_knows_days_that_are_unlike_others(
    start: Any, shipped_policy: Policy, special: dict[str, Any], said: str
) -> None:
    """Holidays, days that work as others and later hours move the opening that clients read (clause 2.1)."""
    calendar = {**shipped_policy.calendar, **special}
    world = await start(policy=shipped_policy.model_copy(update={"calendar": calendar}))
    await world.pass_time(timedelta(hours=10))
    await world.tell(world.submitted())
    await world.settle()
    assert said in " ".join(world.mails()[0].get_content().split())


async def test_a_stranger_is_asked_for_what_is_missing(world: Any) -> None:
    """The questions are the policy's own words, so an unknown sender reads them too (clause 4.2)."""
    missing = [MissingField(field="version", question="Which version do you use?")]
    await world.tell(world.by_mail("mia@elsewhere.example", missing_information=missing))
    await world.settle()
    assert (await world.deliveries())[0]["kind"] == "acknowledgement_unknown_sender"
    assert "- Which version do you use?" in world.mails()[0].get_content()


async def test_the_same_event_twice_gives_one_mail(world: Any) -> None:
    """An event that comes by the bus and again by the pull is applied once."""
    (event,) = await world.tell(world.submitted())
    await world.runtime.inbox.receive([event])
    await world.settle()
    assert len(world.mails()) == len(await world.deliveries()) == 1


async def test_a_stranger_reads_no_word_of_what_was_written_in_their_name(world: Any) -> None:
    """A mail without proof from an unknown sender is acknowledged without its subject, name or text."""
    await world.tell(world.by_mail("victim@elsewhere.example"))
    await world.settle()
    (mail,) = world.mails()
    assert "evil" not in str(mail["Subject"]) + str(mail["To"]) + mail.get_content()
    assert "Mallory" not in str(mail)
    assert tagged_numbers(mail["Subject"]) == (NUMBER,)
    assert mail["In-Reply-To"] == "<one@evil.example>"


@pytest.mark.parametrize("proof", ["sender check", "account"])
async def test_a_known_sender_gets_the_full_acknowledgement(world: Any, proof: str) -> None:
    """Somebody whose mail was proved, or whom accounts knows, reads their own subject."""
    if proof == "account":
        await world.knows(CLARA)
    origin = Origin(channel="email", verified=proof == "sender check", message_id="<a@shop.example>")
    await world.tell(world.by_mail(CLARA, origin=origin, subject="Slow reports"))
    await world.settle()
    assert world.mails()[0]["Subject"] == f"[{NUMBER}] Slow reports"


async def test_a_person_is_written_to_in_their_language_and_by_name(world: Any) -> None:
    """Name and language come from accounts where the event has none."""
    await world.knows(CLARA, name="Clara Klein", language="en-GB")
    await world.tell(world.submitted(requester=RequesterRef(id="clara", email="Clara@Shop.example")))
    await world.settle()
    assert "Hello Clara Klein," in world.mails()[0].get_content()
    assert (await world.deliveries())[0]["recipient"] == CLARA


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"origin": Origin(channel="email", automatic=True, verified=True)}, "automatic"),
        ({"requester": RequesterRef(email="Support@firstline.example")}, "own_address"),
        ({"requester": RequesterRef(email="support+fl-7k3m-9qpx.{mac}@firstline.example")}, "own_address"),
    ],
)
async def test_a_suppressed_acknowledgement_leaves_its_reason(world: Any, changes: Any, reason: str) -> None:
    """Machines and the desk's own addresses get nothing; the delivery says why."""
    if "mac" in str(changes):
        changes = {"requester": RequesterRef(email=reply_address(KEY, NUMBER, "support@firstline.example"))}
    await world.tell(world.submitted(**changes))
    await world.settle()
    (delivery,) = await world.deliveries()
    assert (delivery["state"], delivery["reason"], delivery["attempts"]) == ("suppressed", reason, 0)
    assert delivery["finished_at"] is not None
    assert world.mails() == []


async def test_strangers_are_capped_by_address_and_hour(world: Any) -> None:
    """One unknown address gets as many acknowledgements an hour as the policy says, then again after the hour."""
    cap = world.policy.mail.acknowledgements_per_hour.per_address
    for count in range(cap + 1):
        await world.tell(world.by_mail("loud@evil.example"), stream=f"ticket/{count:036}")
    await world.settle()
    states = [(one["state"], one["reason"]) for one in await world.deliveries()]
    assert states == [("sent", "")] * cap + [("suppressed", "rate_cap_address")]
    await world.pass_time(timedelta(hours=1))
    await world.tell(world.by_mail("loud@evil.example"), stream=f"ticket/{cap + 1:036}")
    assert (await world.deliveries())[-1]["state"] != "suppressed"


async def test_all_strangers_together_are_capped(start: Any, shipped_policy: Any) -> None:
    """Unknown senders share one hourly cap, known ones are not touched by it."""
    caps = shipped_policy.mail.acknowledgements_per_hour.model_copy(update={"all_unknown": 2})
    mail = shipped_policy.mail.model_copy(update={"acknowledgements_per_hour": caps})
    world = await start(policy=shipped_policy.model_copy(update={"mail": mail}))
    for count in range(3):
        await world.tell(world.by_mail(f"{count}@evil.example"), stream=f"ticket/{count:036}")
    await world.tell(world.submitted())
    reasons = [one["reason"] for one in await world.deliveries()]
    assert reasons == ["", "", "rate_cap_strangers", ""]


async def test_a_known_machine_that_loses_the_id_is_capped(world: Any) -> None:
    """A known address that answers each acknowledgement with a new mail gets at most sixty an hour (P14)."""
    origin = Origin(channel="email", verified=True)
    for count in range(62):
        await world.tell(world.by_mail(CLARA, origin=origin), stream=f"ticket/{count:036}")
    reasons = [one["reason"] for one in await world.deliveries()]
    assert reasons == [""] * 60 + ["rate_cap_address"] * 2


async def test_an_address_that_no_mail_can_go_to_is_shown(world: Any) -> None:
    """The delivery fails at once, says why, and the specialists hear of it."""
    await world.tell(world.submitted(requester=RequesterRef(email="clara(at)shop")))
    await world.settle()
    (delivery,) = await world.deliveries()
    assert delivery["state"] == "failed"
    assert "name@host.example" in delivery["reason"]
    events = (await world.get("/v1/events?type=delivery.failed", "agent"))["items"]
    assert [one["data"]["delivery_id"] for one in events] == [delivery["id"]]


async def test_an_unknown_policy_version_waits(world: Any, shipped_policy: Any) -> None:
    """A request under a version that hasn't been published here is acknowledged once it has."""
    later = Policy.from_document(shipped_policy.document() | {"title": "Another desk"})
    await world.tell(world.submitted(policy_version=later.version))
    assert await world.deliveries() == []
    published = PolicyPublished(
        actor=Actor(id="intake", role="service"),
        version=later.version,
        document=later.document(),
        effective_from=later.effective_from,
    )
    await world.tell(published, stream="policy/bitrix24")
    await world.settle()
    assert "Another desk" in world.mails()[0].get_content()


async def test_a_partner_sends_no_words_of_their_own_to_strangers(world: Any) -> None:
    """A request for somebody whom nobody knows is acknowledged as a stranger's is: no word of it, and capped."""
    cap = world.policy.mail.acknowledgements_per_hour.per_address
    forged = {
        "actor": Actor(id="pia", role="partner"),
        "requester": RequesterRef(email="victim@v.example", name="Hello Bank"),
        "subject": "Your account is locked http://evil.example",
    }
    for count in range(cap + 1):
        await world.tell(world.submitted(**forged), stream=f"ticket/{count:036}")
    await world.settle()
    states = [(one["kind"], one["state"]) for one in await world.deliveries()]
    assert states == [("acknowledgement_unknown_sender", "sent")] * cap + [
        ("acknowledgement_unknown_sender", "suppressed")
    ]
    assert not any("evil" in mail.as_string() or "Bank" in mail.as_string() for mail in world.mails())


@pytest.mark.parametrize("known", [True, False])
async def test_a_part_is_acknowledged_as_one(world: Any, known: bool) -> None:
    """A request that was split off is acknowledged with its own ID, and names the one that it came from."""
    facts = {"split_from": "0193-a", "split_from_number": "FL-0000-0001", "actor": Actor(id="anna", role="agent")}
    await world.tell(world.submitted(**facts) if known else world.by_mail("victim@elsewhere.example", **facts))
    await world.settle()
    text = world.mails()[0].get_content()
    assert NUMBER in text
    assert "of its own of a question in" in " ".join(text.split())
    assert "FL-0000-0001" in text
    assert "Mallory" not in text

"""Mails about what happens to a request: to whom, once an act, in one thread (clauses 2.3, 4.4, 4.8; P14)."""

from datetime import timedelta
from email.utils import parseaddr
from typing import Any

import pytest
from firstline.common.addresses import tagged_numbers
from firstline.common.event_parts import Actor, Author, MissingField, Origin, Recipient
from firstline.common.events import (
    PolicyPublished,
    TicketClosed,
    TicketHandedOver,
    TicketMerged,
    TicketNoted,
    TicketReleased,
    TicketReleasePlanned,
    TicketReminded,
    TicketReopened,
    TicketReplied,
    TicketResolved,
    TicketResumed,
    TicketSupervisorAnswered,
    TicketSupervisorRequested,
    TicketTriaged,
    TicketUnmerged,
    TicketWaiting,
)
from firstline.common.policy.model import Policy

CLARA, BEN, NUMBER = "clara@shop.example", "ben@shop.example", "FL-7K3M-9QPX"
BOTH = [Recipient(address=CLARA, name="Clara"), Recipient(address=BEN)]
CLIENT = Author(id="clara", address="Clara@shop.example", name="Clara", role="client", side="client")
FACTS: dict[str, Any] = {
    "actor": Actor(id="anna", role="agent"),
    "number": NUMBER,
    "organization_id": "shop",
    "recipients": [Recipient(address=CLARA, name="Clara")],
}
IDS = ["<first@shop.example>", "<second@shop.example>"]


def marks(mail: Any) -> list[str]:
    """Return the Message-IDs of a mail's References."""
    return str(mail["References"] or "").split()


def receivers(mails: list[Any]) -> list[str]:
    """Return whom mails go to, in their order."""
    return [parseaddr(mail["To"])[1] for mail in mails]


async def test_a_specialists_reply_goes_to_everybody_on_the_clients_side(world: Any) -> None:
    """Each participant gets the whole answer in a mail of their own, signed with the specialist's name."""
    await world.tell(world.submitted(recipients=BOTH), world.replied(recipients=BOTH))
    await world.settle()
    mails = world.mails()[1:]
    assert receivers(mails) == [CLARA, BEN]
    assert len({mail["Message-ID"] for mail in mails}) == 2
    for mail in mails:
        assert mail["Subject"] == f"Re: [{NUMBER}] Site white after the update"
        assert mail["Auto-Submitted"] == "auto-generated"
    assert all(text.startswith("Clear the cache.\n\nAnna\n") for text in world.texts()[1:])


async def test_a_clients_message_goes_to_the_others_only(world: Any) -> None:
    """The author gets no copy, whatever the letter case of the address; the other participants do."""
    await world.tell(world.submitted(recipients=BOTH), world.replied(CLIENT, recipients=BOTH, body="It is version 24."))
    await world.settle()
    (mail,) = world.mails()[1:]
    assert receivers([mail]) == [BEN]
    assert world.texts()[1].startswith("It is version 24.\n\nClara\n")


async def test_mails_form_one_thread(world: Any) -> None:
    """A reply answers the client's last mail and names those before it, ours to that person included, in order."""
    origin = Origin(channel="email", verified=True, message_id=IDS[0], references=["<zero@shop.example>"])
    answer = Origin(channel="email", verified=True, message_id=IDS[1])
    await world.tell(world.submitted(origin=origin), world.replied())
    await world.tell(world.replied(CLIENT, origin=answer), world.replied(recipients=BOTH))
    await world.settle()
    acknowledgement, first, second, copy = world.mails()
    assert (acknowledgement["In-Reply-To"], marks(acknowledgement)) == (IDS[0], ["<zero@shop.example>", IDS[0]])
    assert first["In-Reply-To"] == IDS[0]
    assert second["In-Reply-To"] == IDS[1]
    ours = [acknowledgement["Message-ID"], first["Message-ID"]]
    assert marks(second) == ["<zero@shop.example>", IDS[0], *ours, IDS[1]]
    assert marks(copy) == ["<zero@shop.example>", IDS[0], IDS[1]]


async def test_without_mails_of_the_client_our_own_begin_the_thread(world: Any) -> None:
    """A request from the website threads on the acknowledgement."""
    await world.tell(world.submitted(), world.replied())
    await world.settle()
    acknowledgement, reply = world.mails()
    assert acknowledgement["In-Reply-To"] is None
    assert reply["In-Reply-To"] == acknowledgement["Message-ID"]


@pytest.mark.parametrize(
    "subject",
    [
        "Re: AW: [FL-7K3M-9QPX] [fl-7k3m-9qpx] Slow",
        "Slow\r\nBcc: all@shop.example\r\n\r\nbody",
        "[FL-0000-0000] Slow \u202e evil",
        "x" * 5000,
        "=?utf-8?q?=5BFL-0000-0000=5D?=",
        "{{ desk }} {% if %}",
    ],
)
async def test_hostile_subjects_stay_one_line_with_the_id_once(world: Any, subject: str) -> None:
    """Whatever a client wrote as subject, mails have one subject line, our number once, and no header of theirs."""
    await world.tell(world.submitted(subject=subject), world.replied())
    await world.settle()
    for mail in world.mails():
        assert mail["Bcc"] is None
        assert tagged_numbers(mail["Subject"]) == (NUMBER,)
        assert str(mail["Subject"]).count("FL-7K3M-9QPX") == 1
        assert len(str(mail["Subject"])) < 150


@pytest.mark.parametrize("status", ["resolved", "closed"])
async def test_an_ending_with_words_is_one_mail(world: Any, status: str) -> None:
    """A reply given to resolve or close goes out with that notice, which says how to take the request up again."""
    ending = TicketResolved if status == "resolved" else TicketClosed
    said = {"reason": "resolved"} if status == "closed" else {}
    await world.tell(world.submitted())
    await world.tell(world.replied(status=status), ending(**FACTS, status=status, **said))
    await world.settle()
    (mail,) = world.mails()[1:]
    text = " ".join(mail.get_content().split())
    assert "Clear the cache." in text
    assert "change them now" in text
    assert f"{world.policy.closing.reopen_window_days} days" in text


async def test_words_are_not_lost_where_the_policys_text_has_no_place_for_them(start: Any, shipped_policy: Any) -> None:
    """A policy whose text for endings prints no message lets the reply go out as a reply."""
    text = shipped_policy.wording.languages["en"]["resolved"].model_copy(update={"body": "{{ number }} is solved."})
    languages = {"en": shipped_policy.wording.languages["en"] | {"resolved": text}}
    wording = shipped_policy.wording.model_copy(update={"languages": languages})
    world = await start(policy=shipped_policy.model_copy(update={"wording": wording}))
    await world.tell(world.submitted())
    await world.tell(world.replied(status="resolved"), TicketResolved(**FACTS, status="resolved"))
    await world.settle()
    (text,) = world.texts()[1:]
    assert text.startswith("Clear the cache.\n\nAnna\n")


async def test_a_reply_on_a_resolved_request_is_a_mail_of_its_own(world: Any) -> None:
    """Staff may still write after the resolution; nothing waits for an ending that was told already."""
    await world.tell(world.submitted())
    await world.tell(TicketResolved(**FACTS, status="resolved"))
    await world.tell(world.replied(status="resolved"))
    await world.settle()
    assert [one["kind"] for one in await world.deliveries()] == ["acknowledgement", "resolved", "reply"]


async def test_closing_tells_the_reason_and_spam_tells_nothing(world: Any) -> None:
    """The notice carries the policy's words for reason and circumstance; a sender of spam gets no mail."""
    abort = next(known for known in world.policy.circumstances if known.effect == "abort")
    await world.tell(world.submitted())
    await world.tell(TicketClosed(**FACTS, status="closed", reason="aborted", circumstance=abort.code))
    await world.tell(TicketClosed(**FACTS, status="closed", reason="spam"))
    await world.settle()
    (mail,) = world.mails()[1:]
    text = " ".join(mail.get_content().split())
    assert "The work on it had to end" in text
    assert " ".join(abort.text.split()) in text


async def test_a_merge_says_where_it_goes_on(world: Any) -> None:
    """Merged, one mail names the other request and its address, whatever the desk wrote down; taken back, one more."""
    await world.tell(world.submitted())
    author, origin = Author(id="anna", role="agent", side="staff"), Origin(channel="api", automatic=True)
    words = {"message_id": "m", "author": author, "origin": origin, "received_at": world.clock.now()}
    remark = TicketReplied(**FACTS, status="closed", body="It goes on there.", **words)
    merged = TicketMerged(**FACTS, status="closed", into="0193-b", into_number="FL-0000-0002")
    await world.tell(
        remark, merged, TicketClosed(**FACTS, status="closed", reason="duplicate", into_number="FL-0000-0002")
    )
    await world.tell(TicketUnmerged(**FACTS, status="open"))
    await world.settle()
    closed, opened = (" ".join(mail.get_content().split()) for mail in world.mails()[1:])
    assert "It is about the same as request FL-0000-0002 and goes on there." in closed
    assert "https://desk.example/requests/FL-0000-0002" in closed
    assert "It goes on there." not in closed
    assert "is open again" in opened


IN = {"verdict": "in", "support_mode": "full", "reason": "Ours.", "refer_to": None}
OPEN = {**IN, "verdict": "undetermined"}
REFERENCES = {**IN, "support_mode": "consult_only", "reason": "Settings of a server."}
OUT = {"verdict": "out", "support_mode": "none", "reason": "Own code.", "refer_to": "developer"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (OPEN, OUT, ["does not cover your request", "Own code.", "Ask your web developer"]),
        (OUT, {**OUT, "refer_to": "partner"}, ["Ask the partner who built"]),
        (OUT, IN, ["technical support covers it: Ours."]),
        (IN, REFERENCES, ["by references to documentation", "Settings of a server."]),
        (REFERENCES, IN, ["technical support covers it"]),
        (OPEN, IN, []),
        (IN, {**IN, "reason": "Ours, as said.", "product_error": True}, []),
        (OUT, {**OUT, "reason": "As said."}, []),
    ],
)
async def test_a_change_of_scope_is_told(
    world: Any, before: dict[str, Any], after: dict[str, Any], words: list[str]
) -> None:
    """Whoever is not covered, by references only, or after all, reads it with whom to ask; others nothing."""
    await world.tell(world.submitted())
    judged = {"urgency": "normal", "tier": "helpdesk", "status": "open"}
    await world.tell(TicketTriaged(**FACTS, **judged, changes={"scope": [before, after]}))
    await world.settle()
    texts = [" ".join(mail.get_content().split()) for mail in world.mails()[1:]]
    assert len(texts) == bool(words)
    assert all(word in texts[0] for word in words)


@pytest.mark.parametrize(
    ("levels", "told"), [(("high", "normal"), True), (("high", "high"), False), (("normal", "high"), False)]
)
async def test_an_urgency_that_is_returned_is_told_with_its_reason(
    world: Any, levels: tuple[str, str], told: bool
) -> None:
    """Whose request goes back to its turn reads why; a confirmation or a higher urgency is no mail."""
    await world.tell(world.submitted(urgency="high", urgency_provisional=True))
    changes = {"urgency": list(levels)} if levels[0] != levels[1] else {"urgency_provisional": [True, False]}
    judged = {"urgency": levels[1], "tier": "helpdesk", "status": "open", "reason": "The site answers."}
    await world.tell(TicketTriaged(**FACTS, **judged, changes=changes))
    await world.settle()
    texts = [" ".join(mail.get_content().split()) for mail in world.mails()[1:]]
    assert len(texts) == told
    assert all("returned it to its place" in text and "The site answers." in text for text in texts)


async def test_closing_out_of_scope_says_whom_to_ask(world: Any) -> None:
    """The notice of closing carries the referral's advice (clause 1.3)."""
    await world.tell(world.submitted())
    await world.tell(TicketClosed(**FACTS, status="closed", reason="out_of_scope", refer_to="hosting"))
    await world.settle()
    assert world.policy.referral("hosting").advice in " ".join(world.mails()[1].get_content().split())


async def test_a_text_that_a_policy_lacks_is_not_missed(world: Any) -> None:
    """A policy that was published before a text existed leaves the reason why nothing was sent."""
    document = world.policy.document() | {"name": "older"}
    del document["wording"]["languages"]["en"]["covered"]
    older = Policy.from_document(document)
    published = PolicyPublished(
        actor=FACTS["actor"], version=older.version, document=document, effective_from=older.effective_from
    )
    await world.tell(published, stream="policy/older")
    await world.tell(world.submitted(policy_version=older.version))
    judged = {"urgency": "normal", "tier": "helpdesk", "status": "open"}
    await world.tell(TicketTriaged(**FACTS, **judged, changes={"scope": [OUT, IN]}))
    await world.settle()
    (lacking,) = [d for d in await world.deliveries() if d["kind"] == "covered"]
    assert (lacking["state"], len(world.mails())) == ("suppressed", 1)


async def test_waiting_says_whose_turn_it_is(world: Any) -> None:
    """Waiting for the client names the next step; waiting for others says that there is none."""
    await world.tell(world.submitted())
    await world.tell(TicketWaiting(**FACTS, status="waiting", cause="client"))
    await world.tell(TicketWaiting(**FACTS, status="waiting", cause="third_party"))
    await world.settle()
    client, others = (mail.get_content() for mail in world.mails()[1:])
    assert "The next step is yours" in client
    assert "You need not do anything" in others


async def test_silence_is_warned_of_with_its_day(world: Any) -> None:
    """Waiting for the client, a reminder and a solution each say when silence closes the request, with the zone."""
    closes_at = world.clock.now() + timedelta(days=3)
    missing = [MissingField(field="version", question="Which version is it?")]
    await world.tell(world.submitted())
    await world.tell(TicketWaiting(**FACTS, status="waiting", cause="client", closes_at=closes_at))
    reminder = TicketReminded(**FACTS, status="waiting", kind="client", closes_at=closes_at)
    await world.tell(reminder, reminder.model_copy(update={"missing_information": missing}))
    await world.tell(TicketResolved(**FACTS, status="resolved", closes_at=closes_at))
    await world.settle()
    texts = world.texts()[1:]
    assert ["2026-11-26 12:00 (UTC)" in " ".join(text.split()) for text in texts] == [True] * 4
    assert ["- Which version is it?" in text for text in texts] == [False, False, True, False]


async def test_a_reminder_of_a_solution_waits_for_no_answer(world: Any) -> None:
    """Reminded of what is resolved, the client reads that it is, and not that we wait for them."""
    closes_at = world.clock.now() + timedelta(days=3)
    await world.tell(world.submitted())
    await world.tell(TicketReminded(**FACTS, status="resolved", kind="resolved", closes_at=closes_at))
    await world.settle()
    text = " ".join(world.texts()[-1].split())
    assert f"marked your request {NUMBER} as solved. Without a word from you it closes on 2026-11-26" in text
    assert "waiting for your answer" not in text


async def test_the_supervisor_is_told_and_the_client_gets_the_answer(world: Any) -> None:
    """Each supervisor reads what the client wrote and which request it is about; the client's side reads the answer."""
    await world.tell(world.submitted())
    asked = TicketSupervisorRequested(
        **FACTS,
        status="open",
        request_id="q",
        kind="accelerate",
        body="We open on Monday.",
        asked_by="Clara",
        supervisors=[Recipient(address="sue@firstline.example", name="Sue")],
    )
    await world.tell(asked, asked.model_copy(update={"kind": "comment"}))
    await world.tell(
        TicketSupervisorAnswered(**FACTS, status="open", request_id="q", body="We see to it.", answered_by="Sue")
    )
    await world.settle()
    mails, texts = world.mails()[1:], world.texts()[1:]
    assert receivers(mails) == ["sue@firstline.example", "sue@firstline.example", CLARA]
    assert all(NUMBER in str(mail["Subject"]) for mail in mails)
    assert "asks you to speed up" in " ".join(texts[0].split())
    assert "has a comment on how" in " ".join(texts[1].split())
    assert all("We open on Monday." in text for text in texts[:2])
    assert "We see to it." in texts[2]


PLAN = {"version": "24.200", "date": "2027-02-01", "precision": "quarter"}


async def test_development_is_told_of_from_hand_over_to_release(world: Any) -> None:
    """One mail when it is handed over, one when the plan moves, one when it is out; each names the version."""
    await world.tell(world.submitted())
    handed = TicketHandedOver(**FACTS, status="waiting", defect_ref="BUG-4711", planned_release=PLAN)
    await world.tell(handed, TicketWaiting(**FACTS, status="waiting", cause="release", circumstance="release"))
    later = {"version": "24.300", "date": None, "precision": None}
    await world.tell(TicketReleasePlanned(**FACTS, status="waiting", planned_release=later, before=PLAN))
    released = TicketReleased(**FACTS, status="open", version="24.300", note="At the usual place.")
    await world.tell(released, TicketResumed(**FACTS, status="open", cause="release"))
    await world.settle()
    first, second, third = (" ".join(text.split()) for text in world.texts()[1:])
    assert "planned for version 24.200, which is planned for 2027-Q1" in first
    assert "version 24.300 is to hold the change." in second
    assert "Before, it was version 24.200, planned for 2027-Q1." in second
    assert "version 24.300 is out" in third
    assert "At the usual place." in third
    assert not any("BUG-4711" in text for text in world.texts())


async def test_a_request_that_waits_already_hears_of_its_hand_over(world: Any) -> None:
    """A request handed over while it waits for somebody gets one mail too, not planned yet if it isn't."""
    await world.tell(world.submitted())
    await world.tell(TicketWaiting(**FACTS, status="waiting", cause="third_party"))
    await world.tell(
        TicketHandedOver(**FACTS, status="waiting", defect_ref="BUG-1"),
        TicketWaiting(**FACTS, status="waiting", cause="release"),
    )
    await world.settle()
    (text,) = world.texts()[2:]
    assert "not settled yet" in text


async def test_an_older_policy_tells_a_hand_over_as_waiting(start: Any, shipped_policy: Any) -> None:
    """Where the version that took a request lacks a text, the mail is left out with the reason, or told otherwise."""
    texts = {kind: text for kind, text in shipped_policy.wording.languages["en"].items() if "release" not in kind}
    del texts["handed_over"]
    wording = shipped_policy.wording.model_copy(update={"languages": {"en": texts}})
    world = await start(policy=shipped_policy.model_copy(update={"wording": wording}))
    await world.tell(world.submitted())
    await world.tell(
        TicketHandedOver(**FACTS, status="waiting", defect_ref="BUG-1", planned_release=PLAN),
        TicketWaiting(**FACTS, status="waiting", cause="release", circumstance="release"),
        TicketReleased(**FACTS, status="open", version="24.200"),
    )
    made = [(one["kind"], one["state"], one["reason"]) for one in await world.deliveries()][1:]
    assert [(kind, state) for kind, state, _ in made] == [("waiting", "pending"), ("released", "suppressed")]
    assert made[1][2] == "no_text"


async def test_waiting_lists_what_is_missing(world: Any) -> None:
    """Waiting for the client prints exactly the questions that are open (clause 4.2)."""
    await world.tell(world.submitted())
    missing = [MissingField(field="version", question="Which version do you use?")]
    await world.tell(TicketWaiting(**FACTS, status="waiting", cause="client", missing_information=missing))
    await world.settle()
    assert "each answer behind its question:\n- Which version do you use?\n\nThe next step" in world.texts()[1]


async def test_a_judgement_that_asks_for_more_is_told(world: Any) -> None:
    """What a judgement makes missing is asked for by mail, once; one that adds no question tells nothing."""
    await world.tell(world.submitted())
    version, page = ({"field": "version", "question": "Which?"}, {"field": "doc_refs", "question": "Which page?"})
    judged: dict[str, Any] = {**FACTS, "status": "open", "urgency": "normal", "tier": "helpdesk"}
    await world.tell(TicketTriaged(**judged, changes={"missing_information": [[version], [version, page]]}))
    await world.tell(TicketTriaged(**judged, changes={"missing_information": [[version, page], [page]]}))
    await world.settle()
    (text,) = world.texts()[1:]
    assert "- Which?\n- Which page?" in text
    assert [one["kind"] for one in await world.deliveries()] == ["acknowledgement", "missing_information"]


JUDGED: dict[str, Any] = {
    "scope": [
        {"verdict": "in", "support_mode": "full"},
        {"verdict": "out", "support_mode": "none", "reason": "Hosting is not ours.", "refer_to": "hosting"},
    ],
    "urgency": ["high", "normal"],
    "missing_information": [[], [{"field": "version", "question": "Which version?"}]],
}


async def test_a_judgement_is_told_in_one_mail(world: Any) -> None:
    """However much a judgement changes for the client, one mail tells all of it (clauses 1.3, 2.1, 4.2)."""
    await world.tell(world.submitted(recipients=BOTH))
    judged: dict[str, Any] = {**FACTS, "recipients": BOTH, "status": "open", "urgency": "normal", "tier": "helpdesk"}
    await world.tell(TicketTriaged(**judged, reason="The shop works.", changes=JUDGED))
    await world.settle()
    made = [(one["kind"], one["recipient"]) for one in await world.deliveries()]
    assert made[1:] == [("judged", CLARA), ("judged", BEN)]
    text = " ".join(world.texts()[1].split())
    for words in ("not cover it: Hosting is not ours.", "order of receipt: The shop works.", "- Which version?"):
        assert words in text
    assert "covers it" not in text


async def test_an_older_policy_tells_a_judgement_in_its_texts(start: Any, shipped_policy: Any) -> None:
    """Where the version that took a request lacks the text that holds all, each text it has is sent."""
    texts = {kind: text for kind, text in shipped_policy.wording.languages["en"].items() if kind != "judged"}
    wording = shipped_policy.wording.model_copy(update={"languages": {"en": texts}})
    world = await start(policy=shipped_policy.model_copy(update={"wording": wording}))
    await world.tell(world.submitted())
    judged: dict[str, Any] = {**FACTS, "status": "open", "urgency": "normal", "tier": "helpdesk"}
    await world.tell(TicketTriaged(**judged, reason="The shop works.", changes=JUDGED))
    kinds = [one["kind"] for one in await world.deliveries()]
    assert kinds[1:] == ["out_of_scope", "urgency_returned", "missing_information"]


async def test_a_client_who_reopens_hears_that_it_worked(world: Any) -> None:
    """The author gets the confirmation, the others the message: one mail each."""
    await world.tell(world.submitted(recipients=BOTH))
    await world.tell(TicketResolved(**FACTS, status="resolved"))
    await world.tell(
        world.replied(CLIENT, recipients=BOTH),
        TicketReopened(**FACTS, status="open", side="client", received_at=world.clock.now()),
    )
    made = [(one["kind"], one["recipient"]) for one in await world.deliveries()]
    assert made[2:] == [("reopened", CLARA), ("reply", BEN)]


async def test_two_machines_do_not_answer_each_other_for_ever(world: Any) -> None:
    """However often a machine reopens a request, at most two automatic mails go to it (P14)."""
    await world.tell(world.submitted())
    for _ in range(5):
        await world.tell(TicketResolved(**FACTS, status="resolved"), world.replied(CLIENT))
    answers = [one for one in await world.deliveries() if one["kind"] in ("acknowledgement", "reopened")]
    assert [one["state"] == "suppressed" for one in answers] == [False, False, True, True, True, True]
    assert {one["reason"] for one in answers[2:]} == {"loop_guard"}


async def test_notes_and_machines_messages_tell_nobody(world: Any) -> None:
    """Internal notes leave no delivery, nor does a message that a machine wrote, not even to other participants."""
    await world.tell(world.submitted(recipients=BOTH))
    automatic = Origin(channel="email", automatic=True, verified=True, message_id="<robot@shop.example>")
    await world.tell(
        TicketNoted(**FACTS, status="open", message_id="n"), world.replied(CLIENT, recipients=BOTH, origin=automatic)
    )
    assert [one["kind"] for one in await world.deliveries()] == ["acknowledgement"]


async def test_a_changed_language_is_kept(world: Any) -> None:
    """Triage may correct the language; people without one of their own are written to in it from then on."""
    await world.tell(world.submitted())
    triaged = TicketTriaged(
        **FACTS, status="open", changes={"language": ["en", "de"]}, urgency="normal", tier="helpdesk"
    )
    await world.tell(triaged, world.replied())
    await world.settle()
    assert len(world.mails()) == 2

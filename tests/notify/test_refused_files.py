"""Who sends a mail with files that can't be taken hears which, why, and what to do instead, once (clause 4.6)."""

from typing import Any

import pytest
from firstline.common.event_parts import Actor, AttachmentRef, Author, Origin, Recipient
from firstline.common.events import PolicyPublished
from firstline.common.policy.model import Policy

CLARA, BEN = "clara@shop.example", "ben@shop.example"
CLIENT = Author(id="clara", address=CLARA, name="Clara", role="client", side="client")
BY_MAIL = Origin(channel="email", verified=False, mail_id="m1", message_id="<one@shop.example>")
PACK, SAVE = "Pack it in a ZIP.", "Save it as PNG."
FILES = [
    AttachmentRef(id="1", name="screen.bmp", status="rejected", reason=PACK),
    AttachmentRef(id="2", name="notes.txt"),
    AttachmentRef(id="3", name="waits.txt", status="held"),
    AttachmentRef(id="4", name="photo.webp", status="rejected", reason=SAVE),
    AttachmentRef(id="5", name="smime.p7s", status="rejected"),
]


def plain(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())


async def kinds(world: Any) -> list[tuple[str, str, str]]:
    """Return what became of each mail: kind, recipient and state."""
    await world.settle()
    return [(one["kind"], one["recipient"], one["state"]) for one in await world.deliveries()]


async def test_one_mail_tells_of_all_files_of_a_message(world: Any) -> None:
    """The sender of a reply hears of each refused file with the advice for it, in one mail that can't loop."""
    both = [Recipient(address=CLARA, name="Clara"), Recipient(address=BEN)]
    reply = world.replied(CLIENT, origin=BY_MAIL, attachments=FILES, recipients=both)
    await world.tell(world.submitted(recipients=both), reply)
    assert (await kinds(world))[1:] == [("attachment_refused", CLARA, "sent"), ("reply", BEN, "sent")]
    (mail,) = [mail for mail in world.mails() if "could not be taken" in plain(mail.get_content())]
    text = plain(mail.get_content())
    assert f"- screen.bmp: {PACK} - photo.webp: {SAVE} Reply to this mail" in text
    assert not any(name in text for name in ("notes.txt", "waits.txt", "smime.p7s"))
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["In-Reply-To"] == "<one@shop.example>"


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": BY_MAIL.model_copy(update={"automatic": True})},
        {"origin": Origin(channel="api")},
        {"author": CLIENT.model_copy(update={"address": "stranger@elsewhere.example"})},
        {"attachments": FILES[1:3]},
    ],
    ids=["a machine's mail", "an upload", "let in for somebody who takes no part", "nothing refused"],
)
async def test_nobody_else_is_told(world: Any, changes: dict[str, Any]) -> None:
    """Machines get no answer, uploads were refused at once, and strangers hear nothing of a request."""
    facts: dict[str, Any] = {"author": CLIENT, "origin": BY_MAIL, "attachments": FILES} | changes
    await world.tell(world.submitted(), world.replied(**facts))
    assert "attachment_refused" not in [kind for kind, _, _ in await kinds(world)]


async def test_machines_that_answer_each_other_get_two_mails(world: Any) -> None:
    """The cap on answers holds for these mails too, so that a machine that hides what it is makes no loop (P14)."""
    replies = [world.replied(CLIENT, origin=BY_MAIL, attachments=FILES, message_id=f"m{n}") for n in range(3)]
    await world.tell(world.submitted(), *replies)
    assert [state for _, _, state in await kinds(world)] == ["sent", "sent", "suppressed", "suppressed"]


async def test_the_acknowledgement_says_it_too(world: Any) -> None:
    """A new request by mail is answered by one mail that acknowledges it and names what was not taken."""
    await world.knows(CLARA)
    await world.tell(world.submitted(origin=BY_MAIL, attachments=FILES))
    assert [kind for kind, _, _ in await kinds(world)] == ["acknowledgement"]
    assert f"These files could not be taken: - screen.bmp: {PACK}" in plain(world.texts()[0])


async def test_an_unknown_sender_reads_the_advice_and_no_name(world: Any) -> None:
    """What a stranger named a file is the stranger's text, which no mail to that address may carry (check 12)."""
    evil = AttachmentRef(id="9", name="http://evil.example/buy.bmp", status="rejected", reason=PACK)
    await world.tell(world.by_mail("victim@elsewhere.example", attachments=[evil, evil]))
    assert [kind for kind, _, _ in await kinds(world)] == ["acknowledgement_unknown_sender"]
    text = plain(world.texts()[0])
    assert f"Not every file could be taken: - {PACK} To add something" in text
    assert "evil" not in text


async def test_a_reopening_says_it_too(world: Any) -> None:
    """The mail that says that the request is open again names the files; no second one goes out."""
    ended = world.replied(status="resolved")
    again = world.replied(CLIENT, status="open", origin=BY_MAIL, attachments=FILES)
    await world.tell(world.submitted(status="resolved"), ended, again)
    assert [kind for kind, _, _ in await kinds(world)][-1] == "reopened"
    assert f"These files could not be taken: - screen.bmp: {PACK}" in plain(world.texts()[-1])


async def test_texts_that_say_nothing_of_files_are_followed_by_the_mail(world: Any) -> None:
    """A policy whose acknowledgement is older still tells the sender, by the mail of its own, with file and advice."""
    document = world.policy.document() | {"name": "older"}
    texts = document["wording"]["languages"]["en"]
    texts["acknowledgement"] = {"subject": "[{{ number }}]", "body": "Received."}
    texts["attachment_refused"] = {"subject": "[{{ number }}]", "body": "{{ file }} | {{ advice }}"}
    older = Policy.from_document(document)
    published = PolicyPublished(
        actor=Actor(id="anna", role="agent"),
        version=older.version,
        document=document,
        effective_from=older.effective_from,
    )
    await world.tell(published, stream="policy/older")
    await world.knows(CLARA)
    await world.tell(world.submitted(origin=BY_MAIL, attachments=FILES, policy_version=older.version))
    assert [kind for kind, _, _ in await kinds(world)] == ["acknowledgement", "attachment_refused"]
    assert world.texts()[1] == f"screen.bmp, photo.webp | {PACK} {SAVE}\n"

"""Secrets that clients paste into texts, mails and files (clause 4.3): held before they are stored, found nowhere."""

import hashlib
import json
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from firstline.common.vault import LockedVault
from intake_world import DESK_ADDRESS, OpenWorld, World, raw_mail

CANARY = "Zq7!kanarie-Vx3"
PASTED = f"Login: admin\nPassword: {CANARY}\nThe list is slow."
MASK = "[removed: password]"


def kept(world: World) -> bytes:
    """Return every byte that the service has kept: store, write-ahead log, files."""
    return b"\n".join(path.read_bytes() for path in sorted(world.folder.rglob("*")) if path.is_file())


async def held(world: World, ticket: Any) -> list[dict[str, Any]]:
    """Return what was held back of a request."""
    items: list[dict[str, Any]] = (await world.get(f"/v1/tickets/{ticket['id']}/held-texts")).json()["items"]
    return items


async def test_nothing_keeps_what_was_pasted(world: World) -> None:
    """A secret in any text of a request, from the first message to the rating, is in no answer, event or byte kept."""
    answers: list[Any] = []
    given: dict[str, Any] = {"fields": {"environment": PASTED, "password": CANARY}, "metadata": {"note": PASTED}}
    ticket = await world.submit(body=PASTED, **given)
    answers.append(ticket)
    answers.append((await world.verb(ticket, "messages", {"body": PASTED}, "client:clara")).json())
    answers.append((await world.verb(ticket, "messages", {"body": PASTED, "audience": "internal"})).json())
    answers.append((await world.verb(ticket, "wait", {"cause": "client", "note": PASTED})).json())
    answers.append((await world.verb(ticket, "resume", {"note": PASTED})).json())
    answers.append((await world.verb(ticket, "resolve", {"body": PASTED})).json())
    answers.append((await world.verb(ticket, "rating", {"mark": "good", "comment": PASTED}, "client:clara")).json())
    answers.append((await world.verb(ticket, "reopen", {"body": PASTED}, "client:clara")).json())
    answers += [await world.messages(ticket), await held(world, ticket)]
    answers.append((await world.get(f"/v1/tickets/{ticket['id']}/history")).json())
    assert CANARY not in json.dumps(answers, default=str)
    assert CANARY not in repr(await world.events(ticket["id"]))
    assert CANARY.encode() not in kept(world)
    bodies = [message["body"] for message in await world.messages(ticket)]
    assert bodies[0] == PASTED.replace(CANARY, MASK)


async def test_the_sender_is_told_once(world: World) -> None:
    """The acknowledgement says that a secret was taken out; a later one is remarked in the correspondence only once."""
    told = world.desk.policies.current.pasted_secrets.told
    ticket = await world.submit(body=PASTED)
    assert [hint["text"] for hint in ticket["hints"]] == [told]
    other = await world.submit()
    for _ in range(2):
        await world.must(other, "messages", {"body": PASTED}, "client:clara")
    bodies = [message["body"] for message in await world.messages(other)]
    assert bodies.count(told) == 1
    assert [data["masked"][0]["kind"] for kind, data in await world.events(other["id"]) if data.get("masked")] == [
        "password",
        "password",
    ]


async def test_a_form_can_warn_before(world: World) -> None:
    """`check` says that a text seems to hold a secret, and keeps nothing."""
    answer = await world.post("/v1/tickets/check", {"subject": "Slow", "body": PASTED}, "client:clara")
    assert [hint["code"] for hint in answer.json()["hints"]] == ["pasted_secret"]
    assert CANARY not in answer.text
    assert CANARY.encode() not in kept(world)


async def test_mail_holds_it_sealed_only(world: World) -> None:
    """In plain, HTML and quoted-printable mail a secret lies in the sealed raw mail and nowhere else."""
    ticket = await world.submit()
    for subtype in ("plain", "html"):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "clara@shop.example", DESK_ADDRESS, f"Re: [{ticket['number']}]"
        text = PASTED if subtype == "plain" else f"<p>{PASTED.replace(chr(10), '<br>')}</p>"
        mail.set_content(text, subtype=subtype, cte="quoted-printable")
        judged = await world.mail(mail.as_bytes())
        assert judged["outcome"] == "appended"
        assert CANARY not in json.dumps(judged)
        ((sha256,),) = world.rows(f"SELECT sha256 FROM mail WHERE id = '{judged['id']}'")
        assert sha256 == hashlib.sha256(mail.as_bytes()).hexdigest()
    stranger = await world.mail(raw_mail(f"[{ticket['number']}]", PASTED, "eve@else.example"), "eve@else.example")
    assert MASK in stranger["text"]
    assert CANARY not in repr(await world.messages(ticket))
    assert CANARY.encode() not in kept(world)


async def test_files_with_secrets_are_held_back(world: World) -> None:
    """A file with a password is refused with the policy's advice; by mail the rest of the mail comes in."""
    advice = world.desk.policies.current.pasted_secrets.file_advice
    files = {"file": ("access.txt", PASTED.encode(), "text/plain")}
    refused = await world.client.post("/v1/attachments", files=files, headers=world.headers("client:clara"))
    assert (refused.status_code, refused.json()["detail"]) == (422, advice)
    judged = await world.mail(raw_mail(files={"access.txt": PASTED.encode()}))
    assert [(file["name"], file["status"]) for file in judged["attachments"]] == [("access.txt", "rejected")]
    assert CANARY.encode() not in kept(world)


async def test_reasons_of_access_requests_are_looked_at(world: World) -> None:
    """Why access data are asked for and read, and on which host, reaches the client and the log without secrets."""
    ticket = await world.submit()
    wish = {"kinds": ["ftp"], "reason": PASTED, "host": f"ftp://admin:{CANARY}@shop.example"}
    asked = (await world.verb(ticket, "access-requests", wish)).json()
    assert MASK in asked["reason"]
    values = {"values": {"ftp": {"login": "clara", "password": "other-Xy7-pass"}}}
    await world.must(ticket, f"access-requests/{asked['id']}/provide", values, "client:clara")
    await world.claims(ticket, "queue.claimed", "anna", 1)
    token = world.claim_token(ticket)
    read = f"/v1/tickets/{ticket['id']}/access-requests/{asked['id']}/reveal"
    answer = await world.post(read, {"reason": PASTED}, Claim_Token=token)
    assert answer.status_code == 200, answer.text
    pasted = await world.submit(body=PASTED)
    (one,) = await held(world, pasted)
    await world.claims(pasted, "queue.claimed", "anna", 1)
    move = {"kind": "ftp", "reason": PASTED}
    vault = f"/v1/tickets/{pasted['id']}/held-texts/{one['id']}/vault"
    moved = await world.post(vault, move, Claim_Token=world.claim_token(pasted))
    assert (moved.status_code, MASK in moved.json()["reason"]) == (201, True)
    answers = [asked, answer.json(), moved.json(), await held(world, ticket)]
    assert CANARY not in json.dumps(answers) + repr(await world.events(ticket["id"]))
    assert CANARY.encode() not in kept(world)


async def test_what_is_no_secret_is_restored(world: World) -> None:
    """Who holds the claim puts a text back as it came, once; nobody else can, and the history says who did."""
    ticket = await world.submit(body=PASTED)
    (one,) = await held(world, ticket)
    path = f"/v1/tickets/{ticket['id']}/held-texts/{one['id']}/release"
    assert (await world.post(path)).status_code == 409
    await world.claims(ticket, "queue.claimed", "anna", 1)
    token = world.claim_token(ticket)
    assert (await world.post(path, None, "client:clara", Claim_Token=token)).status_code in (403, 404)
    answer = await world.post(path, Claim_Token=token)
    assert answer.status_code == 200, answer.text
    assert (await world.messages(ticket))[0]["body"] == PASTED
    found = (await world.get("/v1/tickets", q="kanarie")).json()["items"]
    assert [item["id"] for item in found] == [ticket["id"]]
    assert (await world.events(ticket["id"]))[-1][1]["restored"] == one["id"]
    assert (await world.post(path, Claim_Token=token)).status_code == 409
    assert (await held(world, ticket))[0]["status"] == "released"


async def test_originals_are_deleted_after_their_days(world: World) -> None:
    """After the policy's days the sealed original is overwritten, and can't be restored."""
    ticket = await world.submit(body=PASTED)
    world.move(days=world.desk.policies.current.pasted_secrets.keep_days)
    await world.runtime.settle()
    assert (await held(world, ticket))[0]["status"] == "purged"
    ((key, content),) = world.rows("SELECT data_key, content FROM held_text")
    assert not any(key)
    assert not any(content)


async def test_what_is_held_back_is_counted(world: World) -> None:
    """The metrics page counts texts and files that were held back by channel, once each, and trials not at all."""
    ticket = await world.submit(body=PASTED, fields={"error_text": PASTED})
    await world.must(ticket, "messages", {"body": PASTED}, "client:clara")
    await world.must(ticket, "messages", {"body": f"{PASTED}\n" * 200}, "client:clara")
    await world.mail(raw_mail(f"Re: [{ticket['number']}]", PASTED, files={"access.txt": PASTED.encode()}))
    await world.mail(raw_mail("Another", PASTED))
    await world.post("/v1/tickets/check", {"subject": "Slow", "body": PASTED}, "client:clara")
    trial = {
        "verb": "messages",
        "body": {"body": PASTED, "audience": "internal"},
        "ids": [ticket["id"]],
        "dry_run": True,
    }
    assert (await world.post("/v1/tickets/bulk", trial, "supervisor:sue")).json()["done"] == 1
    files = {"file": ("access.txt", PASTED.encode(), "text/plain")}
    await world.client.post("/v1/attachments", files=files, headers=world.headers("client:clara"))
    lines = [line for line in (await world.client.get("/metrics")).text.splitlines() if "pasted_secrets_total{" in line]
    assert lines == [
        'firstline_pasted_secrets_total{channel="api",service="intake",what="file"} 1.0',
        'firstline_pasted_secrets_total{channel="api",service="intake",what="text"} 4.0',
        'firstline_pasted_secrets_total{channel="email",service="intake",what="file"} 1.0',
        'firstline_pasted_secrets_total{channel="email",service="intake",what="text"} 2.0',
    ]


async def test_a_licence_key_in_a_text_is_known(world: World) -> None:
    """A licence key written into a message shows its end only, and still says what the request is entitled to."""
    key = "NFR-T4-M7X2K9Q5W8Z1P3L6"
    facts = {"id": "l-1", "key_sha256": hashlib.sha256(key.encode()).hexdigest(), "last4": key[-4:]}
    more = {"organization_id": None, "product": "Bitrix24", "active_until": None}
    await world.tell("account.licence_changed", "licence/l-1", **facts, **more)
    ticket = await world.submit(body=f"Our key is {key}, it says expired.")
    assert ticket["entitlement"] == "active"
    assert key.encode() not in kept(world)
    assert "…P3L6]" in (await world.messages(ticket))[0]["body"]


async def test_a_locked_vault_keeps_nothing_open(opened: OpenWorld, tmp_path: Path) -> None:
    """Without the vault's key requests are taken, masked; the original is let go rather than kept in the open."""
    async with opened(tmp_path, vault=LockedVault("no key")) as world:
        ticket = await world.submit(body=PASTED)
        assert (await held(world, ticket))[0]["status"] == "purged"
        assert CANARY.encode() not in kept(world)


async def test_mail_kept_before_there_was_a_vault_is_read(world: World) -> None:
    """A raw mail that lies unsealed, as earlier releases kept it, is judged as any other."""
    raw = raw_mail("From before", "It is white.")
    mail_id = await world.keep(raw)
    ((key,),) = world.rows(f"SELECT file_key FROM mail WHERE id = '{mail_id}'")
    next((world.folder / "files").rglob(key)).write_bytes(raw)
    await world.runtime.settle()
    assert (await world.get(f"/v1/mails/{mail_id}")).json()["outcome"] == "new_ticket"

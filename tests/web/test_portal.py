"""The portal on a whole desk: send, read, answer, close."""

import io
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Visit = Callable[[str], Awaitable[Any]]
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'


def _picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (40, 20), "white").save(content, "PNG")
    return content.getvalue()


async def _sent(client: Any, **fields: str) -> str:
    """Send a request; return its number."""
    given = {"subject": "White page", "body": "Since 08:40 nobody can order.", "topic": "updates", **fields}
    await client.open("/requests/new")
    await client.send("/requests", **given)
    assert client.path.endswith("/received"), client.page.text
    return str(client.path.split("/")[2])


async def test_a_request_is_received_with_its_number_and_what_comes_next(visitor: Visit) -> None:
    """The page after sending shows the ID, the place in the queue, and questions that shorten the way (4.2, 4.4)."""
    client = await visitor("client")
    first = await _sent(client)
    assert "Yours is the next one." in client.page.text
    second = await _sent(client, subject="Slow reports", topic="performance")
    text = client.page.text
    assert second in text
    assert "1 request is ahead of yours." in text
    assert "Which version do you use" in text
    assert "closed now" not in text
    await client.open("/requests")
    assert [client.page.text.index(number) for number in (second, first)] == sorted(
        client.page.text.index(number) for number in (second, first)
    )


async def test_nothing_typed_is_lost(visitor: Visit) -> None:
    """A form that lacks something comes back with every value, the files that were taken, and advice by the field."""
    client = await visitor("client")
    await client.open("/requests/new")
    page = await client.send(
        "/requests",
        files=[
            ("files", ("page.png", _picture(), "image/png")),
            ("files", ("run.exe", b"MZ\x90\x00" + bytes(60), "application/octet-stream")),
        ],
        subject="   ",
        body="Since <08:40>\nnobody can order.",
        topic="usage",
        recovery="partial",
        version="24.100",
    )
    assert client.answer.status_code == 422
    assert "Say in a few words what is wrong." in page.text
    assert "run.exe: Files of this type can't be taken." in page.text
    form = page.form("/requests")
    assert (form["topic"], form["recovery"], form["version"]) == ("usage", "partial", "24.100")
    assert form["kept"].endswith(" page.png")
    assert "Since <08:40>\nnobody can order." in page.text
    await client.send("/requests", subject="White page", body="Since 08:40.")
    number = client.path.split("/")[2]
    page = await client.open(f"/requests/{number}")
    assert [given["alt"] for given in page.all("img")] == ["page.png"]


async def test_a_form_sent_twice_makes_one_request(visitor: Visit) -> None:
    """The same form again, even changed, adds nothing; the page says so."""
    client = await visitor("client")
    form = (await client.open("/requests/new")).form("/requests")
    sent = {**form, "subject": "White page", "body": "Since 08:40."}
    paths = [(await client.browser.post("/requests", data=sent)).url.path for _ in range(2)]
    changed = await client.browser.post("/requests", data={**sent, "body": "Since 08:45."})
    page = await client.open("/requests")
    assert paths[0] == paths[1]
    assert "This form was sent before." in changed.text
    assert len([to for to in page.values("href") if to.startswith("/requests/FL-")]) == 1


async def test_hostile_words_stay_words(visitor: Visit) -> None:
    """Markup in every field is shown as it was typed, to the client and in the console, and makes no element."""
    client, specialist = await visitor("client"), await visitor("specialist")
    await client.open("/requests/new")
    files = [("files", (f"{HOSTILE}.png", _picture(), "image/png"))]
    fields = {"subject": HOSTILE, "body": HOSTILE, "product": HOSTILE, "version": HOSTILE, "topic": "usage"}
    page = await client.send("/requests", files=files, **fields)
    number = client.path.split("/")[2]
    pages = [page, await client.open("/requests"), await client.open(f"/requests/{number}")]
    pages += [await specialist.open("/console"), await specialist.open(f"/console/{number}")]
    for shown in pages:
        assert shown.misnested == []
        assert shown.all("script") == []
        assert [key for _, given in shown.elements for key in given if key.startswith("on")] == []
        assert HOSTILE in shown.text
        assert "49" not in shown.text


async def test_files_are_handed_on_and_never_run(visitor: Visit) -> None:
    """A file comes with its bytes and type, to be saved; nothing in it may run."""
    client = await visitor("client")
    await client.open("/requests/new")
    content = _picture()
    files = [("files", ("seite ü.png", content, "image/png"))]
    await client.send("/requests", files=files, subject="White page", body="See the picture.")
    page = await client.open(f"/requests/{client.path.split('/')[2]}")
    answer = await client.browser.get(page.all("img")[0]["src"])
    assert answer.content == content
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_large_file_is_never_in_memory_as_a_whole(visitor: Visit, tmp_path: Path) -> None:
    """A file of 20 MiB goes from the form to the file store in pieces: the desk holds a fraction of it at most."""
    client = await visitor("client")
    await client.open("/requests/new")
    log = tmp_path / "shop.log"
    log.write_bytes(b"2026-11-23 08:40 nobody can order\r\n" * 600_000)
    tracemalloc.start()
    with log.open("rb") as file:
        await client.send("/requests", files=[("files", ("shop.log", file))], subject="Slow", body="See the log.")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    page = await client.open(f"/requests/{client.path.split('/')[2]}")
    assert "shop.log" in page.text
    assert most < log.stat().st_size / 2


async def test_unknown_and_foreign_requests_look_alike(visitor: Visit) -> None:
    """Whatever is not one's own is not found: a made-up number, a wrong form, another file."""
    client = await visitor("client")
    for path in ("/requests/FL-0000-0000", "/requests/..%2F..", "/requests/x y", "/files/nothing", "/nowhere"):
        page = await client.open(path)
        assert client.answer.status_code == 404, path
        assert "There is nothing at this address, or nothing that you may see." in page.text


async def test_a_conversation_from_both_sides(visitor: Visit) -> None:
    """Answer, wait, reply, solve, close, reopen: each side reads the state in words and who has the next step."""
    client, specialist = await visitor("client"), await visitor("specialist")
    number = await _sent(client)
    await specialist.open("/console")
    await specialist.send("/console/next")
    await specialist.send(f"/console/{number}/note", note="Known since 24.090.")
    await specialist.send(f"/console/{number}/reply", body="Please rename the file.")
    await specialist.send(f"/console/{number}/wait", circumstance="access_needed")
    page = await client.open(f"/requests/{number}")
    assert "Waiting for your answer since 12:00 UTC" in page.text
    assert "We need access to your server to go on." in page.text
    assert "Please rename the file." in page.text
    assert "Known since 24.090." not in page.text
    await client.send(f"/requests/{number}/reply", body="I did.")
    page = await client.open(f"/requests/{number}")
    assert "Yours is the next one." in page.text
    await specialist.open("/console")
    await specialist.send("/console/next")
    await specialist.send(f"/console/{number}/reply", body="Then it works.", then="resolve")
    page = await client.open(f"/requests/{number}")
    assert "Solved, as far as we know" in page.text
    page = await client.send(f"/requests/{number}/close", last="Thank you.")
    assert "Closed: the problem is solved" in page.text
    await client.send(f"/requests/{number}/reply", body="It broke again.")
    page = await client.open(f"/requests/{number}")
    assert "Yours is the next one." in page.text
    words = ["Please rename", "I did.", "Then it works.", "Thank you.", "It broke again."]
    assert [page.text.index(said) for said in words] == sorted(page.text.index(said) for said in words)


@pytest.mark.parametrize("verb", ["reply", "close"])
async def test_a_refused_reply_keeps_its_words(verb: str, visitor: Visit) -> None:
    """What can't be done now says why, with what was typed."""
    client = await visitor("client")
    number = await _sent(client)
    await client.open(f"/requests/{number}")
    fields = {"reply": {"body": "   ", "kept": "f1 kept words.png"}, "close": {"last": "kept words"}}[verb]
    sent = {**client.page.form(f"/requests/{number}/reply"), **fields}
    answer = await client.browser.post(f"/requests/{number}/{verb}", data=sent)
    said = {"reply": "Write what you want to say.", "close": "close is not possible while the request is new"}[verb]
    assert answer.status_code == {"reply": 422, "close": 409}[verb]
    assert said in answer.text
    assert "kept words" in answer.text


async def test_answered_questions_are_asked_no_more(visitor: Visit) -> None:
    """Answers given in their own fields are read by the specialist, and what was answered is not asked again (4.2)."""
    client, specialist = await visitor("client"), await visitor("specialist")
    number = await _sent(client, topic="usage")
    page = await client.open(f"/requests/{number}")
    assert "Which steps lead to the problem?" in page.text
    page = await client.send(f"/requests/{number}/reply", **{"field-steps": "Open the shop.", "field-version": "24.1"})
    assert "Which steps lead to the problem?\nOpen the shop." in page.text
    assert page.text.count("Which steps lead to the problem?") == 1
    assert page.text.count("What did you expect, and what happens instead?") == 1
    page = await specialist.open(f"/console/{number}")
    assert "Which version do you use, or is it the cloud service?\n24.1" in page.text


async def test_several_questions_are_remarked_before_sending(visitor: Visit) -> None:
    """Who asks several things reads it before anything is sent, with all that was typed; sent again, it goes."""
    client = await visitor("client")
    await client.open("/requests/new")
    words = "The page is white. And I have another question: who may see the reports?"
    page = await client.send("/requests", subject="White page", body=words)
    assert (client.answer.status_code, client.path) == (200, "/requests")
    assert "Your text seems to hold several questions." in page.text
    assert words in page.text
    assert page.form("/requests")["subject"] == "White page"
    page = await client.send("/requests", body=words)
    assert client.path.endswith("/received")
    number = client.path.split("/")[2]
    specialist = await visitor("specialist")
    assert "perhaps several questions" in (await specialist.open(f"/console/{number}")).text


async def test_the_supervisor_is_asked_and_answers(visitor: Visit) -> None:
    """A client asks once, sees that it is on its way, and reads the answer; the request stays where it is."""
    client, leader = await visitor("client"), await visitor("supervisor")
    await client.open("/requests/new")
    await client.send("/requests", subject="White page", body="It is white.")
    number = client.path.split("/")[2]
    await client.open(f"/requests/{number}")
    page = await client.send(f"/requests/{number}/supervisor", ask_kind="accelerate", ask_body=" ")
    assert (client.answer.status_code, "Have another look" in page.text) == (422, True)
    page = await client.send(f"/requests/{number}/supervisor", ask_kind="accelerate", ask_body="We open on Monday.")
    assert "Your request keeps its place meanwhile." in page.text
    assert "The supervisor has yet to answer." in page.text
    assert not any(given["action"].endswith("/supervisor") for given in page.all("form"))
    page = await leader.open("/console/supervisor-requests")
    assert "We open on Monday." in page.text
    (action,) = [form["action"] for form in page.all("form") if number in form["action"]]
    page = await leader.send(action, answer=" ")
    assert "Have another look" in page.text
    page = await leader.send(action, answer="A specialist sees to it today.")
    assert "Nobody waits for the supervisor." in page.text
    assert "A specialist sees to it today." in (await client.open(f"/requests/{number}")).text


async def test_a_solution_is_rated(visitor: Visit) -> None:
    """Once it is solved the client rates the handling, may change that, and staff see it beside the request."""
    client, specialist = await visitor("client"), await visitor("specialist")
    await client.open("/requests/new")
    await client.send("/requests", subject="White page", body="It is white.")
    number = client.path.split("/")[2]
    await specialist.open(f"/console/{number}")
    await specialist.send(f"/console/{number}/reply", body="Clear the cache.", then="resolve")
    await client.open(f"/requests/{number}")
    page = await client.send(f"/requests/{number}/rating", mark="")
    assert "Choose one." in page.text
    page = await client.send(f"/requests/{number}/rating", mark="fair", rating_comment="It took long.")
    assert "Thank you. Your rating is kept." in page.text
    assert "Your rating: Something was missing: It took long." in page.text
    page = await client.send(f"/requests/{number}/rating", mark="good", rating_comment="")
    assert "Your rating: It was handled well" in page.text
    assert "It was handled well" in (await specialist.open(f"/console/{number}")).text

"""The console on a whole desk: take, answer, judge, wait, close."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from firstline.standalone.desk import settle
from PIL import Image

Visit = Callable[[str], Awaitable[Any]]


async def _ask(visitor: Visit, *subjects: str, **fields: str) -> list[str]:
    """Send requests as the client; return their numbers."""
    client = await visitor("client")
    numbers = []
    for subject in subjects:
        await client.open("/requests/new")
        await client.send("/requests", subject=subject, body="It fails.", **fields)
        numbers.append(client.path.split("/")[2])
    return numbers


async def test_an_empty_queue_says_so(visitor: Visit) -> None:
    """Nobody waits: no button, and a word about it."""
    specialist = await visitor("specialist")
    assert specialist.path == "/console"
    assert "Nobody is waiting." in specialist.page.text
    assert not any(given["action"] == "/console/next" for given in specialist.page.all("form"))


async def test_the_first_come_is_the_next_taken(visitor: Visit) -> None:
    """Take next opens the first request with its clock, its client and what is missing."""
    first, second = await _ask(visitor, "First", "Second", topic="usage")
    specialist = await visitor("specialist")
    text = (await specialist.open("/console")).text
    assert text.index(first) < text.index(second)
    assert "Queue 2" in text
    page = await specialist.send("/console/next")
    assert f"{first} First" in " ".join(page.text.split())
    for said in ("You took it, until today 12:30 UTC.", "Clara Client", "Shop Example", "10 h 00 min left"):
        assert said in page.text
    assert "Which steps lead to the problem?" in page.text


async def test_take_next_sent_four_times_takes_one(visitor: Visit) -> None:
    """Clicking again before the page has changed leads to the same request, and the others stay for others."""
    numbers = await _ask(visitor, "First", "Second", "Third", "Fourth")
    specialist = await visitor("specialist")
    form = (await specialist.open("/console")).form("/console/next")
    answers = await asyncio.gather(*(specialist.browser.post("/console/next", data=form) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.url.path for answer in answers}) == 1
    await settle(specialist.desk.runtimes)
    pages = [(await specialist.open(f"/console/{number}")).text for number in numbers]
    assert ["You took it, until" in text for text in pages] == [True, False, False, False]
    await specialist.send("/console/next")
    assert "You took it, until" in (await specialist.open(f"/console/{numbers[1]}")).text


async def test_taking_one_request_twice_is_taking_it_once(visitor: Visit) -> None:
    """The form of one request carries its own key too, so that its claim is told again and not renewed."""
    (number,) = await _ask(visitor, "First")
    specialist = await visitor("specialist")
    form = (await specialist.open(f"/console/{number}")).form(f"/console/{number}/claim")
    for _ in range(2):
        answer = await specialist.browser.post(f"/console/{number}/claim", data=form)
        assert (answer.status_code, "You took it, until today 12:30 UTC." in answer.text) == (200, True)
        specialist.desk.ports.clock.move(specialist.desk.ports.clock.now() + timedelta(minutes=5))
    page = await specialist.send(f"/console/{number}/reply", body="We look at it.")
    assert "Your reply was sent." in page.text


async def test_the_answer_that_solves_is_one_act_and_one_mail(visitor: Visit, tmp_path: Path) -> None:
    """Send as the solution replies with its files and solves at once: one message, one mail; sent twice, no more."""
    (number,) = await _ask(visitor, "First")
    specialist = await visitor("specialist")
    await specialist.open("/console")
    await specialist.send("/console/next")
    mails = set((tmp_path / "data" / "mail").glob("*.eml"))
    form = {**specialist.page.form(f"/console/{number}/reply"), "body": "Clear the cache.", "then": "resolve"}
    for _ in range(2):
        answer = await specialist.browser.post(f"/console/{number}/reply", data=form)
        assert (answer.status_code, "It is solved; the client was told." in answer.text) == (200, True)
    await settle(specialist.desk.runtimes)
    (mail,) = set((tmp_path / "data" / "mail").glob("*.eml")) - mails
    assert "Clear the cache." in mail.read_text()
    client = await visitor("client")
    assert (await client.open(f"/requests/{number}")).text.count("Clear the cache.") == 1


async def test_the_solution_takes_its_files_along(visitor: Visit) -> None:
    """Files chosen with the solution hang on the message that the client reads."""
    (number,) = await _ask(visitor, "First")
    specialist = await visitor("specialist")
    await specialist.open(f"/console/{number}")
    content = io.BytesIO()
    Image.new("RGB", (40, 20), "white").save(content, "PNG")
    files = {"files": ("steps.png", content.getvalue(), "image/png")}
    await specialist.send(f"/console/{number}/reply", files=files, body="See the steps.", then="resolve")
    assert "It is solved; the client was told." in specialist.page.text
    client = await visitor("client")
    assert "steps.png" in (await client.open(f"/requests/{number}")).text


async def test_a_claim_can_be_kept_and_given_back(visitor: Visit) -> None:
    """A lease is renewed by its holder; given back, the request waits for anybody again."""
    (number,) = await _ask(visitor, "First")
    specialist = await visitor("specialist")
    await specialist.open("/console")
    await specialist.send("/console/next")
    await specialist.send(f"/console/{number}/claim")
    assert "You took it, until" in specialist.page.text
    page = await specialist.send(f"/console/{number}/release")
    assert "You gave it back; it has kept its place." in page.text
    page = await specialist.open(f"/console/{number}")
    assert "Nobody has taken it yet, and it is the next one." in page.text


async def test_two_specialists_never_hold_one_request(visitor: Visit) -> None:
    """What somebody else has taken can't be taken, and an answer to it is refused with its words kept."""
    (number,) = await _ask(visitor, "First")
    anna, sven = await visitor("specialist"), await visitor("supervisor")
    await sven.open(f"/console/{number}")
    page = sven.page
    await anna.open("/console")
    await anna.send("/console/next")
    csrf = page.form(f"/console/{number}/claim")
    answer = await sven.browser.post(f"/console/{number}/claim", data=csrf)
    assert answer.status_code == 409
    assert "Another specialist is working on this request." in answer.text
    form = {**page.form(f"/console/{number}/reply"), "body": "My long answer."}
    answer = await sven.browser.post(f"/console/{number}/reply", data=form)
    assert answer.status_code == 409
    assert "Another specialist is working on this request now." in answer.text
    assert "My long answer." in answer.text
    assert "Another specialist took it" in answer.text


async def test_a_recovery_is_confirmed_or_returned(visitor: Visit) -> None:
    """A provisional urgency stands out of turn until a specialist judges it, with the reason (clause 2.1)."""
    first, second = await _ask(visitor, "Usual"), await _ask(visitor, "Down", recovery="full")
    specialist = await visitor("specialist")
    text = (await specialist.open("/console")).text
    assert text.index(second[0]) < text.index(first[0])
    assert "out of turn, to be confirmed" in text
    page = await specialist.open(f"/console/{second[0]}")
    assert "high urgency · site down (provisional)" in page.text
    page = await specialist.send(f"/console/{second[0]}/urgency", urgency="normal", why="Only the logo is missing.")
    assert "The urgency is set." in page.text
    assert "Only the logo is missing." in page.text
    text = (await specialist.open("/console")).text
    assert text.index(first[0]) < text.index(second[0])


async def test_confirming_ends_the_provisional_state(visitor: Visit) -> None:
    """The first button confirms the level that the request has."""
    (number,) = await _ask(visitor, "Down", recovery="full")
    specialist = await visitor("specialist")
    await specialist.open(f"/console/{number}")
    page = await specialist.send(f"/console/{number}/urgency")
    assert "high urgency · site down" in page.text
    assert "(provisional)" not in page.text


@pytest.mark.parametrize(
    ("act", "fields", "status", "said"),
    [
        ("note", {"note": "Known."}, 200, "Your note was kept."),
        ("note", {"note": " "}, 422, "Have another look"),
        ("reply", {"body": " "}, 422, "Write what you want to say."),
        ("wait", {"circumstance": "hosting_company", "wait_note": "Asked them."}, 200, "waiting for somebody else"),
        ("wait", {"circumstance": "unheard_of", "wait_note": "Kept words."}, 422, "Kept words."),
        ("resolve", {"solution": "Clear the cache."}, 200, "It is solved; the client was told."),
        ("close", {"reason": "duplicate", "close_body": "See the other."}, 200, "It is closed; the client was told."),
        ("close", {"reason": "", "close_body": "Kept words."}, 422, "Choose why it is closed."),
        ("close", {"reason": "aborted", "abort": "nothing", "close_body": "Kept words."}, 422, "Use one of:"),
        ("urgency", {"urgency": "unheard_of", "why": "Kept words."}, 422, "Kept words."),
        ("resume", {"resume_note": "Kept words."}, 409, "resume is not possible while the request is open"),
    ],
)
async def test_verbs_say_what_became_of_them(
    act: str, fields: dict[str, str], status: int, said: str, visitor: Visit
) -> None:
    """Each verb either is done and told, or comes back with why not and with every word that was typed."""
    (number,) = await _ask(visitor, "First")
    specialist = await visitor("specialist")
    await specialist.open("/console")
    await specialist.send("/console/next")
    sent = {**specialist.page.form(f"/console/{number}/note"), **fields}
    answer = await specialist.browser.post(f"/console/{number}/{act}", data=sent)
    assert answer.status_code == status
    assert said in answer.text
    if status != 200:
        assert [words for words in fields.values() if words.startswith("Kept") and words not in answer.text] == []


async def test_waiting_ends_and_ends_reopen(visitor: Visit) -> None:
    """Staff resume what waits and reopen what has ended, with the reason in place."""
    (number,) = await _ask(visitor, "First")
    specialist = await visitor("specialist")
    await specialist.open(f"/console/{number}")
    await specialist.send(f"/console/{number}/wait", circumstance="release")
    page = await specialist.send(f"/console/{number}/resume", resume_note="It is out.")
    assert "It goes on." in page.text
    await specialist.send(f"/console/{number}/resolve")
    page = await specialist.send(f"/console/{number}/reopen", reopen_body="We see it again.")
    assert "It is open again." in page.text
    assert "We see it again." in page.text


async def test_nobody_left_to_take(visitor: Visit) -> None:
    """Whoever was quicker leaves a word instead of an error."""
    await _ask(visitor, "First")
    anna, sven = await visitor("specialist"), await visitor("supervisor")
    await sven.open("/console")
    await anna.open("/console")
    await anna.send("/console/next")
    page = await sven.send("/console/next")
    assert sven.path == "/console"
    assert "Nobody is waiting for you to take the request." in page.text


async def test_clients_have_no_console(visitor: Visit) -> None:
    """The API refuses the queue to clients, and the page says so."""
    client = await visitor("client")
    page = await client.open("/console")
    assert client.answer.status_code == 403
    assert "Not allowed" in page.text


async def test_staff_read_requests_in_the_console(visitor: Visit) -> None:
    """The link in a mail leads a specialist to where they work."""
    (number,) = await _ask(visitor, "First")
    specialist = await visitor("specialist")
    await specialist.open(f"/requests/{number}")
    assert specialist.path == f"/console/{number}"
    await specialist.open("/requests")
    assert specialist.path == "/console"


async def test_a_question_is_split_off(visitor: Visit) -> None:
    """A client's message leads to a form that makes a request of its own of it; both sides show where to go on."""
    (number,) = await _ask(visitor, "First")
    specialist = await visitor("specialist")
    page = await specialist.open(f"/console/{number}")
    (chosen,) = [href for href in page.values("href") if "?split=" in href]
    page = await specialist.open(chosen.partition("#")[0])
    assert "Split off a question" in page.text
    message_id = chosen.partition("=")[2].partition("#")[0]
    refused = await specialist.send(f"/console/{number}/split", message_id=message_id, split_subject=" ")
    assert specialist.answer.status_code == 422
    assert "Have another look" in refused.text
    page = await specialist.send(f"/console/{number}/split", message_id=message_id, split_subject="The logo")
    part = specialist.path.rpartition("/")[2]
    assert part != number
    assert "This is the new request; the client gets its ID." in page.text
    assert number in page.text
    assert "has a request of its own" in (await specialist.open(f"/console/{number}")).text
    client = await visitor("client")
    assert part in (await client.open(f"/requests/{number}")).text
    page = await client.open(f"/requests/{part}")
    assert "Waiting for a specialist" in page.text
    assert not any("?split=" in href for href in page.values("href"))


async def test_a_duplicate_goes_on_elsewhere_and_comes_back(visitor: Visit) -> None:
    """Merged by its number, it leads to the other one; the client's reply lands there; taken back, it is open again."""
    into, duplicate = await _ask(visitor, "First", "Again")
    specialist = await visitor("specialist")
    await specialist.open(f"/console/{duplicate}")
    page = await specialist.send(f"/console/{duplicate}/relate", other="FL-0000-0000", how="merge")
    assert (specialist.answer.status_code, "Have another look" in page.text) == (422, True)
    page = await specialist.send(f"/console/{duplicate}/relate", other=into, how="merge")
    assert "It is closed and goes on in the other request" in page.text
    assert f"Goes on in {into}" in " ".join(page.text.split())
    client = await visitor("client")
    page = await client.open(f"/requests/{duplicate}")
    assert "Goes on in another request" in page.text
    page = await client.send(f"/requests/{duplicate}/reply", body="Any news?")
    assert (client.path, "where your request goes on" in page.text) == (f"/requests/{into}", True)
    assert "Any news?" in page.text
    await specialist.open(f"/console/{duplicate}")
    page = await specialist.send(f"/console/{duplicate}/unmerge")
    assert "The merge is taken back; it is open again." in page.text


async def test_related_requests_are_linked_and_unlinked(visitor: Visit) -> None:
    """A link shows on both pages, for the client too, until it is taken back."""
    one, two = await _ask(visitor, "First", "Second")
    specialist = await visitor("specialist")
    await specialist.open(f"/console/{one}")
    page = await specialist.send(f"/console/{one}/relate", other=two, how="link")
    assert f"See also {two} Second" in " ".join(page.text.split())
    client = await visitor("client")
    assert f"See also {one} First" in " ".join((await client.open(f"/requests/{two}")).text.split())
    page = await specialist.send(f"/console/{one}/relate", other=two, how="unlink")
    assert "See also" not in page.text
    await specialist.send(f"/console/{one}/relate", other=two, how="else")
    assert specialist.path == f"/console/{one}"


async def test_development_has_it_until_its_release(visitor: Visit) -> None:
    """Handed over with a plan, moved, shipped from the list of releases: each page says what the request waits for."""
    (number,) = await _ask(visitor, "First", topic="updates.defect_report")
    specialist, client = await visitor("specialist"), await visitor("client")
    await specialist.open(f"/console/{number}")
    page = await specialist.send(f"/console/{number}/handover", defect_ref="BUG-4711", release_version="no version")
    assert "Have another look" in page.text
    assert page.form(f"/console/{number}/handover")["defect_ref"] == "BUG-4711"
    plan = {"release_version": "24.200", "release_date": "2027-02-01", "release_precision": "quarter"}
    page = await specialist.send(f"/console/{number}/handover", defect_ref="BUG-4711", **plan)
    for said in ("Development has it; the client was told.", "BUG-4711", "24.200 · 2027-Q1", "waiting for a release"):
        assert said in page.text
    text = (await client.open(f"/requests/{number}")).text
    assert "Waiting for a new version" in text
    assert "It is planned for version 24.200, which is planned for 2027-Q1; plans can move." in text
    assert "BUG-4711" not in text
    page = await specialist.send(f"/console/{number}/release-plan", release_version="24.300", release_date="")
    assert "The plan is kept" in page.text
    page = await specialist.open("/console/releases")
    assert "24.300" in page.text
    assert "24.200" not in page.text
    page = await specialist.send("/console/releases/24.300/ship", ship_note="At the usual place.")
    assert "The release is out." in page.text
    assert "No request waits for a release." in page.text
    assert "Version 24.300 is out." in (await client.open(f"/requests/{number}")).text
    assert "Came back with" in (await specialist.open(f"/console/{number}")).text


async def test_scope_is_judged_by_hand(visitor: Visit) -> None:
    """A topic, a verdict with whom to ask, and a product error are set in one form; the client reads what counts."""
    (number,) = await _ask(visitor, "First", topic="usage")
    specialist, client = await visitor("specialist"), await visitor("client")
    await specialist.open(f"/console/{number}")
    page = await specialist.send(f"/console/{number}/scope", scope_topic="", verdict="", refer_to="hosting")
    assert (specialist.answer.status_code, "Choose a topic, a verdict, or both." in page.text) == (422, True)
    out = {"scope_topic": "", "verdict": "out", "refer_to": "hosting", "scope_reason": "It is the server."}
    page = await specialist.send(f"/console/{number}/scope", **out)
    assert "out of scope" in page.text
    assert "Ask your hosting company" in (await client.open(f"/requests/{number}")).text
    page = await specialist.send(f"/console/{number}/scope", scope_topic="", verdict="error", refer_to="")
    assert "out of scope" not in page.text
    assert "No product error: as the topic says" in page.text
    await specialist.send(f"/console/{number}/scope", scope_topic="hosting", verdict="", refer_to="")
    assert "answers this by references" in (await client.open(f"/requests/{number}")).text
    closing = {"reason": "out_of_scope", "abort": "", "close_refer_to": "partner", "close_body": ""}
    await specialist.send(f"/console/{number}/close", **closing)
    assert "Ask the partner who built" in (await client.open(f"/requests/{number}")).text


async def test_urgency_tier_and_documentation_are_set_by_hand(visitor: Visit) -> None:
    """A claim that is no recovery is heard: a specialist sets its urgency with the reason, and what else is known."""
    (number,) = await _ask(visitor, "First", topic="installation")
    specialist, client = await visitor("specialist"), await visitor("client")
    await specialist.open(f"/console/{number}")
    path, nothing = f"/console/{number}/triage", dict.fromkeys(("level", "level_why", "tier", "complexity", "page"), "")
    page = await specialist.send(path, **nothing)
    assert (specialist.answer.status_code, "Choose what is to change." in page.text) == (422, True)
    page = await specialist.send(path, **nothing | {"level": "high"})
    assert (specialist.answer.status_code, "Say why; the client sees it." in page.text) == (422, True)
    chosen = {"level": "high", "level_why": "Nobody can order.", "tier": "technical_support", "complexity": "hard"}
    page = await specialist.send(path, **nothing | chosen | {"page": "yes"})
    assert [words for words in ("high urgency", "technical support", "hard") if words not in page.text] == []
    page = await client.open(f"/requests/{number}")
    assert "A specialist judged the urgency as high: Nobody can order." in page.text
    assert "Which page of the documentation comes closest to your question?" in page.text
    await specialist.send(path, **nothing | {"page": "no"})
    assert "Which page of the documentation" not in (await client.open(f"/requests/{number}")).text


async def test_claims_of_urgency_are_shown_to_supervisors(visitor: Visit) -> None:
    """What became of each organisation's claims is a page of the supervisor's, and the client reads the reason."""
    numbers = await _ask(visitor, "First", "Second", recovery="full")
    supervisor = await visitor("supervisor")
    assert "No claim was judged yet." in (await supervisor.open("/console/urgency-claims")).text
    specialist, client = await visitor("specialist"), await visitor("client")
    assert "/console/urgency-claims" not in (await specialist.open("/console")).values("href")
    await specialist.open(f"/console/{numbers[0]}")
    judged = {"urgency": "normal", "why": "One page is slow."}
    await specialist.send(f"/console/{numbers[0]}/urgency", **judged)
    page = await client.open(f"/requests/{numbers[0]}")
    assert "A specialist judged the urgency as normal: One page is slow." in page.text
    assert "/console/urgency-claims" in (await supervisor.open("/console")).values("href")
    page = await supervisor.open("/console/urgency-claims")
    assert "Shop Example: 1 of 1 returned (100%)" in page.text
    assert (await specialist.open("/console/urgency-claims")).text
    assert specialist.answer.status_code == 403

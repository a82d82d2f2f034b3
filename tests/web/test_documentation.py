"""Documentation on the pages: found before a request is sent, linked in answers, reported where it did not help."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from firstline.intake.service.articles import NewArticle, save_article
from firstline.intake.service.canned import NewCanned, save_canned
from firstline.standalone.desk import StandaloneDesk

Visit = Callable[[str], Awaitable[Any]]
URL = "https://docs.example/restore"


async def _documented(desk: StandaloneDesk) -> str:
    """Keep a page of documentation; return its ID."""
    intake = desk.services["intake"].state.intake
    page = NewArticle(URL, "Restore a site after a failed update", "A white page after an update.")
    article, _ = await intake.store.write(lambda unit: save_article(intake, unit, page))
    return str(article.id)


async def test_a_form_can_be_checked_first(desk: StandaloneDesk, visitor: Visit) -> None:
    """The check shows pages and questions with all that was typed and sends nothing; the answers go along at last."""
    await _documented(desk)
    client = await visitor("client")
    await client.open("/requests/new")
    typed = {"subject": "White page after an update", "body": "It failed.", "topic": "updates"}
    page = await client.send("/requests", **typed, then="check")
    assert client.path == "/requests"
    assert "Nothing was sent yet" in page.text
    assert {given["href"] for given in page.all("a")} >= {URL}
    assert "White page" not in (await client.open("/requests")).text
    await client.open("/requests/new")
    await client.send("/requests", **typed, then="check")
    answers = {"read": URL, "field-update": "From 24.1 to 24.2", "version": "24.2"}
    page = await client.send("/requests", **typed, **answers, then="check")
    assert (page.form("/requests")["field-update"], page.form("/requests")["read"]) == ("From 24.1 to 24.2", URL)
    page = await client.send("/requests", **typed, **answers)
    assert client.path.endswith("/received")
    assert "These pages may answer it meanwhile" not in page.text
    assert "Which update was it" not in page.text
    supervisor = await visitor("supervisor")
    assert "suggested 1, read 1" in (await supervisor.open("/console/documentation")).text
    assert (await client.open("/console/documentation")) is not None
    assert client.answer.status_code == 403


@pytest.mark.parametrize(
    "changed",
    [{"body": ""}, {"topic": "nothing"}, {"body": "It is white. I have another question: why?"}],
    ids=["lacking", "refused", "remarked"],
)
async def test_what_was_ticked_and_answered_stays(
    desk: StandaloneDesk, visitor: Visit, changed: dict[str, str]
) -> None:
    """Whatever the form comes back for, the pages that were read and the answers behind the questions are there."""
    await _documented(desk)
    client = await visitor("client")
    await client.open("/requests/new")
    typed = {"subject": "White page after an update", "body": "It failed.", "topic": "updates"}
    await client.send("/requests", **typed, then="check")
    answers = {"read": URL, "field-update": "From 24.1 to 24.2"}
    page = await client.send("/requests", **{**typed, **answers, **changed})
    assert client.path == "/requests"
    assert (page.form("/requests")["field-update"], page.form("/requests")["read"]) == ("From 24.1 to 24.2", URL)
    page = await client.send("/requests", **typed)
    assert client.path.endswith("/received")
    assert "These pages may answer it meanwhile" not in page.text


async def test_a_check_that_is_refused_loses_nothing(visitor: Visit) -> None:
    """Where the check itself is refused, the form comes back with what is wrong."""
    client = await visitor("client")
    await client.open("/requests/new")
    page = await client.send("/requests", subject="x", body="y", topic="nothing", then="check")
    assert (client.answer.status_code, page.form("/requests")["subject"]) == (422, "x")


async def test_answers_link_pages(desk: StandaloneDesk, visitor: Visit) -> None:
    """A ready-made answer is put into the draft with its links; a suggested page is linked by ticking it."""
    article_id = await _documented(desk)
    client = await visitor("client")
    await client.open("/requests/new")
    await client.send("/requests", subject="White page after an update", body="It failed.")
    number = client.path.split("/")[2]
    specialist = await visitor("specialist")
    canned = NewCanned("Restore it", "Please restore the backup.", None, [article_id])
    intake = desk.services["intake"].state.intake
    await intake.store.write(lambda unit: save_canned(intake, unit, "restore", canned))
    await specialist.open(f"/console/{number}")
    path = f"/console/{number}/reply"
    page = await specialist.send(path, body="Hello Clara,", canned="restore", then="insert")
    assert f"Hello Clara,\n\nPlease restore the backup.\n\nRestore a site after a failed update:\n{URL}" in page.text
    await specialist.send(path, body="See this.", article=article_id, then="")
    assert {given["href"] for given in (await client.open(f"/requests/{number}")).all("a")} >= {URL}


async def test_pages_are_suggested_while_writing(desk: StandaloneDesk, visitor: Visit) -> None:
    """What is typed is asked about without a page of its own; only title and address come back."""
    await _documented(desk)
    client = await visitor("client")
    await client.open("/requests/new/suggestions?q=White+page+after+an+update&topic=updates")
    assert client.answer.json() == {"pages": [{"title": "Restore a site after a failed update", "url": URL}]}
    assert client.answer.headers["cache-control"] == "no-store"
    await client.open("/requests/new/suggestions?q=nothing+of+the+kind")
    assert client.answer.json() == {"pages": []}
    await client.open(f"/requests/new/suggestions?q={'x' * 2001}")
    assert client.answer.status_code == 404


async def test_ready_made_answers_are_kept(desk: StandaloneDesk, visitor: Visit) -> None:
    """Specialists write, change, rename and delete ready-made answers, and choose the pages that these link."""
    article_id = await _documented(desk)
    specialist = await visitor("specialist")
    page = await specialist.open("/console/canned-answers")
    assert "There is no ready-made answer yet." in page.text
    path, typed = "/console/canned-answers", {"title": "Restore", "code": "restore", "text": "Restore the backup."}
    page = await specialist.send(path, **typed, find="failed update", then="find")
    assert "Restore a site after a failed update" in page.text
    assert page.form(path)["code"] == "restore"
    page = await specialist.send(path, **typed, article=article_id)
    assert "The ready-made answer is kept." in page.text
    assert "1 page" in page.text
    page = await specialist.send(path, **typed)
    assert (specialist.answer.status_code, "There is one with this code already" in page.text) == (422, True)
    page = await specialist.open(f"{path}?code=restore")
    filled = page.form(path)
    assert (filled["was"], filled["title"], filled["article"]) == ("restore", "Restore", article_id)
    await specialist.send(path, text="Restore it, please.", code="bring-back")
    kept = await specialist.open(path)
    assert "bring-back" in kept.text
    assert {given["href"] for given in kept.all("a")} & {f"{path}?code=restore#change"} == set()
    page = await specialist.send(path, **typed | {"code": "Not a code"})
    assert (specialist.answer.status_code, "small letters" in page.text) == (422, True)
    page = await specialist.send(path, **typed | {"title": "", "code": "x"})
    assert (specialist.answer.status_code, "what it answers" in page.text) == (422, True)
    await specialist.open(f"{path}?code=bring-back")
    page = await specialist.send(f"{path}/delete")
    assert "The ready-made answer is deleted." in page.text
    assert "There is no ready-made answer yet." in page.text


async def test_of_two_who_change_an_answer_the_second_learns_of_the_first(visitor: Visit) -> None:
    """Neither a change nor a deletion undoes what somebody else kept meanwhile, and nothing typed is lost."""
    path, typed = "/console/canned-answers", {"title": "Restore", "code": "restore", "text": "Restore it."}
    one, two = await visitor("specialist"), await visitor("supervisor")
    await one.open(path)
    await one.send(path, **typed)
    await one.send(path, **typed | {"code": "other"})
    await two.open(f"{path}?code=restore")
    await one.open(f"{path}?code=restore")
    await one.send(path, text="Restore the backup.")
    page = await two.send(path, text="Throw it away.")
    assert (two.answer.status_code, "Throw it away." in page.text) == (412, True)
    assert "Somebody has changed it meanwhile" in page.text
    page = await two.send(f"{path}/delete")
    assert (two.answer.status_code, "It was not deleted" in page.text) == (412, True)
    await two.open(f"{path}?code=restore")
    page = await two.send(path, code="other", text="Restore it.")
    assert (two.answer.status_code, "There is one with this code already" in page.text) == (422, True)
    assert "Restore the backup." in (await one.open(f"{path}?code=restore")).text
    await one.open(f"{path}?code=nothing")
    assert one.answer.status_code == 404


async def test_ready_made_answers_are_for_staff(visitor: Visit) -> None:
    """A client neither reads nor writes them."""
    client = await visitor("client")
    await client.open("/console/canned-answers")
    assert client.answer.status_code == 403

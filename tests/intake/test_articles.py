"""Documentation first: pages are kept, found by words, suggested with requests, linked in answers, and counted."""

import asyncio
from typing import Any

import pytest
from firstline.intake.suggestions import Candidate, best, searched, stem, stems_of
from httpx import Response
from intake_world import World

CLARA = "client:clara"
RESTORE = {
    "url": "https://docs.example/restore",
    "title": "Restore a site after a failed update",
    "text": "A white page after an update means that files are missing. Restore them from the backup.",
    "topic": "updates",
    "language": "en",
}
RIGHTS = {
    "url": "https://docs.example/rights",
    "title": "Access rights",
    "text": "Who may see which page.",
    "topic": "usage",
}


async def keep(world: World, *pages: dict[str, Any]) -> list[str]:
    """Keep pages; return their IDs."""
    answers = [await world.post("/v1/articles", page) for page in pages]
    assert {answer.status_code for answer in answers} <= {200, 201}, [answer.text for answer in answers]
    return [answer.json()["id"] for answer in answers]


async def found(world: World, q: str, **more: Any) -> list[str]:
    """Return the addresses of the pages that are found by words."""
    items = (await world.get("/v1/articles", CLARA, q=q, **more)).json()["items"]
    return [item["url"] for item in items]


async def test_an_address_is_kept_once(world: World) -> None:
    """The same address again takes the place of what was there, and is found by its new words only."""
    assert (await world.post("/v1/articles", RESTORE)).status_code == 201
    again = await world.post("/v1/articles", RESTORE | {"title": "Bring it back", "text": "Harbour."})
    assert again.status_code == 200
    listed = (await world.get("/v1/articles", CLARA)).json()["items"]
    assert [(item["id"], item["title"]) for item in listed] == [(again.json()["id"], "Bring it back")]
    assert await found(world, "harbour") == [RESTORE["url"]]
    assert await found(world, "failed update") == []


async def test_a_forgotten_page_is_found_no_more(world: World) -> None:
    """Deleted, a page is neither listed nor found; a second time there is nothing to delete."""
    (article_id,) = await keep(world, RESTORE)
    path = f"/v1/articles/{article_id}"
    assert (await world.get(path, CLARA)).json()["text"] == RESTORE["text"]
    gone = [await world.client.delete(path, headers=world.headers("agent:anna")) for _ in range(2)]
    assert [answer.status_code for answer in gone] == [204, 404]
    assert await found(world, "failed update") == []
    assert (await world.get(path, CLARA)).status_code == 404


@pytest.mark.parametrize(
    ("words", "urls"),
    [
        ("updating failed", [RESTORE["url"]]),
        ("WHITE PAGES", [RESTORE["url"], RIGHTS["url"]]),
        ("update", [RESTORE["url"]]),
        ("nothing of the kind", []),
        ("", []),
        ('"; DROP TABLE article; --', []),
        ("NEAR(white page) AND * OR ^title : col", [RESTORE["url"]]),
        ("it's white & 'page' | (x:*", [RESTORE["url"]]),
        ("ab cd", []),
    ],
)
async def test_pages_are_found_by_words(world: World, words: str, urls: list[str]) -> None:
    """Other forms of a word find it too; signs mean nothing, and one shared word of several proves nothing."""
    await keep(world, RESTORE, RIGHTS)
    found_urls = await found(world, words)
    assert found_urls[:1] == urls[:1]
    assert set(found_urls) <= {RESTORE["url"], RIGHTS["url"]}


async def test_every_language_is_found(world: World) -> None:
    """Words of any language are compared alike; the reader's language comes first."""
    pages = [
        {"url": f"https://docs.example/{language}", "title": title, "text": title, "language": language}
        for language, title in (
            ("de", "Störung nach Aktualisierung"),
            ("ru", "Ошибка после обновления"),
            ("fr", "Mise à jour"),
        )
    ]
    await keep(world, *pages)
    assert await found(world, "Störungen bei Aktualisierungen") == ["https://docs.example/de"]
    assert await found(world, "ошибки при обновлении") == ["https://docs.example/ru"]


async def test_requests_come_with_suggestions(world: World) -> None:
    """A check and a request name the pages that may answer; the request keeps them, and each is counted once."""
    restore, rights = await keep(world, RESTORE, RIGHTS)
    body = {"subject": "White page after the update", "body": "The update failed.", "topic": "updates"}
    checked = (await world.post("/v1/tickets/check", body, CLARA)).json()
    assert [one["url"] for one in checked["suggested_articles"]] == [RESTORE["url"]]
    ticket = await world.submit(**body, doc_refs=[{"url": RIGHTS["url"]}])
    assert ticket["suggested_articles"] == [{"id": restore, "title": RESTORE["title"], "url": RESTORE["url"]}]
    assert (await world.ticket(ticket["id"]))["suggested_articles"] == ticket["suggested_articles"]
    for _ in range(2):
        fields = {"doc_refs": RESTORE["url"]}
        await world.must(ticket, "messages", {"body": "I read it.", "fields": fields}, CLARA)
    uses = (await world.get("/v1/articles/uses", "supervisor:sven")).json()["items"]
    assert {use["id"]: (use["suggested"], use["read"]) for use in uses} == {restore: (1, 1), rights: (0, 1)}


async def test_each_use_is_counted_once(world: World) -> None:
    """A report adds up what is new and reads what was counted; asked again, by two at once too, it says the same."""
    (restore,) = await keep(world, RESTORE)
    body = {"subject": "White page after the update", "body": "The update failed.", "topic": "updates"}
    for sent in range(1, 4):
        await world.submit(**body)
        calls = [world.get("/v1/articles/uses", "supervisor:sven") for _ in range(2)]
        answers = await asyncio.gather(*calls)
        assert [one.json()["items"][0]["suggested"] for one in answers] == [sent, sent]
    assert world.rows("SELECT * FROM article_use WHERE NOT counted") == []
    assert world.rows("SELECT * FROM article_use_count") == [(restore, "suggested", 3)]


async def test_a_page_that_is_linked_stays(world: World) -> None:
    """A page that ready-made answers link is not forgotten, and they are named; without the link it is."""
    restore, rights = await keep(world, RESTORE, RIGHTS)
    headers = world.headers("agent:anna")
    body = {"title": "Restore", "text": "Please restore the backup.", "article_ids": [restore, rights, restore]}
    for code in ("b-second", "a-first"):
        assert (await world.client.put(f"/v1/canned-answers/{code}", json=body, headers=headers)).is_success
    refused = await world.client.delete(f"/v1/articles/{restore}", headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/article-linked")
    assert refused.json()["canned_answers"] == ["a-first", "b-second"]
    assert "a-first, b-second" in refused.json()["detail"]
    assert (await world.client.delete("/v1/canned-answers/b-second", headers=headers)).is_success
    changed = body | {"article_ids": [rights]}
    assert (await world.client.put("/v1/canned-answers/a-first", json=changed, headers=headers)).is_success
    assert (await world.client.delete(f"/v1/articles/{restore}", headers=headers)).status_code == 204
    assert (await world.client.delete(f"/v1/articles/{rights}", headers=headers)).status_code == 409


async def test_a_page_is_kept_once_a_key(world: World) -> None:
    """Repeated with its key, keeping a page is answered as the first time; with another page it is refused."""
    first = await world.post("/v1/articles", RESTORE, Idempotency_Key="k")
    again = await world.post("/v1/articles", RESTORE, Idempotency_Key="k")
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    other = await world.post("/v1/articles", RIGHTS, Idempotency_Key="k")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert world.rows("SELECT count(*) FROM article") == [(1,)]


async def test_answers_carry_links(world: World) -> None:
    """A specialist's message shows the pages that it names below its text; an unknown page is refused."""
    (restore,) = await keep(world, RESTORE)
    ticket = await world.submit()
    await world.must(ticket, "messages", {"body": "See here.", "article_ids": [restore]})
    body = (await world.messages(ticket, CLARA))[-1]["body"]
    assert body == f"See here.\n\n{RESTORE['title']}:\n{RESTORE['url']}"
    await world.must(ticket, "resolve", {"body": "Done.", "article_ids": [restore]})
    assert RESTORE["url"] in (await world.messages(ticket, CLARA))[-1]["body"]
    before = world.stored()
    for given, who in (({"article_ids": ["none"]}, "agent:anna"), ({"article_ids": [restore]}, CLARA)):
        answer = await world.verb(ticket, "messages", {"body": "x"} | given, who)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"][:12]) == (422, "/article_ids")
    assert world.stored() == before


async def test_canned_answers_are_kept_by_code(world: World) -> None:
    """Staff keep, change, list and forget ready-made answers; their pages and topic have to exist."""
    (restore,) = await keep(world, RESTORE)
    headers = world.headers("agent:anna")
    body = {"title": "Restore", "text": "Please restore the backup.", "topic": "updates", "article_ids": [restore]}
    kept = [await world.client.put("/v1/canned-answers/restore", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in kept] == [201, 200]
    for wrong, pointer in (({"topic": "nothing"}, "/topic"), ({"article_ids": ["x"]}, "/article_ids/0")):
        answer = await world.client.put("/v1/canned-answers/restore", json=body | wrong, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    (listed,) = (await world.get("/v1/canned-answers")).json()["items"]
    assert listed == (await world.get("/v1/canned-answers/restore")).json()
    assert (listed["text"], listed["article_ids"]) == (body["text"], [restore])
    gone = [await world.client.delete("/v1/canned-answers/restore", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in gone] == [204, 404]
    assert (await world.get("/v1/canned-answers/restore")).status_code == 404


async def test_a_canned_answer_is_renamed_at_once_and_by_who_knows_it(world: World) -> None:
    """One call renames it with its links; a taken code, an older version or one that is there already is refused."""
    (restore,) = await keep(world, RESTORE)
    body = {"title": "Restore", "text": "Please restore the backup.", "article_ids": [restore]}

    async def put(code: str, more: dict[str, Any] | None = None, **headers: str) -> Response:
        given = world.headers("agent:anna") | {name.replace("_", "-"): value for name, value in headers.items()}
        return await world.client.put(f"/v1/canned-answers/{code}", json=body | (more or {}), headers=given)

    for code in ("restore", "other"):
        assert (await put(code, If_None_Match="*")).headers["etag"] == '"1"'
    assert (await put("restore", If_None_Match="*")).status_code == 412
    assert (await put("restore", If_Match='"1"')).headers["etag"] == '"2"'
    before = world.stored()
    stale = await put("restore", {"code": "bring-back"}, If_Match='"1"')
    assert (stale.status_code, stale.json()["etag"]) == (412, '"2"')
    taken = await put("restore", {"code": "other"})
    assert (taken.status_code, taken.json()["errors"][0]["pointer"]) == (409, "/code")
    assert world.stored() == before
    renamed = await put("restore", {"code": "bring-back"}, If_Match='"2"')
    assert (renamed.status_code, renamed.json()["code"], renamed.headers["etag"]) == (200, "bring-back", '"3"')
    assert [one["code"] for one in (await world.get("/v1/canned-answers")).json()["items"]] == ["bring-back", "other"]
    assert (await put("restore", If_Match='"3"')).status_code == 412
    headers = world.headers("agent:anna")
    refused = await world.client.delete(f"/v1/articles/{restore}", headers=world.headers("admin:ada"))
    assert refused.json()["canned_answers"] == ["bring-back", "other"]
    gone = [
        await world.client.delete("/v1/canned-answers/bring-back", headers=headers | {"If-Match": etag})
        for etag in ('"2"', '"3"')
    ]
    assert [answer.status_code for answer in gone] == [412, 204]


async def test_who_may_do_what(world: World) -> None:
    """Everybody reads documentation; staff keep it; leaders alone see what did not help; canned answers are staff's."""
    await keep(world, RESTORE)
    for who in (CLARA, "partner:pia@acme"):
        assert (await world.post("/v1/articles", RIGHTS, who)).status_code == 403
        assert (await world.get("/v1/canned-answers", who)).status_code == 403
        assert (await world.get("/v1/articles", who)).status_code == 200
    assert (await world.get("/v1/articles/uses")).status_code == 403
    for wrong in ({"url": "ftp://x"}, {"url": "https://a b"}, {"topic": "nothing"}, {"title": " "}):
        assert (await world.post("/v1/articles", RIGHTS | wrong)).status_code == 422


def test_lists_are_paged() -> None:
    """A stem keeps short words whole; stems come once, in their order."""
    assert [stem(word) for word in ("page", "pages", "reloading")] == ["page", "page", "reload"]
    assert stems_of("Plain pages, plain PAGE", "on it") == ("plai", "page")


def test_titles_and_nearness_decide_the_order() -> None:
    """A word in the title weighs more than in the text; the same topic and language come before others."""
    pages = [
        Candidate("1", "Other", "https://a/1", None, None, "restore backup"),
        Candidate("2", "Restore backup", "https://a/2", None, None, ""),
        Candidate("3", "Restore backup", "https://a/3", "updates.failed_update", "de", ""),
        Candidate("4", "Restore", "https://a/4", None, None, ""),
    ]
    order = [one.id for one in best(pages, stems_of("restore backup"), "updates", "de-AT")]
    assert order == ["3", "2", "1"]


def test_the_rarest_words_are_searched_for() -> None:
    """What no page has is left out; the rarest come first while few pages have them, and one is searched for anyway."""
    pages = {"the": 3_000, "page": 150, "site": 40, "backup": 2, "none": 0}
    assert searched(tuple(pages), pages) == ("backup", "site", "page")
    assert searched(("the", "page"), {"the": 3_000, "page": 2_000}) == ("page",)
    assert searched(("the",), {}) == ()
    many = {f"word{number}": 1 for number in range(20)}
    assert len(searched(tuple(many), many)) == 8


async def test_words_are_counted_with_their_pages(world: World) -> None:
    """The count of a word follows the pages that have it: changed, kept again, and forgotten."""
    counted = "SELECT word, articles FROM article_word ORDER BY word"
    await keep(world, RIGHTS, RIGHTS)
    restore, _ = await keep(
        world, RESTORE | {"title": "White page", "text": "The backup."}, RESTORE | {"text": "Page."}
    )
    assert dict(world.rows(counted))["page"] == 2
    assert "backup" not in dict(world.rows(counted))
    await world.client.delete(f"/v1/articles/{restore}", headers=world.headers("agent:anna"))
    assert world.rows(counted) == [(word, 1) for word in ("access", "may", "page", "rights", "see", "which", "who")]

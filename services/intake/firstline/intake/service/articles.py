"""Documentation first (clauses 1.2, 4.7): pages kept, suggested for a text, counted where they did not help."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from firstline.common.errors import Conflict, Fault, Invalid, NotFound
from firstline.common.store.port import Unit, Value
from firstline.intake.scope import Rulebook
from firstline.intake.service.desk import Desk
from firstline.intake.store.articles import (
    ADD_USES,
    ARTICLE,
    ARTICLE_BY_URL,
    ARTICLE_BY_URL_TO_CHANGE,
    ARTICLE_TO_CHANGE,
    ARTICLES,
    ARTICLES_BY_URL,
    ARTICLES_WITH_WORDS,
    CANNED_THAT_LINK,
    COUNT_USES,
    COUNT_WORDS,
    DELETE_ARTICLE,
    DROP_WORDS,
    LAST,
    NOTE_USE,
    PAGES_WITH_STEMS,
    SAVE_ARTICLE,
    Article,
    postgres_query,
    sqlite_query,
)
from firstline.intake.suggestions import (
    CANDIDATES,
    MOST_PAGES,
    SUGGESTED,
    Candidate,
    best,
    searched,
    stems_of,
    words_of,
)
from firstline.intake.ticket import Ticket

USES_A_PORTION = 1000
PORTIONS = 10
"""How many uses a report counts at most, so that the first one after a long time does not take for ever."""
CODES_NAMED = 20

Use = tuple[str, str]
"""How a page was used, `suggested` or `read`, and its ID."""


class ArticleLinked(Conflict):
    """Ready-made answers link the page, so it can't be forgotten; `canned_answers` names them."""

    title = "The page is linked"


@dataclass(frozen=True, slots=True)
class NewArticle:
    """A page as somebody gives it; `topic` and `language` None: of any."""

    url: str
    title: str
    text: str
    topic: str | None = None
    language: str | None = None


async def save_article(desk: Desk, unit: Unit, new: NewArticle) -> tuple[Article, bool]:
    """Keep a page under its address, in the place of what was kept there; return it, and whether it is a new one.

    Raises:
        Invalid: the policy has no such topic.

    """
    check_topic(desk.policies.rules, new.topic)
    # Locked: the words that are counted anew are the difference to what stands there now.
    before = await unit.one(ARTICLE_BY_URL_TO_CHANGE, url=new.url)
    given = {name: getattr(new, name) for name in NewArticle.__slots__}
    await unit.run(SAVE_ARTICLE, id=desk.ports.ids.new(), **given, now=desk.now())
    kept = await unit.one(ARTICLE_BY_URL, url=new.url)
    assert kept is not None  # this transaction has just stored it
    await _count_words(unit, before, kept)
    return kept, before is None


def check_topic(rules: Rulebook, topic: str | None) -> None:
    """Refuse a topic that the policy in force doesn't have.

    Raises:
        Invalid: with those that it has.

    """
    if topic not in rules.topics:
        known = ", ".join(code for code in rules.topics if code and "." not in code)
        raise Invalid("There is no such topic.", faults=(Fault("/topic", f"Leave it out, or use one of: {known}."),))


async def article_of(unit: Unit, article_id: str) -> Article:
    """Return a page.

    Raises:
        NotFound: there is none with this ID.

    """
    found = await unit.one(ARTICLE, id=article_id)
    if found is None:
        raise NotFound("There is no page of documentation with this ID. Check the ID.")
    return found


async def count_uses(desk: Desk) -> None:
    """Add up the uses that nobody has counted yet, in portions; the report counts what is left over by itself."""

    async def portion(unit: Unit) -> int:
        counted = Counter((use.article_id, use.kind) for use in await unit.all(COUNT_USES, limit=USES_A_PORTION))
        rows: list[dict[str, Value]] = [
            {"article_id": page, "kind": kind, "uses": uses} for (page, kind), uses in sorted(counted.items())
        ]
        await unit.many(ADD_USES, rows)
        return sum(counted.values())

    for _ in range(PORTIONS):
        if await desk.store.write(portion) < USES_A_PORTION:
            return


async def delete_article(unit: Unit, article_id: str) -> None:
    """Forget a page; what was counted of it stays.

    Raises:
        NotFound: there is none with this ID.
        ArticleLinked: ready-made answers link it.

    """
    before = await unit.one(ARTICLE_TO_CHANGE, id=article_id)
    if before is None:
        raise NotFound("There is no page of documentation with this ID. Check the ID.")
    # Under the page's lock, which whoever links it in an answer takes as well.
    if codes := await unit.all(CANNED_THAT_LINK, article_id=article_id, limit=CODES_NAMED):
        raise ArticleLinked(
            f"Ready-made answers link this page: {', '.join(codes)}. Take the link out of them, or delete them, first.",
            extra={"canned_answers": codes},
        )
    await unit.run(DELETE_ARTICLE, id=article_id)
    await _count_words(unit, before, None)


async def _count_words(unit: Unit, before: Article | None, after: Article | None) -> None:
    """Count a page's words anew; in their order, so that two pages that are saved at once don't lock each other out."""
    old, new = (words_of(one.title, one.text) if one else frozenset[str]() for one in (before, after))
    if added := sorted(new - old):
        await unit.run(COUNT_WORDS, words=added, more=1)
    if gone := sorted(old - new):
        await unit.run(COUNT_WORDS, words=gone, more=-1)
        await unit.run(DROP_WORDS, words=gone)


async def suggestions(
    unit: Unit, *texts: str, topic: str | None = None, language: str | None = None, limit: int = SUGGESTED
) -> list[Candidate]:
    """Return the pages that may answer texts, the likeliest first; the words of the first text count before others'."""
    stems = stems_of(*texts)
    # Looked up first: a word that stands on most pages takes longest to find and tells none from another.
    counted = await unit.all(PAGES_WITH_STEMS, stems=stems, last=LAST) if stems else []
    rare = searched(stems, {one.stem: one.pages for one in counted})
    if not rare:
        return []
    queries = {"sqlite_query": sqlite_query(rare), "postgres_query": postgres_query(rare)}
    found = await unit.all(ARTICLES_WITH_WORDS, **queries, most=MOST_PAGES, limit=CANDIDATES)
    return best(found, stems, topic, language)[:limit]


async def linked(unit: Unit, ids: Sequence[str]) -> str:
    """Return pages as lines to stand below an answer, in the order given; empty where there are none (clause 4.7).

    Raises:
        Invalid: there is no page with one of the IDs.

    """
    found = {article.id: article for article in await unit.all(ARTICLES, ids=list(ids))} if ids else {}
    for at, wanted in enumerate(ids):
        if wanted not in found:
            fault = Fault(f"/article_ids/{at}", "There is no page of documentation with this ID.")
            raise Invalid("A page can't be linked.", faults=(fault,))
    return "\n".join(f"{found[one].title}:\n{found[one].url}" for one in dict.fromkeys(ids))


async def uses_of(unit: Unit, suggested: Iterable[Candidate], doc_refs: Sequence[Any]) -> tuple[Use, ...]:
    """Return which pages were suggested for a request, and which its sender read."""
    # By address: clients may name a page by what their browser shows.
    urls = [url for reference in doc_refs if (url := address_in(reference))]
    read = await unit.all(ARTICLES_BY_URL, urls=urls) if urls else []
    return (*(("suggested", one.id) for one in suggested), *(("read", one.id) for one in read))


async def note_reading(unit: Unit, ticket: Ticket) -> None:
    """Count the pages that a client has named since the request was sent."""
    rows = [
        {"kind": kind, "article_id": article_id, "ticket_id": ticket.id}
        for kind, article_id in await uses_of(unit, (), ticket.doc_refs)
    ]
    await unit.many(NOTE_USE, rows)


def address_in(reference: Any) -> str | None:
    """Return the address that a reference to documentation names, if it does."""
    given = reference.get("url") if isinstance(reference, dict) else reference
    return given.strip() if isinstance(given, str) and given.strip() else None

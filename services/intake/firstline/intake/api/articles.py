"""Documentation: found by anybody, kept by staff; and the report of what did not help (clauses 1.2, 4.7)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from firstline.common.answers import Made, answer_once
from firstline.common.application import json_answer, permit
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api.context import DeskHere, Key, retry_here
from firstline.intake.schemas.articles import (
    ArticleFull,
    ArticleIn,
    ArticleOut,
    ArticleUseOut,
    article_full,
    article_out,
    use_out,
)
from firstline.intake.service.articles import (
    NewArticle,
    article_of,
    count_uses,
    delete_article,
    save_article,
    suggestions,
)
from firstline.intake.store.articles import ARTICLE_LIST, ARTICLE_USES, Article
from firstline.intake.suggestions import Candidate

router = APIRouter(prefix="/v1/articles", tags=["documentation"])
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.get("")
async def find_articles(
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("articles.read"))],
    q: Annotated[str | None, Query(max_length=2000, description="Words; without any, all pages are listed.")] = None,
    topic: str | None = None,
    language: str | None = None,
    cursor: str | None = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ArticleOut]:
    """Find pages by their words, the likeliest first, those of the topic and language before others; or list them."""
    if q is not None:

        async def find(unit: Unit) -> list[Candidate]:
            return await suggestions(unit, q, topic=topic, language=language, limit=limit)

        # No further page: what isn't among the likeliest answers nobody.
        return Page[ArticleOut](items=[article_out(one) for one in await desk.store.read(find)], next=None)
    place = desk.cursors.read("articles", cursor)

    async def work(unit: Unit) -> list[Article]:
        return await unit.all(ARTICLE_LIST, after=str(place[0]) if place else "", limit=limit + 1)

    found = await desk.store.read(work)
    more = desk.cursors.write("articles", [found[limit - 1].id]) if len(found) > limit else None
    return Page[ArticleOut](items=[article_out(one) for one in found[:limit]], next=more)


@router.post("", status_code=201, response_model=ArticleFull)
async def keep_article(
    request: Request,
    body: ArticleIn,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("articles.manage"))],
    idempotency_key: Key = None,
) -> Response:
    """Keep a page: 201 for a new address, 200 where it takes the place of what was there."""
    new = NewArticle(**body.model_dump())

    async def work(unit: Unit) -> Made:
        kept, is_new = await save_article(desk, unit, new)
        return 201 if is_new else 200, article_full(kept).model_dump_json(), None

    answer = await answer_once(desk.store, desk.ports.clock, await retry_here(request, access, idempotency_key), work)
    return json_answer(answer.body, answer.status, answer.etag)


@router.get("/uses")
async def report_uses(
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("articles.report"))],
    cursor: str | None = None,
    limit: Limit = MAX_LIMIT,
) -> Page[ArticleUseOut]:
    """Report which pages did not help: how many requests were sent although each was suggested, or had been read."""
    place = desk.cursors.read("article uses", cursor)
    after = int(place[0]) if place else 0
    # What was noted since the last count is added now: counting
    # while requests come in would make all of them wait for a row.
    await count_uses(desk)
    found = await desk.store.read(lambda unit: unit.all(ARTICLE_USES, after=after, limit=limit + 1))
    more = desk.cursors.write("article uses", [found[limit - 1].seq]) if len(found) > limit else None
    return Page[ArticleUseOut](items=[use_out(one) for one in found[:limit]], next=more)


@router.get("/{article_id}")
async def read_article(
    article_id: str, desk: DeskHere, _access: Annotated[Access, Depends(permit("articles.read"))]
) -> ArticleFull:
    """Read a page's entry."""
    return article_full(await desk.store.read(lambda unit: article_of(unit, article_id)))


@router.delete("/{article_id}", status_code=204)
async def forget_article(
    article_id: str, desk: DeskHere, _access: Annotated[Access, Depends(permit("articles.manage"))]
) -> None:
    """Forget a page; it is suggested no more. One that ready-made answers link can't be forgotten (409 names them)."""
    await desk.store.write(lambda unit: delete_article(unit, article_id))

"""Ready-made answers with links (clause 4.7): kept by code; a page that one links can't be forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass

from firstline.common.errors import NotFound
from firstline.common.store.port import Unit
from firstline.intake.service.articles import check_topic, linked
from firstline.intake.service.desk import Desk
from firstline.intake.store.articles import (
    ARTICLES_TO_LINK,
    CANNED,
    DELETE_CANNED,
    LINK_CANNED,
    SAVE_CANNED,
    UNLINK_CANNED,
    CannedAnswer,
)


@dataclass(frozen=True, slots=True)
class NewCanned:
    """A ready-made answer as somebody gives it; `topic` None: for any."""

    title: str
    text: str
    topic: str | None
    article_ids: Sequence[str]


async def save_canned(desk: Desk, unit: Unit, code: str, new: NewCanned) -> tuple[CannedAnswer, bool]:
    """Keep a ready-made answer under its code, in the place of what was there; return it, and whether it is new.

    Raises:
        Invalid: the policy has no such topic, or there is no such page.

    """
    check_topic(desk.policies.rules, new.topic)
    ids = list(dict.fromkeys(new.article_ids))
    if ids:  # held until this is through, so that none of them is forgotten meanwhile
        await unit.all(ARTICLES_TO_LINK, ids=ids)
    await linked(unit, new.article_ids)
    before = await unit.one(CANNED, code=code)
    given = {"title": new.title, "text": new.text, "topic": new.topic, "article_ids": ids}
    await unit.run(SAVE_CANNED, id=desk.ports.ids.new(), code=code, **given, updated_at=desk.now())
    await unit.run(UNLINK_CANNED, code=code)
    await unit.many(LINK_CANNED, [{"code": code, "article_id": article_id} for article_id in ids])
    kept = await unit.one(CANNED, code=code)
    assert kept is not None  # this transaction has just stored it
    return kept, before is None


async def delete_canned(unit: Unit, code: str) -> None:
    """Forget a ready-made answer.

    Raises:
        NotFound: there is none with this code.

    """
    await unit.run(UNLINK_CANNED, code=code)
    if not await unit.run(DELETE_CANNED, code=code):
        raise NotFound("There is no ready-made answer with this code. Check the code.")

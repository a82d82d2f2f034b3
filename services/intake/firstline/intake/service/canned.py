"""Ready-made answers with links (clause 4.7): kept by code; a page that one links can't be forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass

from firstline.common.errors import Conflict, Fault, NotFound, PreconditionFailed
from firstline.common.paging import check_version, etag_of
from firstline.common.store.port import Unit
from firstline.intake.service.articles import check_topic, linked
from firstline.intake.service.desk import Desk
from firstline.intake.store.articles import (
    ARTICLES_TO_LINK,
    CANNED,
    CANNED_TO_CHANGE,
    CHANGE_CANNED,
    DELETE_CANNED,
    INSERT_CANNED,
    LINK_CANNED,
    UNLINK_CANNED,
    CannedAnswer,
)


@dataclass(frozen=True, slots=True)
class NewCanned:
    """A ready-made answer as somebody gives it; `topic` None: for any; `code` None: the one that it has."""

    title: str
    text: str
    topic: str | None
    article_ids: Sequence[str]
    code: str | None = None


class CodeTaken(Conflict):
    """Another ready-made answer has this code; open that one, or use another code."""

    title = "The code is taken"


@dataclass(frozen=True, slots=True)
class Known:
    """What a caller knows of the ready-made answer: its version (If-Match), or that there is none (If-None-Match)."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, there: CannedAnswer | None) -> None:
        """Compare it with what is there.

        Raises:
            PreconditionFailed: it is another version, or gone, or there although the caller knows of none.

        """
        # Without this a form for a new answer would overwrite the
        # one that a colleague has just stored under the same code.
        if self.if_none_match and there is not None:
            raise PreconditionFailed(
                "There is one with this code already. Open that one, or use another code.",
                extra={"etag": etag_of(there.version)},
            )
        if self.if_match is None:
            return
        if there is None:
            raise PreconditionFailed("It was deleted, or has another code since. Look into the list.")
        check_version(self.if_match, there.version)


async def save_canned(
    desk: Desk,
    unit: Unit,
    code: str,
    new: NewCanned,
    known: Known = Known(),
) -> tuple[CannedAnswer, bool]:
    """Keep a ready-made answer under its code, in the place of what was there; return it, and whether it is new.

    Raises:
        CodeTaken: it is to have the code of another one.
        Invalid: the policy has no such topic, or there is no such page.
        PreconditionFailed: it isn't what the caller knows.

    """
    check_topic(desk.policies.rules, new.topic)
    ids = list(dict.fromkeys(new.article_ids))
    if ids:  # held until this is through, so that none of them is forgotten meanwhile
        await unit.all(ARTICLES_TO_LINK, ids=ids)
    await linked(unit, new.article_ids)
    # After the pages' locks, as in every change of an answer: one order of locks, and no two changes wait in a circle.
    before = await unit.one(CANNED_TO_CHANGE, code=code)
    known.check(before)
    named = new.code or code
    if named != code and await unit.one(CANNED, code=named) is not None:
        fault = Fault("/code", "Open the one that has this code, or use another code.")
        raise CodeTaken("There is one with this code already.", faults=(fault,))
    given = {"code": named, "title": new.title, "text": new.text, "topic": new.topic, "article_ids": ids}
    put, id_ = (CHANGE_CANNED, before.id) if before else (INSERT_CANNED, desk.ports.ids.new())
    await unit.run(put, id=id_, **given, updated_at=desk.now())
    await unit.run(UNLINK_CANNED, code=code)
    await unit.many(LINK_CANNED, [{"code": named, "article_id": article_id} for article_id in ids])
    kept = await unit.one(CANNED, code=named)
    assert kept is not None  # this transaction has just stored it
    return kept, before is None


async def delete_canned(unit: Unit, code: str, known: Known) -> None:
    """Forget a ready-made answer.

    Raises:
        NotFound: there is none with this code.
        PreconditionFailed: it isn't what the caller knows.

    """
    there = await unit.one(CANNED_TO_CHANGE, code=code)
    if there is None:
        raise NotFound("There is no ready-made answer with this code. Check the code.")
    known.check(there)
    await unit.run(UNLINK_CANNED, code=code)
    await unit.run(DELETE_CANNED, code=code)

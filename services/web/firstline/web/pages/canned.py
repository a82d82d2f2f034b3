"""Ready-made answers: read, written, changed and forgotten by staff (clause 4.7)."""

from typing import Final

from fastapi import APIRouter, Response

from firstline.web import choices, documents, forms
from firstline.web.client import Refusal
from firstline.web.forms import Draft
from firstline.web.visit import Posted, Posting, Visit, Visiting

router = APIRouter(prefix="/console/canned-answers")

NOTICES: Final = {"kept": "The ready-made answer is kept.", "gone": "The ready-made answer is deleted."}
REQUIRED: Final = {
    "code": "Give it a code, such as clear-cache.",
    "title": "Say in a few words what it answers.",
    "text": "Write the answer.",
}
TAKEN: Final = "There is one with this code already. Open that one, or use another code."
CHANGED: Final = "Somebody has changed it meanwhile"
CHANGED_ADVICE: Final = (
    "What you wrote is still here, and nothing was kept. Copy what you need, then open it anew in the list."
)
CHANGED_NOT_GONE: Final = "It was not deleted. Open it in the list, look at it as it is now, and decide anew."
FIELDS: Final = {"article_ids": "find"}


@router.get("")
async def list_answers(visit: Visiting, code: str = "", done: str = "") -> Response:
    """Show the ready-made answers, and the form for a new one or for the one that is to be changed."""
    if not code:
        return await _page(visit, Draft(visit.new_key()), notice=NOTICES.get(done))
    one, etag = await visit.desk.canned_answer(code)
    typed = {"was": one["code"], "code": one["code"], "title": one["title"], "text": one["text"]}
    typed |= {"etag": etag, "topic": one["topic"] or ""}
    return await _page(visit, Draft(visit.new_key(), typed), await _links(visit, one["article_ids"]))


async def _links(visit: Visit, ids: list[str]) -> tuple[documents.Link, ...]:
    """Return pages of the documentation by their IDs, in that order."""
    return documents.linked([await visit.desk.article(one) for one in ids])


async def _page(
    visit: Visit,
    draft: Draft,
    links: tuple[documents.Link, ...] = (),
    found: tuple[documents.Link, ...] | None = None,
    *,
    status: int = 200,
    notice: str | None = None,
) -> Response:
    """Show the list and the form; `links` are the pages that the answer links, `found` those to choose from."""
    kept = {link.id for link in links}
    shown = {
        "answers": documents.ready_made(await visit.desk.canned_answers()),
        "topic_options": choices.scope_topics(await visit.desk.policy()),
        "links": links,
        "found": None if found is None else tuple(link for link in found if link.id not in kept),
        "notice": notice,
    }
    return await visit.page("canned.html", status=status, here="canned", draft=draft, **shown)


@router.post("")
async def keep(posted: Posting) -> Response:
    """Keep what was written, or find pages to link first."""
    visit = posted.visit
    ids = [one for one in posted.form.getlist("article") if isinstance(one, str)]
    # Read again at each step: a page of the documentation may have been renamed since the form was opened.
    links = await _links(visit, ids)
    if posted.text("then") == "find":
        found = documents.linked(await visit.desk.find_articles(posted.text("find"), None, limit=10))
        return await _page(visit, Draft(forms.key_of(posted), forms.typed(posted)), links, found)
    wrong = forms.empty(posted, REQUIRED)
    if wrong:
        return await _page(visit, forms.refused(posted, forms.lacking(wrong)), links, status=422)
    code, was = posted.text("code"), posted.text("was")
    body = {"title": posted.text("title"), "text": posted.text("text"), "topic": posted.text("topic") or None}
    document = {**body, "code": code, "article_ids": ids}
    try:
        await visit.desk.keep_canned_answer(was or code, document, posted.text("etag") if was else None)
    except Refusal as refusal:
        told = _told(posted, refusal)
        return await _page(visit, forms.refused(posted, told, fields=FIELDS), links, status=told.status)
    return visit.go("/console/canned-answers?done=kept")


def _told(posted: Posted, refusal: Refusal) -> Refusal:
    """Return a refusal as the form tells it; a code that is taken or of the wrong form is told at the code."""
    if refusal.slug == "code-taken" or (refusal.slug == "precondition-failed" and not posted.text("was")):
        refusal = forms.lacking({"code": TAKEN})
    elif refusal.slug == "precondition-failed":
        refusal = Refusal(refusal.status, refusal.slug, CHANGED, CHANGED_ADVICE)
    elif any(pointer.endswith("code") for pointer, _ in refusal.faults):
        refusal = forms.lacking({"code": "Use small letters, digits, - and _, such as clear-cache."})
    return refusal


@router.post("/delete")
async def forget(posted: Posting) -> Response:
    """Forget a ready-made answer, unless it is another than was looked at; then it is shown anew."""
    visit, code = posted.visit, posted.text("code")
    try:
        await visit.desk.forget_canned_answer(code, posted.text("etag"))
    except Refusal as refusal:
        if refusal.slug != "precondition-failed":
            raise
        draft = Draft(visit.new_key(), wrong={"": CHANGED_NOT_GONE}, title=CHANGED)
        return await _page(visit, draft, status=refusal.status)
    return visit.go("/console/canned-answers?done=gone")

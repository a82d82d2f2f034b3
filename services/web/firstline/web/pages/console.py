"""The console: the queue, the request in work, and the verbs of a specialist (clauses 2.1 to 2.3, 4.8)."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from firstline.common.calendar import parse_calendar
from firstline.web import access, board, choices, documents, forms, letters, views
from firstline.web.client import Json, Refusal
from firstline.web.forms import Draft
from firstline.web.visit import Posted, Posting, PostingFiles, Visit, Visiting

router = APIRouter(prefix="/console")

Reference = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]

NOTICES: Final = {
    "nobody": "Nobody is waiting for you to take the request.",
    "taken": "It is yours now.",
    "replied": "Your reply was sent.",
    "noted": "Your note was kept. The client doesn't see it.",
    "waiting": "It waits now, and its clocks stand still.",
    "handed_over": "Development has it; the client was told.",
    "planned": "The plan is kept; the client was told if it has changed.",
    "resumed": "It goes on.",
    "resolved": "It is solved; the client was told.",
    "closed": "It is closed; the client was told.",
    "reopened": "It is open again.",
    "released": "You gave it back; it has kept its place.",
    "judged": "The urgency is set.",
    "merge": "It is closed and goes on in the other request; the client was told where.",
    "unmerge": "The merge is taken back; it is open again.",
    "link": "The two requests name each other.",
    "unlink": "The link is taken back.",
    "triaged": "It is set; the client is told where it means a change for them.",
    "scope": "The scope is set; the client is told where it means a change for them.",
    "split": "This is the new request; the client gets its ID.",
}

PLAN_FIELDS: Final = {
    "planned_release/version": "release_version",
    "planned_release/date": "release_date",
    "planned_release/precision": "release_precision",
}
# After these the queue has ended the claim, or does so in a moment;
# the token is of no use any more and would only fill the cookie.
ENDING_THE_CLAIM: Final = ("replied", "waiting", "handed_over", "resolved", "closed", "merge")


@router.get("")
async def show_queue(visit: Visiting, done: str = "") -> Response:
    """Show the queue."""
    return await _queue(visit, 200, notice=NOTICES.get(done))


async def _queue(
    visit: Visit, status: int, *, notice: str | None = None, problem: Mapping[str, str] | None = None
) -> Response:
    """Show the queue with nothing open beside it, and what was done or went wrong last."""
    pane = await _queue_pane(visit, await visit.desk.policy(), _reader(visit))
    shown = {"work": None, "queue": pane, "draft": Draft(visit.new_key()), "notice": notice, "problem": problem}
    return await visit.page("console.html", status=status, **shown)


async def _queue_pane(visit: Visit, policy: Json, reader: board.Reader) -> board.Queue:
    """Return the beginning of the queue, with the clocks of what stands there where they can be had."""
    page = await visit.desk.queue()
    clocks = await visit.clocks([entry["ticket_id"] for entry in page["items"]])
    return board.queue(page, clocks, parse_calendar(policy["calendar"]), reader)


def _reader(visit: Visit, reading: str | None = None) -> board.Reader:
    """Return who reads the console, and the request that is open before them."""
    return board.Reader(visit.session.person_id, visit.now, reading)


@router.get("/urgency-claims")
async def show_urgency_claims(
    visit: Visiting, cursor: Annotated[str | None, Query(max_length=1000)] = None
) -> Response:
    """Show supervisors what became of each organisation's claims of urgency (clause 2.1)."""
    page = await visit.desk.urgency_claims(cursor)
    lines = [views.claim_line(found, await visit.organization(found["organization_id"])) for found in page["items"]]
    return await visit.page("urgency_claims.html", here="claims", lines=lines, older=page["next"])


@router.post("/next")
async def take_next(posted: Posting) -> Response:
    """Take the next request."""
    return await _claim(posted, None)


@router.post("/{reference}/claim")
async def take(posted: Posting, reference: Reference) -> Response:
    """Take this request, whatever its place; one that is the visitor's is theirs for longer."""
    ticket = await posted.visit.desk.ticket(reference)
    return await _claim(posted, ticket["id"])


async def _claim(posted: Posted, ticket_id: str | None) -> Response:
    """Claim the next request, or that one, keep the claim's token and show the request; or say why not."""
    visit = posted.visit
    try:
        claim = await visit.desk.claim(ticket_id, forms.key_of(posted))
    except Refusal as refusal:
        return await _queue(visit, refusal.status, problem={"title": refusal.title, "text": refusal.detail})
    if claim is None:
        return visit.go("/console?done=nobody")
    # The token stays in the visitor's cookie and in no store: whoever holds it works on the request.
    visit.keep_claim(claim["ticket_id"], claim["claim_token"])
    return visit.go(f"/console/{claim['ticket_id']}?done=taken")


@router.get("/{reference}")
async def show_work(
    visit: Visiting, reference: Reference, done: str = "", split: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """Show a request between the queue and its context; `split` is the message of which a request is to be made."""
    draft = Draft(visit.new_key(), {"message_id": split}, open="split" if split else "")
    return await _work(visit, reference, draft, 200, NOTICES.get(done))


async def _work(visit: Visit, reference: str, draft: Draft, status: int, notice: str | None = None) -> Response:
    """Show a request between the queue and its context; `draft` holds what was typed where a verb was refused."""
    ticket = await visit.desk.ticket(reference)
    policy = await visit.desk.policy()
    reader = _reader(visit, ticket["id"])
    clocks, organization = await visit.clocks([ticket["id"]]), await visit.organization(ticket["organization_id"])
    taken_out = access.taken_out(await visit.desk.held_texts(reference), visit.now)
    messages = await visit.desk.messages(reference)
    correspondence = letters.letters(messages, visit.now, staff=True, taken_out=access.by_message(taken_out))
    entitled = (await visit.desk.entitlement(ticket["id"]))["now"]
    shown = {
        "work": board.work(ticket, policy, await visit.entry(ticket["id"]), reader),
        "queue": await _queue_pane(visit, policy, reader),
        "letters": correspondence,
        "relations": views.relations(await visit.desk.relations(reference)),
        "splittable": choices.splittable(correspondence),
        "held": len((await visit.desk.held_mails(request_id=ticket["id"]))["items"]),
        "context": board.context({**ticket, "entitled": entitled}, policy, clocks, organization, visit.now),
        "circumstances": board.options(policy, "delay"),
        "aborts": board.options(policy, "abort"),
        "reasons": board.reasons(policy),
        "precisions": board.PRECISIONS,
        "rules": forms.file_rules(policy),
        "scope_topics": choices.scope_topics(policy),
        "verdicts": choices.verdicts(ticket),
        "judging": choices.judging(policy),
        "referrals": choices.referrals(policy),
        "canned": [board.Option(one["code"], one["title"]) for one in await visit.desk.canned_answers()],
        "links": documents.links(ticket),
    }
    return await visit.page("console.html", status=status, draft=draft, notice=notice, problem=None, **shown)


@router.post("/{reference}/reply")
async def answer(posted: PostingFiles, reference: Reference) -> Response:
    """Answer the client; by the second button the answer is the solution."""
    kept, wrong = await forms.take_files(posted, await posted.visit.desk.policy())
    if posted.text("then") == "insert":
        return await _insert(posted, reference, kept)
    wrong = {**forms.empty(posted, {"body": "Write what you want to say."}), **wrong}
    if wrong:
        return await _refused(posted, reference, forms.lacking(wrong), kept=kept)
    pages = [page for page in posted.form.getlist("article") if isinstance(page, str)]
    body = {"body": posted.text("body"), "attachment_ids": [file.id for file in kept], "article_ids": pages}
    verb, done = ("resolve", "resolved") if posted.text("then") == "resolve" else ("messages", "replied")
    return await _act(posted, reference, verb, body, done, kept=kept, act="messages")


async def _insert(posted: Posted, reference: str, kept: tuple[forms.Kept, ...]) -> Response:
    """Put a ready-made answer with its links below what was typed; nothing is sent (clause 4.7)."""
    desk = posted.visit.desk
    chosen = [one for one in await desk.canned_answers() if one["code"] == posted.text("canned")]
    parts = [posted.text("body")]
    for canned in chosen:
        parts.append(canned["text"])
        parts += [board.as_link(await desk.article(page)) for page in canned["article_ids"]]
    # Below what was typed, and nothing is sent: a ready-made
    # answer is to be read before it goes out in somebody's name.
    text = "\n\n".join(part for part in parts if part)
    draft = Draft(forms.key_of(posted), {**forms.typed(posted), "body": text}, kept)
    return await _work(posted.visit, reference, draft, 200)


@router.post("/{reference}/note")
async def note(posted: Posting, reference: Reference) -> Response:
    """Keep an internal note."""
    body = {"body": posted.text("note"), "audience": "internal"}
    return await _act(posted, reference, "messages", body, "noted", act="note", fields={"body": "note"})


@router.post("/{reference}/urgency")
async def judge_urgency(posted: Posting, reference: Reference) -> Response:
    """Confirm a provisional urgency, or return the request to its place, with the reason."""
    body = {"urgency": posted.text("urgency"), "reason": posted.text("why")}
    return await _act(posted, reference, "triage", body, "judged", act="judge", fields={"reason": "why"})


@router.post("/{reference}/scope")
async def judge_scope(posted: Posting, reference: Reference) -> Response:
    """Say what a request is about, and whether it is covered (clauses 1.3, 1.4)."""
    topic, verdict = posted.text("scope_topic"), posted.text("verdict")
    if not (topic or verdict):
        return await _refused(
            posted, reference, forms.lacking({"verdict": "Choose a topic, a verdict, or both."}), act="scope"
        )
    # Members that were left empty are not sent: null would mean "nobody", where the policy's own referral is to stand.
    named = {"refer_to": posted.text("refer_to"), "reason": posted.text("scope_reason")}
    scope = {**choices.SCOPE_GIVEN.get(verdict, {}), **{name: value for name, value in named.items() if value}}
    body: Json = {"topic": topic or None, "scope": scope or None}
    fields = {"topic": "scope_topic", "scope": "verdict", "scope/reason": "scope_reason", "scope/refer_to": "refer_to"}
    return await _act(posted, reference, "triage", body, "scope", act="scope", fields=fields)


@router.post("/{reference}/triage")
async def triage(posted: Posting, reference: Reference) -> Response:
    """Say how urgent and how hard a request is, who goes on with it, and whether it has to name a page (1.2, 2.1)."""
    given = {name: posted.text(name) for name in ("level", "level_why", "complexity", "tier", "page")}
    if not any(words for name, words in given.items() if name != "level_why"):
        return await _refused(posted, reference, forms.lacking({"level": "Choose what is to change."}), act="triage")
    body: Json = {
        "urgency": given["level"] or None,
        "reason": given["level_why"] or None,
        "complexity": given["complexity"] or None,
        "tier": given["tier"] or None,
        "doc_required": {"yes": True, "no": False}.get(given["page"]),
    }
    fields = {"urgency": "level", "reason": "level_why", "doc_required": "page"}
    return await _act(posted, reference, "triage", body, "triaged", act="triage", fields=fields)


@router.post("/{reference}/wait")
async def wait(posted: Posting, reference: Reference) -> Response:
    """Let a request wait for whom the chosen circumstance names."""
    circumstance = posted.text("circumstance")
    cause = board.cause_of(await posted.visit.desk.policy(), circumstance)
    body = {"cause": cause, "circumstance": circumstance or None, "note": posted.text("wait_note") or None}
    return await _act(posted, reference, "wait", body, "waiting", act="wait", fields={"note": "wait_note"})


@router.post("/{reference}/resume")
async def resume(posted: Posting, reference: Reference) -> Response:
    """End waiting."""
    body = {"note": posted.text("resume_note") or None}
    return await _act(posted, reference, "resume", body, "resumed", act="resume", fields={"note": "resume_note"})


@router.post("/{reference}/handover")
async def hand_over(posted: Posting, reference: Reference) -> Response:
    """Hand a request over to development, with the planned release where there is one."""
    body = {"defect_ref": posted.text("defect_ref"), "planned_release": _plan(posted)}
    return await _act(posted, reference, "handover", body, "handed_over", act="handover", fields=PLAN_FIELDS)


@router.post("/{reference}/release-plan")
async def plan_release(posted: Posting, reference: Reference) -> Response:
    """Plan the release that a request waits for, or move it."""
    if not posted.text("release_version"):
        refusal = forms.lacking({"release_version": "Name the version."})
        return await _refused(posted, reference, refusal, act="release-plan")
    body = {"planned_release": _plan(posted)}
    return await _act(posted, reference, "release-plan", body, "planned", act="release-plan", fields=PLAN_FIELDS)


def _plan(posted: Posted) -> Json | None:
    """Return the planned release that was typed, None where nothing of it was."""
    given = {name: posted.text(f"release_{name}") for name in ("version", "date")}
    if not any(given.values()):
        return None
    plan = {name: value for name, value in given.items() if value}
    return {**plan, "precision": posted.text("release_precision")} if given["date"] else plan


@router.post("/{reference}/resolve")
async def resolve(posted: Posting, reference: Reference) -> Response:
    """Say that the problem is solved."""
    body = {"body": posted.text("solution") or None}
    return await _act(posted, reference, "resolve", body, "resolved", act="resolve", fields={"body": "solution"})


@router.post("/{reference}/reopen")
async def reopen(posted: Posting, reference: Reference) -> Response:
    """Open an ended request again."""
    body = {"body": posted.text("reopen_body")}
    return await _act(posted, reference, "reopen", body, "reopened", act="reopen", fields={"body": "reopen_body"})


@router.post("/{reference}/close")
async def close(posted: Posting, reference: Reference) -> Response:
    """Close a request, with the reason."""
    if not posted.text("reason"):
        refusal = forms.lacking({"reason": "Choose why it is closed."})
        return await _refused(posted, reference, refusal, act="close")
    given = {"reason": posted.text("reason")}
    given |= {"circumstance": posted.text("abort"), "body": posted.text("close_body")}
    given |= {"refer_to": posted.text("close_refer_to")}
    body = {name: value or None for name, value in given.items()}
    fields = {"circumstance": "abort", "body": "close_body", "scope": "close_refer_to"}
    return await _act(posted, reference, "close", body, "closed", act="close", fields=fields)


@router.post("/{reference}/split")
async def split(posted: Posting, reference: Reference) -> Response:
    """Make a request of its own of a message, and show it."""
    given = {"message_id": posted.text("message_id"), "subject": posted.text("split_subject")}
    body = {**given, "body": posted.text("split_body") or None}
    visit = posted.visit
    ticket = await visit.desk.ticket(reference)
    try:
        made = await visit.desk.act(reference, "split", body, key=forms.key_of(posted), claim=visit.claim(ticket["id"]))
    except Refusal as refusal:
        fields = {"subject": "split_subject", "body": "split_body"}
        return await _refused(posted, reference, refusal, act="split", fields=fields)
    # To the new request: the specialist is about to answer it.
    return visit.go(f"/console/{made['number']}?done=split")


@router.post("/{reference}/relate")
async def relate(posted: Posting, reference: Reference) -> Response:
    """Merge a request into another one, link the two, or take the link back."""
    how = posted.text("how")
    if how not in ("merge", "link", "unlink"):
        return posted.visit.go(f"/console/{reference}")
    body: Json = {"to": posted.text("other")}
    if how == "merge":
        body = {"into": posted.text("other"), "add_participants": posted.text("add_participants") == "yes"}
    return await _act(posted, reference, how, body, how, act="relate", fields={"into": "other", "to": "other"})


@router.post("/{reference}/unmerge")
async def unmerge(posted: Posting, reference: Reference) -> Response:
    """Take a merge back."""
    return await _act(posted, reference, "unmerge", {}, "unmerge")


@router.post("/{reference}/release")
async def release(posted: Posting, reference: Reference) -> Response:
    """Give a request back; it keeps its place."""
    visit = posted.visit
    ticket = await visit.desk.ticket(reference)
    claim = visit.claim(ticket["id"])
    # Forgotten whatever the queue says: where it refuses, the claim has ended anyhow.
    visit.keep_claim(ticket["id"], None)
    if claim:
        try:
            await visit.desk.release(ticket["id"], claim)
        except Refusal as refusal:
            return await _queue(visit, refusal.status, problem={"title": refusal.title, "text": refusal.detail})
    return visit.go("/console?done=released")


async def _act(
    posted: Posted,
    reference: str,
    verb: str,
    body: Json,
    done: str,
    *,
    kept: tuple[forms.Kept, ...] = (),
    act: str = "",
    fields: Mapping[str, str] | None = None,
) -> Response:
    """Use a verb and show the request; where it is refused, with what was typed."""
    visit = posted.visit
    # By ID, since claims in the cookie go by it; the address may hold the number.
    ticket = await visit.desk.ticket(reference)
    try:
        await visit.desk.act(reference, verb, body, key=forms.key_of(posted), claim=visit.claim(ticket["id"]))
    except Refusal as refusal:
        return await _refused(posted, reference, refusal, kept=kept, act=act, fields=fields)
    if done in ENDING_THE_CLAIM:
        visit.keep_claim(ticket["id"], None)
    return visit.go(f"/console/{reference}?done={done}")


async def _refused(
    posted: Posted,
    reference: str,
    refusal: Refusal,
    *,
    kept: tuple[forms.Kept, ...] = (),
    act: str = "",
    fields: Mapping[str, str] | None = None,
) -> Response:
    """Show the request with why a verb was refused and all that was typed for it."""
    # The claim has ended; without its token the next try says so by itself, or passes where nobody has it.
    if refusal.slug == "stale-claim":
        ticket = await posted.visit.desk.ticket(reference)
        posted.visit.keep_claim(ticket["id"], None)
    draft = forms.refused(posted, refusal, kept, opened=act, fields=fields)
    return await _work(posted.visit, reference, draft, refusal.status)

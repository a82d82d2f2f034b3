"""What-if for supervisors: a form with the policy's figures, how far a simulation is, and what it says (2.1, 2.3)."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Response

from firstline.web import forms, trials, whatif
from firstline.web.board import Option
from firstline.web.client import Json, Refusal
from firstline.web.forms import Draft
from firstline.web.pages.reports import KEPT_HEADERS
from firstline.web.reports import DEFAULT_SPAN, GROUPS, SPANS
from firstline.web.trials import Basis
from firstline.web.visit import Posted, Posting, Visit, Visiting
from firstline.web.words import instant

router = APIRouter(prefix="/console/what-if")

SimulationId = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]
By = Annotated[str, Query(max_length=20)]
PERIODS: Final = [Option(code, title) for code, title in SPANS.items()]
GROUPED: Final = {code: title for code, title in GROUPS.items() if code}
DEFAULT_GROUP: Final = "agent"
LOOK_AGAIN: Final = 2
"""Seconds after which the page of a simulation that is not done is loaded again."""

NOTHING: Final = "Nothing is changed yet, so all would be late that was. Change at least one figure."


@router.get("")
async def show_form(visit: Visiting, like: Annotated[str, Query(pattern=r"^[0-9A-Za-z-]{0,64}$")] = "") -> Response:
    """Show the form with the policy's figures, or with those of an earlier simulation."""
    basis = await _basis(visit)
    tried: Json = (await visit.desk.simulation(like, DEFAULT_GROUP))["set"] if like else {}
    typed = {**trials.values(basis, tried), "days": DEFAULT_SPAN, "at": visit.now.isoformat()}
    return await _form(visit, basis, Draft(visit.new_key(), typed))


async def _basis(visit: Visit) -> Basis:
    """Return what can be tried."""
    return trials.basis(await visit.desk.simulation_basis(), visit.now.date())


async def _form(visit: Visit, basis: Basis, draft: Draft, status: int = 200) -> Response:
    """Show the form, and earlier simulations below it."""
    earlier = [whatif.line(basis, job, visit.now) for job in await visit.desk.simulations()]
    opened = any(draft.text(entry.path) != entry.value for entry in basis.topics.entries)
    shown = {"basis": basis, "draft": draft, "periods": PERIODS, "earlier": earlier, "topics_open": opened}
    shown["titles"] = {path: entry.about for path, entry in basis.entries.items()}
    return await visit.page("console_what_if.html", status=status, here="reports", **shown)


@router.post("")
async def start(posted: Posting) -> Response:
    """Begin a simulation, and show how far it is."""
    visit = posted.visit
    basis = await _basis(visit)
    changes, wrong = trials.changes(basis, posted.text)
    if not (changes or wrong):
        wrong = {"": NOTHING}
    if wrong:
        draft = Draft(forms.key_of(posted), forms.typed(posted), wrong=wrong, title="Have another look")
        return await _form(visit, basis, draft, 422)
    try:
        job = await visit.desk.simulate({"set": changes, "from": _since(posted)}, forms.key_of(posted))
    except Refusal as refusal:
        fields = {f"set/{path}": trials.field_of(basis, path) for path in changes}
        return await _form(visit, basis, forms.refused(posted, refusal, fields=fields), refusal.status)
    return visit.go(f"/console/what-if/{job['id']}")


def _since(posted: Posted) -> str:
    """Return the beginning of the period, counted from when the form was opened: sent twice, it says the same."""
    days = posted.text("days")
    try:
        opened = instant(posted.text("at"))
    except ValueError:
        opened = posted.visit.now
    return (opened - timedelta(days=int(days if days in SPANS else DEFAULT_SPAN))).isoformat()


@router.get("/{simulation_id}.{form}")
async def simulation_file(
    visit: Visiting, simulation_id: SimulationId, form: Literal["svg", "csv", "json"], by: By = DEFAULT_GROUP
) -> Response:
    """Hand on a simulation as a picture, as a table for spreadsheets, or as the API's document."""
    answer = await visit.desk.simulation_file(simulation_id, form, by if by in GROUPED else DEFAULT_GROUP)
    kept = {header: answer.headers[header] for header in KEPT_HEADERS if header in answer.headers}
    return visit.finish(Response(answer.content, headers={**kept, "Cache-Control": "no-store"}))


@router.get("/{simulation_id}")
async def show_simulation(visit: Visiting, simulation_id: SimulationId, by: By = DEFAULT_GROUP) -> Response:
    """Show how far a simulation is, and when it is done, what it says."""
    group = by if by in GROUPED else DEFAULT_GROUP
    job = await visit.desk.simulation(simulation_id, group)
    basis = await _basis(visit)
    outcome = whatif.outcome(job, visit.now)
    page = await visit.page(
        "console_what_if_result.html",
        here="reports",
        job=outcome,
        id=job["id"],
        tried=trials.told(basis, job["set"]),
        again=trials.covered(basis, job["set"]),
        by=group,
        groups=GROUPED,
        columns=whatif.COLUMNS,
    )
    if not outcome.over:
        page.headers["Refresh"] = str(LOOK_AGAIN)
    return page


@router.post("/{simulation_id}/cancel")
async def cancel(posted: Posting, simulation_id: SimulationId) -> Response:
    """End a simulation where it is."""
    await posted.visit.desk.cancel_simulation(simulation_id)
    return posted.visit.go(f"/console/what-if/{simulation_id}")

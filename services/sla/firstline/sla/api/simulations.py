"""What-if: answers that were given, recounted under other hours, targets or urgencies (clauses 2.1, 2.3)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from firstline.common.answers import Made, answer_once, retry_of
from firstline.common.application import json_answer, permit
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.sla.api.context import SlaHere
from firstline.sla.api.reports import FORMATS, STANDS_ALONE, span_of
from firstline.sla.charts import svg
from firstline.sla.pictures import what_if_chart
from firstline.sla.recount import Tally
from firstline.sla.reports import By
from firstline.sla.service.labels import labels_of
from firstline.sla.service.simulations import ask, basis, cancel, find, lines
from firstline.sla.simulation_schemas import (
    BasisOut,
    SimulationIn,
    SimulationOut,
    SimulationsOut,
    asked_out,
    counts,
    simulation_out,
)
from firstline.sla.spreadsheets import csv_text
from firstline.sla.store.simulations import ASKED_BY, Simulation

router = APIRouter(prefix="/v1/simulations", tags=["reports"])
Leads = Annotated[Access, Depends(permit("simulations.manage"))]
Grouped = Annotated[By, Query(description="What to group by.")]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="Makes a retry safe: same key and body, same answer, for 7 days."),
]
SHOWN = 50
"""So many of the latest are listed."""


@router.post("", status_code=202, response_model=SimulationOut)
async def simulate(body: SimulationIn, request: Request, sla: SlaHere, access: Leads, key: Key = None) -> Response:
    """Ask what would have been late under changed hours, targets or urgencies.

    Recorded answers are recounted: who answered and when stays as it was. Read the simulation until it is `done`.
    """
    start, until = span_of(sla.runtime.ports.clock.now(), body.start, body.until, "simulation", "/from")
    retry = retry_of(access.principal.id, "simulate", key, await request.body())

    async def work(unit: Unit) -> Made:
        job = await ask(sla, unit, access.principal.id, body.set, start, until)
        return 202, (await _shown(unit, job, "target")).model_dump_json(by_alias=True), None

    answer = await answer_once(sla.runtime.store, sla.runtime.ports.clock, retry, work)
    return json_answer(answer.body, answer.status)


@router.get("")
async def list_simulations(sla: SlaHere, access: Leads) -> SimulationsOut:
    """List the last 50 simulations that you asked for, the newest first; they are kept for 30 days."""
    by = access.principal.id
    found = await sla.runtime.store.read(lambda unit: unit.all(ASKED_BY, by=by, limit=SHOWN))
    return SimulationsOut(items=[asked_out(job) for job in found])


@router.get("/policy")
async def read_basis(sla: SlaHere, _access: Leads) -> BasisOut:
    """Read what a simulation may change, as the newest policy has it: internal targets, too."""
    return BasisOut.model_validate(await sla.runtime.store.read(basis))


@router.get("/{simulation_id}", response_model=SimulationOut, responses=FORMATS)
async def read_simulation(
    simulation_id: str,
    sla: SlaHere,
    _access: Leads,
    by: Grouped = "agent",
    form: Annotated[Literal["json", "csv", "svg"], Query(alias="format")] = "json",
) -> Response | SimulationOut:
    """Read how far a simulation has come, and how many answers would have been late, whose, beside how many were."""

    async def work(unit: Unit) -> tuple[Simulation, SimulationOut]:
        job = await find(unit, simulation_id)
        return job, await _shown(unit, job, by)

    job, shown = await sla.runtime.store.read(work)
    if form == "json":
        return shown
    found = [(line.label, line.model_dump(exclude={"label"})) for line in shown.lines]
    if form == "svg":
        drawing = svg(what_if_chart(job.changes, by, shown.total.model_dump(), found))
        return Response(drawing, media_type="image/svg+xml", headers=STANDS_ALONE)
    names = list(counts([0, 0, 0, 0]))
    rows = [[line["key"], label, *(line[name] for name in names)] for label, line in found]
    rows.append(["", "all", *shown.total.model_dump().values()])
    headers = {"Content-Disposition": f'attachment; filename="what-if-by-{by}.csv"'}
    return Response(csv_text([by, "label", *names], rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.delete("/{simulation_id}")
async def cancel_simulation(simulation_id: str, sla: SlaHere, _access: Leads) -> SimulationOut:
    """Cancel a simulation; what it has counted so far stays to be read."""

    async def work(unit: Unit) -> SimulationOut:
        return await _shown(unit, await cancel(sla, unit, simulation_id), "target")

    return await sla.runtime.store.write(work)


async def _shown(unit: Unit, job: Simulation, by: By) -> SimulationOut:
    """Return a what-if with its counts, grouped as asked, and the names of the groups."""
    found = lines(Tally.read(job.tally), by)
    return simulation_out(job, by, found, await labels_of(unit, by, [key for key, _ in found]))

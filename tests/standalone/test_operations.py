"""Health, readiness and figures of the whole desk."""

from collections import Counter
from pathlib import Path

import pytest
from firstline.standalone.desk import StandaloneDesk
from firstline.standalone.wiring import SERVICES
from near_desk import api, near_desk
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families

EVERYWHERE = ("/v1/tickets", "/v1/queue", "/v1/clocks?ticket_ids=x", "/v1/deliveries", "/v1/me")


@pytest.mark.asyncio(loop_scope="session")
async def test_a_desk_that_runs_is_ready(desk: StandaloneDesk) -> None:
    """A running desk answers and is ready, for anybody who asks."""
    async with api(desk) as http:
        health, ready = await http.get("/healthz"), await http.get("/readyz")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


@pytest.mark.parametrize("name", SERVICES)
async def test_a_desk_without_one_store_is_not_ready(folder: Path, name: str) -> None:
    """When the store of any one service is gone the desk still answers, but is not ready, and says for how long."""
    async with near_desk(folder) as desk, api(desk) as http:
        await desk.runtimes[name].store.close()
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.headers["content-type"]) == (503, "application/problem+json")
        assert int(ready.headers["retry-after"]) > 0
        assert (await http.get("/healthz")).status_code == 200


@pytest.mark.asyncio(loop_scope="session")
async def test_figures_are_well_formed(desk: StandaloneDesk) -> None:
    """The figures parse as Prometheus' text: each stands once, typed and explained, with the lines of all services."""
    async with api(desk, "supervisor", "sven") as http:
        for path in EVERYWHERE:
            await http.get(path)
        answer = await http.get("/metrics")
    assert answer.headers["content-type"] == CONTENT_TYPE_LATEST
    families = list(text_string_to_metric_families(answer.text))
    assert {name: count for name, count in Counter(f.name for f in families).items() if count > 1} == {}
    assert [family.name for family in families if family.type == "unknown" or not family.documentation] == []
    heads = Counter(line for line in answer.text.splitlines() if line.startswith("#"))
    assert {line for line, count in heads.items() if count > 1} == set()
    seconds = next(family for family in families if family.name == "firstline_http_seconds")
    assert {sample.labels["service"] for sample in seconds.samples} == set(SERVICES)
    samples = Counter((s.name, *sorted(s.labels.items())) for family in families for s in family.samples)
    assert {sample for sample, count in samples.items() if count > 1} == set()


@pytest.mark.asyncio(loop_scope="session")
async def test_figures_of_one_service_alone_are_among_them(desk: StandaloneDesk) -> None:
    """A figure that a single service has, such as the requests that wait in the queue, is there too."""
    own = {family.name for family in desk.services["queue"].state.registry.collect()}
    async with api(desk) as http:
        shown = {family.name for family in text_string_to_metric_families((await http.get("/metrics")).text)}
    assert own - {"firstline_http_seconds", "firstline_http_answers"}
    assert own <= shown


@pytest.mark.asyncio(loop_scope="session")
async def test_each_event_type_has_its_schema_where_envelopes_point(desk: StandaloneDesk) -> None:
    """`dataschema` of an event leads to the JSON Schema of its data; an unknown type is a problem."""
    async with api(desk) as http:
        schema = await http.get("/v1/schemas/ticket.submitted")
        unknown = await http.get("/v1/schemas/ticket.nothing")
    assert "received_at" in schema.json()["properties"]
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/not-found")

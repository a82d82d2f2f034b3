"""One trace from the POST through the log and the bus to the acknowledgement, in one process and in six."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from campaign import SETTLE_SECONDS
from live_desk import AnyDesk, eventually, live_desk
from span_sink import Span, SpanSink, span_sink
from split_desk import SplitDesk, split_desk

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STEPS = {"POST intake", "queue ticket.submitted", "sla ticket.submitted", "notify ticket.submitted", "send mail"}


@pytest.fixture
def sink() -> Iterator[SpanSink]:
    """Receive the spans of a desk."""
    with span_sink() as running:
        yield running


@pytest.fixture(params=["one process", "six processes"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, sink: SpanSink) -> Iterator[AnyDesk]:
    """Run a desk that records every trace and sends its spans to the sink."""
    told = {"FIRSTLINE_TRACE_SHARE": "1", "FIRSTLINE_OTLP_ENDPOINT": sink.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    if request.param == "one process":
        with live_desk(tmp_path / "desk", **told) as running:
            yield running
        return
    postgres, rabbit = request.getfixturevalue("postgres"), request.getfixturevalue("rabbit")
    with split_desk(tmp_path / "desk", postgres, rabbit, **told) as running:  # type: ignore[arg-type]
        yield running


def lines(desk: AnyDesk) -> list[dict[str, object]]:
    """Return the desk's log lines of the trace."""
    files = desk.data.glob("*.log")
    read = [json.loads(line) for path in files for line in path.read_text().splitlines() if TRACE in line]
    return [line for line in read if line.get("trace_id") == TRACE]


@pytest.mark.process
@pytest.mark.slow
def test_a_request_is_one_trace_to_its_acknowledgement(desk: AnyDesk, sink: SpanSink) -> None:
    """Every step that a request causes is in its caller's trace, in spans and logs, and hangs on the step before."""
    with desk.api("client", "clara", email="clara@shop.example") as http:
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        answer = http.post("/v1/tickets", json={"subject": "White page", "body": "Nothing."}, headers=headers)
    assert answer.status_code == 201
    eventually(lambda: {span.name for span in sink.of(TRACE)} >= STEPS, SETTLE_SECONDS)
    spans = {span.name: span for span in sink.of(TRACE)}
    assert spans["POST intake"].parent == CALLER
    for consumer in ("queue", "sla", "notify"):
        assert spans[f"{consumer} ticket.submitted"].parent == spans["POST intake"].id
    assert spans["send mail"].parent == spans["notify ticket.submitted"].id
    assert services(spans.values()) == expected(desk)
    eventually(
        lambda: {"request answered", "mail tried"} <= {str(line["event"]) for line in lines(desk)}, SETTLE_SECONDS
    )


def services(spans: Iterable[Span]) -> set[tuple[str, str]]:
    """Return which process made the spans of each step."""
    return {(span.name, span.service) for span in spans if span.name in STEPS}


def expected(desk: AnyDesk) -> set[tuple[str, str]]:
    """Return which process makes them: the only one, or the service's own."""
    own = {"POST intake": "intake", "send mail": "notify"}
    if isinstance(desk, SplitDesk):
        return {(step, f"firstline-{own.get(step) or step.split()[0]}") for step in STEPS}
    return {(step, "firstline") for step in STEPS}

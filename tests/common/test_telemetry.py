"""Logs that machines read and that hold no secrets, spans that go on across services, figures by route."""

import asyncio
import http.server
import io
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import structlog
from firstline.common.ports import SystemClock
from firstline.common.telemetry import (
    QUIET_PATHS,
    DiscreetExporter,
    Observed,
    Receive,
    Scope,
    Send,
    configure_logs,
)
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr, TypeAdapter

SECRET = "hunter2"
TRACEPARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Return what log lines are written to; afterwards logs are as they were."""
    before = structlog.get_config()
    yield io.StringIO()
    structlog.configure(**before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the log lines as objects."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail_with_secrets() -> None:
    """Fail while a variable holds a secret."""
    password = SECRET.upper().lower()
    raise ValueError(f"wrong by {len(password)}")


def log_a_failure() -> None:
    """Log a failure with its traceback."""
    try:
        fail_with_secrets()
    except ValueError:
        structlog.get_logger("test").exception("it failed", attempt=1)


def test_lines_are_json_for_machines(stream: io.StringIO) -> None:
    """A line is one JSON object with time in UTC, level, message and fields."""
    configure_logs(stream)
    structlog.get_logger("test").info("request answered", status=200, path="/a\nb\x1b[31m")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "request answered", "level": "info", "status": 200, "path": "/a\nb\x1b[31m"}
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize(("level", "shown"), [("DEBUG", 3), ("INFO", 2), ("ERROR", 1)])
def test_levels_below_the_least_are_left_out(stream: io.StringIO, level: str, shown: int) -> None:
    """Lines below the least level are not written."""
    configure_logs(stream, level)
    log = structlog.get_logger("test")
    log.debug("a")
    log.info("b")
    log.error("c")
    assert len(stream.getvalue().splitlines()) == shown


@pytest.mark.parametrize("human", [False, True])
def test_tracebacks_show_no_values(stream: io.StringIO, *, human: bool) -> None:
    """A traceback tells where and why, and never what variables held, neither to machines nor to people."""
    configure_logs(stream, human=human)
    log_a_failure()
    text = stream.getvalue()
    assert "wrong by 7" in text
    assert "fail_with_secrets" in text
    assert SECRET not in text


def test_a_person_reads_text(stream: io.StringIO) -> None:
    """At a terminal a line is text and no JSON."""
    configure_logs(stream, human=True)
    structlog.get_logger("test").info("request answered", status=200)
    assert "request answered" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_lines_name_the_trace(stream: io.StringIO) -> None:
    """Inside a span a line carries its trace id; bound context variables are in the line too."""
    configure_logs(stream)
    with structlog.contextvars.bound_contextvars(ticket="1"):
        with TracerProvider().get_tracer("test").start_as_current_span("work") as span:
            structlog.get_logger("test").info("inside")
        structlog.get_logger("test").info("outside")
    inside, outside = lines(stream)
    assert (inside["trace_id"], inside["ticket"]) == (f"{span.get_span_context().trace_id:032x}", "1")
    assert "trace_id" not in outside


class App:
    """An ASGI application that notes its trace, and answers or fails as its path says."""

    def __init__(self) -> None:
        self.traces: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the status that the path names."""
        self.traces.append(trace.get_current_span().get_span_context().trace_id)
        if scope["path"] == "/failure":
            raise RuntimeError(SECRET)
        status = 200 if scope["path"] in QUIET_PATHS else int(scope["path"][1:])
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return an empty registry of figures."""
    return CollectorRegistry()


@pytest.fixture
def app() -> App:
    """Return the application inside."""
    return App()


@pytest.fixture
async def client(app: App, registry: CollectorRegistry) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the observed application."""
    transport = httpx.ASGITransport(Observed(app, "test", registry, SystemClock()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as found:
        yield found


def counted(registry: CollectorRegistry, status: str) -> float | None:
    """Return how many answers with a status were counted."""
    labels = {"service": "test", "method": "GET", "route": "(none)", "status": status}
    return registry.get_sample_value("firstline_http_answers_total", labels)


async def test_each_answer_is_counted_timed_and_logged(
    client: httpx.AsyncClient, registry: CollectorRegistry, stream: io.StringIO
) -> None:
    """An answer makes one line with its status and time, and is counted by its status."""
    configure_logs(stream)
    await client.get("/200?code=" + SECRET)
    await client.get("/404")
    await client.get("/404")
    assert [(line["status"], line["path"], line["milliseconds"] >= 0) for line in lines(stream)] == [
        (200, "/200", True),
        (404, "/404", True),
        (404, "/404", True),
    ]
    assert (counted(registry, "200"), counted(registry, "404")) == (1, 2)
    assert SECRET not in stream.getvalue() + generate_latest(registry).decode()


async def test_a_failure_is_counted_as_500(client: httpx.AsyncClient, registry: CollectorRegistry) -> None:
    """An application that fails without an answer is counted as 500, and the error goes on."""
    with pytest.raises(RuntimeError):
        await client.get("/failure")
    assert counted(registry, "500") == 1


@pytest.mark.parametrize("path", sorted(QUIET_PATHS))
async def test_what_machines_ask_for_is_quiet(
    client: httpx.AsyncClient, registry: CollectorRegistry, stream: io.StringIO, path: str
) -> None:
    """Health checks, figures and the log are neither logged nor counted."""
    configure_logs(stream)
    assert (await client.get(path)).status_code == 200
    assert stream.getvalue() == ""
    assert "firstline_http_answers_total{" not in generate_latest(registry).decode()


async def test_a_trace_goes_on_across_services(client: httpx.AsyncClient, app: App, stream: io.StringIO) -> None:
    """The caller's traceparent is taken up: the request runs in its trace, and its line names it."""
    configure_logs(stream)
    await client.get("/200", headers={"traceparent": TRACEPARENT})
    await client.get("/200", headers={"traceparent": "rubbish"})
    assert app.traces[0] == int("ab" * 16, 16) != app.traces[1]
    assert lines(stream)[0]["trace_id"] == "ab" * 16


async def test_other_scopes_pass(registry: CollectorRegistry) -> None:
    """The application's life is handed on unobserved."""
    seen: list[str] = []

    async def life(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def never() -> dict[str, Any]:
        raise AssertionError("nothing is received")

    async def send(_message: Any) -> None: ...

    await Observed(life, "test", registry, SystemClock())({"type": "lifespan"}, never, send)
    assert seen == ["lifespan"]


TRACED = """
import sys
from opentelemetry import trace
from firstline.common.telemetry import configure_traces

configure_traces("intake", float(sys.argv[1]), sys.argv[2] or None)
with trace.get_tracer("test").start_as_current_span("work") as span:
    print(span.is_recording())
trace.get_tracer_provider().shutdown()
"""


def traced(share: str, endpoint: str) -> str:
    """Return whether a new process records a span."""
    command = [sys.executable, "-c", TRACED, share, endpoint]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.mark.process
async def test_a_share_of_traces_is_recorded_and_exported() -> None:
    """With a share of 1 spans are recorded and sent by OTLP over HTTP; with 0 and nowhere to send nothing is."""
    posted: list[tuple[str, bytes]] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        """Takes spans."""

        def do_POST(self) -> None:
            """Keep what was posted."""
            posted.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever).start()
        endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
        runs = await asyncio.gather(asyncio.to_thread(traced, "1", endpoint), asyncio.to_thread(traced, "0", ""))
        server.shutdown()
    assert list(runs) == ["True", "False"]
    ((path, body),) = posted
    assert path == "/v1/traces"
    assert b"intake" in body


class FullDisk(io.StringIO):
    """A stream on a disk that has no room left."""

    def write(self, _text: str, /) -> int:
        """Fail as the system does."""
        raise OSError(28, "No space left on device")


def test_a_log_line_that_can_not_be_written_stops_no_work(stream: io.StringIO) -> None:
    """On a full disk the line is lost and the caller goes on."""
    configure_logs(FullDisk())
    structlog.get_logger().error("the store is full too")
    configure_logs(stream)
    structlog.get_logger().info("there is room again")
    assert [line["event"] for line in lines(stream)] == ["there is room again"]


def test_what_belongs_in_no_log_is_masked(stream: io.StringIO) -> None:
    """Fields named like secrets are masked at any level and depth, and secret values mask themselves."""
    configure_logs(stream, "DEBUG")
    log = structlog.get_logger()
    log.debug("x", password="canary", nested={"private_key": "canary", "plain": ["canary"]}, body=b"canary")
    log.debug("x", request=[{"values": {"ftp": "canary"}}], authorization="Bearer canary", held=SecretStr("canary"))
    log.debug("x", key_id="abc", count=3, token=7)
    try:
        TypeAdapter(int).validate_python("canary")
    except ValueError:
        log.exception("x")
    assert "canary" not in stream.getvalue()
    assert "ValidationError" in stream.getvalue()
    assert '"key_id": "abc"' in stream.getvalue()
    assert '"token": 7' in stream.getvalue()


def test_traces_tell_no_values() -> None:
    """Neither an attribute named like a secret nor what an exception says leaves with a span."""
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(DiscreetExporter(found)))
    with suppress(ValueError), provider.get_tracer("t").start_as_current_span("s") as span:
        span.set_attribute("password", "canary")
        span.set_attribute("http.method", "POST")
        raise ValueError("canary")
    (told,) = found.get_finished_spans()
    assert "canary" not in told.to_json()
    assert dict(told.attributes or {}) == {"http.method": "POST"}
    assert told.status.status_code.name == "ERROR"

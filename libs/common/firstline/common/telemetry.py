"""Logs, traces and metrics, wired once: structlog for lines, OpenTelemetry for spans, Prometheus for figures."""

import logging
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Histogram

from firstline.common.ports import Clock

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/internal/log"})
"""Asked for every few seconds by machines: neither logged nor traced."""

NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False}
"""For applications of the framework: `Observed` makes one span a request, and the framework's own would cost a fifth of
a submission.
"""

NEVER_LOGGED = re.compile(
    r"(?i)pass(word|wd|phrase)|secret|token|credential|authorization|cookie|private|(^|[._])(key|value|values|body|plain)$"
)
"""Names of fields whose values are in no log line and no trace."""
MASK = "(not logged)"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Named in figures; others are counted together, because anybody may invent some."""

_log = structlog.get_logger(__name__)
_propagator = TraceContextTextMapPropagator()


def configure_logs(stream: TextIO = sys.stderr, level: str = "INFO", *, human: bool = False) -> None:
    """Write log lines to a stream: JSON for machines, or coloured text for a person at a terminal.

    Tracebacks never show the values of variables, which may be what clients wrote, or secrets.
    """
    plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=12)
    shape: list[Any] = [
        structlog.processors.ExceptionRenderer(plain),
        _without_input,
        structlog.processors.JSONRenderer(),
    ]
    if human:
        shape = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_trace,
            masked,
            *shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=_UnfailingFactory(stream),
        # Loggers are made when modules are loaded, before the settings are known.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [*(known for known in root.handlers if not isinstance(known, _Libraries)), _Libraries()]
    # Libraries tell of each connection and statement at lower levels.
    root.setLevel(logging.WARNING)


class _Libraries(logging.Handler):
    """Brings what libraries complain of into the same log, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a library's line."""
        _log.log(record.levelno, record.getMessage(), library=record.name, exc_info=record.exc_info)


class _Unfailing:
    """Writes lines to a stream; where that fails, as on a full disk, the line is lost and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write a line."""
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = msg


class _UnfailingFactory:
    """Makes structlog's loggers of one stream."""

    def __init__(self, stream: TextIO) -> None:
        self._logger = _Unfailing(stream)

    def __call__(self, *_names: object) -> _Unfailing:
        """Return the logger."""
        return self._logger


def masked(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out of a line what belongs in no log, by the names of its fields, however deep; numbers stay.

    No setting turns this off: a log that tells more for a while is how passwords get into logs.
    """
    return {name: _masked(name, value) for name, value in event.items()}


def _without_input(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out what a failed validation says: it quotes what came in."""
    for error in event.get("exception", ()):
        if isinstance(error, dict) and "ValidationError" in str(error.get("exc_type")):
            error["exc_value"] = MASK
    return event


def _masked(name: str, value: Any) -> Any:
    """Return a field's value, masked where its name forbids it in logs, however deep."""
    # Numbers and truth values are no secrets, and `token_count` is worth reading.
    if NEVER_LOGGED.search(name) and isinstance(value, (str, bytes, list, tuple, dict)):
        return MASK
    if isinstance(value, dict):
        return {inner: _masked(str(inner), part) for inner, part in value.items()}
    return [_masked(name, part) for part in value] if isinstance(value, (list, tuple)) else value


class DiscreetExporter(SpanExporter):
    """Hands spans on without what belongs in no trace: fields by their names, and what exceptions say of values."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export copies that tell less."""
        return self._inner.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        """Close the way out."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits, within milliseconds."""
        return self._inner.force_flush(timeout_millis)


def _discreet(span: ReadableSpan) -> ReadableSpan:
    """Return a copy of a span that tells less."""
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_kept(span.attributes),
        events=[Event(event.name, _kept(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        # What an exception says may quote a value; the log has its place in the code, and the status says that it was.
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _kept(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the attributes that may leave the process."""
    untold = ("exception.message", "exception.stacktrace")
    found = attributes or {}
    return {name: value for name, value in found.items() if name not in untold and not NEVER_LOGGED.search(name)}


def _add_trace(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the trace's id to a line, by which logs of several services are read together."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
    return event


def configure_traces(service: str, share: float, otlp_endpoint: str | None) -> None:
    """Record spans of a share of all traces (0 to 1) and export them by OTLP over HTTP where an endpoint is given."""
    # Who began the trace has decided whether it is recorded: half of a trace helps nobody.
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}), sampler=ParentBased(TraceIdRatioBased(share))
    )
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (slow import)

        exporter = DiscreetExporter(OTLPSpanExporter(endpoint=otlp_endpoint))
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def _carrier(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers that name a caller's trace."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers
        if name in (b"traceparent", b"tracestate")
    }


@contextmanager
def continued(name: str, traceparent: str | None, kind: SpanKind = SpanKind.CONSUMER) -> Iterator[None]:
    """Do a piece of work as part of the trace that caused it, so that what it writes and logs belongs to that trace."""
    if traceparent is None:
        yield
        return
    parent = _propagator.extract({"traceparent": traceparent})
    with trace.get_tracer("firstline").start_as_current_span(name, parent, kind):
        yield


class Observed:
    """ASGI middleware: a span, a log line and two figures for each request."""

    def __init__(self, app: App, service: str, registry: CollectorRegistry, clock: Clock) -> None:
        self._app = app
        self._service = service
        self._clock = clock
        self._tracer = trace.get_tracer("firstline")
        self._seconds = Histogram(
            "firstline_http_seconds", "Time to answer a request.", ["service", "method", "route"], registry=registry
        )
        self._answers = Counter(
            "firstline_http_answers", "Requests answered.", ["service", "method", "route", "status"], registry=registry
        )
        self._series: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request and say how it went."""
        if scope["type"] != "http" or scope["path"] in QUIET_PATHS:
            await self._app(scope, receive, send)
            return
        # What stands when the application raises before it answers.
        status = 500
        began = self._clock.monotonic()

        async def watch(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        parent = _propagator.extract(_carrier(scope["headers"]))
        with self._tracer.start_as_current_span(f"{scope['method']} {self._service}", parent, SpanKind.SERVER):
            try:
                await self._app(scope, receive, watch)
            finally:
                self._note(scope, status, self._clock.monotonic() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count the request and write its line.

        Figures are labelled with the route's pattern and never with the path, whose IDs would make a series each.
        """
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        series = (method, getattr(scope.get("route"), "path", "(none)"), status)
        # Kept beside the library, which looks labels up under a lock each time.
        if series not in self._series:
            labels = (self._service, *series[:2])
            self._series[series] = (self._seconds.labels(*labels), self._answers.labels(*labels, status))
        histogram, counter = self._series[series]
        histogram.observe(seconds)
        counter.inc()
        _log.info(
            "request answered",
            service=self._service,
            method=method,
            path=scope["path"],
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )

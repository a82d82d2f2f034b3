"""The compose file's proxy: the gateway's routes, nothing of /internal, large bodies, event streams, clear refusals."""

import gzip
import http.client
import json
from pathlib import Path

import pytest
from gateway_routes import SAMPLES, by_gateway
from proxy_world import AWAY, REFUSED, STREAM, Proxy, routes

MEBIBYTE = 1024 * 1024


def test_map_routes_like_the_gateway(root: Path) -> None:
    """Read as text, the proxy's map sends every path where the desk in one process sends it."""
    lines = routes((root / "deploy/compose/proxy/nginx.conf").read_text())
    assert lines != []
    found = {path: next((name for shape, name in lines if shape.search(path)), "web") for path in SAMPLES}
    assert found == {path: by_gateway(path) for path in SAMPLES}


def test_proxy_routes_like_the_gateway(proxy: Proxy) -> None:
    """Asked for real, the proxy hands every path, with its query, to the service that serves it."""
    found = {}
    for path in SAMPLES:
        status, _, told = proxy.ask(f"{path}?a=%2F")
        found[path] = told["service"] if status == 200 else AWAY
        assert status == 503 or told["path"] == f"{path}?a=%2F"
    assert found == {path: by_gateway(path) for path in SAMPLES}


@pytest.mark.parametrize(
    "path",
    [
        "/internal",
        "/internal/",
        "/internal/log?after=0",
        "//internal/log",
        "/%69nternal/log",
        "/v1/tickets/../../internal/log",
        "/v1/queue/%2e%2e/..%2finternal/log",
        "/./internal//log",
    ],
)
def test_nothing_internal_passes(proxy: Proxy, path: str) -> None:
    """However it is written, a path under /internal is not there for the outside."""
    status, _, content = proxy.ask(path)
    assert status == 404
    assert b"service" not in content


def test_services_learn_who_asks(proxy: Proxy) -> None:
    """A service sees the client's address and the host it asked for; what the client says about itself is replaced."""
    _, _, told = proxy.ask("/v1/me", headers={"Host": "help.example:8443", "X-Forwarded-For": "10.9.9.9"})
    assert told["headers"]["host"] == "help.example:8443"
    assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert told["headers"]["x-forwarded-proto"] == "http"


def test_a_large_file_passes(proxy: Proxy) -> None:
    """An attachment of the largest size that the policy allows reaches its service whole."""
    status, _, told = proxy.ask("/v1/attachments", "POST", bytes(25 * MEBIBYTE))
    assert (status, told["service"], told["length"]) == (200, "intake", 25 * MEBIBYTE)


def test_a_service_refuses_before_all_was_sent(proxy: Proxy) -> None:
    """The refusal of a service that stops reading reaches the client, who sees no other error."""
    status, _, told = proxy.ask(REFUSED, "POST", bytes(40 * MEBIBYTE))
    assert (status, told["service"]) == (413, "intake")


def test_what_nobody_would_take_is_refused_at_once(proxy: Proxy) -> None:
    """A body beyond every service's limit gets a problem document before any of it is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    connection.putrequest("POST", "/v1/attachments")
    connection.putheader("Content-Length", str(129 * MEBIBYTE))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert answer.getheader("Content-Type") == "application/problem+json"
    assert json.loads(answer.read())["type"] == "/problems/too-large"
    connection.close()


def test_an_event_stream_arrives_as_it_is_sent(proxy: Proxy) -> None:
    """The first event is there while the service still waits with the second."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    connection.request("GET", STREAM)
    answer = connection.getresponse()
    assert answer.read(len(b"data: 1\n\n")) == b"data: 1\n\n"
    proxy.streaming.set()
    assert answer.read() == b"data: 2\n\n"
    connection.close()


def test_a_service_that_is_away_is_said_so(proxy: Proxy) -> None:
    """While a service is out of reach, clients get 503 as a problem document, and are told when to try again."""
    status, headers, told = proxy.ask("/v1/clocks/compute", "POST", b"{}")
    assert (status, told["type"], told["status"]) == (503, "/problems/unavailable", 503)
    assert headers["Content-Type"] == "application/problem+json"
    assert int(headers["Retry-After"]) > 0


def test_answers_of_the_api_are_compressed_and_pages_are_not(proxy: Proxy) -> None:
    """A client that takes gzip gets the API's answers so; pages, which hold secrets beside what others wrote, plain."""
    headers, content = _compressed(proxy, "/v1/queue")
    assert headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(content))["service"] == "queue"
    headers, content = _compressed(proxy, "/requests")
    assert "Content-Encoding" not in headers
    assert json.loads(content)["service"] == "web"


def _compressed(proxy: Proxy, path: str) -> tuple[http.client.HTTPMessage, bytes]:
    """Ask as a client that takes gzip; return the headers and the bytes as they came."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.headers, content

"""The compose file's proxy as a real nginx, in front of small stand-ins that say which service was asked."""

import http.client
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from firstline.standalone.role import ROLES
from live_desk import eventually
from servers import free_port

AWAY = "sla"
"""The service that nobody stands in for: it is out of reach."""

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
PIECE = 1024 * 1024
REFUSED = "/v1/attachments/refused"
STREAM = "/v1/events/stream"
ROUTE = re.compile(r"^\s+~(\^\S+)\s+(\w+);$", re.MULTILINE)


def why_no_nginx() -> str | None:
    """Return why no proxy can be had here, or None."""
    return None if _binary() else "no proxy: the program nginx is not here"


def _binary() -> str | None:
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS]))


def routes(configuration: str) -> list[tuple[re.Pattern[str], str]]:
    """Return the lines of the proxy's map: what a path must match, and which service it then goes to."""
    return [(re.compile(pattern), service) for pattern, service in ROUTE.findall(configuration)]


@dataclass
class Proxy:
    """A running proxy."""

    port: int
    streaming: threading.Event = field(default_factory=threading.Event)

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, Any]:
        """Send a request whose path stays exactly as given; return status, headers and the JSON of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, json.loads(content) if _is_json(answer) else content


def _is_json(answer: http.client.HTTPResponse) -> bool:
    return "json" in (answer.getheader("Content-Type") or "")


class _Service(ThreadingHTTPServer):
    """Stands in for one service."""

    daemon_threads = True

    def __init__(self, name: str, streaming: threading.Event) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.name = name
        self.streaming = streaming


class _Answer(BaseHTTPRequestHandler):
    """Says who was asked for what."""

    protocol_version = "HTTP/1.1"
    server: _Service

    def do_GET(self) -> None:
        """Answer at once, or piece by piece."""
        if self.path == STREAM:
            self._stream()
        else:
            self._tell(0)

    def do_POST(self) -> None:
        """Read the body and say how long it was, or refuse it after its first piece; the rest is read for nothing."""
        length = int(self.headers["Content-Length"])
        if refused := self.path == REFUSED:
            length -= len(self.rfile.read(PIECE))
            self._tell(0, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        for start in range(0, length, PIECE):
            self.rfile.read(min(PIECE, length - start))
        if not refused:
            self._tell(length)

    def _tell(self, length: int, status: int = 200) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"service": self.server.name, "path": self.path, "headers": headers, "length": length, "pad": "x" * 2000}
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Accel-Buffering", "no")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: 1\n\n")
        self.server.streaming.wait(30)
        self.wfile.write(b"data: 2\n\n")
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def running_proxy(configuration: Path, folder: Path) -> Iterator[Proxy]:
    """Run the proxy on free ports; stop it at the end."""
    proxy = Proxy(free_port())
    with ExitStack() as stack:
        ports = {AWAY: free_port()}
        for name in sorted(set(ROLES) - {AWAY}):
            ports[name] = _stand_in(name, proxy, stack)
        file = folder / "nginx.conf"
        file.write_text(_adapted(configuration.read_text(), folder, proxy.port, ports))
        command = [str(_binary()), "-e", str(folder / "error.log"), "-c", str(file), "-g", "daemon off;"]
        process = subprocess.Popen(command)
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        eventually(lambda: process.poll() is not None or _answers(proxy))
        assert process.poll() is None, (folder / "error.log").read_text()
        yield proxy


def _stand_in(name: str, proxy: Proxy, stack: ExitStack) -> int:
    service = _Service(name, proxy.streaming)
    thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    stack.callback(thread.join, 5)
    stack.callback(service.server_close)
    stack.callback(service.shutdown)
    return int(service.server_address[1])


def _answers(proxy: Proxy) -> bool:
    try:
        return proxy.ask("/healthz")[0] == HTTPStatus.OK
    except OSError:
        return False


def _adapted(text: str, folder: Path, port: int, ports: Mapping[str, int]) -> str:
    """Return the configuration with addresses and folders of this test; everything else stays as it is."""
    targets = "".join(f"{name} {number}; " for name, number in ports.items())
    for old, new in (
        ("include /tmp/resolver.conf;", f"map $service $port {{ {targets}}}\n"),
        ("http://$service:8080", "http://127.0.0.1:$port"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("/tmp/", f"{folder}/"),
        ("/dev/stdout", f"{folder}/access.log"),
        ("error_log stderr", f"error_log {folder}/error.log"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    return text

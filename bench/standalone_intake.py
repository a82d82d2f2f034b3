"""What a durable request costs on a standalone desk (SQLite, FULL) beside a bare FastAPI echo of ten fields.

The desk is the whole product in one process: while it takes requests it also numbers and publishes their events,
queues them, starts their clocks and writes their acknowledgements; what is left of that after the last answer is
drained and counted in a second figure. Echo and desk take turns; figures are medians of five.
"""

import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from load import Load, cpu_seconds, drive, post
from pydantic import BaseModel
from report import Figure, publish

CONNECTIONS = 32
REQUESTS = 3000
ROUNDS = 5
MUST = 0.35
BODY = {
    "subject": "White page after the update",
    "body": "Since the update to 24.100 the shop shows a white page, in every browser and on every machine.",
    "topic": "updates",
    "recovery": "none",
    "product": "Bitrix24 Self-hosted",
    "version": "24.100",
    "fields": {"error_text": "HTTP 500", "started": "this morning"},
    "doc_refs": ["https://docs.example/updates"],
    "external_ref": None,
    "metadata": {"source": "bench"},
}


class Ten(BaseModel):
    """A body of ten fields."""

    subject: str
    body: str
    topic: str | None = None
    recovery: str = "none"
    product: str | None = None
    version: str | None = None
    fields: dict[str, str] = {}
    doc_refs: list[str] = []
    external_ref: str | None = None
    metadata: dict[str, str] = {}


def echo_app() -> FastAPI:
    """Return an application that answers with what it was sent."""
    app = FastAPI()

    @app.post("/echo", status_code=201)
    async def echo(body: Ten) -> Ten:
        return body

    return app


@contextmanager
def process(command: list[str], ready: str) -> Iterator[tuple[int, int]]:
    """Run a server process; yield its PID and HTTP port, which it prints after `ready`."""
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        port = 0
        for line in running.stdout:
            if line.split()[:1] == [ready]:
                port = int(line.split()[1].rstrip("/").rpartition(":")[2])
            if port and (line.startswith("Ctrl-C") or ready == "Echo"):
                break
        yield running.pid, port
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(60)


def serve_echo() -> None:
    """Be the echo server."""
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"Echo http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(echo_app(), log_level="warning", access_log=False)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def drained(port: int, token: str) -> float:
    """Return the seconds until every request is in the queue."""
    began = time.perf_counter()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as http:
        newest = http.get("/v1/tickets", params={"limit": 1}).json()["items"][0]["id"]
        while http.get(f"/v1/queue/{newest}").status_code != 200:
            time.sleep(0.05)
    return time.perf_counter() - began


def main() -> None:
    """Measure and report."""
    desk_command = [sys.executable, "-m", "firstline.standalone.cli"]
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        data = str(Path(folder) / "desk")
        token = subprocess.run(
            [*desk_command, "token", "--role", "client", "--subject", "bench", "--data", data],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        up = [*desk_command, "up", "--port", "0", "--smtp-port", "0", "--data", data]
        with process(up, "Website") as desk, process([sys.executable, __file__, "echo"], "Echo") as echo:
            measure(desk, echo, token)


def measure(desk: tuple[int, int], echo: tuple[int, int], token: str) -> None:
    """Load both in turn and report."""
    body = json.dumps(BODY).encode()
    plain = post("/echo", body)
    run = os.getpid()

    def keyed(_number: int) -> bytes:
        return post(
            "/v1/tickets", body, Authorization=f"Bearer {token}", Idempotency_Key=f"{run}-{time.monotonic_ns()}"
        )

    desks: list[Load] = []
    echoes: list[Load] = []
    drains, cpu = [], []
    asyncio.run(drive(desk[1], keyed, 200, CONNECTIONS))
    asyncio.run(drive(echo[1], lambda _: plain, 200, CONNECTIONS))
    for _ in range(ROUNDS):
        echoes.append(asyncio.run(drive(echo[1], lambda _: plain, REQUESTS, CONNECTIONS)))
        used = cpu_seconds(desk[0])
        desks.append(asyncio.run(drive(desk[1], keyed, REQUESTS, CONNECTIONS)))
        left = drained(desk[1], token)
        cpu.append((cpu_seconds(desk[0]) - used) / REQUESTS * 1000)
        drains.append(REQUESTS / (REQUESTS / desks[-1].rate + left))
    assert not any(load.failed for load in (*desks, *echoes)), "some requests were refused"
    floor = statistics.median(load.rate for load in echoes)
    rate = statistics.median(load.rate for load in desks)
    settled = statistics.median(drains)
    publish(
        "standalone_intake",
        [
            Figure("echo", floor, "requests/s", note="FastAPI echo of ten fields, c=32"),
            Figure(
                "intake", rate, "requests/s", MUST, rate / floor, "durable 201, the whole desk in one process; of echo"
            ),
            Figure("intake, drained", settled, "requests/s", None, settled / floor, "until every request is queued"),
            Figure("intake p50", statistics.median(d.p50 for d in desks), "ms", note="at c=32"),
            Figure("intake p99", statistics.median(d.p99 for d in desks), "ms", note="at c=32"),
            Figure("CPU a request", statistics.median(cpu), "ms", note="all services, acknowledgement included"),
        ],
    )


if __name__ == "__main__":
    serve_echo() if sys.argv[1:] == ["echo"] else main()

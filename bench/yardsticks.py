"""What the separate services are measured against: the least that could do their work, on the same servers.

One is a FastAPI application that keeps a request and its event by one statement, without token, key, policy or log
line, and reads a page of intake's requests. The other carries events: a relay and a consumer that work in batches and
do nothing with what they carry.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg
import httpx
from aio_pika.abc import AbstractIncomingMessage
from fastapi import FastAPI, Request
from servers_here import eventually, free_port
from standalone_intake import Ten

URL = "YARDSTICK_DATABASE"
CONNECTIONS, BATCH, PREFETCH = 10, 200, 400
TABLES = """
CREATE TABLE request (
    id text PRIMARY KEY, subject text NOT NULL, body text NOT NULL, topic text, recovery text NOT NULL, product text,
    version text, fields text NOT NULL, doc_refs text NOT NULL, external_ref text, metadata text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE event (
    seq bigserial PRIMARY KEY, id text NOT NULL, type text NOT NULL, time timestamptz NOT NULL DEFAULT now(),
    data text NOT NULL, sent_at timestamptz
);
CREATE INDEX ix_event_unsent ON event (seq) WHERE sent_at IS NULL;
CREATE TABLE inbox (id text PRIMARY KEY);
CREATE TABLE entry (id text PRIMARY KEY, data text NOT NULL, since timestamptz NOT NULL DEFAULT now());
"""
KEEP = """
WITH kept AS (
    INSERT INTO request (id, subject, body, topic, recovery, product, version, fields, doc_refs, external_ref, metadata)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id
)
INSERT INTO event (id, type, data) SELECT id, 'request.kept', $12 FROM kept
"""
UNSENT = f"SELECT seq, id, data FROM event WHERE sent_at IS NULL ORDER BY seq LIMIT {BATCH}"
SENT = "UPDATE event SET sent_at = now() WHERE seq = ANY($1)"
NEW = "INSERT INTO inbox SELECT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING id"
ENTER = "INSERT INTO entry (id, data) SELECT * FROM unnest($1::text[], $2::text[])"

PAGE = "SELECT * FROM ticket WHERE id < $1 ORDER BY id DESC LIMIT 25"
LAST = "g"
"""Behind every ID, so that the page is the first one."""


async def make_tables(database: str) -> None:
    """Make the tables of both."""
    connection = await asyncpg.connect(database)
    await connection.execute(TABLES)
    await connection.close()


def application() -> FastAPI:
    """Return the application that keeps requests."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(os.environ[URL], min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=life)

    @app.post("/requests", status_code=201)
    async def keep(request: Request, body: Ten) -> dict[str, str]:
        identity = str(uuid4())
        await request.app.state.pool.execute(KEEP, *kept(identity, body))
        return {"id": identity}

    @app.get("/requests")
    async def page(request: Request, after: str = LAST) -> list[dict[str, Any]]:
        return [dict(row) for row in await request.app.state.pool.fetch(PAGE, after)]

    return app


def kept(identity: str, body: Ten) -> tuple[str | None, ...]:
    """Return a request as the parameters of KEEP."""
    plain = (body.subject, body.body, body.topic, body.recovery, body.product, body.version)
    free = (json.dumps(body.fields), json.dumps(body.doc_refs), body.external_ref, json.dumps(body.metadata))
    return (identity, *plain, *free, body.model_dump_json())


@contextmanager
def served(url: str) -> Iterator[tuple[int, int]]:
    """Run the application in a process of its own; yield its PID and its port."""
    port = free_port()
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", "--factory", "yardsticks:application", "--port", str(port), *options]
    environment = {**os.environ, URL: url}
    running = subprocess.Popen([*command, "--app-dir", str(Path(__file__).parent)], env=environment)
    try:
        eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/openapi.json").is_success, 120)
        yield running.pid, port
    finally:
        running.terminate()
        running.wait(30)


class Pipeline:
    """The relay and the consumer, each with a connection of its own to database and broker."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self._arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

    async def open(self, database: str, broker: str) -> None:
        """Connect and declare the queue."""
        self._store, self._taker = await asyncpg.connect(database), await asyncpg.connect(database)
        self._lines = [await aio_pika.connect(broker) for _ in range(2)]
        self._out, self._in = [await line.channel() for line in self._lines]
        await self._in.set_qos(prefetch_count=PREFETCH)
        queue = await self._in.declare_queue("yardstick", durable=True, arguments={"x-queue-type": "quorum"})
        await queue.consume(self._arrived.put)

    async def close(self) -> None:
        """Disconnect."""
        for line in self._lines:
            await line.close()
        for connection in (self._store, self._taker):
            await connection.close()

    async def relay(self) -> None:
        """Send what is unsent, a batch at a time; wait to be woken when there is nothing."""
        while True:
            self.woken.clear()
            while rows := await self._store.fetch(UNSENT):
                await asyncio.gather(*(self._send(row["id"], row["data"]) for row in rows))
                await self._store.execute(SENT, [row["seq"] for row in rows])
            await self.woken.wait()

    async def _send(self, identity: str, data: str) -> None:
        message = aio_pika.Message(data.encode(), message_id=identity, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await self._out.default_exchange.publish(message, "yardstick")

    async def consume(self) -> None:
        """Take what has arrived, a batch in each transaction, and acknowledge it."""
        while True:
            batch = [await self._arrived.get()]
            while len(batch) < BATCH and not self._arrived.empty():
                batch.append(self._arrived.get_nowait())
            bodies = {str(message.message_id): message.body.decode() for message in batch}
            async with self._taker.transaction():
                new = [row["id"] for row in await self._taker.fetch(NEW, list(bodies))]
                await self._taker.execute(ENTER, new, [bodies[identity] for identity in new])
            await batch[-1].ack(multiple=True)


@asynccontextmanager
async def running_pipeline(database: str, broker: str) -> AsyncIterator[Pipeline]:
    """Run the relay and the consumer."""
    pipeline = Pipeline()
    await pipeline.open(database, broker)
    tasks = [asyncio.create_task(pipeline.relay()), asyncio.create_task(pipeline.consume())]
    try:
        yield pipeline
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await pipeline.close()

"""The world: the whole product in simulated processes on stores that survive them, and everything around it."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx
from applications import LEASE_SECONDS, RENEW_SECONDS, URL, Applications
from broker import Broker, BusWay
from fastapi import FastAPI
from firstline.accounts.app import create_app as create_accounts
from firstline.common.bus import SOURCES
from firstline.common.envelope import Envelope
from firstline.common.errors import FirstlineError
from firstline.common.files import LocalFiles
from firstline.common.outbound_rules import OutboundRules
from firstline.common.permissions import Principal
from firstline.common.policy.model import Policy
from firstline.common.ports import Ports
from firstline.common.pull import LogPage, ReadLog, RemoteLog
from firstline.common.relay import log_page
from firstline.common.runtime import Runtime
from firstline.common.secrets import derive
from firstline.common.tokens import ServiceTokens, Signer, Verifier
from firstline.common.vault import KeyedVault
from firstline.intake.app import create_app as create_intake
from firstline.intake.inbound import MailRules
from firstline.intake.judge import InProcessJudge
from firstline.intake.parser import InProcessParser
from firstline.intake.service.inbound import MailSettings
from firstline.notify.app import create_app as create_notify
from firstline.queue.app import create_app as create_queue
from firstline.sla.app import create_app as create_sla
from firstline.standalone.gateway import PATHS
from firstline.standalone.wiring import SERVICES
from joserfc.jwk import OKPKey
from loop import Loop, Owner
from net import Answer, Line, Net, Weather
from ports import Chance, Disk, MailWay, Numbers, Offloading, Post, Receiver, Times, WebhookWay, spawn
from stores import NoticedStore, Notices

SECRET = b"a secret of the simulated desk!!"
DESK_ADDRESS = "support@firstline.example"
HOOK = "https://hook.partner.example/firstline"
LEASE = timedelta(minutes=30)
BOOT_AGAIN_SECONDS = 20.0
LONGEST_POLL = 6 * 3600.0
POLL_FACTOR = 4320.0
"""Polls are safety nets, and each costs as much as work. Here they are rarer, and what hangs on one is late."""

TAKE_OVER_SECONDS = LEASE_SECONDS + 2 * RENEW_SECONDS
"""After this another replica has taken over what a dead one did."""

SERVICE_OF = {path: service for service, paths in PATHS.items() for path in paths}
KEY = OKPKey.import_key(
    {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "kid": "desk",
        "alg": "Ed25519",
        "use": "sig",
    }
)


def scratch_folder() -> Path:
    """Return a new folder in memory where the system has one, else on the disk."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="firstline-sim-", dir=memory if memory.is_dir() else None))


@dataclass(frozen=True)
class Shape:
    """How the desk runs: in one process, or each service in one of its own, some of them twice."""

    separate: bool = False
    twice: frozenset[str] = frozenset()


@dataclass(eq=False)
class Slot:
    """A place where the desk's supervisor keeps a process running: which services it hosts, and the process there."""

    name: str
    services: tuple[str, ...]
    shared: frozenset[str]
    process: "Process | None" = None
    down_seconds: float = 1.0
    stopped: bool = False

    @property
    def is_shared(self) -> bool:
        """Whether another replica stands beside it, which has to see that it is gone before it takes over."""
        return bool(self.shared.intersection(self.services))


class Process:
    """One incarnation of some services: it boots, works, and ends by a stop or a kill."""

    def __init__(self, world: "World", slot: Slot, number: int) -> None:
        self.world = world
        self.slot = slot
        self.owner = Owner(f"{slot.name}#{number}")
        self.owner.burnt = lambda: self.kill("fuse")
        self.apps: dict[str, FastAPI] = {}
        self.stores: dict[str, NoticedStore] = {}
        self.ready = self.was_ready = False
        self.over = world.loop.create_future()

    def ports(self) -> Ports:
        """Return the ports of this incarnation."""
        world = self.world
        return Ports(
            world.times,
            Chance(world.stream(f"bytes {self.owner.name}")),
            Numbers(world.times, world.stream(f"ids {self.owner.name}")),
            spawn,
            Offloading(world.disk, self.owner),
        )

    def boot(self) -> None:
        """Begin to start, in a task of the process."""
        self.world.loop.create_task(self._boot(), name=f"boot {self.owner.name}", context=self.owner.context())

    async def _boot(self) -> None:
        try:
            self._build()
            for store in self.stores.values():
                await store.open()
            for service in reversed(SERVICES):
                if service in self.apps:
                    await self.apps[service].state.start()
                    self._poll_rarely(service)
        except (FirstlineError, OSError) as error:
            self.world.told("boot failed", None)
            self.kill(f"boot failed: {error!r}")
            return
        self.ready = self.was_ready = True
        self.world.note("up", self.owner.name)

    def _poll_rarely(self, service: str) -> None:
        for worker in self.apps[service].state.runtime.workers:
            worker._poll_seconds = min(worker._poll_seconds * POLL_FACTOR, LONGEST_POLL)

    def _build(self) -> None:
        ports, secret = self.ports(), SECRET
        credentials = ServiceTokens(secret, self.world.times)
        verifier = Verifier(KEY_SET, self.world.times, credentials)
        bus = BusWay(self.world.broker, self.owner, self.world.told)
        client = httpx.AsyncClient(transport=Line(self.world.net, self.world.route), base_url=URL)
        for service in self.slot.services:
            if service == "web":
                self.apps["web"] = self.world.applications.website(client, derive(secret, "cookie"), ports)
                continue
            path = self.world.folder / f"{service}.db"
            store = self.stores[service] = NoticedStore(path, ports, self.world.notices, self.owner)
            token = partial(credentials.token, service)
            logs = {source: self._log_of(source, client, token) for source in SOURCES.get(service, ())}
            runtime = Runtime(
                service,
                ports=ports,
                store=store,
                bus=bus,
                verifier=verifier,
                read_logs=logs,
                pull_seconds=self.world.pull_seconds / POLL_FACTOR,
                shared=service in self.slot.shared,
            )
            self.apps[service] = self._create(runtime, ports)

    def _log_of(self, source: str, client: httpx.AsyncClient, token: Callable[[], str]) -> ReadLog:
        """Return the way to a producer's log: by HTTP between processes, else by a call, which costs a tenth."""
        if self.world.scene.shape.separate:
            return RemoteLog(client, token, f"http://{source}.internal")

        async def read(after: int, limit: int) -> LogPage:
            await asyncio.sleep(0)
            log, items = await self.stores[source].read(lambda unit: log_page(unit, source, after, limit))
            return LogPage(log=log, items=list(map(Envelope.model_validate_json, items)))

        return read

    def _create(self, runtime: Runtime, ports: Ports) -> FastAPI:
        world = self.world
        match runtime.name:
            case "accounts":
                return create_accounts(runtime, Signer(KEY, world.times), world.times, secret=SECRET)
            case "queue":
                keys = {"claim_key": derive(SECRET, "claim-token"), "cursor_key": derive(SECRET, "queue cursors")}
                return create_queue(runtime, lease=LEASE, **keys)
            case "sla":
                return create_sla(runtime, cursor_key=derive(SECRET, "sla cursors"))
            case "intake":
                return self._intake(runtime, ports)
            case _:
                return self._notify(runtime)

    def _intake(self, runtime: Runtime, ports: Ports) -> FastAPI:
        kept = LocalFiles(self.world.folder / "files", ports.offload, ports.ids)
        if "intake" not in self.slot.shared:
            kept.remove_left_overs()
        return create_intake(
            runtime,
            current=self.world.policy,
            files=kept,
            parser=InProcessParser(),
            judge=InProcessJudge(ports.offload),
            mail=MailSettings(MailRules(frozenset({DESK_ADDRESS})), derive(SECRET, "mail")),
            claim_key=derive(SECRET, "claim-token"),
            cursor_key=derive(SECRET, "intake cursors"),
            vault=KeyedVault([derive(SECRET, "vault")], runtime.ports.random),
            listen=("simulated", 25),
        )

    def _notify(self, runtime: Runtime) -> FastAPI:
        world = self.world
        return create_notify(
            runtime,
            mail_port=MailWay(world.post, self.owner),
            http_port=WebhookWay(world.receiver, self.owner, world.times),
            outbound=OutboundRules.allowing([]),
            policy=world.policy,
            wall=world.times,
            mail_key=derive(SECRET, "mail"),
            endpoint_key=derive(SECRET, "endpoint secrets"),
            cursor_key=derive(SECRET, "notify cursors"),
            desk_address=DESK_ADDRESS,
            public_url=URL,
        )

    async def stop(self) -> None:
        """Stop as SIGTERM does."""
        done = self.world.loop.create_future()

        async def stopping() -> None:
            self.ready = False
            for service in SERVICES:
                if service in self.apps:
                    await self.apps[service].state.stop()
            self.kill("stopped")
            _settle(done)

        self.over.add_done_callback(lambda _: _settle(done), context=Context())
        self.world.loop.create_task(stopping(), name="stopping", context=self.owner.context())
        await done

    def kill(self, why: str) -> None:
        """End at once, between two steps: no more code of it runs, and its open transactions are undone."""
        if not self.owner.alive:
            return
        self.owner.alive, self.ready = False, False
        for store in self.stores.values():
            store._disconnect()
        self.world.note("down", f"{self.owner.name} {why}")
        self.world.net.reset(self.owner)
        self.world.broker.leave(self.owner)
        _settle(self.over)


def _settle(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)


KEY_SET: dict[str, Any] = {"keys": [KEY.as_dict(private=False)]}


@dataclass
class Scene:
    """What a world begins with."""

    seed: int
    start: datetime
    policy: Policy
    stores: Path
    """The folder of the stores to begin with."""

    shape: Shape = field(default_factory=Shape)
    disorder: float = 0.5
    pull_seconds: float = 7200.0
    """The share of choices that are not first come, first served; how often services read on in one another's logs."""


class World:
    """Everything of one seed."""

    def __init__(self, scene: Scene, applications: Applications) -> None:
        self.scene = scene
        self.applications = applications
        self.counts: Counter[str] = Counter()
        self.story: list[str] = []
        self.loop = Loop(self.stream("order"), scene.disorder)
        self.times = Times(self.loop, scene.start)
        self.policy = scene.policy
        self.pull_seconds = scene.pull_seconds
        self.folder = scratch_folder()
        for store in sorted(scene.stores.glob("*.db")):
            shutil.copy(store, self.folder / store.name)
        self.disk = Disk(self.stream("disk"), self.told)
        self.post = Post(self.stream("post"), self.told)
        self.receiver = Receiver(self.stream("receiver"), self.told)
        self.net = Net(self.stream("net"), Weather(), self.told)
        self.broker = Broker(self.loop, self.stream("bus"), self.told)
        self.notices = Notices(self.loop)
        self.slots = self._slots(scene.shape)
        self.listeners: list[Callable[[str, Owner], None]] = []
        self.downs: list[tuple[float, float, str]] = []
        """When which slot was not ready, and what it did not yet taken over by another, in virtual seconds."""

        self._incarnations = 0
        self._tokens: dict[Principal, str] = {}

    def stream(self, concern: str) -> Random:
        """Return the seed's stream of chance for one concern, so that a change of one does not reshuffle the others."""
        return Random(f"{self.scene.seed} {concern}")

    @staticmethod
    def _slots(shape: Shape) -> list[Slot]:
        everything = (*SERVICES, "web")
        if not shape.separate:
            return [Slot("desk", everything, frozenset())]
        slots = [Slot(service, (service,), shape.twice) for service in everything]
        return slots + [
            Slot(f"{service}2", (service,), shape.twice) for service in everything if service in shape.twice
        ]

    def told(self, what: str, owner: Owner | None) -> None:
        """Count something that happened, and tell those who wait for it: a fuse may be armed by it."""
        self.counts[what] += 1
        if owner is not None:
            for listener in self.listeners:
                listener(what, owner)

    def note(self, what: str, words: str) -> None:
        """Add a line to the story, which the digest is made of."""
        self.story.append(f"{self.loop.time():.6f} {what} {words}")

    def start(self) -> None:
        """Let the supervisor start every process and keep it running."""
        for slot in self.slots:
            self.loop.create_task(self._supervise(slot), name=f"supervise {slot.name}", context=Context())

    async def _supervise(self, slot: Slot) -> None:
        while not slot.stopped:
            began = self.loop.time()
            self._incarnations += 1
            process = slot.process = Process(self, slot, self._incarnations)
            process.boot()
            while not process.ready and process.owner.alive:
                await asyncio.sleep(0.01)
            if process.ready:
                self.downs.append((began, self.loop.time(), slot.name))
                await process.over
            died = self.loop.time()
            await asyncio.sleep(slot.down_seconds if process.was_ready else BOOT_AGAIN_SECONDS)
            over = self.loop.time() + (TAKE_OVER_SECONDS if slot.is_shared else 0.0)
            self.downs.append((died, over, slot.name))

    def processes(self) -> list[Process]:
        """Return the processes that are ready."""
        return [slot.process for slot in self.slots if slot.process is not None and slot.process.ready]

    def route(self, host: str, path: str) -> tuple[Owner | None, FastAPI | None]:
        """Find who serves a path now, or the service that the host names: of several replicas one by chance."""
        service, _, domain = host.partition(".")
        if domain == "internal":
            return self.serving(service)
        parts = path.split("/", 3)
        service = SERVICE_OF.get("/".join(parts[:3])) or SERVICE_OF.get("/".join(parts[:2])) or "web"
        return self.serving(service)

    def serving(self, service: str) -> tuple[Owner | None, FastAPI | None]:
        """Find a process that serves for a service."""
        found = [process for process in self.processes() if service in process.apps]
        if not found:
            return None, None
        process = found[int(self.net._chance.random() * len(found))]
        return process.owner, process.apps[service]

    def token(self, who: Principal) -> str:
        """Return a token of somebody, good for the whole seed whatever the clock does."""
        if who not in self._tokens:
            self._tokens[who] = Signer(KEY, _Fixed(self.scene.start)).token(who, timedelta(days=3000))
        return self._tokens[who]

    async def call(self, who: Principal | None, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        """Ask the desk something.

        Raises:
            Lost: no answer came.

        """
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            sent["authorization"] = f"Bearer {self.token(who)}"
        if body:
            sent.setdefault("content-type", "application/json")
        server, app = self.route("desk.example", target.partition("?")[0])
        return await self.net.call(server, app, method, target, headers=sent, body=body)

    async def mail(self, raw: bytes, mail_from: str, rcpt_to: tuple[str, ...]) -> str:
        """Hand a mail to the desk's listener, as a mail server does; return what it says.

        Raises:
            Lost: no answer came.

        """
        server, app = self.serving("intake")
        smtp: Any = app.state.smtp if app is not None else None

        async def take(_scope: Any, _receive: Any, send: Any) -> None:
            said = await smtp.take(raw, mail_from, rcpt_to, "192.0.2.7")
            await send({"type": "http.response.start", "status": 250 if said.startswith("250") else 452})
            await send({"type": "http.response.body", "body": said.encode()})

        answer = await self.net.call(server, take if smtp else None, "MAIL", "/smtp")
        return answer.body.decode()

    def close(self) -> None:
        """End the world and remove what is left of it."""
        for slot in self.slots:
            slot.stopped = True
            if slot.process is not None:
                slot.process.kill("end")
        self.loop.bury()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Fixed:
    """The clock of whoever makes tokens."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant - timedelta(days=1000)

    def now(self) -> datetime:
        return self._instant

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    async def until(self, instant: datetime) -> None:
        raise NotImplementedError

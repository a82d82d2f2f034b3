"""The whole desk in one process: the same applications as the separate services, which meet only by HTTP and events."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from fastapi import FastAPI

from firstline.common.bus import SOURCES, LocalBus
from firstline.common.errors import Unavailable
from firstline.common.outbound import Resolver, SystemResolver
from firstline.common.policy.loader import load_policy
from firstline.common.policy.model import Policy
from firstline.common.ports import ManualClock, Ports, SystemClock, offload, system_ports
from firstline.common.pull import LogPage, ReadLog, RemoteLog
from firstline.common.runtime import Runtime
from firstline.common.settings import Settings
from firstline.common.store.migrate import migrate_sqlite
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import ServiceTokens, Verifier
from firstline.standalone.gateway import Gateway
from firstline.standalone.keys import Keys, desk_keys, make_vault_key
from firstline.standalone.operations import LocalServices, registries
from firstline.standalone.operations import create_app as create_operations
from firstline.standalone.time import HandMovedTime, kept_time
from firstline.standalone.verify.heads import heads_kept
from firstline.standalone.wiring import SERVICES, Parts, create_service, create_website

INTERNAL_URL = "http://desk.internal"


class PolicyNotReadable(Unavailable):
    """The policy file is not there, or not for us to read."""

    title = "The policy can't be read"


@dataclass(frozen=True, slots=True)
class StandaloneDesk:
    """A desk that runs: its gateway answers HTTP."""

    gateway: Gateway
    services: Mapping[str, FastAPI]
    runtimes: Mapping[str, Runtime]
    keys: Keys
    ports: Ports

    @property
    def smtp_port(self) -> int:
        """The port that takes mail."""
        return int(self.services["intake"].state.smtp.port)


@asynccontextmanager
async def running_desk(settings: Settings, public_url: str) -> AsyncIterator[StandaloneDesk]:
    """Start a desk on the folder of its settings; stop it cleanly at the end.

    Args:
        settings: where things are.
        public_url: the address that links begin with.

    Raises:
        PolicyNotValid: the policy file has mistakes.
        PolicyNotReadable: there is no such policy file.
        Unavailable: a store can't be opened.
        OSError: the folder can't be written, or the SMTP port is taken.

    """
    async with AsyncExitStack() as stack:
        resolver = SystemResolver()
        stack.callback(resolver.close)
        desk = _build(settings, public_url, resolver)
        for runtime in desk.runtimes.values():
            # All stores before any service: a consumer's first pull reads the logs of others.
            await runtime.store.open()
            stack.push_async_callback(runtime.store.close)
        # Consumers first, so that nobody's events meet a closed door; they stop last for the same reason.
        for name in reversed(SERVICES):
            app = desk.services[name]
            await stack.enter_async_context(app.router.lifespan_context(app))
        stores = {name: runtime.store for name, runtime in desk.runtimes.items()}
        await stack.enter_async_context(heads_kept(settings.heads_file, stores, desk.ports, settings.heads_seconds))
        yield desk


async def settle(runtimes: Mapping[str, Runtime]) -> int:
    """Do all work that is due, of every service, until none is left; return how much that was."""
    total = 0
    # Again from the first: what a later service did may have given an earlier one something to do.
    while done := sum([await runtime.settle() for runtime in runtimes.values()]):
        total += done
    return total


def _build(settings: Settings, public_url: str, resolver: Resolver) -> StandaloneDesk:
    """Put the desk together: keys, stores, bus and the six applications; nothing runs yet."""
    policy = policy_of(settings)
    wall = SystemClock()
    time_file = settings.data / "clock.json"
    # From where it was left, or events of a former run would lie in the future.
    manual = ManualClock(kept_time(time_file) or wall.now()) if settings.clock == "manual" else None
    ports = system_ports(manual, settings.failpoint)
    keys = desk_keys(settings.keys_folder, ports.random)
    make_vault_key(settings, ports.random)
    credentials = ServiceTokens(keys.secret, wall)
    verifier = Verifier(keys.public, wall, credentials)
    services: dict[str, FastAPI] = {}
    runtimes = _runtimes(settings, ports, verifier, credentials, services)
    parts = Parts(settings, public_url, ports, wall, keys, policy, resolver)
    services.update({name: create_service(parts, runtime) for name, runtime in runtimes.items()})
    moved = HandMovedTime(manual, time_file, offload, lambda: settle(runtimes)) if manual else None
    apps = {**services, "desk": create_operations(LocalServices(services), registries(services), moved)}
    # The website calls the API as any client would, only without a socket: it has no way past permissions and limits.
    public = httpx.ASGITransport(Gateway({**apps, "web": apps["desk"]}), raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=public, base_url=public_url)
    gateway = Gateway({**apps, "web": create_website(parts, client)})
    return StandaloneDesk(gateway, services, runtimes, keys, ports)


def _runtimes(
    settings: Settings, ports: Ports, verifier: Verifier, credentials: ServiceTokens, services: Mapping[str, FastAPI]
) -> dict[str, Runtime]:
    """Return each service's runtime; it reads the others' logs through their applications once those exist."""
    bus = LocalBus()
    runtimes = {}
    for name in SERVICES:
        token = partial(credentials.token, name)
        path = settings.data / "stores" / f"{name}.db"
        migrate_sqlite(name, path)
        runtimes[name] = Runtime(
            name,
            ports=ports,
            store=SqliteStore(path, ports),
            bus=bus,
            verifier=verifier,
            read_logs={source: _log_reader(services, source, token) for source in SOURCES.get(name, ())},
            pull_seconds=settings.pull_seconds,
        )
    return runtimes


def _log_reader(services: Mapping[str, FastAPI], source: str, token: Callable[[], str]) -> ReadLog:
    """Return what reads a service's log through its application, as over the network but without one."""

    async def read(after: int, limit: int) -> LogPage:
        # By HTTP although it is the same process: one way of reading logs, with the same permissions, is one to test.
        transport = httpx.ASGITransport(services[source], raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=INTERNAL_URL) as client:
            return await RemoteLog(client, token)(after, limit)

    return read


def policy_of(settings: Settings) -> Policy:
    """Return the policy that the settings name, else the one that comes along.

    Raises:
        PolicyNotValid: it has mistakes.
        PolicyNotReadable: it can't be read.

    """
    # Installed, the policy lies in the package; in a checkout it lies where people look for it.
    packed = Path(__file__).parent / "policies" / "bitrix24.yaml"
    own = packed if packed.exists() else Path(__file__).parents[4] / "policies" / "bitrix24.yaml"
    path = settings.policy or own
    try:
        return load_policy(path)
    except OSError as error:
        raise PolicyNotReadable(
            f"The policy file {path} can't be read: {error.strerror}. Check FIRSTLINE_POLICY."
        ) from error

"""One service as a process of its own, of which there may be several replicas: on PostgreSQL and RabbitMQ.

It waits for what it needs (keys, database, schema) instead of ending, because nothing else sees to the order of starts.
"""

import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeVar

import httpx
import structlog
from prometheus_client import CollectorRegistry

from firstline.common.amqp import AmqpBus
from firstline.common.bus import SOURCES
from firstline.common.errors import Invalid, Unavailable
from firstline.common.outbound import SystemResolver
from firstline.common.ports import Clock, Ports, SystemClock, system_ports
from firstline.common.pull import RemoteLog
from firstline.common.runtime import Runtime
from firstline.common.settings import Settings
from firstline.common.store.migrate import is_migrated
from firstline.common.store.port import Store
from firstline.common.store.postgres import PostgresStore
from firstline.common.telemetry import App, Observed
from firstline.common.tokens import ServiceTokens, Verifier
from firstline.standalone.desk import policy_of
from firstline.standalone.gateway import Gateway
from firstline.standalone.keys import Keys, service_keys
from firstline.standalone.operations import RemoteServices
from firstline.standalone.operations import create_app as create_operations
from firstline.standalone.seed import Seeded, seed
from firstline.standalone.server import keep_what_is_loaded, listen, served, stop_on_signals
from firstline.standalone.wiring import SERVICES, Parts, create_service, create_website

T = TypeVar("T")

WEB = "web"
ROLES = (*SERVICES, WEB)
PAUSE_SECONDS = 1.0
SAY_EVERY = 10
"""How long is rested between two looks for what is missing, and every how many looks the log says so."""

HTTP_SECONDS, CONNECT_SECONDS = 30.0, 3.0
"""How long an answer of another service is waited for, and a connection: one that is away holds up no other."""

_log = structlog.get_logger(__name__)


class SettingMissing(Invalid):
    """A separate service can't do without this setting."""

    title = "A setting is missing"


class NotMigrated(Unavailable):
    """The schema is older than the code, or not there."""

    title = "The schema is not up to date"


async def serve_role(role: str, settings: Settings) -> None:
    """Run one service until a signal ends it.

    Raises:
        SettingMissing: the database or the bus isn't named.
        CannotListen: the port is in use, or can't be had.
        PolicyNotValid: the policy file has mistakes.

    """
    # The port before all else: one that is taken is a mistake of
    # the settings, and should end the process in its first second.
    with listen(settings.host, settings.port) as listening:
        url = settings.public_url.rstrip("/") or f"http://{settings.host}:{listening.getsockname()[1]}"
        await _serve(role, settings, listening, url)


async def _serve(role: str, settings: Settings, listening: socket.socket, url: str) -> None:
    """Run a service on a socket that is there already, so that its port is known before anything waits."""
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(running_role(role, settings, url))
        server, serving = await stack.enter_async_context(served(app, listening, url))
        stop_on_signals(server)
        keep_what_is_loaded()
        _log.info("serving", service=role, host=settings.host, port=listening.getsockname()[1])
        await serving
    _log.info("stopped", service=role)
    gc.freeze()  # the interpreter's last collection would take most of a second, and find nothing worth it


@asynccontextmanager
async def running_role(role: str, settings: Settings, url: str) -> AsyncIterator[App]:
    """Start one service, once all that it needs is there; stop it cleanly at the end.

    Args:
        role: its name, one of ROLES.
        settings: where things are.
        url: the address that links begin with.

    """
    wall = SystemClock()
    signing = role == "accounts"
    keys = await _awaited("keys", wall, lambda: _read_keys(settings, signing=signing))
    async with AsyncExitStack() as stack:
        resolver = SystemResolver()
        stack.callback(resolver.close)
        timeout = httpx.Timeout(HTTP_SECONDS, connect=CONNECT_SECONDS)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=timeout))
        ports = system_ports(fails_at=settings.failpoint)
        parts = Parts(settings, url, ports, wall, keys, policy_of(settings), resolver, shared=True)
        if role == WEB:
            api = httpx.AsyncClient(base_url=settings.api_url or url, timeout=HTTP_SECONDS)
            yield _website(parts, http, await stack.enter_async_context(api))
            return
        runtime = _runtime(role, parts, http)
        app = create_service(parts, runtime)
        await runtime.store.open()
        stack.push_async_callback(runtime.store.close)
        await _awaited("database", wall, lambda: _check_migrated(role, runtime.store))
        await stack.enter_async_context(app.router.lifespan_context(app))
        # Only where somebody has said "development": the default of
        # a forgotten setting must not put sign-in links into a log.
        if role == "accounts" and settings.mode == "development" and "mode" in settings.model_fields_set:
            _show(await seed(app.state.accounts), url)
        yield app


async def _awaited(what: str, clock: Clock, attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what `attempt` returns as soon as it succeeds, saying now and then what is waited for."""
    looks = 0
    while True:
        try:
            return await attempt()
        # Nothing else is waited for: a mistake in a setting doesn't mend itself.
        except (Unavailable, OSError) as error:
            if looks % SAY_EVERY == 0:
                _log.warning("waiting", needs=what, reason=str(error), seconds=round(looks * PAUSE_SECONDS))
        looks += 1
        await clock.sleep(PAUSE_SECONDS)


async def _read_keys(settings: Settings, *, signing: bool) -> Keys:
    """Read the keys, as something that can be awaited."""
    return service_keys(settings.keys_folder, signing=signing)


async def _check_migrated(role: str, store: Store) -> None:
    """Raise NotMigrated while the schema is older than the code."""
    if not await is_migrated(role, store):
        raise NotMigrated(f"The schema of {role} is not up to date. Run: firstline migrate {role}")


def _website(parts: Parts, http: httpx.AsyncClient, api: httpx.AsyncClient) -> App:
    """Return the website, with the paths that belong to no single service."""
    services = RemoteServices(http, {name: parts.settings.service_url(name) for name in SERVICES})
    registry = CollectorRegistry()
    operations = create_operations(services, [registry], None)
    website = create_website(parts, api)
    # The proxy in front sends services' paths to them; what reaches web by them all the same finds nothing there.
    gateway = Gateway({**dict.fromkeys(SERVICES, website), "desk": operations, "web": website})
    return Observed(gateway, WEB, registry, parts.wall)


def _runtime(role: str, parts: Parts, http: httpx.AsyncClient) -> Runtime:
    """Return a service's runtime on PostgreSQL and the broker, shared with other replicas."""
    settings, ports = parts.settings, parts.ports
    credentials = ServiceTokens(parts.keys.secret, parts.wall)
    # A new token for each call, since a process outlives them by far.
    token = partial(credentials.token, role)
    return Runtime(
        role,
        ports=ports,
        store=postgres_store(role, settings, ports),
        bus=AmqpBus(_needed(settings.amqp_url.get_secret_value(), "AMQP_URL"), ports, name=role),
        verifier=Verifier(parts.keys.public, parts.wall, credentials),
        read_logs={source: RemoteLog(http, token, settings.service_url(source)) for source in SOURCES.get(role, ())},
        pull_seconds=settings.pull_seconds,
        shared=True,
    )


def postgres_store(service: str, settings: Settings, ports: Ports) -> PostgresStore:
    """Return a service's database, not connected yet.

    Raises:
        SettingMissing: no database is named.

    """
    listen_url = settings.database_listen_url.get_secret_value()
    return PostgresStore(
        database_url(service, settings),
        ports,
        pooler=settings.database_pooler,
        listen_url=_for(service, listen_url) if listen_url else None,
        connections=settings.database_connections,
    )


def database_url(service: str, settings: Settings, *, direct: bool = False) -> str:
    """Return the address of a service's database; `direct` goes round a pooler where the settings know a way.

    Raises:
        SettingMissing: no database is named.

    """
    url = settings.database_listen_url.get_secret_value() if direct else ""
    return _for(service, url or _needed(settings.database_url.get_secret_value(), "DATABASE_URL"))


def _for(service: str, url: str) -> str:
    """Return an address for a service."""
    return url.replace("{service}", service)


def _needed(value: str, name: str) -> str:
    """Return a setting, or say which one is missing."""
    if not value:
        raise SettingMissing(f"FIRSTLINE_{name} is not set; firstline.example.env explains it.")
    return value


def _show(people: list[Seeded], url: str) -> None:
    """Tell the links of the sample people, as the desk in one process prints them."""
    for person in people:
        _log.info("sign in (development)", person=person.title, link=f"{url}/sign-in?code={person.code}")

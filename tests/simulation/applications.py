"""The product's applications, whose routes are built once a process of the test and used by every world.

What FastAPI makes of the routes takes a quarter of a second and depends on nothing; the state is each incarnation's.
"""

import copy
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import firstline.accounts.app
import firstline.common.lease
import firstline.intake.app
import firstline.intake.service.desk
import firstline.notify.app
import firstline.notify.service.desk
import firstline.queue.app
import firstline.sla.app
import firstline.sla.service.clocks
import httpx
from fastapi import APIRouter, FastAPI
from firstline.common import problems
from firstline.common.application import JSON_LIMIT, build_app
from firstline.common.policy.model import Policy
from firstline.common.ports import Ports
from firstline.common.runtime import Runtime
from firstline.web.app import create_app as create_website
from prometheus_client import CollectorRegistry
from starlette.datastructures import State
from starlette.middleware import Middleware

MODULES: tuple[ModuleType, ...] = (
    firstline.accounts.app,
    firstline.intake.app,
    firstline.queue.app,
    firstline.sla.app,
    firstline.notify.app,
)
URL = "http://desk.example"
Step = Callable[[], Awaitable[None]]


PURE: tuple[tuple[ModuleType, str], ...] = (
    (firstline.notify.service.desk, "_book"),
    (firstline.sla.service.clocks, "terms_of"),
    (firstline.intake.service.desk, "rulebook"),
)
"""Functions that make something of a policy and nothing else: what they made of a version is made once."""

LEASE_SECONDS, RENEW_SECONDS = 400.0, 100.0
"""A replica's leases last longer here and are renewed as much more rarely, since a renewal costs as much as work."""

SLOWER = {"LIFE_SECONDS": LEASE_SECONDS, "RENEW_SECONDS": RENEW_SECONDS, "MARGIN_SECONDS": LEASE_SECONDS / 10}
"""What stands in the place of the lease's own figures."""


@dataclass
class Applications:
    """The routes built so far, by the title of the application, and what was made of policies."""

    known: dict[str, FastAPI] = field(default_factory=dict)
    made: dict[tuple[Any, str], Any] = field(default_factory=dict)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the services' wiring take routes from here."""
        own: list[tuple[ModuleType, str, Any]] = [(module, name, getattr(module, name)) for module, name in PURE]
        for module, name, function in own:
            setattr(module, name, self._once(function))
        for name, seconds in SLOWER.items():
            own.append((firstline.common.lease, name, getattr(firstline.common.lease, name)))
            setattr(firstline.common.lease, name, seconds)
        for module in MODULES:
            module.build_app = self.build  # type: ignore[attr-defined]
        try:
            yield
        finally:
            for module, name, function in own:
                setattr(module, name, function)
            for module in MODULES:
                module.build_app = build_app  # type: ignore[attr-defined]

    def _once(self, function: Callable[[Policy], Any]) -> Callable[[Policy], Any]:
        def made(policy: Policy) -> Any:
            place = (function, policy.version)
            if place not in self.made:
                self.made[place] = function(policy)
            return self.made[place]

        return made

    def build(
        self,
        runtime: Runtime,
        title: str,
        routers: Sequence[APIRouter],
        *,
        start: Step,
        stop: Step,
        larger_bodies: Mapping[str, int] | None = None,
    ) -> FastAPI:
        """Return an application as `build_app` does, without its figures; `start` and `stop` lie in its state."""
        if title not in self.known:
            self.known[title] = build_app(
                runtime, title, routers, start=start, stop=stop, larger_bodies=larger_bodies or {}
            )
        app = self._fresh(title)
        app.user_middleware = [Middleware(problems.BodyLimit, limit=JSON_LIMIT, larger=larger_bodies or {})]
        app.state.runtime, app.state.registry = runtime, CollectorRegistry()
        app.state.start, app.state.stop = start, stop
        return app

    def website(self, api: httpx.AsyncClient, key: bytes, ports: Ports) -> FastAPI:
        """Return the website as an incarnation of its own."""
        if "web" not in self.known:
            self.known["web"] = create_website(api, key, URL, ports)
        app = self._fresh("web")
        web: Any = self.known["web"].state.web
        app.state.web = replace(web, api=api, ports=ports)
        return app

    def _fresh(self, title: str) -> FastAPI:
        app = copy.copy(self.known[title])
        app.state, app.middleware_stack = State(), None
        return app

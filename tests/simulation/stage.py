"""What all worlds of one test process share: routes, policies, and stores in which the people are known already."""

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog
from applications import Applications
from firstline.common.permissions import Principal, Role
from firstline.common.policy.loader import load_policy
from firstline.common.policy.model import Policy
from firstline.common.store.migrate import migrate_sqlite
from firstline.standalone.wiring import SERVICES
from net import Lost
from world import HOOK, Scene, World, scratch_folder

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
BEGINNING = datetime(2026, 1, 5, 8, tzinfo=UTC)
HEARD = ("ticket.submitted", "ticket.replied", "ticket.closed", "clock.breached")
CLIENTS, SPECIALISTS = 6, 3
ADMIN = Principal("root", Role.ADMIN, "root@firstline.example", name="Root")
CALENDARS: tuple[dict[str, Any], ...] = (
    {},
    {
        "tz": "Europe/Berlin",
        "hours": {day: [["08:00", "12:30"], ["13:30", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
        | {"sat": [["22:00", "04:00"]]},
        "holidays": ["2026-03-30", "2026-10-26", "2026-12-25"],
        "breaks": {"2026-03-31": [["10:00", "10:20"]]},
        "overrides": {"2026-12-24": [["09:00", "12:00"]]},
    },
    {
        "tz": "America/New_York",
        "hours": {day: [["20:00", "06:00"]] for day in ("sun", "mon", "tue", "wed", "thu")},
        "holidays": [],
        "breaks": {},
        "overrides": {},
    },
)
"""The policy's own calendar, one over changes of the clock with pauses and a night, one of nights far away."""

SILENCES: tuple[dict[str, Any], ...] = (
    {
        "waiting_client": {"close_after_days": 1, "reason": "no_reply"},
        "resolved": {"close_after_days": 1, "reason": "resolved"},
    },
    {
        "waiting_client": {
            "remind_after_days": 1,
            "close_after_days": 2,
            "reason": "no_reply",
            "circumstance": "silence",
        },
        "resolved": {"remind_after_days": 1, "close_after_days": 2, "reason": "resolved"},
    },
)
"""Short enough for worlds of some days: told at the beginning only, and with a reminder."""

TARGETS = {
    "normal": {"first_response": 240, "next_response": 300, "resolution": 1200},
    "high": {"first_response": 60, "next_response": 90},
}


@dataclass
class Cast:
    """Who takes part."""

    clients: list[Principal] = field(default_factory=list)
    specialists: list[Principal] = field(default_factory=list)
    supervisor: Principal = ADMIN
    partner: Principal = ADMIN


@contextmanager
def quiet_logs(errors: list[str]) -> Iterator[None]:
    """Keep the product's log lines from being written; what it calls an error is noted."""

    def keep(_logger: Any, level: str, event: Any) -> Any:
        if level in ("error", "critical"):
            cause = event.get("exc_info")
            errors.append(f"{event['event']} {cause!r}" if isinstance(cause, BaseException) else str(event["event"]))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def run_world(world: World, play: Callable[[World], Coroutine[Any, Any, T]]) -> T:
    """Run a play in a world to its end."""
    with world.applications.in_use():
        task = world.loop.create_task(play(world), name="play", context=Context())
        asyncio.set_event_loop(None)
        return world.loop.run_until_complete(task)


class Stage:
    """Made once in a process; making it takes some seconds."""

    def __init__(self) -> None:
        self.applications = Applications()
        own = load_policy(ROOT / "policies" / "bitrix24.yaml")
        self.policies = [own, *(self._variant(own, number) for number in range(1, 2 * len(CALENDARS)))]
        self.calendars = [calendar or own.calendar for calendar in CALENDARS]
        self.stores = scratch_folder()
        self.cast = Cast()
        for service in SERVICES:
            migrate_sqlite(service, self.stores / f"{service}.db")
        scene = Scene(0, BEGINNING, own, self.stores)
        world = World(scene, self.applications)
        with quiet_logs([]):
            run_world(world, self._introduce)
        for slot in world.slots:
            slot.stopped = True
            assert slot.process is not None
            slot.process.kill("end")
        for service in SERVICES:
            shutil.copy(world.folder / f"{service}.db", self.stores / f"{service}.db")
        world.close()

    @staticmethod
    def _variant(own: Policy, number: int) -> Policy:
        """Return a policy with another calendar, and from the half on with resolution targets and a bounded order."""
        document = own.document()
        document["calendar"] = CALENDARS[number % len(CALENDARS)] or document["calendar"]
        document["name"] = f"variant{number}"
        document["closing"]["silence"] = SILENCES[number // len(CALENDARS)]
        if number >= len(CALENDARS):
            document["targets"]["minutes"] = TARGETS
            document["out_of_turn"]["max_in_a_row"] = 2
        return Policy.from_document(document)

    async def _introduce(self, world: World) -> None:
        """Make everybody known through the API, and give the partner an endpoint."""
        world.start()
        while not world.processes():
            await asyncio.sleep(0.1)
        shop = await _made(world, "/v1/organizations", {"name": "Shop", "kind": "customer"})
        agency = await _made(world, "/v1/organizations", {"name": "Agency", "kind": "partner"})
        for number in range(CLIENTS):
            organization = shop["id"] if number % 2 else None
            self.cast.clients.append(await _person(world, f"client{number}", Role.CLIENT, organization))
        for number in range(SPECIALISTS):
            self.cast.specialists.append(await _person(world, f"specialist{number}", Role.AGENT, None))
        self.cast.supervisor = await _person(world, "supervisor", Role.SUPERVISOR, None)
        self.cast.partner = await _person(world, "partner", Role.PARTNER, agency["id"])
        await _made(world, "/v1/webhook-endpoints", {"url": HOOK, "types": list(HEARD), "content": True})
        await asyncio.sleep(4000)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.stores, ignore_errors=True)


async def _made(world: World, path: str, body: dict[str, Any]) -> Any:
    while True:
        try:
            answer = await world.call(ADMIN, "POST", path, json.dumps(body).encode(), Idempotency_Key=json.dumps(body))
        except Lost:
            continue
        assert answer.status == 201, answer.body
        return answer.json()


async def _person(world: World, name: str, role: Role, organization: str | None) -> Principal:
    staff = role in (Role.AGENT, Role.SUPERVISOR)
    email = f"{name}@{'firstline' if staff else 'people'}.example"
    body: dict[str, Any] = {"email": email, "role": role.value, "name": name.title(), "language": "en"}
    if organization:
        body["organization_id"] = organization
    if role is Role.AGENT:
        body["tier"] = "helpdesk"
    made = await _made(world, "/v1/people", body)
    return Principal(made["id"], role, email, organization, name=name.title(), tier=body.get("tier"))

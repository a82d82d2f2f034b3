"""What the API answers, and a whole desk with visitors, for tests of what the pages make of it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from firstline.common.policy.loader import load_policy
from firstline.common.ports import ManualClock
from firstline.common.settings import Settings
from firstline.standalone.desk import StandaloneDesk, running_desk, settle
from firstline.standalone.seed import seed

Json = dict[str, Any]
Make = Callable[..., Json]


@pytest.fixture
def now() -> datetime:
    """Return the instant at which pages are read: a Tuesday, while the Helpdesk is open."""
    return datetime(2026, 11, 24, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="session")
def policy() -> Json:
    """Return the public document of the default policy."""
    return load_policy(Path(__file__).parents[2] / "policies/bitrix24.yaml").document()


@pytest.fixture
def ticket() -> Make:
    """Return what makes a request as the API gives it, with whatever is to be different."""

    def make(**changes: Any) -> Json:
        requester = {"id": "p1", "email": "clara@shop.example", "name": "Clara Mint", "language": "en"}
        return {
            "id": "0193-a",
            "number": "FL-7K3M-9QPX",
            "status": "open",
            "waiting_cause": None,
            "circumstance": None,
            "circumstance_text": None,
            "waiting_since": "2026-11-24T09:31:00Z" if changes.get("status") == "waiting" else None,
            "defect_ref": None,
            "planned_release": None,
            "released_in": None,
            "reminded_at": None,
            "closes_at": None,
            "supervisor_request": None,
            "rating": None,
            "close_reason": None,
            "subject": "White page",
            "topic": "updates.failed_update",
            "tier": "technical_support",
            "complexity": None,
            "urgency": "normal",
            "urgency_provisional": False,
            "urgency_reason": None,
            "urgency_claim": None,
            "recovery": "none",
            "scope": {"verdict": "in", "support_mode": "full", "reason": None, "refer_to": None},
            "missing_information": [],
            "hints": [],
            "completeness": 1.0,
            "suggested_articles": [],
            "entitlement": "active",
            "entitled": "active",
            "requester": requester,
            "organization_id": None,
            "product": "Bitrix24",
            "product_version": "24.100",
            "licence_last4": "9QPX",
            "channel": "portal",
            "verified": True,
            "follows": None,
            "merged_into": None,
            "reopen_count": 0,
            "received_at": "2026-11-24T09:12:00Z",
            "updated_at": "2026-11-24T09:31:00Z",
            "resolved_at": None,
            "closed_at": None,
            "allowed": ["messages", "triage", "wait", "resolve", "close"],
            **changes,
        }

    return make


@pytest.fixture
def message() -> Make:
    """Return what makes a message as the API gives it."""

    def make(**changes: Any) -> Json:
        return {
            "id": "m1",
            "audience": "public",
            "author": {"id": "p1", "name": "Clara Mint", "role": "client", "side": "client"},
            "body": "The shop shows a white page.",
            "attachments": [],
            "channel": "portal",
            "automatic": False,
            "verified": True,
            "created_at": "2026-11-24T09:12:00Z",
            "split_into": None,
            **changes,
        }

    return make


@pytest.fixture
def attachment() -> Make:
    """Return what makes a file of a message as the API gives it."""

    def make(**changes: Any) -> Json:
        given = {"id": "f1", "name": "page.png", "type": "image/png", "size": 2048, "status": "ok", "reason": None}
        return {**given, **changes}

    return make


@pytest.fixture
def entry() -> Make:
    """Return what makes a line of the queue, which is also a place in it, as the API gives it."""

    def make(**changes: Any) -> Json:
        return {
            "ticket_id": "0193-a",
            "number": "FL-7K3M-9QPX",
            "subject": "White page",
            "position": 4,
            "ahead": 3,
            "at_least": False,
            "since": "2026-11-24T09:12:00Z",
            "out_of_turn": False,
            "urgency_provisional": False,
            "claimed": False,
            "claimed_by": None,
            "lease_expires_at": None,
            "why": ["Requests are answered in the order in which they came in."],
            **changes,
        }

    return make


@pytest.fixture
def clock() -> Make:
    """Return what makes a clock as the API gives it."""

    def make(**changes: Any) -> Json:
        given = {"ticket_id": "0193-a", "target": "first_response", "state": "running"}
        return {**given, "due_at": "2026-11-24T12:12:00Z", "warn_at": "2026-11-24T11:30:00Z", **changes}

    return make


class Page(HTMLParser):
    """A page as a browser reads it: its elements with their attributes, its text, what is wrong with its nesting."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.misnested: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.misnested += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note an end that doesn't fit."""
        if not self._open or self._open.pop() != tag:
            self.misnested.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, name: str) -> list[str]:
        """Return every value of an attribute."""
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]

    def form(self, action: str) -> dict[str, str]:
        """Return what a browser sends for a form's inputs when nothing is changed."""
        at = next(i for i, (tag, given) in enumerate(self.elements) if tag == "form" and given.get("action") == action)
        sent: dict[str, str] = {}
        for tag, given in self.elements[at + 1 :]:
            if tag == "form":
                break
            unchosen = given.get("type") in ("radio", "checkbox") and "checked" not in given
            if tag == "input" and given.get("name") and not unchosen and given.get("type") != "file":
                sent[given["name"] or ""] = given.get("value") or ""
        return sent


@pytest.fixture
def read() -> Callable[[str], Page]:
    """Return what reads a page."""
    return Page


PUBLIC_URL = "http://127.0.0.1:8123"
MONDAY_NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _settings(data: Path) -> Settings:
    return Settings(data=data, smtp_port=0, clock="manual")


@pytest.fixture(scope="session")
def new_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a desk that was started once, so that its stores need not be made for each test."""
    data = tmp_path_factory.mktemp("desk") / "data"

    async def start() -> None:
        async with running_desk(_settings(data), PUBLIC_URL):
            pass

    asyncio.run(start())
    return data


@pytest.fixture
async def desk(new_desk: Path, tmp_path: Path) -> AsyncIterator[StandaloneDesk]:
    """Run a desk of the test's own; it is Monday noon."""
    data = tmp_path / "data"
    shutil.copytree(new_desk, data)
    async with running_desk(_settings(data), PUBLIC_URL) as running:
        assert isinstance(running.ports.clock, ManualClock)
        running.ports.clock.move(MONDAY_NOON)
        yield running


class Visitor:
    """Somebody with a browser."""

    def __init__(self, desk: StandaloneDesk, browser: httpx.AsyncClient) -> None:
        self.desk = desk
        self.browser = browser
        self.answer = httpx.Response(200)

    @property
    def page(self) -> Page:
        """The page before them."""
        return Page(self.answer.text)

    @property
    def path(self) -> str:
        """The path of the page before them."""
        return self.answer.url.path

    async def open(self, path: str) -> Page:
        """Go to a page."""
        self.answer = await self.browser.get(path)
        return self.page

    async def send(self, action: str, files: Any = None, **fields: str) -> Page:
        """Fill in and send the form with that action of the page before them, and wait until everybody knows."""
        self.answer = await self.browser.post(action, data={**self.page.form(action), **fields}, files=files)
        await settle(self.desk.runtimes)
        return self.page


@pytest.fixture
async def visitor(desk: StandaloneDesk) -> AsyncIterator[Callable[[str], Awaitable[Visitor]]]:
    """Return what signs in the client, the specialist or the supervisor."""
    people = {person.title: person.code for person in await seed(desk.services["accounts"].state.accounts)}
    async with AsyncExitStack() as stack:

        async def signed_in(title: str) -> Visitor:
            transport = httpx.ASGITransport(desk.gateway)
            browser = httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, follow_redirects=True)
            one = Visitor(desk, await stack.enter_async_context(browser))
            await one.open(f"/sign-in?code={people[title]}" if title in people else "/")
            return one

        yield signed_in

"""Long texts are looked at for secrets beside the event loop, between two runs of a unit of work (clause 4.3)."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import current_thread, main_thread
from typing import TypeVar

import pytest
from firstline.common.policy.model import Policy
from firstline.common.ports import offload, system_ports
from firstline.common.store.port import Sql, Unit
from firstline.common.store.sqlite import SqliteStore
from firstline.intake.detector import Detector, detector_of
from firstline.intake.service.looking import LONG, LookingStore, NotLookedAt, looked_at
from intake_world import World, raw_mail

T = TypeVar("T")

CANARY = "Zq7!kanarie-Vx3"
LONG_TEXT = "The list of orders is slow.\n" * (LONG // 20) + f"Login: admin\nPassword: {CANARY}\n"
MASK = "[removed: password]"
MAKE: Sql[None] = Sql("CREATE TABLE seen (n INTEGER)", type(None))
SEE: Sql[None] = Sql("INSERT INTO seen (n) VALUES (1)", type(None))
COUNT = Sql("SELECT count(*) FROM seen", int)


@pytest.fixture
def detector(policy: Policy) -> Detector:
    """Return the default policy's detector."""
    return detector_of(policy.pasted_secrets)


@asynccontextmanager
async def looking(folder: Path, detector: Detector, threads: list[str]) -> AsyncIterator[LookingStore]:
    """Open a store that notes in which threads texts are looked at."""

    async def noting(work: Callable[[], T]) -> T:
        def noted() -> T:
            threads.append(current_thread().name)
            return work()

        return await offload(noted)

    store = LookingStore(SqliteStore(folder / "a.db", system_ports()), noting, detector, Counter())
    await store.open()
    try:
        await store.write(lambda unit: unit.run(MAKE))
        yield store
    finally:
        await store.close()


async def test_a_long_text_is_looked_at_in_a_thread_once(detector: Detector, tmp_path: Path) -> None:
    """A unit that comes to a long text runs again when a thread has looked at it, and its first run leaves nothing."""
    threads: list[str] = []
    runs = 0

    async def work(unit: Unit) -> str:
        nonlocal runs
        runs += 1
        await unit.run(SEE)
        assert looked_at(detector, "Password: Qwe123!@").text == f"Password: {MASK}"
        first = looked_at(detector, LONG_TEXT)
        assert looked_at(detector, LONG_TEXT) is first
        return first.text

    async with looking(tmp_path, detector, threads) as store:
        text = await store.write(work)
        assert await store.read(lambda unit: unit.one(COUNT)) == 1
    assert text.endswith(f"Password: {MASK}\n")
    assert CANARY not in text
    assert runs == 2
    assert len(threads) == 1
    assert main_thread().name not in threads


async def test_short_texts_take_no_thread(detector: Detector, tmp_path: Path) -> None:
    """A text of usual length is looked at where it stands: a thread would cost more than the look."""
    threads: list[str] = []

    async def work(_unit: Unit) -> int:
        return len(looked_at(detector, LONG_TEXT[-LONG:]).marks)

    async with looking(tmp_path, detector, threads) as store:
        assert await store.read(work) == 1
    assert threads == []


async def test_what_was_found_is_known_to_its_unit_only(detector: Detector, tmp_path: Path) -> None:
    """What was found in a text is forgotten with its unit, for the text may hold a secret."""
    threads: list[str] = []

    async def work(_unit: Unit) -> str:
        return looked_at(detector, LONG_TEXT).text

    async with looking(tmp_path, detector, threads) as store:
        assert await store.read(work) == await store.write(work)
    assert len(threads) == 2


def test_a_stop_says_nothing_of_the_text() -> None:
    """What stops a unit at a long text carries no word of it in its message, which may be logged."""
    assert CANARY not in repr(NotLookedAt(LONG_TEXT)) + str(NotLookedAt(LONG_TEXT))


async def test_long_texts_are_masked_whatever_way_they_come(world: World) -> None:
    """In a long request, field, message, note and mail a secret at the very end is masked like in a short one."""
    fields = {"error_text": "x " * 3_000 + f"\nLogin: admin\nPassword: {CANARY}"}
    ticket = await world.submit(body=LONG_TEXT, fields=fields)
    assert [hint["code"] for hint in ticket["hints"]] == ["pasted_secret"]
    await world.must(ticket, "messages", {"body": LONG_TEXT}, "client:clara")
    await world.must(ticket, "messages", {"body": LONG_TEXT, "audience": "internal"})
    mail = await world.mail(raw_mail(f"Re: [{ticket['number']}]", LONG_TEXT))
    assert mail["outcome"] == "appended"
    stranger = await world.mail(raw_mail(f"[{ticket['number']}]", LONG_TEXT, "eve@else.example"), "eve@else.example")
    assert MASK in stranger["text"]
    long = [message["body"] for message in await world.messages(ticket) if len(message["body"]) > LONG]
    assert len(long) == 4
    assert all(MASK in body for body in long)
    assert CANARY not in repr(
        (await world.ticket(ticket["id"]), long, mail, stranger, await world.events(ticket["id"]))
    )
    check = await world.post("/v1/tickets/check", {"subject": "Slow", "body": LONG_TEXT}, "client:clara")
    assert [hint["code"] for hint in check.json()["hints"]] == ["pasted_secret"]

"""The inbox: each event once, in the order of its stream, whatever arrives how often and when; poison stands alone."""

import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from firstline.common.envelope import Envelope
from firstline.common.errors import NotFound, Unavailable
from firstline.common.inbox import Handler, Inbox, Kept, NotYet
from firstline.common.ports import ManualClock, Ports
from firstline.common.store.port import Sql, Store, Unit
from firstline.common.store.sqlite import SqliteStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OpenStore = Callable[..., Awaitable[Store]]
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ADD: Sql[None] = Sql(
    "INSERT INTO fact (name, number) VALUES (:name, 1) ON CONFLICT (name) DO UPDATE SET number = fact.number + 1",
    type(None),
)
APPLIED = Sql("SELECT name FROM fact WHERE number = 1 ORDER BY name", str)
REPEATED = Sql("SELECT name FROM fact WHERE number <> 1", str)
KNOWN = Sql("SELECT name FROM fact WHERE name = :name", str)
HEADS = Sql("SELECT stream || '@' || version || '@' || log FROM inbox_stream ORDER BY stream", str)
KEPT = Sql("SELECT stream || '@' || version || ' ' || state FROM inbox_event ORDER BY stream, version, log", str)
PLACES = Sql("SELECT source || '@' || position || '@' || log FROM inbox_source", str)
TRACK = Sql("SELECT doc FROM fact WHERE name = :stream", list)
SAVE_TRACK: Sql[None] = Sql(
    "INSERT INTO fact (name, doc, number) VALUES (:stream, :track, 0)"
    " ON CONFLICT (name) DO UPDATE SET doc = excluded.doc",
    type(None),
)

pytestmark = pytest.mark.both_stores


def event(stream: str, version: int, kind: str = "ticket.noted", **members: Any) -> Envelope:
    """Return an event of a stream; its position is as if the log had no other stream."""
    facts = {
        "id": f"{stream}-{version}",
        "source": "intake",
        "time": NOON,
        "log": "log-1",
        "position": version,
        "hash": f"hash of {stream}-{version}",
        "data": {},
    }
    return Envelope.model_validate({**facts, "stream": stream, "version": version, "type": kind, **members})


class Desk:
    """A service that notes each event which it applies; some events it refuses until it is mended."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.refuses: dict[str, Exception] = {}
        self.inbox = Inbox(store, self.handlers(), clock)

    def handlers(self) -> dict[str, Handler]:
        """Return the reactions: note it; or note it only once the fact that it names is known."""
        return {"ticket.noted": self._note, "ticket.merged": self._note_when_known}

    async def _note(self, unit: Unit, envelope: Envelope) -> None:
        await unit.run(ADD, name=f"{envelope.stream}-{envelope.version}")
        if envelope.id in self.refuses:
            raise self.refuses[envelope.id]

    async def _note_when_known(self, unit: Unit, envelope: Envelope) -> None:
        if await unit.one(KNOWN, name=envelope.data["needs"]) is None:
            raise NotYet(f"{envelope.data['needs']} is not known")
        await self._note(unit, envelope)

    async def receive(self, *events: Envelope) -> None:
        """Receive events in one batch."""
        await self.inbox.receive(events)

    async def applied(self) -> list[str]:
        """Return the events applied, each of which was applied once."""
        assert await self.read(REPEATED) == []
        return await self.read(APPLIED)

    async def read(self, sql: Sql[str]) -> list[str]:
        """Return rows."""
        return await self.store.read(lambda unit: unit.all(sql))

    async def reasons(self) -> dict[str, str]:
        """Return the reasons of parked events by stream and version."""
        return {f"{kept.stream}-{kept.version}": kept.reason for kept in await self.inbox.parked()}


@pytest.fixture
def desk(store: Store, clock: ManualClock) -> Desk:
    """Return a service that has seen nothing."""
    return Desk(store, clock)


async def test_events_in_order_are_applied(desk: Desk) -> None:
    """Each event is given to its handler once, and its stream's head moves with it."""
    await desk.receive(event("a", 1), event("a", 2), event("b", 1))
    assert await desk.applied() == ["a-1", "a-2", "b-1"]
    assert await desk.read(HEADS) == ["a@2@log-1", "b@1@log-1"]
    assert await desk.read(KEPT) == []


async def test_a_duplicate_changes_nothing(desk: Desk) -> None:
    """An event that comes again, at once or later, alone or in a batch, is not applied again."""
    await desk.receive(event("a", 1), event("a", 1), event("a", 2))
    await desk.receive(event("a", 1))
    await desk.receive(event("a", 2), event("a", 2))
    assert await desk.applied() == ["a-1", "a-2"]
    assert await desk.read(KEPT) == []


async def test_an_event_ahead_waits_for_its_predecessor(desk: Desk) -> None:
    """Events that come too early are kept, and applied in order by whoever brings what was missing."""
    await desk.receive(event("a", 3))
    await desk.receive(event("a", 2), event("b", 1))
    assert await desk.applied() == ["b-1"]
    assert await desk.read(KEPT) == ["a@2 waiting", "a@3 waiting"]
    await desk.receive(event("a", 1))
    assert await desk.applied() == ["a-1", "a-2", "a-3", "b-1"]
    assert await desk.read(KEPT) == []


async def test_types_without_a_handler_still_count(desk: Desk) -> None:
    """An event that the service has no use for moves its stream on, so that the next is in its turn."""
    await desk.receive(event("a", 1, "ticket.invented_later"), event("a", 2))
    assert await desk.applied() == ["a-2"]
    assert await desk.read(HEADS) == ["a@2@log-1"]


async def test_poison_is_parked_and_the_others_go_on(desk: Desk) -> None:
    """One event that fails is parked with its reason; of its batch all others are applied, its own stream waits."""
    desk.refuses["a-2"] = ValueError("no such colour")
    await desk.receive(event("a", 1), event("b", 1), event("a", 2), event("a", 3), event("c", 1))
    assert await desk.applied() == ["a-1", "b-1", "c-1"]
    assert await desk.read(KEPT) == ["a@2 parked", "a@3 waiting"]
    assert await desk.reasons() == {"a-2": "ValueError: no such colour"}


async def test_a_parked_event_is_replayed_after_a_mend(desk: Desk) -> None:
    """Replayed once its cause is mended, a parked event is applied once, and those behind it follow."""
    desk.refuses["a-1"] = ValueError("no such colour")
    await desk.receive(event("a", 1), event("a", 2), event("a", 3))
    await desk.inbox.replay("intake", "a", 1)
    assert await desk.reasons() == {"a-1": "ValueError: no such colour"}
    desk.refuses.clear()
    await desk.inbox.replay("intake", "a", 1)
    assert await desk.applied() == ["a-1", "a-2", "a-3"]
    assert await desk.read(KEPT) == []
    with pytest.raises(NotFound):
        await desk.inbox.replay("intake", "a", 1)


async def test_a_redelivered_parked_event_is_tried_again(desk: Desk) -> None:
    """When the bus brings a parked event again after a mend it is applied, and no longer listed as parked."""
    desk.refuses["a-1"] = ValueError("no such colour")
    await desk.receive(event("a", 1))
    desk.refuses.clear()
    await desk.receive(event("a", 1))
    assert await desk.applied() == ["a-1"]
    assert await desk.inbox.parked() == []


async def test_poison_that_waited_is_parked_itself(desk: Desk) -> None:
    """When an event that waited turns out to be poison, its predecessor is applied all the same."""
    desk.refuses["a-2"] = ValueError("no such colour")
    await desk.receive(event("a", 2))
    await desk.receive(event("a", 1), event("b", 1))
    assert await desk.applied() == ["a-1", "b-1"]
    assert await desk.reasons() == {"a-2": "ValueError: no such colour"}
    desk.refuses.clear()
    await desk.inbox.replay("intake", "a", 2)
    assert await desk.applied() == ["a-1", "a-2", "b-1"]


async def test_replay_stops_at_the_next_poison(desk: Desk) -> None:
    """A replay applies its event even when one that waited behind it fails in its turn."""
    desk.refuses |= {"a-1": ValueError("first"), "a-2": ValueError("second")}
    await desk.receive(event("a", 1), event("a", 2), event("a", 3))
    del desk.refuses["a-1"]
    await desk.inbox.replay("intake", "a", 1)
    assert await desk.applied() == ["a-1"]
    assert await desk.read(KEPT) == ["a@2 parked", "a@3 waiting"]


@pytest.mark.parametrize("text", ["a\0b", "half \ud83d", "x" * 5000, ""])
async def test_any_reason_can_be_kept(desk: Desk, text: str) -> None:
    """An error whose text no store can keep parks its event like any other."""
    desk.refuses["a-1"] = ValueError(text)
    await desk.receive(event("a", 1), event("b", 1))
    assert list(await desk.reasons()) == ["a-1"]
    assert await desk.applied() == ["b-1"]


async def test_an_event_waits_for_another_stream(desk: Desk) -> None:
    """An event that lacks what another stream brings waits, its batch goes on, and a retry applies it."""
    needy = event("a", 1, "ticket.merged", data={"needs": "b-1"})
    await desk.receive(needy, event("a", 2), event("c", 1))
    assert await desk.applied() == ["c-1"]
    assert await desk.read(KEPT) == ["a@1 waiting", "a@2 waiting"]
    assert await desk.inbox.retry_waiting() == 2
    await desk.receive(event("b", 1))
    assert await desk.inbox.retry_waiting() == 0
    assert await desk.applied() == ["a-1", "a-2", "b-1", "c-1"]


async def test_a_retry_may_find_poison(desk: Desk) -> None:
    """An event that waited and then fails for good is parked with the reason of the last attempt."""
    await desk.receive(event("a", 1, "ticket.merged", data={"needs": "b-1"}))
    desk.refuses["a-1"] = ValueError("after all")
    await desk.receive(event("b", 1))
    assert await desk.inbox.retry_waiting() == 0
    assert await desk.reasons() == {"a-1": "ValueError: after all"}


async def test_events_behind_poison_starve_nobody(desk: Desk) -> None:
    """However many events wait behind poison or in vain, one that waits for another stream is tried on each retry."""
    desk.refuses["a-1"] = ValueError("poison")
    in_vain = [event(f"b{n}", 1, "ticket.merged", data={"needs": "never"}) for n in range(5)]
    await desk.receive(*(event("a", n) for n in range(1, 8)), *in_vain)
    await desk.receive(event("z", 1, "ticket.merged", data={"needs": "c-1"}), event("c", 1))
    assert await desk.inbox.retry_waiting(limit=2) == 6 + 5
    assert await desk.applied() == ["c-1", "z-1"]


async def test_the_same_version_with_another_content_is_parked(desk: Desk) -> None:
    """A version that was applied and comes again with another hash is parked, and not taken for a duplicate."""
    await desk.receive(event("a", 1))
    await desk.receive(event("a", 1, hash="another"), event("a", 2))
    assert await desk.applied() == ["a-1", "a-2"]
    assert list((await desk.reasons()).values()) == ["this version was applied with another content"]


async def test_an_event_of_another_log_is_parked(desk: Desk) -> None:
    """After a restore a known stream's events under the new log are parked with that reason; new streams go on."""
    await desk.receive(event("a", 1))
    await desk.receive(event("a", 2, log="log-2"), event("b", 1, log="log-2"))
    assert await desk.applied() == ["a-1", "b-1"]
    assert "log-1" in (await desk.reasons())["a-2"]


async def test_a_restore_that_lost_nothing_is_followed(desk: Desk) -> None:
    """Read anew from its start, a log with another id and the same hashes is recognised, and its streams go on."""
    await desk.receive(event("a", 1), event("a", 2))
    await desk.receive(event("a", 3, log="log-2"))
    assert await desk.applied() == ["a-1", "a-2"]
    await desk.receive(*(event("a", version, log="log-2") for version in (1, 2, 3)))
    assert await desk.applied() == ["a-1", "a-2", "a-3"]
    assert await desk.read(HEADS) == ["a@3@log-2"]
    assert await desk.read(KEPT) == []


async def test_a_batch_in_which_one_fails_is_recorded_one_by_one(desk: Desk) -> None:
    """When a batch can't be taken as one, each event still ends as applied, waiting or parked."""
    desk.refuses["c-1"] = ValueError("no")
    needy = event("d", 1, "ticket.merged", data={"needs": "never"})
    await desk.receive(event("b", 2), event("a", 1), event("c", 1), needy, event("a", 2), event("b", 1))
    assert await desk.applied() == ["a-1", "a-2", "b-1", "b-2"]
    assert await desk.read(KEPT) == ["c@1 parked", "d@1 waiting"]


async def test_a_store_out_of_reach_records_nothing(desk: Desk) -> None:
    """When the store is out of reach the caller hears it, and nothing is parked for that."""
    desk.refuses["a-2"] = Unavailable("The disk is full.")
    with pytest.raises(Unavailable):
        await desk.receive(event("a", 1), event("a", 2))
    assert (await desk.applied(), await desk.read(KEPT), await desk.read(HEADS)) == ([], [], [])
    desk.refuses.clear()
    await desk.receive(event("a", 1), event("a", 2))
    assert await desk.applied() == ["a-1", "a-2"]


async def test_no_events_are_no_work(desk: Desk) -> None:
    """An empty batch is taken and changes nothing."""
    await desk.receive()
    assert await desk.read(PLACES) == []


@pytest.mark.parametrize(
    ("positions", "place"),
    [
        ([1, 2, 3], ["intake@3@log-1"]),
        ([2, 3], []),
        ([1, 3], ["intake@1@log-1"]),
        ([1, 3, 3], ["intake@1@log-1"]),
        ([1, 1, 2], ["intake@2@log-1"]),
        ([2, 1], ["intake@2@log-1"]),
    ],
)
async def test_the_place_moves_only_without_a_gap(desk: Desk, positions: list[int], place: list[str]) -> None:
    """A pushed batch moves the pull's place over what follows it position by position; nothing is skipped."""
    await desk.receive(*(event(f"s{n}", 1, position=position) for n, position in enumerate(positions)))
    assert await desk.read(PLACES) == place


async def test_what_was_not_recorded_is_no_part_of_the_place(desk: Desk) -> None:
    """The place doesn't move over an event whose batch was not stored."""
    desk.refuses["a-1"] = Unavailable("no store")
    with pytest.raises(Unavailable):
        await desk.receive(event("a", 1, position=2))
    desk.refuses.clear()
    await desk.receive(event("b", 1, position=1))
    assert await desk.read(PLACES) == ["intake@1@log-1"]


async def test_the_place_belongs_to_one_log_of_one_source(desk: Desk) -> None:
    """Events of another log don't continue a place, and each source has a place of its own."""
    await desk.receive(event("a", 1))
    await desk.receive(event("b", 1, position=2, log="log-2"))
    assert await desk.read(PLACES) == ["intake@1@log-1"]
    await desk.receive(event("c", 1, position=2), event("d", 1, position=3, source="queue"))
    assert await desk.read(PLACES) == ["intake@2@log-1"]
    await desk.receive(event("e", 1, position=2))
    assert await desk.read(PLACES) == ["intake@2@log-1"]


async def test_streams_of_two_sources_are_two(desk: Desk) -> None:
    """A stream's name counts within its source."""
    await desk.receive(event("a", 1), event("a", 1, "ticket.other", source="queue"), event("a", 2))
    assert await desk.applied() == ["a-1", "a-2"]


async def test_kept_events_tell_where_they_belong(desk: Desk) -> None:
    """An operator sees source, stream, version, state, reason and the event itself."""
    desk.refuses["a-1"] = ValueError("no")
    await desk.receive(event("a", 1))
    (kept,) = await desk.inbox.parked()
    assert Envelope.model_validate_json(kept.envelope) == event("a", 1)
    text = kept.envelope
    assert kept == Kept("intake", "a", 1, "log-1", "parked", "ValueError: no", text)


async def _follow(unit: Unit, envelope: Envelope) -> None:
    """Append the version to the track of its stream; fails on what comes out of order."""
    track = await unit.one(TRACK, stream=envelope.stream) or []
    assert track == list(range(1, envelope.version))
    if envelope.data.get("needs") and await unit.one(KNOWN, name=envelope.data["needs"]) is None:
        raise NotYet("its stream has not begun here")
    await unit.run(SAVE_TRACK, stream=envelope.stream, track=[*track, envelope.version])


def _deliveries(seed: int) -> tuple[dict[str, int], list[list[Envelope]]]:
    """Return the lengths of some streams, and their events shuffled, repeated and cut into batches."""
    chance = random.Random(seed)
    lengths = {f"ticket/{n}": chance.randint(1, 6) for n in range(chance.randint(1, 4))}
    events = [
        event(stream, version, data={"needs": "ticket/0"} if stream != "ticket/0" and chance.random() < 0.3 else {})
        for stream, length in lengths.items()
        for version in range(1, length + 1)
    ]
    events += chance.choices(events, k=chance.randint(0, len(events)))
    chance.shuffle(events)
    cuts = sorted(chance.choices(range(len(events) + 1), k=chance.randint(0, 5)))
    return lengths, [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
async def test_any_order_with_any_duplicates_ends_alike(
    tmp_path: Path, empty_store: bytes, ports: Ports, seed: int
) -> None:
    """However events are shuffled, repeated and batched, each is applied once, in its stream's order; none is kept."""
    lengths, batches = _deliveries(seed)
    for leftover in tmp_path.iterdir():
        leftover.unlink()
    (tmp_path / "shuffled.db").write_bytes(empty_store)
    store = SqliteStore(tmp_path / "shuffled.db", ports)
    await store.open()
    try:
        inbox = Inbox(store, {"ticket.noted": _follow}, ports.clock)
        await _deliver(inbox, batches)
        tracks = {stream: await store.read(_track_of(stream)) for stream in lengths}
        assert tracks == {stream: list(range(1, length + 1)) for stream, length in lengths.items()}
        assert await store.read(lambda unit: unit.all(KEPT)) == []
    finally:
        await store.close()


def _track_of(stream: str) -> Callable[[Unit], Awaitable[list[int] | None]]:
    return lambda unit: unit.one(TRACK, stream=stream)


async def _deliver(inbox: Inbox, batches: Sequence[Sequence[Envelope]]) -> None:
    """Deliver the batches, then retry what waits for another stream."""
    for batch in batches:
        await inbox.receive(batch)
    await inbox.retry_waiting()

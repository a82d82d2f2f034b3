"""Erasing a person in one service: stage after stage, portion by portion, each in one transaction with its record.

A row of the table `erasure` says whom and how far; it goes when all is done, so that nothing keeps the address. What
is left of rows of the log is told by `erasure.applied`, by which the chain stays verifiable (`chain.py`); the last one,
which is `done`, tells how much of which kind was erased.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from firstline.common.chain import tombstone_hash
from firstline.common.errors import Unavailable
from firstline.common.events import Actor, ErasureApplied, RedactedRow
from firstline.common.log import Log
from firstline.common.ports import Ports
from firstline.common.redaction import Erased, redacted, redacted_text
from firstline.common.store.port import Sql, Store, Unit
from firstline.common.worker import Worker

CHANNEL = "erasure"
PORTION = 200
POLL_SECONDS = 60.0
SETTLE_SECONDS = 900.0
"""How long after an erasure events that were under way may still change what is kept."""

SCRUBS, SCRUB_PAUSE = 50, 0.2
"""How often the journal is tried to be emptied behind an erasure, and seconds between two tries."""

_log = structlog.get_logger(__name__)

_ERASED = "SELECT person_id, address, names, tickets, stage, place, erased FROM erasure"
NEXT = Sql(f"{_ERASED} ORDER BY person_id LIMIT 1", Erased)
ONE_TO_CHANGE = Sql(f"{_ERASED} WHERE person_id = :person_id FOR UPDATE", Erased)
BEGIN: Sql[None] = Sql(
    "INSERT INTO erasure (person_id, address, names, tickets, stage, place, erased)"
    " VALUES (:person_id, :address, :names, :tickets, 0, '', :erased) ON CONFLICT (person_id) DO NOTHING",
    type(None),
)
GO_ON: Sql[None] = Sql(
    "UPDATE erasure SET stage = :stage, place = :place, erased = :erased WHERE person_id = :person_id", type(None)
)
END: Sql[None] = Sql("DELETE FROM erasure WHERE person_id = :person_id", type(None))


@dataclass(frozen=True, slots=True)
class LoggedRow:
    """A row of the log with its data."""

    seq: int
    stream: str
    version: int
    subject: str | None
    data: str | None


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer kept for a retry."""

    scope: str
    key: str
    body: str


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event that waits or is parked."""

    source: str
    stream: str
    version: int
    log: str
    envelope: str


# By `seq` and not by position: rows that are not numbered yet hold the person too.
LOGGED = Sql(
    "SELECT seq, stream, version, subject, data FROM log_event WHERE seq > :after ORDER BY seq LIMIT :limit", LoggedRow
)
REDACT: Sql[None] = Sql("UPDATE log_event SET data = :data, salt = NULL WHERE seq = :seq", type(None))
ANSWERS = Sql(
    "SELECT scope, key, body FROM answer WHERE (scope, key) > (:scope, :key) ORDER BY scope, key LIMIT :limit",
    KeptAnswer,
)
CHANGE_ANSWER: Sql[None] = Sql("UPDATE answer SET body = :body WHERE scope = :scope AND key = :key", type(None))
DROP_ANSWER: Sql[None] = Sql("DELETE FROM answer WHERE scope = :scope AND key = :key", type(None))
KEPT_EVENTS = Sql(
    "SELECT source, stream, version, log, envelope FROM inbox_event"
    " WHERE (source, stream, version, log) > (:source, :stream, :version, :log)"
    " ORDER BY source, stream, version, log LIMIT :limit",
    KeptEvent,
)
CHANGE_EVENT: Sql[None] = Sql(
    "UPDATE inbox_event SET envelope = :envelope"
    " WHERE source = :source AND stream = :stream AND version = :version AND log = :log",
    type(None),
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A row of some table, and its texts in which anybody may be named."""

    id: str
    first: str | None
    second: str | None
    third: str | None


@dataclass(frozen=True, slots=True)
class Mentions:
    """How the texts of a table are read, along its primary key, and written."""

    read: Sql[Mention]
    one: Sql[Mention]
    write: Sql[None]
    columns: int


def mentions(table: str, *columns: str) -> Mentions:
    """Return the statements for up to three columns, texts or JSON, of a table whose key is `id`."""
    names = ("first", "second", "third")
    shown = ", ".join((*columns, *("NULL" for _ in names[len(columns) :])))
    changes = ", ".join(f"{column} = :{name}" for column, name in zip(columns, names, strict=False))
    return Mentions(
        Sql(f"SELECT id, {shown} FROM {table} WHERE id > :after ORDER BY id LIMIT :limit", Mention),  # noqa: S608
        Sql(f"SELECT id, {shown} FROM {table} WHERE id = :id", Mention),  # noqa: S608
        Sql(f"UPDATE {table} SET {changes} WHERE id = :id", type(None)),  # noqa: S608
        len(columns),
    )


@dataclass(frozen=True, slots=True)
class Portion:
    """What a portion of a stage erased, and the place after it; None when the stage is over.

    A portion is small, so that no transaction keeps others waiting, and a crash repeats at most one.
    """

    place: str | None
    erased: Mapping[str, int] = field(default_factory=dict)
    rows: Sequence[RedactedRow] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: `erase` does a portion after a place; `outside` deletes first what lies outside the store."""

    erase: Callable[[Unit, Erased], Awaitable[Portion]]
    outside: Callable[[Erased], Awaitable[None]] | None = None


Unread = Callable[[Unit, Erased], Awaitable[dict[str, int]]]
"""Counts, at the end, what may still name the person and can't be looked into, by kind."""


async def begin_erasure(
    unit: Unit, person_id: str, address: str, names: Sequence[str | None], tickets: Sequence[str]
) -> None:
    """Note that a person is to be erased here; whoever is being erased already stays as they are."""
    known = sorted({name for name in names if name})
    await unit.run(BEGIN, person_id=person_id, address=address, names=known, tickets=list(tickets), erased={})
    unit.announce(CHANNEL)


def announce_redaction(unit: Unit) -> None:
    """Let the store forget what an event took away that was told behind an erasure."""
    unit.announce(CHANNEL)


class Erasing:
    """The work of a service on the people that are to be erased."""

    def __init__(
        self, service: str, store: Store, log: Log, ports: Ports, stages: Sequence[Stage], unread: Unread | None = None
    ) -> None:
        """Take all stages in their order, and what counts what they can't look into."""
        self._service = service
        self._store = store
        self._log = log
        self._ports = ports
        self._stages = tuple(stages)
        self._unread = unread
        # At the start once: whoever ran before may have been killed between an erasure's end and emptying its journal.
        self._ended_at = ports.clock.monotonic() - SETTLE_SECONDS + POLL_SECONDS

    def worker(self) -> Worker:
        """Return the worker that does it."""
        wake = self._store.listen(CHANNEL)
        return Worker(f"{self._service}: erasure", self.step, self._ports, wake=wake, poll_seconds=POLL_SECONDS)

    async def step(self) -> int:
        """Do one portion; return 1, or 0 when nobody is to be erased."""
        who = await self._store.read(lambda unit: unit.one(NEXT))
        if who is None:
            if self._ports.clock.monotonic() - self._ended_at < SETTLE_SECONDS:
                with suppress(Unavailable):
                    await self._store.scrub()
            return 0
        outside = self._stages[who.stage].outside
        if outside is not None:
            # Before the portion's commit: killed in between, it is done again and finds nothing. The other way round, a
            # file could stay that no record names any more.
            await outside(who)
        if await self._store.write(lambda unit: self._portion(unit, who)):
            self._ended_at = self._ports.clock.monotonic()
            await self._scrub()
        return 1

    async def _scrub(self) -> None:
        """Let the store forget what lies beside its tables; whoever uses it now is in the way for a moment."""
        for _ in range(SCRUBS):
            try:
                await self._store.scrub()
            except Unavailable:
                await self._ports.clock.sleep(SCRUB_PAUSE)
            else:
                return
        _log.warning("what was erased may stay in the store's journal for a while: it is in use all the time")

    async def _portion(self, unit: Unit, seen: Erased) -> bool:
        """Do a portion unless it was done; say whether it was the last."""
        # Replicas need no lease for this: the row's lock and its place let each portion be done once.
        who = await unit.one(ONE_TO_CHANGE, person_id=seen.person_id)
        if who is None or (who.stage, who.place) != (seen.stage, seen.place):
            return False  # another replica has done it
        portion = await self._stages[who.stage].erase(unit, who)
        erased = dict(Counter(who.erased) + Counter(portion.erased))
        over = portion.place is None
        done = over and who.stage + 1 == len(self._stages)
        if portion.rows or done:
            event = ErasureApplied(
                actor=Actor(id=self._service, role="service"),
                person_id=who.person_id,
                service=self._service,
                erased=erased if done else {},
                not_looked_into=await self._unread(unit, who) if done and self._unread else {},
                rows=list(portion.rows),
                done=done,
            )
            await self._log.append(unit, f"erasure/{who.person_id}", event)
        if done:
            await unit.run(END, person_id=who.person_id)
            return True
        stage, place = (who.stage + 1, "") if over else (who.stage, portion.place)
        await unit.run(GO_ON, person_id=who.person_id, stage=stage, place=place, erased=erased)
        return False


async def erase_log(unit: Unit, who: Erased) -> Portion:
    """Take the person out of rows of the log.

    `data_hash` and `hash` of a row stay, so the chain holds; without its salt, what was there can't be guessed from the
    hash. The hash of what is left goes into `erasure.applied` (ADR 14).
    """
    page = await unit.all(LOGGED, after=int(who.place or 0), limit=PORTION)
    rows = []
    for row in page:
        data = row.data or ""
        about = f"{row.stream} {row.subject} {data}"
        near = any(ticket in about for ticket in who.tickets)
        left = redacted_text(who, data, near=near) if near or who.named_in(data) else data
        if left != data:
            await unit.run(REDACT, seq=row.seq, data=left)
            rows.append(RedactedRow(stream=row.stream, version=row.version, sha256=tombstone_hash(left)))
    return Portion(str(page[-1].seq) if page else None, {"log rows": len(rows)}, rows)


def answers_stage(opened: Callable[[str], str] | None = None) -> Stage:
    """Return the stage that erases answers kept for retries; `opened` reads those that are encrypted."""

    async def erase(unit: Unit, who: Erased) -> Portion:
        scope, key = json.loads(who.place) if who.place else ("", "")
        page = await unit.all(ANSWERS, scope=scope, key=key, limit=PORTION)
        count = 0
        for answer in page:
            count += await _erase_answer(unit, who, answer, opened)
        return Portion(json.dumps([page[-1].scope, page[-1].key]) if page else None, {"answers": count})

    return Stage(erase)


async def _erase_answer(unit: Unit, who: Erased, answer: KeptAnswer, opened: Callable[[str], str] | None) -> int:
    """Drop or redact one kept answer; return 1 if it was concerned.

    An encrypted one can't be written anew here and is dropped: a retry of that call is then a new call. One's own go
    whole.
    """
    own = answer.scope.partition(" ")[0] in (who.person_id, who.address)
    text = opened(answer.body) if opened else answer.body
    near = any(ticket in text for ticket in who.tickets)
    if own or (opened and who.named_in(text)):
        return await unit.run(DROP_ANSWER, scope=answer.scope, key=answer.key)
    left = redacted_text(who, text, near=near)
    if left == text:
        return 0
    return await unit.run(CHANGE_ANSWER, scope=answer.scope, key=answer.key, body=left)


def mentions_stage(kind: str, where: Mentions) -> Stage:
    """Return the stage that takes the person's address out of a table's texts; `kind` names it in the certificate."""

    async def erase(unit: Unit, who: Erased) -> Portion:
        page = await unit.all(where.read, after=who.place, limit=PORTION)
        count = 0
        for row in page:
            count += await change_mention(unit, where, who, row)
        return Portion(page[-1].id if page else None, {kind: count})

    return Stage(erase)


async def change_mention(unit: Unit, where: Mentions, who: Erased, row: Mention, *, near: bool = False) -> int:
    """Take the person out of a row's texts; return 1, or 0 when nothing names them."""
    texts = {"first": row.first, "second": row.second, "third": row.third}
    given = dict(list(texts.items())[: where.columns])
    left = {name: text and redacted_text(who, text, near=near) for name, text in given.items()}
    return 0 if left == given else await unit.run(where.write, id=row.id, **left)


async def erase_kept_events(unit: Unit, who: Erased) -> Portion:
    """Take the person out of events that wait or are parked; they can still be applied."""
    source, stream, version, log = json.loads(who.place) if who.place else ("", "", 0, "")
    page = await unit.all(KEPT_EVENTS, source=source, stream=stream, version=version, log=log, limit=PORTION)
    count = 0
    for kept in page:
        # Not by their subjects: an event of the person's request that names nobody has nothing to erase.
        if who.named_in(kept.envelope):
            envelope = json.loads(kept.envelope)
            envelope["data"] = redacted(who, envelope["data"])
            left = json.dumps(envelope, ensure_ascii=False)
            where = {"source": kept.source, "stream": kept.stream, "log": kept.log}
            count += await unit.run(CHANGE_EVENT, envelope=left, version=kept.version, **where)
    last = page[-1] if page else None
    place_after = json.dumps([last.source, last.stream, last.version, last.log]) if last else None
    return Portion(place_after, {"kept events": count})


def common_stages(opened: Callable[[str], str] | None = None) -> tuple[Stage, ...]:
    """Return the stages that every service ends with."""
    return (answers_stage(opened), Stage(erase_kept_events), Stage(erase_log))

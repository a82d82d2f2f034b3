"""The walk along a log, on both stores: a byte that was changed in any row is found, and so are rows that are gone."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

import pytest
from firstline.common.bus import LocalBus
from firstline.common.chain import SALTED_PAGE, SaltedRow, tombstone_hash
from firstline.common.events import Actor, ErasureApplied, RedactedRow, TicketNoted
from firstline.common.log import Log, chained_hash
from firstline.common.ports import Ports
from firstline.common.relay import HEAD, Head, Relay
from firstline.common.store.port import Sql, Store, Value
from firstline.standalone.verify.heads import HeadsFile
from firstline.standalone.verify.run import Verdict, verify_log

pytestmark = pytest.mark.both_stores

ROWS = 40
TEXTS = ("id", "stream", "type", "subject", "data", "salt", "data_hash", "traceparent", "hash")
"""Columns that hold text; `version`, `position` and `time` are changed in their own ways."""

WHOLE = Sql("UPDATE log_event SET position = :position, hash = :hash WHERE id = :id", type(None))
MOVE = Sql("UPDATE log_event SET position = :to WHERE position = :position", type(None))
CUT = Sql("DELETE FROM log_event WHERE position > :position", type(None))
DROP = Sql("DELETE FROM log_event WHERE position = :position", type(None))
HEAD_AT = Sql("UPDATE log_relay SET log = :log, position = :position, hash = :hash", type(None))
TIME = Sql("UPDATE log_event SET time = :value WHERE position = :position", type(None))
VERSION = Sql("UPDATE log_event SET version = version + 100 WHERE position = :position", type(None))
REDACT = Sql("UPDATE log_event SET data = :data, salt = NULL WHERE position = :position", type(None))


def setting(column: str) -> Sql[None]:
    """Return the statement that gives a column of one row another value."""
    return Sql(f"UPDATE log_event SET {column} = :value WHERE position = :position", type(None))


async def numbered(store: Store, ports: Ports) -> None:
    """Let the relay number all rows."""
    relay = Relay("intake", store, LocalBus(), ports)
    while await relay.step():
        pass


@pytest.fixture
async def log(store: Store, ports: Ports) -> Store:
    """Return the store of a service with a numbered log."""
    writer = Log(ports)

    async def write(note: int) -> None:
        data = TicketNoted(
            actor=Actor(id="a", role="agent"), number="FL-7K3M-9QPX", status="open", message_id=f"m{note}"
        )
        await store.write(lambda unit: writer.append(unit, f"ticket/{note % 3}", data))

    for note in range(ROWS):
        await write(note)
    await store.write(lambda unit: unit.run(Sql("UPDATE log_event SET traceparent = '00-ab-cd-01'", type(None))))
    await numbered(store, ports)
    return store


async def rows_in(store: Store) -> list[SaltedRow]:
    """Return all rows of the log."""
    return await store.read(lambda unit: unit.all(SALTED_PAGE, after=0, limit=10 * ROWS))


async def run(store: Store, sql: Sql[None], **given: Value) -> None:
    """Change the store behind everybody's back."""
    await store.write(lambda unit: unit.run(sql, **given))


async def verdict(store: Store, heads: Path | None = None) -> Verdict:
    """Return what comes of the log."""
    return await verify_log("intake", store, heads)


def flips(text: str, chance: Random) -> Iterator[str]:
    """Return a text with one character changed, at a few places of it."""
    for _ in range(2):
        at = chance.randrange(min(len(text), 6) if text.startswith("ticket/") else len(text))  # no other row's stream
        yield text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


async def test_a_log_as_it_was_written_is_found_so(log: Store) -> None:
    """Every row is read, and none is wrong."""
    assert await verdict(log) == Verdict("intake", ROWS, 0, None)


async def test_one_byte_changed_is_found_in_every_column(log: Store) -> None:
    """Whichever column of whichever row is changed, the first bad row is that one; put back, all is well again."""
    chance = Random(7)
    for row in chance.sample(await rows_in(log), 3):
        for column in TEXTS:
            value = asdict(row)[column]
            for flipped in flips(value, chance):
                await run(log, setting(column), position=row.position, value=flipped)
                wrong = (await verdict(log)).wrong
                assert wrong is not None
                assert wrong.position == row.position, (column, flipped)
            await run(log, setting(column), position=row.position, value=None if column == "subject" else "")
            assert (await verdict(log)).wrong is not None
            await run(log, setting(column), position=row.position, value=value)
        await run(log, TIME, position=row.position, value=row.time.replace(microsecond=row.time.microsecond ^ 1))
        assert (await verdict(log)).wrong is not None
        await run(log, TIME, position=row.position, value=row.time)
        await run(log, VERSION, position=row.position)
        assert (await verdict(log)).wrong is not None
        await run(log, setting("version"), position=row.position, value=row.version)
    assert (await verdict(log)).wrong is None


async def test_rows_that_are_gone_or_elsewhere_are_found(log: Store) -> None:
    """Two rows that changed places, a row that is gone, and a tail that is cut show at the first place that differs."""
    await run(log, MOVE, position=10, to=1000)
    await run(log, MOVE, position=11, to=10)
    await run(log, MOVE, position=1000, to=11)
    swapped = (await verdict(log)).wrong
    await run(log, DROP, position=9)
    gone = (await verdict(log)).wrong
    await run(log, CUT, position=5)
    cut = (await verdict(log)).wrong
    assert [wrong.position for wrong in (swapped, gone, cut) if wrong] == [10, 10, 5]


@pytest.fixture
async def heads(log: Store, ports: Ports, tmp_path: Path) -> Path:
    """Return a file in which the log's head was noted once half-way, as it were, and once at its end."""
    file = tmp_path / "kept" / "heads.jsonl"
    head = await log.read(lambda unit: unit.one(HEAD)) or Head("", 0, "", 0)
    middle = (await rows_in(log))[ROWS // 2 - 1]
    await run(log, HEAD_AT, log=head.log, position=middle.position, hash=middle.hash)
    noted = HeadsFile(file, {"intake": log}, ports)
    await noted.note()
    await run(log, HEAD_AT, log=head.log, position=head.position, hash=head.hash)
    await noted.note()
    await noted.note()  # nothing has grown, nothing is added
    return file


async def rewrite(store: Store, log: str) -> None:
    """Chain a log anew, as somebody would who can write the store and knows how."""
    last = log
    for position, row in enumerate(await rows_in(store), 1):
        last = chained_hash(last, row, position)
        await run(store, WHOLE, position=position, hash=last, id=row.id)
    await run(store, HEAD_AT, log=log, position=position, hash=last)


async def test_kept_heads_find_a_log_that_was_written_anew(log: Store, heads: Path) -> None:
    """A sound log agrees with its heads; one cut with its head, and one chained anew from a row on, do not."""
    head = await log.read(lambda unit: unit.one(HEAD)) or Head("", 0, "", 0)
    assert await verdict(log, heads) == Verdict("intake", ROWS, 2, None)
    row = (await rows_in(log))[2]
    await run(log, setting("type"), position=row.position, value="ticket.opened")
    await rewrite(log, head.log)
    alone, beside = (await verdict(log)).wrong, (await verdict(log, heads)).wrong
    assert (alone, beside and beside.position) == (None, ROWS // 2)
    await run(log, setting("type"), position=row.position, value=row.type)
    await rewrite(log, head.log)
    assert (await verdict(log, heads)).wrong is None
    await rewrite(log, "another")
    renamed = (await verdict(log, heads)).wrong
    assert renamed is not None
    assert "another now" in renamed.what


async def test_kept_heads_find_a_cut_tail(log: Store, heads: Path) -> None:
    """A tail that is cut together with the head that the store notes is missed beside the file only."""
    head = await log.read(lambda unit: unit.one(HEAD)) or Head("", 0, "", 0)
    last = (await rows_in(log))[ROWS - 3]
    await run(log, CUT, position=last.position)
    await run(log, HEAD_AT, log=head.log, position=last.position, hash=last.hash)
    alone, beside = (await verdict(log)).wrong, (await verdict(log, heads)).wrong
    assert (alone, beside and beside.position) == (None, ROWS - 2)


async def test_data_replaced_is_covered_by_the_erasure_that_tells_of_it(log: Store, ports: Ports) -> None:
    """A row without its salt is wrong unless an erasure answers for what is left, and wrong again if that changes."""
    row = (await rows_in(log))[4]
    await run(log, REDACT, position=row.position, data='{"left": 1}')
    assert "no erasure" in str((await verdict(log)).wrong)
    redacted = RedactedRow(stream=row.stream, version=row.version, sha256=tombstone_hash('{"left": 1}'))
    told = ErasureApplied(
        actor=Actor(id="intake", role="service"), person_id="p", service="intake", rows=[redacted], done=True
    )
    await log.write(lambda unit: Log(ports).append(unit, "erasure/p", told))
    await numbered(log, ports)
    assert (await verdict(log)).wrong is None
    await run(log, REDACT, position=row.position, data='{"left": 2}')
    wrong = (await verdict(log)).wrong
    assert wrong is not None
    assert wrong.position == row.position

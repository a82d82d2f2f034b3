"""What a caller was told is written is on the disk: other processes see it, and a killed process leaves it behind."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from firstline.common.ports import Ports
from firstline.common.store.port import Sql
from firstline.common.store.sqlite import SqliteStore

ROUNDS = 5
WRITTEN_BEFORE_THE_KILL = 40
ADD: Sql[None] = Sql("INSERT INTO fact (name) VALUES (:name)", type(None))
NAMES = Sql("SELECT name FROM fact ORDER BY name", str)
WRITER = """
import asyncio, sys
from pathlib import Path
from firstline.common.ports import system_ports
from firstline.common.store.port import Sql
from firstline.common.store.sqlite import SqliteStore

ADD = Sql("INSERT INTO fact (name, number) VALUES (:name, 1)", type(None))
PAIR = Sql("INSERT INTO fact (name, number) VALUES (:name || ' twin', 1)", type(None))

async def write_for_ever(store, task):
    count = 0
    while True:
        name = f"{sys.argv[2]}-{task}-{count}"
        async def work(unit):
            await unit.run(ADD, name=name)
            await unit.run(PAIR, name=name)
        await store.write(work)
        print(name, flush=True)
        count += 1

async def main():
    store = SqliteStore(Path(sys.argv[1]), system_ports())
    await store.open()
    await asyncio.gather(*(write_for_ever(store, task) for task in range(8)))

asyncio.run(main())
"""


def _told_until_killed(path: Path, attempt: int) -> list[str]:
    """Return what a process was told is written before it was killed in the midst of its work."""
    command = [sys.executable, "-c", WRITER, str(path), str(attempt)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(WRITTEN_BEFORE_THE_KILL * (attempt + 1))]
        child.kill()
        told += child.stdout.read().splitlines(keepends=True)
    return [line.strip() for line in told if line.endswith("\n")]


async def test_another_connection_sees_what_was_written(store: SqliteStore, tmp_path: Path) -> None:
    """Once `write` has returned, a reader that has nothing to do with the store finds the row."""
    other = sqlite3.connect(tmp_path / "service.db")
    for number in range(1, 4):
        await store.write(lambda unit: unit.run(ADD, name=other.execute("SELECT COUNT(*) FROM fact").fetchone()[0]))
        assert other.execute("SELECT COUNT(*) FROM fact").fetchone() == (number,)
    other.close()


@pytest.mark.process
async def test_a_killed_process_leaves_what_it_was_told(make_file: Callable[[str], Path], ports: Ports) -> None:
    """Killed in the midst of writing, five times over, a process leaves every unit it was told of, and no half unit."""
    path = make_file("killed")
    told = [name for attempt in range(ROUNDS) for name in _told_until_killed(path, attempt)]
    store = SqliteStore(path, ports)
    await store.open()
    found = set(await store.read(lambda unit: unit.all(NAMES)))
    await store.close()
    twins = {name for name in found if name.endswith(" twin")}
    assert len(told) >= WRITTEN_BEFORE_THE_KILL * sum(range(1, ROUNDS + 1))
    assert [name for name in told if name not in found] == []
    assert {f"{name} twin" for name in found - twins} == twins

"""Time, randomness, ids, tasks and threads reach product code through ports only, so that it can be simulated."""

import ast
from collections.abc import Iterator

import pytest

FORBIDDEN = (
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time",
    "random",
    "secrets",
    "os.urandom",
    "os.getrandom",
    "uuid.uuid1",
    "uuid.uuid4",
    "uuid_utils",
    "threading.Thread",
    "concurrent.futures",
    "asyncio.sleep",
    "asyncio.create_task",
    "asyncio.ensure_future",
    "asyncio.TaskGroup",
    "asyncio.to_thread",
)
EVERYTHING = ("",)
ALLOWED: dict[str, tuple[str, ...]] = {
    "libs/common/firstline/common/ports.py": EVERYTHING,  # the machine's own time, chance, tasks and threads
    "libs/common/firstline/common/outbound.py": ("concurrent.futures",),  # the system's resolver, behind its port
    "services/standalone/firstline/standalone/month.py": ("random.",),  # made-up people do the same each time
    "services/standalone/firstline/standalone/server.py": ("asyncio.",),  # the edge of the process: real sockets
}


def _meanings(tree: ast.Module) -> dict[str, str]:
    """Return what each imported name stands for, as a dotted path."""
    meanings: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                meanings[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom) and node.module:
            meanings |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return meanings


def _dotted(node: ast.expr, meanings: dict[str, str]) -> str | None:
    """Return the full dotted path of a name such as `datetime.now`, or None when it isn't an imported one."""
    if isinstance(node, ast.Name):
        return meanings.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value, meanings)):
        return f"{owner}.{node.attr}"
    return None


def _breaches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Name each use of the machine's time, chance, tasks or threads, with its line."""
    meanings = _meanings(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute) or (path := _dotted(node, meanings)) is None:
            continue
        if any(path == name or path.startswith(f"{name}.") for name in FORBIDDEN):
            yield node.lineno, path


def test_product_code_takes_the_world_from_ports(modules: dict[str, ast.Module]) -> None:
    """No module reads a clock, draws at random, sleeps or starts a task by itself, but for the adapters named above."""
    found = {
        f"{path}:{line} {name}"
        for path, tree in modules.items()
        for line, name in _breaches(tree)
        if not name.startswith(ALLOWED.get(path, ()))
    }
    assert sorted(found) == []


@pytest.mark.parametrize("path", ALLOWED)
def test_exceptions_are_still_needed(modules: dict[str, ast.Module], path: str) -> None:
    """A module that may touch the machine itself still does, or it leaves the list."""
    assert any(name.startswith(ALLOWED[path]) for _, name in _breaches(modules[path]))


def test_every_spelling_is_found() -> None:
    """An alias, a from-import, a default factory and a bare reference are seen as well as a call."""
    source = """
import asyncio as loop, datetime, uuid
from time import monotonic as tick
from dataclasses import field
started = tick()
identity = field(default_factory=uuid.uuid4)
async def work(clock): await loop.sleep(clock.sleep(1)); return datetime.datetime.now(datetime.UTC)
"""
    expected = [(5, "time.monotonic"), (6, "uuid.uuid4"), (7, "asyncio.sleep"), (7, "datetime.datetime.now")]
    assert sorted(_breaches(ast.parse(source))) == expected

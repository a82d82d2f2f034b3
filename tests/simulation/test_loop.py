"""The simulated loop complains of an exception that nobody looks at, unless whoever would have was killed."""

import asyncio
import gc
from contextvars import Context
from random import Random

from loop import Loop, Owner


async def _fail() -> None:
    raise OSError(28, "No space left on device")


def _complaints(*, looks: bool, killed: bool) -> list[str]:
    """Return what a loop complains of after a task has failed in a process that looks at it, or is killed before."""
    loop = Loop(Random(1), 0.0)
    owner = Owner("desk#1")

    async def play() -> None:
        work = loop.create_task(_fail(), context=owner.context())
        if looks:
            work.add_done_callback(lambda done: done.exception(), context=owner.context())
        while not work.done():
            await asyncio.sleep(0)
        owner.alive = not killed
        del work
        await asyncio.sleep(1)

    loop.run_until_complete(loop.create_task(play(), context=Context()))
    loop.bury()
    gc.collect()
    return loop.complaints


def test_an_exception_that_nobody_looks_at_is_a_mistake() -> None:
    """A task whose exception is looked at gives no complaint, one whose exception nobody asks for gives one."""
    assert _complaints(looks=True, killed=False) == []
    assert len(_complaints(looks=False, killed=False)) == 1
    assert len(_complaints(looks=False, killed=True)) == 1


def test_a_killed_process_needs_not_look() -> None:
    """The exception that the next step of a killed process would have looked at gives no complaint."""
    assert _complaints(looks=True, killed=True) == []

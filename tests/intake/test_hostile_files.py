"""Hostile files (clause 4.6): each gets its verdict, within the limits of the process that judges it."""

import sys
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from firstline.common.ports import SystemClock, spawn
from firstline.intake.files import FileRules
from firstline.intake.judge import FileJudge, Unjudged
from hostile_files import GOOD, Hostile, hostile_files

pytestmark = pytest.mark.process

RULES = FileRules(
    images={"image/png": ("png",), "image/gif": ("gif",), "image/jpeg": ("jpg", "jpeg")},
    only_in_archive={"image/bmp": ("bmp",)},
    archives={"application/zip": ("zip",), "application/vnd.rar": ("rar",)},
    others={"text/plain": ("txt", "log", "csv", "json", "xml"), "application/pdf": ("pdf",)},
    max_bytes=25 * 1024 * 1024,
)
CHUNK = 256 * 1024


def unjudged(name: str, data: bytes, declared: str = "") -> Unjudged:
    """Return a file to be judged, which is read in chunks."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]

    async def opened() -> AsyncIterator[bytes]:
        return chunks()

    return Unjudged(name, declared, len(data), opened)


@pytest.fixture
async def judge() -> AsyncIterator[FileJudge]:
    """Return a judge whose process is ended after the test."""
    judge = FileJudge(SystemClock(), spawn, files=10_000)
    yield judge
    await judge.stop()


async def test_each_gets_its_verdict_within_the_limits(judge: FileJudge) -> None:
    """Hundreds of hostile files, one after the other in the same process, each end in the verdict they must get."""
    wrong, seen, dearest, pids = [], Counter[str](), (0.0, ""), set()
    for hostile in hostile_files():
        verdict = await judge.judge(unjudged(hostile.name, hostile.data, hostile.declared), RULES)
        seen[verdict.reason or "ok"] += 1
        dearest = max(dearest, (judge.costs["cpu_seconds"], hostile.label))
        assert judge._child is not None
        pids.add(judge._child.pid)
        if verdict.reason != hostile.reason:
            wrong.append((hostile.label, verdict.reason, hostile.reason))
    peak = judge.costs["peak_bytes"] / 1024**2
    print(f"{seen.total()} files, dearest {dearest}, at most {peak:.0f} MiB, {dict(seen)}")
    assert wrong == []
    assert seen.total() >= 200
    assert len(pids) == 1  # nobody had to be killed


def own_child(body: str) -> tuple[str, ...]:
    """Return the command for a child that does something else with files called costly.*."""
    code = f"""
import os, sys, time
from firstline.intake import files, judge_child
def judge(name, declared_type, data, rules):
    if name.startswith("costly"):
        {body}
    return files.judge(name, declared_type, data, rules)
judge_child.serve(sys.stdin.buffer, sys.stdout.buffer, judge)
"""
    return (sys.executable, "-c", code)


@pytest.mark.parametrize("body", ["bytearray(300 << 20)", "raise MemoryError", "os._exit(3)", "while True: pass"])
async def test_what_breaks_the_limits_is_too_costly(body: str) -> None:
    """A file that takes more memory or time than it may, or kills who looks at it, is refused; the next is judged."""
    judge = FileJudge(SystemClock(), spawn, command=own_child(body))
    verdict = await judge.judge(unjudged("costly.png", GOOD["png"]), RULES)
    assert (verdict.status, verdict.reason, verdict.advice) == ("rejected", "too_costly", "costly")
    assert (await judge.judge(unjudged("a.png", GOOD["png"]), RULES)).status == "ok"
    await judge.stop()


async def test_every_kind_of_file_still_passes(judge: FileJudge) -> None:
    """The limits leave every honest file alone."""
    for ending, data in GOOD.items():
        assert (await judge.judge(unjudged(f"a.{ending}", data), RULES)).status == "ok"


def test_they_are_many_and_named_apart() -> None:
    """At least two hundred files, no two with one label."""
    labels = [hostile.label for hostile in hostile_files() if isinstance(hostile, Hostile)]
    assert len(labels) == len(set(labels)) >= 200

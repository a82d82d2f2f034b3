"""The child process that parses mail: limited, replaceable, and never the reason for losing a mail."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest
from firstline.common.errors import Unavailable
from firstline.common.ports import SystemClock, spawn
from firstline.intake.mail import ParsedMail
from firstline.intake.parser import InProcessParser, MailParser, Parser
from firstline.intake.parsing import parse

pytestmark = pytest.mark.process

MAIL = b"From: Anna <anna@shop.example>\r\nSubject: hello\r\n\r\nbody\r\n"
EVIL = b"From: Eve <eve@evil.example>\r\nSubject: bomb\r\n\r\nBOOM\r\n"


def child(body: str) -> tuple[str, ...]:
    """Return the command for a child whose parsing is the given function body over `raw`, for mails with BOOM."""
    code = f"""
import os, sys, time
from firstline.intake import parser_child, parsing
def parse(raw):
    if b"BOOM" in raw:
        {body}
    return parsing.parse(raw)
parser_child.serve(sys.stdin.buffer, sys.stdout.buffer, parse)
"""
    return (sys.executable, "-c", code)


class Children:
    """Makes parsers and stops them."""

    def __init__(self) -> None:
        self.made: list[MailParser] = []

    def __call__(self, body: str | None = None, *, seconds: float = 20, mails: int = 500) -> MailParser:
        """Return a parser, with an own child where a body is given."""
        own: dict[str, Any] = {"command": child(body)} if body else {}
        parser = MailParser(SystemClock(), spawn, seconds=seconds, mails=mails, **own)
        self.made.append(parser)
        return parser


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    """Return a maker of parsers, whose processes are ended after the test."""
    made = Children()
    yield made
    for parser in made.made:
        await parser.stop()


async def pid_of(parser: MailParser) -> int:
    """Return the process number of the parser's child."""
    assert parser._child is not None
    return parser._child.pid


async def test_child_and_twin_read_alike(children: Children) -> None:
    """Both adapters of the port give the same mail and payloads, with files of all sizes."""
    parsers: list[Parser] = [children(), InProcessParser()]
    head = b"From: a@shop.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    files = (b"--b\r\nContent-Type: image/png\r\n\r\n" + b"x" * size + b"\r\n" for size in (0, 1, 70_000, 3_000_000))
    raw = head + b"".join(files) + b"--b\r\n\r\n\xff\x00 text\r\n--b--\r\n"
    answers = [await parser.parse(raw) for parser in parsers]
    assert answers[0] == answers[1]
    assert [len(payload) for payload in answers[0][1]] == [0, 1, 70_000, 3_000_000]


async def test_one_child_serves_many_mails_at_once(children: Children) -> None:
    """Concurrent callers each get their own mail back, from one process."""
    parser = children()
    mails = [b"Subject: %d\r\n\r\nx" % number for number in range(50)]
    answers = await asyncio.gather(*(parser.parse(raw) for raw in mails))
    assert [mail.subject for mail, _ in answers] == [str(number) for number in range(50)]


async def test_largest_mail_fits_the_limits(children: Children) -> None:
    """25 MiB of attachment are parsed within the child's memory and time."""
    line = b"QUFB" * 19 + b"\r\n"
    head = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    mail, payloads = await children().parse(head + line * (25 * 1024 * 1024 // len(line)))
    assert mail.problems == ()
    assert len(payloads[0]) > 18 * 1024 * 1024


async def test_killed_child_is_replaced_and_the_mail_read(children: Children) -> None:
    """A kill between mails costs nothing: the next one is read by a new child."""
    parser = children()
    await parser.parse(MAIL)
    first = await pid_of(parser)
    os.kill(first, signal.SIGKILL)
    mail, _ = await parser.parse(MAIL)
    assert mail.text == "body"
    assert await pid_of(parser) != first


async def test_child_killed_in_the_middle_gets_a_second_chance(children: Children, tmp_path: Path) -> None:
    """A child that dies once over a mail, for whatever reason, doesn't make it unparseable."""
    mark = tmp_path / "died"
    parser = children(f"if not os.path.exists({str(mark)!r}): os.mkdir({str(mark)!r}); os.kill(os.getpid(), 9)")
    mail, _ = await parser.parse(EVIL)
    assert mark.exists()
    assert (mail.text, mail.problems) == ("BOOM", ())


@pytest.mark.parametrize(
    "body",
    [
        "os._exit(3)",
        "os.kill(os.getpid(), 11)",
        "raise SystemExit",
        "raise MemoryError",
        "sys.stdout.buffer.write(b'\\0\\0\\0\\5hello'); sys.stdout.buffer.flush()",
        "sys.stdout.buffer.write(b'\\xff\\xff\\xff\\xff'); sys.stdout.buffer.flush()",
        "sys.stdout.buffer.write(b'\\0\\0\\0\\2{}'); sys.stdout.buffer.flush()",
        "sys.stdout.buffer.write(b'\\0\\0\\0\\2[]'); sys.stdout.buffer.flush()",
    ],
)
async def test_mail_that_kills_twice_is_unparseable(children: Children, body: str) -> None:
    """A mail that its children never survive ends with a reason and its head, and the next mail is read as usual."""
    parser = children(body)
    mail, payloads = await parser.parse(EVIL)
    assert (mail.subject, mail.from_address, mail.text) == ("bomb", "eve@evil.example", "")
    assert (mail.problems, payloads) == (("unparseable",), [])
    assert mail.digest == parse(EVIL)[0].digest
    assert (await parser.parse(MAIL))[0].text == "body"


async def test_head_that_kills_too_leaves_only_the_digest(children: Children) -> None:
    """When even the head can't be read the mail still has its outcome."""
    mail, _ = await children("os._exit(3)").parse(b"Subject: BOOM\r\n\r\nx")
    assert mail == ParsedMail(mail.digest, problems=("unparseable",))


@pytest.mark.slow
async def test_endless_loop_is_ended_by_the_kernel(children: Children) -> None:
    """A mail that takes more than about two seconds of CPU time costs its child its life, whatever the clock says."""
    parser = children("while True: pass", seconds=600)
    mail, _ = await asyncio.wait_for(parser.parse(EVIL), 120)
    assert mail.problems == ("unparseable",)


async def test_sleeping_child_is_ended_by_the_clock(children: Children) -> None:
    """A child that uses no CPU time and gives no answer is killed when its time is over."""
    mail, _ = await asyncio.wait_for(children("time.sleep(600)", seconds=0.5).parse(EVIL), 30)
    assert mail.problems == ("unparseable",)


async def test_memory_is_limited(children: Children) -> None:
    """A mail that makes its child take more than 256 MiB is given up, and 200 MiB are still fine."""
    assert (await children("bytearray(200 << 20)").parse(EVIL))[0].text == "BOOM"
    assert (await children("bytearray(300 << 20)").parse(EVIL))[0].problems == ("unparseable",)


async def test_child_writes_no_files(children: Children, tmp_path: Path) -> None:
    """Not even a parser that was taken over can fill the disk."""
    target = tmp_path / "written"
    parser = children(f"open({str(target)!r}, 'wb', 0).write(b'x')")
    assert (await parser.parse(EVIL))[0].problems == ("unparseable",)
    assert target.stat().st_size == 0


async def test_child_sees_no_setting(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk's secrets, which may stand in the environment, don't reach the process that reads strangers' mail."""
    monkeypatch.setenv("FIRSTLINE_SECRET", "canary")
    parser = children("raw = b'Subject: ' + repr(sorted(os.environ)).encode() + b'\\r\\n\\r\\n'")
    mail, _ = await parser.parse(EVIL)
    assert "PYTHONPATH" in mail.subject
    assert "FIRSTLINE_SECRET" not in mail.subject


async def test_child_is_replaced_after_many_mails(children: Children) -> None:
    """What a child may have gathered goes with it."""
    parser = children(mails=3)
    pids = []
    for _ in range(7):
        await parser.parse(MAIL)
        pids.append(await pid_of(parser))
    assert pids[0] == pids[2] != pids[3] == pids[5] != pids[6]


@pytest.mark.slow
async def test_cpu_limit_is_per_mail(children: Children) -> None:
    """Many mails that take a second each are all read by one child: the allowance begins anew with each."""
    parser = children("end = time.process_time() + 0.9\n        while time.process_time() < end: pass")
    await parser.parse(MAIL)
    first = await pid_of(parser)
    for _ in range(4):
        assert (await parser.parse(EVIL))[0].problems == ()
    assert await pid_of(parser) == first


async def test_cancelled_caller_gets_nobody_elses_answer(children: Children) -> None:
    """After a caller was cancelled in the middle, the next one gets its own mail and not the one left in the pipe."""
    parser = children("time.sleep(0.3)")
    await parser.parse(MAIL)
    task = asyncio.create_task(parser.parse(EVIL))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await parser.parse(MAIL))[0].subject == "hello"


@pytest.mark.parametrize("command", [("/nonexistent/python",), (sys.executable, "-c", "")])
async def test_no_child_is_not_the_mails_fault(command: tuple[str, ...]) -> None:
    """When no child can be started the mail waits for better times instead of being called unparseable."""
    parser = MailParser(SystemClock(), spawn, command=command)
    with pytest.raises(Unavailable):
        await parser.parse(MAIL)
    await parser.stop()


async def test_watch_ends_with_its_mail(children: Children) -> None:
    """No watch over a mail is left behind to kill a later mail's child."""
    watches: list[asyncio.Task[None]] = []

    def noted(work: Coroutine[Any, Any, None], *, name: str) -> "asyncio.Task[None]":
        watches.append(spawn(work, name=name))
        return watches[-1]

    parser = MailParser(SystemClock(), noted)
    await parser.parse(MAIL)
    await parser.stop()
    await asyncio.gather(*watches, return_exceptions=True)
    assert [watch.cancelled() for watch in watches] == [True]


async def test_stopped_parser_leaves_no_process(children: Children) -> None:
    """After stop the child is gone, and stopping twice, or before any mail, is fine."""
    parser = children()
    await parser.stop()
    await parser.parse(MAIL)
    pid = await pid_of(parser)
    await parser.stop()
    await parser.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)

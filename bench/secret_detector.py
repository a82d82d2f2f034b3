"""What looking for pasted secrets costs (clause 4.3): a letter, logs, and texts made of nothing but cue words.

The yardstick is one pass of a plain regular expression over the words of the same text. The worst text is also looked
at by halves, which shows whether time grows with the length alone, and in a thread, which shows what others wait.
"""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from firstline.common.policy.loader import load_policy
from firstline.common.ports import offload
from firstline.intake.detector import Detector, detector_of, find
from report import Figure, publish

ROUNDS = 7
KIB = 1024
MOST = 100_000
WORDS = re.compile(r"\w+")
LETTER = "Since the update the list of orders takes a minute and the page shows an error 500 now and then.\n"
RUSSIAN = "После обновления список заказов открывается минуту, на странице ошибка 500 время от времени.\n"
LOG = "2026-11-12 03:14:07 sshd[2231]: Failed password for invalid user test from 203.0.113.9 port 40022 ssh2\n"
HOSTILE = (
    *("pass ", "pass: ", "login/password ", "password |", "://a:b", "A1-", "ssh a@b ", 'password "', "is password "),
    *("admin/", "a@b.cd and ", "cookie: a=b;", "auth_key ", "--pass "),
    *("code 1234 door ", "wifi key a1 ", "changed to A1-b ", "> password?\na1b2\n", "ab.cd\nxy\nzz\n", "as a_b / "),
    *("tried a1b2c3 and ", "as before: A-b, ", "words apple ", "login "),
)


def seconds(work: Callable[[], object], times: int) -> float:
    """Return the median CPU seconds of one call."""
    taken = []
    for _ in range(ROUNDS):
        begin = process_time()
        for _ in range(times):
            work()
        taken.append((process_time() - begin) / times)
    return median(taken)


async def longest_wait(work: Callable[[], object]) -> tuple[float, float]:
    """Return the longest that the event loop was held up by a thread at work, and how long that took; in seconds."""
    begin = last = perf_counter()
    longest = 0.0
    task = asyncio.create_task(offload(work))
    while not task.done():
        await asyncio.sleep(0.001)
        now = perf_counter()
        longest, last = max(longest, now - last), now
    await task
    return longest, perf_counter() - begin


def usual(detector: Detector) -> list[Figure]:
    """Measure texts that people send."""
    figures = []
    for name, unit, chars, most in (
        ("a letter", LETTER, 600, 6),
        ("a Russian letter", RUSSIAN, 600, 8),
        ("a log", LOG, MOST, 40),
    ):
        text = (unit * (chars // len(unit) + 1))[:chars]
        times = 200 if chars < MOST else 1
        ours = seconds(lambda text=text: find(detector, text), times)  # type: ignore[misc]
        words = seconds(lambda text=text: WORDS.findall(text), times)  # type: ignore[misc]
        note = "at most; ratio: to one pass over its words"
        what = f"{name} of {chars:,} characters"
        figures.append(Figure(what, ours * 1e6 * KIB / chars, "µs/KiB", most, ours / words, note))
    return figures


def hostile(detector: Detector) -> list[Figure]:
    """Measure the slowest of the texts that are made to be slow."""

    def look(piece: str, chars: int) -> float:
        text = (piece * chars)[:chars]
        return seconds(lambda: find(detector, text), 1)

    whole, piece = max((look(piece, MOST), piece) for piece in HOSTILE)
    # Of all pieces, since another one than the slowest may grow faster.
    growth, grown = max((look(piece, MOST) / look(piece, MOST // 2), piece) for piece in HOSTILE)
    text = (piece * MOST)[:MOST]
    waits = [asyncio.run(longest_wait(lambda: find(detector, text))) for _ in range(ROUNDS)]
    wait, share = median(wait for wait, _ in waits), median(wait / took for wait, took in waits)
    slowest = f"the slowest of {len(HOSTILE)} texts made of one piece: {piece!r}"
    return [
        Figure(f"{MOST:,} hostile characters", whole * 1e3, "ms", None, None, slowest),
        Figure("growth from half of them", growth, "times", 2.6, growth, f"at most; the fastest growing: {grown!r}"),
        Figure("longest wait of others", wait * 1e3, "ms", 0.5, share, "at most; ratio: to the look in its thread"),
    ]


def main() -> None:
    """Measure and publish."""
    detector = detector_of(load_policy(Path(__file__).parents[1] / "policies" / "bitrix24.yaml").pasted_secrets)
    publish("secret_detector", [*usual(detector), *hostile(detector)])


if __name__ == "__main__":
    main()

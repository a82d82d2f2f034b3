"""What looking for pasted secrets costs (clause 4.3): a letter, logs, and texts made of nothing but cue words.

The yardstick is one pass of a plain regular expression over the words of the same text.
"""

import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

from firstline.common.policy.loader import load_policy
from firstline.intake.detector import detector_of, find
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


def main() -> None:
    """Measure and publish."""
    detector = detector_of(load_policy(Path(__file__).parents[1] / "policies" / "bitrix24.yaml").pasted_secrets)
    figures = []
    for name, unit, chars in (("a letter", LETTER, 600), ("a Russian letter", RUSSIAN, 600), ("a log", LOG, MOST)):
        text = (unit * (chars // len(unit) + 1))[:chars]
        times = 200 if chars < MOST else 1
        ours = seconds(lambda text=text: find(detector, text), times)  # type: ignore[misc]
        words = seconds(lambda text=text: WORDS.findall(text), times)  # type: ignore[misc]
        note = "ratio: to one pass over its words"
        figures.append(
            Figure(f"{name} of {chars:,} characters", ours * 1e6 * KIB / chars, "µs/KiB", None, ours / words, note)
        )
    worst = max(
        (seconds(lambda text=(piece * MOST)[:MOST]: find(detector, text), 1), piece)  # type: ignore[misc]
        for piece in HOSTILE
    )
    note = f"the slowest of {len(HOSTILE)} texts made of one piece: {worst[1]!r}"
    figures.append(Figure("100,000 hostile characters", worst[0] * 1e3, "ms", None, None, note))
    publish("secret_detector", figures)


if __name__ == "__main__":
    main()

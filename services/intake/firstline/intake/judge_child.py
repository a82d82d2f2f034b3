"""The child process that judges files: limits on memory and CPU time hold it, and it can be killed without loss.

It says that it is ready; then its standard input brings jobs and its standard output takes answers. A job is four bytes
of length, a JSON object (name, declared type, size, rules) and the file; an answer is four bytes of length and a JSON
object: the verdict, and what it cost.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, BinaryIO, Final

from PIL import Image

from firstline.intake import child_limits
from firstline.intake.child_limits import LENGTH, READY
from firstline.intake.files import FileRules, FileVerdict, judge, refusal

Judging = Callable[[str, str, bytes, FileRules], FileVerdict]
RESERVE_BYTES: Final = 4 * 1024 * 1024


def serve(jobs: BinaryIO, answers: BinaryIO, judge: Judging = judge) -> None:
    """Answer jobs until the parent closes the pipe, or one has taken all the memory."""
    # Loaded before the limits are set, so that a first picture doesn't pay for it.
    Image.preinit()
    child_limits.limit_process()
    answers.write(READY)
    answers.flush()
    exhausted = False
    while not exhausted and len(head := jobs.read(LENGTH.size)) == LENGTH.size:
        job = json.loads(jobs.read(LENGTH.unpack(head)[0]))
        exhausted = _answer(job, jobs, answers, judge)


def _answer(job: dict[str, Any], jobs: BinaryIO, answers: BinaryIO, judge: Judging) -> bool:
    """Judge a file; tell whether it has taken all the memory."""
    before, exhausted = child_limits.cpu_seconds(), False
    # Given back when memory has run out: without it there would be none left to say so with.
    reserve = bytearray(RESERVE_BYTES)
    child_limits.limit_job_strictly()
    try:
        content = jobs.read(job["size"])
        verdict = judge(job["name"], job["declared_type"], content, FileRules.from_json(job["rules"]))
    except MemoryError:
        del reserve  # what an answer takes
        verdict, exhausted = refusal("too_costly", job["name"]), True
    child_limits.end_job()
    cost = {"cpu_seconds": child_limits.cpu_seconds() - before, "peak_bytes": child_limits.peak_bytes()}
    document = json.dumps({"verdict": asdict(verdict), "cost": cost}).encode()
    answers.write(LENGTH.pack(len(document)) + document)
    answers.flush()
    return exhausted


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)

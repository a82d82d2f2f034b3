"""The child process that parses mail: limits on memory and CPU time hold it, and it can be killed without loss.

It says that it is ready; then its standard input brings jobs and its standard output takes answers. A job is four bytes
of length and the raw mail; an answer is four bytes of length, the mail as JSON, and then the payloads of its
attachments, whose sizes the JSON states.
"""

import json
import resource
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from firstline.intake.mail import ParsedMail
from firstline.intake.parsing import parse

MEMORY_BYTES: Final = 256 * 1024 * 1024
CPU_SECONDS: Final = 2
OPEN_FILES: Final = 16
LENGTH: Final = struct.Struct(">I")
READY: Final = b"ready"


def serve(jobs: BinaryIO, answers: BinaryIO, parse: Callable[[bytes], tuple[ParsedMail, list[bytes]]] = parse) -> None:
    """Answer jobs until the parent closes the pipe."""
    limit_process()
    answers.write(READY)
    answers.flush()
    while len(head := jobs.read(LENGTH.size)) == LENGTH.size:
        raw = jobs.read(LENGTH.unpack(head)[0])
        limit_job()
        mail, payloads = parse(raw)
        document = json.dumps(mail.to_json()).encode()
        answers.write(LENGTH.pack(len(document)) + document)
        answers.writelines(payloads)
        answers.flush()


def limit_process() -> None:
    """Limit memory to 256 MiB beyond what is in use now, and forbid writing files, dumping core and many descriptors.

    A limit that the platform doesn't know is left out: the parent's time-out still holds.
    """
    limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, OPEN_FILES)]
    if (used := _address_space()) is not None:
        limits.append((resource.RLIMIT_AS, used + MEMORY_BYTES))
    for kind, limit in limits:
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def limit_job() -> None:
    """Allow the next job about two seconds of CPU time; the kernel kills the process that takes more."""
    # The kernel counts whole seconds over the life of the process.
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS + 1, resource.RLIM_INFINITY))


def _address_space() -> int | None:
    """Return the bytes of address space in use, where the system says so."""
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text().split()[0]
        return int(pages) * resource.getpagesize()
    return None


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)

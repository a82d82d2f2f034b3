"""The inside of a child process that does one kind of job: limits of memory, CPU time and files hold it."""

import resource
import signal
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

MEMORY_BYTES: Final = 256 * 1024 * 1024
CPU_SECONDS: Final = 2
OPEN_FILES: Final = 16
LENGTH: Final = struct.Struct(">I")
READY: Final = b"ready"


def limit_process() -> None:
    """Limit memory to 256 MiB beyond what is in use now, and forbid writing files, dumping core and many descriptors.

    A limit that the platform doesn't know is left out: the parent's time-out still holds.
    """
    limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, OPEN_FILES)]
    if (used := _address_space()) is not None:
        # On top of what the libraries take when they are loaded, which differs from system to system.
        limits.append((resource.RLIMIT_AS, used + MEMORY_BYTES))
    for kind, limit in limits:
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def limit_job() -> None:
    """Allow the next job about two seconds of CPU time; the kernel kills the process that takes more."""
    # The kernel counts whole seconds over the life of the process.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds()) + CPU_SECONDS + 1, resource.RLIM_INFINITY))


def limit_job_strictly() -> None:
    """Allow the next job two seconds of CPU time and no more: a signal ends the process at once."""
    limit_job()  # behind it, should the timer not be there
    # CPU time of the process and not of the wall: a busy machine makes no honest file too costly.
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)


def end_job() -> None:
    """Stop the timer: waiting for the next job belongs to none."""
    signal.setitimer(signal.ITIMER_PROF, 0)


def cpu_seconds() -> float:
    """Return the CPU time that this process has taken."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_bytes() -> int:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _address_space() -> int | None:
    """Return the bytes of address space in use, where the system says so."""
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text().split()[0]
        return int(pages) * resource.getpagesize()
    return None

"""The desk's data folder: one running desk at a time has it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstline.common.errors import Conflict, Unavailable


class FolderInUse(Conflict):
    """Another desk runs on the folder."""

    title = "The folder is in use"


class FolderUnusable(Unavailable):
    """The folder can't be made or written."""

    title = "The folder can't be used"


def unusable(folder: Path, error: OSError) -> FolderUnusable:
    """Return what to tell about a folder that the system refused."""
    return FolderUnusable(
        f"The data folder {folder} can't be used: {error.strerror}. Make it writable or name another one, such as:"
        " make up DATA=desk2"
    )


@contextmanager
def held_folder(folder: Path) -> Iterator[None]:
    """Make the folder and keep every other desk away from it; the system lets go of it however the process ends.

    Raises:
        FolderInUse: another desk has it.
        FolderUnusable: it can't be made or written.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise unusable(folder, error) from error
    with lock:
        try:
            # A lock of the file and not its existence: a killed desk
            # leaves the file, and the system takes the lock back.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUse(
                f"Another desk runs on the folder {folder}. Stop that one, or give this one a folder and ports of its"
                " own, such as: make up DATA=desk2 PORT=8090 SMTP_PORT=2590"
            ) from error
        yield

"""The file port: attachments and raw mails are streamed in, durable once `put` returns, and read back by key."""

import hashlib
import os
import threading
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from firstline.common.errors import NotFound, TooLarge, Unavailable
from firstline.common.ports import Ids, Offload

CHUNK_BYTES: Final = 256 * 1024
RETRY_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is kept: its key, its size in bytes, the SHA-256 of its content in hexadecimal."""

    key: str
    size: int
    sha256: str


class Files(Protocol):
    """Keeps files outside the database."""

    async def put(self, chunks: AsyncIterator[bytes], limit: int) -> Stored:
        """Keep what the chunks hold; when this returns, the file survives a crash of the machine.

        Raises:
            TooLarge: more than `limit` bytes came; nothing is kept.
            Unavailable: the disk is full or broken; nothing is kept.

        """

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """Return the file's content in chunks.

        Raises:
            NotFound: there is no such file (raised here, not later by the iterator).

        """

    async def delete(self, key: str) -> None:
        """Remove the file; one that is gone already is fine."""

    def listed(self) -> AsyncIterator[list[str]]:
        """Return the keys of all files, in portions; what is on its way in is not among them.

        Raises:
            Unavailable: they can't be listed now.

        """


class LocalFiles:
    """Files in a folder of this machine.

    A key is a UUID and its path is made from the UUID's own text, so that no key can lead out of the folder.
    """

    def __init__(self, root: Path, offload: Offload, ids: Ids) -> None:
        """Use the folder `root`, which is made when missing."""
        self._root = root
        self._incoming = root / "incoming"
        self._offload = offload
        self._ids = ids
        self._incoming.mkdir(parents=True, exist_ok=True)

    def remove_left_overs(self, before: datetime | None = None) -> None:
        """Remove what killed processes left half written: all of it, or where others write here too what is old."""
        for left_over in self._incoming.iterdir():
            if before is None or left_over.stat().st_mtime < before.timestamp():
                left_over.unlink(missing_ok=True)

    async def put(self, chunks: AsyncIterator[bytes], limit: int) -> Stored:
        """Keep what the chunks hold; see `Files.put`."""
        incoming = _Incoming(self._incoming / self._ids.new(), limit)
        try:
            await self._offload(incoming.start)
            async for chunk in chunks:
                # Gathered first: a thread for each small chunk of a network would cost more than the write.
                if incoming.add(chunk):
                    await self._offload(incoming.write)
            return await self._offload(partial(incoming.keep, self._path(incoming.key)))
        except OSError as error:
            raise Unavailable("The file could not be stored. Try again later.", retry_after=RETRY_SECONDS) from error
        finally:
            incoming.discard()

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """Return the file's content in chunks; see `Files.open`."""
        path = self._path(key)
        # Looked up here and not by the iterator: an answer's status goes out before its first chunk.
        if not await self._offload(path.is_file):
            raise _no_such_file()
        return self._chunks(path)

    async def _chunks(self, path: Path) -> AsyncIterator[bytes]:
        """Read chunk after chunk, each away from the event loop."""
        source = await self._offload(lambda: path.open("rb"))
        try:
            while chunk := await self._offload(partial(source.read, CHUNK_BYTES)):
                yield chunk
        finally:
            source.close()

    async def delete(self, key: str) -> None:
        """Remove the file; one that is gone already is fine."""
        await self._offload(partial(self._path(key).unlink, missing_ok=True))

    async def listed(self) -> AsyncIterator[list[str]]:
        """Return the keys of all files, folder by folder; see `Files.listed`."""
        for number in range(256):
            yield await self._offload(partial(_names, self._root / f"{number:02x}"))

    def _path(self, key: str) -> Path:
        """Return where the file lies: two levels, spread by the random end of the UUID."""
        try:
            name = str(uuid.UUID(key))
        except ValueError:
            raise _no_such_file() from None
        return self._root / name[-2:] / name


class _Incoming:
    """A file on its way in: gathered into large writes, and nothing but a temporary file until it is kept."""

    def __init__(self, path: Path, limit: int) -> None:
        self.key = path.name
        self._path = path
        self._limit = limit
        self._size = 0
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._file: BinaryIO | None = None
        # A caller that is cancelled discards while a thread may still write: the file must not close under it.
        self._busy = threading.Lock()

    def start(self) -> None:
        """Create the temporary file."""
        self._file = self._path.open("xb", buffering=0)

    def add(self, chunk: bytes) -> bool:
        """Take a chunk; tell whether enough has gathered for a write."""
        self._size += len(chunk)
        if self._size > self._limit:
            raise TooLarge(f"The file is larger than {self._limit} bytes. Send a smaller one.")
        self._waiting += chunk
        return len(self._waiting) >= CHUNK_BYTES

    def write(self) -> None:
        """Write what has gathered."""
        with self._busy:
            self._write()

    def _write(self) -> None:
        """Write all that has gathered and add it to the digest; the caller holds the lock."""
        assert self._file is not None
        self._digest.update(self._waiting)
        # Unbuffered files may take less than they are given.
        rest = bytes(self._waiting)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._waiting.clear()

    def keep(self, target: Path) -> Stored:
        """Make the file durable under its final name: content first, then the name, then the folder's entry."""
        assert self._file is not None
        with self._busy:
            self._write()
            os.fsync(self._file.fileno())
            # A folder's own entry must be durable too, or a crash takes the folder and the file in it.
            if not target.parent.is_dir():
                target.parent.mkdir(exist_ok=True)
                _sync_folder(target.parent.parent)
            self._path.rename(target)
            _sync_folder(target.parent)
        return Stored(self.key, self._size, self._digest.hexdigest())

    def discard(self) -> None:
        """Close the file, and remove it unless it was kept."""
        with self._busy:
            if self._file is not None:
                self._file.close()
                self._path.unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    """Return the names of the files in a folder, which need not be there."""
    try:
        return sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unavailable("The files can't be listed. Try again later.", retry_after=RETRY_SECONDS) from error


def _sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    entries = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entries)
    finally:
        os.close(entries)


def _no_such_file() -> NotFound:
    """Return the error for a key that leads to nothing."""
    return NotFound("There is no such file.")

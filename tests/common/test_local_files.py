"""Files on the local disk: whole and durable or not there at all, and never outside their folder."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from firstline.common.errors import NotFound, TooLarge, Unavailable
from firstline.common.files import CHUNK_BYTES, LocalFiles, Stored
from firstline.common.ports import SystemIds, offload

T = TypeVar("T")


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    """Yield the pieces."""
    for piece in pieces:
        yield piece


async def whole(files: LocalFiles, key: str) -> bytes:
    """Read a file to its end."""
    return b"".join([chunk async for chunk in await files.open(key)])


def kept(root: Path) -> list[Path]:
    """Return all files below the folder."""
    return sorted(path for path in root.rglob("*") if path.is_file())


def descriptors() -> int:
    """Return how many files this process has open, where the system says so."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.exists() else 0


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    """Return an empty file store."""
    return LocalFiles(tmp_path / "files", offload, SystemIds())


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
async def test_content_comes_back(files: LocalFiles, size: int) -> None:
    """What was put is read back byte by byte, with its size and digest, whatever the chunks were."""
    content = os.urandom(size)
    pieces = [content[start : start + 100_000] for start in range(0, size, 100_000)]
    stored = await files.put(chunks(*pieces), size)
    assert (stored.size, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert await whole(files, stored.key) == content


async def test_too_large_leaves_nothing_behind(files: LocalFiles, tmp_path: Path) -> None:
    """One byte over the limit and the file is refused, at once and without a trace."""
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield bytes(CHUNK_BYTES)

    with pytest.raises(TooLarge):
        await files.put(endless(), 3 * CHUNK_BYTES)
    assert asked == 4
    assert kept(tmp_path) == []


async def test_sender_who_fails_leaves_nothing_behind(files: LocalFiles, tmp_path: Path) -> None:
    """An upload that breaks off is gone, and its error reaches the caller."""

    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(CHUNK_BYTES)
        raise ConnectionResetError

    with pytest.raises(Unavailable):
        await files.put(breaking(), 10 * CHUNK_BYTES)
    assert kept(tmp_path) == []


async def test_cancelled_upload_leaves_nothing_behind(files: LocalFiles, tmp_path: Path) -> None:
    """A caller that is cancelled while the disk is busy leaves no file and no open descriptor."""
    reached = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield bytes(CHUNK_BYTES)
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(files.put(stalling(), 10 * CHUNK_BYTES))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    "key",
    ["", "..", "../../etc/passwd", "/etc/passwd", "a" * 36, "01933b9e-7c1d-7a52-8f00-1234567890ab", "\0", "incoming"],
)
async def test_unknown_key_is_not_found(files: LocalFiles, key: str) -> None:
    """A key that leads nowhere, or is no key at all, is not found, and the answer is the same."""
    with pytest.raises(NotFound, match="no such file"):
        await files.open(key)


async def test_no_key_leads_out_of_the_folder(files: LocalFiles, tmp_path: Path) -> None:
    """A file beside the folder can't be read or deleted, in whatever way its path is written."""
    outside = tmp_path / "secret"
    outside.write_text("secret")
    for key in ("../secret", "ab/../../secret", str(outside), "..%2fsecret", "incoming/../../secret"):
        with pytest.raises(NotFound):
            await files.open(key)
        with pytest.raises(NotFound):
            await files.delete(key)
    assert outside.read_text() == "secret"


async def test_key_is_found_in_any_spelling_of_the_uuid(files: LocalFiles) -> None:
    """A UUID is the same in capitals or without hyphens."""
    stored = await files.put(chunks(b"x"), 1)
    assert await whole(files, stored.key.upper().replace("-", "")) == b"x"


async def test_deleted_file_is_gone(files: LocalFiles, tmp_path: Path) -> None:
    """After deletion nothing is left; deleting again is fine."""
    stored = await files.put(chunks(b"x"), 1)
    await files.delete(stored.key)
    await files.delete(stored.key)
    with pytest.raises(NotFound):
        await files.open(stored.key)
    assert kept(tmp_path) == []


async def test_reader_who_stops_early_closes_the_file(files: LocalFiles) -> None:
    """A download that is given up leaves no descriptor open."""
    stored = await files.put(chunks(bytes(2 * CHUNK_BYTES)), 2 * CHUNK_BYTES)
    before = descriptors()
    reading = await files.open(stored.key)
    assert len(await anext(reading)) == CHUNK_BYTES
    await reading.aclose()  # type: ignore[attr-defined]
    assert descriptors() == before


async def test_many_at_once_stay_apart(files: LocalFiles) -> None:
    """Concurrent uploads don't mix."""
    contents = [os.urandom(CHUNK_BYTES + number) for number in range(20)]
    stored = await asyncio.gather(*(files.put(chunks(c[:1000], c[1000:]), len(c)) for c in contents))
    assert [await whole(files, one.key) for one in stored] == contents


async def test_left_overs_of_a_killed_process_go(files: LocalFiles, tmp_path: Path) -> None:
    """What a kill left half written is removed at start; finished files stay."""
    stored = await files.put(chunks(b"whole"), 5)
    (tmp_path / "files/incoming/01933b9e-7c1d-7a52-8f00-1234567890ab").write_bytes(b"half")
    LocalFiles(tmp_path / "files", offload, SystemIds()).remove_left_overs()
    assert [path.name for path in kept(tmp_path)] == [stored.key]


def calls(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Note what is asked of the operating system, in order."""
    sync, rename = os.fsync, Path.rename

    def noted_sync(descriptor: int) -> None:
        log.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        sync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        log.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux to tell files from folders")
async def test_content_is_synced_before_the_name_and_the_name_before_the_answer(
    files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash at any moment finds the whole file or none: content, then (new folder, then) name, then its folder."""
    log: list[str] = []
    calls(log, monkeypatch)
    await files.put(chunks(b"x"), 1)
    assert log == ["file", "folder", "rename", "folder"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
async def test_full_or_broken_disk_is_unavailable_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A disk that refuses a sync makes the put fail with a time to try again, without a file."""

    def refuse(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    files = LocalFiles(tmp_path, offload, SystemIds())
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(Unavailable) as refused:
        await files.put(chunks(b"x"), 1)
    assert refused.value.retry_after == 30
    assert kept(tmp_path) == []


async def test_blocking_work_goes_through_the_port(tmp_path: Path) -> None:
    """Nothing touches the disk but by the port for blocking work, so that the loop stays free and tests can watch."""
    worked: list[str] = []

    async def inline(work: Callable[[], T]) -> T:
        worked.append("work")
        return work()

    files = LocalFiles(tmp_path, inline, SystemIds())
    stored: Stored = await files.put(chunks(bytes(CHUNK_BYTES), b"x"), 2 * CHUNK_BYTES)
    assert len(worked) == 3
    assert len(await whole(files, stored.key)) == CHUNK_BYTES + 1

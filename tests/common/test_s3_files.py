"""Files in a bucket keep the same promises as files in a folder."""

from collections.abc import AsyncIterator

import pytest
from firstline.common.errors import NotFound, TooLarge, Unavailable
from firstline.common.files import Files
from firstline.common.ports import SystemIds
from firstline.common.s3_files import PART_BYTES, S3Files, s3_store
from s3_server import Bucket, s3_server

pytestmark = pytest.mark.process


@pytest.fixture
async def bucket() -> AsyncIterator[Bucket]:
    """Return a bucket on a server of this test's own."""
    async with s3_server() as running:
        yield running


@pytest.fixture
def files(bucket: Bucket) -> Files:
    """Return the files of that bucket, below a prefix."""
    store = s3_store("b", "desk", region="eu-central-1", key_id="id", secret="secret", endpoint=bucket.url)
    return S3Files(store, SystemIds())


async def chunks(size: int, piece: int = 700_000) -> AsyncIterator[bytes]:
    """Yield so many bytes in pieces."""
    for start in range(0, size, piece):
        yield bytes([start // piece % 256]) * min(piece, size - start)


@pytest.mark.parametrize("size", [0, 1, 700_001, 2 * PART_BYTES + 17])
async def test_content_comes_back(files: Files, bucket: Bucket, size: int) -> None:
    """What was put is read back byte for byte, small or in several parts, and lies below the prefix."""
    stored = await files.put(chunks(size), 26_000_000)
    assert (stored.size, list(bucket.objects)) == (size, [f"desk/{stored.key}"])
    read = b"".join([chunk async for chunk in await files.open(stored.key)])
    assert read == b"".join([chunk async for chunk in chunks(size)])


@pytest.mark.parametrize("limit", [10, PART_BYTES + 1_000_000])
async def test_too_large_leaves_nothing(files: Files, bucket: Bucket, limit: int) -> None:
    """A file beyond the limit is refused while it comes in, and no object is there."""
    with pytest.raises(TooLarge):
        await files.put(chunks(3 * PART_BYTES), limit)
    assert bucket.objects == {}


async def test_a_sender_who_fails_leaves_nothing(files: Files, bucket: Bucket) -> None:
    """What the sender raises is raised, and no object is there."""

    async def failing() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise ConnectionAbortedError

    with pytest.raises((ConnectionAbortedError, Unavailable)):
        await files.put(failing(), 26_000_000)
    assert bucket.objects == {}


@pytest.mark.parametrize("key", ["../secret", "", "0193", "0193fc2e-7d2b-7000-8000-000000000000"])
async def test_unknown_keys_are_not_found(files: Files, bucket: Bucket, key: str) -> None:
    """No key leads anywhere but to a file that was put."""
    bucket.objects["secret"] = b"x"
    with pytest.raises(NotFound):
        await files.open(key)


async def test_deleting_twice_is_fine(files: Files, bucket: Bucket) -> None:
    """A deleted file is gone, and may be deleted again."""
    stored = await files.put(chunks(5), 10)
    await files.delete(stored.key)
    await files.delete(stored.key)
    assert bucket.objects == {}


async def test_all_keys_are_listed(files: Files, bucket: Bucket) -> None:
    """Every file that is kept, and nothing beside the prefix."""
    kept = {(await files.put(chunks(5), 10)).key for _ in range(3)}
    bucket.objects["elsewhere"] = b"x"
    assert {key async for page in files.listed() for key in page} == kept


async def test_a_store_out_of_order_is_said_so(files: Files, bucket: Bucket) -> None:
    """Where the store refuses, callers are told to come again."""
    stored = await files.put(chunks(5), 10)
    bucket.broken = True
    for attempt in (files.put(chunks(5), 10), files.open(stored.key), files.delete(stored.key)):
        with pytest.raises(Unavailable):
            await attempt

"""Files in a bucket of an S3-compatible store, for desks whose replicas share no folder (the extra `s3`)."""

import hashlib
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from firstline.common.errors import NotFound, TooLarge, Unavailable
from firstline.common.files import CHUNK_BYTES, RETRY_SECONDS, Stored
from firstline.common.ports import Ids

PART_BYTES: Final = 5 * 1024 * 1024
"""The least that S3 takes as a part; as much of a file is in memory at a time."""

PAGE_KEYS: Final = 1_000


class S3Files:
    """Files as objects, named by UUIDs below a prefix; an object is there whole or not at all."""

    def __init__(self, store: S3Store, ids: Ids) -> None:
        """Keep files in a store that was opened with `s3_store`."""
        self._store = store
        self._ids = ids

    async def put(self, chunks: AsyncIterator[bytes], limit: int) -> Stored:
        """Keep what the chunks hold; see `Files.put`."""
        key, incoming = self._ids.new(), _Incoming(limit)
        try:
            # In parts, so that no file is in memory as a whole; the store shows the object only after the last part.
            await obstore.put_async(
                self._store, _path(key), incoming.take(chunks), use_multipart=True, chunk_size=PART_BYTES
            )
        except BaseException as error:
            # The library wraps what the sender raised; the sender's own error says more.
            cause = incoming.failure or error
            if isinstance(cause, BaseError | OSError):
                raise Unavailable(
                    "The file could not be stored. Try again later.", retry_after=RETRY_SECONDS
                ) from error
            raise cause from None
        return Stored(key, incoming.size, incoming.digest.hexdigest())

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """Return the file's content in chunks; see `Files.open`."""
        try:
            found = await obstore.get_async(self._store, _path(key))
        except FileNotFoundError:
            raise NotFound("There is no such file.") from None
        except (BaseError, OSError) as error:
            raise Unavailable("The file can't be read. Try again later.", retry_after=RETRY_SECONDS) from error
        return _chunks(found)

    async def delete(self, key: str) -> None:
        """Remove the file; one that is gone already is fine."""
        try:
            await obstore.delete_async(self._store, _path(key))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise Unavailable("The file can't be removed. Try again later.", retry_after=RETRY_SECONDS) from error

    async def listed(self) -> AsyncIterator[list[str]]:
        """Return the keys of all files, page by page; see `Files.listed`."""
        try:
            async for page in obstore.list(self._store, chunk_size=PAGE_KEYS):
                yield [found["path"] for found in page]
        except (BaseError, OSError) as error:
            raise Unavailable("The files can't be listed. Try again later.", retry_after=RETRY_SECONDS) from error


class _Incoming:
    """A file on its way: measured and digested as it passes."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self.failure: BaseException | None = None
        self._limit = limit

    async def take(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass the chunks on."""
        try:
            async for chunk in chunks:
                self._count(chunk)
                yield chunk
        except BaseException as error:
            self.failure = error
            raise

    def _count(self, chunk: bytes) -> None:
        """Measure and digest a chunk; raise TooLarge once too much has come."""
        self.size += len(chunk)
        if self.size > self._limit:
            raise TooLarge(f"The file is larger than {self._limit} bytes. Send a smaller one.")
        self.digest.update(chunk)


async def _chunks(found: Any) -> AsyncIterator[bytes]:
    """Yield an object's content; a connection lost half-way raises Unavailable to whoever reads."""
    try:
        async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)
    except (BaseError, OSError) as error:
        raise Unavailable("The file can't be read. Try again later.", retry_after=RETRY_SECONDS) from error


def _path(key: str) -> str:
    """Return an object's name, made from the UUID's own text."""
    try:
        return str(uuid.UUID(key))
    except ValueError:
        raise NotFound("There is no such file.") from None


def s3_store(
    bucket: str, prefix: str, *, region: str, key_id: str, secret: str, endpoint: str | None = None
) -> S3Store:
    """Open a bucket; an endpoint names a server other than Amazon's, with plain HTTP only where it says so."""
    given: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    # Plain HTTP only by the endpoint's own word: bodies of requests would else pass unprotected by a slip.
    plain = bool(endpoint and endpoint.startswith("http://"))
    return S3Store(
        bucket,
        prefix=prefix or None,
        region=region,
        access_key_id=key_id,
        secret_access_key=secret,
        client_options={"allow_http": plain, "timeout": "60s", "connect_timeout": "5s"},
        retry_config={"max_retries": 2},
        **given,
    )

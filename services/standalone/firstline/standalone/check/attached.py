"""Whether the files of messages are kept as they came (clause 4.6)."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from firstline.common.errors import NotFound, Unavailable
from firstline.common.store.port import Sql
from firstline.standalone.check.books import Books, Finding


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file, and what its bytes are to be; `file_key` is None where none were kept."""

    id: str
    sha256: str
    file_key: str | None


FILES = Sql("SELECT id, sha256, file_key FROM attachment WHERE id > :after ORDER BY id LIMIT :limit", KeptFile)


async def lost_files(books: Books) -> AsyncIterator[Finding]:
    """Find files whose bytes are gone, or others than those that came."""
    async for page in books.rows("intake", FILES, lambda row: row.id):
        for row in page:
            if row.file_key is None:
                continue
            books.looked["4.6"] += 1
            what = await _fault(books, row.file_key, row.sha256)
            if what:
                yield Finding("4.6", "intake", f"attachment {row.id}", what)


async def _fault(books: Books, file_key: str, sha256: str) -> str | None:
    """Say what is wrong with a file; None where its bytes are those that came."""
    digest = hashlib.sha256()
    try:
        async for chunk in await books.files.open(file_key):
            digest.update(chunk)
    except NotFound:
        return "its bytes are gone"
    except Unavailable as error:
        return f"its bytes can't be read: {error}"
    return None if digest.hexdigest() == sha256 else "its bytes are not those that came"

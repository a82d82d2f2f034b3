"""Files that wait for the virus scanner: scanned when it is back, then given out or refused."""

from functools import partial

import structlog

from firstline.common.errors import NotFound, Unavailable
from firstline.common.store.port import Unit
from firstline.intake.service.desk import Desk
from firstline.intake.store.messages import HELD_FILES, REFUSE_FILE, RELEASE_FILE, Attachment

FILES_A_STEP = 20

_log = structlog.get_logger(__name__)


async def scan_held(desk: Desk) -> int:
    """Scan what waits, oldest first; return how many were scanned. What can't be scanned goes on waiting.

    A page of which nothing could be scanned ends the round: the scanner is away.
    """
    scanned, after = 0, ""
    while held := await desk.store.read(partial(_page, after)):
        before = scanned
        for attachment in held:
            try:
                await _scan(desk, attachment)
                scanned += 1
            except Unavailable as error:
                _log.warning("a file waits for the virus scanner", attachment_id=attachment.id, reason=str(error))
        if scanned == before:
            break
        after = held[-1].id
    return scanned


async def _page(after: str, unit: Unit) -> list[Attachment]:
    """Return some files that wait, after an ID."""
    return await unit.all(HELD_FILES, after=after, limit=FILES_A_STEP)


async def _scan(desk: Desk, attachment: Attachment) -> None:
    """Scan one file, then give it out or refuse it, with all rows that share its bytes."""
    key = attachment.file_key or ""
    try:
        found: str | None = await desk.scanner.scan(lambda: desk.files.open(key))
    except NotFound:  # another row of the same file was refused
        found = "file is gone"
    if found is None:
        await desk.store.write(lambda unit: unit.run(RELEASE_FILE, file_key=key))
        return
    _log.warning("a virus scanner found something", attachment_id=attachment.id, found=found[:200])
    reason = desk.policies.current.attachments.advice.infected
    await desk.store.write(lambda unit: unit.run(REFUSE_FILE, file_key=key, reason=reason))
    await desk.files.delete(key)

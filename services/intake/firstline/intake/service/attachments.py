"""Files that come with messages (clause 4.6): stored first, judged by content, bound to one message."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace

from firstline.common.answers import Answer, Made, answer_once, retry_of
from firstline.common.errors import Conflict, Fault, Invalid, NotFound, Unavailable
from firstline.common.events import AttachmentRef
from firstline.common.files import Stored
from firstline.common.permissions import Access
from firstline.common.policy.model import Attachments, InsideArchives, Policy
from firstline.common.store.port import Unit, Value
from firstline.intake.archives import ArchiveLimits
from firstline.intake.detector import find, is_key_file
from firstline.intake.files import FileRules, FileVerdict, refusal
from firstline.intake.judge import Unjudged
from firstline.intake.service.change import find_for
from firstline.intake.service.desk import Desk
from firstline.intake.store.messages import (
    ALREADY_ATTACHED,
    ATTACHMENT,
    ATTACHMENT_PLACE,
    ATTACHMENTS,
    INSERT_ATTACHMENT,
    Attachment,
)

MOST_LOOKED_AT = 100_000
"""Bytes of a text file in which secrets are looked for."""

SIGNATURES = frozenset(
    f"application/{kind}" for kind in ("pkcs7-signature", "x-pkcs7-signature", "pgp-signature", "pgp-keys")
)
"""What mail programs add by themselves: nobody is told that it was not kept."""


class FileRefused(Invalid):
    """The file can't be taken; the detail says what to send instead (clause 4.6)."""

    title = "The file can't be taken"


class AttachmentUsed(Conflict):
    """The attachment came with another message; upload the file again."""

    title = "The attachment belongs to another message"


class FileHeld(Conflict):
    """Nobody gets the file before the virus scanner has looked at it; try again later."""

    title = "The file waits for the virus scanner"


OPERATION = "POST /v1/attachments"
Show = Callable[[Attachment], str]
"""Makes the answer's text of a file that is kept."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as its sender names it."""

    name: str
    declared_type: str


def rules_of(policy: Policy) -> FileRules:
    """Return which files the policy takes."""
    taken: Attachments = policy.attachments
    return FileRules(
        images=taken.images,
        only_in_archive=taken.only_in_archive,
        archives=taken.archives,
        others=taken.others,
        max_bytes=taken.max_bytes,
        max_pixels=taken.max_megapixels * 1_000_000,
        max_frames=taken.max_frames,
        inside=_inside(taken.inside_archives),
    )


def _inside(archives: InsideArchives) -> ArchiveLimits:
    """Return how much an archive may hold, in the judge's units."""
    return ArchiveLimits(
        max_bytes=archives.max_total_mib * 1024 * 1024,
        max_entries=archives.max_entries,
        max_depth=archives.max_depth,
        max_ratio=archives.max_ratio,
        ratio_from_bytes=archives.ratio_from_kib * 1024,
        other_images=archives.other_images == "taken",
    )


def advice_of(policy: Policy, verdict: FileVerdict) -> str:
    """Return what the sender of a refused file is told."""
    return str(getattr(policy.attachments.advice, verdict.advice or "other"))


async def upload(
    desk: Desk, uploader: str, file: Upload, chunks: AsyncIterator[bytes], key: str | None, show: Show
) -> Answer:
    """Keep a file for a message to come; the same file again with the same Idempotency-Key is kept once.

    Raises:
        TooLarge: it is larger than the policy allows; nothing is kept.
        FileRefused: its content is not one that the policy takes; nothing is kept.
        IdempotencyKeyReused: the key came with another file before; nothing is kept.

    """
    retry_of(uploader, OPERATION, key, b"")  # an unusable key is refused before anything is written
    policy = desk.policies.current
    # Stored before it is judged: the judge reads it from there in pieces, so that no file is in memory as a whole.
    stored = await desk.files.put(chunks, policy.attachments.max_bytes)
    unjudged = Unjudged(file.name, file.declared_type, stored.size, lambda: desk.files.open(stored.key))
    try:
        verdict = await _look_at(desk, unjudged)
    # A cancellation too: a peer that hangs up while its file is judged must not leave it behind.
    except BaseException:
        await desk.files.delete(stored.key)
        raise
    if verdict.status != "rejected" and await _seems_secret(desk, file.name, stored):
        await desk.files.delete(stored.key)
        desk.held["api", "file"] += 1
        advice = policy.pasted_secrets.file_advice
        raise FileRefused(advice, faults=(Fault("/file", advice),), clause="4.3", extra={"reason": "secret"})
    if verdict.status == "rejected":
        await desk.files.delete(stored.key)
        fault = Fault("/file", advice_of(policy, verdict))
        raise FileRefused(advice_of(policy, verdict), faults=(fault,), clause="4.6", extra={"reason": verdict.reason})
    reason = policy.attachments.advice.checking if verdict.status == "held" else None
    attachment = _attachment(desk, uploader, file, verdict, stored.key, stored.size, stored.sha256, reason)
    # Its ID is new each time, so an answer of another text shows a retry, whose copy of the file is not needed.
    fresh = show(attachment)
    retry = retry_of(uploader, OPERATION, key, json.dumps([file.name, file.declared_type, stored.sha256]).encode())

    async def work(unit: Unit) -> Made:
        await unit.run(INSERT_ATTACHMENT, **attachment_row(attachment))
        return 201, fresh, None

    try:
        answer = await answer_once(desk.store, desk.ports.clock, retry, work)
    except Exception:
        await desk.files.delete(stored.key)  # nobody has been told its ID
        raise
    if answer.body != fresh:
        await desk.files.delete(stored.key)  # a retry: the first file is kept
    return answer


async def keep_mailed(
    desk: Desk, uploader: str, file: Upload, content: bytes, sha256: str, *, room: bool
) -> Attachment:
    """Return a mail's file, kept if the policy takes it; of a refused one the reason stays (reading A18).

    `room` says whether the message may have one more.
    """
    policy = desk.policies.current
    unjudged = Unjudged(file.name, file.declared_type, len(content), lambda: _opened(content))
    verdict = await _look_at(desk, unjudged)
    key, reason = None, advice_of(policy, verdict) if verdict.status != "ok" else None
    # Judged all the same, so that the sender is told of every file what was wrong with it.
    if verdict.status != "rejected" and not room:
        verdict, reason = replace(verdict, status="rejected"), policy.attachments.advice.count
    elif verdict.status != "rejected" and await desk.ports.offload(lambda: holds_secret(desk, file.name, content)):
        desk.held["email", "file"] += 1
        verdict, reason = replace(verdict, status="rejected"), policy.pasted_secrets.file_advice
    elif verdict.status != "rejected":
        key = (await desk.files.put(_once(content), len(content))).key
    return _attachment(desk, uploader, file, verdict, key, len(content), sha256, reason)


async def _look_at(desk: Desk, file: Unjudged) -> FileVerdict:
    """Judge a file, then have it scanned; what a small text file says stands in the verdict's `text`.

    While the scanner can't be reached a file that can be taken is `held`: kept, and given to nobody.
    """
    verdict = await desk.judge.judge(file, rules_of(desk.policies.current))
    if verdict.status == "rejected":
        return verdict
    try:
        found = await desk.scanner.scan(file.open)
    # Held and not refused: the sender can't mend that, and can't be asked to come back.
    except Unavailable:
        return replace(verdict, status="held", advice="checking")
    return verdict if found is None else refusal("infected", verdict.name, verdict.sniffed_type)


async def _seems_secret(desk: Desk, name: str, stored: Stored) -> bool:
    """Say whether a file that was kept seems to hold a secret; only its beginning is read."""
    content = b""
    async for chunk in await desk.files.open(stored.key):
        content += chunk
        if len(content) >= MOST_LOOKED_AT:
            break
    return await desk.ports.offload(lambda: holds_secret(desk, name, content))


def holds_secret(desk: Desk, name: str, content: bytes) -> bool:
    """Say whether a file is one of private keys, or a small text in which a secret seems to stand (clause 4.3)."""
    if is_key_file(name):
        return True
    text = content[:MOST_LOOKED_AT]
    if b"\0" in text:
        return False
    errors = "strict" if len(content) < MOST_LOOKED_AT else "ignore"
    try:
        return bool(find(desk.policies.detector, text.decode("utf-8", errors)))
    except UnicodeDecodeError:
        return False


async def _once(content: bytes) -> AsyncIterator[bytes]:
    """Yield a content as one chunk."""
    yield content


async def _opened(content: bytes) -> AsyncIterator[bytes]:
    """Open a content that is in memory."""
    return _once(content)


def _attachment(
    desk: Desk,
    uploader: str,
    file: Upload,
    verdict: FileVerdict,
    key: str | None,
    size: int,
    sha256: str,
    reason: str | None,
) -> Attachment:
    """Return the row of a file as it was judged."""
    return Attachment(
        id=desk.ports.ids.new(),
        uploader=uploader,
        name=verdict.name,
        declared_type=file.declared_type[:200],
        type=verdict.sniffed_type,
        size=size,
        sha256=sha256,
        file_key=key,
        status=verdict.status,
        reason=reason,
        created_at=desk.now(),
    )


def attachment_row(attachment: Attachment) -> dict[str, Value]:
    """Return an attachment as the parameters of its insertion."""
    return {name: getattr(attachment, name) for name in Attachment.__slots__}


def attachment_refs(attachments: Iterable[Attachment]) -> list[AttachmentRef]:
    """Return a message's files as its event names them, those that were refused with the reason (clause 4.6)."""
    return [
        AttachmentRef(
            id=one.id,
            name=one.name,
            status=one.status,
            reason=one.reason if one.status == "rejected" and one.declared_type not in SIGNATURES else None,
        )
        for one in attachments
    ]


async def usable_attachments(desk: Desk, unit: Unit, uploader: str, ids: tuple[str, ...]) -> tuple[Attachment, ...]:
    """Return the attachments for a message: the uploader's own, none of them used before.

    Raises:
        Invalid: more than the policy allows, or an ID that isn't the uploader's.
        AttachmentUsed: one came with another message.

    """
    if not ids:
        return ()
    most = desk.policies.current.attachments.max_count
    # Somebody else's is as good as none, so that nobody learns whether an ID is taken.
    found = {a.id: a for a in await unit.all(ATTACHMENTS, ids=ids) if a.uploader == uploader}
    for index, wanted in enumerate(ids):
        if wanted not in found:
            fault = Fault(f"/attachment_ids/{index}", "Upload the file first, as the same user, and use its ID.")
            raise Invalid("There is no such attachment of yours.", faults=(fault,))
    if sum(attachment.file_key is not None for attachment in found.values()) > most:
        fault = Fault("/attachment_ids", desk.policies.current.attachments.advice.count)
        raise Invalid("Too many files for one message.", faults=(fault,), clause="4.6")
    if await unit.all(ALREADY_ATTACHED, ids=ids):
        raise AttachmentUsed("An attachment came with another message before. Upload the file again.")
    return tuple(found[wanted] for wanted in dict.fromkeys(ids))


async def drop_unused(desk: Desk, attachments: tuple[Attachment, ...]) -> None:
    """Delete the bytes of files that were kept for a message which was not stored."""
    stored = await desk.store.read(
        lambda unit: unit.all(ATTACHMENTS, ids=[attachment.id for attachment in attachments])
    )
    # Looked up and not assumed: a transaction whose outcome is unknown may have stored them.
    known = {attachment.id for attachment in stored}
    for attachment in attachments:
        if attachment.file_key is not None and attachment.id not in known:
            await desk.files.delete(attachment.file_key)


async def readable_attachment(unit: Unit, access: Access, attachment_id: str) -> Attachment:
    """Return a file that the caller may read: one of a message they may see, or their own upload.

    Raises:
        NotFound: there is none for the caller, or its bytes were not kept.
        FileHeld: the virus scanner has not looked at it so far.

    """
    attachment = await unit.one(ATTACHMENT, id=attachment_id)
    if attachment is None or attachment.file_key is None:
        raise _nothing_here()
    place = await unit.one(ATTACHMENT_PLACE, id=attachment_id)
    # Not yet in a message: nobody but the uploader knows of it.
    if place is None and attachment.uploader != access.principal.id:
        raise _nothing_here()
    if place is not None:
        await find_for(unit, access, place.ticket_id)
        if place.audience == "internal" and not access.principal.is_staff:
            raise _nothing_here()
    if attachment.status == "held":
        raise FileHeld(attachment.reason or "The file waits for the virus scanner.")
    return attachment


def _nothing_here() -> NotFound:
    """Return what is said of every ID out of reach, whether there is such a file, such a request, or neither."""
    return NotFound("Nothing with this ID is here for you. Check the ID.")

"""Files of messages: upload before the message, download by whoever may read the message (clause 4.6)."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, File, Response, UploadFile
from fastapi.responses import StreamingResponse

from firstline.common.application import json_answer, permit
from firstline.common.errors import NotFound
from firstline.common.permissions import Access
from firstline.intake.api.context import DeskHere, Key
from firstline.intake.schemas.shown import AttachmentOut, attachment_out
from firstline.intake.service.attachments import Upload, readable_attachment, upload
from firstline.intake.store.messages import Attachment

router = APIRouter(prefix="/v1/attachments", tags=["files"])
FORM_LIMIT = 26 * 1024 * 1024
CHUNK = 256 * 1024


@router.post("", status_code=201, response_model=AttachmentOut)
async def upload_file(
    file: Annotated[UploadFile, File(description="PNG, GIF, JPG; BMP only inside ZIP or RAR; see the policy.")],
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("attachments.upload"))],
    idempotency_key: Key = None,
) -> Response:
    """Upload a file for a request or message to come; its content decides whether it is taken."""
    named = Upload(file.filename or "", file.content_type or "")
    answer = await upload(desk, access.principal.id, named, _chunks(file), idempotency_key, _shown)
    return json_answer(answer.body, answer.status)


def _shown(attachment: Attachment) -> str:
    return attachment_out(attachment).model_dump_json()


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk


@router.get("/{attachment_id}", response_class=StreamingResponse)
async def download_file(
    attachment_id: str, desk: DeskHere, access: Annotated[Access, Depends(permit("attachments.read"))]
) -> Response:
    """Download a file; browsers are told to save it, not to run it."""
    attachment = await desk.store.read(lambda unit: readable_attachment(unit, access, attachment_id))
    if attachment.file_key is None:
        raise NotFound("Nothing with this ID is here for you. Check the ID.")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(attachment.name, safe='')}",
        "Content-Length": str(attachment.size),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=3600",
    }
    content = await desk.files.open(attachment.file_key)
    return StreamingResponse(content, headers=headers, media_type=attachment.type)

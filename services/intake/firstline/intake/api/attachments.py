"""Files of messages: upload before the message, download by whoever may read the message (clause 4.6)."""

import re
import unicodedata
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from firstline.common.application import json_answer, permit
from firstline.common.errors import NotFound
from firstline.common.permissions import Access
from firstline.intake.api.context import DeskHere, Key
from firstline.intake.api.forms import UPLOAD_FORM, FormFile
from firstline.intake.schemas.shown import AttachmentOut, attachment_out
from firstline.intake.service.attachments import readable_attachment, upload
from firstline.intake.store.messages import Attachment

router = APIRouter(prefix="/v1/attachments", tags=["files"])
# The policy's largest file, and what a form puts around it.
FORM_LIMIT = 26 * 1024 * 1024


@router.post("", status_code=201, response_model=AttachmentOut, openapi_extra=UPLOAD_FORM)
async def upload_file(
    request: Request,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("attachments.upload"))],
    idempotency_key: Key = None,
) -> Response:
    """Upload a file for a request or message to come; its content decides whether it is taken.

    `status` is `held` while a virus scanner has not looked at it: it can be sent, and is readable once it was.
    """
    form = FormFile(request)
    named = await form.upload()
    answer = await upload(desk, access.principal.id, named, form.chunks(), idempotency_key, _shown)
    return json_answer(answer.body, answer.status)


def _shown(attachment: Attachment) -> str:
    """Return an uploaded file's document as JSON text."""
    return attachment_out(attachment).model_dump_json()


@router.get("/{attachment_id}", response_class=StreamingResponse)
async def download_file(
    attachment_id: str, desk: DeskHere, access: Annotated[Access, Depends(permit("attachments.read"))]
) -> Response:
    """Download a file as it was sent, with whatever its maker wrote into it; browsers save it and never run it."""
    attachment = await desk.store.read(lambda unit: readable_attachment(unit, access, attachment_id))
    if attachment.file_key is None:
        raise NotFound("Nothing with this ID is here for you. Check the ID.")
    headers = {
        "Content-Disposition": _disposition(attachment.name),
        "Content-Length": str(attachment.size),
        "X-Content-Type-Options": "nosniff",
        # Whatever got past the judge: it is saved and not shown, and shown it has no origin, no scripts and no cookies.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store",
    }
    content = await desk.files.open(attachment.file_key)
    return StreamingResponse(content, headers=headers, media_type=attachment.type)


def _disposition(name: str) -> str:
    """Return what tells a browser to save a file under its name (RFC 6266), in letters that every client knows too."""
    plain = re.sub(r"[^A-Za-z0-9._ ()-]", "_", unicodedata.normalize("NFKD", name))
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"

"""A file out of a multipart form (RFC 7578), passed on as it comes in: nothing holds it whole, nothing is spooled."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from firstline.common.errors import Fault, Invalid
from firstline.intake.service.attachments import Upload

FILE: Final = b"file"
MAX_HEAD_BYTES: Final = 8 * 1024

UPLOAD_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "title": "UploadForm",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "PNG, GIF, JPG; BMP only inside ZIP or RAR; see the policy.",
                        }
                    },
                }
            }
        },
    }
}
"""What the description of the operation says of its body."""


@dataclass(slots=True)
class _Part:
    """The part of a form that is coming in."""

    name: bytes = b""
    header: bytearray = field(default_factory=bytearray)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    value: bytearray = field(default_factory=bytearray)


class FormFile:
    """The file of a form: first who it says it is, then its content, each as soon as it is there."""

    def __init__(self, request: Request) -> None:
        """Begin with a request whose body nobody has read.

        Raises:
            Invalid: it is no form.

        """
        kind, options = parse_options_header(request.headers.get("content-type"))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise _missing()
        self._incoming = request.stream()
        self._part = _Part()
        self._upload: Upload | None = None
        self._waiting: deque[bytes] = deque()
        self._ended = self._again = False
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._grow(self._part.header, data[start:end]),
                "on_header_value": lambda data, start, end: self._grow(self._part.value, data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": self._headers,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    async def upload(self) -> Upload:
        """Read until the file begins; return what its sender says of it.

        Raises:
            Invalid: the form has no file, or can't be read.

        """
        # Name and type first, so that what can be refused by them
        # costs no upload; the content waits in the socket meanwhile.
        while self._upload is None and await self._read():
            pass
        if self._upload is None:
            raise _missing()
        return self._upload

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file's content.

        Raises:
            Invalid: the form breaks off, can't be read, or has a second file.

        """
        going = True
        while going or self._waiting:
            while self._waiting:
                yield self._waiting.popleft()
            # One read at a time and only when the last one was passed on, so that a slow disk slows its sender down.
            going = going and await self._read()
        if self._again:
            raise Invalid("One upload takes one file.", faults=(Fault("/file", "Send each file by itself."),))
        if not self._ended:
            raise _unreadable()

    async def _read(self) -> bool:
        """Take what has come in; tell whether there may be more."""
        chunk = await anext(self._incoming, b"")
        if not chunk:
            return False
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise _unreadable() from error
        return True

    def _begin(self) -> None:
        """Begin with the next part."""
        self._part = _Part()

    @staticmethod
    def _grow(text: bytearray, more: bytes) -> None:
        """Add to a header's name or value, and refuse a head beyond any that browsers write."""
        text += more
        if len(text) > MAX_HEAD_BYTES:
            raise _unreadable()

    def _header(self) -> None:
        """Keep a header of the part; the parser gives names and values in pieces."""
        self._part.headers[bytes(self._part.header).lower()] = bytes(self._part.value)
        self._part.header, self._part.value = bytearray(), bytearray()

    def _headers(self) -> None:
        """Decide, at the end of a part's head, whether it is the file. Other fields are passed over."""
        _, options = parse_options_header(self._part.headers.get(b"content-disposition"))
        self._part.name = options.get(b"name", b"")
        if self._part.name != FILE or b"filename" not in options:
            self._part.name = b""
        elif self._upload is not None:
            # Noted and told at the end: an error inside the parser would say that the form can't be read.
            self._again, self._part.name = True, b""
        else:
            declared = self._part.headers.get(b"content-type", b"").decode("latin-1")
            self._upload = Upload(_unescaped(options[b"filename"]), declared)

    def _data(self, data: bytes, start: int, end: int) -> None:
        """Hand on a piece of the file."""
        if self._part.name == FILE:
            self._waiting.append(data[start:end])

    def _end(self) -> None:
        """Know that the form is whole: what breaks off before that is no file."""
        self._ended = True


def _unescaped(name: bytes) -> str:
    """Return a file's name with what browsers escape in it as it was (the HTML standard, multipart/form-data)."""
    plain = name.replace(b"%22", b'"').replace(b"%0D", b"\r").replace(b"%0A", b"\n")
    return plain.decode("utf-8", "replace")


def _missing() -> Invalid:
    """Return the error for a body without a file."""
    fault = Fault("/file", "This is required; add it as a file of a multipart form.")
    return Invalid("1 value needs another look; nothing was stored.", faults=(fault,))


def _unreadable() -> Invalid:
    """Return the error for a body that is no form, or breaks off."""
    return Invalid("The body can't be read as what its Content-Type says. Check it and send it again.")

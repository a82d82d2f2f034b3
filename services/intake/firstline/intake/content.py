"""What a file is by its content (clause 4.6), whatever its name says: signatures, text, and a library for the rest."""

import re
from typing import Final

import puremagic

HEAD_BYTES: Final = 4096
UNKNOWN: Final = "application/octet-stream"
ZIP: Final = "application/zip"
RAR: Final = "application/vnd.rar"
PNG: Final = "image/png"
GIF: Final = "image/gif"
JPEG: Final = "image/jpeg"
PACKED: Final = "application/x-packed"
"""Archives and compressed files of further kinds, which nobody looks into here."""

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\xff\xd8\xff", JPEG),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"Rar!\x1a\x07", RAR),
)
_PACKED: Final = (
    b"\x1f\x8b\x08",
    b"BZh",
    b"\xfd7zXZ\0",
    b"7z\xbc\xaf\x27\x1c",
    b"(\xb5/\xfd",
    b"MSCF\0\0\0\0",
    b"\x60\xea",
    b"PK\x07\x08",
    b"\x1f\x9d",
    b"\x04\x22\x4d\x18",
)
_TAR: Final = slice(257, 262)
# The library's guess at one of these is a wrong one: it calls JPEG 2000 a JPEG.
_DECIDED: Final = frozenset({"", "text/plain", *(kind for _, kind in _SIGNATURES)})
# `BM` begins words too; a bitmap has zeros or its size where a text has letters.
_BITMAP: Final = re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)
_CONTROLS: Final = bytes(code for code in range(0x20) if chr(code) not in "\t\n\r\f\b\x1b") + b"\x7f"


def sniff(data: bytes) -> str:
    """Return the media type that the content has; `application/octet-stream` when nothing fits."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if _BITMAP.match(data):
        return "image/bmp"
    return "text/plain" if _is_text(data) else _described(data)


def sniff_packed(head: bytes) -> str:
    """Return the type of what lies in an archive, by its first bytes; `PACKED` for what is packed once more."""
    if head.startswith(_PACKED) or head[_TAR] == b"ustar":
        # Packed once more: what lies inside would go past the limits of the archive around it.
        return PACKED
    return sniff(head)


def _is_text(data: bytes) -> bool:
    """Tell whether this is text in any charset: no control characters but those that logs have."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            # UTF-16 has zeros in every other byte; behind its mark it is text as any other.
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError:
            return False
    return data.translate(None, _CONTROLS) == data


def _described(data: bytes) -> str:
    """Ask the library what binary content beyond the signatures above may be."""
    try:
        found = puremagic.magic_string(data[:HEAD_BYTES])
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    return next((str(match.mime_type) for match in found if match.mime_type not in _DECIDED), UNKNOWN)

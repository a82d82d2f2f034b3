"""Which attachments are taken (clause 4.6): judged by their content, then by whether name and declared type fit it."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal

import puremagic
from PIL import Image

Advice = Literal["image", "only_in_archive", "other", "size"]
"""Which of the policy's texts tells the sender what to do."""

Reason = Literal[
    "empty",
    "too_large",
    "only_in_archive",
    "image_type",
    "type",
    "damaged",
    "too_many_pixels",
    "too_many_frames",
    "too_complex",
    "name",
]

HEAD_BYTES: Final = 4096
IMAGE_HEAD_BYTES: Final = 1024 * 1024
MAX_BLOCKS: Final = 20_000
MAX_NAME_CHARS: Final = 120
MAX_ENDING_CHARS: Final = 10
PNG_CHUNK_BYTES: Final = 12
UNNAMED: Final = "attachment"
UNKNOWN: Final = "application/octet-stream"

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
)
# The library's guess at one of these is a wrong one: it calls JPEG 2000 a JPEG.
_DECIDED: Final = frozenset({"", "text/plain", *(kind for _, kind in _SIGNATURES)})
# `BM` begins words too; a bitmap has zeros or its size where a text has letters.
_BITMAP: Final = re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)
_CONTROLS: Final = bytes(code for code in range(0x20) if chr(code) not in "\t\n\r\f\b\x1b") + b"\x7f"
_FORMATS: Final = {"image/png": "PNG", "image/gif": "GIF", "image/jpeg": "JPEG"}
# What begins a frame (a scan, in JPEG); what looks like one by chance stays far below any limit.
_FRAME_MARKS: Final = {"image/png": b"fcTL", "image/gif": b"\0,", "image/jpeg": b"\xff\xda"}
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileRules:
    """What the policy takes: media types with the endings (lower case, without the dot) that go with them.

    Attributes:
        images: checked by decoding; PNG, GIF and JPEG are known.
        only_in_archive: not taken as they are.
        archives: taken without looking inside.
        others: everything else that is taken.
        max_bytes: size of a file.
        max_pixels: width times height of an image.
        max_frames: frames of an animation, scans of a JPEG.

    """

    images: Mapping[str, tuple[str, ...]]
    only_in_archive: Mapping[str, tuple[str, ...]]
    archives: Mapping[str, tuple[str, ...]]
    others: Mapping[str, tuple[str, ...]]
    max_bytes: int
    max_pixels: int = 50_000_000
    max_frames: int = 1_000

    @property
    def taken(self) -> dict[str, tuple[str, ...]]:
        """All types that can be taken as they are."""
        return {**self.images, **self.archives, **self.others}


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """Whether a file is taken, as what, under which name, and why not."""

    status: Literal["ok", "rejected"]
    sniffed_type: str
    name: str
    reason: Reason | None = None
    advice: Advice | None = None


def judge(name: str, declared_type: str, data: bytes, rules: FileRules) -> FileVerdict:
    """Judge a file by its whole content.

    This decodes images: it takes up to a second of CPU time and does not belong into the event loop.
    """
    kind = sniff(data)
    plain = safe_name(name)
    if "." not in plain and kind in rules.taken:
        plain = f"{plain}.{rules.taken[kind][0]}"
    reason = _objection(plain, declared_type, kind, data, rules)
    if reason is None:
        return FileVerdict("ok", kind, plain)
    return FileVerdict("rejected", kind, plain, reason, _advice(reason, kind))


def _objection(name: str, declared_type: str, kind: str, data: bytes, rules: FileRules) -> Reason | None:
    """Return why the file can't be taken, or None."""
    if not data or len(data) > rules.max_bytes:
        return "too_large" if data else "empty"
    if kind in rules.only_in_archive:
        return "only_in_archive"
    if kind not in rules.taken:
        return "image_type" if kind.startswith("image/") else "type"
    if not _fits(name, declared_type, kind, rules):
        return "name"
    return _image_objection(kind, data, rules) if kind in rules.images else None


def _fits(name: str, declared_type: str, kind: str, rules: FileRules) -> bool:
    """Tell whether the ending belongs to the content, and the declared type isn't another one that is known."""
    declared = declared_type.partition(";")[0].strip().lower()
    contradicts = declared != kind and (declared in rules.taken or declared in rules.only_in_archive)
    return name.rpartition(".")[2].lower() in rules.taken[kind] and not contradicts


def _advice(reason: Reason, kind: str) -> Advice:
    """Return which advice helps."""
    if reason == "too_large":
        return "size"
    if reason == "only_in_archive":
        return "only_in_archive"
    return "image" if kind.startswith("image/") else "other"


def sniff(data: bytes) -> str:
    """Return the media type that the content has; `application/octet-stream` when nothing fits."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if _BITMAP.match(data):
        return "image/bmp"
    return "text/plain" if _is_text(data) else _described(data)


def _is_text(data: bytes) -> bool:
    """Tell whether this is text in any charset: no control characters but those that logs have."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
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


def _image_objection(kind: str, data: bytes, rules: FileRules) -> Reason | None:
    """Check an image: its pieces and its size in pixels before anything is decoded, then that it is whole."""
    try:
        if data.count(_FRAME_MARKS[kind]) > rules.max_frames:
            return "too_many_frames"
        if _blocks(kind, data) > MAX_BLOCKS:
            return "too_complex"
        # A JPEG's head is read marker by marker, which takes long for millions of them; its body isn't read at all.
        source = data[:IMAGE_HEAD_BYTES] if kind == "image/jpeg" else data
        with Image.open(BytesIO(source), formats=[_FORMATS[kind]]) as image:
            if image.width * image.height > rules.max_pixels:
                return "too_many_pixels"
            return None if _is_whole(kind, data, image) else "damaged"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return "too_many_pixels"
    except Exception:  # the image library raises many kinds of errors on images made to hurt
        return "damaged"


def _blocks(kind: str, data: bytes) -> int:
    """Return how many blocks the image library would go through, counted up to one more than are allowed."""
    if kind == "image/gif":
        return data.count(b"\0!")
    place, count = len(_SIGNATURES[0][0]), 0
    while kind == "image/png" and place < len(data) and count <= MAX_BLOCKS:
        place += PNG_CHUNK_BYTES + int.from_bytes(data[place : place + 4], "big")
        count += 1
    return count


def _is_whole(kind: str, data: bytes, image: Image.Image) -> bool:
    """Tell whether nothing is missing at the end; raise one of many errors when something is broken.

    A JPEG isn't decoded, because a small one can take minutes: an end must follow its last scan.
    """
    if kind == "image/gif":
        image.load()
    else:
        image.verify()
    return kind != "image/jpeg" or data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") >= 0


def safe_name(name: str) -> str:
    """Return a file name that means no path, device or hidden file anywhere and shows what it is.

    Invisible characters go, so that nothing turns `gpj.exe` around.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    visible = "".join(c for c in last if not unicodedata.category(c).startswith("C"))
    plain = " ".join(_FORBIDDEN.sub(" ", visible).split()).strip(". ")
    if not plain or _DEVICE.match(plain):
        plain = f"{UNNAMED}-{plain}".rstrip("-")
    stem, dot, ending = plain.rpartition(".")
    if not dot or len(ending) > MAX_ENDING_CHARS:
        return plain[:MAX_NAME_CHARS].rstrip(". ")
    return f"{stem[: MAX_NAME_CHARS - len(ending) - 1].rstrip('. ')}.{ending}"

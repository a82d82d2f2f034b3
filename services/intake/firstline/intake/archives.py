"""What lies in a ZIP or RAR archive (clause 4.6): listed and read in memory within limits, never unpacked to a disk.

Entries of a ZIP, and those that a RAR stores as they are, are read to their end, so that no size is believed that isn't
true. What a RAR has compressed is judged by what the archive says of it.
"""

import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from itertools import pairwise
from mimetypes import MimeTypes
from stat import S_IFDIR, S_IFMT, S_IFREG
from typing import Any, Final, Literal

import rarfile

from firstline.intake.content import HEAD_BYTES, PACKED, RAR, ZIP, sniff_packed

ArchiveFault = Literal[
    "archive_damaged",
    "archive_locked",
    "archive_method",
    "archive_too_large",
    "archive_too_many",
    "archive_ratio",
    "archive_nested",
    "archive_name",
    "archive_link",
    "archive_image",
]

CHUNK_BYTES: Final = 256 * 1024
MAX_NAME_CHARS: Final = 500
BLOCKS_AN_ENTRY: Final = 4
"""A RAR has blocks for owners and streams beside those of files."""
SVG: Final = "image/svg+xml"
AES: Final = 99
LOCKED: Final = 0x1 | 0x40 | 0x2000
"""Flags of a ZIP's entry: encrypted, strongly so, or its directory."""
FILE_KINDS: Final = (0, S_IFREG, S_IFDIR)
ARCHIVES: Final = frozenset({ZIP, RAR, PACKED})
DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)

_LOCAL: Final = struct.Struct("<4s22xHH")
_CENTRAL_MARK: Final = b"PK\x01\x02"
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_PACKED_ENDINGS: Final = re.compile(r"\.(zip|rar|7z|gz|tgz|bz2|xz|zst|tar|cab|arj|jar)$", re.IGNORECASE)
_TYPES: Final = MimeTypes(filenames=())

# The library would start a program to read a comment that is compressed. Nobody reads comments here.
rarfile.RAR_MAX_COMMENT = -1
for _tool in ("UNRAR_TOOL", "UNAR_TOOL", "BSDTAR_TOOL", "SEVENZIP_TOOL", "SEVENZIP2_TOOL"):
    setattr(rarfile, _tool, "/nonexistent")


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much an archive may hold.

    Attributes:
        max_bytes: of all entries together, unpacked.
        max_entries: files and folders.
        max_depth: 1 means no archive in the archive.
        max_ratio: unpacked by packed size of an entry.
        ratio_from_bytes: smaller entries may have any ratio, as may pictures that are taken only packed.
        other_images: pictures may lie in archives that are not taken by themselves.

    """

    max_bytes: int = 100 * 1024 * 1024
    max_entries: int = 1_000
    max_depth: int = 1
    max_ratio: int = 100
    ratio_from_bytes: int = 1024 * 1024
    other_images: bool = False


@dataclass(frozen=True, slots=True)
class ArchiveRules:
    """The limits, and the pictures that may lie in archives: media types with their endings."""

    limits: ArchiveLimits
    images: Mapping[str, tuple[str, ...]]
    only_in_archive: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What an archive says of one of its entries; `read` gives its content, where that can be read.

    Attributes:
        name: as the archive has it: a path, and perhaps a hostile one.
        size: bytes once it is unpacked, as the archive claims.
        packed: bytes in the archive.
        folder: it holds no content.
        link: it stands for another file, perhaps outside.
        locked: it needs a password.

    """

    name: str
    size: int
    packed: int
    folder: bool
    link: bool
    locked: bool
    read: Callable[[], Iterator[bytes]] | None = None


class Found(Exception):
    """Something that an archive must not hold."""

    def __init__(self, fault: ArchiveFault) -> None:
        super().__init__(fault)
        self.fault = fault


@dataclass(slots=True)
class _Look:
    """One look into an archive and those in it: what was counted so far.

    Attributes:
        entries: how many have been seen, at all depths.
        size: bytes that have come out.
        names: archives and the names in them, to tell one that comes twice.
        archives: how many have been opened.

    """

    rules: ArchiveRules
    entries: int = 0
    size: int = 0
    names: set[tuple[int, str]] = field(default_factory=set)
    archives: int = 0


def archive_fault(kind: str, data: bytes, rules: ArchiveRules) -> ArchiveFault | None:
    """Return what an archive must not hold or be; None if it can be taken.

    Raises:
        MemoryError: it takes more memory than there is.

    """
    try:
        _look(kind, data, _Look(rules), 1)
    except Found as found:
        return found.fault
    except MemoryError:
        raise
    except Exception:  # the libraries raise many kinds of errors on archives made to hurt
        return "archive_damaged"
    return None


def _look(kind: str, data: bytes, look: _Look, depth: int) -> None:
    """Look at all entries of an archive; raise `Found` for the first thing that must not be."""
    look.archives += 1
    entries = (_zip_entries if kind == ZIP else _rar_entries)(data, look.rules.limits)
    # All that can be seen without reading anything comes first.
    for entry in entries:
        _weigh(entry, look)
    for entry in entries:
        if not entry.folder:
            _look_into(entry, look, depth)


def _weigh(entry: Entry, look: _Look) -> None:
    """Check what the archive says of an entry."""
    limits = look.rules.limits
    look.entries += 1
    look.size += entry.size
    if look.entries > limits.max_entries:
        raise Found("archive_too_many")
    if entry.locked:
        raise Found("archive_locked")
    if entry.link:
        raise Found("archive_link")
    name = (look.archives, entry.name)
    if name in look.names or not is_harmless(entry.name):
        raise Found("archive_name")
    look.names.add(name)
    if look.size > limits.max_bytes:
        raise Found("archive_too_large")


def is_harmless(name: str) -> bool:
    """Tell whether what is unpacked under this name lies in the folder meant for it, and shows what it is called."""
    plain = name.replace("\\", "/")
    if not plain.strip("/") or len(plain) > MAX_NAME_CHARS or plain.startswith("/") or _DRIVE.match(plain):
        return False
    if _BIDI.search(plain) or any(unicodedata.category(character) == "Cc" for character in plain):
        return False
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    return bool(parts) and not any(DEVICE.match(part) or not part.strip(". ") for part in parts)


def _look_into(entry: Entry, look: _Look, depth: int) -> None:
    """Check what an entry is: pictures that may be there, nothing packed deeper than allowed, no bomb."""
    rules = look.rules
    kind, content = _content(entry, deeper=depth < rules.limits.max_depth)
    if kind in ARCHIVES:
        if content is None or kind == PACKED:
            raise Found("archive_nested")
        _look(kind, content, look, depth + 1)
    elif kind.startswith("image/") and kind != SVG and not _may_lie_there(kind, rules):
        raise Found("archive_image")
    # A bitmap of one colour packs a thousand times smaller; what bounds it is the size of all together.
    large = entry.size >= rules.limits.ratio_from_bytes and kind not in rules.only_in_archive
    if large and entry.size > entry.packed * rules.limits.max_ratio:
        raise Found("archive_ratio")


def _may_lie_there(kind: str, rules: ArchiveRules) -> bool:
    """Say whether a picture of that kind may lie in an archive."""
    return rules.limits.other_images or kind in rules.images or kind in rules.only_in_archive


def _content(entry: Entry, *, deeper: bool) -> tuple[str, bytes | None]:
    """Return what an entry is, and its content if it is an archive that is to be looked into."""
    if entry.read is None:
        return PACKED if _PACKED_ENDINGS.search(entry.name) else (_TYPES.guess_type(entry.name)[0] or ""), None
    chunks = entry.read()
    head = next(chunks, b"")
    kind = sniff_packed(head[:HEAD_BYTES])
    if kind in (ZIP, RAR) and deeper:
        return kind, b"".join([head, *chunks])
    for _ in chunks:  # to its end, where its size and its checksum show
        pass
    return kind, None


def _zip_entries(data: bytes, limits: ArchiveLimits) -> list[Entry]:
    """List a ZIP."""
    # Counted first: the library lists them all, which takes long for a million of them.
    if data.count(_CENTRAL_MARK) > limits.max_entries:
        raise Found("archive_too_many")
    with zipfile.ZipFile(BytesIO(data)) as archive:
        listed = archive.infolist()
    places = [(info, *_zip_place(data, info)) for info in listed]
    # Entries that share bytes make a small file unpack to petabytes, each of them within every limit by itself.
    spans = sorted((info.header_offset, start + info.compress_size) for info, start, _ in places)
    if any(end > begin for (_, end), (begin, _) in pairwise(spans)) or (spans and spans[-1][1] > len(data)):
        raise Found("archive_damaged")
    return [_zip_entry(data, info, start, same) for info, start, same in places]


def _zip_place(data: bytes, info: zipfile.ZipInfo) -> tuple[int, bool]:
    """Return where an entry's packed content begins, and whether its head there has the same name."""
    mark, name_bytes, extra_bytes = _LOCAL.unpack_from(data, info.header_offset)
    begin = info.header_offset + _LOCAL.size
    if mark != b"PK\x03\x04":
        raise Found("archive_damaged")
    charset = "utf-8" if info.flag_bits & 0x800 else "cp437"
    here = data[begin : begin + name_bytes].decode(charset, "replace")
    return begin + name_bytes + extra_bytes, here == info.orig_filename


def _zip_entry(data: bytes, info: zipfile.ZipInfo, start: int, same: bool) -> Entry:
    """Return what a ZIP says of an entry; raise `Found` for a method or name that isn't taken."""
    # A name of its own in the entry's head is seen by some programs
    # and not by others: what we judge is not what is unpacked.
    if not same or "\0" in info.orig_filename:
        raise Found("archive_name")
    locked = bool(info.flag_bits & LOCKED) or info.compress_type == AES
    if not locked and info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Found("archive_method")
    packed = memoryview(data)[start : start + info.compress_size]
    inflate = info.compress_type == zipfile.ZIP_DEFLATED
    return Entry(
        name=info.orig_filename,
        size=info.file_size,
        packed=info.compress_size,
        folder=info.is_dir() and info.file_size == 0,
        link=S_IFMT(info.external_attr >> 16) not in FILE_KINDS,
        locked=locked,
        read=partial(_checked, packed, info.file_size, info.CRC, inflate=inflate),
    )


def _checked(packed: memoryview, size: int, crc: int | None, *, inflate: bool) -> Iterator[bytes]:
    """Yield an entry's content; it must have the size and the checksum that the archive says."""
    seen = total = 0
    for chunk in _inflated(packed, size) if inflate else _pieces(packed):
        total += len(chunk)
        # One piece beyond what is said is enough to know.
        if total > size:
            break
        seen = zlib.crc32(chunk, seen)
        yield chunk
    if total != size or (crc is not None and seen != crc):
        raise Found("archive_damaged")


def _pieces(content: memoryview) -> Iterator[bytes]:
    """Yield a content in pieces."""
    for start in range(0, len(content), CHUNK_BYTES):
        yield bytes(content[start : start + CHUNK_BYTES])


def _inflated(packed: memoryview, size: int) -> Iterator[bytes]:
    """Inflate in pieces, not much beyond the size that the archive says."""
    stream, total, pieces = zlib.decompressobj(-zlib.MAX_WBITS), 0, _pieces(packed)
    chunk = waiting = b""
    while not stream.eof and total <= size:
        # A full chunk may have more behind it that needs no further input.
        if not waiting and len(chunk) < CHUNK_BYTES and not (waiting := next(pieces, b"")):
            break
        chunk = stream.decompress(waiting, CHUNK_BYTES)
        waiting = stream.unconsumed_tail
        total += len(chunk)
        yield chunk
    if not stream.eof or stream.unused_data or next(pieces, b""):
        raise Found("archive_damaged")


def _rar_entries(data: bytes, limits: ArchiveLimits) -> list[Entry]:
    """List a RAR of the fourth or fifth format; what is part of a set of volumes is as good as damaged."""
    blocks: list[Any] = []

    def see(block: Any) -> None:
        blocks.append(block)
        if len(blocks) > BLOCKS_AN_ENTRY * limits.max_entries:
            raise Found("archive_too_many")

    archive = rarfile.RarFile(BytesIO(data), info_callback=see, errors="strict", part_only=True)
    if archive.needs_password():
        raise Found("archive_locked")
    modern = data.startswith(rarfile.RAR5_ID)
    if modern and not any(block.type == rarfile.RAR_BLOCK_ENDARC for block in blocks):
        raise Found("archive_damaged")
    # Streams beside a file carry names of their own, which lead where they like.
    if any(block.type == rarfile.RAR_BLOCK_SUB and block.filename == "STM" for block in blocks):
        raise Found("archive_name")
    files = [block for block in blocks if block.type == rarfile.RAR_BLOCK_FILE]
    return [_rar_entry(data, info) for info in files]


def _rar_entry(data: bytes, info: Any) -> Entry:
    """Return what a RAR says of an entry; raise `Found` where it is part of a set or contradicts itself."""
    split = info.flags & (rarfile.RAR_FILE_SPLIT_BEFORE | rarfile.RAR_FILE_SPLIT_AFTER)
    if split or info.data_offset + info.compress_size > len(data):
        raise Found("archive_damaged")
    # What is compressed would need a program to unpack; its size
    # is taken as the archive says it, under the same limits.
    stored = info.compress_type == rarfile.RAR_M0
    if stored and info.compress_size != info.file_size and not info.needs_password():
        raise Found("archive_link" if info.file_redir is not None else "archive_damaged")
    unix = info.host_os == rarfile.RAR_OS_UNIX
    packed = memoryview(data)[info.data_offset : info.data_offset + info.compress_size]
    return Entry(
        name=info.filename,
        size=info.file_size,
        packed=info.compress_size,
        folder=info.is_dir() and info.file_size == 0,
        link=info.file_redir is not None or (unix and S_IFMT(info.mode) not in FILE_KINDS),
        locked=info.needs_password(),
        read=partial(_checked, packed, info.file_size, info.CRC, inflate=False) if stored else None,
    )

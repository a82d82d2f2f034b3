"""Archives for tests, made byte by byte: ZIPs that say anything, RARs of both formats with stored entries."""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

RAR4, RAR5 = b"Rar!\x1a\x07\0", b"Rar!\x1a\x07\x01\0"
FILE, FOLDER, LINK = 0o100644, 0o040755, 0o120777
DOS_TIME = (2026 - 1980) << 25 | 11 << 21 | 23 << 16


@dataclass(frozen=True, slots=True)
class Packed:
    """An entry of an archive; what is None is said as it is.

    Attributes:
        name: as it stands in the archive.
        content: stored as it is, unless the archive says that it is compressed.
        size: the unpacked size that the archive claims.
        crc: the checksum that it claims.
        mode: kind and rights, as Unix knows them.
        locked: encrypted, says the archive.
        compressed: whether it says so; in a RAR that can't be read here, in a ZIP it is deflated.
        part: it goes on in another volume.
        target: where a link of a RAR5 leads.

    """

    name: str
    content: bytes = b"x"
    size: int | None = None
    crc: int | None = None
    mode: int = FILE
    locked: bool = False
    compressed: bool = False
    part: bool = False
    target: str | None = None


def zipped(entries: Sequence[Packed], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP; what it says wrongly of its entries it says in both places."""
    body, directory = bytearray(), bytearray()
    for entry in entries:
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        size = len(entry.content) if entry.size is None else entry.size
        content, flags, name = _zip_content(entry.content, method), int(entry.locked) | 0x800, entry.name.encode()
        facts = struct.pack("<HHHHIIIHH", flags, method, 0, 33, crc, len(content), size, len(name), 0)
        directory += b"PK\x01\x02\x14\x03\x14\0" + facts
        directory += struct.pack("<HHHII", 0, 0, 0, entry.mode << 16, len(body)) + name
        body += b"PK\x03\x04\x14\0" + facts + name + content
    count = len(entries)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory) + end


def _zip_content(content: bytes, method: int) -> bytes:
    if method != zipfile.ZIP_DEFLATED:
        return content
    packer = zlib.compressobj(6, wbits=-15)
    return packer.compress(content) + packer.flush()


def plain_zip(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP as the standard library makes it."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", method, compresslevel=1) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return written.getvalue()


def rar4(entries: Sequence[Packed], *, locked: bool = False, stream: bool = False) -> bytes:
    """Return a RAR of the format of versions 3 and 4."""
    written = RAR4 + _block4(0x73, 0x80 if locked else 0, bytes(6))
    for entry in entries:
        written += _file4(0x74, entry)
    if stream:
        written += _file4(0x7A, Packed("STM", b":..\\..\\evil"))
    return written + _block4(0x7B, 0x4000, b"")


def _file4(kind: int, entry: Packed) -> bytes:
    name, content = entry.name.encode(), entry.content
    flags = 0x8000 | (0x04 if entry.locked else 0) | (0x02 if entry.part else 0) | (0xE0 if entry.mode == FOLDER else 0)
    if not entry.name.isascii():
        flags |= 0x200
    crc = zlib.crc32(content) if entry.crc is None else entry.crc
    size = len(content) if entry.size is None else entry.size
    method = 0x33 if entry.compressed else 0x30
    facts = struct.pack("<IIBIIBBHI", len(content), size, 3, crc, DOS_TIME, 29, method, len(name), entry.mode)
    return _block4(kind, flags, facts + name) + content


def _block4(kind: int, flags: int, body: bytes) -> bytes:
    head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head


def rar5(entries: Sequence[Packed], *, locked: bool = False, stream: bool = False) -> bytes:
    """Return a RAR of the format of version 5."""
    written = RAR5
    if locked:
        written += _block5(4, 0, vint(0) + vint(0) + b"\x0f" + bytes(16))
    written += _block5(1, 0, vint(0))
    for entry in entries:
        written += _file5(2, entry)
    if stream:
        written += _file5(3, Packed("STM", b":..\\..\\evil"))
    return written + _block5(5, 0, vint(0))


def _file5(kind: int, entry: Packed) -> bytes:
    name, content, extra = entry.name.encode(), entry.content, b""
    crc = zlib.crc32(content) if entry.crc is None else entry.crc
    size = len(content) if entry.size is None else entry.size
    if entry.locked:
        extra += _extra(1, vint(0) + vint(0) + b"\x0f" + bytes(16) + bytes(16))
    if entry.target is not None:
        target = entry.target.encode()
        extra += _extra(5, vint(1) + vint(0) + vint(len(target)) + target)
    facts = vint(4 | (1 if entry.mode == FOLDER else 0)) + vint(size) + vint(entry.mode) + struct.pack("<I", crc)
    facts += vint((3 if entry.compressed else 0) << 7) + vint(1) + vint(len(name)) + name
    flags = 2 | (1 if extra else 0) | (0x10 if entry.part else 0)
    sizes = (vint(len(extra)) if extra else b"") + vint(len(content))
    return _block5(kind, flags, sizes + facts + extra) + content


def _extra(kind: int, body: bytes) -> bytes:
    record = vint(kind) + body
    return vint(len(record)) + record


def _block5(kind: int, flags: int, body: bytes) -> bytes:
    inner = vint(kind) + vint(flags) + body
    head = vint(len(inner)) + inner
    return struct.pack("<I", zlib.crc32(head)) + head


def vint(number: int) -> bytes:
    """Return a number as RAR5 writes it: seven bits a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])

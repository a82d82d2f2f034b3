"""Hostile files: bombs, polyglots, torn, nested, locked and misnamed ones, each with the verdict that it must get."""

import gzip
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import product
from typing import Any

from archive_builder import FOLDER, LINK, Packed, plain_zip, rar4, rar5, zipped
from PIL import Image

MEBIBYTE = 1024 * 1024
OK = None
Maker = Callable[[list[Packed]], bytes]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file and why it must be refused; a reason of None is for what is harmless as it is kept."""

    label: str
    name: str
    data: bytes
    reason: str | None
    declared: str = ""


def picture(form: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    """Return an image of that format that isn't all of one colour."""
    written = BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(written, form, **options)
    return written.getvalue()


def animation(form: str, frames: int) -> bytes:
    """Return an animation of tiny, differing frames."""
    first, *rest = (Image.new("L", (2, 2), n % 256) for n in range(frames))
    written = BytesIO()
    first.save(written, form, save_all=True, append_images=rest, duration=10)
    return written.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width: int, height: int, body: bytes = b"\0" * 1000) -> bytes:
    """Return a small PNG whose head claims a size that its data doesn't have."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(body, 1)) + chunk(b"IEND", b"")


PNG, GIF, JPG, BMP = picture("PNG"), picture("GIF", "P"), picture("JPEG"), picture("BMP")
PROGRESSIVE, WEBP, TIFF = picture("JPEG", progressive=True), picture("WEBP"), picture("TIFF")
PDF, TEXT, PROGRAM = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", b"2026-11-23 error\r\n", b"MZ\x90\0\x03\0\0\0" + bytes(100)
ZIP, RAR_4, RAR_5 = plain_zip({"a.log": TEXT}), rar4([Packed("a.log", TEXT)]), rar5([Packed("a.log", TEXT)])
PAGE, DRAWING = b"<script>alert(1)</script>", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
GOOD = {"png": PNG, "gif": GIF, "jpg": JPG, "zip": ZIP, "rar": RAR_5, "pdf": PDF, "txt": TEXT}
MAKERS: dict[str, tuple[str, Maker]] = {"zip": ("a.zip", zipped), "rar4": ("a.rar", rar4), "rar5": ("a.rar", rar5)}
TRICKS = (
    "../a.txt",
    "a/../../b.txt",
    "..",
    "/etc/passwd",
    "//server/share/a.txt",
    "\\windows\\a.txt",
    "..\\..\\boot.ini",
    "C:/a.txt",
    "c:a.txt",
    "CON",
    "a/nul.txt",
    "lpt1",
    "x/aux",
    "a/.. /b.txt",
    "a\n.txt",
    "a\x1b[2J.txt",
    "gnp\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe",
    ".../a",
    "a" * 600,
    " ",
)


def hostile_files() -> Iterator[Hostile]:
    """Yield all of them, one after the other, so that they don't lie in memory together."""
    yield from _pictures()
    yield from _polyglots()
    yield from _misnamed()
    for kind, (name, make) in MAKERS.items():
        yield from _archives(kind, name, make)
    yield from _zips()
    yield from _rars()
    yield from _costly()


def _pictures() -> Iterator[Hostile]:
    for name, data in (("a.png", PNG), ("a.gif", GIF), ("a.jpg", JPG), ("p.jpg", PROGRESSIVE)):
        for part in range(1, 16):
            length = max(40, len(data) * part // 16)
            yield Hostile(f"{name} torn at {part}/16", name, data[:length], "damaged")
    for side in (8_000, 10_000, 30_000, 65_000):
        gif, jpg = bytearray(GIF), bytearray(JPG)
        gif[6:10] = struct.pack("<HH", side, side)
        place = JPG.index(b"\xff\xc0")
        jpg[place + 5 : place + 9] = struct.pack(">HH", side, side)
        for name, data in (("a.png", png_claiming(side, side)), ("a.gif", bytes(gif)), ("a.jpg", bytes(jpg))):
            yield Hostile(f"{name} of {side} squared", name, data, "too_many_pixels")
    yield Hostile("png of 2^31 squared", "a.png", png_claiming(2**31 - 1, 2**31 - 1), "too_many_pixels")
    yield Hostile("png whose pixels are missing", "a.png", png_claiming(4_000, 4_000), "damaged")
    yield Hostile("png that unfolds", "a.png", png_claiming(1_000, 1_000, bytes(60 * MEBIBYTE)), OK)
    yield Hostile("gif of 1,001 frames", "a.gif", animation("GIF", 1_001), "too_many_frames")
    yield Hostile("png of 1,100 frames", "a.png", animation("PNG", 1_100), "too_many_frames")
    frame = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    bare = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + b"\0" * 3 + frame * 10_000 + b";"
    yield Hostile("gif of 10,000 bare frames", "a.gif", bare, "too_many_frames")
    scan = PROGRESSIVE[PROGRESSIVE.rfind(b"\xff\xda") : -2]
    yield Hostile("jpg of 2,000 scans", "a.jpg", PROGRESSIVE[:-2] + scan * 2_000 + b"\xff\xd9", "too_many_frames")
    large = picture("JPEG", "L", size=(5_000, 5_000), progressive=True)
    scan = large[large.rfind(b"\xff\xda") : -2]
    yield Hostile("jpg of 200 large scans", "a.jpg", large[:-2] + scan * 200 + b"\xff\xd9", OK)
    spoiled = bytearray(JPG)
    spoiled[JPG.index(b"\xff\xc4") + 4 : JPG.index(b"\xff\xc4") + 20] = b"\xff" * 16
    yield Hostile("jpg with broken tables", "a.jpg", bytes(spoiled), "damaged")
    for name, data in (("a.png", PNG), ("a.gif", GIF), ("a.jpg", JPG)):
        yield Hostile(f"{name}: nothing behind the signature", name, data[:8] + b"\0" * 500, "damaged")
    flipped = PNG[:45] + bytes([PNG[45] ^ 1]) + PNG[46:]
    yield Hostile("png with a wrong checksum", "a.png", flipped, "damaged")


def _polyglots() -> Iterator[Hostile]:
    applet = plain_zip({"Evil.class": b"\xca\xfe\xba\xbe"})
    # Kept, handed out as what they begin with, for saving only.
    for name, data in (("a.gif", GIF), ("a.png", PNG), ("a.jpg", JPG)):
        for label, tail in (("zip", applet), ("rar", RAR_5), ("page", PAGE), ("program", PROGRAM)):
            yield Hostile(f"{name} and {label}", name, data + tail, OK)
        yield Hostile(f"{name} called a page", "a.html", data + PAGE, "name")
        yield Hostile(f"{name} called an applet", "a.jar", data + applet, "name")
    yield Hostile("pdf and zip", "a.pdf", PDF + applet, OK)
    yield Hostile("pdf and zip, called zip", "a.zip", PDF + applet, "name")
    yield Hostile("script that begins as a gif", "a.gif", b"GIF89a=1;alert(1)//", "damaged")
    yield Hostile("script in a gif's head", "a.gif", b"GIF89a/*" + b"\0" * 30 + b"*/=1;alert(1)", "damaged")
    yield Hostile("page behind a png's head", "a.png", b"\x89PNG\r\n\x1a\n" + PAGE, "damaged")
    yield Hostile("page behind a jpg's head", "a.jpg", b"\xff\xd8\xff\xe0" + PAGE, "damaged")
    yield Hostile("program with a zip behind it", "a.zip", PROGRAM + applet, "type")
    yield Hostile("page with a zip behind it", "a.zip", PAGE + b"\n" + applet, "type")
    for ending in ("png", "gif", "jpg", "svg", "html", "xhtml", "js", "exe", "bat", "zip", "pdf"):
        yield Hostile(f"drawing called {ending}", f"a.{ending}", DRAWING, "name")
    yield Hostile("page called text", "a.txt", PAGE, OK)
    yield Hostile("drawing called xml", "a.xml", DRAWING, OK)


def _misnamed() -> Iterator[Hostile]:
    for (kind, data), ending in product(GOOD.items(), [*GOOD, "bmp", "exe", "docx"]):
        if ending != kind:
            yield Hostile(f"{kind} called {ending}", f"a.{ending}", data, "name")
    for declared in ("image/gif", "image/bmp", "application/zip", "text/plain"):
        yield Hostile(f"png declared {declared}", "a.png", PNG, "name", declared)
    for ending in ("bmp", "png", "txt", "zip"):
        yield Hostile(f"bmp called {ending}", f"a.{ending}", BMP, "only_in_archive")
    for form, ending in product(("TIFF", "WEBP", "ICO", "PPM", "JPEG2000"), ("png", "jpg")):
        yield Hostile(f"{form} called {ending}", f"a.{ending}", picture(form), "image_type")
    for label, data in (
        ("program", PROGRAM),
        ("elf", b"\x7fELF\x02\x01\x01" + bytes(99)),
        ("chance", bytes(range(256))),
    ):
        for ending in ("txt", "png", "zip"):
            yield Hostile(f"{label} called {ending}", f"a.{ending}", data, "type")
    yield Hostile("nothing", "a.png", b"", "empty")


def _archives(kind: str, name: str, make: Maker) -> Iterator[Hostile]:
    """Yield what can be said in every kind of archive."""

    def case(label: str, reason: str | None, *entries: Packed) -> Hostile:
        return Hostile(f"{kind}: {label}", name, make(list(entries)), reason)

    for trick in TRICKS:
        yield case(f"name {trick!r}"[:60], "archive_name", Packed("a.txt"), Packed(trick))
    yield case("one name twice", "archive_name", Packed("a.txt"), Packed("a.txt", b"y"))
    for mode in (LINK, 0o010644, 0o020644, 0o060644, 0o140777):
        yield case(f"mode {mode:o}", "archive_link", Packed("a.txt", b"/etc/passwd", mode=mode))
    yield case("locked", "archive_locked", Packed("a.txt"), Packed("b.txt", locked=True))
    yield case("1,001 entries", "archive_too_many", *(Packed(f"{n}.txt") for n in range(1_001)))
    yield case("1,000 entries", OK, *(Packed(f"{n}.txt") for n in range(1_000)))
    yield case("10,000 folders", "archive_too_many", *(Packed(f"{n}/", b"", mode=FOLDER) for n in range(10_000)))
    yield case("wrong checksum", "archive_damaged", Packed("a.txt", b"abc", crc=1))
    yield case("bitmap", OK, Packed("shots/a.bmp", BMP), Packed("shots/b.png", PNG), Packed("a.log", TEXT))
    yield case("bitmap, whatever its name", OK, Packed("a.dat", BMP))
    yield case("other picture", "archive_image", Packed("a.webp", WEBP))
    yield case("other picture by another name", "archive_image", Packed("a.log", TEXT), Packed("a.png", TIFF))
    yield case("drawing", OK, Packed("a.svg", DRAWING))
    yield case("umlauts", OK, Packed("Bücher & Co/Ärger.txt", TEXT))
    inner = {
        "zip": ZIP,
        "rar4": RAR_4,
        "rar5": RAR_5,
        "gz": gzip.compress(TEXT),
        "7z": b"7z\xbc\xaf\x27\x1c" + bytes(50),
    }
    inner |= {"bz2": b"BZh91AY&SY", "xz": b"\xfd7zXZ\0\0", "tar": bytes(257) + b"ustar\x0000" + bytes(300)}
    for what, data in inner.items():
        yield case(f"{what} in it", "archive_nested", Packed("a.log", TEXT), Packed(f"a.{what}", data))
        yield case(f"{what} in it, hidden", "archive_nested", Packed("a.log", data))
    good = make([Packed(f"{n}.txt", random.Random(n).randbytes(50).hex().encode()) for n in range(4)])
    for part in range(2, 12):
        yield Hostile(f"{kind} torn at {part}/12", name, good[: len(good) * part // 12 - 1], "archive_damaged")
    whole = make([Packed("a.txt", random.Random(1).randbytes(900))])
    for place in range(100, 900, 100):
        spoiled = whole[:place] + bytes(12) + whole[place + 12 :]
        yield Hostile(f"{kind} overwritten at {place}", name, spoiled, "archive_damaged")


def _zips() -> Iterator[Hostile]:
    def case(label: str, data: bytes, reason: str | None) -> Hostile:
        return Hostile(f"zip: {label}", "a.zip", data, reason)

    yield case("bomb of text", plain_zip({"a.txt": b"a" * 20 * MEBIBYTE}), "archive_ratio")
    yield case("bomb of zeros", plain_zip({"a": bytes(90 * MEBIBYTE)}), "archive_ratio")
    yield case("101 MiB", plain_zip({"a": bytes(101 * MEBIBYTE)}), "archive_too_large")
    yield case(
        "many that are 110 MiB", plain_zip({f"{n}": bytes(10 * MEBIBYTE) for n in range(11)}), "archive_too_large"
    )
    white = picture("BMP", "1", (32, 32))[:62] + b"\xff" * 30 * MEBIBYTE
    yield case("bitmap of one colour", plain_zip({"a.bmp": white}), OK)
    yield case("bitmaps of 120 MiB", plain_zip({f"{n}.bmp": white for n in range(4)}), "archive_too_large")
    short = Packed("a.txt", b"a" * MEBIBYTE, size=10, crc=zlib.crc32(b"a" * 10))
    yield case("says ten bytes, has a million", zipped([short]), "archive_damaged")
    yield case("says a million, has ten", zipped([Packed("a.txt", b"a" * 10, size=MEBIBYTE)]), "archive_damaged")
    yield case("says four gigabytes", zipped([Packed("a.txt", size=2**32 - 2)]), "archive_too_large")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield case(f"method {method}", plain_zip({"a.txt": TEXT}, method), "archive_method")
    for method in (1, 6, 9, 93, 98):
        yield case(f"method {method}", zipped([Packed("a.txt")], method), "archive_method")
    yield case("AES", zipped([Packed("a.txt")], 99), "archive_locked")
    two = bytearray(zipped([Packed("a.txt"), Packed("b.txt")]))
    two[two.index(b"b.txt")] = ord("c")
    yield case("another name in the directory", bytes(two), "archive_name")
    first, second = Packed("a.txt", bytes(5_000)), Packed("b.txt", bytes(5_000))
    overlap = bytearray(zipped([first, second]))
    place = overlap.rindex(b"PK\x01\x02")
    overlap[place + 42 : place + 46] = bytes(4)
    overlap[place + 46 : place + 51] = b"a.txt"
    yield case("two entries on one place", bytes(overlap), "archive_damaged")
    shared = bytearray(zipped([replace(first, name="a"), replace(second, name="b")]))
    place = shared.index(b"PK\x01\x02")
    packed = struct.unpack_from("<I", shared, place + 20)[0]
    struct.pack_into("<I", shared, place + 20, packed + 10)
    yield case("an entry that reaches into the next", bytes(shared), "archive_damaged")
    yield case("nothing in it", plain_zip({}), OK)
    yield case("end mark alone", b"PK\x05\x06" + bytes(17), "archive_damaged")
    yield case("heads alone", b"PK\x03\x04" * 6_000_000, "archive_damaged")
    yield case("half a million directory marks", ZIP[:-22] + b"PK\x01\x02" * 500_000 + ZIP[-22:], "archive_too_many")
    yield case("directory elsewhere", ZIP[:-6] + struct.pack("<I", 2**31) + ZIP[-2:], "archive_damaged")
    yield case("stored", plain_zip({"a.txt": TEXT}, zipfile.ZIP_STORED), OK)
    yield case("folders", plain_zip({"a/": b"", "a/b/c.txt": TEXT, "./d.txt": TEXT}), OK)
    yield case("NUL in a name", zipped([Packed("a.txt\0.png")]), "archive_name")
    yield case("applet", plain_zip({"META-INF/MANIFEST.MF": TEXT, "Evil.class": b"\xca\xfe\xba\xbe"}), OK)
    deep = ZIP
    for level in range(6):
        deep = plain_zip({f"{level}.zip": deep})
    yield case("six levels", deep, "archive_nested")


def _rars() -> Iterator[Hostile]:
    for kind, make in (("rar4", rar4), ("rar5", rar5)):

        def case(label: str, data: bytes, reason: str | None, kind: str = kind) -> Hostile:
            return Hostile(f"{kind}: {label}", "a.rar", data, reason)

        bomb = Packed("a.txt", b"x" * 1000, size=50 * MEBIBYTE, compressed=True)
        yield case("compressed", make([replace(bomb, size=4_000)]), OK)
        yield case("compressed bomb", make([bomb]), "archive_ratio")
        yield case("compressed bitmap of one colour", make([replace(bomb, name="a.bmp")]), OK)
        yield case("compressed, 101 MiB", make([replace(bomb, size=101 * MEBIBYTE)]), "archive_too_large")
        yield case("compressed archive", make([replace(bomb, name="a.ZIP", size=2_000)]), "archive_nested")
        yield case("compressed picture", make([replace(bomb, name="a.tiff", size=2_000)]), "archive_image")
        yield case("stored, size not its own", make([Packed("a.txt", b"abc", size=5)]), "archive_damaged")
        yield case("goes on elsewhere", make([Packed("a.txt", part=True)]), "archive_damaged")
        yield case("directory locked", make([Packed("a.txt")], locked=True), "archive_locked")
        yield case("stream that leads out", make([Packed("a.txt")], stream=True), "archive_name")
        yield case("nothing in it", make([]), OK)
        yield case("folder", make([Packed("a", b"", mode=FOLDER), Packed("a/b.txt", TEXT)]), OK)
    yield Hostile("rar5: link", "a.rar", rar5([Packed("a", b"", target="../../etc/passwd")]), "archive_link")
    yield Hostile("rar5: NUL in a name", "a.rar", rar5([Packed("a.txt\0.png")]), OK)
    yield Hostile("rar: signature alone", "a.rar", b"Rar!\x1a\x07\x01\0" + bytes(range(200)), "archive_damaged")
    blocks = rar4([])[:20] + (b"\x5c\x3d\x77\0\0\x07\0") * 3_000_000
    yield Hostile("rar4: empty blocks", "a.rar", blocks, "archive_damaged")


def _costly() -> Iterator[Hostile]:
    """Yield what is large, or made to be read for long."""
    comment = b"\0\0\0\0tEXt" + struct.pack(">I", zlib.crc32(b"tEXt"))
    yield Hostile("25 MB of zeros", "a.txt", bytes(25_000_000), "type")
    yield Hostile("25 MB of text", "a.txt", b"a" * 25_000_000, OK)
    yield Hostile(
        "gif of empty blocks", "a.gif", b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\1a\0" * 5_000_000 + b";", "too_complex"
    )
    yield Hostile("jpg of padding", "a.jpg", b"\xff\xd8" + b"\xff" * 25_000_000, "damaged")
    yield Hostile("jpg of markers", "a.jpg", b"\xff\xd8" + b"\xff\xe0\0\2" * 6_000_000 + b"\xff\xd9", "damaged")
    yield Hostile("png of empty chunks", "a.png", PNG[:33] + comment * 2_000_000 + PNG[33:], "too_complex")
    yield Hostile("26 MB", "a.txt", b"a" * (25 * MEBIBYTE + 1), "too_large")

"""Attachments are judged by content: PNG, GIF and JPG whole and of bearable size, BMP only packed (clause 4.6)."""

import random
import resource
import struct
import time
import zipfile
import zlib
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from archive_builder import Packed, rar5
from firstline.intake.content import sniff
from firstline.intake.files import FileRules, FileVerdict, judge, safe_name
from PIL import Image

RULES = FileRules(
    images={"image/png": ("png",), "image/gif": ("gif",), "image/jpeg": ("jpg", "jpeg")},
    only_in_archive={"image/bmp": ("bmp",)},
    archives={"application/zip": ("zip",), "application/vnd.rar": ("rar",)},
    others={"text/plain": ("txt", "log", "csv"), "application/pdf": ("pdf",)},
    max_bytes=25 * 1024 * 1024,
)


def picture(form: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    """Return an image of that format that isn't all of one colour."""
    image = Image.linear_gradient("L").resize(size).convert(mode)
    written = BytesIO()
    image.save(written, form, **options)
    return written.getvalue()


def animation(form: str, frames: int) -> bytes:
    """Return an animation of tiny, differing frames."""
    first, *rest = (Image.new("L", (2, 2), n % 256) for n in range(frames))
    written = BytesIO()
    first.save(written, form, save_all=True, append_images=rest, duration=10)
    return written.getvalue()


def archive(*names: str) -> bytes:
    """Return a ZIP with these files."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        for name in names:
            packed.writestr(name, b"x")
    return written.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """Return a small PNG whose head claims a size that its data doesn't have."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


PNG, GIF, JPG, BMP = picture("PNG"), picture("GIF", "P"), picture("JPEG"), picture("BMP")
RAR = rar5([Packed("a.bmp", BMP)])


def rejected(name: str, data: bytes, declared: str = "application/octet-stream") -> tuple[str | None, str | None]:
    """Return reason and advice for a file, which must be rejected."""
    verdict = judge(name, declared, data, RULES)
    assert verdict.status == "rejected"
    return verdict.reason, verdict.advice


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.png", PNG, "image/png"),
        ("a.PNG", PNG, "image/png"),
        ("a.gif", GIF, "image/gif"),
        ("a.jpg", JPG, "image/jpeg"),
        ("a.jpeg", JPG, "image/jpeg"),
        ("p.jpg", picture("JPEG", progressive=True), "image/jpeg"),
        ("g.png", picture("PNG", "L"), "image/png"),
        ("w.gif", animation("GIF", 50), "image/gif"),
        ("w.png", animation("PNG", 50), "image/png"),
        ("tail.jpg", JPG + b"\0" * 500 + b"maker's notes", "image/jpeg"),
        ("a.zip", archive("a.bmp"), "application/zip"),
        ("empty.zip", archive(), "application/zip"),
        ("a.rar", RAR, "application/vnd.rar"),
        ("a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        ("a.log", b"2026-11-23 ERROR \x1b[31mred\x1b[0m\r\n", "text/plain"),
        ("a.txt", "Grüße".encode("cp1252"), "text/plain"),
        ("a.txt", "Grüße".encode("utf-16"), "text/plain"),
        ("bmw.txt", b"BMW and other cars of the fleet, and more text", "text/plain"),
        ("a.csv", b"GIF87,GIF\n1,2\n", "text/plain"),
    ],
)
def test_files_of_the_policy_are_taken(name: str, data: bytes, kind: str) -> None:
    """What the policy lists is taken under its own name, as what its content is."""
    assert judge(name, "application/octet-stream", data, RULES) == FileVerdict("ok", kind, name)


def test_bitmap_is_taken_only_packed() -> None:
    """A raw BMP is refused with the advice to pack it, whatever its name; packed it is taken."""
    for name in ("a.bmp", "a.png", "a"):
        assert rejected(name, BMP, "image/bmp") == ("only_in_archive", "only_in_archive")
    assert judge("a.zip", "application/zip", archive("a.bmp"), RULES).status == "ok"


@pytest.mark.parametrize("form", ["TIFF", "WEBP", "ICO", "PPM", "JPEG2000"])
def test_other_images_are_refused(form: str) -> None:
    """Raster images of other formats are refused with the advice for images, also under a good name."""
    assert rejected("a.png", picture(form)) == ("image_type", "image")


@pytest.mark.parametrize(
    "data",
    [
        b"MZ\x90\0\x03\0\0\0" + bytes(100),
        b"\x7fELF\x02\x01\x01" + bytes(100),
        b"7z\xbc\xaf\x27\x1c" + bytes(100),
        b"\x1f\x8b\x08" + bytes(100),
        bytes(range(256)),
        b"text with\0NUL",
        b"\xff\xfe\x00\xd8broken utf-16",
    ],
)
def test_other_files_are_refused(data: bytes) -> None:
    """Programs, unlisted archives and unknown binary data are refused, whatever they are called."""
    assert rejected("a.txt", data) == ("type", "other")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", JPG),
        ("a.jpg", PNG),
        ("a.exe", PNG),
        ("a.png.exe", PNG),
        ("a.html", b"<script>alert(1)</script>"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("a.png", b"<svg/>"),
        ("a.docx", archive("word/document.xml")),
        ("a.bat", b"del *.*"),
        ("a.zip", RAR),
        ("a.pdf", b"text"),
    ],
)
def test_name_must_fit_the_content(name: str, data: bytes) -> None:
    """An ending that isn't the content's is refused, so that nothing opens as something else."""
    assert rejected(name, data)[0] == "name"


def test_declared_type_must_not_contradict() -> None:
    """A declared type that the policy knows and the content isn't is refused; vague and unknown ones don't matter."""
    assert rejected("a.png", PNG, "image/jpeg") == ("name", "image")
    assert rejected("a.png", PNG, "Image/BMP; x=y") == ("name", "image")
    for declared in ("image/png", "IMAGE/PNG; name=a", "image/x-png", "application/octet-stream", "", "nonsense"):
        assert judge("a.png", declared, PNG, RULES).status == "ok"


@pytest.mark.parametrize(
    ("data", "name"), [(PNG, "shot.png"), (JPG, "shot.jpg"), (b"text", "shot.txt"), (archive("x"), "shot.zip")]
)
def test_file_without_ending_gets_its_own(data: bytes, name: str) -> None:
    """A name without an ending, as pasted screenshots have, is completed by the content."""
    assert judge("shot", "", data, RULES).name == name


@pytest.mark.parametrize("size", [0, 1])
def test_size_is_limited(size: int) -> None:
    """An empty file and one byte too many are refused; the limit itself is fine."""
    rules = replace(RULES, max_bytes=len(PNG))
    assert judge("a.png", "", PNG, rules).status == "ok"
    verdict = judge("a.png", "", PNG + b"x" * size if size else b"", rules)
    assert (verdict.status, verdict.reason) == ("rejected", "too_large" if size else "empty")
    assert verdict.advice == ("size" if size else "other")


@pytest.mark.parametrize(
    ("name", "data"), [("a.png", PNG), ("a.gif", GIF), ("a.jpg", JPG), ("p.jpg", picture("JPEG", progressive=True))]
)
def test_truncated_image_is_damaged(name: str, data: bytes) -> None:
    """An image that breaks off, anywhere, is refused."""
    for length in range(12, len(data) - 12, 7):
        assert rejected(name, data[:length])[0] in {"damaged", "name", "type"}
    assert rejected(name, data[: len(data) // 2]) == ("damaged", "image")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.gif", b"GIF89a<script>alert(1)</script>"),
        ("a.gif", b"GIF89a" + archive("x.class")),
        ("a.png", b"\x89PNG\r\n\x1a\n<svg/>"),
        ("a.jpg", b"\xff\xd8\xff\xe0<html>"),
        ("a.jpg", b"\xff\xd8\xff\xd9"),
        ("a.png", PNG[:40] + b"\0" + PNG[41:]),
    ],
)
def test_pretended_image_is_damaged(name: str, data: bytes) -> None:
    """A good beginning makes no image."""
    assert rejected(name, data) == ("damaged", "image")


@pytest.mark.parametrize("side", [8_000, 10_000, 65_000])
def test_pixel_bomb_is_refused_by_its_head(side: int) -> None:
    """A small file that would unfold to gigabytes is refused before any of it is decoded."""
    gif = bytearray(GIF)
    gif[6:10] = struct.pack("<HH", side, side)
    assert rejected("a.png", png_claiming(side, side)) == ("too_many_pixels", "image")
    assert rejected("a.gif", bytes(gif)) == ("too_many_pixels", "image")


@pytest.mark.parametrize(("form", "name"), [("GIF", "a.gif"), ("PNG", "a.png")])
def test_endless_animation_is_refused(form: str, name: str) -> None:
    """More than a thousand frames are no screenshot; six hundred are taken."""
    assert judge(name, "", animation(form, 600), RULES).status == "ok"
    assert rejected(name, animation(form, 1_100)) == ("too_many_frames", "image")


def test_frames_without_control_blocks_count_too() -> None:
    """A GIF that leaves out everything optional can't hide its frames."""
    frame = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    data = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + b"\0" * 3 + frame * 5_000 + b";"
    assert rejected("a.gif", data)[0] == "too_many_frames"


def test_jpeg_of_many_scans_is_refused() -> None:
    """A progressive JPEG of thousands of scans would take minutes to show."""
    data = picture("JPEG", progressive=True)
    scan = data[data.rfind(b"\xff\xda") : -2]
    assert rejected("a.jpg", data[:-2] + scan * 2_000 + b"\xff\xd9") == ("too_many_frames", "image")


def test_large_honest_images_pass() -> None:
    """A screen of 8,000 by 5,000 pixels, and noise that holds every pair of bytes, are taken."""
    assert judge("a.png", "", picture("PNG", "L", (8_000, 5_000)), RULES).status == "ok"
    noise = Image.frombytes("RGB", (1_500, 1_500), random.Random(1).randbytes(1_500 * 1_500 * 3))
    for form, name in (("PNG", "a.png"), ("JPEG", "a.jpg"), ("GIF", "a.gif")):
        written = BytesIO()
        noise.save(written, form)
        assert judge(name, "", written.getvalue(), RULES).status == "ok"


COSTLY = {
    "zeros": b"\0" * 25_000_000,
    "text": b"a" * 25_000_000,
    "GIF of empty blocks": b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\1a\0" * 5_000_000 + b";",
    "JPEG of padding": b"\xff\xd8" + b"\xff" * 25_000_000,
    "JPEG of empty markers": b"\xff\xd8" + b"\xff\xd0" * 12_000_000 + b"\xff\xd9",
    "JPEG of markers": b"\xff\xd8" + b"\xff\xe0\0\2" * 6_000_000 + b"\xff\xd9",
    "PNG of empty chunks": PNG[:33] + (b"\0\0\0\0tEXt" + struct.pack(">I", zlib.crc32(b"tEXt"))) * 2_000_000 + PNG[33:],
    "ZIP beginning": b"PK\x03\x04" * 6_000_000,
}


@pytest.mark.parametrize("data", COSTLY.values(), ids=COSTLY)
def test_any_file_is_cheap(data: bytes) -> None:
    """S5: no file takes more than two seconds of CPU time, or much memory, to be judged."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert judge("a", "", data, RULES).reason != "name"
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024


def test_damaged_files_raise_nothing() -> None:
    """Thousands of mutants of all kinds get a verdict, and what is taken says what it is."""
    chance = random.Random(2)
    originals = [
        ("a.png", PNG),
        ("a.gif", GIF),
        ("a.jpg", JPG),
        ("a.bmp", BMP),
        ("a.zip", archive("a", "b")),
        ("a", RAR),
    ]
    for _ in range(3_000):
        name, original = chance.choice(originals)
        data = bytearray(original)
        for _ in range(chance.choice((1, 3, 10))):
            place = chance.randrange(len(data))
            data[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        verdict = judge(name, "", bytes(data), RULES)
        assert (verdict.status == "ok") == (verdict.reason is None) == (verdict.advice is None)
        assert verdict.status == "rejected" or verdict.sniffed_type in RULES.taken


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"", "text/plain"), (b"\x01\x02\x03", "application/octet-stream"), (b"II*\0" + bytes(20), "image/tiff")],
)
def test_sniffing_names_something(data: bytes, kind: str) -> None:
    """Every content has a type, if only the general one."""
    assert sniff(data) == kind


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("shot.png", "shot.png"),
        ("Bücher & Co (1).png", "Bücher & Co (1).png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\a\\b.png", "b.png"),
        ("/", "attachment"),
        ("", "attachment"),
        ("...", "attachment"),
        (".htaccess", "htaccess"),
        ("a.png.", "a.png"),
        ("a.png ", "a.png"),
        (" a   b .png", "a b.png"),
        ("a\0b\r\nc.png", "abc.png"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe", "gnp.exe"),
        ("a\N{ZERO WIDTH SPACE}.png", "a.png"),
        ("a\udc80.png", "a.png"),
        ('a<b>:"|?*.png', "a b.png"),
        ("con", "attachment-con"),
        ("NUL.txt", "attachment-NUL.txt"),
        ("console.txt", "console.txt"),
        ("u\N{COMBINING DIAERESIS}.png", "ü.png"),
        ("a" * 500 + ".jpeg", "a" * 115 + ".jpeg"),
        ("a" * 500, "a" * 120),
        ("a." + "b" * 500, "a." + "b" * 118),
    ],
)
def test_name_is_harmless(name: str, safe: str) -> None:
    """No path, device, hidden file, control character or reversed text is left in a name, nor is it long."""
    assert safe_name(name) == safe
    assert safe_name(safe) == safe

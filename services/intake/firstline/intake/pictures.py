"""Whether a picture is one (clause 4.6): measured by its head, bounded in its pieces, then decoded.

Pictures are kept as they came, with whatever their maker wrote into them; no smaller copies are made.
"""

from io import BytesIO
from typing import Final, Literal

from PIL import Image

from firstline.intake.content import GIF, JPEG, PNG

PictureFault = Literal["damaged", "too_many_pixels", "too_many_frames", "too_complex"]

IMAGE_HEAD_BYTES: Final = 1024 * 1024
MAX_BLOCKS: Final = 20_000
PNG_CHUNK_BYTES: Final = 12
PNG_SIGNATURE_BYTES: Final = 8
DECODED_PIXELS: Final = 20_000_000
"""Pixels, times the scans of a JPEG, that are decoded; of a larger picture the structure alone is checked."""
JPEG_SCALE: Final = 8
FORMATS: Final = {PNG: "PNG", GIF: "GIF", JPEG: "JPEG"}
# What begins a frame (a scan, in JPEG); what looks like one by chance stays far below any limit.
_FRAME_MARKS: Final = {PNG: b"fcTL", GIF: b"\0,", JPEG: b"\xff\xda"}


def picture_fault(kind: str, data: bytes, max_pixels: int, max_frames: int) -> PictureFault | None:
    """Return what is wrong with a PNG, GIF or JPEG; None if it can be taken.

    Raises:
        MemoryError: it takes more memory than there is.

    """
    # Counted in the raw bytes, before the library goes through
    # them one by one: a GIF of a million frames takes it minutes.
    frames = data.count(_FRAME_MARKS[kind])
    if frames > max_frames:
        return "too_many_frames"
    if _blocks(kind, data) > MAX_BLOCKS:
        return "too_complex"
    try:
        return _decoded(kind, data, max_pixels, frames if kind == JPEG else 1)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return "too_many_pixels"
    except MemoryError:
        raise
    except Exception:  # the image library raises many kinds of errors on images made to hurt
        return "damaged"


def _decoded(kind: str, data: bytes, max_pixels: int, scans: int) -> PictureFault | None:
    """Measure a picture, then decode it; raise one of many errors when something is broken."""
    # A JPEG's head is read marker by marker, which takes long for millions of them.
    source = data[:IMAGE_HEAD_BYTES] if kind == JPEG else data
    with Image.open(BytesIO(source), formats=[FORMATS[kind]]) as image:
        pixels = image.width * image.height
        if pixels > max_pixels:
            return "too_many_pixels"
        if not _is_whole(kind, data, image):
            return "damaged"
    # A progressive JPEG is decoded once for each scan, so a small one may cost as much as a large picture.
    if kind != GIF and pixels * scans <= DECODED_PIXELS:
        _decode(kind, data)
    return None


def _blocks(kind: str, data: bytes) -> int:
    """Return how many blocks the image library would go through, counted up to one more than are allowed."""
    if kind == GIF:
        return data.count(b"\0!")
    place, count = PNG_SIGNATURE_BYTES, 0
    while kind == PNG and place < len(data) and count <= MAX_BLOCKS:
        place += PNG_CHUNK_BYTES + int.from_bytes(data[place : place + 4], "big")
        count += 1
    return count


def _is_whole(kind: str, data: bytes, image: Image.Image) -> bool:
    """Tell whether nothing is missing at the end; raise one of many errors when something is broken."""
    if kind == GIF:
        image.load()
    else:
        image.verify()
    return kind != JPEG or data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") >= 0


def _decode(kind: str, data: bytes) -> None:
    """Decode the pixels, those of a JPEG at an eighth of its size; raise one of many errors when they are broken."""
    with Image.open(BytesIO(data), formats=[FORMATS[kind]]) as image:
        if kind == JPEG:
            # An eighth of the size finds the same broken data at a
            # fraction of the cost: a JPEG is decoded in blocks of eight.
            image.draft(None, (image.width // JPEG_SCALE, image.height // JPEG_SCALE))
        image.load()

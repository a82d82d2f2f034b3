"""Which attachments are taken (clause 4.6): judged by their content, then by whether name and declared type fit it."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Self

from firstline.intake.archives import DEVICE, ArchiveFault, ArchiveLimits, ArchiveRules, archive_fault
from firstline.intake.content import UNKNOWN, sniff
from firstline.intake.pictures import PictureFault, picture_fault

Advice = Literal[
    "image",
    "only_in_archive",
    "other",
    "size",
    "locked",
    "nested",
    "unsafe",
    "expanded",
    "unreadable",
    "costly",
    "infected",
    "checking",
]
"""Which of the policy's texts tells the sender what to do."""

Reason = (
    Literal["empty", "too_large", "only_in_archive", "image_type", "type", "name", "too_costly", "infected"]
    | PictureFault
    | ArchiveFault
)

MAX_NAME_CHARS: Final = 120
MAX_ENDING_CHARS: Final = 10
READ_TEXT_BYTES: Final = 256 * 1024
UNNAMED: Final = "attachment"

_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')
_ADVICE: Final[Mapping[str, Advice]] = {
    "too_large": "size",
    "only_in_archive": "only_in_archive",
    "archive_damaged": "unreadable",
    "archive_method": "unreadable",
    "archive_locked": "locked",
    "archive_too_large": "expanded",
    "archive_too_many": "expanded",
    "archive_ratio": "expanded",
    "archive_nested": "nested",
    "archive_name": "unsafe",
    "archive_link": "unsafe",
    "archive_image": "image",
    "too_costly": "costly",
    "infected": "infected",
}


@dataclass(frozen=True, slots=True)
class FileRules:
    """What the policy takes: media types with the endings (lower case, without the dot) that go with them.

    Attributes:
        images: checked by decoding; PNG, GIF and JPEG are known.
        only_in_archive: not taken as they are.
        archives: looked into; ZIP and RAR are known.
        others: everything else that is taken.
        max_bytes: size of a file.
        max_pixels: width times height of an image.
        max_frames: frames of an animation, scans of a JPEG.
        inside: how much an archive may hold.

    """

    images: Mapping[str, tuple[str, ...]]
    only_in_archive: Mapping[str, tuple[str, ...]]
    archives: Mapping[str, tuple[str, ...]]
    others: Mapping[str, tuple[str, ...]]
    max_bytes: int
    max_pixels: int = 50_000_000
    max_frames: int = 1_000
    inside: ArchiveLimits = field(default_factory=ArchiveLimits)

    @property
    def taken(self) -> dict[str, tuple[str, ...]]:
        """All types that can be taken as they are."""
        return {**self.images, **self.archives, **self.others}

    def to_json(self) -> dict[str, Any]:
        """Return the rules as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Build the rules from `to_json`'s object."""
        types = {
            name: {kind: tuple(endings) for kind, endings in document[name].items()}
            for name in ("images", "only_in_archive", "archives", "others")
        }
        return cls(**{**document, **types, "inside": ArchiveLimits(**document["inside"])})


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """Whether a file is taken, as what, under which name, and why not.

    `text` is what a small text file says, for those who look for secrets in it; None of all others.
    """

    status: Literal["ok", "rejected", "held"]
    sniffed_type: str
    name: str
    reason: Reason | None = None
    advice: Advice | None = None
    text: str | None = field(default=None, compare=False, repr=False)


def judge(name: str, declared_type: str, data: bytes, rules: FileRules) -> FileVerdict:
    """Judge a file by its whole content.

    This decodes images and reads archives: it belongs into a process with limits of its own (`firstline.intake.judge`).

    Raises:
        MemoryError: the file takes more memory than there is.

    What can be refused without decoding is looked at first, so that a wrong file costs a look at its head.
    """
    # By content first: names and declared types are the sender's words, and a wrong one is refused below.
    kind = sniff(data)
    plain = safe_name(name)
    # A name without an ending gets that of its content, since browsers open by it.
    if "." not in plain and kind in rules.taken:
        plain = f"{plain}.{rules.taken[kind][0]}"
    reason = _objection(plain, declared_type, kind, data, rules)
    if reason is None:
        return FileVerdict("ok", kind, plain, text=_text(kind, data))
    return refusal(reason, plain, kind)


def refusal(reason: Reason, name: str, kind: str = UNKNOWN) -> FileVerdict:
    """Return the verdict on a file that can't be taken."""
    otherwise: Advice = "image" if kind.startswith("image/") else "other"
    return FileVerdict("rejected", kind, safe_name(name), reason, _ADVICE.get(reason, otherwise))


def _text(kind: str, data: bytes) -> str | None:
    """Return what a small text file says."""
    # Secrets pasted into files stand in small ones; reading every log for them would be the dearest part of an upload.
    if kind != "text/plain" or len(data) > READ_TEXT_BYTES:
        return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


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
    return _fault(kind, data, rules)


def _fault(kind: str, data: bytes, rules: FileRules) -> Reason | None:
    """Return what is wrong inside a picture or an archive."""
    if kind in rules.images:
        return picture_fault(kind, data, rules.max_pixels, rules.max_frames)
    if kind in rules.archives:
        return archive_fault(kind, data, ArchiveRules(rules.inside, rules.images, rules.only_in_archive))
    return None


def _fits(name: str, declared_type: str, kind: str, rules: FileRules) -> bool:
    """Tell whether the ending belongs to the content, and the declared type isn't another one that is known."""
    declared = declared_type.partition(";")[0].strip().lower()
    # A type that nobody knows contradicts nothing: senders' programs invent some.
    contradicts = declared != kind and (declared in rules.taken or declared in rules.only_in_archive)
    return name.rpartition(".")[2].lower() in rules.taken[kind] and not contradicts


def safe_name(name: str) -> str:
    """Return a file name that means no path, device or hidden file anywhere and shows what it is.

    Invisible characters go, so that nothing turns `gpj.exe` around.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    visible = "".join(c for c in last if not unicodedata.category(c).startswith("C"))
    plain = " ".join(_FORBIDDEN.sub(" ", visible).split()).strip(". ")
    # Windows opens a device by such a name, in any folder and with any ending.
    if not plain or DEVICE.match(plain):
        plain = f"{UNNAMED}-{plain}".rstrip("-")
    stem, dot, ending = plain.rpartition(".")
    if not dot or len(ending) > MAX_ENDING_CHARS:
        return plain[:MAX_NAME_CHARS].rstrip(". ")
    return f"{stem[: MAX_NAME_CHARS - len(ending) - 1].rstrip('. ')}.{ending}"

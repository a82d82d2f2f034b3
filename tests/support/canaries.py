"""Secrets that tests plant, and the search for them in all that left a desk, whatever form their bytes took (S1).

A canary begins with a stem of letters and digits alone, which percent-encoding, JSON, HTML and quoted-printable leave
as they are; base64, hexadecimal digits and UTF-16 have forms of their own, and broken lines are joined.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from secrets import token_hex

TAIL = "-é&\"'<=%7/+ü"
HEAD = 4096
"""Bytes at a file's beginning that tell whether it is text, whose broken lines are joined; a server breaks none."""

KINDS = {
    "licence_key": ("key",),
    "web_admin": ("address", "login", "password"),
    "ftp": ("address", "login", "password"),
    "ssh": ("address", "login", "password", "private_key"),
    "control_panel": ("address", "login", "password"),
}
"""The kinds of access data of the default policy, with their fields."""

_BREAKS = re.compile(rb"=?\r?\n[ \t]?|\\+r\\+n|\\+n")


@dataclass(frozen=True)
class Canaries:
    """The secrets of one test: all begin with a stem that nothing else has."""

    stem: str = field(default_factory=lambda: f"Kanarie{token_hex(6)}")
    witness: str = field(default_factory=lambda: f"Zeuge{token_hex(6)}")
    """A word beside the secrets that is none: where it is not found, nothing was searched."""

    def secret(self, name: str = "") -> str:
        """Return a secret with what encodings change behind its stem."""
        return f"{self.stem}{name}{TAIL}"

    @property
    def access(self) -> dict[str, dict[str, str]]:
        """Access data of every kind, each field a secret."""
        return {kind: {name: self.secret(f"{kind}{name}") for name in names} for kind, names in KINDS.items()}

    @property
    def pasted(self) -> str:
        """A text as people paste their access data into it."""
        return f"Login: clara\nPassword: {self.secret('pasted')}\nThe list is slow, says {self.witness}."

    @property
    def witnesses(self) -> "Canaries":
        """The search for the witness in place of the secrets."""
        return Canaries(self.witness)

    @cached_property
    def forms(self) -> tuple[bytes, ...]:
        """The stem in every form that is looked for."""
        plain = self.stem.encode()
        wide = [self.stem.encode(name) for name in ("utf-16-le", "utf-16-be")]
        digits = [plain.hex().encode(), plain.hex().upper().encode()]
        return (plain, *_base64(plain), *wide, *digits)

    def is_in(self, blob: bytes | str) -> bool:
        """Say whether a secret is in something."""
        data = blob.encode("utf-8", "surrogateescape") if isinstance(blob, str) else blob
        if any(form in data for form in self.forms):
            return True
        if b"\0" in data[:HEAD]:
            return False
        joined = _BREAKS.sub(b"", data)
        return any(form in joined for form in self.forms)

    def holders(self, *places: Path) -> list[Path]:
        """Return the files in which a secret is found, below folders or the files named."""
        return [path for path in _files(places) if self.is_in(_content(path))]


def _base64(plain: bytes) -> Iterator[bytes]:
    """Return what of the base64 of some bytes is the same whatever stands around them, for each place in three."""
    for before in range(3):
        text = b64encode(bytes(before) + plain)
        inner = text[(before * 8 + 5) // 6 : (before + len(plain)) * 8 // 6]
        yield inner
        if inner != (safe := inner.translate(bytes.maketrans(b"+/", b"-_"))):
            yield safe


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from (path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]


def _content(path: Path) -> bytes:
    """Return a file's content; a server may have removed it meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""

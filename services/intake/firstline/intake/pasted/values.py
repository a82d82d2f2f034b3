"""What a secret in a text may look like: reading the value behind a label, and how much it looks like a secret.

Every expression is matched at one place and over a bounded stretch, so that time grows with the text's length only.
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from math import log2
from typing import Final

from firstline.common.policy.pasted import SecretKind

MAX_VALUE: Final = 200
"""Characters of a value that are looked at."""

LEAST_CHARS: Final = 3
LEAST_DIGITS: Final = 4
MOST_DIGITS: Final = 20
LEAST_LETTERS: Final = 4
STRONG_CHARS: Final = 5
VERY_CLASSES: Final = 3
LEAST_ENTROPY: Final = 2.8
MAX_LINE: Final = 400
"""Characters of a line that are looked at to either side of a place."""

_QUOTES: Final = {'"': '"', "'": "'", "`": "`", "«": "»", "“": "”", "„": "“", "\u2018": "\u2019", "”": "”"}
_OPENING: Final = " \t\u00a0*([{<"
_CLOSING: Final = ".,;:)]}>*"
_TOKEN: Final = re.compile(r"\S{1,200}")

_PLACEHOLDER: Final = re.compile(
    r"[*•·.x_?#…-]+|\$\{.*|\{\{.*|\{[\w. -]*\}?|<[^>]*>?|%\(?\w*\)?[sd]?%?|\$\(.*|\$[A-Za-z_]+(?:\W.*)?"
    r"|@[A-Za-z_]+|:[a-z_]+|#\{.*|!(?:vault|secret|include|env)|[\w-]+=[\w-]+|\w+=[<{$].*|=\w+(?:[:.]\w+)*|\w+>.*|#(?:[0-9a-f]{3}){1,2}"
    r"|(?:.*[_-])?(?:pass(?:word|wort|wd)?|pwd|contraseña|contrasena|senha|has[łl]o|parola|[şs]ifre|пароль|secret|key|token)[_-]"
    r"(?:here|goes[_-]here|hier|ici|qui|aqu[ií]|aqui|tutaj|buraya|здесь|тут)|(?:your|my|new|deine?|ihr|mein|votre|mon|tu|su|sua|seu|tuo|twoje|ваш|мой|свой)"
    r"[_-](?:\w+[_-])?(?:pass(?:word|wort|wd)?|pwd|contraseña|contrasena|senha|has[łl]o|parola|[şs]ifre(?:niz)?|пароль|secret|key|token)(?:[_-]\w+)?",
    re.IGNORECASE | re.DOTALL,
)
_CODE: Final = re.compile(r"(?:[A-Za-z_]{3,}[\w.]*|(?:md|sha|crc|b)\d+)(?:(?:->|::|\.)[A-Za-z_]\w*)*[(\[].*", re.DOTALL)
_ATTRIBUTE: Final = re.compile(r"(?:self|this|user|request|req|config|settings|os|process|data|form|args|params)[.\[-]")
_ADDRESS: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_WEB: Final = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}://|www\.)", re.IGNORECASE)
_ENDINGS: Final = (
    "php|js|ts|css|txt|html?|xml|json|ya?ml|ini|conf|cfg|env|log|md|pdf|docx?|xlsx?|csv|png|jpe?g|gif|zip|gz|tar|py|sh|sql"
    "|ovpn|ppk|p12|pfx|crt|cer|bak|tpl|tmp|msg|eml|ics|mp4|avi|exe|msi|dmg|apk|doc|xls|ppt|rtf|svg|bmp|rar|tgz|local|lan|ua|tr|br|pt|example"
    "|pem|key|com|net|org|ru|de|io|eu|fr|pl|es|it|uk"
)
_PATH: Final = re.compile(r"(?:~|\.{1,2})?/[\w./-]+|[A-Za-z]:\\.*|[\w/.-]{1,60}\.(?:" + _ENDINGS + r")")
_NUMBER: Final = re.compile(
    r"v?\d+(?:[.:/-]\d+)+[a-z]?\d*|0x[0-9a-f]+|\d{4}-\d\d-\d\d[T ]\S*|\d+(?:px|ms|s|mb|kb|gb|%|h|min|x)", re.IGNORECASE
)
_HASH: Final = re.compile(r"\$(?:2[aby]?|1|5|6|y|argon2\w*|P|H)\$.*|\{\w+\}.*|pbkdf2_\w+\$.*|sha\d+[:$].*")
_NEXT_MEMBER: Final = re.compile(r"[&;][\w.-]{1,60}=")
_MEMBER: Final = re.compile(r"[\w-]+=[\"'].*|[A-Z][A-Z_]{2,40}=.*", re.DOTALL)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX: Final = re.compile(r"[0-9a-f]+", re.IGNORECASE)
_WITHIN: Final = re.compile(
    r"[@#$%^&*+=~!?]|[^\W\d_]\d+[^\W\d_]|[a-z][-._][A-Z]\w*\d|[^\W\d_]_[A-Z0-9]|^[a-z]+[-._][A-Z0-9]"
)
_NUMBERED: Final = re.compile(r"[^\W\d_]+-?\d{1,4}(?:[A-Z][a-z]+)?")
_CODED: Final = re.compile(r"[A-Z]{2,10}[-_]?\d+|[A-Z]+(?:_[A-Z0-9]+)+|FL-\w{4}-\w{4}")
_KNOWN: Final = frozenset(
    {
        "bitrix24",
        "base64",
        "sha1",
        "sha256",
        "sha512",
        "md5",
        "utf8",
        "utf-8",
        "oauth2",
        "ipv4",
        "ipv6",
        "php5",
        "php7",
        "php8",
        "argon2",
        "argon2id",
        "2fa",
        "windows10",
        "windows11",
        "win10",
        "win11",
        "http2",
        "tls1",
        "ed25519",
        "rsa2048",
        "rsa4096",
        "aes256",
        "aes128",
        "null",
        "none",
        "nil",
        "true",
        "false",
        "undefined",
        "string",
        "str",
        "text",
        "todo",
        "tbd",
        "test123test",
        "nan",
        "n/a",
        "changeme",
        "change_me",
        "example",
        "secret",
        "varchar",
        "char",
        "bool",
        "boolean",
        "yes",
        "no",
        "on",
        "off",
        "filtered",
        "redacted",
        "removed",
        "hidden",
        "masked",
        "sensitive",
        "omitted",
        "protected",
        "encrypted",
        "required",
        "optional",
    }
)
_PRODUCT: Final = re.compile(
    r"(?:windows|office|server|exchange|iphone|ipad|android|firefox|chrome|edge|safari|opera|ubuntu|debian|centos|php|mysql|html|utf|bitrix|outlook"
    r"|galaxy|xiaomi|macos|ios|apache|nginx|python|java|node|angular|vue|uf_|ssh-|mod_|error)[\w.-]{0,3}\d{1,4}",
    re.IGNORECASE,
)
_SYMBOLS: Final = frozenset("@#$%^&*+=~|\\<>{}[]()!?")


class Strength(IntEnum):
    """How much a value looks like a secret."""

    NONE = 0
    WORD = 1
    PLAIN = 2
    STRONG = 3
    VERY = 4


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a text that seems to be a secret."""

    start: int
    end: int
    kind: SecretKind


@dataclass(frozen=True, slots=True)
class Value:
    """What stands behind a label: its place, whether in quotation marks, and whether nothing follows in its line."""

    start: int
    end: int
    quoted: bool
    alone: bool
    text: str


def value_at(text: str, start: int) -> Value | None:
    """Return the value that begins at `start`, with what surrounds it left out; None where the line ends."""
    limit = line_end(text, start)
    while start < limit and text[start] in _OPENING:
        start += 1
    if start >= limit:
        return None
    closing = _QUOTES.get(text[start])
    if closing is not None:
        end = text.find(closing, start + 1, min(limit, start + MAX_VALUE))
        if end > start + 1:
            return Value(start + 1, end, True, _nothing(text, end + 1, limit), text[start + 1 : end])
    match = _TOKEN.match(text, start, limit)
    if match is None:
        return None
    end = _token_end(text, start, match.end())
    return Value(start, end, False, _nothing(text, end, limit), text[start:end])


def _token_end(text: str, start: int, end: int) -> int:
    """Return where a value without quotation marks ends: before the next member of a query, tag or cell.

    A sign with no member behind it is part of the value: half a password in the open is no secret kept.
    """
    for sign in ("</", "<br", "|", '",', "',"):
        place = text.find(sign, start + 1, end)
        if place > start and not (sign == "|" and place + 1 == end):
            end = place
    member = _NEXT_MEMBER.search(text, start + 1, end)
    if member:
        end = member.start()
    while end > start + 1 and text[end - 1] in _CLOSING:
        end -= 1
    return end


def _nothing(text: str, start: int, limit: int) -> bool:
    """Say whether only marks, or a mark that begins something else, follow in the line."""
    rest = text[start : min(limit, start + 40)].strip(" \t\u00a0\r\"'`.*)}]>»”")
    return not rest or rest[0] in ",;/|&<("


def line_end(text: str, start: int) -> int:
    """Return where the line ends that `start` is in; of a very long one, as much as is looked at."""
    limit = min(len(text), start + MAX_LINE)
    end = text.find("\n", start, limit)
    return limit if end < 0 else end


def line_start(text: str, place: int) -> int:
    """Return where the line begins that `place` is in; of a very long one, as much as is looked at."""
    limit = max(0, place - MAX_LINE)
    return max(limit, text.rfind("\n", limit, place) + 1)


def strength(value: str, never: Collection[str]) -> Strength:
    """Say how much a value looks like a password."""
    bare = value.strip("\"'`*.,;:()[]{}<>«»“”„")
    low = bare.lower()
    if (
        len(bare) < LEAST_CHARS
        or low.rstrip("!?") in _KNOWN
        or low.rstrip("!?") in never
        or _no_secret(value)
        or (bare != value and _no_secret(bare))
    ):
        return Strength.NONE
    return Strength.WORD if is_product(bare) else _by_classes(bare, low, never)


def _by_classes(bare: str, low: str, never: Collection[str]) -> Strength:
    """Return the strength by length and by the kinds of characters."""
    digits = sum(char.isdigit() for char in bare)
    letters = sum(char.isalpha() for char in bare)
    symbols = any(char in _SYMBOLS for char in bare.rstrip("!?"))
    if digits == len(bare):
        return Strength.PLAIN if LEAST_DIGITS <= digits <= MOST_DIGITS else Strength.NONE
    if not digits and not symbols:
        parts = re.split(r"[-_/]", low)
        if parts[0] in never or parts[-1] in never:
            return Strength.NONE
        return Strength.WORD if letters >= LEAST_LETTERS else Strength.NONE
    if _CODED.fullmatch(bare) or len(bare) < STRONG_CHARS:
        return Strength.PLAIN
    classes = (digits > 0) + symbols + any(c.isupper() for c in bare) + any(c.islower() for c in bare)
    return Strength.VERY if classes >= VERY_CLASSES and len(bare) > STRONG_CHARS else Strength.STRONG


def _no_secret(value: str) -> bool:
    """Say whether a value is plainly something else: a placeholder, code, an address, a path, a version, a hash."""
    shapes = (_PLACEHOLDER, _CODE, _ADDRESS, _PATH, _NUMBER, _HASH, _MEMBER)
    return any(shape.fullmatch(value) for shape in shapes) or bool(_WEB.match(value) or _ATTRIBUTE.match(value))


def is_placeholder(value: str) -> bool:
    """Say whether something stands there in the place of a value, such as `{{ password }}`."""
    return _PLACEHOLDER.fullmatch(value) is not None


def is_made_up(value: str, never: Collection[str]) -> bool:
    """Say whether a word looks as only passwords do: signs or digits within it, and three kinds of characters.

    A name with its number, such as Windows11 or Ubuntu-22, is none.
    """
    if is_hash(value) or is_uuid(value) or strength(value, never) < Strength.VERY:
        return False
    return _WITHIN.search(value[:-1]) is not None


def is_product(value: str) -> bool:
    """Say whether a value is a known product with its version, such as Firefox120."""
    return _PRODUCT.fullmatch(value) is not None


def is_numbered(value: str) -> bool:
    """Say whether a value may be a name with its number, such as Windows11, iPhone15Pro or node-3."""
    return _NUMBERED.fullmatch(value) is not None


def has_random_part(value: str, least: int) -> bool:
    """Say whether a part of a value is random, so that it isn't words joined by signs."""
    return any(is_random(part, least) for part in re.split(r"[-_.%:/+= ]", value))


def is_uuid(value: str) -> bool:
    """Say whether it is a UUID."""
    return _UUID.fullmatch(value) is not None


def is_hash(value: str) -> bool:
    """Say whether it is as long as a digest or commit ID and hexadecimal."""
    return len(value) in {7, 8, 32, 40, 56, 64, 96, 128} and _HEX.fullmatch(value) is not None


def entropy(value: str) -> float:
    """Return the bits a character that a value holds by its own frequencies."""
    counts = Counter(value)
    return -sum(n / len(value) * log2(n / len(value)) for n in counts.values())


def is_random(value: str, least: int) -> bool:
    """Say whether a value is long, mixes letters with digits and repeats little, as a generated key does."""
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return len(value) >= least and mixed and entropy(value) >= LEAST_ENTROPY and not _no_secret(value)

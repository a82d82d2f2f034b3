"""Secrets that show by their own shape, whatever stands around them: private keys, addresses with a password, tokens.

What begins them is searched as plain text first; expressions are tried only there, over bounded stretches.
"""

import re
from collections.abc import Iterator
from typing import Final

from firstline.common.policy.pasted import SecretKind
from firstline.intake.pasted.values import Span, Strength, has_random_part, is_numbered, is_random, strength

KEY_CHARS: Final = 20_000
LONG_GROUP: Final = 10
LEAST_VARIETY: Final = 7
"""Of a product key: characters of a group that needs no second one, and different characters in all."""
LEAST_PART: Final = 10
LONG_COOKIE: Final = 14
LEAST_KEY: Final = 20
_KEY_WORDS: Final = ("key", "salt", "base", "secret", "token")
_KEY_HEAD: Final = re.compile(r"-----BEGIN (?:[A-Z0-9 ]{0,30} )?PRIVATE KEY(?: BLOCK)?-----")
_KEY_TAIL: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}-----")
_KEY_BODY: Final = re.compile(r"(?:\n|\\n)[> \t]*[A-Za-z0-9+/=]{40}")
_PUTTY: Final = "PuTTY-User-Key-File-"
_PUTTY_TAIL: Final = re.compile(r"Private-MAC:[ \t]*[0-9a-f]*")

_USERINFO: Final = re.compile(r"[^\s:/@<>\"'\[\]]{0,100}:([^\s/<>\"']{1,150})@[\w.\[-]")
_LOCAL: Final = re.compile(
    r"(?:your|my|some)?[-_]?(?:password|passwd|pass|pwd|pw|secret|token|x+|\.+|\*+)", re.IGNORECASE
)

_END: Final = r"(?![A-Za-z0-9_-])"
_TOKENS: Final[dict[str, re.Pattern[str]]] = {
    head: re.compile(re.escape(head) + body)
    for head, body in {
        "AKIA": r"([A-Z0-9]{16})(?![A-Za-z0-9])",
        "ASIA": r"([A-Z0-9]{16})(?![A-Za-z0-9])",
        "ghp_": rf"([A-Za-z0-9]{{30,60}}){_END}",
        "gho_": rf"([A-Za-z0-9]{{30,60}}){_END}",
        "ghu_": rf"([A-Za-z0-9]{{30,60}}){_END}",
        "ghs_": rf"([A-Za-z0-9]{{30,60}}){_END}",
        "ghr_": rf"([A-Za-z0-9]{{30,60}}){_END}",
        "github_pat_": rf"(\w{{22,100}}){_END}",
        "glpat-": rf"([\w-]{{18,60}}){_END}",
        "xoxb-": rf"([\w-]{{20,90}}){_END}",
        "xoxp-": rf"([\w-]{{20,90}}){_END}",
        "xoxa-": rf"([\w-]{{20,90}}){_END}",
        "xapp-": rf"([\w-]{{20,120}}){_END}",
        "sk-": rf"([\w-]{{20,180}}){_END}",
        "sk_live_": rf"(\w{{16,120}}){_END}",
        "sk_test_": rf"(\w{{16,120}}){_END}",
        "rk_live_": rf"(\w{{16,120}}){_END}",
        "whsec_": r"([A-Za-z0-9+/=]{20,120})",
        "AIza": rf"([\w-]{{35}}){_END}",
        "ya29.": r"([\w-]{20,300})",
        "SG.": r"([\w-]{16,30}\.[\w-]{30,60})",
        "hf_": rf"([A-Za-z]{{30,40}}){_END}",
        "npm_": rf"([A-Za-z0-9]{{36}}){_END}",
        "pypi-AgE": r"([\w-]{40,250})",
        "dop_v1_": rf"([a-f0-9]{{64}}){_END}",
        "shpat_": rf"([a-fA-F0-9]{{32}}){_END}",
        "EAAC": rf"([A-Za-z0-9]{{60,300}}){_END}",
        "AGE-SECRET-KEY-1": r"([0-9A-Z]{40,70})",
        "flk_": rf"([\w-]{{16,100}}){_END}",
        "eyJ": r"([\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,700})",
        "services/T": r"(\w{6,14}/B\w{6,14}/\w{16,40})",
        "discord.com/api/webhooks/": r"(\d{10,22}/[\w-]{30,90})",
        "Bearer ": r"([\w.~+/-]{20,4000}={0,2})",
        "bearer ": r"([\w.~+/-]{20,4000}={0,2})",
        "Basic ": r"([A-Za-z0-9+/]{12,300}={0,2})(?![A-Za-z0-9])",
    }.items()
}
# Names in code and settings for what only a machine reads: SECRET_KEY_BASE, AUTH_KEY, NONCE_SALT, AccountKey.
_KEY_NAME: Final = re.compile(
    r"(?:secret|auth|account|access|private|encrypt|sign|master|shared|secure|nonce|logged_in|session|api|app)"
    r"\w{0,30}?(?:key|salt|base|secret|token)\w{0,10}[\"']?[ \t]{0,4}(?:=>|[:=,])[ \t]{0,20}([\"']?)"
    r"((?<=[\"'])[^\n\"']{20,200}(?=[\"'])|(?:base64:)?[\w+/=.~-]{20,300})",
    re.IGNORECASE,
)
_PORT: Final = re.compile(r":(?:\d{2,5}|\*):")
_PGPASS: Final = re.compile(r"^[\w.*-]{1,100}:(?:\d{2,5}|\*):[\w.*-]{1,60}:[\w.*-]{1,60}:(\S{3,100})$", re.MULTILINE)
_COOKIE_LINE: Final = re.compile(r"(?:^|[\s>'\"])(?:set-)?cookie:[ \t]?([^\n]{1,2000})", re.IGNORECASE)
_COOKIE: Final = re.compile(r"(?:^|;[ \t]?)[\w.-]{1,60}=([\w%+/.=-]{16,400})")
_OPTION: Final = re.compile(
    # The sign first, since what begins with a letter is found fast.
    r"-(?<=\s-)-?[\w-]{0,20}?pass(?:word|wd|phrase)?[ \t=]['\"]?(?![-$<%{(/])([^\s'\"]{4,80})",
    re.IGNORECASE,
)
_TELEGRAM: Final = re.compile(r"(?<!\d)(\d{8,10}:[A-Za-z0-9_-]{35})(?![\w-])")
_HOOK: Final = re.compile(r"/rest/\d{1,9}/([a-z0-9]{10,40})(?![\w-])")
_GROUP: Final = re.compile(r"[A-Z0-9]{2,8}-")
_LICENCE: Final = re.compile(
    r"(?<![\w-])(?:[A-Z][A-Z0-9]{1,3}-[A-Z0-9]{1,3}-[A-Z0-9]{10,24}|[A-Z0-9]{5}(?:-[A-Z0-9]{5}){2,6}"
    r"|[A-Z0-9]{4}(?:-[A-Z0-9]{4}){3,7}|[A-Z0-9]{6}(?:-[A-Z0-9]{6}){2,5}|[A-Z0-9]{8}(?:-[A-Z0-9]{8}){2,4})(?![\w-])"
)
_COMMANDS: Final[dict[str, re.Pattern[str]]] = {
    "mysql": re.compile(r"mysql(?:dump|admin)?\b[^\n|]{0,120}?[ \t]-p['\"]?([^\s'\"]{4,80})"),
    "sshpass": re.compile(r"sshpass[ \t]+-p[ \t]*['\"]?([^\s'\"]{3,80})"),
    "curl": re.compile(r"curl\b[^\n|]{0,120}?[ \t](?:-u|--user)[ \t]*['\"]?[^\s:'\"]{1,60}:([^\s'\"]{3,80})"),
    "smbclient": re.compile(r"smbclient\b[^\n|]{0,120}?[ \t]-U[ \t]*['\"]?[^\s%'\"]{1,60}%([^\s'\"]{3,80})"),
    "net use": re.compile(r"net use\b[^\n]{0,120}?/user:\S{1,60}[ \t]+(\S{3,80})"),
    "lftp": re.compile(r"lftp\b[^\n|]{0,60}?[ \t]-u[ \t]*[^\s,]{1,60},([^\s'\"]{3,80})"),
    "docker": re.compile(r"docker[ \t]+login\b[^\n|]{0,120}?[ \t](?:-p|--password)[ \t=]*['\"]?([^\s'\"]{3,80})"),
    "IDENTIFIED BY": re.compile(r"IDENTIFIED BY (?:PASSWORD )?['\"]([^\s'\"]{3,80})"),
    "identified by": re.compile(r"identified by ['\"]([^\s'\"]{3,80})"),
    "echo": re.compile(
        r"echo[ \t]+(?:-n[ \t]+)?['\"]?([^\s'\"|$]{3,80})['\"]?[ \t]*\|[ \t]*(?:sudo[ \t]+-S|\S{0,20}passwd)"
    ),
    "htpasswd": re.compile(r"htpasswd[ \t]+-\w*b\w*[ \t]+\S{1,120}[ \t]+\S{1,60}[ \t]+(\S{3,80})"),
}


def by_shape(text: str) -> Iterator[Span]:
    """Yield what shows by its own shape."""
    plain = _plain(text)
    if "-----BEGIN" in plain or _PUTTY in plain:
        yield from _private_keys(text)
    if "://" in plain:
        yield from _addresses(text)
    for head, shape in _TOKENS.items():
        if head in plain:
            yield from _tokens(text, head, shape)
    yield from _settings(text, plain)
    for word, shape in _COMMANDS.items():
        if word in plain:
            yield from _commands(text, word, shape)
    if "-" in plain and _GROUP.search(plain):
        yield from licence_keys(text)


def _plain(text: str) -> str:
    """Return a text with each letter beyond ASCII replaced, in which what begins a secret is found much faster."""
    return text if text.isascii() else text.encode("ascii", "replace").decode()


def _settings(text: str, plain: str) -> Iterator[Span]:
    """Yield what files of settings, headers and addresses of hooks hold."""
    low = plain.lower()
    if any(word in low for word in _KEY_WORDS) and max(map(len, plain.split()), default=0) >= LEAST_KEY:
        yield from _assigned_keys(text)
    if "cookie:" in low:
        yield from _cookies(text)
    if _PORT.search(plain):
        yield from _pgpass(text)
    if "-" in plain and "pass" in low:
        yield from _options(text)
    if "/rest/" in plain:
        yield from _matches(text, _HOOK, "token")
    if ":AA" in plain:
        yield from _matches(text, _TELEGRAM, "token")


def _pgpass(text: str) -> Iterator[Span]:
    """Yield passwords in PostgreSQL's file of them."""
    for match in _PGPASS.finditer(text):
        if strength(match[1], ()) >= Strength.STRONG and not is_numbered(match[1]):
            yield Span(*match.span(1), "password")


def _options(text: str) -> Iterator[Span]:
    """Yield passwords in options of commands by their names, such as `--password=…`."""
    for match in _OPTION.finditer(text):
        if strength(match[1], ()) >= Strength.STRONG:
            yield Span(*match.span(1), "password")


def _assigned_keys(text: str) -> Iterator[Span]:
    """Yield long values that settings and code give to names of keys."""
    for match in _KEY_NAME.finditer(text):
        value = match[2]
        if has_random_part(value, LEAST_PART) and " " not in value.strip():
            yield Span(*match.span(2), "token")


def _cookies(text: str) -> Iterator[Span]:
    """Yield what signs somebody in by a header of cookies."""
    for line in _COOKIE_LINE.finditer(text):
        for match in _COOKIE.finditer(line[1]):
            if has_random_part(match[1], LONG_COOKIE):
                yield Span(line.start(1) + match.start(1), line.start(1) + match.end(1), "token")


def _private_keys(text: str) -> Iterator[Span]:
    """Yield private keys in PEM, OpenPGP and PuTTY's format, from head to tail."""
    place = 0
    while (head := _KEY_HEAD.search(text, place)) is not None:
        tail = _KEY_TAIL.search(text, head.end(), head.end() + KEY_CHARS)
        place = tail.end() if tail else min(len(text), head.end() + KEY_CHARS)
        # The head alone is talk about keys.
        if _KEY_BODY.search(text, head.end(), place):
            yield Span(head.start(), place, "private_key")
    place = 0
    while (start := text.find(_PUTTY, place)) >= 0:
        end = _PUTTY_TAIL.search(text, start, start + KEY_CHARS)
        place = end.end() if end else min(len(text), start + KEY_CHARS)
        if _KEY_BODY.search(text, start, place):
            yield Span(start, place, "private_key")


def _addresses(text: str) -> Iterator[Span]:
    """Yield passwords in addresses such as `ftp://name:password@host`."""
    place = 0
    while (place := text.find("://", place)) >= 0:
        place += 3
        match = _USERINFO.match(text, place)
        if match is None:
            continue
        start, end = match.span(1)
        # The last @ before the host counts: a password may hold one itself.
        word = text[start:end]
        if not _LOCAL.fullmatch(word) and (word.isdigit() or strength(word, ()) != Strength.NONE):
            yield Span(start, end, "password")


def _tokens(text: str, head: str, shape: re.Pattern[str]) -> Iterator[Span]:
    """Yield tokens that begin as those of a known service do."""
    place = 0
    while (place := text.find(head, place)) >= 0:
        match = shape.match(text, place) if not _inside(text, place) else None
        if match is not None and _looks_made(match[1], head):
            yield Span(match.start(1) if head[-1] in " /" else place, match.end(1), "token")
        place += len(head)


def _inside(text: str, place: int) -> bool:
    """Say whether the place is within a longer run, such as a picture in Base64."""
    before = text[place - 1 : place]
    return before.isalnum() or before in {"_", "+"}


def _looks_made(body: str, head: str) -> bool:
    """Say whether a machine made it: the examples of manuals repeat letters or say what they are."""
    low = body.lower()
    if any(word in low for word in ("example", "xxxx", "your", "token", "....", "placeholder")):
        return False
    return head in {"Basic ", "hf_"} or is_random(body, 10)


def _matches(text: str, shape: re.Pattern[str], kind: SecretKind) -> Iterator[Span]:
    """Yield what fits a shape and looks made by a machine."""
    for match in shape.finditer(text):
        if is_random(match[1], 10):
            yield Span(*match.span(1), kind)


def _commands(text: str, word: str, shape: re.Pattern[str]) -> Iterator[Span]:
    """Yield passwords in the options of commands that people copy from a terminal."""
    place = 0
    while (place := text.find(word, place)) >= 0:
        match = shape.match(text, place)
        place = match.end() if match else place + len(word)
        if match and not _LOCAL.fullmatch(match[1]) and strength(match[1], ()) != Strength.NONE:
            yield Span(*match.span(1), "password")


def licence_keys(text: str) -> Iterator[Span]:
    """Yield what has the shape of a product key: groups in capitals with letters and digits mixed."""
    for match in _LICENCE.finditer(text):
        groups = match[0].split("-")
        mixed = sum(not group.isdigit() and not group.isalpha() for group in groups)
        digits = sum(char.isdigit() for char in match[0])
        long = len(groups[-1]) >= LONG_GROUP
        if mixed >= (1 if long else 2) and digits > 1 and len(set(match[0])) >= LEAST_VARIETY:
            yield Span(*match.span(), "licence_key")

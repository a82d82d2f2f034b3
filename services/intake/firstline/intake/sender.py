"""What the configured mail server found out about a sender, from its Authentication-Results header (RFC 8601)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Check = Literal["pass", "fail", "none"]
"""Whether the server vouches for the domain in From, found it forged, or didn't say."""

_COMMENT: Final = re.compile(r"\([^()]*\)")
_QUOTED: Final = re.compile(r'"[^"]*"')
MAX_COMMENT_DEPTH: Final = 5


@dataclass(frozen=True, slots=True)
class _Result:
    """One method's result and its properties, such as `header.d`; all in lower case."""

    method: str
    outcome: str
    properties: Mapping[str, str]


def check_sender(headers: tuple[str, ...], server: str | None, address: str) -> Check:
    """Return what the topmost header of the configured server says of the domain of `address`.

    Lower headers are not looked at: a sender can write them, and servers put theirs on top. DMARC decides; without it
    a DKIM or SPF pass counts for its own domain and those above or below it, and a fail where neither passes counts
    as one.

    Args:
        headers: Authentication-Results values, topmost first.
        server: the authserv-id that is trusted; None trusts nobody.
        address: the sender's address.

    """
    results = next((found for header in headers if (found := _read(header, server)) is not None), ())
    domain = address.rpartition("@")[2]
    for result in results:
        if result.method == "dmarc" and result.outcome in {"pass", "fail"}:
            # A server that read another sender than we did has checked another sender.
            same = result.properties.get("header.from", domain) == domain
            return "pass" if same and result.outcome == "pass" else "fail"
    if any(result.outcome == "pass" and _aligned(_domain(result), domain) for result in results):
        return "pass"
    # A fail of one method alone is no forgery where another passes: forwarding breaks SPF, lists break DKIM.
    failed = any(result.outcome == "fail" and result.method in {"spf", "dkim"} for result in results)
    return "fail" if failed else "none"


def _read(header: str, server: str | None) -> tuple[_Result, ...] | None:
    """Read a header's results; None when another server made it."""
    # Quotations and comments may hold anything, words of the sender included.
    text = _QUOTED.sub(lambda quoted: quoted[0][1:-1].replace(";", " "), header)
    for _ in range(MAX_COMMENT_DEPTH):
        text = _COMMENT.sub(" ", text)
    maker, *entries = text.lower().split(";")
    if server is None or maker.split()[:1] != [server.lower()]:
        return None
    return tuple(_result(entry.split()) for entry in entries if entry.strip())


def _result(words: list[str]) -> _Result:
    """Read `dkim=pass header.d=shop.example`."""
    pairs = [word.partition("=") for word in words]
    method, _, outcome = pairs[0]
    return _Result(method.partition("/")[0], outcome, {name: value for name, _, value in pairs[1:]})


def _domain(result: _Result) -> str:
    """Return the domain that a DKIM or SPF result is about; empty for other methods."""
    if result.method == "dkim":
        given = result.properties.get("header.d") or result.properties.get("header.i", "")
    elif result.method == "spf":
        given = result.properties.get("smtp.mailfrom", "")
    else:
        given = ""
    return given.rpartition("@")[2]


def _aligned(proven: str, domain: str) -> bool:
    """Tell whether one domain is the other or lies below it; a lone top-level domain proves nothing."""
    if "." not in proven or "." not in domain:
        return False
    return proven == domain or proven.endswith(f".{domain}") or domain.endswith(f".{proven}")

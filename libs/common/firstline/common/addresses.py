"""Ticket numbers, and the mail addresses and Message-IDs that carry one with a signature (clause 4.4)."""

import hashlib
import hmac
import re
from typing import Final

from firstline.common.ports import Random

# Numbers are read out on the phone and typed from paper; none of these can be taken for another, and no word comes out.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: digits and capitals without I, L, O and U."""

NUMBER_BYTES: Final = 5
# 80 bits: nobody guesses them by mail, and the local part of an address still fits.
MAC_BYTES: Final = 10
# What people write for what they see; the alphabet leaves these letters out.
_MISREAD: Final = str.maketrans("ILO", "110")
_TYPED: Final = re.compile("FL([0-9A-TV-Z]{8})")
# A tag glued to a word is part of something else, such as a file name or another system's number.
_TAG: Final = re.compile(r"(?<!\w)\[\s*(fl-\w{4}-\w{4})\s*\](?!\w)", re.IGNORECASE)
_REPLY: Final = re.compile(r".+\+(?P<number>fl-\w{4}-\w{4})\.(?P<mac>\w{16})@[^@\s]+", re.ASCII)
_SENT: Final = re.compile(r"<?(?P<number>fl-\w{4}-\w{4})\.(?P<id>[\w-]{1,64})\.(?P<mac>\w{16})@[^@\s<>]+>?", re.ASCII)


def new_number(random: Random) -> str:
    """Draw a ticket number such as `FL-7K3M-9QPX`: 40 random bits, which tell nothing about how many there are."""
    letters = _base32(random.bytes(NUMBER_BYTES))
    return f"FL-{letters[:4]}-{letters[4:]}"


def read_number(text: str) -> str | None:
    """Return the canonical number that somebody typed, or None when it isn't one.

    Letter case, spaces and hyphens don't matter; I and L are read as 1, O as 0.
    """
    # Before folding: the capital of a long s is the ASCII letter S, and a look-alike would become a number.
    if not text.isascii():
        return None
    match = _TYPED.fullmatch(re.sub(r"[\s-]", "", text.upper()))
    if match is None:
        return None
    letters = match[1].translate(_MISREAD)
    return f"FL-{letters[:4]}-{letters[4:]}"


def tagged_numbers(subject: str) -> tuple[str, ...]:
    """Return the canonical numbers of all `[FL-7K3M-9QPX]` in a subject, each once, in their order.

    Letter case and spaces inside the brackets don't matter; a tag glued to a word is none.
    """
    found = (read_number(match[1]) for match in _TAG.finditer(subject))
    return tuple(dict.fromkeys(number for number in found if number))


def without_tags(subject: str) -> str:
    """Return the subject without its number tags, spaces tidied, so that tags don't pile up from mail to mail."""
    return " ".join(_TAG.sub(" ", subject).split())


def normal_address(address: str) -> str:
    """Return a mail address in the form in which addresses are compared: trimmed, A-Z in lower case.

    Other letters stay: lowering them would make look-alikes such as the Kelvin sign equal to an ASCII letter.
    """
    return address.strip().encode("utf-8", "replace").lower().decode()


def reply_address(key: bytes, number: str, base_address: str) -> str:
    """Return `support+fl-7k3m-9qpx.<mac>@domain`, which proves that we gave the number to whoever writes to it.

    The local part of `base_address` may have 34 characters, so that the result stays within the 64 of RFC 5321.

    Without the signature anybody could write into any request by guessing its number, or add mail to one that they read
    of.
    """
    local, _, domain = base_address.rpartition("@")
    return f"{local}+{number.lower()}.{_mac(key, 'reply', number)}@{domain}"


def read_reply_address(key: bytes, address: str) -> str | None:
    """Return the number in a signed reply address, or None when the address has none or the signature is wrong."""
    match = _REPLY.fullmatch(normal_address(address))
    # Addresses come back in any letter case, as mail servers like it; the signature is over the canonical number.
    number = read_number(match["number"]) if match else None
    if match is None or number is None or not _same(match["mac"], _mac(key, "reply", number)):
        return None
    return number


def message_id(key: bytes, number: str, delivery_id: str, domain: str) -> str:
    """Return the Message-ID of one delivery about a ticket, angle brackets included; the same for each resend.

    Answers name it in In-Reply-To, which finds the request where a client's program has dropped the signed address.
    "reply" and "sent" are signed apart, so that one can't be made of the other.
    """
    return f"<{number.lower()}.{delivery_id.lower()}.{_mac(key, 'sent', number, delivery_id.lower())}@{domain}>"


def read_message_id(key: bytes, message_id: str) -> str | None:
    """Return the number in a Message-ID that we made, or None when it is foreign or forged."""
    match = _SENT.fullmatch(normal_address(message_id))
    number = read_number(match["number"]) if match else None
    if match is None or number is None or not _same(match["mac"], _mac(key, "sent", number, match["id"])):
        return None
    return number


def _mac(key: bytes, *parts: str) -> str:
    """Sign the parts with 80 bits; the parts hold no NUL, so that they can't be shifted against each other."""
    digest = hmac.new(key, "\0".join(parts).encode(), hashlib.sha256).digest()
    return _base32(digest[:MAC_BYTES]).lower()


def _same(given: str, right: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), right.encode())


def _base32(data: bytes) -> str:
    """Write a multiple of five bytes in base32."""
    bits = int.from_bytes(data, "big")
    count = len(data) * 8 // 5
    return "".join(ALPHABET[(bits >> 5 * place) & 31] for place in reversed(range(count)))

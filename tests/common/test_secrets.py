"""Keys differ by purpose; tokens are read only by who holds the key, and changing anything in them breaks them."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from firstline.common.ports import SystemRandom
from firstline.common.secrets import decrypt, derive, encrypt, seal, unseal
from hypothesis import given
from hypothesis import strategies as st

SECRET = b"0123456789abcdef0123456789abcdef"
KEY = derive(SECRET, "test")
OTHER = derive(SECRET, "other")
PAYLOAD: dict[str, Any] = {"ticket": "t1", "fence": 7, "exp": 1763892000, "list": [1, None, "ü"]}


def test_key_is_the_published_function_of_secret_and_purpose() -> None:
    """HKDF-SHA256 as RFC 5869 has it, computed here by hand from its definition."""
    extracted = hmac.new(b"firstline", SECRET, hashlib.sha256).digest()
    assert derive(SECRET, "claims") == hmac.new(extracted, b"claims\x01", hashlib.sha256).digest()


def test_keys_differ_by_purpose_and_secret() -> None:
    """No two purposes, and no two desks, share a key."""
    keys = {derive(SECRET, "a"), derive(SECRET, "b"), derive(SECRET[::-1], "a"), derive(SECRET, "")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)


def test_short_secret_is_refused() -> None:
    """A secret that could be guessed makes no key."""
    with pytest.raises(ValueError, match="16 bytes"):
        derive(b"short", "a")


def test_sealed_token_is_read_back() -> None:
    """What was sealed comes out, and the token is safe in a header, a cookie and a URL."""
    token = seal(KEY, PAYLOAD)
    assert unseal(KEY, token) == PAYLOAD
    assert token.replace("-", "").replace("_", "").replace(".", "").isalnum()


def test_sealed_token_is_readable_but_not_forgeable() -> None:
    """Anybody can look inside; another content under the same signature is refused."""
    token = seal(KEY, {"fence": 1})
    body, _, signature = token.partition(".")
    assert json.loads(base64.urlsafe_b64decode(body + "==")) == {"fence": 1}
    forged = base64.urlsafe_b64encode(b'{"fence":9}').rstrip(b"=").decode()
    assert unseal(KEY, f"{forged}.{signature}") is None


@pytest.mark.parametrize("read", [unseal, decrypt])
@pytest.mark.parametrize("token", ["", ".", "a", "a.b", "..", "ü.ü", "\0", "e30.", "e30", "A" * 10_000, "\udcff"])
def test_nonsense_is_no_token(read: Any, token: str) -> None:
    """Whatever a stranger sends is read as nothing and raises nothing."""
    assert read(KEY, token) is None


def test_other_key_reads_nothing() -> None:
    """A token of one purpose is none for another."""
    assert unseal(OTHER, seal(KEY, PAYLOAD)) is None
    assert decrypt(OTHER, encrypt(KEY, PAYLOAD, SystemRandom())) is None


def test_signed_text_that_is_no_object_is_refused() -> None:
    """A signature does not make a payload of something that isn't one."""
    contents: list[Any] = [[], "text", 3, None]
    assert [unseal(KEY, seal(KEY, content)) for content in contents] == [None] * 4


def test_every_changed_sign_breaks_a_token() -> None:
    """No sign of either kind of token can be changed, but for the spare bits of the last one."""
    for token, read in ((seal(KEY, PAYLOAD), unseal), (encrypt(KEY, PAYLOAD, SystemRandom()), decrypt)):
        for place in range(len(token) - 1):
            other = "A" if token[place] != "A" else "B"
            assert read(KEY, token[:place] + other + token[place + 1 :]) is None


def test_encrypted_token_hides_its_content_and_differs_each_time() -> None:
    """Equal payloads make different tokens, none of which shows the payload."""
    tokens = [encrypt(KEY, PAYLOAD, SystemRandom()) for _ in range(100)]
    assert len(set(tokens)) == 100
    assert all(decrypt(KEY, token) == PAYLOAD for token in tokens)
    assert b"ticket" not in base64.urlsafe_b64decode(tokens[0] + "==")


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.none(), max_size=5))
def test_any_payload_survives(payload: dict[str, Any]) -> None:
    """Both kinds of token carry any JSON object."""
    assert unseal(KEY, seal(KEY, payload)) == payload
    assert decrypt(KEY, encrypt(KEY, payload, SystemRandom())) == payload


@given(st.text(max_size=200))
def test_reading_never_fails(text: str) -> None:
    """No text whatever raises."""
    assert unseal(KEY, text) is None
    assert decrypt(KEY, text) is None

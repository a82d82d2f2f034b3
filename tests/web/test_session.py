"""The visitor's cookie: sealed, bound to its host, small."""

import base64
from dataclasses import replace

import pytest
from fastapi import Response
from firstline.common.ports import SystemRandom
from firstline.common.secrets import encrypt
from firstline.web.session import CLAIMS_KEPT, Cookie, Session, with_claim

KEY = bytes(range(32))
HTTPS, HTTP = "https://help.example", "http://127.0.0.1:8123"
COOKIE_LIMIT = 4096


@pytest.fixture
def session() -> Session:
    """Return somebody who is signed in, with tokens as long as they get."""
    return Session("0193-anna", "a" * 700, "r" * 64, "c" * 36, "Anna Specialist", "agent")


def _cookie(key: bytes = KEY, url: str = HTTP) -> Cookie:
    return Cookie(key, url, SystemRandom())


def _written(cookie: Cookie, session: Session) -> tuple[str, str]:
    """Return the cookie's value and its attributes, as the browser gets them."""
    response = Response()
    cookie.write(response, session)
    pair, _, attributes = response.headers["set-cookie"].partition("; ")
    name, _, value = pair.partition("=")
    assert name == cookie.name
    return value, attributes


def test_a_session_comes_back_whole(session: Session) -> None:
    """What was written is read again, claims included."""
    kept = replace(session, claims={"t1": "token"}, density="compact")
    value, _ = _written(_cookie(), kept)
    assert _cookie().read(value) == kept


def test_nothing_can_be_read_from_outside(session: Session) -> None:
    """Neither the tokens nor the name stand in the cookie, and each writing looks different."""
    first, second = (_written(_cookie(), session)[0] for _ in range(2))
    content = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4))
    assert first != second
    assert not any(secret in content for secret in (b"aaaa", b"rrrr", b"cccc", b"Anna", b"agent"))


def test_changed_cookies_are_none(session: Session) -> None:
    """A cookie changed in any character, cut, made with another key, or made up, signs nobody in."""
    value, _ = _written(_cookie(), session)
    step = max(1, len(value) // 40)
    for place in range(0, len(value), step):
        other = "A" if value[place] != "A" else "B"
        assert _cookie().read(value[:place] + other + value[place + 1 :]) is None, place
    assert _cookie().read(value[:-8]) is None
    assert _cookie(bytes(32)).read(value) is None
    assert [_cookie().read(text) for text in ("", None, "x", "é" * 50, "A" * 5000)] == [None] * 5


def test_cookies_of_other_releases_ask_to_sign_in_again() -> None:
    """A cookie with more or fewer members than today's is no session, and no error."""
    for content in ({"access": "a"}, {"unheard_of": 1}):
        assert _cookie().read(encrypt(KEY, content, SystemRandom())) is None


def test_https_binds_the_cookie_to_host_and_connection(session: Session) -> None:
    """With https: `__Host-`, Secure, no domain; always HttpOnly, SameSite=Lax and for the whole site."""
    secure, plain = _cookie(url=HTTPS), _cookie(url=HTTP)
    assert (secure.name, plain.name) == ("__Host-firstline", "firstline")
    for cookie in (secure, plain):
        attributes = _written(cookie, session)[1].split("; ")
        assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(attributes)
        assert ("Secure" in attributes) is (cookie is secure)
        assert not any(attribute.startswith("Domain") for attribute in attributes)


def test_clearing_forgets_the_same_cookie() -> None:
    """The cookie that was set is the one that is deleted."""
    response = Response()
    _cookie(url=HTTPS).clear(response)
    assert response.headers["set-cookie"].startswith('__Host-firstline=""; expires=')
    assert "Secure" in response.headers["set-cookie"]


def test_a_full_cookie_is_kept_by_browsers(session: Session) -> None:
    """With as many claims as are kept, the cookie stays below what browsers store."""
    claims: dict[str, str] = {}
    for number in range(CLAIMS_KEPT + 2):
        claims = with_claim(claims, f"0193f0c1-2a3b-7c4d-8e5f-60718293a4b{number}", "t" * 260)
    value, attributes = _written(_cookie(url=HTTPS), replace(session, claims=claims))
    assert len(claims) == CLAIMS_KEPT
    assert len(f"__Host-firstline={value}; {attributes}") < COOKIE_LIMIT


def test_the_newest_claims_are_kept() -> None:
    """A claim renewed becomes the newest; the oldest goes first; one given back is gone."""
    claims = {"a": "1", "b": "2", "c": "3", "d": "4"}
    assert list(with_claim(claims, "a", "5")) == ["b", "c", "d", "a"]
    assert list(with_claim(claims, "e", "6")) == ["b", "c", "d", "e"]
    assert with_claim(claims, "b", None) == {"a": "1", "c": "3", "d": "4"}
    assert with_claim({}, "x", None) == {}


@pytest.mark.parametrize(
    ("role", "start"),
    [
        ("client", "/requests"),
        ("partner", "/requests"),
        ("agent", "/console"),
        ("supervisor", "/console"),
        ("admin", "/console"),
    ],
)
def test_everybody_starts_where_their_work_is(role: str, start: str, session: Session) -> None:
    """Clients begin with their requests, staff with the queue."""
    assert replace(session, role=role).start == start


def test_form_secrets_are_long_and_new() -> None:
    """Each sign-in has its own secret of 144 random bits."""
    first, second = _cookie().new_secret(), _cookie().new_secret()
    assert first != second
    assert len(bytes.fromhex(first)) == 18

"""Bearer tokens: what the signer makes the verifier takes, and nothing else (checks 35 and 36)."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from firstline.common.errors import Unauthenticated
from firstline.common.permissions import Principal, Role
from firstline.common.ports import ManualClock
from firstline.common.tokens import Signer, Verifier, key_text, load_key, new_key
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEEWAY = timedelta(seconds=30)
KEY = new_key("k1")
ANNA = Principal(
    id="p-1",
    role=Role.AGENT,
    email="anna@firstline.example",
    organization_id="o-1",
    tier="helpdesk",
    skills=("dns", "sql"),
    client_id="c-1",
    name="Anna Ö",
)
CLAIMS: dict[str, Any] = {
    "iss": "firstline",
    "aud": "firstline",
    "iat": int(NOON.timestamp()),
    "exp": int((NOON + HOUR).timestamp()),
    "sub": "p-1",
    "role": "agent",
    "email": "anna@firstline.example",
}
HEADER: dict[str, Any] = {"alg": "Ed25519", "kid": "k1"}


@pytest.fixture
def wall() -> ManualClock:
    """Return wall time, which stands at noon until it is moved."""
    return ManualClock(NOON)


@pytest.fixture
def verifier(wall: ManualClock) -> Verifier:
    """Return a verifier that knows the desk's public key only."""
    return Verifier(Signer(KEY, wall).public_keys(), wall)


def _part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signed(claims: Any, header: dict[str, Any] | None = None, key: OKPKey = KEY) -> str:
    """Return what somebody signed who holds the key, whatever it says."""
    given = f"{_part(header or HEADER)}.{_part(claims)}"
    signature = key.private_key.sign(given.encode())  # type: ignore[union-attr]
    return f"{given}.{_part(signature)}"


def _refused(verifier: Verifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        verifier.principal(token)
    return refusal.value.detail


def test_a_token_says_who_somebody_is(wall: ManualClock, verifier: Verifier) -> None:
    """Everything about a principal comes back, each time the token is shown."""
    token = Signer(KEY, wall).token(ANNA, HOUR)
    assert [verifier.principal(token) for _ in range(2)] == [ANNA, ANNA]
    least = Principal(id="p-2", role=Role.CLIENT, email="clara@shop.example")
    assert verifier.principal(Signer(KEY, wall).token(least, HOUR)) == least


def test_a_token_of_the_right_key_is_taken(verifier: Verifier) -> None:
    """The forge of these tests makes good tokens too, so that what is refused below is refused for its one fault."""
    assert verifier.principal(_signed(CLAIMS)).id == "p-1"
    assert jws.deserialize_compact(_signed(CLAIMS), KEY, algorithms=["Ed25519"]).payload == json.dumps(CLAIMS).encode()


def test_a_token_expires(wall: ManualClock, verifier: Verifier) -> None:
    """It is good up to its end and half a minute more, for clocks that differ, and never after, seen before or not."""
    token, unseen = (Signer(KEY, wall).token(ANNA, HOUR) for _ in range(2))
    wall.move(NOON + HOUR + LEEWAY)
    assert verifier.principal(token) == ANNA
    wall.move(NOON + HOUR + LEEWAY + timedelta(seconds=1))
    assert "expired" in _refused(verifier, token)
    assert "expired" in _refused(verifier, unseen)
    assert "expired" in _refused(verifier, token)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "another desk"},
        {"aud": "another service"},
        {"aud": ["firstline", "another service"]},
        {"role": "king"},
        {"role": None},
        {"exp": "soon"},
        {"exp": None},
        {"nbf": int((NOON + timedelta(minutes=1)).timestamp())},
        {"nbf": "later"},
    ],
    ids=str,
)
def test_wrong_claims_are_refused(verifier: Verifier, change: dict[str, Any]) -> None:
    """Another issuer or audience, a role that is none, a time that is none, and a beginning to come are refused."""
    assert "not valid" in _refused(verifier, _signed(CLAIMS | change))


@pytest.mark.parametrize("name", [name for name in CLAIMS if name != "iat"])
def test_missing_claims_are_refused(verifier: Verifier, name: str) -> None:
    """A token that leaves out issuer, audience, end, subject, role or address is refused."""
    assert "not valid" in _refused(verifier, _signed({key: value for key, value in CLAIMS.items() if key != name}))


@pytest.mark.parametrize("claims", [[], "p-1", 7, None, b"{", b"", b"\xff"])
def test_a_payload_that_is_no_object_is_refused(verifier: Verifier, claims: Any) -> None:
    """A rightly signed list, text, number or broken JSON is refused."""
    assert "not valid" in _refused(verifier, _signed(claims))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_unsigned_tokens_are_refused(verifier: Verifier, algorithm: str) -> None:
    """No spelling of the algorithm "none" is taken, without a signature or with a borrowed one."""
    given = f"{_part({'alg': algorithm, 'kid': 'k1'})}.{_part(CLAIMS)}"
    for signature in ("", _signed(CLAIMS).rpartition(".")[2]):
        assert "not valid" in _refused(verifier, f"{given}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_no_shared_secret(verifier: Verifier, algorithm: str) -> None:
    """A token with an HMAC keyed by any form of the public key, which everybody has, is refused."""
    public = KEY.as_dict(private=False)
    x = str(public["x"])
    forms = [base64.urlsafe_b64decode(x + "="), x.encode(), json.dumps(public).encode(), KEY.as_pem(private=False), b""]
    given = f"{_part({'alg': algorithm, 'kid': 'k1'})}.{_part(CLAIMS)}"
    for secret in forms:
        digest = hmac.new(secret, given.encode(), getattr(hashlib, f"sha{algorithm[2:]}")).digest()
        assert "not valid" in _refused(verifier, f"{given}.{_part(digest)}")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "Ed448", "EdDSA", "ed25519"])
def test_other_algorithms_are_refused(verifier: Verifier, algorithm: str) -> None:
    """A rightly made signature under another algorithm's name is refused: the list of allowed ones has one member."""
    assert "not valid" in _refused(verifier, _signed(CLAIMS, {"alg": algorithm, "kid": "k1"}))


def test_keys_of_strangers_are_refused(verifier: Verifier) -> None:
    """Another key, under its own id, ours, or none, signs nothing for this desk; nor does one sent along."""
    stranger = OKPKey.generate_key("Ed25519")
    public = stranger.as_dict(private=False)
    for extra in (
        {"kid": "k1"},
        {"kid": "k2"},
        {},
        {"kid": "k1", "jwk": public},
        {"jku": "https://stranger.example/keys"},
    ):
        assert "not valid" in _refused(verifier, _signed(CLAIMS, {"alg": "Ed25519", **extra}, stranger))


@pytest.mark.parametrize(
    "kid", ["../../etc/passwd", "/dev/null", "k1' OR '1'='1", "", "k1\0", 7, None, ["k1"], {"k1": 1}]
)
def test_an_unknown_key_id_is_refused(verifier: Verifier, kid: Any) -> None:
    """A key id only names a key of the set: paths, statements and other types name none."""
    stranger = OKPKey.generate_key("Ed25519")
    assert "not valid" in _refused(verifier, _signed(CLAIMS, {"alg": "Ed25519", "kid": kid}, stranger))


def test_a_key_of_another_kind_is_refused(wall: ManualClock) -> None:
    """A verifier that also knows an elliptic-curve key doesn't take a token that claims our algorithm for it."""
    other = ECKey.generate_key("P-256", {"kid": "ec"})
    keys = {"keys": [KEY.as_dict(private=False), other.as_dict(private=False)]}
    assert "not valid" in _refused(Verifier(keys, wall), _signed(CLAIMS, {"alg": "Ed25519", "kid": "ec"}))


def test_a_changed_token_is_refused(verifier: Verifier) -> None:
    """Claims under another's signature, a signature with a bit turned, and a missing one are refused."""
    header, _, signature = _signed(CLAIMS).split(".")
    lifted = _part(CLAIMS | {"role": "admin"})
    turned = ("A" if signature[0] != "A" else "B") + signature[1:]
    claims = _part(CLAIMS)
    for token in (
        f"{header}.{lifted}.{signature}",
        f"{header}.{claims}.{turned}",
        f"{header}.{claims}.",
        f"{header}.{claims}",
    ):
        assert "not valid" in _refused(verifier, token)


def test_a_critical_extension_that_we_do_not_know_is_refused(verifier: Verifier) -> None:
    """A token that demands to be understood in more than this (RFC 7515, 4.1.11) is refused."""
    assert "not valid" in _refused(verifier, _signed(CLAIMS, HEADER | {"crit": ["more"], "more": 1}))


SHARED = Verifier(Signer(KEY, ManualClock(NOON)).public_keys(), ManualClock(NOON))


@given(st.text(max_size=200))
@example("")
@example("..")
@example("a.b.c")
@example("\ud800.\ud800.\ud800")
@example(f"{_part(b'[' * 50_000)}.{_part(CLAIMS)}.x")
@example(f"{_part(b'{' * 50_000)}..")
@example(f"{_part([])}.{_part(CLAIMS)}.x")
@example(f"{_part('Ed25519')}.{_part(CLAIMS)}.x")
@example(f"{_part(HEADER)}.{_part(CLAIMS)}.é")
@example(f"{_part(HEADER)}.{_part(CLAIMS)}.{'x' * 100_000}")
def test_any_other_text_is_refused(token: str) -> None:
    """Whatever is sent as a token, the answer is that it is not valid, never a failure."""
    assert "not valid" in _refused(SHARED, token)


@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()) | st.booleans(),
    )
)
def test_any_other_header_is_refused(header: dict[str, Any]) -> None:
    """Whatever a header says, a stranger's signature is not valid."""
    assert "not valid" in _refused(SHARED, _signed(CLAIMS, {"alg": "Ed25519"} | header, OKPKey.generate_key("Ed25519")))


def test_addresses_are_compared_in_one_form(verifier: Verifier) -> None:
    """A to Z of an address become small; a look-alike such as the Kelvin sign stays what it is."""
    assert verifier.principal(_signed(CLAIMS | {"email": "ANNA@Firstline.Example"})).email == "anna@firstline.example"
    assert verifier.principal(_signed(CLAIMS | {"email": "\u212aate@shop.example"})).email == "\u212aate@shop.example"


def test_few_tokens_are_remembered(wall: ManualClock) -> None:
    """However many tokens are shown, the verifier keeps some thousands, and each still says who somebody is."""
    signer = Signer(KEY, wall)
    verifier = Verifier(signer.public_keys(), wall)
    tokens = [signer.token(Principal(str(n), Role.CLIENT, "c@shop.example"), HOUR) for n in range(4100)]
    assert [verifier.principal(token).id for token in tokens] == [str(n) for n in range(4100)]
    assert len(verifier._known) == 4096
    assert verifier.principal(tokens[0]).id == "0"


def test_the_key_survives_in_a_file(tmp_path: Path, wall: ManualClock) -> None:
    """A key read back from its file signs what the first key's verifier takes; the public set has no private part."""
    (tmp_path / "key.json").write_text(key_text(KEY))
    again = Signer(load_key(tmp_path / "key.json"), wall)
    public = Signer(KEY, wall).public_keys()
    assert again.public_keys() == public
    assert Verifier(public, wall).principal(again.token(ANNA, HOUR)) == ANNA
    assert all("d" not in key for key in public["keys"])
    with pytest.raises(OSError, match="none"):
        load_key(tmp_path / "none.json")

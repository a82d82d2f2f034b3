"""Webhook signatures, verified by the reference library of Standard Webhooks (P24, check 44)."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from firstline.common.ports import SystemRandom
from firstline.notify.signing import BadSecret, new_secret, secret_key, signed_headers
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

OLD, NEW, OTHER = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(3))
BODY = '{"type":"ticket.replied","text":"Grüße"}\n'.encode()


def verified(secret: str, headers: dict[str, str], body: bytes = BODY) -> bool:
    """Tell whether the reference library accepts the delivery now."""
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


def test_the_reference_library_accepts_a_delivery() -> None:
    """A delivery signed now is genuine to its secret and to no other."""
    headers = signed_headers([NEW], "0193a1b2", datetime.now(UTC), BODY)
    assert sorted(headers) == ["webhook-id", "webhook-signature", "webhook-timestamp"]
    assert verified(NEW, headers)
    assert not verified(OTHER, headers)


def test_a_published_example_has_the_published_signature() -> None:
    """The specification's own example comes out to the letter."""
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed_headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_both_secrets_sign_during_a_rotation() -> None:
    """While a secret is replaced the old and the new one verify; afterwards only the new one."""
    during = signed_headers([NEW, OLD], "0193a1b2", datetime.now(UTC), BODY)
    after = signed_headers([NEW], "0193a1b2", datetime.now(UTC), BODY)
    assert [verified(secret, during) for secret in (NEW, OLD, OTHER)] == [True, True, False]
    assert [verified(secret, after) for secret in (NEW, OLD)] == [True, False]


@pytest.mark.parametrize("seconds", [-301, 301])
def test_old_and_early_deliveries_are_not_replayable(seconds: int) -> None:
    """A receiver refuses what was signed more than five minutes off."""
    assert not verified(NEW, signed_headers([NEW], "a", datetime.now(UTC) + timedelta(seconds=seconds), BODY))


@pytest.mark.parametrize("change", ["body", "webhook-id", "webhook-timestamp"])
def test_every_part_is_signed(change: str) -> None:
    """A changed body, id or time is refused."""
    headers = signed_headers([NEW], "0193a1b2", datetime.now(UTC), BODY)
    if change in headers:
        headers[change] = str(int(headers[change]) + 1) if change == "webhook-timestamp" else "0193a1b3"
    assert not verified(NEW, headers, BODY + b" " if change == "body" else BODY)


def test_new_secrets_are_usable_and_differ() -> None:
    """A new secret holds 32 random bytes in the form that the library takes."""
    first, second = new_secret(SystemRandom()), new_secret(SystemRandom())
    assert first != second
    assert len(secret_key(first)) == 32
    assert verified(first, signed_headers([first], "a", datetime.now(UTC), BODY))


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_AAAA", OLD.removeprefix("whsec_"), "whsec_" + "ä" * 40, "whsec_" + "A" * 120, OLD + "\n"],
)
def test_malformed_secrets_sign_nothing(secret: str) -> None:
    """A short, long or unreadable secret is refused instead of signing with what was readable."""
    with pytest.raises(BadSecret):
        signed_headers([NEW, secret], "a", datetime.now(UTC), BODY)


@given(st.text(max_size=200), st.binary(min_size=24, max_size=64), st.uuids())
def test_any_body_and_secret_verify(text: str, key: bytes, webhook_id: object) -> None:
    """Signatures agree with the reference library for any text, key and id."""
    secret = f"whsec_{base64.b64encode(key).decode()}"
    headers = signed_headers([secret], str(webhook_id), datetime.now(UTC), text.encode())
    assert verified(secret, headers, text.encode())

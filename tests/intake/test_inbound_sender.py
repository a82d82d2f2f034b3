"""The sender check reads the configured server's verdict and nobody else's (RFC 8601)."""

import random

import pytest
from firstline.intake.sender import check_sender

SERVER = "mx.desk.example"
ANNA = "anna@shop.example"


def check(*headers: str, server: str | None = SERVER, address: str = ANNA) -> str:
    """Return the verdict of these headers, topmost first."""
    return check_sender(headers, server, address)


@pytest.mark.parametrize(
    "results",
    [
        "dmarc=pass",
        "dmarc=pass header.from=shop.example",
        "dmarc=pass (p=reject dis=none) header.from=shop.example",
        "spf=fail smtp.mailfrom=x.example; dkim=fail; dmarc=pass",
        "DMARC=PASS Header.From=Shop.Example",
        "dkim=pass header.d=shop.example",
        'dkim=pass (2048-bit key; unprotected) header.i="@shop.example" header.s=a',
        "dkim=pass header.i=@mail.shop.example",
        "spf=pass smtp.mailfrom=anna@shop.example",
        "spf=pass smtp.mailfrom=bounces.shop.example",
        "dkim=fail header.d=x.example; spf=pass smtp.mailfrom=shop.example",
        "dmarc=none; dkim=pass header.d=shop.example",
        "dmarc=temperror; spf=pass smtp.mailfrom=shop.example",
        "dkim/1=pass header.d=shop.example",
    ],
)
def test_pass(results: str) -> None:
    """DMARC, or DKIM or SPF for the sender's own domain, vouch for the sender."""
    assert check(f"{SERVER}; {results}") == "pass"


@pytest.mark.parametrize(
    "results",
    [
        "dmarc=fail",
        "dmarc=fail (p=none) header.from=shop.example; dkim=pass header.d=shop.example",
        "dkim=pass header.d=evil.example; dmarc=fail",
        "spf=fail smtp.mailfrom=shop.example",
        "dkim=fail header.d=shop.example",
        "dkim=fail header.d=shop.example; spf=softfail",
        "dkim=pass header.d=evil.example; spf=fail smtp.mailfrom=shop.example",
        "dmarc=pass header.from=evil.example",
    ],
)
def test_fail(results: str) -> None:
    """DMARC's word, or a failure that nothing makes up for, or a pass for another sender than ours, is a fail."""
    assert check(f"{SERVER}; {results}") == "fail"


@pytest.mark.parametrize(
    "results",
    [
        "none",
        "",
        "spf=softfail smtp.mailfrom=shop.example",
        "spf=neutral",
        "dmarc=none",
        "dmarc=temperror",
        "spf=pass smtp.mailfrom=evil.example",
        "dkim=pass header.d=evil.example",
        "dkim=pass header.d=example",
        "dkim=pass header.d=op.example",
        "dkim=pass header.d=notshop.example",
        "dkim=pass",
        "auth=pass smtp.auth=shop.example",
        "iprev=fail",
        "(dmarc=pass)",
        'reason="dmarc=pass; dkim=pass header.d=shop.example"',
    ],
)
def test_none(results: str) -> None:
    """Anything else says nothing about the sender: other domains, soft results, words in comments and quotations."""
    assert check(f"{SERVER}; {results}") == "none"


@pytest.mark.parametrize(
    "header",
    [
        "other.example; dmarc=pass",
        "mx.desk.example.evil.example; dmarc=pass",
        "xmx.desk.example; dmarc=pass",
        "; dmarc=pass",
        "",
        "dmarc=pass",
        "(mx.desk.example) evil; dmarc=pass",
        "evil (; mx.desk.example); dmarc=pass",
    ],
)
def test_other_servers_are_not_believed(header: str) -> None:
    """Only the configured name, exactly, is trusted."""
    assert check(header) == "none"


def test_version_and_case_of_the_server_do_not_matter() -> None:
    """The server's name may be followed by a version, in any case."""
    assert check("MX.Desk.Example 1; dmarc=pass") == "pass"
    assert check("(mail) mx.desk.example; dmarc=pass", server="MX.desk.example") == "pass"


def test_no_trusted_server_no_verdict() -> None:
    """A desk without a checking server believes no header at all."""
    assert check(f"{SERVER}; dmarc=pass", server=None) == "none"


def test_topmost_header_wins() -> None:
    """The server writes above what the sender wrote: a forged pass below changes nothing, nor does a forged fail."""
    assert check("hop.example; spf=pass", f"{SERVER}; dmarc=fail", f"{SERVER}; dmarc=pass") == "fail"
    assert check(f"{SERVER}; dmarc=pass", f"{SERVER}; dmarc=fail") == "pass"
    assert check(f"{SERVER}; none", f"{SERVER}; dmarc=pass") == "none"


def test_sender_without_domain_is_never_vouched_for() -> None:
    """No address, no pass by alignment."""
    assert check(f"{SERVER}; dkim=pass header.d=shop.example", address="") == "none"


def test_no_text_raises() -> None:
    """Whatever stands in the header, a verdict comes out, quickly."""
    chance = random.Random(11)
    tokens = ("mx.desk.example", ";", "dmarc=pass", "dkim=", "=", "(", ")", '"', " ", "header.d=", "shop.example", "\\")
    for _ in range(5_000):
        text = "".join(chance.choice(tokens) for _ in range(chance.randrange(40)))
        assert check(text) in {"pass", "fail", "none"}
    assert check(f"{SERVER}; " + "(" * 4_000) == "none"
    assert check(f'{SERVER}; {"()" * 2_000}"{"(;" * 1_000}') == "none"

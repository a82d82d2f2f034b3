"""Whoever is named in a mail is found in it, however the mail is encoded."""

from base64 import b64encode
from email.message import EmailMessage
from quopri import encodestring

import pytest
from firstline.common.raw_mail import mail_names

ADDRESS, NAME = "zeisig@vogel.example", "Жаворонок Поля"
PARAGRAPH = f"It was {ADDRESS.upper()} who wrote,\r\nthat is {NAME}, and nobody else. " * 3


def mail(charset: str = "utf-8", cte: str = "base64", **headers: str) -> bytes:
    """Return a mail with the paragraph."""
    message = EmailMessage()
    for name, value in headers.items():
        message[name] = value
    message.set_content(PARAGRAPH, charset=charset, cte=cte)
    return message.as_bytes()


def inside(raw: bytes) -> bytes:
    """Return a mail that carries another one in base64."""
    message = EmailMessage()
    message.set_content("See there.")
    message.add_attachment(raw, maintype="application", subtype="octet-stream", filename="a.eml")
    return message.as_bytes()


@pytest.mark.parametrize("word", [ADDRESS, NAME, NAME.replace(" ", "\n ")])
@pytest.mark.parametrize(
    "raw",
    [
        mail(),
        mail(cte="quoted-printable"),
        mail(charset="koi8-r"),
        mail(charset="windows-1251", cte="quoted-printable"),
        inside(mail()),
        inside(inside(mail(cte="quoted-printable"))),
        b"> " + b64encode(PARAGRAPH.encode()) + b"\r\n",
        PARAGRAPH.encode("utf-8"),
        encodestring(PARAGRAPH.replace(" ", "&#32;").encode()),
    ],
    ids=("base64", "quoted", "koi8", "1251", "within", "deep", "quotation", "plain", "entities"),
)
def test_a_name_is_found_however_it_is_encoded(raw: bytes, word: str) -> None:
    """Addresses and names are found in each encoding, charset and depth; other words are not."""
    assert mail_names(raw, ["nobody@vogel.example", word])
    assert not mail_names(raw, ["nobody@vogel.example", "Amsel"])


def test_headers_and_wide_texts_are_read() -> None:
    """A name in encoded words of a header is found, also where it is cut in two; so is an address in UTF-16."""
    assert mail_names(b"Subject: =?utf-8?b?0JbQsNCy0L7RgNC+?=\r\n =?utf-8?b?0L3QvtC6?=\r\n\r\nHello.", ["жаворонок"])
    assert mail_names(b"Subject: =?utf-8?q?Zeisig_Vogelsang?=\r\n\r\nHello.", ["Zeisig Vogelsang"])
    assert mail_names(PARAGRAPH.encode("utf-16"), [ADDRESS])


def test_what_is_no_whole_base64_is_passed_over() -> None:
    """Words that look like base64 and lines that are cut off neither name anybody nor fail."""
    for raw in (b"A\n", b"Hello\nworld\n=\n", b"=?utf-8?b?A?=", b"=", b"", b64encode(PARAGRAPH.encode())[:-3]):
        assert mail_names(raw, ["amsel"]) is False

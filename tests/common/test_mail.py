"""Composed mails: what comes out is what was meant, read with two parsers and by the raw lines (check 9)."""

import email
import email.policy
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import getaddresses, parsedate_to_datetime

import pytest
from firstline.common.mail import BadAddress, BadMessageId, Mailbox, OutgoingMail, compose, one_line
from hypothesis import given
from hypothesis import strategies as st

PLAIN = OutgoingMail(
    message_id="<0193-ack@desk.example>",
    date=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
    sender=Mailbox("support@desk.example", "Helpdesk"),
    to=(Mailbox("anna@shop.example"),),
    subject="[FL-7K3M-9QPX] Site white after update",
    text="Hello,\n\nwe have it.\n",
)
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version"),
    *("Content-Type", "Content-Transfer-Encoding"),
]
EVIL = [
    "Hi\r\nBcc: all@shop.example",
    "Hi\nX-Evil: 1\n\nbody",
    "Hi\x00there\x0b\x0c\x85\u2028Bcc: a@b.example",
    "=?utf-8?q?Hi=0D=0ABcc:_all@shop.example?=",
    "=?utf-8?b?SGkNCkJjYzogYQ==?= =?utf-8?q?=0AX-Evil:1?=",
    "=?=?utf-8?q?=?= a ?=",
    "\u202egnp.exe\u202c [FL-7K3M-9QPX]",
    "\u2066\u200fabc\u2069 שלום עולם مرحبا",
    "а Ьаnk: Раураl",
    "x" * 10_000,
    "é" * 10_000,
    "🙂" * 3_000,
    "a " * 5_000,
    "\ud800 lone",
    "",
]


def raw_headers(mail: bytes) -> list[tuple[str, str]]:
    """Read a mail's head by the plain rules of RFC 5322, without a library."""
    head = mail.partition(b"\r\n\r\n")[0].decode("ascii")
    lines = re.sub(r"\r\n[ \t]", " ", head).split("\r\n")
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def unfolded(mail: bytes, header: str) -> str:
    """Return a header's value as the older of the two parsers reads it."""
    return str(make_header(decode_header(re.sub(r"\r\n(?=[ \t])", "", email.message_from_bytes(mail)[header]))))


def seen(mail: bytes, header: str) -> str:
    """Return a header's decoded value, on which both parsers of the standard library have to agree."""
    old = unfolded(mail, header)
    new = str(email.message_from_bytes(mail, policy=email.policy.default)[header])
    assert "".join(old.split()) == "".join(new.split())
    return new


def text_of(mail: bytes) -> str:
    """Return the body as a reader sees it, on which both parsers have to agree."""
    old = email.message_from_bytes(mail).get_payload(decode=True)
    new = email.message_from_bytes(mail, policy=email.policy.default).get_content()
    assert isinstance(old, bytes)
    assert old.decode().replace("\r\n", "\n") == new.replace("\r\n", "\n")
    return str(new).replace("\r\n", "\n")


def test_a_plain_mail_reads_well_on_the_wire() -> None:
    """An ASCII mail needs no decoding: every header and line stands there as it was meant."""
    assert compose(PLAIN).decode() == (
        'From: "Helpdesk" <support@desk.example>\r\n'
        "To: anna@shop.example\r\n"
        "Subject: [FL-7K3M-9QPX] Site white after update\r\n"
        "Date: Mon, 23 Nov 2026 09:30:00 +0000\r\n"
        "Message-ID: <0193-ack@desk.example>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: text/plain; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Hello,\r\n\r\nwe have it.\r\n"
    )


def test_the_conversation_is_named() -> None:
    """Reply address, the mail answered and the conversation's mails are in their headers, in order."""
    mail = compose(
        replace(
            PLAIN,
            reply_to=Mailbox("support+FL-7K3M-9QPX@desk.example"),
            in_reply_to="<b@shop.example>",
            references=("<a@shop.example>", "<b@shop.example>"),
            automatic="auto-replied",
        )
    )
    assert seen(mail, "Reply-To") == "support+FL-7K3M-9QPX@desk.example"
    assert seen(mail, "In-Reply-To") == "<b@shop.example>"
    assert seen(mail, "References").split() == ["<a@shop.example>", "<b@shop.example>"]
    assert seen(mail, "Auto-Submitted") == "auto-replied"


def test_the_date_is_the_argument() -> None:
    """The Date header is the instant given, so that a mail sent again has the same bytes."""
    assert parsedate_to_datetime(seen(compose(PLAIN), "Date")) == PLAIN.date
    assert compose(PLAIN) == compose(PLAIN)


@pytest.mark.parametrize("value", EVIL)
def test_no_subject_or_name_adds_a_header(value: str) -> None:
    """Whatever a subject or name holds, the mail has exactly the intended headers, in short ASCII lines."""
    mail = compose(
        replace(
            PLAIN, subject=value, sender=Mailbox("support@desk.example", value), to=(Mailbox("a@b.example", value),)
        )
    )
    names = [name for name, _ in raw_headers(mail)]
    assert names == [name for name in HEADERS if name != "Subject" or one_line(value)]
    for parsed in (email.message_from_bytes(mail), email.message_from_bytes(mail, policy=email.policy.default)):
        assert parsed.keys() == names
        assert [address for _, address in getaddresses([str(parsed["To"])])] == ["a@b.example"]
    assert all(len(line) <= 78 for line in mail.split(b"\r\n")[:-1])
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\x00", mail)
    assert text_of(mail) == PLAIN.text


@pytest.mark.parametrize("value", [value for value in EVIL if value])
def test_subjects_are_shown_as_they_were_written(value: str) -> None:
    """A subject is read as it was written, apart from control and direction marks: nothing in it is decoded."""
    mail = compose(replace(PLAIN, subject=value))
    assert unfolded(mail, "Subject") == one_line(value)
    if len(value) < 1_000:  # the newer parser takes seconds for longer ones
        assert seen(mail, "Subject") == one_line(value)


def test_direction_marks_are_dropped_and_letters_kept() -> None:
    """A subject can't be turned round, and right-to-left letters, joiners and emoji stay."""
    assert one_line("a\u202egnp.exe\u202c \u2066b\u2069") == "agnp.exe b"
    assert one_line("שלום  \t مرحبا") == "שלום مرحبا"
    assert one_line("👩\u200d🔧 می\u200cخواهم") == "👩\u200d🔧 می\u200cخواهم"


def test_a_long_subject_costs_little() -> None:
    """A subject of 100,000 signs takes a fraction of a second."""
    started = time.perf_counter()
    compose(replace(PLAIN, subject="é" * 50_000 + "=?" * 25_000))
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "anna",
            "anna@",
            "@shop.example",
            "anna@shop..example",
            "anna@.example",
            "anna@shop.example\n",
            "a b@c.example",
        ),
        *(
            "anna@shop.example\r\nBcc: x@y.example",
            "anna@shop.example,x@y.example",
            "<anna@shop.example>",
            "a@b@c.example",
        ),
        *('"a b"@shop.example', "anna@shöp.example", "ännä@shop.example", "=?utf-8?q?a=40evil.example?=@shop.example"),
        *("anna@[127.0.0.1]", "x" * 65 + "@shop.example", "a@" + "b." * 130 + "example"),
    ],
)
def test_other_things_than_addresses_are_refused(address: str) -> None:
    """Nothing is sent to, from or with a reply to what isn't one plain address."""
    for mail in (
        replace(PLAIN, to=(Mailbox(address),)),
        replace(PLAIN, sender=Mailbox(address)),
        replace(PLAIN, to=(Mailbox("a@b.example"), Mailbox(address, "name"))),
    ):
        with pytest.raises(BadAddress):
            compose(mail)


@pytest.mark.parametrize("message_id", ["", "a@b", "<a>", "<a b@c>", "<a@b>\r\nX: y", "<ä@b>", "<a@b", "<<a@b>>"])
def test_malformed_message_ids(message_id: str) -> None:
    """Our own malformed Message-ID is an error; a stranger's is left out and the rest kept."""
    with pytest.raises(BadMessageId):
        compose(replace(PLAIN, message_id=message_id))
    mail = compose(replace(PLAIN, in_reply_to=message_id, references=("<a@shop.example>", message_id)))
    assert "In-Reply-To" not in dict(raw_headers(mail))
    assert dict(raw_headers(mail))["References"] == "<a@shop.example>"


def test_a_long_conversation_names_its_last_mails() -> None:
    """Of many references the last twenty are named, one a line."""
    mail = compose(replace(PLAIN, references=tuple(f"<{n}@shop.example>" for n in range(300))))
    assert dict(raw_headers(mail))["References"].split() == [f"<{n}@shop.example>" for n in range(280, 300)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("line\r\nnext\rlast", "line\nnext\nlast\n"),
        ("Grüße und 日本語 🙂", "Grüße und 日本語 🙂\n"),
        ("a" * 5_000, "a" * 5_000 + "\n"),
        ("trailing space \n.\nFrom here\n--\n", "trailing space \n.\nFrom here\n--\n"),
        ("null\x00 bell\x07 tab\t escape\x1b[31m", "null bell tab\t escape[31m\n"),
        ("a = b; c=3D" + " d" * 60, "a = b; c=3D" + " d" * 60 + "\n"),
        ("", "\n"),
        ("https://desk.example/r/FL-7K3M-9QPX?token=" + "x" * 80, None),
    ],
)
def test_bodies_come_through(text: str, shown: str | None) -> None:
    """A body of any length and script is read as it was written, with one line end at its end."""
    mail = compose(replace(PLAIN, text=text))
    assert text_of(mail) == (shown or f"{text}\n")
    assert mail.isascii()
    assert all(len(line) <= 78 for line in mail.split(b"\r\n"))


@given(st.text(max_size=300), st.text(max_size=120), st.text(max_size=600))
def test_any_text_makes_the_intended_mail(subject: str, name: str, text: str) -> None:
    """For any subject, name and body the headers are the intended ones and what is read is what was written."""
    mail = compose(replace(PLAIN, subject=f"[FL-7K3M-9QPX] {subject}", to=(Mailbox("a@b.example", name),), text=text))
    assert [header for header, _ in raw_headers(mail)] == HEADERS
    assert unfolded(mail, "Subject") == one_line(f"[FL-7K3M-9QPX] {subject}")
    expected = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", re.sub("\r\n?", "\n", text)).rstrip("\n") + "\n"
    assert text_of(mail) == expected

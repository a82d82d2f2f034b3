"""What is read from a mail: headers, bodies, files, signs of robots; each as its standard says or a defined nothing."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart

import pytest
from firstline.intake.mail import ParsedMail
from firstline.intake.parsing import parse

FROM = b"From: Anna Berg <Anna@Shop.example>\r\n"


def read(raw: bytes) -> ParsedMail:
    """Return the mail alone."""
    return parse(raw)[0]


def headers(*lines: str) -> ParsedMail:
    """Read a mail that has these header lines and a short body."""
    return read("\r\n".join([*lines, "", "Hello\r\n"]).encode())


def test_plain_mail_is_read_whole() -> None:
    """Every field of an ordinary mail arrives."""
    mail, payloads = parse(
        b"Return-Path: <anna@shop.example>\r\n"
        b"Authentication-Results: mx.desk.example; dmarc=pass\r\n"
        b"From: Anna Berg <Anna@Shop.example>\r\n"
        b"To: Support <support@desk.example>, support+x@desk.example\r\n"
        b"Cc: boss@shop.example\r\n"
        b"Reply-To: other@elsewhere.example\r\n"
        b"Subject: Site is down\r\n"
        b"Date: Mon, 23 Nov 2026 10:15:00 +0100\r\n"
        b"Message-ID: <m1@shop.example>\r\n"
        b"In-Reply-To: <m0@desk.example>\r\n"
        b"References: <a@desk.example>\r\n <m0@desk.example>\r\n"
        b"\r\nHello,\r\n\r\nit is down.\r\n"
    )
    assert mail == ParsedMail(
        digest=mail.digest,
        message_id="<m1@shop.example>",
        in_reply_to=("<m0@desk.example>",),
        references=("<a@desk.example>", "<m0@desk.example>"),
        from_address="anna@shop.example",
        from_name="Anna Berg",
        reply_to=("other@elsewhere.example",),
        to=("support@desk.example", "support+x@desk.example"),
        cc=("boss@shop.example",),
        subject="Site is down",
        date=datetime(2026, 11, 23, 9, 15, tzinfo=UTC),
        text="Hello,\n\nit is down.",
        reply_text="Hello,\n\nit is down.",
        auth_results=("mx.desk.example; dmarc=pass",),
    )
    assert payloads == []


def test_mail_travels_as_json() -> None:
    """A parsed mail is the same after a trip through JSON."""
    mail = EmailMessage()
    mail["From"], mail["Date"], mail["Subject"] = "a@shop.example", "Mon, 23 Nov 2026 10:15:00 +0100", "Grüße"
    mail.set_content("x")
    mail.add_attachment(b"abc", maintype="image", subtype="png", filename="a.png")
    parsed = read(bytes(mail))
    assert ParsedMail.from_json(json.loads(json.dumps(parsed.to_json()))) == parsed
    with pytest.raises(KeyError):
        ParsedMail.from_json({"digest": ""})


# Headers


@pytest.mark.parametrize(
    ("line", "subject"),
    [
        ("Subject: =?utf-8?b?R3LDvMOfZQ==?=", "Grüße"),
        ("Subject: =?iso-8859-1?q?Gr=FC=DFe?= aus =?utf-8?q?K=C3=B6ln?=", "Grüße aus Köln"),
        ("Subject: =?utf-8?b?R3LD?= =?utf-8?b?vMOfZQ==?=", "Grüße"),
        ("Subject: =?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"),
        ("Subject: Grüße als rohes UTF-8", "Grüße als rohes UTF-8"),
        ("Subject: two\r\n\tlines", "two lines"),
        ("Subject: =?utf-8?q?inject=0D=0ABcc:_x=40y?=", "inject Bcc: x@y"),
        ("Subject: a\0b\x07c\x1b[31m", "abc[31m"),
        ("Subject: =?utf-8?b?4oCuZ3BqLmV4ZeKArA==?=", "gpj.exe"),
        ("Subject: =?klingon?q?tlh?=", "tlh"),
        ("Subject: =?utf-8?b?!!!?=", ""),
        ("Subject: =?=?=?utf-8?q?=3D=3Fx=3F=3D?=", "=?=?=?x?="),
        ("Subject:", ""),
        ("X-Other: no subject at all", ""),
        ("SUBJECT: any case", "any case"),
    ],
)
def test_subject_is_one_clean_line(line: str, subject: str) -> None:
    """Encoded words, raw UTF-8, folding, control characters and turns of direction end as one readable line."""
    assert headers(line).subject == subject


def test_subject_keeps_998_characters() -> None:
    """A subject as long as a line may be survives, so that a number at its end is found; the rest goes."""
    assert headers(f"Subject: {'a' * 980} [FL-7K3M-9QPX]").subject.endswith("[FL-7K3M-9QPX]")
    assert len(headers(f"Subject: {'a' * 5000}").subject) == 998


def test_latin_bytes_in_a_header_are_read() -> None:
    """Eight-bit bytes that are no UTF-8 are taken as Latin-1."""
    assert read(FROM + b"Subject: Gr\xfc\xdfe\r\n\r\nx").subject == "Grüße"


@pytest.mark.parametrize(
    ("line", "name", "address"),
    [
        ("From: anna@shop.example", "", "anna@shop.example"),
        ("From: <anna@shop.example>", "", "anna@shop.example"),
        ("From: Anna <ANNA@SHOP.EXAMPLE>", "Anna", "anna@shop.example"),
        ('From: "Berg, Anna" <anna@shop.example>', "Berg, Anna", "anna@shop.example"),
        ("From: =?utf-8?q?J=C3=B6rg?= <j@shop.example>", "Jörg", "j@shop.example"),
        ("From: Jörg <j@shop.example>", "Jörg", "j@shop.example"),
        (r'From: "Anna \"the\" Berg" <anna@shop.example>', 'Anna "the" Berg', "anna@shop.example"),
        ('From: "a <b@c>" <anna@shop.example>', "a <b@c>", "anna@shop.example"),
        ("From: anna@shop.example <anna@shop.example>", "anna@shop.example", "anna@shop.example"),
        ("From: anna@shop.example (Anna)", "Anna", "anna@shop.example"),
        ("From: =?utf-8?q?a=0D=0ABcc=3A_x?= <a@shop.example>", "a Bcc: x", "a@shop.example"),
        ("From: иван@почта.example", "", "иван@почта.example"),
        ("From: anna+tag@shop.example", "", "anna+tag@shop.example"),
    ],
)
def test_sender_is_one_mailbox(line: str, name: str, address: str) -> None:
    """The name is decoded and cleaned, the address is ready for comparing."""
    mail = headers(line)
    assert (mail.from_name, mail.from_address) == (name, address)


@pytest.mark.parametrize(
    "lines",
    [
        ["Subject: no From"],
        ["From:"],
        ["From: <>"],
        ["From: <"],
        ["From: anna"],
        ["From: anna@"],
        ["From: @shop.example"],
        ["From: a@shop.example, b@shop.example"],
        ["From: a@shop.example", "From: b@shop.example"],
        ["From: A <a@shop.example>", "From: B <b@shop.example>"],
        ["From: undisclosed-recipients:;"],
        ["From: a@shop.example, B <b@evil.example>"],
        ["From: a@shop.example; <b@evil.example>"],
        ["From: a@shop.example <b@evil.example> c@d.example"],
        ['From: "A" b@evil.example <a@shop.example>'],
        ["From: a@shop.example (b) <c@evil.example> (d)"],
        ["From: <a@shop.example> <b@evil.example>"],
        ['From: "a b"@shop.example'],
        ["From: a@shop.example\0@evil.example"],
        ["From: a@evil.example@shop.example"],
        ["From: " + "(" * 3000 + "a@shop.example"],
        ["From: a\u202eb@shop.example"],
        ["From: " + "a" * 65 + "@shop.example"],
    ],
)
def test_odd_sender_is_nobody(lines: list[str]) -> None:
    """Missing, empty, several or ambiguous senders are none, so that no check and no reply goes astray."""
    assert headers(*lines).from_address is None


def test_name_that_looks_like_an_address_is_only_a_name() -> None:
    """The address in angle brackets is the sender, whatever stands before it."""
    mail = headers('From: "boss@shop.example" <eve@evil.example>')
    assert (mail.from_name, mail.from_address) == ("boss@shop.example", "eve@evil.example")
    assert headers("From: boss@shop.example <eve@evil.example>").from_address == "eve@evil.example"


def test_recipients_are_found_in_any_syntax() -> None:
    """Groups, names, comments and repeated headers give the addresses, each once; what is no address is left out."""
    mail = headers(
        "To: Team: a@x.example, B <B@x.example>;, a@x.example, nobody", "To: c@x.example", "Cc: (hi) d@x.example"
    )
    assert mail.to == ("a@x.example", "b@x.example", "c@x.example")
    assert mail.cc == ("d@x.example",)


@pytest.mark.parametrize(
    ("line", "message_id"),
    [
        ("Message-ID: <a@b>", "<a@b>"),
        ("Message-Id:\r\n <a@b>", "<a@b>"),
        (f"Message-ID: <{'a' * 996}>", f"<{'a' * 996}>"),
        (f"Message-ID: <{'a' * 997}>", None),
        (f"Message-ID: <{'a' * 5000}@b>", None),
        ("Message-ID:", None),
        ("Message-ID: <>", None),
        ("Message-ID: a@b", None),
        ("Message-ID: <a b@c>", None),
        ("Message-ID: <a@b> <c@d>", None),
        ("Message-ID: <ä@b>", None),
        ("Message-ID: <a\0@b>", None),
        ("Message-ID: <a@b>\r\nMessage-ID: <c@d>", None),
        ("X: y", None),
    ],
)
def test_message_id_is_usable_or_none(line: str, message_id: str | None) -> None:
    """Only one well-formed Message-ID of at most 998 characters is one."""
    assert headers(line).message_id == message_id


def test_long_threads_keep_first_and_newest() -> None:
    """Of thousands of references the oldest and the newest ones stay."""
    ids = [f"<{number}@x>" for number in range(3000)]
    references = headers("References: " + " ".join(ids)).references
    assert len(references) == 50
    assert (references[0], references[-49:]) == (ids[0], tuple(ids[-49:]))


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("Date: Mon, 23 Nov 2026 10:15:00 +0100", datetime(2026, 11, 23, 9, 15, tzinfo=UTC)),
        ("Date: 23 Nov 2026 10:15:00 -0000", datetime(2026, 11, 23, 10, 15, tzinfo=UTC)),
        ("Date: Sat, 1 Jan 2050 00:00:00 GMT", datetime(2050, 1, 1, tzinfo=UTC)),
        ("Date: Mon, 99 Nov 2026 10:15:00 +0100", None),
        ("Date: 1 Jan 99999 00:00:00 +0000", None),
        ("Date: 31 Dec 9999 23:59:00 -1200", None),
        ("Date: 1 Jan 2026 00:00:00 +99999999", None),
        ("Date: yesterday", None),
        ("Date:", None),
        ("X: y", None),
    ],
)
def test_date_is_an_instant_or_none(line: str, date: datetime | None) -> None:
    """A date far off is only what the sender says; an impossible one is none."""
    assert headers(line).date == date


def test_control_headers_of_strangers_have_no_effect() -> None:
    """Headers that pretend to be ours change nothing."""
    usual = ["From: a@shop.example", "Subject: x"]
    pretended = headers(*usual, "X-Firstline-Ticket: FL-7K3M-9QPX", "X-RT-Action: close", "X-Status: closed")
    assert replace(pretended, digest="") == replace(headers(*usual), digest="")


# Digest


def test_digest_ignores_what_deliveries_add() -> None:
    """Two copies that came by two ways, with other trace headers and line ends, have one digest."""
    own = b"From: a@shop.example\r\nSubject: x\r\nMessage-ID: <a@b>\r\n\r\nHello\r\nthere\r\n"
    traced = (
        b"Return-Path: <a@shop.example>\r\nDelivered-To: support@desk.example\r\n"
        b"Received: from x by y;\r\n\tMon, 23 Nov 2026 10:15:00 +0100\r\n"
        b"ARC-Seal: i=1\r\nARC-Message-Signature: i=1;\r\n b=x\r\nARC-Authentication-Results: i=1\r\n"
        b"Authentication-Results: mx; dmarc=pass\r\nDKIM-Signature: v=1;\r\n bh=abc\r\nReceived-SPF: pass\r\n"
        b"X-Spam-Score: 1\r\nX-Received: y\r\n"
    ) + own
    assert read(own).digest == read(traced).digest == read(traced.replace(b"\r\n", b"\n")).digest


@pytest.mark.parametrize("changed", [b"Hello!", b"Subject: y", b"b@shop.example", b"<a@c>", b"Received: in the body"])
def test_digest_sees_every_other_change(changed: bytes) -> None:
    """Another body, subject, sender or id is another mail; a trace header's name in the body counts."""
    own = b"From: a@shop.example\r\nSubject: x\r\nMessage-ID: <a@b>\r\n\r\nHello\r\n"
    other = {
        b"Hello!": own.replace(b"Hello", b"Hello!"),
        b"Subject: y": own.replace(b"Subject: x", b"Subject: y"),
        b"b@shop.example": own.replace(b"a@shop", b"b@shop"),
        b"<a@c>": own.replace(b"<a@b>", b"<a@c>"),
        b"Received: in the body": own + b"Received: in the body\r\n",
    }[changed]
    assert read(own).digest != read(other).digest


# Files


def test_files_come_with_name_type_and_content() -> None:
    """Each attachment is described, and its payload has the stated place, size and digest."""
    mail = EmailMessage()
    mail["From"] = "a@shop.example"
    mail.set_content("See the pictures.")
    mail.add_attachment(b"one", maintype="image", subtype="png", filename="bücher 1.png")
    mail.add_attachment(b"two" * 1000, maintype="application", subtype="pdf", filename="b.pdf")
    parsed, payloads = parse(bytes(mail))
    assert parsed.text == "See the pictures."
    assert [(a.name, a.declared_type, a.size, a.index) for a in parsed.attachments] == [
        ("bücher 1.png", "image/png", 3, 0),
        ("b.pdf", "application/pdf", 3000, 1),
    ]
    assert payloads == [b"one", b"two" * 1000]
    assert [a.sha256 for a in parsed.attachments] == [hashlib.sha256(payload).hexdigest() for payload in payloads]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="a.png"', "a.png"),
        ("attachment; filename*=utf-8''b%C3%BCcher.png", "bücher.png"),
        ('attachment; filename*0="long-"; filename*1="name.png"', "long-name.png"),
        ('attachment; filename="=?utf-8?q?b=C3=BCcher.png?="', "bücher.png"),
        ('attachment; filename="bücher.png"', "bücher.png"),
        ('attachment; filename="a\0\r\n b.png"', "a b.png"),
        ("attachment; filename*=klingon''%C3", ""),
        ("attachment; filename*x=y; filename*0=z", ""),
        ("attachment", ""),
        ("attachment; filename=" + "a" * 5000, "a" * 200),
    ],
)
def test_file_name_is_one_clean_line(disposition: str, name: str) -> None:
    """Names in every encoding arrive decoded, without control characters, and no longer than 200 characters."""
    raw = f"From: a@b.example\r\nContent-Type: image/png\r\nContent-Disposition: {disposition}\r\n\r\nx"
    found = read(raw.encode()).attachments[0].name
    assert found == name or (not name and len(found) <= 200)


def test_text_file_is_a_file() -> None:
    """A log sent as a text attachment doesn't flood the message; nor does a named text part without a disposition."""
    mail = EmailMessage()
    mail.set_content("Log enclosed.")
    mail.add_attachment("line\n" * 10, filename="server.log")
    named = MIMEPart()
    named.set_content("named\n")
    named.set_param("name", "notes.txt")
    mail.attach(named)  # type: ignore[arg-type]
    parsed, payloads = parse(bytes(mail))
    assert parsed.text == "Log enclosed."
    assert [a.name for a in parsed.attachments] == ["server.log", "notes.txt"]
    assert payloads[0] == b"line\n" * 10


def test_enclosed_mail_is_a_file_and_not_part_of_the_text() -> None:
    """A forwarded mail stays whole as a file: its subject, sender and files are not the outer mail's."""
    inner = EmailMessage()
    inner["Subject"], inner["From"] = "Inner [FL-7K3M-9QPX]", "boss@desk.example"
    inner.set_content("inner text")
    inner.add_attachment(b"x", maintype="image", subtype="png", filename="inner.png")
    outer = EmailMessage()
    outer["Subject"], outer["From"] = "Outer", "a@shop.example"
    outer.set_content("See below.")
    outer.add_attachment(inner)
    parsed, payloads = parse(bytes(outer))
    assert (parsed.subject, parsed.from_address, parsed.text) == ("Outer", "a@shop.example", "See below.")
    assert [a.declared_type for a in parsed.attachments] == ["message/rfc822"]
    assert b"inner text" in payloads[0]


def test_too_many_files_are_cut_and_said() -> None:
    """The first fifty files are taken; that there were more is noted, and the raw mail has them."""
    mail = EmailMessage()
    mail.set_content("x")
    for number in range(60):
        mail.add_attachment(b"x", maintype="image", subtype="png", filename=f"{number}.png")
    parsed, payloads = parse(bytes(mail))
    assert (len(parsed.attachments), len(payloads)) == (50, 50)
    assert parsed.problems == ("attachments_left_out",)


# Robots


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["Auto-Submitted: auto-replied"], "auto-replied"),
        (["Auto-Submitted: auto-replied; owner-email=a@b"], "auto-replied"),
        (["Auto-Submitted: AUTO-GENERATED"], "auto-generated"),
        (["Auto-Submitted: auto-notified"], "auto-generated"),
        (["Auto-Submitted: no", "Auto-Submitted: auto-generated"], "auto-generated"),
        (["X-Autoreply: yes"], "auto-replied"),
        (["X-Autorespond: Out of office"], "auto-replied"),
        (["X-Mail-Autoreply: yes"], "auto-replied"),
        (["Precedence: auto_reply"], "auto-replied"),
        (["Precedence: bulk"], "bulk"),
        (["Precedence: Junk"], "bulk"),
        (["Precedence: list"], "list"),
        (["List-Id: <news.shop.example>"], "list"),
        (["Return-Path: <>"], "bounce"),
        (["Content-Type: multipart/report; report-type=delivery-status; boundary=b"], "bounce"),
        (["Content-Type: multipart/report; boundary=b"], "bounce"),
        (["Content-Type: multipart/report; report-type=disposition-notification; boundary=b"], "report"),
        (["Content-Type: multipart/report; report-type=feedback-report; boundary=b"], "report"),
    ],
)
def test_robots_are_recognised(lines: list[str], kind: str) -> None:
    """Every usual sign of automatic mail is understood."""
    assert headers("From: a@shop.example", *lines).automatic == kind


@pytest.mark.parametrize(
    "line",
    [
        "X-Auto-Response-Suppress: All",
        "Auto-Submitted: no",
        "Auto-Submitted:",
        "Precedence: first-class",
        "Return-Path: <a@shop.example>",
        "List-Unsubscribe: <mailto:u@shop.example>",
        "X-Autoreply: no",
        "X-Mailer: Autoresponder",
        "Subject: Out of office",
    ],
)
def test_people_are_no_robots(line: str) -> None:
    """Headers that people's mail has too prove nothing."""
    assert headers("From: a@shop.example", line).automatic is None


@pytest.mark.parametrize(
    "returned",
    [
        b"Content-Type: message/rfc822\r\n\r\nMessage-ID: <sent@desk.example>\r\nSubject: x\r\n\r\nbody\r\n",
        b"Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nMessage-ID: <sent@desk.example>\r\n\r\n",
    ],
)
def test_bounce_names_the_mail_that_it_returns(returned: bytes) -> None:
    """RFC 3464: the Message-ID of the returned mail is found, whether it came whole or as headers."""
    raw = (
        b"From: MAILER-DAEMON@mx.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=r\r\n"
        b"\r\n--r\r\n\r\nCould not be delivered.\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; a@shop.example\r\nAction: failed\r\n"
        b"Status: 5.1.1\r\n\r\n--r\r\n" + returned + b"\r\n--r--\r\n"
    )
    mail = read(raw)
    assert (mail.automatic, mail.returned_id) == ("bounce", "<sent@desk.example>")
    assert mail.text == "Could not be delivered."


def test_enclosed_mail_of_no_report_returns_nothing() -> None:
    """A forwarded mail of ours is no bounce."""
    raw = FROM + b"Content-Type: message/rfc822\r\n\r\nMessage-ID: <sent@desk.example>\r\n\r\nbody"
    assert read(raw).returned_id is None

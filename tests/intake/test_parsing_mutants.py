"""Thousands of damaged mails: none raises, and everything read from them can be stored and sent."""

import json
import random

import pytest
from firstline.intake.mail import ParsedMail
from firstline.intake.mail_headers import MAX_ADDRESSES
from firstline.intake.parsing import parse

ORDINARY = (
    b"Received: from x by y; Mon, 23 Nov 2026 10:00:00 +0100\r\n"
    b'From: =?utf-8?q?J=C3=B6rg?= <a@b.example>\r\nTo: "S, T" <s@x.example>, Group: a@b.example, d@e.example;\r\n'
    b"Subject: =?utf-8?b?R3LDvMOfZQ==?= =?iso-8859-1?q?=FC?=\r\n [FL-7K3M-9QPX]\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0100\r\nMessage-ID: <x@y>\r\nReferences: <a@b> <c@d>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n--b\r\n'
    b"Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n\r\nOn Mon, X wrote:\r\n> a\r\n--c\r\n"
    b"Content-Type: text/html; charset=iso-8859-1\r\n\r\n<html><body><p>hi<table><tr><td>a</table></html>\r\n--c--\r\n"
    b"--b\r\nContent-Type: image/png; name*=utf-8''b%C3%BCd.png\r\n"
    b'Content-Disposition: attachment; filename*0="a"; filename*1="b.png"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    b"iVBORw0KGgo=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nFrom: x@y.example\r\n\r\nbody\r\n"
    b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n"
    b"begin 644 a\r\n#0V%T\r\nend\r\n--b--\r\n"
)
BOUNCE = (
    b"From: MAILER-DAEMON@x.example\r\nAuto-Submitted: auto-replied\r\nReturn-Path: <>\r\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n\r\nfailed\r\n--r\r\n"
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b\r\n"
    b"Action: failed\r\nStatus: 5.1.1\r\n--r\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <q@w>\r\n"
    b"Subject: z\r\n\r\n--r--\r\n"
)
TOKENS = (
    *(
        b"\r\n",
        b"\n\n",
        b"\r",
        b"\0",
        b"=?",
        b"?=",
        b'"',
        b"(",
        b")",
        b"<",
        b">",
        b";",
        b":",
        b"@",
        b"=",
        b"*",
        b"%",
        b"\\",
    ),
    *(
        b"''",
        b"*0*=",
        b"\xff",
        b"\xc3",
        b"\xe2\x80\xae",
        b"\xf0\x9f\x98\x80",
        b"utf-8",
        b"utf-16",
        b"idna",
        b"charset=",
    ),
    *(b"unknown-8bit", b"base64", b"7bit", b"quoted-printable", b"x-uuencode", b"boundary=", b"--b", b"multipart/"),
    *(b"message/rfc822", b"message/partial", b"text/html", b"text/plain", b"report-type=", b"filename*1*="),
)
MUTANTS = 1_500


def mutate(chance: random.Random, original: bytes) -> bytes:
    """Damage a mail in a few places."""
    mail = bytearray(original)
    for _ in range(chance.choice((1, 2, 3, 6, 20))):
        place = chance.randrange(len(mail) + 1)
        match chance.randrange(5):
            case 0:
                mail[place:place] = chance.choice(TOKENS)
            case 1:
                del mail[place : place + chance.randrange(1, 20)]
            case 2:
                mail[place : place + 1] = bytes([chance.randrange(256)])
            case 3:
                start = chance.randrange(len(mail) + 1)
                mail[place:place] = mail[start : start + chance.randrange(60)]
            case _:
                mail[place : place + 3] = chance.choice(TOKENS)
    return bytes(mail)


def check(mail: ParsedMail, payloads: list[bytes]) -> None:
    """Hold what every mail promises that was read."""
    text = json.dumps(mail.to_json(), ensure_ascii=False)
    text.encode()  # no lone surrogates
    assert "\\u0000" not in text
    assert ParsedMail.from_json(json.loads(text)) == mail
    assert [len(payload) for payload in payloads] == [file.size for file in mail.attachments]
    addresses = (*mail.to, *mail.cc, *mail.reply_to, *([mail.from_address] if mail.from_address else []))
    lines = (mail.subject, mail.from_name, *mail.references, *mail.auth_results, *(f.name for f in mail.attachments))
    assert all(line.isprintable() or line.replace("\u200d", "").strip() for line in addresses)
    assert not any(sign in line for line in (*lines, *addresses) for sign in "\r\n\0\u202e")
    assert len(mail.to) <= MAX_ADDRESSES


@pytest.mark.parametrize("original", [ORDINARY, BOUNCE], ids=["ordinary", "bounce"])
@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_mails_are_read(original: bytes, seed: int) -> None:
    """No mutant raises; what is read is valid, bounded, without line breaks in headers; few lose their body."""
    chance = random.Random(seed)
    headless = 0
    for _ in range(MUTANTS):
        mail, payloads = parse(mutate(chance, original))
        check(mail, payloads)
        headless += "unreadable" in mail.problems
    assert headless < MUTANTS / 100


def test_parsing_is_repeatable() -> None:
    """The same bytes give the same mail, so that a mail can be parsed again at any time."""
    chance = random.Random(3)
    for _ in range(200):
        raw = mutate(chance, ORDINARY)
        assert parse(raw) == parse(raw)


@pytest.mark.parametrize("seed", [4])
def test_noise_is_read(seed: int) -> None:
    """Pure noise, and noise between tokens, is a mail too."""
    chance = random.Random(seed)
    for _ in range(1_000):
        pieces = (chance.choice((*TOKENS, chance.randbytes(chance.randrange(30)))) for _ in range(40))
        check(*parse(b"".join(pieces)))

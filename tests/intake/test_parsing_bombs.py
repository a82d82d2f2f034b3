"""Mails made to hurt cost little (S5: two seconds of CPU time), raise nothing, and still say who sent them."""

import resource
import time
from collections.abc import Callable

import pytest
from firstline.intake.mail import ParsedMail
from firstline.intake.parsing import MAX_LINES, MAX_TEXT_CHARS, parse, unparseable

HEAD = b"From: Eve <eve@evil.example>\r\nSubject: bomb\r\nMIME-Version: 1.0\r\n"
MIB = 1024 * 1024
CPU_SECONDS = 2.0 * 3
"""Two seconds, three times over: machines that are slow or shared differ by that much in how they serve memory. What
these mails cost a parser that minds them not is ten times as much and more."""

LOOPS, LOOP_SECONDS = 2_000_000, 0.15
"""A loop and the CPU time that it takes on the machine to which the limit applies; slower ones get more."""


def typed(content_type: bytes, body: bytes, encoding: bytes = b"7bit") -> bytes:
    """Return a mail of one part."""
    return HEAD + b"Content-Type: " + content_type + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body


def nested(depth: int, body: bytes = b"deep\r\n") -> bytes:
    """Return a mail whose multiparts lie inside each other."""
    opened = (b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth))
    return HEAD + b"".join(opened) + b"\r\n" + body


def header(line: bytes) -> bytes:
    """Return a small mail with one more header."""
    return HEAD + line + b"\r\n\r\nhello\r\n"


LINE = b"QUFB" * 19 + b"\r\n"
SMALL: dict[str, bytes] = {
    "20,000 encoded words": header(b"Subject: " + b"=?utf-8?q?a?= " * 20_000),
    "20,000 encoded words, base64": header(b"Subject: " + b"=?utf-8?b?YQ==?=" * 20_000),
    "broken encoded words": header(b"Subject: " + b"=?a?b?" * 20_000),
    "8,000 addresses": header(b"To: " + b", ".join(b"a%d@shop.example" % n for n in range(8_000))),
    "3,000 nested comments": header(b"To: " + b"(" * 3_000 + b"a@shop.example"),
    "20,000 comments": header(b"Cc: " + b"()" * 20_000 + b"a@shop.example"),
    "quotation marks": header(b"Cc: " + b'"' * 32_001),
    "angle brackets": header(b"Cc: " + b"<" * 32_001),
    "groups": header(b"Cc: " + b":;" * 16_001),
    "20,000 references": header(b"References: " + b"<a@b> " * 20_000),
    "references never closed": header(b"References: " + b"<" * 60_000),
    "8,000 parameters": header(b"Content-Type: text/plain" + b'; a="b;' * 8_000),
    "9,000 continued parameters": header(b"Content-Type: text/plain" + b"; a*0*=b" * 9_000),
    "300,000 headers": HEAD + b"X-A: b\r\n" * 300_000 + b"\r\nhello\r\n",
    "300,000 folded lines": HEAD + b"X-A: b\r\n" + b" b\r\n" * 300_000 + b"\r\nhello\r\n",
    "one header of 8 MiB": header(b"X-A: " + b"b" * 8 * MIB),
    "utf-32 garbage": typed(b"text/plain; charset=utf-32", b"\xff" * MIB),
    "utf-7": typed(b"text/plain; charset=utf-7", b"+AAA-" * 200_000),
    "punycode": typed(b"text/plain; charset=punycode", b"a-" * 200_000),
    "idna": typed(b"text/plain; charset=idna", b"xn--a." * 100_000),
    "random bytes": typed(b"text/plain", bytes((n * 7919 + n // 256) % 256 for n in range(MIB))),
    "100,000 divs": typed(b"text/html", b"<div>" * 100_000),
    "tables in tables": typed(b"text/html", b"<table><tr><td>a" * 20_000),
    "30,000 rows": typed(b"text/html", b"<table>" + b"<tr><td>a<td>b" * 30_000),
    "wide rows": typed(b"text/html", b"<table><tr>" + b"<td>a\n" * 60_000),
    "lists in lists": typed(b"text/html", b"<ul><li>a" * 30_000),
    "announcements of quotations": typed(b"text/plain", (b"On " + b"a " * 98 + b"\r\n") * 5_000),
    "one endless announcement": typed(b"text/plain", b"On " + b"a " * 50_000),
    "quotation marks at line starts": typed(b"text/plain", (b"> " * 99 + b"\r\n") * 5_000),
    "disclaimers": typed(b"text/plain", (b"Disclaimer: " + b"mail " * 37 + b"\r\n") * 5_000),
    "blank lines": typed(b"text/plain", b"a\r\n" + b"\r\n" * 90_000 + b"b"),
    "underscores": typed(b"text/plain", (b"\r\n\r\n" + b"_" * 33 + b"\r\n") * 3_000),
}
LARGE: dict[str, Callable[[], bytes]] = {
    "25 MiB of base64": lambda: typed(b"application/pdf", LINE * (25 * MIB // len(LINE)), b"base64"),
    "one line of base64": lambda: typed(b"application/pdf", b"QUFB" * 6 * MIB, b"base64"),
    "one line of text": lambda: typed(b"text/plain", b"QUFB" * 6 * MIB),
    "one line of HTML": lambda: typed(b"text/html", b"<b>QUFB" * 3 * MIB),
    "100 HTML tables": lambda: typed(
        b"multipart/mixed; boundary=b",
        (b"--b\r\nContent-Type: text/html\r\n\r\n<table><tr>" + b"<td>a " * 30_000) * 100 + b"--b--\r\n",
    ),
    "100 alternatives without a charset": lambda: typed(
        b"multipart/alternative; boundary=b", (b"--b\r\n\r\n" + bytes(range(128, 256)) * 1_000) * 100 + b"--b--\r\n"
    ),
    "100 texts without a charset": lambda: typed(
        b"multipart/mixed; boundary=b", (b"--b\r\n\r\n" + bytes(range(128, 256)) * 1_000) * 100 + b"--b--\r\n"
    ),
    "soft line ends": lambda: typed(b"text/plain", b"=41=42=\r\n" * 590_000, b"quoted-printable"),
    "uuencoded": lambda: typed(b"x/y", b"begin 644 x\n" + b"#0V%T\n" * 590_000 + b"end\n", b"x-uuencode"),
    "590,000 boundary-like lines, 11 deep": lambda: nested(11, b"--bcdefghij\r\n" * 590_000),
}


def cost(raw: bytes) -> tuple[ParsedMail, list[bytes], float]:
    """Parse a mail; return it with the seconds of CPU time that this took."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    mail, payloads = parse(raw)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return mail, payloads, seconds / slowness()


def slowness() -> float:
    """Return how much slower this machine is now, at least 1."""
    before = time.process_time()
    total = 0
    for number in range(LOOPS):
        total += number
    return max(1.0, (time.process_time() - before) / LOOP_SECONDS)


@pytest.mark.parametrize("raw", SMALL.values(), ids=SMALL)
def test_small_bomb_is_cheap(raw: bytes) -> None:
    """Every trick costs less than two seconds, and the sender is still known."""
    mail, _, seconds = cost(raw)
    assert seconds < CPU_SECONDS
    assert mail.from_address == "eve@evil.example"
    assert len(mail.text) <= MAX_TEXT_CHARS


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_large_bomb_is_cheap(make: Callable[[], bytes]) -> None:
    """A mail as large as is taken costs less than two seconds, whatever is in it."""
    mail, _, seconds = cost(make())
    assert seconds < CPU_SECONDS
    assert mail.from_address == "eve@evil.example"
    assert set(mail.problems) <= {"text_cut"}


COMPLEX = {
    "3,000 levels": nested(3_000),
    "13 levels": nested(13),
    "10,000 parts": typed(b"multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n" * 10_000 + b"--b--\r\n"),
    "1,000 mails in mails": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 1_000,
    "millions of lines": typed(b"text/plain", b"a\r\n" * (MAX_LINES + 1)),
    "millions of bare line ends": typed(b"text/plain", b"\r" * (MAX_LINES + 1)),
}


@pytest.mark.parametrize("raw", COMPLEX.values(), ids=COMPLEX)
def test_what_no_person_sends_is_read_for_its_head_only(raw: bytes) -> None:
    """More parts, levels or lines than mails have: the head is read, the body isn't, and the mail says so."""
    mail, payloads, seconds = cost(raw)
    assert seconds < CPU_SECONDS
    assert (mail.subject, mail.from_address, mail.problems) == ("bomb", "eve@evil.example", ("too_complex",))
    assert (mail.text, payloads) == ("", [])


@pytest.mark.parametrize("depth", [1, 5, 11])
def test_reasonable_depth_is_read(depth: int) -> None:
    """Mails forwarded inside each other a few times are read to the ground."""
    mail, _ = parse(nested(depth))
    assert (mail.text, mail.problems) == ("deep", ())


def test_150_parts_are_read() -> None:
    """A mail with many parts, as an album of pictures is, stays within the limits."""
    parts = b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n" * 150
    mail, _ = parse(typed(b"multipart/mixed; boundary=b", parts + b"--b--\r\n"))
    assert mail.problems == ("attachments_left_out",)


EDGES = {
    "nothing": b"",
    "NUL": b"\0",
    "blank": b"\r\n\r\n",
    "no header": b"just text without any header\r\nand more\r\n",
    "header only": b"Subject: x",
    "separator of an mbox": b"From eve Mon Nov 23\r\nSubject: x\r\n\r\nhello",
    "all bytes": bytes(range(256)) * 100,
    "open multipart": typed(b'multipart/mixed; boundary="b"', b"--b\r\n"),
    "endless header name": b"X" * 2 * MIB,
    "boundary of blanks": typed(b'multipart/mixed; boundary="   "', b"--   \r\n\r\nx"),
    "empty boundary": typed(b'multipart/mixed; boundary=""', b"--\r\n\r\nx\r\n----"),
    "NUL in the boundary": typed(b'multipart/mixed; boundary="a\0b"', b"--a\0b\r\n\r\nx"),
    "TNEF": typed(b"application/ms-tnef", b"\x78\x9f\x3e\x22garbage"),
    "S/MIME garbage": typed(b"application/pkcs7-mime", b"!!!!", b"base64"),
    "calendar": typed(b"text/calendar; method=REQUEST", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
    "message/partial": typed(b"message/partial; number=1; total=9", b"x"),
    "external body": typed(b"message/external-body; access-type=URL", b"x"),
}


@pytest.mark.parametrize("raw", EDGES.values(), ids=EDGES)
def test_no_bytes_raise(raw: bytes) -> None:
    """The strangest input is a mail of some kind, the same each time, with a payload for each file."""
    mail, payloads = parse(raw)
    assert parse(raw)[0] == mail
    assert [len(payload) for payload in payloads] == [file.size for file in mail.attachments]
    mail.text.encode()


def test_unparseable_mail_keeps_what_its_head_says() -> None:
    """A mail that no child survived is known by the digest of the whole and by what its head says."""
    raw = HEAD + b"\r\nbody"
    known = unparseable(raw, parse(HEAD)[0])
    assert (known.subject, known.problems, known.digest) == ("bomb", ("unparseable",), parse(raw)[0].digest)
    assert unparseable(raw).problems == ("unparseable",)

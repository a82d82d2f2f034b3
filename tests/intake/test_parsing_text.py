"""Bodies become plain text in any charset, the better alternative is shown, and what was newly written is cut out."""

from email.message import EmailMessage

import pytest
from firstline.intake.mail_text import clean_line, clean_text, decode, from_html, newly_written
from firstline.intake.parsing import parse


def body(content_type: str, content: bytes, *more: str) -> str:
    """Return the text of a mail with one part."""
    head = "\r\n".join(["From: a@shop.example", f"Content-Type: {content_type}", *more, "", ""])
    return parse(head.encode() + content)[0].text


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("iso-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ('"utf-16"', "utf-16"),
        ("utf-7", "utf-7"),
        ("us-ascii", "utf-8"),
        ("unknown-8bit", "utf-8"),
        ("x-nonsense", "utf-8"),
        ("", "utf-8"),
        ("idna", "utf-8"),
        ("punycode", "utf-8"),
        ("unicode_escape", "utf-8"),
        ("zlib", "utf-8"),
        ("rot13", "utf-8"),
        ("undefined", "utf-8"),
        ("us-ascii", "cp1252"),
        ("utf-8", "cp1252"),
    ],
)
def test_text_is_read_in_declared_or_real_charset(charset: str, codec: str) -> None:
    """A declared charset is used when it is one and fits; otherwise UTF-8, otherwise a guess."""
    text = "Grüße aus Köln, die Schaltfläche geht nicht"
    assert body(f"text/plain; charset={charset}", text.encode(codec)) == text


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Добрый день, сайт не открывается после обновления", "cp1251"),
        ("Добрый день, сайт не открывается после обновления", "koi8-r"),
        ("お問い合わせありがとうございます", "shift_jis"),
        ("Zażółć gęślą jaźń, proszę o pomoc", "cp1250"),
    ],
)
def test_undeclared_charsets_are_guessed(text: str, codec: str) -> None:
    """Old programs that don't say what they write are mostly understood."""
    assert decode(text.encode(codec), None) == text


@pytest.mark.parametrize("charset", [None, "utf-8", "utf-16", "utf-32", "utf-7", "iso-2022-jp", "a\0b", "ü", "hz"])
def test_decoding_never_fails(charset: str | None) -> None:
    """All bytes, in any declared charset, become valid Unicode."""
    for data in (bytes(range(256)) * 4, b"", b"\xff\xff\xff\xff", b"\x00\xd8\x00\xd8", b"+AAA"):
        clean_text(decode(data, charset)).encode()


def test_character_cut_off_at_the_end_does_not_spoil_the_text() -> None:
    """A text that ends within a character is still read in its charset."""
    assert decode("Grüße ü".encode()[:-1], "utf-8") == "Grüße "


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("quoted-printable", b"Gr=C3=BC=C3=9Fe =3D=\r\n done"),
        ("base64", b"R3LDvMOf\r\nZSA9IGRvbmU="),
        ("BASE64", b"R3LDvMOfZSA9IGRvbmU"),
        ("8bit", "Grüße = done".encode()),
        ("binary", "Grüße = done".encode()),
        ("nonsense", "Grüße = done".encode()),
    ],
)
def test_transfer_encodings_are_undone(encoding: str, content: bytes) -> None:
    """Every transfer encoding, a broken and an unknown one included, gives the text."""
    assert body("text/plain; charset=utf-8", content, f"Content-Transfer-Encoding: {encoding}") == "Grüße = done"


def test_text_has_no_control_characters() -> None:
    """NUL and other control characters go, line ends become one kind, tabs stay."""
    assert body("text/plain", b"a\0b\x1b[31m\r\n\tc\rd\x0ce") == "ab[31m\n\tc\nd\ne"


def test_plain_alternative_wins() -> None:
    """Of the same message in two forms the plain one is shown, whatever the order."""
    for plain_first in (True, False):
        mail = EmailMessage()
        if plain_first:
            mail.set_content("plain")
            mail.add_alternative("<p>html</p>", subtype="html")
        else:
            mail.set_content("<p>html</p>", subtype="html")
            mail.make_alternative()
            mail.add_alternative("plain")
        assert parse(bytes(mail))[0].text == "plain"


def test_html_speaks_when_plain_is_empty() -> None:
    """An empty plain alternative does not hide the message."""
    mail = EmailMessage()
    mail.set_content(" \n")
    mail.add_alternative("<p>Hello</p>", subtype="html")
    assert parse(bytes(mail))[0].text == "Hello"


def test_parts_beside_each_other_are_all_shown() -> None:
    """A text, a picture and a second text give both texts in their order, and the picture as a file."""
    raw = (
        b"From: a@shop.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>Before</p>\r\n"
        b"--b\r\nContent-Type: image/png\r\nContent-Disposition: inline\r\n\r\nx\r\n"
        b"--b\r\n\r\nafter\r\n--b--\r\n"
    )
    mail, payloads = parse(raw)
    assert mail.text == "Before\n\nafter"
    assert payloads == [b"x"]


def test_pictures_inside_html_are_files() -> None:
    """A related picture is kept, though the plain alternative is shown."""
    mail = EmailMessage()
    mail.set_content("plain")
    mail.add_alternative('<img src="cid:x">', subtype="html")
    html = mail.get_payload()[1]  # type: ignore[index]
    html.add_related(b"png", "image", "png", cid="<x>", filename="image001.png")  # type: ignore[union-attr]
    parsed, payloads = parse(bytes(mail))
    assert (parsed.text, [a.name for a in parsed.attachments], payloads) == ("plain", ["image001.png"], [b"png"])


def test_multipart_without_boundary_is_text() -> None:
    """A broken multipart shows what is there."""
    assert body("multipart/mixed", b"Hello\r\n") == "Hello"


def test_html_becomes_readable_text() -> None:
    """Paragraphs, lists and links read well; scripts, styles and hidden heads don't show."""
    text = from_html(
        "<html><head><title>t</title><style>p{}</style></head><body><script>alert(1)</script>"
        "<p>Hello <b>Anna</b></p><ul><li>one</li><li>two</li></ul>&lt;tag&gt; &amp; more</body></html>"
    )
    assert "Hello Anna" in text
    assert "* one" in text
    assert "<tag> & more" in text
    assert "alert" not in text
    assert "p{}" not in text


@pytest.mark.parametrize("html", ["", " ", "<", "<!--", "<?xml version='1.0' encoding='utf-8'?><p>x</p>", "\0", "]]>"])
def test_broken_html_raises_nothing(html: str) -> None:
    """Markup that the library refuses is an empty or partial text."""
    assert isinstance(from_html(html), str)


def test_line_is_clean_and_short() -> None:
    """Surrogates, line separators and turns of direction can't enter a line; it is cut without a blank at its end."""
    assert clean_line("a\u2028b\u2029c\udc80\u202ed\u2066e  f", 100) == "a b c?de f"
    assert clean_line("ab cd", 3) == "ab"


QUOTED = {
    "english": "Thanks!\n\nOn Mon, 1 Jan 2026 at 10:00, Support <s@desk.example> wrote:\n> old\n",
    "folded": "Thanks!\n\nOn Mon, 1 Jan 2026 at 10:00, Support <s@desk.example>\nwrote:\n\n> old\n",
    "german": "Thanks!\n\nAm Mo., 1. Jan. 2026 um 10:00 Uhr schrieb Support <s@desk.example>:\n> old\n",
    "russian": "Thanks!\n\nпн, 1 янв. 2026 г. в 10:00, Support <s@desk.example>:\n> old\n>\n> older\n",
    "outlook": "Thanks!\n\nFrom: Support <s@desk.example>\nSent: Monday\nTo: Anna\nSubject: x\n\nold\n",
    "separator": "Thanks!\n\n-----Original Message-----\nFrom: a\nTo: b\n\nold\n",
    "bare": "Thanks!\n\n> old\n> older\n\n",
    "nothing": "Thanks!",
}


@pytest.mark.parametrize("text", QUOTED.values(), ids=QUOTED)
def test_quotation_below_an_answer_goes(text: str) -> None:
    """The ways in which mail programs quote are recognised, in languages that the library doesn't know too."""
    assert newly_written(text) == "Thanks!"


def test_answers_between_quotations_stay_whole() -> None:
    """Somebody who answers line by line keeps the questions."""
    text = "> Which version?\n26.0\n> Which browser?\nFirefox"
    assert newly_written(text) == text


def test_what_is_only_a_quotation_stays() -> None:
    """A mail that would be empty without its quotation is shown whole."""
    text = "> forwarded without a word\n> second line"
    assert newly_written(text) == text
    text = "On Mon, 1 Jan 2026 at 10:00, Support <s@desk.example> wrote:\n> old"
    assert newly_written(text) == text


def test_written_text_keeps_its_shape() -> None:
    """Indented configuration and lists survive the cut as they were typed."""
    written = "see:\n\n  server:\n    port: 80\n\n- one\n-- \nAnna"
    assert newly_written(f"{written}\n\nOn Mon, 1 Jan 2026, Support wrote:\n> old") == written


def test_colon_before_no_quotation_stays() -> None:
    """A last line with a colon is only an announcement when a quotation follows."""
    assert newly_written("The error is:\n\n") == "The error is:"


def test_quotation_far_below_is_left() -> None:
    """Beyond four hundred lines nothing is looked for: too much shown is better than something lost."""
    text = "\n".join(["line"] * 500) + "\nOn Mon, 1 Jan 2026, Support wrote:\nold"
    assert newly_written(text) == text


def test_full_text_stays_beside_the_reply() -> None:
    """What is cut is only left out of the reply: the mail's text has it."""
    mail, _ = parse(b"From: a@shop.example\r\n\r\n" + QUOTED["english"].encode())
    assert mail.reply_text == "Thanks!"
    assert "> old" in mail.text


def test_long_text_is_cut_and_said() -> None:
    """A hundred thousand characters are kept, and that there were more is noted."""
    mail, _ = parse(b"From: a@shop.example\r\n\r\n" + b"word " * 50_000)
    assert len(mail.text) == 100_000
    assert mail.problems == ("text_cut",)

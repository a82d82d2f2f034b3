"""Text out of mail bodies: declared and undeclared charsets, HTML, and the cut between an answer and what it quotes."""

import codecs
import re
from typing import Final

import charset_normalizer
import inscriptis
from mailparser_reply import EmailReplyParser
from mailparser_reply.constants import MAIL_LANGUAGES

MAX_TEXT_BYTES: Final = 1024 * 1024
MAX_HTML_CHARS: Final = 256 * 1024
GUESSED_BYTES: Final = 8 * 1024
# Undeclared charsets that mail programs really use; among all that exist, short texts look like exotic ones.
GUESSES: Final = ("cp1252", "cp1251", "koi8_r", "cp1250", "shift_jis", "gb18030")
# The quotation's beginning is looked for within this view of the text, which bounds the library's expressions.
VIEW_LINES: Final = 400
VIEW_CHARS: Final = 200

# Codecs of Python that decode text but are no charset of any mail, and some that take quadratic time.
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"})
_CONTROLS: Final = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
_TURNS: Final = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_BREAKS: Final = re.compile(r"\r\n?|\x0b|\x0c|\x85|\u2028|\u2029")


def clean_text(text: str) -> str:
    """Return valid Unicode without control characters; line breaks become line feeds."""
    return _BREAKS.sub("\n", text.encode("utf-8", "replace").decode()).translate(_CONTROLS)


def clean_line(text: str, limit: int) -> str:
    """Return one line of at most `limit` characters, without control characters and without turns of direction."""
    return " ".join(clean_text(text).translate(_TURNS).split())[:limit].rstrip()


def decode(data: bytes, charset: str | None) -> str:
    """Return the text in its declared charset, else as UTF-8, else in a guessed charset; never fails."""
    for name in (charset, "utf-8"):
        if (text := _strict(data, name)) is not None:
            return text
    # From the beginning only: guessing takes longer than all else, and a text has one charset.
    guess = charset_normalizer.from_bytes(data[:GUESSED_BYTES], cp_isolation=list(GUESSES)).best()
    return data.decode(guess.encoding if guess else GUESSES[0], "replace")


def _strict(data: bytes, charset: str | None) -> str | None:
    """Decode without any replacement, or not at all; a character cut off at the very end is left out."""
    try:
        codec = codecs.lookup(charset or "utf-8")
        "a".encode(codec.name)  # refuses codecs that don't make text
        # The incremental decoder forgives a character that a limit has cut in two.
        if codec.name.replace("-", "_") in _NO_CHARSETS or codec.incrementaldecoder is None:
            return None
        return codec.incrementaldecoder("strict").decode(data)
    except (LookupError, ValueError):
        return None


def from_html(html: str) -> str:
    """Return HTML as plain text, an empty one where the library fails; its time grows with the length of the HTML."""
    try:
        return str(inscriptis.get_text(html))
    except Exception:  # strangers' markup makes the HTML library raise nearly anything
        return ""


def newly_written(text: str) -> str:
    """Return what stands above the quoted mail, as it was written; the whole text where that would be nothing.

    The library says where the quotation begins, in the languages it knows; a block of `>` lines at the end goes in any.
    """
    lines = text.strip("\n").split("\n")
    kept = _without_quoted_end(lines[: _reply_lines(lines)])
    # Whoever writes below or between the quotation has nothing above it: then all of it is shown rather than nothing.
    return "\n".join(kept).strip() or text.strip()


def _reply_lines(lines: list[str]) -> int:
    """Return how many lines the newest message has; all of them, when it doesn't end within the view."""
    view = "\n".join(line[:VIEW_CHARS] for line in lines[:VIEW_LINES])
    mail = EmailReplyParser(languages=list(MAIL_LANGUAGES)).read(view)
    newest = mail.replies[0]
    if len(mail.replies) == 1 or newest.headers:
        return len(lines)
    return int(newest.content.count("\n")) + 1


def _without_quoted_end(lines: list[str]) -> list[str]:
    """Drop a quotation at the end, and with it the line that announces it (it ends in a colon)."""
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
    quoted = any(line.strip() for line in lines[end:])
    # "On Monday Anna wrote:" in any language: nobody ends an answer of their own with a colon.
    if quoted and end and lines[end - 1].rstrip().endswith(":"):
        end -= 1
    return lines[:end]

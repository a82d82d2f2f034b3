"""Plain words for instants, spans, sizes and free text."""

from datetime import UTC, datetime, timedelta

import pytest
from firstline.web.words import Piece, count, instant, one_line, pieces, since, size, span, stamp
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 24, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (NOW.replace(hour=9, minute=5), "today 09:05 UTC"),
        (NOW - timedelta(days=1), "yesterday 11:20 UTC"),
        (NOW.replace(day=25, hour=6, minute=0), "tomorrow 06:00 UTC"),
        (NOW.replace(day=3), "Tue 3 Nov, 11:20 UTC"),
        (NOW.replace(day=27), "Fri 27 Nov, 11:20 UTC"),
        (NOW.replace(year=2025), "Mon 24 Nov 2025, 11:20 UTC"),
    ],
)
def test_instants_carry_their_zone(at: datetime, said: str) -> None:
    """An instant is told with its zone, and with no more of its date than is needed."""
    assert stamp(at, NOW) == said


def test_midnight_changes_the_day_not_the_hours() -> None:
    """Two minutes around midnight lie on different days."""
    late = datetime(2026, 11, 23, 23, 59, tzinfo=UTC)
    assert stamp(late, late + timedelta(minutes=2)) == "yesterday 23:59 UTC"
    assert stamp(late + timedelta(minutes=2), late) == "tomorrow 00:01 UTC"


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (NOW.replace(hour=9, minute=12), "since 09:12 UTC"),
        (NOW + timedelta(seconds=3), "since 11:20 UTC"),
        (NOW - timedelta(days=1), "since yesterday"),
        (NOW - timedelta(days=6), "since Wednesday"),
        (NOW - timedelta(days=7), "since 17 November"),
        (NOW.replace(year=2024), "since 24 November 2024"),
    ],
)
def test_how_long_something_lasts_is_told_by_its_beginning(at: datetime, said: str) -> None:
    """The beginning is told by the hour, the day or the date, whichever is short and clear."""
    assert since(at, NOW) == said


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=59), "0 min"),
        (timedelta(minutes=48), "48 min"),
        (timedelta(hours=3, minutes=2), "3 h 02 min"),
        (timedelta(days=2), "48 h 00 min"),
    ],
)
def test_spans_are_whole_minutes(length: timedelta, said: str) -> None:
    """A span is told in hours and minutes that have fully passed."""
    assert span(length) == said


def test_nouns_follow_their_number() -> None:
    """One is singular, all else plural, thousands are set apart."""
    told = [count(number, "request", "requests") for number in (0, 1, 2, 1000)]
    assert told == ["0 requests", "1 request", "2 requests", "1,000 requests"]


@pytest.mark.parametrize(
    ("length", "said"),
    [(1, "1 byte"), (1023, "1,023 bytes"), (1024, "1 KB"), (184_320, "180 KB"), (5 * 1024 * 1024, "5.0 MB")],
)
def test_sizes_use_the_largest_fitting_unit(length: int, said: str) -> None:
    """A file's size is told in bytes, KB or MB."""
    assert size(length) == said


def test_instants_come_from_texts_of_the_api() -> None:
    """Both spellings of UTC give the same aware instant."""
    assert instant("2026-11-24T11:20:00Z") == instant("2026-11-24T11:20:00+00:00") == NOW


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  plain  ", "plain"),
        ("two\r\nlines", "two lines"),
        ("invoice\u202egnp.exe", "invoice gnp.exe"),
        ("zero\u200bwidth\x00nul", "zero width nul"),
        ("Grüße, Ваня, 你好", "Grüße, Ваня, 你好"),
    ],
)
def test_lines_hide_and_turn_nothing(text: str, line: str) -> None:
    """Line breaks, controls and marks that turn the direction of writing become spaces; letters of any script stay."""
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("see https://docs.example/a?b=1#c.", "https://docs.example/a?b=1#c"),
        ("(http://docs.example)", "http://docs.example"),
        ("HTTPS://DOCS.example!", "HTTPS://DOCS.example"),
    ],
)
def test_web_addresses_become_links(text: str, href: str) -> None:
    """An http or https address is a link, without the mark that ends the sentence."""
    assert [piece.href for piece in pieces(text) if piece.href] == [href]


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,<script>",
        "https://",
        "https://bank.example@evil.example/",
        "https://[broken",
        "ftp://files.example",
        "//evil.example",
        "mailto:a@b.example",
    ],
)
def test_other_addresses_stay_text(text: str) -> None:
    """Nothing that runs, hides its host or isn't of the web becomes a link."""
    assert pieces(text) == (Piece(text),)


@given(st.lists(st.sampled_from(["https://a.example/", "http://", "@", "[", " ", "\n", "x", '"', "<b>", ".", "é"])))
def test_no_character_is_lost(parts: list[str]) -> None:
    """The pieces, put together, are the text; each link is an http address with a host and without quotes."""
    text = "".join(parts)
    found = pieces(text)
    assert "".join(piece.text for piece in found) == text
    assert all(piece.href == piece.text for piece in found if piece.href)
    assert not any(set(piece.href) & set("\"'<> \n") for piece in found if piece.href)


def test_a_long_run_takes_no_time() -> None:
    """A hundred thousand characters that nearly are addresses are split at once (no backtracking)."""
    text = "http://" * 20_000
    assert "".join(piece.text for piece in pieces(text)) == text

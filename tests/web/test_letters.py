"""The correspondence as it is shown: who wrote, how it came in, which files came along."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from firstline.web import letters
from firstline.web.words import Piece

Json = dict[str, Any]
Make = Callable[..., Json]


def test_clients_never_see_notes(message: Make, now: datetime) -> None:
    """Internal notes are shown to staff only, and marked."""
    found = [message(), message(id="m2", audience="internal")]
    assert [letter.id for letter in letters.letters(found, now, staff=False)] == ["m1"]
    assert [letter.internal for letter in letters.letters(found, now, staff=True)] == [False, True]


def test_letters_say_how_they_came_in(message: Make, now: datetime) -> None:
    """Mail, automatic mail and an unverified sender are marked; the last for staff only."""
    found = [message(channel="email", automatic=True, verified=False)]
    assert letters.letters(found, now, staff=True)[0].marks == ("by e-mail", "automatic", "sender not verified")
    assert letters.letters(found, now, staff=False)[0].marks == ("by e-mail", "automatic")


@pytest.mark.parametrize(
    ("side", "author", "role"), [("staff", "Helpdesk", "specialist"), ("client", "Client", "client")]
)
def test_nameless_authors_have_a_name(side: str, author: str, role: str, message: Make, now: datetime) -> None:
    """Who has told no name is called by their side."""
    letter = letters.letters([message(author={"name": None, "side": side})], now, staff=True)[0]
    assert (letter.author, letter.role) == (author, role)


def test_letters_keep_every_word(message: Make, now: datetime) -> None:
    """A body is shown as it was written, with its addresses as links."""
    body = letters.letters([message(body="See https://docs.example.\n\n<b>")], now, staff=False)[0].body
    assert body == (Piece("See "), Piece("https://docs.example", "https://docs.example"), Piece(".\n\n<b>"))


def test_pictures_open_in_place(attachment: Make) -> None:
    """PNG, GIF and JPG that were kept are pictures; an SVG, whatever it says, is a file."""
    assert letters.file_card(attachment()) == letters.FileCard("f1", "page.png", "PNG picture", "2 KB", True, None)
    assert not letters.file_card(attachment(type="image/svg+xml")).picture


def test_refused_files_say_why(attachment: Make) -> None:
    """A file that was not kept shows the policy's advice and is no picture."""
    card = letters.file_card(attachment(status="rejected", reason="Pack it."))
    assert (card.picture, card.reason) == (False, "Pack it.")
    assert letters.file_card(attachment(status="rejected")).reason == "This file was not kept."
    assert letters.file_card(attachment(status="erased")).reason == "This file was erased."

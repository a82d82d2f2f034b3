"""Reading answers out of mails: behind the question, behind a label, between quoted lines; and never guessing."""

import pytest
from firstline.intake.questions import MAX_ANSWER_CHARS, Question, answers_in
from hypothesis import given
from hypothesis import strategies as st

VERSION = Question("version", "Version", "Which version do you use, or is it the cloud service?")
SERVER = Question(
    "environment", "Server", "What does it run on: operating system, web server, PHP, database, hosting company?"
)
ASKED = (VERSION, SERVER)
BOTH = {"version": "24.100", "environment": "Debian"}


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("Version: 24.100", {"version": "24.100"}),
        ("Hello,\n\n- version = 24.100\n* Server: Debian\n", BOTH),
        ("Server:\nDebian 12\nnginx\n\nBye", {"environment": "Debian 12\nnginx"}),
        ("which version do you use, or is it the cloud service? The cloud.", {"version": "The cloud."}),
        (f"- {VERSION.text}\n24.100\n- {SERVER.text}\nDebian", BOTH),
        (f"> - {VERSION.text}\n\n24.100\n\n> - {SERVER.text}\nDebian\n-- \nClara", BOTH),
        (
            "> - What does it run on: operating system, web server, PHP,\n>   database, hosting\n> company?\nDebian",
            {"environment": "Debian"},
        ),
        (f"It is white.\n\n> - {VERSION.text}\n> - {SERVER.text}\n> \n> To add something, reply.\n", {}),
        (f"It is white.\n\nFrom: Helpdesk\n- {VERSION.text}\n- {SERVER.text}\n\nTo add something, reply.\n", {}),
        ("> Version: 24.100\nI don't know.", {}),
        ("The version: none. My conversion: no", {}),
        ("Version:\n\nServer:  \n", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_answers(text: str, answers: dict[str, str]) -> None:
    """Each text gives exactly these answers."""
    assert answers_in(text, ASKED) == answers


def test_labels_can_be_left_aside() -> None:
    """In what may be somebody else's text only answers behind a question count."""
    text = f"Version: 1\n> {SERVER.text}\nDebian"
    assert answers_in(text, ASKED, labels=False) == {"environment": "Debian"}


def test_an_answer_has_its_bounds() -> None:
    """A very long answer is cut; the message itself keeps all of it."""
    assert len(answers_in("Version: " + "x" * 9_000, ASKED)["version"]) == MAX_ANSWER_CHARS


PARTS = ("Version", ":", " ", ">", "\n", "-", "x", VERSION.text, SERVER.text, "Server:")


@given(st.lists(st.sampled_from(PARTS), max_size=30))
def test_any_text_gives_clean_answers(parts: list[str]) -> None:
    """Whatever is written, an answer is never empty and quotes nobody."""
    for answer in answers_in("".join(parts), ASKED).values():
        assert answer.strip()
        assert not answer.startswith(">")

"""What clients read says request, ID, Helpdesk, specialist, supervisor: the word of the code, ticket, stays inside."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

INSIDE_WORD = re.compile(r"\btickets?\b", re.IGNORECASE)
NOT_SHOWN = re.compile(r"\{[{%#].*?[}%#]\}|<!--.*?-->|<[^>]*>", re.DOTALL)
SHOWN_ATTRIBUTE = re.compile(r"\b(?:title|alt|placeholder|aria-label|content)=\"([^\"]*)\"")


def _shown(template: str) -> str:
    """Return what a reader sees of a template: its text, and the attributes that are read out or shown."""
    without_code = re.sub(r"\{[{%#].*?[}%#]\}", "", template, flags=re.DOTALL)
    return " ".join([NOT_SHOWN.sub(" ", template), *SHOWN_ATTRIBUTE.findall(without_code)])


def _strings(node: object) -> Iterator[str]:
    """Yield every text inside a document of lists and mappings."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value)


def test_pages_use_the_words_of_clients(root: Path, files: list[str]) -> None:
    """No page shows the word ticket."""
    templates = [path for path in files if "/templates/" in path]
    assert templates != []
    assert [path for path in templates if INSIDE_WORD.search(_shown((root / path).read_text()))] == []


def test_policies_use_the_words_of_clients(root: Path, files: list[str]) -> None:
    """No text of a policy, mails included, says ticket."""
    policies = [path for path in files if path.startswith("policies/") and not path.endswith(".test.yaml")]
    assert policies != []
    texts = [text for path in policies for text in _strings(yaml.safe_load((root / path).read_text()))]
    assert [text for text in texts if INSIDE_WORD.search(text)] == []


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("<p>Your ticket</p>", True),
        ('<input placeholder="Ticket number">', True),
        ('<a href="/tickets/{{ ticket.id }}">Your request</a>', False),
        ("{% for ticket in tickets %}<li>{{ ticket.subject }}</li>{% endfor %}", False),
    ],
)
def test_only_what_is_shown_counts(template: str, *, shown: bool) -> None:
    """Text and read-out attributes count; names in code and addresses don't."""
    assert bool(INSIDE_WORD.search(_shown(template))) is shown

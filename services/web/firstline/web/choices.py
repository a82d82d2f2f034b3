"""What a specialist chooses from when a request is taken apart or its scope is judged (clauses 1.3, 1.4, 2.4)."""

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any, Final

from firstline.web.board import Option
from firstline.web.letters import Letter
from firstline.web.words import one_line

Json = Mapping[str, Any]

BEGINNING: Final = 60
"""Characters of a message by which it is recognised in a list."""


def splittable(messages: Sequence[Letter]) -> list[Option]:
    """Return the messages of which a specialist can make a request of its own, by their beginning (clause 2.4)."""
    return [Option(one.id, f"{one.author}, {one.at}: {_beginning(one)}") for one in messages if one.splits]


def _beginning(letter: Letter) -> str:
    """Return the first words of a message on one line."""
    return shorten(one_line("".join(piece.text for piece in letter.body)), BEGINNING, placeholder=" …")


def scope_topics(policy: Json) -> list[Option]:
    """Return the topics and their items, to choose what a request is about."""
    found = []
    for topic in policy["scope"]["topics"]:
        found.append(Option(topic["code"], f"{topic['clause']} {topic['title']}"))
        for item in topic["items"]:
            left_out = " (not covered)" if item["verdict"] == "out" else ""
            found.append(Option(f"{topic['code']}.{item['code']}", f"{topic['clause']} {item['text']}{left_out}"))
    return found


def referrals(policy: Json) -> list[Option]:
    """Return whom clients can be sent to (clause 1.3)."""
    return [Option(known["code"], known["title"]) for known in policy["scope"]["referrals"]]


# A page's choices and what they say to the API stand apart, so that no form can send a body of its own making.
VERDICTS: Final = {
    "in": Option("in", "Covered in full"),
    "consult_only": Option("consult_only", "Answered by references only"),
    "out": Option("out", "Not covered"),
    "error": Option("error", "Covered: a product error may be behind it"),
    "no_error": Option("no_error", "No product error: as the topic says"),
}
"""The verdicts that a specialist may give by hand."""

SCOPE_GIVEN: Final[Mapping[str, Json]] = {
    "in": {"verdict": "in", "support_mode": "full"},
    "consult_only": {"verdict": "in", "support_mode": "consult_only"},
    "out": {"verdict": "out"},
    "error": {"product_error": True},
    "no_error": {"product_error": False},
}
"""What each verdict says to the API."""


def verdicts(ticket: Json) -> list[Option]:
    """Return the verdicts that make sense now: a product error is taken back only where one was stated."""
    left_out = "error" if ticket["scope"].get("product_error") else "no_error"
    return [option for code, option in VERDICTS.items() if code != left_out]


def judging(policy: Json) -> dict[str, Sequence[Option]]:
    """Return what triage chooses from, by field of its form: urgency, complexity, tier, pages (1.2, 2.1, 4.1)."""
    levels = [Option(level["code"], level["title"]) for level in policy["urgency"]["levels"]]
    return {"level": levels, "complexity": COMPLEXITIES, "tier": TIERS, "page": DEMANDS}


COMPLEXITIES: Final = (Option("easy", "Easy"), Option("medium", "Medium"), Option("hard", "Hard"))
TIERS: Final = (
    Option("helpdesk", "Helpdesk"),
    Option("technical_support", "Technical support"),
    Option("development", "Development"),
)
DEMANDS: Final = (Option("yes", "Ask for the page that comes closest"), Option("no", "Ask for none"))

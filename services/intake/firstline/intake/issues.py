"""Whether a text seems to hold several questions (clause 2.4): by the policy's markers, and by questions set apart.

Only a hint: nothing is refused for it. It stays quiet where it isn't sure, so a list of steps or a question with a
second one in the same breath counts as one.
"""

import re
from dataclasses import dataclass
from itertools import chain

from firstline.common.policy.model import SeveralIssues

LOOKED_AT = 20_000
"""Characters of a text that are looked at, so that a long log costs nothing."""

_ITEM = re.compile(r"(?:\d{1,2}[.)]|[-*•])\s")


@dataclass(frozen=True, slots=True)
class IssueRules:
    """When to hint, and in which words; `markers` finds a phrase that announces a further question."""

    advice: str
    markers: re.Pattern[str]
    listed_questions: int
    questions: int


def issue_rules(policy: SeveralIssues) -> IssueRules:
    """Arrange the policy's part for looking at texts."""
    phrases = sorted(chain.from_iterable(policy.markers.values()))
    marker = "|".join(re.escape(phrase) for phrase in phrases)
    # Without any phrase, a pattern that never matches.
    pattern = re.compile(rf"(?<!\w)(?:{marker})(?!\w)" if marker else r"(?!)", re.IGNORECASE)
    return IssueRules(policy.advice, pattern, policy.listed_questions, policy.questions)


def seems_several(rules: IssueRules, text: str) -> bool:
    """Say whether a text seems to hold several questions; what it quotes is passed over."""
    # What is quoted was asked before, by somebody else perhaps.
    own = [line.strip() for line in text[:LOOKED_AT].splitlines() if not line.lstrip().startswith(">")]
    listed, apart = _questions(own)
    several = listed >= rules.listed_questions or listed + apart >= rules.questions
    return several or rules.markers.search("\n".join(own)) is not None


def _questions(lines: list[str]) -> tuple[int, int]:
    """Return how many items of lists are questions, and how many paragraphs beside them hold at least one."""
    listed = apart = 0
    asked = False
    for line in [*lines, ""]:
        if _ITEM.match(line):
            listed += line.endswith("?")
        elif line:
            asked = asked or line.endswith("?") or "? " in line
        else:
            apart += asked
            asked = False
    return listed, apart

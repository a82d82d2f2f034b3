"""The examples beside the default policy hold: this request gets this verdict."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from firstline.common.policy.loader import load_policy
from firstline.intake.examples import differences
from firstline.intake.scope import rulebook

POLICIES = Path(__file__).parents[2] / "policies"
FILE = yaml.safe_load((POLICIES / "bitrix24.test.yaml").read_text("utf-8"))
POLICY = load_policy(POLICIES / FILE["policy"])
RULES = rulebook(POLICY)
TAKEN = {"request": {"channel": "portal", "topic": "usage"}}


@pytest.mark.parametrize("example", FILE["examples"], ids=lambda example: str(example["says"]))
def test_example(example: dict[str, Any]) -> None:
    """The policy says of the request what the example says."""
    assert differences(RULES, example) == []


def test_examples_cover_the_scope_clauses() -> None:
    """Each clause on scope, urgency, required information and channels has an example."""
    clauses = {example["clause"] for example in FILE["examples"]}
    assert {"1.1", "1.2", "1.3", "1.4", "2.1", "2.4", "4.1", "4.2", "4.5", "closing"} <= clauses
    assert {topic.clause for topic in POLICY.scope.topics} <= clauses


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({**TAKEN, "gets": {"scope": {"verdict": "out"}}}, "scope.verdict is 'in', and should be 'out'"),
        ({**TAKEN, "gets": {"urgency": "high", "hints": []}}, "urgency is 'normal', and should be 'high'"),
        ({**TAKEN, "gets": {"urgenci": "high"}}, "urgenci is None, and should be 'high'"),
        ({**TAKEN, "refused": "unknown-topic"}, "it is taken, and should be refused (unknown-topic)"),
        ({"request": {"channel": "phone"}, "gets": {}}, "it is refused (channel-not-official): Calls are"),
        ({"request": {"channel": "phone"}, "refused": "unknown-topic"}, "it is refused (channel-not-official): Calls"),
    ],
)
def test_what_differs_is_said(example: dict[str, Any], said: str) -> None:
    """An example that doesn't hold says what it got instead."""
    (found,) = differences(RULES, example)
    assert found.startswith(said)

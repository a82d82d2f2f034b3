"""The examples beside the default policy hold: this request gets this verdict."""

import json
from pathlib import Path
from typing import Any

import pytest
from firstline.common.policy.loader import load_policy
from firstline.intake.examples import Example, differences, load_examples
from firstline.intake.scope import rulebook

POLICIES = Path(__file__).parents[2] / "policies"
EXAMPLES = [example for _, example in load_examples(POLICIES / "bitrix24.test.yaml")]
POLICY = load_policy(POLICIES / "bitrix24.yaml")
RULES = rulebook(POLICY)
TAKEN = {"says": "x", "request": {"channel": "portal", "topic": "usage"}}
CALLED = {"says": "x", "request": {"channel": "phone"}}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.says))
def test_example(example: Example) -> None:
    """The policy says of the request what the example says."""
    assert differences(RULES, POLICY.targets, example) == []


def test_examples_cover_the_scope_clauses() -> None:
    """Each clause on scope, urgency, required information and channels has an example."""
    clauses = {example.clause for example in EXAMPLES}
    assert {"1.1", "1.2", "1.3", "1.4", "2.1", "2.4", "4.1", "4.2", "4.5", "closing"} <= clauses
    assert {topic.clause for topic in POLICY.scope.topics} <= clauses


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({**TAKEN, "gets": {"scope": {"verdict": "out"}}}, "scope.verdict is 'in', and should be 'out'"),
        ({**TAKEN, "gets": {"urgency": "high", "hints": []}}, "urgency is 'normal', and should be 'high'"),
        ({**TAKEN, "gets": {"missing_information": ["x"]}}, "missing_information is ["),
        ({**TAKEN, "gets": {"target_rule": "high"}}, "target_rule is 'normal', and should be 'high'"),
        ({**TAKEN, "gets": {"targets": {"resolution": 60}}}, "targets.resolution is None, and should be 60"),
        ({**TAKEN, "refused": "unknown-topic"}, "it is taken, and should be refused (unknown-topic)"),
        ({**CALLED, "gets": {"notice": None}}, "it is refused (channel-not-official): Calls are"),
        ({**CALLED, "refused": "unknown-topic"}, "it is refused (channel-not-official): Calls"),
    ],
)
def test_what_differs_is_said(example: dict[str, Any], said: str) -> None:
    """An example that doesn't hold says what it got instead."""
    (found,) = differences(RULES, POLICY.targets, Example.model_validate_json(json.dumps(example)))
    assert found.startswith(said)


def test_examples_may_ask_for_the_rule_of_targets() -> None:
    """Whose request it is, its licence and what is judged of it choose the rule that the example expects."""
    text = (POLICIES / "bitrix24.yaml").read_text("utf-8")
    rules = """targets:
  rules:
    - {code: shop, when: {organization_id: [shop], urgency: [high]}, minutes: {first_response: 30}}
    - {code: team, when: {edition: [Team], tier: [helpdesk]}, minutes: {first_response: 60}}
"""
    policy = load_policy(text.replace("targets:\n", rules, 1))
    given = {"channel": "portal", "topic": "recovery", "organization_id": "shop", "edition": "Team"}
    for request, rule in ((given, "shop"), ({**given, "topic": "usage"}, "team"), ({"channel": "portal"}, "normal")):
        gets = {"target_rule": rule}
        example = Example.model_validate_json(json.dumps({"says": "x", "request": request, "gets": gets}))
        assert differences(rulebook(policy), policy.targets, example) == []

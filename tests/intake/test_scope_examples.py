"""The examples beside the default policy hold: this request gets this verdict."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from firstline.common.errors import Invalid
from firstline.common.policy.loader import load_policy
from firstline.intake.scope import Submission, judge, rulebook

POLICIES = Path(__file__).parents[2] / "policies"
FILE = yaml.safe_load((POLICIES / "bitrix24.test.yaml").read_text("utf-8"))
POLICY = load_policy(POLICIES / FILE["policy"])
RULES = rulebook(POLICY)
JUDGED = ("channel", "topic", "urgency_claim", "recovery", "entitlement", "fields")


def submission(request: dict[str, Any]) -> Submission:
    """Return the request as it is judged: what isn't judged by name may answer a required field."""
    judged = {name: value for name, value in request.items() if name in JUDGED}
    return Submission(**judged, members={name: value for name, value in request.items() if name not in JUDGED})


@pytest.mark.parametrize("example", FILE["examples"], ids=lambda example: str(example["says"]))
def test_example(example: dict[str, Any]) -> None:
    """The policy says of the request what the example says."""
    if "refused" in example:
        with pytest.raises(Invalid) as caught:
            judge(RULES, submission(example["request"]))
        assert caught.value.slug == example["refused"]
        return
    found = asdict(judge(RULES, submission(example["request"])))
    found["missing_information"] = [missing["field"] for missing in found["missing_information"]]
    for name, expected in example["gets"].items():
        if isinstance(expected, dict):
            assert {member: found[name][member] for member in expected} == expected
        else:
            assert found[name] == expected


def test_examples_cover_the_scope_clauses() -> None:
    """Each clause on scope, urgency, required information and channels has an example."""
    clauses = {example["clause"] for example in FILE["examples"]}
    assert {"1.1", "1.2", "1.3", "1.4", "2.1", "4.1", "4.2", "4.5", "closing"} <= clauses
    assert {topic.clause for topic in POLICY.scope.topics} <= clauses

"""What changes from one policy to another, said in words: nothing is left out, and each change has its sentence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from firstline.common.policy.difference import policy_difference
from firstline.common.policy.loader import load_policy
from firstline.common.policy.model import Policy
from pydantic import ValidationError

ROOT = Path(__file__).parents[2]
DEFAULT = (ROOT / "policies" / "bitrix24.yaml").read_text("utf-8")
POLICY = load_policy(DEFAULT)
INVENTED = load_policy(ROOT / "tests" / "policy" / "nightwatch.yaml")


def changed(*swaps: tuple[str, str]) -> list[str]:
    """Return what is said of the default policy with words swapped, each at its first place."""
    text = DEFAULT
    for old, new in swaps:
        assert old in text, old
        text = text.replace(old, new, 1)
    return policy_difference(POLICY, load_policy(text))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "mon: [[06:00, 16:00]]",
            "mon: [[06:00, 17:00]]",
            "Hours: Mon-Fri 06:00-16:00 (UTC) become Mon 06:00-17:00; Tue-Fri 06:00-16:00 (UTC).",
        ),
        ("holidays: []", "holidays: ['2026-12-25']", "Holidays: 2026-12-25 added."),
        ("breaks: {}", "breaks: {'2026-12-24': [['11:30', '12:00']]}", "Breaks: 2026-12-24 added."),
        (
            "holidays: []",
            "public_holidays: {country: DE, subdivision: BY}",
            "Public holidays: those of DE-BY, were none.",
        ),
        (
            "overrides: {}",
            "works_as: {'2026-12-26': mon}",
            "Special days: 2026-12-26 works as Mon.",
        ),
        (
            "overrides: {}",
            "hours_from: {'2027-01-01': {mon: [['08:00', '12:00']]}}",
            "Hours from 2027-01-01: Mon 08:00-12:00.",
        ),
        ("full: high", "full: normal", "Urgency: a full recovery gives normal, not high."),
        ("max_in_a_row: 0", "max_in_a_row: 3", "Served out of turn: 3 in a row, not any number."),
        ("always: [product, version]", "always: [product]", "Asked for whatever the topic: version removed."),
        (
            "required: [environment, steps, error_text]",
            "required: [environment, steps]",
            "Topic installation, required fields: error_text removed.",
        ),
        (
            "{code: network, verdict: out, refer_to: hosting",
            "{code: network, verdict: in",
            "Topic installation.network: covered, was not covered.",
        ),
        (
            "{code: monitor, verdict: in,",
            "{code: monitor, verdict: in, support_mode: consult_only,",
            "Topic performance.monitor: covered by references only, was in full.",
        ),
        (
            "{code: attacks, verdict: out, refer_to: hosting",
            "{code: attacks, verdict: out, refer_to: partner",
            "Topic performance.attacks: refers to partner, was hosting.",
        ),
        (
            "{code: monitor, verdict: in, ",
            "{code: monitors, verdict: in, ",
            "Topic performance.monitor removed; it was covered.",
        ),
        (
            "high: {first_response: 180, next",
            "high: {first_response: 120, next",
            "Targets: first answer when high: 120 business minutes, was 180 business minutes.",
        ),
        ("warning_share: 0.75", "warning_share: 0.5", "Targets: a warning at 50% of the time, not 75%."),
        ("{code: no_id,", "{code: lost_id,", "Circumstances: no_id removed."),
        ("reopen_window_days: 30", "reopen_window_days: 14", "Closing: reopened within 14 days, was 30."),
        (
            "remind_after_days: 4",
            "remind_after_days: 3",
            "Closing on silence, waiting client: remind after days 4 becomes 3.",
        ),
        ("    image/gif: [gif]\n", "", "Attachments, images: image/gif removed."),
        ("max_size_mib: 25", "max_size_mib: 10", "Attachments: max size mib 25 becomes 10."),
        ("sender_check: lenient", "sender_check: strict", "Mail: sender check lenient becomes strict."),
        ("we are still waiting", "we still wait", "Texts (en): reminder reworded."),
        ("listed_questions: 2", "listed_questions: 3", "Several issues: listed questions 2 becomes 3."),
        (
            "client_may_set: false",
            "client_may_set: true",
            "Urgency levels: high changed (client may set no becomes yes).",
        ),
    ],
)
def test_a_change_has_its_sentence(old: str, new: str, said: str) -> None:
    """Each kind of change is told with what it was and what it is."""
    assert said in changed((old, new))


def test_one_change_is_one_sentence() -> None:
    """What isn't touched isn't told, nor what is only moved."""
    assert len(changed(("max_in_a_row: 0", "max_in_a_row: 2"))) == 1
    assert policy_difference(POLICY, load_policy(f"# A remark.\n{DEFAULT}")) == []
    image = "    image/png: [png]\n    image/gif: [gif]\n"
    assert (
        policy_difference(POLICY, load_policy(DEFAULT.replace(image, "".join(reversed(image.splitlines(True)))))) == []
    )


def test_two_unlike_policies_can_be_compared() -> None:
    """Between policies that share nothing every part is told, in either direction."""
    for one, other in ((POLICY, INVENTED), (INVENTED, POLICY)):
        said = "\n".join(policy_difference(one, other))
        for part in ("Hours", "Official channels", "Topics", "Targets", "Closing", "Texts", "Relations", "Entitlement"):
            assert part in said
    quiet = POLICY.model_copy(update={"several_issues": None})
    assert policy_difference(POLICY, quiet) == ["Several issues: removed."]
    assert policy_difference(quiet, POLICY) == ["Several issues: added."]


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to each value in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from _leaves(inner, (*path, key))
    if not inside:
        yield path


def test_nothing_is_left_out() -> None:
    """Whatever single value of the policy is another, something is said of it."""
    tried = 0
    for path in _leaves(POLICY.document()):
        document = POLICY.document()
        here: Any = document
        for step in path[:-1]:
            here = here[step]
        here[path[-1]] = _other(here[path[-1]])
        try:
            other = Policy.from_document(document)
        except ValidationError:
            continue
        tried += 1
        assert policy_difference(POLICY, other) != [], path
    assert tried > 400


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value / 2 if isinstance(value, float) else value + 1
        case str():
            return f"{value}x"
        case _:
            return "x"


def test_changes_of_special_days_are_told_with_what_was() -> None:
    """What had been said of a date is said with what comes in its place, and what goes is named."""
    old = "works_as: {'2026-12-26': mon, '2026-12-27': tue}\n  hours_from: {'2027-01-01': {mon: [['08:00', '12:00']]}}"
    new = "works_as: {'2026-12-26': wed}\n  hours_from: {'2027-01-01': {}, '2028-01-01': {tue: [['08:00', '12:00']]}}"
    public = "public_holidays: {country: DE, dates: {'2026': ['2026-05-01', '2026-05-02']}}"
    before = DEFAULT.replace("overrides: {}", old, 1).replace("holidays: []", public, 1)
    after = DEFAULT.replace("overrides: {}", new, 1).replace("holidays: []", public.replace("-02", "-03"), 1)
    assert policy_difference(load_policy(before), load_policy(after)) == [
        "Hours from 2027-01-01: closed, not Mon 08:00-12:00.",
        "Hours from 2028-01-01: Tue 08:00-12:00.",
        "Public holidays: 2026-05-03 added.",
        "Public holidays: 2026-05-02 removed.",
        "Special days: 2026-12-26 works as Wed, not Mon.",
        "Special days: 2026-12-27 no longer works as Tue.",
    ]
    assert policy_difference(load_policy(after), POLICY)[:1] == ["Hours from 2027-01-01: closed no longer."]


RULES = """  rules:
    - {code: shop, when: {organization_id: [shop]}, minutes: {first_response: 60}}
    - {code: team, when: {edition: [Team, Pro], urgency: [high]}, minutes: {first_response: 30, next_response: 90}}
"""
MINUTES = "    high: {first_response: 180, next_response: 180}\n"
SHOP = "Target rule shop added, for organization shop: first answer 60 business minutes."


def test_changes_of_target_rules_are_told() -> None:
    """A rule is told with whom it is for and its minutes, when it comes; later with what it was."""
    ruled = DEFAULT.replace(MINUTES, MINUTES + RULES)
    team = "for urgency high, edition Team or Pro"
    both = "first answer 30 business minutes, next answer 90 business minutes"
    assert policy_difference(POLICY, load_policy(ruled)) == [SHOP, f"Target rule team added, {team}: {both}."]
    assert policy_difference(load_policy(ruled), POLICY) == [
        "Target rule shop removed; it was for organization shop.",
        f"Target rule team removed; it was {team}.",
    ]
    other = ruled.replace("organization_id: [shop]", "tier: [development]").replace(
        "first_response: 60}", "resolution: 60}"
    )
    assert policy_difference(load_policy(ruled), load_policy(other)) == [
        "Target rule shop: for tier development, was for organization shop.",
        "Targets: first answer by rule shop: not timed, was 60 business minutes.",
        "Targets: solution by rule shop: 60 business minutes, was not timed.",
    ]
    turned = DEFAULT.replace(MINUTES, MINUTES + "\n".join(RULES.splitlines()[place] for place in (0, 2, 1)) + "\n")
    assert policy_difference(load_policy(ruled), load_policy(turned)) == [
        "Target rules: their order is team, shop; the first that fits wins."
    ]


def test_changes_of_warnings_and_their_telling_are_told() -> None:
    """Each further warning, whether staff are told in their hours, and the hours themselves."""
    told = "  tell_in_hours: true\n"
    more = DEFAULT.replace(MINUTES, f"{MINUTES}  warn_before: [{{share: 0.5}}, {{minutes: 30}}]\n{told}")
    assert policy_difference(POLICY, load_policy(more)) == [
        "Further warnings: 50% of the time before, 30 business minutes before added.",
        "Targets: warnings and breaches are told when staff are back, if they are off.",
    ]
    hours = [f"  staff_calendar: {{tz: UTC, hours: {{mon: [['08:00', '{end}:00']]}}}}\n" for end in (16, 17)]
    early, late = (load_policy(more.replace(told, told + text)) for text in hours)
    assert policy_difference(load_policy(more), early) == ["Targets: staff have hours of their own from now on."]
    assert policy_difference(early, late) == ["Staff hours: Mon 08:00-16:00 (UTC) become Mon 08:00-17:00 (UTC)."]
    assert policy_difference(late, load_policy(more)) == ["Targets: staff have the hours of the policy from now on."]

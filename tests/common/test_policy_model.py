"""The policy as a document: its content decides its version, and it survives the way through events."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from firstline.common.policy.loader import load_policy
from firstline.common.policy.model import Circumstance, Policy
from pydantic import ValidationError

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "policies" / "bitrix24.yaml"
INVENTED = ROOT / "tests" / "policy" / "nightwatch.yaml"


@pytest.fixture(scope="module")
def default() -> Policy:
    """Return the policy that comes with the product."""
    return load_policy(DEFAULT)


@pytest.fixture(scope="module", params=[DEFAULT, INVENTED], ids=["bitrix24", "nightwatch"])
def policy(request: pytest.FixtureRequest) -> Policy:
    """Return each policy in turn."""
    return load_policy(request.param)


def test_document_round_trips(policy: Policy) -> None:
    """A policy read back from its document, over real JSON, is the same policy with the same version."""
    back = Policy.from_document(json.loads(json.dumps(policy.document())))
    assert back == policy
    assert back.version == policy.version


def test_version_is_name_and_hash(policy: Policy) -> None:
    """The version is the policy's name and twelve hexadecimal digits."""
    name, _, digits = policy.version.rpartition("-")
    assert name == policy.name
    assert len(digits) == 12
    int(digits, 16)


def test_layout_does_not_change_the_version(default: Policy) -> None:
    """Comments, blank lines and the order of keys leave the version as it is."""
    text = DEFAULT.read_text()
    head = "name: bitrix24\ntitle: Bitrix24 technical support\n"
    assert head in text
    moved = text.replace(head, "") + "\n\n# a last word\ntitle: Bitrix24 technical support\nname: bitrix24\n"
    assert load_policy(moved).version == default.version


def test_order_of_named_things_does_not_change_the_version(default: Policy) -> None:
    """Mappings have no order: levels' targets may be listed in any."""
    text = DEFAULT.read_text()
    normal, high = (line for line in text.splitlines() if line.startswith(("    normal: {", "    high: {")))
    swapped = text.replace(f"{normal}\n{high}\n", f"{high}\n{normal}\n")
    assert swapped != text
    assert load_policy(swapped).version == default.version


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("closing", "reopen_window_days"), 31),
        (("targets", "minutes", "high", "first_response"), 179),
        (("calendar", "holidays"), ["2026-12-25"]),
        (("scope", "topics", 0, "items", 0, "provenance"), "seed"),
        (("wording", "languages", "en", "reply", "body"), "{{ body }}"),
    ],
)
def test_content_changes_the_version(default: Policy, path: tuple[str | int, ...], value: object) -> None:
    """Any other content is another version."""
    document = copy.deepcopy(default.document())
    target = document
    for step in path[:-1]:
        target = target[step]  # type: ignore[index]
    target[path[-1]] = value  # type: ignore[index]
    assert Policy.from_document(document).version != default.version


def test_what_stands_at_its_default_does_not_count(default: Policy) -> None:
    """Saying what holds anyway gives no other version."""
    text = DEFAULT.read_text()
    brief = "verdict: in, provenance: public, text: General"
    assert brief in text
    explicit = text.replace(brief, f"unless_product_error: false, support_mode: full, {brief}")
    assert load_policy(explicit).version == default.version


def test_later_release_keeps_the_versions_of_old_policies(default: Policy) -> None:
    """A member that a later release adds, with a default, renames no policy that was published before."""

    class Later(Policy):
        """The policy of a later release."""

        moods: tuple[str, ...] = ("calm",)

    assert Later.from_document(default.document()).version == default.version


def test_published_document_may_know_more(default: Policy) -> None:
    """A consumer of an older release reads a document with members and texts that it doesn't know."""
    document = {**default.document(), "moods": ["calm"]}
    document["wording"]["languages"]["en"]["consolation"] = {"subject": "[{{ number }}]", "body": "There, there."}
    assert Policy.from_document(document) == default


def test_broken_document_is_refused(default: Policy) -> None:
    """A document that lacks a part is no policy."""
    document = default.document()
    del document["targets"]
    with pytest.raises(ValidationError, match="targets"):
        Policy.from_document(document)


def test_policy_is_frozen(default: Policy) -> None:
    """Nobody changes a policy in place."""
    with pytest.raises(ValidationError, match="frozen"):
        default.closing.reopen_window_days = 1  # type: ignore[misc]


def test_closing_rules_answer_questions(default: Policy) -> None:
    """The reopening window is a duration, and a closing reason says which sides may give it."""
    assert default.closing.reopen_window == timedelta(days=30)
    assert default.closing.sides("resolved") == ("staff", "client")
    assert default.closing.sides("spam") == ("staff",)
    assert default.closing.sides("boredom") == ()


def test_lookups_by_code(default: Policy) -> None:
    """Circumstances, referrals and entitlement rules are found by their codes, and only by those."""
    assert default.circumstance("client_reply") == Circumstance(
        code="client_reply", effect="delay", cause="client", provenance="seed", text="We need your answer to go on."
    )
    assert default.circumstance("weather") is None
    hosting = default.referral("hosting")
    assert hosting is not None
    assert "hosting company" in hosting.advice
    assert default.referral("nobody") is None
    assert default.entitlement.rule("expired") is default.entitlement.expired


def test_the_default_policy_keeps_the_agreed_figures(default: Policy) -> None:
    """Hours, targets, order, windows and sizes of the default policy are those that its clauses and readings name."""
    assert default.calendar["tz"] == "UTC"
    assert default.calendar["hours"] == {day: [["06:00", "16:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    assert default.calendar["holidays"] == []
    assert default.targets.internal
    assert default.targets.warning_share == 0.75
    minutes = {level: target.model_dump(exclude_none=True) for level, target in default.targets.minutes.items()}
    assert minutes == {
        "normal": {"first_response": 600, "next_response": 600},
        "high": {"first_response": 180, "next_response": 180},
    }
    assert default.out_of_turn.levels == ("high",)
    assert default.out_of_turn.max_in_a_row == 0
    assert default.attachments.max_bytes == 25 * 1024 * 1024
    assert list(default.attachments.images) == ["image/png", "image/gif", "image/jpeg"]
    assert default.effective_from <= datetime(2026, 11, 1, tzinfo=UTC)


def test_catalogue_has_the_shape_that_the_clauses_keep(default: Policy) -> None:
    """Sections 3.1 to 3.5 list what is covered and what is not; 3.6 lists only what is covered."""
    verdicts = {topic.clause: {item.verdict for item in topic.items} for topic in default.scope.topics}
    assert {clause: verdicts[clause] for clause in ("3.1", "3.2", "3.3", "3.4", "3.5")} == {
        clause: {"in", "out"} for clause in ("3.1", "3.2", "3.3", "3.4", "3.5")
    }
    assert verdicts["3.6"] == {"in"}


def test_waiting_causes_each_have_circumstances(default: Policy) -> None:
    """Each cause to wait has circumstances to name, and work can also end for a named reason (clauses 2.3, 4.8)."""
    causes = {known.cause for known in default.circumstances if known.effect == "delay"}
    assert {"client", "third_party", "release"} <= causes
    assert any(known.effect == "abort" for known in default.circumstances)

"""Judging submissions: scope, urgency, tier, gaps and channels, under the default policy and an invented one."""

from pathlib import Path

import pytest
from firstline.common.policy.loader import load_policy
from firstline.intake.scope import (
    ChannelNotOfficial,
    LicenceNotActive,
    MissingInformation,
    Recovery,
    Scope,
    Submission,
    UnknownTopic,
    UnknownUrgency,
    check_channel,
    judge,
    rulebook,
)
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
POLICY = load_policy(ROOT / "policies" / "bitrix24.yaml")
RULES = rulebook(POLICY)
INVENTED = rulebook(load_policy(ROOT / "tests" / "policy" / "nightwatch.yaml"))

TOPICS = st.sampled_from(list(RULES.topics))
FIELDS = st.dictionaries(
    st.sampled_from([known.code for known in POLICY.information.fields]),
    st.one_of(st.text(max_size=5), st.none(), st.lists(st.integers(), max_size=2)),
)


def test_topic_gives_scope_reason_and_questions() -> None:
    """A covered topic is in scope, says under which clause, and asks its own and the general questions once each."""
    found = judge(RULES, Submission("portal", topic="performance", entitlement="active"))
    assert found.scope == Scope("in", "full", "Performance of the product (3.2)")
    asked = [missing.field for missing in found.missing_information]
    assert asked == ["product", "version", "environment", "project_url", "measured", "started"]
    assert found.missing_information[1] == MissingInformation(
        "version", "Which version do you use, or is it the cloud service?"
    )


def test_item_names_itself_in_the_reason() -> None:
    """An item that isn't covered says which line of the catalogue it is and whom to ask (clause 1.3)."""
    found = judge(RULES, Submission("portal", topic="installation.third_party_modules"))
    assert found.scope == Scope(
        "out", "none", "Installation and configuration (3.1): Modules of other makers.", "third_party"
    )
    assert found.missing_information == ()


@pytest.mark.parametrize("value", ["", "  \n", None, [], {}])
def test_empty_answers_are_missing(value: object) -> None:
    """An empty value answers nothing, wherever it stands (clause 4.2)."""
    for submission in (
        Submission("api", fields={"version": value}),
        Submission("api", members={"version": value}),
    ):
        assert "version" in [missing.field for missing in judge(RULES, submission).missing_information]


@pytest.mark.parametrize("value", ["25.1", 0, False, ["page"], {"url": "x"}])
def test_given_answers_are_not_asked_for(value: object) -> None:
    """Any content is an answer, in the fields or as a member of its own (clause 4.2)."""
    for submission in (
        Submission("api", fields={"version": value}, members={"version": None}),
        Submission("api", fields={"version": ""}, members={"version": value}),
    ):
        assert "version" not in [missing.field for missing in judge(RULES, submission).missing_information]


@pytest.mark.parametrize(
    ("topic", "claim", "recovery", "expected"),
    [
        ("usage", None, "none", ("normal", False)),
        ("usage", "normal", "none", ("normal", False)),
        ("usage", "high", "none", ("normal", False)),
        (None, "high", "none", ("normal", False)),
        (None, None, "partial", ("high", True)),
        (None, None, "full", ("high", True)),
        ("usage", None, "full", ("high", True)),
        ("recovery", None, "none", ("high", True)),
        ("recovery", "normal", "none", ("high", True)),
        ("recovery.vulnerability", None, "none", ("normal", False)),
        ("updates.modified_core", "high", "full", ("normal", False)),
    ],
)
def test_only_a_recovery_is_urgent_by_itself(
    topic: str | None, claim: str | None, recovery: Recovery, expected: tuple[str, bool]
) -> None:
    """A recovery in scope is high provisionally; a claim alone, or anything not covered, stays in turn (clause 2.1)."""
    found = judge(RULES, Submission("portal", topic=topic, urgency_claim=claim, recovery=recovery))
    assert (found.urgency, found.urgency_provisional) == expected


def test_unknown_topic_names_the_known_ones() -> None:
    """A topic that the policy lacks is refused at its pointer with the topics there are, none of their items."""
    with pytest.raises(UnknownTopic) as caught:
        judge(RULES, Submission("portal", topic="astrology"))
    (fault,) = caught.value.faults
    assert fault.pointer == "/topic"
    assert "installation, performance, updates" in fault.detail
    assert "." not in fault.detail


def test_unknown_item_names_the_items_of_its_topic() -> None:
    """A wrong item of a right topic is answered with the items of that topic."""
    with pytest.raises(UnknownTopic, match=r"recovery\.restore, recovery\.critical_error"):
        judge(RULES, Submission("portal", topic="recovery.astrology"))


def test_unknown_urgency_names_the_known_ones() -> None:
    """A level that the policy lacks is refused at its pointer."""
    with pytest.raises(UnknownUrgency) as caught:
        judge(RULES, Submission("portal", urgency_claim="extreme"))
    (fault,) = caught.value.faults
    assert (fault.pointer, fault.detail) == ("/urgency_claim", "use one of: normal, high")


@pytest.mark.parametrize(
    ("channel", "advice"), [("phone", "the phone is for sales questions"), ("pigeon", "nothing was")]
)
def test_unofficial_channel_is_refused_with_the_way_to_go(channel: str, advice: str) -> None:
    """A refused channel answers with its own advice, an unknown one with the general; both name the official ways."""
    with pytest.raises(ChannelNotOfficial, match=advice) as caught:
        check_channel(RULES, channel)
    error = caught.value
    assert (error.status, error.slug, error.clause) == (422, "channel-not-official", "4.5")
    official = error.extra["official_channels"]
    assert isinstance(official, list)
    assert [channel["code"] for channel in official] == ["portal", "email", "api", "partner_api"]


def test_channel_is_looked_at_first() -> None:
    """From a refused channel nothing is judged, so a wrong topic isn't mentioned."""
    with pytest.raises(ChannelNotOfficial):
        judge(RULES, Submission("phone", topic="astrology"))


@given(topic=TOPICS, fields=FIELDS, recovery=st.sampled_from(["none", "partial", "full"]))
def test_judgement_never_contradicts_itself(topic: str | None, fields: dict[str, object], recovery: Recovery) -> None:
    """Nothing given is asked for, only what is not covered is referred, and that is never urgent."""
    found = judge(RULES, Submission("api", topic=topic, fields=fields, recovery=recovery))
    answered = {code for code, value in fields.items() if value and not (isinstance(value, str) and not value.strip())}
    assert not answered & {missing.field for missing in found.missing_information}
    assert (found.scope.verdict == "out") == (found.scope.refer_to is not None) == (found.scope.support_mode == "none")
    if found.scope.verdict == "out":
        assert (found.urgency, found.missing_information) == ("normal", ())
    assert found.urgency_provisional == (found.urgency == "high")


class TestInventedPolicy:
    """Another policy gives other answers: no clause is written into the code."""

    def test_channels(self) -> None:
        """Mail is refused and radio is official where the policy says so."""
        judge(INVENTED, Submission("radio"))
        with pytest.raises(ChannelNotOfficial, match="Nobody reads mail at night"):
            judge(INVENTED, Submission("email"))
        with pytest.raises(ChannelNotOfficial, match=r"^Use the radio\.$"):
            judge(INVENTED, Submission("portal"))

    def test_scope_and_tier(self) -> None:
        """Topics, verdicts, referrals and the first tier come from the policy, for items too."""
        topic = judge(INVENTED, Submission("api", topic="cranes"))
        assert (topic.scope.verdict, topic.scope.support_mode, topic.tier) == (
            "undetermined",
            "full",
            "technical_support",
        )
        manuals = judge(INVENTED, Submission("api", topic="cranes.manuals"))
        assert (manuals.scope.support_mode, manuals.tier) == ("consult_only", "technical_support")
        wrecks = judge(INVENTED, Submission("api", topic="cranes.wrecks"))
        assert wrecks.scope == Scope("out", "none", "Cranes (7.2): Sunken ships.", "coastguard")
        assert judge(INVENTED, Submission("api")).scope.reason == "The harbour master decides."
        with pytest.raises(UnknownTopic):
            judge(INVENTED, Submission("api", topic="installation"))

    @pytest.mark.parametrize(
        ("submission", "expected"),
        [
            (Submission("api"), ("minor", False)),
            (Submission("api", urgency_claim="major"), ("major", False)),
            (Submission("api", urgency_claim="mayday"), ("minor", False)),
            (Submission("api", topic="cranes.stuck"), ("major", True)),
            (Submission("api", recovery="full"), ("mayday", True)),
            (Submission("api", recovery="partial"), ("minor", False)),
            (Submission("api", topic="cranes.stuck", recovery="full"), ("major", True)),
        ],
    )
    def test_three_severities(self, submission: Submission, expected: tuple[str, bool]) -> None:
        """Three levels, two of which clients set themselves, and another meaning of recovery."""
        found = judge(INVENTED, submission)
        assert (found.urgency, found.urgency_provisional) == expected

    def test_required_fields(self) -> None:
        """Other fields are asked for, each once although the topic repeats a general one."""
        found = judge(INVENTED, Submission("api", topic="cranes"))
        assert [missing.field for missing in found.missing_information] == ["berth", "draught"]
        found = judge(INVENTED, Submission("api", topic="cranes", fields={"berth": "7"}, members={"product": "x"}))
        assert [missing.field for missing in found.missing_information] == ["draught"]

    def test_entitlement(self) -> None:
        """This policy registers nothing under an expired licence, and says why; other states carry its notices."""
        with pytest.raises(LicenceNotActive, match="renew it at the office"):
            judge(INVENTED, Submission("api", entitlement="expired"))
        assert judge(INVENTED, Submission("api", entitlement="active")).notice == "Welcome aboard."
        assert judge(INVENTED, Submission("api", entitlement="unknown")).notice is None

"""What the policy says of a submission (clauses 1.3, 1.4, 2.1, 3.1-3.6, 4.2, 4.5): a pure judgement, nothing stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from firstline.common.errors import Fault, Invalid
from firstline.common.policy.model import (
    EntitlementRule,
    EntitlementState,
    HintCode,
    Item,
    Policy,
    SupportMode,
    Tier,
    Topic,
    Verdict,
)
from firstline.common.policy.urgency import starting_urgency
from firstline.intake.issues import IssueRules, issue_rules, seems_several

Recovery = Literal["none", "partial", "full"]


class ChannelNotOfficial(Invalid):
    """What comes in by this channel is not registered (clause 4.5); the detail says where to go."""

    title = "Not an official channel"


class UnknownTopic(Invalid):
    """The policy has no such topic."""

    title = "No such topic"


class UnknownUrgency(Invalid):
    """The policy has no such urgency level."""

    title = "No such urgency level"


class LicenceNotActive(Invalid):
    """The policy registers no requests in this state of the licence; the detail says what to do."""

    title = "The licence is not active"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whether the request is covered, how far (clause 1.4), why, and the code of the referral (clause 1.3)."""

    verdict: Verdict
    support_mode: SupportMode
    reason: str
    refer_to: str | None = None


@dataclass(frozen=True, slots=True)
class MissingInformation:
    """A required field that the submission lacks, and the question that asks for it (clause 4.2)."""

    field: str
    question: str


@dataclass(frozen=True, slots=True)
class Hint:
    """A remark on the request that hinders nothing: its code and the policy's words."""

    code: HintCode
    text: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What is judged; `text` is what was written freely.

    `members` holds the top-level members that may answer a required field, such as `product`.
    """

    channel: str
    topic: str | None = None
    urgency_claim: str | None = None
    recovery: Recovery = "none"
    entitlement: EntitlementState = "unknown"
    fields: Mapping[str, object] = field(default_factory=dict)
    members: Mapping[str, object] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the policy says; an urgency may be provisional until a specialist confirms it.

    `completeness` is the share of the required information that is there, 0 to 1.

    Attributes:
        scope: whether and how far it is covered (clauses 1.3, 1.4).
        urgency: the level's code (clause 2.1).
        tier: who begins with it.
        missing_information: what is to be asked for (clause 4.2).
        entitlement: what the licence entitles to (clause 1.1).
        notice: what the policy says of that; None where there is nothing to say.
        hints: remarks that hinder nothing.

    """

    scope: Scope
    urgency: str
    urgency_provisional: bool
    tier: Tier
    missing_information: tuple[MissingInformation, ...]
    completeness: float
    entitlement: EntitlementState
    notice: str | None
    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicRule:
    """What a topic code means: computed once a policy, looked up for each submission.

    Attributes:
        scope: whether and how far it is covered, and why.
        urgency: a level that comes with the topic; None: none does.
        tier: who begins with it.
        required: what is asked for, with the questions.
        unless_product_error: an error of the product brings it in though it is not covered (clause 1.3).

    """

    scope: Scope
    urgency: str | None
    tier: Tier
    required: tuple[MissingInformation, ...]
    unless_product_error: bool = False


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A policy arranged for judging; build one for each policy version and keep it.

    Attributes:
        topics: by code, items as `topic.item`; None stands for no topic.
        official: titles of the channels by which requests are taken, by code (clause 4.1).
        refused: for other channels that the policy names, what their users are told (clause 4.5).
        elsewhere: what users of all others are told.
        default_urgency: the level of a request of which nothing else is said.
        may_set: for each level, whether clients may claim it themselves.
        recovery: the level that a full or a partial outage gives.
        entitlement: what holds in each state of a licence.
        issues: how several problems in one text are recognised; None: they aren't.
        referrals: codes of those to whom clients can be sent.
        product_error: the words that a product error adds to a scope's reason.

    """

    topics: Mapping[str | None, TopicRule]
    official: Mapping[str, str]
    refused: Mapping[str, str]
    elsewhere: str
    default_urgency: str
    may_set: Mapping[str, bool]
    recovery: Mapping[str, str]
    entitlement: Mapping[EntitlementState, EntitlementRule]
    issues: IssueRules | None
    referrals: tuple[str, ...]
    product_error: str


def rulebook(policy: Policy) -> Rulebook:
    """Arrange a policy for judging. Topic codes are `topic` and `topic.item`; None stands for no topic.

    All codes are worked out here once: a submission is judged by look-ups, however large the catalogue.
    """
    questions = {known.code: MissingInformation(known.code, known.question) for known in policy.information.fields}
    always = policy.information.always
    nothing_known = Scope("undetermined", "full", policy.scope.without_topic)
    topics: dict[str | None, TopicRule] = {
        None: TopicRule(nothing_known, None, "helpdesk", tuple(questions[code] for code in always)),
    }
    for topic in policy.scope.topics:
        # dict.fromkeys: a field that is asked for always and by the topic is asked for once.
        required = tuple(questions[code] for code in dict.fromkeys((*always, *topic.required)))
        topics[topic.code] = _rule(topic, topic, f"{topic.title} ({topic.clause})", required)
        for item in topic.items:
            reason = f"{topic.title} ({topic.clause}): {item.text}"
            topics[f"{topic.code}.{item.code}"] = _rule(topic, item, reason, required)
    return Rulebook(
        topics=topics,
        official={channel.code: channel.title for channel in policy.channels.official},
        refused={channel.code: channel.advice for channel in policy.channels.refused},
        elsewhere=policy.channels.advice,
        default_urgency=policy.urgency.default,
        may_set={level.code: level.client_may_set for level in policy.urgency.levels},
        recovery={str(kind): level for kind, level in policy.urgency.recovery.items()},
        entitlement={state: policy.entitlement.rule(state) for state in ("active", "expired", "unknown")},
        issues=issue_rules(policy.several_issues) if policy.several_issues else None,
        referrals=tuple(referral.code for referral in policy.scope.referrals),
        product_error=policy.scope.product_error,
    )


def _rule(topic: Topic, part: Topic | Item, reason: str, required: tuple[MissingInformation, ...]) -> TopicRule:
    """Return what a topic code means: the item's own verdict under its topic's tier."""
    scope = Scope(part.verdict, part.support_mode, reason, part.refer_to)
    # Who is sent elsewhere is not asked for details first.
    questions = () if part.verdict == "out" else required
    brought_in = isinstance(part, Item) and part.unless_product_error
    return TopicRule(scope, part.urgency, topic.tier, questions, brought_in)


def judge(rules: Rulebook, submission: Submission) -> Judgement:
    """Say what the policy makes of a submission.

    Raises:
        ChannelNotOfficial: requests by this channel are not registered (clause 4.5).
        UnknownTopic: the policy has no such topic; the known ones are named.
        UnknownUrgency: the policy has no such level; the known ones are named.
        LicenceNotActive: the policy registers no requests in this state of the licence.

    """
    # First, and whatever else is wrong: what comes by a channel
    # that registers nothing is not judged at all (clause 4.5).
    check_channel(rules, submission.channel)
    rule = rules.topics.get(submission.topic)
    if rule is None:
        raise _unknown_topic(rules, submission.topic)
    entitled = rules.entitlement[submission.entitlement]
    if not entitled.register_requests:
        raise LicenceNotActive(entitled.notice or "", clause="1.1")
    urgency, provisional = _urgency(rules, rule, submission)
    missing = missing_information(rule, submission.fields, submission.members)
    return Judgement(
        scope=rule.scope,
        urgency=urgency,
        urgency_provisional=provisional,
        tier=rule.tier,
        missing_information=missing,
        completeness=completeness(len(rule.required), len(missing)),
        entitlement=submission.entitlement,
        notice=entitled.notice,
        hints=_hints(rules, submission.text),
    )


def _hints(rules: Rulebook, text: str) -> tuple[Hint, ...]:
    """Return what is to be remarked about a text (clause 2.4)."""
    if rules.issues is None or not seems_several(rules.issues, text):
        return ()
    return (Hint("several_issues", rules.issues.advice),)


def scope_of(rules: Rulebook, topic: str | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scope that a topic gives to a request, whose present one may say that a product error is behind it."""
    rule = rules.topics[topic]
    scope = asdict(rule.scope)
    if not before.get("product_error"):
        return scope
    return {**(_brought_in(rules, scope) if rule.unless_product_error else scope), "product_error": True}


def _brought_in(rules: Rulebook, scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a product error makes of a scope: it is covered (clause 1.3)."""
    reason = f"{scope['reason']} {rules.product_error}"
    return {**scope, "verdict": "in", "support_mode": "full", "reason": reason, "refer_to": None}


def revised(rules: Rulebook, topic: str | None, before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scope as a specialist revises it; what isn't given follows, or stays as it is (clauses 1.3, 1.4).

    A product error alone brings in what is not covered; taking it back gives what the topic says. Another verdict
    without a reason has the topic's: the one for the former verdict would tell the client the opposite.

    Raises:
        Invalid: verdict and support mode don't go together, there is no such referral, or a verdict without a topic
            has no reason.

    """
    scope = {**before, **given}
    if scope["verdict"] != before["verdict"] and "reason" not in given:
        scope["reason"] = _reason_of(rules, topic, told="out" in (before["verdict"], scope["verdict"]))
    if "product_error" in given and "verdict" not in given:
        if not given["product_error"]:
            scope = {**asdict(rules.topics.get(topic, rules.topics[None]).scope), **given}
        elif before["verdict"] == "out":
            scope = {**_brought_in(rules, before), **given}
    elif "support_mode" not in given:
        covered = "full" if before["support_mode"] == "none" else before["support_mode"]
        scope["support_mode"] = "none" if scope["verdict"] == "out" else covered
    if scope["verdict"] != "out":
        scope["refer_to"] = given.get("refer_to")
    _check_scope(rules, scope)
    return scope


def _reason_of(rules: Rulebook, topic: str | None, *, told: bool) -> str:
    """Return the reason that a topic gives; the client is not `told` a verdict with the words that nobody knows yet.

    Raises:
        Invalid: there is no topic, and the client is told.

    """
    rule = rules.topics.get(topic, rules.topics[None])
    if told and rule is rules.topics[None]:
        fault = Fault("/scope/reason", "Say why, or give the request a topic; the client reads it.")
        raise Invalid("A verdict on a request without a topic needs its reason.", faults=(fault,), clause="1.3")
    return rule.scope.reason


def _check_scope(rules: Rulebook, scope: Mapping[str, Any]) -> None:
    """Raise Invalid for a scope that contradicts itself, or refers to nobody (clauses 1.3, 1.4)."""
    if (scope["verdict"] == "out") != (scope["support_mode"] == "none"):
        fault = Fault("/scope/support_mode", "`none` goes with the verdict `out` and with nothing else.")
        raise Invalid("Verdict and support mode don't go together.", faults=(fault,), clause="1.4")
    if scope.get("refer_to") not in (None, *rules.referrals):
        fault = Fault("/scope/refer_to", f"Use one of: {', '.join(rules.referrals)}.")
        raise Invalid("The policy refers to nobody by that code.", faults=(fault,), clause="1.3")


def check_channel(rules: Rulebook, channel: str) -> None:
    """Refuse a channel that isn't official, and say which ones are.

    Raises:
        ChannelNotOfficial: always for those; `official_channels` names the others (clause 4.5).

    """
    if channel not in rules.official:
        advice = rules.refused.get(channel, rules.elsewhere)
        extra = {"official_channels": [{"code": code, "title": title} for code, title in rules.official.items()]}
        raise ChannelNotOfficial(advice, clause="4.5", extra=extra)


def missing_information(
    rule: TopicRule, fields: Mapping[str, object], members: Mapping[str, object]
) -> tuple[MissingInformation, ...]:
    """Return what the topic requires and neither `fields` nor the top-level `members` answer (clause 4.2)."""
    return tuple(
        asked
        for asked in rule.required
        if not answered(fields.get(asked.field)) and not answered(members.get(asked.field))
    )


def completeness(required: int, missing: int) -> float:
    """Return the share of the required information that is there: 1 where nothing is missing (clause 4.2)."""
    return round(1 - missing / max(required, missing), 2) if missing else 1.0


def answered(value: object) -> bool:
    """Say whether a field holds something."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and (not isinstance(value, Sequence | Mapping) or len(value) > 0)


def _urgency(rules: Rulebook, rule: TopicRule, submission: Submission) -> tuple[str, bool]:
    """Return the level and whether it is provisional.

    A recovery, by the topic or by what the client states, gives its level provisionally unless the topic is not
    covered; else a claim counts where clients may set the level themselves (clause 2.1).
    """
    # A claim is looked at even where a recovery decides: a wrong one is a mistake that its sender should hear of.
    claim = submission.urgency_claim
    if claim is not None and claim not in rules.may_set:
        known = ", ".join(rules.may_set)
        detail = f"There is no urgency {claim!r}; use one of: {known}."
        raise UnknownUrgency(detail, faults=(Fault("/urgency_claim", f"use one of: {known}"),), clause="2.1")
    given = rule.urgency or rules.recovery.get(submission.recovery)
    covered = rule.scope.verdict != "out"
    return starting_urgency(given, claim, covered=covered, may_set=rules.may_set, default=rules.default_urgency)


def _unknown_topic(rules: Rulebook, topic: str | None) -> UnknownTopic:
    """Return the error that names the topics there are, with the items of the one that was meant."""
    section = f"{topic}".partition(".")[0]
    codes = [code for code in rules.topics if code is not None]
    items = [code for code in codes if code.startswith(f"{section}.")] if section in codes else []
    known = ", ".join([code for code in codes if "." not in code] + items)
    detail = f"There is no topic {topic!r}; use one of: {known}. Or leave it out."
    return UnknownTopic(detail, faults=(Fault("/topic", f"use one of: {known}"),), clause="1.1")

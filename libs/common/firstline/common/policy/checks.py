"""What a policy's parts owe one another beyond their types: codes that exist, texts that can be printed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from firstline.common.calendar import parse_calendar
from firstline.common.errors import Invalid
from firstline.common.policy.closing import SilenceRule
from firstline.common.policy.model import NUMBER, EntitlementState, Policy, ScopePart, Tier
from firstline.common.policy.targets import TargetConditions
from firstline.common.policy.wording import PLACEHOLDERS, Template, Text, TextKind, names_in


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake: the JSON pointer to it, what is wrong, and what to do about it; `missing`: it is only not there."""

    pointer: str
    problem: str
    remedy: str
    missing: bool = False


def findings(policy: Policy) -> list[Finding]:
    """Return every mistake in how the policy's parts fit together, in the order of the parts."""
    return [found for check in _CHECKS for found in check(policy)]


def _calendars(policy: Policy) -> Iterator[Finding]:
    """Find mistakes of the hours of the desk, and of those of the staff."""
    yield from _calendar("/calendar", policy.calendar)
    if policy.targets.staff_calendar is not None:
        yield from _calendar("/targets/staff_calendar", policy.targets.staff_calendar)


def _calendar(pointer: str, data: object) -> Iterator[Finding]:
    """Find mistakes of the calendar, by its own reader."""
    try:
        hours = parse_calendar(data).hours
    except Invalid as error:
        for fault in error.faults:
            yield Finding(f"{pointer}{fault.pointer}", fault.detail, "correct the calendar")
        return
    if not any((hours.changed_to or (hours.week,))[-1]):
        problem = "no weekly hours are left in the end, and what comes in after the last listed day can't be timed"
        yield Finding(f"{pointer}/hours", problem, "give weekly hours, here or last in `hours_from`")


def _codes(policy: Policy) -> Iterator[Finding]:
    """Find codes that stand twice in a list in which they are looked up."""
    yield from _repeated("/channels/official", [channel.code for channel in policy.channels.official])
    yield from _repeated("/channels/refused", [channel.code for channel in policy.channels.refused])
    yield from _repeated("/urgency/levels", [level.code for level in policy.urgency.levels])
    yield from _repeated("/information/fields", [field.code for field in policy.information.fields])
    yield from _repeated("/scope/referrals", [referral.code for referral in policy.scope.referrals])
    yield from _repeated("/scope/topics", [topic.code for topic in policy.scope.topics])
    for at, topic in enumerate(policy.scope.topics):
        yield from _repeated(f"/scope/topics/{at}/items", [item.code for item in topic.items])
    yield from _repeated("/circumstances", [circumstance.code for circumstance in policy.circumstances])
    yield from _repeated("/targets/rules", [rule.code for rule in policy.targets.rules])
    yield from _repeated("/closing/marks", [mark.code for mark in policy.closing.marks])
    yield from _repeated("/closing/reasons", [reason.code for reason in policy.closing.reasons])
    kinds = policy.access.kinds if policy.access else ()
    yield from _repeated("/access/kinds", [kind.code for kind in kinds])
    for at, kind in enumerate(kinds):
        yield from _repeated(f"/access/kinds/{at}/fields", [field.code for field in kind.fields])


def _repeated(pointer: str, codes: list[str]) -> Iterator[Finding]:
    """Find the second and later places of a code in a list."""
    for at, code in enumerate(codes):
        if code in codes[:at]:
            yield Finding(f"{pointer}/{at}/code", f"the code {code!r} stands twice", "give one of them another code")


def _channels(policy: Policy) -> Iterator[Finding]:
    """Find channels that are official and refused."""
    official = [channel.code for channel in policy.channels.official]
    for at, channel in enumerate(policy.channels.refused):
        if channel.code in official:
            problem = f"the channel {channel.code!r} is both official and refused"
            yield Finding(f"/channels/refused/{at}/code", problem, "keep it in one of the two lists")


def _levels(policy: Policy) -> Iterator[Finding]:
    """Find levels that are named and not there, and those without targets."""
    known = [level.code for level in policy.urgency.levels]
    used = [("/urgency/default", policy.urgency.default)]
    used += [(f"/urgency/recovery/{kind}", level) for kind, level in policy.urgency.recovery.items()]
    used += [(f"/out_of_turn/levels/{at}", level) for at, level in enumerate(policy.out_of_turn.levels)]
    used += [(f"{pointer}/urgency", part.urgency) for pointer, part in _scope_parts(policy) if part.urgency]
    used += [(f"/targets/minutes/{level}", level) for level in policy.targets.minutes]
    used += _conditions(policy, "urgency")
    yield from _unknown("urgency level", known, used)
    for level in known:
        if level not in policy.targets.minutes:
            problem = f"the urgency level {level!r} has no targets"
            yield Finding("/targets/minutes", problem, f"add `{level}: {{first_response: …, next_response: …}}`")


def _conditions(policy: Policy, name: str) -> list[tuple[str, str]]:
    """Return what the rules of targets ask of one thing, each value with its pointer."""
    return [
        (f"/targets/rules/{at}/when/{name}/{nth}", value)
        for at, rule in enumerate(policy.targets.rules)
        for nth, value in enumerate(rule.when.given().get(name, ()))
    ]


def _rules(policy: Policy) -> Iterator[Finding]:
    """Find rules of targets that name what there is not, are for every request, or never apply (clause 2.3)."""
    topics = [topic.code for topic in policy.scope.topics]
    topics += [f"{topic.code}.{item.code}" for topic in policy.scope.topics for item in topic.items]
    yield from _unknown("topic", topics, _conditions(policy, "topic"))
    yield from _unknown("tier", get_args(Tier), _conditions(policy, "tier"))
    yield from _unknown("state of a licence", get_args(EntitlementState), _conditions(policy, "entitlement"))
    rules = policy.targets.rules
    for at, rule in enumerate(rules):
        pointer = f"/targets/rules/{at}"
        if rule.code in policy.targets.minutes:
            problem = f"the rule {rule.code!r} is called like an urgency level"
            yield Finding(f"{pointer}/code", problem, "give it another code: explanations name rules and levels alike")
        if not rule.when.given():
            problem = f"the rule {rule.code!r} is for every request"
            yield Finding(f"{pointer}/when", problem, "say for which, or put its minutes into `targets/minutes`")
        before = next((known for known in rules[:at] if known.when.given() and _covers(known.when, rule.when)), None)
        if before is not None:
            problem = f"the rule {rule.code!r} never applies: {before.code!r} before it is for the same requests"
            yield Finding(pointer, problem, f"put it before {before.code!r}, or remove it")


def _covers(wide: TargetConditions, narrow: TargetConditions) -> bool:
    """Say whether whatever fits one set of conditions fits another one, too."""
    asked, wanted = narrow.given(), wide.given()
    if any(name not in asked for name in wanted):
        return False
    topics = {value.partition(".")[0] for value in wanted.get("topic", ()) if "." not in value}
    return all(
        value in values or (name == "topic" and value.partition(".")[0] in topics)
        for name, values in wanted.items()
        for value in asked[name]
    )


def _warnings(policy: Policy) -> Iterator[Finding]:
    """Find warnings that stand twice, and hours of the staff in which nothing would be told."""
    targets = policy.targets
    for at, warning in enumerate(targets.warn_before):
        if warning in targets.warn_before[:at]:
            yield Finding(f"/targets/warn_before/{at}", "this warning stands twice", "remove one of the two")
    if targets.staff_calendar is not None and not targets.tell_in_hours:
        problem = "these hours mean nothing while `tell_in_hours` is false"
        yield Finding("/targets/staff_calendar", problem, "set `tell_in_hours: true`, or remove them")


def _fields(policy: Policy) -> Iterator[Finding]:
    """Find fields that are asked for and not described (clause 4.2)."""
    known = [field.code for field in policy.information.fields]
    used = [(f"/information/always/{at}", code) for at, code in enumerate(policy.information.always)]
    for at, topic in enumerate(policy.scope.topics):
        used += [(f"/scope/topics/{at}/required/{nth}", code) for nth, code in enumerate(topic.required)]
    yield from _unknown("field", known, used)


def _scope(policy: Policy) -> Iterator[Finding]:
    """Find parts of the scope that contradict themselves, or lead to nobody where they are not covered (clause 1.3)."""
    known = [referral.code for referral in policy.scope.referrals]
    parts = list(_scope_parts(policy))
    yield from _unknown("referral", known, [(f"{at}/refer_to", part.refer_to) for at, part in parts if part.refer_to])
    for pointer, part in parts:
        if part.verdict == "out" and not part.refer_to:
            problem = f"{part.code!r} is not covered and names nobody to ask (clause 1.3)"
            yield Finding(pointer, problem, f"add `refer_to:` with one of {_listed(known)}")
        if (part.verdict == "out") != (part.support_mode == "none"):
            problem = f"the verdict {part.verdict!r} doesn't go with the support mode {part.support_mode!r}"
            yield Finding(f"{pointer}/support_mode", problem, "`none` goes with `out` and with nothing else")
        if part.verdict == "out" and part.urgency:
            problem = f"{part.code!r} is not covered and still has an urgency"
            yield Finding(f"{pointer}/urgency", problem, "remove one of the two: what is not covered can't be urgent")


def _scope_parts(policy: Policy) -> Iterator[tuple[str, ScopePart]]:
    """Yield topics and their items with the pointers to them."""
    for at, topic in enumerate(policy.scope.topics):
        yield f"/scope/topics/{at}", topic
        for nth, item in enumerate(topic.items):
            yield f"/scope/topics/{at}/items/{nth}", item


def _endings(policy: Policy) -> Iterator[Finding]:
    """Find endings that nobody could give, or of which nobody would be warned (clause 4.8)."""
    for at, circumstance in enumerate(policy.circumstances):
        if circumstance.effect == "abort" and circumstance.cause:
            problem = f"{circumstance.code!r} ends the work and names a cause to wait"
            yield Finding(f"/circumstances/{at}/cause", problem, "remove the cause, or make the effect `delay`")
    known = [reason.code for reason in policy.closing.reasons]
    silence = policy.closing.silence
    rules: tuple[tuple[str, TextKind, SilenceRule], ...] = (
        ("waiting_client", "waiting", silence.waiting_client),
        ("resolved", "resolved", silence.resolved),
    )
    for name, text, rule in rules:
        pointer = f"/closing/silence/{name}"
        yield from _unknown("closing reason", known, [(f"{pointer}/reason", rule.reason)])
        aborts = [known.code for known in policy.circumstances if known.effect == "abort"]
        named = [(f"{pointer}/circumstance", rule.circumstance)] if rule.circumstance else []
        yield from _unknown("circumstance that aborts", aborts, named)
        yield from _untold(policy, pointer, "reminder" if rule.remind_after_days is not None else text)
        if rule.remind_after_days is not None and rule.remind_after_days >= rule.close_after_days:
            problem = f"the reminder after {rule.remind_after_days} days doesn't come before the closing"
            yield Finding(f"{pointer}/remind_after_days", problem, f"make it less than {rule.close_after_days}")


def _untold(policy: Policy, pointer: str, kind: TextKind) -> Iterator[Finding]:
    """Find texts that should say when silence closes a request, and don't: nobody is closed out without a warning."""
    for language, texts in policy.wording.languages.items():
        if kind in texts and "{{ closes_at }}" not in texts[kind].body:
            problem = f"silence closes a request, and the text {kind!r} in {language!r} doesn't say when"
            yield Finding(pointer, problem, f"print {{{{ closes_at }}}} in wording/languages/{language}/{kind}/body")


def _wording(policy: Policy) -> Iterator[Finding]:
    """Find texts that are missing in the default language, and mistakes in every text."""
    wording = policy.wording
    default = wording.languages.get(wording.default_language)
    if default is None:
        problem = f"there are no texts in the default language {wording.default_language!r}"
        yield Finding("/wording/default_language", problem, f"use one of {_listed(wording.languages)}")
    else:
        pointer = f"/wording/languages/{wording.default_language}"
        # Other languages may lack texts; the default one is what stands in for them.
        for kind in PLACEHOLDERS:
            if kind not in default:
                remedy = f"add `{kind}:` with a subject and a body"
                yield Finding(pointer, f"the text {kind!r} is missing", remedy, missing=True)
    for language, texts in wording.languages.items():
        for kind, text in texts.items():
            yield from _text(f"/wording/languages/{language}/{kind}", kind, text)


def _text(pointer: str, kind: TextKind, text: Text) -> Iterator[Finding]:
    """Find mistakes of one mail's text."""
    for member, template in (("subject", text.subject), ("body", text.body)):
        yield from _template(f"{pointer}/{member}", kind, template)
    if "{{ number }}" not in text.subject:
        yield Finding(f"{pointer}/subject", "the subject lacks the ID (clause 4.4)", "put `[{{ number }}]` into it")


def _template(pointer: str, kind: TextKind, template: Template) -> Iterator[Finding]:
    """Find placeholders that the kind of text doesn't have: printing it would fail when the mail is due."""
    allowed = sorted(PLACEHOLDERS[kind])
    try:
        names = sorted(names_in(template))
    except ValueError as error:
        yield Finding(pointer, str(error), "use `{{ name }}` and `{% if name %}…{% endif %}` only")
        return
    for name in names:
        if name not in allowed:
            yield Finding(pointer, f"the text {kind!r} knows no {name!r}", f"use one of {_listed(allowed)}")


def _relations(policy: Policy) -> Iterator[Finding]:
    """Find texts about other requests without the other's ID."""
    for kind, text in policy.relations:
        pointer = f"/relations/{kind}"
        if NUMBER not in text:
            yield Finding(pointer, "the text does not say which other request it is about", f"put `{NUMBER}` into it")
        if "{" in text.replace(NUMBER, ""):
            yield Finding(pointer, f"the text holds more than `{NUMBER}`", "use plain words beside it")


def _unknown(what: str, known: Sequence[str], used: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Find codes that lead to nothing."""
    for pointer, code in used:
        if code not in known:
            yield Finding(pointer, f"there is no {what} {code!r}", f"use one of {_listed(known)}")


def _listed(codes: Iterable[str]) -> str:
    """Return codes as a remedy names them."""
    return ", ".join(codes) or "(there are none yet)"


_CHECKS: Final[tuple[Callable[[Policy], Iterator[Finding]], ...]] = (
    _calendars,
    _codes,
    _channels,
    _levels,
    _rules,
    _warnings,
    _fields,
    _scope,
    _endings,
    _relations,
    _wording,
)

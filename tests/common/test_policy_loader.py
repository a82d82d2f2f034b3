"""A broken policy file: every mistake is named with its line, the place in the document and the remedy."""

from collections.abc import Callable
from pathlib import Path

import pytest
from firstline.common.errors import Invalid
from firstline.common.policy.loader import Mistake, PolicyNotValid, load_policy
from firstline.common.policy.model import Policy

DEFAULT = (Path(__file__).parents[2] / "policies" / "bitrix24.yaml").read_text()


def mistakes_of(text: str) -> tuple[Mistake, ...]:
    """Load a text that can't be loaded."""
    with pytest.raises(PolicyNotValid) as caught:
        load_policy(text)
    return caught.value.mistakes


def swap(old: str, new: str) -> Callable[[str], str]:
    """Return an edit that replaces the first occurrence of a text that is there."""

    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


def line_of(text: str, marker: str) -> int:
    """Return the number of the first line that holds the marker."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if marker in line)


IN_THE_CHANGED_LINE = {
    "relation without the other's ID": (
        "Request {{ number }} is about the same.",
        "Another request is about the same.",
        "/relations/merged_here",
        "put `{{ number }}`",
    ),
    "relation that prints more": (
        "Request {{ number }} is about the same.",
        "Request {{ number }}, {{ subject }}, is about the same.",
        "/relations/merged_here",
        "plain words",
    ),
    "unknown key": ("out_of_turn:\n", "out_off_turn:\n", "/out_off_turn", "did you mean 'out_of_turn'?"),
    "unknown key, nothing near": (
        "  max_in_a_row: 0",
        "  max_in_a_row: 0\n  zebra: 1",
        "/out_of_turn/zebra",
        "known here: levels, max_in_a_row",
    ),
    "wrong choice": (
        "sender_check: lenient",
        "sender_check: lax",
        "/mail/sender_check",
        "should be 'lenient' or 'strict'",
    ),
    "text where a number belongs": ("max_count: 20", "max_count: twenty", "/attachments/max_count", "valid integer"),
    "quoted number": ("max_count: 20", "max_count: '20'", "/attachments/max_count", "valid integer"),
    "number out of range": (
        "warning_share: 0.75",
        "warning_share: 1.5",
        "/targets/warning_share",
        "less than or equal to 1",
    ),
    "code with capitals": ("- code: portal", "- code: Portal", "/channels/official/0/code", "should match pattern"),
    "date without zone": ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "/effective_from", "timezone"),
    "wrong value deep in a list": (
        "verdict: in, provenance: public, text: General",
        "verdict: inn, provenance: public, text: General",
        "/scope/topics/0/items/0/verdict",
        "should be 'in', 'out' or 'undetermined'",
    ),
    "key with a slash": ("image/png: [png]", "image/png: png", "/attachments/images/image~1png", "array"),
    "unknown text": (
        "      reopened:\n",
        "      reopend:\n",
        "/wording/languages/en/reopend",
        "should be 'acknowledgement'",
    ),
    "silence that delays": (
        "reason: no_reply, circumstance: silence}",
        "reason: no_reply, circumstance: workload}",
        "/closing/silence/waiting_client/circumstance",
        "use one of out_of_scope, silence",
    ),
    "refusal without a word": (
        "active: {register_requests: true}",
        "active: {register_requests: false}",
        "/entitlement/active",
        "a refusal needs a notice",
    ),
    "impossible time of day": (
        "mon: [[06:00, 16:00]]",
        "mon: [[06:00, 26:00]]",
        "/calendar/hours/mon/0/1",
        "correct the calendar",
    ),
    "code twice": ("- code: email\n", "- code: portal\n", "/channels/official/1/code", "another code"),
    "item code twice": ("code: installer_errors", "code: questions", "/scope/topics/0/items/1/code", "another code"),
    "channel official and refused": (
        "- code: chat\n",
        "- code: api\n",
        "/channels/refused/1/code",
        "one of the two lists",
    ),
    "unknown level": ("partial: high", "partial: huge", "/urgency/recovery/partial", "use one of normal, high"),
    "unknown level out of turn": (
        "levels: [high]",
        "levels: [huge]",
        "/out_of_turn/levels/0",
        "use one of normal, high",
    ),
    "unknown level of an item": (
        "code: failed_update, verdict: in, urgency: high",
        "code: failed_update, verdict: in, urgency: huge",
        "/scope/topics/2/items/1/urgency",
        "use one of normal, high",
    ),
    "unknown required field": (
        "required: [update, started",
        "required: [updaet, started",
        "/scope/topics/2/required/0",
        "use one of product",
    ),
    "unknown field asked for always": (
        "always: [product",
        "always: [porduct",
        "/information/always/0",
        "use one of product",
    ),
    "unknown referral": (
        "refer_to: hosting",
        "refer_to: hoster",
        "/scope/topics/0/items/7/refer_to",
        "use one of hosting",
    ),
    "nobody to ask": ("verdict: out, refer_to: hosting", "verdict: out", "/scope/topics/0/items/7", "add `refer_to:`"),
    "covered without support": (
        "support_mode: consult_only",
        "support_mode: none",
        "/scope/topics/0/items/3/support_mode",
        "goes with `out`",
    ),
    "not covered and urgent": (
        "verdict: out, refer_to: hosting",
        "verdict: out, urgency: high, refer_to: hosting",
        "/scope/topics/0/items/7/urgency",
        "can't be urgent",
    ),
    "abort that waits": (
        "code: out_of_scope, effect: abort",
        "code: out_of_scope, effect: abort, cause: client",
        "/circumstances/12/cause",
        "remove the cause",
    ),
    "reminder after the end": (
        "remind_after_days: 4",
        "remind_after_days: 7",
        "/closing/silence/waiting_client/remind_after_days",
        "less than 7",
    ),
    "default language without texts": (
        "default_language: en",
        "default_language: de",
        "/wording/default_language",
        "use one of en",
    ),
    "text missing": (
        "      reopened:\n        subject: 'Re: [{{ number }}] {{ subject }}'\n",
        "      reminder_2:\n",
        "/wording/languages/en/reminder_2",
        "should be 'acknowledgement'",
    ),
    "subject without the ID": (
        "'[{{ number }}] We have",
        "'We have",
        "/wording/languages/en/acknowledgement_unknown_sender/subject",
        "put `[{{ number }}]`",
    ),
    "stranger quoted": (
        "'[{{ number }}] We have",
        "'[{{ number }}] {{ subject }} We have",
        "/wording/languages/en/acknowledgement_unknown_sender/subject",
        "use one of desk, hours",
    ),
}

RULES = """  warn_before: [{share: 0.5}, {minutes: 30}]
  tell_in_hours: true
  staff_calendar: {tz: UTC, hours: {mon: [['08:00', '17:00']]}}
  rules:
    - {code: shop, when: {organization_id: [shop]}, minutes: {first_response: 60}}
    - {code: updates, when: {topic: [updates], urgency: [normal]}, minutes: {first_response: 120}}
    - {code: failed, when: {topic: [updates.failed_update]}, minutes: {first_response: 30, next_response: 30}}
"""
MINUTES = "    high: {first_response: 180, next_response: 180}\n"
RULED = DEFAULT.replace(MINUTES, MINUTES + RULES)

IN_THE_RULES: dict[str, tuple[str, str, str, str]] = {
    "no such level": ("urgency: [normal]", "urgency: [norma]", "/1/when/urgency/0", "use one of normal, high"),
    "no such topic": ("topic: [updates]", "topic: [update]", "/1/when/topic/0", "use one of installation"),
    "no such item": ("updates.failed_update", "updates.nothing", "/2/when/topic/0", "updates.failed_update"),
    "no such tier": ("organization_id: [shop]", "tier: [second]", "/0/when/tier/0", "use one of helpdesk"),
    "no such entitlement": ("organization_id: [shop]", "entitlement: [paid]", "/0/when/entitlement/0", "active"),
    "no such property": ("organization_id: [shop]", "organisation: [shop]", "/0/when/organisation", "organization_id"),
    "nothing listed": ("organization_id: [shop]", "organization_id: []", "/0/when/organization_id", "at least 1"),
    "no condition": ("{organization_id: [shop]}", "{}", "/0/when", "put its minutes into `targets/minutes`"),
    "a code twice": ("code: updates, when", "code: shop, when", "/1/code", "give one of them another code"),
    "a level's code": ("code: shop, when", "code: high, when", "/0/code", "give it another code"),
    "never reached": ("topic: [updates], urgency: [normal]", "topic: [updates]", "/2", "put it before 'updates'"),
    "no minutes": (
        "minutes: {first_response: 60}",
        "minutes: {first_response: 0}",
        "/0/minutes/first_response",
        "greater",
    ),
    "centuries": (
        "minutes: {first_response: 60}",
        "minutes: {first_response: 6000000000}",
        "/0/minutes/first_response",
        "less than or equal to 1000000",
    ),
}
IN_THE_WARNINGS = {
    "both ways": ("{share: 0.5}", "{share: 0.5, minutes: 5}", "/targets/warn_before/0", "one of them"),
    "neither way": ("{share: 0.5}", "{}", "/targets/warn_before/0", "one of them"),
    "all of it": ("{share: 0.5}", "{share: 1.0}", "/targets/warn_before/0/share", "less than 1"),
    "twice": ("{share: 0.5}", "{minutes: 30}", "/targets/warn_before/1", "remove one"),
    "hours for nothing": (
        "tell_in_hours: true",
        "tell_in_hours: false",
        "/targets/staff_calendar",
        "tell_in_hours: true",
    ),
    "hours that end": (
        "hours: {mon: [['08:00', '17:00']]}",
        "hours: {}, overrides: {'2026-12-01': [['08:00', '12:00']]}",
        "/targets/staff_calendar/hours",
        "give weekly hours",
    ),
    "impossible hours": ("'17:00'", "'25:00'", "/targets/staff_calendar/hours/mon/0/1", "correct the calendar"),
}


@pytest.mark.parametrize("case", [*IN_THE_RULES, *IN_THE_WARNINGS])
def test_mistakes_in_rules_and_warnings_are_named(case: str) -> None:
    """Each is found at its place, in the line that holds it, with what to do; without one the file is sound."""
    old, new, pointer, remedy = IN_THE_RULES.get(case) or IN_THE_WARNINGS[case]
    pointer = pointer if case in IN_THE_WARNINGS else f"/targets/rules{pointer}"
    load_policy(RULED)
    text = swap(old, new)(RULED)
    (mistake,) = mistakes_of(text)
    assert (mistake.pointer, remedy in mistake.remedy) == (pointer, True)
    place = next(
        line for line, (was, now) in enumerate(zip(RULED.splitlines(), text.splitlines(), strict=True), 1) if was != now
    )
    assert mistake.line == (place + 1 if case in ("never reached", "hours for nothing") else place)


def test_the_earlier_form_of_targets_stays_what_it_was() -> None:
    """A file without the new members has the version that it always had, and a document of before can be read."""
    policy = load_policy(DEFAULT)
    document = policy.document()
    for later in ("rules", "warn_before", "tell_in_hours", "staff_calendar"):
        del document["targets"][later]
    assert Policy.from_document(document).version == policy.version
    assert load_policy(RULED).version != policy.version


def test_staff_calendars_public_holidays_are_written_down_too() -> None:
    """The dates of the staff's country belong to the version as those of the policy's do."""
    hours = "{tz: UTC, hours: {mon: [['08:00', '17:00']]}"
    text = RULED.replace(f"{hours}}}", f"{hours}, public_holidays: {{country: DE}}}}")
    staff = load_policy(text).targets.staff_calendar
    assert staff is not None
    assert "2026-10-03" in staff["public_holidays"]["dates"]["2026"]


ELSEWHERE = {
    "missing key": ("  warning_share: 0.75\n", "", "/targets/warning_share", "add it", "targets:"),
    "level without targets": (
        "    high: {first_response: 180, next_response: 180}\n",
        "",
        "/targets/minutes",
        "add `high:",
        "  minutes:",
    ),
    "unlisted closing reason": (
        "    - {code: no_reply, title: We did not hear from you, by: [staff]}\n",
        "",
        "/closing/silence/waiting_client/reason",
        "use one of resolved",
        "    waiting_client: {remind_after_days: 4, close_after_days: 7, reason: no_reply, circumstance: silence}",
    ),
    "closing that no text announces": (
        "Without a word from you it closes on {{ closes_at }}.",
        "Please answer.",
        "/closing/silence/waiting_client",
        "print {{ closes_at }} in wording/languages/en/reminder/body",
        "    waiting_client: {remind_after_days: 4, close_after_days: 7, reason: no_reply, circumstance: silence}",
    ),
    "unknown placeholder": (
        "{{ body }}",
        "{{ boddy }}",
        "/wording/languages/en/reply/body",
        "use one of body, desk",
        "        body: |",
    ),
    "text that computes": (
        "{{ body }}",
        "{{ body | upper }}",
        "/wording/languages/en/reply/body",
        "only",
        "        body: |",
    ),
}


def check(old: str, new: str, pointer: str, remedy: str) -> tuple[str, Mistake]:
    """Break the default policy, and return the broken text and the mistake at the pointer."""
    text = swap(old, new)(DEFAULT)
    found = {mistake.pointer: mistake for mistake in mistakes_of(text)}
    assert pointer in found
    assert remedy in found[pointer].remedy
    return text, found[pointer]


@pytest.mark.parametrize("case", IN_THE_CHANGED_LINE)
def test_mistake_is_named_with_line_place_and_remedy(case: str) -> None:
    """A mistake is reported with the line it was made in, its pointer and what to do."""
    text, mistake = check(*IN_THE_CHANGED_LINE[case])
    pairs = zip(DEFAULT.splitlines(), text.splitlines(), strict=False)
    assert mistake.line == next(number for number, (was, now) in enumerate(pairs, 1) if was != now)


@pytest.mark.parametrize("case", ELSEWHERE)
def test_mistake_without_a_line_is_named_where_it_belongs(case: str) -> None:
    """What is missing is reported at the line of the part around it, a text in several lines at its key."""
    *edit, line = ELSEWHERE[case]
    text, mistake = check(*edit)
    assert text.splitlines()[mistake.line - 1] == line


def test_a_text_that_is_missing_is_named() -> None:
    """The default language must have every text."""
    block = DEFAULT[DEFAULT.index("      reopened:\n") : DEFAULT.index("      access_requested:\n")]
    (mistake,) = mistakes_of(DEFAULT.replace(block, ""))
    assert mistake.pointer == "/wording/languages/en"
    assert mistake.problem == "the text 'reopened' is missing"
    assert mistake.line == DEFAULT[: DEFAULT.index("    en:\n      acknowledgement:")].count("\n") + 1


def test_all_mistakes_are_reported_at_once_by_line() -> None:
    """Several mistakes come together in the order of the file, and the error lists them for the API too."""
    text = swap("max_in_a_row: 0", "max_in_a_row: -1")(swap("max_count: 20", "max_count: 0")(DEFAULT))
    with pytest.raises(Invalid) as caught:
        load_policy(text)
    error = caught.value
    assert isinstance(error, PolicyNotValid)
    assert [mistake.pointer for mistake in error.mistakes] == ["/out_of_turn/max_in_a_row", "/attachments/max_count"]
    assert [fault.pointer for fault in error.faults] == [mistake.pointer for mistake in error.mistakes]
    assert error.detail.splitlines() == [str(mistake) for mistake in error.mistakes]
    assert error.slug == "policy-not-valid"


def test_one_mistake_does_not_drag_others_along() -> None:
    """Wrong items are mistakes themselves, but neither is the list that lost them nor what follows from them."""
    text = DEFAULT.replace(", client_may_set: true}", "}").replace(", client_may_set: false}", "}")
    pointers = [mistake.pointer for mistake in mistakes_of(text)]
    assert pointers == ["/urgency/levels/0/client_may_set", "/urgency/levels/1/client_may_set"]
    assert len(mistakes_of(swap("verdict: in, provenance: public", "verdict: inn, provenance: public")(DEFAULT))) == 1


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("name: a\ntitle: [1\n", 3, "not plain YAML"),
        ("name: a\nname: b\n", 2, "a second time (first in line 1)"),
        ("a: &x 1\nb: *x\n", 2, "an alias"),
        ("a: !!python/object:os.system x\n", 1, "the tag"),
        ("? [a]\n: 1\n", 1, "a key is a list"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("a: \x01\n", 1, "not YAML"),
        ("\t- a\n", 1, "not plain YAML"),
    ],
    ids=[
        "open bracket",
        "key twice",
        "alias",
        "tag",
        "key that is a list",
        "two documents",
        "control character",
        "tab",
    ],
)
def test_files_that_are_no_plain_yaml(text: str, line: int, problem: str) -> None:
    """What could mean more than it says, or nothing, is refused with its line."""
    (mistake,) = mistakes_of(text)
    assert mistake.line == line
    assert problem in mistake.problem


@pytest.mark.parametrize("text", ["", "# nothing\n", "just text", "[1, 2]"])
def test_files_that_hold_no_policy(text: str) -> None:
    """An empty file, a text and a list are no policy."""
    (mistake,) = mistakes_of(text)
    assert (mistake.line, mistake.pointer) == (1, "")
    assert "should be an object" in mistake.remedy


def test_times_and_words_stay_text() -> None:
    """Times of day, dates and words such as `on` stay text without quotes; a wrong kind shows them as written."""
    for given in ("06:00", "2026-12-25", "on", "no", "0x10", "1e3", "007"):
        (mistake,) = mistakes_of(swap("max_count: 20", f"max_count: {given}")(DEFAULT))
        assert mistake.problem == f"{given!r} does not fit"


def test_public_holidays_are_written_down_and_belong_to_the_version() -> None:
    """A policy that names a country holds its dates, and other dates make another version."""
    named = DEFAULT.replace("holidays: []", "public_holidays: {country: DE}", 1)
    policy = load_policy(named)
    assert "2027-12-25" in policy.calendar["public_holidays"]["dates"]["2027"]
    assert policy.version == load_policy(named).version
    own = named.replace("{country: DE}", "{country: DE, dates: {'2027': ['2027-12-25']}}", 1)
    assert load_policy(own).version != policy.version
    assert load_policy(own).calendar["public_holidays"]["dates"]["2027"] == ["2027-12-25"]


def test_file_and_text_load_alike(tmp_path: Path) -> None:
    """A path is read as a file, a text is taken as it is."""
    file = tmp_path / "policy.yaml"
    file.write_text(DEFAULT, "utf-8")
    assert load_policy(file) == load_policy(DEFAULT)


def test_file_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    """A file that isn't UTF-8 is refused at the line of the first strange byte; a byte order mark is no mistake."""
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"name: bitrix24\ntitle: caf\xe9\n")
    with pytest.raises(PolicyNotValid, match="line 2: a character here is not UTF-8"):
        load_policy(file)
    file.write_bytes(b"\xef\xbb\xbf" + DEFAULT.encode())
    assert load_policy(file) == load_policy(DEFAULT)

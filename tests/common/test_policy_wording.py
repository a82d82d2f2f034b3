"""The texts that clients read: complete, printable, chosen by language, and in the policy's own words."""

from datetime import date
from pathlib import Path

import pytest
from firstline.common.policy.loader import load_policy
from firstline.common.policy.wording import PLACEHOLDERS, TextKind, environment, hours_in_words, names_in

ROOT = Path(__file__).parents[2]
DEFAULT = load_policy(ROOT / "policies" / "bitrix24.yaml")
INVENTED = load_policy(ROOT / "tests" / "policy" / "nightwatch.yaml")
ALWAYS = ("number", "subject", "desk", "link", "hours", "body", "reason", "scope_reason", "closes_at", "kinds")
NECESSARY = {"missing_information": ["questions"], "attachment_refused": ["refused_files"]}


def printed(kind: TextKind, values: dict[str, str]) -> str:
    """Print the body of a default text."""
    return environment().from_string(DEFAULT.wording.text(kind, "en").body).render(values)


@pytest.mark.parametrize("kind", PLACEHOLDERS)
@pytest.mark.parametrize("full", [True, False], ids=["everything", "only the necessary"])
def test_texts_print_cleanly(kind: TextKind, full: bool) -> None:
    """Every text prints with all its values and with the necessary ones, without holes between its paragraphs."""
    always = {*ALWAYS, *NECESSARY.get(kind, ())}
    values = {name: f"<{name}>" if full or name in always else "" for name in PLACEHOLDERS[kind]}
    text = printed(kind, values)
    assert "\n\n\n" not in text
    assert "{" not in text
    assert text == text.strip()


@pytest.mark.parametrize("kind", PLACEHOLDERS)
def test_every_mail_carries_the_id(kind: TextKind) -> None:
    """The ID stands in the subject and in the body of every text (clause 4.4)."""
    text = DEFAULT.wording.text(kind, "en")
    assert "number" in names_in(text.subject)
    assert "number" in names_in(text.body)


def test_clients_read_the_policys_words() -> None:
    """Texts for clients speak of requests, never of tickets, and shout at nobody."""
    words = DEFAULT.model_dump_json(include={"wording", "channels", "information", "circumstances", "entitlement"})
    scope = DEFAULT.scope.model_dump_json()
    for refused in ("ticket", "please note", "unfortunately"):
        assert refused not in words.lower() + scope.lower()
    for kind in PLACEHOLDERS:
        text = DEFAULT.wording.text(kind, "en")
        assert "!" not in text.subject + text.body


def test_strangers_text_can_not_quote_the_stranger() -> None:
    """The acknowledgement to an unknown sender has no placeholder for anything that the sender wrote."""
    assert not PLACEHOLDERS["acknowledgement_unknown_sender"] & {"subject", "name", "body"}


def test_optional_parts_appear_only_with_their_value() -> None:
    """Questions, referral and notice stand in the acknowledgement exactly when there are any."""
    values = dict.fromkeys(PLACEHOLDERS["acknowledgement"], "")
    assert "sooner if you also tell us" not in printed("acknowledgement", values)
    text = printed("acknowledgement", {**values, "questions": "- Which version?"})
    assert "sooner if you also tell us:\n- Which version?\n" in text
    assert "does not cover" in printed("acknowledgement", {**values, "referral": "Ask them."})


@pytest.mark.parametrize(
    ("open_now", "said"), [("yes", "open now"), ("", "opens again on Mon 23 Nov 06:00 UTC")], ids=["open", "closed"]
)
def test_acknowledgement_says_when_somebody_reads_it(open_now: str, said: str) -> None:
    """Within hours the acknowledgement says so; outside it names the hours and the next opening (clause 2.1)."""
    values = dict.fromkeys(PLACEHOLDERS["acknowledgement"], "")
    values |= {"open_now": open_now, "next_opening": "Mon 23 Nov 06:00 UTC", "hours": "Mon-Fri 06:00-16:00 (UTC)"}
    assert said in printed("acknowledgement", values)


def test_closing_texts_ask_to_change_credentials() -> None:
    """Both moments of the end ask the client to change what they handed over, and say how to go on (clause 4.3)."""
    for kind in ("resolved", "closed"):
        body = DEFAULT.wording.text(kind, "en").body
        assert "change them now" in body
        assert "{{ reopen_days }}" in body


@pytest.mark.parametrize(
    ("language", "start"),
    [
        ("en", "{{ body }} Over."),
        ("en-GB", "{{ body }} Over."),
        ("de-AT", "{{ body }}"),
        ("fr", "{{ body }}"),
        (None, "{{ body }}"),
    ],
)
def test_language_falls_back(language: str | None, start: str) -> None:
    """A text is taken in the wanted language, in its main language, else in the policy's default one."""
    assert INVENTED.wording.text("reply", language).body == start


def test_text_missing_in_a_language_is_taken_from_the_default() -> None:
    """A language that lacks a text borrows it from the default language."""
    assert INVENTED.wording.text("closed", "en").body == "{{ reason }}"


def test_names_are_found_in_prints_and_conditions() -> None:
    """Names count wherever they stand."""
    assert names_in("{{ a }} {% if b %}{{ c }}{% else %}d{% endif %}") == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ a", "no template"),
        ("{% for x in y %}{{ x }}{% endfor %}", "not for"),
        ("{{ a.b }}", "not getattr"),
        ("{{ a['b'] }}", "not getitem"),
        ("{{ 'x' * 999999999 }}", "not mul"),
        ("{{ a | upper }}", "not filter"),
        ("{{ a() }}", "not call"),
        ("{% set a = 1 %}", "not assign"),
        ("{% include 'x' %}", "not include"),
        ("{{ 1 }}", "not const"),
    ],
)
def test_texts_can_do_nothing_but_print(template: str, reason: str) -> None:
    """A template that computes, calls, loops or looks inside a value is refused when the policy is loaded."""
    with pytest.raises(ValueError, match=reason):
        names_in(template)


@pytest.mark.parametrize(
    ("calendar", "words"),
    [
        (DEFAULT.calendar, "Mon-Fri 06:00-16:00 (UTC)"),
        (INVENTED.calendar, "Mon-Sun 00:00-24:00 (Europe/Berlin)"),
        (
            {"tz": "UTC", "hours": {"mon": [["08:00", "12:00"], ["13:00", "17:00"]], "wed": [["08:00", "12:00"]]}},
            "Mon 08:00-12:00, 13:00-17:00; Wed 08:00-12:00 (UTC)",
        ),
        (
            {"tz": "UTC", "hours": {"sat": [["08:00", "12:00"]], "sun": [["08:00", "12:00"]]}},
            "Sat-Sun 08:00-12:00 (UTC)",
        ),
    ],
    ids=["default", "around the clock", "gaps", "weekend"],
)
def test_hours_are_said_in_one_line(calendar: dict[str, object], words: str) -> None:
    """Days in a row with the same hours are said together, closed days not at all."""
    assert hours_in_words(calendar) == words


def test_hours_that_change_are_said_for_their_date() -> None:
    """Whoever asks on a date hears the hours that hold then."""
    later = {"2027-06-01": {}, "2027-01-01": {"mon": [["08:00", "12:00"]]}}
    calendar = {**DEFAULT.calendar, "hours_from": later}
    said = [hours_in_words(calendar, date(*day)) for day in ((2026, 12, 31), (2027, 1, 1), (2027, 6, 2))]
    assert said == ["Mon-Fri 06:00-16:00 (UTC)", "Mon 08:00-12:00 (UTC)", "closed (UTC)"]

"""Letters: the ID once in every subject, nobody's words evaluated, plain text that reads well (4.4; checks 12, 46)."""

from pathlib import Path
from typing import Any, get_args

import pytest
from firstline.common.policy.loader import load_policy
from firstline.common.policy.wording import TextKind, Wording
from firstline.notify.wording import Letter, Value, Writer, bare_subject
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

NUMBER = "FL-7K3M-9QPX"
VALUES: dict[str, Value] = {
    "number": NUMBER,
    "subject": "Site white after update",
    "name": "Anna",
    "link": "https://desk.example/requests/FL-7K3M-9QPX",
    "body": "Clear the cache.",
    "questions": ("Which version?", "Since when?"),
}
TEMPLATES = [
    *(
        "{{ 7 * 7 }}",
        "{{7*7}}",
        "{{ config }}",
        "{% if 1 %}x{% endif %}",
        "{% for a in b %}",
        "${7*7}",
        "{0.__class__}",
    ),
    *("%(name)s", "{{ ''.__class__.__mro__ }}", "{# gone #}", "{{ number }}", "{{", "%}", "\\u007b\\u007b 1 }}"),
]
KINDS = get_args(TextKind)


def writer(body: str = "{{ body }}", subject: str = "[{{ number }}] {{ subject }}", kind: str = "reply") -> Writer:
    """Return a writer that knows one text."""
    texts = {"en": {kind: {"subject": subject, "body": body}}}
    return Writer(Wording.model_validate({"default_language": "en", "languages": texts}))


def reply(body: str = "{{ body }}", subject: str = "[{{ number }}] {{ subject }}", /, **values: Value) -> Letter:
    """Return a reply made of these templates and values."""
    return writer(body, subject).letter("reply", "en", VALUES | values)


@pytest.fixture(scope="module")
def shipped() -> Writer:
    """Return a writer with the texts of the policy that comes along."""
    return Writer(load_policy(Path(__file__).parents[2] / "policies" / "bitrix24.yaml").wording)


def test_a_letter_is_the_text_with_its_values() -> None:
    """Placeholders are replaced, conditions chosen, and the subject names the request."""
    letter = writer("Hello{% if name %} {{ name }}{% endif %},\n\n{{ body }}\n\n{{ link }}\n").letter(
        "reply", "en", VALUES
    )
    assert letter.subject == "[FL-7K3M-9QPX] Site white after update"
    assert letter.text == f"Hello Anna,\n\nClear the cache.\n\n{VALUES['link']}\n"


@pytest.mark.parametrize("text", TEMPLATES)
def test_nobodys_words_are_evaluated(text: str) -> None:
    """Template signs in a subject, name or message stay what they are."""
    letter = reply("{{ name }}\n\n{{ body }}\n\n{{ subject }}", subject=text, name=text, body=text)
    assert letter.subject == f"[{NUMBER}] {text}"
    assert letter.text == f"{text}\n\n{text}\n\n{text}\n"


@pytest.mark.parametrize(
    "template",
    [
        *("{{ number.__class__ }}", "{{ number|upper }}", "{{ 7 * 7 }}", "{% for a in number %}x{% endfor %}"),
        *("{{ number() }}", "{% set a = 1 %}", "{{ number[0] }}", "{% include 'x' %}", "{{ 'a' }}", "{{ number"),
    ],
)
def test_a_template_prints_and_chooses_only(template: str) -> None:
    """A policy's text that calls, computes or looks into values is refused, in the subject as in the body."""
    for one in (writer(body=template), writer(subject=template)):
        with pytest.raises(ValueError, match=r"a text may|no template"):
            one.letter("reply", "en", VALUES)


def test_a_name_that_the_kind_lacks_is_an_error() -> None:
    """A text that wants a value outside its kind's list fails instead of printing a hole."""
    with pytest.raises(UndefinedError):
        writer("{{ password }}").letter("reply", "en", VALUES | {"password": "x"})


def test_a_missing_value_is_empty() -> None:
    """A value that isn't given is like an empty one: its condition doesn't hold."""
    letter = writer("a{% if name %} {{ name }}{% endif %}{{ specialist }}b").letter("reply", "en", {"number": NUMBER})
    assert letter.text == "ab\n"


@pytest.mark.parametrize("name", ["subject", "name", "body", "scope_reason"])
def test_a_strangers_words_never_come_back(name: str) -> None:
    """The text for an unknown sender can't use subject, name or body even if the policy's text asks for them."""
    one = writer("Hello {{ " + name + " }}", "[{{ number }}] got it", "acknowledgement_unknown_sender")
    with pytest.raises(UndefinedError):
        one.letter("acknowledgement_unknown_sender", "en", VALUES | {"subject": "buy now", "name": "buy now"})


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_texts_read_well(shipped: Writer, kind: TextKind) -> None:
    """Every text of the default policy fits 76 columns, has the ID once in its subject and leaves no hole."""
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    for values in (
        {"number": NUMBER, "link": "https://desk.example/r"},
        VALUES | dict.fromkeys(("scope_reason", "referral", "circumstance", "reason", "advice", "specialist"), long),
        VALUES | {"opened": True, "waits_for_client": True, "closes_at": "Mon", "questions": (long,)},
        VALUES | {"resolved": True, "closes_at": "Mon"},
    ):
        letter = shipped.letter(kind, "en", values)
        assert letter.subject.count(f"[{NUMBER}]") == 1
        assert max(map(len, letter.text.split("\n"))) <= 76
        assert "\n\n\n" not in letter.text
        assert not letter.text.startswith("\n")
        assert "None" not in letter.text
        assert "ticket" not in f"{letter.subject} {letter.text}".lower()


def test_an_unknown_senders_acknowledgement_is_the_same_for_all(shipped: Writer) -> None:
    """Whatever the stranger wrote, the acknowledgement differs in the ID and link only."""
    first = shipped.letter("acknowledgement_unknown_sender", "en", VALUES)
    second = shipped.letter("acknowledgement_unknown_sender", "en", VALUES | {"subject": "x", "name": "y", "body": "z"})
    assert first == second


@pytest.mark.parametrize(
    ("subject", "bare"),
    [
        ("Re: [FL-7K3M-9QPX] Site white", "Site white"),
        ("AW: Re: Fwd: RE[2]: [fl-22qd-8m1t]  Re : Site  white", "Site white"),
        ("[ FL-7K3M-9QPX ] Site [FL-22QD-8M1T] white", "Site white"),
        ("We're: done, re: nothing", "We're: done, re: nothing"),
        ("Regarding: Site", "Regarding: Site"),
        ("[FL-7K3M-9QP] kept", "[FL-7K3M-9QP] kept"),
        ("two\r\nlines\x00", "two lines"),
        ("Re:", ""),
        ("", ""),
    ],
)
def test_subjects_lose_ids_and_answer_marks(subject: str, bare: str) -> None:
    """IDs and the marks of answering are taken off; words that look like them stay."""
    assert bare_subject(subject) == bare


def test_subjects_do_not_grow() -> None:
    """A thousand answers to answers leave the subject as it was."""
    subject = "Site white"
    for _ in range(1_000):
        subject = reply("{{ body }}", "Re: [{{ number }}] {{ subject }}", subject=subject).subject
    assert subject == "Re: [FL-7K3M-9QPX] Site white"


@pytest.mark.parametrize("template", ["{{ subject }}", "[{{ number }}] [{{ number }}] {{ subject }}", "{{ desk }}"])
def test_the_id_is_there_once_whatever_the_template(template: str) -> None:
    """A subject template without the ID in brackets, or with it twice, still makes a subject with it once."""
    letter = reply("{{ body }}", template, desk="[FL-0000-0000] desk")
    assert letter.subject.count("[FL-") == 1
    assert letter.subject.startswith(f"[{NUMBER}]")


@given(st.text(max_size=400))
def test_any_subject_names_the_request_once(subject: str) -> None:
    """For any client's subject ours is one line with the ID once and of bounded length."""
    line = reply(subject=subject).subject
    assert line.count(f"[{NUMBER}]") == 1
    assert len(line.splitlines()) == 1
    assert len(line) <= 140


def test_the_answer_is_not_touched() -> None:
    """A specialist's words keep their lines, blanks and indents, however long."""
    body = "Run:\n\n\n    $ " + "x " * 90 + "\n> quoted\n{{ link }}\n\n- a"
    letter = reply("Hello {{ name }},\n\n{{ body }}\n\nbye", body=f"\n{body}\n")
    assert letter.text == f"Hello Anna,\n\n{body}\n\nbye\n"


def test_wide_lines_flow_and_lists_and_links_stand_alone() -> None:
    """Too wide a line is wrapped together with the next one; lists are indented, links never broken."""
    wide, link = "word " * 20 + "end", "https://desk.example/" + "a" * 90
    wrapped = "word " * 14 + "word\n"
    one = writer(
        f"{wide}\nmore.\nshort\nlines\n\n{wide}:\n{{{{ link }}}}\n\n{{{{ questions }}}}", kind="missing_information"
    )
    letter = one.letter("missing_information", "en", VALUES | {"link": link, "questions": (wide, "b")})
    assert letter.text.split("\n\n") == [
        f"{wrapped}{'word ' * 5}end more.\nshort\nlines",
        f"{wrapped}{'word ' * 5}end:\n{link}",
        f"- {wrapped}  {'word ' * 5}end\n- b\n",
    ]


def test_values_are_single_lines() -> None:
    """A name with line breaks can't forge a paragraph, and a long one is cut."""
    letter = reply("Hello {{ name }},\n\n{{ body }}", name="Anna\n\nPay here: " + "x" * 99)
    first, _, rest = letter.text.partition("\n\n")
    assert first == "Hello Anna Pay here: " + "x" * 44 + "…,"
    assert rest == "Clear the cache.\n"


def test_languages_fall_back() -> None:
    """A text is taken in the language wanted, in its main language, else in the default one."""
    texts: dict[str, Any] = {
        language: {"reply": {"subject": "[{{ number }}]", "body": language}} for language in ("en", "de", "pt-BR")
    }
    one = Writer(Wording.model_validate({"default_language": "en", "languages": texts}))
    wanted = ["de", "de-AT", "pt-BR", "pt", "xx", None]
    assert [one.letter("reply", language, VALUES).text.strip() for language in wanted] == [
        *("de", "de", "pt-BR", "en", "en", "en")
    ]

"""The pages as templates: what people wrote stays text, nothing runs, every form is ours, the words are right."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import firstline.web
import pytest
from firstline.common.calendar import parse_calendar
from firstline.web import (
    access,
    board,
    catalogue,
    choices,
    documents,
    forms,
    letters,
    past,
    reports,
    searching,
    stages,
    supervision,
    trials,
    views,
    whatif,
)
from firstline.web.app import templates
from firstline.web.forms import Draft, FileRules, Kept
from firstline.web.pages import incidents
from firstline.web.pages.releases import Release
from firstline.web.pages.requests import Outcome
from firstline.web.session import Session
from firstline.web.stages import row
from jinja2 import Environment, UndefinedError, nodes

Json = dict[str, Any]
Make = Callable[..., Json]
FOLDER = Path(firstline.web.__path__[0]) / "templates"
PAGES = sorted(
    path.name for path in FOLDER.glob("*.html") if '{% extends "' in path.read_text() and path.name != "portal.html"
)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' x='",
    "</textarea></select></title><svg onload=alert(1)>",
    "{{ 7 * 7 }} {% include 'layout.html' %} ${7*7}",
    'javascript:alert(1)//https://a.example/"onclick=alert(1)',
    "<!-- --><!DOCTYPE x [<!ENTITY y 'z'>]> ]]> &lt;b&gt; &amp;",
]
EXECUTABLE = {"script", "iframe", "object", "embed", "svg", "math", "base", "style", "template", "audio", "video"}


@pytest.fixture(scope="module")
def environment() -> Environment:
    """Return the environment of the pages."""
    return templates()


def with_referral(topic: Json) -> Json:
    """Return a topic as the catalogue of the API gives it."""
    return {**topic, "items": [{**item, "referral": {"advice": "Ask them."}} for item in topic["items"]]}


def given_access(text: str) -> access.Asked:
    """Return an access request in which everything is to be seen."""
    values = (access.Value("ftp.login", text, False, True, False), access.Value("ftp.key", text, True, False, True))
    return access.Asked(
        id="r",
        title=text,
        host=text,
        reason=text,
        asked=text,
        state=text,
        ended=text,
        until=text,
        given=text,
        kept_until=text,
        kinds=(access.Kind("ftp", text, values),),
        readings=(access.Reading(text, text, text, text),),
        change=text,
        changed=text,
        advice=text,
        can=frozenset({"answer", "revoke", "read", "confirm"}),
    )


@pytest.fixture
def shown(
    ticket: Make, message: Make, attachment: Make, entry: Make, clock: Make, policy: Json, now: datetime
) -> Callable[..., Json]:
    """Return what gives a page all its values, with one text wherever people write something."""

    def held(text: str) -> Json:
        files, at = [{"name": text}], "2026-11-24T09:12:00Z"
        told = {"from": text, "subject": text, "text": text, "reason": text, "attachments": files}
        return {"id": "m3", "number": "FL-7K3M-9QPX", "received_at": at, **told}

    def values(text: str, **changes: Any) -> Json:
        files = [attachment(name=text), attachment(name=text, type="text/plain"), attachment(status="no", reason=text)]
        author = {"name": text, "side": "staff", "role": "agent"}
        messages = [
            message(body=text, attachments=files),
            message(id="m2", author=author, audience="internal", body=text),
        ]
        requester = {"id": "p", "email": text, "name": text, "language": text}
        scope = {"verdict": "out", "support_mode": "none", "reason": text, "refer_to": None}
        item = ticket(
            subject=text,
            requester=requester,
            scope=scope,
            product=text,
            urgency_reason=text,
            urgency="high",
            urgency_provisional=True,
            missing_information=[{"field": "x", "question": text}],
            allowed=[
                "messages",
                "triage",
                "wait",
                "resume",
                "handover",
                "release-plan",
                "resolve",
                "close",
                "reopen",
                "split",
                "merge",
                "unmerge",
            ],
            organization_id=text,
            follows=text,
            channel=text,
        )
        place = entry(subject=text, why=[text], claimed=True, claimed_by="me", lease_expires_at="2026-11-24T11:50:00Z")
        reader = board.Reader("me", now, "0193-a")
        page = {"items": [place], "next": "x", "waiting": 1, "out_of_turn": 0, "at_least": False, "oldest_since": None}
        fields = (
            "subject",
            "body",
            "note",
            "licence_key",
            "topic",
            "reason",
            "circumstance",
            "wait_note",
            "close_body",
        )
        wrong = dict.fromkeys((*fields, "files", "recovery"), text)
        link = documents.Link("a1", text, "https://docs.example/restore")
        return {
            "desk": "Helpdesk", "style": "/static/style.css?1", "scripts": {"suggest": "/static/suggest.js?1"},
            "answers": [documents.ReadyMade("code", text, "1 page")], "found": (link,),
            "topic_options": choices.scope_topics(policy), "csrf": "c0ffee", "density": "", "here": "",
            "me": Session("me", "", "", "c0ffee", text, "agent"),
            "opening": views.Opening(True, "Open now"), "notice": "Done.", "problem": {"title": text, "text": text},
            "draft": Draft("key", dict.fromkeys(fields, text), (Kept("f1", text),), wrong, text, "note"),
            "rules": forms.file_rules(policy), "number": item["number"], "subject": text, "title": text, "text": text,
            "link": {"href": "/requests", "text": text}, "wrong": {"title": text, "text": text},
            "hits": [searching.hit({**item, "found": [{"text": text, "marks": [[0, 2]]}]}, now)], "older": text,
            "banners": [text], "q": text, "wish": {"q": text, "status": "new", "cursor": text, "days": "", "by": ""},
            "chosen": [],
            "statuses": [("", text)], "acts": [("note", text)], "outcome": Outcome(text, (("FL-1", text),)),
            "stage": stages.Stage(text, text, text, "yours"),
            "letters": (correspondence := letters.letters(messages, now, staff=True)), "notices": [text],
            "expectation": text, "relations": [views.Relation("linked", text, item["number"], text)],
            "splittable": choices.splittable(correspondence),
            "questions": [views.Question("x", text)],
            "can": views.Abilities("Send reply", text, ended=True, ask=True, rate=True),
            "topics": [catalogue.topic(topic) for topic in policy["scope"]["topics"]],
            "recoveries": [{"code": "none", "text": "No"}],
            "queue": board.queue(page, [clock()], parse_calendar(policy["calendar"]), reader),
            "work": board.work(item, policy, place, reader),
            "context": board.context(item, policy, [clock()], text, now),
            "circumstances": board.options(policy, "delay"), "aborts": board.options(policy, "abort"),
            "asked": [supervision.Asked("q", *[text] * 9)], "kinds": supervision.KINDS,
            "marks": supervision.marks(policy), "rating": text,
            "reasons": board.reasons(policy), "precisions": board.PRECISIONS, "releases": [Release(text, text)],
            "lines": [views.ClaimLine(text, text)],
            "tables": [reports.Table("x", text, text, text, (text,), ((text, (text,)),), "/x.svg", "/x.csv", text)],
            "spans": {"": text}, "groups": {"": text},
            "basis": trials.basis(policy, now.date()), "topics_open": True, "titles": {},
            "periods": [board.Option("30", text)],
            "earlier": [whatif.Line("s1", text, text, text, True, "2026-11-24T11:00:00Z", text)],
            "job": whatif.Outcome("done", text, text, 50, 1, text, text, ((text, (text,)),)), "id": "s1",
            "tried": [trials.Tried(text, text, text)], "again": True, "by": "", "columns": (text,),
            "judging": choices.judging(policy),
            "verdicts": choices.verdicts(item), "referrals": choices.referrals(policy),
            "scope_topics": choices.scope_topics(policy), "version": text,
            "sections": [catalogue.section(with_referral(topic)) for topic in policy["scope"]["topics"]],
            "advice": documents.Advice((link,), (views.Question("y", text),), (text,)), "links": (link,), "read": ("https://docs.example/read",),
            "uses": [documents.Use(text, "https://docs.example/restore", "suggested 1, read 1")],
            "canned": [board.Option("code", text)],
            "asks_licence": True,
            "access": text, "access_known": True, "access_asked": [given_access(text)],
            "access_kinds": supervision.KINDS, "staff": False, "holds": True, "seconds": 60, "host": text,
            "happened": [past.Happened(text, text, text, [past.Changed(text, text, text)])],
            "revealed": [access.Shown(text, ((text, text),))],
            "held": 1, "about": "FL-7K3M-9QPX", "mails": [letters.held_mail(held(text), now)],
            "incidents": [incidents.Line("i1", text, True, text, "2026-11-24T11:00:00Z", text)],
            "incident": incidents.Line("i1", text, True, text, "2026-11-24T11:00:00Z", text), "banner": text,
            "sent": [incidents.Sent(text, text, "2026-11-24T11:00:00Z", text)], "more": text,
            "linked": [incidents.Linked("0193-a", row(item, now))],
            "proposed": [incidents.Linked("0193-a", row(item, now), text)],
            **changes,
        }  # fmt: skip

    return values


def test_all_pages_are_looked_at() -> None:
    """The pages under test are those that there are."""
    assert len(PAGES) == 23


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", PAGES)
def test_what_people_write_stays_text(
    name: str, text: str, environment: Environment, shown: Callable[..., Json], read: Callable[[str], Any]
) -> None:
    """Markup, template code and addresses in any field make the same elements as harmless words would."""
    page = read(environment.get_template(name).render(shown(text)))
    plain = read(environment.get_template(name).render(shown("Plain words")))
    kinds = [tag for tag, _ in page.elements if tag != "a"]
    assert kinds == [tag for tag, _ in plain.elements if tag != "a"]
    assert page.misnested == []
    assert not (EXECUTABLE - {"script"}) & set(kinds)
    assert {given.get("src") for given in page.all("script")} <= {"/static/suggest.js?1"}
    assert [key for _, given in page.elements for key in given if key.startswith("on") or key == "style"] == []
    assert text.split("\u202e", maxsplit=1)[0] in page.text
    assert "49" not in page.text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", PAGES)
def test_addresses_lead_to_our_pages_or_the_web(
    name: str, text: str, environment: Environment, shown: Callable[..., Json], read: Callable[[str], Any]
) -> None:
    """Links, forms and pictures lead to this site; only addresses in a message lead elsewhere, by http."""
    page = read(environment.get_template(name).render(shown(text)))
    ours = re.compile(r"[/#](?!/)")
    assert [to for to in page.values("action") + page.values("src") if not ours.match(to)] == []
    away = [given for given in page.all("a") if not ours.match(given["href"] or "")]
    assert all(re.match(r"https?://[^\s\"'<>]+$", given["href"] or "") for given in away)
    assert all(given["rel"] == "noopener noreferrer nofollow" for given in away)


@pytest.mark.parametrize("name", PAGES)
def test_every_posted_form_carries_the_secret(
    name: str, environment: Environment, shown: Callable[..., Json], read: Callable[[str], Any]
) -> None:
    """Each form that changes something has the visitor's secret as its first input; none else sends it anywhere."""
    page = read(environment.get_template(name).render(shown("x")))
    for at, (tag, given) in enumerate(page.elements):
        if tag == "form" and given["method"] == "post":
            assert page.elements[at + 1] == ("input", {"type": "hidden", "name": "csrf", "value": "c0ffee"})
        elif tag == "form":
            assert "c0ffee" not in str(page.elements[at + 1 : at + 4])


@pytest.mark.parametrize("name", PAGES)
def test_pages_can_be_used_without_seeing_them(
    name: str, environment: Environment, shown: Callable[..., Json], read: Callable[[str], Any]
) -> None:
    """There is one first heading at most, a language, a title; every field has its label and every picture its text."""
    page = read(environment.get_template(name).render(shown("Plain words")))
    labelled = {given.get("for") for given in page.all("label")}
    fields = page.all("textarea") + page.all("select") + page.all("input")
    named = [given for given in fields if given.get("type") not in ("hidden", "radio", "checkbox")]
    assert [given.get("id") for given in named if given.get("id") not in labelled] == []
    assert all(given.get("alt") for given in page.all("img"))
    assert page.all("html")[0]["lang"] == "en"
    assert "viewport" in page.values("name")
    described = {one for value in page.values("aria-describedby") for one in value.split()}
    assert described <= set(page.values("id"))
    assert len(page.values("id")) == len(set(page.values("id")))


BARE: list[Json] = [
    {"opening": None},
    {"opening": views.Opening(open=False, text="Closed")},
    {"opening": views.Opening(open=False, text="Closed now", change="tomorrow 06:00 UTC")},
    {"wrong": None, "link": None},
    {
        "hits": [],
        "q": "",
        "outcome": None,
        "banners": [],
        "older": None,
        "letters": [],
        "questions": [],
        "notices": [],
        "topics": [],
        "notice": None,
    },
    {"draft": Draft("key"), "problem": None, "context": [], "density": "compact"},
    {"can": views.Abilities("", "", ended=False)},
    {"advice": None, "read": (), "links": (), "canned": [], "uses": [], "answers": [], "found": ()},
    {"advice": documents.Advice((), (), ())},
    {"earlier": [], "topics_open": False, "tried": [], "again": False},
    {"job": whatif.Outcome("running", "x", "x", 50, 0, "x", "x", ())},
    {"job": whatif.Outcome("cancelled", "x", "x", 50, 0, "x", "x", ())},
    {"job": whatif.Outcome("failed", "x", "x", 50, 0, "x", "x", (), "x")},
    {"held": 0, "about": "", "mails": []},
    {"work": None, "queue": board.Queue("0", "", (), more=False)},
    {"queue": board.Queue("1", "", (board.QueueRow("FL-1", "x", "since", "", None, current=False),), more=False)},
]


@pytest.mark.parametrize("changes", BARE, ids=str)
@pytest.mark.parametrize("name", PAGES)
def test_pages_do_without_what_may_be_missing(
    name: str, changes: Json, environment: Environment, shown: Callable[..., Json], read: Callable[[str], Any]
) -> None:
    """Closed or unknown hours, nobody signed in, empty lists, nothing wrong: every page is still whole."""
    assert read(environment.get_template(name).render(shown("x", **changes))).misnested == []


@pytest.mark.parametrize("name", ["message.html", "sign_in.html"])
def test_strangers_get_whole_pages(
    name: str, environment: Environment, shown: Callable[..., Json], read: Callable[[str], Any]
) -> None:
    """Who is not signed in sees no menu and no form that would need their secret."""
    page = read(environment.get_template(name).render(shown("x", me=None, opening=None, csrf="")))
    assert page.misnested == []
    assert page.all("nav") == []
    assert [given["method"] for given in page.all("form")] in ([], ["get"])


@pytest.mark.parametrize("name", PAGES)
def test_a_missing_value_is_an_error(name: str, environment: Environment, shown: Callable[..., Json]) -> None:
    """A page that lacks a value is not shown half."""
    values = shown("x")
    del values["desk"]
    with pytest.raises(UndefinedError):
        environment.get_template(name).render(values)


def _portal() -> Iterator[Path]:
    return (path for path in FOLDER.glob("*.html") if not path.name.startswith("console"))


def test_the_portal_speaks_the_clients_words() -> None:
    """The word ticket does not occur in the portal's templates, not even in code."""
    assert [path.name for path in _portal() if "ticket" in path.read_text().lower()] == []


def test_no_template_runs_or_styles_anything_itself() -> None:
    """No template holds a script of its own, an event handler, a style or markup that is marked as safe."""
    ours = '<script type="module" src="{{ scripts.suggest }}"></script>'
    forbidden = re.compile(r"<script|<style|\son[a-z]+=|\sstyle=|javascript:|\|\s*safe\b|autoescape", re.IGNORECASE)
    assert [path.name for path in FOLDER.glob("*.html") if forbidden.search(path.read_text().replace(ours, ""))] == []


def test_no_template_prints_without_quotes(environment: Environment) -> None:
    """A value inside a tag stands between quotes, so that spaces in it begin no attribute."""
    naked = re.compile(r"<[a-z][^>]* [a-z-]+=\{\{")
    assert [path.name for path in FOLDER.glob("*.html") if naked.search(path.read_text())] == []
    for path in FOLDER.glob("*.html"):
        assert environment.parse(path.read_text()).find(nodes.MarkSafe) is None


def test_a_draft_shows_what_was_typed(
    environment: Environment, shown: Callable[..., Json], read: Callable[[str], Any]
) -> None:
    """A refused form has every value that was typed, the files that were taken, and what is wrong beside each field."""
    draft = Draft(
        "k1",
        {"subject": "A & B", "body": "\n<x>", "topic": "usage"},
        (Kept("f1", "log.txt"),),
        {"subject": "No."},
        "Look",
    )
    html = environment.get_template("new_request.html").render(shown("x", draft=draft))
    page = read(html)
    given = {one["name"]: one for one in page.all("input") if one.get("name") in ("subject", "key", "kept")}
    assert (given["subject"]["value"], given["key"]["value"], given["kept"]["value"]) == ("A & B", "k1", "f1 log.txt")
    assert given["subject"]["aria-invalid"] == "true"
    assert [one["value"] for one in page.all("input") if "checked" in one and one["type"] == "radio"] == ["usage"]
    assert "<textarea" in html
    assert ">\n\n&lt;x&gt;</textarea>" in html  # the first line break after the tag is the browser's
    assert {"href": "#subject"} in page.all("a")


def test_files_that_can_be_chosen_follow_the_policy(policy: Json) -> None:
    """The sentence and the chooser name the policy's types, BMP only as what may lie in an archive (clause 4.6)."""
    rules = forms.file_rules(policy)
    assert rules == FileRules(
        "Pictures: PNG, GIF, JPG (BMP in an archive). Also TXT, PDF, ZIP, RAR. Up to 25 MB each.",
        ".png,.gif,.jpg,.jpeg,.zip,.rar,.txt,.log,.csv,.json,.xml,.pdf",
    )

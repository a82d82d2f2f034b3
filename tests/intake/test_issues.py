"""When a text seems to hold several questions (clause 2.4): examples are beside the policy, the edges here."""

from pathlib import Path
from time import perf_counter

import pytest
from firstline.common.policy.loader import load_policy
from firstline.common.policy.model import SeveralIssues
from firstline.intake.issues import issue_rules, seems_several
from firstline.intake.scope import Submission, judge, rulebook
from hypothesis import given
from hypothesis import strategies as st
from intake_world import World, raw_mail

ROOT = Path(__file__).parents[2]
INVENTED = rulebook(load_policy(ROOT / "tests" / "policy" / "nightwatch.yaml"))
RULES = issue_rules(SeveralIssues(advice="One each.", markers={"en": ("p.s.",)}, listed_questions=2, questions=3))


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("", False),
        ("P.S. The logo is old.", True),
        ("The zip.s. is broken", False),
        ("- Why?", False),
        ("- Why?\n- When?", True),
        ("* Why?\n\n2) When?", True),
        ("Why? When? Where?", False),
        ("Why?\n\nWhen?", False),
        ("Why? Tell me.\n\nWhen? Tell me.\n\n- Where?", True),
        ("a?b=c\n\nd?e=f\n\ng?h=i", False),
    ],
)
def test_edges(text: str, several: bool) -> None:
    """A marker stands alone, whatever its letter case; items and paragraphs count once each."""
    assert seems_several(RULES, text) is several


def test_an_invented_policy_has_its_own_words() -> None:
    """Another policy's markers, thresholds and advice count under it, and a policy without any stays quiet."""
    (hint,) = judge(INVENTED, Submission("radio", entitlement="active", text="Zweitens: der Kran.")).hints
    assert (hint.code, hint.text) == ("several_issues", "Ein Funkspruch, eine Frage.")
    assert judge(INVENTED, Submission("radio", entitlement="active", text="another question")).hints == ()
    quiet = rulebook(load_policy(ROOT / "policies" / "bitrix24.yaml").model_copy(update={"several_issues": None}))
    assert judge(quiet, Submission("api", text="another question")).hints == ()


@given(st.text(alphabet="?. \n>-1)*aé", max_size=200))
def test_no_text_is_too_strange(text: str) -> None:
    """Any text is looked at; quoting all of it leaves nothing to find."""
    seems_several(RULES, text)
    assert not seems_several(RULES, "".join(f"> {line}\n" for line in text.splitlines()))


@pytest.mark.parametrize("text", ["?" * 200_000, "\n" * 200_000, "p.s" * 60_000, "1) " * 60_000])
def test_long_texts_cost_nothing(text: str) -> None:
    """The longest text is looked at in no time."""
    start = perf_counter()
    seems_several(RULES, text)
    assert perf_counter() - start < 0.5


async def test_the_hint_is_told_before_and_after(world: World) -> None:
    """The check says it, the request keeps it and its event tells it, by API and by mail; others have none."""
    several = {"subject": "Two", "body": "It is white. I have another question: who may read?"}
    checked = await world.post("/v1/tickets/check", several, "client:clara")
    (hint,) = checked.json()["hints"]
    assert hint["code"] == "several_issues"
    ticket = await world.submit(**several)
    assert ticket["hints"] == [hint]
    assert (await world.ticket(ticket["id"]))["hints"] == [hint]
    ((_, told),) = await world.events(ticket["id"])
    assert told["hints"] == [hint]
    mailed = await world.mail(raw_mail("Two", several["body"]))
    assert (await world.ticket(mailed["ticket_id"]))["hints"] == [hint]
    assert (await world.submit())["hints"] == []

"""What specialists choose from when they take a request apart or judge its scope (clauses 1.3, 1.4, 2.4)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from firstline.web import choices
from firstline.web.board import Option
from firstline.web.letters import letters

Json = dict[str, Any]
Make = Callable[..., Json]


def test_messages_of_the_client_can_be_split_off_once(message: Make, now: datetime) -> None:
    """A client's message that has no request of its own is offered by its author, its time and its beginning."""
    long = "How do I change the logo of the site, and who may read the reports of last week?"
    staff = {"id": "a", "name": "Anna", "role": "agent", "side": "staff"}
    found = letters(
        [
            message(body=f"\n{long}"),
            message(id="m2", split_into="0193-b"),
            message(id="m3", author=staff),
            message(id="m4", audience="internal", author=staff),
        ],
        now,
        staff=True,
    )
    (option,) = choices.splittable(found)
    assert option.code == "m1"
    assert option.text.startswith("Clara Mint, today 09:12 UTC: How do I change the logo")
    assert option.text.endswith(" …")
    assert [one.part for one in found] == [None, "0193-b", None, None]
    assert choices.splittable(letters([message()], now, staff=False)) == []


def test_topics_name_their_items(policy: Json) -> None:
    """Topics and their items are offered with their clause; what is not covered says so."""
    found = {option.code: option.text for option in choices.scope_topics(policy)}
    assert found["performance"] == "3.2 Performance of the product"
    assert found["hosting.hosting_service"] == "1.4 Hosting as a service. (not covered)"
    assert found["recovery.vulnerability"] == "3.6 A security hole in the product."
    assert Option("hosting", "Your hosting company") in choices.referrals(policy)


@pytest.mark.parametrize(("stated", "offered", "left_out"), [(None, "error", "no_error"), (True, "no_error", "error")])
def test_a_product_error_can_be_stated_or_taken_back(
    stated: bool | None, offered: str, left_out: str, ticket: Make
) -> None:
    """Only what makes sense now is offered, and each verdict says something to the API."""
    item = ticket()
    codes = [option.code for option in choices.verdicts({**item, "scope": {**item["scope"], "product_error": stated}})]
    assert (offered in codes, left_out in codes) == (True, False)
    assert set(choices.SCOPE_GIVEN) == set(choices.VERDICTS)

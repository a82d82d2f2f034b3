"""Required information: scored, filled by whatever channel an answer comes by, demanded by specialists."""

from typing import Any

import pytest
from intake_world import World, raw_mail

CLARA = "client:clara"
SPLIT = "> - Which version do you use, or is it the\n> cloud service?\n24.100\n"


def fields_of(ticket: dict[str, Any]) -> set[str]:
    """Return the fields that are asked for."""
    return {missing["field"] for missing in ticket["missing_information"]}


async def test_completeness_counts_what_is_there(world: World) -> None:
    """A request and a check of one are scored alike, from nothing up to all of it; the answer raises the score."""
    body = {"subject": "No update", "body": "It stops.", "topic": "updates"}
    checked = (await world.post("/v1/tickets/check", body, CLARA)).json()
    assert (checked["completeness"], len(checked["missing_information"])) == (0.0, 5)
    ticket = await world.submit(**body, version="24.1")
    assert ticket["completeness"] == 0.2
    fields = dict.fromkeys(fields_of(ticket), "known")
    after = await world.must(ticket, "messages", {"body": "All of it.", "fields": fields}, CLARA)
    assert (after["completeness"], after["missing_information"]) == (1.0, [])
    out = await world.submit(topic="development.own_code")
    assert out["completeness"] == 1.0, "who is sent elsewhere is asked for nothing"
    listed = (await world.get("/v1/tickets")).json()["items"]
    assert [item["completeness"] for item in listed] == [1.0, 1.0]


async def test_a_check_stores_nothing(world: World) -> None:
    """Checking leaves neither request nor file nor event."""
    before = world.stored()
    await world.post("/v1/tickets/check", {"subject": "x", "body": "y", "topic": "updates"}, CLARA)
    assert world.stored() == before


async def test_answers_tell_product_and_version(world: World) -> None:
    """What an answer tells of product, version and documentation is known as such; what was known stays."""
    ticket = await world.submit(topic="usage", product="Bitrix24")
    fields = {"product": "Other", "version": " 24.1 ", "doc_refs": "https://docs.example/rights"}
    after = await world.must(ticket, "messages", {"body": "Here.", "fields": fields}, CLARA)
    assert (after["product"], after["product_version"]) == ("Bitrix24", "24.1")
    assert after["doc_refs"] == ["https://docs.example/rights"]
    _, replied = (await world.events(ticket["id"], after=1))[0]
    assert set(replied["changes"]) == {"missing_information", "product_version", "doc_refs", "fields"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("It is white.\n\nVersion: 24.100\n", {"product"}),
        ("> - Which version do you use, or is it the cloud service?\n24.100\n\nBye", {"product"}),
        (
            "Below.\n\nOn Monday, Helpdesk wrote:\n> - Which product and which edition is it about?\nThe shop\n"
            + SPLIT,
            set(),
        ),
        ("It is 24.100.", {"product", "version"}),
    ],
)
async def test_an_answer_by_mail_ends_waiting(world: World, text: str, left: set[str]) -> None:
    """An answer by mail is kept whole and ends waiting; what is recognised is filled, the rest is missing."""
    ticket = await world.submit()
    await world.must(ticket, "wait", {"cause": "client", "circumstance": "incomplete"})
    await world.mail(raw_mail(f"Re: [{ticket['number']}] x", text))
    after = await world.ticket(ticket["id"])
    assert (after["status"], fields_of(after)) == ("open", left)
    body = (await world.messages(ticket))[-1]["body"]
    assert "24.100" in body
    assert "Bye" not in text or "Bye" in body


async def test_a_robot_answers_no_question(world: World) -> None:
    """Automatic mail fills nothing and ends no waiting."""
    ticket = await world.submit()
    await world.must(ticket, "wait", {"cause": "client"})
    await world.mail(raw_mail(f"[{ticket['number']}]", "Version: 24.100", Auto_Submitted="auto-replied"))
    after = await world.ticket(ticket["id"])
    assert (after["status"], fields_of(after)) == ("waiting", {"product", "version"})


async def test_a_first_mail_may_bring_answers(world: World) -> None:
    """A mail that opens a request is asked only for what it doesn't say."""
    judged = await world.mail(raw_mail(body="It is white.\nVersion: 24.100"))
    ticket = await world.ticket(judged["ticket_id"])
    assert (ticket["fields"], fields_of(ticket)) == ({"version": "24.100"}, {"product"})


async def test_waiting_names_what_is_missing(world: World) -> None:
    """Waiting for the client carries the list of what is missing; waiting for others doesn't."""
    ticket = await world.submit()
    await world.must(ticket, "wait", {"cause": "client"})
    await world.must(ticket, "resume", {})
    await world.must(ticket, "wait", {"cause": "third_party"})
    told = [data for kind, data in await world.events(ticket["id"]) if kind == "ticket.waiting"]
    assert [len(data["missing_information"]) for data in told] == [2, 0]


async def test_a_specialist_demands_documentation(world: World) -> None:
    """Demanded, the closest page is missing until it is named; taken back, nobody asks (clause 1.2)."""
    ticket = await world.submit(topic="updates")
    after = await world.must(ticket, "triage", {"doc_required": True})
    assert after["doc_required"]
    assert "doc_refs" in fields_of(after)
    moved = await world.must(ticket, "triage", {"topic": "performance"})
    assert "doc_refs" in fields_of(moved)
    back = await world.must(ticket, "triage", {"doc_required": False})
    assert "doc_refs" not in fields_of(back)
    await world.must(ticket, "triage", {"doc_required": True})
    filled = await world.must(ticket, "messages", {"body": "x", "fields": {"doc_refs": "https://a.example"}}, CLARA)
    assert "doc_refs" not in fields_of(filled)
    again = await world.must(ticket, "triage", {"topic": "usage", "doc_required": True})
    assert "doc_refs" not in fields_of(again)


async def test_a_policy_without_the_question_can_not_demand(policy: Any, opened: Any, tmp_path: Any) -> None:
    """Where the policy has no question for documentation, a demand is refused and says what to add."""
    document = policy.document()
    information, topics = document["information"], document["scope"]["topics"]
    information["fields"] = [field for field in information["fields"] if field["code"] != "doc_refs"]
    for topic in topics:
        topic["required"] = [code for code in topic["required"] if code != "doc_refs"]
    without = type(policy).from_document(document)
    async with opened(tmp_path, current=without) as other:
        ticket = await other.submit()
        answer = await other.verb(ticket, "triage", {"doc_required": True})
        assert (answer.status_code, answer.json()["clause"]) == (422, "1.2")
        assert (await other.ticket(ticket["id"]))["version"] == 1

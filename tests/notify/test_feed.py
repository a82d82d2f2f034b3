"""The feed: every event in order, replayable, each reader only what is within reach (§4, §6; P26)."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from firstline.common.event_parts import Actor, EntryKey, Origin, Recipient, RequesterRef
from firstline.common.events import (
    CATALOGUE,
    ClockScheduled,
    PersonErased,
    QueueEntered,
    TicketNoted,
    TicketParticipantAdded,
)
from firstline.common.mail_out import MailRefused
from firstline.notify.public import DERIVED, PREFIXES, PUBLIC_TYPES, SHAPES, is_pushed

CLARA, DORA, NUMBER = "clara@shop.example", "dora@other.example", "FL-7K3M-9QPX"
ACTOR = Actor(id="anna", role="agent")
OTHER = "01a20a9f-0000-70bd-88a6-739183c09006"


def note(**changes: Any) -> TicketNoted:
    """Return a specialist's internal note."""
    facts = {"actor": ACTOR, "number": NUMBER, "status": "open", "organization_id": "shop", "message_id": "note"}
    return TicketNoted(**facts | {"recipients": [Recipient(address=CLARA)]} | changes)


def foreign(world: Any) -> Any:
    """Return a request of another organisation."""
    return world.submitted(
        organization_id="other",
        number="FL-0000-0001",
        recipients=[Recipient(address=DORA)],
        requester=RequesterRef(email=DORA),
    )


async def fill(world: Any) -> None:
    """Publish two requests, a note, a reply and a place in the queue."""
    await world.tell(world.submitted(), note(), world.replied())
    await world.tell(foreign(world), stream=f"ticket/{OTHER}")
    key = EntryKey(out_of_turn=False, since=world.clock.now(), position=1)
    entered = QueueEntered(actor=ACTOR, number=NUMBER, organization_id="shop", key=key)
    await world.tell(entered, stream=f"entry/{world_ticket(world)}", source="queue")


def world_ticket(world: Any) -> str:
    """Return the id of the request that tests are about."""
    return str(next(stream for stream in world.versions if stream.startswith("ticket/")).partition("/")[2])


def types(page: dict[str, Any]) -> list[str]:
    """Return the types of a page's events."""
    return [item["type"] for item in page["items"]]


async def test_staff_read_everything_in_order_without_gaps(world: Any) -> None:
    """Positions count from 1, and a second reading gives the same."""
    await fill(world)
    page = await world.get("/v1/events", "agent")
    assert types(page) == ["ticket.submitted", "ticket.noted", "ticket.replied", "ticket.submitted", "queue.entered"]
    assert [item["position"] for item in page["items"]] == [1, 2, 3, 4, 5]
    assert page["next"] is None
    assert await world.get("/v1/events", "agent") == page
    assert page["items"][4]["ticket_id"] == world_ticket(world)


async def test_pages_follow_one_another(world: Any) -> None:
    """`next` leads through the whole feed, and the last position finds what came later."""
    await fill(world)
    after, seen = 0, []
    while after is not None:
        page = await world.get(f"/v1/events?limit=2&after={after}", "agent")
        seen += [item["position"] for item in page["items"]]
        after = page["next"]
    assert seen == [1, 2, 3, 4, 5]
    await world.tell(world.replied())
    assert types(await world.get(f"/v1/events?after={seen[-1]}", "agent")) == ["ticket.replied"]


@pytest.mark.parametrize(
    ("role", "who", "seen"),
    [
        ("client", {"email": CLARA, "organization_id": "shop"}, [1, 3]),
        ("client", {"email": "eve@shop.example", "organization_id": "shop"}, []),
        ("client", {"email": DORA}, [4]),
        ("partner", {"email": "paul@shop.example", "organization_id": "shop"}, [1, 3]),
        ("partner", {"email": DORA, "organization_id": "shop"}, [1, 3, 4]),
        ("partner", {"email": "paul@none.example"}, []),
    ],
)
async def test_each_reads_the_public_events_within_reach(world: Any, role: str, who: Any, seen: list[int]) -> None:
    """Clients read their own requests, partners also those of their organisation; notes and queue stay inside."""
    await fill(world)
    page = await world.get("/v1/events", role, **who)
    assert [item["position"] for item in page["items"]] == seen
    first = await world.get("/v1/events?limit=1", role, **who)
    assert [item["position"] for item in first["items"]] == seen[:1]
    assert (first["next"] is not None) == (len(seen) > 1)


async def test_types_and_prefixes_filter(world: Any) -> None:
    """`type` takes a type or a prefix, for every reader; an unknown one is a fault."""
    await fill(world)
    assert types(await world.get("/v1/events?type=queue", "agent")) == ["queue.entered"]
    assert types(await world.get("/v1/events?type=ticket.noted", "agent")) == ["ticket.noted"]
    clara = {"email": CLARA}
    assert types(await world.get("/v1/events?type=ticket.replied", "client", **clara)) == ["ticket.replied"]
    assert types(await world.get("/v1/events?type=ticket.noted", "client", **clara)) == []
    answer = await world.call("GET", "/v1/events?type=nothing", "agent")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#query/type")


async def test_no_text_name_or_address_is_in_the_feed(world: Any) -> None:
    """What clients and specialists wrote, and who they are, stays out of the public form."""
    stranger = Actor(id="mallory@evil.example", role="client")
    await world.tell(
        world.submitted(actor=stranger, metadata={"secret": "s3"}, origin=Origin(channel="email", verified=True)),
        world.replied(),
        TicketParticipantAdded(
            actor=ACTOR, number=NUMBER, status="open", participant=Recipient(address=DORA), organization_id="shop"
        ),
    )
    text = (await world.call("GET", "/v1/events", "agent")).text
    for inside in ("front page", "Clear the cache", "Clara", "Anna", "shop.example", "evil", "other.example", "s3"):
        assert inside not in text


def test_every_event_type_has_its_shape() -> None:
    """A type that is added to the product must be judged: public or not, and which members go along."""
    assert set(SHAPES) == set(CATALOGUE)
    for name, shape in SHAPES.items():
        assert {*shape.members, *shape.content} <= {*CATALOGUE[name].model_fields, *DERIVED}


def test_no_shape_names_a_text_outside_content() -> None:
    """Members that hold people's words are in `content` only."""
    words = {"body", "subject", "note", "requester", "attachments", "participant", "email", "metadata", "changes"}
    assert [name for name, shape in SHAPES.items() if words & set(shape.members)] == []
    assert not {name for name in PUBLIC_TYPES if not name.startswith("ticket.")}


@pytest.mark.parametrize(
    ("event_type", "wishes", "everything", "pushed"),
    [
        ("ticket.replied", [], False, True),
        ("ticket.noted", [], True, False),
        ("ticket.noted", ["ticket"], False, False),
        ("ticket.noted", ["ticket"], True, True),
        ("ticket.noted", ["ticket.noted"], False, False),
        ("ticket.replied", ["ticket.closed"], False, False),
        ("queue.entered", ["queue"], True, True),
        ("delivery.failed", ["delivery"], True, False),
        ("endpoint.disabled", ["endpoint.disabled"], True, False),
    ],
)
def test_what_is_pushed(event_type: str, wishes: list[str], everything: bool, pushed: bool) -> None:
    """Public types go to everybody, others only to the desk's own endpoints by name, tidings of deliveries to none."""
    assert is_pushed(event_type, wishes, everything=everything) is pushed


async def test_other_services_events_have_their_place(world: Any) -> None:
    """Clocks and people are in the feed with ids and states, for staff."""
    clock = ClockScheduled(
        actor=ACTOR,
        number=NUMBER,
        target="first_response",
        elapsed_minutes=0,
        policy_version="p",
        due_at=world.clock.now(),
    )
    await world.tell(clock, stream="clock/c1", source="sla")
    await world.knows(CLARA, name="Clara")
    page = await world.get("/v1/events", "agent")
    assert types(page) == ["clock.scheduled", "account.person_changed"]
    assert page["items"][1]["data"] == {
        "actor": {"id": "somebody", "role": "client", "client_id": None},
        "role": "client",
        "active": True,
        "id": CLARA,
    }
    assert {name.partition(".")[0] for name in CATALOGUE} == set(PREFIXES)


class Nowhere:
    """A way out by which no mail ever leaves."""

    async def discard(self, message_id: str, holds: Callable[[bytes], bool] | None = None) -> bool:
        """Keep nothing, so that nothing is to be removed."""
        return False

    async def send(self, mail: bytes, mail_from: str, to: tuple[str, ...]) -> None:
        """Refuse for now."""
        raise MailRefused(450, "later")


async def test_an_erased_person_leaves_no_trace(start: Any, sinks: Any) -> None:
    """Copies, mails under way and texts to be pushed are deleted; the deliveries end as erased; the feed keeps ids."""
    world = await start(mail_port=Nowhere())
    sink = await sinks(answers=[b"500 No"] * 100)
    await world.knows(CLARA, id="clara", name="Clara Klein")
    endpoint = {"url": sink.url, "content": True}
    assert (await world.call("POST", "/v1/webhook-endpoints", body=endpoint)).status_code == 201
    await world.tell(world.submitted())
    await world.settle()
    assert "front page" in _dump(world.path)
    await world.tell(PersonErased(actor=ACTOR, id="clara"), stream="person/clara@shop.example", source="accounts")
    await world.pass_time(timedelta(hours=1))
    about = [one for one in await world.deliveries() if one["kind"] in ("acknowledgement", "ticket.submitted")]
    assert [(one["state"], one["recipient"]) for one in about] == [("erased", None), ("erased", None)]
    dump = _dump(world.path)
    for inside in (CLARA, "front page", "Site white", "Clara Klein"):
        assert inside not in dump
    assert types(await world.get("/v1/events?type=ticket", "agent")) == ["ticket.submitted"]
    assert (await world.get("/v1/events", "client", email=CLARA))["items"] == []


def _dump(path: Path) -> str:
    """Return all that the store holds, payloads as text, but the names of streams."""
    with sqlite3.connect(path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for name in names if name != "inbox_stream" for row in connection.execute(f"SELECT * FROM {name}")]
    connection.close()
    return "\n".join(value.decode() if isinstance(value, bytes) else str(value) for row in rows for value in row)

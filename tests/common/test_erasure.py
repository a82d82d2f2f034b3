"""Erasing a person in a service's log, answers and kept events, on both stores: nothing is left, the chain holds."""

import json
from datetime import UTC, datetime

import pytest
from firstline.common.bus import LocalBus
from firstline.common.erasure import Erasing, begin_erasure, common_stages
from firstline.common.events import Actor, Author, Origin, Recipient, TicketReplied
from firstline.common.log import Log
from firstline.common.ports import Ports
from firstline.common.redaction import Erased, redacted, redacted_text
from firstline.common.relay import Relay
from firstline.common.store.port import Sql, Store
from firstline.standalone.verify.run import verify_log

pytestmark = pytest.mark.both_stores

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AWKWARD = ("Ada", "Abe", "Bea", "Dee", "Fee", "Mai", "Open", "Client", "Erasure")
"""Names that are also hexadecimal digits, parts of words, and words that the product chooses."""
ADDRESS, NAME, WORD = "zeisig@vogel.example", "Zeisig Vogelsang", "Gezwitscher"
DATA = Sql("SELECT data FROM log_event ORDER BY seq", str)
TYPES = Sql("SELECT type FROM log_event ORDER BY seq", str)
BODIES = Sql("SELECT body FROM answer ORDER BY key", str)
ENVELOPES = Sql("SELECT envelope FROM inbox_event", str)
ANSWER = Sql(
    "INSERT INTO answer (scope, key, digest, status, body, stored_at) VALUES (:scope, :key, '', 200, :body, :at)",
    type(None),
)
KEPT = Sql(
    "INSERT INTO inbox_event (source, stream, version, log, state, reason, envelope, received_at)"
    " VALUES ('intake', 'ticket/1', 7, 'log', 'parked', '', :envelope, :at)",
    type(None),
)


def said(author: Author, body: str) -> TicketReplied:
    """Return what somebody wrote to the person's request."""
    return TicketReplied(
        actor=Actor(id=author.id or "", role=author.role),
        number="FL-7K3M-9QPX",
        status="open",
        recipients=[Recipient(address=ADDRESS, name=NAME), Recipient(address="amsel@wald.example")],
        message_id="m",
        author=author,
        body=body,
        received_at=NOON,
        origin=Origin(channel="email"),
    )


@pytest.fixture
async def known(store: Store, ports: Ports) -> Store:
    """Return the store of a service that has heard much of a person, who is to be erased now."""
    own = said(Author(id="p", address=ADDRESS, name=NAME, role="client", side="client"), f"{WORD}!")
    staff = said(Author(id="anna", name="Anna", role="agent", side="staff"), f"Dear {NAME}, we write to {ADDRESS}.")
    log, now = Log(ports), ports.clock.now()
    for _ in range(120):  # more rows than a portion has
        await store.write(lambda unit: log.append(unit, "ticket/1", own, staff))
    envelope = json.dumps({"id": "x", "data": json.loads(own.model_dump_json())})
    other = json.dumps({"requester": {"email": ADDRESS}, "subject": WORD})
    for scope, key, body in (("p submit", "1", "{}"), ("anna triage", "2", other), ("anna reply", "3", '{"a": 1}')):
        await store.write(lambda unit, s=scope, k=key, b=body: unit.run(ANSWER, scope=s, key=k, body=b, at=now))  # type: ignore[misc]
    await store.write(lambda unit: unit.run(KEPT, envelope=envelope, at=now))
    await store.write(lambda unit: begin_erasure(unit, "p", ADDRESS, [NAME, None, *AWKWARD], ["1"]))
    return store


async def texts(store: Store) -> str:
    """Return all that is kept."""
    found = [await store.read(lambda unit, sql=sql: unit.all(sql)) for sql in (DATA, BODIES, ENVELOPES)]  # type: ignore[misc]
    return "\n".join(text for column in found for text in column)


async def test_nothing_of_the_person_is_left(known: Store, ports: Ports) -> None:
    """Name, address and words are gone, others' answers stay, whoever does a portion, and the chain holds."""
    relay = Relay("intake", known, LocalBus(), ports)
    await relay.step()
    replicas = [Erasing("intake", known, Log(ports), ports, common_stages()) for _ in range(2)]
    steps = 0
    while await replicas[steps % 2].step():
        steps += 1
    left = await texts(known)
    assert [word for word in (ADDRESS, NAME, WORD) if word in left] == []
    assert left.count("Dear [erased], we write to [erased].") == 120
    assert await known.read(lambda unit: unit.all(BODIES)) == [
        '{"requester":{"email":"[erased]"},"subject":"[erased]"}',
        '{"a": 1}',
    ]
    while await relay.step():
        pass
    verdict = await verify_log("intake", known, None)
    assert (verdict.wrong, verdict.rows) == (None, 243)
    for row in (await known.read(lambda unit: unit.all(DATA)))[:240]:
        event = TicketReplied.model_validate_json(row)
        assert (event.status, event.origin.channel, event.author.role in ("client", "agent")) == ("open", "email", True)
    types = await known.read(lambda unit: unit.all(TYPES))
    assert types[240:] == ["erasure.applied"] * 3


def test_only_what_is_about_the_person_is_touched(store_kind: str) -> None:
    """Elsewhere a name that others bear stays; a text without the person comes back as it was."""
    who = Erased("p", ADDRESS, [NAME], [], 0, "")
    assert redacted_text(who, f'{{"body": "{NAME} of another company"}}') == f'{{"body": "{NAME} of another company"}}'
    assert redacted_text(who, f"written to {ADDRESS.upper()}") == "written to [erased]"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("An e-mail to Mai, Mai's email, MAI_1", "An e-mail to [erased], [erased]'s email, [erased]_1"),
        ("Ada and Adas list, not Adamant; 0ada4", "[erased] and [erased]s list, not Adamant; 0ada4"),
        ("Für Ådas: mai-ada", "Für Ådas: [erased]-[erased]"),
        ("MaiさんとAda様", "[erased]さんと[erased]様"),
        ("担当の田中太郎様", "担当の[erased]様"),
        ("zeisigvogelsang and Zeisigs", "[erased]vogelsang and [erased]s"),
    ],
)
def test_a_short_name_is_a_word(store_kind: str, text: str, left: str) -> None:
    """Of three or four letters a name is no part of another word, where words are parted; longer ones always go."""
    who = Erased("p", ADDRESS, ["Mai", "Ada", "Zeisig", "田中太郎"], ["1"], 0, "")
    assert who.cleaned(text, near=True) == left


def test_what_the_product_chose_stays(store_kind: str) -> None:
    """A state, a role or an ID is not taken for a name; what others gave goes by whatever member it stands under."""
    who = Erased("p", ADDRESS, ["Open", "Client", "Abcdef"], ["1"], 0, "")
    document = {
        "status": "open",
        "changes": {
            "status": ["new", "open"],
            "metadata": [{"role": "Client"}, {"status": ["Open", {"id": "Abcdef"}]}],
        },
        "message_id": "0123-abcdef",
        "note": "Client called, says Abcdef.",
        "metadata": {"status": "Open", "count": 3},
    }
    assert redacted(who, document, near=True) == document | {
        "changes": {"status": ["new", "open"]},
        "note": "[erased] called, says [erased].",
        "metadata": {"status": "[erased]", "count": 3},
    }
    assert redacted(who, {"fields": [{"role": "Client"}, {"id": "Abcdef"}]}, near=True) == {
        "fields": [{"role": "[erased]"}, {"id": "[erased]"}]
    }

"""`firstline check` finds nothing on a sound desk, and a violation of each class where one was planted."""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from firstline.common.ports import system_ports
from firstline.common.settings import Settings
from firstline.standalone.check.books import Books, Finding
from firstline.standalone.check.desk import NoDesk, opened_books
from firstline.standalone.check.run import PROMISES, check
from firstline.standalone.cli import app
from firstline.standalone.demo import play
from near_desk import api, near_desk
from typer.testing import CliRunner

TOLD_TWICE = (
    "INSERT INTO log_event (id, stream, version, type, time, subject, data, salt, data_hash, position, hash)"
    " SELECT 'x', stream, version + 1, type, time, subject, data, salt, data_hash,"
    " (SELECT MAX(position) + 1 FROM log_event), hash FROM log_event WHERE type = 'clock.breached' LIMIT 1"
)

OTHER_HOURS = (
    "INSERT INTO policy (seq, version, document) SELECT 9, 'other', REPLACE(document, '16:00', '17:00') FROM policy; "
    "UPDATE ticket SET calendar_version = 'other'"
)

Damage = tuple[str, str, str]
"""The promise that is broken, in which store, by which statements."""

KEPT = (
    "INSERT INTO access_request SELECT 'r', id, '[]', NULL, '', '{status}', '', '{past}', '{past}', '[]', NULL, NULL,"
    " '[]', NULL, NULL, NULL, 0, NULL, NULL, '{due}' FROM ticket WHERE status {ticket} LIMIT 1;"
    " INSERT INTO access_secret SELECT 's', id, 'ftp', 1, 'key', x'00', x'00' FROM access_request"
)
PAST, FUTURE = "2026-01-01T00:00:00.000000Z", "2090-01-01T00:00:00.000000Z"
OPEN = "NOT IN ('resolved', 'closed')"


def kept(status: str, due: str, ticket: str) -> Damage:
    """Return the damage of something that a client gave and that is still kept."""
    return "4.3", "intake", KEPT.format(status=status, due=due, ticket=ticket, past=PAST)


def held(status: str, purge_at: str, key: str) -> Damage:
    """Return the damage of a text that was held back and can still be read."""
    row = f"'h', id, NULL, 'body', '[]', 'key', x'{key}', x'00', '{status}', '{PAST}', '{purge_at}', NULL, NULL"
    return "4.3", "intake", f"INSERT INTO held_text SELECT {row} FROM ticket LIMIT 1"


def attached(file_key: str) -> Damage:
    """Return the damage of a file whose bytes are not what came."""
    row = f"'a', 'clara', 'a.log', '', 'text/plain', 1, 'other', {file_key}, 'ok', NULL, '{PAST}'"
    names = "id, uploader, name, declared_type, type, size, sha256, file_key, status, reason, created_at"
    return "4.6", "intake", f"INSERT INTO attachment ({names}) SELECT {row} FROM mail WHERE file_key <> '' LIMIT 1"


DAMAGES: list[Damage] = [
    ("P2", "intake", "UPDATE mail SET outcome = 'lost' WHERE id = (SELECT MIN(id) FROM mail)"),
    ("P2", "intake", "UPDATE mail SET outcome = NULL WHERE id = (SELECT MIN(id) FROM mail)"),
    ("P2", "intake", "UPDATE mail SET ticket_id = 'none' WHERE outcome = 'appended'"),
    ("P2", "intake", "UPDATE mail SET sha256 = 'other' WHERE id = (SELECT MIN(id) FROM mail)"),
    ("P2", "intake", "UPDATE mail SET file_key = '00000000-0000-4000-8000-000000000000'"),
    ("P4", "intake", "DELETE FROM message WHERE id = (SELECT MIN(id) FROM message)"),
    ("P4", "intake", "DELETE FROM ticket WHERE id = (SELECT MIN(id) FROM ticket)"),
    ("P4", "intake", "UPDATE ticket SET version = version + 1 WHERE id = (SELECT MIN(id) FROM ticket)"),
    ("P7", "queue", "UPDATE inbox_stream SET version = version - 1 WHERE stream LIKE 'ticket/%'"),
    ("P7", "notify", "UPDATE inbox_stream SET hash = 'other' WHERE source = 'sla'"),
    ("P7", "sla", "DELETE FROM inbox_stream WHERE source = 'queue'"),
    ("P8", "intake", "UPDATE log_event SET position = NULL WHERE position = (SELECT MAX(position) FROM log_event)"),
    ("P9", "intake", "DELETE FROM log_event WHERE position = 7"),
    ("P9", "intake", "UPDATE log_event SET hash = 'other' WHERE position = 7"),
    ("P9", "queue", "UPDATE log_event SET data = REPLACE(data, '\"fence\":1', '\"fence\":2') WHERE position > 7"),
    ("P9", "queue", "DELETE FROM log_event WHERE position = (SELECT MAX(position) FROM log_event)"),
    ("P9", "sla", "UPDATE log_event SET version = version + 100 WHERE position = 7"),
    (
        "P10",
        "queue",
        "INSERT INTO inbox_event VALUES ('intake', 'ticket/x', 2, 'log', 'parked', 'no', '{}', '2026-01-01 00:00:00')",
    ),
    ("P12", "notify", "DELETE FROM delivery WHERE id = (SELECT MIN(id) FROM delivery WHERE kind = 'acknowledgement')"),
    ("P12", "notify", "UPDATE delivery SET kind = 'acknowledgement' WHERE kind = 'reply'"),
    ("P15", "queue", "UPDATE log_event SET data = REPLACE(data, '\"fence\":2', '\"fence\":1')"),
    ("P18", "queue", "DELETE FROM queue_entry WHERE ticket_id = (SELECT MIN(ticket_id) FROM queue_entry)"),
    ("P18", "queue", "UPDATE queue_entry SET position = 1 WHERE position IS NOT NULL"),
    ("P18", "queue", "UPDATE queue_entry SET status = 'open', since = '2026-01-01 00:00:00', position = 1"),
    ("P19", "sla", "UPDATE clock SET state = 'running' WHERE state = 'met'"),
    ("P19", "sla", "DELETE FROM clock WHERE id = (SELECT MIN(id) FROM clock)"),
    ("P20", "sla", "UPDATE clock SET breached = 0"),
    ("P9", "intake", "UPDATE log_event SET data = '{' WHERE position = 5"),
    ("P9", "intake", "UPDATE log_event SET time = '2020-01-01 00:00:00.000000' WHERE position = 1"),
    ("P12", "notify", "UPDATE delivery SET state = 'pending', next_at = '2020-01-01 00:00:00.000000'"),
    ("P18", "queue", "UPDATE queue_entry SET free_turn = NULL WHERE free_turn IS NOT NULL"),
    ("P19", "sla", "UPDATE ticket SET id = 'other' WHERE id = (SELECT MIN(id) FROM ticket)"),
    ("P20", "sla", TOLD_TWICE),
    ("P22", "sla", "UPDATE in_force SET version = 'other'"),
    ("P22", "sla", OTHER_HOURS),
    kept("provided", FUTURE, "= 'closed'"),
    kept("revoked", FUTURE, OPEN),
    kept("provided", PAST, OPEN),
    held("held", PAST, "01"),
    held("moved", FUTURE, "01"),
    attached("'00000000-0000-4000-8000-000000000000'"),
    attached("file_key"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a desk that has seen a day, and a request that nobody answered since."""
    data = tmp_path_factory.mktemp("played") / "data"
    await play(data, lambda _: None)
    async with near_desk(data) as desk, api(desk, "client", "clara") as http:
        log = {"file": ("shop.log", b"nobody can order", "text/plain")}
        file_id = (await http.post("/v1/attachments", files=log)).json()["id"]
        left = {"subject": "Left", "body": "Nobody comes.", "attachment_ids": [file_id]}
        assert (await http.post("/v1/tickets", json=left)).status_code == 201
        now = datetime.fromisoformat((await http.get("/v1/dev/clock")).json()["now"])
        for later in (timedelta(days=7), timedelta(days=7, hours=1)):  # what the first move brings about is over then
            moved = await http.put("/v1/dev/clock", json={"now": (now + later).isoformat()})
            assert moved.status_code == 200
    return data


@pytest.fixture
def data(played: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder."""
    return Path(shutil.copytree(played, tmp_path / "data"))


def damage(data: Path, store: str, statement: str) -> None:
    """Change a store behind the desk's back."""
    with closing(sqlite3.connect(data / "stores" / f"{store}.db")) as connection, connection:
        for part in statement.split("; "):
            assert connection.execute(part).rowcount > 0, "nothing was damaged"


async def checked(data: Path, pause: Callable[[], Awaitable[None]]) -> tuple[Books, list[Finding]]:
    """Check a desk long after it has settled."""
    async with opened_books(Settings(data=data, clock="manual"), system_ports(), timedelta(seconds=30)) as books:
        return await check(books, pause)


async def nothing() -> None:
    """Do nothing."""


@pytest.mark.slow
async def test_a_sound_desk_breaks_no_promise(data: Path) -> None:
    """Nothing is found, and for each promise something was looked at, but for what there is none of."""
    books, found = await checked(data, nothing)
    assert found == []
    assert {promise for promise in PROMISES if not books.looked[promise]} == {"P10", "4.3"}


@pytest.mark.slow
@pytest.mark.parametrize(("promise", "store", "statement"), DAMAGES)
async def test_what_is_broken_is_found(data: Path, promise: str, store: str, statement: str) -> None:
    """Whatever of a promise is broken is found, in the store where it is, with words for it."""
    damage(data, store, statement)
    _, found = await checked(data, nothing)
    there = [finding for finding in found if finding.promise == promise]
    assert there, found
    assert all(finding.place and finding.what for finding in found)


@pytest.mark.slow
async def test_what_was_emptied_without_an_erasure_is_found(data: Path) -> None:
    """A row that lost data and salt by no erasure is a fault of the chain, and nothing of its request is missed."""
    damage(data, "intake", "UPDATE log_event SET data = NULL, salt = NULL WHERE type = 'ticket.replied'")
    found = (await checked(data, nothing))[1]
    assert {(finding.promise, finding.what) for finding in found} == {
        ("P9", "its data was replaced, and no erasure tells of that")
    }


@pytest.mark.slow
async def test_requests_taken_apart_and_joined_break_no_promise(data: Path) -> None:
    """What is split, merged, taken back, linked and judged anew is whole in every store, and acknowledged once.

    What was owed to duplicates is owed in the same place by the log, the queue and the clocks.
    """
    async with near_desk(data) as desk, api(desk, "client", "clara") as client, api(desk, "agent", "anna") as agent:
        sent = [(await client.post("/v1/tickets", json={"subject": "x", "body": "y"})).json() for _ in range(4)]
        one, two, three, four = (f"/v1/tickets/{ticket['id']}" for ticket in sent)
        said = (await client.post(f"{one}/messages", json={"body": "And the logo?"})).json()
        acts: list[tuple[str, dict[str, Any]]] = [
            (f"{one}/split", {"message_id": said["id"], "subject": "The logo"}),
            (f"{one}/messages", {"body": "Look there."}),
            (f"{four}/merge", {"into": sent[2]["id"]}),
            (f"{two}/merge", {"into": sent[0]["id"]}),
            (f"{three}/merge", {"into": sent[0]["id"]}),
            (f"{four}/unmerge", {}),
            (f"{four}/merge", {"into": sent[0]["id"]}),
            (f"{three}/unmerge", {}),
            (f"{three}/link", {"to": sent[0]["id"]}),
            (f"{three}/triage", {"scope": {"verdict": "out", "refer_to": "hosting", "reason": "Theirs."}}),
        ]
        for path, body in acts:
            answer = await agent.post(path, json=body)
            assert answer.is_success, answer.text
        assert (await client.post(f"{two}/messages", json={"body": "Any news?"})).is_success
        now = datetime.fromisoformat((await client.get("/v1/dev/clock")).json()["now"])
        await client.put("/v1/dev/clock", json={"now": (now + timedelta(days=1)).isoformat()})
    assert (await checked(data, nothing))[1] == []


def test_every_promise_has_a_damage() -> None:
    """No promise is listed whose violation nobody has planted."""
    assert {promise for promise, _, _ in DAMAGES} == set(PROMISES)


@pytest.mark.slow
async def test_what_was_under_way_is_not_told(data: Path) -> None:
    """Something that is right again at the second look was under way, and is no finding."""
    damage(data, "queue", "UPDATE queue_entry SET status = 'weird' WHERE status = 'new'")

    async def mend() -> None:
        damage(data, "queue", "UPDATE queue_entry SET status = 'new' WHERE status = 'weird'")

    assert (await checked(data, mend))[1] == []


@pytest.mark.slow
def test_the_command_says_what_is_wrong(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's exit code is 0 on a sound desk; else 1, and it names promise, place and fault."""
    monkeypatch.setenv("FIRSTLINE_CLOCK", "manual")
    run: Any = CliRunner().invoke
    sound = run(app, ["check", "--data", str(data), "--settle", "0"])
    assert (sound.exit_code, "P9" in sound.output) == (0, True), sound.output
    damage(data, "queue", "DELETE FROM queue_entry WHERE ticket_id = (SELECT MIN(ticket_id) FROM queue_entry)")
    wrong = run(app, ["check", "--data", str(data), "--settle", "0"])
    assert wrong.exit_code == 1
    assert "queue has never heard of it" in wrong.output


async def test_a_folder_without_a_desk_is_none(tmp_path: Path) -> None:
    """Where there is no desk, that is said, and none is made."""
    with pytest.raises(NoDesk):
        await checked(tmp_path, nothing)
    assert list(tmp_path.iterdir()) == []

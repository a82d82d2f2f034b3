"""Changing the vault's key (clause 4.3): texts that were held back and raw mails come under the new one too."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from firstline.common.errors import NotFound
from firstline.common.files import Files, Stored
from firstline.common.policy.model import Policy
from firstline.common.ports import SystemRandom
from firstline.common.raw_mail import read_raw_mail
from firstline.common.store.migrate import migrate_postgres
from firstline.common.store.port import Sql
from firstline.common.store.postgres import PostgresStore
from firstline.common.vault import KeyedVault, LockedVault, key_id
from firstline.intake.mail import ParsedMail
from firstline.intake.parser import InProcessParser
from firstline.intake.service.inbound import raw_of
from firstline.intake.service.rotation import keys_in_use, missing_keys, rewrap_some
from intake_world import VAULT_KEY, OpenWorld, World, open_world, raw_mail

NEW_KEY = b"n" * 32
OLD, NEW = key_id(VAULT_KEY), key_id(NEW_KEY)
EVE, PASTED = "eve@else.example", "Password: Zq7!kanarie-Vx3\nThe list is slow."
FILES = Sql("SELECT file_key FROM mail ORDER BY id", str)
KEYS = Sql("SELECT COALESCE(key_id, 'unknown') FROM mail ORDER BY id", str)
FORGET_KEYS: Sql[None] = Sql("UPDATE mail SET key_id = NULL", type(None))
MOVE_MAIL: Sql[None] = Sql("UPDATE mail SET file_key = :file_key WHERE id = :id", type(None))
MOVE_TEXTS: Sql[None] = Sql("UPDATE held_text SET ticket_id = :ticket_id", type(None))


@pytest.fixture(params=["sqlite", "postgres"])
async def world(
    request: pytest.FixtureRequest, empty_store: Path, policy: Policy, tmp_path: Path
) -> AsyncIterator[World]:
    """Run intake on either store."""
    more: dict[str, Any] = {}
    if request.param == "postgres":
        database = request.getfixturevalue("database")
        await asyncio.to_thread(migrate_postgres, "intake", database)
        more["open_store"] = lambda _path, ports: PostgresStore(database, ports)
    async with open_world(empty_store, policy, tmp_path, **more) as running:
        yield running


class Interrupted:
    """Files that let something else happen once one more is kept."""

    def __init__(self, inner: Files, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._inner, self._meanwhile = inner, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def put(self, chunks: AsyncIterator[bytes], limit: int) -> Stored:
        """Keep a file, then let it happen."""
        stored = await self._inner.put(chunks, limit)
        await self._meanwhile()
        return stored


async def asked(world: World, sql: Sql[Any], **given: Any) -> list[Any]:
    """Ask the store."""
    return await world.runtime.store.read(lambda unit: unit.all(sql, **given))


async def changed(world: World, sql: Sql[None], **given: Any) -> None:
    """Change the store."""
    await world.runtime.store.write(lambda unit: unit.run(sql, **given))


def rotated(world: World) -> None:
    """Put a new key before the old one."""
    world.use_vault(KeyedVault([NEW_KEY, VAULT_KEY], SystemRandom()))


def without_the_old(world: World) -> None:
    """Take the old key away."""
    world.use_vault(KeyedVault([NEW_KEY], SystemRandom()))


async def test_a_text_that_was_held_is_restored_without_the_old_key(world: World) -> None:
    """Once re-wrapped, the new key alone opens what was held back; the old one is needed by nothing."""
    ticket = await world.submit(body=PASTED)
    rotated(world)
    assert await keys_in_use(world.desk) == [OLD]
    assert await rewrap_some(world.desk) == 1
    assert await rewrap_some(world.desk) == 0
    without_the_old(world)
    assert await missing_keys(world.desk) == []
    (one,) = (await world.get(f"/v1/tickets/{ticket['id']}/held-texts")).json()["items"]
    await world.claims(ticket, "queue.claimed", "anna", 1)
    path = f"/v1/tickets/{ticket['id']}/held-texts/{one['id']}/release"
    assert (await world.post(path, Claim_Token=world.claim_token(ticket))).status_code == 200
    assert (await world.messages(ticket))[0]["body"] == PASTED


async def test_a_raw_mail_is_read_without_the_old_key(world: World) -> None:
    """A raw mail lies in a new file under the new key, byte for byte; the old file is gone, a held mail is let in."""
    ticket = await world.submit()
    raw = raw_mail(f"[{ticket['number']}]", "It is Eve. " * 40_000, EVE)
    mail = await world.mail(raw, EVE)
    before = await asked(world, FILES)
    rotated(world)
    assert await rewrap_some(world.desk) == 1
    without_the_old(world)
    after = await asked(world, FILES)
    assert world.files() == after != before
    assert await asked(world, KEYS) == [NEW]
    assert await read_raw_mail(world.desk.files, world.desk.vault, mail["id"], after[0]) == raw
    assert (await world.post(f"/v1/mails/{mail['id']}/accept", {})).json()["outcome"] == "appended"


class Slow(InProcessParser):
    """A parser that waits until it may go on."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()

    async def parse(self, raw: bytes) -> tuple[ParsedMail, list[bytes]]:
        """Wait, then parse."""
        await self.may_go_on.wait()
        return await super().parse(raw)


async def test_a_mail_that_waits_keeps_its_file(opened: OpenWorld, tmp_path: Path) -> None:
    """Who judges mails has the file's name at hand: a mail is re-wrapped once it was judged."""
    parser = Slow()
    async with opened(tmp_path, parser=parser) as world:
        mail_id = await world.keep(raw_mail())
        before = await asked(world, FILES)
        rotated(world)
        assert await rewrap_some(world.desk) == 0
        assert await asked(world, FILES) == before
        parser.may_go_on.set()
        await world.runtime.settle()
        assert (await world.get(f"/v1/mails/{mail_id}")).json()["outcome"] == "new_ticket"
        await rewrap_some(world.desk)
        assert await asked(world, KEYS) == [NEW]
        assert world.files() == await asked(world, FILES) != before


async def test_mails_of_earlier_releases_are_known_by_their_files(world: World) -> None:
    """Where the row doesn't say which key sealed a mail, the file does; an unsealed one needs none."""
    for text in ("One", "Two"):
        await world.mail(raw_mail(text))
    await changed(world, FORGET_KEYS)
    _, second = await asked(world, FILES)
    next((world.folder / "files").rglob(second)).write_bytes(raw_mail("Two"))
    assert await keys_in_use(world.desk) == []
    assert await rewrap_some(world.desk) == 0
    assert await asked(world, KEYS) == [OLD, ""]
    rotated(world)
    assert await rewrap_some(world.desk) == 1
    assert await asked(world, KEYS) == [NEW, ""]


async def test_what_needs_a_key_that_is_away_is_named(world: World) -> None:
    """A text and a mail whose key is missing are told of and left alone; a locked vault re-wraps nothing."""
    await world.submit(body=PASTED)
    await world.mail(raw_mail("A mail"))
    without_the_old(world)
    assert await missing_keys(world.desk) == [OLD]
    assert await rewrap_some(world.desk) == 0
    world.use_vault(LockedVault("The key file is away."))
    assert await rewrap_some(world.desk) == 0
    rotated(world)
    assert await rewrap_some(world.desk) == 2


async def test_what_was_moved_is_not_re_wrapped(world: World) -> None:
    """A text or mail that lies at another's place stays as it is, and nothing else stops for it."""
    await world.submit(body=PASTED)
    other = await world.submit(body=PASTED.replace("slow", "white"))
    one, two = await world.mail(raw_mail("One")), await world.mail(raw_mail("Two"))
    first, _ = await asked(world, FILES)
    await changed(world, MOVE_MAIL, id=two["id"], file_key=first)
    await changed(world, MOVE_TEXTS, ticket_id=other["id"])
    rotated(world)
    assert await rewrap_some(world.desk) == 2
    assert await keys_in_use(world.desk) == sorted([NEW, OLD])
    assert (await asked(world, KEYS)) == [NEW, OLD]
    assert one["id"] < two["id"]


async def test_a_mail_that_is_erased_meanwhile_stays_so(world: World) -> None:
    """Where the row names no file any more once the new one is written, the new one goes again."""
    mail = await world.mail(raw_mail())
    before = world.files()
    rotated(world)
    files = Interrupted(world.desk.files, lambda: changed(world, MOVE_MAIL, id=mail["id"], file_key=""))
    object.__setattr__(world.desk, "files", files)
    assert await rewrap_some(world.desk) == 0
    assert await asked(world, FILES) == [""]
    assert world.files() == before


async def test_who_has_read_the_old_name_finds_the_new_file(world: World) -> None:
    """A reader whose row named the old file is led to the new one; a mail whose file is gone is not found."""
    raw = raw_mail()
    mail = await world.mail(raw)
    (before,) = await asked(world, FILES)
    rotated(world)
    await rewrap_some(world.desk)
    assert await raw_of(world.desk, mail["id"], before) == raw
    (after,) = await asked(world, FILES)
    await world.desk.files.delete(after)
    with pytest.raises(NotFound):
        await raw_of(world.desk, mail["id"], after)

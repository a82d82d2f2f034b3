"""Files that nobody needs go, and only those: what a crash left without a row, and uploads without a message."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

from firstline.intake.service.sweeping import RANDOM_BITS, SWEEP_SECONDS, Sweeper
from intake_world import World, raw_mail

AT_ONCE = timedelta(0)


async def once(content: bytes) -> AsyncIterator[bytes]:
    """Yield a file whole."""
    yield content


async def test_a_file_without_a_row_goes_at_the_second_look(world: World) -> None:
    """What was just written has no row so far; what has none at two looks is nobody's. All named files stay."""
    upload = await world.upload()
    await world.submit(attachment_ids=[upload])
    await world.mail(raw_mail())
    kept = world.files()
    lost = await world.desk.files.put(once(b"x"), 10)
    sweeper = Sweeper(world.desk, AT_ONCE)
    assert await sweeper.sweep() == 0
    assert sorted([*kept, lost.key]) == world.files()
    assert await sweeper.sweep() == 1
    assert world.files() == kept
    assert await sweeper.sweep() == 0


async def test_a_file_whose_row_came_late_stays(world: World) -> None:
    """A file that was seen without its row, and has it at the next look, is no longer suspected."""
    sweeper, early = Sweeper(world.desk, AT_ONCE), await world.desk.files.put(once(b"x"), 10)
    await sweeper.sweep()
    upload = await world.upload()
    row = f"UPDATE attachment SET file_key = '{early.key}' WHERE id = '{upload}'"
    world.change(row)
    await sweeper.sweep()
    assert early.key in world.files()


async def test_an_upload_that_nobody_sent_goes_after_a_week(world: World) -> None:
    """Its row goes first and its file at the looks that follow; one that came with a message stays."""
    unused, used = await world.upload(), await world.upload()
    sweeper = Sweeper(world.desk, AT_ONCE)
    world.move(days=6)
    await world.submit(attachment_ids=[used])
    assert await sweeper.sweep() == 0
    world.move(days=2)
    for _ in range(3):
        await sweeper.sweep()
    assert world.rows("SELECT id FROM attachment") == [(used,)]
    assert len(world.files()) == 1
    assert (await world.get(f"/v1/attachments/{unused}", "client:clara")).status_code == 404


async def test_looks_are_an_hour_apart(world: World) -> None:
    """However often the work is woken, one look follows another after an hour of real time."""
    sweeper = Sweeper(world.desk, AT_ONCE)
    lost = await world.desk.files.put(once(b"x"), 10)
    for _ in range(5):
        assert await sweeper.step() == 0
    assert lost.key in world.files()
    sweeper._looked_at = world.clock.monotonic() - SWEEP_SECONDS
    await sweeper.step()
    assert lost.key not in world.files()


async def test_files_newer_than_a_restored_database_stay_for_a_week(world: World) -> None:
    """A file that no row names stays however often it is looked at, until its key is a week old."""
    young, old = [await world.desk.files.put(once(b"x"), 10) for _ in range(2)]
    made = UUID(old.key).int - (int(timedelta(days=7, hours=1).total_seconds() * 1000) << RANDOM_BITS)
    (path,) = (world.folder / "files").rglob(old.key)
    path.rename(path.with_name(str(UUID(int=made))))
    sweeper = Sweeper(world.desk)
    assert [await sweeper.sweep() for _ in range(3)] == [0, 1, 0]
    assert world.files() == [young.key]

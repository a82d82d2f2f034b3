"""The client's silence: reminded in time, closed after the warning, and by nobody else's silence (clauses 4.2, 4.8)."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from firstline.common.errors import Unavailable
from firstline.common.policy.loader import load_policy
from firstline.common.store.port import Sql
from firstline.intake.service.silence import LOOK_AGAIN
from firstline.intake.worker import end_silences
from intake_world import OpenWorld, World, raw_mail

CLARA, ANNA = "client:clara", "agent:anna"
NIGHTWATCH = Path(__file__).parents[1] / "policy" / "nightwatch.yaml"
REMIND, CLOSE = timedelta(days=4), timedelta(days=7)
SECOND = timedelta(seconds=1)


async def waiting(world: World, cause: str = "client", **more: Any) -> dict[str, Any]:
    """Return a new request that waits."""
    return await world.must(await world.submit(CLARA, **more), "wait", {"cause": cause})


async def at(world: World, instant: datetime) -> None:
    """Move product time there and do what is due."""
    world.clock.move(instant)
    await world.runtime.settle()


async def told(world: World, ticket: dict[str, Any]) -> list[str]:
    """Return the types of a request's events since a state of it."""
    return [kind for kind, _ in await world.events(ticket["id"], after=ticket["version"])]


async def test_silence_is_warned_of_and_then_closes(world: World) -> None:
    """To the second: the reminder after four days says when, and after seven it closes for the policy's reason."""
    ticket, start = await waiting(world), world.clock.now()
    assert datetime.fromisoformat(ticket["closes_at"]) == start + CLOSE
    ((_, announced),) = await world.events(ticket["id"], after=1)
    assert announced["closes_at"] == start + CLOSE
    await at(world, start + REMIND - SECOND)
    assert await told(world, ticket) == []
    await at(world, start + REMIND)
    ((kind, reminded),) = await world.events(ticket["id"], after=ticket["version"])
    assert (kind, reminded["kind"], reminded["closes_at"]) == ("ticket.reminded", "missing_information", start + CLOSE)
    assert [one["field"] for one in reminded["missing_information"]] == ["product", "version"]
    assert (reminded["status"], reminded["actor"]["id"]) == ("waiting", "intake")
    await at(world, start + CLOSE - SECOND)
    assert await told(world, ticket) == ["ticket.reminded"]
    await at(world, start + CLOSE)
    closed = await world.ticket(ticket["id"])
    assert (closed["status"], closed["close_reason"], closed["circumstance"]) == ("closed", "no_reply", "silence")
    assert (closed["waiting_cause"], closed["closes_at"], closed["reminded_at"]) == (None, None, None)
    assert await told(world, ticket) == ["ticket.reminded", "ticket.closed"]
    assert world.rows("SELECT * FROM due") == []
    await at(world, start + 3 * CLOSE)
    assert len(await told(world, ticket)) == 2


async def test_a_solution_closes_when_it_said(world: World) -> None:
    """What is resolved needs no reminder by this policy: the solution said when it closes, and it does."""
    ticket, start = await world.must(await world.submit(CLARA), "resolve", {}), world.clock.now()
    ((_, announced),) = await world.events(ticket["id"], after=1)
    assert announced["closes_at"] == start + CLOSE
    await at(world, start + CLOSE)
    closed = await world.ticket(ticket["id"])
    assert (closed["status"], closed["close_reason"]) == ("closed", "resolved")
    assert await told(world, ticket) == ["ticket.closed"]


@pytest.mark.parametrize("cause", ["third_party", "release"])
async def test_nobody_elses_silence_closes(world: World, cause: str) -> None:
    """However long a third party or a release takes, or we do, nothing is reminded of and nothing closes."""
    tickets = [await waiting(world, cause), await world.submit(CLARA)]
    await at(world, world.clock.now() + 10 * CLOSE)
    for ticket in tickets:
        shown = await world.ticket(ticket["id"])
        assert (shown["version"], shown["closes_at"]) == (ticket["version"], None)


@pytest.mark.parametrize("way", ["api", "mail"])
async def test_a_word_at_the_last_moment_wins(world: World, way: str) -> None:
    """A client who answers at the instant of closing, before anybody acted, is heard and nothing closes."""
    ticket, start = await waiting(world), world.clock.now()
    await at(world, start + REMIND)
    for worker in world.runtime.workers:
        await worker.stop()
    world.clock.move(start + CLOSE)
    if way == "api":
        await world.must(ticket, "messages", {"body": "24.100"}, CLARA)
    else:
        await world.keep(raw_mail(f"Re: [{ticket['number']}] White page", "24.100"))
        assert await end_silences(world.desk, world.runtime.lease("silence")) == 0
        assert (await world.ticket(ticket["id"]))["status"] == "waiting"
    await world.runtime.settle()
    assert (await world.ticket(ticket["id"]))["status"] == "open"
    assert await told(world, ticket) == ["ticket.reminded", "ticket.replied", "ticket.resumed"]


async def test_after_a_long_stop_everybody_gets_the_whole_time(world: World, opened: OpenWorld, tmp_path: Path) -> None:
    """A reminder that comes late moves the closing, and one that was in time does not."""
    late, start = await waiting(world), world.clock.now()
    for worker in world.runtime.workers:
        await worker.stop()
    async with opened(tmp_path) as restarted:
        await at(restarted, start + timedelta(days=30))
        shown = await restarted.ticket(late["id"])
        assert shown["status"] == "waiting"
        assert datetime.fromisoformat(shown["closes_at"]) == start + timedelta(days=30) + CLOSE - REMIND
        await at(restarted, start + timedelta(days=33) - SECOND)
        assert (await restarted.ticket(late["id"]))["status"] == "waiting"
        await at(restarted, start + timedelta(days=33))
        assert (await restarted.ticket(late["id"]))["status"] == "closed"


async def test_a_new_question_begins_the_time_anew(world: World) -> None:
    """Whatever staff writes to a client who has to answer gives them the whole time again."""
    ticket, start = await waiting(world), world.clock.now()
    await at(world, start + timedelta(days=6))
    shown = await world.must(ticket, "messages", {"body": "Or is it the cloud?"})
    assert datetime.fromisoformat(shown["closes_at"]) == start + timedelta(days=6) + CLOSE
    assert shown["reminded_at"] is None
    await at(world, start + timedelta(days=6) + CLOSE - SECOND)
    assert (await told(world, ticket)).count("ticket.reminded") == 2
    assert (await world.ticket(ticket["id"]))["status"] == "waiting"


async def held(world: World, ticket: dict[str, Any], text: str = "24.100") -> dict[str, Any]:
    """Return a mail that names the request and is held, its sender being unknown."""
    sender = "clara@home.example"
    mail = await world.mail(raw_mail(f"Re: [{ticket['number']}]", text, sender), sender)
    assert mail["outcome"] == "quarantined"
    return mail


@pytest.mark.parametrize(
    ("verb", "body", "status"), [("accept", {}, "open"), ("reject", {"reason": "A stranger."}, "closed")]
)
async def test_a_held_mail_puts_the_closing_off(world: World, verb: str, body: dict[str, str], status: str) -> None:
    """What may be the answer is judged before anything closes; let in it is the client's word, rejected it is none."""
    ticket, start = await waiting(world), world.clock.now()
    await at(world, start + timedelta(days=6))
    mail = await held(world, ticket)
    await at(world, start + 2 * CLOSE)
    assert (await world.ticket(ticket["id"]))["status"] == "waiting"
    assert (await world.post(f"/v1/mails/{mail['id']}/{verb}", body)).status_code == 200
    await at(world, world.clock.now() + LOOK_AGAIN)
    assert (await world.ticket(ticket["id"]))["status"] == status


async def test_a_mail_held_beside_a_duplicate_puts_the_closing_off(world: World) -> None:
    """What names a request that was merged, through others too, may be the word that the last one waits for."""
    first, second, ticket = await world.submit(CLARA), await world.submit(CLARA), await waiting(world)
    await world.must(first, "merge", {"into": second["id"]})
    await world.must(second, "merge", {"into": ticket["id"]})
    mail, start = await held(world, first), world.clock.now()
    await at(world, start + 2 * CLOSE)
    assert (await world.ticket(ticket["id"]))["status"] == "waiting"
    assert (await world.post(f"/v1/mails/{mail['id']}/accept", {})).status_code == 200
    assert (await world.ticket(ticket["id"]))["status"] == "open"


async def test_strangers_move_no_day(world: World) -> None:
    """However often strangers name the request in mails, it is reminded of once and its days stay as they were told."""
    ticket, start = await waiting(world), world.clock.now()
    for day in range(1, 7):
        await at(world, start + timedelta(days=day))
        mail = await held(world, ticket, f"Day {day}")
        assert (await world.post(f"/v1/mails/{mail['id']}/reject", {"reason": "A stranger."})).status_code == 200
    shown = await world.ticket(ticket["id"])
    assert datetime.fromisoformat(shown["closes_at"]) == start + CLOSE
    assert datetime.fromisoformat(shown["reminded_at"]) == start + REMIND
    assert (await told(world, ticket)).count("ticket.reminded") == 1
    await at(world, start + CLOSE)
    assert (await world.ticket(ticket["id"]))["status"] == "closed"


async def test_machines_are_silent(world: World) -> None:
    """An answer by a machine is kept and stops no closing."""
    ticket, start = await waiting(world), world.clock.now()
    await at(world, start + REMIND)
    away = raw_mail(f"Away: [{ticket['number']}]", "I am away.", Auto_Submitted="auto-replied")
    assert (await world.mail(away))["outcome"] == "appended"
    await at(world, start + CLOSE)
    assert (await world.ticket(ticket["id"]))["status"] == "closed"


async def test_what_was_never_announced_is_announced_first(world: World) -> None:
    """A request that an earlier release left silent is reminded of before it closes, even where no reminder is due."""
    ticket = await world.must(await world.submit(CLARA), "resolve", {})
    start = world.clock.now()
    await set_row(world, ticket, "closes_at = NULL")
    await at(world, start + 2 * CLOSE)
    assert await told(world, ticket) == ["ticket.reminded"]
    await at(world, start + 3 * CLOSE)
    assert (await world.ticket(ticket["id"]))["status"] == "closed"


async def set_row(world: World, ticket: dict[str, Any], change: str) -> None:
    """Change a request behind the product's back."""
    text = f"UPDATE ticket SET {change} WHERE id = '{ticket['id']}'"
    await world.runtime.store.write(lambda unit: unit.run(Sql(text, type(None))))


async def test_another_policy_has_other_days(opened: OpenWorld, tmp_path: Path) -> None:
    """Days, reminders and reasons are the policy's: here a solution is reminded of, and waiting is not."""
    async with opened(tmp_path, current=load_policy(NIGHTWATCH)) as world:
        start = world.clock.now()
        silent = await waiting(world)
        solved = await world.must(await world.submit(CLARA), "resolve", {})
        await at(world, start + timedelta(days=1))
        shown = await world.ticket(silent["id"])
        assert (shown["status"], shown["close_reason"], shown["circumstance"]) == ("closed", "aborted", None)
        ((_, reminded),) = await world.events(solved["id"], after=solved["version"])
        assert (reminded["kind"], reminded["closes_at"]) == ("resolved", start + timedelta(days=2))
        await at(world, start + timedelta(days=2))
        assert (await world.ticket(solved["id"]))["status"] == "closed"


async def test_one_that_fails_is_put_off_and_blocks_no_other(world: World) -> None:
    """A request whose row can't be acted on is tried again in an hour; the others close in time."""
    broken, other = await waiting(world), await waiting(world)
    start = world.clock.now()
    await set_row(world, broken, "missing_information = '[7]'")
    await at(world, start + REMIND)
    assert await told(world, other) == ["ticket.reminded"]
    assert await told(world, broken) == []
    await set_row(world, broken, "missing_information = '[]'")
    await at(world, start + REMIND + timedelta(hours=1))
    assert await told(world, broken) == ["ticket.reminded"]


async def test_a_store_out_of_reach_puts_nothing_off(world: World) -> None:
    """While the store takes no writes nothing is done, and nothing is lost."""
    ticket, start = await waiting(world), world.clock.now()
    for worker in world.runtime.workers:
        await worker.stop()
    world.clock.move(start + REMIND)

    class Lost:
        held = True

        async def guard(self, _unit: Any) -> None:
            raise Unavailable("Not now.")

    with pytest.raises(Unavailable):
        await end_silences(world.desk, Lost())  # type: ignore[arg-type]
    await world.runtime.settle()
    assert await told(world, ticket) == ["ticket.reminded"]


async def test_a_stop_of_waiting_stops_the_count(world: World) -> None:
    """Resuming, handing over and closing end the count; waiting again begins it anew."""
    ticket, start = await waiting(world), world.clock.now()
    await at(world, start + timedelta(days=5))
    await world.must(ticket, "resume", {})
    assert world.rows("SELECT * FROM due") == []
    again = await world.must(ticket, "wait", {"cause": "client"})
    assert datetime.fromisoformat(again["closes_at"]) == start + timedelta(days=5) + CLOSE
    assert (await world.must(ticket, "handover", {"defect_ref": "BUG-1"}))["closes_at"] is None
    await at(world, start + 5 * CLOSE)
    assert (await world.ticket(ticket["id"]))["status"] == "waiting"

"""Separate services under load while RabbitMQ, PostgreSQL, queues and replicas fail: all that was accepted is there."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain

import httpx
import pytest
from campaign import Record, under_load
from firstline.common.amqp_topology import queues_of
from firstline.common.bus import BINDINGS
from firstline.common.lease import LIFE_SECONDS, RENEW_SECONDS
from live_desk import eventually
from server_fixtures import need
from servers import why_no_postgres, why_no_rabbit
from split_checks import row_held, rows
from split_desk import START_SECONDS, Replica
from split_stage import Stage, check, figures, split_stage

pytestmark = [pytest.mark.process, pytest.mark.slow]

TAKE_OVER_SECONDS = 4 * (LIFE_SECONDS + 2 * RENEW_SECONDS)
BACK_SECONDS = 180
LOADED = [role for role, prefixes in BINDINGS.items() if {"ticket", "queue"} & {*prefixes}]
"""The services that take events of the load; accounts hears of erasures alone."""

FENCE = "SELECT fence FROM lease WHERE name = 'relay'"
OPEN_RELAY = (
    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    " AND xact_start < clock_timestamp() - interval '0.2 seconds' AND query ~ '\\mlease\\M|log_relay|UPDATE log_event'"
)
REQUEST = {"subject": "asked in the middle", "body": "x"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a desk of two replicas of each service, with servers of its own."""
    need(why_no_postgres() or why_no_rabbit())
    with split_stage(tmp_path_factory.mktemp("faults")) as running:
        yield running


@contextmanager
def loaded(stage: Stage, name: str, pause: float = 0.3) -> Iterator[Record]:
    """Let clients, mailers, specialists and others use the desk meanwhile, each with a rest between two acts."""
    record = Record()
    load = stage.load(record, name, pause=pause)
    addresses = stage.mailers(name, 8)
    clients = [load.client(index, writes_again=0.3) for index in range(4)]
    senders = [load.mailer(index, addresses[index::2]) for index in range(2)]
    with under_load(load, [*clients, *senders, load.specialist("anna"), load.specialist("ben"), load.newcomer()]):
        yield record


def ready(replica: Replica) -> int:
    """Return the status of a process's readiness."""
    return httpx.get(f"{replica.url}/readyz", timeout=20).status_code


def test_intake_accepts_while_rabbitmq_is_down(stage: Stage) -> None:
    """Without RabbitMQ every submission is answered 201 and readiness stays; afterwards all is delivered."""
    with loaded(stage, "rabbit") as record:
        time.sleep(1)
        stage.rabbit.stop()
        before, lost = len(record.accepted), record.unknown + record.refused
        end = time.monotonic() + 10
        while time.monotonic() < end:
            assert [ready(replica) for replica in stage.desk.replicas["intake"]] == [200, 200]
            time.sleep(0.5)
        print(f"without RabbitMQ: {len(record.accepted) - before} answers 201 in 10 s")
        assert len(record.accepted) > before + 20
        assert record.unknown + record.refused == lost
        stage.rabbit.start()
        begun = time.monotonic()
        eventually(lambda: all(replica.on_the_bus() for replica in stage.desk.all()), BACK_SECONDS)
        print(f"all on the bus {time.monotonic() - begun:.1f} s after RabbitMQ")
    check(stage, record, "RabbitMQ was down")


def test_intake_refuses_for_the_moment_while_postgresql_is_down(stage: Stage) -> None:
    """Without PostgreSQL the answer is 503 with Retry-After; within 30 s of its return all works, nothing restarted."""
    with loaded(stage, "postgres") as record:
        time.sleep(1)
        stage.postgres.stop()
        headers = {"Authorization": f"Bearer {stage.desk.token('client', 'kill')}"}
        for replica in stage.desk.replicas["intake"]:
            answer = httpx.post(f"{replica.url}/v1/tickets", json=REQUEST, headers=headers, timeout=20)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert int(answer.headers["retry-after"]) > 0
            assert ready(replica) == 503
        time.sleep(3)
        stage.postgres.start()
        begun = time.monotonic()
        stage.desk.until_ready(30)
        print(f"ready {time.monotonic() - begun:.1f} s after PostgreSQL")
        time.sleep(1)
    assert all(replica.running for replica in stage.desk.all())
    check(stage, record, "PostgreSQL was down")


@pytest.mark.parametrize("damage", ["purge", "delete"])
def test_what_a_queue_lost_is_pulled(stage: Stage, damage: str) -> None:
    """Whatever a queue held that is purged or deleted, its service has within 60 s, by reading the logs."""
    with loaded(stage, damage) as record:
        for roles in (["queue", "sla", "notify"], ["intake"]):
            replicas = [replica for role in roles for replica in stage.desk.replicas[role]]
            for replica in replicas:
                replica.kill()
            try:
                lost = eventually(lambda roles=roles: _all_held(stage, roles), 60)  # type: ignore[misc]
                print(f"{damage}: {lost}")
                for name in chain.from_iterable(queues_of(role) for role in roles):
                    getattr(stage.room, damage)(name)
            finally:  # those who load the desk wait for it, whatever went wrong here
                start(replicas)
    begun = time.monotonic()
    check(stage, record, f"queues: {damage}")
    assert time.monotonic() - begun < 60


def _all_held(stage: Stage, roles: Sequence[str]) -> dict[str, int] | None:
    """Return how many events wait for each service, or None while nothing waits for one of them."""
    held = stage.room.queues()
    waiting = {role: sum(held[name] for name in queues_of(role)) for role in roles}
    return waiting if all(waiting.values()) else None


def start(replicas: Sequence[Replica]) -> None:
    """Start processes and wait until they take work."""
    for replica in replicas:
        replica.start()
    for replica in replicas:
        eventually(lambda replica=replica: replica.ready(), START_SECONDS)  # type: ignore[misc]


@pytest.mark.parametrize("where", ["anywhere", "in a transaction"])
def test_a_relay_that_was_stopped_is_replaced_and_harmless(stage: Stage, where: str) -> None:
    """Another replica takes over from a relay that is stopped, wherever it was; woken, it gives no position twice."""
    with loaded(stage, f"stopped-{where.replace(' ', '-')}-", pause=0.02) as record:
        time.sleep(1)
        holder = eventually(lambda: relaying(stage), TAKE_OVER_SECONDS)
        (heir,) = [replica for replica in stage.desk.replicas["intake"] if replica is not holder]
        ((fence,),) = rows(stage.desk, "intake", FENCE)
        (stop if where == "anywhere" else stop_in_a_transaction)(stage, holder)
        begun = time.monotonic()
        try:
            eventually(lambda: relays(heir), TAKE_OVER_SECONDS)
            print(f"stopped {where}: replaced after {time.monotonic() - begun:.1f} s")
            time.sleep(2)
        finally:
            holder.send_signal(signal.SIGCONT)
        time.sleep(2)
    assert rows(stage.desk, "intake", FENCE)[0][0] > fence
    check(stage, record, f"the relay was stopped {where}")


def relays(replica: Replica) -> bool:
    """Say whether a process holds the relay's lease."""
    held = figures(replica, "firstline_lease_held")
    return any(value == 1.0 for labels, value in held if labels["lease"] == "relay")


def relaying(stage: Stage) -> Replica | None:
    """Return the process that relays intake's log."""
    return next((replica for replica in stage.desk.replicas["intake"] if relays(replica)), None)


def stop(_stage: Stage, replica: Replica) -> None:
    """Stop a process wherever it is."""
    replica.send_signal(signal.SIGSTOP)


def stop_in_a_transaction(stage: Stage, replica: Replica) -> None:
    """Stop the relay while its transaction is open; the odds of that are good, so it is tried until it is so."""
    for _ in range(100):
        replica.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        if rows(stage.desk, "intake", OPEN_RELAY)[0][0]:
            return
        replica.send_signal(signal.SIGCONT)
        time.sleep(random.uniform(0.05, 0.15))
    pytest.fail("the relay was never caught in a transaction")


def test_a_rolling_restart_loses_and_doubles_nothing(stage: Stage) -> None:
    """Each replica ends within 30 s of SIGTERM with exit code 0; nothing is lost, and no mail is sent twice."""
    earlier = set(stage.sink.times)
    with loaded(stage, "rolling") as record:
        for index in range(2):
            for role in stage.desk.replicas:
                restart(stage.desk.replicas[role][index])
            stage.desk.until_ready()
    check(stage, record, "every replica was restarted")
    assert {mail: times for mail, times in stage.sink.times.items() if times > 1 and mail not in earlier} == {}


def restart(replica: Replica) -> None:
    """Let a process end, and start it again without waiting for it."""
    begun = time.monotonic()
    assert replica.stop() == 0
    took = time.monotonic() - begun
    print(f"{replica.role} ended after {took:.1f} s")
    assert took <= 30
    replica.start()


def test_events_seldom_wait_for_their_predecessor(stage: Stage) -> None:
    """With two replicas of each consumer at full load, it is counted how many events came before their turn."""
    before = fates(stage)
    with loaded(stage, "full", pause=0.0) as record:
        time.sleep(10)
    check(stage, record, "full load")
    for role, counted in fates(stage).items():
        new = counted - before[role]
        assert new["applied"] > 0
        share = new["waiting"] / new.total()
        print(f"{role}: {share:.2%} of {new.total():.0f} events waited, {dict(new)}")


def fates(stage: Stage) -> dict[str, Counter[str]]:
    """Return how many events the replicas of each service under load took, by fate."""
    found: dict[str, Counter[str]] = {role: Counter() for role in LOADED}
    for role, counted in found.items():
        for replica in stage.desk.replicas[role]:
            counted.update(
                {labels["fate"]: value for labels, value in figures(replica, "firstline_inbox_events_total")}
            )
    return found


def test_a_retry_that_overtakes_the_first_call_gets_its_answer(stage: Stage) -> None:
    """Two calls with one key that meet on two replicas get one answer, though the verb is possible only once."""
    with stage.desk.api("client", "kill") as client:
        ticket_id = client.post("/v1/tickets", json=REQUEST).json()["id"]
    url = f"/v1/tickets/{ticket_id}/resolve"
    headers = {"Authorization": f"Bearer {stage.desk.token('agent', 'anna')}", "Idempotency-Key": "both"}

    def resolve(replica: Replica) -> httpx.Response:
        return httpx.post(f"{replica.url}{url}", json={"body": "Done."}, headers=headers, timeout=20)

    with ThreadPoolExecutor(2) as threads, row_held(stage.desk, "intake", "ticket", ticket_id):
        answers = [threads.submit(resolve, replica) for replica in stage.desk.replicas["intake"]]
        time.sleep(1)
    assert [answer.result().status_code for answer in answers] == [200, 200]
    assert answers[0].result().json() == answers[1].result().json()

"""Services, RabbitMQ and PostgreSQL killed with SIGKILL under load: nothing that was accepted is lost or doubled."""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from campaign import Record, under_load
from firstline.standalone.role import ROLES
from live_desk import eventually
from server_fixtures import need
from servers import why_no_postgres, why_no_rabbit
from split_desk import run_command
from split_stage import Stage, check, split_stage

ROUNDS = int(os.environ.get("FIRSTLINE_SPLIT_ROUNDS", "10"))
SEED = int(os.environ.get("FIRSTLINE_SPLIT_SEED", "0")) or random.randrange(1, 2**32)
CLIENTS, MAILERS, PAUSE_SECONDS = 4, 2, 0.3
BOTH = 0.3
"""How often both replicas of a service are killed at once."""

READY_SECONDS = 120


@dataclass(frozen=True)
class Victim:
    """Something that is killed and started again."""

    name: str
    kill: Callable[[], None]
    start: Callable[[], None]


def victims(stage: Stage, name: str, chance: random.Random) -> list[Victim]:
    """Return what is killed: a server, one replica of a service, or both."""
    if name == "rabbitmq":
        return [Victim(name, stage.rabbit.kill, stage.rabbit.start)]
    if name == "postgresql":
        return [Victim(name, stage.postgres.kill, stage.postgres.start)]
    replicas = stage.desk.replicas[name]
    chosen = replicas if chance.random() < BOTH else [chance.choice(replicas)]
    return [Victim(f"{name}-{replicas.index(one)}", one.kill, one.start) for one in chosen]


def plan(chance: random.Random) -> Iterator[Sequence[str]]:
    """Yield what is attacked in each round: everything in some order, then again, now and then two at once."""
    names = [*ROLES, "rabbitmq", "postgresql"]
    chance.shuffle(names)
    yield from ([name] for name in names)
    while True:
        yield chance.sample(names, chance.choice([1, 1, 2]))


def one_round(stage: Stage, attacked: Sequence[Victim], chance: random.Random) -> None:
    """Kill, start again, and go on as soon as one replica of each service takes work; others may be on their way."""
    time.sleep(chance.uniform(0.5, 1.5))
    for victim in attacked:
        victim.kill()
    for victim in attacked:
        victim.start()
    time.sleep(1)
    for replicas in stage.desk.replicas.values():
        eventually(lambda replicas=replicas: any(one.ready() for one in replicas), READY_SECONDS)  # type: ignore[misc]


@pytest.mark.process
@pytest.mark.slow
def test_kills_of_services_and_servers_lose_and_double_nothing(tmp_path: Path) -> None:
    """Every 201 and every 250 is there once, told once and timed right, whatever was killed when."""
    need(why_no_postgres() or why_no_rabbit())
    chance, record = random.Random(SEED), Record()
    rounds = plan(chance)
    print(f"FIRSTLINE_SPLIT_SEED={SEED}, {ROUNDS} rounds")
    with split_stage(tmp_path) as stage:
        load = stage.load(record, "k", pause=PAUSE_SECONDS, chance=random.Random(SEED))
        senders = stage.mailers("k", MAILERS + ROUNDS * MAILERS)
        mailers = [load.mailer(index, senders[index::MAILERS]) for index in range(MAILERS)]
        clients = [load.client(index, writes_again=0.3) for index in range(CLIENTS)]
        others = [load.specialist("anna"), load.specialist("ben"), load.newcomer(), load.visitor()]
        with under_load(load, [*clients, *mailers, *others]):
            for number in range(ROUNDS):
                attacked = [victim for name in next(rounds) for victim in victims(stage, name, chance)]
                begun = time.monotonic()
                one_round(stage, attacked, chance)
                print(f"round {number}: {', '.join(v.name for v in attacked)}, {time.monotonic() - begun:.1f} s")
        stage.desk.until_ready(READY_SECONDS)
        begun = time.monotonic()
        check(stage, record, f"{ROUNDS} rounds")
        run_command("check", "--settle", "1", environment=stage.desk.environment)
        print(f"settled and compared in {time.monotonic() - begun:.1f} s")
    assert record.unknown > 0, "no kill hit a request: the load was too light"

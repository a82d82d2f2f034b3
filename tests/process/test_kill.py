"""The whole desk killed with SIGKILL under load, again and again: nothing that was accepted is lost or doubled."""

import os
import random
import time
from pathlib import Path

import httpx
import pytest
from campaign import SETTLE_SECONDS, Load, Record, acknowledgements, compare, everything, introduce, judged, under_load
from live_desk import LiveDesk, eventually, live_desk

ROUNDS = int(os.environ.get("FIRSTLINE_KILL_ROUNDS", "4"))
CLIENTS, MAILERS = 8, 3


def one_round(desk: LiveDesk, number: int, record: Record, chance: random.Random) -> None:
    """Load the desk, kill it in the middle, start it again, and let the clients end what they began."""
    load = Load(desk, record, f"r{number}")
    clients = [load.client(index) for index in range(CLIENTS)]
    mailers = [load.mailer(index, [mailer(number, index)]) for index in range(MAILERS)]
    with under_load(load, [*clients, *mailers]):
        time.sleep(chance.uniform(0.2, 1.2))
        desk.kill()
        desk.start()
        time.sleep(0.2)


def mailer(number: int, index: int) -> str:
    """Return the address of somebody who writes mails in a round."""
    return f"mailer{index}-{number}@mail.example"


@pytest.mark.process
@pytest.mark.slow
def test_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    """Every 201 and every 250 is one request, in the queue once and acknowledged once, whatever was killed when."""
    seed = random.randrange(2**32)
    chance, record = random.Random(seed), Record()
    with live_desk(tmp_path / "desk") as desk:
        introduce(desk, [mailer(number, index) for number in range(ROUNDS) for index in range(MAILERS)])
        for number in range(ROUNDS):
            one_round(desk, number, record, chance)
        print(f"seed {seed}: {ROUNDS} kills, {record}")
        assert record.unknown > 0, "no kill hit a request: the load was too light"
        with desk.api("agent", "counter") as agent:
            settle_and_compare(desk, agent, record)


def settle_and_compare(desk: LiveDesk, agent: httpx.Client, record: Record) -> None:
    """Compare what the desk holds, once it has settled, with what the clients know."""
    eventually(lambda: judged(agent), SETTLE_SECONDS)
    numbers = {ticket["number"] for ticket in everything(agent, "/v1/tickets")}
    eventually(lambda: len(acknowledgements(desk)) == len(numbers), SETTLE_SECONDS)
    eventually(lambda: len(everything(agent, "/v1/queue")) == len(numbers), SETTLE_SECONDS)
    compare(desk, agent, record)
    assert sorted(entry["number"] for entry in everything(agent, "/v1/queue")) == sorted(numbers)

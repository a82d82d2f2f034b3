"""The desk in one process and the desk of separate services tell the same history of the same commands (P31)."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from live_desk import AnyDesk, live_desk
from same_play import Player, close, play
from servers import PostgresServer, RabbitServer
from split_desk import split_desk

SEEDS = [int(seed) for seed in os.environ.get("FIRSTLINE_PLAY_SEEDS", "1").split()]
STEPS = 40


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    """Return what a play follows from."""
    return int(request.param)


@pytest.fixture
def desks(tmp_path: Path, postgres: PostgresServer, rabbit: RabbitServer) -> Iterator[tuple[AnyDesk, AnyDesk]]:
    """Run one desk of each kind."""
    with ExitStack() as stack:
        one = stack.enter_context(live_desk(tmp_path / "one"))
        # The mode is said aloud: only then do separate services make the sample people that the other desk makes.
        yield one, stack.enter_context(split_desk(tmp_path / "many", postgres, rabbit, FIRSTLINE_MODE="development"))


def shown(document: Any) -> list[str]:
    """Return a document in lines, which say where two of them differ."""
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True).splitlines()


@pytest.mark.process
@pytest.mark.slow
def test_both_modes_tell_the_same_history(desks: tuple[AnyDesk, AnyDesk], seed: int) -> None:
    """Each command has the same answer, and afterwards the same is to be seen, down to events, mails and clocks."""
    one, many = (Player(desk) for desk in desks)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda player: play(player, seed, STEPS), (one, many)))
    try:
        assert shown(one.answers) == shown(many.answers)
        assert {answer[2] for answer in one.answers} >= {200, 201, 409}, "the play was too tame to show anything"
        assert shown(one.seen()) == shown(many.seen())
    finally:
        close(one)
        close(many)

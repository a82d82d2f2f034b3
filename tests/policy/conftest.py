"""The desks that are walked through: in one process, in six, and one that already runs where the environment says.

The walks use the public API and mail only, and their own people.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_modes import MODES, desk_in
from live_desk import AnyDesk

RUNNING = "FIRSTLINE_TEST_DESK_URL"
DESKS = ("running",) if os.environ.get(RUNNING) else MODES


@pytest.fixture(scope="session", params=DESKS)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyDesk]:
    """Give a desk: of one process on SQLite, of six on PostgreSQL and RabbitMQ, or the one that is named."""
    if request.param == "running":
        yield _running_desk()
        return
    with desk_in(request.param, request, tmp_path_factory.mktemp("desk")) as running:
        yield running


def _running_desk() -> AnyDesk:
    """Return the desk that somebody else runs: its address, mail port, and folders of keys and captured mail."""
    named = {name: os.environ[f"FIRSTLINE_TEST_DESK_{name}"] for name in ("URL", "SMTP_PORT", "MAIL", "KEYS")}
    mail = Path(named["MAIL"])
    return AnyDesk(mail.parent, named["URL"], int(named["SMTP_PORT"]), {"FIRSTLINE_KEYS": named["KEYS"]})

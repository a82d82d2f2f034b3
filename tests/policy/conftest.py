"""The desks that are walked through: in one process, in six, and one that already runs where the environment says.

The walks use the public API and mail only, and their own people.
"""

import os
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest
from both_modes import MODES, desk_in
from live_desk import AnyDesk

RUNNING = "FIRSTLINE_TEST_DESK_URL"
DESKS = ("running",) if os.environ.get(RUNNING) else MODES


_ending = ExitStack()
_open: dict[str, AnyDesk] = {}
"""The desk that is walked through now, by its kind, and what ends it."""


@pytest.fixture(scope="session", params=DESKS)
def desk_kind(request: pytest.FixtureRequest) -> str:
    """Return what kind of desk is walked through; all walks through one kind come together."""
    return str(request.param)


@pytest.fixture
def desk(desk_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AnyDesk:
    """Give a desk: of one process on SQLite, of six on PostgreSQL and RabbitMQ, or the one that is named."""
    if desk_kind not in _open:
        _end()
        folder = tmp_path_factory.mktemp("desk")
        started = nullcontext(_running_desk()) if desk_kind == "running" else desk_in(desk_kind, request, folder)
        _open[desk_kind] = _ending.enter_context(started)
    return _open[desk_kind]


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the desk with the last walk, since its processes cost time also when nobody asks them for anything."""
    if nextitem is None or nextitem.path.parent != item.path.parent:
        _end()


def _end() -> None:
    _open.clear()
    _ending.close()


def _running_desk() -> AnyDesk:
    """Return the desk that somebody else runs: its address, mail port, and folders of keys and captured mail."""
    named = {name: os.environ[f"FIRSTLINE_TEST_DESK_{name}"] for name in ("URL", "SMTP_PORT", "MAIL", "KEYS")}
    mail = Path(named["MAIL"])
    return AnyDesk(mail.parent, named["URL"], int(named["SMTP_PORT"]), {"FIRSTLINE_KEYS": named["KEYS"]})

"""A month to try things on is made by the desk itself: its requests stand in reports and keep the desk's promises."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from firstline.common.ports import system_ports
from firstline.common.settings import Settings
from firstline.standalone.check.desk import opened_books
from firstline.standalone.check.run import check
from firstline.standalone.cli import app
from firstline.standalone.month import play_month
from typer.testing import CliRunner

DAYS = 6
"""Some of them are working days, whichever day it is."""


@pytest.mark.slow
async def test_some_days_are_played_through_the_desk_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many requests as are told of were counted by sla, by their instants until now, and no promise is broken."""
    monkeypatch.setenv("FIRSTLINE_MAIL_SMTP", "relay.invalid:25")
    told: list[str] = []
    data = tmp_path / "month"
    await play_month(data, told.append, DAYS)
    found = re.search(r"(\d+) requests, answers: ", told[-1])
    assert found is not None
    with sqlite3.connect(data / "stores" / "sla.db") as store:
        (taken, last), (answers,) = (
            store.execute("SELECT COUNT(*), MAX(taken_at) FROM taken").fetchone(),
            store.execute("SELECT COUNT(*) FROM run WHERE target = 'next_response' AND outcome = 'met'").fetchone(),
        )
    store.close()
    assert taken == int(found[1]) > 20
    assert datetime.fromisoformat(last) <= datetime.now(UTC)
    assert answers > 20
    ports = system_ports()
    async with opened_books(Settings.model_construct(data=data), ports, timedelta()) as books:
        looked, findings = await check(books, lambda: ports.clock.sleep(0))
    assert (looked.looked["P19"] > 20, findings) == (True, [])


def test_a_month_says_where_it_is_kept() -> None:
    """Without a folder there would be nothing to look at afterwards."""
    result = CliRunner().invoke(app, ["demo", "--month"])
    assert result.exit_code == 2
    assert "--data folder" in result.output

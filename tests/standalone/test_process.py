"""The command as a process of its own: it stops when told to, at once and whole, and starts again."""

import re
import signal
import smtplib
import time
from pathlib import Path

import httpx
import pytest
import structlog
from firstline.standalone.cli import app
from live_desk import LiveDesk, live_desk
from typer.testing import CliRunner

SOME_SECONDS = 8


def ended(desk: LiveDesk, number: signal.Signals) -> tuple[int, str]:
    """Send a signal; return exit code and the rest of what the process said, once it has ended within some seconds."""
    assert desk.process is not None
    assert desk.process.stdout is not None
    began = time.monotonic()
    desk.process.send_signal(number)
    code = desk.process.wait(SOME_SECONDS)
    assert time.monotonic() - began < SOME_SECONDS
    with desk.process.stdout as rest:
        return code, rest.read()


@pytest.mark.process
def test_a_desk_stops_on_ctrl_c_and_on_sigterm_and_keeps_everything(folder: Path) -> None:
    """Ctrl-C and SIGTERM end the process with 0 and nothing half-written, though visitors and mailers stay connected.

    Meanwhile no second desk gets the folder, and after each start everything accepted before is there.
    """
    with live_desk(folder) as desk:
        accepted = []
        for number in (signal.SIGINT, signal.SIGTERM):
            with desk.api("client", "clara") as clara, smtplib.SMTP("127.0.0.1", desk.smtp_port) as idle:
                idle.ehlo()
                answer = clara.post("/v1/tickets", json={"subject": f"Before {number.name}", "body": "It is white."})
                accepted.append(answer.json()["id"])
                listed = [ticket["id"] for ticket in clara.get("/v1/tickets").json()["items"]]
                assert sorted(listed) == sorted(accepted)

                second = CliRunner().invoke(app, ["up", "--port", "0", "--smtp-port", "0", "--data", str(folder)])
                assert (second.exit_code, "Another desk runs on the folder" in second.stderr) == (1, True)

                code, said = ended(desk, number)
                assert idle.getreply()[0] == 421
            assert (code, "Traceback" in said) == (0, False), said
            assert "The desk has stopped; everything is kept in" in said
            assert [path.name for path in folder.rglob("*") if re.search(r"-wal$|\.draft$|\.part$", path.name)] == []
            desk.start()
        with desk.api("client", "clara") as clara:
            assert {clara.get(f"/v1/tickets/{one}").status_code for one in accepted} == {httpx.codes.OK}
    structlog.reset_defaults()

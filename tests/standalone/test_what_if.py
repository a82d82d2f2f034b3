"""`firstline policy simulate`: what it asks of a desk at work, what it shows, and what it says of mistakes."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from firstline.standalone.whatif import NotTried, changes_of, not_done, span_of
from live_desk import COMMAND, LiveDesk, eventually, live_desk

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_changes_are_read_as_json_or_as_text() -> None:
    """Numbers, lists and null are what they look like; everything else is text, and = may stand in it."""
    given = ["targets.first_response=240", "calendar.hours.sat=08:00-12:00", "targets.resolution=null", "a.b=c=d"]
    assert changes_of(given) == {
        "targets.first_response": 240,
        "calendar.hours.sat": "08:00-12:00",
        "targets.resolution": None,
        "a.b": "c=d",
    }
    with pytest.raises(NotTried, match="Write path=value"):
        changes_of(["targets.first_response"])


def test_spans_are_days_weeks_months_and_years() -> None:
    """The span ends now; a span of no kind is refused with an example."""
    assert span_of("30d", NOW) == {"from": "2026-10-31T00:00:00+00:00"}
    assert span_of("2w", NOW) == {"from": "2026-11-16T00:00:00+00:00"}
    assert span_of("1y", NOW) == {"from": "2025-11-30T00:00:00+00:00"}
    for wrong in ("soon", "0d", "30", "-3d"):
        with pytest.raises(NotTried, match="such as 30d"):
            span_of(wrong, NOW)


def test_what_was_not_done_says_why() -> None:
    """A simulation that failed is told with its reason, one that was cancelled with how far it came."""
    job = {"state": "failed", "done": 0, "runs": 1120, "problem": "A target is out of range."}
    assert not_done(job) == "The simulation failed after 0 of 1,120: A target is out of range."
    assert not_done({**job, "problem": None}) == "The simulation failed after 0 of 1,120: the desk does not say why."
    assert not_done({**job, "state": "cancelled"}) == "The simulation was cancelled after 0 of 1,120."


def simulate(desk: LiveDesk, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the command against a desk."""
    command = [*COMMAND, "policy", "simulate", "--url", desk.url, "--data", str(desk.data), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.process
def test_a_desk_at_work_is_asked(tmp_path: Path) -> None:
    """The table names whose answers would be late, the chart is a picture, and a bad change is explained."""
    with live_desk(tmp_path / "data") as desk:
        with desk.api("client", "clara") as client, desk.api("agent", "anna") as agent:
            ticket = client.post("/v1/tickets", json={"subject": "White page", "body": "It is white."}).json()
            done = agent.post(f"/v1/tickets/{ticket['id']}/messages", json={"body": "Reload it."})
            assert done.status_code == 201
        chart = tmp_path / "what-if.svg"
        tried = ("--set", "targets.first_response=240", "--chart", str(chart))
        shown = eventually(lambda: (s := simulate(desk, *tried)).stdout.count("anna") and s)
        assert shown.returncode == 0
        assert shown.stdout.splitlines()[-1].split() == ["All", "answers", "1", "0", "0", "0", "0"]
        assert ET.parse(chart).getroot().get("role") == "img"
        document = json.loads(simulate(desk, "--json", "--by", "target").stdout)
        assert {line["label"] for line in document["lines"]} == {"First response", "Next response"}
        wrong = simulate(desk, "--set", "targets.frist_response=240")
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert "targets.frist_response: There is no targets.frist_response. Did you mean" in wrong.stderr
    gone = simulate(desk, "--set", "targets.first_response=240")
    assert (gone.returncode, "Start it with `firstline up`" in gone.stderr) == (1, True)

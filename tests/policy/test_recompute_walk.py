"""A changed policy walked through: requests keep their terms until a supervisor has them recomputed (2.1, design 7)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from both_modes import MODES, desk_in
from live_desk import AnyDesk, LiveDesk, eventually
from split_desk import SplitDesk, run_command

PACK = Path(__file__).parents[2] / "policies" / "bitrix24.yaml"
MINUTES = re.compile(r"(?m)^    normal: \{first_response: \d+")
BODY = {"subject": "Slow", "body": "Since the update all pages are slow."}


@pytest.fixture(scope="module", params=MODES)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyDesk]:
    """Run a desk on a policy file of its own."""
    folder = tmp_path_factory.mktemp("recompute")
    (folder / "policy.yaml").write_text(PACK.read_text())
    with desk_in(request.param, request, folder / "data", FIRSTLINE_POLICY=str(folder / "policy.yaml")) as running:
        yield running


def change_policy(desk: AnyDesk) -> None:
    """Give the policy a longer target, and start what reads it again."""
    file = desk.data.parent / "policy.yaml"
    text, changed = MINUTES.subn("    normal: {first_response: 60000", file.read_text())
    assert changed == 1
    file.write_text(text)
    if isinstance(desk, SplitDesk):
        (intake,) = desk.replicas["intake"]
        intake.stop()
        intake.start()
        desk.until_ready()
    elif isinstance(desk, LiveDesk):
        desk.stop()
        desk.start()


def test_open_requests_follow_a_changed_policy_when_asked(desk: AnyDesk) -> None:
    """The command first says what would change, then does it; the deadline moves, and both are seen through the API."""
    with desk.api("client", "rita") as client:
        ticket_id = client.post("/v1/tickets", json=BODY).json()["id"]

    def clocks() -> dict[str, Any]:
        with desk.api("agent", "anna-recompute") as agent:
            items = agent.get("/v1/clocks", params={"ticket_ids": ticket_id}).json()["items"]
        return {clock["target"]: clock for clock in items}

    before = eventually(clocks)["first_response"]
    change_policy(desk)
    with desk.api("client", "rita") as client:
        version = client.post("/v1/tickets", json=BODY).json()["policy_version"]
    assert version != before["policy_version"]

    def known() -> bool:
        with desk.api("supervisor", "sam-recompute") as supervisor:
            body = {"policy_version": version, "dry_run": True}
            return supervisor.post("/v1/clocks/recomputes", json=body).status_code == 202

    assert eventually(known, 90)  # the news travels by the bus, or by the pull half a minute later
    command = ("policy", "recompute", "--url", desk.url, "--version", version)
    environment = {"FIRSTLINE_DATA": str(desk.data), **desk.environment}
    tried = run_command(*command, "--dry-run", environment=environment)
    assert "would be timed by the hours and targets of" in tried
    assert before["number"] in tried
    assert clocks()["first_response"]["due_at"] == before["due_at"]
    assert "are timed by the hours and targets of" in run_command(*command, environment=environment)
    assert clocks()["first_response"]["due_at"] > before["due_at"]

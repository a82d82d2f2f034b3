"""A changed policy walked through: hours reach open requests by themselves, targets when asked (2.1, design 7)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from both_modes import MODES, desk_in
from live_desk import AnyDesk, LiveDesk, eventually
from split_desk import SplitDesk, run_command

PACK = Path(__file__).parents[2] / "policies" / "bitrix24.yaml"
MINUTES = re.compile(r"(?m)^    normal: \{first_response: \d+")
HOLIDAYS = re.compile(r"(?m)^  holidays: \[.*\]")
BODY = {"subject": "Slow", "body": "Since the update all pages are slow."}


@pytest.fixture(scope="module", params=MODES)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyDesk]:
    """Run a desk on a policy file of its own."""
    folder = tmp_path_factory.mktemp("recompute")
    (folder / "policy.yaml").write_text(PACK.read_text())
    with desk_in(request.param, request, folder / "data", FIRSTLINE_POLICY=str(folder / "policy.yaml")) as running:
        yield running


def change_policy(desk: AnyDesk, place: re.Pattern[str], by: str) -> None:
    """Change a place of the policy, and start what reads it again."""
    file = desk.data.parent / "policy.yaml"
    text, changed = place.subn(by, file.read_text())
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


def submit(desk: AnyDesk) -> dict[str, Any]:
    """Return a new request."""
    with desk.api("client", "rita") as client:
        made: dict[str, Any] = client.post("/v1/tickets", json=BODY).json()
    return made


def clocks(desk: AnyDesk, ticket_id: str) -> dict[str, Any]:
    """Return a request's clocks, by what they time."""
    with desk.api("agent", "anna-recompute") as agent:
        items = agent.get("/v1/clocks", params={"ticket_ids": ticket_id}).json()["items"]
    return {clock["target"]: clock for clock in items}


def test_open_requests_follow_changed_hours_by_themselves(desk: AnyDesk) -> None:
    """Holidays move the deadline of what is open; the clock says by whose hours, and the list of recomputes why."""
    ticket = submit(desk)
    before = eventually(lambda: clocks(desk, ticket["id"]))["first_response"]
    days = [(datetime.now(UTC) + timedelta(days=day)).date().isoformat() for day in range(10)]
    change_policy(desk, HOLIDAYS, f"  holidays: [{', '.join(days)}]")
    version = submit(desk)["policy_version"]

    def moved() -> dict[str, Any] | None:
        clock: dict[str, Any] = clocks(desk, ticket["id"])["first_response"]
        return clock if clock["hours_version"] == version else None

    after = eventually(moved, 90)  # the news travels by the bus, or by the pull half a minute later
    assert after["policy_version"] == ticket["policy_version"]
    assert after["due_at"][:10] > days[-1] >= before["due_at"][:10]
    with desk.api("supervisor", "sam-recompute") as supervisor:
        explained = supervisor.get(f"/v1/clocks/{after['id']}/explanation").json()
        begun = supervisor.get("/v1/clocks/recomputes").json()["items"]
    assert explained["words"][0] == f"Under policy {ticket['policy_version']}, by the hours of {version}."
    assert [(one["asked_by"], one["policy_version"]) for one in begun] == [("policy.published", version)]


def test_open_requests_follow_a_changed_policy_when_asked(desk: AnyDesk) -> None:
    """The command first says which targets would change, then changes them; both are seen through the API."""
    ticket_id = submit(desk)["id"]
    before = eventually(lambda: clocks(desk, ticket_id))["first_response"]
    change_policy(desk, MINUTES, "    normal: {first_response: 60000")
    version = submit(desk)["policy_version"]
    assert version != before["policy_version"]

    def known() -> bool:
        with desk.api("supervisor", "sam-recompute") as supervisor:
            body = {"policy_version": version, "dry_run": True}
            return supervisor.post("/v1/clocks/recomputes", json=body).status_code == 202

    assert eventually(known, 90)  # the news travels by the bus, or by the pull half a minute later
    command = ("policy", "recompute", "--url", desk.url, "--data", str(desk.data), "--version", version)
    tried = run_command(*command, "--dry-run", environment=desk.environment)
    assert "would be timed by the hours and targets of" in tried
    assert before["number"] in tried
    assert "-> 60000 min by normal)" in tried
    assert clocks(desk, ticket_id)["first_response"]["due_at"] == before["due_at"]
    assert "are timed by the hours and targets of" in run_command(*command, environment=desk.environment)
    assert clocks(desk, ticket_id)["first_response"]["due_at"] > before["due_at"]

"""The demo plays a whole working day and counts what really happened."""

import time
from pathlib import Path

import pytest
from firstline.standalone.demo import play

TOTALS = {
    "requests accepted": 24,
    "of them by mail": 8,
    "acknowledged exactly once": 24,
    "client replies by mail appended": 6,
    "strangers' mails held": 1,
    "duplicates recognised": 1,
    "urgent requests taken out of turn": 4,
    "reopened": 2,
}


async def test_the_demo_tells_what_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven hours of product time pass in seconds, and the totals are those of the plan, whatever the environment."""
    monkeypatch.setenv("FIRSTLINE_PUBLIC_URL", "http://elsewhere.invalid")
    monkeypatch.setenv("FIRSTLINE_MAIL_SMTP", "relay.invalid:25")
    monkeypatch.setenv("FIRSTLINE_POLICY", "nothing.yaml")
    told: list[str] = []
    began = time.monotonic()
    await play(tmp_path / "demo", told.append)
    assert time.monotonic() - began < 60
    totals = {line[:42].strip(): int(line[42:]) for line in told if line[42:].strip().isdigit()}
    assert {title: totals.get(title) for title in TOTALS} == TOTALS
    assert totals["mails sent"] == len(list((tmp_path / "demo" / "mail").glob("*.eml")))
    requests = [line.split() for line in told if line.startswith("FL-")]
    assert len({request[0] for request in requests}) == 24
    assert {request[-1] for request in requests} == {"resolved"}

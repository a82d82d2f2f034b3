"""A process that ends between an effect and its record, at each of four places, and what the next makes of it."""

import email
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from firstline.common.ports import FAILED_STATUS
from near_desk import api, near_desk

SUPPORT = Path(__file__).parents[1] / "support"
HOOK = "http://127.0.0.1:65001/hook"
"""Nobody listens there."""
PLACES = ("committed:3", "published:3", "mail-sent", "webhook-sent")
"""The third time where the start has events of its own."""

SCRIPT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from near_desk import api, near_desk

async def main():
    given = {"clock": "system", "outbound_allow": "127.0.0.0/8", "failpoint": sys.argv[3]}
    async with near_desk(Path(sys.argv[2]), **given) as desk:
        async with api(desk, "admin", "root") as admin:
            hook = {"url": sys.argv[4], "types": ["ticket"]}
            (await admin.post("/v1/webhook-endpoints", json=hook)).raise_for_status()
        async with api(desk, "client", "clara") as clara:
            body = {"subject": "White page", "body": "It is white."}
            answer = await clara.post("/v1/tickets", json=body, headers={"Idempotency-Key": "once"})
            print(answer.status_code, flush=True)
        await asyncio.sleep(20)

asyncio.run(main())
"""


def run_until_it_ends(data: Path, place: str) -> tuple[int, str]:
    """Run a desk with a failpoint under a request; return its exit status and what it said."""
    command = [sys.executable, "-c", SCRIPT, str(SUPPORT), str(data), place, HOOK]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    return ended.returncode, ended.stderr


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
async def test_a_crash_at_each_place_loses_and_doubles_nothing(tmp_path: Path, place: str) -> None:
    """The process ends there; after the next start the request is there once, acknowledged by one mail, and queued."""
    status, said = run_until_it_ends(tmp_path, place)
    assert status == FAILED_STATUS, said
    async with near_desk(tmp_path, clock="system", outbound_allow="127.0.0.0/8") as desk:
        async with api(desk, "client", "clara") as clara:
            body = {"subject": "White page", "body": "It is white."}
            again = await clara.post("/v1/tickets", json=body, headers={"Idempotency-Key": "once"})
            assert again.status_code == 201
        for _ in range(3):
            for runtime in desk.runtimes.values():
                await runtime.settle()
        async with api(desk, "agent", "anna") as anna:
            tickets = (await anna.get("/v1/tickets")).json()["items"]
            queue = (await anna.get("/v1/queue")).json()["items"]
    assert [ticket["number"] for ticket in tickets] == [again.json()["number"]]
    assert [entry["number"] for entry in queue] == [again.json()["number"]]
    mails = [email.message_from_bytes(path.read_bytes()) for path in (tmp_path / "mail").glob("*.eml")]
    assert Counter(str(mail["Auto-Submitted"]) for mail in mails) == {"auto-replied": 1}

"""Half a minute of proof: a desk is killed under load, again and again, and then everything is counted.

Whoever was promised something by a 201 or a 250 knows what it was; the table compares that with what the desk has
afterwards. Last, the desk's own `firstline check` reads its stores.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from campaign import SETTLE_SECONDS, Load, Record, acknowledgements, everything, introduce, judged, under_load
from live_desk import COMMAND, LiveDesk, eventually, live_desk

SECONDS = 30.0
CLIENTS, MAILERS = 8, 3


def killed_under_load(desk: LiveDesk, record: Record) -> int:
    """Load the desk and kill it at random moments for half a minute; return how often."""
    kills, end = 0, time.monotonic() + SECONDS
    load = Load(desk, record, "prove-")
    senders = [[f"mailer{index}@mail.example"] for index in range(MAILERS)]
    introduce(desk, [address for own in senders for address in own])
    acts = [load.client(index) for index in range(CLIENTS)]
    acts += [load.mailer(index, own) for index, own in enumerate(senders)]
    with under_load(load, acts):
        while time.monotonic() < end:
            time.sleep(random.uniform(0.5, 2.0))  # noqa: S311 (no secret)
            desk.kill()
            desk.start()
            kills += 1
            print(f"kill -9 number {kills}; {record}", flush=True)
    return kills


def counted(desk: LiveDesk, record: Record) -> dict[str, int]:
    """Return what the table shows, once the desk has done all that was to be done."""
    promised = {*record.accepted, *record.mailed}
    with desk.api("agent", "counter") as agent:
        eventually(lambda: judged(agent), SETTLE_SECONDS)
        tickets = everything(agent, "/v1/tickets")
        numbers = {ticket["number"] for ticket in tickets}
        eventually(lambda: set(acknowledgements(desk)) == numbers, SETTLE_SECONDS)
    present = Counter(ticket["subject"] for ticket in tickets)
    told = acknowledgements(desk)
    return {
        "accepted": len(promised),
        "present": sum(subject in present for subject in promised),
        "acknowledged once": sum(times == 1 for times in told.values()),
        "lost": sum(subject not in present for subject in promised),
        "doubled": sum(times > 1 for times in (*present.values(), *told.values())),
    }


def main() -> int:
    """Print the table; return 1 when anything was lost or doubled, or the desk's own check finds something."""
    record = Record()
    with tempfile.TemporaryDirectory(prefix="firstline-prove-") as folder:
        data = Path(folder) / "desk"
        with live_desk(data) as desk:
            kills = killed_under_load(desk, record)
            table = counted(desk, record)
        print(f"\n{'killed with kill -9':<24}{kills:>8}")
        print("\n".join(f"{name:<24}{count:>8}" for name, count in table.items()), "\n", flush=True)
        check = subprocess.run([*COMMAND, "check", "--settle", "1", "--data", str(data)], check=False)
    return 1 if table["lost"] or table["doubled"] or table["present"] < table["accepted"] or check.returncode else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Writes RELIABILITY.md from the oracles, the mutants and the results of the simulator's runs.

Run by hand after one of them has changed; a test compares what it would write.
"""

import json
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("simulation", "support", "oracles")]
RESULTS = ROOT / "tests/simulation/results.json"
PAGE = ROOT / "RELIABILITY.md"
HEAD = """# Reliability

What the desk promises, who judges it, and what was done to break it. This page is written by `tools/reliability.py`.

The simulator (`tests/simulation/`) runs the whole product in virtual time: simulated clients, specialists, mail
servers and webhook receivers over days of desk life, while processes are killed between any two steps and everything
around them fails. A seed decides all of it and replays bit for bit. When the days are over, the trouble ends, the desk
settles, and oracles outside the product look at its stores and at what people outside were told. Beside their daily
work people split and merge requests, hand them over and ship releases, write to the supervisor and rate.

## Promises

Each is judged in every seed. A mutant is the product broken on purpose; a test runs each on a seed that finds it out.
"""


def promises() -> list[str]:
    """Return the table of promises with their mutants."""
    from mutants import MUTANTS  # noqa: PLC0415 (after the path is set)
    from oracles import ORACLES  # noqa: PLC0415

    lines = ["| | promise | found out by it |", "|---|---|---|"]
    for name, oracle in ORACLES.items():
        said = (oracle.__doc__ or "").partition(": ")[2]
        killed = ", ".join(mutant.name for mutant in MUTANTS if mutant.invariant == name)
        lines.append(f"| {name} | {said} | {killed} |")
    return [*lines, "", f"{len(MUTANTS)} mutants, none of which lives."]


def runs() -> list[str]:
    """Return what was run so far, and the faults that fired meanwhile."""
    from faults import SOMETIMES  # noqa: PLC0415 (after the path is set)

    found = json.loads(RESULTS.read_text())["runs"]
    faults: Counter[str] = Counter()
    lines = ["| seeds | from | simulated days | commit | failed |", "|---|---|---|---|---|"]
    for run in found:
        faults.update(run["faults"])
        failed = ", ".join(str(failure["seed"]) for failure in run["failures"]) or "none"
        lines.append(f"| {run['seeds']:,} | {run['first']} | {run['days']:,} | `{run['commit']}` | {failed} |")
    total, days = sum(run["seeds"] for run in found), sum(run["days"] for run in found)
    lines += [
        "",
        f"Together {total:,} seeds and {days:,.0f} days.",
        "",
        "## Faults",
        "",
        "| fault | fired |",
        "|---|---|",
    ]
    return lines + [f"| {fault} | {faults[fault]:,} |" for fault in sorted(SOMETIMES)]


def failed() -> list[str]:
    """Return the seeds that failed, what was seen and what the cause was, as somebody wrote it down."""
    found = json.loads(RESULTS.read_text())["runs"]
    lines = ["| seed | commit | seen | cause |", "|---|---|---|---|"]
    for run in found:
        for failure in run["failures"]:
            seen = failure["violations"][0].partition(":")[0]
            lines.append(
                f"| {failure['seed']} | `{run['commit']}` | {seen} | {failure.get('cause', 'not yet known')} |"
            )
    return lines


def page() -> str:
    """Return the page."""
    parts = [HEAD, *promises(), "", "## Runs", "", *runs(), "", "## Seeds that failed", "", *failed()]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())

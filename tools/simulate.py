"""Runs seeds of the simulator for as long as you like, and writes down what came of them.

Run by hand: tools/simulate.py --first 0 --seeds 1000 --into tests/simulation/results.json
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("simulation", "support", "oracles")]
EVERY = 25


def commit() -> str:
    """Return the commit that is checked out."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return found.stdout.strip()


def write(path: Path, run: dict[str, Any]) -> None:
    """Put a run at its place in the file: an earlier state of it is replaced."""
    runs = json.loads(path.read_text())["runs"] if path.exists() else []
    runs = [known for known in runs if (known["first"], known["commit"]) != (run["first"], run["commit"])]
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"runs": [*runs, run]}, indent=1) + "\n")
    draft.replace(path)


def main() -> None:
    """Run the seeds and tell of those that fail."""
    from seeds import Outcome, run_seeds  # noqa: PLC0415 (after the path is set)
    from stage import Stage  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--commit", default="", help="the commit to name where this is no checkout")
    parser.add_argument("--into", type=Path, default=ROOT / "tests/simulation/results.json")
    given = parser.parse_args()
    began, faults, failures, days = time.monotonic(), Counter[str](), [], 0.0
    known = {"occasions": True, "hours": True}
    run: dict[str, Any] = {"first": given.first, "commit": given.commit or commit(), **known}

    def tell(outcome: Outcome) -> None:
        nonlocal days
        days += outcome.days
        faults.update(outcome.counts)
        if outcome.violations:
            failures.append({"seed": outcome.seed, "violations": [words[:300] for words in outcome.violations[:5]]})
            print(f"seed {outcome.seed}: {outcome.violations[:5]}", flush=True)
        seeds = outcome.seed - given.first + 1
        if seeds % EVERY == 0 or seeds == given.seeds:
            seconds = round(time.monotonic() - began)
            run.update(last=outcome.seed, seeds=seeds, days=round(days, 1), seconds=seconds)
            run.update(faults=dict(sorted(faults.items())), failures=failures)
            write(given.into, run)

    stage = Stage()
    try:
        run_seeds(stage, range(given.first, given.first + given.seeds), tell)
    finally:
        stage.close()
    print(f"{run['seeds']} seeds, {run['days']} days in {run['seconds']} s, {len(failures)} failed")


if __name__ == "__main__":
    main()

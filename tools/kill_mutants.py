"""Looks for seeds of the simulator that kill its mutants, and prints the first of each.

Run by hand, after a change of the simulator by which mutants live: tools/kill_mutants.py 60 [part of a name ...]
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("simulation", "support", "oracles")]


def main() -> None:
    """Try the seeds from 0 on, for the mutants named or for all."""
    from mutants import MUTANTS  # noqa: PLC0415 (after the path is set)
    from seeds import run_seed  # noqa: PLC0415
    from stage import Stage  # noqa: PLC0415

    most, names = int(sys.argv[1]), sys.argv[2:]
    stage = Stage()
    for mutant in MUTANTS:
        if names and not any(name in mutant.name for name in names):
            continue
        for seed in [mutant.seed, *range(most)]:
            with mutant.alive():
                outcome = run_seed(stage, seed)
            found = [words for words in outcome.violations if words.startswith(f"{mutant.invariant}:")]
            if found:
                print(f"{mutant.name}: seed {seed}: {found[0][:120]}", flush=True)
                break
        else:
            print(f"{mutant.name}: LIVES", flush=True)
    stage.close()


if __name__ == "__main__":
    main()

"""Every broken variant of the product is found out by the oracle of the promise that it breaks."""

import pytest
from mutants import MUTANTS, Mutant
from oracles import ORACLES
from seeds import run_seed
from stage import Stage

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning", "ignore:coroutine:RuntimeWarning"
)
LEAST = 25
OTHERS = range(10)
"""Seeds that are tried where the mutant's own, by a change of the world, has come to mean something else."""


def killed(stage: Stage, mutant: Mutant) -> tuple[int, str] | None:
    """Return the first seed on which the mutant's oracle finds it, and what that says; None if it lives."""
    for seed in (mutant.seed, *OTHERS):
        with mutant.alive():
            outcome = run_seed(stage, seed)
        for words in outcome.violations:
            if words.startswith(f"{mutant.invariant}:"):
                return seed, words
    return None


@pytest.mark.slow
def test_every_mutant_is_killed(stage: Stage) -> None:
    """Each mutant falls on its seed or on one of a few others, by the invariant that it breaks."""
    found = {mutant.name: killed(stage, mutant) for mutant in MUTANTS}
    for mutant in MUTANTS:
        seed, words = found[mutant.name] or (mutant.seed, "LIVES")
        moved = "" if seed == mutant.seed else f", once {mutant.seed}"
        print(f"{mutant.invariant:>4}  seed {seed:<4}{moved} {mutant.name}: {words[:100]}")
    assert [name for name, seen in found.items() if seen is None] == []


def test_every_promise_has_a_mutant() -> None:
    """There are at least 25 mutants with names of their own, and one for each oracle."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= LEAST
    assert set(ORACLES) - {mutant.invariant for mutant in MUTANTS} == set()

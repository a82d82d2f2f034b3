"""Every broken variant of the product is found out by the oracle of the promise that it breaks."""

from collections.abc import Mapping

import pytest
from mutants import MUTANTS, Mutant
from oracles import ORACLES
from seeds import run_seed
from stage import Stage

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning", "ignore:coroutine:RuntimeWarning"
)
LEAST = 25


def killed(stage: Stage, mutant: Mutant) -> str | None:
    """Return what the mutant's oracle says on its seed; None if it lives."""
    with mutant.alive():
        outcome = run_seed(stage, mutant.seed)
    return next((words for words in outcome.violations if words.startswith(f"{mutant.invariant}:")), None)


@pytest.mark.slow
def test_every_mutant_is_killed(stage: Stage) -> None:
    """Each mutant falls on its seed, by the invariant that it breaks."""
    found: Mapping[str, str | None] = {mutant.name: killed(stage, mutant) for mutant in MUTANTS}
    for mutant in MUTANTS:
        print(f"{mutant.invariant:>4}  seed {mutant.seed:<4} {mutant.name}: {(found[mutant.name] or 'LIVES')[:100]}")
    assert [name for name, words in found.items() if words is None] == []


def test_every_promise_has_a_mutant() -> None:
    """There are at least 25 mutants with names of their own, and one for each oracle."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= LEAST
    assert set(ORACLES) - {mutant.invariant for mutant in MUTANTS} == set()

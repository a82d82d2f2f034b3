"""When the next answer is to be expected, told from how long the last ones took (clause 2.3): never a promise.

No model of the desk is fitted. Of the answers given lately, those count that had about as many requests before them;
half of them took at most P50 and nine of ten at most P90. How often that held is measured and published. Of a queue as
long as none was lately, nothing is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

LEAST = 30
"""With fewer answers than this of about such a queue, nothing is foretold."""

ALIKE = 60
"""How many answers are looked at: those that had the most similar number of requests before them."""

ALIKE_FACTOR = 2.0
"""A queue is about like another if it is at most so many times as long."""


@dataclass(frozen=True, slots=True)
class Waited:
    """An answer that was given: business minutes until it, and how many requests were to be served before it."""

    minutes: float
    ahead: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Business minutes from now within which half of such answers come, and nine of ten."""

    p50: float
    p90: float


def foretell(lately: Sequence[Waited], ahead: int) -> Forecast | None:
    """Return what to expect with so many requests ahead; None where too few such answers were given to tell."""

    # One is added because nobody ahead is a queue, too, and a ratio to nothing says nothing.
    def times(waited: Waited) -> float:
        shorter, longer = sorted((waited.ahead + 1, ahead + 1))
        return longer / shorter

    alike = sorted((waited for waited in lately if times(waited) <= ALIKE_FACTOR), key=times)[:ALIKE]
    if len(alike) < LEAST:
        return None
    # A queue that is a little longer takes a little longer.
    minutes = sorted(waited.minutes * (ahead + 1) / (waited.ahead + 1) for waited in alike)
    return Forecast(_share(minutes, 0.5), _share(minutes, 0.9))


def _share(ordered: Sequence[float], part: float) -> float:
    """Return the value that the next one doesn't exceed with this probability, as far as so many values can tell."""
    return ordered[min(ceil((len(ordered) + 1) * part), len(ordered)) - 1]

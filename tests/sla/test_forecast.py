"""What is foretold from the last answers: a queue that is served steadily comes in as it was said (clause 2.3)."""

from random import Random

import pytest
from firstline.sla.forecast import LEAST, Forecast, Waited, foretell


def test_too_few_answers_tell_nothing() -> None:
    """Below thirty answers there is no forecast; with the thirtieth there is."""
    answers = [Waited(60.0, 0)] * (LEAST - 1)
    assert foretell(answers, 0) is None
    assert foretell([*answers, Waited(60.0, 0)], 0) == Forecast(60.0, 60.0)


def test_half_and_nine_of_ten() -> None:
    """P50 and P90 are waits that were seen: the middle one, and one that nine of ten do not exceed."""
    assert foretell([Waited(float(minutes), 3) for minutes in range(1, 41)], 3) == Forecast(21.0, 37.0)


def test_answers_with_a_queue_like_it_count() -> None:
    """Short waits behind nobody say nothing of a request behind many, and the other way round."""
    answers = [Waited(10.0, 0)] * 100 + [Waited(300.0, 49)] * 100
    assert (foretell(answers, 0), foretell(answers, 39)) == (Forecast(10.0, 10.0), Forecast(240.0, 240.0))


@pytest.mark.parametrize("ahead", [2, 7, 9])
def test_a_queue_that_is_a_little_longer_takes_a_little_longer(ahead: int) -> None:
    """Within half and double of what was seen, the wait grows with the number of requests ahead."""
    assert foretell([Waited(50.0, 4)] * 50, ahead) == Forecast(10.0 * (ahead + 1), 10.0 * (ahead + 1))


@pytest.mark.parametrize("ahead", [0, 1, 10, 1000])
def test_nothing_is_said_of_a_queue_as_none_was_lately(ahead: int) -> None:
    """Specialists work side by side, so waits behind few say nothing of one behind many."""
    assert foretell([Waited(50.0, 4)] * 500, ahead) is None


@pytest.mark.parametrize("seed", range(5))
def test_nine_of_ten_come_in_time_on_a_steady_desk(seed: int) -> None:
    """On a desk with three specialists, about half the answers come within P50 and about nine of ten within P90."""
    within_p50, within_p90, foretold = play(Random(seed), requests=1500)
    assert foretold > 1400
    assert 0.40 < within_p50 / foretold < 0.60
    assert 0.84 < within_p90 / foretold < 0.96


def play(chance: Random, requests: int) -> tuple[int, int, int]:
    """Let requests come to a desk that is nearly always busy; return how many were answered as foretold."""
    free_at, now = [0.0, 0.0, 0.0], 0.0
    answered: list[tuple[float, Waited]] = []
    within_p50 = within_p90 = foretold = 0
    for _ in range(requests):
        now += chance.expovariate(1 / 11)
        ahead = sum(1 for at, _ in answered if at > now)
        known = [waited for at, waited in sorted(answered, key=lambda one: -one[0]) if at <= now][:500]
        forecast = foretell(known, ahead)
        begins = max(now, min(free_at))
        ends = begins + chance.gammavariate(2, 15)
        free_at[free_at.index(min(free_at))] = ends
        answered.append((ends, Waited(ends - now, ahead)))
        if forecast is not None:
            foretold += 1
            within_p50 += ends - now <= forecast.p50
            within_p90 += ends - now <= forecast.p90
    return within_p50, within_p90, foretold

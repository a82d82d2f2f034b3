"""What clients read of forecasts (clause 2.3)."""

from datetime import datetime

from firstline.web.stages import Json, Place
from firstline.web.words import instant, stamp


def expectation(forecast: Json | None, place: Place | None, now: datetime) -> str:
    """Say when an answer is to be expected (clause 2.3); nothing where none is owed, or somebody is at work."""
    if forecast is None or forecast["state"] == "not_owed" or place is None or place.claimed:
        return ""
    if forecast["state"] == "unsure":
        return _unsure(forecast, now)
    mostly, late = (stamp(instant(forecast[name]), now) for name in ("p50_at", "p90_at"))
    return f"Half of such requests are answered by {mostly}, nine of ten by {late}: an estimate, not a promise."


def _unsure(forecast: Json, now: datetime) -> str:
    """Say that too few answers were given to tell, and when anybody can answer at all."""
    earliest = instant(forecast["earliest_at"])
    # By the clock of who told it: another machine's may be a little behind.
    open_now = earliest <= instant(forecast["as_of"])
    bound = "Support works now" if open_now else f"Support works next from {stamp(earliest, now)}"
    return f"Too few such requests were answered lately to tell when. {bound}; that is no promise of an answer by then."

"""What clients read of forecasts (clause 2.3)."""

from datetime import datetime

from firstline.web.stages import Json, Place
from firstline.web.words import instant, stamp


def expectation(forecast: Json | None, place: Place | None, now: datetime) -> str:
    """Say when an answer is to be expected (clause 2.3); nothing where nobody can tell, or somebody is at work."""
    if forecast is None or forecast["state"] != "expected" or place is None or place.claimed:
        return ""
    mostly, late = (stamp(instant(forecast[name]), now) for name in ("p50_at", "p90_at"))
    return f"Half of such requests are answered by {mostly}, nine of ten by {late}: an estimate, not a promise."

"""How requests end by the policy: reasons, windows, silence and ratings (clause 4.8, closing paragraph)."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from firstline.common.policy.parts import Code, Part, Words

Side = Literal["client", "staff"]
ClosingCode = Literal["resolved", "out_of_scope", "no_reply", "no_licence", "duplicate", "spam", "aborted"]


class ClosingReason(Part):
    """Why a request was closed, and which side may give that reason."""

    code: ClosingCode
    title: Words
    by: tuple[Side, ...] = Field(min_length=1)


class RatingMark(Part):
    """A mark that clients may give to the handling of their request."""

    code: Code
    title: Words


class SilenceRule(Part):
    """Days without a word from the client until the reminder (none: no reminder) and until the request is closed.

    Closing names the reason, and the circumstance where there is one that fits.
    """

    remind_after_days: PositiveInt | None = None
    close_after_days: PositiveInt
    reason: ClosingCode
    circumstance: Code | None = None


class Silence(Part):
    """What silence does while the desk waits for the client, and after a resolution; nothing else ends by silence."""

    waiting_client: SilenceRule
    resolved: SilenceRule


class Closing(Part):
    """How requests end, and for how many days a client's message takes one up again.

    `marks` are those of ratings; without a list any mark is taken.
    """

    reopen_window_days: NonNegativeInt
    reasons: tuple[ClosingReason, ...] = Field(min_length=1)
    silence: Silence
    marks: tuple[RatingMark, ...] = ()

    @property
    def reopen_window(self) -> timedelta:
        """Time after resolution or closing within which a client's message reopens the request."""
        return timedelta(days=self.reopen_window_days)

    def sides(self, reason: str) -> tuple[Side, ...]:
        """Return who may close for that reason; nobody, when the policy doesn't list it."""
        return next((known.by for known in self.reasons if known.code == reason), ())

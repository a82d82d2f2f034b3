"""Access data by the policy (clause 4.3): which kinds there are, how long they are kept, what is said."""

from datetime import timedelta
from typing import Self

from pydantic import Field, PositiveInt, model_validator

from firstline.common.policy.parts import Code, Part, Words


class AccessField(Part):
    """One value that a kind of access consists of; `long` where it has several lines, such as a private key."""

    code: Code
    title: Words
    optional: bool = False
    long: bool = False


class AccessKind(Part):
    """A kind of access; `change_after` where the client has to change it once the request is resolved."""

    code: Code
    title: Words
    fields: tuple[AccessField, ...] = Field(min_length=1)
    change_after: bool = True


class AccessData(Part):
    """How support asks for access data and what becomes of them (clause 4.3).

    Attributes:
        expires_after_days: so long a client may answer what was asked.
        purge_after_days: so long they are kept at most; a resolution or closing ends it sooner.
        remind_after_hours: hours after the client was told to change them, at which they are told again.
        advice: told beside the form.
        provided: what the correspondence says when the client has answered; never what was given.
        declined: what it says when the client gives nothing.
        kinds: what may be asked for.

    """

    expires_after_days: PositiveInt
    purge_after_days: PositiveInt
    remind_after_hours: tuple[PositiveInt, ...] = ()
    advice: Words
    provided: Words
    declined: Words
    kinds: tuple[AccessKind, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _reminds_in_order(self) -> Self:
        """Refuse hours that don't rise: reminders are counted by their place in the list."""
        if list(self.remind_after_hours) != sorted(set(self.remind_after_hours)):
            raise ValueError("the hours of the reminders must rise, such as [24, 72]")
        return self

    def kind(self, code: str) -> AccessKind | None:
        """Return the kind of that code, if the policy has it."""
        return next((known for known in self.kinds if known.code == code), None)

    @property
    def kept_for(self) -> timedelta:
        """How long what was given is kept at most."""
        return timedelta(days=self.purge_after_days)

    @property
    def open_for(self) -> timedelta:
        """How long a client may answer."""
        return timedelta(days=self.expires_after_days)

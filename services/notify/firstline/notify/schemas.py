"""Bodies of notify's API."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Url = Annotated[str, StringConstraints(min_length=1, max_length=2048, strip_whitespace=True)]
Wish = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Types = Annotated[list[Wish], Field(max_length=60)]
Description = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]
URL_EXAMPLE = "https://hooks.partner.example/firstline"
TYPES_SAID = "Event types or prefixes such as `ticket`; empty: all public types."


class Sent(BaseModel):
    """A body that is sent; unknown members are mistakes."""

    model_config = ConfigDict(extra="forbid")


class Answered(BaseModel):
    """A body that is answered, read from a row."""

    model_config = ConfigDict(from_attributes=True)


class NewEndpoint(Sent):
    """A webhook endpoint to make."""

    url: Url = Field(examples=[URL_EXAMPLE])
    types: Types = Field(default=[], description=TYPES_SAID, examples=[["ticket.submitted", "ticket.replied"]])
    content: bool = Field(default=False, description="Whether the texts of public messages go along.")
    description: Description = Field(default="", examples=["CRM of the shop"])
    organization_id: str | None = Field(
        None, description="Whose requests it hears of; left out: the caller's organization, for an admin all."
    )


class EndpointChanges(Sent):
    """What to change of an endpoint; what is left out stays."""

    url: Url = Field("", examples=[URL_EXAMPLE])
    types: Types = Field(default=[], description=TYPES_SAID, examples=[["ticket"]])
    content: bool = False
    description: Description = ""
    state: Literal["enabled", "disabled"] = "enabled"


class Rotation(Sent):
    """How to change an endpoint's secret."""

    overlap_hours: float = Field(24, ge=0, le=168, description="Hours for which the secret before signs too.")


class EndpointOut(Answered):
    """An endpoint as it is now; nobody gets its secret back."""

    id: str
    organization_id: str | None = Field(description="Null: it hears of every request.")
    url: str = Field(examples=[URL_EXAMPLE])
    types: list[str]
    content: bool
    description: str
    state: Literal["enabled", "disabled"]
    reason: str = Field(description="Why the desk disabled it; empty otherwise.")
    version: int
    created_at: datetime
    updated_at: datetime
    last_success_at: datetime | None


class EndpointMade(EndpointOut):
    """An endpoint with its new secret, which is shown this once."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="])


class DeliveryOut(Answered):
    """A mail to one recipient or an event to one endpoint, and how it stands."""

    id: str
    channel: Literal["mail", "webhook"]
    kind: str = Field(description="The policy's text, or the event's type.", examples=["acknowledgement"])
    event_id: str
    ticket_id: str | None
    number: str | None = Field(examples=["FL-7K3M-9QPX"])
    endpoint_id: str | None
    recipient: str | None = Field(examples=["clara@shop.example"])
    message_id: str | None
    state: Literal["pending", "sent", "delivered", "failed", "exhausted", "suppressed", "erased"]
    reason: str = Field(description="Why it was suppressed, has failed or is tried again.", examples=["automatic"])
    attempts: int
    created_at: datetime
    first_at: datetime | None
    next_at: datetime | None = Field(description="When it is tried next.")
    finished_at: datetime | None


class AttemptOut(Answered):
    """One try to deliver."""

    number: int
    at: datetime
    took_ms: int
    outcome: Literal["delivered", "retry", "failed", "gone"]
    status: int | None = Field(description="HTTP status or SMTP code, where there was an answer.", examples=[503])
    detail: str
    excerpt: str = Field(description="The beginning of the answer's body, at most 1 KB.")


class DeliveryRead(DeliveryOut):
    """A delivery with its attempts, in their order."""

    attempt_list: list[AttemptOut]


class FeedEvent(BaseModel):
    """An event as outsiders see it; webhooks send the same form."""

    id: str = Field(description="The same in the feed and as `webhook-id`.")
    type: str = Field(examples=["ticket.replied"])
    time: datetime
    position: int = Field(description="Its place in the feed; pass it as `after` to read on.", examples=[1])
    ticket_id: str | None
    number: str | None = Field(examples=["FL-7K3M-9QPX"])
    organization_id: str | None
    status: str | None = Field(description="The request's status after the event.", examples=["open"])
    data: dict[str, Any]
    links: dict[str, str]

"""Bodies of lists' filters and of calls for many requests."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from firstline.intake.schemas.given import Body, Short

BULK_LIMIT = 500

Status = Literal["new", "open", "waiting", "resolved", "closed"]
WaitingCause = Literal["client", "third_party", "release"]
Words = Annotated[str, StringConstraints(max_length=500)]


class FilterIn(Body):
    """What a list shows, as in the query of `GET /v1/tickets`; all of it must hold."""

    status: Status | None = None
    tier: Short | None = None
    topic: Short | None = None
    urgency: Short | None = None
    waiting_cause: WaitingCause | None = None
    requester: Short | None = None
    organization_id: Short | None = None
    external_ref: Short | None = None
    q: Words | None = None
    updated_after: datetime | None = None


class BulkIn(Body):
    """A verb for many requests: those named, or those that a filter finds."""

    ids: Annotated[list[Short], Field(min_length=1)] | None = Field(None, description="IDs or numbers, 500 at most.")
    filter: FilterIn | None = None
    verb: Literal["messages", "triage", "wait", "resume", "handover", "release-plan", "resolve", "close", "reopen"]
    body: dict[str, Any] = Field({}, description="What the verb takes at one request.", examples=[{"cause": "client"}])
    dry_run: bool = Field(False, description="Store nothing; the results say what would come of it.")
    claim_tokens: dict[str, str] = Field({}, description="Claim-Tokens by ID or number as named, where you hold them.")

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        """Refuse a call for nobody, for everybody, or for more than can be done in one."""
        if (self.ids is None) == (self.filter is None):
            raise ValueError("Give either ids or a filter.")
        if self.filter is not None and not self.filter.model_dump(exclude_none=True):
            raise ValueError("Give the filter at least one condition; an empty one would mean all requests.")
        if self.ids is not None and len(self.ids) > BULK_LIMIT:
            raise ValueError(f"Name at most {BULK_LIMIT} requests at once; send the rest in another call.")
        return self


class BulkResult(BaseModel):
    """What came of one request."""

    given: str = Field(description="The ID or number as it was named.")
    ok: bool
    id: str | None
    number: str | None
    status: Status | None
    version: int | None
    problem: dict[str, Any] | None = Field(description="The problem document that the single verb would answer.")


class BulkOut(BaseModel):
    """What came of each request, in the order named."""

    items: list[BulkResult]
    done: int
    refused: int
    dry_run: bool

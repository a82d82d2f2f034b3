"""Releases as they are shown (clause 2.2)."""

from datetime import datetime

from pydantic import BaseModel, Field


class ReleaseOut(BaseModel):
    """A release that requests were planned for; `shipped_at` is null until it is out."""

    version: str
    note: str | None
    shipped_at: datetime | None
    waiting: int = Field(description="How many requests wait for it.")


class ShippedOut(BaseModel):
    """A release that is out."""

    version: str
    note: str | None
    shipped_at: datetime

"""What clients ask the supervisor, as it is shown (closing paragraph)."""

from datetime import datetime

from pydantic import BaseModel


class SupervisorRequestOut(BaseModel):
    """What a client's side asked the supervisor, and the answer once there is one."""

    id: str
    ticket_id: str
    kind: str
    body: str
    asked_by: str
    asked_at: datetime
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None


class UnansweredOut(BaseModel):
    """What no supervisor has answered yet, with the request that it is about."""

    id: str
    ticket_id: str
    number: str
    subject: str
    kind: str
    body: str
    asked_by: str
    asked_at: datetime

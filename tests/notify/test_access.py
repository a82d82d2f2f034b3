"""Mails about access data (clause 4.3): they name the request, carry no link, and no value."""

from datetime import UTC, datetime
from typing import Any

from firstline.common.event_parts import Actor, Recipient
from firstline.common.events import (
    AccessToChange,
    TicketAccessChangeDue,
    TicketAccessPurged,
    TicketAccessRequested,
    TicketAccessRevealed,
)

NUMBER = "FL-7K3M-9QPX"
FACTS: dict[str, Any] = {
    "actor": Actor(id="anna", role="agent"),
    "number": NUMBER,
    "organization_id": "shop",
    "status": "open",
    "recipients": [Recipient(address="clara@shop.example", name="Clara")],
    "request_id": "r",
}
TOLD: dict[str, Any] = {"kinds": ["ftp", "ssh"], "host": "shop.example"}
DUE: dict[str, Any] = {**FACTS, "access": [AccessToChange(kind="ftp", host="shop.example")]}


async def test_the_client_hears_of_access_data_without_a_link(world: Any) -> None:
    """Asked, read, deleted, to be changed: each says what, and why; none has a link that a forger could copy."""
    await world.tell(world.submitted())
    until = datetime(2026, 12, 1, 12, tzinfo=UTC)
    await world.tell(
        TicketAccessRequested(**FACTS, **TOLD, reason="To read the log.", requested_by="Anna", expires_at=until),
        TicketAccessRevealed(**FACTS, **TOLD, reason="Compare the files.", revealed_by="Anna", fence=3),
        TicketAccessPurged(**FACTS, **TOLD, cause="age"),
        TicketAccessPurged(**FACTS, **TOLD, cause="revoked"),
        TicketAccessPurged(**FACTS, **TOLD, cause="resolved"),
        *(TicketAccessChangeDue(**DUE, occasion=occasion) for occasion in ("resolved", "reminder", "closed")),
    )
    await world.settle()
    texts = [" ".join(text.split()) for text in world.texts()[1:]]
    assert len(texts) == 7
    assert all("http" not in text and NUMBER in text for text in texts)
    assert all("FTP (shop.example)" in text for text in texts)
    asked, read, old, revoked, now, again, closed = texts
    assert ("What for: To read the log." in asked, "until 2026-12-01 12:00 (UTC)" in asked) == (True, True)
    assert "Never send logins, passwords or keys by mail" in asked
    assert ("Anna has read access data" in read, "What for: Compare the files." in read) == (True, True)
    assert ("the longest time" in old, "taken back" in revoked) == (True, True)
    assert ("is solved" in now, "you have not told us yet" in again, "is closed" in closed) == (True, True, True)

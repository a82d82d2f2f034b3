"""What events say of what a ticket is like, as far as the policy's rules of targets may ask for it."""

from firstline.common.errors import Unavailable
from firstline.common.events import TicketEvent, TicketReplied, TicketSubmitted, TicketTriaged
from firstline.common.store.port import Unit
from firstline.sla.store import EDITION, HAS_LICENCE

Told = dict[str, str | None]


class LicenceUnknown(Unavailable):
    """The licence that a request names has not reached this service yet."""

    title = "The licence is not known here yet"


def told_by(data: TicketEvent) -> Told:
    """Return what an event says; nothing where it isn't about that."""
    match data:
        case TicketSubmitted():
            return {
                "urgency": data.urgency,
                "topic": data.topic,
                "tier": data.tier,
                "organization_id": data.organization_id,
                "entitlement": data.entitlement,
                "licence_id": data.licence_id,
            }
        case TicketTriaged():
            return {"urgency": data.urgency, "topic": data.topic, "tier": data.tier}
        case TicketReplied(entitlement=str()):
            return {"entitlement": data.entitlement, "licence_id": data.licence_id}
    return {}


async def with_edition(unit: Unit, told: Told, *, needed: bool) -> Told:
    """Return what was said with the edition of the licence that it names, which stays as it is known now.

    Raises:
        LicenceUnknown: it is needed, and the licence has not arrived here yet.

    """
    licence_id = told.get("licence_id")
    if licence_id is None:
        # Said to have none: then there is no edition either, whatever was known before.
        return {**told, "edition": None} if "licence_id" in told else told
    if needed and await unit.one(HAS_LICENCE, id=licence_id) is None:
        raise LicenceUnknown(f"The licence {licence_id} has not arrived here yet. Try again in a moment.")
    return {**told, "edition": await unit.one(EDITION, id=licence_id)}

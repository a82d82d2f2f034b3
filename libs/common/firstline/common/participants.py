"""Who takes part in a ticket on the client's side: the copies that services keep of it, to know who may ask."""

from dataclasses import dataclass

from firstline.common.addresses import normal_address
from firstline.common.events import TicketEvent, TicketSubmitted
from firstline.common.store.port import Sql, Unit


@dataclass(frozen=True, slots=True)
class Participants:
    """The statements on a service's table of (ticket_id, address), whose addresses are as compared."""

    addresses: Sql[str]
    drop: Sql[None]
    add: Sql[None]
    forget: Sql[None]

    async def keep(self, unit: Unit, ticket_id: str, event: TicketEvent, *, is_new: bool) -> None:
        """Keep who takes part in a ticket now; `is_new` spares the look for who did before."""
        known = [] if is_new else await unit.all(self.addresses, ticket_id=ticket_id)
        addresses = {normal_address(recipient.address) for recipient in event.recipients}
        if isinstance(event, TicketSubmitted):
            addresses.add(normal_address(event.requester.email))  # also a requester who wants no mail
        # The usual case: most events of a ticket change nobody.
        if addresses == set(known):
            return
        # All anew instead of the difference: lists are short, and one way of writing is enough.
        if known:
            await unit.run(self.drop, ticket_id=ticket_id)
        await unit.many(self.add, [{"ticket_id": ticket_id, "address": address} for address in sorted(addresses)])


def participants_in(table: str) -> Participants:
    """Return the statements on a table with these columns, of which both are the key and the address is indexed."""
    return Participants(
        Sql(f"SELECT address FROM {table} WHERE ticket_id = :ticket_id ORDER BY address", str),  # noqa: S608
        Sql(f"DELETE FROM {table} WHERE ticket_id = :ticket_id", type(None)),  # noqa: S608
        Sql(f"INSERT INTO {table} (ticket_id, address) VALUES (:ticket_id, :address)", type(None)),  # noqa: S608
        Sql(f"DELETE FROM {table} WHERE address = :address", type(None)),  # noqa: S608
    )

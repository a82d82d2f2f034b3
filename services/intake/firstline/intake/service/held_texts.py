"""Texts that were held back (clause 4.3): restored by a specialist, moved to the vault, or deleted after their days."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from firstline.common.errors import Conflict, NotFound
from firstline.common.events import TicketNoted
from firstline.common.permissions import Principal
from firstline.common.store.port import Unit
from firstline.intake.service.change import Change
from firstline.intake.service.claims import demand_claim
from firstline.intake.service.desk import Desk
from firstline.intake.service.holding import place_of
from firstline.intake.service.words import rewrite_words
from firstline.intake.store.held_texts import (
    EDIT_BODY,
    END_HELD_TEXT,
    HELD_TEXT,
    HELD_TEXTS_DUE,
    HELD_TEXTS_OF_TICKET,
    DueText,
    HeldText,
)

TEXTS_A_STEP = 100
Ending = Literal["released", "moved"]
_ASK_AGAIN = "Ask the client to write it again where it is needed."
_INSTEAD = {"moved": "It lies with the access data of the request."}


class TextNotHeld(Conflict):
    """Somebody has decided on it, or its days are over and it was deleted."""

    title = "The text is not held any more"


async def restore(change: Change, principal: Principal, token: str | None, held_id: str) -> HeldText:
    """Put a text back that holds no secret, as it came; who did so stands in the history.

    Raises:
        NotFound: this request has no such text.
        StaleClaim: whoever restores it doesn't hold the claim now.
        TextNotHeld: it is not held any more.
        VaultLocked: the key that sealed it is not here.

    """
    await demand_claim(change, principal, token)
    held = await find_held(change, held_id)
    text = opened(change, held)
    if held.message_id is not None:
        await change.unit.run(EDIT_BODY, id=held.message_id, body=text)
    elif held.place == "subject":
        change.become(subject=text)
    elif held.place.startswith("fields.") and held.place.count(".") == 1:
        change.become(fields={**change.ticket.fields, held.place.partition(".")[2]: text})
    await end(change, held, "released", principal)
    change.say(TicketNoted, message_id=held.message_id or held.id, restored=held.id)
    await change.save()
    # What can be found follows what can be read.
    await rewrite_words(change.unit, change.ticket.id)
    return held


async def find_held(change: Change, held_id: str) -> HeldText:
    """Return a text of the request that is held, locked against a second decision.

    Raises:
        NotFound: this request has no such text.
        TextNotHeld: it is not held any more.

    """
    held = await change.unit.one(HELD_TEXT, id=held_id)
    if held is None or held.ticket_id != change.ticket.id:
        raise NotFound("Nothing with this ID is here for you. Check the ID.")
    if held.status != "held":
        raise TextNotHeld(f"It was {held.status}. {_INSTEAD.get(held.status, _ASK_AGAIN)}")
    return held


def opened(change: Change, held: HeldText) -> str:
    """Return a text as it came.

    Raises:
        VaultLocked: the key that sealed it is not here.

    """
    return change.desk.vault.open(held.sealed, place_of(held.ticket_id, held.id)).get_secret_value().decode()


async def end(change: Change, held: HeldText, status: Ending, decider: Principal) -> None:
    """Note what was decided on a text, and overwrite the original, its own key first of all."""
    await change.unit.run(
        END_HELD_TEXT,
        id=held.id,
        status=status,
        data_key=bytes(len(held.data_key)),
        content=bytes(len(held.content)),
        decided_by=decider.id,
        decided_at=change.now,
    )


async def purge_held_texts(desk: Desk, unit: Unit) -> int:
    """Delete sealed texts whose days are over; return how many: each is overwritten, its own key first of all."""
    return await _purge(unit, await unit.all(HELD_TEXTS_DUE, now=desk.now(), limit=TEXTS_A_STEP), desk.now())


async def purge_of_ticket(unit: Unit, ticket_id: str, now: datetime) -> int:
    """Delete what is kept sealed of a request now, for somebody is erased whose words may be in it; return how many."""
    return await _purge(unit, await unit.all(HELD_TEXTS_OF_TICKET, ticket_id=ticket_id), now)


async def _purge(unit: Unit, texts: Sequence[DueText], now: datetime) -> int:
    """Overwrite sealed texts, their own keys first of all; return how many."""
    for one in texts:
        await unit.run(
            END_HELD_TEXT,
            id=one.id,
            status="purged",
            data_key=bytes(one.data_key),
            content=bytes(one.content),
            decided_by=None,
            decided_at=now,
        )
    return len(texts)

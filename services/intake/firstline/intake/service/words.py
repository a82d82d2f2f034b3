"""The words by which requests are found: kept with each text, and written anew where a text is taken away."""

from firstline.common.store.port import Unit
from firstline.intake.search import terms_of
from firstline.intake.service.change import find
from firstline.intake.store.words import ADD_NOTES, ADD_WORDS, REPLACE_WORDS, TEXTS_OF_TICKET


def first_words(ticket_id: str, subject: str, body: str) -> dict[str, str]:
    """Return the row of a new request's words, for INSERT_WORDS."""
    return {"ticket_id": ticket_id, "terms": " ".join(terms_of(subject, body))}


async def add_words(unit: Unit, ticket_id: str, audience: str, body: str) -> None:
    """Keep the words of one more message or note."""
    statement = ADD_WORDS if audience == "public" else ADD_NOTES
    await unit.run(statement, ticket_id=ticket_id, terms=" ".join(terms_of(body)))


async def rewrite_words(unit: Unit, ticket_id: str) -> None:
    """Keep the words of what the store holds of a request now, and no others.

    Call it, in the same transaction, after a message's text or a subject was erased or masked: nothing of what is gone
    is found any more.
    """
    ticket = await find(unit, ticket_id)
    texts = await unit.all(TEXTS_OF_TICKET, ticket_id=ticket_id)
    public = [text.text for text in texts if text.audience == "public"]
    notes = [text.text for text in texts if text.audience != "public"]
    await unit.run(
        REPLACE_WORDS,
        ticket_id=ticket_id,
        terms=" ".join(terms_of(ticket.subject, *public)),
        notes=" ".join(terms_of(*notes)),
    )

"""Erasing a person at intake: their part in each request, their files and mails, and what else names them.

The case stays: number, times, topic, what staff answered without the name and address. Each request tells so by
`ticket.redacted`, which reaches whoever keeps copies behind all that the request had told before.
"""

from collections import Counter
from collections.abc import Iterable

from firstline.common.erasure import (
    PORTION,
    Portion,
    Stage,
    begin_erasure,
    change_mention,
    common_stages,
    mentions_stage,
)
from firstline.common.events import TicketRedacted
from firstline.common.redaction import ERASED, Erased
from firstline.common.store.port import Sql, Unit
from firstline.intake.service.access_ending import forget
from firstline.intake.service.change import Change
from firstline.intake.service.desk import SYSTEM, Desk
from firstline.intake.service.erasing_bytes import RawMails, TextFiles
from firstline.intake.service.held_texts import purge_of_ticket
from firstline.intake.service.words import rewrite_words
from firstline.intake.store.erasure import (
    ACCESS_MENTIONS,
    ASKED,
    ASKED_MENTIONS,
    ATTACHED_BY,
    CANNED_MENTIONS,
    CHANGE_ASKED,
    CHANGE_MESSAGE,
    CLEAN_SUBJECT,
    DROP_MERGED_PARTICIPANT,
    DROP_PARTICIPANT,
    ERASE_ATTACHMENT,
    ERASE_TICKET,
    FILE_MENTIONS,
    INCIDENT_ANSWER_MENTIONS,
    INCIDENT_MENTIONS,
    INCIDENT_OF_ANSWER,
    INCIDENTS_OF,
    KNOWN,
    MERGE_WORDS,
    MESSAGES,
    MESSAGES_AFTER,
    NAMES_OF,
    OTHER_FILES,
    TEXTS_HELD,
    TICKET_MENTIONS,
    TICKET_WORDS_AFTER,
    TICKETS_OF,
    UPLOADED,
    Words,
)
from firstline.intake.store.tickets import PARTICIPANTS, TICKET_TO_CHANGE
from firstline.intake.ticket import Ticket


async def begin(unit: Unit, person_id: str) -> None:
    """Begin to erase a person; nothing is to be done for one that is not known here any more."""
    known = await unit.one(KNOWN, id=person_id)
    if known is None:
        return
    tickets = await unit.all(TICKETS_OF, address=known.email)
    incidents = await unit.all(INCIDENTS_OF, tickets=tickets)
    names = await unit.all(NAMES_OF, address=known.email)
    await begin_erasure(unit, person_id, known.email, [known.name, *names], [*tickets, *incidents])


class Erasure:
    """What intake erases of a person."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages in their order."""
        own = (
            Stage(self._ticket, self._ticket_files),
            RawMails(self._desk).stage(),
            Stage(self._uploads, self._uploaded_files),
            TextFiles(self._desk).stage(),
            Stage(self._messages),
            Stage(self._tickets),
            Stage(_incidents),
            Stage(_incident_answers),
            mentions_stage("questions to supervisors", ASKED_MENTIONS),
            mentions_stage("access requests", ACCESS_MENTIONS),
            mentions_stage("ready-made answers", CANNED_MENTIONS),
            mentions_stage("names of files", FILE_MENTIONS),
            Stage(_merge_words),
        )
        return (*own, *common_stages())

    async def unread(self, unit: Unit, who: Erased) -> dict[str, int]:
        """Count what may still name the person: others' files in their requests that are no text, and sealed texts."""
        counts = Counter(await unit.all(OTHER_FILES, tickets=who.tickets))
        counts["held texts"] = await unit.one(TEXTS_HELD) or 0
        return dict(+counts)

    async def _ticket_files(self, who: Erased) -> None:
        """Delete the bytes of what the person attached to the next request."""
        ticket_id = _next(who)
        if ticket_id is not None:
            given = {"ticket_id": ticket_id, "authors": _authors(who)}
            files = await self._desk.store.read(lambda unit: unit.all(ATTACHED_BY, **given))
            await self._delete(file.file_key for file in files)

    async def _delete(self, keys: Iterable[str | None]) -> None:
        """Delete the bytes of files; those that are gone already are no mistake."""
        for key in keys:
            if key:
                await self._desk.files.delete(key)

    async def _ticket(self, unit: Unit, who: Erased) -> Portion:
        """Take the person out of the next request, under its lock."""
        ticket_id = _next(who)
        ticket = await unit.one(TICKET_TO_CHANGE, id=ticket_id) if ticket_id else None
        if ticket is None:
            return Portion(str(int(who.place or 0) + 1) if ticket_id else None)
        for drop in (DROP_PARTICIPANT, DROP_MERGED_PARTICIPANT):
            await unit.run(drop, ticket_id=ticket.id, address=who.address)
        participants = await unit.all(PARTICIPANTS, ticket_id=ticket.id)
        files = await unit.all(ATTACHED_BY, ticket_id=ticket.id, authors=_authors(who))
        for file in files:
            await unit.run(ERASE_ATTACHMENT, id=file.id, name=ERASED)
        messages = await self._words(unit, who, MESSAGES, CHANGE_MESSAGE, ticket.id)
        asked = await self._words(unit, who, ASKED, CHANGE_ASKED, ticket.id)
        change = Change(self._desk, unit, ticket, participants, SYSTEM)
        access = await forget(change, who)
        await self._tell(change, who, ticket)
        counts = {"requests": 1, "messages": messages, "questions to supervisors": asked, "files": len(files)}
        counts |= {"access requests": access} if access else {}
        held = await purge_of_ticket(unit, ticket.id, self._desk.now())
        counts |= {"held texts": held} if held else {}
        return Portion(str(int(who.place or 0) + 1), counts)

    async def _words(self, unit: Unit, who: Erased, read: Sql[Words], write: Sql[None], ticket_id: str) -> int:
        """Take the person out of what was written to a request; return how much that was."""
        count = 0
        for words in await unit.all(read, ticket_id=ticket_id):
            left = _left(who, words, near=True)
            if left != words:
                given = {"id": left.id, "name": left.name, "body": left.body}
                given |= {"answer": left.answer} if write is CHANGE_ASKED else {"author": left.author}
                count += await unit.run(write, **given)
        return count

    async def _tell(self, change: Change, who: Erased, ticket: Ticket) -> None:
        """Erase the request's own words where it was the person's, and tell whoever keeps copies."""
        requester = ticket.requester_email == who.address
        subject = ERASED if requester else who.cleaned(ticket.subject, near=True)
        if requester and ticket.rating:
            change.become(rating=ticket.rating | {"comment": None})
        if requester:
            change.become(missing_information=[], hints=[])
        change.say(TicketRedacted, person_id=who.person_id, requester=requester, subject=subject)
        await change.save()
        if requester:
            await change.unit.run(ERASE_TICKET, id=ticket.id, subject=subject)
        elif subject != ticket.subject:
            await change.unit.run(CLEAN_SUBJECT, id=ticket.id, subject=subject)
        await rewrite_words(change.unit, ticket.id)

    async def _uploaded_files(self, who: Erased) -> None:
        """Delete the bytes of what the person uploaded and sent with no message."""
        authors = _authors(who)
        files = await self._desk.store.read(
            lambda unit: unit.all(UPLOADED, after=who.place, authors=authors, limit=PORTION)
        )
        await self._delete(file.file_key for file in files)

    async def _uploads(self, unit: Unit, who: Erased) -> Portion:
        """Empty the rows of what the person uploaded and sent with no message."""
        page = await unit.all(UPLOADED, after=who.place, authors=_authors(who), limit=PORTION)
        own = [file for file in page if file.file_key is not None]
        for file in own:
            await unit.run(ERASE_ATTACHMENT, id=file.id, name=ERASED)
        return Portion(page[-1].id if page else None, {"files": len(own)})

    async def _messages(self, unit: Unit, who: Erased) -> Portion:
        """Take the address out of messages to others' requests."""
        page = await unit.all(MESSAGES_AFTER, after=who.place, limit=PORTION)
        count, tickets = 0, dict[str, None]()
        for words in page:
            left = _left(who, words, near=who.named_in(words.body))
            if left != words:
                count += await unit.run(CHANGE_MESSAGE, id=left.id, author=left.author, name=left.name, body=left.body)
                tickets[words.ticket_id] = None
        for ticket_id in tickets:
            await self._tell_of(unit, who, ticket_id)
        return Portion(page[-1].id if page else None, {"messages": count})

    async def _tickets(self, unit: Unit, who: Erased) -> Portion:
        """Take the address out of what else others' requests hold."""
        page = await unit.all(TICKET_WORDS_AFTER, after=who.place, limit=PORTION)
        named = [ticket.id for ticket in page if who.named_in(ticket.words)]
        for ticket_id in named:
            await unit.one(TICKET_TO_CHANGE, id=ticket_id)
            for texts in TICKET_MENTIONS.values():
                row = await unit.one(texts.one, id=ticket_id)
                if row is not None:
                    await change_mention(unit, texts, who, row)
            await self._tell_of(unit, who, ticket_id)
        return Portion(page[-1].id if page else None, {"requests": len(named)})

    async def _tell_of(self, unit: Unit, who: Erased, ticket_id: str) -> None:
        """Tell whoever keeps copies of somebody else's request, which named the person, behind all that it told."""
        ticket = await unit.one(TICKET_TO_CHANGE, id=ticket_id)
        if ticket is not None:
            change = Change(self._desk, unit, ticket, await unit.all(PARTICIPANTS, ticket_id=ticket_id), SYSTEM)
            change.say(TicketRedacted, person_id=who.person_id, subject=who.cleaned(ticket.subject, near=False))
            await change.save()
            await rewrite_words(unit, ticket_id)


async def _incidents(unit: Unit, who: Erased) -> Portion:
    """Take the person out of incidents; out of those that concern a request of theirs also by name."""
    page = await unit.all(INCIDENT_MENTIONS.read, after=who.place, limit=PORTION)
    count = 0
    for row in page:
        count += await change_mention(unit, INCIDENT_MENTIONS, who, row, near=row.id in who.tickets)
    return Portion(page[-1].id if page else None, {"incidents": count})


async def _incident_answers(unit: Unit, who: Erased) -> Portion:
    """Take the person out of answers to all requests of an incident."""
    page = await unit.all(INCIDENT_ANSWER_MENTIONS.read, after=who.place, limit=PORTION)
    count = 0
    for row in page:
        near = await unit.one(INCIDENT_OF_ANSWER, id=row.id) in who.tickets
        count += await change_mention(unit, INCIDENT_ANSWER_MENTIONS, who, row, near=near)
    return Portion(page[-1].id if page else None, {"answers to incidents": count})


async def _merge_words(unit: Unit, _who: Erased) -> Portion:
    """Let the index of words forget what was taken out of it."""
    await unit.run(MERGE_WORDS)
    return Portion(None)


def _next(who: Erased) -> str | None:
    """Return the request whose turn it is."""
    index = int(who.place or 0)
    return who.tickets[index] if index < len(who.tickets) else None


def _authors(who: Erased) -> list[str]:
    """Return as whom the person wrote: somebody who was known, or a stranger."""
    return [who.person_id, who.address]


def _left(who: Erased, words: Words, *, near: bool) -> Words:
    """Return what is left of what somebody wrote."""
    own = words.side == "client" and (words.author or "").lower() in (*_authors(who), *map(str.lower, who.names))
    answer = _cleaned(who, words.answer, near)
    if own:
        return Words(words.id, words.side, None, None, ERASED if words.body else "", answer, words.ticket_id)
    return Words(
        words.id,
        words.side,
        words.author,
        _cleaned(who, words.name, near),
        who.cleaned(words.body, near=near),
        answer,
        words.ticket_id,
    )


def _cleaned(who: Erased, text: str | None, near: bool) -> str | None:
    """Return a text without the person, where there is one."""
    return None if text is None else who.cleaned(text, near=near)

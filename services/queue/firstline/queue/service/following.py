"""Following the tickets: what their events make of their entries (clauses 2.1, 2.3, 2.4)."""

from firstline.common.envelope import Envelope
from firstline.common.events import (
    QueueEntered,
    QueueEvent,
    QueueLeft,
    QueueMoved,
    TicketDuplicateLeft,
    TicketEvent,
    TicketReplied,
)
from firstline.common.log import Log
from firstline.common.store.port import Unit
from firstline.queue.entry import IN_PROGRESS, Entry, fold
from firstline.queue.service.desk import event_of, rules_at, stream_of
from firstline.queue.store import ENTRY_TO_CHANGE, PARTICIPANTS, SAVE_ENTRY, entry_row


async def follow(unit: Unit, log: Log, envelope: Envelope, event: TicketEvent) -> None:
    """Let an event of a ticket have its effect on the ticket's entry.

    Raises:
        LookupError: the ticket's first event is not the submission.

    """
    ticket_id = envelope.stream.partition("/")[2]
    # By the event's own time, so that a replay gives the same.
    rules = await rules_at(unit, envelope.time)
    # The first event of a ticket finds nothing, and is the most frequent one: it needn't look.
    before = await unit.one(ENTRY_TO_CHANGE, ticket_id=ticket_id) if envelope.version > 1 else None
    after = fold(before, ticket_id, event, envelope.time, envelope.position, rules)
    # Many events change nothing here; writing the row anew would only give vacuum work.
    if after != before:
        await unit.run(SAVE_ENTRY, **entry_row(after))
    await PARTICIPANTS.keep(unit, ticket_id, event, is_new=before is None)
    told = _told(before, after, event)
    if told is not None:
        log.tell(unit, stream_of(ticket_id), told)


def _told(before: Entry | None, after: Entry, event: TicketEvent) -> QueueEvent | None:
    """Return the event that tells what became of the entry, if anything did.

    Its reason is the ticket event's verb; of an entry that left, whether it was answered, went back with a duplicate,
    or what the ticket is now.
    """
    was = before.key if before else None
    if before is not None and was is not None and after.key is None:
        if isinstance(event, TicketDuplicateLeft):
            # Of the entry before: after the event it has no key that could be told.
            return event_of(QueueLeft, before, event.actor, "unmerged")
        # Last words that go out with a resolution are an answer too; what follows them finds no entry any more.
        is_answer = isinstance(event, TicketReplied) or after.status in IN_PROGRESS
        reason = "answered" if is_answer else after.status
        return event_of(QueueLeft, before, event.actor, reason)
    if after.key is None or after.key == was:
        return None
    return event_of(QueueMoved if was else QueueEntered, after, event.actor, event.TYPE.partition(".")[2])

"""The product broken on purpose, one promise at a time: a simulator that lets any of these live proves nothing.

Each names the invariant that it breaks and a seed that shows it. When the world changes, seeds change their meaning:
`tools/kill_mutants.py` looks for new ones.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import firstline.common.answers
import firstline.common.inbox
import firstline.common.relay
import firstline.common.store.sqlite
import firstline.intake.api.context
import firstline.intake.api.tickets
import firstline.intake.app
import firstline.intake.inbound
import firstline.intake.service.claims
import firstline.intake.service.inbound
import firstline.intake.service.releases
import firstline.intake.service.silence
import firstline.intake.service.splitting
import firstline.intake.service.submission
import firstline.intake.silence
import firstline.intake.worker
import firstline.notify.service.mails
import firstline.notify.worker
import firstline.queue.api
import firstline.queue.entry
import firstline.queue.service.claiming
import firstline.queue.service.following
import firstline.queue.service.keeping
import firstline.queue.worker
import firstline.sla.clock
import firstline.sla.handlers
import firstline.sla.history
import firstline.sla.service.clocks
import firstline.sla.service.facts
import firstline.sla.service.recompute
import firstline.sla.worker
from firstline.common.answers import STORE, Answer, answer_row, stored_answer
from firstline.common.calendar import parse_calendar
from firstline.common.envelope import Envelope
from firstline.common.errors import FirstlineError
from firstline.common.events import (
    TicketDuplicateJoined,
    TicketSupervisorAnswered,
    TicketSupervisorRequested,
)
from firstline.common.heads import Heads, StreamHead
from firstline.common.inbox import Inbox
from firstline.common.lease import SharedLease
from firstline.common.log import chained_hash
from firstline.common.pull import Pull
from firstline.common.relay import Head, Relay
from firstline.common.store.port import Insertion, Sql, Unit
from firstline.common.store.sqlite import SqliteStore
from firstline.notify.delivery import Judgement
from firstline.notify.service.outcomes import Tried, record
from firstline.queue.store import TAKE

Break = Callable[["Patches"], None]
Anything = Callable[..., Any]


class Patches:
    """Names that stand for something else for a while."""

    def __init__(self) -> None:
        self._own: list[tuple[Any, str, Any]] = []

    def put(self, place: Any, name: str, value: Any) -> Any:
        """Put a value in the place of another; return what was there."""
        own = place.__dict__[name]
        self._own.append((place, name, own))
        setattr(place, name, value)
        return own

    def undo(self) -> None:
        """Put everything back."""
        for place, name, own in reversed(self._own):
            setattr(place, name, own)


@dataclass(frozen=True)
class Mutant:
    """A broken variant: what it breaks, how, and a seed by which that is seen."""

    name: str
    invariant: str
    broken: Break
    seed: int

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Let the product be broken like this meanwhile."""
        patches = Patches()
        try:
            self.broken(patches)
            yield
        finally:
            patches.undo()


# -- the store


def acknowledge_before_commit(patches: Patches) -> None:
    """Callers hear of success before the commit."""

    async def group(store: SqliteStore) -> None:
        connection: Any = store._write_connection
        jobs: list[Any] = []
        try:
            await store._begin(connection)
            store._run_group(connection, jobs)
            for job in jobs:
                store._tell(job)
            await store._ports.offload(connection.commit)
        except Exception as error:
            connection.rollback()
            store._refuse(jobs, error)

    patches.put(SqliteStore, "_write_group", group)


def insert_in_two_transactions(patches: Patches) -> None:
    """The event of a request is committed after the request."""

    async def insert(store: SqliteStore, insertion: Insertion) -> bool:
        rows, last = insertion.rows[:-1], insertion.rows[-1:]
        if not rows:
            return bool(await own(store, insertion))
        return bool(await own(store, Insertion(rows))) and bool(await own(store, Insertion(last, insertion.channels)))

    own = patches.put(SqliteStore, "insert", insert)


def store_errors_are_ours(patches: Patches) -> None:
    """A store that fails gives an answer that is no "come again"."""

    def failing(error: Exception) -> Exception:
        return RuntimeError(str(error))

    patches.put(firstline.common.store.sqlite, "_out_of_reach", failing)


# -- answers


def keys_are_ignored(patches: Patches) -> None:
    """A retry is a new request."""

    async def nothing(*_given: Any) -> None:
        return None

    patches.put(firstline.intake.api.tickets, "retry_here", nothing)


def answers_are_kept_afterwards(patches: Patches) -> None:
    """The answer under a key is stored after the change that it tells of."""

    async def once(store: Any, clock: Any, retry: Any, work: Anything) -> Answer:
        known = await store.read(lambda unit: stored_answer(unit, retry)) if retry else None
        if known is not None:
            return known  # type: ignore[no-any-return]
        status, body, etag = await store.write(work)
        if retry is not None:
            row = answer_row(retry, status, body, etag, clock.now())
            await store.write(lambda unit: unit.run(STORE, **row))
        return Answer("", status, body, etag)

    for module in (firstline.intake.api.context, firstline.queue.api):
        patches.put(module, "answer_once", once)


def bodies_of_keys_are_not_compared(patches: Patches) -> None:
    """Another body under a key gets the answer of the first."""

    async def stored(unit: Unit, retry: Any) -> Answer | None:
        return await unit.one(firstline.common.answers.STORED, scope=retry.scope, key=retry.key)

    patches.put(firstline.intake.service.submission, "stored_answer", stored)


def refusals_are_kept(patches: Patches) -> None:
    """A refused request leaves a row."""

    async def submit(desk: Any, access: Any, describe: Any, retry: Any, render: Any) -> Any:
        try:
            return await own(desk, access, describe, retry, render)
        except FirstlineError as error:
            if retry is not None and error.status == 422:
                row = answer_row(replace(retry, key=f"no {retry.key}"), 422, error.detail, None, desk.now())
                await desk.store.write(lambda unit: unit.run(STORE, **row))
            raise

    own = patches.put(firstline.intake.api.tickets, "submit", submit)


# -- mail in


def mail_is_taken_before_it_is_kept(patches: Patches) -> None:
    """The listener says 250 and stores then."""

    async def keep(desk: Any, raw: bytes, mail_from: str, rcpt_to: tuple[str, ...]) -> str:
        async def later() -> None:
            await asyncio.sleep(0.02)
            await own(desk, raw, mail_from, rcpt_to)

        desk.ports.spawn(later(), name="keep")
        return ""

    own = patches.put(firstline.intake.app, "keep_mail", keep)


def outcome_outside_the_transaction(patches: Patches) -> None:
    """A mail's outcome is written down after what it did."""
    done: dict[str, tuple[Any, ...]] = {}

    async def remember(_unit: Unit, read: Any, *given: Any) -> None:
        done[read.pending.id] = (read, *given)

    async def settle(desk: Any, settings: Any, read: Any, lease: Any) -> Any:
        decision = await settle_own(desk, settings, read, lease)
        given = done.pop(read.pending.id, None)
        if given is not None:
            await desk.store.write(lambda unit: record_own(unit, *given))
        return decision

    record_own = patches.put(firstline.intake.service.inbound, "record", remember)
    settle_own = patches.put(firstline.intake.worker, "_settle", settle)


def copies_are_not_recognised(patches: Patches) -> None:
    """A mail that comes twice counts twice."""
    patches.put(firstline.intake.service.inbound, "fingerprint", lambda _mail: None)


def strangers_are_let_in(patches: Patches) -> None:
    """Whoever knows a number may write."""
    patches.put(
        firstline.intake.inbound,
        "_for_thread",
        lambda _address, candidates, _check, **_more: firstline.intake.inbound.Decision(
            firstline.intake.inbound.Outcome.APPENDED, "participant", candidates[0].ticket_id
        ),
    )


def numbers_are_not_read(patches: Patches) -> None:
    """The ID in a subject says nothing."""
    patches.put(firstline.intake.inbound, "tagged_numbers", lambda _subject: ())


# -- events


def marker_outside_the_transaction(patches: Patches) -> None:
    """That an event was applied is written down after its effect."""

    async def receive(inbox: Inbox, events: Sequence[Envelope]) -> None:
        for event in events:
            heads = Heads()

            async def apply(unit: Unit, event: Envelope = event, heads: Heads = heads) -> bool:
                await heads.read(unit, [event])
                if heads.of(event).version + 1 != event.version:
                    return False
                await inbox._apply(unit, event)
                heads.move(event)
                return True

            try:
                applied = await inbox._store.write(apply)
            except Exception:
                applied = False
            await (inbox._store.write(heads.save) if applied else own(inbox, [event]))

    own = patches.put(Inbox, "receive", receive)


def repeated_events_are_applied(patches: Patches) -> None:
    """What comes twice has its effect twice."""

    def head(heads: Heads, event: Envelope) -> StreamHead:
        known: StreamHead = own(heads, event)
        if 0 < event.version <= known.version:
            return StreamHead(event.stream, event.log, event.version - 1, "")
        return known

    own = patches.put(Heads, "of", head)


def gaps_are_passed_over(patches: Patches) -> None:
    """An event that comes early is applied at once."""
    patches.put(firstline.common.inbox, "_objection", lambda _head, _event: None)


def nobody_pulls(patches: Patches) -> None:
    """What the bus loses is lost."""

    async def nothing(_pull: Pull) -> int:
        return 0

    patches.put(Pull, "once", nothing)


def batch_with_poison_is_thrown_away(patches: Patches) -> None:
    """An event that no handler can take is dropped with all that came with it."""

    async def nothing(*_given: Any, **_more: Any) -> None:
        return None

    patches.put(Inbox, "_receive_alone", nothing)


def unknown_types_are_errors(patches: Patches) -> None:
    """An event type that nobody knows is parked."""

    async def apply(inbox: Inbox, unit: Unit, event: Envelope) -> None:
        if event.type == "ticket.teleported":
            raise KeyError(event.type)
        await own(inbox, unit, event)

    own = patches.put(Inbox, "_apply", apply)


def positions_are_reused(patches: Patches) -> None:
    """The relay goes on from what it published, not from what it numbered."""

    async def head(relay: Relay, unit: Unit) -> Head:
        found: Head = await own(relay, unit)
        return replace(found, position=found.published) if relay._published is None else found

    own = patches.put(Relay, "_head", head)


def the_chain_breaks(patches: Patches) -> None:
    """A row's hash does not hold that of the row before it."""
    unchained = partial(chained_hash, "")
    patches.put(firstline.common.relay, "chained_hash", lambda _last, row, position: unchained(row, position))


def dead_holders_keep_their_lease(patches: Patches) -> None:
    """No replica takes over from one that died."""
    patches.put(SharedLease, "_seems_dead", lambda _lease, _holder: False)


# -- mail out and webhooks


def answers_to_robots_are_not_counted(patches: Patches) -> None:
    """Two robots may answer one another for ever."""

    async def never(*_given: Any) -> None:
        return None

    patches.put(firstline.notify.service.mails, "_over_the_cap", never)


def each_try_is_a_new_mail(patches: Patches) -> None:
    """A mail that is sent again has another Message-ID."""

    async def attempt(desk: Any, mail: Any) -> Any:
        mark = desk.ports.random.bytes(4).hex().encode()
        return await own(desk, replace(mail, payload=mail.payload.replace(b"Message-ID: <", b"Message-ID: <" + mark)))

    own = patches.put(firstline.notify.worker, "_try", attempt)


def sent_before_it_is(patches: Patches) -> None:
    """A mail counts as sent before it leaves."""

    async def send(desk: Any, mail: Any) -> None:
        done = Tried(desk.now(), 0, Judgement("delivered"))
        await desk.store.write(lambda unit: record(desk, unit, mail.id, done))
        await firstline.notify.worker._try(desk, mail)

    patches.put(firstline.notify.worker, "_send", send)


def for_now_is_for_good(patches: Patches) -> None:
    """A mail that is refused for the moment is given up."""
    patches.put(firstline.notify.worker, "judge_refusal", lambda _code, text: Judgement("failed", text))


def failing_endpoints_are_given_up(patches: Patches) -> None:
    """A webhook that is not taken at once is given up."""

    def judge(status: int, *given: Any) -> Judgement:
        judged: Judgement = own(status, *given)
        return Judgement("failed", judged.reason) if judged.verdict == "retry" else judged

    own = patches.put(firstline.notify.worker, "judge_answer", judge)


def webhooks_tell_their_try(patches: Patches) -> None:
    """The bytes of a webhook differ from try to try."""

    async def post(desk: Any, push: Any) -> Any:
        return await own(desk, replace(push, payload=push.payload + desk.now().isoformat().encode()))

    own = patches.put(firstline.notify.worker, "_post", post)


# -- queue


def no_fence(patches: Patches) -> None:
    """Intake takes any claim token, however old."""

    async def anything(*_given: Any) -> None:
        return None

    patches.put(firstline.intake.service.claims, "check_claim", anything)
    patches.put(firstline.intake.api.context, "check_claim", anything)


def claim_for_two(patches: Patches) -> None:
    """Who names a request gets it, whoever holds it."""
    patches.put(firstline.queue.service.claiming, "is_held", lambda _entry, _now: False)
    patches.put(firstline.queue.service.claiming, "give_back", _do_nothing)


async def _do_nothing(*_given: Any, **_more: Any) -> None:
    """Do nothing."""


def fence_stands_still(patches: Patches) -> None:
    """Every claim of a request has the same fence."""
    same = {name: Sql(sql.text.replace("fence = fence + 1", "fence = fence"), sql.into) for name, sql in TAKE.items()}
    patches.put(firstline.queue.service.claiming, "TAKE", same)


def last_come_first_served(patches: Patches) -> None:
    """The next entry is the last one."""
    order = "ORDER BY free_turn, since, position"
    turned = {
        name: Sql(sql.text.replace(order, "ORDER BY since DESC, position DESC"), sql.into) for name, sql in TAKE.items()
    }
    patches.put(firstline.queue.service.claiming, "TAKE", turned)


def inversions_are_not_recorded(patches: Patches) -> None:
    """Nobody is told why an entry was passed over."""
    patches.put(firstline.queue.service.claiming, "inversion", lambda *_given: None)


def leases_hold_for_ever(patches: Patches) -> None:
    """A claim that is forgotten is never given back."""

    async def nothing(*_given: Any) -> int:
        return 0

    patches.put(firstline.queue.worker, "expire", nothing)
    # Else it would be looked for again and again.
    patches.put(firstline.queue.worker, "NEXT_EXPIRY", Sql("SELECT NULL", datetime))


def expired_goes_to_the_end(patches: Patches) -> None:
    """An entry whose claim ran out has lost its place."""

    async def give_back(unit: Unit, log: Any, entry: Any, *given: Any) -> None:
        moved = replace(entry, since=entry.lease_expires_at)
        text = "UPDATE queue_entry SET since = :since WHERE ticket_id = :ticket_id"
        await own(unit, log, moved, *given)
        await unit.run(Sql(text, type(None)), since=moved.since, ticket_id=entry.ticket_id)

    own = patches.put(firstline.queue.service.keeping, "give_back", give_back)


def answered_stays_in_the_queue(patches: Patches) -> None:
    """An answer leaves the entry where it is."""
    patches.put(firstline.queue.entry, "_answered", lambda entry: entry)


def messages_move_entries(patches: Patches) -> None:
    """Who writes again goes to the end of the queue."""

    def asked(entry: Any, since: datetime, position: int) -> Any:
        return replace(entry, since=since, position=position)

    patches.put(firstline.queue.entry, "_asked", asked)


# -- clocks


def naive_local_time(patches: Patches) -> None:
    """Working hours are read as if the desk stood in Greenwich."""

    def terms(policy: Any) -> Any:
        found = own(policy)
        calendar = parse_calendar({**policy.calendar, "tz": "UTC"})
        return replace(found, calendar=calendar)

    own = patches.put(firstline.sla.service.clocks, "terms_of", terms)


def waiting_counts(patches: Patches) -> None:
    """Time in which a request waits for others is counted."""
    reactions = {**firstline.sla.handlers.REACTIONS, "ticket.waiting": _do_nothing}
    patches.put(firstline.sla.handlers, "REACTIONS", reactions)


def misses_are_forgotten(patches: Patches) -> None:
    """A deadline that passed counts for nothing once the request waits."""
    patches.put(firstline.sla.clock, "overran", lambda *_given: False)


def closed_time_counts(patches: Patches) -> None:
    """Nights and weekends are counted."""

    def counted(past: Any, target: Any) -> Any:
        return [(start, end, end - start) for start, end, _ in own(past, target)]

    own = patches.put(firstline.sla.history, "counted_time", counted)
    patches.put(firstline.sla.clock, "counted_time", counted)


def milestones_come_early(patches: Patches) -> None:
    """A deadline counts as passed an hour before."""

    async def fire(sla: Any, unit: Unit, now: datetime, limit: int) -> int:
        return int(await own(sla, unit, now + timedelta(hours=1), limit))

    own = patches.put(firstline.sla.worker, "fire_due", fire)


def milestones_are_late(patches: Patches) -> None:
    """Nobody is woken when a deadline passes."""

    async def nothing(_unit: Any) -> None:
        return None

    patches.put(firstline.sla.worker, "NEXT_DUE", Sql("SELECT NULL", datetime))


def new_hours_time_nothing(patches: Patches) -> None:
    """Open requests keep the hours that they have, until something happens to them."""
    patches.put(firstline.sla.service.recompute, "follow", _do_nothing)


def hours_pass_who_comes_later(patches: Patches) -> None:
    """What runs again after a change of the hours goes on by those that it had."""

    async def as_it_is(_sla: Any, _unit: Unit, ticket: Any) -> Any:
        return ticket

    patches.put(firstline.sla.service.facts, "up_to_date", as_it_is)


# -- silence


def nobody_is_reminded(patches: Patches) -> None:
    """A request closes when its time is over, whether its client was reminded or not."""

    def act(ticket: Any, rule: Any) -> Any:
        return "close", firstline.intake.silence.closing_time(rule, ticket.silent_since)

    for module in (firstline.intake.silence, firstline.intake.service.silence):
        patches.put(module, "next_act", act)


def others_silence_closes(patches: Patches) -> None:
    """What waits for a third party or a release closes as if it waited for the client."""

    def rule(ticket: Any, silence: Any) -> Any:
        return own(ticket, silence) or (silence.waiting_client if ticket.status == "waiting" else None)

    own = patches.put(firstline.intake.silence, "rule_of", rule)
    patches.put(firstline.intake.service.silence, "rule_of", rule)


def silence_is_for_ever(patches: Patches) -> None:
    """Nobody looks at what is due by silence."""

    async def nothing(*_given: Any) -> int:
        return 0

    patches.put(firstline.intake.worker, "end_silences", nothing)


# -- what happens now and then


def _fold_otherwise(patches: Patches, kind: type[Any], change: Anything) -> None:
    """Let queue make something else of one kind of event."""

    def fold(before: Any, ticket_id: str, event: Any, *given: Any) -> Any:
        after = own(before, ticket_id, event, *given)
        return change(before, after) if isinstance(event, kind) else after

    own = patches.put(firstline.queue.service.following, "fold", fold)


def splits_come_last(patches: Patches) -> None:
    """What is split off counts from the instant of the split."""

    async def new(change: Any, *given: Any) -> Any:
        return replace(await own(change, *given), received_at=change.now)

    own = patches.put(firstline.intake.service.splitting, "_new", new)


def clocks_of_splits_start_early(patches: Patches) -> None:
    """The clocks of what is split off have run since its message came in."""

    async def submitted(sla: Any, unit: Unit, event: Envelope) -> None:
        await own(sla, unit, event.model_copy(update={"data": {**event.data, "split_from": None}}))

    own = firstline.sla.handlers.CLOCKED["ticket.submitted"]
    patches.put(firstline.sla.handlers, "CLOCKED", {**firstline.sla.handlers.CLOCKED, "ticket.submitted": submitted})


def merges_drop_what_is_owed(patches: Patches) -> None:
    """What a duplicate was owed is forgotten with it."""
    _fold_otherwise(
        patches,
        TicketDuplicateJoined,
        lambda before, after: replace(after, since=before.since, position=before.position),
    )


def clocks_know_no_merges(patches: Patches) -> None:
    """What a duplicate brings is no matter to the clocks."""
    clocked = {**firstline.sla.handlers.CLOCKED, "ticket.duplicate_joined": _do_nothing}
    patches.put(firstline.sla.handlers, "CLOCKED", clocked)


def releases_ship_twice(patches: Patches) -> None:
    """A release that is shipped again brings its requests back again."""

    async def ship(desk: Any, unit: Unit, version: str, note: Any, actor: Any) -> Any:
        text = "UPDATE release SET shipped_at = NULL, settled_at = NULL WHERE version = :version"
        await unit.run(Sql(text, type(None)), version=version)
        text = "UPDATE ticket SET awaited_release = released_in WHERE released_in = :version AND status = 'open'"
        await unit.run(Sql(text, type(None)), version=version)
        return await own(desk, unit, version, note, actor)

    own = patches.put(firstline.intake.service.releases, "ship", ship)


def supervisors_move_entries(patches: Patches) -> None:
    """Who writes to the supervisor is served earlier."""

    def earlier(_before: Any, after: Any) -> Any:
        return replace(after, since=after.since - timedelta(hours=1)) if after.key else after

    _fold_otherwise(patches, TicketSupervisorRequested, earlier)


def supervisors_answer_for_all(patches: Patches) -> None:
    """The supervisor's word counts as an answer to the request."""
    _fold_otherwise(
        patches,
        TicketSupervisorAnswered,
        lambda _before, after: firstline.queue.entry.freed(replace(after, since=None, position=None)),
    )


MUTANTS: Sequence[Mutant] = (
    Mutant("acknowledge before commit", "P1", acknowledge_before_commit, 0),
    Mutant("keys are ignored", "P1", keys_are_ignored, 2),
    Mutant("250 before the mail is kept", "P2", mail_is_taken_before_it_is_kept, 7),
    Mutant("outcome outside the transaction", "P2", outcome_outside_the_transaction, 7),
    Mutant("copies of a mail are not recognised", "P2", copies_are_not_recognised, 8),
    Mutant("answers are kept after the change", "P1", answers_are_kept_afterwards, 12),
    Mutant("bodies under a key are not compared", "P3", bodies_of_keys_are_not_compared, 5),
    Mutant("request and event in two transactions", "P4", insert_in_two_transactions, 47),
    Mutant("refusals leave a row", "P5", refusals_are_kept, 0),
    Mutant("a failing store answers 500", "P6", store_errors_are_ours, 0),
    Mutant("inbox marker outside the transaction", "P7", marker_outside_the_transaction, 1),
    Mutant("repeated events are applied again", "P7", repeated_events_are_applied, 0),
    Mutant("nobody pulls", "P8", nobody_pulls, 0),
    Mutant("gaps in a stream are passed over", "P7", gaps_are_passed_over, 0),
    Mutant("positions are reused", "P8", positions_are_reused, 5),
    Mutant("a dead replica's lease is never taken over", "P8", dead_holders_keep_their_lease, 11),
    Mutant("the chain of hashes breaks", "P9", the_chain_breaks, 0),
    Mutant("a batch with poison is thrown away", "P10", batch_with_poison_is_thrown_away, 0),
    Mutant("unknown types are errors", "P11", unknown_types_are_errors, 0),
    Mutant("each try is a new mail", "P12", each_try_is_a_new_mail, 0),
    Mutant("a mail counts as sent before it is", "P12", sent_before_it_is, 0),
    Mutant("strangers are let in", "P13", strangers_are_let_in, 0),
    Mutant("the ID in a subject is not read", "P13", numbers_are_not_read, 0),
    Mutant("answers to robots are not counted", "P14", answers_to_robots_are_not_counted, 1),
    Mutant("no fence", "P15", no_fence, 0),
    Mutant("a claim handed to two", "P15", claim_for_two, 15),
    Mutant("the fence stands still", "P15", fence_stands_still, 0),
    Mutant("last come, first served", "P16", last_come_first_served, 0),
    Mutant("inversions are not recorded", "P16", inversions_are_not_recorded, 3),
    Mutant("leases hold for ever", "P17", leases_hold_for_ever, 0),
    Mutant("an expired claim loses the place", "P17", expired_goes_to_the_end, 0),
    Mutant("what is answered stays in the queue", "P18", answered_stays_in_the_queue, 1),
    Mutant("further messages move an entry", "P18", messages_move_entries, 7),
    Mutant("naive local time", "P19", naive_local_time, 1),
    Mutant("waiting is counted", "P19", waiting_counts, 0),
    Mutant("a missed deadline is forgotten", "P19", misses_are_forgotten, 20),
    Mutant("milestones come early", "P20", milestones_come_early, 5),
    Mutant("milestones are late", "P20", milestones_are_late, 7),
    Mutant("new hours time nothing", "P22", new_hours_time_nothing, 1),
    Mutant("new hours pass who comes later", "P22", hours_pass_who_comes_later, 22),
    Mutant("closed time is counted", "P21", closed_time_counts, 0),
    Mutant("failing endpoints are given up", "P23", failing_endpoints_are_given_up, 1),
    Mutant("webhooks differ from try to try", "P23", webhooks_tell_their_try, 0),
    Mutant("for now is for good", "P27", for_now_is_for_good, 0),
    Mutant("nobody is reminded", "P33", nobody_is_reminded, 16),
    Mutant("what waits for others is closed", "P33", others_silence_closes, 8),
    Mutant("silence lasts for ever", "P33", silence_is_for_ever, 16),
    Mutant("what is split off comes last", "P18", splits_come_last, 5),
    Mutant("clocks of what is split off start early", "P19", clocks_of_splits_start_early, 1),
    Mutant("a merge drops the owed answer", "P18", merges_drop_what_is_owed, 2),
    Mutant("clocks know nothing of merges", "P19", clocks_know_no_merges, 11),
    Mutant("a release ships twice", "P18", releases_ship_twice, 0),
    Mutant("a word to the supervisor moves an entry", "P18", supervisors_move_entries, 20),
    Mutant("the supervisor's word is an answer", "P18", supervisors_answer_for_all, 3),
)
"""Every mutant with a seed that kills it."""

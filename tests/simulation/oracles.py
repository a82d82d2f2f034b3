"""The invariants, each judged from outside the code under test.

By what people were told, by painted calendars and by folds of the event logs.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from evidence import Event, Evidence, when
from firstline.common.bus import BINDINGS, SOURCES
from firstline.common.ports import SystemRandom
from firstline.common.raw_mail import place_of
from firstline.common.secrets import derive
from firstline.common.vault import KeyedVault, Sealed
from firstline.standalone.wiring import SERVICES
from front import Reading
from histories import (
    Clocks,
    Place,
    Silence,
    duplicates,
    facts_of,
    homes,
    is_automatic,
    order_of,
    received,
    split_receipts,
    standing,
    unanswered,
)
from stage import HEARD
from world import SECRET

Oracle = Callable[[Evidence], Iterable[str]]
OUTCOMES = frozenset({"new_ticket", "appended", "quarantined", "refused", "duplicate"})
TOLD_WITHIN = timedelta(seconds=5)
RESTED_FOR = timedelta(seconds=15)
"""So much later may be what fell due while commits failed: after each failure the work rests, longer each time."""
NEARLY, NEARLY_MINUTES = timedelta(milliseconds=1), 0.001
MOST_ANSWERS_ON_TICKET, MOST_TO_A_STRANGER = 2, 10
HOUR = timedelta(hours=1)
INVERSIONS = frozenset({"out_of_turn", "own_ticket", "tier_or_skill", "by_hand", "supervisor"})
"""Reasons for which a claim may pass over an entry; an arrival in between can't happen on a store with one writer."""

STILL = frozenset({"supervisor_requested", "supervisor_answered", "rated", "noted", "split", "merged"})
"""Events of a request that may move nothing, whatever they tell."""

WITH_MESSAGE = ("ticket.submitted", "ticket.replied", "ticket.noted")
HEADER = re.compile(rb"^(Subject|Message-ID|Auto-Submitted|To): *(.*)$", re.MULTILINE)


def accepted_is_there_once(evidence: Evidence) -> Iterable[str]:
    """P1: every request and message that its author was told is taken is there, once."""
    subjects = Counter(ticket["subject"] for ticket in evidence.tickets.values() if not ticket["follows"])
    for marker, request in evidence.front.record.requests.items():
        if subjects[f"Request {marker}"] != 1:
            yield f"{marker} was accepted and is there {subjects[f'Request {marker}']} times"
        found = [ticket["id"] for ticket in evidence.tickets.values() if ticket["number"] == request.number]
        if len(found) != 1 or request.id not in (None, found[0]):
            yield f"{request.number} was promised for {marker}; the store holds {found}"
    bodies = Counter(message["body"].strip().split()[-1] for message in evidence.messages)
    known = {message["id"]: message["ticket_id"] for message in evidence.table("intake", "message")}
    for marker, numbers in evidence.front.record.written.items():
        if bodies[marker] != 1:
            yield f"the message {marker} to {numbers} was accepted and is there {bodies[marker]} times"
    for marker, told in evidence.front.record.messages.items():
        if bodies[marker] != 1 or known.get(told.id) != told.ticket_id:
            yield f"the message {marker} was accepted and is there {bodies[marker]} times"
    yield from _words_are_there_once(evidence)


def _words_are_there_once(evidence: Evidence) -> Iterable[str]:
    """Look for what was said beside the correspondence: to the supervisor, by the supervisor, and ratings."""
    record, rows = evidence.front.record, {row["id"]: row for row in evidence.table("intake", "supervisor_request")}
    asked = Counter(row["body"].split()[-1] for row in rows.values())
    for marker, words in record.asked.items():
        if asked[marker] != 1 or rows.get(words.id, {}).get("body", "").split()[-1:] != [marker]:
            yield f"the word {marker} to the supervisor was accepted and is there {asked[marker]} times"
    for marker, asked_id in record.supervised.items():
        if (rows.get(asked_id, {}).get("answer") or "").split()[-1:] != [marker]:
            yield f"the supervisor's answer {marker} was accepted and is not there"
    rated = Counter(
        (event.data["comment"] or "").split()[-1] for event in evidence.log("intake") if event.type == "ticket.rated"
    )
    for marker, number in record.ratings.items():
        if rated[marker] != 1:
            yield f"the rating {marker} of {number} was accepted and is there {rated[marker]} times"


def _as_it_came(mail_id: str, content: bytes) -> bytes:
    """Return a raw mail that is kept sealed."""
    vault = KeyedVault([derive(SECRET, "vault")], SystemRandom())
    return vault.open(Sealed.from_bytes(content), place_of(mail_id)).get_secret_value()


def mails_have_one_outcome(evidence: Evidence) -> Iterable[str]:
    """P2: every mail with a 250 is kept as it came and has exactly one of five outcomes; copies are duplicates."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in evidence.table("intake", "mail"):
        rows.setdefault(row["sha256"], []).append(row)
        content = evidence.files.get(row["file_key"])
        if content is None or hashlib.sha256(_as_it_came(row["id"], content)).hexdigest() != row["sha256"]:
            yield f"the bytes of mail {row['id']} are not those that came"
        if row["outcome"] not in OUTCOMES or not row["reason"]:
            yield f"mail {row['id']} has the outcome {row['outcome']}"
    for mail in evidence.front.record.mails.values():
        copies = rows.get(mail.sha256, [])
        if not 1 <= len(copies) <= mail.copies:
            yield f"mail {mail.marker} was sent at most {mail.copies} times and is kept {len(copies)} times"
        firsts = [copy for copy in copies if copy["outcome"] != "duplicate"]
        if copies and len(firsts) != 1:
            yield f"mail {mail.marker} counts {len(firsts)} times"
    subjects = Counter(ticket["subject"] for ticket in evidence.tickets.values() if not ticket["follows"])
    for mail in evidence.front.record.mails.values():
        if mail.expected == "request" and subjects[f"Request {mail.marker}"] != 1:
            yield f"mail {mail.marker} made {subjects[f'Request {mail.marker}']} requests"


def keys_have_one_answer(_evidence: Evidence) -> Iterable[str]:
    """P3: one key, one answer; what breaks it is noted where the answers come in."""
    return ()


def nothing_is_half_written(evidence: Evidence) -> Iterable[str]:
    """P4: no request without its first message, no message without its event, no event without its state."""
    messages = Counter(message["ticket_id"] for message in evidence.table("intake", "message"))
    if set(evidence.streams) != set(evidence.tickets):
        yield f"requests and streams differ by {set(evidence.streams) ^ set(evidence.tickets)}"
    for ticket_id, ticket in evidence.tickets.items():
        events = evidence.streams.get(ticket_id, [])
        told = [event for event in events if event.type in WITH_MESSAGE]
        if not events or events[0].type != "ticket.submitted" or len(told) != messages[ticket_id]:
            yield f"{ticket['number']} has {messages[ticket_id]} messages and {len(told)} events of them"
        if events and (ticket["version"], ticket["status"]) != (events[-1].version, events[-1].data["status"]):
            yield f"{ticket['number']} stands at {ticket['version']} {ticket['status']}, its log at {events[-1]}"
    known = {message["id"] for message in evidence.table("intake", "message")}
    for event in evidence.log("intake"):
        if event.type in WITH_MESSAGE and event.data["message_id"] not in known:
            yield f"the message of {event} is nowhere"
    shipped = {
        row["version"]: when(row["shipped_at"]) for row in evidence.table("intake", "release") if row["shipped_at"]
    }
    for ticket_id, ticket in evidence.tickets.items():
        stands = standing(evidence.streams.get(ticket_id, []), shipped)
        asked = json.loads(ticket["supervisor_request"] or "null")
        rating = json.loads(ticket["rating"] or "null")
        shown = (ticket["merged_into"], ticket["awaited_release"], asked and asked["id"], rating and rating["comment"])
        logged = (stands.merged_into, stands.awaited_release, stands.supervisor_request, stands.rating)
        if shown != logged:
            yield f"{ticket['number']} stands at {shown}, its log at {logged}"
    yield from _splits_are_whole(evidence)


def _splits_are_whole(evidence: Evidence) -> Iterable[str]:
    """Hold each request that was split off against the message that it was made of."""
    messages = {row["id"]: row for row in evidence.table("intake", "message")}
    receipts = split_receipts(evidence.log("intake"))
    off = {ticket_id for ticket_id, ticket in evidence.tickets.items() if ticket["split_from"]}
    if set(receipts) != off:
        yield f"requests that were split off and news of it differ by {set(receipts) ^ off}"
    for marker, message_id in evidence.front.record.splits.items():
        message, request = messages[message_id], evidence.front.record.requests[marker]
        ticket = evidence.tickets.get(request.id or "", {})
        if message["split_into"] != request.id or ticket.get("split_from") != message["ticket_id"]:
            yield f"{request.number} was split off from {message['ticket_id']}; the store says otherwise"
        if ticket and ticket["received_at"] != message["received_at"]:
            yield f"{request.number} came in at {ticket['received_at']} and its message at {message['received_at']}"


def refused_leaves_nothing(evidence: Evidence) -> Iterable[str]:
    """P5: what was refused has left no row, no event, no mail."""
    sent = b"\n".join(mail for mail, _, _ in evidence.world.post.taken).decode("utf-8", "replace")
    for marker, status in evidence.front.record.refused.items():
        if marker in evidence.everything or marker in sent:
            yield f"{marker} was answered {status} and left something"


def retries_are_safe(_evidence: Evidence) -> Iterable[str]:
    """P6: no answer but a definite one or "come again"; what breaks it is noted where the answers come in."""
    return ()


def feed_holds_each_event_once(evidence: Evidence) -> Iterable[str]:
    """P7: what each consumer holds is the fold of each event taken once: the feed has every event exactly once."""
    from firstline.notify.public import SHAPES  # noqa: PLC0415 (which types the feed has is a table, not code)

    wanted = Counter(
        event.id
        for source in SOURCES["notify"]
        for event in evidence.log(source)
        if event.type in SHAPES and event.type.partition(".")[0] in BINDINGS["notify"]
    )
    held = Counter(json.loads(row["body"])["id"] for row in evidence.table("notify", "feed"))
    if held != wanted:
        yield f"the feed lacks {list((wanted - held).items())[:3]} and has too many {list((held - wanted).items())[:3]}"
    facts = Counter(row["id"] for row in evidence.table("sla", "fact"))
    if any(times > 1 for times in facts.values()):
        yield "sla took a fact twice"


def events_reach_everybody(evidence: Evidence) -> Iterable[str]:
    """P8: every event is numbered and applied by every consumer that takes it."""
    for service in SERVICES:
        unnumbered = [event for event in evidence.log(service) if event.position is None]
        if unnumbered:
            yield f"{service} has {len(unnumbered)} events without a position"
    for consumer, sources in SOURCES.items():
        for source in sources:
            heads: dict[str, tuple[int, str | None]] = {}
            for event in evidence.log(source):
                if event.type.partition(".")[0] in BINDINGS[consumer]:
                    heads[event.stream] = (event.version, event.hash)
            applied = {
                row["stream"]: (row["version"], row["hash"])
                for row in evidence.table(consumer, "inbox_stream")
                if row["source"] == source and "/stray-" not in row["stream"]
            }
            differing = [name for name in sorted({*heads, *applied}) if heads.get(name) != applied.get(name)]
            if differing:
                name = differing[0]
                yield f"{consumer} stands at {applied.get(name)} of {name}, {source} at {heads.get(name)}"


def logs_have_no_gap(evidence: Evidence) -> Iterable[str]:
    """P9: positions and versions follow one another without gap or repeat, in one chain of hashes."""
    for service in SERVICES:
        heads = evidence.table(service, "log_relay")
        rows = sorted(
            (row for row in evidence.table(service, "log_event") if row["position"]),
            key=lambda row: int(row["position"]),
        )
        if [row["position"] for row in rows] != list(range(1, len(rows) + 1)):
            yield f"{service}: positions are {[row['position'] for row in rows]}"
            continue
        versions: Counter[str] = Counter()
        last = heads[0]["log"] if heads else ""
        for row in rows:
            versions[row["stream"]] += 1
            if row["version"] != versions[row["stream"]]:
                yield f"{service}: {row['stream']} has version {row['version']} at {row['position']}"
            last = _link(last, row)
            if last != row["hash"]:
                yield f"{service}: the chain breaks at {row['position']}"
                break


def _link(last: str, row: Mapping[str, Any]) -> str:
    """Return the hash that chains a row to the one before it."""
    time = when(row["time"]).isoformat()
    names = (row["id"], row["stream"], row["version"], row["type"], time, row["subject"], row["traceparent"])
    facts = json.dumps([last, row["position"], row["data_hash"], *names], separators=(",", ":"))
    return hashlib.sha256(facts.encode()).hexdigest()


def poison_is_parked(evidence: Evidence) -> Iterable[str]:
    """P10: an event that no handler can take is parked with its reason, and nothing else is."""
    for consumer in ("queue", "sla", "notify"):
        kept = {row["stream"]: row for row in evidence.table(consumer, "inbox_event")}
        strange = [row for name, row in kept.items() if name not in evidence.faults.poisoned]
        if strange:
            yield f"{consumer} keeps {strange[0]['stream']} {strange[0]['state']}: {strange[0]['reason'][:200]}"
        for stream in evidence.faults.poisoned:
            if stream not in kept or kept[stream]["state"] != "parked" or not kept[stream]["reason"]:
                yield f"{consumer} did not park {stream}"


def unknown_types_pass(evidence: Evidence) -> Iterable[str]:
    """P11: an event of the next release's type is passed over by every consumer."""
    for consumer in ("queue", "sla", "notify"):
        heads = {row["stream"] for row in evidence.table(consumer, "inbox_stream") if row["version"] == 1}
        for stream in evidence.faults.unknown:
            if stream not in heads:
                yield f"{consumer} did not pass over {stream}"


def _headers(mail: bytes) -> dict[str, str]:
    head = mail.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").replace(b"\r", b"")
    return {name.decode(): value.decode() for name, value in HEADER.findall(head)}


def requests_are_acknowledged_once(evidence: Evidence) -> Iterable[str]:
    """P12: every request has one acknowledgement, whose copies are the same mail, or one reason for none."""
    copies: dict[str, set[bytes]] = {}
    for mail, _, _ in evidence.world.post.taken:
        copies.setdefault(_headers(mail)["Message-ID"], set()).add(mail)
    for mark, mails in copies.items():
        if len(mails) != 1:
            yield f"{mark} went out with {len(mails)} contents"
    deliveries: dict[str, list[dict[str, Any]]] = {}
    for row in evidence.table("notify", "delivery"):
        if row["channel"] == "mail" and str(row["kind"]).startswith("acknowledgement"):
            deliveries.setdefault(row["ticket_id"], []).append(row)
    for ticket_id, ticket in evidence.tickets.items():
        found = deliveries.get(ticket_id, [])
        if len(found) != 1:
            yield f"{ticket['number']} has {len(found)} acknowledgements"
            continue
        state, mark = str(found[0]["state"]), str(found[0]["message_id"])
        gone = ticket["requester_email"] in evidence.world.post.unknown
        if state == "suppressed" and not found[0]["reason"]:
            yield f"{ticket['number']} is not acknowledged, for no reason"
        if state not in ("sent", "suppressed") and not (gone and state == "failed"):
            yield f"the acknowledgement of {ticket['number']} is {state}"
        if state == "sent" and mark not in copies:
            yield f"the acknowledgement of {ticket['number']} counts as sent and arrived nowhere"


def replies_go_where_they_belong(evidence: Evidence) -> Iterable[str]:
    """P13: a participant's reply with the ID is added to that request; a stranger's is held and shown to nobody."""
    places: dict[str, list[str]] = {}
    written: dict[str, set[str]] = {}
    may_be = homes(evidence.log("intake"))
    for message in evidence.messages:
        marker = message["body"].strip().split()[-1]
        places.setdefault(marker, []).append(message["ticket_id"])
        written[marker] = {evidence.tickets[home]["number"] for home in may_be.get(message["id"], ())}
    sent = b"\n".join(mail for mail, _, _ in evidence.world.post.taken).decode("utf-8", "replace")
    for mail in evidence.front.record.mails.values():
        found = [evidence.tickets[place] for place in places.get(mail.marker, []) if place in evidence.tickets]
        if mail.expected == "held" and (found or mail.marker in sent):
            yield f"the stranger's mail {mail.marker} was let in"
        if mail.expected == "message":
            before = {evidence.tickets[ticket["follows"]]["number"] for ticket in found if ticket["follows"]}
            if len(found) != 1 or mail.number not in written[mail.marker] | before:
                yield f"the reply {mail.marker} to {mail.number} is in {[ticket['number'] for ticket in found]}"
    for mail_bytes, _, _ in evidence.world.post.taken:
        headers = _headers(mail_bytes)
        if not re.search(r"\[FL-\w{4}-\w{4}\]", headers["Subject"]):
            yield f"a mail went out without an ID: {headers}"


def robots_are_bounded(evidence: Evidence) -> Iterable[str]:
    """P14: at most two automatic answers on a request to one address, and ten an hour to a stranger."""
    marks: dict[tuple[str, str], set[str]] = {}
    for mail, _, to in evidence.world.post.taken:
        headers = _headers(mail)
        if headers.get("Auto-Submitted") == "auto-replied":
            number = re.search(r"\[(FL-\w{4}-\w{4})\]", headers["Subject"])
            marks.setdefault((number[1] if number else "", to[0]), set()).add(headers["Message-ID"])
    for place, found in marks.items():
        if len(found) > MOST_ANSWERS_ON_TICKET:
            yield f"{len(found)} automatic answers on {place}"
    written: dict[str, list[datetime]] = {}
    for row in evidence.table("notify", "delivery"):
        if row["automatic"] and row["kind"] == "acknowledgement_unknown_sender":
            written.setdefault(row["recipient"], []).append(when(row["created_at"]))
    for address, instants in written.items():
        hours = [sum(at <= other < at + HOUR for other in instants) for at in instants]
        if max(hours) > MOST_TO_A_STRANGER and not evidence.faults.jumped:
            yield f"{max(hours)} automatic answers to {address} within an hour"


def claims_are_exclusive(evidence: Evidence) -> Iterable[str]:
    """P15: a request has one valid claim at a time, fences grow, and what was written under an old one was refused."""
    places: dict[str, Place] = {}
    given: dict[tuple[str, int], str] = {}
    for event in evidence.log("queue"):
        if event.type in ("queue.claimed", "queue.transferred"):
            place = places.setdefault(event.stream, Place())
            if event.type == "queue.claimed" and place.agent is not None:
                yield f"{event.stream} was claimed while {place.agent} held it"
            if event.data["fence"] <= place.fence:
                yield f"{event.stream}: the fence went from {place.fence} to {event.data['fence']}"
            place.agent, place.fence = event.data["agent"], event.data["fence"]
            given[event.data["number"], place.fence] = place.agent or ""
            if event.stream.partition("/")[2]:
                given[event.stream.partition("/")[2], place.fence] = place.agent or ""
        elif event.type in ("queue.released", "queue.expired", "queue.left"):
            places.setdefault(event.stream, Place()).agent = None
    for told in evidence.front.record.claims:
        if given.get((told.ticket_id, told.fence)) != told.agent:
            holder = given.get((told.ticket_id, told.fence))
            yield f"{told.agent} was told of a claim of {told.ticket_id} with fence {told.fence}, which is {holder}'s"
    yield from _stale_writes(evidence)


def _stale_writes(evidence: Evidence) -> Iterable[str]:
    writes = evidence.front.record.writes
    for late in writes:
        newer = [w for w in writes if w.ticket_id == late.ticket_id and w.fence > late.fence and w.told < late.asked]
        if newer:
            yield f"{late} was taken after {newer[0]}"
    if evidence.faults.jumped:
        return
    for write in writes:
        begun = write.now - timedelta(seconds=write.told - write.asked)
        if begun > write.expires:
            yield f"{write} was taken after its claim had ended"


def order_is_kept(evidence: Evidence) -> Iterable[str]:
    """P16: every claim takes the first entry, or says why it passes over another; and only then."""
    free: dict[str, Place] = {}
    held: dict[str, Place] = {}
    for event in evidence.log("queue"):
        if event.type == "queue.owner_changed" or not event.type.startswith("queue."):
            continue
        key = order_of(event.data)
        if event.type == "queue.claimed":
            yield from _inversion(event, free)
            free.pop(event.stream, None)
            held[event.stream] = Place(key)
        elif event.type in ("queue.entered", "queue.moved"):
            (held if event.stream in held else free)[event.stream] = Place(key)
        elif event.type in ("queue.released", "queue.expired"):
            held.pop(event.stream, None)
            free[event.stream] = Place(key)
        elif event.type == "queue.left":
            held.pop(event.stream, None)
            free.pop(event.stream, None)


def _inversion(event: Event, free: Mapping[str, Place]) -> Iterable[str]:
    taken, reason = order_of(event.data), event.data["reason"]
    others = [place.key for stream, place in free.items() if stream != event.stream and place.key]
    jumped = [key for key in others if key < taken]
    overtook = [key for key in others if key[1:] < taken[1:]]
    if reason is not None and reason not in INVERSIONS:
        yield f"{event.stream} was claimed for the reason {reason}"
    if (jumped or overtook) and reason is None:
        yield f"{event.stream} at {taken} was claimed before {(jumped or overtook)[0]}, for no reason"
    if reason is not None and not jumped and not overtook:
        yield f"{event.stream} was claimed for the reason {reason} and passed over nothing"


def _in_time(evidence: Evidence) -> timedelta:
    """Return how late something timed may be."""
    return TOLD_WITHIN + (RESTED_FOR if evidence.world.counts["store error"] else timedelta())


def claims_come_back(evidence: Evidence) -> Iterable[str]:
    """P17: a claim that nobody keeps ends within its lease and five seconds, and the entry keeps its place."""
    places: dict[str, tuple[bool, datetime, int]] = {}
    renewed: dict[str, datetime] = {}
    for event in evidence.log("queue"):
        if event.type == "queue.owner_changed" or not event.type.startswith("queue."):
            continue
        if event.type in ("queue.claimed", "queue.renewed", "queue.transferred"):
            places[event.stream] = order_of(event.data)
            renewed[event.stream] = when(event.data["lease_expires_at"])
        elif event.type == "queue.moved":
            places[event.stream] = order_of(event.data)
        elif event.type == "queue.expired":
            if places.get(event.stream) != order_of(event.data):
                yield f"{event.stream} lost its place when its claim ran out"
            over = renewed.pop(event.stream)
            if event.time < over - evidence.faults.back:
                yield f"the claim of {event.stream} ended at {event.time}, before {over}"
            late = event.time - over > _in_time(evidence)
            if late and not evidence.faults.jumped and not evidence.impaired(over, event.time):
                yield f"the claim of {event.stream} ended at {event.time} and not at {over}"
        elif event.type in ("queue.released", "queue.left"):
            renewed.pop(event.stream, None)
    now = evidence.world.times.now()
    for stream, over in renewed.items():
        if now - over > timedelta(minutes=5):
            yield f"the claim of {stream} still holds, since {over}"


def queue_is_what_is_owed(evidence: Evidence) -> Iterable[str]:
    """P18: the queue holds exactly the requests that are owed an answer, each at its place."""
    owed = unanswered(evidence.log("intake"))
    wanted = {ticket_id: state for ticket_id, state in owed.items() if state.is_owed}
    held = {entry["ticket_id"]: entry for entry in evidence.queue}
    if set(held) != set(wanted) or len(held) != len(evidence.queue):
        yield f"the queue lacks {sorted(set(wanted) - set(held))} and has too many {sorted(set(held) - set(wanted))}"
    for ticket_id in sorted(set(held) & set(wanted)):
        if when(held[ticket_id]["since"]) != wanted[ticket_id].since:
            yield f"{ticket_id} counts from {held[ticket_id]['since']} and not from {wanted[ticket_id].since}"
        if held[ticket_id]["urgency"] != wanted[ticket_id].urgency:
            yield f"{ticket_id} is held to be {held[ticket_id]['urgency']}"
    shown = [(not entry["out_of_turn"], when(entry["since"])) for entry in evidence.queue]
    if shown != sorted(shown):
        yield "the queue is shown out of order"
    shipped = {row["version"] for row in evidence.table("intake", "release") if row["shipped_at"]}
    left = [ticket["number"] for ticket in evidence.tickets.values() if ticket["awaited_release"] in shipped]
    if left:
        yield f"{left} wait for a release that is out"
    moved = [event for event in evidence.log("queue") if event.type == "queue.moved" and event.data["reason"] in STILL]
    if moved:
        yield f"{moved[0]} moved an entry"
    strays = [event for state in owed.values() for event in state.strays]
    if strays:
        yield f"{strays[0]} brought back what did not wait for it"


def clocks_agree_with_a_walk(evidence: Evidence) -> Iterable[str]:
    """P19: every clock is what counting open minutes along the request's history gives, by the hours that it names."""
    seen: Counter[str] = Counter()
    owed = unanswered(evidence.log("intake"))
    for shown in evidence.clocks:
        ticket = evidence.tickets[shown["ticket_id"]]
        policy = evidence.policies[ticket["policy_version"]]
        minutes = evidence.minutes(shown["hours_version"])
        facts = facts_of(evidence.streams[ticket["id"]], policy["targets"]["minutes"], owed[ticket["id"]].moved)
        clocks, as_of = Clocks(minutes, facts[0].at), max(when(shown["as_of"]), *(fact.at for fact in facts))
        clocks.live(facts, as_of)
        watch, state = clocks.watches[shown["target"]], clocks.state(shown["target"])
        seen[ticket["id"]] += 1
        due = clocks.due(shown["target"]) if state == "running" else None
        given = when(shown["due_at"]) if shown["due_at"] else None
        same_due = given == due or (given is not None and due is not None and abs(given - due) < NEARLY)
        if (shown["state"], shown["breached"]) != (state, watch.late) or not same_due:
            yield f"{ticket['number']} {shown} should be {state}, late {watch.late}, due {due}"
        counted = clocks.counted(shown["target"])
        if abs(shown["elapsed_minutes"] - counted) > 0.001:
            yield f"{ticket['number']} {shown['target']}: {shown['elapsed_minutes']} and not {counted} minutes"
    lacking = [t["number"] for t in evidence.tickets.values() if not seen[t["id"]]]
    if lacking:
        yield f"no clock is shown of {lacking}"


def milestones_fire_once(evidence: Evidence) -> Iterable[str]:
    """P20: a deadline, once scheduled, is warned of and passed once, not before its time nor over 5 s after it."""
    told: set[tuple[str, str]] = set()
    known: dict[tuple[str, str], datetime] = {}
    for event in evidence.log("sla"):
        due = str(event.data.get("due_at"))
        if event.type == "clock.scheduled":
            known[event.stream, due] = event.time
            told -= {("clock.warned", event.stream), ("clock.breached", event.stream)}
        if event.type not in ("clock.warned", "clock.breached"):
            continue
        if (event.type, event.stream) in told:
            yield f"{event.type} of {event.stream} was told twice of {due}"
        told.add((event.type, event.stream))
        if event.type == "clock.breached":
            yield from _fired(evidence, event, when(due), known.get((event.stream, due)))
    breached = _breached(evidence)
    for clock in evidence.clocks:
        passed = clock["state"] == "running" and when(clock["as_of"]) - when(clock["due_at"]) > TOLD_WITHIN
        stream = f"clock/{clock['id']}"
        if passed and breached.isdisjoint({(stream, clock["due_at"]), (stream, None)}):
            yield f"nobody was told that {clock} passed its deadline"


def _breached(evidence: Evidence) -> set[tuple[str, str | None]]:
    """Return what clocks were told to be late of: of which deadline, and of any (None) while that run lasts.

    A run has ended with the answer, or where the clock has counted less than it had when it was late.
    """
    found: set[tuple[str, str | None]] = set()
    counted: dict[str, float] = {}
    for event in evidence.log("sla"):
        if event.type == "clock.breached":
            found |= {(event.stream, event.data["due_at"]), (event.stream, None)}
            counted[event.stream] = event.data["elapsed_minutes"]
        anew = event.type == "clock.scheduled" and event.data["elapsed_minutes"] < counted.get(event.stream, 0.0)
        if anew or event.type == "clock.met":
            found.discard((event.stream, None))
    return found


def _fired(evidence: Evidence, event: Event, due: datetime, scheduled: datetime | None) -> Iterable[str]:
    if event.time + evidence.faults.back < due:
        yield f"{event.stream} was late at {event.time}, before {due}"
    if scheduled is None:
        yield f"{event.stream} was late at {due}, which nobody had scheduled"
        return
    begin = max(due, scheduled)
    late = event.time - begin > _in_time(evidence)
    if late and not evidence.faults.jumped and not evidence.impaired(begin, event.time):
        yield f"{event.stream} was late at {begin}, and it was told at {event.time}"


def time_counts_forward(evidence: Evidence) -> Iterable[str]:
    """P21: elapsed business time never shrinks, never outruns the wall, and stands still while the desk is closed."""
    last: dict[tuple[str, str], Reading] = {}
    owed = unanswered(evidence.log("intake"))
    for reading in evidence.front.record.readings if not evidence.faults.jumped else ():
        ticket = evidence.tickets[reading.ticket_id]
        brought = [fact.at for facts in owed[ticket["id"]].moved.values() for fact in facts if fact.kind == "owed"]
        opened = min(when(ticket["received_at"]), when(ticket["created_at"]), *brought)
        wall = (reading.as_of - opened) / timedelta(minutes=1)
        open_minutes = evidence.minutes(reading.hours)
        if not -NEARLY_MINUTES <= reading.elapsed <= open_minutes.between(opened, reading.as_of) + NEARLY_MINUTES:
            yield f"{reading} outruns the clock: {wall} minutes on the wall since {opened}"
        before = last.get((reading.ticket_id, reading.target))
        last[reading.ticket_id, reading.target] = reading
        if before is None or reading.target == "next_response" or _heard_late(evidence, before):
            continue
        if not _same_hours(evidence, before.hours, reading.hours):  # all of it was counted anew in between
            continue
        if _unmerged_between(evidence, before, reading):  # its clock is again what it had been without the merge
            continue
        most = before.elapsed + open_minutes.between(before.as_of, reading.as_of)
        if not before.elapsed - NEARLY_MINUTES <= reading.elapsed <= most + NEARLY_MINUTES:
            yield f"{before} and then {reading}, which may be {most}"


def hours_are_the_newest(evidence: Evidence) -> Iterable[str]:
    """P22: what runs or is paused is counted by the hours of the policy that was published last, whoever took it."""
    for shown in evidence.clocks:
        runs = shown["state"] in ("running", "paused")
        if runs and not _same_hours(evidence, shown["hours_version"], evidence.newest):
            yield f"{shown} is timed by its hours, and those of {evidence.newest} are the newest"
    left = [row["policy_version"] for row in evidence.table("sla", "recompute") if row["state"] == "running"]
    if left:
        yield f"recomputes to {left} have not come to their end"


def _same_hours(evidence: Evidence, one: str, other: str) -> bool:
    return bool(evidence.policies[one]["calendar"] == evidence.policies[other]["calendar"])


def _heard_late(evidence: Evidence, reading: Reading) -> bool:
    """Say whether sla may not have heard of all that had happened when it was read: news travel by bus and pull."""
    news = timedelta(seconds=evidence.world.pull_seconds + 600)
    events = evidence.streams[reading.ticket_id]
    return any(reading.as_of - news < event.time <= reading.as_of for event in events)


def _unmerged_between(evidence: Evidence, before: Reading, reading: Reading) -> bool:
    events = evidence.streams[reading.ticket_id]
    return any(event.type == "ticket.unmerged" and before.as_of < event.time <= reading.as_of for event in events)


def deliveries_arrive(evidence: Evidence) -> Iterable[str]:
    """P23, P24: every event that the endpoint hears of arrives there, with one ID and the same bytes each time."""
    arrived: dict[str, set[bytes]] = {}
    for url, event_id, body, _ in evidence.world.receiver.taken:
        assert url == evidence.hook
        arrived.setdefault(event_id, set()).add(body)
    for event_id, bodies in arrived.items():
        if len(bodies) != 1:
            yield f"{event_id} arrived with {len(bodies)} contents"
    pushed: Counter[str] = Counter()
    for row in evidence.table("notify", "delivery"):
        if row["channel"] != "webhook":
            continue
        pushed[row["event_id"]] += 1
        recent = when(row["created_at"]) >= evidence.world.scene.start - evidence.faults.back
        if recent and (row["state"] != "delivered" or row["event_id"] not in arrived):
            yield f"{row['kind']} {row['event_id']} is {row['state']}: {row['reason']}"
    if any(times > 1 for times in pushed.values()):
        yield "an event is pushed twice"
    for event in (event for source in ("intake", "sla") for event in evidence.log(source)):
        if event.type in HEARD and pushed[event.id] != 1:
            yield f"{event.type} {event.id} is pushed {pushed[event.id]} times"


def mails_end(evidence: Evidence) -> Iterable[str]:
    """P27: every mail is sent, or failed for good where the address does not exist, or left out for a reason."""
    for row in evidence.table("notify", "delivery"):
        gone = row["recipient"] in evidence.world.post.unknown
        fine = row["state"] == "sent" or (row["state"] == "suppressed" and row["reason"])
        if row["channel"] == "mail" and not fine and not (gone and row["state"] == "failed" and row["reason"]):
            yield f"a mail ({row['kind']}) to {row['recipient']} is {row['state']} {row['reason']}"


def silence_is_warned_of(evidence: Evidence) -> Iterable[str]:
    """P33: only the client's silence closes a request by itself, not before they were told it would, and it does."""
    held = {row["ticket_id"] for row in evidence.table("intake", "mail") if row["outcome"] == "quarantined"}
    beside = duplicates(evidence.streams)
    for ticket_id, events in evidence.streams.items():
        ticket = evidence.tickets[ticket_id]
        rules = evidence.policies[ticket["policy_version"]]["closing"]["silence"]
        silence = Silence()
        for number, event in enumerate(events):
            if event.type == "ticket.closed" and event.data["actor"]["role"] == "service":
                yield from _closed_in_silence(evidence, event, silence, rules, events[number + 1 :])
            silence.take(event)
        overdue = when(ticket["closes_at"]) + HOUR if ticket["closes_at"] else None
        put_off = held & {ticket_id, *beside[ticket_id]}  # until a specialist has judged the mail
        if overdue and not put_off and overdue + evidence.faults.back < evidence.world.times.now():
            yield f"{ticket['number']} is {ticket['status']} and was to be closed at {ticket['closes_at']}"


def _closed_in_silence(
    evidence: Evidence, event: Event, silence: Silence, rules: Mapping[str, Any], later: Sequence[Event]
) -> Iterable[str]:
    if silence.awaited is None or silence.told is None:
        yield f"{event} closed what was {silence.awaited} and told to be closed at {silence.told}"
        return
    rule = rules[silence.awaited]
    if event.time + evidence.faults.back < silence.told:
        yield f"{event} came before {silence.told}, as it was told"
    if rule["remind_after_days"] is not None:
        left = timedelta(days=rule["close_after_days"] - rule["remind_after_days"])
        if silence.reminded is None or event.time + evidence.faults.back < silence.reminded + left:
            yield f"{event} came after a reminder at {silence.reminded}"
    for word in later:
        spoken = word.type == "ticket.replied" and word.data["author"]["side"] == "client" and not is_automatic(word)
        if spoken and received(word) + evidence.faults.back < silence.told:
            yield f"{event} passed over {word}, which had come in at {received(word)}"


ORACLES: Mapping[str, Oracle] = {
    "P1": accepted_is_there_once,
    "P2": mails_have_one_outcome,
    "P3": keys_have_one_answer,
    "P4": nothing_is_half_written,
    "P5": refused_leaves_nothing,
    "P6": retries_are_safe,
    "P7": feed_holds_each_event_once,
    "P8": events_reach_everybody,
    "P9": logs_have_no_gap,
    "P10": poison_is_parked,
    "P11": unknown_types_pass,
    "P12": requests_are_acknowledged_once,
    "P13": replies_go_where_they_belong,
    "P14": robots_are_bounded,
    "P15": claims_are_exclusive,
    "P16": order_is_kept,
    "P17": claims_come_back,
    "P18": queue_is_what_is_owed,
    "P19": clocks_agree_with_a_walk,
    "P20": milestones_fire_once,
    "P21": time_counts_forward,
    "P22": hours_are_the_newest,
    "P23": deliveries_arrive,
    "P27": mails_end,
    "P33": silence_is_warned_of,
}
"""Invariant → who judges it."""

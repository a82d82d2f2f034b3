"""Access data as pages show them: what is asked for, what became of it, who read it (clause 4.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from firstline.web.words import instant, one_line, stamp

Json = Mapping[str, Any]

STATES: Final = {
    "asked": "Waits for the answer",
    "provided": "Given",
    "declined": "Declined",
    "revoked": "Taken back",
    "expired": "Not answered in time",
    "purged": "Deleted here",
}
ENDS: Final = {
    "resolved": "The request is solved, so what was given is deleted here.",
    "closed": "The request is closed, so what was given is deleted here.",
    "age": "What was given has been kept for the longest time that we keep it, and is deleted here.",
    "ended": "The request ended before it was answered.",
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value that a kind consists of; `name` is that of its form field."""

    name: str
    title: str
    secret: bool
    optional: bool
    long: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of access that is asked for."""

    code: str
    title: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """That somebody read what was given."""

    by: str
    when: str
    kinds: str
    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """An access request with what may be done with it: `answer`, `revoke`, `read`, `confirm`.

    Attributes:
        host: where it is for; empty where none is named.
        reason: why it is asked for, in the specialist's words.
        asked: who asked, and when.
        state: in words.
        ended: why it ended, in words; empty while it hasn't.
        until: how long it may be answered; empty once it is.
        given: what was given, by whom and when: kinds, never values.
        kept_until: when that is deleted at the latest.
        readings: who has read it.
        change: the kinds that the client has to change now.
        changed: who said that they have, and when.
        advice: the policy's words beside the form.

    """

    id: str
    title: str
    host: str
    reason: str
    asked: str
    state: str
    ended: str
    until: str
    given: str
    kept_until: str
    kinds: tuple[Kind, ...]
    readings: tuple[Reading, ...]
    change: str
    changed: str
    advice: str
    can: frozenset[str]


def asked(given: Sequence[Json], now: datetime) -> list[Asked]:
    """Return what was asked for, newest first."""
    return [_asked(one, now) for one in reversed(given)]


def waiting(given: Sequence[Json]) -> str:
    """Say what the client has to do about access data, empty where that is nothing."""
    # Asked for first: nothing goes on without it, while a change can wait for its reminder.
    if any(one["status"] == "asked" for one in given):
        return "A specialist needs access data to go on."
    if any(one["to_change"] for one in given):
        return "Change the access data that you gave us now, and confirm it."
    return ""


def kinds(policy: Json) -> list[dict[str, str]]:
    """Return the kinds of access that the policy names."""
    rules = policy.get("access")
    return [{"code": kind["code"], "text": kind["title"]} for kind in rules["kinds"]] if rules else []


def _asked(one: Json, now: datetime) -> Asked:
    """Return what one access request shows, to clients and staff alike; what was given is not in it."""
    titles = {kind["code"]: kind["title"] for kind in one["kinds"]}
    given = ", ".join(titles.get(code, code) for code in one["given"])
    provided = f", {stamp(instant(one['provided_at']), now)}" if one["provided_at"] else ""
    changed = f"{one_line(one['changed_by'])}, {stamp(instant(one['changed_at']), now)}" if one["changed_at"] else ""
    return Asked(
        id=one["id"],
        title=", ".join(titles.values()),
        host=one_line(one["host"] or ""),
        reason=one["reason"],
        asked=f"{one_line(one['requested_by'])}, {stamp(instant(one['requested_at']), now)}",
        state=STATES[one["status"]],
        ended=ENDS.get(one["cause"] or "", ""),
        until=stamp(instant(one["expires_at"]), now) if one["status"] == "asked" else "",
        given=f"{given} ({one_line(one['provided_by'] or '')}{provided})" if given else "",
        kept_until=stamp(instant(one["purge_at"]), now) if one["purge_at"] else "",
        kinds=tuple(_kind(kind) for kind in one["kinds"]),
        readings=tuple(_reading(reveal, titles, now) for reveal in one["reveals"]),
        change=", ".join(titles.get(code, code) for code in one["to_change"]),
        changed=changed,
        advice=one["advice"] or "",
        can=_can(one),
    )


def _can(one: Json) -> frozenset[str]:
    """Return what may be done in the state that a request is in; what the visitor's role allows, the API says."""
    verbs = {"asked": {"answer", "revoke"}, "provided": {"answer", "revoke", "read"}}.get(one["status"], set())
    return frozenset(verbs | ({"confirm"} if one["to_change"] else set()))


def _kind(kind: Json) -> Kind:
    """Return a kind of access with its form fields."""
    return Kind(kind["code"], kind["title"], tuple(_value(kind["code"], field) for field in kind["fields"]))


def _value(kind: str, field: Json) -> Value:
    """Return one form field of a kind."""
    code = field["code"]
    open_ones = ("address", "login")  # what others may see over one's shoulder
    return Value(f"{kind}.{code}", field["title"], code not in open_ones, field["optional"], field["long"])


def _reading(reveal: Json, titles: Mapping[str, str], now: datetime) -> Reading:
    """Return who read what, when and why."""
    read = ", ".join(titles.get(code, code) for code in reveal["kinds"])
    return Reading(one_line(reveal["by"]), stamp(instant(reveal["at"]), now), read, reveal["reason"])


SECRETS: Final = {
    "password": "Password",
    "private_key": "Private key",
    "token": "Access token",
    "licence_key": "Licence key",
}
BECAME: Final = {
    "held": "taken out",
    "moved": "moved to the access data",
    "purged": "taken out and deleted",
}


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What was taken out of a text as secret; `message` is the message it stood in, if it stood in one."""

    id: str
    message: str
    what: str
    where: str
    became: str
    until: str
    decide: bool

    @property
    def mark(self) -> str:
        """What the message's head says of it."""
        return f"{self.what} {self.became}"


def taken_out(held: Sequence[Json], now: datetime) -> list[TakenOut]:
    """Return what was taken out of texts and not put back, newest first."""
    return [_taken_out(one, now) for one in reversed(held) if one["status"] in BECAME]


def by_message(texts: Sequence[TakenOut]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return what the heads of messages say of what was taken out of them: (the ID of its text, in words)."""
    return {
        message: tuple((one.id, one.mark) for one in texts if one.message == message)
        for message in {one.message for one in texts if one.message}
    }


def _taken_out(one: Json, now: datetime) -> TakenOut:
    """Return a text that was held back as the console shows it."""
    what = ", ".join(SECRETS.get(kind, kind).lower() for kind in one["kinds"])
    waits = one["status"] == "held"
    return TakenOut(
        id=one["id"],
        message=one["message_id"] or "",
        what=what[:1].upper() + what[1:],
        where="in a message" if one["message_id"] else _place(one["place"]),
        became=BECAME[one["status"]],
        until=stamp(instant(one["purge_at"]), now) if waits else "",
        decide=waits,
    )


def _place(place: str) -> str:
    """Say where a text stood that is no message's."""
    field = place.rpartition(".")[2].replace("_", " ")
    return "in the subject" if place == "subject" else f"in {one_line(field)}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A kind of access with its values, for the one page that shows them."""

    title: str
    values: tuple[tuple[str, str], ...]


def revealed(values: Mapping[str, Mapping[str, str]], request: Json) -> list[Shown]:
    """Return what was given, in the order and words of the policy."""
    found = []
    for kind in request["kinds"]:
        given = values.get(kind["code"])
        if given is not None:
            titles = {field["code"]: field["title"] for field in kind["fields"]}
            # The policy may have renamed a value since it was given:
            # then it is shown as it was sent, rather than not at all.
            ordered = sorted(given, key=list(titles).index) if titles.keys() >= given.keys() else list(given)
            found.append(Shown(kind["title"], tuple((titles.get(code, code), given[code]) for code in ordered)))
    return found

"""What a specialist's judgement tells the client, in one mail: scope, urgency, what is missing (1.2-1.4, 4.2, A6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from firstline.common.events import MissingField, TicketTriaged
from firstline.common.policy.wording import TextKind
from firstline.notify.service.desk import Book
from firstline.notify.wording import Value

Told = tuple[TextKind, Mapping[str, Value]]
"""A text, and what it prints."""


def judged(book: Book, data: TicketTriaged) -> Sequence[Told]:
    """Return what tells a judgement: one text; several where the policy version has none that holds them all."""
    told = [*_scope_told(book, data), *_urgency_told(book, data), *_missing_told(data)]
    # An older policy version has no text for all in one; then each is told by its own, as that version always did.
    if len(told) < 2 or not book.writer.knows("judged"):  # noqa: PLR2004
        return told
    together: dict[str, Value] = {}
    for kind, values in told:
        if kind == "urgency_returned":
            together["urgency_reason"] = values["reason"]
        else:
            together |= {kind: True, **values}  # a text sees only what it may print
    return [("judged", together)]


def advice(book: Book, refer_to: str | None) -> str | None:
    """Return what the policy says to whoever is sent elsewhere (clause 1.3)."""
    referral = book.policy.referral(refer_to) if refer_to else None
    return referral.advice if referral else None


def questions(missing: Iterable[MissingField]) -> tuple[str, ...]:
    """Return what is asked for as the list that a mail prints (clause 4.2)."""
    return tuple(one.question for one in missing)


def _scope_told(book: Book, data: TicketTriaged) -> Iterator[Told]:
    """Yield what tells a change of scope (clauses 1.3, 1.4)."""
    if "scope" not in data.changes:
        return
    before, after = data.changes["scope"]
    kind = scope_told(before, after)
    if kind is not None:
        yield (
            kind,
            {
                "scope_reason": after.get("reason"),
                "referral": advice(book, after.get("refer_to")),
                "consult_only": after["support_mode"] == "consult_only",
            },
        )


def _urgency_told(book: Book, data: TicketTriaged) -> Iterator[Told]:
    """Yield what tells that a request was returned to its turn, with the reason (reading A6)."""
    before, after = data.changes.get("urgency", ("", ""))
    if book.policy.out_of_turn.returned(before, after):
        yield "urgency_returned", {"reason": data.reason}


def _missing_told(data: TicketTriaged) -> Iterator[Told]:
    """Yield what asks for all that is missing, where a judgement has added to it (clauses 1.2, 4.2)."""
    before, after = data.changes.get("missing_information", [[], []])
    # Fewer gaps are no news to whoever has just filled them.
    if any(one not in before for one in after):
        yield "missing_information", {"questions": questions(MissingField(**one) for one in after)}


def scope_told(before: Mapping[str, Any], after: Mapping[str, Any]) -> TextKind | None:
    """Return which text tells a change of scope; None where nothing changes for the client."""
    if _covered(before) != _covered(after):
        return "out_of_scope" if after["verdict"] == "out" else "covered"
    elsewhere = after["verdict"] == "out" and before.get("refer_to") != after.get("refer_to")
    return "out_of_scope" if elsewhere else None


def _covered(scope: Mapping[str, Any]) -> str:
    """Say how far a scope covers: what is not decided yet is taken up like what is."""
    return "none" if scope["verdict"] == "out" else str(scope["support_mode"])

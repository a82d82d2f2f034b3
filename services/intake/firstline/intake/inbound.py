"""What becomes of a mail that came in: exactly one outcome with its reason (clauses 4.4 and 4.1, policy A9 to A13)."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from firstline.common.addresses import read_message_id, read_reply_address, tagged_numbers, without_tags
from firstline.intake.mail import Automatic, ParsedMail
from firstline.intake.sender import Check, check_sender

MAX_SUBJECT_CHARS: Final = 250
BORROWED_CHARS: Final = 50
NO_SUBJECT: Final = "(no subject)"
UNREADABLE: Final = frozenset({"unparseable", "too_complex", "unreadable"})

Reason = Literal[
    "same_message",
    "own_address",
    "unreadable",
    "automatic",
    "no_sender",
    "sender_check_failed",
    "sender_unverified",
    "staff_by_mail",
    "not_a_participant",
    "participant",
    "returned_mail",
    "no_number",
    "unknown_number",
    "channel_not_official",
    "licence_not_active",
    "accepted",
    "opened",
    "rejected",
]


class Outcome(StrEnum):
    """Where a mail ends; there is no sixth."""

    NEW_TICKET = "new_ticket"
    APPENDED = "appended"
    QUARANTINED = "quarantined"
    REFUSED = "refused"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SMTP said beside the mail: its return path (empty for bounces) and the addresses of ours it was sent to."""

    mail_from: str
    rcpt_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A number that the mail names; `signed` when only we can have made what names it."""

    number: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ticket that exists under a proposed number, and the addresses of its participants."""

    proposal: Proposal
    ticket_id: str
    participants: Collection[str]


@dataclass(frozen=True, slots=True)
class MailRules:
    """How this desk takes mail.

    Attributes:
        own_addresses: those that this desk sends from and receives at.
        server: the authserv-id whose sender check is trusted; None where no server checks.
        strict: whether a participant's mail is held when there is no result of a check.

    """

    own_addresses: Collection[str]
    server: str | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a mail.

    Attributes:
        outcome: one of five.
        reason: why, as a stable code.
        ticket_id: appended to it, or held beside it for a specialist to decide.
        verified: the configured server vouches for the sender; otherwise the message wears an `unverified` badge.
        automatic: no person wrote it: it makes no queue entry, starts no clock, ends no waiting, reopens nothing
            and is answered by nothing.
        staff_only: shown to staff only (a returned mail quotes what we sent, and its author proves nothing).

    """

    outcome: Outcome
    reason: Reason
    ticket_id: str | None = None
    verified: bool = False
    automatic: Automatic | None = None
    staff_only: bool = False


def proposals(mail: ParsedMail, envelope: Envelope, key: bytes) -> tuple[Proposal, ...]:
    """Return the numbers that a mail names: by signed reply address, by our Message-ID in its thread, in its subject.

    A number that is both signed and in the subject counts as signed. Nothing else proposes: not the body.
    """
    # The newest mail of a thread first: of two joined threads it is the one that is being answered.
    answered = (*mail.in_reply_to, *reversed(mail.references), *((mail.returned_id,) if mail.returned_id else ()))
    signed = (
        *(read_reply_address(key, address) for address in envelope.rcpt_to),
        *(read_message_id(key, message_id) for message_id in answered),
    )
    proven = dict.fromkeys(number for number in signed if number)
    named = (number for number in tagged_numbers(mail.subject) if number not in proven)
    return (*(Proposal(number, True) for number in proven), *(Proposal(number, False) for number in named))


def fingerprint(mail: ParsedMail) -> str | None:
    """Return what two copies of one mail have in common: Message-ID, sender and content.

    None for a mail without a usable Message-ID or sender, which is nobody's copy: providers rewrite ids, robots leave
    them out, and what is wrongly joined is worse than what is there twice.
    """
    if mail.message_id is None or mail.from_address is None:
        return None
    return hashlib.sha256(f"{mail.message_id}\0{mail.from_address}\0{mail.digest}".encode()).hexdigest()


def decide(
    mail: ParsedMail,
    envelope: Envelope,
    candidates: tuple[Candidate, ...],
    rules: MailRules,
    *,
    key: bytes,
    duplicate: bool = False,
    staff: bool = False,
) -> Decision:
    """Return what becomes of the mail.

    Args:
        mail: what it says.
        envelope: how it came.
        candidates: the tickets that exist among its proposals, in their order.
        rules: the desk's settings.
        key: recognises our own Message-IDs.
        duplicate: a mail with the same fingerprint was taken before.
        staff: the sender's address belongs to a member of staff.

    Pure: the same mail under the same rules has the same outcome, however often a crash makes us judge it again.
    """
    # A copy is a copy whatever else it is; and what can't be read is judged by nothing that stands in it.
    if duplicate:
        return Decision(Outcome.DUPLICATE, "same_message")
    if UNREADABLE.intersection(mail.problems):
        return Decision(Outcome.QUARANTINED, "unreadable")
    # Robots before threads: a machine's mail that names a request must not count as its client's word.
    automatic = automatic_of(mail, envelope, key)
    check = check_sender(mail.auth_results, rules.server, mail.from_address or "")
    if automatic or _is_own(mail.from_address, rules):
        return _for_robot(mail, automatic, candidates, check, rules)
    if candidates:
        return _for_thread(mail.from_address, candidates, check, strict=rules.strict, staff=staff)
    named = bool(proposals(mail, envelope, key))
    return _for_new(mail.from_address, check, "unknown_number" if named else "no_number")


def _is_own(address: str | None, rules: MailRules) -> bool:
    """Tell whether the desk itself is named as sender, with or without a tag after a plus sign."""
    local, _, domain = (address or "").rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" in rules.own_addresses or address in rules.own_addresses


def automatic_of(mail: ParsedMail, envelope: Envelope, key: bytes) -> Automatic | None:
    """Return how the mail shows that no person wrote it: by headers, by an empty return path, by an id of ours."""
    if mail.automatic:
        return mail.automatic
    if not envelope.mail_from:
        return "bounce"
    return "own" if mail.message_id and read_message_id(key, mail.message_id) else None


def let_in(mail: ParsedMail, envelope: Envelope, rules: MailRules, key: bytes) -> Decision:
    """Return what is known of a held mail that a specialist lets in; its request is for the caller to add."""
    check = check_sender(mail.auth_results, rules.server, mail.from_address or "")
    automatic = automatic_of(mail, envelope, key)
    return Decision(Outcome.APPENDED, "accepted", verified=check == "pass", automatic=automatic)


def _for_robot(
    mail: ParsedMail, automatic: Automatic | None, candidates: tuple[Candidate, ...], check: Check, rules: MailRules
) -> Decision:
    """Append a participant's automatic mail, and the return of a mail of ours; refuse the rest.

    A signed address alone is not enough: a client could have a third party's robot write to it, and read the result.
    """
    if _is_own(mail.from_address, rules):
        return Decision(Outcome.REFUSED, "own_address", automatic=automatic)
    verified = check == "pass"
    for candidate in candidates:
        if check != "fail" and mail.from_address in candidate.participants:
            return Decision(Outcome.APPENDED, "participant", candidate.ticket_id, verified, automatic)
    for candidate in candidates:
        if automatic == "bounce" and candidate.proposal.signed:
            return Decision(Outcome.APPENDED, "returned_mail", candidate.ticket_id, verified, automatic, True)
    return Decision(Outcome.REFUSED, "automatic", automatic=automatic)


def _for_thread(
    address: str | None, candidates: tuple[Candidate, ...], check: Check, *, strict: bool, staff: bool
) -> Decision:
    """Append a person's mail to the ticket it names if the sender may write there, or hold it beside the ticket."""
    ours = next((candidate for candidate in candidates if address in candidate.participants), None)
    # A mail that is held stands beside the request that it names, where a specialist sees it.
    beside = (ours or candidates[0]).ticket_id
    if (obstacle := _obstacle(address, ours, check, strict=strict, staff=staff)) is not None:
        return Decision(Outcome.QUARANTINED, obstacle, beside)
    return Decision(Outcome.APPENDED, "participant", beside, verified=check == "pass")


def _obstacle(address: str | None, ours: Candidate | None, check: Check, *, strict: bool, staff: bool) -> Reason | None:
    """Return why a person's mail can't be appended, the weightiest reason first."""
    # Staff before participants: an agent who takes part must not be let in by the weaker rule.
    obstacles: dict[Reason, bool] = {
        "no_sender": address is None,
        "staff_by_mail": staff,
        "not_a_participant": ours is None,
        "sender_check_failed": check == "fail",
        "sender_unverified": check == "none" and strict,
    }
    return next((reason for reason, stands in obstacles.items() if stands), None)


def _for_new(address: str | None, check: Check, reason: Reason) -> Decision:
    """Open a ticket for whoever wrote, unless nobody is named or the name is forged."""
    if address is None:
        return Decision(Outcome.QUARANTINED, "no_sender")
    if check == "fail":
        return Decision(Outcome.QUARANTINED, "sender_check_failed")
    return Decision(Outcome.NEW_TICKET, reason, verified=check == "pass")


def ticket_subject(mail: ParsedMail) -> str:
    """Return the subject for a new ticket: without foreign numbers, else the first 50 characters of the text."""
    # A foreign number in the subject would lead later answers into somebody else's request.
    subject = without_tags(mail.subject)[:MAX_SUBJECT_CHARS].rstrip()
    return subject or " ".join(mail.text.split())[:BORROWED_CHARS].rstrip() or NO_SUBJECT

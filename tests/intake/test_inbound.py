"""What becomes of a mail: exactly one outcome with its reason, and a number alone opens nothing (P13, checks 1-14)."""

import itertools
import random
from dataclasses import replace
from typing import get_args

import pytest
from firstline.common.addresses import message_id, reply_address
from firstline.intake.inbound import (
    NO_SUBJECT,
    Candidate,
    Decision,
    Envelope,
    MailRules,
    Outcome,
    Proposal,
    Reason,
    decide,
    fingerprint,
    proposals,
    ticket_subject,
)
from firstline.intake.mail import Automatic, ParsedMail
from firstline.intake.parsing import parse

KEY = b"k" * 32
NUMBER, OTHER = "FL-7K3M-9QPX", "FL-0000-0001"
DESK = "support@desk.example"
RULES = MailRules(own_addresses=frozenset({DESK, "noreply@desk.example"}), server="mx.desk.example")
STRICT = replace(RULES, strict=True)
ANNA, EVE = "anna@shop.example", "eve@evil.example"
ENVELOPE = Envelope(ANNA, (DESK,))
PASS = ("mx.desk.example; dmarc=pass header.from=shop.example",)
FAIL = ("mx.desk.example; dmarc=fail header.from=shop.example",)
SIGNED = reply_address(KEY, NUMBER, DESK)
SENT = message_id(KEY, NUMBER, "0193-1", "desk.example")
MAIL = ParsedMail(
    digest="d", message_id="<m1@shop.example>", from_address=ANNA, subject=f"Re: [{NUMBER}] Site", text="It is down."
)
TICKET = Candidate(Proposal(NUMBER, signed=False), "t1", frozenset({ANNA, "boss@shop.example"}))
RETURNED = replace(TICKET, proposal=Proposal(NUMBER, signed=True))


def judged(
    mail: ParsedMail = MAIL,
    candidates: tuple[Candidate, ...] = (TICKET,),
    rules: MailRules = RULES,
    envelope: Envelope = ENVELOPE,
    *,
    duplicate: bool = False,
    staff: bool = False,
) -> Decision:
    """Decide, by default about a participant's mail with the ticket's number."""
    return decide(mail, envelope, candidates, rules, key=KEY, duplicate=duplicate, staff=staff)


def proposed(mail: ParsedMail, *recipients: str) -> tuple[Proposal, ...]:
    """Return the proposals of a mail to these recipients."""
    return proposals(mail, Envelope(ANNA, recipients or (DESK,)), KEY)


# Proposals


def test_subject_proposes() -> None:
    """The number in the subject is proposed, unsigned."""
    assert proposed(MAIL) == (Proposal(NUMBER, signed=False),)


@pytest.mark.parametrize(
    "mail",
    [
        replace(MAIL, subject="", in_reply_to=(SENT,)),
        replace(MAIL, subject="", references=("<a@b>", SENT, "<c@d>")),
        replace(MAIL, subject="", returned_id=SENT),
    ],
)
def test_our_message_id_proposes(mail: ParsedMail) -> None:
    """An answer to a mail of ours, or its return, names the number by our signed Message-ID."""
    assert proposed(mail) == (Proposal(NUMBER, signed=True),)


def test_signed_address_proposes() -> None:
    """A mail sent to the signed reply address needs no number in its subject."""
    assert proposed(replace(MAIL, subject=""), "x@desk.example", SIGNED.upper()) == (Proposal(NUMBER, signed=True),)


def test_proofs_come_before_the_subject_and_count_once() -> None:
    """A number both signed and named is signed; other numbers in the subject follow."""
    mail = replace(MAIL, subject=f"[{OTHER}] [{NUMBER}]", in_reply_to=(SENT,))
    assert proposed(mail, SIGNED) == (Proposal(NUMBER, signed=True), Proposal(OTHER, signed=False))


def test_newest_of_the_thread_comes_first() -> None:
    """Where a thread joins two tickets, the mail that is answered counts before older ones."""
    older = message_id(KEY, OTHER, "0193-0", "desk.example")
    assert [p.number for p in proposed(replace(MAIL, subject="", references=(older, SENT)))] == [NUMBER, OTHER]


@pytest.mark.parametrize(
    "mail",
    [
        replace(MAIL, subject="", text=f"[{NUMBER}]", reply_text=f"[{NUMBER}]"),
        replace(MAIL, subject="", from_name=f"[{NUMBER}]"),
        replace(MAIL, subject="", in_reply_to=("<fl-7k3m-9qpx.0193-1.0000000000000000@desk.example>",)),
        replace(MAIL, subject="", references=("<fl-7k3m-9qpx@desk.example>",)),
        replace(MAIL, subject="", message_id=SENT),
        replace(MAIL, subject="", to=(SIGNED,), cc=(SIGNED,), reply_to=(SIGNED,)),
        replace(MAIL, subject=f"x[{NUMBER}]"),
    ],
)
def test_nothing_else_proposes(mail: ParsedMail) -> None:
    """Body, names, forged ids, the mail's own id and header addresses (which anybody can write) name no ticket."""
    assert proposed(mail) == ()


def test_html_attributes_propose_nothing() -> None:
    """A number in a link of an HTML body stays there."""
    raw = f'From: a@b.example\r\nContent-Type: text/html\r\n\r\n<a href="[{NUMBER}]" title="[{NUMBER}]">x</a>'
    assert proposed(parse(raw.encode())[0]) == ()


def test_guessed_proofs_propose_nothing() -> None:
    """Ten thousand random signatures, in addresses and ids, hit nothing."""
    chance = random.Random(5)
    for _ in range(10_000):
        mac = "".join(chance.choices("0123456789abcdefghjkmnpqrstvwxyz", k=16))
        mail = replace(MAIL, subject="", in_reply_to=(f"<fl-7k3m-9qpx.0193-1.{mac}@desk.example>",))
        assert proposed(mail, f"support+fl-7k3m-9qpx.{mac}@desk.example") == ()


# New tickets


def test_mail_without_a_number_is_a_new_ticket() -> None:
    """No number, a new request; unverified as long as no server vouches for the sender."""
    assert judged(replace(MAIL, subject="Site"), ()) == Decision(Outcome.NEW_TICKET, "no_number")
    verified = judged(replace(MAIL, subject="Site", auth_results=PASS), ())
    assert verified == Decision(Outcome.NEW_TICKET, "no_number", verified=True)


def test_unknown_number_is_as_good_as_none() -> None:
    """A number that leads to no ticket opens a new one (reading A12)."""
    assert judged(candidates=()) == Decision(Outcome.NEW_TICKET, "unknown_number")


def test_strict_desk_still_takes_new_requests() -> None:
    """Strictness is about threads: a first mail without a check's result is a new request, marked unverified."""
    assert judged(replace(MAIL, subject="Site"), (), STRICT) == Decision(Outcome.NEW_TICKET, "no_number")


def test_forged_sender_opens_nothing() -> None:
    """A mail whose check failed is held: an acknowledgement would go to somebody who wrote nothing."""
    decision = judged(replace(MAIL, subject="Site", auth_results=FAIL), ())
    assert decision == Decision(Outcome.QUARANTINED, "sender_check_failed")


def test_staff_may_ask_for_help() -> None:
    """A member of staff who writes without a number is a requester like any other."""
    assert judged(replace(MAIL, subject="Site"), (), staff=True).outcome is Outcome.NEW_TICKET


# Threads


def test_participant_is_appended() -> None:
    """The exact participant, checked or not, is appended; the badge tells which."""
    assert judged() == Decision(Outcome.APPENDED, "participant", "t1")
    assert judged(replace(MAIL, auth_results=PASS)) == Decision(Outcome.APPENDED, "participant", "t1", verified=True)


@pytest.mark.parametrize(
    "address", [EVE, "anna@shop.example.evil.example", "xanna@shop.example", "anna@shop", "anna@shop.example@e"]
)
def test_stranger_with_the_number_is_held(address: str) -> None:
    """Neither a stranger nor an address that contains a participant's gets in, not even by the signed address."""
    for candidate in (TICKET, RETURNED):
        decision = judged(replace(MAIL, from_address=address, auth_results=PASS), (candidate,))
        assert decision == Decision(Outcome.QUARANTINED, "not_a_participant", "t1")


def test_reply_to_and_cc_make_no_participant() -> None:
    """Who is named in Reply-To, Cc or To is not who writes."""
    mail = replace(MAIL, from_address=EVE, reply_to=(ANNA,), cc=(ANNA,), to=(ANNA,))
    assert judged(mail, envelope=Envelope(ANNA, (DESK,))).outcome is Outcome.QUARANTINED


def test_failed_check_is_held() -> None:
    """A participant's name on a forged mail opens nothing."""
    decision = judged(replace(MAIL, auth_results=FAIL))
    assert decision == Decision(Outcome.QUARANTINED, "sender_check_failed", "t1")


def test_strict_desk_holds_what_was_not_checked() -> None:
    """Without a result a strict desk holds a reply; with a pass it appends."""
    assert judged(rules=STRICT) == Decision(Outcome.QUARANTINED, "sender_unverified", "t1")
    assert judged(replace(MAIL, auth_results=PASS), rules=STRICT).outcome is Outcome.APPENDED


def test_right_number_counts_beside_a_wrong_one() -> None:
    """Of several tickets the one in which the sender takes part is meant."""
    foreign = Candidate(Proposal(OTHER, signed=False), "t0", frozenset({EVE}))
    assert judged(candidates=(foreign, TICKET)) == Decision(Outcome.APPENDED, "participant", "t1")


def test_stranger_is_held_beside_the_first_ticket() -> None:
    """A held mail lies beside the ticket that it names first."""
    second = replace(TICKET, ticket_id="t2")
    assert judged(replace(MAIL, from_address=EVE), (TICKET, second)).ticket_id == "t1"


def test_staff_never_answer_by_mail() -> None:
    """An agent's address on a mail is no agent's answer, even where the agent takes part."""
    decision = judged(replace(MAIL, auth_results=PASS), staff=True)
    assert decision == Decision(Outcome.QUARANTINED, "staff_by_mail", "t1")


# Odd mails


def test_mail_of_nobody_is_held() -> None:
    """Without exactly one sender a mail waits for a specialist, beside its ticket where it names one."""
    nobody = replace(MAIL, from_address=None)
    assert judged(nobody, ()) == Decision(Outcome.QUARANTINED, "no_sender")
    assert judged(nobody) == Decision(Outcome.QUARANTINED, "no_sender", "t1")


@pytest.mark.parametrize("problem", ["unparseable", "too_complex", "unreadable"])
def test_unreadable_mail_is_held(problem: str) -> None:
    """What can't be read is held for somebody who can, not guessed at."""
    decision = judged(replace(MAIL, problems=(problem,)))
    assert decision == Decision(Outcome.QUARANTINED, "unreadable")


def test_small_losses_hold_nothing() -> None:
    """A mail whose text was cut is appended as usual."""
    assert judged(replace(MAIL, problems=("text_cut", "attachments_left_out"))).outcome is Outcome.APPENDED


@pytest.mark.parametrize("address", [DESK, "noreply@desk.example", "support+x@desk.example", SIGNED])
def test_own_address_as_sender_is_refused(address: str) -> None:
    """A mail from the desk itself is a loop or a lie."""
    for candidates in ((), (TICKET,), (replace(TICKET, participants=frozenset({address})),)):
        decision = judged(replace(MAIL, from_address=address), candidates)
        assert decision == Decision(Outcome.REFUSED, "own_address")


def test_same_mail_twice_is_a_duplicate() -> None:
    """Whatever else is true of it, a mail that was taken before is a duplicate."""
    for mail in (MAIL, replace(MAIL, from_address=DESK), replace(MAIL, automatic="bounce")):
        assert judged(mail, duplicate=True) == Decision(Outcome.DUPLICATE, "same_message")


# Robots


@pytest.mark.parametrize("kind", get_args(Automatic))
def test_automatic_mail_without_a_number_is_refused(kind: Automatic) -> None:
    """No robot opens a request or gets an answer."""
    decision = judged(replace(MAIL, automatic=kind), ())
    assert decision == Decision(Outcome.REFUSED, "automatic", automatic=kind)


@pytest.mark.parametrize("kind", get_args(Automatic))
def test_participants_robot_is_appended_as_automatic(kind: Automatic) -> None:
    """An out-of-office note of a participant is kept, marked so that nothing is started by it."""
    decision = judged(replace(MAIL, automatic=kind))
    assert decision == Decision(Outcome.APPENDED, "participant", "t1", automatic=kind)


def test_forged_robot_is_refused() -> None:
    """Automatic mail whose check failed, or from an address that only looks like a participant's, is not appended."""
    alike = replace(MAIL, automatic="auto-replied", from_address="anna@shop.example.evil.example")
    assert judged(alike).outcome is Outcome.REFUSED
    assert judged(replace(MAIL, automatic="auto-replied", auth_results=FAIL)).outcome is Outcome.REFUSED


def test_empty_return_path_makes_a_bounce() -> None:
    """A bounce without any header is known by its envelope (RFC 5321)."""
    decision = judged(replace(MAIL, from_address="postmaster@shop.example"), envelope=Envelope("", (DESK,)))
    assert decision == Decision(Outcome.REFUSED, "automatic", automatic="bounce")


def test_our_own_message_id_makes_it_ours() -> None:
    """A mail that carries an id of ours as its own is our mail coming back, and starts nothing."""
    assert judged(replace(MAIL, message_id=SENT)).automatic == "own"
    assert judged(replace(MAIL, message_id=SENT, from_address=EVE)).outcome is Outcome.REFUSED


def test_return_of_our_mail_is_shown_to_staff() -> None:
    """A bounce that proves which mail of ours it returns is appended for staff, though its sender is nobody."""
    for sender in ("mailer-daemon@mx.example", None):
        mail = replace(MAIL, from_address=sender, automatic="bounce", returned_id=SENT)
        decision = judged(mail, (RETURNED,), envelope=Envelope("", (DESK,)))
        assert decision == Decision(Outcome.APPENDED, "returned_mail", "t1", automatic="bounce", staff_only=True)


def test_bounce_that_only_names_a_number_is_refused() -> None:
    """A forged bounce with a number in its subject proves nothing."""
    mail = replace(MAIL, from_address="mailer-daemon@mx.example", automatic="bounce")
    assert judged(mail).outcome is Outcome.REFUSED


def test_third_partys_robot_at_a_signed_address_is_refused() -> None:
    """A confirmation mail that a client had sent to the signed address must not become readable for that client."""
    for kind in ("auto-generated", "auto-replied", "bulk", "list", "report"):
        mail = replace(MAIL, from_address="noreply@service.example", automatic=kind, auth_results=PASS)
        assert judged(mail, (RETURNED,)) == Decision(Outcome.REFUSED, "automatic", automatic=kind)


# Everything at once


def test_every_mail_has_one_sensible_outcome() -> None:
    """Over all combinations: one of five outcomes, a known reason, and nothing appended that a rule forbids."""
    seen = set()
    for sender, auth, automatic, candidates, rules, mail_from, problems, duplicate, staff in itertools.product(
        (ANNA, EVE, DESK, None),
        ((), PASS, FAIL),
        (None, "auto-replied", "bounce"),
        ((), (TICKET,), (RETURNED,)),
        (RULES, STRICT),
        (ANNA, ""),
        ((), ("unreadable",)),
        (False, True),
        (False, True),
    ):
        kind: Automatic | None = automatic  # type: ignore[assignment]  # product() forgets the literals
        mail = replace(MAIL, from_address=sender, auth_results=auth, automatic=kind, problems=problems)
        decision = judged(mail, candidates, rules, Envelope(mail_from, (DESK,)), duplicate=duplicate, staff=staff)
        seen.add((decision.outcome, decision.reason))
        assert decision.reason in get_args(Reason)
        if decision.outcome is Outcome.APPENDED:
            assert candidates
            assert auth != FAIL or decision.staff_only
            assert sender == ANNA or decision.staff_only
            assert not staff or decision.automatic
            assert decision.ticket_id == "t1"
        if decision.outcome is Outcome.NEW_TICKET:
            assert (automatic, mail_from, candidates) == (None, ANNA, ())
            assert sender in {ANNA, EVE}
        if decision.verified:
            assert auth == PASS
    assert {outcome for outcome, _ in seen} == set(Outcome)
    by_the_policy = {"channel_not_official", "licence_not_active"}
    by_a_specialist = {"accepted", "opened", "rejected"}
    assert {reason for _, reason in seen} == {*get_args(Reason)} - {"no_number"} - by_the_policy - by_a_specialist


# Duplicates


def test_copies_share_a_fingerprint() -> None:
    """Message-ID, sender and content make a copy; what is read from the rest doesn't matter."""
    assert fingerprint(MAIL) == fingerprint(replace(MAIL, auth_results=PASS, to=(DESK,)))


@pytest.mark.parametrize(
    "other",
    [
        replace(MAIL, message_id="<m2@shop.example>"),
        replace(MAIL, from_address=EVE),
        replace(MAIL, digest="e"),
    ],
)
def test_each_part_of_the_fingerprint_counts(other: ParsedMail) -> None:
    """The same id from somebody else, or with another content, is another mail."""
    assert fingerprint(other) != fingerprint(MAIL)


@pytest.mark.parametrize("odd", [replace(MAIL, message_id=None), replace(MAIL, from_address=None)])
def test_mail_without_id_or_sender_is_nobodys_copy(odd: ParsedMail) -> None:
    """Mails with empty ids must never be taken for one another."""
    assert fingerprint(odd) is None


# Subjects


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        ("Site is down", "x", "Site is down"),
        (f"Re: [{OTHER}] Site [{NUMBER}]", "x", "Re: Site"),
        ("", "The site\nis down since the update of this morning, at about nine", None),
        (f"[{NUMBER}]", "Hello", "Hello"),
        ("", "", NO_SUBJECT),
        ("", " \n ", NO_SUBJECT),
        ("a" * 998, "x", "a" * 250),
    ],
)
def test_new_ticket_has_a_subject(subject: str, text: str, expected: str | None) -> None:
    """The mail's subject without foreign numbers, else the beginning of the text, else words that say so."""
    made = ticket_subject(replace(MAIL, subject=subject, text=text))
    assert made == (expected or "The site is down since the update of this morning,")
    assert len(made) <= 250

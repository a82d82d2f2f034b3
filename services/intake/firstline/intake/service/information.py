"""Required information (clause 4.2): what fills it, whatever channel it comes by, and how much of it is there."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from firstline.common.errors import Fault, Invalid
from firstline.common.events import Changes
from firstline.common.policy.model import Policy
from firstline.intake.mail import ParsedMail
from firstline.intake.questions import Question, answers_in
from firstline.intake.scope import Rulebook, answered, completeness
from firstline.intake.service.change import Change
from firstline.intake.service.licences import last_four, licence_for, state_of, without_key
from firstline.intake.ticket import FREE_JSON_LIMIT, Ticket, changes_between

FILLED = ("missing_information", "product", "product_version", "doc_refs", "entitlement", "licence_last4")
DOCUMENTATION = "doc_refs"
MOST_REFERENCES = 20


async def fill(change: Change, given: Mapping[str, Any]) -> Changes:
    """Take answers to questions for missing information, ask no more for them, and return what changed.

    Raises:
        Invalid: with those that are there already they are too large.

    """
    if not given:
        return {}
    before = change.ticket
    fields, key = without_key(given)
    if key is not None:
        await take_licence(change, key)
    fields = change.holding.values(fields, "fields")
    left = [missing for missing in before.missing_information if not answered(fields.get(missing["field"]))]
    change.become(fields=together(before.fields, fields), missing_information=left, **_members(change.ticket, fields))
    return changes_between(before, change.ticket, FILLED)


async def take_licence(change: Change, key: str, *, known_only: bool = False) -> None:
    """Know the licence whose key was given; one that nobody knows changes nothing but the end that is shown."""
    licence = await licence_for(change.unit, key=key, organization_id=None)
    if licence is None:
        if known_only:
            return
        change.become(licence_last4=change.ticket.licence_last4 or last_four(key))
        return
    state, product = state_of(licence, change.now), change.ticket.product or licence.product
    change.become(entitlement=state, licence_id=licence.id, licence_last4=licence.last4, product=product)


def _members(ticket: Ticket, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what answers tell that a request has members of its own for; what it knows already stays."""
    texts = {name: value.strip() for name, value in fields.items() if isinstance(value, str) and value.strip()}
    given = fields.get(DOCUMENTATION)
    references = given if isinstance(given, list) else [texts[DOCUMENTATION]] if DOCUMENTATION in texts else []
    new = [reference for reference in references if reference not in ticket.doc_refs]
    return {
        "product": ticket.product or texts.get("product"),
        "product_version": ticket.product_version or texts.get("version"),
        DOCUMENTATION: [*ticket.doc_refs, *new][:MOST_REFERENCES],
    }


def demand_documentation(change: Change, policy: Policy, rules: Rulebook, *, demanded: bool) -> None:
    """Ask for the documentation that comes closest, where none is named yet, or ask for it no more (clause 1.2).

    Raises:
        Invalid: the policy has no question for it.

    """
    ticket = change.ticket
    change.become(doc_required=demanded)
    question = next((known.question for known in policy.information.fields if known.code == DOCUMENTATION), None)
    if question is None and demanded:
        fault = Fault("/doc_required", f"Add the field `{DOCUMENTATION}` to the policy's `information.fields` first.")
        raise Invalid("The policy has no question for documentation.", faults=(fault,), clause="1.2")
    rule = rules.topics.get(ticket.topic)
    by_topic = rule is not None and any(asked.field == DOCUMENTATION for asked in rule.required)
    named = bool(ticket.doc_refs) or answered(ticket.fields.get(DOCUMENTATION))
    missing = [one for one in ticket.missing_information if one["field"] != DOCUMENTATION]
    if question is not None and (demanded or by_topic) and not named:
        missing.append({"field": DOCUMENTATION, "question": question})
    if missing != ticket.missing_information:
        change.become(missing_information=missing)


def together(old: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's fields with those that came with a message.

    Raises:
        Invalid: together they are too large.

    """
    fields = {**old, **more}
    if len(json.dumps(fields).encode()) > FREE_JSON_LIMIT:
        fault = Fault("/fields", f"All fields of a request may have {FREE_JSON_LIMIT} bytes as JSON; write a text.")
        raise Invalid("The fields are too large.", faults=(fault,))
    return fields


def mailed(mail: ParsedMail, policy: Policy, missing: Iterable[Mapping[str, str]]) -> tuple[str, dict[str, str]]:
    """Return what a mail newly says, and the answers in it to questions for what is missing.

    Who writes between the lines of our mail is read as well: then the text is the whole mail, or it would be lost.
    """
    text = mail.reply_text.strip() or mail.text.strip()
    asked = questions(policy, missing)
    own = answers_in(text, asked)
    # Below it may stand what we wrote ourselves, so that a label there proves nothing.
    between = answers_in(mail.text, [one for one in asked if one.field not in own], labels=False)
    return mail.text.strip() if between else text, {**own, **between}


def questions(policy: Policy, missing: Iterable[Mapping[str, str]]) -> Sequence[Question]:
    """Return what is missing as questions that can be recognised in a mail."""
    titles = {known.code: known.title for known in policy.information.fields}
    return [Question(one["field"], titles.get(one["field"], one["field"]), one["question"]) for one in missing]


def completeness_of(ticket: Ticket, rules: Rulebook) -> float:
    """Return the share of the required information that a request has, 0 to 1."""
    rule = rules.topics.get(ticket.topic)
    return completeness(len(rule.required) if rule else 0, len(ticket.missing_information))

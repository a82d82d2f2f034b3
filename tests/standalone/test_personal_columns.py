"""Each column that can hold personal data is erased by a stage, or is named here with the reason why it isn't."""

import importlib

import pytest
import sqlalchemy as sa
from firstline.common.store.tables import JsonText

SERVICES = ("accounts", "intake", "notify", "queue", "sla")
TABLES = {
    "intake": ("tables", "article_tables", "held_tables", "incident_tables", "vault_tables", "word_tables"),
    "accounts": ("tables",),
    "notify": ("tables",),
}

# Tables that every service has: what is erased in them, then what needn't be, and why.
SHARED_ERASED = {
    "answer": {"scope", "body"},
    "erasure": {"person_id", "address", "names", "tickets", "place", "erased"},
    "inbox_event": {"envelope"},
    "log_event": {"data", "salt"},
}
SHARED_EXEMPT = {
    "answer": "a client's own key, a hash and a version; the row goes when it is the person's",
    "inbox_event": "IDs and names of logs, and the desk's own reasons",
    "inbox_source": "names of logs",
    "inbox_stream": "IDs and hashes",
    "lease": "names of processes",
    "log_event": "IDs and hashes; what the data was is not found from its hash once the salt is gone",
    "log_relay": "IDs and hashes",
}
ERASED = {
    "accounts": {
        "api_key": {"name", "person_id", "sha256", "last4"},
        "person": {"id", "email", "name", "language", "role", "organization_id", "tier", "skills"},
        "refresh_token": {"sha256", "person_id", "family"},
        "sign_in_link": {"sha256", "person_id"},
    },
    "intake": {
        "access_request": {"host", "reason", "provided_by", "changed_by", "reveals"},
        "access_secret": {"data_key", "content"},
        "attachment": {"uploader", "name", "sha256", "file_key", "reason"},
        "canned_answer": {"title", "text"},
        "held_text": {"data_key", "content"},
        "incident": {"title", "banner"},
        "incident_answer": {"body", "author"},
        "mail": {
            *("sha256", "file_key", "mail_from", "rcpt_to", "message_id", "fingerprint", "from_address", "subject"),
            *("text", "attachments", "remark"),
        },
        "message": {"author_id", "author_name", "body"},
        "participant": {"address", "name", "language"},
        "participant_merge": {"address"},
        "person": {"id", "email", "name", "language", "role", "organization_id"},
        "supervisor_request": {"asked_by", "body", "answer"},
        "ticket": {
            *("subject", "requester_id", "requester_email", "requester_name", "fields", "doc_refs", "external_ref"),
            *("metadata", "supervisor_request", "rating", "missing_information", "hints", "planned_release"),
            *("urgency_reason", "urgency_claim", "defect_ref"),
        },
        "ticket_words": {"words", "notes"},
    },
    "notify": {
        "attempt": {"detail", "excerpt"},
        "delivery": {"recipient", "payload", "reason"},
        "endpoint": {"description"},
        "feed": {"body"},
        "feed_reader": {"reader"},
        "person": {"id", "email", "name", "language"},
        "ticket": {"subject", "requester_email", "conversation", "parting"},
    },
    "queue": {"queue_entry": {"subject"}, "queue_participant": {"address"}, "queue_person": {"id", "address"}},
    "sla": {"name": {"id", "name"}, "participant": {"address"}, "person": {"id", "address"}},
}
CHOSEN = "IDs, and words that the product chooses from a list"
STAFF = "IDs of staff, who stay responsible for what they did"
POLICY = "the desk's own rules"
EXEMPT = {
    "accounts": {
        "certificate": "the ID of who was erased, which leads to nobody, and who asked for it: what the certificate is",
        "organization": "a company's name",
        "licence": "a company's",
        "api_key": CHOSEN,
    },
    "intake": {
        "access_request": CHOSEN + "; " + STAFF,
        "access_secret": CHOSEN,
        "article": "published documentation, which is imported anew from where it is kept",
        "article_use": CHOSEN,
        "article_use_count": CHOSEN,
        "article_word": "words of published documentation",
        "attachment": CHOSEN,
        "canned_answer": CHOSEN,
        "canned_answer_article": CHOSEN,
        "claim": STAFF,
        "due": CHOSEN,
        "held_text": CHOSEN + "; " + STAFF,
        "incident": CHOSEN + "; " + STAFF,
        "incident_answer": CHOSEN,
        "incident_reply": "IDs, and the desk's own reasons",
        "incident_ticket": STAFF,
        "licence": "a company's",
        "mail": CHOSEN + "; " + STAFF,
        "message": CHOSEN,
        "message_attachment": CHOSEN,
        "participant": CHOSEN,
        "participant_merge": CHOSEN,
        "policy": POLICY,
        "release": "a version of the product, and what it brings; " + STAFF,
        "supervisor_request": CHOSEN + "; " + STAFF,
        "ticket": CHOSEN + "; of licences the ID and the last four characters of a company's key",
        "ticket_link": CHOSEN,
        "ticket_words": CHOSEN,
        "urgency_claim_count": CHOSEN,
    },
    "notify": {
        "attempt": CHOSEN,
        "delivery": CHOSEN + "; the desk's own address and Message-IDs",
        "endpoint": "a company's receiver; its secrets are encrypted",
        "feed": CHOSEN,
        "policy": POLICY,
        "ticket": CHOSEN,
    },
    "queue": {
        "queue_entry": CHOSEN + "; " + STAFF,
        "queue_participant": CHOSEN,
        "queue_policy": POLICY,
        "queue_streak": CHOSEN,
    },
    "sla": {
        "clock": CHOSEN,
        "fact": CHOSEN,
        "participant": CHOSEN,
        "policy": POLICY,
        "in_force": "the name of a policy version",
        "refill": "names of logs",
        "licence": "a company's",
        "recompute": CHOSEN + "; " + STAFF,
        "recompute_change": "IDs, and the desk's own reasons",
        "run": CHOSEN + "; " + STAFF,
        "simulation": "counts by what the product chooses from a list; " + POLICY + "; " + STAFF,
        "taken": CHOSEN,
        "ticket": CHOSEN,
        "waited": CHOSEN,
        "waiting": CHOSEN,
    },
}
# Columns of tables with a reason above, so that a new one has to be thought about.
EXEMPT_COLUMNS = {
    "accounts": """
        answer.key answer.digest answer.etag api_key.id api_key.organization_id api_key.role certificate.person_id
        certificate.asked_by certificate.reports licence.id licence.key_sha256 licence.last4 licence.organization_id
        licence.product licence.edition organization.id organization.name organization.kind
    """,
    "intake": """
        access_request.id access_request.ticket_id access_request.kinds access_request.status
        access_request.requested_by access_request.given access_request.cause access_secret.id
        access_secret.request_id access_secret.kind access_secret.key_id article.id article.url article.title
        article.text article.topic article.language article_use.article_id article_use.kind
        article_use.ticket_id article_use_count.article_id article_use_count.kind article_word.word
        attachment.id attachment.declared_type attachment.type attachment.status canned_answer.id
        canned_answer.code canned_answer.topic canned_answer.article_ids canned_answer_article.code
        canned_answer_article.article_id claim.ticket_id claim.agent due.ticket_id held_text.id
        held_text.ticket_id held_text.message_id held_text.place held_text.kinds held_text.key_id
        held_text.status held_text.decided_by incident.id incident.status incident.opened_by incident_answer.id
        incident_answer.incident_id incident_reply.answer_id incident_reply.ticket_id incident_reply.problem
        incident_ticket.incident_id incident_ticket.ticket_id incident_ticket.linked_by licence.id
        licence.key_sha256 licence.last4 licence.organization_id licence.product mail.id mail.outcome
        mail.reason mail.ticket_id mail.key_id mail.duplicate_of mail.automatic mail.held_reason mail.decided_by
        message.id message.ticket_id message.audience message.side message.author_role message.channel
        message.mail_id message.split_into message_attachment.attachment_id message_attachment.message_id
        message_attachment.ticket_id participant.ticket_id participant.merged_from participant_merge.ticket_id
        participant_merge.merged_from policy.version policy.name policy.document release.version release.note
        release.shipped_by release.shipped_by_role release.shipped_by_client supervisor_request.id
        supervisor_request.ticket_id supervisor_request.kind supervisor_request.answered_by ticket.id
        ticket.number ticket.status ticket.waiting_cause ticket.circumstance ticket.close_reason ticket.topic
        ticket.tier ticket.urgency ticket.recovery ticket.complexity ticket.language ticket.scope
        ticket.entitlement ticket.policy_version ticket.organization_id ticket.product ticket.product_version
        ticket.licence_last4 ticket.licence_id ticket.suggested_articles ticket.channel ticket.follows
        ticket.split_from ticket.merged_into ticket.awaited_release ticket.released_in ticket.owed
        ticket_link.ticket_id ticket_link.other_id ticket_words.ticket_id urgency_claim_count.organization_id
    """,
    "notify": """
        attempt.delivery_id attempt.outcome delivery.id delivery.channel delivery.kind delivery.event_id
        delivery.ticket_id delivery.number delivery.endpoint_id delivery.mail_from delivery.message_id delivery.state
        delivery.traceparent endpoint.id endpoint.organization_id endpoint.url endpoint.types endpoint.state
        endpoint.reason endpoint.secrets feed.type policy.version policy.document ticket.id ticket.number ticket.status
        ticket.language ticket.policy_version
    """,
    "queue": """
        queue_entry.ticket_id queue_entry.number queue_entry.organization_id queue_entry.status queue_entry.urgency
        queue_entry.topic queue_entry.tier queue_entry.owner queue_entry.agent queue_participant.ticket_id
        queue_policy.version queue_policy.levels queue_streak.wish
    """,
    "sla": """
        recompute.after recompute.asked_by recompute.id recompute.policy_version recompute.scope recompute.state
        recompute_change.number recompute_change.problem recompute_change.recompute_id recompute_change.target
        recompute_change.ticket_id recompute_change.rule_before recompute_change.rule_after
        ticket.calendar_version ticket.targets_version in_force.version
        clock.id clock.ticket_id clock.target clock.state fact.ticket_id fact.id fact.type fact.cause
        fact.targets fact.origin fact.traits clock.rule clock.warnings licence.id licence.edition run.agent
        run.ended_by run.month run.organization_id run.outcome run.target run.ticket_id run.tier run.topic
        run.urgency run.hours_version run.targets_version simulation.changes simulation.id simulation.made_by
        simulation.place simulation.state simulation.tally taken.claim taken.first_topic taken.recovery
        taken.mark taken.month taken.organization_id taken.ticket_id taken.tier taken.topic
        taken.urgency taken.verdict participant.ticket_id policy.version policy.document refill.source ticket.id
        ticket.number ticket.organization_id ticket.policy_version ticket.urgency waited.ticket_id
        waiting.ticket_id
    """,
}
SHARED_COLUMNS = """
    answer.key answer.digest answer.etag inbox_event.source inbox_event.stream inbox_event.log inbox_event.state
    inbox_event.reason inbox_source.source inbox_source.log inbox_stream.source inbox_stream.stream inbox_stream.log
    inbox_stream.hash lease.name lease.owner log_event.id log_event.stream log_event.type log_event.subject
    log_event.data_hash log_event.traceparent log_event.hash log_relay.log log_relay.hash
"""


def columns_of(service: str) -> set[str]:
    """Return the columns of a service's tables that can hold words."""
    store = f"firstline.{service}.store"
    modules = [importlib.import_module(f"{store}.{part}") for part in TABLES.get(service, ())]
    metadata: sa.MetaData = (modules or [importlib.import_module(store)])[0].METADATA
    return {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, (sa.Text, sa.String, sa.LargeBinary, JsonText))
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_column_is_erased_or_exempt(service: str) -> None:
    """A column that is new has to be erased, or to be exempt for a reason; what is named here is there."""
    erased = {
        f"{table}.{name}" for rules in (SHARED_ERASED, ERASED[service]) for table in rules for name in rules[table]
    }
    exempt = set(SHARED_COLUMNS.split()) | set(EXEMPT_COLUMNS[service].split())
    there = columns_of(service)
    assert erased & exempt == set()
    assert there - erased - exempt == set(), "erase it in a stage, or say here why it need not be"
    assert (erased | exempt) - there == set(), "it is named here, and gone"


@pytest.mark.parametrize("service", SERVICES)
def test_every_exempt_table_has_a_reason(service: str) -> None:
    """Each table with an exempt column says why; a reason without such a column is old."""
    exempt = {column.partition(".")[0] for column in EXEMPT_COLUMNS[service].split()}
    shared = {column.partition(".")[0] for column in SHARED_COLUMNS.split()}
    assert exempt - set(EXEMPT[service]) - shared == set()
    assert set(EXEMPT[service]) - exempt == set()
    assert shared == set(SHARED_EXEMPT)

"""Requests by the hundred thousand for benchmarks: several languages, words as frequent as Zipf found them to be.

The texts are made here; PostgreSQL makes the rows of them and of numbers hashed to look like chance, and builds its
indexes at the end. So a million requests take minutes, and the same ones come out each time.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

import asyncpg
from firstline.intake.search import terms_of

PORTION = 100_000
VOCABULARY, TEXTS, SHORTEST, LONGEST = 20_000, 12_000, 20, 90
BEGAN = "2025-01-01 00:00:00+00"
LANGUAGES = {
    "en": "the page update error portal invoice login report server white slow after cannot please version licence",
    "de": "die Seite Aktualisierung Fehler Rechnung Anmeldung Bericht nach der weiße langsam bitte Fassung Lizenz",
    "ru": "страница обновление ошибка портал счёт вход отчёт сервер белая медленно после пожалуйста версия",
    "fr": "la page mise jour erreur facture compte rapport serveur blanche lente après merci version licence",
}
SYLLABLES = {
    "en": "con ter sta ing per lo re ma sel vi tion al",
    "de": "ver lich ung stel ge fahr be zug ent hal ten",
    "ru": "пре ста во ния гор ка про ти ло ва ре",  # noqa: RUF001 (Russian)
    "fr": "mon tra vou leur ais ent par ti cu li er",
}
FREQUENT, MIDDLING, RARE = "page", "zugriffszahl", "quartalsabschluss"
"""Words in about half of all requests, in one of a thousand, and in five."""
SCOPE = '{"verdict":"in","support_mode":"full","reason":null,"refer_to":null,"product_error":null}'
TABLES = ("ticket", "participant", "message", "ticket_words")
INDEXES = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS made_by FROM pg_index i
WHERE i.indrelid = ANY ($1::regclass[]) AND NOT i.indisprimary
AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text AS owner, conname AS name, pg_get_constraintdef(oid) AS made_by FROM pg_constraint
WHERE conrelid = ANY ($1::regclass[]) AND contype IN ('f', 'u') ORDER BY contype DESC
"""
"""What rows would be checked against one by one; unique ones come first, for the others may lean on them."""

# The numbers behind a request: which text, what it is about, whose it is; u0 to u6 are even between 0 and 1.
GIVEN = """
CREATE UNLOGGED TABLE given AS
SELECT i, BEGAN + i * interval '30 seconds' AS at,
    BEGAN + i * interval '30 seconds' + u4 * interval '200 hours' AS later,
    lpad(to_hex((extract(epoch FROM BEGAN)::bigint + 30 * i) * 1000), 12, '0') AS stamp, floor(u5 * TEXTS)::int AS made,
    floor(power(1 - u6, -1 / 0.6))::bigint % 50000 AS client, u0, u1, u2, u3,
    'case' || i || CASE WHEN i % 1000 = 0 THEN ' MIDDLING' ELSE '' END
        || CASE WHEN i % greatest(COUNT / 5, 1) = 0 THEN ' RARE' ELSE '' END AS extra
FROM (
    SELECT i, CHANCES FROM generate_series(FIRST::bigint, LAST::bigint) AS i
) AS chances
"""
TICKETS = """
INSERT INTO ticket (id, number, version, status, waiting_cause, subject, topic, tier, urgency, urgency_provisional,
    recovery, language, scope, entitlement, missing_information, doc_required, policy_version, requester_email,
    organization_id, fields, doc_refs, metadata, channel, verified, reopen_count, received_at, created_at, updated_at)
SELECT id, 'FL-' || lpad((i / 10000)::text, 4, '0') || '-' || lpad((i % 10000)::text, 4, '0'), 1, status,
    CASE WHEN status = 'waiting' THEN CASE WHEN u1 < 0.67 THEN 'client' ELSE 'third_party' END END, subject,
    (ARRAY['updates', 'performance', 'installation', NULL])[1 + floor(u1 * 4)::int],
    CASE WHEN u2 < 0.8 THEN 'helpdesk' WHEN u2 < 0.97 THEN 'technical_support' ELSE 'development' END,
    CASE WHEN u3 < 0.05 THEN 'high' ELSE 'normal' END, false, 'none', language, 'SCOPE', 'active', '[]', false,
    'VERSION', 'c' || client || '@shop.example', 'organization-' || client % 5000, '{}', '[]', '{}', 'portal', true, 0,
    at, at, later
FROM request ORDER BY i
"""
REQUEST = """
CREATE TEMP VIEW request AS
SELECT g.*, t.language, t.subject, t.body, t.terms,
    substr(stamp, 1, 8) || '-' || substr(stamp, 9) || '-7000-8000-' || lpad(to_hex(i), 12, '0') AS id,
    CASE WHEN u0 < 0.01 THEN 'new' WHEN u0 < 0.03 THEN 'open' WHEN u0 < 0.06 THEN 'waiting'
        WHEN u0 < 0.1 THEN 'resolved' ELSE 'closed' END AS status
FROM given g JOIN made_text t ON t.n = g.made
"""
OTHERS = (
    """
    INSERT INTO participant (ticket_id, address, language)
    SELECT id, 'c' || client || '@shop.example', language FROM request ORDER BY i
    """,
    """
    INSERT INTO message (id, ticket_id, body, audience, side, author_role, channel, automatic, verified, received_at,
        created_at)
    SELECT id, id, body || ' ' || extra, 'public', 'client', 'client', 'portal', false, true, at, at
    FROM request ORDER BY i
    """,
    """
    INSERT INTO ticket_words (ticket_id, words, notes)
    SELECT id, terms || array_to_tsvector(string_to_array(EXTRA, ' ')), '' FROM request ORDER BY i
    """,
)


@dataclass(frozen=True, slots=True)
class Text:
    """A request's words: subject, first message, and what the search keeps of them."""

    language: str
    subject: str
    body: str
    terms: str


def texts(chance: random.Random) -> list[Text]:
    """Return texts that requests are made of."""
    weights = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    words = {language: _vocabulary(chance, language) for language in LANGUAGES}
    made = []
    for language in islice(_cycle(list(LANGUAGES)), TEXTS):
        count = chance.randint(SHORTEST, LONGEST)
        subject, body = (" ".join(chance.choices(words[language], cum_weights=weights, k=k)) for k in (6, count))
        made.append(Text(language, subject, body, " ".join(terms_of(subject, body))))
    return made


def _cycle(values: list[str]) -> Iterator[str]:
    while True:
        yield from values


def _vocabulary(chance: random.Random, language: str) -> list[str]:
    syllables = SYLLABLES[language].split()
    words = dict.fromkeys(LANGUAGES[language].split())
    while len(words) < VOCABULARY:
        words["".join(chance.choices(syllables, k=chance.randint(2, 6)))] = None
    return list(words)


async def fill(database: str, count: int) -> None:
    """Fill a database, in which a service has published its policy, with requests."""
    connection = await asyncpg.connect(database, timeout=60, command_timeout=3600)
    version = await connection.fetchval("SELECT version FROM policy ORDER BY published_at DESC LIMIT 1")
    await connection.execute("SET maintenance_work_mem = '1GB'; SET synchronous_commit = off")
    await _keep_texts(connection, texts(random.Random(count)))
    constraints = await connection.fetch(CONSTRAINTS, TABLES)
    indexes = await connection.fetch(INDEXES, TABLES)
    for row in reversed(constraints):
        await connection.execute(f'ALTER TABLE {row["owner"]} DROP CONSTRAINT "{row["name"]}"')
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['name']}")
    for first in range(0, count, PORTION):
        await _make_rows(connection, first, min(first + PORTION, count) - 1, count, version)
    for row in constraints:
        await connection.execute(f'ALTER TABLE {row["owner"]} ADD CONSTRAINT "{row["name"]}" {row["made_by"]}')
    for row in indexes:
        await connection.execute(row["made_by"])
    await connection.execute("DROP TABLE made_text")
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def _keep_texts(connection: Any, made: list[Text]) -> None:
    """Put the texts where the rows are made of them."""
    columns = "n int, language text, subject text, body text, words text"
    await connection.execute(f"CREATE UNLOGGED TABLE made_text ({columns})")
    records = [(number, text.language, text.subject, text.body, text.terms) for number, text in enumerate(made)]
    await connection.copy_records_to_table("made_text", records=records)
    await connection.execute(
        "ALTER TABLE made_text ADD COLUMN terms tsvector;"
        " UPDATE made_text SET terms = array_to_tsvector(string_to_array(words, ' '));"
        " ALTER TABLE made_text ADD PRIMARY KEY (n); ANALYZE made_text"
    )


async def _make_rows(connection: Any, first: int, last: int, count: int, version: str) -> None:
    """Make the requests of these numbers, oldest first, with a participant, a message and words each."""
    chances = ", ".join(f"(hashint8extended(i, {n}) & 1073741823) / 1073741824.0::float8 AS u{n}" for n in range(7))
    places = {"CHANCES": chances, "BEGAN": f"timestamptz '{BEGAN}'", "TEXTS": TEXTS, "FIRST": first, "LAST": last}
    places |= {"COUNT": count, "MIDDLING": MIDDLING, "RARE": RARE, "SCOPE": SCOPE, "VERSION": version}
    await connection.execute(_written(GIVEN, places))
    await connection.execute(REQUEST)
    kept = {"EXTRA": f"replace(replace(extra, '{MIDDLING}', '{_term(MIDDLING)}'), '{RARE}', '{_term(RARE)}')"}
    for statement in (TICKETS, *OTHERS):
        await connection.execute(_written(statement, places | kept))
    await connection.execute("DROP VIEW request; DROP TABLE given")


def _written(statement: str, places: dict[str, Any]) -> str:
    """Return a statement with what stands for its words in capitals."""
    for name, value in places.items():
        statement = re.sub(rf"\b{name}\b", lambda _, value=value: str(value), statement)  # type: ignore[misc]
    return statement


def _term(word: str) -> str:
    """Return what the search keeps of a word."""
    return terms_of(word)[0]

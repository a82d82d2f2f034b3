"""Requests by the hundred thousand for benchmarks: several languages, words as frequent as Zipf found them to be."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from typing import Any

import asyncpg
from firstline.intake.search import terms_of

PORTION = 20_000
VOCABULARY, TEXTS, SHORTEST, LONGEST = 20_000, 12_000, 20, 90
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
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
EMPTY = {"missing_information": "[]", "hints": "[]", "doc_refs": "[]", "suggested_articles": "[]", "fields": "{}"}
SCOPE = '{"verdict":"in","support_mode":"full","reason":null,"refer_to":null,"product_error":null}'
GIN = "CREATE INDEX ix_ticket_words ON ticket_words USING gin (words, notes) WITH (gin_pending_list_limit = 512)"


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


def requests(count: int, version: str) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield requests as rows, oldest first, each with its message and the terms that the search keeps."""
    chance = random.Random(count)
    made = texts(chance)
    for index in range(count):
        text = chance.choice(made)
        extra = f"case{index}"  # something that only this one has
        if index % 1000 == 0:
            extra += f" {MIDDLING}"
        if index % (count // 5) == 0:
            extra += f" {RARE}"
        terms = f"{text.terms} {' '.join(terms_of(extra))}"
        yield (
            _row(chance, index, version) | {"subject": text.subject, "language": text.language},
            (f"{text.body} {extra}"),
            terms,
        )


def _row(chance: random.Random, index: int, version: str) -> dict[str, Any]:
    at = BEGAN + timedelta(seconds=30 * index)
    stamp = f"{int(at.timestamp() * 1000):012x}"
    status = chance.choices(("new", "open", "waiting", "resolved", "closed"), (1, 2, 3, 4, 90))[0]
    client = int(chance.paretovariate(0.6)) % 50_000
    return EMPTY | {
        "id": f"{stamp[:8]}-{stamp[8:]}-7000-8000-{index:012x}",
        "number": f"FL-{index // 10_000:04}-{index % 10_000:04}",
        "version": 1,
        "status": status,
        "waiting_cause": chance.choice(("client", "client", "third_party")) if status == "waiting" else None,
        "topic": chance.choice(("updates", "performance", "installation", None)),
        "tier": chance.choices(("helpdesk", "technical_support", "development"), (80, 17, 3))[0],
        "urgency": "high" if chance.random() < 0.05 else "normal",
        "urgency_provisional": False,
        "recovery": "none",
        "scope": SCOPE,
        "entitlement": "active",
        "doc_required": False,
        "policy_version": version,
        "requester_email": f"c{client}@shop.example",
        "organization_id": f"organization-{client % 5000}",
        "metadata": "{}",
        "channel": "portal",
        "verified": True,
        "reopen_count": 0,
        "received_at": at,
        "created_at": at,
        "updated_at": at + timedelta(hours=chance.randint(1, 200)),
    }


async def fill(database: str, count: int) -> None:
    """Fill a database, in which a service has published its policy, with requests."""
    connection = await asyncpg.connect(database)
    version = await connection.fetchval("SELECT version FROM policy ORDER BY published_at DESC LIMIT 1")
    await connection.execute("DROP INDEX ix_ticket_words; SET maintenance_work_mem = '512MB'")
    rows = requests(count, version)
    while portion := list(islice(rows, PORTION)):
        await _copy(connection, portion)
    await connection.execute(GIN, timeout=1800)
    await connection.execute("VACUUM ANALYZE", timeout=1800)
    await connection.close()


async def _copy(connection: Any, rows: Sequence[tuple[dict[str, Any], str, str]]) -> None:
    names = list(rows[0][0])
    tickets = [tuple(row.values()) for row, _, _ in rows]
    await connection.copy_records_to_table("ticket", records=tickets, columns=names)
    people = [(row["id"], row["requester_email"], row["language"]) for row, _, _ in rows]
    await connection.copy_records_to_table("participant", records=people, columns=["ticket_id", "address", "language"])
    facts = ("public", "client", "client", "portal", False, True)
    messages = [(row["id"], row["id"], body, *facts, row["received_at"], row["created_at"]) for row, body, _ in rows]
    columns = [
        "id",
        "ticket_id",
        "body",
        "audience",
        "side",
        "author_role",
        "channel",
        "automatic",
        "verified",
        "received_at",
        "created_at",
    ]
    await connection.copy_records_to_table("message", records=messages, columns=columns)
    words = [(row["id"], terms) for row, _, terms in rows]
    await connection.execute("CREATE TEMP TABLE IF NOT EXISTS given (ticket_id text, terms text); TRUNCATE given")
    await connection.copy_records_to_table("given", records=words)
    await connection.execute(
        "INSERT INTO ticket_words (ticket_id, words, notes)"
        " SELECT ticket_id, array_to_tsvector(string_to_array(terms, ' ')), '' FROM given",
        timeout=300,
    )

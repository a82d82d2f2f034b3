"""The corpus of the secret detector: hand-written texts, filled with secrets and facts of our own making.

In a positive the secret stands between ⟦ and ⟧; a single capital letter there is filled with secrets of a kind. Each
later round was run unseen once: of the second the detector found 84.6 % and held 4.0 % for nothing, of the third
(`held_out_*`) 84.5 % and 2.9 %. It was mended by both afterwards, so neither says anything of unseen texts now. The
fourth (`unseen_*`) was written without a look at the detector or its words, and the detector must not be mended by it.
So was the fifth: 74.6 % were found, and 1.0 % held for nothing. The detector was mended in general ways, and run over a
sixth: 89.1 % and 7.0 %. It was mended by that one, too.

Two sets that strangers wrote showed how little that says: of their secrets 58 % and 47 % were found, of a third
stranger's 43.6 %, and 1.8 % of its other texts were held for nothing. The detector was mended by the third, and then by
sets of our own, each run unseen once: of the seventh 78.0 % were found (27 % before the mending) and 1.6 % held, of the
eighth, which was made harder, 55.8 % (29 %) and 1.8 %, of the ninth, made of usual texts, 85.7 % (35 %). It was mended
in general ways by all of them, so that they say nothing of unseen texts now.
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random

FOLDER = Path(__file__).parents[1] / "intake" / "secrets"
OPEN, CLOSE = "⟦", "⟧"
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ"
LOWER = ALPHABET.lower()
DIGITS = "0123456789"

PASSWORDS = (
    "Qwe123!@",
    "s3cretPass",
    "Bitrix2024!",
    "hunter22",
    "Tr0ub4dor&3",
    "admin123",
    "p@ssw0rd",
    "ZX81-basic#",
    "m0skva77",
    "R9!fk2Lw",
)
VERY = ("Qwe123!@", "Tr0ub4dor&3", "Zx9!kLmP", "Hosting2024!", "aB3$kQ9z")
WORDS = ("sunshine", "manager", "letmein", "dragon", "qwertyui")
NUMBERS = ("48213", "123456", "90210777")


@dataclass(frozen=True, slots=True)
class Positive:
    """A text with its secrets."""

    text: str
    secrets: tuple[str, ...]


def _lines(name: str) -> list[str]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\") for line in lines if line]


def _of(random: Random, alphabet: str, length: int) -> str:
    return "".join(random.choice(alphabet) for _ in range(length))


def _made(kind: str, random: Random) -> tuple[str, ...]:
    """Return the secrets that stand for a letter."""
    token = [
        _of(random, ALPHABET + LOWER + DIGITS, 40),
        _of(random, "0123456789abcdef", 32),
        _of(random, LOWER + DIGITS, 24) + "7a",
    ]
    known = [
        "ghp_" + _of(random, ALPHABET + LOWER + DIGITS, 34) + "a7",
        "sk_live_" + _of(random, LOWER + DIGITS, 24) + "4b",
    ]
    known += [
        "AKIA" + _of(random, ALPHABET + "234567", 14) + "X7",
        "glpat-" + _of(random, ALPHABET + LOWER + DIGITS, 18) + "k9",
    ]
    known += [f"eyJhbGciOiJIUzI1NiJ9.eyJ{_of(random, LOWER + DIGITS, 40)}.{_of(random, LOWER + DIGITS, 43)}"]
    licences = [f"NFR-{_of(random, ALPHABET, 1)}{_of(random, DIGITS, 1)}-{_of(random, ALPHABET + DIGITS, 14)}7K"]
    licences += ["-".join(_of(random, ALPHABET, 3) + _of(random, DIGITS, 2) for _ in range(5))]
    licences += ["-".join(_of(random, ALPHABET, 2) + _of(random, DIGITS, 2) for _ in range(4))]
    kinds = {"V": VERY, "W": WORDS, "N": NUMBERS, "T": token, "K": known, "L": licences}
    return tuple(kinds[kind])


def positives() -> list[Positive]:
    """Return the texts that hold a secret, each template with three (passwords) or all secrets of its kind."""
    random, found = Random(7), []
    for number, line in enumerate(_lines("positives.txt")):
        kind = line[line.index(OPEN) + 1]
        fitting = (
            _made(kind, random) if kind != "P" else [PASSWORDS[(number + step) % len(PASSWORDS)] for step in (0, 3, 6)]
        )
        found += [Positive(line.replace(f"{OPEN}{kind}{CLOSE}", secret), (secret,)) for secret in fitting]
    return found


def second_positives() -> list[Positive]:
    """Return the positives of the second round."""
    return _marked("second_positives.txt")


def held_out_positives() -> list[Positive]:
    """Return the positives of the third round, by which the detector was mended too."""
    return _marked("held_out_positives.txt")


def unseen_positives() -> list[Positive]:
    """Return the positives of the fourth round, by which nothing may be mended."""
    return _marked("unseen_positives.txt")


def later_positives() -> list[Positive]:
    """Return the positives of the fifth and the sixth round, by which the detector was mended."""
    return [*_marked("fifth_positives.txt"), *_marked("sixth_positives.txt")]


def last_positives() -> list[Positive]:
    """Return the positives of the seventh to ninth round, by which the detector was mended in general ways."""
    names = ("seventh_positives.txt", "eighth_positives.txt", "ninth_positives.txt")
    return [one for name in names for one in _marked(name)]


def last_negatives() -> list[str]:
    """Return the negatives of the seventh and the eighth round."""
    return [*_lines("seventh_negatives.txt"), *_lines("eighth_negatives.txt")]


def _marked(name: str) -> list[Positive]:
    found = []
    for line in _lines(name):
        secrets = tuple(piece.partition(CLOSE)[0] for piece in line.split(OPEN)[1:])
        found.append(Positive(line.replace(OPEN, "").replace(CLOSE, ""), secrets))
    return found


_FRAMES = (
    "{}",
    "Hello,\n\n{}\n\nKind regards,\nAnna",
    "Since the update of 12 November 2026 (24.100.0) we see this:\n{}\nWhat can we do?",
    "> {}\n\nThat is what you wrote; request {number}, trace {uuid}.",
    "Добрый день!\n{}\nКоммит {commit}, лог от {time}. Спасибо.",
)


def negatives() -> list[str]:
    """Return texts without a secret: each line alone and within letters that hold hashes, IDs and times."""
    random, found = Random(11), []
    for number, line in enumerate(_lines("negatives.txt")):
        frames = (_FRAMES[0], _FRAMES[1 + number % 4], _FRAMES[1 + (number + 1) % 4])
        found += [_filled(frame, line, random) for frame in frames]
    return found + [_filled(_log_line(random), "", random) for _ in range(250)]


def second_negatives() -> list[str]:
    """Return the negatives of the second round."""
    return _lines("second_negatives.txt")


def held_out_negatives() -> list[str]:
    """Return the negatives of the third round, by which the detector was mended too."""
    return _lines("held_out_negatives.txt")


def unseen_negatives() -> list[str]:
    """Return the negatives of the fourth round, by which nothing may be mended."""
    return _lines("unseen_negatives.txt")


def later_negatives() -> list[str]:
    """Return the negatives of the fifth and the sixth round."""
    return [*_lines("fifth_negatives.txt"), *_lines("sixth_negatives.txt")]


def _filled(frame: str, line: str, random: Random) -> str:
    text = frame.replace("{number}", f"FL-{_of(random, ALPHABET + DIGITS, 4)}-{_of(random, ALPHABET + DIGITS, 4)}")
    parts = (8, 4, 4, 4, 12)
    text = text.replace("{uuid}", "-".join(_of(random, "0123456789abcdef", part) for part in parts))
    text = text.replace("{commit}", _of(random, "0123456789abcdef", 40))
    text = text.replace("{time}", f"2026-11-{random.randint(10, 28)} {random.randint(10, 23)}:{random.randint(10, 59)}")
    return text.replace("{}", line)


def _log_line(random: Random) -> str:
    """Return a line as logs, traces and lists hold them, about signing in more often than not."""
    who = random.choice(("anna", "boris", "admin", "root", "u4711", "support@example.com"))
    ip = ".".join(str(random.randint(1, 254)) for _ in range(4))
    word = random.choice(("password", "token", "login", "session", "license", "secret", "пароль", "Passwort"))
    number, small = random.randint(1024, 65000), random.randint(1, 900)
    state = random.choice(("wrong", "empty", "missing", "invalid", "expired", "unknown"))
    return random.choice(
        (
            f"{{time}}:07 sshd[{small}]: Failed {word} for {who} from {ip} port {number}",
            f"{{time}} WARN auth: {word} check failed user={who} ip={ip} request={{uuid}}",
            f"{{time}} INFO {word} expired, user {who} signed out, commit {{commit}}",
            f'{ip} - - [{{time}}] "GET /{word}/reset?id={number} HTTP/1.1" 403 {small}',
            f"The {word} page needs {small} seconds on {who}'s computer, see request {{number}} and {{uuid}}.",
            f"{word}: {state} ({who}, {ip}, {{time}})",
            f"Ticket {{number}}: {word} of {who} was reset on {{time}}, error 0x{_of(random, '0123456789abcdef', 8)}",
            f"at Auth.check({word}.js:{small}:{small % 90}) build {{commit}}",
        )
    )

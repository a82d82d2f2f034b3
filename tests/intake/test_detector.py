"""The detector of pasted secrets (clause 4.3): how much it finds, how often it troubles somebody for nothing."""

from collections.abc import Sequence

import pytest
from firstline.common.policy.model import Policy
from firstline.common.policy.pasted import PastedSecrets
from firstline.intake.detector import Detector, detector_of, find, is_key_file, masked
from firstline.intake.pasted.looked import MOST_CUES, MOST_HINTS, look
from secret_corpus import (
    Positive,
    held_out_negatives,
    held_out_positives,
    last_negatives,
    last_positives,
    later_negatives,
    later_positives,
    negatives,
    positives,
    second_negatives,
    second_positives,
    unseen_negatives,
    unseen_positives,
)

HOSTILE = 15_000


@pytest.fixture(scope="module")
def detector(policy: Policy) -> Detector:
    """Return the default policy's detector."""
    return detector_of(policy.pasted_secrets)


def _missed(detector: Detector, texts: Sequence[Positive]) -> list[Positive]:
    return [one for one in texts if any(secret in masked(detector, one.text).text for secret in one.secrets)]


def test_recall_and_false_holds(detector: Detector) -> None:
    """Of at least 300 texts with a secret 95 % are held, of at least 1,000 without one 1 % at most."""
    rounds = {
        "first": (positives(), negatives()),
        "second": (second_positives(), second_negatives()),
        "held out": (held_out_positives(), held_out_negatives()),
        "later": (later_positives(), later_negatives()),
        "last": (last_positives(), last_negatives()),
    }
    missed = {name: len(_missed(detector, good)) for name, (good, _) in rounds.items()}
    held = {name: sum(bool(find(detector, text)) for text in bad) for name, (_, bad) in rounds.items()}
    for name, (good, bad) in rounds.items():
        print(f"{name}: {len(good)} positives, {missed[name]} missed, recall {1 - missed[name] / len(good):.1%}")
        print(f"{name}: {len(bad)} negatives, {held[name]} held, {held[name] / len(bad):.2%}")
    all_good, all_bad = (sum(len(texts[side]) for texts in rounds.values()) for side in (0, 1))
    assert all_good >= 300
    assert all_bad >= 1000
    assert 1 - sum(missed.values()) / all_good >= 0.95
    assert 1 - missed["last"] / len(last_positives()) >= 0.9
    assert held["last"] / len(last_negatives()) <= 0.01
    assert sum(held.values()) / all_bad <= 0.01


def test_masked_text_is_left_alone(detector: Detector) -> None:
    """What was masked once holds nothing to mask, so that a text may pass the detector any number of times."""
    for one in (*positives(), *second_positives()):
        text = masked(detector, one.text).text
        assert masked(detector, text).text == text


def test_marks_say_kind_and_place(detector: Detector) -> None:
    """Each mask has its mark, and a licence key's mask shows its end."""
    result = masked(detector, "Login: anna\nPassword: Qwe123!@\nLicence key: NFR-T4-M7X2K9Q5W8Z1P3L6")
    assert [mark.kind for mark in result.marks] == ["password", "licence_key"]
    assert result.text.endswith("[removed: licence key …P3L6]")
    assert all(result.text[mark.start :].startswith("[removed: ") for mark in result.marks)
    assert result.secrets == ("Qwe123!@", "NFR-T4-M7X2K9Q5W8Z1P3L6")


def test_a_value_is_masked_to_its_end(detector: Detector) -> None:
    """Signs that separate members elsewhere are part of a password where no member follows."""
    for value in ("Tr0ub4dor&3xyz", "Qw9;rt7Zz", "a1B2&c3D4;e5", "Zx8&yes!9Pq"):
        assert masked(detector, f"Login: anna, password: {value}").text == "Login: anna, password: [removed: password]"
    assert masked(detector, "x?user=anna&password=Qwe123!@&page=2").text.endswith("[removed: password]&page=2")


def test_a_policy_that_says_nothing_of_it(detector: Detector) -> None:
    """A policy without the part still has secrets held by English cues and by their shapes."""
    plain = detector_of(PastedSecrets())
    assert masked(plain, "user: anna, password: Qwe123!@").text == "user: anna, password: [removed: password]"
    assert find(plain, "Пароль: Qwe123!@") == ()
    assert find(detector, "Пароль: Qwe123!@")


def test_key_files_by_name() -> None:
    """Files of private keys and stores of passwords are known by their names."""
    keys = ("server.pem", "deploy.PPK", "id_rsa", "id_ed25519_work", "passwords.kdbx", "client.ovpn")
    assert all(is_key_file(name) for name in keys)
    assert not any(is_key_file(name) for name in ("id_rsa.pub", "screenshot.png", "keynote.pdf", "pem.txt"))


PIECES = (
    "pass ",
    "pass: ",
    "login/password ",
    "password |",
    'password "',
    "is password ",
    "://a:b",
    "A1-",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "ssh a@b ",
    "admin/",
    "a@b.cd and ",
    "cookie: a=b;",
    "auth_key ",
    "--pass ",
    "a:1:b:c:d\n",
    "code 1234 door ",
    "wifi key a1 ",
    "changed to A1-b ",
    "> password?\na1b2\n",
    "ab.cd\nxy\nzz\n",
    "login as a_b / ",
    "tried a1b2c3 and ",
    "as before: A-b, ",
    "words apple ",
)


@pytest.mark.parametrize("piece", PIECES)
def test_hostile_texts_end(detector: Detector, piece: str) -> None:
    """Texts made of nothing but beginnings of secrets are read to their end."""
    find(detector, (piece * HOSTILE)[:HOSTILE])


@pytest.mark.parametrize("piece", PIECES)
def test_a_text_is_looked_at_in_so_many_places_only(detector: Detector, piece: str) -> None:
    """However long a text is, the places that are looked at are bounded; plain words around a cue are not looked at."""
    here = [look(detector.cues, (piece * 100_000)[:length]) for length in (50_000, 100_000, 200_000)]
    steps = [sum(map(len, (one.passwords, one.access, one.tokens, one.licences))) for one in here]
    assert steps[-1] <= 4 * MOST_CUES
    assert steps[-1] <= 4 * max(steps[0], 1)
    assert piece != "pass " or steps == [0, 0, 0]


def test_words_that_only_hint_are_looked_at_in_so_many_places_only(detector: Detector) -> None:
    """However many words hint at a secret, the places around which a text is looked at are bounded by kind."""
    here = look(detector.cues, "Code 1 for the wifi key, typed as before, i.e. changed to x1. " * 2_000)
    assert here.hints["keys"]
    assert all(len(places) <= MOST_HINTS for places in here.hints.values())


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("my passwordd is sunflower7, my lgoin is anna", "sunflower7"),
        ("Our paswsord: Sunflower7", "Sunflower7"),
        ("We changed it to Mill.Pond!4 on Monday", "Mill.Pond!4"),
        ("login anna password sunflower thanks", "sunflower"),
        ("The account: same as before, i.e. Mill-Pond-44x", "Mill-Pond-44x"),
        ("> What is the password?\nIt is Mill-Pond44", "Mill-Pond44"),
        ("Access:\nshop.example.org\nanna7\nmillpond", "millpond"),
        ("log in as anna7 / millpond, please", "millpond"),
        ("The code from the SMS is 482 119", "482 119"),
        ("Card 4000 1234 5678 9010, 08/29, CVC 123", "4000 1234 5678 9010"),
        ("I typed Millpond7 and Millpond8, both rejected", "Millpond8"),
        ("Guest wifi, key: river and stone", "river and stone"),
        (
            "Recovery words: river stone apple cloud window garden silver candle pencil basket ladder thunder",
            "river stone apple cloud window garden silver candle pencil basket ladder thunder",
        ),
    ],
)
def test_what_words_hint_at(detector: Detector, text: str, secret: str) -> None:
    """Slips, passwords that changed or stay, pairs, codes, cards, tries, phrases and recovery words are held."""
    assert secret not in masked(detector, text).text.replace("[removed: password]", "")
    assert find(detector, text)


@pytest.mark.parametrize(
    "text",
    [
        "I need a passport and pass it on, passed twice.",
        "Error code 482119, article code 4821-19",
        "We changed it to Professional.",
        "I typed the name and pressed Enter.",
        "Same as before: the list is empty.",
        "Card 12 of the board, 08/29",
        "The key: it must be unique.",
        "Recovery words are asked for when the wallet is opened for the first time on another phone, why is that so",
    ],
)
def test_what_words_say_of_other_things(detector: Detector, text: str) -> None:
    """Near misses of the same words are let be."""
    assert find(detector, text) == ()


def test_a_long_log_is_looked_at_whole(detector: Detector) -> None:
    """The bound is wide enough for a log: a password at the end of 100,000 characters is found."""
    log = "2026-11-12 03:14:07 sshd[2231]: Failed password for invalid user test from 203.0.113.9 port 40022 ssh2\n"
    assert masked(detector, log * 980 + "Login: anna\nPassword: Qwe123!@").text.endswith("[removed: password]")


def test_unseen_texts(detector: Detector) -> None:
    """The fourth round, by which nothing may be mended, is large enough, and what SECURITY.md says of it is printed."""
    good, bad = unseen_positives(), unseen_negatives()
    missed = _missed(detector, good)
    held = [text for text in bad if find(detector, text)]
    print(f"unseen: {len(good)} positives, {len(missed)} missed, recall {1 - len(missed) / len(good):.1%}")
    print(f"unseen: {len(bad)} negatives, {len(held)} held, {len(held) / len(bad):.2%}")
    assert len(good) >= 60
    assert len(bad) >= 120
    assert 1 - len(missed) / len(good) >= 0.95  # as found since the last change: it may not get worse unnoticed
    assert len(held) <= 1

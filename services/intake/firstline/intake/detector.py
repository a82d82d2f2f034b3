"""Secrets that people paste into texts and small files (clause 4.3): where they stand, and the text without them.

Guesses, made to miss little and to trouble few: what is taken out is kept sealed until somebody says that it is none.
"""

import re
from dataclasses import dataclass
from typing import Final

from firstline.common.policy.pasted import LAST_FOUR, PastedSecrets, SecretKind
from firstline.intake.pasted.codes import by_codes
from firstline.intake.pasted.cue_words import CueRules, cue_rules
from firstline.intake.pasted.cues import by_labels
from firstline.intake.pasted.hints import by_hints
from firstline.intake.pasted.looked import look
from firstline.intake.pasted.pairs import by_neighbours
from firstline.intake.pasted.sentences import by_sentences
from firstline.intake.pasted.shapes import by_shape
from firstline.intake.pasted.told import by_tellings
from firstline.intake.pasted.values import Span
from firstline.intake.pasted.ways import by_ways
from firstline.intake.pasted.weak import by_weak_words

KEY_FILES: Final = (".pem", ".ppk", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ovpn")
_KEY_NAMES: Final = re.compile(r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_\w{1,20})?", re.IGNORECASE)
LEAST_HIDDEN: Final = 8


@dataclass(frozen=True, slots=True)
class Detector:
    """What the policy says of pasted secrets, arranged for looking at texts."""

    cues: CueRules
    masks: dict[SecretKind, str]


@dataclass(frozen=True, slots=True)
class Mark:
    """A mask in a text: what seemed to stand there, and where the mask begins."""

    kind: SecretKind
    start: int


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without its secrets, the masks in it, and what they stand for, in the same order."""

    text: str
    marks: tuple[Mark, ...]
    secrets: tuple[str, ...]


def detector_of(policy: PastedSecrets) -> Detector:
    """Arrange the policy's part."""
    masks: dict[SecretKind, str] = {
        "password": policy.masks.password,
        "private_key": policy.masks.private_key,
        "token": policy.masks.token,
        "licence_key": policy.masks.licence_key,
    }
    begun = tuple(mask.partition(LAST_FOUR)[0] for mask in masks.values())
    return Detector(cue_rules(policy.cues, begun), masks)


def find(detector: Detector, text: str) -> tuple[Span, ...]:
    """Return where secrets seem to stand, in their order and apart from one another; time grows with the length."""
    here = look(detector.cues, text)
    # The longest first of those that begin at one place, so that no half of a secret stays beside its mask.
    spans = list(by_shape(text))
    if here.holds_any:
        for way in (by_labels, by_neighbours, by_sentences, by_weak_words, by_hints, by_codes, by_ways, by_tellings):
            spans += way(here)
    if here.masks:
        spans = [span for span in spans if not here.touches_mask(span.start, span.end)]
    found = sorted(spans, key=lambda span: (span.start, -span.end))
    apart: list[Span] = []
    for span in found:
        if not apart or span.start >= apart[-1].end:
            apart.append(span)
        elif span.end > apart[-1].end:
            apart[-1] = Span(apart[-1].start, span.end, apart[-1].kind)
    return tuple(apart)


def masked(detector: Detector, text: str) -> Masked:
    """Return a text with masks in the places of what seems to be secret."""
    spans = find(detector, text)
    if not spans:
        return Masked(text, (), ())
    pieces: list[str] = []
    marks: list[Mark] = []
    done = length = 0
    for span in spans:
        mask = _mask(detector, span.kind, text[span.start : span.end])
        # Places in the new text, which is the one that people and events see.
        marks.append(Mark(span.kind, length + span.start - done))
        pieces += (text[done : span.start], mask)
        length += span.start - done + len(mask)
        done = span.end
    return Masked("".join((*pieces, text[done:])), tuple(marks), tuple(text[s.start : s.end] for s in spans))


def _mask(detector: Detector, kind: SecretKind, secret: str) -> str:
    """Return the mask; a licence key's shows its end, where that tells little enough of it."""
    last = secret[-4:] if len(secret) >= LEAST_HIDDEN + 4 else ""
    return detector.masks[kind].replace(LAST_FOUR, last)


def is_key_file(name: str) -> bool:
    """Say whether a file's name is one that private keys and stores of passwords have."""
    low = name.lower()
    return low.endswith(KEY_FILES) or _KEY_NAMES.fullmatch(low) is not None

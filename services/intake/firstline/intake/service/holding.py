"""Secrets taken out of texts before anything is stored (clause 4.3); the original is kept sealed for a decision.

Everything downstream (the correspondence, events, mails, search) gets the masked text and never had another.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from firstline.common.errors import Fault, Invalid
from firstline.common.event_parts import MaskedPart
from firstline.common.store.port import Value
from firstline.common.vault import Sealed, VaultLocked
from firstline.intake.detector import Masked
from firstline.intake.service.desk import Desk
from firstline.intake.service.looking import looked_at, note_held

_log = structlog.get_logger(__name__)


class SecretForMany(Invalid):
    """A text that many would read seems to hold a secret; take it out. Nothing was stored, shown or sent."""

    title = "The text seems to hold a secret"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text as it may be stored, the masks in it, and the product keys that stood there."""

    text: str
    masks: list[MaskedPart]
    keys: tuple[str, ...] = ()


class Holding:
    """Takes secrets out of the texts of one request, and gathers the rows of what is kept sealed."""

    def __init__(self, desk: Desk, ticket_id: str, channel: str = "api") -> None:
        """Begin for a request; `channel` is what its texts came by."""
        self._desk = desk
        self._ticket_id = ticket_id
        self.channel = channel
        self.rows: list[dict[str, Value]] = []

    def text(self, text: str, place: str, message_id: str | None = None, found: Masked | None = None) -> Cleaned:
        """Return a text without its secrets; `found` is what the detector said of it before."""
        result = found if found is not None else looked_at(self._desk.policies.detector, text)
        if not result.marks:
            return Cleaned(text, [])
        # Kept as a whole and not piece by piece: a specialist who decides has to see what stood around it.
        self._hold(text, [mark.kind for mark in result.marks], place, message_id)
        keys = tuple(
            secret for mark, secret in zip(result.marks, result.secrets, strict=True) if mark.kind == "licence_key"
        )
        return Cleaned(result.text, [MaskedPart(kind=mark.kind, start=mark.start) for mark in result.marks], keys)

    def values(self, given: Any, place: str) -> Any:
        """Return JSON values without the secrets in them; a member's name may be what gives a secret away."""
        match given:
            case dict():
                return {name: self._member(name, value, f"{place}.{name}") for name, value in given.items()}
            case list():
                return [self.values(value, place) for value in given]
            case str():
                return self.text(given, place).text
        return given

    def _member(self, name: str, value: Any, place: str) -> Any:
        """Return a member's value without the secrets in it."""
        if not isinstance(value, str):
            return self.values(value, place)
        # `{"password": "…"}` gives itself away by its name alone.
        label = f"{name}: "
        result = looked_at(self._desk.policies.detector, label + value)
        if result.marks and result.text.startswith(label):
            self._hold(value, [mark.kind for mark in result.marks], place, None)
            return result.text[len(label) :]
        return self.text(value, place).text

    def _hold(self, text: str, kinds: list[Any], place: str, message_id: str | None) -> None:
        """Keep the original sealed; where the vault is locked it is let go, for nothing is ever kept unsealed."""
        note_held(self.channel)
        held_id, now = self._desk.ports.ids.new(), self._desk.now()
        try:
            sealed = self._desk.vault.seal(text.encode(), place_of(self._ticket_id, held_id))
        except VaultLocked:
            _log.warning(
                "a text was masked and its original let go, for the vault is locked", ticket_id=self._ticket_id
            )
            sealed = Sealed("", b"", b"")
        days = self._desk.policies.current.pasted_secrets.keep_days
        self.rows.append(
            {
                "id": held_id,
                "ticket_id": self._ticket_id,
                "message_id": message_id,
                "place": place,
                "kinds": list(dict.fromkeys(kinds)),
                "key_id": sealed.key_id,
                "data_key": sealed.data_key,
                "content": sealed.content,
                "status": "held" if sealed.content else "purged",
                "held_at": now,
                "purge_at": now + timedelta(days=days),
            }
        )


def place_of(ticket_id: str, held_id: str) -> tuple[str, ...]:
    """Return what a sealed text is bound to."""
    return ("held text", ticket_id, held_id)


def seems_secret(desk: Desk, *given: object) -> bool:
    """Say whether texts or JSON values seem to hold a secret."""
    texts = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in given if value)
    return any(looked_at(desk.policies.detector, text).marks for text in texts)


def demand_no_secret(desk: Desk, text: str, pointer: str) -> None:
    """Make sure that a text which goes to many at once holds no secret: they could not be told to forget it.

    Raises:
        SecretForMany: it seems to hold one.

    """
    if not looked_at(desk.policies.detector, text).marks:
        return
    advice = "This looks like a password or a key. Take it out, or say it in other words if it is none."
    raise SecretForMany(
        "Everybody whom the incident concerns would read it. Nothing was stored or sent.",
        faults=(Fault(pointer, advice),),
        clause="4.3",
    )


def without_secrets(desk: Desk, text: str) -> str:
    """Return a text that belongs to no request without its secrets; its original is kept nowhere."""
    return looked_at(desk.policies.detector, text).text

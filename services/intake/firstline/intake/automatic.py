"""Telling mail that robots send from mail of people, by its headers (RFC 3834, RFC 3464), so that no loop can start."""

from email.message import Message
from typing import Final

from firstline.intake.mail import Automatic
from firstline.intake.mail_headers import value, values

# Set by widespread responders that predate or ignore RFC 3834.
_RESPONDERS: Final = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponse",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-fc-machinegenerated",
)
# Older than any standard, and still the only sign of many newsletters.
_PRECEDENCES: Final[dict[str, Automatic]] = {
    "auto_reply": "auto-replied",
    "list": "list",
    "bulk": "bulk",
    "junk": "bulk",
}


def automatic_kind(mail: Message) -> Automatic | None:
    """Return how the mail shows that it is automatic, or None for a person's.

    X-Auto-Response-Suppress alone shows nothing: some mail programs set it on everything that people write.
    """
    return _report(mail) or _submitted(mail) or _responder(mail) or _spread(mail)


def _report(mail: Message) -> Automatic | None:
    """Recognise delivery reports, other reports, and the empty return path that bounces have."""
    if mail.get_content_type() == "multipart/report":
        kind = str(mail.get_param("report-type", "delivery-status")).lower()
        return "bounce" if kind == "delivery-status" else "report"
    return "bounce" if value(mail, "return-path").strip() == "<>" else None


def _submitted(mail: Message) -> Automatic | None:
    """Read Auto-Submitted: anything but `no` is automatic."""
    kinds = [given.partition(";")[0].strip().lower() for given in values(mail, "auto-submitted")]
    kinds = [kind for kind in kinds if kind not in {"", "no"}]
    if not kinds:
        return None
    return "auto-replied" if "auto-replied" in kinds else "auto-generated"


def _responder(mail: Message) -> Automatic | None:
    """Recognise responders by headers of their own."""
    marked = any(value(mail, name).strip().lower() not in {"", "no", "false"} for name in _RESPONDERS)
    return "auto-replied" if marked else None


def _spread(mail: Message) -> Automatic | None:
    """Recognise lists and bulk mail."""
    if value(mail, "list-id").strip():
        return "list"
    return _PRECEDENCES.get(value(mail, "precedence").strip().lower())

"""What names an erased person in deliveries about other people's requests, and in what receivers answered."""

import json

from firstline.common.erasure import PORTION, Portion, Stage
from firstline.common.mail import reworded
from firstline.common.raw_mail import mail_names
from firstline.common.redaction import Erased, redacted_text
from firstline.common.store.port import Unit
from firstline.notify.service.desk import Desk
from firstline.notify.store.erasure import (
    ATTEMPTS_AFTER,
    CHANGE_ATTEMPT,
    CHANGE_PAYLOAD,
    DELIVERIES_AFTER,
    Sent,
)


class Deliveries:
    """The stage that takes the person out of what still goes out, and removes mails kept as files that name them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def stage(self) -> Stage:
        """Return the stage."""
        return Stage(self._payloads, self._kept_mails)

    async def _page(self, unit: Unit, who: Erased) -> list[Sent]:
        """Return the next deliveries along their primary key."""
        return await unit.all(DELIVERIES_AFTER, after=who.place, limit=PORTION)

    async def _kept_mails(self, who: Erased) -> None:
        """Delete the copies of mails that name the person."""
        for sent in await self._desk.store.read(lambda unit: self._page(unit, who)):
            if sent.message_id is not None:
                await self._desk.mail.discard(sent.message_id, lambda mail: mail_names(mail, [who.address]))

    async def _payloads(self, unit: Unit, who: Erased) -> Portion:
        """Take the address out of mails and events about others' requests, which go out without it."""
        page = await self._page(unit, who)
        count = 0
        for sent in page:
            if sent.payload is not None and mail_names(sent.payload, [who.address]):
                count += await unit.run(CHANGE_PAYLOAD, id=sent.id, payload=_left(who, sent, sent.payload))
        return Portion(page[-1].id if page else None, {"deliveries": count})


def _left(who: Erased, sent: Sent, payload: bytes) -> bytes:
    """Return what is left of a payload that names the person."""
    if sent.channel == "mail":
        return reworded(payload, lambda text: who.cleaned(text, near=True))
    return redacted_text(who, payload.decode()).encode()


async def erase_attempts(unit: Unit, who: Erased) -> Portion:
    """Take the address out of what receivers answered; mail servers like to repeat it."""
    delivery_id, number = json.loads(who.place) if who.place else ("", 0)
    page = await unit.all(ATTEMPTS_AFTER, delivery_id=delivery_id, number=number, limit=PORTION)
    count = 0
    for tried in page:
        detail, excerpt = (redacted_text(who, text) for text in (tried.detail, tried.excerpt))
        if (detail, excerpt) != (tried.detail, tried.excerpt):
            given = {"delivery_id": tried.delivery_id, "detail": detail, "excerpt": excerpt}
            count += await unit.run(CHANGE_ATTEMPT, number=tried.number, **given)
    return Portion(json.dumps([page[-1].delivery_id, page[-1].number]) if page else None, {"attempts": count})

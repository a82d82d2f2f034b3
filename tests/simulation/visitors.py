"""Clients who use the website: they open a page, send its form, and send it again when nothing comes back."""

import asyncio
import re
from contextlib import suppress
from urllib.parse import urlencode

from firstline.common.permissions import Principal
from firstline.common.secrets import derive, encrypt
from front import FIRST_PAUSE, LONGEST_PAUSE, MOST_TRIES, Front
from net import Answer, Lost
from ports import Chance
from world import SECRET

HIDDEN = re.compile(r'name="key" value="([^"]+)"')
PLACE = re.compile(r"^/requests/(FL-\w{4}-\w{4})[/?]")
FORM_SECRET = "5" * 32


class Visitors:
    """The browsers of those who are signed in."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._chance = Chance(front.world.stream("cookies"))
        self._cookies: dict[Principal, str] = {}

    def _cookie(self, who: Principal) -> str:
        if who not in self._cookies:
            session = {
                "person_id": who.id,
                "access": self._front.world.token(who),
                "refresh": "none",
                "csrf": FORM_SECRET,
                "name": who.name,
                "role": who.role.value,
            }
            self._cookies[who] = encrypt(derive(SECRET, "cookie"), session, self._chance)
        return f"firstline={self._cookies[who]}"

    async def _once(self, who: Principal, method: str, target: str, form: bytes = b"") -> Answer | None:
        """Ask for a page once; None where there is no answer or the desk asks to come again."""
        headers = {"cookie": self._cookie(who)}
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
        with suppress(Lost):
            answer = await self._front.world.call(None, method, target, form, **headers)
            if answer.status < 500:
                return answer
        return None

    async def fill_in(self, who: Principal, page: str, target: str, **fields: str) -> str:
        """Open a page, fill in its form and send it until it is taken; return the number of the request."""
        key = ""
        pause = FIRST_PAUSE
        for _ in range(MOST_TRIES):
            answer = await (
                self._once(who, "POST", target, urlencode({"csrf": FORM_SECRET, "key": key, **fields}).encode())
                if key
                else self._once(who, "GET", page)
            )
            found = HIDDEN.search(answer.body.decode()) if answer and answer.status == 200 and not key else None
            place = PLACE.match(answer.headers.get("location", "")) if answer and answer.status == 303 else None
            if place:
                return place[1]
            if answer is not None and not found:
                self._front.record.faults.append(f"P6: the page {target} answered {answer.status}")
            key = found[1] if found else key
            await asyncio.sleep(pause * (0.5 + self._chance.bytes(1)[0] / 256))
            pause = min(pause * 2, LONGEST_PAUSE)
        raise AssertionError(f"the website does not recover: {target}")

"""Business time the slow way: every minute of a span is read off a local clock and looked up on a painted dial.

Shares nothing with the product. An instant is open when the local clock shows an open reading; edges lie on whole
minutes, so a minute is open or closed as a whole. With a step of one second it also serves zones whose offset has
seconds.
"""

import warnings
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from holidays import HolidayBase, country_holidays

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class MinuteCalendar:
    """A span of days in which every step is known to be open or closed.

    Answers are None where the span is too short to tell.
    """

    def __init__(self, data: dict[str, Any], first: datetime, days: int, step: int = 60) -> None:
        self.data = data
        self.first = int((first - EPOCH) / timedelta(microseconds=1))
        self.step = step * 1_000_000
        self.first_instant, self.last_instant = first, first + timedelta(days=days)
        zone = ZoneInfo(data["tz"])
        dials: dict[int, bytearray] = {}
        self.open = bytearray()
        begin = self.first // 1_000_000
        for second in range(begin, begin + days * 86_400, step):
            local = datetime.fromtimestamp(second, zone)
            day = local.toordinal()
            if day not in dials:
                dials[day] = self._dial(local.date())
            self.open.append(dials[day][local.hour * 60 + local.minute])

    def _dial(self, day: date) -> bytearray:
        """Paint the 1,440 readings of a date, the day before's night shift first, the breaks last."""
        dial = bytearray(1440)
        before = day - timedelta(days=1)
        for start, end in self._shifts(before):
            if end < start:
                dial[: minutes(end)] = b"\1" * minutes(end)
        for start, end in self._shifts(day):
            stop = 1440 if end < start else minutes(end)
            dial[minutes(start) : stop] = b"\1" * (stop - minutes(start))
        for start, end in self.data.get("breaks", {}).get(str(before), []):
            if end < start:
                dial[: minutes(end)] = bytes(minutes(end))
        for start, end in self.data.get("breaks", {}).get(str(day), []):
            stop = 1440 if end < start else minutes(end)
            dial[minutes(start) : stop] = bytes(stop - minutes(start))
        return dial

    def _shifts(self, day: date) -> list[list[str]]:
        if str(day) in self.data.get("overrides", {}):
            return list(self.data["overrides"][str(day)])
        name = self.data.get("works_as", {}).get(str(day))
        if name is None:
            if str(day) in self.data.get("holidays", []) or is_public(self.data.get("public_holidays"), day):
                return []
            name = NAMES[day.weekday()]
        hours = self.data.get("hours", {})
        for first in sorted(self.data.get("hours_from", {})):
            if date.fromisoformat(first) <= day:
                hours = self.data["hours_from"][first]
        return list(hours.get(name, []))

    def _place(self, at: datetime) -> int:
        return int((at - EPOCH) / timedelta(microseconds=1)) - self.first

    def _instant(self, place: int) -> datetime:
        return EPOCH + timedelta(microseconds=self.first + place)

    def add(self, start: datetime, amount: timedelta) -> datetime | None:
        """Walk forward until the amount is used up."""
        place, left = self._place(start), round(amount / timedelta(microseconds=1))
        for index in range(place // self.step, len(self.open)):
            end = (index + 1) * self.step
            if self.open[index]:
                if left <= end - place:
                    return self._instant(place + left)
                left -= end - place
            place = end
        return None

    def subtract(self, start: datetime, amount: timedelta) -> datetime | None:
        """Walk backward until the amount is used up."""
        place, left = self._place(start), round(amount / timedelta(microseconds=1))
        if not left and self.open[place // self.step]:
            return start
        for index in range((place - 1) // self.step, -1, -1):
            begin = index * self.step
            if self.open[index]:
                if left <= place - begin:
                    return self._instant(place - left)
                left -= place - begin
            place = begin
        return None

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Walk from start to end and sum what is open."""
        place, stop, total = self._place(start), self._place(end), 0
        while place < stop:
            until = min((place // self.step + 1) * self.step, stop)
            if self.open[place // self.step]:
                total += until - place
            place = until
        return timedelta(microseconds=total)

    def periods(self, start: datetime) -> list[tuple[datetime, datetime]]:
        """Walk to the end of the span and list the stretches that end inside it."""
        found, begun = [], None
        place = self._place(start)
        for index in range(place // self.step, len(self.open)):
            if self.open[index] and begun is None:
                begun = max(place, index * self.step)
            if not self.open[index] and begun is not None:
                found.append((self._instant(begun), self._instant(index * self.step)))
                begun = None
        return found

    def is_open(self, at: datetime) -> bool:
        """Look the instant up."""
        return bool(self.open[self._place(at) // self.step])


def minutes(text: str) -> int:
    """Return the minutes since midnight."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def is_public(named: dict[str, Any] | None, day: date) -> bool:
    """Ask a country's tables about one day; the dates that stand in the calendar say it for their years."""
    if named is None:
        return False
    if str(day.year) in named.get("dates", {}):
        return str(day) in named["dates"][str(day.year)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # lunar feasts that the tables lack
        return day in tables(named["country"], named.get("subdivision"), *named.get("categories", ["public"]))


@cache
def tables(country: str, subdivision: str | None, *categories: str) -> HolidayBase:
    """Return a country's tables."""
    return country_holidays(country, subdiv=subdivision, categories=categories)

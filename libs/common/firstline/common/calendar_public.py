"""Public holidays of a country or of a part of it, from the tables of the `holidays` package (reading A2).

A policy names the country and no dates. Years are worked out when first needed. What is published carries the dates
of the years around it (`with_public_dates`), and those are used as they stand: later tables change no version.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any

PUBLIC_YEARS = range(1900, 2100)
"""Years whose public holidays are known; in all others there are none."""

# Years before and after the policy's first day whose holidays are written down with it (ADR 18).
_BEFORE, _AFTER = 1, 10


@dataclass(frozen=True, slots=True)
class PublicHolidays:
    """Whose public holidays close the desk; `dates` are those written down, as ordinals by year."""

    country: str
    subdivision: str | None
    categories: tuple[str, ...]
    dates: Mapping[int, frozenset[int]]

    def has(self, ordinal: int) -> bool:
        """Say whether a date, as a proleptic Gregorian ordinal, is a public holiday."""
        return ordinal in self.of_year(date.fromordinal(ordinal).year)

    def of_year(self, year: int) -> frozenset[int]:
        """Return a year's public holidays: those written down, else those of the tables."""
        written = self.dates.get(year)
        if written is not None:
            return written
        return _tabled(self.country, self.subdivision, self.categories, year)


@dataclass(frozen=True, slots=True)
class Country:
    """What may be asked for of a country: its parts, other names of those, and kinds of holidays."""

    parts: tuple[str, ...]
    part_names: frozenset[str]
    categories: tuple[str, ...]


@cache
def country(code: str) -> Country | None:
    """Return what is known of the country with that ISO code, or None."""
    import holidays  # noqa: PLC0415 (slow import)
    from holidays.registry import EntityLoader  # noqa: PLC0415 (slow import)

    if code not in EntityLoader.get_country_codes(include_aliases=True):
        return None
    known = getattr(holidays, code)
    return Country(known.subdivisions, frozenset(known.subdivisions_aliases), known.supported_categories)


def with_public_dates(calendar: Mapping[str, Any], first: date) -> dict[str, Any]:
    """Return a calendar's JSON form with its public holidays written down for the years around a date.

    Years that are written down already stay. The calendar must be one that can be read.
    """
    named = calendar.get("public_holidays")
    if named is None:
        return dict(calendar)
    years = range(first.year - _BEFORE, first.year + _AFTER + 1)
    which = named["country"], named.get("subdivision"), tuple(named.get("categories", ("public",)))
    tabled = {str(year): _written(_tabled(*which, year)) for year in years if year in PUBLIC_YEARS}
    # What the file itself writes down wins: so dates are corrected that the tables have wrong.
    dates = dict(sorted({**tabled, **named.get("dates", {})}.items()))
    return {**calendar, "public_holidays": {**named, "dates": dates}}


def _written(days: frozenset[int]) -> list[str]:
    """Return ordinals as sorted ISO dates."""
    return [date.fromordinal(day).isoformat() for day in sorted(days)]


@lru_cache(maxsize=2_000)
def _tabled(code: str, subdivision: str | None, kinds: tuple[str, ...], year: int) -> frozenset[int]:
    """Return a year's public holidays as the installed tables know them; kept, for one costs most of a millisecond."""
    if year not in PUBLIC_YEARS:
        return frozenset()
    import holidays  # noqa: PLC0415 (slow import)

    with warnings.catch_warnings():
        # Of some years a country's lunar feasts are not known; the other holidays still are.
        warnings.simplefilter("ignore", UserWarning)
        found = holidays.country_holidays(code, subdiv=subdivision, years=year, categories=kinds)
    return frozenset(day.toordinal() for day in found if day.year == year)

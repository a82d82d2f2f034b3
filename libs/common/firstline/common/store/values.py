"""Conversion between Python values and what the databases keep.

JSON is text on both; times are text of fixed width in UTC on SQLite, and the database's own on PostgreSQL.

Whatever one of the two can't keep is refused on both, at the door: a desk that grows from SQLite to PostgreSQL must not
find values then that its new store refuses.
"""

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from firstline.common.errors import Invalid
from firstline.common.store.port import Value

Kept = str | int | float | bytes | None
"""What SQLite itself knows."""

Reader = Callable[[tuple[Any, ...]], Any]


# An escape only where an even number of backslashes stands before it: the text `\\u0000` is six plain characters.
_NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_LARGEST = 2**63 - 1
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_decode = json.JSONDecoder().raw_decode


def to_sqlite(value: Value) -> Kept:
    """Return the parameter as SQLite keeps it.

    Raises:
        ValueError: a naive datetime.
        Invalid: what no store can keep: NUL and half characters in texts, numbers without end or beyond 64 bits.

    """
    adapt: Callable[[Any], Kept] = _ADAPTERS.get(type(value), _by_kind)
    return adapt(value)


def to_postgres(value: Value) -> Any:
    """Return the parameter as the driver of PostgreSQL takes it, under the same rules as for SQLite.

    Raises:
        ValueError: a naive datetime.
        Invalid: what no store can keep.

    """
    return ADAPTERS_FOR_POSTGRES[type(value)](value)


def _by_kind(value: Any) -> Kept:
    """Adapt a value of a subclass, such as an enumeration's member, as its kind is adapted."""
    kind = next((known for known in (str, int, float, bytes, datetime) if isinstance(value, known)), dict)
    return _ADAPTERS[kind](value)


def _by_kind_for_postgres(value: Any) -> Any:
    """Adapt a value of a subclass as its kind is adapted."""
    return _checked_time(value) if isinstance(value, datetime) else _by_kind(value)


def _same(value: Any) -> Any:
    """Return a value that the database knows as it is."""
    return value


def _whole(text: str) -> str:
    """Return a text that PostgreSQL can keep too: no NUL, and Unicode characters only."""
    if "\0" in text:
        raise Invalid("A text holds a NUL character (U+0000). Remove it and send the text again.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Invalid("A text holds half a character (a lone surrogate). Send the text again as UTF-8.") from error
    return text


def _small(number: int) -> int:
    """Return a number that fits both databases' largest integer, of 64 bits."""
    if abs(number) > _LARGEST:
        raise Invalid("A number has more than 64 bits. Send a smaller one.")
    return number


def _finite(number: float) -> float:
    """Return a number that stays what it is (SQLite would keep NaN as NULL)."""
    if not math.isfinite(number):
        raise Invalid("A number is not finite. Send one that is.")
    return number


def _json_text(value: object) -> str:
    """Return a mapping or sequence as compact JSON, whose texts obey the rules of texts."""
    try:
        text = _encode(value)
    except ValueError as error:
        raise Invalid("A number is not finite. Send one that is.") from error
    if _NUL_IN_JSON.search(text):
        raise Invalid("A text holds a NUL character (U+0000). Remove it and send the text again.")
    return _whole(text)


def time_text(value: datetime) -> str:
    """Return an aware time as `2026-11-23T06:00:00.000000Z`, which sorts as it should.

    Raises:
        ValueError: a naive time.
        Invalid: a time outside the years 1 to 9999 of UTC.

    The width is fixed, six digits of a second always: texts of different widths would sort by their ends ("…00Z" after
    "…00.5Z").
    """
    if value.tzinfo is None:
        raise ValueError(f"naive time {value}")
    try:
        # The usual case spares the conversion; this runs for every time of every row.
        instant = value if value.tzinfo is UTC else value.astimezone(UTC)
        return f"{instant.isoformat(timespec='microseconds')[:26]}Z"
    except OverflowError as error:
        raise Invalid("A time lies outside the years 1 to 9999. Send another.") from error


def _checked_time(value: datetime) -> datetime:
    """Return a time that SQLite could keep too, as it is; errors as of `time_text`."""
    if value.tzinfo is not UTC:
        time_text(value)
    return value


_ADAPTERS: Mapping[type, Callable[[Any], Kept]] = types.MappingProxyType(
    {
        str: _whole,
        int: _small,
        bool: _same,
        float: _finite,
        bytes: _same,
        types.NoneType: _same,
        datetime: time_text,
        dict: _json_text,
        list: _json_text,
        tuple: _json_text,
    }
)


class _Adapters(dict[type, Callable[[Any], Any]]):
    """What adapts a value of each type; those of a subclass as their kind is adapted."""

    def __missing__(self, _kind: type) -> Callable[[Any], Any]:
        return _by_kind_for_postgres


ADAPTERS_FOR_POSTGRES = _Adapters({**_ADAPTERS, datetime: _checked_time})
"""For those who adapt every value of many rows, to each of which a call more is felt."""


def reader_for(into: type[Any], *, native: bool = False) -> Reader:
    """Return a function that makes a row of the class from a database tuple.

    Args:
        into: the class of a row, or the type of a single column.
        native: whether the database knows times and truth values itself.

    What is decided here is decided once a statement and not once a row: rows of plain columns are read without any
    conversion.
    """
    if not dataclasses.is_dataclass(into):
        convert = _converter(into, native=native)
        return (lambda row: row[0]) if convert is None else (lambda row: _maybe(convert, row[0]))
    hints = typing.get_type_hints(into)
    found = [(i, _converter(hints[f.name], native=native)) for i, f in enumerate(dataclasses.fields(into))]
    converters = [(i, convert) for i, convert in found if convert is not None]
    return _row_reader(into, converters)


def _row_reader(into: type[Any], converters: list[tuple[int, Callable[[Any], Any]]]) -> Reader:
    """Return what makes a dataclass of a row, converting only the columns that need it."""
    if not converters:
        return lambda row: into(*row)

    def read(row: tuple[Any, ...]) -> Any:
        values = list(row)
        for index, convert in converters:
            if values[index] is not None:
                values[index] = convert(values[index])
        return into(*values)

    return read


def _maybe(convert: Callable[[Any], Any], value: Any) -> Any:
    """Convert a value unless it is None."""
    return None if value is None else convert(value)


def _read_json(text: str) -> Any:
    """Return what a JSON column holds."""
    value, end = _decode(text)
    # What we wrote is read without looking for blanks around it, which takes as long as all else.
    return value if end == len(text) else json.loads(text)


def _converter(annotation: Any, *, native: bool) -> Callable[[Any], Any] | None:
    """Return what turns the stored value into the annotated type, or None when it is that already."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        # `X | None`: NULL is left alone by whoever calls the converter.
        (annotation,) = [a for a in typing.get_args(annotation) if a is not type(None)]
    origin = typing.get_origin(annotation) or annotation
    if origin in (datetime, bool):
        convert: Callable[[Any], Any] = datetime.fromisoformat if origin is datetime else bool
        return None if native else convert
    if origin is tuple:
        return lambda text: tuple(_read_json(text))
    if origin in (dict, list, Mapping, Sequence):
        return _read_json
    return None

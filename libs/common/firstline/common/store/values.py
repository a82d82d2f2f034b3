"""Conversion between Python values and what SQLite keeps: text for times (fixed width, UTC) and for JSON."""

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from firstline.common.errors import Invalid
from firstline.common.store.port import Value

Reader = Callable[[tuple[Any, ...]], Any]


def to_sqlite(value: Value) -> str | int | float | bytes | None:
    """Return the parameter as SQLite keeps it.

    Raises:
        ValueError: a naive datetime.
        Invalid: a text with a NUL character, which PostgreSQL can't keep.

    """
    if isinstance(value, str):
        if "\0" in value:
            raise Invalid("A text holds a NUL character (U+0000). Remove it and send the text again.")
        return value
    if value is None or isinstance(value, int | float | bytes):
        return value
    if isinstance(value, datetime):
        return time_text(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def time_text(value: datetime) -> str:
    """Return an aware time as `2026-11-23T06:00:00.000000Z`, which sorts as it should.

    Raises:
        ValueError: a naive time.

    """
    if value.tzinfo is None:
        raise ValueError(f"naive time {value}")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def reader_for(into: type[Any]) -> Reader:
    """Return a function that makes a row of the class from a database tuple."""
    if not dataclasses.is_dataclass(into):
        convert = _converter(into)
        return (lambda row: row[0]) if convert is None else (lambda row: _maybe(convert, row[0]))
    hints = typing.get_type_hints(into)
    found = [(i, _converter(hints[f.name])) for i, f in enumerate(dataclasses.fields(into))]
    converters = [(i, convert) for i, convert in found if convert is not None]
    return _row_reader(into, converters)


def _row_reader(into: type[Any], converters: list[tuple[int, Callable[[Any], Any]]]) -> Reader:
    def read(row: tuple[Any, ...]) -> Any:
        values = list(row)
        for index, convert in converters:
            if values[index] is not None:
                values[index] = convert(values[index])
        return into(*values)

    return read


def _maybe(convert: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else convert(value)


def _converter(annotation: Any) -> Callable[[Any], Any] | None:
    """Return what turns the stored value into the annotated type, or None when it is that already."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        (annotation,) = [a for a in typing.get_args(annotation) if a is not type(None)]
    origin = typing.get_origin(annotation) or annotation
    if origin is datetime:
        return datetime.fromisoformat
    if origin is bool:
        return bool
    if origin is tuple:
        return lambda text: tuple(json.loads(text))
    if origin in (dict, list, Mapping, Sequence):
        return json.loads
    return None

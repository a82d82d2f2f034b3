"""Write the catalogue of events from their models: docs/events.md, and a JSON Schema of each type.

Others rely on what is published, so it only grows: a schema that takes something away is not written.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstline.common.bus import BINDINGS
from firstline.common.envelope import Envelope
from firstline.common.event_parts import EventData, TicketEvent
from firstline.common.events import CATALOGUE, ClockEvent, QueueEvent
from pydantic import BaseModel

Schema = dict[str, Any]
ROOT = Path(__file__).parents[1]
SCHEMAS = Path("docs/schemas/events")
ENVELOPE = Path("docs/schemas/envelope.json")
PAGE = Path("docs/events.md")
PRODUCERS = {
    "ticket": ("intake", "`ticket/<id>`"),
    "incident": ("intake", "`incident/<id>`"),
    "policy": ("intake", "`policy/<name>`"),
    "queue": ("queue", "`entry/<ticket id>`"),
    "clock": ("sla", "`clock/<id>`"),
    "delivery": ("notify", "`delivery/<id>`"),
    "endpoint": ("notify", "`endpoint/<id>`"),
    "account": ("accounts", "`person/<id>`, `organization/<id>`, `licence/<id>`, `api-key/<id>`"),
    "person": ("accounts", "`person/<id>`"),
}
"""Who produces the events of a prefix, and on which streams."""

MEMBERS = {
    "specversion": "always `1.0` (CloudEvents)",
    "id": "of this event (UUIDv7); the same however often it comes",
    "type": "one of the types below",
    "source": "the service that produced it",
    "time": "when it happened, in product time, UTC",
    "subject": "ID of the ticket that it is about, where it is about one",
    "stream": "what it happened to; events of one stream are in order",
    "version": "counts 1, 2, 3 ... within the stream, without gap",
    "log": "ID of the producer's log; a new one after a restore",
    "position": "counts 1, 2, 3 ... within the log, without gap",
    "hash": "chains the log: made of the hash before it, this event's members and the salted hash of its data",
    "traceparent": "the trace in which it happened (W3C Trace Context)",
    "dataschema": "where the JSON Schema of its data is",
    "data": "what happened: the members of its type",
}
FAMILIES: dict[str, type[EventData]] = {
    "Every event": EventData,
    "Every `ticket` event": TicketEvent,
    "Every `queue` event": QueueEvent,
    "Every `clock` event": ClockEvent,
}
HEAD = """# Events

Written by `.venv/bin/python tools/catalogue.py` from the models in `libs/common/firstline/common/events.py`: change
those, then run it. The JSON Schema of each type lies in [schemas/events](schemas/events), that of the envelope in
[envelope.json](schemas/envelope.json).

An event says what has happened, in the past tense. Schemas only grow: a member is never removed, renamed or given
another type, and a new one may be absent. Whoever reads events passes over members and types that they don't know. No
event carries a secret; internal events carry texts and addresses, because notify writes mails from them.
"""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a schema, however deep: its types, the values that it is restricted to, and whether it must be."""

    kinds: frozenset[str]
    values: frozenset[str]
    required: bool


def schema_of(event_type: str) -> Schema:
    """Return the JSON Schema of an event type's data."""
    schema = CATALOGUE[event_type].model_json_schema()
    marks = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"/v1/schemas/{event_type}"}
    return {**marks, **schema, "title": event_type}


def members(schema: Schema) -> dict[str, Member]:
    """Return every member of a schema by its path: `/requester/email`, `/attachments/[]/id`, `/changes/*`."""
    return dict(_members(schema, "", schema.get("$defs", {}), required=True))


def _members(node: Schema, path: str, parts: Schema, *, required: bool) -> Iterator[tuple[str, Member]]:
    options = [_resolved(option, parts) for option in _resolved(node, parts).get("anyOf", [node])]
    values = frozenset(str(value) for option in options for value in option.get("enum", ()))
    yield path, Member(frozenset(_kind(option) for option in options), values, required)
    for option in options:
        for name, child in option.get("properties", {}).items():
            yield from _members(child, f"{path}/{name}", parts, required=name in option.get("required", ()))
        for name, key in (("[]", "items"), ("*", "additionalProperties")):
            if isinstance(option.get(key), dict):
                yield from _members(option[key], f"{path}/{name}", parts, required=True)


def _resolved(node: Schema, parts: Schema) -> Schema:
    found: Schema = parts[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return found


def _kind(node: Schema) -> str:
    return f"{node.get('type', 'anything')} {node.get('format', '')}".strip()


def breaks(published: Schema, now: Schema) -> list[str]:
    """Say what of a published schema would no longer hold."""
    before, after = members(published), members(now)
    found = [f"{path} was removed" for path in before if path not in after]
    for path, member in after.items():
        if path not in before:
            parent = path.rpartition("/")[0]
            if member.required and parent in before:
                found.append(f"{path} is required, and older events lack it")
        else:
            found += [f"{path} {change}" for change in _changes(before[path], member)]
    return found


def _changes(before: Member, after: Member) -> Iterator[str]:
    if before.kinds != after.kinds:
        yield f"was {' or '.join(sorted(before.kinds))}, is {' or '.join(sorted(after.kinds))}"
    if after.values and (not before.values or before.values - after.values):
        yield "takes fewer values"
    if after.required and not before.required:
        yield "is required now"


def documents() -> dict[Path, str]:
    """Return the content of every file of the catalogue."""
    schemas = {SCHEMAS / f"{event_type}.json": schema_of(event_type) for event_type in sorted(CATALOGUE)}
    schemas[ENVELOPE] = Envelope.model_json_schema()
    texts = {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in schemas.items()}
    return texts | {PAGE: page()}


def page() -> str:
    """Return docs/events.md."""
    envelope = Envelope.model_json_schema()["properties"]
    parts: dict[str, Schema] = {}
    for event_type in CATALOGUE:
        parts |= schema_of(event_type).get("$defs", {})
    sections = [
        HEAD,
        "## The envelope\n",
        _table(["member", "type", "meaning"], [[f"`{n}`", _shown(envelope[n]), MEMBERS[n]] for n in envelope]),
        "## Who produces, who consumes\n",
        _table(["types", "from", "to", "streams"], [_route(prefix) for prefix in PRODUCERS]),
        "## Members that many have\n",
        *(_section(title, model) for title, model in FAMILIES.items()),
        "## Types\n",
        *(_section(event_type, model) for event_type, model in CATALOGUE.items()),
        "## Parts\n",
        *(f"### {name}\n\n{part['description']}\n\n{_fields(part)}" for name, part in sorted(parts.items())),
    ]
    return "\n".join(sections).rstrip("\n") + "\n"


def _route(prefix: str) -> list[str]:
    source, streams = PRODUCERS[prefix]
    consumers = [name for name, prefixes in BINDINGS.items() if prefix in prefixes]
    return [f"`{prefix}.*`", source, ", ".join(consumers), streams]


def _section(title: str, model: type[BaseModel]) -> str:
    """Return what a model adds to the family that it belongs to."""
    schema = model.model_json_schema()
    family = model.__mro__[1]
    inherited = family.model_fields if issubclass(family, BaseModel) else {}
    own = {name: node for name, node in schema["properties"].items() if name not in inherited}
    return f"### {title}\n\n{schema['description']}\n\n{_fields({**schema, 'properties': own})}"


def _fields(schema: Schema) -> str:
    rows = []
    for name, node in schema.get("properties", {}).items():
        default = node.get("default", {} if node.get("type") == "object" else [])
        absent = "required" if name in schema.get("required", ()) else f"`{json.dumps(default)}`"
        rows.append([f"`{name}`", _shown(node), absent])
    return _table(["member", "type", "where absent"], rows) if rows else "No members of its own.\n"


def _shown(node: Schema) -> str:
    """Return a member's type in words."""
    if "anyOf" in node:
        return " or ".join(_shown(option) for option in node["anyOf"])
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    if node.get("type") == "array":
        return f"list of {_shown(node['items'])}"
    return "time" if node.get("format") == "date-time" else str(node.get("type", "anything"))


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def broken(root: Path) -> list[str]:
    """Say what of the published catalogue would no longer hold."""
    found = []
    for path in sorted((root / SCHEMAS).glob("*.json")):
        if path.stem not in CATALOGUE:
            found.append(f"{path.stem} was removed")
            continue
        published = json.loads(path.read_text("utf-8"))
        found += [f"{path.stem}: {change}" for change in breaks(published, schema_of(path.stem))]
    return found


def main(root: Path = ROOT) -> int:
    """Write the catalogue; return 1, with nothing written, when it would take back what was published."""
    found = broken(root)
    if found:
        print("\n".join(["Published events only grow; give what is new a name of its own.", *found]), file=sys.stderr)
        return 1
    for path, text in documents().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

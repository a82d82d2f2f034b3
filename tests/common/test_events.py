"""The product's vocabulary of facts: every type as promised, published as schemas that only grow."""

import copy
import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from firstline.common.envelope import Envelope
from firstline.common.events import CATALOGUE, EventData, TicketNoted
from pydantic import ValidationError

ROOT = Path(__file__).parents[2]
PROMISED = """
ticket.submitted ticket.replied ticket.noted ticket.opened ticket.triaged ticket.waiting ticket.reminded ticket.resumed
ticket.handed_over ticket.release_planned ticket.released ticket.resolved ticket.closed ticket.reopened ticket.split
ticket.merged ticket.unmerged ticket.supervisor_requested ticket.supervisor_answered ticket.access_requested
ticket.access_provided ticket.access_revealed ticket.access_purged ticket.rated ticket.participant_added
ticket.held_mail queue.entered queue.claimed queue.renewed queue.released queue.expired queue.left queue.transferred
queue.owner_changed clock.scheduled clock.warned clock.breached clock.met clock.cancelled policy.published
delivery.failed delivery.exhausted endpoint.disabled account.person_changed account.organization_changed
account.licence_changed person.erased
"""
PROMISED_MEMBERS = {
    "ticket.submitted": "subject body attachments requester language topic urgency urgency_provisional recovery tier"
    " scope entitlement missing_information received_at policy_version origin split_from follows external_ref metadata",
    "ticket.replied": "message_id author body attachments received_at origin",
    "ticket.reminded": "kind closes_at",
    "queue.claimed": "key agent fence lease_expires_at reason",
    "clock.breached": "target due_at elapsed_minutes policy_version",
    "policy.published": "version document effective_from",
    "account.person_changed": "id email name language role organization_id active",
    "account.organization_changed": "id name kind",
    "account.licence_changed": "id key_sha256 last4 organization_id product edition active_until",
    "person.erased": "id",
}


@pytest.fixture(scope="session")
def catalogue() -> ModuleType:
    """Return the script that writes the catalogue."""
    spec = importlib.util.spec_from_file_location("catalogue", ROOT / "tools/catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCALARS = {"integer": 7, "number": 1.5, "boolean": True, "string": "text", "string date-time": "2026-11-23T12:00:00Z"}


def sample(node: dict[str, Any], parts: dict[str, Any], *, full: bool) -> Any:
    """Return a value that fits a JSON Schema: with all members, or with the required ones only."""
    node = parts[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    if "anyOf" in node:
        return sample(node["anyOf"][0], parts, full=full)
    if "enum" in node:
        return node["enum"][0]
    if node.get("type") == "object":
        required = node.get("required", ())
        found = {name: child for name, child in node.get("properties", {}).items() if full or name in required}
        return {name: sample(child, parts, full=full) for name, child in found.items()}
    if node.get("type") == "array":
        return [sample(node["items"], parts, full=full)] if full else []
    return SCALARS.get(f"{node.get('type')} {node.get('format', '')}".strip(), "anything")


def sample_of(event_type: str, *, full: bool) -> dict[str, Any]:
    """Return data of an event type."""
    schema = CATALOGUE[event_type].model_json_schema()
    data: dict[str, Any] = sample(schema, schema.get("$defs", {}), full=full)
    return data


def test_every_promised_type_is_there() -> None:
    """The types that the design promises to others exist under their names."""
    assert [event_type for event_type in PROMISED.split() if event_type not in CATALOGUE] == []


@pytest.mark.parametrize("event_type", PROMISED_MEMBERS)
def test_every_promised_member_is_there(event_type: str) -> None:
    """The members that the design promises to others are in the data."""
    promised = set(PROMISED_MEMBERS[event_type].split()) | {"organization_id", "actor"}
    assert promised - set(CATALOGUE[event_type].model_fields) == set()


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_types_are_words_in_the_past(event_type: str) -> None:
    """A type is prefix and participle, its model says what it means, and can't be changed once made."""
    model = CATALOGUE[event_type]
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", event_type)
    assert event_type == model.TYPE
    assert model.__doc__
    assert model.model_config["frozen"] is True


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_data_survives_the_journey(event_type: str) -> None:
    """Full data is read and written without loss; what is required suffices; members that we don't know are no harm."""
    model = CATALOGUE[event_type]
    full = sample_of(event_type, full=True)
    assert json.loads(model.model_validate(full).model_dump_json()) == full
    least = sample_of(event_type, full=False)
    again = model.model_validate_json(model.model_validate(least).model_dump_json())
    assert again == model.model_validate(least | {"invented_later": {"by": "a newer producer"}})


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_what_is_required_is_required(event_type: str) -> None:
    """Data that lacks a required member is refused, and every event says who did it."""
    least = sample_of(event_type, full=False)
    assert "actor" in least
    for name in least:
        with pytest.raises(ValidationError):
            CATALOGUE[event_type].model_validate({key: value for key, value in least.items() if key != name})


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_no_event_has_room_for_secrets(event_type: str, catalogue: ModuleType) -> None:
    """No member is named after a secret; a key travels as its hash and its last characters."""
    names = [path.rpartition("/")[2] for path in catalogue.members(catalogue.schema_of(event_type))]
    assert [name for name in names if re.search(r"password|secret|token|credential|licence_key|api_key$", name)] == []


def test_an_envelope_gives_its_data_as_the_model() -> None:
    """The payload is the event's model, or an error when the data is not what the model demands."""
    data = sample_of("ticket.noted", full=True)
    facts = {
        "id": "i",
        "type": "ticket.noted",
        "source": "intake",
        "time": "2026-11-23T12:00:00Z",
        "stream": "ticket/1",
    }
    place = {"version": 1, "log": "l", "position": 1, "hash": "h"}
    envelope = Envelope.model_validate({**facts, **place, "data": data, "newer": 1})
    assert envelope.payload(TicketNoted) == TicketNoted.model_validate(data)
    with pytest.raises(ValidationError):
        envelope.model_copy(update={"data": {}}).payload(TicketNoted)
    for lacking in (*facts, *place):
        with pytest.raises(ValidationError):
            Envelope.model_validate(
                {name: value for name, value in {**facts, **place, "data": {}}.items() if name != lacking}
            )


def test_the_published_catalogue_is_current(catalogue: ModuleType) -> None:
    """Schemas and page are what the models give; where this fails, run `.venv/bin/python tools/catalogue.py`."""
    documents = catalogue.documents()
    assert [str(path) for path, text in documents.items() if (ROOT / path).read_text("utf-8") != text] == []
    published = {path.relative_to(ROOT) for path in (ROOT / "docs/schemas").rglob("*.json")}
    assert published == {path for path in documents if path.suffix == ".json"}


def test_nothing_published_breaks(catalogue: ModuleType) -> None:
    """Against the schemas that are published the models have lost nothing, changed no type and demand nothing new."""
    assert catalogue.broken(ROOT) == []


def test_the_page_names_every_type_and_member(catalogue: ModuleType) -> None:
    """The page has a section for each type, and each link inside leads to a heading."""
    page = (ROOT / "docs/events.md").read_text("utf-8")
    headings = set(re.findall(r"^### (\S+)$", page, re.MULTILINE))
    assert set(CATALOGUE) <= headings
    assert set(re.findall(r"\]\(#([a-z]+)\)", page)) <= {heading.lower() for heading in headings}
    for model in CATALOGUE.values():
        assert [name for name in model.model_fields if f"`{name}`" not in page] == []


Change = Callable[[dict[str, Any]], object]
BREAKING: dict[str, Change] = {
    "/subject was removed": lambda schema: schema["properties"].pop("subject"),
    "/requester/email was removed": lambda schema: schema["$defs"]["RequesterRef"]["properties"].pop("email"),
    "/urgency was string, is integer": lambda schema: schema["properties"].update(urgency={"type": "integer"}),
    "/topic was null or string, is string": lambda schema: schema["properties"].update(topic={"type": "string"}),
    "/received_at was string date-time, is string": lambda schema: schema["properties"]["received_at"].pop("format"),
    "/attachments/[]/id was string, is number": lambda schema: schema["$defs"]["AttachmentRef"]["properties"].update(
        id={"type": "number"}
    ),
    "/topic is required now": lambda schema: schema["required"].append("topic"),
    "/scope/verdict takes fewer values": lambda schema: schema["$defs"]["Scope"]["properties"]["verdict"]["enum"].pop(),
    "/language takes fewer values": lambda schema: schema["properties"]["language"].update(enum=["en"]),
    "/colour is required, and older events lack it": lambda schema: (
        schema["properties"].update(colour={"type": "string"}),
        schema["required"].append("colour"),
    ),
}
GROWING: dict[str, Change] = {
    "a member that may be absent": lambda schema: schema["properties"].update(colour={"type": "string"}),
    "a part that may be absent": lambda schema: schema["properties"].update(
        colour={"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    ),
    "a further value": lambda schema: schema["$defs"]["Scope"]["properties"]["verdict"]["enum"].append("partly"),
    "no longer required": lambda schema: schema["required"].remove("language"),
    "another description": lambda schema: schema.update(description="Otherwise said."),
}


@pytest.mark.parametrize("expected", BREAKING)
def test_a_breaking_change_is_found(catalogue: ModuleType, expected: str) -> None:
    """A member removed, renamed, of another type, newly demanded or with fewer values breaks what was published."""
    published = catalogue.schema_of("ticket.submitted")
    changed = copy.deepcopy(published)
    BREAKING[expected](changed)
    assert expected in catalogue.breaks(published, changed)


@pytest.mark.parametrize("growth", GROWING)
def test_growth_is_no_breaking_change(catalogue: ModuleType, growth: str) -> None:
    """New members that may be absent, more values and better words break nothing."""
    published = catalogue.schema_of("ticket.submitted")
    changed = copy.deepcopy(published)
    GROWING[growth](changed)
    assert catalogue.breaks(published, changed) == []


def test_the_script_writes_no_breaking_change(
    catalogue: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the published schemas promise more than the models hold the script says so, fails and writes nothing."""
    folder = tmp_path / "docs/schemas/events"
    shutil.copytree(ROOT / "docs/schemas/events", folder)
    (folder / "ticket.vanished.json").write_text("{}")
    promised = json.loads((folder / "queue.left.json").read_text())
    promised["properties"]["mood"] = {"type": "string"}
    (folder / "queue.left.json").write_text(json.dumps(promised))
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert catalogue.main(tmp_path) == 1
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == before
    said = capsys.readouterr().err
    assert "ticket.vanished was removed" in said
    assert "queue.left: /mood was removed" in said


def test_the_script_writes_the_whole_catalogue(catalogue: ModuleType, tmp_path: Path) -> None:
    """Into an empty folder the script writes the page, the envelope and each type's schema; twice gives the same."""
    assert [catalogue.main(tmp_path), catalogue.main(tmp_path)] == [0, 0]
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == set(catalogue.documents())
    assert len(written) == len(CATALOGUE) + 2


def test_every_model_with_a_type_is_in_the_catalogue() -> None:
    """Each event class that has a type of its own is in the catalogue, and no two share one."""

    def typed(model: type[EventData]) -> list[type[EventData]]:
        own = [model] if "TYPE" in vars(model) else []
        return own + [found for child in model.__subclasses__() for found in typed(child)]

    ours = [model for model in typed(EventData) if model.__module__.startswith("firstline.")]
    assert sorted(model.TYPE for model in ours) == sorted(CATALOGUE)

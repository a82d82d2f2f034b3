"""Secrets planted in six processes on PostgreSQL and RabbitMQ are found in nothing that left a process (S1)."""

import json
import re
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from canaries import KINDS, Canaries
from hook_sink import HookSink, hook_sink
from live_desk import eventually, mail
from servers import PostgresServer, RabbitServer
from span_sink import SpanSink, span_sink
from split_checks import quiet, rows
from split_desk import SplitDesk, split_desk

pytestmark = pytest.mark.process

CLARA = "clara.secret@shop.example"
FORCED = 7
"""How many insertions were made to fail."""

WHY = {"reason": "Compare the files."}
BROKEN = """
CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'broken on purpose: %', NEW; END $$
"""


@dataclass
class Scene:
    """A desk that tells all it can, and what has been heard of it."""

    desk: SplitDesk
    canaries: Canaries
    heard: list[str] = field(default_factory=list)

    @contextmanager
    def acting(self, role: str, subject: str, **more: str) -> Iterator[httpx.Client]:
        """Give the API as somebody, every answer of which is kept, but those in which a secret belongs."""
        with self.desk.api(role, subject, **more) as http:
            http.event_hooks["response"].append(self.hear)
            yield http

    def hear(self, answer: httpx.Response) -> None:
        """Keep an answer, but that of a reading."""
        answer.read()
        if not (answer.is_success and answer.request.url.path.endswith("/reveal")):
            self.heard.append(f"{answer.request.url.path} {answer.headers} {answer.text}")

    @contextmanager
    def broken(self, service: str, table: str, when: str = "true") -> Iterator[None]:
        """Let each insertion of such a row fail meanwhile, with an error that quotes the row."""
        rows(self.desk, service, BROKEN)
        trigger = f"CREATE TRIGGER broken BEFORE INSERT ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION broken()"
        rows(self.desk, service, trigger)
        try:
            yield
        finally:
            rows(self.desk, service, f"DROP TRIGGER broken ON {table}")

    def said(self) -> str:
        """Return all that the processes have logged."""
        return "\n".join(self.desk.said(role) for role in self.desk.replicas)

    def settle(self) -> None:
        """Wait until all mails are judged and all events are read."""
        waiting = "SELECT COUNT(*) FROM mail WHERE outcome IS NULL"
        eventually(lambda: rows(self.desk, "intake", waiting)[0][0] == 0)
        eventually(lambda: quiet(self.desk))


@pytest.fixture
def spans() -> Iterator[SpanSink]:
    """Receive every span."""
    with span_sink() as sink:
        yield sink


@pytest.fixture
def hooks() -> Iterator[HookSink]:
    """Receive every webhook."""
    with hook_sink() as sink:
        yield sink


@pytest.fixture
def scene(tmp_path: Path, postgres: PostgresServer, rabbit: RabbitServer, spans: SpanSink) -> Iterator[Scene]:
    """Run a desk at its most talkative, whose own secret settings are canaries too where nothing needs them."""
    canaries = Canaries()
    settings = {
        "FIRSTLINE_MODE": "development",  # tells sign-in links, for the website
        "FIRSTLINE_LOG_LEVEL": "DEBUG",
        "FIRSTLINE_TRACE_SHARE": "1",
        "FIRSTLINE_OTLP_ENDPOINT": spans.url,
        "FIRSTLINE_OUTBOUND_ALLOW": "127.0.0.1/32",
        "FIRSTLINE_BUCKET_SECRET": canaries.stem,
        "FIRSTLINE_MAIL_SMTP_PASSWORD": canaries.stem,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    with split_desk(tmp_path / "desk", postgres, rabbit, **settings) as desk:  # type: ignore[arg-type]
        yield Scene(desk, canaries)


def failed(answer: httpx.Response) -> None:
    """Make sure that an exception was forced."""
    assert answer.status_code == 500, answer.text


def submitted(scene: Scene, client: httpx.Client, **more: Any) -> dict[str, Any]:
    """Send a request with secrets wherever one can be typed."""
    secret = scene.canaries.secret
    body = {
        "subject": f"{scene.canaries.witness}, Password: {secret('subject')}",
        "body": scene.canaries.pasted,
        "licence_key": secret("licence"),
        "fields": {"environment": scene.canaries.pasted, "password": secret("field")},
        "metadata": {"note": scene.canaries.pasted},
    }
    answer = client.post("/v1/tickets", json={**body, **more})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def administer(scene: Scene, admin: httpx.Client, hooks: HookSink) -> list[str]:
    """Enter what an admin enters and makes; return the secrets that the desk itself has made."""
    made = admin.post("/v1/webhook-endpoints", json={"url": hooks.url, "content": True}).json()
    people = admin.post("/v1/people", json={"email": "crm@shop.example", "role": "client", "name": "CRM"})
    key = admin.post("/v1/api-keys", json={"name": "CRM", "person_id": people.json()["id"]})
    licence = {"key": scene.canaries.secret("key"), "product": "Box", "edition": "Business"}
    with scene.broken("accounts", "licence"):
        failed(admin.post("/v1/licences", json=licence))
    assert admin.post("/v1/licences", json=licence).is_success
    return [made["secret"], key.json()["api_key"]]


def entrust(scene: Scene, client: httpx.Client, agent: httpx.Client, ticket: dict[str, Any]) -> str:
    """Let the client give access data of every kind, after forms that are wrong and a store that breaks."""
    path = f"/v1/tickets/{ticket['id']}/access-requests"
    asked = agent.post(path, json={"kinds": list(KINDS), "reason": "To look.", "host": "shop.example"}).json()
    one, given, secret = f"{path}/{asked['id']}", scene.canaries.access, scene.canaries.secret
    for wrong in ({"values": given | {"root": {"x": secret()}}}, {"values": {"ftp": [secret()]}}, {"value": secret()}):
        assert client.post(f"{one}/provide", json=wrong).status_code == 422
    with scene.broken("intake", "access_secret"):
        failed(client.post(f"{one}/provide", json={"values": given}))
    assert client.post(f"{one}/provide", json={"values": given}).status_code == 200
    return one


def read(scene: Scene, agent: httpx.Client, ticket: dict[str, Any], one: str) -> dict[str, str]:
    """Let the holder of the claim read what was given, after failures with the values at hand; return the claim."""
    claim = eventually(
        lambda: (a := agent.post("/v1/queue/claims", json={"ticket_id": ticket["id"]})).status_code == 201 and a
    ).json()
    token = {"Claim-Token": claim["claim_token"]}
    eventually(lambda: quiet(scene.desk))
    with scene.broken("intake", "log_event", "NEW.type = 'ticket.access_revealed'"):
        failed(agent.post(f"{one}/reveal", json=WHY, headers=token))
    rows(scene.desk, "intake", "UPDATE access_secret SET version = version + 1")
    assert agent.post(f"{one}/reveal", json=WHY, headers=token).status_code >= 400
    rows(scene.desk, "intake", "UPDATE access_secret SET version = version - 1")
    revealed = agent.post(f"{one}/reveal", json=WHY, headers=token)
    assert revealed.json()["values"] == scene.canaries.access
    return token


def fill_in(scene: Scene, agent: httpx.Client) -> None:
    """Give access data through the website, first while the store breaks."""
    told = [json.loads(line) for line in scene.desk.said("accounts").splitlines() if "sign in (development)" in line]
    (link,) = [line["link"] for line in told if line["person"] == "client"]
    with httpx.Client(follow_redirects=True, timeout=30, event_hooks={"response": [scene.hear]}) as browser:
        browser.get(link)
        form = hidden(browser.get(f"{scene.desk.url}/requests/new").text)
        sent = browser.post(
            f"{scene.desk.url}/requests", data={**form, "subject": "Slow", "body": "x", "topic": "usage"}
        )
        number = sent.url.path.split("/")[2]
        asked = agent.post(
            f"/v1/tickets/{number}/access-requests", json={"kinds": ["ftp"], "reason": "To look."}
        ).json()
        form = hidden(browser.get(f"{scene.desk.url}/requests/{number}/access").text)
        given = {f"ftp.{name}": value for name, value in scene.canaries.access["ftp"].items()}
        path = f"{scene.desk.url}/requests/{number}/access/{asked['id']}/provide"
        with scene.broken("intake", "access_secret"):
            assert browser.post(path, data={**form, **given}).is_error
        assert "It is given." in browser.post(path, data={**form, **given}).text


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of a page's last form."""
    return dict(re.findall(r'<input type="hidden" name="(csrf|key)" value="([^"]*)"', page))


def write(scene: Scene, client: httpx.Client, agent: httpx.Client, ticket: dict[str, Any]) -> None:
    """Paste secrets into messages, notes, questions and files, one of them while the store breaks."""
    path, pasted = f"/v1/tickets/{ticket['id']}", scene.canaries.pasted
    with scene.broken("intake", "held_text"):
        failed(client.post(f"{path}/messages", json={"body": pasted}))
    assert client.post(f"{path}/messages", json={"body": pasted}).is_success
    assert client.post(f"{path}/supervisor-requests", json={"kind": "comment", "body": pasted}).is_success
    assert agent.post(f"{path}/messages", json={"body": pasted, "audience": "internal"}).is_success
    assert client.post("/v1/tickets/check", json={"subject": "x", "body": pasted}).is_success
    for name in ("access.txt", "key.pem"):
        refused = client.post("/v1/attachments", files={"file": (name, pasted.encode(), "text/plain")})
        assert refused.status_code == 422


def mailed(scene: Scene, number: str) -> Iterator[EmailMessage]:
    """Yield mails with secrets: by each encoding, as HTML, with a file, from a stranger, a machine, for a request."""
    pasted = scene.canaries.pasted
    for index, encoding in enumerate(("quoted-printable", "base64", "8bit")):
        letter = mail(CLARA, f"[{number}] x", "", Message_ID=f"<c{index}@shop.example>")
        letter.set_content(pasted, cte=encoding)
        yield letter
    page = mail(CLARA, "White page", pasted, Message_ID="<c4@shop.example>")
    page.add_alternative(f"<p>{pasted}</p>", subtype="html")
    page.add_attachment(pasted.encode(), maintype="text", subtype="plain", filename="access.txt")
    yield page
    yield mail("eve@else.example", f"[{number}] Password: {scene.canaries.secret('mail')}", pasted, Message_ID="<c5@x>")
    yield mail(CLARA, "Away", pasted, Message_ID="<c6@shop.example>", Auto_Submitted="auto-replied")


def post(scene: Scene, number: str) -> None:
    """Send mails with secrets in them, one that can't be kept, and one that can't be judged."""
    for letter in mailed(scene, number):
        scene.desk.send(letter)
    scene.settle()
    last = mail(CLARA, "Once more", scene.canaries.pasted, Message_ID="<c7@shop.example>")
    with scene.broken("intake", "mail"), pytest.raises(smtplib.SMTPException):
        scene.desk.send(last)
    with scene.broken("intake", "ticket"):
        scene.desk.send(last)
        scene.settle()


def look(scene: Scene, reader: httpx.Client, ticket: dict[str, Any]) -> None:
    """Read all that the API tells of a request."""
    path = f"/v1/tickets/{ticket['id']}"
    beside = ("messages", "history", "access-requests", "held-texts", "supervisor-requests", "entitlement")
    lists = ("tickets?q=kanarie", "mails", "deliveries", "events", "licences", "api-keys")
    for at in (path, *(f"{path}/{name}" for name in beside), *(f"/v1/{name}" for name in lists)):
        assert reader.get(at).status_code in (200, 403, 404), at


def left(scene: Scene, spans: SpanSink, hooks: HookSink, postgres: PostgresServer) -> dict[str, bytes]:
    """Return every byte that left the processes for somewhere else than a file."""
    dumps = {f"dump of {name}": postgres.dump(url.rpartition("/")[2]) for name, url in scene.desk.databases.items()}
    metrics = {f"metrics of {one.role}": httpx.get(f"{one.url}/metrics").content for one in scene.desk.all()}
    mails = {f"mail {at}": one.as_bytes() for at, one in enumerate(scene.desk.mails())}
    texts = {
        f"text of mail {at}": bytes(one.get_payload(decode=True) or b"") for at, one in enumerate(scene.desk.mails())
    }
    told = {"spans": b"\n".join(spans.raw), "webhooks": b"\n".join(hooks.raw), "log": scene.said().encode()}
    return {**dumps, **metrics, **mails, **texts, **told, "answers": "\n".join(scene.heard).encode()}


def found(canaries: Canaries, everywhere: dict[str, bytes], *places: Path) -> list[str]:
    """Return where a secret is, in what left the processes and in the files of the desk and its servers."""
    return [
        *(name for name, content in everywhere.items() if canaries.is_in(content)),
        *map(str, canaries.holders(*places)),
    ]


def test_no_secret_is_found_on_postgresql_and_rabbitmq(
    scene: Scene, spans: SpanSink, hooks: HookSink, postgres: PostgresServer, rabbit: RabbitServer
) -> None:
    """All is logged and traced, and the store fails along the vault's path: no answer, mail or file holds a secret."""
    with (
        scene.acting("client", "clara-secret", email=CLARA) as client,
        scene.acting("agent", "anna-secret") as agent,
        scene.acting("admin", "root-secret") as admin,
    ):
        made = administer(scene, admin, hooks)
        ticket = submitted(scene, client)
        write(scene, client, agent, ticket)
        one = entrust(scene, client, agent, ticket)
        token = read(scene, agent, ticket, one)
        fill_in(scene, agent)
        post(scene, submitted(scene, client)["number"])
        for reader in (admin, agent, client):
            look(scene, reader, ticket)
        agent.post(f"/v1/tickets/{ticket['id']}/resolve", json={"body": scene.canaries.pasted}, headers=token)
        client.post(f"/v1/tickets/{ticket['id']}/rating", json={"mark": "good", "comment": scene.canaries.pasted})
        scene.settle()
        look(scene, admin, ticket)
    places = {"desk": scene.desk.data}
    if not (postgres.external or rabbit.external):
        places |= {"PostgreSQL": postgres.folder, "RabbitMQ": rabbit.folder}
    everywhere = left(scene, spans, hooks, postgres)
    assert found(scene.canaries, everywhere, *places.values()) == []
    assert {name for name, content in everywhere.items() if any(one.encode() in content for one in made)} <= {"answers"}
    # The word beside the secrets is wherever texts go, so that whatever held a secret would have been seen.
    witnesses = scene.canaries.witnesses
    seen = {"dump of intake", "dump of notify", "webhooks", "answers", "mail 0"}
    assert seen <= {*found(witnesses, everywhere)}
    assert [name for name, place in places.items() if not witnesses.holders(place)] == []
    assert scene.said().count("broken on purpose") >= FORCED
    assert spans.raw

"""Secrets planted in the vault's path are found nowhere but in a reveal, when all goes well and when it fails (S1)."""

import io
import json
import quopri
from base64 import encodebytes, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import structlog
from canaries import Canaries
from firstline.common.telemetry import configure_logs
from firstline.common.vault import Sealed, Vault
from firstline.standalone.desk import StandaloneDesk, settle
from near_desk import api, near_desk
from pydantic import SecretBytes

CANARIES = Canaries()
CANARY, GIVEN = CANARIES.stem, CANARIES.access


class Breaking:
    """A vault that fails while a value is in its hands, saying what it holds, as a careless library would."""

    locked, newest = None, None

    def __init__(self, inner: Vault) -> None:
        self._inner = inner

    def knows(self, key_id: str) -> bool:
        """Know what the vault knows."""
        return self._inner.knows(key_id)

    def seal(self, value: bytes, bound_to: Sequence[str]) -> Sealed:
        """Fail after the value was sealed."""
        self._inner.seal(value, bound_to)
        raise RuntimeError("sealing failed")

    def open(self, sealed: Sealed, bound_to: Sequence[str]) -> SecretBytes:
        """Fail with the opened value at hand."""
        opened = self._inner.open(sealed, bound_to)
        raise RuntimeError(f"opening failed: {opened}")

    def rewrap(self, sealed: Sealed, bound_to: Sequence[str]) -> Sealed:
        """Re-wrap nothing."""
        return sealed


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Return what the log holds, at its most talkative; afterwards logs are as they were."""
    before, stream = structlog.get_config(), io.StringIO()
    configure_logs(stream, "DEBUG")
    yield stream
    structlog.configure(**before)


class Watched:
    """Somebody who keeps every answer of the desk."""

    def __init__(self, http: httpx.AsyncClient, heard: list[str]) -> None:
        self._http = http
        self._heard = heard

    async def post(self, path: str, body: Any = None, *, keep: bool = True, **headers: str) -> httpx.Response:
        """Post; a reveal's answer is not kept."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self._http.post(path, json=body or {}, headers=more)
        if keep:
            self._heard.append(answer.text + str(answer.headers))
        return answer

    async def get(self, path: str) -> httpx.Response:
        """Read."""
        answer = await self._http.get(path)
        self._heard.append(answer.text + str(answer.headers))
        return answer


async def claimed(agent: Watched, ticket: Any) -> str:
    """Claim a request; return the token."""
    answer = await agent.post("/v1/queue/claims", {"ticket_id": ticket["id"]})
    return str(answer.json()["claim_token"])


async def given(client: Watched, agent: Watched) -> tuple[Any, str]:
    """Send a request and ask for every kind; return the request and the access request's path."""
    ticket = (await client.post("/v1/tickets", {"subject": "White page", "body": "Nothing to see."})).json()
    path = f"/v1/tickets/{ticket['id']}/access-requests"
    asked = (await agent.post(path, {"kinds": list(GIVEN), "reason": "To look.", "host": "shop.example"})).json()
    return ticket, f"{path}/{asked['id']}"


async def failing(desk: StandaloneDesk, work: Callable[[], Any]) -> None:
    """Do something while the vault breaks."""
    intake = desk.services["intake"].state.intake
    whole = intake.vault
    object.__setattr__(intake, "vault", Breaking(whole))
    assert (await work()).status_code == 500
    object.__setattr__(intake, "vault", whole)


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
def test_secrets_are_found_in_every_form(before: bytes) -> None:
    """The search finds a secret plain, in base64, quoted-printable, percent-encoded, JSON, hexadecimal and UTF-16."""
    secret = before + CANARIES.secret("x").encode()
    forms = {
        "plain": secret,
        "base64 in lines": encodebytes(b"-" * 50 + secret),
        "base64 of addresses": urlsafe_b64encode(b"?" * 5 + secret),
        "quoted-printable": quopri.encodestring(b"=" * 23 + secret),
        "percent-encoded": quote(secret).encode(),
        "JSON": json.dumps(secret.decode()).encode(),
        "JSON in JSON in broken lines": json.dumps(
            json.dumps(secret.decode()[:12] + "\n" + secret.decode()[12:])
        ).encode(),
        "hexadecimal": secret.hex().upper().encode(),
        "UTF-16": secret.decode().encode("utf-16"),
    }
    assert [name for name, form in forms.items() if not CANARIES.is_in(form)] == []
    assert not CANARIES.is_in(CANARIES.witness)
    assert CANARIES.witnesses.is_in(CANARIES.pasted)


async def test_no_secret_leaves_the_vault_but_by_a_reveal(tmp_path: Path, log: io.StringIO) -> None:
    """With everything logged and failures forced, no answer, figure, log line or file holds what was given."""
    heard: list[str] = []
    async with (
        near_desk(tmp_path, log_level="DEBUG", trace_share=1.0) as desk,
        api(desk, "client", "clara") as clara,
        api(desk, "agent", "anna") as anna,
        api(desk, "admin", "root") as root,
    ):
        client, agent, admin = Watched(clara, heard), Watched(anna, heard), Watched(root, heard)
        await admin.post("/v1/webhook-endpoints", {"url": "https://hooks.example/x", "content": True})
        ticket, one = await given(client, agent)
        for body in ({"values": GIVEN | {"root": {"x": CANARY}}}, {"values": {"ftp": [CANARY]}}, {"value": CANARY}):
            assert (await client.post(f"{one}/provide", body)).status_code == 422
        await failing(desk, lambda: client.post(f"{one}/provide", {"values": GIVEN}))
        assert (await client.post(f"{one}/provide", {"values": GIVEN})).status_code == 200
        await settle(desk.runtimes)
        token = await claimed(agent, ticket)
        await settle(desk.runtimes)
        why = {"reason": "Compare the files."}
        await failing(desk, lambda: agent.post(f"{one}/reveal", why, Claim_Token=token))
        read = await agent.post(f"{one}/reveal", why, keep=False, Claim_Token=token)
        assert read.json()["values"] == GIVEN
        await settle(desk.runtimes)
        for path in (f"/v1/tickets/{ticket['id']}", "/v1/tickets?q=canary", "/v1/deliveries", "/v1/events", "/metrics"):
            await admin.get(path)
        assert CANARIES.holders(tmp_path) == []
        await agent.post(f"/v1/tickets/{ticket['id']}/resolve", Claim_Token=token)
        now = datetime.fromisoformat((await admin.get("/v1/dev/clock")).json()["now"])
        answer = await root.put("/v1/dev/clock", json={"now": (now + timedelta(days=8)).isoformat()})
        assert answer.status_code == 200, answer.text
        assert CANARIES.holders(tmp_path) == []
    assert CANARIES.holders(tmp_path) == []
    assert [text for text in heard if CANARIES.is_in(text)] == []
    assert "opening failed" in log.getvalue()
    assert not CANARIES.is_in(log.getvalue())

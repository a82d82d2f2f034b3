"""The line to the API: problems read from its answers, tokens renewed once, pages put together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from firstline.web.client import Desk, Refusal, SignedOut, Tokens

Handler = Callable[[httpx.Request], httpx.Response]
PROBLEM = {
    "type": "/problems/illegal-transition",
    "title": "Not possible in this status",
    "detail": "close is not possible.",
    "errors": [{"pointer": "/reason", "detail": "Choose one."}],
}


OLD = Tokens("old", "refresh")


def _desk(handler: Handler, tokens: Tokens | None = OLD) -> Desk:
    return Desk(httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://desk.invalid"), tokens)


async def _refusal(answer: httpx.Response) -> Refusal:
    with pytest.raises(Refusal) as raised:
        await _desk(lambda _: answer).policy()
    return raised.value


async def test_problem_documents_become_refusals() -> None:
    """Status, kind, title, advice and the single faults are taken over."""
    refusal = await _refusal(httpx.Response(409, json=PROBLEM))
    assert (refusal.status, refusal.slug, refusal.title) == (409, "illegal-transition", "Not possible in this status")
    assert (refusal.detail, refusal.faults) == ("close is not possible.", (("/reason", "Choose one."),))


@pytest.mark.parametrize(
    "content", [b"<html>Bad gateway</html>", b"", b"[]", b'"x"', b"{}", b'{"type": 1, "title": "x", "detail": "y"}']
)
async def test_answers_that_are_no_problem_documents_are_told_in_our_words(content: bytes) -> None:
    """What a proxy says is never shown."""
    refusal = await _refusal(httpx.Response(502, content=content))
    assert (refusal.status, refusal.title) == (502, "The Helpdesk gave no clear answer")


async def test_silence_is_a_refusal() -> None:
    """A broken connection counts as out of reach."""

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    with pytest.raises(Refusal) as raised:
        await _desk(broken).policy()
    assert (raised.value.status, raised.value.slug) == (503, "unavailable")


def _with_refresh(seen: list[str], refreshed: httpx.Response) -> Handler:
    """Return an API that knows only the token `new`, and answers a refresh with `refreshed`."""

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.url.path} {request.headers.get('authorization', '-')}")
        if request.url.path == "/v1/tokens/refresh":
            return refreshed
        known = request.headers.get("authorization") == "Bearer new"
        return httpx.Response(200, json={"ok": True}) if known else httpx.Response(401, json=PROBLEM)

    return answer


async def test_an_expired_token_is_renewed_once_for_all_calls() -> None:
    """The call that met 401 is made again with the new token, and later calls use it at once."""
    seen: list[str] = []
    fresh = httpx.Response(200, json={"access_token": "new", "refresh_token": "next"})
    desk = _desk(_with_refresh(seen, fresh))
    assert await desk.policy() == {"ok": True}
    assert await desk.scope() == {"ok": True}
    assert desk.tokens == Tokens("new", "next")
    assert seen == [
        "/v1/policy Bearer old",
        "/v1/tokens/refresh -",
        "/v1/policy Bearer new",
        "/v1/policy/scope Bearer new",
    ]


@pytest.mark.parametrize("status", [401, 422])
async def test_a_dead_session_is_signed_out(status: int) -> None:
    """When the refresh token is refused too, the visitor has to sign in again."""
    with pytest.raises(SignedOut):
        await _desk(_with_refresh([], httpx.Response(status, json=PROBLEM))).policy()


async def test_a_file_is_sent_whole_again_with_the_new_token(tmp_path: Path) -> None:
    """An upload that met an expired token is repeated from the file's beginning."""
    (tmp_path / "a.log").write_bytes(b"line\n" * 100_000)
    seen: list[bool] = []
    answers = _with_refresh([], httpx.Response(200, json={"access_token": "new", "refresh_token": "next"}))

    def upload(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/attachments":
            seen.append(request.content.count(b"line\n") == 100_000)
        return answers(request)

    with (tmp_path / "a.log").open("rb") as file:
        await _desk(upload).upload("a.log", file, "text/plain")
    assert seen == [True, True]


async def test_nobody_is_signed_out_by_an_outage() -> None:
    """A refresh that fails for another reason leaves the tokens as they are, so that trying again works."""
    desk = _desk(_with_refresh([], httpx.Response(503, json=PROBLEM)))
    with pytest.raises(Refusal):
        await desk.policy()
    assert desk.tokens == Tokens("old", "refresh")


async def test_strangers_have_no_token_to_renew() -> None:
    """Without tokens a 401 means: sign in."""
    with pytest.raises(SignedOut):
        await _desk(_with_refresh([], httpx.Response(500)), tokens=None).policy()


async def test_the_whole_correspondence_is_read() -> None:
    """Pages of messages are followed to the end, in their order."""
    pages: dict[str | None, Any] = {
        None: {"items": [{"id": "1"}, {"id": "2"}], "next": "c1"},
        "c1": {"items": [{"id": "3"}], "next": None},
    }
    desk = _desk(lambda request: httpx.Response(200, json=pages[request.url.params.get("cursor")]))
    assert [message["id"] for message in await desk.messages("FL-7K3M-9QPX")] == ["1", "2", "3"]


async def test_verbs_carry_key_and_claim_where_there_are_any() -> None:
    """Idempotency-Key and Claim-Token are sent when given, and left out when not."""
    seen: list[tuple[str | None, str | None]] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append((request.headers.get("idempotency-key"), request.headers.get("claim-token")))
        return httpx.Response(200, json={})

    desk = _desk(note)
    await desk.act("x", "messages", {}, key="k", claim="c")
    await desk.act("x", "wait", {})
    await desk.claim(None, "k")
    assert seen == [("k", "c"), (None, None), ("k", None)]


async def test_no_clocks_are_asked_for_nothing() -> None:
    """An empty queue costs no call."""
    desk = _desk(lambda _: httpx.Response(500))
    assert await desk.clocks([]) == []

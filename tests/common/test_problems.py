"""Every error leaves as a problem document that says what to do, and never tells what went on inside."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from firstline.common import errors
from firstline.common.application import JSON_LIMIT, build_app, permit, public
from firstline.common.bus import LocalBus
from firstline.common.errors import Fault, FirstlineError
from firstline.common.permissions import Access
from firstline.common.ports import Ports, SystemClock
from firstline.common.problems import MEDIA_TYPE, Problem, problem_body, problem_response
from firstline.common.runtime import Runtime
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import Signer, Verifier, new_key
from pydantic import BaseModel, ConfigDict, EmailStr, Field, field_validator

SECRET = "hunter2"
router = APIRouter(dependencies=[Depends(public)])
private = APIRouter()


class Sent(BaseModel):
    """A body with something of everything."""

    model_config = ConfigDict(extra="forbid")
    subject: str = Field(max_length=5)
    kind: Literal["a", "b"] = "a"
    email: EmailStr | None = None
    tags: dict[str, int] = {}
    even: int = 0

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("Send an even number.")
        return value


@router.post("/things")
async def make_thing(sent: Sent) -> dict[str, str]:
    """Make a thing."""
    return {"subject": sent.subject}


@router.post("/larger")
async def make_larger_thing(request: Request) -> dict[str, int]:
    """Take a body as it comes."""
    return {"size": len(await request.body())}


@router.get("/things/{count}")
async def read_thing(count: int, limit: int = 1) -> dict[str, int]:
    """Read a thing."""
    return {"count": count, "limit": limit}


@router.get("/errors/{name}")
async def fail(name: str) -> None:
    """Fail with an error of the tree."""
    raise getattr(errors, name)("Do this.")


@router.get("/surprise")
async def surprise() -> None:
    """Fail as nobody foresaw."""
    raise RuntimeError(SECRET)


@router.get("/broken-stream")
async def broken_stream() -> StreamingResponse:
    """Fail after the answer has begun."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError(SECRET)

    return StreamingResponse(parts())


@private.get("/private")
async def read_private(_access: Annotated[Access, Depends(permit("mails.read"))]) -> None:
    """Read what is for staff."""


async def _nothing() -> None:
    """Start or stop nothing."""


@pytest.fixture
def app(store: SqliteStore, ports: Ports) -> FastAPI:
    """Return an application that fails in every way."""
    signer = Signer(new_key("test"), SystemClock())
    verifier = Verifier(signer.public_keys(), SystemClock())
    runtime = Runtime("test", ports=ports, store=store, bus=LocalBus(), verifier=verifier, read_logs={})
    larger = {"/larger": 2 * JSON_LIMIT}
    return build_app(runtime, "Test", [router, private], start=_nothing, stop=_nothing, larger_bodies=larger)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of it."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as found:
        yield found


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """Return the problem document of an answer after looking at its form."""
    body: dict[str, Any] = answer.json()
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert (answer.status_code, body["status"], body["type"]) == (status, status, f"/problems/{slug}")
    Problem.model_validate(body)
    assert body["title"]
    assert body["detail"].endswith(".")
    assert SECRET not in answer.text
    return body


def leaves(kind: type[FirstlineError]) -> Iterator[type[FirstlineError]]:
    """Yield an error class of the tree and all below it, those of other modules left aside."""
    if kind.__module__ == errors.__name__:
        yield kind
    for child in kind.__subclasses__():
        yield from leaves(child)


@pytest.mark.parametrize("kind", [kind for kind in leaves(FirstlineError) if kind is not FirstlineError])
async def test_each_error_of_the_tree_is_a_problem(client: httpx.AsyncClient, kind: type[FirstlineError]) -> None:
    """An error becomes a problem with its status, its stable type, its title and what to do."""
    body = problem(await client.get(f"/errors/{kind.__name__}"), kind.status, kind("Do this.").slug)
    assert (body["title"], body["detail"], body["errors"]) == (kind.title, "Do this.", [])


def test_slugs_are_names_in_kebab_case() -> None:
    """A problem's type is the name of the error's class, so that it is stable and can be looked up."""
    assert errors.IllegalTransition("x").slug == "illegal-transition"
    assert errors.NotFound("x").slug == "not-found"


def test_a_problem_tells_faults_clause_and_more() -> None:
    """Faults, the policy's clause and further members are in the document; absent ones are left out."""
    error = errors.IllegalTransition(
        "Reopen it first.", faults=(Fault("/a~1b", "No."),), clause="2.3", extra={"allowed": ["reopen"]}
    )
    assert problem_body(error) == {
        "type": "/problems/illegal-transition",
        "title": "Not possible in this status",
        "status": 409,
        "detail": "Reopen it first.",
        "errors": [{"pointer": "/a~1b", "detail": "No."}],
        "allowed": ["reopen"],
        "clause": "2.3",
    }
    assert "clause" not in problem_body(errors.NotFound("No."))


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (errors.Unavailable("Later."), "Retry-After", "2"),
        (errors.Unavailable("Later.", retry_after=30), "Retry-After", "30"),
        (errors.TooMany("Slowly."), "Retry-After", "1"),
        (errors.Conflict("Held.", retry_after=5), "Retry-After", "5"),
        (errors.Conflict("Held."), "Retry-After", None),
        (errors.Unauthenticated("Who?"), "WWW-Authenticate", 'Bearer realm="firstline"'),
        (errors.Forbidden("No."), "WWW-Authenticate", None),
    ],
)
def test_headers_that_belong_to_a_status(error: FirstlineError, header: str, value: str | None) -> None:
    """503 and 429 always say when to come again, 401 how to sign in, and others only what fits."""
    assert problem_response(error).headers.get(header) == value


async def test_an_unknown_path_is_404(client: httpx.AsyncClient) -> None:
    """A path that nothing serves is a problem like any other."""
    problem(await client.get("/nowhere"), 404, "not-found")


async def test_a_wrong_method_is_405(client: httpx.AsyncClient) -> None:
    """A method that the address does not take is refused, and the answer names those that it takes."""
    answer = await client.delete("/things")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("headers", "why"),
    [({}, "no token"), ({"Authorization": "Basic YTpi"}, "other"), ({"Authorization": "Bearer x"}, "bad")],
)
async def test_no_valid_token_is_401(client: httpx.AsyncClient, headers: dict[str, str], why: str) -> None:
    """Without a token that holds the answer is 401 and tells the scheme."""
    answer = await client.get("/private", headers=headers)
    problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer"), why


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/plain", b"hello"),
        ("text/plain", b'{"subject": "a"}'),
        ("application/x-www-form-urlencoded", b"subject=a"),
        ("text/json", b'{"subject": "a"}'),
        ("application/xml", b"<json/>"),
        (None, b'{"subject": "a"}'),
    ],
)
async def test_another_content_type_is_415(client: httpx.AsyncClient, content_type: str | None, content: bytes) -> None:
    """A body that is not said to be JSON is refused as such, whatever it looks like."""
    headers = {"Content-Type": content_type} if content_type else {}
    problem(await client.post("/things", content=content, headers=headers), 415, "unsupported-type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/vnd.x+json"]
)
async def test_json_under_any_of_its_names_is_read(client: httpx.AsyncClient, content_type: str) -> None:
    """JSON types are read, with parameters or as a suffix."""
    answer = await client.post("/things", content=b'{"subject": "a"}', headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()) == (200, {"subject": "a"})


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        (b"{", [""]),
        (b"", [""]),
        (b"[1]", [""]),
        (b"null", [""]),
        (b'"text"', [""]),
        (b"{}", ["/subject"]),
        (b'{"subject": "a", "colour": 1}', ["/colour"]),
        (b'{"subject": "too long", "kind": "c", "tags": {"a/b~c": "x"}}', ["/subject", "/kind", "/tags/a~1b~0c"]),
        (b'{"subject": "a", "even": 1}', ["/even"]),
        (b'{"subject": "a", "email": "nobody"}', ["/email"]),
        (b'{"subject": "\\ud83d"}', ["/subject"]),
    ],
)
async def test_a_bad_body_is_422_with_pointers(client: httpx.AsyncClient, content: bytes, pointers: list[str]) -> None:
    """A body that is no JSON, or has wrong values, is 422 and points at each of them."""
    answer = await client.post("/things", content=content, headers={"Content-Type": "application/json"})
    body = problem(answer, 422, "invalid")
    assert [fault["pointer"] for fault in body["errors"]] == pointers
    assert all(fault["detail"].endswith(".") for fault in body["errors"])


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000, b'{"subject": ' + b"9" * 5000 + b"}"])
async def test_an_unreadable_body_is_422(client: httpx.AsyncClient, content: bytes) -> None:
    """Bytes that are no UTF-8, nesting without end and numbers without end are refused, not tripped over."""
    problem(await client.post("/things", content=content, headers={"Content-Type": "application/json"}), 422, "invalid")


async def test_what_to_do_is_said_in_plain_words(client: httpx.AsyncClient) -> None:
    """Missing and unknown members are named as such, and our own rules speak for themselves."""
    faults = (await client.post("/things", json={"colour": 1, "even": 3})).json()["errors"]
    assert {fault["pointer"]: fault["detail"] for fault in faults} == {
        "/subject": "This is required; add it.",
        "/colour": "This is not known here; remove it or check its spelling.",
        "/even": "Send an even number.",
    }


@pytest.mark.parametrize(("path", "pointer"), [("/things/many", "#path/count"), ("/things/1?limit=x", "#query/limit")])
async def test_wrong_paths_and_queries_are_pointed_at(client: httpx.AsyncClient, path: str, pointer: str) -> None:
    """A wrong value outside the body is pointed at by where it stands."""
    body = problem(await client.get(path), 422, "invalid")
    assert [fault["pointer"] for fault in body["errors"]] == [pointer]


async def _in_pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536 + 1):
        yield b"x" * 65536


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_too_large_is_413(client: httpx.AsyncClient, *, chunked: bool) -> None:
    """A body above the limit is refused, whether its length is said before or found out."""
    content = _in_pieces(JSON_LIMIT) if chunked else b"x" * (JSON_LIMIT + 1)
    answer = await client.post("/things", content=content, headers={"Content-Type": "application/json"})
    problem(answer, 413, "too-large")


async def test_a_large_body_is_not_read_where_its_length_is_said(app: FastAPI) -> None:
    """When the length says enough nothing of the body is read."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-length", str(JSON_LIMIT + 1).encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/things", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    assert sent[0]["status"] == 413


async def test_a_path_may_take_more(client: httpx.AsyncClient) -> None:
    """A path with a limit of its own takes bodies up to that, and no more."""
    assert (await client.post("/larger", content=b"x" * (2 * JSON_LIMIT))).json() == {"size": 2 * JSON_LIMIT}
    problem(await client.post("/larger", content=_in_pieces(2 * JSON_LIMIT)), 413, "too-large")


async def test_a_lie_about_the_length_does_not_help(client: httpx.AsyncClient) -> None:
    """A body is counted as it comes, whatever its length was said to be."""
    headers = {"Content-Length": "10", "Content-Type": "application/json"}
    answer = await client.post("/things", content=_in_pieces(JSON_LIMIT), headers=headers)
    problem(answer, 413, "too-large")


async def test_a_surprise_tells_nothing(client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]) -> None:
    """An error that nobody foresaw is a 500 without a word of its text, and the log has it once."""
    problem(await client.get("/surprise"), 500, "unexpected")
    assert capsys.readouterr().out.count(f"RuntimeError: {SECRET}") == 1


async def test_problems_carry_the_trace(client: httpx.AsyncClient) -> None:
    """Under a trace each problem names it, an unforeseen one too, so that the log can be searched for it."""
    headers = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    for path in ("/surprise", "/nowhere", "/errors/NotFound", "/things/many"):
        assert (await client.get(path, headers=headers)).json()["trace_id"] == "ab" * 16


async def test_an_answer_that_breaks_off_stays_broken(client: httpx.AsyncClient) -> None:
    """After the answer has begun an error can't become a problem; the connection ends, so that it is seen."""
    with pytest.raises(RuntimeError, match=SECRET):
        await client.get("/broken-stream")


def test_problem_documents_fit_their_schema() -> None:
    """The documented model has the members that answers have."""
    body = problem_body(errors.NotFound("No.", clause="1.3"))
    assert set(body) <= set(Problem.model_fields)

"""How the pages call the public API: in a visitor's name, problems as exceptions, tokens renewed on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

Json = dict[str, Any]


class SignedOut(Exception):
    """Nobody is signed in, or not any more."""


class Refusal(Exception):
    """The API did not serve a call; the problem document's words are fit to be shown.

    Attributes:
        status: the HTTP status; 503 also when no answer came.
        slug: the last part of the problem's type.
        title: what happened, in a few words.
        detail: what to do about it.
        faults: (JSON pointer, advice) for each wrong value.

    """

    def __init__(
        self, status: int, slug: str, title: str, detail: str, faults: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in gives: the token for calls, and the one that replaces both."""

    access: str
    refresh: str


def refusal(answer: httpx.Response) -> Refusal:
    """Read a problem document; an answer that is none (a proxy's, say) is told in our own words."""
    try:
        problem = answer.json()
        faults = tuple((fault["pointer"], fault["detail"]) for fault in problem.get("errors", []))
        slug = problem["type"].rpartition("/")[2]
        return Refusal(answer.status_code, slug, problem["title"], problem["detail"], faults)
    # Of any kind: what stands between us and the desk answers in whatever form it likes.
    except (ValueError, KeyError, TypeError, AttributeError):
        return Refusal(answer.status_code, "unknown", "The Helpdesk gave no clear answer", _TRY_AGAIN)


_TRY_AGAIN: Final = "Try it again in a minute. Sending the same form twice never makes two of it."


class Calls:
    """A line to the API in the name of one visitor.

    Every call raises Refusal for what the API does not serve, and SignedOut when the visitor has to sign in again.
    After calls `tokens` may be newer ones, which the visitor has to keep.
    """

    def __init__(self, api: httpx.AsyncClient, tokens: Tokens | None) -> None:
        """Call `api`, whose base address is the desk's, with the visitor's tokens."""
        self._api = api
        self.tokens = tokens

    async def sign_in(self, code: str) -> Json:
        """Sign in with the secret of a link; return the person."""
        answer = await self._once("POST", "/v1/sign-in/codes", signed=False, json={"code": code})
        if answer.is_error:
            raise refusal(answer)
        session: Json = answer.json()
        self.tokens = _tokens(session)
        person: Json = session["person"]
        return person

    async def sign_out(self) -> None:
        """End the session, so that its tokens can't be renewed any more."""
        if self.tokens:
            await self._send("POST", "/v1/sign-out", json={"refresh_token": self.tokens.refresh})

    async def _json(self, method: str, path: str, **given: Any) -> Json:
        """Make a call and return the JSON object that it answers."""
        answer: Json = (await self._send(method, path, **given)).json()
        return answer

    async def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Make a call, with new tokens where the old one has expired."""
        answer = await self._once(method, path, **given)
        # The clock of this process may differ from the desk's, so the desk is asked instead of the token's own time.
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            await self._renew()
            answer = await self._once(method, path, **given)
        if answer.is_error:
            # A streamed answer has no body yet, and the problem document is in it.
            await answer.aread()
            raise refusal(answer)
        return answer

    async def _renew(self) -> None:
        """Exchange the refresh token for a new pair; an outage leaves the tokens as they are.

        Raises:
            SignedOut: there is none, or it is of no use any more.
            Refusal: nobody could say whether it is.

        """
        if self.tokens is None:
            raise SignedOut
        given = {"refresh_token": self.tokens.refresh}
        # Without the old bearer token, which the desk would refuse before it looks at the body.
        answer = await self._once("POST", "/v1/tokens/refresh", signed=False, json=given)
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.UNPROCESSABLE_ENTITY):
            raise SignedOut
        if answer.is_error:
            raise refusal(answer)
        self.tokens = _tokens(answer.json())

    async def _once(
        self,
        method: str,
        path: str,
        *,
        signed: bool = True,
        stream: bool = False,
        headers: Mapping[str, str] | None = None,
        **given: Any,
    ) -> httpx.Response:
        """Make a call once, with the visitor's token unless told otherwise.

        Raises Refusal with status 503 where no answer came; whether the desk got the call is then unknown, which is why
        forms carry keys.
        """
        bearer = {"Authorization": f"Bearer {self.tokens.access}"} if signed and self.tokens else {}
        request = self._api.build_request(method, path, headers={**(headers or {}), **bearer}, **given)
        try:
            return await self._api.send(request, stream=stream)
        except httpx.TransportError as error:
            raise Refusal(503, "unavailable", "The Helpdesk is out of reach for the moment", _TRY_AGAIN) from error


def _tokens(answer: Json) -> Tokens:
    """Read the pair of tokens in an answer."""
    return Tokens(answer["access_token"], answer["refresh_token"])

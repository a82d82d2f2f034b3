"""Tokens over HTTP: for an API key, for a sign-in link, for a refresh token; and who a token says that one is."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from firstline.accounts.api.answering import AtDesk
from firstline.accounts.schemas import (
    CodeSent,
    JwkSet,
    KeySent,
    MeBody,
    PersonBody,
    RefreshTokenSent,
    SessionBody,
    TokenBody,
)
from firstline.accounts.service import keys, sessions
from firstline.accounts.service.desk import Desk
from firstline.accounts.service.people import principal_of
from firstline.common.application import permit, public
from firstline.common.errors import Unauthenticated
from firstline.common.permissions import Access

router = APIRouter(tags=["sign-in"])


@router.post("/v1/tokens", dependencies=[Depends(public)])
async def create_token(desk: AtDesk, response: Response, body: KeySent) -> TokenBody:
    """Exchange an API key for a bearer token.

    Ask for a new one when it expires; the key can be revoked meanwhile, and then gets none.
    """
    principal = await desk.store.read(lambda unit: keys.principal_of_key(unit, body.api_key))
    # One text for all reasons, as with links.
    if principal is None:
        raise Unauthenticated("This API key opens nothing: it is mistyped, revoked, or its owner has changed.")
    # A token in a shared cache would be anybody's (RFC 6749, 5.1).
    response.headers["Cache-Control"] = "no-store"
    token = desk.signer.token(principal, desk.lives.access)
    return TokenBody(access_token=token, expires_in=int(desk.lives.access.total_seconds()))


@router.post("/v1/sign-in/codes", dependencies=[Depends(public)])
async def sign_in_by_code(desk: AtDesk, response: Response, body: CodeSent) -> SessionBody:
    """Sign in with the code of a sign-in link."""
    now, life = desk.wall.now(), desk.lives.refresh
    session = await desk.store.write(lambda unit: sessions.sign_in(unit, desk.ports, body.code, now=now, life=life))
    if session is None:  # one text for all reasons, so that guessing learns nothing
        raise Unauthenticated("This link does not sign anybody in (any more). Ask for a new one.")
    return _signed_in(desk, response, session)


@router.post("/v1/tokens/refresh", dependencies=[Depends(public)])
async def refresh_tokens(desk: AtDesk, response: Response, body: RefreshTokenSent) -> SessionBody:
    """Exchange a refresh token, good for one use, for a new bearer token and a new refresh token.

    A used one that comes back after half a minute ends the session, because somebody else may have it.
    """
    now, lives = desk.wall.now(), desk.lives
    session = await desk.store.write(
        lambda unit: sessions.refresh(
            unit, desk.ports, body.refresh_token, now=now, life=lives.refresh, grace=lives.grace
        )
    )
    # Not an error inside the unit: what it has deleted has to stay deleted.
    if session is None:
        raise Unauthenticated("The session has ended. Sign in again.")
    return _signed_in(desk, response, session)


def _signed_in(desk: Desk, response: Response, session: sessions.Session) -> SessionBody:
    """Return the tokens of a session, which no cache may keep (RFC 6749, 5.1)."""
    response.headers["Cache-Control"] = "no-store"
    return SessionBody(
        access_token=desk.signer.token(principal_of(session.person), desk.lives.access),
        expires_in=int(desk.lives.access.total_seconds()),
        refresh_token=session.refresh_token,
        person=PersonBody.model_validate(session.person),
    )


@router.post("/v1/sign-out", status_code=204, dependencies=[Depends(public)])
async def sign_out(desk: AtDesk, body: RefreshTokenSent) -> None:
    """End a session; the bearer token at hand lives on for a quarter of an hour at most."""
    await desk.store.write(lambda unit: sessions.sign_out(unit, body.refresh_token))


@router.get("/v1/me")
async def read_me(access: Annotated[Access, Depends(permit("me.read"))]) -> MeBody:
    """Read who the desk takes you for, as your token says."""
    return MeBody.model_validate(access.principal)


@router.get("/.well-known/jwks.json", dependencies=[Depends(public)], response_model=JwkSet)
async def read_public_keys(desk: AtDesk) -> dict[str, Any]:
    """Read the public keys that verify this desk's tokens."""
    return desk.signer.public_keys()

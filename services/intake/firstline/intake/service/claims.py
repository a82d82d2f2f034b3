"""Claims as intake sees them: a staff write is refused when somebody else holds the ticket or the fence is old."""

from datetime import datetime

from firstline.common.errors import StaleClaim
from firstline.common.permissions import Principal
from firstline.common.secrets import unseal
from firstline.common.store.port import Unit
from firstline.intake.service.change import Change
from firstline.intake.store.tickets import CLAIM, SAVE_CLAIM, Claim


async def check_claim(change: Change, principal: Principal, token: str | None) -> None:
    """Let a staff write pass if its claim token is the newest known, or if nobody else holds the ticket.

    The token is checked without asking queue; the highest fence seen is kept.

    Raises:
        StaleClaim: the token is not valid (any more), or somebody else holds a live claim.

    """
    known = await change.unit.one(CLAIM, ticket_id=change.ticket.id)
    if token is not None:
        await _check_token(change, principal, token, known)
    # Without a token a write passes where nobody else is at work:
    # claims keep specialists apart, they are no permission.
    elif known and known.live and known.expires_at > change.now and known.agent != principal.id:
        raise StaleClaim(
            "Another specialist is working on this request now. Leave an internal note, or ask for the claim to be"
            " released or transferred."
        )


async def demand_claim(change: Change, principal: Principal, token: str | None) -> int:
    """Let only the holder of the live claim pass, whom the token shows; return the claim's fence (clause 4.3).

    Raises:
        StaleClaim: there is no token, or it is not that of a claim which lives now.

    """
    if token is None:
        raise StaleClaim("Claim the request first and send the Claim-Token: only who works on it may read this.")
    known = await change.unit.one(CLAIM, ticket_id=change.ticket.id)
    await _check_token(change, principal, token, known)
    known = await change.unit.one(CLAIM, ticket_id=change.ticket.id)
    if known is None or not known.live or known.agent != principal.id or known.expires_at <= change.now:
        raise StaleClaim("Your claim has ended. Claim the request again.")
    return known.fence


async def _check_token(change: Change, principal: Principal, token: str, known: Claim | None) -> None:
    """Raise StaleClaim for a token that isn't the caller's for this request, or is older than what is known."""
    claim = unseal(change.desk.claim_key, token)
    if claim is None or claim["ticket_id"] != change.ticket.id or claim["agent"] != principal.id:
        raise StaleClaim("The Claim-Token is not one of yours for this request. Claim the request again.")
    expires_at = datetime.fromisoformat(claim["exp"])
    if expires_at <= change.now or (known and claim["fence"] < known.fence):
        raise StaleClaim("Your claim has ended; somebody else may have taken the request. Claim it again.")
    # A token may be newer than the last event heard of: what it proves is known from now on.
    if known is None or claim["fence"] > known.fence:
        await note_claim(change.unit, change.ticket.id, claim["fence"], principal.id, expires_at, live=True)


async def note_claim(unit: Unit, ticket_id: str, fence: int, agent: str, expires_at: datetime, *, live: bool) -> None:
    """Keep what is known of a ticket's newest claim; an older fence changes nothing."""
    await unit.run(SAVE_CLAIM, ticket_id=ticket_id, fence=fence, agent=agent, expires_at=expires_at, live=live)

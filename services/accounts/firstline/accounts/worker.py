"""Timed work of accounts: what has expired is deleted, so that the tables hold what is of use."""

from firstline.accounts.service.desk import Desk
from firstline.accounts.store.credentials import FORGET_LINKS, FORGET_REFRESH_TOKENS
from firstline.common.store.port import Unit
from firstline.common.worker import Worker

PORTION = 500
POLL_SECONDS = 3600.0


def expiry(desk: Desk) -> Worker:
    """Return the worker that deletes expired sign-in links and refresh tokens, a portion of each at a time."""

    async def forget(unit: Unit) -> int:
        # By wall time as when they were made: a demonstration that moves product time signs nobody out.
        now = desk.wall.now()
        links = await unit.run(FORGET_LINKS, now=now, limit=PORTION)
        return links + await unit.run(FORGET_REFRESH_TOKENS, now=now, limit=PORTION)

    async def step() -> int:
        return await desk.store.write(forget)

    return Worker("accounts: expiry", step, desk.ports, poll_seconds=POLL_SECONDS)

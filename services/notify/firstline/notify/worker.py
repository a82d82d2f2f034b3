"""Timed work of notify: mails that are due leave a few at a time, webhooks on one lane an endpoint."""

import asyncio
from datetime import datetime

import structlog
from opentelemetry.trace import SpanKind

from firstline.common.errors import Invalid
from firstline.common.lease import Lease
from firstline.common.mail import BadAddress
from firstline.common.mail_out import MailRefused, MailUnreachable
from firstline.common.outbound import PeerUnreachable
from firstline.common.telemetry import continued
from firstline.common.worker import Worker
from firstline.notify.delivery import Judgement, judge_answer, judge_refusal
from firstline.notify.service.desk import MAIL, WEBHOOKS, Desk
from firstline.notify.service.endpoints import signing_secrets
from firstline.notify.service.outcomes import Tried, record
from firstline.notify.signing import signed_headers
from firstline.notify.store.deliveries import DUE_MAIL, DUE_PUSHES, NEXT_DUE, Outgoing, Push

MAILS_AT_ONCE = 8
# Sockets that may be open at once: far more than endpoints that hang at one time, so that nobody waits behind them.
LANES = 200
POLL_SECONDS = 30.0
PAUSE_SECONDS = 1.0
OUR_FAULT = "It could not be sent for a reason on our side; the logs say more."

_log = structlog.get_logger(__name__)


def mail_worker(desk: Desk, lease: Lease) -> Worker:
    """Return the worker that sends mails: one replica at a time, so that each mail is sent once."""

    async def step() -> int:
        now = desk.now()
        # A few at a time: a mail server that hangs holds up eight mails for a minute, and not the whole outbox.
        due = await desk.store.read(lambda unit: unit.all(DUE_MAIL, now=now, limit=MAILS_AT_ONCE))
        if not lease.held:  # this process was stopped since: another one sends them
            return 0
        await asyncio.gather(*(_send(desk, mail) for mail in due))
        return len(due)

    wake = desk.store.listen(MAIL)
    return Worker(
        "notify: mail",
        step,
        desk.ports,
        wake=wake,
        next_due=lambda: next_due(desk, MAIL),
        poll_seconds=POLL_SECONDS,
        lease=lease,
    )


async def next_due(desk: Desk, channel: str) -> datetime | None:
    """Return when the next delivery by a channel falls due, of those that are not due yet."""
    now = desk.now()
    return await desk.store.read(lambda unit: unit.one(NEXT_DUE, channel=channel, now=now))


async def _send(desk: Desk, mail: Outgoing) -> None:
    """Send one mail and record how it went, as part of the trace of what it tells of."""
    with continued("send mail", mail.traceparent, SpanKind.CLIENT):
        tried = await _try(desk, mail)
        desk.ports.reached("mail-sent")
        await desk.store.write(lambda unit: record(desk, unit, mail.id, tried))
        # Without the address: whom the desk writes to is in its store, not in its log.
        _log.info("mail tried", delivery_id=mail.id, verdict=tried.judgement.verdict, milliseconds=tried.took_ms)


async def _try(desk: Desk, mail: Outgoing) -> Tried:
    """Send one mail; after a crash before this is recorded it goes out again with the same Message-ID."""
    at, begun, status = desk.now(), desk.ports.clock.monotonic(), None
    try:
        await desk.mail.send(mail.payload, mail.mail_from, (mail.recipient,))
        judgement = Judgement("delivered")
    except MailRefused as refusal:
        status, judgement = refusal.code, judge_refusal(refusal.code, refusal.detail)
    except MailUnreachable as error:
        judgement = Judgement("retry", error.detail)
    except BadAddress as error:
        judgement = Judgement("failed", error.detail)
    except Exception:
        # Whatever is wrong with one mail (or our disk) must not stand at the head of the line for ever.
        _log.exception("a mail could not be sent and is tried again", delivery_id=mail.id)
        judgement = Judgement("retry", OUR_FAULT)
    return Tried(at, _since(desk, begun), judgement, status)


def _since(desk: Desk, begun: float) -> int:
    """Return the milliseconds since a reading of the monotonic clock."""
    return round((desk.ports.clock.monotonic() - begun) * 1000)


class Lanes:
    """Webhook deliveries under way: one at a time for an endpoint, endpoints beside one another (P25)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._wake = desk.store.listen(WEBHOOKS)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    def worker(self, lease: Lease) -> Worker:
        """Return the worker that fills the lanes, on one replica at a time."""
        return Worker(
            "notify: webhooks",
            self.step,
            self._desk.ports,
            wake=self._wake,
            next_due=lambda: next_due(self._desk, WEBHOOKS),
            poll_seconds=POLL_SECONDS,
            lease=lease,
        )

    async def stop(self) -> None:
        """Break off what is under way; it is tried again after the next start."""
        self._stopping = True
        tasks = list(self._busy.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def step(self) -> int:
        """Start what is due on free lanes; wait until a lane is free again or there is more; return how many work."""
        if self._stopping:
            return 0
        self._wake.clear()
        now, busy = self._desk.now(), list(self._busy)
        due = await self._desk.store.read(
            lambda unit: unit.all(DUE_PUSHES, now=now, busy=busy, limit=LANES - len(busy))
        )
        for push in due:
            self._busy[push.endpoint_id] = self._desk.ports.spawn(self._lane(push), name=f"webhook {push.endpoint_id}")
        # Not 0 while lanes are busy, or the worker would rest until its poll although a lane may be free in a moment.
        working = len(self._busy)
        if working:
            await self._rest()
        return working

    async def _rest(self) -> None:
        """Wait until a lane is free, somebody has made new work, or a delivery falls due."""
        spawn, clock = self._desk.ports.spawn, self._desk.ports.clock
        watchers = [spawn(_set(self._wake), name="webhooks: woken")]
        due = await next_due(self._desk, WEBHOOKS)
        if due is not None:
            watchers.append(spawn(clock.until(due), name="webhooks: due"))
        try:
            await asyncio.wait([*self._busy.values(), *watchers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for watcher in watchers:
                watcher.cancel()

    async def _lane(self, push: Push) -> None:
        """Deliver one event and record how it went; then the endpoint's next one may go."""
        try:
            with continued("push event", push.traceparent, SpanKind.CLIENT):
                tried = await _post(self._desk, push)
                self._desk.ports.reached("webhook-sent")
                await self._desk.store.write(lambda unit: record(self._desk, unit, push.id, tried))
        except Exception:
            # The store is out of reach; without the pause the same event would be sent again at once, and again.
            _log.exception("a webhook delivery could not be recorded and is tried again", delivery_id=push.id)
            await self._desk.ports.clock.sleep(PAUSE_SECONDS)
        finally:
            del self._busy[push.endpoint_id]


async def _post(desk: Desk, push: Push) -> Tried:
    """Send one event, signed at this attempt's wall time; the id and the bytes are those of every attempt."""
    at, begun, status, excerpt = desk.now(), desk.ports.clock.monotonic(), None, ""
    try:
        secrets = signing_secrets(desk, push.secrets)
        # By wall time: receivers compare with their own clocks, whatever our product time was moved to.
        headers = signed_headers(secrets, push.event_id, desk.wall.now(), push.payload)
        answer = await desk.http.post(push.url, {"content-type": "application/json", **headers}, push.payload)
        status, excerpt = answer.status, answer.excerpt
        judgement = judge_answer(status, answer.headers.get("retry-after"), desk.now())
    except (PeerUnreachable, Invalid) as error:
        judgement = Judgement("retry", error.detail)
    except Exception:
        _log.exception("a webhook could not be sent and is tried again", delivery_id=push.id)
        judgement = Judgement("retry", OUR_FAULT)
    return Tried(at, _since(desk, begun), judgement, status, excerpt)


async def _set(event: asyncio.Event) -> None:
    """Wait until an event is set, as a task that can be cancelled."""
    await event.wait()

"""The command `firstline policy simulate`: ask a desk at work what would have been late, and show the answer (2.3)."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer

from firstline.common.errors import FirstlineError, Invalid, Unavailable
from firstline.common.ports import Clock, SystemClock
from firstline.standalone.command_line import address_of, bearer, reason_of, refuse, settings_of

Json = Mapping[str, Any]

SECONDS: Final = 30.0
PAUSE: Final = 0.3
"""Seconds between two looks at how far the simulation has come."""

_SPAN: Final = re.compile(r"(\d{1,4})([dwmy])")
_DAYS: Final = {"d": 1, "w": 7, "m": 30, "y": 365}


class NotTried(Invalid):
    """The desk refused what was to be tried; the detail says why and what would do."""

    title = "This can't be tried"


def simulate(
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="What to try, such as targets.first_response=240; again for more.")
    ] = None,
    last: Annotated[str, typer.Option(help="How far back: 30d, 12w, 6m or 1y.")] = "30d",
    by: Annotated[
        str, typer.Option(help="agent, target, topic, tier, organization, urgency or month: whose answers they are.")
    ] = "agent",
    as_json: Annotated[bool, typer.Option("--json", help="Print the desk's document instead of a table.")] = False,
    chart: Annotated[Path | None, typer.Option(help="Write the chart into this file (.svg).")] = None,
    url: Annotated[str | None, typer.Option(help="Address of the desk; its public address, or this machine.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the desk; FIRSTLINE_DATA, or data.")] = None,
) -> None:
    """Ask a desk at work how many recorded answers would have been late under other hours, targets or urgencies."""
    settings, clock = settings_of(data=data), SystemClock()
    desk = address_of(settings, url)

    async def ask() -> tuple[Json, str]:
        headers = {"Authorization": f"Bearer {bearer(settings, 'policy-simulate')}"}
        async with httpx.AsyncClient(base_url=desk, headers=headers, timeout=SECONDS) as http:
            asking = Simulating(http, clock)
            tried, span = changes_of(changes or []), span_of(last, clock.now())
            made = await asking.run(tried, span, lambda words: typer.echo(words, err=True))
            return await asking.read(made, by), await asking.chart(made, by) if chart else ""

    try:
        document, drawing = asyncio.run(ask())
        if chart:
            chart.write_text(drawing, "utf-8")
    except FirstlineError as error:
        refuse(error.detail, error)
    except OSError as error:
        refuse(f"The desk's keys can't be read, or {chart} can't be written: {error}", error)
    typer.echo(json.dumps(document, indent=2) if as_json else table(document))


def changes_of(given: list[str]) -> dict[str, Any]:
    """Return the changes that were given as `path=value`; a value is JSON where it can be, and text otherwise.

    Raises:
        NotTried: one of them has no `=`.

    """
    found: dict[str, Any] = {}
    for one in given:
        path, equals, text = one.partition("=")
        if not equals or not path.strip():
            raise NotTried(f"--set {one!r} is no change. Write path=value, such as targets.first_response=240.")
        try:
            found[path.strip()] = json.loads(text)
        except ValueError:
            found[path.strip()] = text.strip()
    return found


def span_of(last: str, now: datetime) -> dict[str, str]:
    """Return the span of `30d`, `12w`, `6m` or `1y` until now as the desk takes it.

    Raises:
        NotTried: it is none of these.

    """
    match = _SPAN.fullmatch(last)
    days = int(match[1]) * _DAYS[match[2]] if match else 0
    if not days:
        raise NotTried(f"--last {last!r} is no span. Write a number and d, w, m or y, such as 30d.")
    return {"from": (now - timedelta(days=days)).astimezone(UTC).isoformat()}


class Simulating:
    """A conversation with the desk about one simulation."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock) -> None:
        self._http, self._clock = http, clock

    async def run(self, changes: Json, span: Json, tell: Callable[[str], None]) -> str:
        """Ask, wait until it is done, and return its ID; what is told is how far it has come.

        Raises:
            NotTried: the desk refuses the changes.
            Unavailable: the desk does not answer.

        """
        document = (await self._call("POST", "/v1/simulations", json={"set": dict(changes), **span})).json()
        while document["state"] in ("waiting", "running"):
            tell(f"{document['done']:,} of {document['runs']:,}")
            await self._clock.sleep(PAUSE)
            document = await self.read(document["id"])
        if document["state"] != "done":
            raise NotTried(not_done(document))
        return str(document["id"])

    async def read(self, simulation_id: str, by: str = "agent") -> Json:
        """Return the simulation's document."""
        answer = await self._call("GET", f"/v1/simulations/{simulation_id}", params={"by": by})
        document: Json = answer.json()
        return document

    async def chart(self, simulation_id: str, by: str) -> str:
        """Return its chart as SVG."""
        path = f"/v1/simulations/{simulation_id}"
        return (await self._call("GET", path, params={"by": by, "format": "svg"})).text

    async def _call(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Ask the desk; an error says what to do."""
        try:
            answer = await self._http.request(method, path, **given)
        except httpx.HTTPError as error:
            advice = "Start it with `firstline up`, or say where it is with --url."
            raise Unavailable(f"The desk at {self._http.base_url} does not answer. {advice}") from error
        if answer.is_error:
            raise NotTried(reason_of(answer))
        return answer


def not_done(document: Json) -> str:
    """Say how far a simulation came that was not done, and why it went no further."""
    far = f"after {document['done']:,} of {document['runs']:,}"
    if document["state"] != "failed":
        return f"The simulation was {document['state']} {far}."
    # A desk of an earlier release names no problem.
    return f"The simulation failed {far}: {document.get('problem') or 'the desk does not say why.'}"


def table(document: Json) -> str:
    """Return a simulation as a table for the terminal."""
    rows = [(line["label"], line) for line in document["lines"]]
    rows.append(("All answers", document["total"]))
    wide = min(40, max(len(label) for label, _ in rows))
    header = f"{document['by']:<{wide}}  {'answers':>8} {'late':>7} {'then':>7}  {'newly late':>10} {'no longer':>10}"
    lines = [header, "-" * len(header)]
    for label, line in rows:
        counts = f"{line['answers']:>8,} {line['late']:>7,} {line['late_then']:>7,}"
        lines.append(f"{label[:wide]:<{wide}}  {counts}  {line['newly_late']:>10,} {line['no_longer_late']:>10,}")
    return "\n".join(lines)

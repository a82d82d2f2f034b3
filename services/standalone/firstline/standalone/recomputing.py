"""`firstline policy recompute`: the open requests of a desk at work are timed by another policy version's targets."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import typer

from firstline.common.ports import SystemClock
from firstline.standalone.command_line import address_of, bearer, reason_of, refuse, settings_of

PATH = "/v1/clocks/recomputes"
SECONDS, LOOK_SECONDS, SHOWN = 30.0, 0.5, 20
COUNTS = (
    ("clocks", "clocks of them"),
    ("changed", "with another deadline, target, rule or lateness"),
    ("later", "due later"),
    ("earlier", "due earlier"),
    ("breached", "late by the new terms only"),
    ("relieved", "late no longer"),
)


def recompute(
    version: Annotated[str | None, typer.Option(help="Policy version; default: the newest.")] = None,
    scope: Annotated[str, typer.Option(help="all, targets, or calendar: the newest hours, once more.")] = "all",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    url: Annotated[str | None, typer.Option(help="Address of the desk; its public address, or this machine.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the desk; FIRSTLINE_DATA, or data.")] = None,
) -> None:
    """Time the open requests of a desk at work by the targets of another policy version than the one they came under.

    The hours of the newest version count for all of them by themselves.
    """
    settings = settings_of(data=data)
    desk = address_of(settings, url)
    try:
        headers = {"Authorization": f"Bearer {bearer(settings, 'policy-recompute')}"}
        asyncio.run(_follow(desk, headers, {"policy_version": version, "scope": scope, "dry_run": dry_run}))
    except OSError as error:
        refuse(f"The desk's keys can't be read: {error}. Call it where they are, as a user who may.", error)
    except httpx.HTTPStatusError as error:
        refuse(f"The desk refused: {reason_of(error.response)}", error)
    except httpx.HTTPError as error:
        refuse(f"The desk at {desk} does not answer: {error}. Is it running? Name another address with --url.", error)


async def _follow(desk: str, headers: dict[str, str], wanted: dict[str, Any]) -> None:
    """Ask for it, say how far it is until its end, and then what came of it."""
    clock = SystemClock()
    async with httpx.AsyncClient(base_url=desk, headers=headers, timeout=SECONDS) as http:
        found = _json(await http.post(PATH, json=wanted))
        # Whoever breaks the command off stops looking, not the recompute: that is the desk's.
        while found["state"] == "running":
            await clock.sleep(LOOK_SECONDS)
            found = _json(await http.get(f"{PATH}/{found['id']}"))
            typer.echo(f"\r{found['requests']:,} requests", nl=False, err=True)
        changes = _json(await http.get(f"{PATH}/{found['id']}/changes", params={"limit": SHOWN}))
    typer.echo("", err=True)
    typer.echo("\n".join([_told(found), *map(_line, changes["items"])]))


def _told(done: dict[str, Any]) -> str:
    """Return in words what came of it."""
    by: Literal["would be", "are"] = "would be" if done["dry_run"] else "are"
    what = {"all": "hours and targets", "calendar": "hours", "targets": "targets"}[done["scope"]]
    head = f"{done['requests']:,} open requests {by} timed by the {what} of {done['policy_version']}:"
    lines = [f"  {done[name]:>9,} {words}" for name, words in COUNTS]
    failed = f"\n  {done['failed']:,} requests can't be timed by them and stay as they are." if done["failed"] else ""
    return "\n".join([head, *lines]) + failed


def _line(change: dict[str, Any]) -> str:
    """Return a clock that would change, or why its request can't be done."""
    due = f"{change['due_before'] or 'not due'} -> {change['due_after'] or 'not due'}"
    minutes = " -> ".join(_minutes(change[f"minutes_{when}"], change[f"rule_{when}"]) for when in ("before", "after"))
    return f"  {change['number']}  {change['target']:<15}  {change['problem'] or f'{due}  ({minutes})'}"


def _minutes(target: float | None, rule: str | None) -> str:
    """Return a target's minutes with the rule that gives them."""
    named = f" by {rule}" if rule else ""
    return "not timed" if target is None else f"{target:.10g} min{named}"


def _json(answer: httpx.Response) -> dict[str, Any]:
    """Return what was answered; raise HTTPStatusError for a refusal."""
    answer.raise_for_status()
    document: dict[str, Any] = answer.json()
    return document

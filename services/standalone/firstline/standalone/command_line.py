"""What commands have in common: settings from the environment and the command line, refusals, calls to a desk."""

from datetime import timedelta
from typing import Any, NoReturn

import httpx
import typer
from pydantic import ValidationError

from firstline.common.permissions import Principal, Role
from firstline.common.ports import SystemClock, SystemRandom
from firstline.common.settings import Settings
from firstline.standalone.keys import desk_keys

CALL_TIME = timedelta(hours=1)


def refuse(text: str, error: Exception, code: int = 1) -> NoReturn:
    """End the command with words instead of a traceback."""
    typer.echo(text, err=True)
    raise typer.Exit(code) from error


def settings_of(**given: Any) -> Settings:
    """Return the settings from the environment, with what the command line says."""
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        mistakes = (f"FIRSTLINE_{fault['loc'][0]}".upper() + f": {fault['msg']}." for fault in error.errors())
        refuse("These settings can't be used:\n" + "\n".join(mistakes), error, 2)
    if settings.mode == "production" and settings.clock == "manual":
        typer.echo("FIRSTLINE_CLOCK=manual is for development; unset it or set FIRSTLINE_MODE=development.", err=True)
        raise typer.Exit(2)
    return settings


def address_of(settings: Settings, url: str | None) -> str:
    """Return where the desk answers: as said, its public address, or this machine."""
    return url or settings.public_url or f"http://127.0.0.1:{settings.port}"


def bearer(settings: Settings, name: str) -> str:
    """Return an admin's token by which a command calls the desk, signed with the desk's keys.

    Raises:
        OSError: they can't be read.

    """
    caller = Principal(name, Role.ADMIN, f"{name}@firstline.example")
    return desk_keys(settings.keys_folder, SystemRandom()).signer(SystemClock()).token(caller, CALL_TIME)


def reason_of(answer: httpx.Response) -> str:
    """Return what the desk says of a refusal, each mistake on a line of its own."""
    try:
        problem = answer.json()
    except ValueError:
        return f"The desk answered {answer.status_code}: {answer.text:.300}"
    lines = [str(problem.get("detail") or problem.get("title"))]
    for fault in problem.get("errors", ()):
        path = str(fault["pointer"]).removeprefix("/set/")
        lines.append(f"    {path}: {fault['detail']}")
    return "\n".join(lines)

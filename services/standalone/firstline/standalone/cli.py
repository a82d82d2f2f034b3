"""The command line: `firstline up`, `token`, `demo`."""

import asyncio
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from firstline.common import telemetry
from firstline.common.application import VERSION
from firstline.common.errors import FirstlineError
from firstline.common.permissions import Principal, Role
from firstline.common.ports import SystemClock, SystemRandom
from firstline.common.settings import Settings
from firstline.common.tokens import Signer
from firstline.standalone.demo import play
from firstline.standalone.keys import desk_keys
from firstline.standalone.seed import Seeded, seed
from firstline.standalone.server import PortTaken, Served, served_desk

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Firstline, a technical-support desk.",
)
Data = Annotated[Path | None, typer.Option(help="Folder of the desk; FIRSTLINE_DATA, or data.")]
TOKEN_DAYS = 30


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="HTTP port, 0 for a free one.")] = None,
    smtp_port: Annotated[int | None, typer.Option(help="Port for mail, 0 for a free one.")] = None,
    data: Data = None,
) -> None:
    """Run the whole desk in this process."""
    settings = _settings(port=port, smtp_port=smtp_port, data=data)
    settings.data.mkdir(parents=True, exist_ok=True)
    with (settings.data / "firstline.log").open("a", encoding="utf-8") as log:
        telemetry.configure_logs(log, settings.log_level)
        telemetry.configure_traces("firstline", settings.trace_share, settings.otlp_endpoint or None)
        print("Starting the desk ...", flush=True)
        try:
            _run(_serve(settings))
        except (PortTaken, FirstlineError) as error:
            print(f"The desk can't start. {error}", file=sys.stderr)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            pass
        print("The desk has stopped; everything is kept in", settings.data, flush=True)


async def _serve(settings: Settings) -> None:
    async with served_desk(settings) as served:
        people = await seed(served.desk.services["accounts"].state.accounts) if settings.mode == "development" else []
        _announce(served, settings, people)
        await served.serving


def _announce(served: Served, settings: Settings, people: list[Seeded]) -> None:
    print(f"""
Firstline {VERSION} is running.

  Website   {served.url}/
  API       {served.url}/openapi.json
  Mail in   {settings.mail_from}, by SMTP to {settings.host}:{served.smtp_port}
  Mail out  {settings.mail_smtp or f"kept as files in {settings.data / 'mail'}"}
  Log       {settings.data / "firstline.log"}
""")
    if people:
        print("Sign in (links hold for 12 hours; do not pass them on):\n")
        for person in people:
            print(f"  {person.title:<11} {served.url}/sign-in?code={person.code}")
        print(f"\nA token for the API:  .venv/bin/firstline token --role agent --subject anna --data {settings.data}")
    print("\nCtrl-C stops the desk.", flush=True)


def _run(work: Any) -> None:
    """Run the desk on the fastest event loop that is installed."""
    try:
        import uvloop  # noqa: PLC0415 (not on every system)
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="client, partner, agent, supervisor or admin.")],
    subject: Annotated[str, typer.Option(help="Who it speaks for.")],
    email: Annotated[str | None, typer.Option(help="Default: <subject>@firstline.example.")] = None,
    organization: Annotated[str | None, typer.Option(help="ID of the organisation.")] = None,
    tier: Annotated[str | None, typer.Option(help="helpdesk, technical_support or development.")] = None,
    data: Data = None,
) -> None:
    """Print a bearer token for this desk, and nothing else."""
    settings = _settings(data=data)
    keys = desk_keys(settings.data, SystemRandom())
    principal = Principal(
        id=subject,
        role=role,
        email=(email or f"{subject}@firstline.example").lower(),
        organization_id=organization,
        tier=tier,
        name=subject,
    )
    print(Signer(keys.signing, SystemClock()).token(principal, timedelta(days=TOKEN_DAYS)))


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option(help="Keep the desk in this folder (it must be empty).")] = None,
) -> None:
    """Play a working day of 24 requests on a desk of its own and show what happened."""
    if data is not None and data.exists() and any(data.iterdir()):
        print(f"{data} is not empty. Name another folder for the demo.", file=sys.stderr)
        raise typer.Exit(2)
    with tempfile.TemporaryDirectory(prefix="firstline-demo-") as scratch:
        folder = data or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "firstline.log").open("a", encoding="utf-8") as log:
            telemetry.configure_logs(log)
            _run(play(folder, print))


@app.command()
def version() -> None:
    """Print the version."""
    print(VERSION)


def _settings(**given: Any) -> Settings:
    """Return the settings from the environment, with what the command line says."""
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    if settings.mode == "production" and settings.clock == "manual":
        print("FIRSTLINE_CLOCK=manual is for development; unset it or set FIRSTLINE_MODE=development.", file=sys.stderr)
        raise typer.Exit(2)
    return settings


if __name__ == "__main__":
    app()

"""The commands on policies: `firstline policy check`, `test`, `diff`, `recompute`, `simulate` and `import-holidays`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from firstline.common.calendar import FIRST_YEAR, LAST_YEAR
from firstline.common.policy.difference import policy_difference
from firstline.common.policy.loader import Comparable, PolicyNotValid, load_policy, load_to_compare
from firstline.common.policy.model import Policy
from firstline.intake.examples import Example, differences, load_examples
from firstline.intake.scope import rulebook
from firstline.standalone.holiday_files import HolidaysNotReadable, read_holidays
from firstline.standalone.recomputing import recompute
from firstline.standalone.whatif import simulate

app = typer.Typer(no_args_is_help=True, help="Check, test and compare policy files, and try changes.")
app.command("recompute")(recompute)
app.command("simulate")(simulate)
PolicyFile = Annotated[Path, typer.Argument(help="A policy, such as policies/bitrix24.yaml.")]


@app.command("check")
def check_file(file: PolicyFile) -> None:
    """Explain every mistake in a policy file: where it stands, what is wrong, and what to do."""
    policy = _loaded(file)
    typer.echo(f"{file}: no mistakes. This is {policy.title}, version {policy.version}.")


@app.command("test")
def run_examples(
    file: PolicyFile,
    examples: Annotated[Path | None, typer.Argument(help="Default: beside the policy, <name>.test.yaml.")] = None,
) -> None:
    """Look whether a policy says of each example what the example expects."""
    policy = _loaded(file)
    rules = rulebook(policy)
    source = examples or file.with_suffix(".test.yaml")
    failed = 0
    found = _examples(source)
    # All of them are looked at: whoever changes a policy wants to see every example that turns over, not the first.
    for line, example in found:
        wrong = differences(rules, policy.targets, example)
        failed += bool(wrong)
        if wrong:
            typer.echo(f"\n{source}, line {line}: {example.says} (clause {example.clause or '?'})")
            typer.echo("\n".join(f"    {difference}" for difference in wrong))
    typer.echo(f"\n{len(found)} examples, {failed} failed." if failed else f"{len(found)} examples, none failed.")
    if failed:
        raise typer.Exit(1)


@app.command("diff")
def diff_files(old: PolicyFile, new: PolicyFile) -> None:
    """Say in words what changes from one policy to another."""
    # Each is read with what the other may lend it, so that a key which only a later release asks for is no difference.
    compared = _comparable(old, new), _comparable(new, old)
    for file, one in zip((old, new), compared, strict=True):
        if one.missing:
            typer.echo(f"{file} is of an earlier release: what this one asks for is missing there.")
            typer.echo("\n".join(f"    {mistake}" for mistake in one.missing))
    before, after = (one.policy for one in compared)
    if before.version == after.version:
        typer.echo(f"Nothing changes: both are version {before.version}.")
        return
    typer.echo(f"From {before.version} to {after.version}:")
    typer.echo("\n".join(f"- {line}" for line in policy_difference(before, after)))


@app.command("import-holidays")
def import_holidays(
    file: Annotated[Path, typer.Argument(help="An iCalendar file, such as holidays.ics.")],
    first: Annotated[
        int | None,
        typer.Option("--from", min=FIRST_YEAR, max=LAST_YEAR, help="The first year; default: that of the file."),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option("--until", min=FIRST_YEAR, max=LAST_YEAR, help="The last year; default: ten years in all."),
    ] = None,
) -> None:
    """Print the all-day events of an iCalendar file as holidays, to be pasted into a policy's calendar."""
    try:
        found = read_holidays(file.read_bytes(), first, last)
    except OSError as error:
        _end(f"{file} can't be read: {error.strerror}.", 2)
    except HolidaysNotReadable as error:
        _end(f"{file}: {error}", 1)
    for name, why in found.left_out:
        typer.echo(f"Left out, because it {why}: {name}", err=True)
    typer.echo("  holidays:")
    for day, name in found.dates:
        typer.echo(f"    - {day}{f' # {name}' if name else ''}")


def _loaded(file: Path) -> Policy:
    """Return the policy of a file, or end the command with its mistakes."""
    with _explained(file, 1):
        return load_policy(file)


def _comparable(file: Path, other: Path) -> Comparable:
    """Return the policy of a file that may lack what is new, or end the command with its other mistakes."""
    with _explained(file, 1):
        return load_to_compare(file, other)


def _examples(file: Path) -> tuple[tuple[int, Example], ...]:
    """Return the examples of a file with their lines, or end the command with its mistakes."""
    advice = "\nWrite a list `examples` whose items have `says`, `request`, and `gets` or `refused`."
    with _explained(file, 2, advice):
        return load_examples(file)


@contextmanager
def _explained(file: Path, code: int, advice: str = "") -> Iterator[None]:
    """End the command with a file's mistakes and the exit code, or with 2 where the file can't be read."""
    try:
        yield
    except OSError as error:
        _end(f"{file} can't be read: {error.strerror}.{advice}", 2)
    except PolicyNotValid as error:
        count = len(error.mistakes)
        _end(f"{file} has {count} {'mistake' if count == 1 else 'mistakes'}:\n{error}{advice}", code)


def _end(text: str, code: int) -> NoReturn:
    """End the command with words instead of a traceback."""
    typer.echo(text, err=True)
    raise typer.Exit(code)

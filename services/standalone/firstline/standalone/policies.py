"""The commands on policy files: `firstline policy check`, `test` and `diff`."""

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import yaml

from firstline.common.policy.difference import policy_difference
from firstline.common.policy.loader import PolicyNotValid, load_policy
from firstline.common.policy.model import Policy
from firstline.intake.examples import differences
from firstline.intake.scope import rulebook

app = typer.Typer(no_args_is_help=True, help="Check, test and compare policy files.")
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
    rules = rulebook(_loaded(file))
    source = examples or file.with_suffix(".test.yaml")
    failed = 0
    found = _examples(source)
    for example in found:
        wrong = differences(rules, example)
        failed += bool(wrong)
        if wrong:
            typer.echo(f"\n{example['says']} (clause {example.get('clause', '?')})")
            typer.echo("\n".join(f"    {line}" for line in wrong))
    typer.echo(f"\n{len(found)} examples, {failed} failed." if failed else f"{len(found)} examples, none failed.")
    if failed:
        raise typer.Exit(1)


@app.command("diff")
def diff_files(old: PolicyFile, new: PolicyFile) -> None:
    """Say in words what changes from one policy to another."""
    before, after = _loaded(old), _loaded(new)
    if before.version == after.version:
        typer.echo(f"Nothing changes: both are version {before.version}.")
        return
    typer.echo(f"From {before.version} to {after.version}:")
    typer.echo("\n".join(f"- {line}" for line in policy_difference(before, after)))


def _loaded(file: Path) -> Policy:
    """Return the policy of a file, or end the command with its mistakes."""
    try:
        return load_policy(file)
    except OSError as error:
        _end(f"{file} can't be read: {error.strerror}.", 2)
    except PolicyNotValid as error:
        count = len(error.mistakes)
        _end(f"{file} has {count} {'mistake' if count == 1 else 'mistakes'}:\n{error}", 1)


def _examples(file: Path) -> list[dict[str, Any]]:
    """Return the examples of a file, or end the command where it holds none."""
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
        found = document["examples"]
        for example in found:
            _check_example(example)
    except OSError as error:
        _end(f"{file} can't be read: {error.strerror}. Name the examples as a second argument.", 2)
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        _end(
            f"{file} holds no examples that can be read ({error}). Write a list `examples` whose items have `says`,"
            " `request`, and `gets` or `refused`.",
            2,
        )
    return list(found)


def _check_example(example: dict[str, Any]) -> None:
    """Make sure that an example can be run.

    Raises:
        KeyError: a member is missing.

    """
    known = {*example}
    for member in ("says", "request"):
        if member not in known:
            raise KeyError(member)
    if not known & {"gets", "refused"}:
        raise KeyError("gets")
    if "channel" not in example["request"]:
        raise KeyError("request.channel")


def _end(text: str, code: int) -> NoReturn:
    """End the command with words instead of a traceback."""
    typer.echo(text, err=True)
    raise typer.Exit(code)

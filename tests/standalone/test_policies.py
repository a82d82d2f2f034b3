"""The commands on policy files, as people use them: check, test, diff."""

from pathlib import Path

import pytest
from firstline.standalone.cli import app
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "policies" / "bitrix24.yaml"
INVENTED = ROOT / "tests" / "policy" / "nightwatch.yaml"


def run(*words: str | Path) -> tuple[int, str]:
    """Run `firstline policy` and return its exit code and all that it prints."""
    result = CliRunner().invoke(app, ["policy", *map(str, words)])
    return result.exit_code, result.output


def test_check_finds_nothing_in_a_good_file() -> None:
    """A policy without mistakes is named with its version."""
    code, said = run("check", DEFAULT)
    assert (code, "no mistakes" in said, "version bitrix24-" in said) == (0, True, True)


def test_check_explains_each_mistake(tmp_path: Path) -> None:
    """Each mistake is told with its line, its place, what is wrong and what to do."""
    broken = tmp_path / "broken.yaml"
    text = DEFAULT.read_text("utf-8").replace("max_in_a_row: 0", "max_in_a_rows: 0")
    broken.write_text(text.replace("refer_to: hosting", "refer_to: hostin", 1), "utf-8")
    code, said = run("check", broken)
    line = next(number for number, words in enumerate(text.splitlines(), 1) if "max_in_a_rows" in words)
    assert code == 1
    assert f"line {line}, /out_of_turn/max_in_a_rows: there is no key" in said
    assert "did you mean 'max_in_a_row'?" in said


@pytest.mark.parametrize("command", [("check",), ("test",), ("diff", DEFAULT)])
def test_a_file_that_is_not_there_is_named(command: tuple[str | Path, ...], tmp_path: Path) -> None:
    """What can't be read is said in words, and is another exit code than a mistake."""
    code, said = run(*command, tmp_path / "none.yaml")
    assert (code, "can't be read: No such file" in said) == (2, True)


def test_the_examples_beside_a_policy_hold() -> None:
    """The examples of the default policy are found beside it, and all of them hold."""
    code, said = run("test", DEFAULT)
    assert (code, "none failed" in said) == (0, True)


def test_an_example_that_fails_says_what_it_got(tmp_path: Path) -> None:
    """Of an example that doesn't hold, its words and the difference are told."""
    examples = tmp_path / "own.yaml"
    examples.write_text(
        "examples:\n  - {says: Easy cranes, request: {channel: radio, topic: cranes.stuck}, gets: {urgency: minor}}\n"
        "  - {says: Mail is refused, request: {channel: email}, refused: channel-not-official}\n"
    )
    code, said = run("test", INVENTED, examples)
    assert code == 1
    assert "Easy cranes" in said
    assert "urgency is 'major', and should be 'minor'" in said
    assert "Mail is refused" not in said
    assert "2 examples, 1 failed." in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "examples: 3",
        "examples: [{says: x}]",
        "examples: [{says: x, request: {}, gets: {}}]",
        "examples: [{says: x, request: {channel: api}}]",
        "a: [",
        "[]",
    ],
)
def test_examples_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    """A file that holds no examples is refused with the form that they have."""
    examples = tmp_path / "odd.yaml"
    examples.write_text(text)
    code, said = run("test", DEFAULT, examples)
    assert (code, "Write a list `examples`" in said) == (2, True)
    assert run("test", DEFAULT, tmp_path / "none.yaml")[0] == 2


def test_diff_says_what_changes(tmp_path: Path) -> None:
    """Two versions are compared in words; the same one twice changes nothing, whatever its layout."""
    other = tmp_path / "other.yaml"
    other.write_text(DEFAULT.read_text("utf-8").replace("max_in_a_row: 0", "max_in_a_row: 2"), "utf-8")
    code, said = run("diff", DEFAULT, other)
    assert (code, said.count("\n- ")) == (0, 1)
    assert "Served out of turn: 2 in a row, not any number." in said
    other.write_text(f"# A remark.\n{DEFAULT.read_text('utf-8')}", "utf-8")
    assert "Nothing changes" in run("diff", DEFAULT, other)[1]

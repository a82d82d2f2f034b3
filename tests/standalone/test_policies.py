"""The commands on policy files, as people use them: check, test, diff."""

import re
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
    assert f"{examples}, line 2: Easy cranes (clause ?)" in said
    assert "urgency is 'major', and should be 'minor'" in said
    assert "Mail is refused" not in said
    assert "2 examples, 1 failed." in said


MISTAKES = {
    "": "line 1: nothing stands here; it should be an object",
    "examples: 3": "line 1, /examples: 3 does not fit",
    "a: [": "line 1: this is not plain YAML",
    "[]": "line 1: this does not fit",
    "examples: []": "line 1, /examples: the list is empty, so nothing was tested; write at least one example",
    "examples: [{says: x}]": "line 1, /examples/0/request: 'request' is missing; add it",
    "examples: [{says: x, request: {}, gets: {}}]": "/examples/0/request/channel: 'channel' is missing; add it",
    "examples:\n- {says: x, request: {channel: api}}": "line 2, /examples/0: nothing is expected of the policy",
    "examples:\n- {says: x, request: {channel: api}, gets: {}}": "line 2, /examples/0: nothing is expected",
    "examples:\n- says: x\n  request: {channel: api, fields: [1]}\n  gets: {urgency: normal}": (
        "line 3, /examples/0/request/fields: this does not fit"
    ),
    "examples:\n- {says: x, request: {channel: api}, gets: out}": "line 2, /examples/0/gets: 'out' does not fit",
    "examples:\n- {says: x, request: {channel: api, entitlement: foo}, gets: {urgency: normal}}": (
        "/examples/0/request/entitlement: 'foo' does not fit; it should be 'active', 'expired' or 'unknown'"
    ),
    "examples:\n- {says: x, request: {channel: api}, gets: {urgenci: normal}}": (
        "/examples/0/gets/urgenci: there is no key 'urgenci' here; did you mean 'urgency'?"
    ),
    "examples:\n- {says: x, request: {channel: api, topik: usage}, gets: {urgency: normal}}": "did you mean 'topic'?",
    "examples:\n- {says: x, request: {channel: api}, gets: {urgency: normal}, more: 1}": "there is no key 'more' here",
    "examples:\n- {says: x, clause: 3.1, request: {channel: api}, gets: {urgency: normal}}": (
        "/examples/0/clause: 3.1 is no text; put it in quotes"
    ),
    "examples:\n- {says: x, request: {channel: api}, gets: {urgency: normal}, refused: unknown-topic}": (
        "/examples/0/refused: a refused request gets no verdict; keep one of `gets` and `refused`"
    ),
    "examples:\n- {says: x, request: {channel: api}, refused: foo}": "/examples/0/refused: 'foo' does not fit",
    "example: []": "there is no key 'example' here; did you mean 'examples'?",
}


def test_each_mistake_in_examples_is_explained(tmp_path: Path) -> None:
    """Of each mistake file, line, place, what is wrong and what to do are told; nothing is tested then."""
    examples = tmp_path / "odd.yaml"
    for text, wanted in MISTAKES.items():
        examples.write_text(text)
        code, said = run("test", DEFAULT, examples)
        assert (code, said.startswith(f"{examples} has ")) == (2, True), (text, said)
        assert wanted in said, (text, said)
        assert "Write a list `examples`" in said
    assert run("test", DEFAULT, tmp_path / "none.yaml")[0] == 2


def test_policies_of_an_earlier_release_are_compared(tmp_path: Path) -> None:
    """A file that lacks what came since is compared on either side and told so; mistakes still end it."""
    text = DEFAULT.read_text("utf-8").replace("max_in_a_row: 0", "max_in_a_row: 2")
    text = re.sub(r"      covered:\n(?:        .*\n|\n)+", "", text)
    text = text.replace("{code: out_of_scope, title: Technical support does not cover it, ", "{code: out_of_scope, ")
    earlier = tmp_path / "earlier.yaml"
    earlier.write_text(text, "utf-8")
    for files in ((earlier, DEFAULT), (DEFAULT, earlier)):
        code, said = run("diff", *files)
        assert (code, said.count(f"{earlier} is of an earlier release")) == (0, 1), said
        assert "/closing/reasons/1/title: 'title' is missing; add it" in said
        assert "the text 'covered' is missing; add `covered:` with a subject and a body" in said
        assert "in a row, not" in said
        assert "Closing reasons" not in said
    assert run("check", earlier)[0] == 1
    earlier.write_text(text.replace("max_in_a_row: 2", "max_in_a_row: some"), "utf-8")
    code, said = run("diff", earlier, DEFAULT)
    assert (code, "/out_of_turn/max_in_a_row: 'some' does not fit" in said) == (1, True)


def test_diff_says_what_changes(tmp_path: Path) -> None:
    """Two versions are compared in words; the same one twice changes nothing, whatever its layout."""
    other = tmp_path / "other.yaml"
    other.write_text(DEFAULT.read_text("utf-8").replace("max_in_a_row: 0", "max_in_a_row: 2"), "utf-8")
    code, said = run("diff", DEFAULT, other)
    assert (code, said.count("\n- ")) == (0, 1)
    assert "Served out of turn: 2 in a row, not any number." in said
    other.write_text(f"# A remark.\n{DEFAULT.read_text('utf-8')}", "utf-8")
    assert "Nothing changes" in run("diff", DEFAULT, other)[1]


def test_a_recompute_finds_the_desk_by_its_folder(tmp_path: Path) -> None:
    """The keys are read in the folder that is named, as `simulate` reads them; one that holds none is told."""
    (tmp_path / "data").write_text("a file and no folder")
    done = CliRunner().invoke(app, ["policy", "recompute", "--dry-run", "--data", str(tmp_path / "data")])
    assert (done.exit_code, "keys can't be read" in done.stderr) == (1, True)
    assert str(tmp_path / "data") in done.stderr

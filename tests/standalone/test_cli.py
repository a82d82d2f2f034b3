"""The command line: what it prints, and how it refuses: in words, with the remedy, never with a traceback."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from firstline.common.application import VERSION
from firstline.common.policy.loader import load_policy
from firstline.common.ports import SystemClock, SystemRandom
from firstline.common.tokens import Verifier
from firstline.standalone.cli import app
from firstline.standalone.folder import held_folder
from firstline.standalone.keys import desk_keys
from near_desk import api, near_desk
from typer.testing import CliRunner, Result

POLICY = Path(__file__).parents[2] / "policies" / "bitrix24.yaml"


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo what the command does to the process's log."""
    yield
    structlog.reset_defaults()


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, list(map(str, arguments)))


def refused(code: int, *arguments: object) -> str:
    """Run a command that must end with this code, and return what it said about it."""
    done = run(*arguments)
    assert isinstance(done.exception, SystemExit), done.exception
    assert (done.exit_code, "Traceback" in done.output) == (code, False), done.output
    return done.stderr


async def test_a_token_works_on_its_desk(folder: Path) -> None:
    """The command prints a token and nothing else, and the desk knows its owner by it."""
    organization = "0193f9a0-0000-7000-8000-000000000001"
    plain = run("token", "--role", "agent", "--subject", "Anna", "--data", folder)
    full = run(
        *("token", "--role", "client", "--subject", "clara", "--email", "Clara@Shop.Example"),
        *("--organization", organization, "--data", folder),
    )
    assert (plain.exit_code, plain.stderr, len(plain.stdout.split())) == (0, "", 1)
    async with near_desk(folder) as desk, api(desk) as http:
        anna, clara = [
            (await http.get("/v1/me", headers={"Authorization": f"Bearer {done.stdout.strip()}"})).json()
            for done in (plain, full)
        ]
    assert (anna["id"], anna["role"], anna["email"]) == ("Anna", "agent", "anna@firstline.example")
    assert (clara["email"], clara["organization_id"]) == ("clara@shop.example", organization)


def test_a_token_made_before_the_first_start_works_after_it(tmp_path: Path) -> None:
    """The keys that the command makes are those that the desk will have."""
    token = run("token", "--role", "admin", "--subject", "root", "--data", tmp_path).stdout.strip()
    keys = desk_keys(tmp_path / "keys", SystemRandom()).public
    assert Verifier(keys, SystemClock()).principal(token).id == "root"


def test_a_role_that_there_is_not_is_refused(tmp_path: Path) -> None:
    """A wrong role is a mistake in the command, with the roles named."""
    assert "supervisor" in refused(2, "token", "--role", "king", "--subject", "x", "--data", tmp_path)


def test_the_version_is_printed() -> None:
    """The version is one line."""
    assert run("version").stdout == f"{VERSION}\n"


@pytest.mark.parametrize("command", [("up",), ("token", "--role", "agent", "--subject", "x")])
def test_production_refuses_the_manual_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """In production nobody can move time by hand; the message says which variable to change."""
    monkeypatch.setenv("FIRSTLINE_MODE", "production")
    monkeypatch.setenv("FIRSTLINE_CLOCK", "manual")
    said = refused(2, *command, "--data", tmp_path / "none")
    assert ("FIRSTLINE_CLOCK=manual" in said, "FIRSTLINE_MODE=development" in said) == (True, True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("MAIL_SMTP", "relay.example.com", "write host:port"),
        ("MAIL_SMTP", "relay.example.com:smtp", "write host:port"),
        ("MAIL_SMTP", ":25", "write host:port"),
        ("MAIL_SMTP", "relay.example.com:70000", "write host:port"),
        ("MODE", "prod", "'development' or 'production'"),
        ("PORT", "eighty", "integer"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, advice: str
) -> None:
    """A wrong setting ends the start with its name as it is written in the environment, and what it should be."""
    monkeypatch.setenv(f"FIRSTLINE_{variable}", value)
    said = refused(2, "up", "--data", tmp_path / "none")
    assert (f"FIRSTLINE_{variable}: " in said, advice in said) == (True, True), said
    assert not (tmp_path / "none").exists()


def test_a_network_that_is_none_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network for webhooks that can't be read ends the start with the words that are wrong."""
    monkeypatch.setenv("FIRSTLINE_OUTBOUND_ALLOW", "10.1.0.0/16,10.1.2.3/16")
    assert "10.1.2.3/16" in refused(1, "up", "--port", 0, "--smtp-port", 0, "--data", folder)


def test_a_broken_policy_is_told_by_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start ends with the file's name, the mistake's line and the remedy."""
    text = POLICY.read_text()
    own = tmp_path / "own.yaml"
    own.write_text(text.replace("out_of_turn:\n", "out_off_turn:\n", 1))
    line = text[: text.index("out_of_turn:\n")].count("\n") + 1
    monkeypatch.setenv("FIRSTLINE_POLICY", str(own))
    said = refused(1, "up", "--port", 0, "--smtp-port", 0, "--data", tmp_path / "data")
    assert f"The policy file {own} has mistakes:" in said
    assert (f"line {line}, /out_off_turn:" in said, "did you mean 'out_of_turn'?" in said) == (True, True)
    own.write_text(text)
    assert load_policy(own).name == "bitrix24"


def test_a_policy_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy file that can't be read ends the start with its name and the variable."""
    monkeypatch.setenv("FIRSTLINE_POLICY", str(tmp_path / "none.yaml"))
    said = refused(1, "up", "--port", 0, "--smtp-port", 0, "--data", tmp_path / "data")
    assert ("none.yaml" in said, "FIRSTLINE_POLICY" in said) == (True, True)


@pytest.mark.parametrize(("option", "variable"), [("--port", "PORT"), ("--smtp-port", "SMTP_PORT")])
def test_a_port_that_is_taken_ends_the_start(folder: Path, option: str, variable: str) -> None:
    """The start ends with the port and the words to type instead; the folder is free again."""
    ports = {"--port": 0, "--smtp-port": 0}
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports[option] = other.getsockname()[1]
        said = refused(1, "up", *(part for pair in ports.items() for part in pair), "--data", folder)
    assert f"Port {ports[option]} is in use by another program" in said
    assert f"make up {variable}=" in said
    with held_folder(folder):
        pass


def test_a_folder_that_another_desk_has_is_refused_first(folder: Path) -> None:
    """Of two desks with the same folder and ports the second is told about the folder, and touches nothing in it."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with held_folder(folder), socket.create_server(("127.0.0.1", 0)) as other:
        held = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        said = refused(1, "up", "--port", other.getsockname()[1], "--smtp-port", 0, "--data", folder)
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == held
    assert f"Another desk runs on the folder {folder}." in said
    assert set(held) - set(before) == {folder / "lock"}


@pytest.mark.parametrize("command", [("up",), ("token", "--role", "agent", "--subject", "x")])
def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Where no folder can be made, the message names it and what to do."""
    (tmp_path / "file").touch()
    said = refused(1, *command, "--data", tmp_path / "file" / "data")
    assert f"The data folder {tmp_path / 'file' / 'data'} can't be used:" in said
    assert "make up DATA=" in said


def test_the_demo_wants_a_folder_of_its_own(folder: Path, tmp_path: Path) -> None:
    """The demo doesn't play on a desk that is there already, nor where no folder can be made."""
    before = sorted(folder.rglob("*"))
    assert "is not empty" in refused(2, "demo", "--data", folder)
    assert sorted(folder.rglob("*")) == before
    shutil.copy(POLICY, tmp_path / "file")
    assert "can't be used" in refused(1, "demo", "--data", tmp_path / "file" / "below")

"""Settings come from the environment, and the example file names and explains each one with its default."""

import re
from pathlib import Path
from typing import Any

import pytest
from firstline.common.settings import Settings
from pydantic import ValidationError

LINE = re.compile(r"FIRSTLINE_([A-Z_]+)=(.*)")
BLOCK = re.compile(r"((?:^#.*\n)+)FIRSTLINE_([A-Z_]+)=", re.MULTILINE)


@pytest.fixture
def example() -> str:
    """Return the example file."""
    return (Path(__file__).parents[2] / "firstline.example.env").read_text()


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FIRSTLINE_{name.upper()}", raising=False)


def test_the_example_names_every_setting(example: str) -> None:
    """The example file has each setting once, and none that there isn't."""
    named = [match[1].lower() for line in example.splitlines() if (match := LINE.fullmatch(line))]
    assert sorted(named) == sorted(Settings.model_fields)


def test_the_example_holds_the_defaults(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with exactly the lines of the example runs as one without any."""
    for line in example.splitlines():
        if match := LINE.fullmatch(line):
            monkeypatch.setenv(f"FIRSTLINE_{match[1]}", match[2])
    assert Settings() == Settings.model_construct()


def test_the_example_explains_every_setting(example: str) -> None:
    """Above each setting of the example there are one or more lines of text about it."""
    explained = {name.lower(): text for text, name in BLOCK.findall(example)}
    assert set(explained) == set(Settings.model_fields)
    assert {name for name, text in explained.items() if len(text.split()) < 8} == set()
    assert all(field.description for field in Settings.model_fields.values())


def test_the_example_is_read_by_a_shell(example: str) -> None:
    """Every line is empty, a comment or a setting without anything that a shell would expand."""
    lines = [line for line in example.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"FIRSTLINE_[A-Z_]+=[\w.@/:-]*", line)] == []


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable changes its setting, an empty one leaves the default, and others are left alone."""
    for name, value in {"PORT": "9000", "POLICY": "", "PULL_SECONDS": "", "DATA": "/tmp/x", "UNKNOWN": "1"}.items():
        monkeypatch.setenv(f"FIRSTLINE_{name}", value)
    settings = Settings()
    assert (settings.port, settings.policy, settings.pull_seconds, settings.data) == (9000, None, 30.0, Path("/tmp/x"))
    assert Settings(port=1).port == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 70000),
        ("smtp_port", -1),
        ("mode", "staging"),
        ("clock", "sundial"),
        ("trace_share", 1.1),
        ("pull_seconds", 0),
        ("lease_minutes", -1),
        ("log_level", "LOUD"),
        ("failpoint", "somewhere"),
        ("failpoint", "committed:0"),
    ],
)
def test_impossible_values_are_refused(name: str, value: Any) -> None:
    """A value that makes no sense stops the start, with the setting's name."""
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})


def test_production_has_no_failpoints() -> None:
    """A process that would end itself does not start in production."""
    assert Settings(failpoint="mail-sent:3").failpoint == "mail-sent:3"
    with pytest.raises(ValidationError, match="failpoint"):
        Settings(failpoint="mail-sent", mode="production")


def test_settings_stay_as_they_were_read() -> None:
    """Nobody changes a setting while the desk runs."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings(), "port", 1)  # noqa: B010 (the type checker refuses the plain form)

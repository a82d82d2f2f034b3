"""The compose file: valid, complete, closed by default, and without a secret that can't be changed."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from firstline.common.settings import Settings
from firstline.standalone.role import ROLES

ONE_SHOTS = {"keys", "migrate"}
NOT_FOR_COMPOSE = {
    "data": "the image says it",
    "host": "the image says it; in the compose file it is where ports are published",
    "port": "inside the containers the default; outside what is published",
    "smtp_port": "the same",
    "clock": "separate services know the machine's time only",
    "failpoint": "for tests only",
    "heads": "one process keeps them by itself; of separate services `firstline heads` prints them",
    "heads_seconds": "the same",
    "database_pooler": "there is none in the compose file",
    "database_listen_url": "the same",
    **{f"{role}_url": "the default is the name of its container" for role in ROLES if role != "web"},
}
FROM_THE_ENVIRONMENT = re.compile(r"\$\{[A-Z_]+:-")


def _environment(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def _ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the services that run our own image."""
    return {name: each for name, each in compose["services"].items() if each["image"].startswith("firstline:")}


def _volumes(service: dict[str, Any]) -> set[str]:
    return {volume.partition(":")[0] for volume in service.get("volumes", [])}


def test_compose_file_follows_the_specification(root: Path) -> None:
    """The file satisfies the schema of the Compose specification."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(check, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_role_runs(compose: dict[str, Any]) -> None:
    """Each role of `firstline serve` is a service of that name, and nothing else runs our image but the one-shots."""
    ours = _ours(compose)
    assert set(ours) == {*ROLES, *ONE_SHOTS}
    assert {name: each["command"] for name, each in ours.items() if name in ROLES} == {
        role: ["serve", role] for role in ROLES
    }


def test_every_setting_is_passed_on(compose: dict[str, Any]) -> None:
    """Each setting of the desk reaches some service, or stands in the list above with its reason; none is misspelt."""
    passed = {name for each in _ours(compose).values() for name in _environment(each)}
    known = {f"FIRSTLINE_{name.upper()}" for name in Settings.model_fields}
    assert passed <= known
    assert known - passed == {f"FIRSTLINE_{name.upper()}" for name in NOT_FOR_COMPOSE}


def test_every_password_can_be_changed(compose: dict[str, Any]) -> None:
    """Whatever is or holds a password comes from the environment."""
    secret = re.compile(r"PASS(WORD)?$")
    address = re.compile(r"://[^/@]+?:(?P<password>.+?)@")
    for service in compose["services"].values():
        for name, value in _environment(service).items():
            found = address.search(value)
            password = found["password"] if found else value if secret.search(name) else None
            assert password is None or FROM_THE_ENVIRONMENT.match(password), f"{name}={value}"


def test_only_accounts_can_sign(compose: dict[str, Any]) -> None:
    """The key that signs tokens is mounted where it is made and in accounts alone; the vault's in intake alone."""
    holders = {name for name, each in compose["services"].items() if "signing-keys" in _volumes(each)}
    assert holders == {"keys", "accounts"}
    assert {name for name, each in compose["services"].items() if "vault-keys" in _volumes(each)} == {"keys", "intake"}


def test_nothing_is_open_to_other_machines_by_default(compose: dict[str, Any]) -> None:
    """Every published port listens on this machine only, unless FIRSTLINE_HOST says otherwise."""
    ports = {name: each["ports"] for name, each in compose["services"].items() if "ports" in each}
    assert set(ports) == {"proxy", "intake"}
    assert all(port.startswith("${FIRSTLINE_HOST:-127.0.0.1}:") for each in ports.values() for port in each)


@pytest.mark.parametrize("name", [*ROLES, *sorted(ONE_SHOTS), "proxy"])
def test_containers_have_no_more_rights_than_they_need(compose: dict[str, Any], name: str) -> None:
    """Our containers and the proxy write no file of their image, hold no capability and can't gain any."""
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("role", ROLES)
def test_services_come_back(compose: dict[str, Any], role: str) -> None:
    """A service that ends is started again, and has at least 30 seconds to end well."""
    service = compose["services"][role]
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].removesuffix("s")) >= 30

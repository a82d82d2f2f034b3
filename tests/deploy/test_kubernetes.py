"""The Kubernetes manifests: valid, routed like the gateway, closed, and each process with what it needs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from firstline.common.bus import SOURCES
from firstline.common.settings import Settings
from firstline.standalone.role import ROLES, WEB
from gateway_routes import SAMPLES, by_gateway

KUBERNETES = "1.37"
EXAMPLE = "overlays/example"
STORES = [role for role in ROLES if role != WEB]
LEAST_SECONDS_TO_END = 30

Rendered = Callable[[str], list[dict[str, Any]]]


def _of(documents: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the documents of one kind by name."""
    return {each["metadata"]["name"]: each for each in documents if each["kind"] == kind}


def _pod(rendered: Rendered, role: str) -> dict[str, Any]:
    pod: dict[str, Any] = _of(rendered("base"), "Deployment")[role]["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("folder", ["base", EXAMPLE])
def test_manifests_are_valid(rendered_text: Callable[[str], str], folder: str, tmp_path: Path) -> None:
    """Everything that a folder renders to satisfies Kubernetes' own schemas, with no unknown field."""
    file = tmp_path / "rendered.yaml"
    file.write_text(rendered_text(folder))
    check = [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", KUBERNETES, str(file)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_a_service_can_be_rendered_alone(rendered: Rendered, role: str) -> None:
    """The folder of a service holds all of it, and nothing of another one."""
    assert set(_of(rendered(f"base/{role}"), "Deployment")) == {role}


def test_every_role_is_deployed(rendered: Rendered) -> None:
    """Each role has a Deployment, a Service, a budget for disruptions and a network policy, all by its name."""
    documents = rendered("base")
    for kind in ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"):
        assert set(_of(documents, kind)) == set(ROLES), kind


@pytest.mark.parametrize("role", ROLES)
def test_selectors_find_their_own_pods(rendered: Rendered, role: str) -> None:
    """Service, budget and policy of a role select exactly the labels that its pods have."""
    documents = rendered("base")
    labels = _of(documents, "Deployment")[role]["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == role
    assert _of(documents, "Service")[role]["spec"]["selector"] == labels
    assert _of(documents, "PodDisruptionBudget")[role]["spec"]["selector"]["matchLabels"] == labels
    assert _of(documents, "NetworkPolicy")[role]["spec"]["podSelector"]["matchLabels"] == labels


@pytest.mark.parametrize("role", ROLES)
def test_processes_have_no_more_rights_than_they_need(rendered: Rendered, role: str) -> None:
    """No container is root, writes its image or has a capability, and no pod holds a key to the cluster."""
    pod = _pod(rendered, role)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("role", ROLES)
def test_processes_start_serve_and_end_well(rendered: Rendered, role: str) -> None:
    """A process gets requests only while it is ready, is ended only when it doesn't answer, and has time to finish."""
    pod = _pod(rendered, role)
    (container,) = pod["containers"]
    ready = "/healthz" if role == WEB else "/readyz"
    assert container["args"] == ["serve", role]
    assert container["startupProbe"]["httpGet"]["path"] == ready
    assert container["readinessProbe"]["httpGet"]["path"] == ready
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert pod["terminationGracePeriodSeconds"] >= LEAST_SECONDS_TO_END


@pytest.mark.parametrize("role", STORES)
def test_stores_are_migrated_before_their_process_starts(rendered: Rendered, role: str) -> None:
    """A role with a store brings its own database to the newest schema first, by the settings that it serves with."""
    pod = _pod(rendered, role)
    (migrate,) = pod["initContainers"]
    assert migrate["args"] == ["migrate", role]
    assert migrate["envFrom"] == pod["containers"][0]["envFrom"]
    assert {"secretRef": {"name": f"firstline-{role}"}} in migrate["envFrom"]


def test_the_website_has_no_store(rendered: Rendered) -> None:
    """Web migrates nothing and knows no database."""
    pod = _pod(rendered, WEB)
    assert "initContainers" not in pod
    assert pod["containers"][0]["envFrom"] == [{"configMapRef": {"name": _settings_name(rendered)}}]


def _settings_name(rendered: Rendered) -> str:
    (name,) = _of(rendered("base"), "ConfigMap")
    return name


def test_no_secret_is_contained(rendered: Rendered) -> None:
    """Secrets are named, never brought along."""
    assert _of(rendered(EXAMPLE), "Secret") == {}


def test_only_accounts_can_sign(rendered: Rendered) -> None:
    """Every process gets the keys that check tokens; only accounts the one that signs, and only intake the vault's."""
    keys = {}
    for role in ROLES:
        volumes = {volume["name"]: volume for volume in _pod(rendered, role)["volumes"]}
        keys[role] = [source["secret"]["name"] for source in volumes["keys"]["projected"]["sources"]]
    assert keys.pop("accounts") == ["firstline-keys", "firstline-signing"]
    assert keys.pop("intake") == ["firstline-keys", "firstline-vault"]
    assert set(map(tuple, keys.values())) == {("firstline-keys",)}


def test_replicas_of_intake_share_their_files(rendered: Rendered) -> None:
    """The files of intake lie on one volume that many machines can write."""
    claim = _of(rendered("base"), "PersistentVolumeClaim")["intake-files"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    volumes = {volume["name"]: volume for volume in _pod(rendered, "intake")["volumes"]}
    assert volumes["data"] == {"name": "data", "persistentVolumeClaim": {"claimName": "intake-files"}}


def _by_ingress(paths: dict[str, str], path: str) -> str:
    """Return the service of the longest path that is a prefix by whole segments, as an Ingress chooses."""
    parts = [part for part in path.split("/") if part]
    for count in range(len(parts), -1, -1):
        found = paths.get("/" + "/".join(parts[:count]))
        if found:
            return found
    raise AssertionError(f"nobody serves {path}")


def test_ingress_routes_like_the_gateway(rendered: Rendered) -> None:
    """Every path goes to the service that serves it in the desk in one process; none leads to /internal."""
    (rule,) = _of(rendered("base"), "Ingress")["firstline"]["spec"]["rules"]
    assert {entry["pathType"] for entry in rule["http"]["paths"]} == {"Prefix"}
    paths = {entry["path"]: entry["backend"]["service"]["name"] for entry in rule["http"]["paths"]}
    assert len(paths) == len(rule["http"]["paths"])
    assert {path: _by_ingress(paths, path) for path in SAMPLES} == {path: by_gateway(path) for path in SAMPLES}
    assert _by_ingress(paths, "/internal/log") == WEB


@pytest.mark.parametrize("role", STORES)
def test_logs_are_open_to_their_readers_only(rendered: Rendered, role: str) -> None:
    """Inside the desk a service is reached by those that read its log, and by web, which asks whether it is ready."""
    policy = _of(rendered("base"), "NetworkPolicy")[role]
    (inside,) = [
        source for rule in policy["spec"]["ingress"] for source in rule.get("from", []) if "podSelector" in source
    ]
    (names,) = inside["podSelector"]["matchExpressions"]
    assert set(names["values"]) == {WEB, *(reader for reader, sources in SOURCES.items() if role in sources)}


def test_nobody_is_let_in_from_anywhere(rendered: Rendered) -> None:
    """Each way in names where it comes from and to which port it leads."""
    for policy in _of(rendered("base"), "NetworkPolicy").values():
        assert policy["spec"]["policyTypes"] == ["Ingress"]
        assert all(rule["from"] and rule["ports"] for rule in policy["spec"]["ingress"])


def test_settings_exist(rendered: Rendered) -> None:
    """Base and example set nothing that the desk doesn't know."""
    (settings,) = _of(rendered(EXAMPLE), "ConfigMap").values()
    known = {f"FIRSTLINE_{name.upper()}" for name in Settings.model_fields}
    assert settings["data"]
    assert set(settings["data"]) <= known


def test_example_runs_everything_twice(rendered: Rendered) -> None:
    """In the example each process has at least two replicas, a tagged image, and the Ingress a host with TLS."""
    documents = rendered(EXAMPLE)
    scaled = _of(documents, "HorizontalPodAutoscaler")
    for name, deployment in _of(documents, "Deployment").items():
        scaler = scaled.get(name)
        least = scaler["spec"]["minReplicas"] if scaler else deployment["spec"]["replicas"]
        assert least >= 2, name
        assert ":" in deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    spec = _of(documents, "Ingress")["firstline"]["spec"]
    assert spec["tls"][0]["hosts"] == [spec["rules"][0]["host"]]

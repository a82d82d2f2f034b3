"""What the deployment tests look at: the compose file, the rendered Kubernetes manifests, and a real proxy."""

import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from proxy_world import Proxy, running_proxy, why_no_nginx
from server_fixtures import need

ROOT = Path(__file__).parents[2]
Document = dict[str, Any]
Rendered = Callable[[str], list[Document]]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def compose() -> Document:
    """Return the compose file as it stands, its variables not filled in."""
    document: Document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


@pytest.fixture(scope="session")
def kubectl() -> str:
    """Return the kubectl that renders the manifests."""
    found = subprocess.run([ROOT / "tools/kubectl", "--find"], capture_output=True, text=True, check=False)
    need(found.stderr.strip() if found.returncode else None)
    return found.stdout.strip()


@pytest.fixture(scope="session")
def rendered_text(kubectl: str) -> Callable[[str], str]:
    """Return what renders a folder of deploy/k8s as Kubernetes would be given it, each folder once."""

    @cache
    def render(folder: str) -> str:
        command = [kubectl, "kustomize", f"deploy/k8s/{folder}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return render


@pytest.fixture(scope="session")
def rendered(rendered_text: Callable[[str], str]) -> Rendered:
    """Return what renders a folder of deploy/k8s into its documents."""
    return cache(lambda folder: list(yaml.safe_load_all(rendered_text(folder))))


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Run the proxy of the compose file in front of stand-ins for the services."""
    need(why_no_nginx())
    with running_proxy(ROOT / "deploy/compose/proxy/nginx.conf", tmp_path_factory.mktemp("proxy")) as running:
        yield running

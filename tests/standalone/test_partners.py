"""The file of partners' systems: read with the secrets beside it, refused as a whole where it has a mistake."""

import base64
from pathlib import Path

import pytest
from firstline.common.errors import NotFound
from firstline.common.ports import SystemClock
from firstline.standalone.partners import SourcesNotValid, load_partners

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
GOOD = """
sources:
  - code: acme-crm
    title: Acme CRM
    organization_id: acme
    secret_file: acme.secret
    members: {subject: case.title, body: case.text, requester_email: case.email, fields: {version: case.version}}
"""


def write(folder: Path, text: str, secret: str = SECRET) -> Path:
    """Write the file and its secret; return the file."""
    (folder / "acme.secret").write_text(f"{secret}\n")
    file = folder / "partners.yaml"
    file.write_text(text)
    return file


def test_sources_are_read_with_their_secrets(tmp_path: Path) -> None:
    """Each system is known by its code, with every secret in its file; without a file none is known."""
    partners = load_partners(write(tmp_path, GOOD, f"{SECRET}\n\n{SECRET}"), SystemClock())
    assert partners.source("acme-crm").keys == (b"k" * 32,) * 2
    with pytest.raises(NotFound):
        load_partners(None, SystemClock()).source("acme-crm")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("", SECRET),
        ("sources: [", SECRET),
        (GOOD, ""),
        (GOOD, "hunter2"),
        (GOOD.replace("acme.secret", "none.secret"), SECRET),
        (GOOD.replace("subject:", "sujet:"), SECRET),
        (GOOD + GOOD.partition("sources:\n")[2], SECRET),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, secret: str) -> None:
    """A file that lacks something or says too much lets nobody in."""
    with pytest.raises(SourcesNotValid, match=r"partners\.yaml"):
        load_partners(write(tmp_path, text, secret), SystemClock())

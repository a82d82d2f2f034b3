"""Documents stay short, point at things that exist, and name no machine and no package index."""

import re
from pathlib import Path

import pytest

LONGEST_README = 120
LONGEST_RECORD = 60
RECORD_PARTS = ["## Context", "## Options", "## Decision", "## Consequences"]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
HOST = re.compile(r"https?://(?:[^\s/@\"']*@)?(\[[^\]]*\]|\w[\w.-]*)")
RESERVED = re.compile(r"(^|\.)(example|test|invalid|localhost|internal|example\.(com|org|net))$")
KNOWN_HOSTS = {
    "www.apache.org",
    "www.w3.org",
    "json-schema.org",
    "www.rfc-editor.org",
    "keepachangelog.com",
    "semver.org",
}


def _texts(root: Path, files: list[str]) -> dict[str, str]:
    """Return every file under version control that is text."""
    texts = {}
    for path in files:
        try:
            texts[path] = (root / path).read_text()
        except UnicodeDecodeError:
            continue
    return texts


def test_readme_is_short(root: Path) -> None:
    """The README has at most 120 lines."""
    assert (root / "README.md").read_text().count("\n") <= LONGEST_README


def test_decision_records_are_short_and_complete(root: Path) -> None:
    """A decision record has at most 60 lines and says context, options, decision and consequences in that order."""
    records = sorted((root / "docs/adr").glob("*.md"))
    assert records != []
    for record in records:
        lines = record.read_text().splitlines()
        assert len(lines) <= LONGEST_RECORD, record.name
        assert [line for line in lines if line.startswith("## ")] == RECORD_PARTS, record.name


def test_links_between_documents_lead_somewhere(root: Path, files: list[str]) -> None:
    """Every relative link in a document names a file or folder that exists."""
    broken = [
        f"{path} -> {target}"
        for path in files
        if path.endswith(".md")
        for target in LINK.findall((root / path).read_text())
        if "://" not in target and not target.startswith("mailto:")
        if not (root / path).parent.joinpath(target).exists()
    ]
    assert broken == []


def test_no_file_names_this_machine(root: Path, files: list[str]) -> None:
    """Neither the folder of the checkout nor anybody's home folder appears in a file."""
    folders = [re.escape(str(folder)) for folder in (root, Path.home()) if folder != Path(folder.anchor)]
    places = re.compile(rf"(?<!\w)(?:{'|'.join([*folders, '/home/[a-z]+', '/Users/[a-z]+'])})/")
    assert [f"{path}: {found[0]}" for path, text in _texts(root, files).items() if (found := places.search(text))] == []


def test_web_addresses_lead_to_known_hosts(root: Path, files: list[str]) -> None:
    """Any web address is reserved for examples, on this machine, or one of a short list: never a package index."""
    strange = {
        f"{path}: {host}"
        for path, text in _texts(root, files).items()
        for host in HOST.findall(text)
        if not _is_known(host.rstrip(".").lower())
    }
    assert sorted(strange) == []


def _is_known(host: str) -> bool:
    """Say whether a host may appear: listed, reserved, one bare word, or a number (no public name ends in one)."""
    _, dot, last = host.rpartition(".")
    return bool(host in KNOWN_HOSTS or RESERVED.search(host) or not dot or not last.isalpha())


@pytest.mark.parametrize(
    "host", ["shop.example", "api.example.com", "localhost", "127.0.0.1", "www.w3.org", "[::1]", "intake"]
)
def test_example_and_local_hosts_are_known(host: str) -> None:
    """Hosts that nobody owns, and hosts of one's own network, pass."""
    assert _is_known(host)


@pytest.mark.parametrize("host", ["packages.somewhere.org", "example.com.somewhere.org", "notexample.com"])
def test_other_hosts_are_strange(host: str) -> None:
    """A host that somebody owns is refused unless it is listed."""
    assert not _is_known(host)

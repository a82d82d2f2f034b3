"""Importing documentation: every form is read alike, and importing twice changes nothing."""

from pathlib import Path
from typing import Any

import pytest
from firstline.standalone.cli import app
from firstline.standalone.documentation import NotReadable, read_pages
from typer.testing import CliRunner

RESTORE = {"title": "Restore", "text": "How."}
URL = "https://docs.example/restore-after_update.html"


@pytest.mark.parametrize(
    ("name", "content", "page"),
    [
        ("a.json", f'[{{"url": "{URL}", "title": "Restore", "text": "How.", "other": 1}}]', RESTORE),
        ("a.csv", f"url,title,text,topic\n{URL},Restore,How.,\n", RESTORE),
        ("a.xml", f"<urlset xmlns='https://docs.example/sitemap'><url>\n<loc> {URL}\n</loc></url></urlset>", {}),
        ("a.txt", f"\n{URL} Restore\n", {"title": "Restore"}),
        ("a.txt", f"{URL}\n", {}),
        ("a.md", f"---\nurl: {URL}\ntitle: 'Restore'\n---\nHow.\n", RESTORE),
        ("a.md", f"---\nurl: {URL}\n---\n# Restore\n", {"title": "Restore", "text": "# Restore"}),
    ],
)
def test_forms(tmp_path: Path, name: str, content: str, page: dict[str, Any]) -> None:
    """Each form gives the page with what it says, and a title made of the address where it says none."""
    (tmp_path / name).write_text(content)
    source = tmp_path if name.endswith(".md") else tmp_path / name
    assert read_pages(source) == [{"title": "Restore after update", "url": URL, **page}]


@pytest.mark.parametrize(
    ("name", "content"), [("a.json", "{}"), ("a.json", "["), ("a.csv", "title\nx\n"), ("a.xml", "<a"), ("a.pdf", "")]
)
def test_what_can_not_be_read_is_told(tmp_path: Path, name: str, content: str) -> None:
    """Another form, a broken file or a page without an address is refused before anything is sent."""
    (tmp_path / name).write_text(content)
    with pytest.raises(NotReadable):
        read_pages(tmp_path / name)


def test_a_desk_that_is_away_is_told(tmp_path: Path) -> None:
    """The command says what is wrong in a sentence, not in a traceback."""
    (tmp_path / "a.txt").write_text(URL)
    given = [
        "articles",
        "import",
        str(tmp_path / "a.txt"),
        "--url",
        "http://127.0.0.1:9",
        "--data",
        str(tmp_path / "data"),
    ]
    done = CliRunner().invoke(app, given)
    assert (done.exit_code, "does not answer" in done.output) == (1, True)
    done = CliRunner().invoke(app, ["articles", "import", str(tmp_path / "none.txt"), "--data", str(tmp_path / "data")])
    assert done.exit_code == 1

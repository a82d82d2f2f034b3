"""One desk at a time has a data folder."""

from pathlib import Path

import pytest
from firstline.standalone.folder import FolderInUse, FolderUnusable, held_folder


def test_a_second_desk_is_refused(tmp_path: Path) -> None:
    """While a desk holds the folder another is told so; afterwards it may have it."""
    with held_folder(tmp_path), pytest.raises(FolderInUse, match=f"Another desk runs on the folder {tmp_path}"):
        held_folder(tmp_path).__enter__()
    with held_folder(tmp_path):
        pass


def test_another_folder_is_free(tmp_path: Path) -> None:
    """Two desks on two folders don't disturb each other, and the folders are made with all above them."""
    with held_folder(tmp_path / "a" / "b"), held_folder(tmp_path / "a" / "c"):
        assert (tmp_path / "a" / "b").is_dir()


def test_an_error_lets_go(tmp_path: Path) -> None:
    """A desk that fails lets go of its folder."""

    def fail() -> None:
        with held_folder(tmp_path):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with held_folder(tmp_path):
        pass


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """Where a file stands, or below one, no folder can be made; the message names it and says what to do."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FolderUnusable, match=f"{path} can't be used: .* make up DATA="):
            held_folder(path).__enter__()

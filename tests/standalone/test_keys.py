"""The desk's keys are made once and are the desk's alone."""

from pathlib import Path

import pytest
from firstline.common.ports import SystemRandom
from firstline.common.settings import Settings
from firstline.common.vault import Vault, VaultLocked, read_keys
from firstline.standalone.keys import (
    SECRET_BYTES,
    Keys,
    KeysMissing,
    add_vault_key,
    desk_keys,
    make_vault_key,
    service_keys,
    vault_of,
)


def same(one: Keys, other: Keys) -> bool:
    """Say whether two sets of keys are the same."""
    assert one.signing is not None
    assert other.signing is not None
    private = one.signing.as_dict(private=True) == other.signing.as_dict(private=True)
    return private and (one.secret, one.public) == (other.secret, other.public)


def test_a_service_reads_what_it_needs(tmp_path: Path) -> None:
    """A service other than accounts does without the signing key, and is told which file is missing, by its name."""
    whole = desk_keys(tmp_path, SystemRandom())
    (tmp_path / "signing.json").unlink()
    keys = service_keys(tmp_path, signing=False)
    assert (keys.secret, keys.public, keys.signing) == (whole.secret, whole.public, None)
    for missing, signing in (("signing.json", True), ("secret", False)):
        (tmp_path / missing).unlink(missing_ok=True)
        with pytest.raises(KeysMissing, match=missing):
            service_keys(tmp_path, signing=signing)


class Interrupted(SystemRandom):
    """Randomness that ends a start after some questions."""

    def __init__(self, questions: int) -> None:
        self._left = questions

    def bytes(self, count: int) -> bytes:
        """Return random bytes as long as questions are left."""
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return super().bytes(count)


class Overtaken(SystemRandom):
    """Randomness during whose first answer another process makes its keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.others: Keys | None = None

    def bytes(self, count: int) -> bytes:
        """Return random bytes, after the other process has been quicker."""
        if self.others is None:
            self.others = desk_keys(self._folder, SystemRandom())
        return super().bytes(count)


def test_keys_are_made_once(tmp_path: Path) -> None:
    """The second start finds the keys of the first; another desk has its own."""
    first = desk_keys(tmp_path / "a", SystemRandom())
    assert same(first, desk_keys(tmp_path / "a", SystemRandom()))
    assert len(first.secret) == SECRET_BYTES
    other = desk_keys(tmp_path / "b", SystemRandom())
    assert (other.secret != first.secret, other.public != first.public) == (True, True)


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    """No file of the folder is readable for anybody but the desk, and nothing but the keys is left in it."""
    desk_keys(tmp_path / "keys", SystemRandom())
    make_vault_key(Settings(data=tmp_path), SystemRandom())
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()}
    assert modes == {"signing.json": 0o600, "secret": 0o600, "verify.json": 0o600, "vault": 0o600}


@pytest.mark.parametrize("questions", range(5))
def test_an_interrupted_start_leaves_whole_files_only(tmp_path: Path, questions: int) -> None:
    """A start that ends anywhere leaves whole keys or none, and the next start keeps those that are there."""
    with pytest.raises(KeyboardInterrupt):
        desk_keys(tmp_path / "keys", Interrupted(questions))
    kept = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    whole = desk_keys(tmp_path / "keys", SystemRandom())
    assert {name: (tmp_path / "keys" / name).read_bytes() for name in kept} == kept
    assert same(whole, desk_keys(tmp_path / "keys", SystemRandom()))


def test_what_a_crash_left_half_written_is_not_taken(tmp_path: Path) -> None:
    """A draft that a crash left behind is no key, whatever it holds."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "0123456789abcdef.draft").write_bytes(b'{"kty"')
    keys = desk_keys(tmp_path / "keys", SystemRandom())
    assert same(keys, desk_keys(tmp_path / "keys", SystemRandom()))


def test_who_comes_second_takes_the_keys_of_the_first(tmp_path: Path) -> None:
    """Two commands that make keys at the same time end up with the same ones."""
    overtaken = Overtaken(tmp_path / "keys")
    mine = desk_keys(tmp_path / "keys", overtaken)
    assert overtaken.others is not None
    assert same(mine, overtaken.others)


def vault(folder: Path, **more: object) -> Vault:
    """Return the vault that the settings of a data folder name."""
    return vault_of(Settings(data=folder, **more), SystemRandom())  # type: ignore[arg-type]


def test_the_vault_has_a_key_file_of_its_own(tmp_path: Path) -> None:
    """The first start makes one key, which later starts keep, and what it sealed opens after them."""
    make_vault_key(Settings(data=tmp_path), SystemRandom())
    sealed = vault(tmp_path).seal(b"value", ["place"])
    make_vault_key(Settings(data=tmp_path), SystemRandom())
    assert vault(tmp_path).open(sealed, ["place"]).get_secret_value() == b"value"
    assert len(read_keys((tmp_path / "keys" / "vault").read_text())) == 1


def test_a_new_vault_key_comes_first_and_the_old_one_stays(tmp_path: Path) -> None:
    """After rotation new values take the new key, the old ones open, and the file is still the desk's alone."""
    make_vault_key(Settings(data=tmp_path), SystemRandom())
    file = tmp_path / "keys" / "vault"
    sealed = vault(tmp_path).seal(b"value", ["place"])
    add_vault_key(file, SystemRandom())
    turned = vault(tmp_path)
    assert turned.newest != sealed.key_id
    assert turned.open(sealed, ["place"]).get_secret_value() == b"value"
    assert (file.stat().st_mode & 0o777, sorted(path.name for path in file.parent.glob("*.draft"))) == (0o600, [])


def test_a_command_gives_the_keys(tmp_path: Path) -> None:
    """What a command prints stands in for the file, so that the keys may come from a key store."""
    make_vault_key(Settings(data=tmp_path), SystemRandom())
    sealed = vault(tmp_path).seal(b"value", ["place"])
    moved = (tmp_path / "keys" / "vault").rename(tmp_path / "with space")
    other = vault(tmp_path, vault_command=f"cat '{moved}'")
    assert other.open(sealed, ["place"]).get_secret_value() == b"value"


def test_a_vault_without_keys_is_locked_and_says_why(tmp_path: Path) -> None:
    """A missing or wrong file and a failing command lock the vault; the reason names the source and no content."""
    (tmp_path / "wrong").write_text("hunter2")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for more, why in (
        ({}, "No such file"),
        ({"vault_keys": tmp_path / "wrong"}, "line 1 is not a key"),
        ({"vault_keys": tmp_path / "bytes"}, "not a file of keys"),
        ({"vault_command": "cat /nowhere/at/all"}, "status 1"),
        ({"vault_command": "no-such-command hunter2"}, "No such file"),
        ({"vault_command": "cat 'hunter2"}, "can't be read"),
    ):
        locked = vault(tmp_path, **more)
        assert locked.locked is not None
        assert (why in locked.locked, "hunter2" in locked.locked) == (True, False), locked.locked
        with pytest.raises(VaultLocked):
            locked.seal(b"value", ["place"])

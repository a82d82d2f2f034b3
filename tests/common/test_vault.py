"""What is sealed opens in its own place only, under the vault's keys only, and shows itself nowhere by accident."""

import dataclasses
import json

import pytest
from firstline.common.ports import SystemRandom
from firstline.common.vault import (
    KeyedVault,
    KeysNotReadable,
    LockedVault,
    SealBroken,
    Sealed,
    VaultLocked,
    is_sealed,
    key_id,
    new_key_line,
    read_keys,
)
from pydantic import BaseModel, SecretBytes

RANDOM = SystemRandom()
OLD, NEW = RANDOM.bytes(32), RANDOM.bytes(32)
PLACE = ("organisation", "ticket", "secret", "1")
VALUE = "pässword-canary".encode()


def test_sealed_value_opens_in_its_place() -> None:
    """What was sealed for a place is read back there, byte for byte, empty and large values too."""
    vault = KeyedVault([NEW], RANDOM)
    for value in (VALUE, b"", RANDOM.bytes(1_000_000)):
        assert vault.open(vault.seal(value, PLACE), PLACE).get_secret_value() == value


def test_sealed_value_opens_nowhere_else() -> None:
    """Another organisation, ticket, row or version, and names that only read alike when joined, open nothing."""
    vault = KeyedVault([NEW], RANDOM)
    sealed = vault.seal(VALUE, PLACE)
    places = [(*PLACE[:i], "other", *PLACE[i + 1 :]) for i in range(len(PLACE))]
    for place in (*places, PLACE[:3], (*PLACE, ""), ("organisation|ticket", "secret", "1"), ()):
        with pytest.raises(SealBroken):
            vault.open(sealed, place)
        with pytest.raises(SealBroken):
            vault.rewrap(sealed, place)


def test_one_changed_bit_is_noticed() -> None:
    """No bit of the data key or the content can change, and neither can be taken from another value."""
    vault = KeyedVault([NEW], RANDOM)
    sealed, other = vault.seal(VALUE, PLACE), vault.seal(b"other", PLACE)
    for name in ("data_key", "content"):
        kept = getattr(sealed, name)
        changed = [kept[:i] + bytes([kept[i] ^ 1]) + kept[i + 1 :] for i in range(len(kept))]
        for wrong in (*changed, kept[:-1], b"", getattr(other, name)):
            with pytest.raises(SealBroken):
                vault.open(dataclasses.replace(sealed, **{name: wrong}), PLACE)


def test_nothing_of_the_value_is_in_what_is_kept() -> None:
    """What lies in a store or file holds no part of the value, and no two seals are alike."""
    vault = KeyedVault([NEW], RANDOM)
    kept = [vault.seal(VALUE, PLACE).to_bytes() for _ in range(2)]
    assert kept[0] != kept[1]
    assert all(VALUE[i : i + 4] not in one for one in kept for i in range(len(VALUE) - 3))


def test_file_form_is_read_back() -> None:
    """A file that holds a sealed value is told from others and read back; anything else is refused."""
    vault = KeyedVault([NEW], RANDOM)
    sealed = vault.seal(VALUE, PLACE)
    assert is_sealed(sealed.to_bytes())
    assert not is_sealed(b"From: somebody")
    assert Sealed.from_bytes(sealed.to_bytes()) == sealed
    for wrong in (b"", b"From: somebody", sealed.to_bytes()[:79]):
        with pytest.raises(SealBroken):
            Sealed.from_bytes(wrong)


def test_rotation_seals_anew_and_still_opens() -> None:
    """After a new key came first, old values open, new ones take it, and re-wrapped ones need the old no more."""
    before, both, after = KeyedVault([OLD], RANDOM), KeyedVault([NEW, OLD], RANDOM), KeyedVault([NEW], RANDOM)
    sealed = before.seal(VALUE, PLACE)
    assert both.open(sealed, PLACE).get_secret_value() == VALUE
    moved = both.rewrap(sealed, PLACE)
    assert (moved.key_id, moved.content) == (both.newest, sealed.content)
    assert after.open(moved, PLACE).get_secret_value() == VALUE
    assert not before.knows(moved.key_id)


def test_wrong_key_locks() -> None:
    """Under another key nothing opens, and the message names the key that is missing, not the one that is here."""
    sealed = KeyedVault([OLD], RANDOM).seal(VALUE, PLACE)
    with pytest.raises(VaultLocked, match=key_id(OLD)):
        KeyedVault([NEW], RANDOM).open(sealed, PLACE)


def test_locked_vault_refuses_everything() -> None:
    """Without keys nothing is sealed, opened or re-wrapped, and there is no way round."""
    vault, sealed = LockedVault("The file is away."), KeyedVault([OLD], RANDOM).seal(VALUE, PLACE)
    assert (vault.locked, vault.newest, vault.knows(sealed.key_id)) == ("The file is away.", None, False)
    for refused in (
        lambda: vault.seal(VALUE, PLACE),
        lambda: vault.open(sealed, PLACE),
        lambda: vault.rewrap(sealed, PLACE),
    ):
        with pytest.raises(VaultLocked, match="away"):
            refused()


def test_opened_value_masks_itself() -> None:
    """Text, repr, formatting and JSON of an opened value show nothing of it."""

    class Holder(BaseModel):
        value: SecretBytes

    vault = KeyedVault([NEW], RANDOM)
    opened = vault.open(vault.seal(VALUE, PLACE), PLACE)
    shown = [str(opened), repr(opened), f"{opened}", repr(Holder(value=opened)), Holder(value=opened).model_dump_json()]
    assert not any("canary" in text for text in shown)
    with pytest.raises(TypeError):
        json.dumps(opened)


def test_key_file_is_read() -> None:
    """Keys stand a line each, newest first; comments and empty lines don't count."""
    line = new_key_line(RANDOM)
    assert read_keys(f"# newest\n{NEW.hex()}\n\n  {OLD.hex().upper()}\n{line}") == [NEW, OLD, bytes.fromhex(line)]
    assert len(key_id(NEW)) == 16
    assert key_id(NEW) not in NEW.hex()


def test_something_else_is_no_key_file() -> None:
    """A file with something else, or with nothing, is refused, and the message quotes none of it."""
    for text in ("", "# nothing\n", "hunter2", NEW.hex()[:-1], NEW.hex() + "\nhunter2", "zz" * 32):
        with pytest.raises(KeysNotReadable) as refused:
            read_keys(text)
        assert "hunter2" not in str(refused.value)

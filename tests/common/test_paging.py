"""Cursors that can't be forged or carried to another list, and versions that If-Match names."""

import pytest
from firstline.common.errors import Invalid, PreconditionFailed
from firstline.common.paging import Cursors, Page, check_version, etag_of
from hypothesis import given
from hypothesis import strategies as st

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
CURSOR = Cursors(KEY).write("tickets", ["2026-11-23T12:00:00Z", 7])


@given(st.text(), st.lists(st.text() | st.integers()))
def test_a_cursor_stands_for_its_place(name: str, place: list[str | int]) -> None:
    """Reading a cursor gives the place that it was written for."""
    cursors = Cursors(KEY)
    assert cursors.read(name, cursors.write(name, place)) == place


def test_no_cursor_is_the_beginning() -> None:
    """Without a cursor a list begins at its beginning."""
    assert Cursors(KEY).read("tickets", None) is None


@given(st.integers(0, len(CURSOR) - 1), st.characters())
def test_a_changed_cursor_is_refused(at: int, character: str) -> None:
    """Whichever character of a cursor is changed, it is refused, with a pointer to the parameter."""
    forged = CURSOR[:at] + character + CURSOR[at + 1 :]
    if forged == CURSOR:
        return
    with pytest.raises(Invalid) as refused:
        Cursors(KEY).read("tickets", forged)
    assert [fault.pointer for fault in refused.value.faults] == ["#query/cursor"]


@pytest.mark.parametrize(
    "cursor", ["", ".", "a.b", CURSOR[:-1], CURSOR + "A", CURSOR.partition(".")[0], "e30.e30", "\ud83d"]
)
def test_rubbish_is_no_cursor(cursor: str) -> None:
    """Anything that was not made here is refused."""
    with pytest.raises(Invalid):
        Cursors(KEY).read("tickets", cursor)


@given(st.text())
def test_no_text_is_a_cursor_by_chance(text: str) -> None:
    """Any text is refused, and none fails otherwise."""
    with pytest.raises(Invalid):
        Cursors(KEY).read("tickets", text)


def test_a_cursor_belongs_to_its_list_and_desk() -> None:
    """A cursor of another list, of other filters or of another desk's key is refused."""
    for cursors, name in (
        (Cursors(KEY), "queue"),
        (Cursors(KEY), "tickets status=open"),
        (Cursors(OTHER_KEY), "tickets"),
    ):
        with pytest.raises(Invalid):
            cursors.read(name, CURSOR)


def test_a_page_ends_with_null() -> None:
    """A page without a following one says so."""
    assert Page[int](items=[1]).model_dump() == {"items": [1], "next": None}


@pytest.mark.parametrize("sent", [None, "*", " * ", '"7"', 'W/"7"', '"5", "7"', '"5",W/"7"', ' "7" '])
def test_a_fitting_version_passes(sent: str | None) -> None:
    """No If-Match, `*`, the version itself, weak or among others, let a request through."""
    check_version(sent, 7)


@pytest.mark.parametrize("sent", ['"6"', 'W/"6"', "7", '"77"', "", '"5", "6"', '"*"', "w/7"])
def test_another_version_is_refused(sent: str) -> None:
    """Any other version is 412, and the answer names the present one."""
    with pytest.raises(PreconditionFailed) as refused:
        check_version(sent, 7)
    assert refused.value.extra == {"etag": '"7"'}
    assert etag_of(7) == '"7"'

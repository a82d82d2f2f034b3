"""What a calendar may be written like: every mistake is named where it stands, and nothing is guessed."""

from typing import Any

import pytest
from firstline.common.calendar import parse_calendar
from firstline.common.errors import Invalid

HOURS = {"mon": [["06:00", "16:00"]]}


def public(**more: Any) -> dict[str, Any]:
    """Return a calendar with Germany's public holidays."""
    return {"tz": "UTC", "hours": HOURS, "public_holidays": {"country": "DE", **more}}


@pytest.mark.parametrize(
    ("data", "pointers"),
    [
        ([], ["", "/tz"]),
        ({"hours": HOURS}, ["/tz"]),
        ({"tz": "Europe/Atlantis", "hours": HOURS}, ["/tz"]),
        ({"tz": "../etc/passwd", "hours": HOURS}, ["/tz"]),
        ({"tz": "Europe", "hours": HOURS}, ["/tz"]),
        ({"tz": "", "hours": HOURS}, ["/tz"]),
        ({"tz": "a" * 5000, "hours": HOURS}, ["/tz"]),
        ({"tz": "UTC\0", "hours": HOURS}, ["/tz"]),
        ({"tz": 3, "hours": HOURS}, ["/tz"]),
        ({"tz": "UTC", "hours": HOURS, "colour/~": 1}, ["/colour~1~0"]),
        ({"tz": "UTC", "hours": {"monday": [["06:00", "16:00"]], **HOURS}}, ["/hours/monday"]),
        ({"tz": "UTC", "hours": []}, ["/hours"]),
        ({"tz": "UTC", "hours": None}, ["/hours"]),
        ({"tz": "UTC", "hours": {"mon": {}}}, ["/hours/mon"]),
        ({"tz": "UTC", "hours": {"mon": "06:00-16:00"}}, ["/hours/mon"]),
        ({"tz": "UTC", "hours": {"mon": [["06:00"]]}}, ["/hours/mon/0"]),
        ({"tz": "UTC", "hours": {"mon": [["06:00", "16:00", "17:00"]]}}, ["/hours/mon/0"]),
        ({"tz": "UTC", "hours": {"mon": ["06:00", "16:00"]}}, ["/hours/mon/0", "/hours/mon/1"]),
        ({"tz": "UTC", "hours": {"mon": [["06:00", "25:00"]]}}, ["/hours/mon/0/1"]),
        ({"tz": "UTC", "hours": {"mon": [["6:00", "16:60"]]}}, ["/hours/mon/0/0", "/hours/mon/0/1"]),
        ({"tz": "UTC", "hours": {"mon": [["06:00", "24:01"]]}}, ["/hours/mon/0/1"]),
        ({"tz": "UTC", "hours": {"mon": [[360, 960]]}}, ["/hours/mon/0/0", "/hours/mon/0/1"]),
        ({"tz": "UTC", "hours": {"mon": [["06:00\n", "٠٧:٠٠"]]}}, ["/hours/mon/0/0", "/hours/mon/0/1"]),
        ({"tz": "UTC", "hours": {"mon": [["24:00", "08:00"]]}}, ["/hours/mon/0/0"]),
        ({"tz": "UTC", "hours": {"mon": [["06:00", "16:00"], ["09:00", "09:00"]]}}, ["/hours/mon/1"]),
        ({"tz": "UTC", "hours": {"mon": [["00:00", "01:00"]] * 25}}, ["/hours/mon"]),
        ({"tz": "UTC", "hours": HOURS, "holidays": {"2026-01-01": 1}}, ["/holidays"]),
        ({"tz": "UTC", "hours": HOURS, "holidays": ["2026-02-30", "2026-1-1"]}, ["/holidays/0", "/holidays/1"]),
        ({"tz": "UTC", "hours": HOURS, "holidays": ["20260101", "2026-W01-1"]}, ["/holidays/0", "/holidays/1"]),
        ({"tz": "UTC", "hours": HOURS, "holidays": [20260101]}, ["/holidays/0"]),
        ({"tz": "UTC", "hours": HOURS, "holidays": ["2026-01-01"] * 1001}, ["/holidays"]),
        ({"tz": "UTC", "hours": HOURS, "breaks": {"0000-01-01": []}}, ["/breaks/0000-01-01"]),
        ({"tz": "UTC", "hours": HOURS, "breaks": {"2026-01-01": [["12:00", "12:00"]]}}, ["/breaks/2026-01-01/0"]),
        ({"tz": "UTC", "hours": HOURS, "overrides": {1: [["x", "12:00"]]}}, ["/overrides/1", "/overrides/1/0/0"]),
        ({"tz": "UTC", "hours": HOURS, "overrides": {str(day): [] for day in range(1001)}}, ["/overrides"]),
        ({"tz": "UTC", "hours": HOURS, "hours_from": []}, ["/hours_from"]),
        ({"tz": "UTC", "hours": HOURS, "hours_from": {"2027": HOURS}}, ["/hours_from/2027"]),
        ({"tz": "UTC", "hours": HOURS, "hours_from": {"2027-01-01": {"may": []}}}, ["/hours_from/2027-01-01/may"]),
        (
            {"tz": "UTC", "hours": HOURS, "hours_from": {"2027-01-01": {"mon": [["6", "07:00"]]}}},
            ["/hours_from/2027-01-01/mon/0/0"],
        ),
        ({"tz": "UTC", "hours": HOURS, "hours_from": {str(day): HOURS for day in range(101)}}, ["/hours_from"]),
        ({"tz": "UTC", "hours": HOURS, "works_as": {"2026-12-26": "monday"}}, ["/works_as/2026-12-26"]),
        ({"tz": "UTC", "hours": HOURS, "works_as": {"2026-12-32": "mon"}}, ["/works_as/2026-12-32"]),
        ({"tz": "UTC", "hours": HOURS, "works_as": {"2026-12-26": ["mon"]}}, ["/works_as/2026-12-26"]),
        ({"tz": "UTC", "hours": HOURS, "public_holidays": None}, ["/public_holidays", "/public_holidays/country"]),
        ({"tz": "UTC", "hours": HOURS, "public_holidays": {"country": "XX"}}, ["/public_holidays/country"]),
        ({"tz": "UTC", "hours": HOURS, "public_holidays": {"country": ["DE"]}}, ["/public_holidays/country"]),
        (public(subdivision="XX"), ["/public_holidays/subdivision"]),
        (public(subdivision=["BY"]), ["/public_holidays/subdivision"]),
        (public(categories=[]), ["/public_holidays/categories"]),
        (public(categories=["public", "royal"]), ["/public_holidays/categories"]),
        (public(categories=[["public"]]), ["/public_holidays/categories"]),
        (public(region="BY"), ["/public_holidays/region"]),
        (public(dates=[]), ["/public_holidays/dates"]),
        (public(dates={"next year": []}), ["/public_holidays/dates/next year"]),
        (public(dates={"2026": ["2027-01-01"]}), ["/public_holidays/dates/2026"]),
        (public(dates={"2026": ["2026-02-30"]}), ["/public_holidays/dates/2026/0"]),
        ({"tz": "UTC"}, ["/hours"]),
        ({"tz": "UTC", "hours": {"mon": []}, "overrides": {"2026-01-01": []}}, ["/hours"]),
    ],
)
def test_each_mistake_is_named_where_it_stands(data: Any, pointers: list[str]) -> None:
    """A calendar with mistakes is refused with one JSON pointer for each of them."""
    with pytest.raises(Invalid) as caught:
        parse_calendar(data)
    assert [fault.pointer for fault in caught.value.faults] == pointers
    assert all(fault.detail for fault in caught.value.faults)


def test_all_mistakes_are_named_at_once() -> None:
    """Nobody has to send a calendar five times to learn of five mistakes."""
    data = {
        "tz": "Mars/Olympus",
        "hours": {"mon": [["06:00", "16:00"]], "tuesday": []},
        "holidays": ["tomorrow"],
        "breaks": {"2026-01-01": [["11:30", "?"]]},
        "overrides": 7,
    }
    with pytest.raises(Invalid) as caught:
        parse_calendar(data)
    assert [fault.pointer for fault in caught.value.faults] == [
        "/hours/tuesday",
        "/tz",
        "/holidays/0",
        "/breaks/2026-01-01/0/1",
        "/overrides",
    ]


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_a_minimal_calendar_needs_a_zone_and_an_opening(tz: str) -> None:
    """Holidays, breaks and overrides may be left out, and so may weekdays."""
    assert parse_calendar({"tz": tz, "hours": HOURS}).hours.tz.key == tz


def test_dates_at_the_ends_of_the_world_do_no_harm() -> None:
    """The first and the last date that exist may be holidays."""
    data = {"tz": "UTC", "hours": HOURS, "holidays": ["0001-01-01", "9999-12-31"]}
    assert parse_calendar(data).hours.holidays == {1, 3652059}

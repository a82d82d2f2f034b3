"""Holidays out of iCalendar files: whole days, several days, yearly ones; what can't be read is said, not guessed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from firstline.common.calendar import parse_calendar
from firstline.common.policy.loader import load_policy, read_document
from firstline.standalone.cli import app
from typer.testing import CliRunner

DEFAULT = Path(__file__).parents[2] / "policies" / "bitrix24.yaml"


def event(*lines: str) -> str:
    """Return an event with its lines."""
    return "\r\n".join(("BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT"))


def run(folder: Path, *events: str, more: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Import a file with these events and return the exit code, what is printed and what is said beside it."""
    file = folder / "own.ics"
    text = "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:own", *events, "END:VCALENDAR", ""))
    file.write_bytes(text.encode())
    result = CliRunner().invoke(app, ["policy", "import-holidays", str(file), *more])
    return result.exit_code, result.stdout, result.stderr


def dates(printed: str) -> list[str]:
    """Read what was printed as a policy file is read."""
    found: list[str] = read_document(f"calendar:\n{printed}").content["calendar"]["holidays"]
    parse_calendar({"tz": "UTC", "hours": {"mon": [["06:00", "16:00"]]}, "holidays": found})
    return found


def test_whole_days_become_holidays_that_can_be_pasted(tmp_path: Path) -> None:
    """Days of one and of several dates are listed in order, each once, and a policy reads what is printed."""
    code, said, _ = run(
        tmp_path,
        event("DTSTART;VALUE=DATE:20261225", "DTEND;VALUE=DATE:20261227", "SUMMARY:Christmas: both\\, days"),
        event("DTSTART;VALUE=DATE:20260501", "SUMMARY:First of May"),
        event("DTSTART;VALUE=DATE:20261226", "SUMMARY:Again"),
    )
    assert code == 0
    assert dates(said) == ["2026-05-01", "2026-12-25", "2026-12-26"]
    assert "2026-12-25 # Christmas: both, days" in said


def test_what_is_printed_closes_the_desk_of_the_policy_it_is_pasted_into(tmp_path: Path) -> None:
    """From the file to the deadline: the lines stand in a policy, which is sound, and its calendar passes over them."""
    _, said, _ = run(
        tmp_path, event("DTSTART;VALUE=DATE:20261123", "DTEND;VALUE=DATE:20261125", "SUMMARY:Works council")
    )
    policy = load_policy(DEFAULT.read_text("utf-8").replace("  holidays: []\n", said, 1))
    calendar = parse_calendar(policy.calendar)
    assert calendar.add(datetime(2026, 11, 20, 15, 30, tzinfo=UTC), 180) == datetime(2026, 11, 25, 8, 30, tzinfo=UTC)


def test_yearly_days_are_written_out(tmp_path: Path) -> None:
    """Repetitions end with the years asked for, their own end or their number; leap days and exceptions are kept."""
    code, said, _ = run(
        tmp_path,
        event("DTSTART;VALUE=DATE:20241225", "RRULE:FREQ=YEARLY", "EXDATE;VALUE=DATE:20271225"),
        event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY;UNTIL=20270601;BYMONTH=1;BYMONTHDAY=1"),
        event("DTSTART;VALUE=DATE:20250601", "RRULE:FREQ=YEARLY;INTERVAL=2;COUNT=2"),
        event("DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY"),
        more=("--from", "2026", "--until", "2028"),
    )
    assert code == 0
    whole = ["2026-01-01", "2026-12-25", "2027-01-01", "2027-06-01", "2028-02-29", "2028-12-25"]
    assert dates(said) == whole


def test_rules_that_move_the_day_are_worked_out(tmp_path: Path) -> None:
    """The fourth Thursday of November, every second Monday and the last day of a month are what calendars show."""
    code, said, _ = run(
        tmp_path,
        event("DTSTART;VALUE=DATE:20251127", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"),
        event("DTSTART;VALUE=DATE:20261207", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;UNTIL=20261231T120000Z"),
        event("DTSTART;VALUE=DATE:20260131", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2"),
        more=("--from", "2026", "--until", "2027"),
    )
    assert code == 0
    assert dates(said) == ["2026-01-31", "2026-02-28", "2026-11-26", "2026-12-07", "2026-12-21", "2027-11-25"]


def test_what_was_cancelled_is_no_holiday(tmp_path: Path) -> None:
    """An event that calendars show struck through is left out and named."""
    off = event("DTSTART;VALUE=DATE:20261228", "STATUS:CANCELLED", "SUMMARY:Bridge day")
    code, said, beside = run(tmp_path, event("DTSTART;VALUE=DATE:20261224", "STATUS:CONFIRMED"), off)
    assert (code, dates(said)) == (0, ["2026-12-24"])
    assert "because it was cancelled: event 2 (Bridge day)" in beside


@pytest.mark.parametrize(
    ("years", "code", "said"),
    [
        (("--from", "99999"), 2, "equal to 9998"),
        (("--until", "0"), 2, "equal to 2"),
        (("--from", "2030"), 1, "No event falls into the years 2030 to 2039"),
        (("--from", "2027", "--until", "2026"), 1, "Name others with --from and --until"),
    ],
)
def test_years_without_a_holiday_are_told(years: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    """An empty list would open the desk on every holiday; it is not printed as if it were the file's."""
    ended, printed, beside = run(tmp_path, event("DTSTART;VALUE=DATE:20261224"), more=years)
    assert (ended, printed) == (code, "")
    assert said in beside


def test_what_lasts_no_whole_day_is_left_out_and_named(tmp_path: Path) -> None:
    """A meeting in the file is no holiday, and nobody has to wonder where it went."""
    meeting = event("DTSTART:20261223T100000Z", "SUMMARY:Party")
    code, said, beside = run(tmp_path, event("DTSTART;VALUE=DATE:20261224"), meeting)
    assert (code, dates(said)) == (0, ["2026-12-24"])
    assert "event 2 (Party)" in beside


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=HOURLY"), "by a rule that makes no days"),
        (("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY;INTERVAL=0"), "by a rule that makes no days"),
        (("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"), "its own rule leaves out"),
        (("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY;RSCALE=CHINESE"), "a rule that can't be read"),
        (("DTSTART;VALUE=DATE:20261225", "STATUS:CANCELLED"), "no all-day event in this file that takes place"),
        (("DTSTART;VALUE=DATE:20261225", "STATUS:CANCELLED", "RECURRENCE-ID;VALUE=DATE:20261225"), "single dates"),
        (("DTSTART;VALUE=DATE:2026",), "is damaged"),
        (("DTSTART;VALUE=DATE:20260101", "DTEND;VALUE=DATE:20251231"), "lasts -1 days"),
        (("SUMMARY:Never",), "has no start"),
        (("DTSTART:20261223T100000Z",), "no all-day event"),
        (("DTSTART;VALUE=DATE:20000101", "DTEND;VALUE=DATE:20001231", "RRULE:FREQ=YEARLY"), "Name fewer years"),
    ],
)
def test_what_cannot_be_worked_out_is_refused_whole(lines: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """An event that would give wrong dates ends the command with its name and a remedy, and nothing is printed."""
    code, printed, beside = run(tmp_path, event(*lines))
    assert (code, printed) == (1, "")
    assert said in beside


def test_a_file_that_is_no_calendar_is_told(tmp_path: Path) -> None:
    """Another file's content and a file that isn't there each have their words and their exit code."""
    file = tmp_path / "own.ics"
    file.write_bytes(b"\xff\xfehello")
    result = CliRunner().invoke(app, ["policy", "import-holidays", str(file)])
    assert (result.exit_code, "not an iCalendar file" in result.stderr) == (1, True)
    result = CliRunner().invoke(app, ["policy", "import-holidays", str(tmp_path / "none.ics")])
    assert (result.exit_code, "can't be read" in result.stderr) == (2, True)

"""Calculations on calendars over HTTP (clause 2.1), with the vectors of the policy's business time."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sla_world import World

WEEK = {day: [["06:00", "16:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
HOLIDAY = {"tz": "UTC", "hours": WEEK, "holidays": ["2026-11-23"]}
ALWAYS = {"tz": "UTC", "hours": {day: [["00:00", "24:00"]] for day in ("sat", "sun", *WEEK)}}
FRIDAY = "2026-11-20T15:30:00Z"
VECTORS = [
    ("2026-11-20T15:30:00Z", 180, None, "2026-11-23T08:30:00Z"),
    ("2026-11-20T15:30:00Z", 180, HOLIDAY, "2026-11-24T08:30:00Z"),
    ("2026-11-21T12:00:00Z", 180, None, "2026-11-23T09:00:00Z"),
    ("2026-11-20T16:00:00Z", 180, None, "2026-11-23T09:00:00Z"),
    ("2026-11-23T06:00:00Z", 600, None, "2026-11-23T16:00:00Z"),
    ("2026-11-23T06:00:00Z", 601, None, "2026-11-24T06:01:00Z"),
    ("2026-11-23T05:59:59Z", 300, None, "2026-11-23T11:00:00Z"),
    ("2026-11-20T15:59:59Z", 1440, None, "2026-11-25T09:59:59Z"),
]


async def compute(world: World, verb: str, calendar: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    """Return the answer of a calculation, which has to succeed."""
    answer = await world.post(f"/v1/calendar/{verb}", body | ({"calendar": calendar} if calendar else {}))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def faults(world: World, verb: str, **body: Any) -> list[str]:
    """Return the pointers of a calculation's mistakes."""
    answer = await world.post(f"/v1/calendar/{verb}", body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [fault["pointer"] for fault in answer.json()["errors"]]


@pytest.mark.parametrize(("start", "minutes", "calendar", "due"), VECTORS)
async def test_the_vectors_of_business_time(
    world: World, start: str, minutes: int, calendar: dict[str, Any] | None, due: str
) -> None:
    """Adding answers the due instant, counting up to there answers the minutes, on the policy's calendar and others."""
    assert await compute(world, "add", calendar, start=start, minutes=minutes) == {"due": due}
    assert await compute(world, "between", calendar, start=start, end=due) == {"minutes": minutes}


async def test_subtracting_goes_back(world: World) -> None:
    """Going back crosses the weekend; a zero amount from a closed instant is the closing before it."""
    assert await compute(world, "subtract", start="2026-11-23T08:30:00Z", minutes=180) == {"due": FRIDAY}
    assert await compute(world, "subtract", start="2026-11-21T12:00:00Z", minutes=0) == {"due": "2026-11-20T16:00:00Z"}


async def test_zero_minutes_fractions_and_offsets(world: World) -> None:
    """No minutes from a closed instant are the next opening, parts of minutes count, answers are in UTC."""
    assert await compute(world, "add", start="2026-11-21T12:00:00Z", minutes=0) == {"due": "2026-11-23T06:00:00Z"}
    assert await compute(world, "add", start="2026-11-23T08:00:00+01:00", minutes=0.5) == {
        "due": "2026-11-23T07:00:30Z"
    }
    end = "2026-11-23T06:00:30Z"
    assert await compute(world, "between", start=FRIDAY, end=end) == {"minutes": 30.5}
    assert await compute(world, "between", start=end, end=FRIDAY) == {"minutes": 0}


async def test_periods_begin_at_the_start_when_open(world: World) -> None:
    """The stretches are listed with start and end; one that never closes has no end."""
    first = {"start": FRIDAY, "end": "2026-11-20T16:00:00Z"}
    second = {"start": "2026-11-23T06:00:00Z", "end": "2026-11-23T16:00:00Z"}
    assert await compute(world, "periods", start=FRIDAY, count=2) == {"periods": [first, second]}
    endless = await compute(world, "periods", ALWAYS, start=FRIDAY, count=5)
    assert endless == {"periods": [{"start": FRIDAY, "end": None}]}


async def test_open_tells_what_comes_next(world: World) -> None:
    """Openness is half-open; without an instant the present one is meant; null is what never comes."""
    monday, tuesday = "2026-11-23T06:00:00Z", "2026-11-24T06:00:00Z"
    open_now = {"open": True, "next_opening": tuesday, "next_closing": "2026-11-23T16:00:00Z"}
    closed = {"open": False, "next_opening": monday, "next_closing": "2026-11-23T16:00:00Z"}
    assert await compute(world, "open") == open_now
    assert await compute(world, "open", at=monday) == open_now
    assert await compute(world, "open", at="2026-11-20T16:00:00Z") == closed
    assert await compute(world, "open", ALWAYS, at=FRIDAY) == {"open": True, "next_opening": None, "next_closing": None}


@pytest.mark.parametrize(
    ("calendar", "pointer"),
    [
        ({"tz": "Mars/Olympus", "hours": WEEK}, "/calendar/tz"),
        ({"tz": "UTC", "hours": {"mon": [["06:00", "25:00"]]}}, "/calendar/hours/mon/0/1"),
        ({"tz": "UTC", "hours": WEEK, "holidays": ["2026-02-30"]}, "/calendar/holidays/0"),
        ({"tz": "UTC", "hours": {}}, "/calendar/hours"),
        ({"hours": WEEK}, "/calendar/tz"),
        ([], "/calendar"),
    ],
)
@pytest.mark.parametrize("verb", ["add", "open"])
async def test_mistakes_in_a_calendar_are_pointed_at(world: World, calendar: object, pointer: str, verb: str) -> None:
    """Each mistake is named by a pointer into the calendar that was sent, and nothing is calculated."""
    body = {"start": FRIDAY, "minutes": 1} if verb == "add" else {}
    assert await faults(world, verb, calendar=calendar, **body) == [pointer]


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("add", {"start": FRIDAY, "minutes": -1}, "/minutes"),
        ("subtract", {"start": FRIDAY, "minutes": -0.5}, "/minutes"),
        ("add", {"start": FRIDAY, "minutes": 1e300}, "/minutes"),
        ("subtract", {"start": FRIDAY, "minutes": 5e9}, "/minutes"),
        ("add", {"start": "2026-11-20T15:30:00", "minutes": 1}, "/start"),
        ("add", {"start": "9999-11-20T15:30:00Z", "minutes": 1}, "/start"),
        ("add", {"start": "0001-01-01T00:00:00+14:00", "minutes": 1}, "/start"),
        ("add", {"start": FRIDAY}, "/minutes"),
        ("add", {"start": FRIDAY, "minutes": 1, "zone": "UTC"}, "/zone"),
        ("between", {"start": FRIDAY, "end": "2026-11-20"}, "/end"),
        ("between", {"start": FRIDAY, "end": "9999-12-31T23:59:59-12:00"}, "/end"),
        ("periods", {"start": FRIDAY, "count": 0}, "/count"),
        ("periods", {"start": FRIDAY, "count": 1001}, "/count"),
        ("periods", {"start": FRIDAY, "count": 1.5}, "/count"),
        ("open", {"at": "noon"}, "/at"),
        ("open", {"at": "9999-06-01T00:00:00Z"}, "/at"),
    ],
)
async def test_impossible_values_are_refused(world: World, verb: str, body: dict[str, Any], pointer: str) -> None:
    """Negative, endless, naive, unknown and out-of-range values are 422 with a pointer."""
    assert await faults(world, verb, **body) == [pointer]


async def test_numbers_that_json_does_not_know_are_refused(world: World) -> None:
    """NaN and Infinity are no minutes."""
    for word in ("NaN", "Infinity"):
        answer = await world.client.post(
            "/v1/calendar/add",
            content=f'{{"start": "{FRIDAY}", "minutes": {word}}}',
            headers=world.headers("client") | {"Content-Type": "application/json"},
        )
        assert answer.status_code == 422, word


async def test_clients_may_calculate_and_strangers_may_not(world: World) -> None:
    """Everybody who is signed in may ask for business time; nobody else."""
    body = {"start": FRIDAY, "minutes": 1}
    found = {who: (await world.post("/v1/calendar/add", body, who)).status_code for who in ("partner", "admin", None)}
    assert found == {"partner": 200, "admin": 200, None: 401}


async def test_without_a_policy_only_a_calendar_sent_along_will_do(bare: World) -> None:
    """Before a policy has arrived the caller hears to try again; with a calendar of their own they needn't."""
    answer = await bare.post("/v1/calendar/open", {})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/no-policy")
    assert "Retry-After" in answer.headers
    assert (await compute(bare, "open", ALWAYS, at=FRIDAY))["open"] is True


async def test_the_newest_policy_gives_the_calendar(world: World) -> None:
    """A version that arrives later replaces the hours that calculations use, and so does one that returns."""
    saturday: dict[str, Any] = {"start": "2026-11-21T12:00:00Z", "minutes": 1}
    await world.deliver(world.policy("test-2", calendar=ALWAYS))
    assert await compute(world, "add", **saturday) == {"due": "2026-11-21T12:01:00Z"}
    await world.deliver(world.policy())
    assert await compute(world, "add", **saturday) == {"due": "2026-11-23T06:01:00Z"}


HOLIDAYS = {"tz": "Europe/Berlin", "hours": WEEK, "public_holidays": {"country": "DE", "subdivision": "BY"}}
SPECIAL_DAYS = [
    # All Souls' neighbour: 1 November 2027 is a Monday, and a holiday in Bavaria only.
    ("2027-10-29T13:30:00Z", 60, HOLIDAYS, "2027-11-02T05:30:00Z"),
    ("2027-10-29T13:30:00Z", 60, HOLIDAYS | {"public_holidays": {"country": "DE"}}, "2027-11-01T05:30:00Z"),
    ("2027-10-29T13:30:00Z", 60, HOLIDAYS | {"works_as": {"2027-11-01": "mon"}}, "2027-11-01T05:30:00Z"),
    ("2027-10-29T13:30:00Z", 60, HOLIDAYS | {"works_as": {"2027-10-30": "fri"}}, "2027-10-30T04:30:00Z"),
    (
        "2027-10-29T13:30:00Z",
        60,
        HOLIDAYS | {"hours_from": {"2027-11-01": {"wed": [["10:00", "12:00"]]}}},
        "2027-11-03T09:30:00Z",
    ),
    # A zone of half hours, whose clocks go by half an hour on 3 October 2027: 06:00 there is 19:30, then 19:00.
    ("2027-10-01T05:00:00Z", 60, {"tz": "Australia/Lord_Howe", "hours": WEEK}, "2027-10-03T19:30:00Z"),
    ("2027-10-02T05:00:00Z", 0, {"tz": "Australia/Lord_Howe", "hours": WEEK}, "2027-10-03T19:00:00Z"),
    # A leap day that is a holiday, and one that works as a Monday.
    ("2028-02-28T15:30:00Z", 60, {"tz": "UTC", "hours": WEEK, "holidays": ["2028-02-29"]}, "2028-03-01T06:30:00Z"),
    (
        "2028-02-28T15:30:00Z",
        60,
        {"tz": "UTC", "hours": {"mon": WEEK["mon"]}, "works_as": {"2028-02-29": "mon"}},
        "2028-02-29T06:30:00Z",
    ),
]


@pytest.mark.parametrize(("start", "minutes", "calendar", "due"), SPECIAL_DAYS)
async def test_days_that_are_unlike_others_count_over_http(
    world: World, start: str, minutes: int, calendar: dict[str, Any], due: str
) -> None:
    """Public holidays of a part of a country, working holidays, later hours, half-hour zones and leap days."""
    assert await compute(world, "add", calendar, start=start, minutes=minutes) == {"due": due}
    assert await compute(world, "between", calendar, start=start, end=due) == {"minutes": minutes}
    found = await compute(world, "open", calendar, at=due)
    assert found["open"] is True


@pytest.mark.parametrize(
    ("special", "pointer"),
    [
        ({"public_holidays": {"country": "XX"}}, "/calendar/public_holidays/country"),
        ({"public_holidays": {"country": "DE", "subdivision": "ZZ"}}, "/calendar/public_holidays/subdivision"),
        ({"public_holidays": {"country": "DE", "categories": ["nice"]}}, "/calendar/public_holidays/categories"),
        ({"works_as": {"2027-11-01": "noday"}}, "/calendar/works_as/2027-11-01"),
        ({"works_as": {"2027-02-29": "mon"}}, "/calendar/works_as/2027-02-29"),
        ({"hours_from": {"soon": WEEK}}, "/calendar/hours_from/soon"),
        ({"hours_from": {"2027-11-01": {"mon": [["9", "17:00"]]}}}, "/calendar/hours_from/2027-11-01/mon/0/0"),
    ],
)
async def test_mistakes_in_special_days_are_pointed_at(world: World, special: dict[str, Any], pointer: str) -> None:
    """A country, part, kind, weekday or date that doesn't exist is named by its place."""
    assert await faults(world, "add", start=FRIDAY, minutes=1, calendar={"tz": "UTC", "hours": WEEK, **special}) == [
        pointer
    ]


async def test_clocks_run_by_the_special_days_of_the_policy(world: World) -> None:
    """A request's deadline passes over the holiday of the country that its policy names, and over none that works."""
    for version, more, due in (
        ("by", {}, "2027-11-02T14:30:00Z"),
        ("works", {"works_as": {"2027-11-01": "mon"}}, "2027-11-01T14:30:00Z"),
    ):
        await world.deliver(world.policy(version, calendar=HOLIDAYS | more))
        friday = datetime(2027, 10, 29, 13, 30, tzinfo=UTC)
        world.clock.move(friday)
        ticket = await world.submit(friday, policy_version=version)
        assert (await world.clocks(ticket))["first_response"]["due_at"] == due

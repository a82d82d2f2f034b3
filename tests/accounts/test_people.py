"""People: who is known, who may make them known, and what others hear of it."""

import sqlite3
from typing import Any

import pytest
from firstline.common.permissions import Role

ANNA = {
    "email": "Anna@Firstline.Example",
    "role": "agent",
    "name": "Anna",
    "language": "en",
    "tier": "helpdesk",
    "skills": ["dns", "sql"],
}


async def test_a_person_is_stored_as_given(world: Any) -> None:
    """A new person is active, has an id and a version, and their address is in lower case."""
    answer = await world.post("/v1/people", ANNA)
    assert answer.status_code == 201
    body = answer.json()
    assert body == {
        **ANNA,
        "id": body["id"],
        "email": "anna@firstline.example",
        "organization_id": None,
        "active": True,
        "version": 1,
    }
    assert answer.headers["ETag"] == '"1"'
    again = await world.get(f"/v1/people/{body['id']}")
    assert (again.json(), again.headers["ETag"]) == (body, '"1"')


async def test_others_hear_of_a_person(world: Any) -> None:
    """Making and changing a person appends their complete state to their stream, with who did it."""
    person = (await world.post("/v1/people", ANNA)).json()
    await world.patch(f"/v1/people/{person['id']}", {"active": False}, "supervisor")
    made, changed = await world.events()
    assert [made["type"], changed["type"]] == ["account.person_changed"] * 2
    assert [made["stream"], changed["stream"]] == [f"person/{person['id']}"] * 2
    assert [made["version"], changed["version"]] == [1, 2]
    assert made["data"]["actor"] == {"id": "the admin", "role": "admin", "client_id": None}
    assert changed["data"]["actor"]["role"] == "supervisor"
    assert changed["data"] | {"actor": None} == {
        **{name: person[name] for name in ("id", "email", "name", "language", "role", "tier", "skills")},
        "actor": None,
        "organization_id": None,
        "active": False,
    }


async def test_an_address_belongs_to_one_person(world: Any) -> None:
    """The same address in other letters is refused, and no event tells of a second person."""
    await world.post("/v1/people", ANNA)
    answer = await world.post("/v1/people", ANNA | {"email": "ANNA@firstline.example", "name": "Another"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/email-taken"
    assert len(await world.events()) == 1


BAD = [
    ({"email": "nobody"}, "/email"),
    ({"email": None}, "/email"),
    ({"role": "service"}, "/role"),
    ({"role": "king"}, "/role"),
    ({"name": ""}, "/name"),
    ({"name": "   "}, "/name"),
    ({"name": "Anna\r\nBcc: all@shop.example"}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"language": "English"}, "/language"),
    ({"tier": "attic"}, "/tier"),
    ({"skills": "dns"}, "/skills"),
    ({"skills": ["dns", ""]}, "/skills/1"),
    ({"skills": ["s"] * 51}, "/skills"),
    ({"organization_id": "none such"}, "/organization_id"),
    ({"role": "partner"}, "/organization_id"),
    ({"active": True}, "/active"),
    ({"id": "mine", "version": 7}, "/id"),
]


@pytest.mark.parametrize(("wrong", "pointer"), BAD)
async def test_a_wrong_value_is_named_and_nothing_stored(world: Any, wrong: dict[str, Any], pointer: str) -> None:
    """Each wrong or unknown value is a problem document that points at it, and nobody is stored."""
    answer = await world.post("/v1/people", ANNA | wrong)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert (await world.get("/v1/people")).json() == {"items": [], "next": None}
    assert await world.events() == []


@pytest.mark.parametrize(
    "text", ["{", "[]", '"anna"', "null", '{"email": "a@b.example", "role": "agent", "name": "\\ud800"}']
)
async def test_a_body_that_is_no_person_is_refused(world: Any, text: str) -> None:
    """Text that is not JSON, not an object, or not Unicode is a problem document, not a failure."""
    headers = world.bearer("admin") | {"Content-Type": "application/json"}
    answer = await world.client.post("/v1/people", content=text, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"] != []


async def test_a_nul_character_is_refused(world: Any) -> None:
    """A NUL in an ID, which one of the stores could not keep, is refused."""
    answer = await world.post("/v1/people", ANNA | {"organization_id": "a\0b"})
    assert answer.status_code == 422


async def test_a_partner_belongs_to_an_organization(world: Any) -> None:
    """A partner with an organisation is stored; taking it away is refused."""
    shop = await world.organization("Agency", "partner")
    partner = {"email": "paul@agency.example", "role": "partner", "organization_id": shop.id}
    made = await world.post("/v1/people", partner)
    assert made.status_code == 201
    answer = await world.patch(f"/v1/people/{made.json()['id']}", {"organization_id": None})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/organization_id"
    assert (await world.get(f"/v1/people/{made.json()['id']}")).json() == made.json()


async def test_a_change_touches_what_is_given(world: Any) -> None:
    """Members that are left out stay; null clears; the version counts on and shows in the ETag."""
    person = (await world.post("/v1/people", ANNA)).json()
    answer = await world.patch(f"/v1/people/{person['id']}", {"name": None, "skills": ["mail"], "tier": "development"})
    assert answer.json() == person | {"name": None, "skills": ["mail"], "tier": "development", "version": 2}
    assert answer.headers["ETag"] == '"2"'
    assert (await world.get(f"/v1/people/{person['id']}")).json() == answer.json()


@pytest.mark.parametrize("nothing", [{}, {"name": "Anna", "skills": ["dns", "sql"]}])
async def test_no_change_is_no_event(world: Any, nothing: dict[str, Any]) -> None:
    """A change that changes nothing keeps the version and tells nobody."""
    person = (await world.post("/v1/people", ANNA)).json()
    answer = await world.patch(f"/v1/people/{person['id']}", nothing)
    assert (answer.status_code, answer.json()) == (200, person)
    assert len(await world.events()) == 1


@pytest.mark.parametrize(
    "wrong", [{"role": None}, {"active": None}, {"active": "perhaps"}, {"email": "b@firstline.example"}, {"role": "x"}]
)
async def test_a_wrong_change_is_refused(world: Any, wrong: dict[str, Any]) -> None:
    """What can't be null, unknown roles and the address can't be changed so; the person stays as they are."""
    person = (await world.post("/v1/people", ANNA)).json()
    answer = await world.patch(f"/v1/people/{person['id']}", wrong)
    assert answer.status_code == 422
    assert (await world.get(f"/v1/people/{person['id']}")).json() == person


async def test_an_old_version_is_not_overwritten(world: Any) -> None:
    """A change with the ETag of an older version is refused with 412; with the present one it is made."""
    path = f"/v1/people/{(await world.post('/v1/people', ANNA)).json()['id']}"
    assert (await world.patch(path, {"name": "Ann"}, if_match='"1"')).status_code == 200
    late = await world.patch(path, {"name": "Anne"}, if_match='"1"')
    assert (late.status_code, late.json()["etag"]) == (412, '"2"')
    assert (await world.get(path)).json()["name"] == "Ann"


async def test_only_an_admin_touches_admins(world: Any) -> None:
    """A supervisor makes and changes everybody but admins, and lifts nobody to admin, themselves included."""
    assert (await world.post("/v1/people", ANNA | {"role": "admin"}, "supervisor")).status_code == 403
    agent = (await world.post("/v1/people", ANNA, "supervisor")).json()
    admin = await world.person("root@firstline.example", Role.ADMIN)
    for person_id, change in (
        (agent["id"], {"role": "admin"}),
        (admin.id, {"role": "agent"}),
        (admin.id, {"active": False}),
    ):
        answer = await world.patch(f"/v1/people/{person_id}", change, "supervisor")
        assert answer.status_code == 403
    assert (await world.patch(f"/v1/people/{agent['id']}", {"role": "supervisor"}, "supervisor")).status_code == 200
    assert (await world.patch(f"/v1/people/{agent['id']}", {"role": "admin"}, "admin")).status_code == 200
    assert (await world.get(f"/v1/people/{admin.id}")).json()["role"] == "admin"


async def test_unknown_people_are_not_found(world: Any) -> None:
    """Reading or changing an unknown ID is 404 in the problem form."""
    for answer in (await world.get("/v1/people/nobody"), await world.patch("/v1/people/nobody", {"name": "N"})):
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_people_are_listed_by_pages(world: Any) -> None:
    """Pages hold everybody once, oldest first, of one organisation where it is given; a foreign cursor is refused."""
    shop = await world.organization()
    for number in range(5):
        await world.person(f"p{number}@shop.example", organization_id=shop.id if number % 2 else None)
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = (await world.get(f"/v1/people?limit=2{cursor and '&cursor=' + cursor}")).json()
        seen += [person["email"] for person in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert (seen, pages) == ([f"p{number}@shop.example" for number in range(5)], 3)
    of_shop = (await world.get(f"/v1/people?organization_id={shop.id}&limit=1")).json()
    assert [person["email"] for person in of_shop["items"]] == ["p1@shop.example"]
    assert (await world.get(f"/v1/people?cursor={of_shop['next']}")).status_code == 422
    assert (await world.get("/v1/people?limit=0")).status_code == 422


async def test_nothing_secret_is_stored_of_people(world: Any) -> None:
    """The table of people has no column for a password or another secret."""
    with sqlite3.connect(world.path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(person)")]
    connection.close()
    assert columns == [
        "id",
        "email",
        "name",
        "language",
        "role",
        "organization_id",
        "tier",
        "skills",
        "active",
        "version",
    ]

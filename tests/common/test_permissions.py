"""The permission table: every row well-formed, and reach over objects as the relation says."""

import re
from itertools import product

import pytest
from firstline.common.errors import Forbidden, NotFound
from firstline.common.permissions import PUBLIC, STAFF, TABLE, Access, Principal, Relation, Role, access

ROW = re.compile(r"[a-z_]+\.[a-z_]+")
PARTICIPANTS = frozenset({"clara@shop.example", "petra@partner.example"})


def principal(
    role: Role = Role.CLIENT, email: str = "clara@shop.example", organization: str | None = None
) -> Principal:
    """Return somebody."""
    return Principal("id", role, email, organization)


@pytest.mark.parametrize("operation", TABLE)
def test_rows_are_well_formed(operation: str) -> None:
    """A row is named noun.verb, lets somebody in, gives staff and services any object and clients never all of them."""
    row = TABLE[operation]
    assert ROW.fullmatch(operation)
    assert row
    for role, relation in row.items():
        assert isinstance(role, Role)
        assert isinstance(relation, Relation)
        assert (relation is Relation.ANY) == (role in STAFF | {Role.SERVICE})


@pytest.mark.parametrize("operation", TABLE)
def test_ranks_include_one_another(operation: str) -> None:
    """What an agent may a supervisor may, what a supervisor may an admin may, what a client may a partner may."""
    row = TABLE[operation]
    for lower, higher in ((Role.AGENT, Role.SUPERVISOR), (Role.SUPERVISOR, Role.ADMIN), (Role.CLIENT, Role.PARTNER)):
        assert lower not in row or higher in row


def test_the_log_is_for_services_alone() -> None:
    """The one row of services is the log, which holds everything, and nobody else has it."""
    assert [operation for operation, row in TABLE.items() if Role.SERVICE in row] == ["log.read"]
    assert list(TABLE["log.read"]) == [Role.SERVICE]
    assert PUBLIC not in TABLE


@pytest.mark.parametrize(("operation", "role"), list(product(TABLE, Role)))
def test_access_is_what_the_row_says(operation: str, role: Role) -> None:
    """A role in the row gets its relation; any other is refused in words that name who may."""
    expected = TABLE[operation].get(role)
    if expected is not None:
        assert access(operation, principal(role)) == Access(principal(role), expected)
        return
    with pytest.raises(Forbidden) as refused:
        access(operation, principal(role))
    assert role.value in refused.value.detail


def test_an_unknown_operation_is_a_mistake() -> None:
    """An operation that the table lacks can't be used at all."""
    with pytest.raises(KeyError):
        access("tickets.explode", principal(Role.ADMIN))


@pytest.mark.parametrize(
    ("relation", "email", "own_organization", "its_organization", "covered"),
    [
        (Relation.OWN, "clara@shop.example", None, None, True),
        (Relation.OWN, "mallory@shop.example", "shop", "shop", False),
        (Relation.OWN, "clara@shop.example", "shop", "other", True),
        (Relation.ORGANIZATION, "mallory@shop.example", "shop", "shop", True),
        (Relation.ORGANIZATION, "mallory@shop.example", "shop", "other", False),
        (Relation.ORGANIZATION, "mallory@shop.example", None, None, False),
        (Relation.ORGANIZATION, "petra@partner.example", "other", None, True),
        (Relation.ANY, "anna@firstline.example", None, "shop", True),
        (Relation.OWN, "", None, None, False),
    ],
)
def test_reach_over_an_object(
    relation: Relation, email: str, own_organization: str | None, its_organization: str | None, *, covered: bool
) -> None:
    """Own means to be a participant, organisation also to share a known one, any is any; out of reach is not there."""
    reach = Access(principal(email=email, organization=own_organization), relation)
    assert reach.covers(PARTICIPANTS, its_organization) is covered
    if covered:
        reach.demand(PARTICIPANTS, its_organization)
        return
    with pytest.raises(NotFound):
        reach.demand(PARTICIPANTS, its_organization)


@pytest.mark.parametrize("role", Role)
def test_staff_are_those_who_answer(role: Role) -> None:
    """Agents, supervisors and admins are staff; clients, partners and services are not."""
    assert principal(role).is_staff == (role in (Role.AGENT, Role.SUPERVISOR, Role.ADMIN))

"""Who may do what: one table of operation by role, with the relation that the caller must have to the object."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from firstline.common.errors import Forbidden, NotFound


class Role(StrEnum):
    """What a person or a system is to the desk; `service` is one of our own processes."""

    CLIENT = "client"
    PARTNER = "partner"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    SERVICE = "service"


STAFF = frozenset({Role.AGENT, Role.SUPERVISOR, Role.ADMIN})


class Relation(StrEnum):
    """How near the object must be: the caller's own, their organisation's, or any."""

    OWN = "own"
    ORGANIZATION = "organization"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, as their token says; `email` is in lower case.

    Attributes:
        id: the person's, or that of an organisation's own key.
        role: what they may do.
        organization_id: whose requests they may see as well; None for whoever belongs to none.
        tier: the tier that a specialist serves.
        skills: topics that a specialist serves.
        client_id: the key that a program calls with, None for a person.
        name: how they are called, for texts that others read.

    """

    id: str
    role: Role
    email: str
    organization_id: str | None = None
    tier: str | None = None
    skills: tuple[str, ...] = ()
    client_id: str | None = None
    name: str | None = None

    @property
    def is_staff(self) -> bool:
        """Whether the caller answers requests."""
        return self.role in STAFF


@dataclass(frozen=True, slots=True)
class Access:
    """A caller who may use an operation, and on which objects."""

    principal: Principal
    relation: Relation

    def covers(self, participants: frozenset[str], organization_id: str | None) -> bool:
        """Say whether an object with these people (addresses in lower case) and organisation is within reach."""
        # By address and not by ID: people take part by mail long before they have an account.
        own = self.principal.email in participants
        if self.relation is Relation.ANY or own:
            return True
        # None is no organisation, and two people without one are not of the same.
        same = organization_id is not None and organization_id == self.principal.organization_id
        return self.relation is Relation.ORGANIZATION and same

    def demand(self, participants: frozenset[str], organization_id: str | None) -> None:
        """Refuse an object out of reach, in the words used for one that is not there.

        Raises:
            NotFound: the caller may not know that it exists.

        """
        if not self.covers(participants, organization_id):
            raise NotFound("Nothing with this ID is here for you. Check the ID.")


_STAFF = {Role.AGENT: Relation.ANY, Role.SUPERVISOR: Relation.ANY, Role.ADMIN: Relation.ANY}
# A partner answers for the clients of their organisation, and so sees their requests as their own.
_CLIENTS = {Role.CLIENT: Relation.OWN, Role.PARTNER: Relation.ORGANIZATION}
_EVERYBODY = {**_CLIENTS, **_STAFF}
_ADMIN = {Role.ADMIN: Relation.ANY}
_LEADERS = {Role.SUPERVISOR: Relation.ANY, Role.ADMIN: Relation.ANY}
_SERVICE = {Role.SERVICE: Relation.ANY}

PUBLIC = "public"
"""The row of operations that need no token."""

TABLE: Mapping[str, Mapping[Role, Relation]] = MappingProxyType(
    {
        "tickets.submit": _EVERYBODY,
        "tickets.check": _EVERYBODY,
        "tickets.read": _EVERYBODY,
        "tickets.list": _EVERYBODY,
        "tickets.bulk": _EVERYBODY,
        "incidents.read": _STAFF,
        "incidents.manage": _STAFF,
        "banners.read": _EVERYBODY,
        "tickets.history": _EVERYBODY,
        "held_texts.list": _STAFF,
        "held_texts.release": _STAFF,
        "held_texts.move": _STAFF,
        "tickets.reply": _EVERYBODY,
        "tickets.triage": _STAFF,
        "tickets.wait": _STAFF,
        "tickets.resume": _STAFF,
        "tickets.rate": _CLIENTS,
        "supervisor_requests.ask": _CLIENTS,
        "supervisor_requests.read": _EVERYBODY,
        "supervisor_requests.answer": _LEADERS,
        "supervisor_requests.list": _LEADERS,
        "access_requests.ask": _STAFF,
        "access_requests.read": _EVERYBODY,
        "access_requests.provide": _CLIENTS,
        "access_requests.revoke": _EVERYBODY,
        "access_requests.reveal": _STAFF,
        "access_requests.confirm": _CLIENTS,
        "tickets.handover": _STAFF,
        "tickets.release_plan": _STAFF,
        "tickets.resolve": _STAFF,
        "tickets.close": _EVERYBODY,
        "tickets.reopen": _EVERYBODY,
        "tickets.split": _STAFF,
        "tickets.merge": _STAFF,
        "tickets.link": _STAFF,
        "attachments.upload": _EVERYBODY,
        "attachments.read": _EVERYBODY,
        "mails.read": _STAFF,
        "reports.urgency_claims": _LEADERS,
        "reports.read": _LEADERS,
        "simulations.manage": _LEADERS,
        "mails.judge": _STAFF,
        "articles.read": _EVERYBODY,
        "articles.manage": _STAFF,
        "articles.report": _LEADERS,
        "canned_answers.read": _STAFF,
        "canned_answers.manage": _STAFF,
        "policy.read": _EVERYBODY,
        "releases.read": _STAFF,
        "releases.ship": _STAFF,
        "queue.read": _EVERYBODY,
        "queue.list": _STAFF,
        "queue.claim": _STAFF,
        "clocks.read": _STAFF,
        "forecasts.read": _EVERYBODY,
        "clocks.compute": _EVERYBODY,
        "clocks.recompute": _LEADERS,
        "calendar.compute": _EVERYBODY,
        "endpoints.manage": {Role.PARTNER: Relation.ORGANIZATION, **_ADMIN},
        "deliveries.read": _STAFF,
        "deliveries.retry": _LEADERS,
        "events.read": _EVERYBODY,
        "people.read": _STAFF,
        "people.manage": _LEADERS,
        "people.erase": _ADMIN,
        "organizations.read": _STAFF,
        "organizations.manage": _LEADERS,
        "licences.read": _STAFF,
        "licences.manage": _LEADERS,
        "api_keys.manage": {Role.PARTNER: Relation.ORGANIZATION, **_ADMIN},
        "me.read": _EVERYBODY,
        "log.read": _SERVICE,
    }
)
"""Every operation and who may use it on what. An operation that is not here can't be declared."""


def access(operation: str, principal: Principal) -> Access:
    """Return the caller's reach in an operation.

    Raises:
        Forbidden: the role may not use it at all.

    """
    relation = TABLE[operation].get(principal.role)
    if relation is None:
        roles = ", ".join(role.value for role in TABLE[operation])
        raise Forbidden(f"This operation is for {roles}; you are signed in as {principal.role.value}.")
    return Access(principal, relation)

"""Bodies of requests and answers, and how they become people, organisations, licences and keys."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    StringConstraints,
    model_validator,
)

from firstline.accounts.store.certificates import Certificate
from firstline.accounts.store.directory import Licence, Person
from firstline.common.bus import SOURCES
from firstline.common.ports import Ports


def _one_line(text: str) -> str:
    """Refuse line breaks and control characters: names go into the headers of mails."""
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError("Write it on one line, without control characters.")
    return text


def _utc(instant: datetime) -> datetime:
    """Return the instant in UTC, kept away from the ends of the calendar, where another time zone has no date."""
    if not 1970 <= instant.year <= 9000:  # noqa: PLR2004 (a year says itself what it is)
        raise ValueError("Give a year between 1970 and 9000.")
    return instant.astimezone(UTC)


PersonRole = Literal["client", "partner", "agent", "supervisor", "admin"]
Tier = Literal["helpdesk", "technical_support", "development"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)]
Skill = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_one_line)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length=35)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
PERSON_EXAMPLE: dict[str, Any] = {"email": "clara@shop.example", "name": "Clara", "language": "en", "role": "client"}


class Sent(BaseModel):
    """What callers send: unknown members are refused."""

    model_config = ConfigDict(extra="forbid")


def _without_defaults(schema: dict[str, Any]) -> None:
    """Take the defaults out of a JSON Schema, lest a client sends them."""
    for member in schema["properties"].values():
        member.pop("default", None)


class Changes(Sent):
    """What to change: members that are left out stay as they are, so defaults mean nothing here and are not shown."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Answered(BaseModel):
    """What they get, taken from the attributes of a row."""

    model_config = ConfigDict(from_attributes=True)


class NewPerson(Sent):
    """Somebody to make known."""

    model_config = ConfigDict(json_schema_extra={"examples": [PERSON_EXAMPLE]})

    email: EmailStr = Field(description="Who they are here; it can't be changed later.")
    role: PersonRole
    name: Name | None = None
    language: Language | None = None
    organization_id: Id | None = Field(None, description="Required for a partner.")
    tier: Tier | None = Field(None, description="Where a specialist works.")
    skills: tuple[Skill, ...] = Field((), max_length=50, examples=[["dns", "sql"]])

    def person(self, ports: Ports) -> Person:
        """Return the person, active and with a new id."""
        return Person(**self.model_dump(), id=ports.ids.new(), active=True, version=1)


class PersonChanges(Changes):
    """What to change of a person; what is left out stays."""

    name: Name | None = Field(None, examples=["Clara Mint"])
    language: Language | None = Field(None, examples=["de"])
    role: PersonRole = Field("client", examples=["agent"])
    organization_id: Id | None = None
    tier: Tier | None = Field(None, examples=["helpdesk"])
    skills: tuple[Skill, ...] = Field((), max_length=50, examples=[["dns", "sql"]])
    active: bool = Field(True, description="False ends every session; true lets them in again.")

    def applied(self, person: Person) -> Person:
        """Return the person as wanted."""
        return replace(person, **self.model_dump(exclude_unset=True))


class PersonBody(Answered):
    """A person as they are now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                PERSON_EXAMPLE
                | {"id": "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5", "active": True, "version": 1}
                | {"organization_id": None, "tier": None, "skills": []}
            ]
        }
    )

    id: str
    email: str
    name: str | None
    language: str | None
    role: str
    organization_id: str | None
    tier: str | None
    skills: list[str]
    active: bool
    version: int


class NewOrganization(Sent):
    """A company to make known."""

    name: Name = Field(examples=["Shop Example"])
    kind: Literal["customer", "partner"]


class OrganizationBody(Answered):
    """A company."""

    id: str
    name: str = Field(examples=["Shop Example"])
    kind: str = Field(examples=["customer"])


class NewLicence(Sent):
    """A licence to make known by its key."""

    key: Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=200)] = Field(
        description="Kept as SHA-256 with its last four characters; letter case matters.",
        examples=["S24-NA-1FZ0-7K3M-9QPX"],
    )
    organization_id: Id | None = None
    product: Name = Field(examples=["Bitrix24"])
    edition: Name | None = Field(None, examples=["Enterprise"])
    active_until: Instant | None = Field(None, description="Null: without end.", examples=["2027-12-31T00:00:00Z"])


class LicenceChanges(Changes):
    """What to change of a licence, such as its renewal; what is left out stays."""

    organization_id: Id | None = None
    product: Name = Field("", examples=["Bitrix24"])
    edition: Name | None = Field(None, examples=["Enterprise"])
    active_until: Instant | None = Field(None, description="Null: without end.", examples=["2028-12-31T00:00:00Z"])

    def applied(self, licence: Licence) -> Licence:
        """Return the licence as wanted."""
        return replace(licence, **self.model_dump(exclude_unset=True))


class LicenceBody(Answered):
    """A licence as it is now; nobody gets its key back."""

    id: str
    last4: str = Field(examples=["9QPX"])
    organization_id: str | None
    product: str = Field(examples=["Bitrix24"])
    edition: str | None
    active_until: datetime | None
    version: int


class NewApiKey(Sent):
    """A key to make, for one person or for one organisation."""

    name: Name = Field(description="What uses it.", examples=["Shop's CRM"])
    person_id: Id | None = Field(None, description="Whom it acts for, with their role.")
    organization_id: Id | None = Field(None, description="For which organization it acts, as its partner.")

    @model_validator(mode="after")
    def _one_owner(self) -> "NewApiKey":
        """Demand exactly one owner."""
        if (self.person_id is None) == (self.organization_id is None):
            raise ValueError("Give either person_id or organization_id: whom the key acts for.")
        return self


class ApiKeyBody(Answered):
    """A key without its secret."""

    id: str
    name: str = Field(examples=["Shop's CRM"])
    last4: str = Field(examples=["x7Qk"])
    person_id: str | None
    organization_id: str | None
    role: str = Field(examples=["partner"])
    created_at: datetime
    revoked_at: datetime | None


class MadeApiKey(ApiKeyBody):
    """A new key with its secret, which is shown this once."""

    api_key: str = Field(examples=["flk_Zr0aJm5cD8sJw2o1xq9yV3u7tB6nL4kH5gF2eR8pQwE"])


class KeySent(Sent):
    """An API key to exchange for a token."""

    api_key: Secret = Field(examples=["flk_Zr0aJm5cD8sJw2o1xq9yV3u7tB6nL4kH5gF2eR8pQwE"])


class CodeSent(Sent):
    """The secret of a sign-in link."""

    code: Secret = Field(examples=["q9yV3u7tB6nL4kH5gF2eR8pQwEZr0aJm5cD8sJw2o1x"])


class RefreshTokenSent(Sent):
    """A refresh token."""

    refresh_token: Secret = Field(examples=["V3u7tB6nL4kH5gF2eR8pQwEZr0aJm5cD8sJw2o1xq9y"])


class TokenBody(BaseModel):
    """A bearer token and the seconds that it lives."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (the name of a scheme, not a secret)
    expires_in: int = Field(examples=[900])


class SessionBody(TokenBody):
    """What somebody who signed in gets; the refresh token is good for one use."""

    refresh_token: str
    person: PersonBody


class MeBody(Answered):
    """Who the caller is to the desk, as the token says."""

    id: str
    role: str = Field(examples=["agent"])
    email: str = Field(examples=["anna@firstline.example"])
    name: str | None
    organization_id: str | None
    tier: str | None
    skills: list[str]
    client_id: str | None = Field(description="The API key that acts for them, where one does.")


class JwkSet(BaseModel):
    """The public keys that verify this desk's tokens (RFC 7517)."""

    keys: list[dict[str, str]]


class ErasedThere(BaseModel):
    """What one service erased, and what may still name the person and can't be looked into: how much of each kind."""

    service: str
    erased: dict[str, int]
    not_looked_into: dict[str, int] = Field(
        {},
        description="`held texts` are kept sealed and go after the policy's days; media types count the files of others"
        " in the person's requests.",
        examples=[{"image/png": 2, "application/zip": 1}],
    )
    at: datetime


class CertificateBody(BaseModel):
    """What was erased of a person; `waiting_for` names the services that have not answered."""

    person_id: str
    asked_by: str
    asked_at: datetime
    completed_at: datetime | None
    services: list[ErasedThere]
    waiting_for: list[str]

    @classmethod
    def of(cls, certificate: Certificate) -> Self:
        """Return a certificate as it is shown."""
        reports = certificate.reports
        return cls(
            person_id=certificate.person_id,
            asked_by=certificate.asked_by,
            asked_at=certificate.asked_at,
            completed_at=certificate.completed_at,
            services=[ErasedThere(service=name, **reports[name]) for name in sorted(reports)],
            waiting_for=sorted(set(SOURCES["accounts"]) - set(reports)),
        )

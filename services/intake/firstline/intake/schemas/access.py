"""Access requests and what is given for them, as they come in and are shown (clause 4.3)."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, Field, SecretStr, StringConstraints

from firstline.common.policy.access import AccessData
from firstline.intake.access import AccessRequest, purge_at, to_change
from firstline.intake.schemas.given import Body, Line, NoNul

VALUE_LIMIT = 20_000
"""Characters of one value: a private key has some thousand."""

Codes = Annotated[list[Annotated[str, StringConstraints(max_length=40)]], Field(max_length=20)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000), NoNul]
Value = Annotated[SecretStr, Field(max_length=VALUE_LIMIT)]


class AccessRequestIn(Body):
    """What staff asks the client for: kinds of the policy, why, and where it holds."""

    kinds: Annotated[Codes, Field(min_length=1, examples=[["ftp"]])]
    reason: Reason = Field(description="The client reads it.", examples=["To look at the update's log on the server."])
    host: Line | None = Field(None, examples=["shop.example"])
    expires_at: AwareDatetime | None = Field(None, description="Until when it can be answered; the policy's days.")


class ProvideIn(Body):
    """What the client gives: kind → field → value, for all that was asked for or a part of it."""

    values: Annotated[dict[str, Annotated[dict[str, Value], Field(max_length=20)]], Field(max_length=20)] = Field(
        examples=[{"ftp": {"login": "clara", "password": "…"}}]
    )


class RevealIn(Body):
    """Why a specialist reads what was given, and which kinds of it; all of them unless some are named."""

    reason: Reason = Field(description="The client reads it.", examples=["Compare the files on the server."])
    kinds: Codes = Field(default_factory=list)


class MoveIn(Body):
    """As which kind of access data what was found is kept, why, and where it holds."""

    kind: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(examples=["ftp"])
    reason: Reason = Field(description="The client reads it.", examples=["You wrote it in a message."])
    host: Line | None = Field(None, examples=["shop.example"])


class AccessFieldOut(BaseModel):
    """A value that a kind consists of."""

    code: str
    title: str
    optional: bool
    long: bool


class AccessKindOut(BaseModel):
    """A kind of access that is asked for."""

    code: str
    title: str
    fields: list[AccessFieldOut]


class RevealedOut(BaseModel):
    """That somebody read what was given: who, when, which kinds, why."""

    by: str
    at: datetime
    kinds: list[str]
    reason: str


class AccessRequestOut(BaseModel):
    """An access request as it stands; what was given is in no answer but that of `reveal`."""

    id: str
    ticket_id: str
    kinds: list[AccessKindOut]
    host: str | None
    reason: str
    status: str
    cause: str | None
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    given: list[str]
    provided_by: str | None
    provided_at: datetime | None
    purge_at: datetime | None
    reveals: list[RevealedOut]
    ended_at: datetime | None
    to_change: list[str] = Field(description="Kinds that the client has been told to change, and hasn't confirmed.")
    changed_by: str | None
    changed_at: datetime | None
    advice: str | None

    @classmethod
    def of(cls, request: AccessRequest, rules: AccessData | None) -> Self:
        """Return an access request as it is shown, with the policy's words for its kinds."""
        kinds = []
        for code in request.kinds:
            known = rules.kind(code) if rules else None
            fields = [AccessFieldOut(**field.model_dump()) for field in known.fields] if known else []
            kinds.append(AccessKindOut(code=code, title=known.title if known else code, fields=fields))
        plain = {name: getattr(request, name) for name in cls.model_fields if hasattr(request, name)}
        return cls(
            **plain
            | {
                "kinds": kinds,
                "reveals": [RevealedOut(**one) for one in request.reveals],
                "purge_at": purge_at(request, rules),
                "to_change": to_change(request, rules) if request.told_at is not None else [],
                "advice": rules.advice if rules else None,
            }
        )


class RevealOut(BaseModel):
    """What was given, for its one reader; it is stored nowhere on the way."""

    id: str
    revealed_at: datetime
    values: dict[str, dict[str, str]] = Field(examples=[{"ftp": {"login": "clara", "password": "…"}}])

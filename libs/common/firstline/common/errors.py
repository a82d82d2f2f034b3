"""The one tree of errors. Each leaf is named after the rule that was broken and becomes one problem document.

The types of problems are part of the API: a class may be renamed only if its `slug` stays. Expected outcomes are raised
as these and are no errors of the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong value in a request: an RFC 6901 JSON pointer to it, and what to do about it."""

    pointer: str
    detail: str


class FirstlineError(Exception):
    """A request that can't be served as it is; subclasses fix the HTTP status and the stable problem type.

    Attributes:
        status: the HTTP status of the answer.
        slug: last part of the problem's `type`; by default the class name in kebab case.
        title: one short line that is the same for every occurrence.
        retry_after: seconds after which trying again makes sense, None where it doesn't.

    """

    status = 500
    title = "The request could not be served"
    retry_after: int | None = None

    def __init__(
        self,
        detail: str,
        *,
        faults: tuple[Fault, ...] = (),
        clause: str | None = None,
        retry_after: int | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """Say in `detail` what happened and what to do.

        Args:
            detail: text for the caller of the API.
            faults: the single wrong values, where there are any.
            clause: the policy's clause, where the policy is the reason.
            retry_after: seconds, where the kind of error says nothing fitting.
            extra: further members of the problem document.

        """
        super().__init__(detail)
        self.detail = detail
        self.faults = faults
        self.clause = clause
        # Only where it was given, so that the class's own answer stands otherwise.
        if retry_after is not None:
            self.retry_after = retry_after
        self.extra = dict(extra or {})

    @property
    def slug(self) -> str:
        """The problem type's last part, such as `illegal-transition`."""
        name = type(self).__name__
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


class Invalid(FirstlineError):
    """The request's content can't be accepted; change it before trying again."""

    status = 422
    title = "The request is not valid"


class Unauthenticated(FirstlineError):
    """Nobody is known behind the request: sign in or send a valid token."""

    status = 401
    title = "Sign in first"


class Forbidden(FirstlineError):
    """The caller is known and may not do this."""

    status = 403
    title = "Not allowed"


class NotFound(FirstlineError):
    """Nothing is there, or nothing that this caller may see (both answer alike).

    A 403 would tell that the ID exists.
    """

    status = 404
    title = "Not found"


class MethodNotAllowed(FirstlineError):
    """The address is right, the method isn't."""

    status = 405
    title = "Method not allowed"


class Conflict(FirstlineError):
    """The request does not fit the present state; read it again before trying anew."""

    status = 409
    title = "Does not fit the present state"


class IllegalTransition(Conflict):
    """The verb is not allowed in the ticket's status; `allowed` names the verbs that are."""

    title = "Not possible in this status"


class StaleClaim(Conflict):
    """Somebody else holds the claim, or this one has ended (fence too low or lease over)."""

    title = "The claim is not yours any more"


class PreconditionFailed(FirstlineError):
    """`If-Match` named an older version."""

    status = 412
    title = "It has changed since you read it"


class TooLarge(FirstlineError):
    """The body exceeds the limit."""

    status = 413
    title = "Too large"


class UnsupportedType(FirstlineError):
    """The content type is not one that this operation takes."""

    status = 415
    title = "Content type not supported"


class TooMany(FirstlineError):
    """A rate limit is reached; wait for `Retry-After`."""

    status = 429
    title = "Too many requests"
    retry_after = 1


class Unavailable(FirstlineError):
    """The store or another thing that is needed is out of reach now; nothing was stored."""

    status = 503
    title = "Out of reach for the moment"
    retry_after = 2


class OutcomeUnknown(Unavailable):
    """The store was lost while it wrote: what was to be stored may be there. Trying again with a key is safe."""

    # Outside it is the same as Unavailable: try again. The difference is for us, who must not try again without a key.
    slug = "unavailable"


class Unexpected(FirstlineError):
    """A mistake of ours; the logs say more, the caller hears that trying again is safe."""

    title = "Something went wrong on our side"

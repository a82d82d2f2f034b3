"""The envelope of every event: CloudEvents 1.0 JSON with its place in the producer's log and in its stream."""

import builtins
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

D = TypeVar("D", bound=BaseModel)


class Envelope(BaseModel):
    """One event as it travels. Unknown members are kept out of the way, so that producers may grow.

    `version` counts from 1 without gaps within `stream`; `position` likewise within the log named `log`; `hash` chains
    the log's rows.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: str = "1.0"
    id: str
    type: str
    source: str
    time: datetime
    subject: str | None = None
    stream: str
    version: int
    log: str
    position: int
    hash: str
    traceparent: str | None = None
    dataschema: str | None = None
    data: dict[str, Any]

    def payload(self, model: "builtins.type[D]") -> D:
        """Return the data as the event's model.

        Raises:
            pydantic.ValidationError: the data is not what the model demands.

        """
        return model.model_validate(self.data)


def prefix_of(event_type: str) -> str:
    """Return the part of an event type that consumers bind: `ticket` for `ticket.submitted`."""
    return event_type.partition(".")[0]


def bound_by(prefixes: tuple[str, ...]) -> Callable[[str], bool]:
    """Return a test whether a consumer that binds these prefixes takes an event type.

    By the first label alone, since an inbox needs every version of a stream it follows.
    """
    known = frozenset(prefixes)
    return lambda event_type: prefix_of(event_type) in known

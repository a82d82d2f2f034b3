"""What the parts of a policy are made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

Provenance = Literal["seed", "public", "inferred"]
"""Where an item comes from: the policy's own text, other public material, or our inference."""


class Part(BaseModel):
    """A piece of the policy: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

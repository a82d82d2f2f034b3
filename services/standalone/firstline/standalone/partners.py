"""Reading the file of partners' systems that may send webhooks; their secrets lie in files of their own."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from firstline.common.errors import Invalid
from firstline.common.ports import Clock
from firstline.intake.partners import Source, SourceTerms, key_of
from firstline.intake.service.partners import Partners


class SourcesNotValid(Invalid):
    """The file of partners' systems has a mistake; the detail says where."""

    title = "The partners' file is not valid"


class SourcesFile(BaseModel):
    """The file: one entry for each system."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[SourceTerms, ...]


def load_partners(file: Path | None, wall: Clock) -> Partners:
    """Return the systems that a file names, each with the secrets in its own file; none where there is no file.

    Raises:
        SourcesNotValid: a file can't be read, or doesn't say what it has to.

    """
    if file is None:
        return Partners({}, wall)
    try:
        terms = SourcesFile.model_validate(yaml.safe_load(file.read_text("utf-8"))).sources
        sources = {one.code: Source(one, _keys(file.parent / one.secret_file)) for one in terms}
    except (OSError, ValueError, ValidationError, yaml.YAMLError) as error:
        raise SourcesNotValid(f"{file} can't be used: {error}") from error
    # A dictionary would quietly keep the second of two systems with one code, and its secret for both.
    if len(sources) < len(terms):
        raise SourcesNotValid(f"{file} can't be used: two systems have one code.")
    return Partners(sources, wall)


def _keys(file: Path) -> tuple[bytes, ...]:
    """Return the keys that the lines of a file stand for.

    Raises:
        OSError: it can't be read.
        ValueError: it holds no secret, or something else.

    """
    # Several lines are several secrets, old and new, so that a partner can change theirs without a gap.
    keys = tuple(key_of(line.strip()) for line in file.read_text("ascii").splitlines() if line.strip())
    if not keys:
        raise ValueError(f"{file} holds no secret")
    return keys

"""What somebody typed, and what is wrong with it: a refused form comes back with nothing lost."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import UploadFile

from firstline.web import views
from firstline.web.client import Refusal
from firstline.web.visit import Posted, Visit
from firstline.web.words import one_line

LICENCE: Final = "licence_key"
MEBIBYTE: Final = 1024 * 1024

WORDS: Final = (
    "body",
    "last",
    "note",
    "wait_note",
    "resume_note",
    "solution",
    "reopen_body",
    "close_body",
    "why",
    "level_why",
    "split_body",
    "ship_note",
    "ask_body",
    "rating_comment",
    "answer",
)
"""The fields in which people write sentences."""

_ALIASES: Final = {"attachment_ids": "files"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was uploaded with an earlier try of the form."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class FileRules:
    """Which files are taken: a sentence, and the name endings for the browser's file chooser."""

    text: str
    endings: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as it is shown.

    Attributes:
        key: makes a repetition of the form harmless.
        values: what was typed, by field.
        kept: files that need not be chosen again.
        wrong: what is wrong, by field; the empty name is for what belongs to no field.
        title: what happened, where something is wrong.
        open: the act that was refused; its form is shown unfolded.
        hints: remarks that hinder nothing.

    """

    key: str
    values: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[Kept, ...] = ()
    wrong: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    open: str = ""
    hints: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """Return what was typed into a field."""
        return self.values.get(name, "")

    def rescued(self, shown: Collection[str]) -> list[str]:
        """Return the words that were typed for an act whose form is not among those shown, so that they can be kept."""
        if not self.open or self.open in shown:
            return []
        return [words for name, words in self.values.items() if name in WORDS and words.strip()]

    @property
    def named(self) -> list[str]:
        """The fields that need another look, in the order in which they were found wrong."""
        return [name for name in self.wrong if name]


def faults_by_field(refusal: Refusal, fields: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what is wrong by field of the form: each pointer's first part, or what `fields` calls it or all of it.

    The API names members of its body; a form has fields of other names, several of them for one member.
    """
    known = {**_ALIASES, **(fields or {})}
    wrong: dict[str, str] = {}
    for pointer, advice in refusal.faults:
        path = pointer.lstrip("/")
        part = path.partition("/")[0]
        wrong.setdefault(known.get(path) or known.get(part, part), advice)
    return wrong or {"": refusal.detail}


def refused(
    posted: Posted,
    refusal: Refusal,
    kept: tuple[Kept, ...] = (),
    *,
    opened: str = "",
    fields: Mapping[str, str] | None = None,
) -> Draft:
    """Return a form that the API refused, as it was typed; `fields` names the form's fields for the API's members."""
    wrong = faults_by_field(refusal, fields)
    shown = {name for name in posted.form if name not in ("csrf", "key", "kept", "files")}
    # A fault in a member for which the form has no field is told at the top.
    stray = [name for name in wrong if name not in shown and name not in ("", "files")]
    for name in stray:
        wrong[""] = f"{wrong.get('', '')} {wrong.pop(name)}".strip()
    return Draft(
        key_of(posted), typed(posted), kept, wrong, "Have another look" if refusal.faults else refusal.title, opened
    )


def lacking(advice: Mapping[str, str]) -> Refusal:
    """Return the refusal of a form that lacks something, in the form of the API's: field → what to do."""
    faults = tuple((f"/{name}", text) for name, text in advice.items())
    return Refusal(422, "invalid", "Have another look", "", faults)


def empty(posted: Posted, advice: Mapping[str, str]) -> dict[str, str]:
    """Return the advice for each field in which nothing was typed."""
    return {name: text for name, text in advice.items() if not posted.text(name)}


def typed(posted: Posted) -> dict[str, str]:
    """Return the text fields as they were typed."""
    return {name: value for name, value in posted.form.items() if isinstance(value, str)}


def key_of(posted: Posted) -> str:
    """Return the form's own key, or a new one where it was taken away."""
    # The same key at each repetition makes a form that is sent twice count once.
    return posted.text("key") or posted.visit.new_key()


def file_rules(policy: Mapping[str, Any]) -> FileRules:
    """Say which files the policy takes (clause 4.6)."""
    rules = policy["attachments"]
    pictures = ", ".join(_first_endings(rules["images"]))
    packed = ", ".join(_first_endings(rules["only_in_archive"]))
    others = ", ".join([*_first_endings(rules["others"]), *_first_endings(rules["archives"])])
    text = f"Pictures: {pictures} ({packed} in an archive). Also {others}. Up to {rules['max_size_mib']} MB each."
    types = {**rules["images"], **rules["archives"], **rules["others"]}
    return FileRules(text, ",".join(f".{ending}" for endings in types.values() for ending in endings))


def _first_endings(types: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the usual name ending of each type, as people say it."""
    return [endings[0].upper() for endings in types.values()]


async def take_files(posted: Posted, policy: Mapping[str, Any]) -> tuple[tuple[Kept, ...], dict[str, str]]:
    """Upload the files of a form; return those that were taken, now or with an earlier try, and what is wrong."""
    earlier = [value for value in posted.form.getlist("kept") if isinstance(value, str)]
    # Files of an earlier try lie at the desk already; browsers can't
    # be given a chosen file back, so the form carries their IDs.
    kept = [Kept(file_id, name) for file_id, _, name in (value.partition(" ") for value in earlier)]
    wrong = []
    limit = policy["attachments"]["max_size_mib"] * MEBIBYTE
    for file in posted.form.getlist("files"):
        # A browser sends an empty part without a name where no file was chosen.
        if not isinstance(file, UploadFile) or not file.filename:
            continue
        name = one_line(file.filename)
        try:
            kept.append(Kept(await _upload(posted.visit, file, limit, policy), name))
        except Refusal as refusal:
            advice = next((text for _, text in refusal.faults), refusal.detail)
            # One file that is refused takes no other with it, and its name says which it was.
            wrong.append(f"{name}: {advice}")
    return tuple(kept), {"files": " ".join(wrong)} if wrong else {}


async def _upload(visit: Visit, file: UploadFile, limit: int, policy: Mapping[str, Any]) -> str:
    """Upload one file; return its attachment ID.

    Raises:
        Refusal: it is too large, or the API doesn't take it; nothing of it is kept.

    """
    # Looked at here as well, so that a file that would be refused isn't sent on first.
    if (file.size or 0) > limit:
        raise Refusal(413, "too-large", "The file is too large", policy["attachments"]["advice"]["size"])
    media_type = file.content_type or "application/octet-stream"
    stored = await visit.desk.upload(file.filename or "", file.file, media_type)
    return str(stored["id"])


def with_answers(words: str, asked: Sequence[views.Question], answers: Mapping[str, str]) -> str:
    """Return a message with the answers to questions below what was written freely; `answers` goes by field.

    A licence key goes into no message: it is looked up and let go.
    """
    given = [question for question in asked if question.field in answers and question.field != LICENCE]
    found = [f"{question.text}\n{answers[question.field]}" for question in given]
    return "\n\n".join(part for part in (words, *found) if part)

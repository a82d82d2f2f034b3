"""The support policy as frozen data: what it covers, asks for, owes and says (clauses 1.1 to 4.8).

Codes such as `installation` are the policy's own words; the few fixed vocabularies below are the API's. Fields only
grow: a later one has a default, and a default is never changed, or the version of old documents would change with it.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from firstline.common.policy.access import AccessData
from firstline.common.policy.closing import Closing
from firstline.common.policy.incidents import Incidents
from firstline.common.policy.parts import Code, Part, Provenance, Words
from firstline.common.policy.pasted import PastedSecrets
from firstline.common.policy.targets import Targets
from firstline.common.policy.wording import PLACEHOLDERS, Language, Wording

Verdict = Literal["in", "out", "undetermined"]
SupportMode = Literal["full", "consult_only", "none"]
Tier = Literal["helpdesk", "technical_support", "development"]
WaitingCause = Literal["client", "third_party", "release"]
RecoveryKind = Literal["partial", "full"]
EntitlementState = Literal["active", "expired", "unknown"]

HintCode = Literal["several_issues", "pasted_secret"]
"""What may be remarked about a request."""

RelationText = Literal["split_off", "split_from", "merged_into", "merged_here", "unmerged"]
NUMBER = "{{ number }}"
"""Where the other request's ID stands in the texts of Relations."""

FileTypes = dict[str, Annotated[tuple[Code, ...], Field(min_length=1)]]
"""Media type → the file name endings that go with it."""


class Channel(Part):
    """A way in which a request can be sent (clause 4.1), and how to use it."""

    code: Code
    title: Words
    how: Words


class RefusedChannel(Part):
    """A way of talking that registers nothing (clause 4.5), and where to go instead."""

    code: Code
    title: Words
    advice: Words


class Channels(Part):
    """Official and refused ways in; `advice` answers for a channel that stands in neither list."""

    official: tuple[Channel, ...] = Field(min_length=1)
    refused: tuple[RefusedChannel, ...]
    advice: Words


class Level(Part):
    """An urgency level; a claim of one that clients may not set is recorded and changes nothing (clause 2.1)."""

    code: Code
    title: Words
    client_may_set: bool


class Urgency(Part):
    """Urgency levels, the one that a request starts with, and the one that a stated recovery gives provisionally."""

    default: Code
    levels: tuple[Level, ...] = Field(min_length=1)
    recovery: dict[RecoveryKind, Code]


class OutOfTurn(Part):
    """Which levels are served before the others, and how many in a row at most (0: no bound)."""

    levels: tuple[Code, ...]
    max_in_a_row: NonNegativeInt

    def returned(self, before: str, after: str) -> bool:
        """Say whether a change of urgency returns a request to its turn (POLICY reading A6)."""
        return before in self.levels and after not in self.levels


class RequiredField(Part):
    """A piece of information that shortens the way to an answer, and the question that asks for it (clause 4.2)."""

    code: Code
    title: Words
    question: Words
    provenance: Provenance


class Information(Part):
    """The fields a policy knows, and those asked for whatever the topic (by code)."""

    always: tuple[Code, ...]
    fields: tuple[RequiredField, ...]


class Referral(Part):
    """Somebody who can help where the desk can't (clause 1.3)."""

    code: Code
    title: Words
    advice: Words


class ScopePart(Part):
    """What a policy says of a topic or of an item in it; the support mode follows from the verdict unless given."""

    code: Code
    verdict: Verdict
    # Follows, so that whoever writes a policy can't say "not covered" and "in full" by forgetting one of the two.
    support_mode: SupportMode = Field(default_factory=lambda given: "none" if given["verdict"] == "out" else "full")
    urgency: Code | None = None
    refer_to: Code | None = None
    provenance: Provenance


class Item(ScopePart):
    """One line of the scope catalogue; `unless_product_error` says that a product error behind it brings it in."""

    text: Words
    unless_product_error: bool = False


class Topic(ScopePart):
    """A section of the scope catalogue, with the information that its requests should bring (field codes)."""

    clause: str
    title: Words
    tier: Tier = "helpdesk"
    required: tuple[Code, ...]
    items: tuple[Item, ...]


class Scope(Part):
    """The catalogue of clauses 1.3, 1.4 and 3.1 to 3.6.

    `without_topic` is the reason given while no topic is known, `product_error` the one where a product error brings
    in what would not be covered.
    """

    without_topic: Words
    product_error: Words = "A product error may be behind it, so it is covered."
    referrals: tuple[Referral, ...]
    topics: tuple[Topic, ...] = Field(min_length=1)


class Circumstance(Part):
    """What may delay (with the waiting cause it means, if any) or abort the work on a request (clause 4.8)."""

    code: Code
    effect: Literal["delay", "abort"]
    cause: WaitingCause | None = None
    text: Words
    provenance: Provenance


class AttachmentAdvice(Part):
    """What somebody is told whose file can't be taken; `checking` while nobody could look at it so far."""

    image: Words
    only_in_archive: Words
    other: Words
    size: Words
    count: Words
    # From here on with words of their own: these came later, and documents of before don't have them.
    locked: Words = "This archive is locked with a password, so it can't be checked. Pack it again without one."
    nested: Words = "There is an archive in this archive. Pack the files themselves, once."
    unsafe: Words = "This archive holds links, or names that lead out of it. Pack plain files and folders again."
    expanded: Words = "There is too much in this archive. Pack the files that matter."
    unreadable: Words = "This archive can't be read. Pack it again as an ordinary ZIP or RAR, in one part."
    costly: Words = "This file takes too much to check. Send the part that matters, or save it in a simpler form."
    infected: Words = "A virus scanner has found something in this file. Check it, and send it again once it is clean."
    checking: Words = "This file waits for the virus scanner. It can be read as soon as it was looked at."


class InsideArchives(Part):
    """How much an archive may hold: bytes unpacked, files and folders, archives in archives, unpacked by packed size.

    Files smaller than `ratio_from_kib`, and pictures that are taken only packed, may have any ratio. `other_images`
    says whether pictures that are not taken by themselves may lie in archives.
    """

    max_total_mib: PositiveInt = 100
    max_entries: PositiveInt = 1_000
    max_depth: PositiveInt = 1
    max_ratio: PositiveInt = 100
    ratio_from_kib: NonNegativeInt = 1024
    other_images: Literal["refused", "taken"] = "refused"


class Attachments(Part):
    """Which files are taken (clause 4.6): media types with their name endings, size in MiB, files a message.

    Pictures have so many million pixels and so many frames at most.
    """

    max_size_mib: PositiveInt
    max_count: PositiveInt
    images: FileTypes
    only_in_archive: FileTypes
    archives: FileTypes
    others: FileTypes
    advice: AttachmentAdvice
    max_megapixels: PositiveInt = 50
    max_frames: PositiveInt = 1_000
    inside_archives: InsideArchives = InsideArchives()

    @property
    def max_bytes(self) -> int:
        """The largest file that is taken, in bytes."""
        return self.max_size_mib * 1024 * 1024


class Relations(Part):
    """What the correspondence of requests that belong together says (clause 2.4); `{{ number }}` is the other's ID."""

    split_off: Words = "A question in this request is answered in a request of its own: {{ number }}."
    split_from: Words = "This request was made of a message of request {{ number }}."

    merged_into: Words = "This request is about the same as {{ number }} and goes on there."
    merged_here: Words = "Request {{ number }} is about the same and goes on here."
    unmerged: Words = "Request {{ number }} is answered on its own again."

    def text(self, kind: RelationText, number: str) -> str:
        """Return one of the texts with the other request's ID in it."""
        words: str = getattr(self, kind)
        return words.replace(NUMBER, number)


class SeveralIssues(Part):
    """When a text seems to hold several questions (clause 2.4), and what its writer is told then.

    Attributes:
        advice: said before the request is sent, and with its acknowledgement.
        markers: phrases that announce a further question, by language; letter case doesn't matter.
        listed_questions: so many items of a list that are questions are several.
        questions: so many paragraphs or items with a question are several.

    """

    advice: Words
    markers: dict[Language, tuple[Words, ...]]
    listed_questions: PositiveInt
    questions: PositiveInt


class EntitlementRule(Part):
    """Whether requests are registered in this state of the licence, and what their senders are told about it."""

    register_requests: bool
    notice: Words | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        """Refuse a refusal without words: whoever is turned away is told why and what to do."""
        if not self.register_requests and self.notice is None:
            raise ValueError("a refusal needs a notice that says why and what to do")
        return self


class Entitlement(Part):
    """What the state of the licence means for a request (clause 1.1 and the closing paragraph)."""

    active: EntitlementRule
    expired: EntitlementRule
    unknown: EntitlementRule

    def rule(self, state: EntitlementState) -> EntitlementRule:
        """Return the rule for that state."""
        return {"active": self.active, "expired": self.expired, "unknown": self.unknown}[state]


class AcknowledgementCaps(Part):
    """Acknowledgements an hour to senders nobody knows: to one address, and to all of them together."""

    per_address: NonNegativeInt
    all_unknown: NonNegativeInt


class Mail(Part):
    """Whether mail without the configured server's check is held (strict), and how far strangers are answered."""

    sender_check: Literal["lenient", "strict"]
    acknowledgements_per_hour: AcknowledgementCaps


def _known_texts(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a document without the texts of kinds that a later release has added."""
    match document:
        case {"wording": {"languages": dict() as languages} as wording}:
            known = {
                language: {kind: text for kind, text in texts.items() if kind in PLACEHOLDERS}
                for language, texts in languages.items()
                if isinstance(texts, dict)
            }
            return {**document, "wording": {**wording, "languages": {**languages, **known}}}
    return document


class Policy(Part):
    """One support policy. `calendar` is the mapping that `firstline.common.calendar.parse_calendar` reads."""

    name: Code
    title: Words
    effective_from: AwareDatetime
    calendar: dict[str, Any]
    channels: Channels
    urgency: Urgency
    out_of_turn: OutOfTurn
    information: Information
    scope: Scope
    targets: Targets
    circumstances: tuple[Circumstance, ...]
    closing: Closing
    attachments: Attachments
    entitlement: Entitlement
    mail: Mail
    wording: Wording
    relations: Relations = Relations()
    incidents: Incidents = Incidents()
    # None and no default: which phrases announce a question, only a policy can say.
    several_issues: SeveralIssues | None = None
    pasted_secrets: PastedSecrets = PastedSecrets()
    access: AccessData | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build the policy from a document that was published; members that this release doesn't know are ignored.

        Raises:
            pydantic.ValidationError: the document is not one that was published.

        """
        # Replicas of an older release meet documents of a newer one during an upgrade and must go on working by them.
        return cls.model_validate_json(json.dumps(_known_texts(document)), extra="ignore")

    def document(self) -> dict[str, Any]:
        """Return the policy as JSON values, as `policy.published` carries it."""
        return self.model_dump(mode="json")

    @cached_property
    def version(self) -> str:
        """The name and a hash of the content, such as `bitrix24-3f2a90c1d7e4`; comments and layout don't count."""
        # Members left at their defaults don't count either, so that a member which a later release adds doesn't
        # give another version to a document that never mentions it.
        content = self.model_dump(mode="json", exclude_defaults=True)
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return f"{self.name}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"

    def circumstance(self, code: str) -> Circumstance | None:
        """Return the circumstance of that code (clause 4.8), if the policy has it."""
        return next((known for known in self.circumstances if known.code == code), None)

    def referral(self, code: str) -> Referral | None:
        """Return whom that code refers to (clause 1.3), if the policy has it."""
        return next((known for known in self.scope.referrals if known.code == code), None)

"""What the verbs of intake work with: store, log, ports, files, keys, vault, and the policies in force."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from firstline.common.errors import Unavailable
from firstline.common.events import Actor, PolicyPublished
from firstline.common.files import Files
from firstline.common.log import Log
from firstline.common.paging import Cursors
from firstline.common.policy.model import Policy
from firstline.common.ports import Ports
from firstline.common.store.port import Store, Unit
from firstline.common.vault import Vault
from firstline.intake.detector import Detector, detector_of
from firstline.intake.judge import Judge
from firstline.intake.scanner import NoScanner, Scanner
from firstline.intake.scope import Rulebook, rulebook
from firstline.intake.store.directory import FURTHER_POLICIES, HOLD_POLICIES, POLICIES, SAVE_POLICY

MOMENT = timedelta(microseconds=1)
SYSTEM = Actor(id="intake", role="service")
POLICY_CHANNEL = "policies"
"""Announced when a version is published, so that the other replicas learn it."""


class PolicyNotHere(Unavailable):
    """Another replica took the request under a policy version that this one is about to learn."""

    title = "The policy version is not known here yet"
    retry_after = 1


class Policies:
    """Every policy version by name, arranged for judging, and the one that new requests are taken under."""

    def __init__(self, current: Policy) -> None:
        self._current = current
        self._by_version: dict[str, tuple[Policy, Rulebook]] = {}
        self._detector = detector_of(current.pasted_secrets)
        self.add(current, current.version)

    def add(self, policy: Policy, version: str) -> None:
        """Keep a version at hand, under the name that it was published with."""
        self._by_version[version] = (policy, rulebook(policy))

    @property
    def current(self) -> Policy:
        """The version that new requests are taken under."""
        return self._current

    @property
    def rules(self) -> Rulebook:
        """The current version arranged for judging."""
        return self._by_version[self._current.version][1]

    @property
    def detector(self) -> Detector:
        """What recognises secrets in texts, by the current version."""
        return self._detector

    def of(self, version: str) -> tuple[Policy, Rulebook]:
        """Return the version that a request was taken under.

        Raises:
            PolicyNotHere: it has not been learnt so far.

        """
        known = self._by_version.get(version)
        if known is None:
            raise PolicyNotHere(f"The policy version {version} is not known here yet. Try again in a moment.")
        return known

    @property
    def versions(self) -> list[str]:
        """The names of all versions at hand."""
        return sorted(self._by_version)


@dataclass(frozen=True, slots=True)
class Desk:
    """Intake's instance: all that a verb needs beside its own arguments.

    Attributes:
        held: how many texts and files were held back for secrets, by channel and by what they are.

    """

    store: Store
    log: Log
    ports: Ports
    files: Files
    policies: Policies
    claim_key: bytes
    cursors: Cursors
    vault: Vault
    judge: Judge
    scanner: Scanner = field(default_factory=NoScanner)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)

    def now(self) -> datetime:
        """Return the instant of product time."""
        return self.ports.clock.now()


async def publish_policy(desk: Desk, unit: Unit) -> None:
    """Store and publish the current policy unless it was the last one published; learn the versions stored before."""
    await unit.one(HOLD_POLICIES, now=desk.now())
    stored = await unit.all(POLICIES)
    # All of them: an old request is judged by the version that it was taken under, however long ago.
    for row in stored:
        desk.policies.add(Policy.from_document(row.document), row.version)
    policy = desk.policies.current
    if stored and stored[-1].version == policy.version:
        return
    document = policy.document()
    # After the last one also where product time stands still between two starts, or the order would be their names'.
    published_at = max(desk.now(), stored[-1].published_at + MOMENT) if stored else desk.now()
    await unit.run(SAVE_POLICY, version=policy.version, name=policy.name, document=document, published_at=published_at)
    unit.announce(POLICY_CHANNEL)
    await desk.log.append(
        unit,
        f"policy/{policy.name}",
        PolicyPublished(actor=SYSTEM, version=policy.version, document=document, effective_from=policy.effective_from),
    )


async def learn_policies(desk: Desk, unit: Unit) -> None:
    """Learn the versions that other replicas have published."""
    for row in await unit.all(FURTHER_POLICIES, known=desk.policies.versions):
        desk.policies.add(Policy.from_document(row.document), row.version)

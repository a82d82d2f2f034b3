"""Figures that are counted when something happens, so that no report reads requests (clause 2.1)."""

from dataclasses import dataclass

from firstline.common.store.port import Sql

NO_ORGANIZATION = ""
"""Stands for those who belong to none."""


@dataclass(frozen=True, slots=True)
class ClaimCount:
    """How many provisional urgencies of an organisation were confirmed, and how many returned."""

    organization_id: str
    confirmed: int
    returned: int


# One row for each organisation, so that its judgements wait for one another, but not for those of others.
COUNT_CLAIM: Sql[None] = Sql(
    "INSERT INTO urgency_claim_count (organization_id, confirmed, returned)"
    " VALUES (:organization_id, :confirmed, :returned)"
    " ON CONFLICT (organization_id) DO UPDATE SET confirmed = urgency_claim_count.confirmed + excluded.confirmed,"
    " returned = urgency_claim_count.returned + excluded.returned",
    type(None),
)
CLAIM_COUNTS = Sql(
    "SELECT organization_id, confirmed, returned FROM urgency_claim_count WHERE organization_id >= :start"
    " ORDER BY organization_id LIMIT :limit",
    ClaimCount,
)

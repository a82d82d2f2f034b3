"""The policy in force, as anybody may read it (clauses 1.1, 3.x): what is covered, when, by which ways."""

from typing import Any

from fastapi import APIRouter, Depends

from firstline.common.application import public
from firstline.intake.api.context import DeskHere

router = APIRouter(prefix="/v1/policy", tags=["policy"], dependencies=[Depends(public)])


@router.get("")
async def read_policy(desk: DeskHere) -> dict[str, Any]:
    """Read the policy; internal response targets are left out (clause 2.3 promises none), and whose others are."""
    policy = desk.policies.current
    document = policy.document()
    if policy.targets.internal:
        document.pop("targets")
    else:
        rules = document["targets"]["rules"]
        document["targets"]["rules"] = [rule for rule in rules if rule["when"]["organization_id"] is None]
    # The texts of mails, with their placeholders: nobody outside reads them as they stand there.
    document.pop("wording")
    return {"version": policy.version, **document}


@router.get("/scope")
async def read_scope(desk: DeskHere) -> dict[str, Any]:
    """Read the catalogue of topics: what is covered, what is not, and who helps with that."""
    policy = desk.policies.current
    scope = policy.document()["scope"]
    questions = {field.code: field.question for field in policy.information.fields}
    referrals = {referral["code"]: referral for referral in scope["referrals"]}
    for topic in scope["topics"]:
        for part in (topic, *topic["items"]):
            part["referral"] = referrals.get(part["refer_to"])
        required = dict.fromkeys((*policy.information.always, *topic["required"]))
        topic["required_information"] = [{"field": code, "question": questions[code]} for code in required]
    return {"policy": policy.name, "version": policy.version, **scope}

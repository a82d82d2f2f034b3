"""Which urgency a request starts with (clause 2.1): asked when it comes in, and again when other rules are tried."""

from collections.abc import Mapping

from firstline.common.policy.model import Policy


def starting_urgency(
    recovery: str | None, claim: str | None, *, covered: bool, may_set: Mapping[str, bool], default: str
) -> tuple[str, bool]:
    """Return the level and whether it is provisional.

    Args:
        recovery: the level that the topic, or the recovery which the client states, gives; None where neither does.
        claim: the level that the client claims; it counts where clients may set it themselves.
        covered: whether the topic is not out of scope; else no recovery counts.
        may_set: for each level whether clients may set it.
        default: the level of all others.

    """
    if recovery is not None and covered:
        return recovery, True
    if claim is not None and may_set.get(claim, False):
        return claim, False
    return default, False


def urgency_under(policy: Policy, topic: str | None, recovery: str | None, claim: str | None, *, covered: bool) -> str:
    """Return the level that a request with these words would start with under a policy."""
    levels = policy.urgency
    by_client = {str(kind): level for kind, level in levels.recovery.items()}.get(recovery or "")
    may_set = {level.code: level.client_may_set for level in levels.levels}
    given = _by_topic(policy, topic) or by_client
    return starting_urgency(given, claim, covered=covered, may_set=may_set, default=levels.default)[0]


def _by_topic(policy: Policy, topic: str | None) -> str | None:
    """Return the urgency that a topic, or an item of one, gives by itself."""
    section, _, code = (topic or "").partition(".")
    for known in policy.scope.topics:
        if known.code == section:
            return next((item.urgency for item in known.items if item.code == code), None) if code else known.urgency
    return None

"""Learning policy versions, of which the one that was published last says when business time passes (clause 2.1)."""

from firstline.common.events import PolicyPublished
from firstline.common.store.port import Unit
from firstline.sla.service import recompute
from firstline.sla.service.clocks import Sla
from firstline.sla.store.policies import CHANGE_IN_FORCE, FIRST_IN_FORCE, IN_FORCE_TO_CHANGE, SAVE_POLICY


async def learn(sla: Sla, unit: Unit, data: PolicyPublished, position: int) -> None:
    """Keep a version that was published; where its hours are new, what is open is timed by them from now on.

    Args:
        sla: the service's instance.
        unit: the transaction, which also begins the recompute.
        data: the publication.
        position: its place in intake's log. Policies of several names come in streams of their own, between which no
            order holds; of these places the last one is the newest, whichever comes here last.

    """
    version = data.version
    await unit.run(SAVE_POLICY, version=version, document=data.document)
    before = await unit.one(IN_FORCE_TO_CHANGE)
    if before is None:
        # Nothing runs: the requests of each policy wait for it.
        await unit.run(FIRST_IN_FORCE, version=version, position=position)
    elif position > before.position:
        await unit.run(CHANGE_IN_FORCE, version=version, position=position)
        if not await sla.same_hours(unit, before.version, version):
            await recompute.follow(sla, unit, version)

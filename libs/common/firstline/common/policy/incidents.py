"""What the policy says of incidents."""

from typing import Literal

from firstline.common.policy.parts import Part


class Incidents(Part):
    """To whom the portal shows an incident's banner: to all clients, or to those whose requests it concerns."""

    banner: Literal["all", "concerned"] = "all"

"""What intake tells on its metrics page beside what every service tells: the vault, secrets held back (clause 4.3)."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from firstline.intake.service.desk import Desk


class IntakeFigures(Collector):
    """Figures that are read when somebody asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterable[Metric]:
        """Return 1 while access data can be neither given nor read, else 0, and how often a secret was held back."""
        locked = GaugeMetricFamily(
            "firstline_vault_locked", "Whether access data can be neither given nor read.", labels=["service"]
        )
        locked.add_metric(["intake"], float(self._desk.vault.locked is not None))
        held = CounterMetricFamily(
            "firstline_pasted_secrets",
            "Texts and files held back since the start because a secret seemed to stand in them.",
            labels=["service", "channel", "what"],
        )
        for (channel, what), count in sorted(self._desk.held.items()):
            held.add_metric(["intake", channel, what], count)
        return locked, held

"""What intake tells on its metrics page beside what every service tells: whether the vault is locked (clause 4.3)."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from firstline.intake.service.desk import Desk


class VaultFigures(Collector):
    """Says whether the vault has its keys; read when somebody asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterable[Metric]:
        """Return 1 while access data can be neither given nor read, else 0."""
        locked = GaugeMetricFamily(
            "firstline_vault_locked", "Whether access data can be neither given nor read.", labels=["service"]
        )
        locked.add_metric(["intake"], float(self._desk.vault.locked is not None))
        return (locked,)

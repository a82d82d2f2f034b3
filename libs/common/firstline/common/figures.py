"""What a service at work tells on its metrics page beside its requests: events taken, the bus, the leases it holds."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from firstline.common.runtime import Runtime


class RuntimeFigures(Collector):
    """Figures that are read when somebody asks, and cost nothing in between."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterable[Metric]:
        """Return the figures as they are now."""
        name = self._runtime.name
        events = CounterMetricFamily(
            "firstline_inbox_events",
            "Events taken, by fate: applied, repeated, waiting for a predecessor, parked.",
            labels=["service", "fate"],
        )
        fates = self._runtime.inbox.fates if self._runtime.inbox else {}
        for fate in sorted(fates):
            events.add_metric([name, fate], fates[fate])
        bus = GaugeMetricFamily("firstline_bus_connected", "Whether the bus is within reach.", labels=["service"])
        bus.add_metric([name], float(self._runtime.bus.connected))
        leases = GaugeMetricFamily(
            "firstline_lease_held", "Whether this process holds a lease.", labels=["service", "lease"]
        )
        for work, lease in sorted(self._runtime.leases.items()):
            leases.add_metric([name, work], float(lease.held))
        return events, bus, leases

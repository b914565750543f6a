"""What a bridge tells Prometheus: what the PLC reads, and how long its heartbeat stands still."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edge.bridge.feed import Feed
from edge.bridge.missed_results import MissedFile
from edge.bridge.signals import Trouble


class BridgeMetrics:
    """A collector for prometheus_client; `collect` is called at each scrape."""

    def __init__(self, feed: Feed, missed: MissedFile) -> None:
        self._feed, self._missed = feed, missed

    def collect(self) -> Iterator[Metric]:
        signals = self._feed.signals()
        parts = CounterMetricFamily(
            "draem_bridge_parts", "The gate's counters, as the PLC reads them", labels=["what"]
        )
        for what, count in signals.counts.items():
            parts.add_metric([what], count)
        trouble = GaugeMetricFamily(
            "draem_bridge_trouble", "1 for the reason why there is no valid result",
            labels=["trouble"],
        )  # fmt: skip
        for one in Trouble:
            trouble.add_metric([one.name.lower()], float(signals.trouble is one))
        yield from (parts, trouble)
        for name, text, value in (
            ("online", "1 while the line is heard", float(signals.online)),
            ("ready", "1 while the PLC may trigger", float(signals.ready)),
            ("backlog", "Results that wait for the PLC", float(signals.backlog)),
            ("missed_lost", "Missed results that could not be written", float(self._missed.lost)),
        ):
            yield GaugeMetricFamily(f"draem_bridge_{name}", text, value)
        age = self._feed.plc_age_s()
        if age is not None:
            text = "Seconds since the PLC's heartbeat changed"
            yield GaugeMetricFamily("draem_bridge_plc_heartbeat_age_seconds", text, age)

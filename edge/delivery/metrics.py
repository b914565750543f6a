"""A delivery's metrics for Prometheus; how far it is behind is one of the station's."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edge.delivery.delivery import Delivery
from edge.delivery.station_log import StationLog


class DeliveryMetrics:
    """A collector for prometheus_client; `collect` is called at each scrape."""

    def __init__(self, delivery: Delivery, station: StationLog) -> None:
        self._delivery, self._station = delivery, station

    def collect(self) -> Iterator[Metric]:
        delivery, progress = self._delivery, self._delivery.progress
        for name, text, count in (
            ("pictures", "Pictures delivered since the first start", progress.delivered),
            ("missing", "Pictures that the station no longer had", progress.missing),
            ("bytes", "Bytes written since the start", delivery.sent_bytes),
        ):
            yield CounterMetricFamily(f"draem_delivery_{name}", text, count)
        for name, text, value in (
            ("failing", "1 while the file server takes no picture", delivery.failing),
            ("station_failing", "1 while the station does not answer", self._station.failing),
        ):
            yield GaugeMetricFamily(f"draem_delivery_{name}", text, float(value))

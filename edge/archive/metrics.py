"""What the archive tells Prometheus: how far it is with each station, and what waits."""

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edge.archive.collector import Collector
from edge.archive.picture_fetcher import PictureFetcher


class ArchiveMetrics:
    """A collector for prometheus_client; `collect` is called at each scrape."""

    def __init__(self, collector: Collector, fetcher: PictureFetcher) -> None:
        self._collector, self._fetcher = collector, fetcher

    def collect(self) -> Iterator[Metric]:
        events = CounterMetricFamily(
            "draem_archive_events", "Events written since the start", labels=["endpoint"]
        )
        head = GaugeMetricFamily(
            "draem_archive_cursor", "Number of the last event written", labels=["endpoint"]
        )
        age = GaugeMetricFamily(
            "draem_archive_written_age_seconds",
            "Seconds since an event was written, or since the start",
            labels=["endpoint"],
        )
        delay = GaugeMetricFamily(
            "draem_archive_delay_seconds",
            "From publication to commit of the last event, by both machines' clocks",
            labels=["endpoint"],
        )
        now = time.monotonic()
        for endpoint, progress in self._collector.progress.items():
            events.add_metric([endpoint], progress.events)
            head.add_metric([endpoint], progress.cursor.seq)
            age.add_metric([endpoint], now - progress.written_at)
            delay.add_metric([endpoint], progress.delay_s)
        yield from (events, head, age, delay)
        yield GaugeMetricFamily(
            "draem_archive_queue", "Events received and not yet written", self._collector.queued()
        )
        yield GaugeMetricFamily(
            "draem_archive_failing",
            "1 while the database or the pictures cannot be written",
            float(self._collector.failing),
        )
        yield GaugeMetricFamily(
            "draem_archive_frames_failing",
            "Stations whose frames cannot be fetched or stored",
            self._fetcher.failing(),
        )

"""What a station tells Prometheus; all of it is counted or read outside the loop's deadline."""

import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edge.base.errors import DraemError
from edge.events.cursors import Cursors
from edge.events.event import Inspection
from edge.station.control import Controls

BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
THERMAL = Path("/sys/class/thermal")


class StationMetrics:
    """A collector for prometheus_client of one station, whose data is in `folder`."""

    def __init__(self, station: str, controls: Controls, folder: Path) -> None:
        self._station, self._controls, self._folder = station, controls, folder
        names = ["station", "product", "verdict", "code"]
        self._parts = Counter("draem_parts", "Inspections since the start", names, registry=None)
        self._stages = Histogram(
            "draem_stage_seconds", "Time of each stage of an inspection", ["station", "stage"],
            buckets=BUCKETS_S, registry=None,
        )  # fmt: skip

    def observe(self, header: Inspection) -> None:
        """Count one inspection; called by the loop after its event, some microseconds."""
        self._parts.labels(self._station, header.product, header.verdict, header.code.name).inc()
        for stage, milliseconds in header.stages_ms.items():
            self._stages.labels(self._station, stage).observe(milliseconds / 1000)

    def collect(self) -> Iterator[Metric]:
        yield from self._parts.collect()
        yield from self._stages.collect()
        controls = self._controls
        counted: dict[str, tuple[str, float]] = {
            "frames_passed_over": ("Frames replaced by a newer one", controls.passed_over),
            "pictures_dropped": ("Frames that could not be kept", controls.pictures_dropped),
            **{f"camera_{k}": (f"The camera's counter {k}", v) for k, v in controls.camera.items()},
        }
        for name, (text, value) in counted.items():
            yield _labelled(CounterMetricFamily, name, text, {"station": self._station}, value)
        measured: dict[str, tuple[str, float]] = {
            "log_head": ("Number of the newest event", controls.head),
            "unlogged": ("Events that wait for the log", controls.unlogged),
            "paused": ("1 while the line is paused", float(controls.paused)),
            "turn_age_seconds": (
                "Seconds since the loop has turned; it hangs after some seconds",
                time.monotonic() - controls.turned,
            ),
        }
        for name, (text, value) in measured.items():
            yield _labelled(GaugeMetricFamily, name, text, {"station": self._station}, value)
        for name, text, reason in (
            ("drift", "1 while many parts in a row have drifted", controls.drift),
            ("outage", "1 while the camera gives no frames", controls.outage),
        ):
            labels = {"station": self._station, "code": reason}
            yield _labelled(GaugeMetricFamily, name, text, labels, float(bool(reason)))
        yield self._cursors()
        yield _temperatures()

    def _cursors(self) -> Metric:
        """Events that each subscriber has yet to process."""
        lag = GaugeMetricFamily(
            "draem_cursor_lag_events", "Events a subscriber is behind",
            labels=["station", "cursor", "role"],
        )  # fmt: skip
        try:
            with Cursors(self._folder) as cursors:
                for cursor in cursors.all():
                    behind = max(0, self._controls.head - cursor.seq)
                    lag.add_metric([self._station, cursor.name, cursor.role], behind)
        except DraemError:
            pass  # the database is busy: the next scrape has it
        return lag


def _labelled(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
    name: str,
    text: str,
    labels: dict[str, str],
    value: float,
) -> Metric:
    family = kind(f"draem_{name}", text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _temperatures() -> Metric:
    """The sensors that Linux shows; none on many virtual machines."""
    family = GaugeMetricFamily(
        "draem_temperature_celsius", "Temperature of a sensor", labels=["zone"]
    )
    for zone in sorted(THERMAL.glob("thermal_zone*")):
        try:
            kind = (zone / "type").read_text().strip()
            degrees = int((zone / "temp").read_text()) / 1000
        except (OSError, ValueError):
            continue  # a sensor that is switched off
        family.add_metric([f"{zone.name} {kind}"], degrees)
    return family

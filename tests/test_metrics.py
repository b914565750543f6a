"""Metrics of a station, a bridge and the archive, scraped by a real Prometheus."""

import json
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Plant
from tests.support.ports import free_ports
from tests.support.waiting import wait_until

DEPLOY = Path(__file__).parents[1] / "deploy"
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(
    PROMTOOL is None, reason="Prometheus is not installed (apt install prometheus)"
)


@contextmanager
def running(folder: Path, *command: str) -> Iterator[None]:
    """A process, ended with the block; what it prints is kept in a file."""
    with (
        (folder / f"{Path(command[0]).name}.log").open("ab") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.kill()


def scraped(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            return str(reply.read().decode())
    except OSError:
        return ""


@needs_prometheus
def test_a_real_prometheus_scrapes_station_bridge_and_archive(
    calibrated: Plant, tmp_path: Path
) -> None:
    (tmp_path / "products").symlink_to(calibrated.products)
    station, bridge, archive, modbus, prometheus = free_ports(5)
    endpoint = free_ports(4)[0]
    address = f"tcp://127.0.0.1:{endpoint}"
    draem = (sys.executable, "-m", "draem")
    targets = {"station": station, "bridge": bridge, "archive": archive}
    config = {
        "global": {"scrape_interval": "1s"},
        "rule_files": [str(DEPLOY / "prometheus" / "alerts.yml")],
        "scrape_configs": [
            {"job_name": f"draem-{name}", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for name, port in targets.items()
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    line = "line://moulded?rate=10&seed=5"
    with ExitStack() as stack:

        def start(*words: str) -> None:
            stack.enter_context(running(tmp_path, *words))

        start(*draem, "run", "--product", "lid", "--source", line, "--endpoint", address,
              "--metrics", str(station))  # fmt: skip
        start(*draem, "bridge", "modbus", "--endpoint", address, "--metrics", str(bridge),
              "--listen", f"127.0.0.1:{modbus}")  # fmt: skip
        start(*draem, "archive", "run", "--endpoint", address, "--metrics", str(archive))
        assert PROMETHEUS is not None
        start(PROMETHEUS, "--config.file", "prometheus.yml", "--storage.tsdb.path", "tsdb",
              "--web.listen-address", f"127.0.0.1:{prometheus}")  # fmt: skip
        for name, port in targets.items():
            wait_until(partial(has, port, "draem_"), f"metrics of the {name}")
        for question, least in (
            ('sum(draem_parts_total{verdict=~"OK|NG|NO_VERDICT"})', 5),
            ("draem_stage_seconds_count", 5),
            ("sum(draem_archive_events_total)", 5),
            ("draem_bridge_online", 1),
            ("sum(up)", 3),
        ):
            wait_until(partial(is_at_least, prometheus, question, least), question)
        for port in targets.values():
            checked = subprocess.run(
                [str(PROMTOOL), "check", "metrics"], input=scraped(port), text=True,
                capture_output=True, check=False,
            )  # fmt: skip
            assert checked.returncode == 0, checked.stdout + checked.stderr


def has(port: int, text: str) -> bool:
    return text in scraped(port)


def is_at_least(port: int, question: str, least: float) -> bool:
    return asked(port, question) >= least


def asked(port: int, question: str) -> float:
    """The value that Prometheus has for a question; -1 for none yet."""
    address = f"http://127.0.0.1:{port}/api/v1/query?"
    try:
        with urllib.request.urlopen(
            address + urllib.parse.urlencode({"query": question}), timeout=5
        ) as reply:
            results = json.load(reply)["data"]["result"]
    except OSError:
        return -1
    return float(results[0]["value"][1]) if results else -1


@needs_prometheus
def test_the_alert_rules_are_valid_and_their_metrics_exist() -> None:
    rules = DEPLOY / "prometheus" / "alerts.yml"
    checked = subprocess.run([str(PROMTOOL), "check", "rules", str(rules)], check=False)
    assert checked.returncode == 0


def test_the_dashboard_is_json_with_a_question_in_each_panel() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "draem.json").read_text())
    assert all(panel["targets"][0]["expr"] for panel in dashboard["panels"])


def test_the_loop_is_not_held_up_by_metrics() -> None:
    """Some microseconds for each inspection."""
    from edge.station.control import Controls
    from edge.station.metrics import StationMetrics
    from tests.support.archived import inspected
    from tests.support.minimal_station import PRODUCT

    metrics = StationMetrics("line-1", Controls(PRODUCT), Path("nowhere"))
    header = inspected(1).header
    begin = time.perf_counter()
    for _ in range(1000):
        metrics.observe(header)  # type: ignore[arg-type]
    assert (time.perf_counter() - begin) / 1000 < 0.002

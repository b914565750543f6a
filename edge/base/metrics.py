"""Metrics for Prometheus, served by prometheus-client at /metrics; off unless an address is set."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from edge.base.errors import SettingsError

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"


@contextmanager
def served_metrics(address: str, collector: object) -> Iterator[None]:
    """Serve what `collector.collect()` yields at each request, at `[host:]port`, in a thread.

    `collector` is one of prometheus_client's. Raises SettingsError for an address that cannot be
    used.
    """
    from prometheus_client import CollectorRegistry, start_http_server

    host, port = _parsed(address)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)  # type: ignore[arg-type]
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, UnicodeError) as error:  # the latter for a name such as a..b
        why = getattr(error, "strerror", None) or "no name of a machine"
        raise SettingsError(
            f"metrics cannot be served on {address} ({why}): choose another --metrics"
        ) from error
    shown = f"[{host}]" if ":" in host else host
    log.info("metrics on http://%s:%d/metrics", shown, server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) < 65536:
        raise SettingsError(f"--metrics {address} has no port: write 9464, or 192.168.0.5:9464")
    return host.strip("[]") or LOOPBACK, int(port)

"""Serves the worker's metrics at one address: Temporal's own and ours."""

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, Metric, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

HOST = "127.0.0.1"
PATIENCE_SECONDS = 2


class _Core(Collector):
    """Reads the metrics that Temporal's core serves on its own port."""

    def __init__(self, port: int) -> None:
        self._address = f"http://{HOST}:{port}/metrics"

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            with urllib.request.urlopen(self._address, timeout=PATIENCE_SECONDS) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, TimeoutError):
            return
        yield from text_string_to_metric_families(text)


@contextmanager
def served(port: int | None, *, host: str = HOST) -> Iterator[Runtime | None]:
    """The runtime to connect with while `host` and `port` serve the metrics; None without a
    port."""
    if port is None:
        yield None
        return
    inner = _free_port()
    config = PrometheusConfig(bind_address=f"{HOST}:{inner}")
    core = _Core(inner)
    REGISTRY.register(core)
    server, thread = start_http_server(port, addr=host)
    stop: Callable[[], None] = server.shutdown
    try:
        yield Runtime(telemetry=TelemetryConfig(metrics=config))
    finally:
        stop()
        thread.join()
        REGISTRY.unregister(core)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port

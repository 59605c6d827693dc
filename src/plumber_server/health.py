"""For load balancers and monitors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litestar import Response, get, route
from litestar.types import ControllerRouterHandler
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from plumber_core.app import Plumber
from plumber_server.auth import declare
from plumber_server.responses import json_response

METRICS_TYPE = "text/plain; version=0.0.4"


def routes(plumber: Plumber) -> list[ControllerRouterHandler]:
    """Return ``/health``, ``/ready`` and ``/metrics``."""
    registry = _registry(plumber)

    @route("/health", http_method=["GET", "HEAD"], opt=declare("public"))
    async def health() -> Response[bytes]:
        ready = await plumber.ready()
        return json_response({"status": "ok" if ready else "unavailable"}, 200 if ready else 503)

    @route("/ready", http_method=["GET", "HEAD"], opt=declare("public"))
    async def ready() -> Response[bytes]:
        good = await plumber.ready()
        reasons = [] if good else ["the database does not answer, or its schema is not current"]
        return json_response({"ready": good, "reasons": reasons}, 200 if good else 503)

    @get("/metrics", opt=declare("person"))
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(registry), media_type=METRICS_TYPE)

    return [health, ready, metrics]


def _registry(plumber: Plumber) -> CollectorRegistry:
    """Return a registry of this application alone: two in one process must not clash."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Numbers(plumber))
    return registry


class _Numbers(Collector):
    """Reads ``Plumber.metrics`` when asked; names ending in ``_total`` count, the others gauge."""

    def __init__(self, plumber: Plumber) -> None:
        self._plumber = plumber

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand, so that registering asks for no value."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every number."""
        for name, value in sorted(self._plumber.metrics().items()):
            family: Any = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(name, name.replace("_", " "), value=value)

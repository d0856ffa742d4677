# SPDX-License-Identifier: MIT
"""The HTTP application of the broker: `$SYS` values, health, metrics and the JSON API."""

from __future__ import annotations

from typing import Any, Final

from mqtt_ref import __version__
from mqtt_ref.http.api import add_api
from mqtt_ref.http.app import App, Request
from mqtt_ref.http.health_app import add_health
from mqtt_ref.http.metrics import exposition
from mqtt_ref.http.models import Info, info_name
from mqtt_ref.net.process import outside

__all__ = ["broker_app"]

EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"


def broker_app() -> App:
    """Return the application of a broker's HTTP listener."""
    app = App("mqtt_ref", __version__, "State and administration of the broker.")

    def info(request: Request) -> Any:
        values = request.driver.sys.values(request.driver.now(), outside())
        return Info(**{info_name(topic): value for topic, value in values.items()})

    for path in ("/", "/info"):
        app.get(path, summary="The $SYS values as they are now", response=Info, public=True)(info)
    add_health(app)

    @app.get("/metrics", summary="Metrics for Prometheus", response=str, media=EXPOSITION, public=True)
    def metrics(request: Request) -> str:
        return exposition(request.driver)

    add_api(app)
    return app

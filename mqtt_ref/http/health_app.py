# SPDX-License-Identifier: MIT
"""Health checks for load balancers and containers, as an application of its own or a part of the broker's."""

from __future__ import annotations

from mqtt_ref import __version__
from mqtt_ref.http.app import TEXT, App, HttpError, Request

__all__ = ["add_health", "health_app"]


def health_app() -> App:
    """Return an application that has only health checks."""
    app = App("mqtt_ref", __version__)
    add_health(app)
    return app


def add_health(app: App) -> None:
    """Declare the routes of the health checks."""

    def healthy(request: Request) -> str:
        return "ok\n"

    for path in ("/healthz", "/healthcheck"):
        app.get(path, summary="Check that the broker runs", response=str, media=TEXT, public=True)(healthy)

    @app.get(
        "/readyz",
        summary="Check that the broker is ready for clients",
        response=str,
        media=TEXT,
        errors={503: "It is not ready; the response says why"},
        public=True,
    )
    def ready(request: Request) -> str:
        """Ready means: all listeners are open, the store can save, and the server is not shutting down."""
        troubles = request.driver.troubles()
        if troubles:
            raise HttpError(503, "; ".join(troubles))
        return "ready\n"

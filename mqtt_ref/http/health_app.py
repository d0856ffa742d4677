# SPDX-License-Identifier: MIT
"""Health checks for load balancers and containers; an application of its own, or a part of the broker's."""

from __future__ import annotations

from mqtt_ref import __version__
from mqtt_ref.http.app import TEXT, App, HttpError, Request

__all__ = ["add_health", "health_app"]


def health_app() -> App:
    """An application that answers nothing but health checks."""
    app = App("mqtt_ref", __version__)
    add_health(app)
    return app


def add_health(app: App) -> None:
    """Declare the routes of the health checks."""

    def healthy(request: Request) -> str:
        return "ok\n"

    for path in ("/healthz", "/healthcheck"):
        app.get(path, summary="Whether the broker serves", response=str, media=TEXT, public=True)(healthy)

    @app.get(
        "/readyz",
        summary="Whether clients should be sent here",
        response=str,
        media=TEXT,
        errors={503: "They should not; the answer says why"},
        public=True,
    )
    def ready(request: Request) -> str:
        """All listeners are open, the store takes what is to be stored, and the server does not shut down."""
        troubles = request.driver.troubles()
        if troubles:
            raise HttpError(503, "; ".join(troubles))
        return "ready\n"

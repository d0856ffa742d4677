# SPDX-License-Identifier: MIT
"""What the broker tells over HTTP, and lets be done."""

from __future__ import annotations

from mqtt_ref import __version__
from mqtt_ref.http.app import TEXT, App, Request

__all__ = ["broker_app"]


def broker_app() -> App:
    """The application of a broker's HTTP listener."""
    app = App("mqtt_ref", __version__)

    @app.get("/healthz", summary="Answers while the broker serves", response=str, media=TEXT, public=True)
    def healthz(request: Request) -> str:
        return "ok\n"

    return app

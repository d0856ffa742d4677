# SPDX-License-Identifier: MIT
"""HTTP/1.1: an application declared route by route, who may call it, and the listener that serves it.

Importing this loads `h11` and `msgspec`: do it only where an HTTP listener is configured.
"""

from mqtt_ref.http.app import App, HttpError, Request, Response
from mqtt_ref.http.guard import Guard
from mqtt_ref.http.listener import HttpListener, Limits

__all__ = ["App", "Guard", "HttpError", "HttpListener", "Limits", "Request", "Response"]

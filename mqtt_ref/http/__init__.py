# SPDX-License-Identifier: MIT
"""HTTP/1.1: applications made of routes, the guard that controls access, and the listener that serves them.

Importing this package loads `h11` and `msgspec`. Import it only if an HTTP listener is configured.
"""

from mqtt_ref.http.app import App, HttpError, Request, Response
from mqtt_ref.http.guard import Guard
from mqtt_ref.http.listener import HttpListener, Limits

__all__ = ["App", "Guard", "HttpError", "HttpListener", "Limits", "Request", "Response"]

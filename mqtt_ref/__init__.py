# SPDX-License-Identifier: MIT
"""MQTT 5.0, 3.1.1 and 3.1 with the standard as its source: a broker, a judge of clients and a judge of brokers.

The classes for embedding have short names here. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mqtt_ref.engine.options import Options
    from mqtt_ref.hooks import AllowAll, Hook
    from mqtt_ref.net.memory import MemoryListener
    from mqtt_ref.net.tcp import TcpListener
    from mqtt_ref.net.unix import UnixListener
    from mqtt_ref.net.websocket import WebSocketListener
    from mqtt_ref.server import Server
    from mqtt_ref.threaded import ThreadedServer

__all__ = [
    "AllowAll",
    "Hook",
    "MemoryListener",
    "Options",
    "Server",
    "TcpListener",
    "ThreadedServer",
    "UnixListener",
    "WebSocketListener",
    "__version__",
]

__version__ = "0.1.0.dev0"

_HOMES = {
    "AllowAll": "mqtt_ref.hooks",
    "Hook": "mqtt_ref.hooks",
    "MemoryListener": "mqtt_ref.net.memory",
    "Options": "mqtt_ref.engine.options",
    "Server": "mqtt_ref.server",
    "TcpListener": "mqtt_ref.net.tcp",
    "ThreadedServer": "mqtt_ref.threaded",
    "UnixListener": "mqtt_ref.net.unix",
    "WebSocketListener": "mqtt_ref.net.websocket",
}


def __getattr__(name: str) -> Any:
    """Import a class when its short name is first used."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mqtt_ref' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    """List the short names too, also before they are imported."""
    return sorted({*globals(), *_HOMES})

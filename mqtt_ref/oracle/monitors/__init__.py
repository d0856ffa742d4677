# SPDX-License-Identifier: MIT
"""The monitors: they find breaches that one packet alone does not show. Each concern has its own module."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.aliases import Aliases
from mqtt_ref.oracle.monitors.answering import Answering
from mqtt_ref.oracle.monitors.authenticating import Authenticating
from mqtt_ref.oracle.monitors.features import Features
from mqtt_ref.oracle.monitors.goodbye import Goodbye
from mqtt_ref.oracle.monitors.identifiers import Identifiers
from mqtt_ref.oracle.monitors.keep_alive import KeepAlive
from mqtt_ref.oracle.monitors.monitor import Monitor
from mqtt_ref.oracle.monitors.opening import Opening
from mqtt_ref.oracle.monitors.owing import Owing
from mqtt_ref.oracle.monitors.quota import Quota
from mqtt_ref.oracle.monitors.resending import Resending
from mqtt_ref.oracle.monitors.sizes import Sizes
from mqtt_ref.oracle.monitors.text import Text
from mqtt_ref.oracle.monitors.websocket import WebSocket

__all__ = ["MONITORS", "Monitor"]

MONITORS: tuple[type[Monitor], ...] = (
    Opening,
    Identifiers,
    Resending,
    Owing,
    Quota,
    Answering,
    Aliases,
    Sizes,
    Features,
    KeepAlive,
    Authenticating,
    Text,
    WebSocket,
    Goodbye,
)
"""All monitors, in the order in which they handle a packet."""

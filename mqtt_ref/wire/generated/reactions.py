# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""What a receiver must do when a rule is broken, and what else it may do, by rule, version and state."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ROWS",
]

# rule, levels (0: not known yet), state, receiver, action, Reason Code (-1: of the breach), allowed, cites
ROWS: Final[tuple[tuple[str, tuple[int, ...], str, str, str, int, tuple[str, ...], str], ...]] = (
    ("MQTT5-3.1.2-1", (0, 5,), "any", "server", "close", -1, ("close", "connack:*",), "MQTT5-3.1.2-1"),
    ("MQTT5-3.1.2-2", (0, 5,), "any", "server", "connack", 132, ("connack:*", "close",), "MQTT5-3.1.2-2"),
    ("MQTT311-3.1.2-2", (0, 4,), "any", "server", "connack", 132, ("connack:84",), "MQTT311-3.1.2-2"),
    ("X31-protocol-version", (0, 3,), "any", "server", "connack", 132, ("connack:84", "close",), "X31-protocol-version"),
    ("MQTT5-1.5.5-1", (5,), "new", "server", "connack", -1, ("connack:*", "close", "ignore",), "MQTT5-3.1.4-1"),
    ("X5-payload_format_indicator-range", (5,), "new", "server", "connack", -1, ("connack:*", "close", "ignore",), "MQTT5-3.1.4-1"),
    ("X5-payload_format_indicator-once", (5,), "new", "server", "connack", -1, ("connack:*", "close", "ignore",), "MQTT5-3.1.4-1"),
    ("X5-message_expiry_interval-once", (5,), "new", "server", "connack", -1, ("connack:*", "close", "ignore",), "MQTT5-3.1.4-1"),
    ("MQTT311-1.5.3-1", (4,), "new", "server", "close", -1, ("close", "connack:*",), "MQTT311-3.1.4-1"),
    ("MQTT311-1.5.3-2", (4,), "new", "server", "close", -1, ("close", "connack:*",), "MQTT311-3.1.4-1"),
    ("MQTT311-4.7.1-1", (4,), "new", "server", "close", -1, ("close", "connack:*",), "MQTT311-4.8.0-1"),
    ("MQTT311-4.7.3-1", (4,), "new", "server", "close", -1, ("close", "connack:*",), "MQTT311-4.8.0-1"),
    ("MQTT311-3.1.2-1", (4,), "new", "server", "close", -1, ("close", "connack:*",), "MQTT311-3.1.2-1"),
    ("*", (3,), "new", "server", "close", -1, ("close", "connack:*", "ignore",), "X31-protocol-violation"),
    ("*", (0, 4,), "new", "server", "close", -1, ("close",), "MQTT311-3.1.4-1"),
    ("*", (5,), "new", "server", "connack", -1, ("connack:*", "close",), "MQTT5-3.1.4-1"),
    ("*", (5,), "connecting", "server", "connack", -1, ("connack:*", "close",), "MQTT5-4.13.1-1"),
    ("*", (3,), "connecting", "server", "close", -1, ("close", "connack:*", "ignore",), "X31-protocol-violation"),
    ("*", (4,), "connecting", "server", "close", -1, ("close",), "MQTT311-4.8.0-1"),
    ("MQTT5-3.4.2-1", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT5-3.5.2-1", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT5-3.6.2-1", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT5-3.7.2-1", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT5-3.14.2-1", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT5-2.2.1-5", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT5-2.2.1-3", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT5-3.3.1-2", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT5-1.5.5-1", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("X5-payload_format_indicator-range", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("X5-payload_format_indicator-once", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("X5-message_expiry_interval-once", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT311-3.3.1-2", (4,), "connected", "server", "close", -1, ("close", "ignore",), "MQTT311-4.8.0-1"),
    ("MQTT311-2.3.1-6", (4,), "connected", "server", "close", -1, ("close", "ignore",), "MQTT311-4.8.0-1"),
    ("MQTT311-2.3.1-1", (4,), "connected", "server", "close", -1, ("close", "ignore",), "MQTT311-4.8.0-1"),
    ("MQTT311-3.3.2-2", (4,), "connected", "server", "close", -1, ("close", "ignore",), "MQTT311-4.8.0-1"),
    ("X311-pubcomp-packet-id", (4,), "connected", "server", "close", -1, ("close", "ignore",), "MQTT311-4.8.0-1"),
    ("X31-message-id-zero", (3,), "connected", "server", "close", -1, ("close", "ignore",), "X31-protocol-violation"),
    ("X31-utf8-well-formed", (3,), "connected", "server", "close", -1, ("close", "ignore",), "X31-protocol-violation"),
    ("X31-utf8-no-null", (3,), "connected", "server", "close", -1, ("close", "ignore",), "X31-protocol-violation"),
    ("MQTT5-4.7.1-1", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "suback:*", "unsuback",), "MQTT5-4.13.1-1"),
    ("MQTT5-4.7.1-2", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "suback:*", "unsuback",), "MQTT5-4.13.1-1"),
    ("MQTT5-4.8.2-1", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "suback:*", "unsuback",), "MQTT5-4.13.1-1"),
    ("MQTT5-4.8.2-2", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "suback:*", "unsuback",), "MQTT5-4.13.1-1"),
    ("MQTT5-4.7.3-1", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "suback:*", "unsuback",), "MQTT5-4.13.1-1"),
    ("MQTT5-3.3.2-2", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close", "puback:*", "pubrec:*", "ignore",), "MQTT5-4.13.1-1"),
    ("MQTT311-4.7.1-2", (4,), "connected", "server", "close", -1, ("close", "suback:*", "unsuback",), "MQTT311-4.8.0-1"),
    ("MQTT311-4.7.1-3", (4,), "connected", "server", "close", -1, ("close", "suback:*", "unsuback",), "MQTT311-4.8.0-1"),
    ("MQTT311-4.7.3-1", (4,), "connected", "server", "close", -1, ("close", "suback:*", "unsuback",), "MQTT311-4.8.0-1"),
    ("X31-filter-hash", (3,), "connected", "server", "close", -1, ("close", "ignore",), "X31-protocol-violation"),
    ("X31-filter-plus", (3,), "connected", "server", "close", -1, ("close", "ignore",), "X31-protocol-violation"),
    ("X31-topic-empty", (3,), "connected", "server", "close", -1, ("close", "ignore",), "X31-protocol-violation"),
    ("X31-topic-wildcards", (3,), "connected", "server", "close", -1, ("close", "ignore",), "X31-protocol-violation"),
    ("*", (5,), "connected", "server", "disconnect", -1, ("disconnect:*", "close",), "MQTT5-4.13.1-1"),
    ("*", (3,), "connected", "server", "close", -1, ("close", "ignore",), "X31-protocol-violation"),
    ("*", (4,), "connected", "server", "close", -1, ("close",), "MQTT311-4.8.0-1"),
    ("*", (5,), "any", "client", "disconnect", -1, ("disconnect:*", "close",), "MQTT5-4.13.2-1"),
    ("*", (0, 3, 4,), "any", "client", "close", -1, ("close",), "MQTT311-4.8.0-1"),
)

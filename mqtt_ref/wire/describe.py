# SPDX-License-Identifier: MIT
"""Describes a packet or a violation in one line of text."""

from __future__ import annotations

from typing import Any, Final

from mqtt_ref.wire.codes import CONNACK, DISCONNECT, SUBACK, UNSPECIFIED_ERROR
from mqtt_ref.wire.generated.packets import PACKET_NAMES, Packet
from mqtt_ref.wire.generated.reasons import REASON_TITLES, RETURN_CODE_TITLES
from mqtt_ref.wire.primitives import V5
from mqtt_ref.wire.violation import Violation

__all__ = ["describe"]

SHOWN: Final = 40
"""How many bytes of a payload, and characters of a string, are shown."""
ALWAYS: Final = frozenset({"client_id", "qos", "reason_code", "reason_codes", "topic"})
SHORT: Final = {"packet_id": "id", "reason_code": "reason", "reason_codes": "reasons"}
LEVELS: Final = {3: "3.1", 4: "3.1.1", 5: "5.0"}
# 0x00 has three names; the packet type decides.
ZERO: Final = {SUBACK: "Granted QoS 0", DISCONNECT: "Normal disconnection"}

SECRET: Final = ("password", "authentication_data")


def describe(packet: Packet | Violation, version: int = V5) -> str:
    """Return one line without control characters. `version` decides the names of return codes. Secrets are hidden."""
    if isinstance(packet, Violation):
        name = PACKET_NAMES[packet.packet]
        title = REASON_TITLES.get(packet.reason, "")
        where = f" in {packet.field}" if packet.field else ""
        return f"broken {name}: byte {packet.offset}{where}, 0x{packet.reason:02X} {title} [{packet.statement}]"
    return " ".join([PACKET_NAMES[packet.TYPE], *_fields(packet, packet.TYPE, version)])


def _fields(thing: Any, kind: int, version: int) -> list[str]:
    parts: list[str] = []
    for name in thing.__match_args__:
        value = getattr(thing, name)
        if name == "properties":
            if value is not None:
                parts += _fields(value, kind, version)
        elif name == "subscriptions":
            parts.append("[" + ", ".join(" ".join(_fields(item, kind, version)) for item in value) + "]")
        elif name == "will":
            if value is not None:
                parts.append("will=(" + " ".join(_fields(value, kind, version)) + ")")
        elif name == "reason_code" and version != V5 and kind != CONNACK:
            continue
        elif name == "topic_filter":
            parts.append(repr(value))
        elif name == "protocol_version":
            parts.append(f"version={LEVELS.get(value, value)}")
        elif name == "payload" or (name in ALWAYS and value is not None) or value not in (None, False, 0, "", b"", []):
            parts.append(f"{SHORT.get(name, name)}={_value(name, value, kind, version)}")
    return parts


def _value(name: str, value: Any, kind: int, version: int) -> str:
    if name in SECRET:
        return "***"
    if name == "reason_code":
        return _reason(value, kind, version)
    if name == "reason_codes":
        return "[" + ", ".join(_reason(code, kind, version) for code in value) + "]"
    if isinstance(value, bytes):
        return f"{value[:SHOWN]!r}... ({len(value)} bytes)" if len(value) > SHOWN else repr(value)
    if isinstance(value, str):
        return f"{value[:SHOWN]!r}... ({len(value)} characters)" if len(value) > 4 * SHOWN else repr(value)
    if value is True:
        return "1"
    return repr(value)


def _reason(code: int, kind: int, version: int) -> str:
    if version != V5 and kind == CONNACK:
        title = RETURN_CODE_TITLES.get(code, "unknown")
        return f"{code} ({title})"
    if version != V5 and kind == SUBACK:
        return f"0x{code:02X} (Failure)" if code == UNSPECIFIED_ERROR else f"0x{code:02X} (Granted QoS {code})"
    title = (ZERO.get(kind) or "Success") if code == 0 else REASON_TITLES.get(code, "unknown")
    return f"0x{code:02X} ({title})"

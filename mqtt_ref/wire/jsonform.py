# SPDX-License-Identifier: MIT
"""The JSON form of packets and violations in traces, reports, the HTTP API and `mqtt-ref decode`.

A packet is an object with `v` (the version of this form, 1), `type` (`PUBLISH`), and the attributes of its class by
name; `will` and `properties` are nested objects. Attributes of None and empty lists of properties are left out. Bytes
are written as a string if they are printable UTF-8 (`str.isprintable`), else as `{"hex": "00ff"}`; both are accepted
for any bytes. A user property is `[name, value]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mqtt_ref.wire.generated import packets
from mqtt_ref.wire.generated.catalogue import ATTRIBUTES
from mqtt_ref.wire.generated.packets import PACKET_NAMES, Packet
from mqtt_ref.wire.violation import Violation

__all__ = ["FORM", "bytes_from_json", "bytes_to_json", "packet_from_json", "packet_to_json", "violation_to_json"]

FORM: Final = 1
"""The version of the form. It is raised when a reader of the old form would misread the new one."""

CLASSES: Final[dict[str, Any]] = {PACKET_NAMES[c.TYPE]: c for c in Packet.__args__}
SCALARS: Final[dict[str, Any]] = {"str": str, "int": int, "bool": bool}


def packet_to_json(packet: Packet) -> dict[str, Any]:
    """Return the JSON form of a packet."""
    return {"v": FORM, "type": PACKET_NAMES[packet.TYPE], **_attributes(packet)}


def packet_from_json(form: Mapping[str, Any]) -> Packet:
    """Return the packet of a JSON form. Attributes with a default may be left out.

    Raises:
        ValueError: the form is invalid. The text says what is wrong, and where.
    """
    if not isinstance(form, Mapping):
        raise ValueError(f"a packet must be an object, not {form!r}")
    values = dict(form)
    version = values.pop("v", FORM)
    if version != FORM:
        raise ValueError(f"version {version!r} of the packet form is not known; `v` must be {FORM}")
    name = values.pop("type", None)
    if not isinstance(name, str) or name not in CLASSES:
        raise ValueError(f"unknown packet type {name!r}; known are {', '.join(CLASSES)}")
    packet: Packet = _object(CLASSES[name], values, name)
    return packet


def violation_to_json(violation: Violation) -> dict[str, Any]:
    """Return the JSON form of a violation: its fields by name, with `sender` as client or server."""
    return {
        "v": FORM,
        "violation": {
            **violation._asdict(),
            "packet": PACKET_NAMES[violation.packet],
            "sender": _side(violation.sender),
        },
    }


def bytes_to_json(data: bytes) -> str | dict[str, str]:
    """Return bytes as text if they are printable UTF-8, else as hex."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}
    return text if text.isprintable() else {"hex": data.hex()}


def bytes_from_json(form: Any) -> bytes:
    """Return the bytes of either form.

    Raises:
        ValueError: the form is invalid.
    """
    if isinstance(form, str):
        return form.encode()
    if isinstance(form, Mapping) and set(form) == {"hex"} and isinstance(form["hex"], str):
        return bytes.fromhex(form["hex"])
    raise ValueError(f"""bytes must be a string or {{"hex": "..."}}, not {form!r}""")


def _side(sender: int) -> str:
    return "server" if sender else "client"


def _attributes(thing: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    may_lack = type(thing).__name__.endswith("Properties")
    for name in thing.__match_args__:
        value = getattr(thing, name)
        if value is None or (value == [] and may_lack):
            continue
        out[name] = _value(value)
    return out


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return bytes_to_json(value)
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, tuple):
        return list(value)
    return _attributes(value) if type(value).__name__ in ATTRIBUTES else value


def _object(make: Any, values: Mapping[str, Any], where: str) -> Any:
    kinds = ATTRIBUTES[make.__name__]
    for name in values:
        if name not in kinds:
            raise ValueError(f"{where} has no attribute {name!r}; it has {', '.join(kinds) or 'none'}")
    try:
        return make(**{name: _read(kinds[name], value, f"{where}.{name}") for name, value in values.items()})
    except TypeError:
        raise ValueError(f"{where}: a required attribute is missing; its attributes are {', '.join(kinds)}") from None


def _read(kind: str, value: Any, path: str) -> Any:
    """Return the value of an attribute of type `kind`."""
    if kind == "bytes":
        return bytes_from_json(value)
    if kind.startswith("list["):
        return [_read(kind[5:-1], item, path) for item in _typed(value, list, path)]
    if kind.startswith("tuple["):
        return _pair(value, path)
    if kind in ATTRIBUTES:
        return _object(getattr(packets, kind), _typed(value, Mapping, path), path)
    return _typed(value, SCALARS[kind], path)


def _pair(item: Any, path: str) -> tuple[str, str]:
    if not isinstance(item, list) or len(item) != 2:
        raise ValueError(f"{path} must be [name, value], not {item!r}")
    return _typed(item[0], str, path), _typed(item[1], str, path)


def _typed(value: Any, kind: Any, path: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{path} must be {kind.__name__}, not {value!r}")
    return value

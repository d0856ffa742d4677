# SPDX-License-Identifier: MIT
"""Converts the forwarded properties of a message between the broker and the API."""

from __future__ import annotations

from typing import Any

from mqtt_ref.http.generated.properties import PublishProperties
from mqtt_ref.http.values import bytes_form, bytes_of
from mqtt_ref.wire import packets
from mqtt_ref.wire.generated.catalogue import ATTRIBUTES

__all__ = ["PublishProperties", "properties_form", "properties_of"]


def properties_form(given: packets.PublishProperties | None) -> PublishProperties:
    """Return the API form of a message's properties."""
    names = PublishProperties.__struct_fields__
    return PublishProperties(**{} if given is None else {name: _shown(getattr(given, name)) for name in names})


def properties_of(form: PublishProperties) -> packets.PublishProperties:
    """Return the properties of an API form. They are not validated here."""
    kinds = ATTRIBUTES["PublishProperties"]
    values = {name: _read(kinds[name], getattr(form, name)) for name in form.__struct_fields__}
    return packets.PublishProperties(**values)


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return bytes_form(value)
    return [_shown(item) for item in value] if isinstance(value, list) else value


def _read(kind: str, value: Any) -> Any:
    """Convert a value. Its type `kind` says if a string means bytes."""
    if value is None:
        return None
    if kind.startswith("list["):
        return [_read(kind[5:-1], item) for item in value]
    return bytes_of(value) if kind == "bytes" else value

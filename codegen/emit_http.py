# SPDX-License-Identifier: MIT
"""Emits the HTTP API's model of the properties of a message: those that are forwarded, each with its legal values."""

from __future__ import annotations

from codegen.model import Property, Spec
from codegen.text import HEADER

__all__ = ["emit"]

TOPIC = "topic_name_property"
STRINGS = {"utf8": "Text", "binary": "Bytes", "utf8_pair": "tuple[Text, Text]"}
"""By wire type: the model of values that are only limited in length."""
LARGEST_VBI = 268_435_455

FRAME = '''
from __future__ import annotations

from typing import {typing}

import msgspec
from msgspec import Meta, field

from mqtt_ref.http.values import Bytes, Text, Topic

__all__ = ["PublishProperties"]


class PublishProperties(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The properties of a message."""

'''


def emit(spec: Spec) -> dict[str, str]:
    """Return the files of this emitter, by path."""
    fields = []
    for _, prop, place in spec.block_set():
        if place.belongs == "message":
            kind = _kind(spec, prop)
            value = f"list[{kind}] = field(default_factory=list)" if place.many else f"{kind} | None = None"
            fields.append(f"    {prop.name}: {value}\n")
    typing = ", ".join(name for name in ("Annotated", "Literal") if any(f"{name}[" in line for line in fields))
    head = HEADER.format(doc="The properties of a message in the HTTP API.")
    text = head + FRAME.format(typing=typing) + "".join(fields)
    return {"mqtt_ref/http/generated/properties.py": text}


def _kind(spec: Spec, prop: Property) -> str:
    """Return the type of one value, with its bounds."""
    wire = spec.wire_of(prop.type)
    if prop.type == TOPIC:
        return "Topic"
    if wire in STRINGS:
        return STRINGS[wire]
    size = spec.wires[wire].bytes
    low, high = 0, (1 << 8 * size) - 1 if size else LARGEST_VBI
    if prop.limits is not None:
        allowed = prop.limits.allowed
        if allowed and allowed != tuple(range(allowed[0], allowed[-1] + 1)):
            return f"Literal[{', '.join(map(str, allowed))}]"
        low, high = (allowed[0], allowed[-1]) if allowed else (prop.limits.minimum, high)
    return f"Annotated[int, Meta(ge={low}, le={high:_})]"

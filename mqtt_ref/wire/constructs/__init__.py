# SPDX-License-Identifier: MIT
"""The wire types as `construct` classes that know the rules of a field and find the byte that breaks one.

The types that come with `construct` are not used: it loses the offset of an error, and `GreedyRange` hides a cut-off
item. The declarations that use these classes are in `mqtt_ref.wire.generated.reference`.

A type is a `part` with `rules`; a `trace` records what it reads. The types are `integers`, `strings` (`scans` finds
the byte that is wrong), `bits`, `fixed_header`, `protocol`, `reasons` and `properties`. A `packet` consists of them.
"""

from __future__ import annotations

from mqtt_ref.wire.constructs.bits import Bits
from mqtt_ref.wire.constructs.fixed_header import FixedHeader, Header
from mqtt_ref.wire.constructs.integers import Integer, PacketId, RemainingLength, VariableByteInteger
from mqtt_ref.wire.constructs.packet import ListOf, PacketFormat, assemble, raw_fields
from mqtt_ref.wire.constructs.part import OMITTED, MayEnd, Part, Source
from mqtt_ref.wire.constructs.properties import Property, PropertyList, PropertySet, has
from mqtt_ref.wire.constructs.protocol import Protocol
from mqtt_ref.wire.constructs.reasons import Reason, Reasons
from mqtt_ref.wire.constructs.rules import Breach, Check, Limits, Rule
from mqtt_ref.wire.constructs.strings import Binary, Rest, StringPair, Text
from mqtt_ref.wire.constructs.trace import Trace

__all__ = [
    "OMITTED",
    "Binary",
    "Bits",
    "Breach",
    "Check",
    "FixedHeader",
    "Header",
    "Integer",
    "Limits",
    "ListOf",
    "MayEnd",
    "PacketFormat",
    "PacketId",
    "Part",
    "Property",
    "PropertyList",
    "PropertySet",
    "Protocol",
    "Reason",
    "Reasons",
    "RemainingLength",
    "Rest",
    "Rule",
    "Source",
    "StringPair",
    "Text",
    "Trace",
    "VariableByteInteger",
    "assemble",
    "has",
    "raw_fields",
]

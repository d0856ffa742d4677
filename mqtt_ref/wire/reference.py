# SPDX-License-Identifier: MIT
"""The reference codec: decodes, dissects and encodes packets with the wire format declared in `construct`."""

from __future__ import annotations

from typing import Any, Final, cast

from mqtt_ref.wire.constructs import (
    OMITTED,
    Breach,
    Header,
    MayEnd,
    PacketFormat,
    Rule,
    Source,
    Trace,
    assemble,
    raw_fields,
)
from mqtt_ref.wire.fields import Dissection, FieldNode
from mqtt_ref.wire.generated.packets import PACKET_NAMES, Connect, Packet, Publish
from mqtt_ref.wire.generated.reference import FIXED_HEADERS, PACKETS, PROTOCOLS, TRAILING, TRUNCATED
from mqtt_ref.wire.primitives import CLIENT, V5, V31
from mqtt_ref.wire.raw import RawPacket, build
from mqtt_ref.wire.violation import Violation

__all__ = ["Dissection", "FieldNode", "decode", "encode", "parse", "raw"]

CONNECT: Final = Connect.TYPE


def decode(version: int, sender: int, data: bytes) -> Packet | Violation:
    """Decode one packet. Returns the packet, or the first rule that it breaks.

    `data` is exactly one packet: missing bytes and surplus bytes are violations too. `version` is the protocol level
    of the connection, 0 while it is not known. A CONNECT is decoded by the version that it names. `sender` is `CLIENT`
    or `SERVER`. Never raises.
    """
    return _Reading(version, sender, bytes(data), None).run()


def parse(version: int, sender: int, data: bytes) -> Dissection:
    """Decode one packet into named fields with their offsets. The fields of a broken packet end at the violation.

    The arguments are those of `decode`. Never raises.
    """
    data = bytes(data)
    trace = Trace()
    reading = _Reading(version, sender, data, trace)
    found = reading.run()
    broken = found if isinstance(found, Violation) else None
    reached = max(reading.source.tell(), broken.offset + 1) if broken is not None else len(data)

    def tree() -> tuple[FieldNode, ...]:
        return trace.nodes(data, reached)

    return Dissection(
        version=reading.judged,
        sender=sender,
        type=reading.type,
        data=data,
        packet=None if isinstance(found, Violation) else found,
        violation=broken,
        _tree=tree,
    )


def encode(version: int, packet: Packet) -> bytes:
    """Return the bytes of a packet in `version` (3, 4, 5). Fields that the version does not have are left out.

    Optional last fields with their default value are left out too: properties of None, then Reason Code 0x00.

    Raises:
        ValueError: a value does not fit its field, a Packet Identifier is 0, or the version has no such packet.
    """
    form, values, header = _values(version, packet)
    identifier = getattr(packet, "packet_id", 1)
    if not identifier and not (isinstance(packet, Publish) and not packet.qos):
        raise ValueError(f"a Packet Identifier is 1 to 65,535, not {identifier}")
    body: bytes = form.body.build(values, **header)
    return build(RawPacket(version, packet.TYPE, _flags(version, packet, header), tail=body))


def raw(version: int, packet: Packet) -> RawPacket:
    """Return a packet as a tree of raw fields. Every length, flag and byte can be changed; see `mqtt_ref.wire.raw`.

    Raises:
        ValueError: as `encode`.
    """
    form, values, header = _values(version, packet)
    fields = raw_fields(form.body, values, header)
    return RawPacket(version, packet.TYPE, _flags(version, packet, header), fields)


class _Reading:
    """State of reading one packet: the version that judges it, and the position."""

    def __init__(self, version: int, sender: int, data: bytes, trace: Trace | None) -> None:
        self.given = version
        self.judged = version or V5
        self.sender = sender
        self.data = data
        self.type = data[0] >> 4 if data else 0
        self.source = Source(self._without_flags() if not version and _may_name_v31(data) else data, sender, trace)

    def run(self) -> Packet | Violation:
        """Read the whole packet."""
        fewest = self.given == V5 and self.type != CONNECT
        found = self._read(fewest)
        if self.type != CONNECT or self.given != V5 or (isinstance(found, Violation) and found.offset == 0):
            return found
        # It is a CONNECT of 5.0, so its Remaining Length must have the fewest bytes [MQTT5-1.5.5-1].
        # The flags are left out here: the first byte was already judged by the version of the connection.
        again = Source(self._without_flags()[:5], self.sender)
        try:
            FIXED_HEADERS[V5].parse_stream(again, fewest=True)
        except Breach as breach:
            return self._violation(breach.rule, breach.offset, breach.field)
        return found

    def _without_flags(self) -> bytes:
        """Return the CONNECT as if its flags were 0."""
        return bytes((CONNECT << 4,)) + self.data[1:]

    def _read(self, fewest: bool) -> Packet | Violation:
        try:
            header = FIXED_HEADERS[self.judged].parse_stream(self.source, fewest=fewest)
            end = self.source.tell() + header.remaining_length
            if end > len(self.data):
                self._read_what_is_there(header.fixed_header)
                return self._violation(TRUNCATED[self.judged], len(self.data), "")
            self.source.limit = end
            packet = self._body(header.fixed_header)
        except Breach as breach:
            if breach.version is not None:
                self.given = self.judged = breach.version
            return self._violation(breach.rule, breach.offset, breach.field)
        if self.source.tell() < len(self.data):
            return self._violation(TRAILING[self.judged], self.source.tell(), "")
        return packet

    def _body(self, header: dict[str, Any]) -> Packet:
        if self.type == CONNECT:
            self._settle_version()
        form = PACKETS[self.judged][self.type]
        values = form.body.parse_stream(self.source, **header)
        return cast("Packet", assemble(form.make, {**header, **values}))

    def _settle_version(self) -> None:
        """Set the version to the one that the CONNECT names.

        Cites: MQTT5-3.1.2-2
        """
        source, trace = self.source, self.source.trace
        start = source.tell()
        fields = len(trace.names) if trace is not None else 0
        self.given = self.judged = ("protocol_version" / PROTOCOLS[self.judged]).parse_stream(source)
        source.seek(start)
        if trace is not None:
            trace.forget(fields)

    def _read_what_is_there(self, header: dict[str, Any]) -> None:
        """Trace the fields of a packet that is cut off. Other broken rules are ignored: only the cut is reported."""
        if self.source.trace is not None:
            given, judged = self.given, self.judged
            try:
                self._body(header)
            except Breach:
                pass
            self.given, self.judged = given, judged

    def _violation(self, rule: Rule, offset: int, field: str) -> Violation:
        return Violation(rule.statement, rule.reason, self.type, offset, self.given, self.sender, field, rule.level)


def _may_name_v31(data: bytes) -> bool:
    """True if it is a CONNECT of 3.1, or the beginning of a packet that may be one: its flags are not used then.

    Cites: X31-flags-unused
    """
    if not data or data[0] >> 4 != CONNECT:
        return False
    source = Source(data, CLIENT)
    try:
        header = FIXED_HEADERS[V31].parse_stream(source, fewest=False)
    except Breach as breach:
        return breach.rule == TRUNCATED[V31]
    own: bytes = PROTOCOLS[V31].own
    name = len(own).to_bytes(2, "big") + own
    return header.remaining_length > len(name) and name.startswith(source.read(len(name)))


def _values(version: int, packet: Packet) -> tuple[PacketFormat, dict[str, Any], dict[str, Any]]:
    """Return the format of a packet, the values of its fields by name, and those of its header bits."""
    version = version or V5
    form = PACKETS[version].get(packet.TYPE)
    if form is None:
        raise ValueError(f"{PACKET_NAMES[packet.TYPE]} does not exist in protocol level {version}")
    values: dict[str, Any] = {name: getattr(packet, name) for name in packet.__match_args__}
    will = values.pop("will", None)
    if "protocol_version" in values:
        values["protocol_version"] = version
    if will is not None:
        values.update({f"will_{name}": getattr(will, name) for name in will.__match_args__})
    for renamed in form.body.subcons:
        part = renamed.subcon
        if hasattr(part, "layout"):
            for bit in part.layout:
                if bit.endswith("_flag"):
                    whole = bit.removesuffix("_flag")
                    values[bit] = (will if whole == "will" else values[whole]) is not None
            values[renamed.name] = dict(values)
        values.setdefault(renamed.name, None)
    for renamed in reversed(form.body.subcons):
        value = values[renamed.name]
        if not isinstance(renamed.subcon, MayEnd) or value:
            break
        values[renamed.name] = OMITTED
    bits = FIXED_HEADERS[version].subcons[0].subcon.types[packet.TYPE].bits
    return form, values, {name: values[name] for name in bits}


def _flags(version: int, packet: Packet, bits: dict[str, Any]) -> int:
    header: Header = FIXED_HEADERS[version or V5].subcons[0].subcon.types[packet.TYPE]
    return header.flags | sum(int(value) << header.bits[name][0] for name, value in bits.items())

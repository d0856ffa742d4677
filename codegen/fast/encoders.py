# SPDX-License-Identifier: MIT
"""Writes the encoders of the fast codec."""

from __future__ import annotations

from codegen.fast.writer import Writer, only_in
from codegen.model import BLOCK, V31, Field, Packet
from codegen.shapes import class_name

__all__ = ["Encoders"]

PARTS = """\
    version: int,
    topic: bytes,
    {payload},
    qos: int,
    retain: bool,
    dup: bool,
    packet_id: int,
    properties: {properties},
"""


class Encoders(Writer):
    """Writes encoders, from the fields of the tables in wire order."""

    def encode_properties(self, packet: str) -> None:
        cls = class_name(packet)
        if packet == BLOCK:
            self.add(0, f"def _{packet.lower()}_property_bytes(properties: {cls}) -> bytes:")
            self.add(
                1, f'"""Encode the properties of {packet}, without the Property Length."""', "out: list[bytes] = []"
            )
            self.put_each(packet)
            self.add(1, 'return b"".join(out)', "", "")
            return
        self.add(0, f"def _put_{packet.lower()}_properties(properties: {cls} | None) -> bytes:")
        self.add(1, f'"""Encode the properties of {packet}, with the Property Length."""')
        self.add(1, "if properties is None:", '    return b"\\0"', "out: list[bytes] = []")
        self.put_each(packet)
        self.add(1, 'joined = b"".join(out)', "return vbi(len(joined)) + joined", "", "")

    def put_each(self, packet: str) -> None:
        """Write code that appends the bytes of each property of `properties` to `out`."""
        for prop in self.spec.property_set(packet):
            wire = self.spec.wire_of(prop.type)
            if prop.repeatable(packet):
                name = {"utf8_pair": "pair", "vbi": "number"}.get(wire, f"one_{wire}")
                self.add(1, f"for {name} in properties.{prop.name}:")
                self.add(2, f"out.append({self.put(wire, name, prop.id)})")
            else:
                name = {"utf8": "string", "binary": "binary"}.get(wire, "value")
                self.add(1, f"{name} = properties.{prop.name}", f"if {name} is not None:")
                self.add(2, f"out.append({self.put(wire, name, prop.id)})")

    def put(self, wire: str, name: str, identifier: int | None = None) -> str:
        lead = f'b"\\x{identifier:02x}" + ' if identifier is not None else ""
        if wire == "u8":
            return f'{lead}{name}.to_bytes(1, "big")'
        if wire in ("u16", "u32"):
            return f'{lead}{name}.to_bytes({self.spec.wires[wire].bytes}, "big")'
        if wire == "vbi":
            return f"{lead}vbi({name})"
        if wire == "utf8":
            return f"{lead}_string({name})"
        if wire == "binary":
            return f"{lead}_binary({name})"
        return f"{lead}_string({name}[0]) + _string({name}[1])"

    def encode_packet(self, packet: Packet) -> None:
        cls = packet.class_name
        if packet.name == "PUBLISH":
            self.encode_publish()
            return
        self.add(0, f"def _encode_{cls.lower()}(version: int, packet: {cls}) -> bytes:")
        self.add(1, f'"""Encode {packet.name} (section {packet.section})."""')
        if not packet.fields:
            self.add(1, f'return b"\\x{packet.code << 4 | packet.flags:02x}\\0"', "", "")
            return
        if V31 not in packet.senders:
            self.add(1, "if version != 5:", f'    raise ValueError("{packet.name} exists only in MQTT 5.0")')
        self.add(1, "out: list[bytes] = []")
        tail: list[Field] = []
        for field in packet.fields:
            if field.optional >= field.versions:
                tail.append(field)
            else:
                self.encode_field(1, packet, field)
        if tail:
            self.add(1, "if version == 5 and (packet.reason_code or packet.properties is not None):")
            self.add(2, 'out.append(packet.reason_code.to_bytes(1, "big"))')
            self.add(2, "if packet.properties is not None:")
            self.add(3, f"out.append(_put_{packet.name.lower()}_properties(packet.properties))")
        self.add(
            1,
            'body = b"".join(out)',
            f'return b"\\x{packet.code << 4 | packet.flags:02x}" + vbi(len(body)) + body',
            "",
            "",
        )

    def encode_field(self, depth: int, packet: Packet, field: Field) -> None:
        kind = field.type
        guard = only_in(field.versions)
        if kind == "protocol":
            self.add(
                depth,
                "if version == 3:",
                '    out.append(b"\\x00\\x06MQIsdp\\x03")',
                "else:",
                '    out.append(b"\\x00\\x04MQTT" + version.to_bytes(1, "big"))',
            )
            return
        if packet.name == "CONNECT" and field.name == "connect_flags":
            self.add(
                depth,
                "will = packet.will",
                "flags = 0x02 if packet.clean_start else 0",
                "if will is not None:",
                "    flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)",
                "if packet.username is not None:",
                "    flags |= 0x80",
                "if packet.password is not None:",
                "    flags |= 0x40",
                'out.append(flags.to_bytes(1, "big"))',
            )
            return
        if field.when == "will_flag":
            name = "will." + field.name.removeprefix("will_")
            self.add(depth, "if will is not None:" if not guard else f"if will is not None and {guard}:")
            if kind == "properties":
                self.add(depth + 1, f"out.append(_put_will_properties({name}))")
            else:
                self.add(depth + 1, f"out.append({self.put(self.spec.wire_of(kind), name)})")
            return
        name = f"packet.{field.name}"
        if guard:
            self.add(depth, f"if {guard}:")
            depth += 1
        if kind == "properties":
            self.add(depth, f"out.append(_put_{field.set.lower()}_properties({name}))")
        elif kind == "bits":
            terms = []
            for bit in field.bits:
                if bit.name != "reserved":
                    terms.append(f"(0x{1 << bit.at:02X} if packet.{bit.name} and version != 3 else 0)")
            self.add(depth, f'out.append(({" | ".join(terms)}).to_bytes(1, "big"))')
        elif kind == "reason":
            self.add(depth, f'out.append({name}.to_bytes(1, "big"))')
        elif kind == "reasons":
            self.add(depth, f"out.append(bytes({name}))")
        elif kind == "list":
            if field.item_class:
                self.add(
                    depth,
                    f"for entry in {name}:",
                    "    options = entry.qos",
                    "    if version == 5:",
                    "        options |= entry.retain_handling << 4",
                    "        options |= (8 if entry.retain_as_published else 0) | (4 if entry.no_local else 0)",
                    '    out.append(_string(entry.topic_filter) + options.to_bytes(1, "big"))',
                )
            else:
                self.add(depth, f"for entry in {name}:", "    out.append(_string(entry))")
        elif field.when:
            wire = self.spec.wire_of(kind)
            local = {"binary": "secret"}.get(wire, "plain")
            self.add(depth, f"{local} = {name}", f"if {local} is not None:", f"    out.append({self.put(wire, local)})")
        else:
            if kind == "packet_id":
                self.add(depth, f"if not 0 < {name} < 65_536:", f"    raise _no_identifier({name})")
            self.add(depth, f"out.append({self.put(self.spec.wire_of(kind), name)})")

    def encode_publish(self) -> None:
        self.add(
            0,
            "def publish_bytes(",
            *PARTS.format(payload="payload: bytes", properties="bytes").splitlines(),
            "    beside: int = 0,",
            ") -> bytes:",
            '    """Return the bytes of a PUBLISH made of its parts.',
            "",
            "    `topic` is UTF-8. `properties` do not include the Property Length; they are ignored before 5.0",
            "    (section 3.3). `beside` is the size of a payload that follows the result and is not in it.",
            "",
            "    Raises:",
            "        ValueError: the topic, or the packet, is too long.",
            '    """',
            "    named = len(topic)",
            "    if named > 65_535:",
            '        raise ValueError(f"a string has at most 65,535 bytes, not {named}")',
            "    first = BYTES[0x30 | qos << 1 | (1 if retain else 0) | (8 if dup else 0)]",
            "    remaining = 2 + named + len(payload) + beside",
            '    identifier = b""',
            "    if qos:",
            '        identifier = packet_id.to_bytes(2, "big")',
            "        remaining += 2",
            "    high, low = BYTES[named >> 8], BYTES[named & 255]",
            "    if version != 5:",
            "        length = BYTES[remaining] if remaining < 128 else vbi(remaining)",
            '        return b"".join([first, length, high, low, topic, identifier, payload])',
            "    size = len(properties)",
            "    length = BYTES[size] if size < 128 else vbi(size)",
            "    remaining += len(length) + size",
            '    return b"".join([first, vbi(remaining), high, low, topic, identifier, length, properties, payload])',
            "",
            "",
            "def encode_publish(",
            *PARTS.format(payload="payload: bytes", properties="PublishProperties | None").splitlines(),
            ") -> bytes:",
            '    """Return a PUBLISH made of its parts. `topic` is UTF-8 (section 3.3)."""',
            '    encoded = b"" if properties is None or version != 5 else _publish_property_bytes(properties)',
            "    return publish_bytes(version, topic, payload, qos, retain, dup, packet_id, encoded)",
            "",
            "",
            "def _encode_publish(version: int, packet: Publish) -> bytes:",
            '    """Encode a PUBLISH (section 3.3). Its values alone decide the bytes, not the bytes received."""',
            "    if packet.qos and not 0 < packet.packet_id < 65_536:",
            "        raise _no_identifier(packet.packet_id)",
            "    return encode_publish(",
            "        version,",
            "        packet.topic.encode(),",
            "        packet.payload,",
            "        packet.qos,",
            "        packet.retain,",
            "        packet.dup,",
            "        packet.packet_id,",
            "        packet._look(),",
            "    )",
            "",
            "",
        )

    def dispatch_encode(self) -> None:
        self.add(
            0,
            "def _string(value: str) -> bytes:",
            '    """Encode a UTF-8 Encoded String [MQTT5-1.5.4-1]."""',
            "    return _binary(value.encode())",
            "",
            "",
            "def _binary(value: bytes) -> bytes:",
            '    """Encode Binary Data or a string: a two-byte length, up to 65,535 bytes [MQTT311-4.7.3-3]."""',
            "    if len(value) > 65_535:",
            '        raise ValueError(f"a string has at most 65,535 bytes, not {len(value)}")',
            '    return len(value).to_bytes(2, "big") + value',
            "",
            "",
            "def _no_identifier(value: int) -> ValueError:",
            '    return ValueError(f"a Packet Identifier is 1 to 65,535, not {value}")',
            "",
            "",
            "def encode(version: int, packet: Packet) -> bytes:",
            '    """Return the bytes of a packet in `version` (3, 4, 5).',
            "",
            "    Fields that the version does not have are left out.",
            "",
            "    Raises:",
            "        ValueError: a value does not fit its wire type, a Packet Identifier is 0, or the version lacks",
            "            the packet.",
            '    """',
            "    try:",
        )
        order = [3, 4, 12, 5, 6, 7, 1, 2, 8, 9, 10, 11, 13, 14, 15]
        for code in order:
            packet = next(p for p in self.spec.packets if p.code == code)
            self.add(2, f"if isinstance(packet, {packet.class_name}):")
            self.add(3, f"return _encode_{packet.class_name.lower()}(version, packet)")
        self.add(
            1,
            "except OverflowError as error:",
            '    raise ValueError(f"a number in {packet!r} does not fit its field") from error',
        )
        self.add(1, 'raise ValueError(f"not a packet: {packet!r}")', "", "")

# SPDX-License-Identifier: MIT
"""Writes the tables of first bytes and property identifiers, and the dispatch to the decoders."""

from __future__ import annotations

from codegen.fast.packets import Packets
from codegen.fast.writer import Writer, is_plain_text, property_rules
from codegen.model import CLIENT, SERVER, V5, V31, V311
from codegen.text import cites_tuple

__all__ = ["Headers"]


class Headers(Writer):
    """Writes the table of first bytes, the breach of a misplaced property, and `decode`."""

    def header_table(self) -> list[str]:
        """Return the table of first bytes by version and sender: 0 if legal, else the rule that it breaks."""
        spec = self.spec
        breaches: list[tuple[int, str]] = []

        def number(reason: int, cites: str) -> int:
            if (reason, cites) not in breaches:
                breaches.append((reason, cites))
            return breaches.index((reason, cites)) + 1

        reserved, wrong = spec.rules["reserved_type"], spec.rules["wrong_sender"]
        rows: list[str] = []
        for version in (V31, V311, V5):
            for sender in (CLIENT, SERVER):
                rows.append(f"    # level {version}, from the {sender}")
                for code in range(16):
                    packet = next((p for p in spec.packets if p.code == code), None)
                    cells = []
                    for flags in range(16):
                        cell = 0
                        if packet is None or version not in packet.senders:
                            cell = number(spec.reason_code(reserved.reason), self.cites(reserved.cites))
                        elif sender not in packet.senders[version]:
                            cell = number(spec.reason_code(wrong.reason), self.cites(wrong.cites))
                        elif packet.header_bits:
                            names: dict[str, object] = {
                                b.name: flags >> b.at & ((1 << b.width) - 1) for b in packet.header_bits
                            }
                            for check in packet.header_checks:
                                if version in check.cites and eval(check.expression, {"__builtins__": {}}, names):
                                    cell = number(spec.reason_code(check.reason), self.cites(check.cites))
                                    break
                        elif version in packet.flag_cites and flags != packet.flags:
                            cell = number(0x81, self.cites(packet.flag_cites))
                        cells.append(f"{cell:02x}")
                    label = packet.name if packet else "reserved"
                    rows.append(f'    "{" ".join(cells)}"  # {label}')
        rows = ["_LEVELS: Final = bytes.fromhex(", *rows, ")"]
        rows += [
            "HEADERS: Final = _LEVELS[1024:] + bytes(1024) + _LEVELS",
            '"""By `version << 9 | sender << 8 | first byte`: 0, or 1 plus an index of `HEADER_BREACHES`.',
            "",
            "Level 0 (not known yet) is judged as 5.0, except a CONNECT that names 3.1. Levels 1 and 2 do not exist.",
            "3.1 has no rule for flags that a packet does not use [X31-flags-unused], and none for DUP of a PUBLISH",
            "with QoS 0 [X31-dup-qos0].",
            '"""',
            "",
        ]
        rows.append("HEADER_BREACHES: Final[tuple[tuple[int, Cites], ...]] = (")
        rows += [f"    (0x{reason:02X}, {cites})," for reason, cites in breaches]
        rows.append(")")
        placements = {p.id: p for p in spec.properties}
        rows += ["", "PLACEMENTS: Final[dict[int, Cites]] = {"]
        for prop in placements.values():
            rows.append(f"    0x{prop.id:02X}: {self.cites_now(f'X5-{prop.name}-placement')},")
        rows += ["}", "PROPERTY_NAMES: Final[dict[int, str]] = {"]
        rows += [f'    0x{p.id:02X}: "{p.name}",' for p in spec.properties]
        rows += ["}", "PROPERTY_TEXTS: Final[dict[int, TextRules]] = {"]
        for prop in spec.properties:
            if is_plain_text(spec, prop):
                pair = spec.wire_of(prop.type) == "utf8_pair"
                rows.append(f"    0x{prop.id:02X}: {self.text_rules(prop.type, property_rules(prop), pair)},")
        rows += ["}", f"UNKNOWN_PROPERTY: Final[Cites] = {cites_tuple(spec.unknown_property.cites)}"]
        unknown = spec.reason_code(spec.unknown_property.reason)
        truncated, cut = self.rule("truncated")
        rows += [
            "",
            "",
            "def _misplaced(",
            "    identifier: int, last: bool, packet: int, offset: int, version: int, sender: int, field: str",
            ") -> Violation:",
            '    """Return the violation of a property that this packet must not have, or of a bad identifier."""',
            "    if identifier > 127 and last:",
            f"        return broken({truncated}, 0x{cut:02X}, packet, offset, version, sender, field)",
            "    cites = PLACEMENTS.get(identifier)",
            "    if cites is None:",
            f"        return broken(UNKNOWN_PROPERTY, 0x{unknown:02X}, packet, offset, version, sender, field)",
            '    field = f"{field}.{PROPERTY_NAMES[identifier]}"',
        ]
        rows += ["    return broken(cites, 0x81, packet, offset, version, sender, field)"]
        rows += [
            "",
            "",
            "def _ill_formed(",
            "    data: bytes, start: int, pos: int, end: int, identifier: int, packet: int, version: int, sender: int,",
            "    field: str,",
            ") -> Violation:",
            '    """Return the violation of a string in `data[pos:end]` that is ill-formed or holds U+0000."""',
            "    found = check_text(data, pos, end)",
            '    field = f"{field}.{PROPERTY_NAMES[identifier]}"',
            "    return broken_text(found, PROPERTY_TEXTS[identifier], packet, start, version, sender, field)",
            "",
            "",
        ]
        return rows

    def cites_now(self, identifier: str) -> str:
        """Return the source of the citation of one statement of 5.0."""
        return cites_tuple({V5: identifier})

    def dispatch_decode(self) -> None:
        """Write `decode`: it judges the first byte, decodes a PUBLISH, and calls the decoders of the other packets."""
        decoders = Packets(self.spec, self.constants)
        decoders.lines = self.lines
        self.add(
            0,
            "def header_breach(version: int, sender: int, first: int) -> Violation | None:",
            '    """Return the violation of a wrong first byte (type, sender or flags), or None [MQTT5-2.1.3-1]."""',
            "    at = HEADERS[version << 9 | sender << 8 | first]",
            "    if at == 0:",
            "        return None",
            "    reason, cites = HEADER_BREACHES[at - 1]",
            '    return broken(cites, reason, first >> 4, 0, version, sender, "fixed_header")',
            "",
            "",
            "def decode(version: int, sender: int, data: bytes, start: int, pos: int, end: int) -> Packet | Violation:",
            '    """Decode the packet in `data[start:end]`, whose variable header begins at `pos`.',
            "",
            "    `version` is the protocol level (3, 4, 5; 0 while it is not known), `sender` is CLIENT or SERVER.",
            "    A CONNECT is decoded by the version that it names. Never raises.",
            '    """',
            "    first = data[start]",
            "    if HEADERS[version << 9 | sender << 8 | first]:",
            "        if not may_name_v31(version, sender, first, data, pos, end - pos):",
            "            breach = header_breach(version, sender, first)",
            "            assert breach is not None",
            "            return breach",
            "    kind = first >> 4",
            "    if not version and kind != 1:",
            "        packet = decode(5, sender, data, start, pos, end)",
            "        return packet._replace(version=0) if isinstance(packet, Violation) else packet",
        )
        puback = next(p for p in self.spec.packets if p.code == 4)
        self.add(
            1,
            f"if kind == {puback.code} and end - pos == 2:",
            f"    # The shortest {puback.name}: one comes for each message of QoS 1.",
            "    packet_id = data[pos] << 8 | data[pos + 1]",
            "    if packet_id:",
            f"        return {puback.class_name}(packet_id)",
        )
        publish = next(p for p in self.spec.packets if p.header_bits)
        self.add(1, f"if kind != {publish.code}:", "    return _other(kind, version, sender, data, start, pos, end)")
        self.add(
            1,
            f"# {publish.name} (section {publish.section}), the most frequent packet, is decoded without another call.",
        )
        decoders.decode_packet(publish)
        self.add(
            0,
            "def _other(",
            "    kind: int, version: int, sender: int, data: bytes, start: int, pos: int, end: int",
            ") -> Packet | Violation:",
            f'    """Decode any packet except {publish.name}."""',
        )
        order = [4, 12, 5, 6, 7, 1, 2, 8, 9, 10, 11, 13, 14, 15]
        for code in order[:-1]:
            packet = next(p for p in self.spec.packets if p.code == code)
            self.add(1, f"if kind == {code}:")
            self.add(2, f"return _{packet.class_name.lower()}(version, sender, data, start, pos, end)")
        last = next(p for p in self.spec.packets if p.code == order[-1])
        self.add(1, f"return _{last.class_name.lower()}(version, sender, data, start, pos, end)", "", "")

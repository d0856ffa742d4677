# SPDX-License-Identifier: MIT
"""Writes the decoders of packets of the fast codec: one straight line for each packet."""

from __future__ import annotations

from codegen.fast.properties import PropertyLists
from codegen.fast.writer import ALL, SENDERS, bit_of, only_in
from codegen.model import BLOCK, CLIENT, SERVER, V5, Check, Field, Packet
from codegen.shapes import class_name

__all__ = ["Packets"]


class Packets(PropertyLists):
    """Writes decoders of packets, from the fields of the tables in wire order."""

    def decode_packet(self, packet: Packet) -> None:
        cls = packet.class_name
        if not packet.header_bits:
            self.add(0, f"def _{cls.lower()}(")
            self.add(1, "version: int, sender: int, data: bytes, start: int, pos: int, end: int")
            self.add(0, f") -> {cls} | Violation:")
            self.add(1, f'"""Decode {packet.name} (section {packet.section})."""')
        else:
            for bit in packet.header_bits:
                self.add(1, f"{bit.name} = {bit_of(bit.at, bit.width, 'first')}")
        rest = False
        for field in packet.fields:
            self.field(packet, field)
            rest = rest or field.type == "rest"
        if not rest:
            cites, reason = self.rule("trailing")
            self.add(1, "if pos != end:")
            self.broken(2, cites, reason, packet.code, "pos", "")
        if any(a.name == "will" for a in self.shapes[cls].attributes):
            arguments = ", ".join(f"will_{a.name}" for a in self.shapes["Will"].attributes)
            self.add(1, "will: Will | None = None", "if will_flag:", f"    will = Will({arguments})")
        if packet.name == BLOCK:
            self.add(1, f"made = {self.construct(packet)}", "made.received = block", "return made", "", "")
        else:
            self.add(1, f"return {self.construct(packet)}", "", "")

    def construct(self, packet: Packet) -> str:
        shape = self.shapes[packet.class_name]
        rest = {f.name for f in packet.fields if f.type == "rest"}
        lazy = {f.name for f in packet.fields if f.set == BLOCK}
        arguments = ["data[pos:end]" if a.name in rest else a.name for a in shape.attributes if a.name not in lazy]
        return f"{packet.class_name}({', '.join(arguments)})"

    def field(self, packet: Packet, field: Field) -> None:
        depth = 1
        kind = field.type
        conditions = [c for c in (only_in(field.versions), field.when) if c]
        if kind not in ("bits", "protocol", "list", "rest") and (conditions or field.optional):
            default = self.default(field)
            if field.absent:
                default += f"  # if the packet ends before it [{', '.join(field.absent.values())}]"
            self.add(depth, default)
        if conditions:
            self.add(depth, f"if {' and '.join(conditions)}:")
            depth += 1
        if field.optional and field.optional >= field.versions:
            self.add(depth, "if pos < end:")
            self.one(depth + 1, packet, field)
        elif field.optional:
            self.add(depth, f"if pos < end or {only_in(ALL - field.optional)}:")
            self.one(depth + 1, packet, field)
        else:
            self.one(depth, packet, field)
        if kind == "properties":
            self.property_checks(depth, field, packet)
        for check in field.checks:
            if kind != "bits":
                self.check(depth, check, packet, field.name, "pos - 1", field.versions)

    def default(self, field: Field) -> str:
        kind = field.type
        if field.set == BLOCK:
            return "block: Block | None = None"
        if kind == "properties":
            return f"{field.name}: {class_name(field.set)} | None = None"
        if kind in ("packet_id", "reason"):
            return f"{field.name} = 0"
        if kind == "reasons":
            return f"{field.name}: list[int] = []"
        wire = self.spec.wire_of(kind)
        if field.name.startswith("will_"):
            return f'{field.name} = {"b" if wire == "binary" else ""}""'
        return f"{field.name}: {self.spec.wires[wire].python} | None = None"

    def check(
        self, depth: int, check: Check, packet: Packet, label: str, offset: str, inside: frozenset[int] = ALL
    ) -> None:
        guard = "" if inside <= frozenset(check.cites) else only_in(frozenset(check.cites))
        expression = self.has(check.expression, packet.name).replace("'", '"')
        condition = (
            f"{guard} and ({expression})"
            if guard and " or " in expression
            else (f"{guard} and {expression}" if guard else expression)
        )
        self.add(depth, f"if {condition}:")
        self.broken(depth + 1, self.cites(check.cites), self.spec.reason_code(check.reason), packet.code, offset, label)

    def one(self, depth: int, packet: Packet, field: Field, prefix: str = "") -> None:
        """Write code that reads one field at `pos`."""
        kind = field.type
        label = prefix + field.name
        code = packet.code
        if kind == "protocol":
            self.protocol(depth, field)
        elif kind == "bits":
            self.value(depth, "u8", "value", code, label, {}, field)
            for bit in field.bits:
                guard = only_in(bit.versions)
                text = bit_of(bit.at, bit.width)
                if guard:
                    text = (
                        f"({text}) if {guard} else 0"
                        if bit.width > 1 or bit.name == "reserved"
                        else f"{guard} and {text}"
                    )
                self.add(depth, f"{bit.name} = {text}")
            for check in field.checks:
                self.check(depth, check, packet, label, "pos - 1")
        elif kind == "properties":
            self.missing(depth, field, code, label)
            self.properties(depth, field, packet)
        elif kind == "reason":
            self.value(depth, "u8", field.name, code, label, {}, field)
            self.add(depth, f"if {field.name} not in {self.codes(packet, field)}:")
            self.broken(depth + 1, self.cites(field.cites), 0x82, code, "pos - 1", label)
        elif kind == "reasons":
            self.add(depth, "if pos >= end:")
            self.broken(depth + 1, self.cites(field.empty), self.spec.reason_code(field.reason), code, "pos", label)
            self.add(depth, f"{field.name} = list(data[pos:end])")
            self.add(depth, f"allowed = {self.codes(packet, field)}", f"for code in {field.name}:")
            self.add(depth + 1, "pos += 1", "if code not in allowed:")
            self.broken(depth + 2, self.cites(field.cites), 0x82, code, "pos - 1", label)
        elif kind == "list":
            self.item_list(depth, packet, field)
        elif kind == "rest":
            pass  # it is read where the packet object is made
        elif kind == "packet_id":
            self.value(depth, "u16", field.name, code, label, {}, field)
            self.add(depth, f"if {field.name} == 0:")
            self.zero(depth + 1, field, code, label)
        else:
            types = field.types
            if len(set(types.values())) == 1:
                self.value(depth, kind, field.name, code, label, field.rules, field)
            else:
                self.string(depth, kind, field.name, code, label, field.rules, field)
                strict = next(t for v, t in types.items() if t != kind)
                versions = frozenset(v for v, t in types.items() if t == strict)
                constant = self.text_rules(strict, field.rules)
                self.add(depth, f"if not {field.name} and {only_in(versions)}:")
                self.add(
                    depth + 1,
                    "found = check_name(data, pos, pos)",
                    f'return broken_text(found, {constant}, {code}, start, version, sender, "{label}")',
                )

    def zero(self, depth: int, field: Field, code: int, label: str) -> None:
        reason = 0x82
        if len(field.zero) == 1:
            self.broken(depth, self.cites(next(iter(field.zero.values()))), reason, code, "pos - 1", label)
            return
        client, server = self.cites(field.zero[CLIENT]), self.cites(field.zero[SERVER])
        self.add(depth, f"cites = {client} if sender == CLIENT else {server}")
        self.broken(depth, "cites", reason, code, "pos - 1", label)

    def codes(self, packet: Packet, field: Field) -> str:
        """Return an expression for the codes that are legal here: a constant, or a choice between constants."""
        spec = self.spec

        def constant(name: str, values: tuple[int, ...]) -> str:
            self.constants[name] = "frozenset({" + ", ".join(f"0x{v:02X}" for v in values) + "})"
            return name

        names = {}
        for sender in sorted(packet.senders.get(V5, frozenset())):
            values = tuple(dict.fromkeys(r.code for r in spec.reasons_for(packet.name, sender)))
            names[sender] = constant(f"{packet.name}_{SENDERS[sender]}_CODES", values)
        if len(names) == 1:
            text = next(iter(names.values()))
        else:
            text = f"({names[CLIENT]} if sender == CLIENT else {names[SERVER]})"
        for version, values in sorted(field.codes.items(), reverse=True):
            text = f"({constant(f'{packet.name}_V{version}_CODES', values)} if version == {version} else {text})"
        return text

    def protocol(self, depth: int, field: Field) -> None:
        truncated, name = self.rule("truncated"), self.rule("protocol_name")
        level_cites, level_reason = self.rule("protocol_level")
        newest = next(known for known, levels in field.names.items() if V5 in levels)
        start = f"\\x00\\x{len(newest):02x}{newest}"
        self.add(
            depth, f'size = {2 + len(newest)} if data.startswith(b"{start}", pos, end) else protocol(data, pos, end)'
        )
        self.add(depth, "if size < 0:")
        self.add(
            depth + 1,
            f"truncated, name = (0x{truncated[1]:02X}, {truncated[0]}), (0x{name[1]:02X}, {name[0]})",
            "return broken_protocol(truncated, name, data, start, pos, end, version, sender)",
        )
        self.add(depth, "pos += size", "if pos >= end:")
        self.truncated(depth + 1, 1, "pos", field.name)
        self.add(depth, f"{field.name} = data[pos]", "pos += 1")
        word = "if"
        for known, levels in field.names.items():
            low, high = min(levels), max(levels)
            self.add(depth, f"{word} size == {2 + len(known)}:  # {known}")
            word = "elif"
            if low == high:
                self.add(depth + 1, f"version = {low}", f"if {field.name} != {low}:")
            else:
                self.add(
                    depth + 1,
                    f"version = {low} if {field.name} & 0x7F <= {low} else {high}  # 0x80: a bridge of that version",
                    f"if {field.name} != version:",
                )
            self.broken(depth + 2, level_cites, level_reason, 1, "pos - 1", field.name)

    def item_list(self, depth: int, packet: Packet, field: Field) -> None:
        code = packet.code
        self.add(depth, "if pos >= end:")
        self.broken(depth + 1, self.cites(field.empty), self.spec.reason_code(field.reason), code, "pos", field.name)
        kind = field.item_class or "str"
        self.add(depth, f"{field.name}: list[{kind}] = []", "while pos < end:")
        for item in field.items:
            self.one(depth + 1, packet, item, f"{field.name}.")
        if field.item_class:
            arguments = ", ".join(a.name for a in self.shapes[field.item_class].attributes)
            self.add(depth + 1, f"{field.name}.append({field.item_class}({arguments}))")
        else:
            self.add(depth + 1, f"{field.name}.append({field.items[0].name})")

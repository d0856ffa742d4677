# SPDX-License-Identifier: MIT
"""Emits the fast codec: straight-line decoders and encoders that mypyc compiles.

Helpers are called once per wire type, not written out per field, since compiled code grows with its lines. What is
wrong with a packet is worked out only once something is: the straight line tests, `breach` explains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from codegen.model import CLIENT, SERVER, V5, V31, V311, Check, Cites, Field, Packet, Property, Spec
from codegen.shapes import class_name, packet_shapes
from codegen.text import HEADER, all_list, cites_tuple

__all__ = ["emit"]

TEXT_KINDS = (
    "", "utf8_ill_formed", "utf8_null", "topic_empty", "topic_wildcard", "filter_hash", "filter_plus",
    "share_name_empty", "share_name_form",
)  # fmt: skip
BREACH = ("Cites", "TextRules", "broken", "broken_protocol", "broken_text", "cut_string", "cut_vbi", "protocol")
PRIMITIVES = (
    "CLIENT", "SERVER", "check_filter", "check_name", "check_text", "filter_text", "name_text", "read_vbi", "text",
    "vbi",
)  # fmt: skip
ALL = frozenset({V31, V311, V5})
SENDERS = {CLIENT: "CLIENT", SERVER: "SERVER"}


def emit(spec: Spec) -> dict[str, str]:
    """The files of this emitter, by path."""
    return {"mqtt_ref/wire/generated/fast.py": _Emitter(spec).module()}


def _guard(versions: frozenset[int]) -> str:
    """A condition that holds in exactly these versions; empty where it always does."""
    if versions == ALL:
        return ""
    if len(versions) == 1:
        return f"version == {next(iter(versions))}"
    return f"version != {next(iter(ALL - versions))}"


def _has(expression: str, properties: str = "properties") -> str:
    return re.sub(r"\bhas_(\w+)", rf"({properties} is not None and {properties}.\1 is not None)", expression)


class _Emitter:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.lines: list[str] = []
        self.constants: dict[str, str] = {}
        self.imports: set[str] = set()
        self.shapes = {s.name: s for s in packet_shapes(spec)}

    # ------------------------------------------------------------ the module

    def module(self) -> str:
        for name in dict.fromkeys(f.set for p in self.spec.packets for f in p.fields if f.set):
            self.decode_properties(name)
        for packet in self.spec.packets:
            self.decode_packet(packet)
        self.dispatch_decode()
        for name in dict.fromkeys(f.set for p in self.spec.packets for f in p.fields if f.set):
            self.encode_properties(name)
        for packet in self.spec.packets:
            self.encode_packet(packet)
        self.dispatch_encode()
        header = self.header_table()
        classes = sorted(
            set(self.shapes) | {class_name(f.set) for p in self.spec.packets for f in p.fields if f.set}
        )
        framing = []
        for rule in ("packet_too_large", "vbi_long", "vbi_minimal"):
            row = self.spec.rules[rule]
            cites = f"{self.cites(row.cites)}, {self.cites(row.server)}"
            name = {"vbi_long": "VBI_FOUR_BYTES"}.get(rule, rule.upper())
            framing.append(f'{name}: Final = (0x{self.spec.reason_code(row.reason):02X}, {cites}, "{row.level}")')
        header += ["", *framing]
        public = [
            "HEADER_BREACHES",
            "HEADERS",
            "PACKET_TOO_LARGE",
            "VBI_FOUR_BYTES",
            "VBI_MINIMAL",
            "decode",
            "encode",
            "encode_publish",
            "header_breach",
        ]
        out = [
            HEADER.format(doc="The fast codec: one whole packet at a time, for a version and a sender."),
            "from __future__ import annotations\n",
            "from typing import Final\n",
            "from mqtt_ref.wire.breach import (",
            *(f"    {n}," for n in BREACH),
            ")",
            "from mqtt_ref.wire.generated.packets import (",
            *(f"    {c}," for c in sorted([*classes, "Packet"])),
            ")",
            "from mqtt_ref.wire.primitives import (",
            *(f"    {n}," for n in PRIMITIVES),
            ")",
            "from mqtt_ref.wire.violation import Violation\n",
            all_list(public),
        ]
        out += [f"{name}: Final{self.annotation(name)} = {value}" for name, value in sorted(self.constants.items())]
        out += ["", *header, "", ""]
        return "\n".join(out) + "\n".join(self.lines).rstrip("\n") + "\n"

    def annotation(self, name: str) -> str:
        if name.startswith("C_"):
            return "[Cites]"
        if name.startswith("T_"):
            return "[TextRules]"
        return ""

    def add(self, depth: int, *lines: str) -> None:
        self.lines += [("    " * depth + line) if line else "" for line in lines]

    # ------------------------------------------------------------ citations

    def cites(self, cites: Cites) -> str:
        """A constant that holds these citations."""
        value = cites_tuple(cites)
        label = cites.get(V5) or cites.get(V311) or cites.get(V31) or "none"
        base = "C_" + re.sub(r"[^A-Za-z0-9]+", "_", label).upper()
        name = base
        number = 2
        while self.constants.get(name, value) != value:
            name = f"{base}_{number}"
            number += 1
        self.constants[name] = value
        return name

    def rule(self, name: str) -> tuple[str, int]:
        rule = self.spec.rules[name]
        return self.cites(rule.cites), self.spec.reason_code(rule.reason)

    def text_rules(self, kind: str, overrides: Mapping[str, Cites], pair: bool = False) -> str:
        """A constant with reason and citations of every way in which a string of this type breaks."""
        parts = []
        mine = self.spec.type_rules(kind)
        for name in TEXT_KINDS:
            look = {"utf8_ill_formed": "pair_ill_formed", "utf8_null": "pair_null"}.get(name, name) if pair else name
            if look not in mine:
                parts.append(f"(0, {self.cites({})})")
                continue
            rule = self.spec.rules[look]
            cites = {**rule.cites, **overrides.get(name, {})}
            parts.append(f"(0x{self.spec.reason_code(rule.reason):02X}, {self.cites(cites)})")
        value = "(\n    " + ",\n    ".join(parts) + ",\n)"
        base = f"T_{kind.upper()}"
        constant = base
        number = 2
        while self.constants.get(constant, value) != value:
            constant = f"{base}_{number}"
            number += 1
        self.constants[constant] = value
        return constant

    def broken(self, depth: int, cites: str, reason: int, code: int | str, offset: str, field: str) -> None:
        self.add(depth, f'return broken({cites}, 0x{reason:02X}, {code}, {offset} - start, version, sender, "{field}")')

    def truncated(self, depth: int, code: int | str, offset: str, field: str) -> None:
        cites, reason = self.rule("truncated")
        self.broken(depth, cites, reason, code, offset, field)

    # ------------------------------------------------------------ decoding: one value

    def missing(self, depth: int, field: Field, code: int, label: str) -> None:
        """Refuse a packet that ends where the field should begin, if the table has a statement for that."""
        if field.missing:
            generic = self.spec.rules["truncated"]
            self.add(depth, "if pos >= end:")
            self.broken(
                depth + 1,
                self.cites({**generic.cites, **field.missing}),
                self.spec.reason_code(generic.reason),
                code,
                "pos",
                label,
            )

    def value(self, depth: int, kind: str, name: str, code: int | str, label: str, rules: Mapping[str, Cites]) -> None:
        """Read one value of a wire or semantic type at `pos` into `name`."""
        wire = self.spec.wire_of(kind)
        size = self.spec.wires[wire].bytes
        if wire == "u8":
            self.add(depth, "if pos >= end:")
            self.truncated(depth + 1, code, "pos", label)
            self.add(depth, f"{name} = data[pos]", "pos += 1")
        elif wire == "u16":
            self.add(depth, "if end - pos < 2:")
            self.truncated(depth + 1, code, "pos", label)
            self.add(depth, f"{name} = data[pos] << 8 | data[pos + 1]", "pos += 2")
        elif size:
            self.add(depth, f"if end - pos < {size}:")
            self.truncated(depth + 1, code, "pos", label)
            self.add(depth, f'{name} = int.from_bytes(data[pos : pos + {size}], "big")', f"pos += {size}")
        elif wire == "vbi":
            self.vbi(depth, name, code, label)
        elif wire == "binary":
            self.span(depth, code, label)
            self.add(depth, f"{name} = data[pos + 2 : stop]", "pos = stop")
        elif wire == "utf8":
            self.string(depth, kind, name, code, label, rules)
        elif wire == "utf8_pair":
            self.string(depth, kind, "key", code, label, rules, pair=True)
            self.string(depth, kind, "entry", code, label, rules, pair=True)
            self.add(depth, f"{name} = (key, entry)")
        else:
            raise NotImplementedError(wire)

    def vbi(self, depth: int, name: str, code: int | str, label: str, after: str = "end") -> None:
        minimal_cites, minimal_reason = self.rule("vbi_minimal")
        long_cites, long_reason = self.rule("vbi_long")
        self.add(depth, f"if pos < {after} and data[pos] < 128:")
        self.add(depth + 1, f"{name} = data[pos]", "pos += 1")
        self.add(depth, "else:")
        self.add(depth + 1, f"packed = read_vbi(data, pos, {after}, True)")
        self.add(depth + 1, "if packed == -1:")
        self.truncated(depth + 2, code, f"cut_vbi(pos, {after})", label)
        self.add(depth + 1, "if packed == -2:")
        self.broken(depth + 2, long_cites, long_reason, code, "pos + 3", label)
        self.add(depth + 1, "if packed == -3:")
        self.add(depth + 2, "while data[pos]:", "    pos += 1")
        self.broken(depth + 2, minimal_cites, minimal_reason, code, "pos", label)
        self.add(depth + 1, f"{name} = packed >> 3", "pos += packed & 7")

    def span(self, depth: int, code: int | str, label: str) -> None:
        """Find the end of a length-prefixed field: `stop`."""
        self.add(depth, "stop = pos + 2", "if stop <= end:", "    stop += data[pos] << 8 | data[pos + 1]")
        self.add(depth, "if stop > end:")
        self.truncated(depth + 1, code, "cut_string(data, pos, end)", label)

    def string(
        self,
        depth: int,
        kind: str,
        name: str,
        code: int | str,
        label: str,
        rules: Mapping[str, Cites],
        pair: bool = False,
    ) -> None:
        self.span(depth, code, label)
        semantic = self.spec.type_rules(kind)
        constant = self.text_rules(kind, rules, pair)
        if "filter_hash" in semantic:
            check = "check_filter(data, pos + 2, stop, version == 5)"
            self.add(depth, f"{name}_ = filter_text(data, pos + 2, stop, version == 5)")
        elif "topic_wildcard" in semantic:
            check = "check_name(data, pos + 2, stop)"
            self.add(depth, f"{name}_ = name_text(data, pos + 2, stop)")
            if "topic_empty" in semantic:
                self.add(depth, f"if stop == pos + 2 or {name}_ is None:")
                self.add(depth + 1, f"found = {check}")
                self.add(depth + 1, f'return broken_text(found, {constant}, {code}, start, version, sender, "{label}")')
                self.add(depth, f"{name} = {name}_", "pos = stop")
                return
        else:
            check = "check_text(data, pos + 2, stop)"
            self.add(depth, f"{name}_ = text(data, pos + 2, stop)")
        self.add(depth, f"if {name}_ is None:")
        self.add(depth + 1, f"found = {check}")
        self.add(depth + 1, f'return broken_text(found, {constant}, {code}, start, version, sender, "{label}")')
        self.add(depth, f"{name} = {name}_", "pos = stop")

    # ------------------------------------------------------------ decoding: properties

    def decode_properties(self, packet: str) -> None:
        spec = self.spec
        cls = class_name(packet)
        code = next(p.code for p in spec.packets for f in p.fields if f.set == packet)
        label = "will_properties" if packet == "WILL" else "properties"
        self.add(0, f"def _{packet.lower()}_properties(")
        self.add(1, "version: int, sender: int, data: bytes, start: int, pos: int, end: int")
        self.add(0, f") -> {cls} | Violation:")
        self.add(1, f'"""The property list of {packet} in `data[pos:end]`."""', f"out = {cls}()")
        self.add(1, "while pos < end:")
        self.add(2, "identifier = data[pos]")
        word = "if"
        for prop in spec.property_set(packet):
            self.add(2, f"{word} identifier == 0x{prop.id:02X}:  # {prop.title}")
            word = "elif"
            self.property_value(prop, packet, code, label)
        self.add(2, "else:")
        self.add(3, f'return _misplaced(identifier, {code}, pos - start, version, sender, "{label}")')
        self.add(1, "return out", "", "")

    def property_value(self, prop: Property, packet: str, code: int, label: str) -> None:
        spec = self.spec
        place = prop.place(packet)
        assert place is not None
        field = f"{label}.{prop.name}"
        if len(place.senders) == 1 and packet in ("PUBLISH", "DISCONNECT"):
            allowed = next(iter(place.senders))
            other = next((e for e in prop.elsewhere if e.packet == packet), None)
            self.add(3, f"if sender != {SENDERS[allowed]}:")
            if other is not None:
                cites, reason = self.cites({V5: other.cites}), spec.reason_code(other.breach)
            else:
                cites, reason = self.cites({V5: f"X5-{prop.name}-placement"}), 0x81
            self.broken(4, cites, reason, code, "pos", field)
        many = place.many
        if not many:
            self.add(3, f"if out.{prop.name} is not None:")
            self.broken(4, self.cites({V5: f"X5-{prop.name}-once"}), spec.reason_code(prop.repeat), code, "pos", field)
        self.add(3, "pos += 1")
        rules: dict[str, Cites] = {k: {V5: v} for k, v in prop.cites.items()}
        target = {"utf8": "string_value", "utf8_pair": "pair_value", "binary": "binary_value"}.get(
            spec.wire_of(prop.type), "value"
        )
        self.value(3, prop.type, target, code, field, rules)
        if prop.limits:
            limits = prop.limits
            cites = self.cites({V5: limits.cites or f"X5-{prop.name}-range"})
            if limits.allowed:
                top = max(limits.allowed)
                assert limits.allowed == tuple(range(top + 1))
                self.add(3, f"if value > {top}:")
            else:
                self.add(3, f"if value < {limits.minimum}:")
            self.broken(4, cites, spec.reason_code(limits.breach), code, "pos - 1", field)
        if many:
            self.add(3, f"out.{prop.name}.append({target})")
        else:
            self.add(3, f"out.{prop.name} = {target}")

    def properties(self, depth: int, field: Field, packet: Packet) -> None:
        """Read the property section at `pos` into the field's name."""
        code = packet.code
        name = field.name
        self.vbi(depth, "length", code, name)
        self.add(depth, "stop = pos + length", "if stop > end:")
        self.truncated(depth + 1, code, "pos - 1", name)
        self.add(depth, "if length:")
        self.add(
            depth + 1,
            f"read_{name} = _{field.set.lower()}_properties(version, sender, data, start, pos, stop)",
            f"if isinstance(read_{name}, Violation):",
            f"    return read_{name}",
            f"{name} = read_{name}",
            "pos = stop",
        )

    def property_checks(self, depth: int, field: Field, packet: Packet) -> None:
        """What a property section has to hold besides: needs and required properties, then the table's checks."""
        spec = self.spec
        for prop in spec.properties:
            if prop.needs and field.set in prop.needs_in:
                name = field.name
                self.add(
                    depth, f"if {name} is not None and {name}.{prop.name} is not None and {name}.{prop.needs} is None:"
                )
                self.broken(
                    depth + 1,
                    self.cites({V5: f"X5-{prop.name}-needs"}),
                    spec.reason_code(prop.needs_breach),
                    packet.code,
                    "pos - 1",
                    field.name,
                )
        for prop in spec.properties:
            place = prop.place(field.set)
            if place is not None and place.required:
                self.add(depth, f"if {_has(f'not has_{prop.name}', field.name)}:")
                self.broken(
                    depth + 1,
                    self.cites({V5: f"X5-{field.set.lower()}-{prop.name}-required"}),
                    spec.reason_code(place.required),
                    packet.code,
                    "pos - 1",
                    field.name,
                )

    # ------------------------------------------------------------ decoding: packets

    def decode_packet(self, packet: Packet) -> None:
        cls = packet.class_name
        self.add(0, f"def _{cls.lower()}(")
        self.add(1, "version: int, sender: int, data: bytes, start: int, pos: int, end: int")
        self.add(0, f") -> {cls} | Violation:")
        self.add(1, f'"""{packet.name} (section {packet.section})."""')
        if packet.header_bits:
            self.add(1, "value = data[start]")
            for bit in packet.header_bits:
                self.add(1, f"{bit.name} = {self.bit(bit.at, bit.width)}")
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
        self.add(1, f"return {self.construct(packet)}", "", "")

    def bit(self, at: int, width: int) -> str:
        if width == 1:
            return f"value & 0x{1 << at:02X} != 0"
        shift = f"value >> {at}" if at else "value"
        return f"{shift} & {(1 << width) - 1}"

    def construct(self, packet: Packet) -> str:
        shape = self.shapes[packet.class_name]
        arguments = [a.name for a in shape.attributes]
        return f"{packet.class_name}({', '.join(arguments)})"

    def field(self, packet: Packet, field: Field) -> None:
        depth = 1
        kind = field.type
        conditions = [c for c in (_guard(field.versions), field.when) if c]
        if kind not in ("bits", "protocol", "list", "rest") and (conditions or field.optional):
            self.add(depth, self.default(field))
        if conditions:
            self.add(depth, f"if {' and '.join(conditions)}:")
            depth += 1
        if field.optional and field.optional >= field.versions:
            self.add(depth, "if pos < end:")
            self.one(depth + 1, packet, field)
        elif field.optional:
            self.add(depth, f"if pos < end or {_guard(ALL - field.optional)}:")
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
        guard = "" if inside <= frozenset(check.cites) else _guard(frozenset(check.cites))
        expression = _has(check.expression).replace("'", '"')
        condition = (
            f"{guard} and ({expression})"
            if guard and " or " in expression
            else (f"{guard} and {expression}" if guard else expression)
        )
        self.add(depth, f"if {condition}:")
        self.broken(depth + 1, self.cites(check.cites), self.spec.reason_code(check.reason), packet.code, offset, label)

    def one(self, depth: int, packet: Packet, field: Field, prefix: str = "") -> None:
        """Read one field at `pos`."""
        kind = field.type
        label = prefix + field.name
        code = packet.code
        if kind == "protocol":
            self.protocol(depth, field)
        elif kind == "bits":
            self.missing(depth, field, code, label)
            self.value(depth, "u8", "value", code, label, {})
            for bit in field.bits:
                guard = _guard(bit.versions)
                text = self.bit(bit.at, bit.width)
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
            self.missing(depth, field, code, label)
            self.value(depth, "u8", field.name, code, label, {})
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
            self.add(depth, f"{field.name} = data[pos:end]")
        elif kind == "packet_id":
            self.missing(depth, field, code, label)
            self.value(depth, "u16", field.name, code, label, {})
            self.add(depth, f"if {field.name} == 0:")
            self.zero(depth + 1, field, code, label)
        else:
            self.missing(depth, field, code, label)
            types = field.types
            if len(set(types.values())) == 1:
                self.value(depth, kind, field.name, code, label, field.rules)
            else:
                self.string(depth, kind, field.name, code, label, field.rules)
                strict = next(t for v, t in types.items() if t != kind)
                versions = frozenset(v for v, t in types.items() if t == strict)
                constant = self.text_rules(strict, field.rules)
                self.add(depth, f"if not {field.name} and {_guard(versions)}:")
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
        """The constant, or the choice between constants, of the codes that may stand here."""
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
        self.add(depth, "size = protocol(data, pos, end)", "if size < 0:")
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
                    f"version = {low} if {field.name} <= {low} else {high}",
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

    # ------------------------------------------------------------ decoding: the header, and the way in

    def header_table(self) -> list[str]:
        """The legality of every first byte, by version and sender: 0, or which rule it breaks."""
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
        rows = ["HEADERS: Final = bytes.fromhex(", *rows, ")"]
        rows.append(
            '"""By version, sender and first byte: 0, or 1 plus the index of the breach in `HEADER_BREACHES`."""\n'
        )
        rows.append("HEADER_BREACHES: Final[tuple[tuple[int, Cites], ...]] = (")
        rows += [f"    (0x{reason:02X}, {cites})," for reason, cites in breaches]
        rows.append(")")
        placements = {p.id: p for p in spec.properties}
        rows += ["", "PLACEMENTS: Final[dict[int, Cites]] = {"]
        for prop in placements.values():
            rows.append(f"    0x{prop.id:02X}: {self.cites_now(f'X5-{prop.name}-placement')},")
        rows += ["}", "PROPERTY_NAMES: Final[dict[int, str]] = {"]
        rows += [f'    0x{p.id:02X}: "{p.name}",' for p in spec.properties]
        rows += ["}", f"UNKNOWN_PROPERTY: Final[Cites] = {cites_tuple(spec.unknown_property.cites)}"]
        unknown = spec.reason_code(spec.unknown_property.reason)
        rows += [
            "",
            "",
            "def _misplaced(",
            "    identifier: int, packet: int, offset: int, version: int, sender: int, field: str",
            ") -> Violation:",
            '    """A property that may not stand in this packet, or an identifier that is none."""',
            "    cites = PLACEMENTS.get(identifier)",
            "    if cites is None:",
            f"        return broken(UNKNOWN_PROPERTY, 0x{unknown:02X}, packet, offset, version, sender, field)",
            '    field = f"{field}.{PROPERTY_NAMES[identifier]}"',
        ]
        rows += ["    return broken(cites, 0x81, packet, offset, version, sender, field)"]
        return rows

    def cites_now(self, identifier: str) -> str:
        """The citation of one statement of 5.0, written out."""
        return cites_tuple({V5: identifier})

    def dispatch_decode(self) -> None:
        self.add(
            0,
            "def header_breach(version: int, sender: int, first: int) -> Violation | None:",
            '    """What the first byte of a packet breaks: its type, its sender or its flags [MQTT5-2.1.3-1]."""',
            "    at = HEADERS[((version or 5) * 2 - 6 + sender) << 8 | first]",
            "    if at == 0:",
            "        return None",
            "    reason, cites = HEADER_BREACHES[at - 1]",
            '    return broken(cites, reason, first >> 4, 0, version, sender, "fixed_header")',
            "",
            "",
            "def decode(version: int, sender: int, data: bytes, start: int, pos: int, end: int) -> Packet | Violation:",
            '    """The packet in `data[start:end]`, whose variable header begins at `pos`.',
            "",
            "    `version` is the protocol level (3, 4, 5; 0 while it is not known), `sender` is CLIENT or SERVER. A CONNECT",
            "    is decoded by the version that it names itself. Never raises.",
            '    """',
            "    first = data[start]",
            "    if HEADERS[((version or 5) * 2 - 6 + sender) << 8 | first]:",
            "        found = header_breach(version, sender, first)",
            "        assert found is not None",
            "        return found",
            "    kind = first >> 4",
            "    if version == 0 and kind != 1:",
            "        packet = decode(5, sender, data, start, pos, end)",
            "        return packet._replace(version=0) if isinstance(packet, Violation) else packet",
        )
        order = [3, 4, 12, 5, 6, 7, 1, 2, 8, 9, 10, 11, 13, 14, 15]
        for code in order[:-1]:
            packet = next(p for p in self.spec.packets if p.code == code)
            self.add(1, f"if kind == {code}:")
            self.add(2, f"return _{packet.class_name.lower()}(version, sender, data, start, pos, end)")
        last = next(p for p in self.spec.packets if p.code == order[-1])
        self.add(1, f"return _{last.class_name.lower()}(version, sender, data, start, pos, end)", "", "")

    # ------------------------------------------------------------ encoding

    def encode_properties(self, packet: str) -> None:
        cls = class_name(packet)
        self.add(0, f"def _put_{packet.lower()}_properties(properties: {cls} | None) -> bytes:")
        self.add(1, f'"""The property section of {packet}, its length included."""')
        self.add(1, "if properties is None:", '    return b"\\0"', "out: list[bytes] = []")
        for prop in self.spec.property_set(packet):
            place = prop.place(packet)
            assert place is not None
            wire = self.spec.wire_of(prop.type)
            if place.many:
                name = {"utf8_pair": "pair", "vbi": "number"}[wire]
                self.add(1, f"for {name} in properties.{prop.name}:")
                self.add(2, f"out.append({self.put(wire, name, prop.id)})")
            else:
                name = {"utf8": "string", "binary": "binary"}.get(wire, "value")
                self.add(1, f"{name} = properties.{prop.name}", f"if {name} is not None:")
                self.add(2, f"out.append({self.put(wire, name, prop.id)})")
        self.add(1, 'joined = b"".join(out)', "return vbi(len(joined)) + joined", "", "")

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
        self.add(1, f'"""{packet.name} (section {packet.section})."""')
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
        guard = _guard(field.versions)
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
            self.add(depth, f"out.append({self.put(self.spec.wire_of(kind), name)})")

    def encode_publish(self) -> None:
        self.add(
            0,
            "def encode_publish(",
            "    version: int,",
            "    topic: bytes,",
            "    payload: bytes,",
            "    qos: int,",
            "    retain: bool,",
            "    dup: bool,",
            "    packet_id: int,",
            "    properties: PublishProperties | None,",
            ") -> bytes:",
            '    """A PUBLISH from its parts; `topic` is UTF-8 already (section 3.3)."""',
            "    first = 0x30 | qos << 1 | (1 if retain else 0) | (8 if dup else 0)",
            "    size = len(topic)",
            "    if size > 65_535:",
            '        raise ValueError(f"a string has at most 65,535 bytes, not {size}")',
            "    if qos:",
            '        head = size.to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big")',
            "    else:",
            '        head = size.to_bytes(2, "big") + topic',
            "    if version == 5:",
            "        head += _put_publish_properties(properties)",
            "    remaining = len(head) + len(payload)",
            "    if remaining < 128:",
            "        return bytes((first, remaining)) + head + payload",
            '    return b"".join((bytes((first,)), vbi(remaining), head, payload))',
            "",
            "",
            "def _encode_publish(version: int, packet: Publish) -> bytes:",
            '    """PUBLISH (section 3.3)."""',
            "    return encode_publish(",
            "        version,",
            "        packet.topic.encode(),",
            "        packet.payload,",
            "        packet.qos,",
            "        packet.retain,",
            "        packet.dup,",
            "        packet.packet_id,",
            "        packet.properties,",
            "    )",
            "",
            "",
        )

    def dispatch_encode(self) -> None:
        self.add(
            0,
            "def _string(value: str) -> bytes:",
            '    """A UTF-8 Encoded String [MQTT5-1.5.4-1]."""',
            "    return _binary(value.encode())",
            "",
            "",
            "def _binary(value: bytes) -> bytes:",
            '    """Binary Data: two bytes of length, then the bytes."""',
            "    if len(value) > 65_535:",
            '        raise ValueError(f"a string has at most 65,535 bytes, not {len(value)}")',
            '    return len(value).to_bytes(2, "big") + value',
            "",
            "",
            "def encode(version: int, packet: Packet) -> bytes:",
            '    """The bytes of a packet in the given version (3, 4, 5); what the version lacks is left out.',
            "",
            "    Raises:",
            "        ValueError: a value does not fit its wire type, or the version has no such packet.",
            '    """',
        )
        order = [3, 4, 12, 5, 6, 7, 1, 2, 8, 9, 10, 11, 13, 14, 15]
        for code in order:
            packet = next(p for p in self.spec.packets if p.code == code)
            self.add(1, f"if isinstance(packet, {packet.class_name}):")
            self.add(2, f"return _encode_{packet.class_name.lower()}(version, packet)")
        self.add(1, 'raise ValueError(f"not a packet: {packet!r}")', "", "")

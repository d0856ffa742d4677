# SPDX-License-Identifier: MIT
"""Emits the decoders of the fast codec: one function per packet and per property set."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.fast_writer import ALL, SENDERS, Writer, bit_of, has, is_plain_text, only_in, property_rules
from codegen.model import CLIENT, SERVER, V5, Check, Cites, Field, Packet, Property
from codegen.shapes import class_name

__all__ = ["Decoders"]


class Decoders(Writer):
    """Straight-line decoders, from the tables' fields in wire order."""

    # ------------------------------------------------------------ decoding: one value

    def missing(self, depth: int, field: Field, code: int | str, label: str) -> None:
        """Refuse a packet that ends where the field should begin, if the table has a statement for that."""
        if field.missing:
            generic = self.spec.rules["truncated"]
            cites = self.cites({**generic.cites, **field.missing})
            self.add(depth, "if pos >= end:")
            self.broken(depth + 1, cites, self.spec.reason_code(generic.reason), code, "pos", label)

    def value(
        self,
        depth: int,
        kind: str,
        name: str,
        code: int | str,
        label: str,
        rules: Mapping[str, Cites],
        field: Field | None = None,
    ) -> None:
        """Read one value of a wire or semantic type at `pos` into `name`; `field` says what its absence breaks."""
        wire = self.spec.wire_of(kind)
        size = self.spec.wires[wire].bytes
        if field is not None and wire not in ("binary", "utf8"):
            self.missing(depth, field, code, label)
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
            self.add(depth, f"{name} = UNPACK_{8 * size}(data, pos)[0]", f"pos += {size}")
        elif wire == "vbi":
            self.vbi(depth, name, code, label)
        elif wire == "binary":
            self.span(depth, code, label, field)
            self.add(depth, f"{name} = data[pos + 2 : stop]", "pos = stop")
        elif wire == "utf8":
            self.string(depth, kind, name, code, label, rules, field)
        else:
            raise NotImplementedError(wire)

    def vbi(self, depth: int, name: str, code: int | str, label: str, after: str = "end") -> None:
        minimal_cites, minimal_reason = self.rule("vbi_minimal")
        long_cites, long_reason = self.rule("vbi_long")
        self.add(depth, f"if pos < {after} and ({name} := data[pos]) < 128:")
        self.add(depth + 1, "pos += 1")
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

    def span(self, depth: int, code: int | str, label: str, field: Field | None) -> None:
        """Find the end of a length-prefixed field: `stop`."""
        self.add(depth, "stop = pos + 2", "if stop <= end:", "    stop += data[pos] << 8 | data[pos + 1]")
        self.add(depth, "if stop > end:")
        if field is not None:
            self.missing(depth + 1, field, code, label)
        self.truncated(depth + 1, code, "cut_string(data, pos, end)", label)

    def string(
        self,
        depth: int,
        kind: str,
        name: str,
        code: int | str,
        label: str,
        rules: Mapping[str, Cites],
        field: Field | None,
    ) -> None:
        if field is None:
            self.property_span(depth, code, label)
        else:
            self.span(depth, code, label, field)
        semantic = self.spec.type_rules(kind)
        constant = self.text_rules(kind, rules)
        held = f"{name}_" if name.startswith("will_") else name  # where the name has a default that is no None
        wrong = f"{held} is None"
        if "filter_hash" in semantic:
            check = "check_filter(data, pos + 2, stop, version == 5)"
            self.add(depth, f"{held} = filter_text(data, pos + 2, stop, version == 5)")
        elif "topic_wildcard" in semantic:
            check = "check_name(data, pos + 2, stop)"
            self.add(depth, f"{held} = NAMES.get(data[pos + 2 : stop]) or name_text(data, pos + 2, stop)")
            if "topic_empty" in semantic:
                wrong = f"not {held}"
        else:
            check = "check_text(data, pos + 2, stop)"
            self.add(depth, f"{held} = text(data, pos + 2, stop)")
        self.add(depth, f"if {wrong}:")
        self.add(depth + 1, f"found = {check}")
        self.add(depth + 1, f'return broken_text(found, {constant}, {code}, start, version, sender, "{label}")')
        if held != name:
            self.add(depth, f"{name} = {held}")
        self.add(depth, "pos = stop")

    # ------------------------------------------------------------ decoding: properties

    def decode_properties(self, packet: str) -> None:
        spec = self.spec
        cls = class_name(packet)
        code = next(p.code for p in spec.packets for f in p.fields if f.set == packet)
        label = "will_properties" if packet == "WILL" else "properties"
        self.add(0, f"def _{packet.lower()}_properties(")
        self.add(1, "version: int, sender: int, data: bytes, start: int, pos: int, end: int")
        self.add(0, f") -> {cls} | Violation:")
        self.add(1, f'"""The property list of {packet} in `data[pos:end]`, in any order [X5-property-order-free]."""')
        self.add(1, f"out = {cls}()")
        # Senders mostly keep the order of the identifiers, so each is asked for behind the one before it: one pass.
        self.add(1, "identifier = stop = 0", "try:")
        self.add(2, "while pos < end:")
        self.add(3, "before = pos", "identifier = data[pos]")
        for prop in spec.property_set(packet):
            place = prop.place(packet)
            word = "while" if place is not None and place.many else "if"
            self.add(3, f"{word} identifier == 0x{prop.id:02X}:  # {prop.title}")
            self.property_value(prop, packet, code, label)
            self.add(4, "identifier = data[pos] if pos < end else 0")
        self.add(3, "if pos == before:")
        self.add(4, f'return _misplaced(identifier, pos + 1 == end, {code}, pos - start, version, sender, "{label}")')
        self.add(1, "except UnicodeDecodeError:")
        self.add(2, f"return {self.ill_formed_property(code, label)}")
        self.add(1, "except IndexError:  # in a length of two bytes")
        self.truncated(2, code, "cut_string(data, pos, end)", label, "PROPERTY_NAMES[identifier]")
        self.add(1, "return out", "", "")

    def ill_formed_property(self, code: int, label: str) -> str:
        """The violation of the property whose string at `pos` is ill-formed or holds U+0000."""
        return f'_ill_formed(data, start, pos + 2, stop, identifier, {code}, version, sender, "{label}")'

    def property_span(self, depth: int, code: int | str, field: str) -> None:
        """Find the end of a length-prefixed value: `stop`. A length that the packet ends in raises IndexError."""
        self.add(depth, "stop = pos + 2 + (data[pos] << 8 | data[pos + 1])", "if stop > end:")
        self.truncated(depth + 1, code, "cut_string(data, pos, end)", field)

    def property_string(self, depth: int, name: str, code: int, label: str, field: str) -> None:
        """Read a string that has no rules of its own; decoded in place, since a call would cost half as much again."""
        self.property_span(depth, code, field)
        self.add(depth, f"{name} = data[pos + 2 : stop].decode()", f'if "\\0" in {name}:')
        self.add(depth + 1, f"return {self.ill_formed_property(code, label)}")
        self.add(depth, "pos = stop")

    def property_value(self, prop: Property, packet: str, code: int, label: str) -> None:
        spec = self.spec
        place = prop.place(packet)
        assert place is not None
        field = f"{label}.{prop.name}"
        if len(place.senders) == 1 and packet in ("PUBLISH", "DISCONNECT"):
            allowed = next(iter(place.senders))
            other = next((e for e in prop.elsewhere if e.packet == packet), None)
            self.add(4, f"if sender != {SENDERS[allowed]}:")
            if other is not None:
                cites, reason = self.cites({V5: other.cites}), spec.reason_code(other.breach)
            else:
                cites, reason = self.cites({V5: f"X5-{prop.name}-placement"}), 0x81
            self.broken(5, cites, reason, code, "pos", field)
        many = place.many
        if not many:
            self.add(4, f"if out.{prop.name} is not None:")
            self.broken(5, self.cites({V5: f"X5-{prop.name}-once"}), spec.reason_code(prop.repeat), code, "pos", field)
        self.add(4, "pos += 1")
        wire = spec.wire_of(prop.type)
        value = "value" if prop.limits or many else f"out.{prop.name}"
        if wire == "binary":
            self.property_span(4, code, field)
            self.add(4, f"{value} = data[pos + 2 : stop]", "pos = stop")
        elif wire == "utf8_pair":
            self.property_string(4, "key", code, label, field)
            self.property_string(4, "entry", code, label, field)
            value = "(key, entry)"
        elif is_plain_text(spec, prop):
            value = "string"
            self.property_string(4, value, code, label, field)
        else:
            value = "name" if wire == "utf8" else value
            self.value(4, prop.type, value, code, field, property_rules(prop))
        if prop.limits:
            limits = prop.limits
            cites = self.cites({V5: limits.cites or f"X5-{prop.name}-range"})
            if limits.allowed:
                top = max(limits.allowed)
                assert limits.allowed == tuple(range(top + 1))
                self.add(4, f"if value > {top}:")
            else:
                self.add(4, f"if value < {limits.minimum}:")
            self.broken(5, cites, spec.reason_code(limits.breach), code, "pos - 1", field)
        if many:
            self.add(4, f"out.{prop.name}.append({value})")
        elif value != f"out.{prop.name}":
            self.add(4, f"out.{prop.name} = {value}")

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
            f"if not isinstance(read_{name}, {class_name(field.set)}):",
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
                self.add(depth, f"if {has(f'not has_{prop.name}', field.name)}:")
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
        if not packet.header_bits:
            self.add(0, f"def _{cls.lower()}(")
            self.add(1, "version: int, sender: int, data: bytes, start: int, pos: int, end: int")
            self.add(0, f") -> {cls} | Violation:")
            self.add(1, f'"""{packet.name} (section {packet.section})."""')
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
        self.add(1, f"return {self.construct(packet)}", "", "")

    def construct(self, packet: Packet) -> str:
        shape = self.shapes[packet.class_name]
        rest = {f.name for f in packet.fields if f.type == "rest"}
        arguments = ["data[pos:end]" if a.name in rest else a.name for a in shape.attributes]
        return f"{packet.class_name}({', '.join(arguments)})"

    def field(self, packet: Packet, field: Field) -> None:
        depth = 1
        kind = field.type
        conditions = [c for c in (only_in(field.versions), field.when) if c]
        if kind not in ("bits", "protocol", "list", "rest") and (conditions or field.optional):
            default = self.default(field)
            if field.absent:
                default += f"  # where the packet ends before it [{', '.join(field.absent.values())}]"
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
        expression = has(check.expression).replace("'", '"')
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
            pass  # it is taken where the packet is made
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

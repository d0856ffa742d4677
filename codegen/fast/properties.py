# SPDX-License-Identifier: MIT
"""Writes the decoders of property lists of the fast codec: one function for each property set."""

from __future__ import annotations

from codegen.fast.blocks import Blocks
from codegen.fast.writer import SENDERS, is_plain_text, property_rules
from codegen.model import BLOCK, V5, Field, Packet, Property
from codegen.shapes import class_name

__all__ = ["PropertyLists"]


class PropertyLists(Blocks):
    """Writes decoders of property lists, and the code in the packet decoders that uses them."""

    def decode_properties(self, packet: str) -> None:
        spec = self.spec
        cls = class_name(packet)
        code = next(p.code for p in spec.packets for f in p.fields if f.set == packet)
        label = "will_properties" if packet == "WILL" else "properties"
        self.add(0, f"def _{packet.lower()}_properties(")
        self.add(1, "version: int, sender: int, data: bytes, start: int, pos: int, end: int")
        self.add(0, f") -> {cls} | Violation:")
        self.add(
            1, f'"""Decode the properties of {packet} in `data[pos:end]`, in any order [X5-property-order-free]."""'
        )
        self.add(1, f"out = {cls}()")
        # Most senders order properties by identifier. So the tests are in that order, and one pass reads them all.
        self.add(1, "identifier = stop = 0", "try:")
        self.add(2, "while pos < end:")
        self.add(3, "before = pos", "identifier = data[pos]")
        for prop in spec.property_set(packet):
            word = "while" if prop.repeatable(packet) else "if"
            self.add(3, f"{word} identifier == 0x{prop.id:02X}:  # {prop.title}")
            self.property_value(prop, packet, code, label)
            self.add(4, "identifier = data[pos] if pos < end else 0")
        self.add(3, "if pos == before:")
        self.add(4, f'return _misplaced(identifier, pos + 1 == end, {code}, pos - start, version, sender, "{label}")')
        self.add(1, "except UnicodeDecodeError:")
        self.add(2, f"return {self.ill_formed_property(code, label)}")
        self.add(1, "except IndexError:  # a cut-off length of two bytes")
        self.truncated(2, code, "cut_string(data, pos, end)", label, "PROPERTY_NAMES[identifier]")
        self.add(1, "return out", "", "")

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
        value = "value" if prop.limits or many or wire == "vbi" else f"out.{prop.name}"
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

    def property_string(self, depth: int, name: str, code: int, label: str, field: str) -> None:
        """Write code that reads a string without own rules. It is decoded inline: a call would take 50 % more time."""
        self.property_span(depth, code, field)
        self.add(depth, f"{name} = data[pos + 2 : stop].decode()", f'if "\\0" in {name}:')
        self.add(depth + 1, f"return {self.ill_formed_property(code, label)}")
        self.add(depth, "pos = stop")

    def ill_formed_property(self, code: int, label: str) -> str:
        """Return an expression for the violation of a string at `pos` that is ill-formed or holds U+0000."""
        return f'_ill_formed(data, start, pos + 2, stop, identifier, {code}, version, sender, "{label}")'

    def properties(self, depth: int, field: Field, packet: Packet) -> None:
        """Write code that reads the property list at `pos` into the name of the field."""
        code = packet.code
        name = field.name
        self.vbi(depth, "length", code, name)
        self.add(depth, "stop = pos + length", "if stop > end:")
        self.truncated(depth + 1, code, "pos - 1", name)
        self.add(depth, "if length:")
        if field.set == BLOCK:
            self.block(depth + 1, field)
            return
        self.add(
            depth + 1,
            f"read_{name} = _{field.set.lower()}_properties(version, sender, data, start, pos, stop)",
            f"if not isinstance(read_{name}, {class_name(field.set)}):",
            f"    return read_{name}",
            f"{name} = read_{name}",
            "pos = stop",
        )

    def property_checks(self, depth: int, field: Field, packet: Packet) -> None:
        """Write the checks of a whole property list: properties that need another, then required properties."""
        spec = self.spec
        for prop in spec.properties:
            if prop.needs and field.set in prop.needs_in:
                name = field.name
                wrong = f"{name} is not None and {name}.{prop.name} is not None and {name}.{prop.needs} is None"
                if field.set == BLOCK:
                    wrong = self.has(f"has_{prop.name} and not has_{prop.needs}", BLOCK)
                self.add(depth, f"if {wrong}:")
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
                self.add(depth, f"if {self.has(f'not has_{prop.name}', field.set, field.name)}:")
                self.broken(
                    depth + 1,
                    self.cites({V5: f"X5-{field.set.lower()}-{prop.name}-required"}),
                    spec.reason_code(place.required),
                    packet.code,
                    "pos - 1",
                    field.name,
                )

# SPDX-License-Identifier: MIT
"""Emits the reference codec: the wire format of every packet and version, declared with `construct`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from codegen.expressions import Call, Node, assign, call, dict_of, named, tuple_of
from codegen.model import CLIENT, SERVER, V5, VERSIONS, Bit, Check, Field, Packet, Rule, Spec
from codegen.shapes import class_name
from codegen.text import HEADER

__all__ = ["emit"]

PATH = "mqtt_ref/wire/generated/reference.py"
SUFFIX = {version: name.upper() for name, version in VERSIONS.items()}
SENDERS = (CLIENT, SERVER)
TITLE = {3: "MQTT 3.1", 4: "MQTT 3.1.1", 5: "MQTT 5.0"}
IMPORTS = (
    "Binary", "Bits", "Check", "FixedHeader", "Header", "Integer", "Limits", "ListOf", "MayEnd", "PacketFormat",
    "PacketId", "Property", "PropertyList", "PropertySet", "Protocol", "Reason", "Reasons", "RemainingLength", "Rest",
    "Rule", "StringPair", "Text", "VariableByteInteger", "has",
)  # fmt: skip
EXPORTS = ("FIXED_HEADERS", "PACKETS", "PROPERTIES", "PROTOCOLS", "TRAILING", "TRUNCATED")

LENGTH, TYPE, VALUE, CROSS = "length", "type", "value", "cross_field"


def emit(spec: Spec) -> dict[str, str]:
    """Return the files of this emitter, by path."""
    return {PATH: _Emitter(spec).module()}


class _Emitter:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.types: dict[tuple[str, int], str] = {}

    def module(self) -> str:
        classes = sorted({*(p.class_name for p in self.spec.packets), *self._sets().values(), *self._item_classes()})
        parts = [
            HEADER.format(doc="The wire format of every packet in every version, declared with `construct`."),
            "from __future__ import annotations\n",
            "from typing import Any, Final\n",
            "from construct import If, Struct\n",
            "from mqtt_ref.wire.constructs import (\n" + "".join(f"    {n},\n" for n in IMPORTS) + ")",
            "from mqtt_ref.wire.generated.packets import (\n" + "".join(f"    {n},\n" for n in classes) + ")",
            "from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311\n",
            "__all__ = [\n" + "".join(f'    "{n}",\n' for n in EXPORTS) + "]\n",
        ]
        for version in sorted(VERSIONS.values(), reverse=True):
            parts.append(_title(f"{TITLE[version]}: rules and types"))
            parts += self._rules(version)
            parts += self._types(version)
        parts.append(_title("The properties, and the packets that may carry them"))
        parts += self._properties()
        for version in sorted(VERSIONS.values(), reverse=True):
            parts.append(_title(f"{TITLE[version]}: packets"))
            parts.append(self._protocol(version))
            parts.append(self._fixed_header(version))
            parts += [self._packet(p, version) for p in self.spec.packets if version in p.senders]
        parts.append(_title("Everything by protocol level"))
        parts += self._tables()
        return "\n".join(p.rstrip("\n") + ("\n" if p.endswith("\n") else "") for p in parts) + "\n"

    # ------------------------------------------------------------ rules

    def _rule(self, statement: str, kind: str, reason: str) -> Call:
        level = self.spec.statements[statement].level
        code = f"0x{self.spec.reason_code(reason):02X}"
        return call("Rule", f'"{statement}"', f'"{kind}"', code, level=None if level == "must" else f'"{level}"')

    def _by_sender(self, cites: Mapping[str, str], kind: str, reason: str) -> Call:
        return dict_of((_constant(s), self._rule(cites[s], kind, reason)) for s in SENDERS if s in cites)

    def _checks(self, checks: Iterable[Check], version: int, header: frozenset[str]) -> Call | None:
        out: list[Node] = []
        for check in checks:
            if version in check.cites:
                condition = f"lambda this: {_condition(check.expression, header)}"
                out.append(call("Check", condition, self._rule(check.cites[version], check.kind, check.reason)))
        return tuple_of(out) if out else None

    def _rules(self, version: int) -> list[str]:
        """Return the rules that fields share, as constants."""
        out = []
        for rule in self.spec.rules.values():
            if version in rule.cites and (rule.name in self._used_rules() or rule.name in ("truncated", "trailing")):
                out.append(assign(f"{rule.name.upper()}_{SUFFIX[version]}", self._shared(rule, version)).rstrip())
        return [*out, ""]

    def _shared(self, rule: Rule, version: int) -> Call:
        return self._rule(rule.cites[version], rule.kind, rule.reason)

    def _used_rules(self) -> set[str]:
        rows = (*self.spec.wires.values(), *self.spec.semantics.values())
        return {name for row in rows for name in row.rules}

    # ------------------------------------------------------------ types

    def _types(self, version: int) -> list[str]:
        out = []
        for name in (*self.spec.wires, *self.spec.semantics):
            if self.spec.wire_of(name) == "u16" and name != "u16":
                continue  # each packet has its own rules for Packet Identifiers
            rules = {
                r: f"{r.upper()}_{SUFFIX[version]}"
                for r in self.spec.type_rules(name)
                if version in self.spec.rules[r].cites
            }
            if any(r.startswith("pair_") for r in self.spec.type_rules(name)) and version != V5:
                continue
            constant = f"{name.upper()}_{SUFFIX[version]}"
            self.types[name, version] = constant
            wire = self.spec.wires[self.spec.wire_of(name)]
            head = {"vbi": "VariableByteInteger", "utf8": "Text", "binary": "Binary", "utf8_pair": "StringPair"}
            args = [str(wire.bytes)] if wire.bytes else []
            out.append(assign(constant, call(head.get(wire.name, "Integer"), *args, **rules)).rstrip())
        return [*out, ""]

    # ------------------------------------------------------------ properties

    def _sets(self) -> dict[str, str]:
        """Property set -> its class."""
        return {name: class_name(name) for name in self.spec.property_sets()}

    def _item_classes(self) -> set[str]:
        return {f.item_class for p in self.spec.packets for f in p.fields if f.item_class}

    def _properties(self) -> list[str]:
        out = []
        for prop in self.spec.properties:
            kind: Node = self.types[prop.type, V5]
            if prop.cites:
                kind = call(f"{kind}.citing", **self._cited(prop.cites))
            limits = None
            if prop.limits:
                rule = self._rule(prop.limits.cites or f"X5-{prop.name}-range", VALUE, prop.limits.breach)
                limits = call(
                    "Limits",
                    rule,
                    minimum=str(prop.limits.minimum) if prop.limits.minimum else None,
                    allowed=tuple_of(str(v) for v in prop.limits.allowed) if prop.limits.allowed else None,
                )
            value = call(
                "Property",
                f"0x{prop.id:02X}",
                f'"{prop.name}"',
                kind,
                placement=self._rule(f"X5-{prop.name}-placement", TYPE, "MALFORMED_PACKET"),
                once=self._rule(f"X5-{prop.name}-once", TYPE, prop.repeat) if prop.repeat else None,
                limits=limits,
            )
            out.append(assign(prop.name.upper(), value).rstrip())
        known = dict_of((f"0x{p.id:02X}", p.name.upper()) for p in sorted(self.spec.properties, key=lambda p: p.id))
        out += ["", assign("PROPERTIES: Final[dict[int, Property]]", known)]
        out += [self._set(name, make) for name, make in self._sets().items()]
        return out

    def _set(self, packet: str, make: str) -> str:
        properties = self.spec.property_set(packet)
        args: dict[str, Node | None] = {}
        for sender in SENDERS:
            here = [p.name.upper() for p in self.spec.property_set(packet, sender)]
            args[sender] = tuple_of(here) if here else None
        many = [p.name.upper() for p in properties if p.repeatable(packet)]
        args["many"] = tuple_of(many) if many else None
        elsewhere = [
            (f"(0x{p.id:02X}, {_constant(e.sender)})", self._rule(e.cites, TYPE, e.breach))
            for p in self.spec.properties
            for e in p.elsewhere
            if e.packet == packet
        ]
        args["elsewhere"] = dict_of(elsewhere) if elsewhere else None
        required: list[Node] = []
        needs: list[Node] = []
        for prop in properties:
            place = prop.place(packet)
            if place is not None and place.required:
                statement = f"X5-{packet.lower()}-{prop.name}-required"
                required.append(tuple_of([f'"{prop.name}"', self._rule(statement, CROSS, place.required)]))
            if packet in prop.needs_in:
                rule = self._rule(f"X5-{prop.name}-needs", CROSS, prop.needs_breach)
                needs.append(tuple_of([f'"{prop.name}"', f'"{prop.needs}"', rule]))
        args["required"] = tuple_of(required) if required else None
        args["needs"] = tuple_of(needs) if needs else None
        return assign(f"{packet}_SET", call("PropertySet", make, **args))

    def _cited(self, cites: Mapping[str, str]) -> dict[str, Node]:
        """Return rules that replace those of a type, with other statements."""
        rules = self.spec.rules
        return {name: self._rule(cited, rules[name].kind, rules[name].reason) for name, cited in cites.items()}

    # ------------------------------------------------------------ packets

    def _protocol(self, version: int) -> str:
        name, level = self.spec.rules["protocol_name"], self.spec.rules["protocol_level"]
        field = next(f for p in self.spec.packets for f in p.fields if f.type == "protocol")
        own = next(n for n, levels in field.names.items() if version in levels)
        value = call(
            "Protocol",
            names=dict_of((f'b"{n}"', tuple_of(str(v) for v in levels)) for n, levels in field.names.items()),
            own=f'b"{own}"',
            name=self._shared(name, version),
            level=dict_of((str(v), self._shared(level, v)) for v in sorted(VERSIONS.values())),
            truncated=f"TRUNCATED_{SUFFIX[version]}",
        )
        return assign(f"PROTOCOL_{SUFFIX[version]}", value)

    def _fixed_header(self, version: int) -> str:
        types: list[tuple[str, Node]] = []
        for packet in self.spec.packets:
            if version not in packet.senders:
                continue
            args: dict[str, Node | None] = {}
            if packet.header_bits:
                args["bits"] = _layout(packet.header_bits, version)
                args["checks"] = self._checks(packet.header_checks, version, frozenset())
            else:
                args["flags"] = f"0b{packet.flags:04b}"
                cited = packet.flag_cites.get(version)
                args["flags_rule"] = self._rule(cited, VALUE, "MALFORMED_PACKET") if cited else None
            senders = tuple_of(_constant(s) for s in SENDERS if s in packet.senders[version])
            types.append((str(packet.code), call("Header", senders, **args)))
        rules = self.spec.rules
        header = call(
            "FixedHeader",
            dict_of(types),
            reserved_type=self._shared(rules["reserved_type"], version),
            wrong_sender=self._shared(rules["wrong_sender"], version),
            truncated=f"TRUNCATED_{SUFFIX[version]}",
        )
        vbi = {r: f"{r.upper()}_{SUFFIX[version]}" for r in self.spec.type_rules("vbi") if version in rules[r].cites}
        length = named('"remaining_length" / ', call("RemainingLength", **vbi))
        value = call("Struct", named('"fixed_header" / ', header), length)
        return assign(f"FIXED_HEADER_{SUFFIX[version]}", value)

    def _packet(self, packet: Packet, version: int) -> str:
        header = frozenset(b.name for b in packet.header_bits)
        fields = [
            named(f'"{f.name}" / ', self._field(packet, f, version, header))
            for f in packet.fields
            if version in f.versions
        ]
        return assign(f"{packet.name}_{SUFFIX[version]}", call("Struct", *fields))

    def _field(self, packet: Packet, field: Field, version: int, header: frozenset[str]) -> Node:
        node = self._part(packet, field, version, header)
        if version in field.optional:
            node = call("MayEnd", node)
        if field.when:
            node = call("If", f"lambda this: {_condition(field.when, header)}", node)
        return node

    def _part(self, packet: Packet, field: Field, version: int, header: frozenset[str]) -> Node:
        kind = field.types[version]
        suffix = SUFFIX[version]
        args: dict[str, Node | None] = {"truncated": f"TRUNCATED_{suffix}"}
        if version in field.missing:
            truncated = self.spec.rules["truncated"]
            args["missing"] = self._rule(field.missing[version], truncated.kind, truncated.reason)
        if version in field.empty:
            args["empty"] = self._rule(field.empty[version], LENGTH, field.reason)
        checks = self._checks(field.checks, version, header)
        if kind == "protocol":
            return f"PROTOCOL_{suffix}"
        if kind == "rest":
            return "Rest()"
        if kind == "bits":
            return call("Bits", _layout(field.bits, version), checks=checks, **args)
        if kind == "list":
            items = [named(f'"{i.name}" / ', self._field(packet, i, version, frozenset())) for i in field.items]
            item = call("Struct", *items) if field.item_class else items[0]
            return call("ListOf", item, *([field.item_class] if field.item_class else []), **args)
        if kind in ("reason", "reasons"):
            rule = self._rule(field.cites[version], VALUE, field.reason)
            codes, titles = self._codes(packet, field, version)
            return call("Reason" if kind == "reason" else "Reasons", codes, titles, rule, checks=checks, **args)
        if kind == "properties":
            unknown = self.spec.unknown_property
            rule = self._rule(unknown.cites[version], unknown.kind, unknown.reason)
            return call(
                "PropertyList",
                f"{field.set}_SET",
                "PROPERTIES",
                self.types["vbi", version],
                rule,
                checks=checks,
                **args,
            )
        if kind == "packet_id":
            both = field.zero.get("both", {})
            cites = {s: field.zero.get(s, both)[version] for s in SENDERS if version in field.zero.get(s, both)}
            return call("PacketId", self._by_sender(cites, VALUE, field.reason), **args)
        del args["truncated"]
        for name, cited in field.rules.items():
            if version in cited:
                args |= self._cited({name: cited[version]})
        constant = self.types[kind, version]
        return call(f"{constant}.citing", **args) if args else constant

    def _codes(self, packet: Packet, field: Field, version: int) -> tuple[Call, Call]:
        """Return the codes that each sender may use, and their titles."""
        titles: dict[int, str] = {}
        codes: list[tuple[str, Node]] = []
        for sender in SENDERS:
            if sender not in packet.senders[version]:
                continue
            rows = self.spec.reasons_for(packet.name, sender)
            allowed = field.codes.get(version, tuple(r.code for r in rows))
            codes.append((_constant(sender), tuple_of(f"0x{c:02X}" for c in allowed)))
            titles |= {r.code: r.title for r in rows if r.code in allowed}
            if version != V5 and packet.name == "CONNACK":
                titles = {r.code: r.title for r in self.spec.return_codes}
        return dict_of(codes), dict_of((f"0x{code:02X}", f'"{title}"') for code, title in sorted(titles.items()))

    def _tables(self) -> list[str]:
        versions = sorted(VERSIONS.values())
        formats = []
        for version in versions:
            rows = (
                (str(p.code), call("PacketFormat", f'"{p.name}"', p.class_name, f"{p.name}_{SUFFIX[version]}"))
                for p in self.spec.packets
                if version in p.senders
            )
            formats.append((SUFFIX[version], dict_of(rows)))

        def table(name: str) -> Call:
            return dict_of((SUFFIX[v], f"{name}_{SUFFIX[v]}") for v in versions)

        return [
            assign("TRUNCATED: Final[dict[int, Rule]]", table("TRUNCATED")),
            assign("TRAILING: Final[dict[int, Rule]]", table("TRAILING")),
            assign("PROTOCOLS: Final[dict[int, Protocol]]", table("PROTOCOL")),
            assign("FIXED_HEADERS: Final[dict[int, Any]]", table("FIXED_HEADER")),
            assign("PACKETS: Final[dict[int, dict[int, PacketFormat]]]", dict_of(formats)).rstrip(),
        ]


def _title(text: str) -> str:
    return f"# {'-' * 64} {text}\n"


def _constant(sender: str) -> str:
    return sender.upper()


def _layout(bits: Iterable[Bit], version: int) -> Call:
    return dict_of((f'"{b.name}"', f"({b.at}, {b.width})") for b in bits if version in b.versions)


class _Names(ast.NodeTransformer):
    """Replaces the names in an expression of the tables with those of the construct context."""

    def __init__(self, header: frozenset[str]) -> None:
        self.header = header

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id.startswith("has_"):
            text = f"has(this.properties, {node.id.removeprefix('has_')!r})"
        else:
            text = f"this._.{node.id}" if node.id in self.header else f"this.{node.id}"
        return ast.parse(text, mode="eval").body


def _condition(expression: str, header: frozenset[str]) -> str:
    tree = _Names(header).visit(ast.parse(expression, mode="eval"))
    return ast.unparse(tree).replace("'", '"')

# SPDX-License-Identifier: MIT
"""Emits Hypothesis strategies for exactly the packets that a sender may send in a version."""

from __future__ import annotations

import textwrap
from typing import Any

from codegen.model import BOTH, CLIENT, SERVER, V5, V31, V311, VERSIONS, Field, Packet, Property, Spec
from codegen.shapes import class_name
from codegen.tables.reader import SpecError
from codegen.text import HEADER

__all__ = ["emit"]

REPAIRS = {
    "session_present and reason_code": ("session_present = session_present and not reason_code",),
    "not topic and not has_topic_alias": (
        "if not topic and (properties is None or properties.topic_alias is None):",
        "    topic = draw(topic_names())",
    ),
    "no_local and topic_filter.startswith('$share/')": (
        'no_local = no_local and not topic_filter.startswith("$share/")',
    ),
}
"""The code that repairs a packet that breaks a rule between its fields."""

STRINGS = {
    "utf8": "texts()",
    "client_id": "texts()",
    "topic_name": "topic_names()",
    "topic_name_or_empty": "topic_names()",
    "topic_name_property": "topic_names()",
    "topic_filter": "topic_filters(version)",
    "binary": "st.binary(max_size=LONG)",
    "utf8_pair": "st.tuples(texts(), texts())",
}
CONSTANTS = {V5: "V5", V311: "V311", V31: "V31"}
SIDES = {CLIENT: "CLIENT", SERVER: "SERVER"}

PRELUDE = '''
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from mqtt_ref.wire.packets import (
{imports})
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311

__all__ = [
{names}]

P = TypeVar("P")
LONG: Final = 60
MANY: Final = 4
CHARACTERS: Final = st.characters(exclude_categories=["Cs"], exclude_characters="\\0")
LEVEL: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\0+#/"), max_size=8)

# fmt: off
{tables}# fmt: on


def texts() -> SearchStrategy[str]:
    """UTF-8 Encoded Strings, without surrogates and U+0000.

    Cites: MQTT5-1.5.4-1, MQTT5-1.5.4-2
    """
    return st.text(CHARACTERS, max_size=LONG // 4)


def topic_names() -> SearchStrategy[str]:
    """Topic Names, with at least one character and without wildcards.

    Cites: MQTT5-4.7.3-1, MQTT5-4.7.0-1
    """
    return st.lists(LEVEL, min_size=1, max_size=MANY).map("/".join).filter(bool)


def topic_filters(version: int = V5, *, shared: bool = True) -> SearchStrategy[str]:
    """Topic Filters, with wildcards. In 5.0, some are shared, unless `shared` is false."""
    levels = st.lists(LEVEL | st.just("+"), min_size=1, max_size=MANY)
    plain = st.builds(lambda some, last: "/".join([*some, *last]), levels, st.sampled_from([[], ["#"]]))
    plain = (plain | st.just("#")).filter(lambda text: text != "" and not text.startswith("$share/"))
    if version != V5 or not shared:
        return plain
    name = LEVEL.filter(bool)
    return plain | st.builds("$share/{{}}/{{}}".format, name, plain)


def _properties(
    cls: Callable[..., P],
    optional: Mapping[str, SearchStrategy[Any]],
    required: Mapping[str, SearchStrategy[Any]] | None = None,
    needs: Mapping[str, str] | None = None,
) -> SearchStrategy[P | None]:
    """Property sets. A set without properties is None."""

    def make(values: dict[str, Any]) -> P | None:
        for name, other in (needs or {{}}).items():
            if other not in values:
                values.pop(name, None)
        return cls(**values) if values else None

    return st.fixed_dictionaries(dict(required or {{}}), optional=dict(optional)).map(make)
'''


def emit(spec: Spec) -> dict[str, str]:
    """Return the files of this emitter, by path."""
    return {"mqtt_ref/testing/strategies.py": _Emitter(spec).module()}


class _Emitter:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.tables: dict[str, str] = {}
        self.imports = {"Packet", "Subscription", "Will"}
        self.names = {"packets", "texts", "topic_filters", "topic_names"}

    def module(self) -> str:
        parts = [self.property_set(name) for name in self.spec.property_sets()]
        parts += [self.packet(packet) for packet in self.spec.packets]
        parts.append(self.union())
        tables = "".join(f"{name}: Final = {value}\n" for name, value in sorted(self.tables.items()))
        prelude = PRELUDE.format(
            imports="".join(f"    {n},\n" for n in sorted(self.imports)),
            names="".join(f'    "{n}",\n' for n in sorted(self.names)),
            tables=tables,
        )
        head = HEADER.format(doc="Hypothesis strategies for valid packets, by version and sender.")
        return head + prelude + "".join(f"\n\n{part}" for part in parts)

    def table(self, name: str, values: dict[int, list[int]]) -> str:
        """Add a table of the numbers to choose from, by version. Return its name."""
        out = []
        for version, numbers in sorted(values.items(), reverse=True):
            text = "(" + ", ".join(f"0x{n:02X}" for n in numbers) + ("," if len(numbers) == 1 else "") + ")"
            lines = textwrap.wrap(f"{CONSTANTS[version]}: {text},", 112)
            out += [f"    {line}" if n == 0 else f"        {line}" for n, line in enumerate(lines)]
        self.tables[name] = "{\n" + "\n".join(out) + "\n}"
        return name

    # ------------------------------------------------------------ properties

    def property_set(self, name: str) -> str:
        cls = class_name(name)
        self.imports.add(cls)
        function = f"{name.lower()}_properties"
        self.names.add(function)
        props = self.spec.property_set(name)
        senders = {p.name: place.senders for p in props if (place := p.place(name)) is not None}
        whole = frozenset().union(*senders.values())
        split = any(who != whole for who in senders.values())
        signature = "sender: int = CLIENT" if split else ""
        where = "the Will" if name == "WILL" else name
        out = [f"def {function}({signature}) -> SearchStrategy[{cls} | None]:"]
        out.append(f'    """The properties of {where}, or None without properties."""')
        optional, required, only, needs = [], [], [], []
        for prop in props:
            place = prop.place(name)
            assert place is not None
            value = self.value(prop)
            if place.many:
                value = f"st.lists({value}, min_size=1, max_size=MANY)"
            line = f'"{prop.name}": {value},'
            if place.required:
                required.append(line)
            elif place.senders != whole:
                side = SIDES[next(iter(place.senders))]
                only.append(f'    if sender == {side}:\n        optional["{prop.name}"] = {value}')
            else:
                optional.append(line)
            if prop.needs and name in prop.needs_in:
                needs.append(f'"{prop.name}": "{prop.needs}"')
        out.append("    optional: dict[str, SearchStrategy[Any]] = {")
        out += [f"        {line}" for line in optional]
        out += ["    }", *only]
        arguments = [cls, "optional"]
        if required:
            out.append("    required: dict[str, SearchStrategy[Any]] = {")
            out += [f"        {line}" for line in required]
            out.append("    }")
            arguments.append("required")
        if needs:
            arguments.append("needs={" + ", ".join(needs) + "}")
        out.append(f"    return _properties({', '.join(arguments)})")
        return "\n".join(out) + "\n"

    def value(self, prop: Property) -> str:
        if prop.type in STRINGS:
            return STRINGS[prop.type]
        if prop.limits and prop.limits.allowed:
            return f"st.sampled_from({list(prop.limits.allowed)!r})"
        wire = self.spec.wires[self.spec.wire_of(prop.type)]
        top = 256**wire.bytes - 1 if wire.bytes else 268_435_455
        return f"st.integers({prop.limits.minimum if prop.limits else 0}, {top:_})"

    # ------------------------------------------------------------ packets

    def packet(self, packet: Packet) -> str:
        self.imports.add(packet.class_name)
        function = packet.name.lower()
        self.names.add(function)
        versions = [v for v in sorted(VERSIONS.values(), reverse=True) if packet.senders.get(v)]
        whom = {s for v in versions for s in packet.senders[v]}
        self.sided = len(whom) == 2
        signature = "draw: DrawFn, version: int = V5"
        signature += ", sender: int = CLIENT" if self.sided else ""
        doc = f"{packet.name} packets (section {packet.section})"
        doc += " that `sender` may send." if self.sided else "."
        self.lines = [
            "@st.composite",
            f"def {function}({signature}) -> {packet.class_name}:",
            f'    """{doc}"""',
        ]
        self.keywords: dict[str, str] = {}
        if packet.header_bits:
            legal = {v: self.legal_bits(packet.header_bits, packet.header_checks, v) for v in versions}
            self.bits("header", self.table(f"{packet.name}_BITS", legal), packet.header_bits, 1)
            self.keywords |= {b.name: b.name for b in packet.header_bits}
        for field in packet.fields:
            self.field(packet, field, versions)
        if any(k.startswith("will_") for k in self.keywords):
            will = {k.removeprefix("will_"): v for k, v in self.keywords.items() if k.startswith("will_")}
            self.add(1, "will = None", "if will_flag:", "    will = Will(")
            self.add(3, *(f"{k}={v}," for k, v in will.items()))
            self.add(2, ")")
            self.keywords = {k: v for k, v in self.keywords.items() if not k.startswith("will_")} | {"will": "will"}
        if not packet.fields:
            self.lines = [
                f"def {function}({signature.removeprefix('draw: DrawFn, ')}) -> SearchStrategy[{packet.class_name}]:",
                f'    """{doc}"""',
                f"    return st.builds({packet.class_name})",
            ]
        else:
            self.add(1, f"return {packet.class_name}(")
            self.add(2, *(f"{k}={v}," for k, v in self.keywords.items()))
            self.add(1, ")")
        return "\n".join(self.lines) + "\n"

    def sets(self) -> set[str]:
        """Return the names of the functions that make property sets."""
        return {f"{name.lower()}_properties" for name in self.spec.property_sets()}

    def add(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def legal_bits(self, bits: Any, checks: Any, version: int) -> list[int]:
        """Return all values of a byte that its own rules allow. Bits of other versions are 0."""
        out = []
        for value in range(256):
            names = {"value": value}
            rest = value
            for bit in bits:
                mask = (1 << bit.width) - 1
                names[bit.name] = value >> bit.at & mask if version in bit.versions else 0
                if version in bit.versions and bit.name != "reserved":
                    rest &= ~(mask << bit.at)
            rules = (c for c in checks if c.kind != "cross_field" and version in c.cites)
            if not rest and not any(eval(c.expression, {}, names) for c in rules):
                out.append(value)
        return out

    def bits(self, name: str, table: str, bits: Any, depth: int) -> None:
        self.add(depth, f"{name} = draw(st.sampled_from({table}[version]))")
        for bit in bits:
            if bit.name == "reserved":
                continue
            if bit.width == 1:
                self.add(depth, f"{bit.name} = {name} & 0x{1 << bit.at:02X} != 0")
            else:
                shift = f" >> {bit.at}" if bit.at else ""
                self.add(depth, f"{bit.name} = {name}{shift} & {(1 << bit.width) - 1}")

    def repair(self, field: Field, depth: int) -> None:
        for check in field.checks:
            if check.kind == "cross_field":
                if check.expression not in REPAIRS:
                    text = f"nothing repairs {check.expression!r}: add it to `REPAIRS` in codegen/emit_strategies.py"
                    raise SpecError("packets.toml", f"field {field.name}", "check", text)
                self.add(depth, *REPAIRS[check.expression])

    def field(self, packet: Packet, field: Field, versions: list[int]) -> None:
        kind = field.types[max(field.versions)]
        name = field.name
        if kind == "protocol":
            self.keywords[name] = "version"
            return
        if kind == "bits":
            legal = {v: self.legal_bits(field.bits, field.checks, v) for v in versions}
            self.bits(name, self.table(f"{packet.name}_{name.upper()}", legal), field.bits, 1)
            for bit in field.bits:
                if bit.name != "reserved" and not bit.name.endswith("_flag"):
                    self.keywords[bit.name] = bit.name
            return
        local = f"{name}_" if name in self.names or name in self.sets() else name
        self.keywords[name] = local
        strategy, default = self.strategy(packet, field, versions)
        conditions = [field.when] if field.when else []
        if field.versions < set(versions):
            missing = [v for v in versions if v not in field.versions]
            conditions.append("version == V5" if len(missing) == 2 else f"version != {CONSTANTS[missing[0]]}")
        if conditions:
            self.add(1, f"{local} = {default}", f"if {' and '.join(conditions)}:", f"    {local} = draw({strategy})")
        else:
            self.add(1, f"{local} = draw({strategy})")
        self.repair(field, 1)

    def strategy(self, packet: Packet, field: Field, versions: list[int]) -> tuple[str, str]:
        """Return the strategy of a field, and its value if the packet lacks it."""
        kind = field.types[max(field.versions)]
        if kind == "properties":
            whom = {p: place.senders for p in self.spec.properties if (place := p.place(field.set)) is not None}
            whole = frozenset().union(*whom.values())
            sided = any(who != whole for who in whom.values())
            return f"{field.set.lower()}_properties({'sender' if sided else ''})", "None"
        if kind in ("reason", "reasons"):
            codes = f"st.sampled_from({self.codes(packet, field)})"
            return (codes, "0") if kind == "reason" else (f"st.lists({codes}, min_size=1, max_size=MANY)", "[]")
        if kind == "list":
            if field.item_class:
                item = f"_{field.item_class.lower()}"
                self.item(packet, field, versions, item)
                return f"st.lists({item}(version), min_size=1, max_size=MANY)", "[]"
            return f"st.lists({STRINGS[field.items[0].type]}, min_size=1, max_size=MANY)", "[]"
        if kind == "rest":
            return "st.binary(max_size=2 * LONG)", 'b""'
        if kind == "packet_id":
            return "st.integers(1, 65_535)", "0"
        if kind == "u16":
            return "st.integers(0, 65_535)", "0"
        default = {"will_topic": '""', "will_payload": 'b""'}.get(field.name, "None")
        if "topic_name_or_empty" in field.types.values():
            return 'topic_names() if version != V5 else topic_names() | st.just("")', default
        return STRINGS[kind], default

    def codes(self, packet: Packet, field: Field) -> str:
        """Add the tables of the reason codes, by version and sender. Return the expression that chooses from them."""
        name = f"{packet.name}_CODES"
        sides = {}
        for sender in sorted(packet.senders[V5]):
            values = {v: list(field.codes[v]) for v in field.codes if v in field.versions}
            values[V5] = sorted({r.code for r in self.spec.reasons_for(packet.name, sender, tolerated=False)})
            sides[sender] = values
        if len(sides) == 1:
            return self.table(name, next(iter(sides.values()))) + "[version]"
        if sides[CLIENT] == sides[SERVER]:
            return self.table(name, sides[CLIENT]) + "[version]"
        for sender, values in sides.items():
            self.table(f"{name}_{sender.upper()}", values)
        self.add(1, f"codes = {name}_CLIENT if sender == CLIENT else {name}_SERVER")
        return "codes[version]"

    def item(self, packet: Packet, field: Field, versions: list[int], function: str) -> None:
        outer = self.lines
        self.lines = ["@st.composite", f"def {function}(draw: DrawFn, version: int) -> {field.item_class}:"]
        keywords = []
        for item in field.items:
            kind = item.types[max(item.versions)]
            if kind == "bits":
                legal = {v: self.legal_bits(item.bits, item.checks, v) for v in versions}
                self.bits(item.name, self.table(f"{packet.name}_{item.name.upper()}", legal), item.bits, 1)
                keywords += [b.name for b in item.bits if b.name != "reserved"]
            else:
                self.add(1, f"{item.name} = draw({STRINGS[kind]})")
                keywords.append(item.name)
            self.repair(item, 1)
        self.add(1, f"return {field.item_class}(")
        self.add(2, *(f"{k}={k}," for k in keywords))
        self.add(1, ")")
        self.lines += ["", "", *outer]

    # ------------------------------------------------------------ all packets

    def union(self) -> str:
        out = [
            "def packets(version: int = V5, sender: int = CLIENT) -> SearchStrategy[Packet]:",
            '    """Generate any packet that `sender` may send in `version`."""',
            "    out: list[SearchStrategy[Packet]] = []",
        ]
        for packet in self.spec.packets:
            function = packet.name.lower()
            sided = len({s for who in packet.senders.values() for s in who}) == 2
            call = f"{function}(version, sender)" if sided else f"{function}(version)"
            by_sides: dict[frozenset[str], list[int]] = {}
            for version, who in sorted(packet.senders.items(), reverse=True):
                by_sides.setdefault(who, []).append(version)
            conditions = []
            for who, versions in by_sides.items():
                words = []
                if who != BOTH:
                    words.append(f"sender == {SIDES[next(iter(who))]}")
                if len(versions) == 1:
                    words.append(f"version == {CONSTANTS[versions[0]]}")
                elif len(versions) == 2:
                    words.append(f"version != {CONSTANTS[next(v for v in VERSIONS.values() if v not in versions)]}")
                conditions.append(" and ".join(words))
            if "" in conditions:
                out.append(f"    out.append({call})")
            else:
                joined = f"({') or ('.join(conditions)})" if len(conditions) > 1 else conditions[0]
                out += [f"    if {joined}:", f"        out.append({call})"]
        out.append("    return st.one_of(out)")
        return "\n".join(out) + "\n"

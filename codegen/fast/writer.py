# SPDX-License-Identifier: MIT
"""The base of the writers of the fast codec: lines, constants for citations, conditions on versions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from codegen.model import BLOCK, CLIENT, SERVER, V5, V31, V311, Cites, Property, Spec
from codegen.shapes import packet_shapes
from codegen.text import cites_tuple

__all__ = ["ALL", "SENDERS", "Constants", "Writer", "bit_of", "is_plain_text", "only_in", "property_rules"]

TEXT_KINDS = (
    "", "utf8_ill_formed", "utf8_null", "topic_empty", "topic_wildcard", "filter_hash", "filter_plus",
    "share_name_empty", "share_name_form",
)  # fmt: skip
ALL = frozenset({V31, V311, V5})
SENDERS = {CLIENT: "CLIENT", SERVER: "SERVER"}
Constants = dict[str, str]
"""The constants of the generated module, by name. All writers of one module share them."""


def only_in(versions: frozenset[int]) -> str:
    """Return a condition that is true in exactly these versions; empty if it is always true."""
    if versions == ALL:
        return ""
    if len(versions) == 1:
        return f"version == {next(iter(versions))}"
    return f"version != {next(iter(ALL - versions))}"


def has(expression: str, properties: str = "properties") -> str:
    """Return the expression with `has_<property>` replaced by code."""
    return re.sub(r"\bhas_(\w+)", rf"({properties} is not None and {properties}.\1 is not None)", expression)


def bit_of(at: int, width: int, value: str = "value") -> str:
    """Return the expression that extracts a group of bits from a byte."""
    if width == 1:
        return f"{value} & 0x{1 << at:02X} != 0"
    shift = f"{value} >> {at}" if at else value
    return f"{shift} & {(1 << width) - 1}"


def property_rules(prop: Property) -> dict[str, Cites]:
    """Return the statements that a property cites instead of those of its type, by rule."""
    return {rule: {V5: statement} for rule, statement in prop.cites.items()}


def is_plain_text(spec: Spec, prop: Property) -> bool:
    """True if a property is a string or a pair, and the only rule is UTF-8 without U+0000."""
    plain = {*spec.wires["utf8"].rules, *spec.wires["utf8_pair"].rules}
    return spec.wire_of(prop.type) in ("utf8", "utf8_pair") and plain.issuperset(spec.type_rules(prop.type))


class Writer:
    """Collects lines of generated code, and the constants that they use."""

    def __init__(self, spec: Spec, constants: Constants) -> None:
        self.spec = spec
        self.lines: list[str] = []
        self.constants = constants
        self.shapes = {s.name: s for s in packet_shapes(spec)}

    def add(self, depth: int, *lines: str) -> None:
        self.lines += [("    " * depth + line) if line else "" for line in lines]

    # ------------------------------------------------------------ citations

    def cites(self, cites: Cites) -> str:
        """Return the name of a constant with these citations."""
        value = cites_tuple(cites)
        label = cites.get(V5) or cites.get(V311) or cites.get(V31) or "none"
        return self.constant("C_" + re.sub(r"[^A-Za-z0-9]+", "_", label).upper(), value)

    def constant(self, base: str, value: str) -> str:
        """Return the name of a constant with that value. A number is added if another value has the name already."""
        name = base
        number = 2
        while self.constants.get(name, value) != value:
            name = f"{base}_{number}"
            number += 1
        self.constants[name] = value
        return name

    def has(self, expression: str, packet: str, properties: str = "properties") -> str:
        """Return the expression with `has_<property>` replaced by code for the packet: a block or an object."""
        if packet != BLOCK:
            return has(expression, properties)
        for bit, prop, _ in self.spec.block_set():
            present = f"(block is not None and block.present & 0x{bit:02X} != 0)"
            expression = re.sub(rf"\bhas_{prop.name}\b", present, expression)
        return expression

    def rule(self, name: str) -> tuple[str, int]:
        rule = self.spec.rules[name]
        return self.cites(rule.cites), self.spec.reason_code(rule.reason)

    def text_rules(self, kind: str, overrides: Mapping[str, Cites], pair: bool = False) -> str:
        """Return the name of a constant with Reason Code and citations for each kind of breach of a string."""
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
        return self.constant(f"T_{kind.upper()}", value)

    def broken(
        self, depth: int, cites: str, reason: int, code: int | str, offset: str, field: str, inner: str = ""
    ) -> None:
        """Write code that returns the violation in `field`, or in its inner field that the expression `inner` names."""
        name = f'f"{field}.{{{inner}}}"' if inner else f'"{field}"'
        self.add(depth, f"return broken({cites}, 0x{reason:02X}, {code}, {offset} - start, version, sender, {name})")

    def truncated(self, depth: int, code: int | str, offset: str, field: str, inner: str = "") -> None:
        cites, reason = self.rule("truncated")
        self.broken(depth, cites, reason, code, offset, field, inner)

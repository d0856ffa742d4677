# SPDX-License-Identifier: MIT
"""Emits the packet classes and the enums of Reason Codes."""

from __future__ import annotations

from codegen.emit_block import block_class
from codegen.model import BLOCK, CLIENT, SERVER, Spec
from codegen.shapes import Attribute, Shape, packet_shapes, property_shapes
from codegen.text import HEADER, all_list

__all__ = ["emit"]


def emit(spec: Spec) -> dict[str, str]:
    """Return the files of this emitter, by path."""
    return {
        "mqtt_ref/wire/generated/packets.py": _packets(spec),
        "mqtt_ref/wire/generated/reasons.py": _reasons(spec),
    }


def _packets(spec: Spec) -> str:
    properties = property_shapes(spec)
    packets = packet_shapes(spec)
    names = [s.name for s in (*properties, *packets)]
    union = " | ".join(s.name for s in packets if s.code)
    parts = [
        HEADER.format(doc="The packet classes: one per Control Packet, for all versions, and one per property set."),
        "\nfrom __future__ import annotations\n",
        "\nfrom struct import Struct",
        "\nfrom typing import Any, ClassVar, Final\n",
        "\nfrom mqtt_ref.wire.primitives import read_vbi",
        "\nfrom mqtt_ref.wire.replacing import replaced\n\n",
        all_list([*names, "Block", "Packet", "PACKET_NAMES"]),
        '\nUNPACK_32: Final = Struct(">I").unpack_from\n\n\n',
    ]
    lazy = spec.packet(BLOCK).class_name
    parts += [_class(s) for s in properties]
    parts.append(block_class(spec))
    parts += [_class(s, s.name == lazy) for s in packets]
    parts.append(f"Packet = {_wrap_union(union)}\n\n")
    parts.append('PACKET_NAMES: Final = (\n    "RESERVED",\n')
    parts += [f'    "{p.name}",\n' for p in spec.packets]
    parts.append(')\n"""The name of each packet type, by its number."""\n')
    return "".join(parts)


def _wrap_union(union: str) -> str:
    names = union.split(" | ")
    return "(\n    " + "\n    | ".join(names) + "\n)"


LAZY = """
    @property
    def properties(self) -> {kind}:
        \"""The properties as an object, made on first access. From then on, changes of the object are used.\"""
        given = self._given
        if given is None and self.received is not None:
            given = self._given = self.received.all_properties()
        return given

    @properties.setter
    def properties(self, value: {kind}) -> None:
        self._given = value
        self.received = None

    @property
    def has_properties(self) -> bool:
        \"""True if there are properties. No object is made.\"""
        return self.received is not None or self._given is not None

    @property
    def block(self) -> Block | None:
        \"""The properties as received bytes. None if there are none, or after an access to `properties`.\"""
        return self.received if self._given is None else None

    @block.setter
    def block(self, value: Block | None) -> None:
        self.received = value
        self._given = None

    def _look(self) -> {kind}:
        \"""Return the properties for a caller that neither keeps nor changes them.\"""
        given = self._given
        return self.received.all_properties() if given is None and self.received is not None else given
"""


def _class(shape: Shape, lazy: bool = False) -> str:
    """Return the source of a class. A lazy class keeps `properties` as bytes until they are read."""
    attributes = shape.attributes
    out = [f"class {shape.name}:", f'    """{shape.doc}"""', ""]
    names = [a.name for a in attributes]
    slots = [n for n in names if n != "properties" or not lazy]
    out.append(f"    __slots__ = {_tuple([*slots, 'received', '_given'] if lazy else names)}")
    out.append(f"    __match_args__: ClassVar[tuple[str, ...]] = {_tuple(names)}")
    if shape.code:
        out.append(f"    TYPE: Final = {shape.code}")
    out.append("")
    if attributes:
        out.append("    def __init__(")
        out.append("        self,")
        out += [f"        {_parameter(a)}," for a in attributes]
        out.append("    ) -> None:")
        out += [f"        self.{a.name} = {_value(a)}" for a in attributes if a.name in slots]
        if lazy:
            out += [
                "        self.received: Block | None = None",
                '        """The properties of a decoded packet, as they came. Later changes are not in it."""',
                "        self._given = properties",
            ]
            out += LAZY.format(kind=attributes[-1].type).rstrip("\n").split("\n")
        out.append("")
    out.append("    def __eq__(self, other: object) -> bool:")
    out.append(f"        if not isinstance(other, {shape.name}):")
    out.append("            return NotImplemented")
    if len(attributes) == 0:
        out.append("        return True")
    elif len(attributes) == 1:
        out.append(f"        return self.{names[0]} == other.{names[0]}")
    else:
        out.append("        return (")
        out.append(f"            self.{names[0]} == other.{names[0]}")
        out += [f"            and self.{n} == other.{n}" for n in slots[1:]]
        if lazy:
            out.append("            and self._look() == other._look()")
        out.append("        )")
    out.append("")
    out.append("    def __hash__(self) -> int:")
    out.append(f'        raise TypeError("{shape.name} is mutable and has no hash")')
    out.append("")
    out.append("    def __repr__(self) -> str:")
    if not attributes:
        out.append(f'        return "{shape.name}()"')
    else:
        out.append("        parts: list[str] = []")
        for a in attributes:
            if a.name not in slots:
                out.append("        properties = self._look()")
                out.append("        if properties is not None:")
                out.append(f'            parts.append(f"{a.name}={{properties!r}}")')
                continue
            if a.default == "":
                out.append(f'        parts.append(f"{a.name}={{self.{a.name}!r}}")')
            else:
                out.append(f"        if {_differs(a)}:")
                out.append(f'            parts.append(f"{a.name}={{self.{a.name}!r}}")')
        out.append(f'        return "{shape.name}(" + ", ".join(parts) + ")"')
    out.append("")
    out += _replace(shape.name, lazy)
    out.append("    def __reduce__(self) -> tuple[object, ...]:")
    values = ", ".join(f"self.{n}" for n in names)
    if len(names) == 1:
        values += ","
    line = f"        return {shape.name}, ({values})"
    if len(line) > 120:
        out.append(f"        return {shape.name}, (")
        out += [f"            self.{n}," for n in names]
        out.append("        )")
    else:
        out.append(line)
    return "\n".join(out) + "\n\n\n"


def _replace(name: str, lazy: bool) -> list[str]:
    """Return the methods that copy with changes. Properties that were not looked at are not decoded."""
    out = [
        f"    def replace(self, **changes: Any) -> {name}:",
        '        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""',
    ]
    if lazy:
        out += [
            '        if "properties" not in changes:',
            f'            made = {name}(*replaced(self, {{**changes, "properties": None}}))',
            "            made.received = self.received",
            "            made._given = None if self._given is None else self._given.replace()",
            "            return made",
        ]
    out += [
        f"        return {name}(*replaced(self, changes))",
        "",
        f"    def __replace__(self, **changes: Any) -> {name}:",
        '        """For `copy.replace`."""',
        "        return self.replace(**changes)",
        "",
    ]
    return out


def _tuple(names: list[str]) -> str:
    if not names:
        return "()"
    line = "(" + ", ".join(f'"{n}"' for n in names) + ("," if len(names) == 1 else "") + ")"
    if len(line) < 60:
        return line
    return "(\n" + "".join(f'        "{n}",\n' for n in names) + "    )"


def _parameter(attribute: Attribute) -> str:
    if attribute.default == "":
        return f"{attribute.name}: {attribute.type}"
    if attribute.fresh:
        return f"{attribute.name}: {attribute.type} | None = None"
    return f"{attribute.name}: {attribute.type} = {attribute.default}"


def _value(attribute: Attribute) -> str:
    if attribute.fresh:
        return f"[] if {attribute.name} is None else {attribute.name}"
    return attribute.name


def _differs(attribute: Attribute) -> str:
    if attribute.default == "None":
        return f"self.{attribute.name} is not None"
    if attribute.default == "True":
        return f"not self.{attribute.name}"
    if attribute.default in ("False", "[]", 'b""', "0"):
        return f"self.{attribute.name}"
    return f"self.{attribute.name} != {attribute.default}"


def _reasons(spec: Spec) -> str:
    packets = [p for p in spec.packets if any(p.name == where for r in spec.reasons for where, _, _ in r.places)]
    names = ["ReasonCode", *(f"{p.class_name}Reason" for p in packets), "ReturnCode", "REASON_TITLES"]
    out = [
        HEADER.format(doc="Reason Codes: all of them, one enum per packet, and the return codes of 3.x."),
        "from __future__ import annotations\n",
        "from enum import IntEnum",
        "from typing import Final\n",
        all_list(names).rstrip("\n"),
        "\n",
        "class ReasonCode(IntEnum):",
        '    """Every Reason Code of MQTT 5.0. The three meanings of 0x00 are one member with three names."""\n',
    ]
    out += [f"    {r.name} = 0x{r.code:02X}" for r in spec.reasons]
    for packet in packets:
        out += ["\n", f"class {packet.class_name}Reason(IntEnum):"]
        out.append(f'    """The Reason Codes of {packet.name} (section {packet.section})."""\n')
        for reason in sorted(spec.reasons, key=lambda r: r.code):
            for where, senders, tolerated in reason.places:
                if where == packet.name and not tolerated:
                    only = "" if len(senders) == 2 else ("  # server" if SERVER in senders else f"  # {CLIENT}")
                    out.append(f"    {reason.name} = 0x{reason.code:02X}{only}")
    out += ["\n", "class ReturnCode(IntEnum):", '    """The return codes of a CONNACK in 3.1.1 and 3.1."""\n']
    out += [f"    {r.name} = {r.code}" for r in spec.return_codes]
    out += ["\n", "REASON_TITLES: Final[dict[int, str]] = {"]
    titles: dict[int, list[str]] = {}
    for reason in spec.reasons:
        titles.setdefault(reason.code, []).append(reason.title)
    out += [f'    0x{code:02X}: "{" / ".join(t)}",' for code, t in sorted(titles.items())]
    out += ["}", '"""The title of each Reason Code."""', ""]
    out.append("RETURN_CODE_TITLES: Final[dict[int, str]] = {")
    out += [f'    {r.code}: "{r.title}",' for r in spec.return_codes]
    out += ["}", '"""The title of each return code of 3.x."""', "", "RETURN_CODES: Final[dict[int, int]] = {"]
    v3: dict[int, int] = {}
    for reason in spec.reasons:
        if reason.v3 is not None:
            v3[reason.code] = reason.v3
    out += [f"    0x{code:02X}: {value}," for code, value in sorted(v3.items())]
    out += ["}", '"""Reason Code -> return code of 3.x. Other Reason Codes have no return code."""', ""]
    return "\n".join(out).replace(
        '"REASON_TITLES",', '"REASON_TITLES",\n    "RETURN_CODES",\n    "RETURN_CODE_TITLES",'
    )

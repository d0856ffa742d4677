# SPDX-License-Identifier: MIT
"""Emits the fast codec: straight-line decoders and encoders that mypyc compiles.

Helpers are called for each wire type and not inlined for each field, since compiled code grows with its lines. The
straight line only detects that a packet is wrong; `breach` then finds out what is wrong.
"""

from __future__ import annotations

from codegen.fast.blocks import Blocks
from codegen.fast.encoders import Encoders
from codegen.fast.headers import Headers
from codegen.fast.packets import Packets
from codegen.fast.writer import Constants
from codegen.model import V5, Spec
from codegen.shapes import class_name, packet_shapes
from codegen.text import HEADER, all_list

__all__ = ["emit"]

BREACH = (
    "Cites", "TextRules", "broken", "broken_protocol", "broken_text", "cut_string", "cut_vbi", "may_name_v31",
    "protocol",
)  # fmt: skip
PRIMITIVES = (
    "CLIENT", "NAMES", "SERVER", "check_filter", "check_name", "check_text", "filter_text", "name_text", "read_vbi",
    "text", "vbi",
)  # fmt: skip
PUBLIC = (
    "HEADERS", "HEADER_BREACHES", "PACKET_TOO_LARGE", "VBI_FOUR_BYTES", "VBI_MINIMAL", "block_for", "block_of",
    "decode", "encode", "encode_publish", "header_breach", "outgoing", "publish_bytes", "read_block",
    "will_block",
)  # fmt: skip
FRAMING = {"packet_too_large": "PACKET_TOO_LARGE", "vbi_long": "VBI_FOUR_BYTES", "vbi_minimal": "VBI_MINIMAL"}


def emit(spec: Spec) -> dict[str, str]:
    """Return the files of this emitter, by path."""
    constants: Constants = {}
    sets = spec.property_sets()
    decoders = Packets(spec, constants)
    for name in sets:
        decoders.decode_properties(name)
    decoders.read_block()
    for packet in spec.packets:
        if not packet.header_bits:  # PUBLISH is decoded in `decode` itself
            decoders.decode_packet(packet)
    headers = Headers(spec, constants)
    headers.dispatch_decode()
    encoders = Encoders(spec, constants)
    for name in sets:
        encoders.encode_properties(name)
    for packet in spec.packets:
        encoders.encode_packet(packet)
    encoders.dispatch_encode()
    ways = Blocks(spec, constants)
    ways.make_blocks()
    ways.outgoing()
    table = headers.header_table()
    for rule, name in FRAMING.items():
        row = spec.rules[rule]
        cites = f"{headers.cites(row.cites)}, {headers.cites(row.server)}"
        levels = tuple(spec.statements[row.cites[v or V5]].level if (v or V5) in row.cites else "" for v in range(6))
        table.append(f"{name}: Final = (0x{spec.reason_code(row.reason):02X}, {cites}, {_strings(levels)})")
    classes = sorted({s.name for s in packet_shapes(spec)} | {class_name(s) for s in sets} | {"Block", "Packet"})
    out = [
        HEADER.format(doc="The fast codec: decodes and encodes one whole packet, for a version and a sender."),
        "from __future__ import annotations\n",
        "from struct import Struct",
        "from typing import Final\n",
        "from mqtt_ref.wire.breach import (",
        *(f"    {n}," for n in BREACH),
        ")",
        "from mqtt_ref.wire.generated.packets import (",
        *(f"    {c}," for c in classes),
        ")",
        "from mqtt_ref.wire.primitives import (",
        *(f"    {n}," for n in PRIMITIVES),
        ")",
        "from mqtt_ref.wire.violation import Violation\n",
        all_list(PUBLIC),
    ]
    sizes = sorted({w.bytes for w in spec.wires.values() if w.bytes in (4, 8)})
    codes = {4: "I", 8: "Q"}
    out += [f'UNPACK_{8 * size}: Final = Struct(">{codes[size]}").unpack_from' for size in sizes]
    out.append("BYTES: Final = tuple(bytes((value,)) for value in range(256))")
    out += [f"{name}: Final{_annotation(name)} = {value}" for name, value in sorted(constants.items())]
    out += ["", *table, "", ""]
    lines = [*decoders.lines, *headers.lines, *encoders.lines, *ways.lines]
    return {"mqtt_ref/wire/generated/fast.py": "\n".join(out) + "\n".join(lines).rstrip("\n") + "\n"}


def _strings(values: tuple[str, ...]) -> str:
    return "(" + ", ".join(f'"{v}"' for v in values) + ")"


def _annotation(name: str) -> str:
    return {"C_": "[Cites]", "T_": "[TextRules]"}.get(name[:2], "")

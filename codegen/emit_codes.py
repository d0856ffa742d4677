# SPDX-License-Identifier: MIT
"""Emits Reason Codes and packet types as plain integers, for code that compares them for every packet."""

from __future__ import annotations

from codegen.model import Spec
from codegen.tables.reader import SpecError
from codegen.text import HEADER, all_list

__all__ = ["emit"]

FAILURE = "FAILURE"
SIZES = "PROPERTY_SIZES"
BYTES = {"u8": 1, "u16": 2, "u32": 4, "utf8": 0, "binary": 0, "utf8_pair": -1, "vbi": -2}
"""Wire type -> its number of bytes; 0: a length of two bytes says it; below 0: another form."""


def emit(spec: Spec) -> dict[str, str]:
    """Return the files of this emitter, by path."""
    packets = {p.name: p.code for p in spec.packets}
    reasons = {r.name: r.code for r in spec.reasons}
    for name in (*packets, FAILURE):
        if name in reasons:
            used = "codes.py uses it for something else; choose another name"
            raise SpecError("reasons.toml", f"reason {name}", "name", used)
    out = [
        HEADER.format(doc="Reason Codes, packet types and property sizes as integers, which a compiler can inline."),
        "from __future__ import annotations\n",
        "from typing import Final\n",
        all_list([*packets, *reasons, FAILURE, SIZES]),
        *(f"{name}: Final = {code}" for name, code in packets.items()),
        "",
        *(f"{name}: Final = 0x{code:02X}" for name, code in reasons.items()),
        "",
        f"{FAILURE}: Final = 0x{spec.failures_from:02X}",
        '"""Reason Codes of this value or more mean failure (section 2.4). A SUBACK of 3.1.1 has this value."""',
        "",
        f"{SIZES}: Final[dict[int, int]] = {{",
        *(f"    0x{p.id:02X}: {BYTES[spec.wire_of(p.type)]},  # {p.title}" for p in spec.properties),
        "}",
        '"""Identifier -> bytes of the value. 0: a string or Binary Data, -1: two strings, -2: a variable integer."""',
        "",
    ]
    return {"mqtt_ref/wire/generated/codes.py": "\n".join(out)}

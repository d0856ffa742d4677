# SPDX-License-Identifier: MIT
"""Writes the code of the fast codec that reads one value of a wire or semantic type."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.fast.writer import Writer
from codegen.model import Cites, Field

__all__ = ["Values"]


class Values(Writer):
    """Writes code that reads single values: it assigns the value to a name, and moves `pos` after it."""

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
        """Write code that reads one value at `pos` into `name`. `field` has the statement that its absence breaks."""
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

    def missing(self, depth: int, field: Field, code: int | str, label: str) -> None:
        """Write code that refuses a packet that ends before the field, if the table has a statement for that."""
        if field.missing:
            generic = self.spec.rules["truncated"]
            cites = self.cites({**generic.cites, **field.missing})
            self.add(depth, "if pos >= end:")
            self.broken(depth + 1, cites, self.spec.reason_code(generic.reason), code, "pos", label)

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
        """Write code that finds the end of a length-prefixed field: `stop`."""
        self.add(depth, "stop = pos + 2", "if stop <= end:", "    stop += data[pos] << 8 | data[pos + 1]")
        self.add(depth, "if stop > end:")
        if field is not None:
            self.missing(depth + 1, field, code, label)
        self.truncated(depth + 1, code, "cut_string(data, pos, end)", label)

    def property_span(self, depth: int, code: int | str, field: str) -> None:
        """Write code that finds the end of a length-prefixed value: `stop`. A cut-off length raises IndexError."""
        self.add(depth, "stop = pos + 2 + (data[pos] << 8 | data[pos + 1])", "if stop > end:")
        self.truncated(depth + 1, code, "cut_string(data, pos, end)", field)

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
        held = f"{name}_" if name.startswith("will_") else name  # the name has a default that is not None
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

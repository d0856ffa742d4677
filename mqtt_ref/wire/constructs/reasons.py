# SPDX-License-Identifier: MIT
"""Reason Codes and return codes: a single one, or a list up to the end of the packet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mqtt_ref.wire.constructs.integers import Integer
from mqtt_ref.wire.constructs.part import Source
from mqtt_ref.wire.constructs.rules import Breach, Check, Rule, judge
from mqtt_ref.wire.fields import FieldNode
from mqtt_ref.wire.raw import Raw, RawGroup, RawInt

__all__ = ["Reason", "Reasons"]


class Reason(Integer):
    """A Reason Code, or a return code of 3.x, that this sender may use in this packet."""

    def __init__(
        self,
        codes: Mapping[int, tuple[int, ...]],
        titles: Mapping[int, str],
        code: Rule,
        checks: Sequence[Check] = (),
        **rules: Rule,
    ) -> None:
        super().__init__(1, **rules)
        self.codes = codes
        self.titles = titles
        self.rules["code"] = code
        self.checks = checks

    def read(self, source: Source, context: Any, path: str) -> Any:
        value = super().read(source, context, path)
        at = source.tell() - 1
        if value not in self.codes.get(source.sender, ()):
            raise Breach(self.rules["code"], at, path)
        context[path.rpartition(" -> ")[2]] = value
        judge(self.checks, context, at, path)
        return value

    def absent(self, source: Source, context: Any, path: str) -> Any:
        return 0

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        return data[start], self.title(data[start]), ()

    def title(self, code: int) -> str:
        """Return the code in hex and its name in this packet and version."""
        return f"0x{code:02X} {self.titles.get(code, 'unknown')}"


class Reasons(Reason):
    """Reason Codes up to the end of the packet. With the rule `empty`, at least one."""

    def read(self, source: Source, context: Any, path: str) -> Any:
        if source.tell() >= source.limit and "empty" in self.rules:
            raise Breach(self.rules["empty"], source.tell(), path)
        out: list[int] = []
        while source.tell() < source.limit:
            number = source.trace.open("reason_code", self, source.tell()) if source.trace is not None else 0
            out.append(super().read(source, context, path))
            if source.trace is not None:
                source.trace.close(number, source.tell())
        return out

    def raw(self, name: str, value: Any) -> Raw:
        return RawGroup(name, [RawInt("reason_code", code, 1) for code in value])

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        return (data[start], self.title(data[start]), ()) if end - start == 1 else (None, "", ())

# SPDX-License-Identifier: MIT
"""The protocol name and level, which decide how the rest of a CONNECT is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mqtt_ref.wire.constructs.part import Part, Source
from mqtt_ref.wire.constructs.rules import Breach, Rule
from mqtt_ref.wire.fields import FieldNode
from mqtt_ref.wire.raw import Raw, RawGroup, RawInt, RawString

__all__ = ["Protocol"]


class Protocol(Part):
    """The protocol name and level of a CONNECT (sections 3.1.2.1, 3.1.2.2).

    `names` are the known names with their levels. An unknown level breaks the rule of the nearest known level of its
    name. Bridges add 0x80 to their level, and retry without it after a refusal in the format of their version: so 0x80
    is ignored for the nearest level. `own` is the name that this version writes.
    """

    def __init__(
        self, names: Mapping[bytes, tuple[int, ...]], own: bytes, name: Rule, level: Mapping[int, Rule], **rules: Rule
    ) -> None:
        super().__init__(**rules)
        self.names = names
        self.own = own
        self.name_rule = name
        self.level_rules = level

    def read(self, source: Source, context: Any, path: str) -> Any:
        start = source.tell()
        left = source.limit - start
        seen = source.read(min(left, 2 + max(map(len, self.names))))
        known = {len(name).to_bytes(2, "big") + name: levels for name, levels in self.names.items()}
        differs = 0
        while differs < len(seen) and any(k.startswith(seen[: differs + 1]) for k in known):
            differs += 1
        found = next((k for k in known if seen.startswith(k)), None)
        cut = None
        if left < 2:
            cut = 0
        elif int.from_bytes(seen[:2], "big") > left - 2:
            cut = 0 if seen[0] << 8 > left - 2 else 1
        if cut is not None and (found is not None or cut <= differs):
            raise Breach(self.rules["truncated"], start + cut, path)
        if found is None:
            raise Breach(self.name_rule, start + differs, path)
        if left <= len(found):
            raise Breach(self.rules["truncated"], start + len(found), path)
        source.seek(start + len(found))
        level = source.read(1)[0]
        levels = known[found]
        if level not in levels:
            nearest = min(levels) if level & 0x7F <= min(levels) else max(levels)
            raise Breach(self.level_rules[nearest], source.tell() - 1, path, nearest)
        return level

    def raw(self, name: str, value: Any) -> Raw:
        return RawGroup(name, (RawString("name", self.own), RawInt("level", value, 1)))

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        name, level = data[start + 2 : end - 1], data[end - 1]
        length = FieldNode("length", start, start + 2, len(name), str(len(name)))
        node = FieldNode("name", start, end - 1, name.decode(), repr(name.decode()), (length,))
        title = {3: "MQTT 3.1", 4: "MQTT 3.1.1", 5: "MQTT 5.0"}.get(level, "")
        return level, title, (node, FieldNode("level", end - 1, end, level, str(level)))

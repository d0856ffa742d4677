# SPDX-License-Identifier: MIT
"""The bytes of a packet as named fields with offsets. The fields of a broken packet end at the wrong byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from mqtt_ref.wire.generated.packets import Packet
from mqtt_ref.wire.violation import Violation

__all__ = ["Dissection", "FieldNode"]


class FieldNode(NamedTuple):
    """One field: the bytes `start` to `end` of the packet, their value, and the value as readable text.

    `value` is None if the field consists of other fields, or if it is the broken field.
    """

    name: str
    start: int
    end: int
    value: Any = None
    text: str = ""
    children: tuple[FieldNode, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, FieldNode]]:
        """Yield the field and all fields inside it, in wire order, each with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Dissection:
    """The bytes of one packet, split into fields.

    `version` is the protocol level that judged it; for a CONNECT, the one that it names. Exactly one of `packet` and
    `violation` is None. `fields` builds the tree on each access.
    """

    version: int
    sender: int
    type: int
    data: bytes
    packet: Packet | None
    violation: Violation | None
    _tree: Callable[[], tuple[FieldNode, ...]]

    @property
    def fields(self) -> tuple[FieldNode, ...]:
        """The fields of the packet, in wire order."""
        return self._tree()

    def walk(self) -> Iterator[tuple[int, FieldNode]]:
        """Yield all fields, including nested ones, each with its depth."""
        for node in self._tree():
            yield from node.walk()

    def field(self, path: str) -> FieldNode | None:
        """Return the first field with that dotted name (`properties.topic_alias`), or None."""
        nodes = self._tree()
        found: FieldNode | None = None
        for name in path.split("."):
            found = next((n for n in nodes if n.name == name), None)
            if found is None:
                return None
            nodes = found.children
        return found

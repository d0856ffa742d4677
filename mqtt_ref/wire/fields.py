# SPDX-License-Identifier: MIT
"""A packet's bytes as named fields with offsets, broken packets up to the byte that breaks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from mqtt_ref.wire.generated.packets import Packet
from mqtt_ref.wire.violation import Violation

__all__ = ["Dissection", "FieldNode"]


class FieldNode(NamedTuple):
    """One field: the bytes `start` to `end` of the packet, their value, and the value as people read it.

    `value` is None where the field is made of others, or where it is the field that broke.
    """

    name: str
    start: int
    end: int
    value: Any = None
    text: str = ""
    children: tuple[FieldNode, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, FieldNode]]:
        """The field and all below it, in wire order, each with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True, slots=True)
class Dissection:
    """One packet's bytes, taken apart.

    `version` is the protocol level it was judged by; for a CONNECT the one it names. Exactly one of `packet` and
    `violation` is None. The tree is made when `fields` is asked for, and not kept.
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
        """All fields, nested ones included, each with its depth."""
        for node in self._tree():
            yield from node.walk()

    def field(self, path: str) -> FieldNode | None:
        """The first field of that dotted name, or None: `properties.topic_alias`."""
        nodes = self._tree()
        found: FieldNode | None = None
        for name in path.split("."):
            found = next((n for n in nodes if n.name == name), None)
            if found is None:
                return None
            nodes = found.children
        return found

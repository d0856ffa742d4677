# SPDX-License-Identifier: MIT
"""Formats Python expressions: trees of calls, tuples and dictionaries, wrapped if they are too long for a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Call", "Node", "assign", "call", "dict_of", "named", "tuple_of"]

WIDTH = 120


@dataclass(frozen=True)
class Call:
    """An expression with a list of inner expressions, which is wrapped if it is too long for a line."""

    head: str
    items: tuple[Node, ...]
    brackets: str = "()"
    prefix: str = ""

    def line(self) -> str:
        """Return the expression on one line."""
        inside = ", ".join(_line(i) for i in self.items)
        comma = "," if self.brackets == "()" and not self.head and len(self.items) == 1 else ""
        return f"{self.prefix}{self.head}{self.brackets[0]}{inside}{comma}{self.brackets[1]}"


Node = str | Call


def _line(node: Node) -> str:
    return node if isinstance(node, str) else node.line()


def _text(node: Node, indent: int = 0, used: int = 0) -> str:
    """Return the node as source. `used` columns of its first line and one column of its last line are occupied."""
    line = _line(node)
    if isinstance(node, str) or indent + used + len(line) < WIDTH:
        return line
    inner = " " * (indent + 4)
    if all(isinstance(i, str) and len(i) < 8 for i in node.items):  # many short ones: fill the lines
        rows, row = [], ""
        for item in node.items:
            if len(inner) + len(row) + len(_line(item)) + 2 > WIDTH:
                rows.append(row.rstrip())
                row = ""
            row += f"{_line(item)}, "
        lines = [*rows, row.rstrip()]
    else:
        lines = [_text(i, indent + 4) + "," for i in node.items]
    body = "\n".join(inner + text for text in lines)
    return f"{node.prefix}{node.head}{node.brackets[0]}\n{body}\n{' ' * indent}{node.brackets[1]}"


def call(head: str, *items: Node, **keywords: Node | None) -> Call:
    """Return a call. Keywords with the value None are left out."""
    extra = tuple(named(f"{k}=", v) for k, v in keywords.items() if v is not None)
    return Call(head, (*items, *extra))


def named(prefix: str, node: Node) -> Node:
    """Return the node with a prefix: a keyword or a key."""
    if isinstance(node, str):
        return prefix + node
    return Call(node.head, node.items, node.brackets, prefix + node.prefix)


def tuple_of(items: Iterable[Node]) -> Call:
    """Return a tuple."""
    return Call("", tuple(items))


def dict_of(items: Iterable[tuple[str, Node]]) -> Call:
    """Return a dictionary. The keys are source."""
    return Call("", tuple(named(f"{key}: ", value) for key, value in items), "{}")


def assign(name: str, node: Node) -> str:
    """Return the statement that assigns the node to a name."""
    return f"{name} = {_text(node, 0, len(name) + 3)}\n"

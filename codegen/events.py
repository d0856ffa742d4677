# SPDX-License-Identifier: MIT
"""Reads the declarations of hook events from the source of the class `Hook`, without importing it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["HOOK", "Declared", "declared", "imported"]

HOOK = "mqtt_ref/hooks/hook.py"
KINDS = ("notify", "transform", "decide", "load")
GROUP = re.compile(r"\s+# -{10,} (.+)")


@dataclass(frozen=True)
class Declared:
    """One declared event: a decorated method of `Hook`."""

    name: str
    kind: str
    options: dict[str, object]
    """The arguments of the decorator."""
    arguments: dict[str, str]
    """The types of the arguments, by name."""
    returns: str
    doc: str
    group: str
    """The heading above the method."""
    line: int

    @property
    def of_engine(self) -> bool:
        """True if the engine fires the event, through the generated slot with its name."""
        return self.kind != "load" and self.options.get("by", "engine") == "engine"


def declared(text: str) -> Iterator[Declared]:
    """Yield the events that the source of `hook.py` declares, in their order.

    Raises:
        SystemExit: a decorator is not a known kind, an argument has no type, or there is no docstring.
    """
    groups = {number: found[1] for number, line in enumerate(text.splitlines(), 1) if (found := GROUP.fullmatch(line))}
    (hook,) = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    for node in hook.body:
        if not isinstance(node, ast.FunctionDef) or not node.decorator_list:
            continue
        (mark,) = node.decorator_list
        if not (isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id in KINDS):
            raise SystemExit(
                f"{HOOK}:{mark.lineno}: event {node.name}: the decorator must be one of {', '.join(KINDS)}"
            )
        arguments = {one.arg: "" if one.annotation is None else ast.unparse(one.annotation) for one in node.args.args}
        del arguments["self"]
        for name, kind in arguments.items():
            if not kind:
                raise SystemExit(f"{HOOK}:{node.lineno}: event {node.name}: argument {name} has no type")
        if not ast.get_docstring(node):
            raise SystemExit(f"{HOOK}:{node.lineno}: event {node.name}: it has no docstring; docs/hooks.md shows that")
        yield Declared(
            node.name,
            mark.func.id,
            {one.arg or "": ast.literal_eval(one.value) for one in mark.keywords},
            arguments,
            "" if node.returns is None else ast.unparse(node.returns),
            ast.get_docstring(node) or "",
            next((groups[number] for number in sorted(groups, reverse=True) if number < node.lineno), ""),
            node.lineno,
        )


def imported(text: str) -> dict[str, str]:
    """Return, by imported name, the module that it is imported from."""
    return {
        alias.asname or alias.name: node.module
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }

# SPDX-License-Identifier: MIT
"""Finds all collections that belong to an object, by following every reference, so that none can be forgotten."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

__all__ = ["CACHES", "grown", "modules", "sizes"]

PACKAGES: Final = ("mqtt_ref", "mqtt_conformance")
"""Objects of other packages are not entered, except collections."""
CONTAINERS: Final = (list, dict, set, deque, bytearray)
"""What has a size that may grow, with all subclasses."""
CACHES: Final = {"mqtt_ref.wire.generated.fast.NAMES": 4096, "mqtt_ref.wire.primitives.NAMES": 4096}
"""Caches that belong to the process and stay: how many items each may have. The decoder's, of short Topic Names."""
ATOMS: Final = (str, bytes, int, float, bool, type(None), type, ModuleType)


def sizes(**roots: object) -> Counter[str]:
    """Return how many items all collections hold that can be reached from the roots, and how many objects there are.

    A collection is named by the class and the attribute that holds it (`Sessions.by_client_id`); `[]` stands for one
    inside of another. Collections with the same name are added up, so that those of tree nodes are one number. An
    object is counted by its class (`_Node`).
    """
    found: Counter[str] = Counter()
    seen: set[int] = set()
    todo = list(roots.items())
    while todo:
        name, one = todo.pop()
        if isinstance(one, ATOMS) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, CONTAINERS):
            found[name] += len(one)
        elif _is_ours(type(one)):
            found[type(one).__name__] += 1
        todo.extend(_references(name, one))
    return found


def modules() -> dict[str, object]:
    """Return the collections that belong to no object: those of loaded modules, by name."""
    found: dict[str, object] = {}
    for module in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        for name, value in vars(sys.modules[module]).items():
            if isinstance(value, CONTAINERS) and not name.startswith("__"):
                found[f"{module}.{name}"] = value
    return found


def grown(before: Counter[str], after: Counter[str], slack: int = 0) -> dict[str, tuple[int, int]]:
    """Return what is larger than before by more than `slack`: how many items there were, and are."""
    allowed = {name: CACHES.get(name, before[name] + slack) for name in after}
    return {name: (before[name], size) for name, size in sorted(after.items()) if size > allowed[name]}


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in PACKAGES


def _references(name: str, one: object) -> Iterator[tuple[str, object]]:
    """Return what an object refers to, each with its name."""
    if isinstance(one, dict):
        for key, value in one.items():
            yield f"{name}[]", key
            yield f"{name}[]", value
    elif isinstance(one, (list, set, tuple, frozenset, deque)):
        for value in one:
            yield f"{name}[]", value
    elif isinstance(one, MethodType):
        yield f"{name}.self", one.__self__
        yield name, one.__func__
    elif isinstance(one, partial):
        yield from ((f"{name}()", value) for value in (one.func, *one.args, *one.keywords.values()))
    elif isinstance(one, FunctionType):
        for cell in one.__closure__ or ():
            try:
                yield f"{name}()", cell.cell_contents
            except ValueError:  # it is not set yet
                continue
    elif hasattr(one, "__self__") and not isinstance(one, type):
        yield f"{name}.self", one.__self__  # a method of compiled code
    if _is_ours(type(one)):
        for attribute in _attributes(one):
            value = getattr(one, attribute, None)
            yield f"{type(one).__name__}.{attribute}", value


def _attributes(one: object) -> Iterable[str]:
    """Return the names of all attributes that hold something, for plain, slotted and compiled classes."""
    names: dict[str, None] = dict.fromkeys(getattr(one, "__dict__", ()))
    for kind in type(one).__mro__:
        slots: Any = vars(kind).get("__slots__", ())
        names.update(dict.fromkeys((slots,) if isinstance(slots, str) else slots))
        names.update(dict.fromkeys(vars(kind).get("__mypyc_attrs__", ())))
    for slot in list(names):
        if slot.startswith("__") and not slot.endswith("__"):  # private: the name is mangled
            del names[slot]
    names.pop("__weakref__", None)
    names.pop("__dict__", None)
    return names

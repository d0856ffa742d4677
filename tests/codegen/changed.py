# SPDX-License-Identifier: MIT
"""A second copy of the package, written from changed tables, beside the one under test."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codegen.__main__ import generate
from codegen.load import load

__all__ = ["Import", "changed_package", "with_rows"]

Import = Callable[[str], Any]
"""Imports a module of the copy: `wire.fast` is what `mqtt_ref.wire.fast` would be."""


def with_rows(rows: str) -> Callable[[str], str]:
    """The change of a table that adds rows at its end."""
    return lambda table: f"{table}\n{rows}\n"


@contextmanager
def changed_package(
    root: Path, place: Path, changes: Mapping[str, Callable[[str], str]], name: str = "mqtt_ref_changed"
) -> Iterator[Import]:
    """Copy `mqtt_ref` to `place` as package `name`, generate it from the tables as `changes` make them, import from it.

    `changes` are functions from the text of a file below `spec/` to its new text, by name. The tables have to be
    right: the generator refuses them otherwise. Afterwards the copy is no longer imported.
    """
    shutil.copytree(root / "spec", place / "spec")
    for file, change in changes.items():
        path = place / "spec" / file
        path.write_text(change(path.read_text()))
    shutil.copytree(root / "mqtt_ref", place / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for path, text in generate(load(place / "spec")).items():
        if path.startswith("mqtt_ref/"):
            (place / name / path.removeprefix("mqtt_ref/")).write_text(text)
    for source in (place / name).rglob("*.py"):
        source.write_text(re.sub(r"\bmqtt_ref\b", name, source.read_text()))
    sys.path.insert(0, str(place))
    importlib.invalidate_caches()
    try:
        yield lambda module: importlib.import_module(f"{name}.{module}")
    finally:
        sys.path.remove(str(place))
        for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
            del sys.modules[module]

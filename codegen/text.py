# SPDX-License-Identifier: MIT
"""The parts that all generated modules share: header, `__all__`, citations."""

from __future__ import annotations

from collections.abc import Iterable

from codegen.model import V5, V31, V311, Cites

__all__ = ["HEADER", "all_list", "cites_tuple"]

HEADER = '''# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""{doc}"""
'''


def all_list(names: Iterable[str]) -> str:
    """Return an `__all__` in the order of ruff: constants, classes, other names."""

    def key(name: str) -> tuple[int, str]:
        kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
        return kind, name

    return "__all__ = [\n" + "".join(f'    "{n}",\n' for n in sorted(names, key=key)) + "]\n"


def cites_tuple(cites: Cites) -> str:
    """Return the source of a tuple of statements by protocol level. Level 0 (not known yet) has that of 5.0."""
    by_level = (cites.get(V5, ""), "", "", cites.get(V31, ""), cites.get(V311, ""), cites.get(V5, ""))
    return "(" + ", ".join(f'"{c}"' for c in by_level) + ")"

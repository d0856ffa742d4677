# SPDX-License-Identifier: MIT
"""Reads the reasons why some faults cannot be seen or accused: rules over fault ids, kept as data."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

from mqtt_conformance.faults.fault import Fault

__all__ = ["KINDS", "Rule", "check", "marked", "rules"]

KINDS = ("equivalent", "permitted", "unreachable", "untimed")
"""equivalent: the broken broker behaves like the sound one. permitted: the standard allows what it does. unreachable:
no client can cause the row to run. untimed: it would show only after a time that no rule sets."""


@dataclass(frozen=True)
class Rule:
    """No client can accuse the faults whose ids match one of `faults` (shell patterns). `why` is the reason."""

    faults: tuple[str, ...]
    kind: str
    why: str


@cache
def rules() -> tuple[Rule, ...]:
    """Read the rules from `invisible.toml`.

    Raises:
        ValueError: one of them has an unknown kind.
    """
    rows = tomllib.loads(files("mqtt_conformance.faults").joinpath("invisible.toml").read_text())["invisible"]
    out = []
    for row in rows:
        if row["kind"] not in KINDS:
            raise ValueError(f"invisible.toml: {row['kind']!r} is not one of {', '.join(KINDS)}")
        out.append(Rule(tuple(row["faults"]), row["kind"], row["why"]))
    return tuple(out)


def marked(faults: Iterable[Fault]) -> Iterator[Fault]:
    """Yield the faults. Those that a rule matches carry its reason."""
    for fault in faults:
        rule = next((r for r in rules() if any(fnmatchcase(fault.id, p) for p in r.faults)), None)
        yield fault if rule is None or fault.invisible else replace(fault, invisible=f"{rule.kind}: {rule.why}")


def check(faults: Iterable[Fault]) -> list[str]:
    """Return the patterns that match no fault: their rows were removed, or they are misspelt."""
    ids = [fault.id for fault in faults]
    return [p for rule in rules() for p in rule.faults if not any(fnmatchcase(i, p) for i in ids)]

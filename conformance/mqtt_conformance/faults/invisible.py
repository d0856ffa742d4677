# SPDX-License-Identifier: MIT
"""Why some faults of the catalogue cannot be seen, or not be called wrong: rules over their ids, kept as data."""

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
no client brings the row about. untimed: it would only show after a time that no rule names."""


@dataclass(frozen=True)
class Rule:
    """The faults whose ids fit one of `faults` (shell patterns) cannot be accused, since `why`."""

    faults: tuple[str, ...]
    kind: str
    why: str


@cache
def rules() -> tuple[Rule, ...]:
    """The rules that are written down.

    Raises:
        ValueError: one of them has a kind that there is not.
    """
    rows = tomllib.loads(files("mqtt_conformance.faults").joinpath("invisible.toml").read_text())["invisible"]
    out = []
    for row in rows:
        if row["kind"] not in KINDS:
            raise ValueError(f"invisible.toml: {row['kind']!r} is not one of {', '.join(KINDS)}")
        out.append(Rule(tuple(row["faults"]), row["kind"], row["why"]))
    return tuple(out)


def marked(faults: Iterable[Fault]) -> Iterator[Fault]:
    """The faults, those that a rule names with its reason."""
    for fault in faults:
        rule = next((r for r in rules() if any(fnmatchcase(fault.id, p) for p in r.faults)), None)
        yield fault if rule is None or fault.invisible else replace(fault, invisible=f"{rule.kind}: {rule.why}")


def check(faults: Iterable[Fault]) -> list[str]:
    """The patterns that name no fault: their rows are gone, or were written with a mistake."""
    ids = [fault.id for fault in faults]
    return [p for rule in rules() for p in rule.faults if not any(fnmatchcase(i, p) for i in ids)]

# SPDX-License-Identifier: MIT
"""Counts that every report shows first: by verdict, and by section of the standard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mqtt_conformance.case import VERSION_NAMES
from mqtt_conformance.record import PASSED_OVER
from mqtt_conformance.runner import Result
from mqtt_conformance.verdict import Verdict
from mqtt_ref.wire.printable import printable
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["by_section", "counts", "failures", "headline", "plain", "rule_of", "section_of", "strangers"]


def counts(results: Iterable[Result]) -> dict[Verdict, int]:
    """Count the results of each verdict. Verdicts without results are included."""
    found = Counter(r.verdict for r in results)
    return {v: found[v] for v in Verdict}


def failures(results: Iterable[Result]) -> list[Result]:
    """Return the results that accuse the broker of breaking a rule."""
    return [r for r in results if r.verdict is Verdict.FAIL]


def section_of(result: Result) -> str:
    """Return the chapter and section of the broken rule, or else of the case's first rule: `3.1`, `4.7`."""
    parts = STATEMENTS[rule_of(result)].section.split(".")
    return ".".join(parts[:2])


def rule_of(result: Result) -> str:
    """Return the rule of a result: the broken one if the broker is accused, otherwise the first."""
    accused = result.verdict in (Verdict.FAIL, Verdict.NON_STRICT)
    return result.rule if accused and result.rule else result.case.statements[0]


def by_section(results: Iterable[Result]) -> dict[tuple[int, str], list[Result]]:
    """Group results by protocol level and section, in the standards' order."""
    out: dict[tuple[int, str], list[Result]] = {}
    for result in results:
        out.setdefault((result.case.version, section_of(result)), []).append(result)

    def key(item: tuple[int, str]) -> tuple[int, list[tuple[int, str]]]:
        version, section = item
        return -version, [(int(p), "") if p.isdigit() else (99, p) for p in section.split(".")]

    return {k: out[k] for k in sorted(out, key=key)}


def headline(results: Iterable[Result]) -> str:
    """Return one line: `612 pass, 3 fail, ... (MQTT 5, 3.1.1)`."""
    results = list(results)
    text = ", ".join(f"{n} {v}" for v, n in counts(results).items() if n)
    versions = ", ".join(VERSION_NAMES[v] for v in sorted({r.case.version for r in results}, reverse=True))
    return f"{text or 'nothing ran'} (MQTT {versions})" if versions else text or "nothing ran"


def strangers(results: Iterable[Result]) -> list[str]:
    """Return one line if cases passed over messages that they had not asked for. Otherwise an empty string."""
    number = sum(any(note.startswith(PASSED_OVER) for note in r.notes) for r in results)
    who, they = ("1 case", "it") if number == 1 else (f"{number} cases", "they")
    return [f"{who} passed over messages that {they} had not asked for; notes say which"] * bool(number)


def plain(text: str) -> str:
    """Escape surrogates and control characters, which a broker may have sent, so that the text can be shown."""
    return printable(text, "\n\t")

# SPDX-License-Identifier: MIT
"""Writes the report for a terminal: a matrix by section, then each failure with rule, expected, seen and packets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mqtt_conformance.case import VERSION_NAMES
from mqtt_conformance.reports.steps import lines
from mqtt_conformance.reports.summary import by_section, counts, failures, headline, plain, rule_of, strangers
from mqtt_conformance.runner import Result
from mqtt_conformance.verdict import Verdict
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["failure_lines", "render"]

MARKS = {
    Verdict.PASS: "pass", Verdict.FAIL: "FAIL", Verdict.NON_STRICT: "advised", Verdict.INFORMATIONAL: "info",
    Verdict.INCONCLUSIVE: "unclear", Verdict.UNSUPPORTED: "n/a",
}  # fmt: skip


def render(results: Sequence[Result], quotes: Mapping[str, str], *, verbose: bool = False) -> str:
    """Return the whole report. `quotes` are the standard's own texts by statement, if the user has them."""
    out = [f"{'MQTT':6} {'section':9}" + "".join(f"{MARKS[v]:>9}" for v in Verdict)]
    for (version, section), some in by_section(results).items():
        row = counts(some)
        out.append(f"{VERSION_NAMES[version]:6} {section:9}" + "".join(f"{row[v] or '':>9}" for v in Verdict))
    wanted: Iterable[Result] = failures(results)
    if verbose:
        wanted = [r for r in results if r.verdict not in (Verdict.PASS, Verdict.UNSUPPORTED)]
    for result in wanted:
        out += ["", *failure_lines(result, quotes)]
    out += ["", *strangers(results), headline(results)]
    return plain("\n".join(out))


def failure_lines(result: Result, quotes: Mapping[str, str]) -> list[str]:
    """Return one result with its rules, what was expected and seen, and the packets."""
    out = [f"{result.verdict.upper()} {result.case.id}: {result.case.intent}"]
    for name in result.case.statements:
        rule = STATEMENTS[name]
        out.append(f"  {name} ({rule.level}, section {rule.section}): {rule.meaning}")
        if name in quotes:
            out.append(f"    the standard: {quotes[name]}")
    if result.verdict is Verdict.FAIL and len(result.case.statements) > 1:
        out.append(f"  broken: {rule_of(result)}")
    out.append(f"  {result.message}")
    if result.expected:
        out.append(f"  expected: {result.expected}")
    if result.seen:
        out.append(f"  seen:     {result.seen}")
    out += [f"  note:     {note}" for note in result.notes if note not in result.message]
    return out + [f"  {line}" for line in lines(result.trace)]

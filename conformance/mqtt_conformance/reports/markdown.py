# SPDX-License-Identifier: MIT
"""Writes Markdown for the summary of a CI job, and the JSON of a badge."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mqtt_conformance.case import VERSION_NAMES
from mqtt_conformance.reports.summary import by_section, counts, failures, headline, plain, rule_of, strangers
from mqtt_conformance.runner import Result
from mqtt_conformance.verdict import Verdict
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["badge", "render"]


def render(results: Sequence[Result]) -> str:
    """Return a table by section, then a list of the failures."""
    out = ["## MQTT conformance", "", headline(results), *strangers(results), ""]
    out.append("| MQTT | section | " + " | ".join(Verdict) + " |")
    out.append("|---|---|" + "---:|" * len(Verdict))
    for (version, section), some in by_section(results).items():
        row = counts(some)
        out.append(f"| {VERSION_NAMES[version]} | {section} | " + " | ".join(str(row[v] or "") for v in Verdict) + " |")
    broken = failures(results)
    if broken:
        out += ["", "### Failures", ""]
        for result in broken:
            rule = STATEMENTS[rule_of(result)]
            out.append(f"- **{result.case.id}** ({rule.id}): {rule.meaning}<br>{_cell(result.message)}")
            if result.expected:
                out.append(f"  <br>expected {_cell(result.expected)}; seen {_cell(result.seen)}")
    return plain("\n".join([*out, ""]))


def _cell(text: str) -> str:
    short = text if len(text) < 300 else text[:300] + "..."
    return "`" + short.replace("`", "'").replace("\n", " ") + "`"


def badge(results: Sequence[Result]) -> str:
    """Return the badge in endpoint form: label, message, colour."""
    row = counts(results)
    decided = row[Verdict.PASS] + row[Verdict.INFORMATIONAL] + row[Verdict.NON_STRICT] + row[Verdict.FAIL]
    good = decided - row[Verdict.FAIL]
    colour = "brightgreen" if decided and good == decided else "yellow" if good * 20 >= decided * 19 else "red"
    message = f"{good}/{decided}"
    return json.dumps({"schemaVersion": 1, "label": "MQTT conformance", "message": message, "color": colour}) + "\n"

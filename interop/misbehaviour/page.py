# SPDX-License-Identifier: MIT
"""Writes the page docs/misbehaviour.md from the results of a run."""

from typing import Any

from interop.misbehaviour.cases import CASES
from interop.misbehaviour.player import did

INTRODUCTION = """\
Each client is used as its documentation shows: MQTT 5, a stored session, Keep Alive 2 s, a subscription with QoS 2,
three messages of QoS 1, 2 and 1, and automatic reconnect (aiomqtt: in a loop around it, with a pause of a second). The
broker misbehaves by one rule, and sends two messages, of QoS 2 and 1, when the client has subscribed. Each case is
watched for a few seconds. *connected n times* counts the CONNECT packets in that time. *broke* names rules that bind
the client, as the judge found them. Anything that is not mentioned did not happen."""


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        "# A misbehaving broker, and what clients do",
        "",
        "Written by `python -m interop.misbehaviour --record` from `interop/results/misbehaviour.json`; do not edit.",
        "",
        *INTRODUCTION.splitlines(),
        "",
        "Clients: " + ", ".join(f"{name} {version}" for name, version in results["versions"].items()) + ".",
        "",
    ]
    by = {(one["case"], one["client"]): one for one in results["outcomes"]}
    for case in CASES:
        lines += [f"## {case.name}", "", f"{case.does}", "", f"By the standard: {case.right}", ""]
        lines += ["| client | did |", "|---|---|"]
        for client in results["versions"]:
            outcome = by.get((case.name, client))
            if outcome is not None:
                lines.append(f"| {client} | {did(outcome).replace('|', chr(92) + '|')} |")
        lines.append("")
    return "\n".join(lines)


__all__ = ["page"]

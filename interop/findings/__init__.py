# SPDX-License-Identifier: MIT
"""What the oracle finds in clients that others wrote: a file per client, a trace per finding, and the page."""

import tomllib
from pathlib import Path
from typing import Any

from mqtt_ref.wire.statements import STATEMENTS

FOLDER = Path(__file__).parent
PAGE = FOLDER / "README.md"
INTRODUCTION = """\
# What the oracle finds in clients

Written by `python -m interop.findings` from the `.toml` files here; do not edit.

In ordinary use paho-mqtt, gmqtt, aiomqtt and MQTT.js break no rule that the oracle knows: `interop/test_oracle.py`
plays the scenarios of the matrix with each of them, with paho-mqtt, aiomqtt and MQTT.js over WebSocket too. What is
listed here they do when the broker limits them or the link breaks (`docs/misbehaviour.md`). Each finding has the trace
in which it is seen, as the broker's side recorded it; `mqtt-ref oracle check TRACE` judges it again, as a test does.
"""


def clients() -> dict[str, dict[str, Any]]:
    """By client: `version`, and the rows `finding`."""
    read = (tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml")))
    return {data["client"]: data for data in read}


def page() -> str:
    """All findings as Markdown."""
    lines = [INTRODUCTION]
    for name, data in clients().items():
        lines += [f"## {name} {data['version']}", ""]
        for row in data["finding"]:
            lines += [
                f"### {row['title']}",
                "",
                f"**{row['rule']}**: {STATEMENTS[row['rule']].meaning}",
                "",
                f"Seen: {row['seen']}",
                "",
                row["explanation"],
                "",
                f"In the cases {', '.join(row['cases'])}; trace: [{row['trace']}]({row['trace']}).",
                "",
            ]
    return "\n".join(lines)


__all__ = ["FOLDER", "PAGE", "clients", "page"]

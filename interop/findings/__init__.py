# SPDX-License-Identifier: MIT
"""The oracle's findings in third-party clients: a file per client, a trace per finding, and the page."""

import tomllib
from pathlib import Path
from typing import Any

from mqtt_ref.wire.statements import STATEMENTS

FOLDER = Path(__file__).parent
PAGE = FOLDER / "README.md"
INTRODUCTION = """\
# What the oracle finds in clients

Written by `python -m interop.findings` from the `.toml` files here; do not edit.

In ordinary use paho-mqtt, gmqtt, aiomqtt and MQTT.js break no rule that the oracle knows: `interop/test_oracle.py` runs
the scenarios of the matrix with each of them, and with paho-mqtt, aiomqtt and MQTT.js over WebSocket too. The findings
here occur when the broker limits the client or the link breaks (`docs/misbehaviour.md`). Each finding has its trace, as
the broker's side recorded it. `mqtt-ref oracle check TRACE` judges the trace again, as a test does.
"""


def clients() -> dict[str, dict[str, Any]]:
    """Return by client: `version`, and the rows `finding`."""
    read = (tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml")))
    return {data["client"]: data for data in read}


def page() -> str:
    """Return all findings as Markdown."""
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

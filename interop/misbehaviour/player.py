# SPDX-License-Identifier: MIT
"""Runs a misbehaviour against a client, and describes what the client did: its packets, and what it reported."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.adapters.mosquitto_tools import program
from interop.adapters.mqtt_js import FOLDER, missing
from interop.misbehaviour.cases import Case
from mqtt_ref.oracle.facade import Oracle
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.recorder import Condition

HERE = Path(__file__).with_name("clients")
KEEP_ALIVE = 2
"""In seconds. The clients get this value."""
START = 10.0
"""The time, in seconds, that a client has to connect and subscribe."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A client that the misbehaviours run against."""

    name: str
    script: str
    module: str = ""

    def missing(self) -> str | None:
        """Return what it needs but is not installed."""
        if not self.module:
            return missing()
        return None if importlib.util.find_spec(self.module) else f"{self.name} is not installed"

    def command(self) -> list[str]:
        """Return the command that starts it."""
        return [sys.executable if self.module else str(program("node")), str(HERE / self.script)]

    def version(self) -> str:
        """Return the installed version."""
        if self.module:
            return importlib.metadata.version(self.name)
        return str(json.loads((FOLDER / "node_modules" / "mqtt" / "package.json").read_text())["version"])


SUBJECTS = (
    Subject("paho-mqtt", "with_paho.py", "paho"),
    Subject("gmqtt", "with_gmqtt.py", "gmqtt"),
    Subject("aiomqtt", "with_aiomqtt.py", "aiomqtt"),
    Subject("MQTT.js", "with_mqtt_js.mjs"),
)


def play(case: Case, subject: Subject, trace: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Run the misbehaviour against the client and watch it. `trace` gets the records of all packets."""
    with Oracle(rules=case.rules, check=False) as oracle:
        command = [*subject.command(), str(oracle.port), "subject", str(KEEP_ALIVE)]
        env = {**os.environ, "MQTT_JS_FOLDER": str(FOLDER)}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        ) as child:
            try:
                oracle.wait(Condition(packet=Match(packet="CONNECT", by="*")), START)
                end = time.monotonic() + case.last
                if _within(oracle, Match(packet="SUBSCRIBE", by="*"), case.last):
                    for payload, qos in (("first", 2), ("second", 1)):
                        oracle.server.publish("to/client", payload, qos=qos)
                time.sleep(max(0.0, end - time.monotonic()))
                told, errors = child.communicate(timeout=10)
            except BaseException:
                child.kill()
                raise
        events = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
        if errors.strip():
            events.append({"event": "error", "reason": errors.strip().splitlines()[-1][:200]})
        records = oracle.records
        if trace is not None:
            trace += records
        seen = _facts(records, case.last)
        rules = sorted({finding.rule for finding in oracle.findings if finding.level == "must"})
    return {"case": case.name, "client": subject.name, **seen, "told": _told(events), "broke": rules}


def _within(oracle: Oracle, match: Match, seconds: float) -> bool:
    try:
        oracle.wait(match, seconds)
    except TimeoutError:
        return False
    return True


def _facts(trace: list[dict[str, Any]], last: float) -> dict[str, Any]:
    """Summarise the client's packets, up to the end of watching."""
    begun = next(record["t"] for record in trace if record["dir"] == "in")
    records = [record for record in trace if record["t"] - begun <= last * 1e9]
    sent = [(record, record["packet"] or {}) for record in records if record["dir"] == "in"]
    seen: set[tuple[str, int]] = set()
    resent: list[str] = []
    unacknowledged = most = 0
    for record in records:
        packet = record["packet"] or {}
        kind, number = packet.get("type", ""), packet.get("packet_id", 0)
        if record["dir"] == "in" and kind in ("PUBLISH", "PUBREL") and number:
            if (kind, number) in seen:
                resent.append(kind + (" with DUP" if packet.get("dup") else ""))
            seen.add((kind, number))
        if record["dir"] == "in" and kind == "CONNECT":
            unacknowledged = 0
        elif record["dir"] == "in" and kind == "PUBLISH" and packet.get("qos"):
            unacknowledged += 1
            most = max(most, unacknowledged)
        elif record["dir"] == "out" and kind in ("PUBACK", "PUBCOMP"):
            unacknowledged -= 1
    return {
        "connections": sum(1 for _, packet in sent if packet.get("type") == "CONNECT"),
        "disconnect": [f"0x{one.get('reason_code', 0):02X}" for _, one in sent if one.get("type") == "DISCONNECT"],
        "completed": len({one["packet"]["packet_id"] for one in records if _completes(one)}),
        "pings": sum(1 for _, packet in sent if packet.get("type") == "PINGREQ"),
        "resent": resent,
        "most_unacknowledged": most,
        "qos": sorted({packet.get("qos", 0) for _, packet in sent if packet.get("type") == "PUBLISH"}),
    }


def _completes(record: dict[str, Any]) -> bool:
    """True if it is the last acknowledgement of a message of the client."""
    return record["dir"] == "out" and (record["packet"] or {}).get("type") in ("PUBACK", "PUBCOMP")


def _told(events: list[dict[str, str]]) -> list[str]:
    """Return what the application was told, in order. Repeats are counted."""
    told: list[str] = []
    for event in events:
        kind = event["event"]
        text = f"message {event['payload']!r}" if kind == "message" else kind
        if kind in ("refused", "error"):
            text += f": {event.get('reason', '')}"
        told.append(text)
    return told


def did(outcome: dict[str, Any]) -> str:
    """Return one line that says what the client did."""
    parts: list[str] = []
    told: list[str] = outcome["told"]
    if outcome["disconnect"]:
        parts.append(f"sent DISCONNECT {', '.join(dict.fromkeys(outcome['disconnect']))}")
    if outcome["connections"] > 1:
        parts.append(f"connected {outcome['connections']} times")
    elif any(event.startswith("disconnected") for event in told):
        parts.append("was disconnected and did not reconnect in time")
    for what in dict.fromkeys(outcome["resent"]):
        parts.append(f"sent {what} again" + _times(outcome["resent"].count(what)))
    parts += DESCRIBED.get(outcome["case"], lambda _: [])(outcome)
    received = [event for event in told if event.startswith("message")]
    if received:
        counted = [f"{name}{_times(received.count(name))}" for name in dict.fromkeys(received)]
        parts.append("application got " + ", ".join(counted))
    completed = outcome["completed"]
    if completed > 3:
        parts.append(f"published {completed - 3} again after giving up")
    elif completed < 3 and outcome["case"] != "maximum-qos-0":
        parts.append(f"{f'only {completed}' if completed else 'none'} of its 3 messages acknowledged")
    for event in dict.fromkeys(told):
        if event.startswith(("refused", "error")):
            parts.append(event)
    if outcome["broke"]:
        parts.append(f"broke {', '.join(outcome['broke'])}")
    return "; ".join(parts)


def _times(count: int) -> str:
    return "" if count == 1 else f" ({count} times)"


DESCRIBED: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "receive-maximum-1": lambda one: [f"at most {one['most_unacknowledged']} in flight"],
    "maximum-qos-0": lambda one: [f"published with QoS {', '.join(map(str, one['qos'])) or 'none: nothing'}"],
    "half-open": lambda one: [f"{one['pings']} PINGREQ"],
}

__all__ = ["SUBJECTS", "Subject", "did", "play"]

# SPDX-License-Identifier: MIT
"""Writes a script for one failure. It needs only Python, sends the same bytes, and shows what comes."""

from __future__ import annotations

from mqtt_conformance.record import Record
from mqtt_conformance.runner import Result
from mqtt_conformance.target import Target
from mqtt_ref.wire.statements import STATEMENTS
from mqtt_ref.wire.violation import Violation

__all__ = ["render"]

TEMPLATE = '''#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""{id}

{intent}

{rules}

Expected: {expected}
Seen:     {seen}
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else {host!r}
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else {port}
STEPS = [
{steps}
]
NAMES = (
    "RESERVED CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP "
    "SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH"
).split()
links, rest = {{}}, {{}}
then, now = {{}}, {{}}  # Packet Identifiers that the broker chose, when this was recorded and now


def chosen(packet):
    """The Packet Identifier of a PUBLISH of QoS 1 or 2."""
    if packet[0] >> 4 != 3 or not packet[0] & 6:
        return []
    at = next(i for i in range(1, len(packet)) if packet[i] < 128) + 1
    at += 2 + int.from_bytes(packet[at : at + 2], "big")
    return [packet[at : at + 2]]


def adapted(name, raw):
    """An acknowledgement with the Packet Identifier that the broker chose now."""
    known = dict(zip(then.get(name, []), now.get(name, [])))
    if raw and raw[0] >> 4 in (4, 5, 7) and raw[2:4] in known:
        return raw[:2] + known[raw[2:4]] + raw[4:]
    return raw


def packets(name):
    """Whole packets in what has come on this link; the remaining bytes are kept."""
    data = rest[name]
    while len(data) >= 2:
        size, shift, at = 0, 0, 1
        while at < len(data):
            size |= (data[at] & 127) << shift
            at += 1
            shift += 7
            if data[at - 1] < 128 or at == 5:
                break
        else:
            break
        if len(data) < at + size:
            break
        yield data[: at + size]
        data = data[at + size :]
    rest[name] = data


def show(name, seconds):
    """Print what comes within a time, or until the broker closes."""
    link = links.get(name)
    if link is None:
        return
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            data = link.recv(65536)
        except socket.timeout:
            break
        except OSError as error:
            data = b""
            print(f"{{name}}: {{error}}")
        if not data:
            print(f"{{name}} -- the broker closed the connection")
            links.pop(name).close()
            return
        rest[name] += data
        for packet in packets(name):
            print(f"{{name}} <- {{NAMES[packet[0] >> 4]}} {{packet.hex(' ')}}")
            now.setdefault(name, []).extend(chosen(packet))


before = 0
for at, name, what, data in STEPS:
    if what != "in" and at - before > 0.5:
        print(f"-- {{at - before:.1f}} seconds pass")
        time.sleep(at - before)
    before = at
    if what == "opened":
        links[name] = socket.create_connection((HOST, PORT), 5)
        rest[name] = b""
    elif what == "out":
        raw = adapted(name, bytes.fromhex(data))
        print(f"{{name}} -> {{NAMES[raw[0] >> 4] if raw else ''}} {{raw.hex(' ')}}")
        try:
            links[name].sendall(raw)
        except (KeyError, OSError):
            print(f"{{name}}: closed already")
    elif what == "in":
        then.setdefault(name, []).extend(chosen(bytes.fromhex(data)))
        show(name, 0.3)
    elif what in ("dropped", "reset") and name in links:
        links.pop(name).close()
    elif what in ("restarted", "killed"):
        input(f"-- the broker was {{what}} here: do it, start it again, and press Enter ")
for name in list(links):
    show(name, 3)
'''


def render(result: Result, target: Target) -> str:
    """Return the script for a failed case."""
    rules = "\n".join(f"{s}: {STATEMENTS[s].meaning}" for s in result.case.statements)
    return TEMPLATE.format(
        id=result.case.id,
        intent=_safe(result.case.intent),
        rules=_safe(rules),
        expected=_safe(result.expected or result.message),
        seen=_safe(result.seen or result.message),
        host=target.host,
        port=target.port,
        steps="\n".join(_step(r) for r in result.trace),
    )


def _safe(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', "'''").encode("ascii", "backslashreplace").decode()


def _step(record: Record) -> str:
    comment = ""
    if record.packet is not None and not isinstance(record.packet, (bytes, Violation)):
        text = _safe(repr(record.packet))
        comment = f"  # {text[:160]}"
    return f'    ({record.t:.1f}, "{record.peer}", "{record.what}", "{record.raw.hex()}"),{comment}'

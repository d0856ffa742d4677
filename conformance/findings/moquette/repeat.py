#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT311-4.3.3-2/no-duplicate

A QoS 2 PUBLISH that is repeated before its PUBREL gets a PUBREC again and is delivered once.

MQTT311-4.3.3-2: The Receiver of a QoS 2 PUBLISH, having accepted ownership of the Application Message, responds with a PUBREC that has its Packet Identifier; answers each further PUBLISH with that identifier with a PUBREC, and causes no duplicate delivery to any onward recipient, until the corresponding PUBREL has come; answers a PUBREL with a PUBCOMP of the same Packet Identifier; and takes any PUBLISH with that identifier after its PUBCOMP for a new publication.

Expected: PUBREC
Seen:     nothing in time
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21007
STEPS = [
    (0.1, "client", "opened", ""),
    (0.1, "client", "out", "101d00044d5154540402003c00116363363434353637366365636c69656e74"),  # Connect(client_id='cc6445676ceclient', protocol_version=4, keep_alive=60)
    (0.1, "client", "in", "20020000"),  # Connack()
    (0.1, "client", "out", "821f0001001a636f6e666f726d616e63652f633634343536373663652f742f7402"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/c6445676ce/t/t', qos=2)])
    (0.2, "client", "in", "9003000102"),  # Suback(packet_id=1, reason_codes=[2])
    (0.8, "publisher", "opened", ""),
    (0.8, "publisher", "out", "102000044d5154540402003c001463633634343536373663657075626c6973686572"),  # Connect(client_id='cc6445676cepublisher', protocol_version=4, keep_alive=60)
    (0.8, "publisher", "in", "20020000"),  # Connack()
    (0.8, "publisher", "out", "3422001a636f6e666f726d616e63652f633634343536373663652f742f7400076f6e6365"),  # Publish(topic='conformance/c6445676ce/t/t', payload=b'once', qos=2, packet_id=7)
    (0.8, "publisher", "in", "50020007"),  # Pubrec(packet_id=7)
    (0.8, "client", "in", "3422001a636f6e666f726d616e63652f633634343536373663652f742f7400016f6e6365"),  # Publish(topic='conformance/c6445676ce/t/t', payload=b'once', qos=2, packet_id=1)
    (0.8, "publisher", "out", "3c22001a636f6e666f726d616e63652f633634343536373663652f742f7400076f6e6365"),  # Publish(topic='conformance/c6445676ce/t/t', payload=b'once', qos=2, dup=True, packet_id=7)
]
NAMES = (
    "RESERVED CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP "
    "SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH"
).split()
links, rest = {}, {}
then, now = {}, {}  # Packet Identifiers that the broker chose, when this was recorded and now


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
            print(f"{name}: {error}")
        if not data:
            print(f"{name} -- the broker closed the connection")
            links.pop(name).close()
            return
        rest[name] += data
        for packet in packets(name):
            print(f"{name} <- {NAMES[packet[0] >> 4]} {packet.hex(' ')}")
            now.setdefault(name, []).extend(chosen(packet))


before = 0
for at, name, what, data in STEPS:
    if what != "in" and at - before > 0.5:
        print(f"-- {at - before:.1f} seconds pass")
        time.sleep(at - before)
    before = at
    if what == "opened":
        links[name] = socket.create_connection((HOST, PORT), 5)
        rest[name] = b""
    elif what == "out":
        raw = adapted(name, bytes.fromhex(data))
        print(f"{name} -> {NAMES[raw[0] >> 4] if raw else ''} {raw.hex(' ')}")
        try:
            links[name].sendall(raw)
        except (KeyError, OSError):
            print(f"{name}: closed already")
    elif what == "in":
        then.setdefault(name, []).extend(chosen(bytes.fromhex(data)))
        show(name, 0.3)
    elif what in ("dropped", "reset") and name in links:
        links.pop(name).close()
    elif what in ("restarted", "killed"):
        input(f"-- the broker was {what} here: do it, start it again, and press Enter ")
for name in list(links):
    show(name, 3)

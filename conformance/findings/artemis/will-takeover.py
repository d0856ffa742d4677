#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT5-3.1.2-8/will-at-takeover

Taking a connection over publishes its Will Message, which has no delay, where the session ends with it.

MQTT5-3.1.2-8: After the Network Connection has closed, the Will Message is published once the Will Delay Interval has run out or the Session has ended, except when the Server deleted it on receiving DISCONNECT 0x00 (Normal disconnection) or when the ClientID comes back on a new Network Connection before the Will Delay Interval has run out.
X5-takeover-will-no-delay: When a Client is taken over and its Will Delay Interval is 0, the Server publishes its Will Message.

Expected: message 1 of 1
Seen:     nothing in time
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21008
STEPS = [
    (0.0, "watcher", "opened", ""),
    (0.0, "watcher", "out", "101f00044d5154540502003c000012633439303966316530643377617463686572"),  # Connect(client_id='c4909f1e0d3watcher', keep_alive=60)
    (0.0, "watcher", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (0.0, "watcher", "out", "8220000100001a636f6e666f726d616e63652f343930396631653064332f742f7700"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/4909f1e0d3/t/w')])
    (0.0, "watcher", "in", "900400010000"),  # Suback(packet_id=1, reason_codes=[0])
    (0.7, "client", "opened", ""),
    (0.7, "client", "out", "104600044d5154540506003c05110000000000116334393039663165306433636c69656e7400001a636f6e666f726d616e63652f343930396631653064332f742f77000477696c6c"),  # Connect(client_id='c4909f1e0d3client', keep_alive=60, will=Will(topic='conformance/4909f1e0d3/t/w', payload=b'will'), properties=ConnectProperties(session_expir
    (0.7, "client", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (0.7, "taker2", "opened", ""),
    (0.7, "taker2", "out", "102300044d5154540502003c05110000000000116334393039663165306433636c69656e74"),  # Connect(client_id='c4909f1e0d3client', keep_alive=60, properties=ConnectProperties(session_expiry_interval=0))
    (0.7, "client", "in", "e0018e"),  # Disconnect(reason_code=142)
    (0.7, "taker2", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (0.7, "client", "closed", ""),
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

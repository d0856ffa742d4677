#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ruff: noqa: E501
"""MQTT5-3.1.2-8/protocol-error

The Will Message is published when the server closes the connection because of an error.

MQTT5-3.1.2-8: After the Network Connection has closed, the Will Message is published once the Will Delay Interval has run out or the Session has ended, except when the Server deleted it on receiving DISCONNECT 0x00 (Normal disconnection) or when the ClientID comes back on a new Network Connection before the Will Delay Interval has run out.
X5-will-on-server-close: The Server publishes the Will Message when the Server itself closes the Network Connection and has not received DISCONNECT 0x00 (Normal disconnection) before.

Expected: message 1 of 1
Seen:     nothing in time
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21883
STEPS = [
    ("watcher", "opened", ""),
    ("watcher", "out", "101f00044d5154540502003c000012633632303862656233303677617463686572"),  # Connect(client_id='c6208beb306watcher', keep_alive=60)
    ("watcher", "in", "200900000621001422000a"),  # Connack(properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
    ("watcher", "out", "8220000100001a636f6e666f726d616e63652f363230386265623330362f742f7700"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/6208beb306/t/w')])
    ("watcher", "in", "900400010000"),  # Suback(packet_id=1, reason_codes=[0])
    ("client", "opened", ""),
    ("client", "out", "104100044d5154540506003c0000116336323038626562333036636c69656e7400001a636f6e666f726d616e63652f363230386265623330362f742f77000477696c6c"),  # Connect(client_id='c6208beb306client', keep_alive=60, will=Will(topic='conformance/6208beb306/t/w', payload=b'will'))
    ("client", "in", "200900000621001422000a"),  # Connack(properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
    ("client", "out", "101e00044d5154540502003c0000116336323038626562333036636c69656e74"),  # Connect(client_id='c6208beb306client', keep_alive=60)
    ("client", "closed", ""),
]
NAMES = (
    "RESERVED CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP "
    "SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH"
).split()
links, rest = {}, {}


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


for name, what, data in STEPS:
    if what == "opened":
        links[name] = socket.create_connection((HOST, PORT), 5)
        rest[name] = b""
    elif what == "out":
        raw = bytes.fromhex(data)
        print(f"{name} -> {NAMES[raw[0] >> 4] if raw else ''} {raw.hex(' ')}")
        try:
            links[name].sendall(raw)
        except (KeyError, OSError):
            print(f"{name}: closed already")
    elif what == "in":
        show(name, 0.3)
    elif what in ("dropped", "reset") and name in links:
        links.pop(name).close()
for name in list(links):
    show(name, 3)

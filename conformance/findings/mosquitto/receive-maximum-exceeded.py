#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ruff: noqa: E501
"""X5-receive-maximum-exceeded-server/receive-maximum-exceeded

More unacknowledged QoS 2 messages than the server's Receive Maximum: DISCONNECT 0x93, or at least a close.

X5-receive-maximum-exceeded-server: A Server to which a Client has sent more QoS 1 and QoS 2 PUBLISH packets than Receive Maximum, counting those it has answered by neither PUBACK nor PUBCOMP, uses DISCONNECT 0x93 (Receive Maximum exceeded).
MQTT5-3.3.4-7: The QoS 1 and QoS 2 PUBLISH packets of a Client still without PUBACK, PUBCOMP, or PUBREC with Reason Code 0x80 or greater from the Server never number more than Receive Maximum.

Expected: closed
Seen:     Pubrec(packet_id=1), Pubrec(packet_id=2), Pubrec(packet_id=3), Pubrec(packet_id=4), Pubrec(packet_id=5), Pubrec(packet_id=6), Pubrec(packet_id=7), Pubrec(packet_id=8), Pubrec(packet_id=9), Pubrec(packet_id=10), Pubrec(packet_id=11), Pubrec(packet_id=12), Pubrec(packet_id=13), Pubrec(packet_id=14), Pubrec(packet_id=15), Pubrec(packet_id=16), Pubrec(packet_id=17), Pubrec(packet_id=18), Pubrec(packet_id=19), Pubrec(packet_id=20), Pubrec(packet_id=21, reason_code=151)
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21883
STEPS = [
    ("client", "opened", ""),
    ("client", "out", "101e00044d5154540502003c0000116335333066343034646635636c69656e74"),  # Connect(client_id='c530f404df5client', keep_alive=60)
    ("client", "in", "200900000621001422000a"),  # Connack(properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000100"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=1)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000200"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=2)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000300"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=3)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000400"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=4)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000500"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=5)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000600"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=6)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000700"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=7)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000800"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=8)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000900"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=9)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000a00"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=10)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000b00"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=11)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000c00"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=12)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000d00"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=13)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000e00"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=14)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74000f00"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=15)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74001000"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=16)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74001100"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=17)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74001200"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=18)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74001300"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=19)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74001400"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=20)
    ("client", "out", "341f001a636f6e666f726d616e63652f353330663430346466352f742f74001500"),  # Publish(topic='conformance/530f404df5/t/t', qos=2, packet_id=21)
    ("client", "in", "50020001"),  # Pubrec(packet_id=1)
    ("client", "in", "50020002"),  # Pubrec(packet_id=2)
    ("client", "in", "50020003"),  # Pubrec(packet_id=3)
    ("client", "in", "50020004"),  # Pubrec(packet_id=4)
    ("client", "in", "50020005"),  # Pubrec(packet_id=5)
    ("client", "in", "50020006"),  # Pubrec(packet_id=6)
    ("client", "in", "50020007"),  # Pubrec(packet_id=7)
    ("client", "in", "50020008"),  # Pubrec(packet_id=8)
    ("client", "in", "50020009"),  # Pubrec(packet_id=9)
    ("client", "in", "5002000a"),  # Pubrec(packet_id=10)
    ("client", "in", "5002000b"),  # Pubrec(packet_id=11)
    ("client", "in", "5002000c"),  # Pubrec(packet_id=12)
    ("client", "in", "5002000d"),  # Pubrec(packet_id=13)
    ("client", "in", "5002000e"),  # Pubrec(packet_id=14)
    ("client", "in", "5002000f"),  # Pubrec(packet_id=15)
    ("client", "in", "50020010"),  # Pubrec(packet_id=16)
    ("client", "in", "50020011"),  # Pubrec(packet_id=17)
    ("client", "in", "50020012"),  # Pubrec(packet_id=18)
    ("client", "in", "50020013"),  # Pubrec(packet_id=19)
    ("client", "in", "50020014"),  # Pubrec(packet_id=20)
    ("client", "in", "5003001597"),  # Pubrec(packet_id=21, reason_code=151)
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

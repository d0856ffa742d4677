#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ruff: noqa: E501
"""MQTT311-4.4.0-1/resend-qos1

Unacknowledged QoS 1 messages are sent again on a resumed session: same identifier, DUP 1, in order.

MQTT311-4.4.0-1: When a Client reconnects with CleanSession 0, Client and Server each re-send all unacknowledged PUBREL packets and all unacknowledged PUBLISH packets with QoS above 0, under the original Packet Identifiers.
MQTT311-3.3.1-1: A Client or Server sets DUP to 1 in a PUBLISH that it attempts to re-deliver.
MQTT311-4.3.2-1: The Sender of a QoS 1 message assigns an unused Packet Identifier to each new Application Message; sends a PUBLISH with this identifier, QoS 1 and DUP 0; and holds this PUBLISH as unacknowledged until the corresponding PUBACK has come from the Receiver.
X311-dup-meaning: DUP 0 marks the first attempt of a Client or Server to send this PUBLISH, and DUP 1 marks one that might repeat an earlier attempt.

Expected: [True, True, True]
Seen:     [False, False, False]
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21887
STEPS = [
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116364656135313763363535636c69656e74"),  # Connect(client_id='cdea517c655client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020000"),  # Connack()
    ("client", "out", "821f0001001a636f6e666f726d616e63652f646561353137633635352f742f7401"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/dea517c655/t/t', qos=1)])
    ("client", "in", "9003000101"),  # Suback(packet_id=1, reason_codes=[1])
    ("publisher", "opened", ""),
    ("publisher", "out", "102000044d5154540402003c001463646561353137633635357075626c6973686572"),  # Connect(client_id='cdea517c655publisher', protocol_version=4, keep_alive=60)
    ("publisher", "in", "20020000"),  # Connack()
    ("publisher", "out", "321f001a636f6e666f726d616e63652f646561353137633635352f742f74000130"),  # Publish(topic='conformance/dea517c655/t/t', payload=b'0', qos=1, packet_id=1)
    ("publisher", "in", "40020001"),  # Puback(packet_id=1)
    ("publisher", "out", "321f001a636f6e666f726d616e63652f646561353137633635352f742f74000231"),  # Publish(topic='conformance/dea517c655/t/t', payload=b'1', qos=1, packet_id=2)
    ("publisher", "in", "40020002"),  # Puback(packet_id=2)
    ("publisher", "out", "321f001a636f6e666f726d616e63652f646561353137633635352f742f74000332"),  # Publish(topic='conformance/dea517c655/t/t', payload=b'2', qos=1, packet_id=3)
    ("publisher", "in", "40020003"),  # Puback(packet_id=3)
    ("client", "in", "321f001a636f6e666f726d616e63652f646561353137633635352f742f74e4a330"),  # Publish(topic='conformance/dea517c655/t/t', payload=b'0', qos=1, packet_id=58531)
    ("client", "in", "321f001a636f6e666f726d616e63652f646561353137633635352f742f74e4a431"),  # Publish(topic='conformance/dea517c655/t/t', payload=b'1', qos=1, packet_id=58532)
    ("client", "in", "321f001a636f6e666f726d616e63652f646561353137633635352f742f74e4a532"),  # Publish(topic='conformance/dea517c655/t/t', payload=b'2', qos=1, packet_id=58533)
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116364656135313763363535636c69656e74"),  # Connect(client_id='cdea517c655client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020100"),  # Connack(session_present=True)
    ("client", "in", "321f001a636f6e666f726d616e63652f646561353137633635352f742f74e4a330"),  # Publish(topic='conformance/dea517c655/t/t', payload=b'0', qos=1, packet_id=58531)
    ("client", "in", "321f001a636f6e666f726d616e63652f646561353137633635352f742f74e4a431"),  # Publish(topic='conformance/dea517c655/t/t', payload=b'1', qos=1, packet_id=58532)
    ("client", "in", "321f001a636f6e666f726d616e63652f646561353137633635352f742f74e4a532"),  # Publish(topic='conformance/dea517c655/t/t', payload=b'2', qos=1, packet_id=58533)
    ("client", "out", "4002e4a3"),  # Puback(packet_id=58531)
    ("client", "out", "4002e4a4"),  # Puback(packet_id=58532)
    ("client", "out", "4002e4a5"),  # Puback(packet_id=58533)
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

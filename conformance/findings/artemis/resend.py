#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT311-4.4.0-1/resend-qos1

Unacknowledged QoS 1 messages are sent again on a resumed session: same identifier, DUP 1, in order.

MQTT311-4.4.0-1: When a Client reconnects with CleanSession 0, Client and Server each re-send all unacknowledged PUBREL packets and all unacknowledged PUBLISH packets with QoS above 0, under the original Packet Identifiers.
MQTT311-3.3.1-1: A Client or Server sets DUP to 1 in a PUBLISH that it attempts to re-deliver.
MQTT311-4.3.2-1: The Sender of a QoS 1 message assigns an unused Packet Identifier to each new Application Message; sends a PUBLISH with this identifier, QoS 1 and DUP 0; and holds this PUBLISH as unacknowledged until the corresponding PUBACK has come from the Receiver.
X311-dup-meaning: DUP 0 marks the first attempt of a Client or Server to send this PUBLISH, and DUP 1 marks one that might repeat an earlier attempt.

Expected: [1, 2, 3]
Seen:     [4, 5, 6]
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21008
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "101d00044d5154540400003c00116331343863653738313564636c69656e74"),  # Connect(client_id='c148ce7815dclient', protocol_version=4, clean_start=False, keep_alive=60)
    (0.0, "client", "in", "20020000"),  # Connack()
    (0.0, "client", "out", "821f0001001a636f6e666f726d616e63652f313438636537383135642f742f7401"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/148ce7815d/t/t', qos=1)])
    (0.0, "client", "in", "9003000101"),  # Suback(packet_id=1, reason_codes=[1])
    (0.0, "publisher", "opened", ""),
    (0.0, "publisher", "out", "102000044d5154540402003c001463313438636537383135647075626c6973686572"),  # Connect(client_id='c148ce7815dpublisher', protocol_version=4, keep_alive=60)
    (0.1, "publisher", "in", "20020000"),  # Connack()
    (0.1, "publisher", "out", "321f001a636f6e666f726d616e63652f313438636537383135642f742f74000130"),  # Publish(topic='conformance/148ce7815d/t/t', payload=b'0', qos=1, packet_id=1)
    (0.1, "client", "in", "321f001a636f6e666f726d616e63652f313438636537383135642f742f74000130"),  # Publish(topic='conformance/148ce7815d/t/t', payload=b'0', qos=1, packet_id=1)
    (0.1, "publisher", "in", "40020001"),  # Puback(packet_id=1)
    (0.1, "publisher", "out", "321f001a636f6e666f726d616e63652f313438636537383135642f742f74000231"),  # Publish(topic='conformance/148ce7815d/t/t', payload=b'1', qos=1, packet_id=2)
    (0.1, "client", "in", "321f001a636f6e666f726d616e63652f313438636537383135642f742f74000231"),  # Publish(topic='conformance/148ce7815d/t/t', payload=b'1', qos=1, packet_id=2)
    (0.1, "publisher", "in", "40020002"),  # Puback(packet_id=2)
    (0.1, "publisher", "out", "321f001a636f6e666f726d616e63652f313438636537383135642f742f74000332"),  # Publish(topic='conformance/148ce7815d/t/t', payload=b'2', qos=1, packet_id=3)
    (0.1, "client", "in", "321f001a636f6e666f726d616e63652f313438636537383135642f742f74000332"),  # Publish(topic='conformance/148ce7815d/t/t', payload=b'2', qos=1, packet_id=3)
    (0.1, "publisher", "in", "40020003"),  # Puback(packet_id=3)
    (0.1, "client", "dropped", ""),
    (0.1, "client", "opened", ""),
    (0.1, "client", "out", "101d00044d5154540400003c00116331343863653738313564636c69656e74"),  # Connect(client_id='c148ce7815dclient', protocol_version=4, clean_start=False, keep_alive=60)
    (0.1, "client", "in", "20020100"),  # Connack(session_present=True)
    (0.1, "client", "in", "321f001a636f6e666f726d616e63652f313438636537383135642f742f74000430"),  # Publish(topic='conformance/148ce7815d/t/t', payload=b'0', qos=1, packet_id=4)
    (0.1, "client", "in", "321f001a636f6e666f726d616e63652f313438636537383135642f742f74000531"),  # Publish(topic='conformance/148ce7815d/t/t', payload=b'1', qos=1, packet_id=5)
    (0.1, "client", "in", "321f001a636f6e666f726d616e63652f313438636537383135642f742f74000632"),  # Publish(topic='conformance/148ce7815d/t/t', payload=b'2', qos=1, packet_id=6)
    (0.1, "client", "out", "40020004"),  # Puback(packet_id=4)
    (0.1, "client", "out", "40020005"),  # Puback(packet_id=5)
    (0.1, "client", "out", "40020006"),  # Puback(packet_id=6)
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

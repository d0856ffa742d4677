#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT5-4.3.3-7/no-expiry-in-flight

A QoS 2 message that was sent before it expired is finished, also on a resumed session.

MQTT5-4.3.3-7: A QoS 2 sender does not apply Application Message expiry to a message whose PUBLISH has been sent.
MQTT5-4.3.3-13: A QoS 2 receiver carries on the acknowledgement sequence even when it has applied Application Message expiry.

Expected: PUBLISH
Seen:     nothing in time
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21883
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "102300044d5154540502003c05110000003c00116362363335633763376436636c69656e74"),  # Connect(client_id='cb635c7c7d6client', keep_alive=60, properties=ConnectProperties(session_expiry_interval=60))
    (0.0, "client", "in", "200900000621001422000a"),  # Connack(properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
    (0.0, "client", "out", "8220000100001a636f6e666f726d616e63652f623633356337633764362f742f7402"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/b635c7c7d6/t/t', qos=2)])
    (0.0, "client", "in", "900400010002"),  # Suback(packet_id=1, reason_codes=[2])
    (0.0, "publisher", "opened", ""),
    (0.0, "publisher", "out", "102100044d5154540502003c00001463623633356337633764367075626c6973686572"),  # Connect(client_id='cb635c7c7d6publisher', keep_alive=60)
    (0.0, "publisher", "in", "200900000621001422000a"),  # Connack(properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
    (0.0, "publisher", "out", "3425001a636f6e666f726d616e63652f623633356337633764362f742f7400010502000000016d"),  # Publish(topic='conformance/b635c7c7d6/t/t', payload=b'm', qos=2, packet_id=1, properties=PublishProperties(message_expiry_interval=1))
    (0.0, "publisher", "in", "50020001"),  # Pubrec(packet_id=1)
    (0.0, "publisher", "out", "62020001"),  # Pubrel(packet_id=1)
    (0.0, "publisher", "in", "70020001"),  # Pubcomp(packet_id=1)
    (0.0, "client", "in", "3425001a636f6e666f726d616e63652f623633356337633764362f742f7400010502000000016d"),  # Publish(topic='conformance/b635c7c7d6/t/t', payload=b'm', qos=2, packet_id=1, properties=PublishProperties(message_expiry_interval=1))
    (2.3, "client", "dropped", ""),
    (2.3, "client", "opened", ""),
    (2.3, "client", "out", "102300044d5154540500003c05110000003c00116362363335633763376436636c69656e74"),  # Connect(client_id='cb635c7c7d6client', clean_start=False, keep_alive=60, properties=ConnectProperties(session_expiry_interval=60))
    (2.3, "client", "in", "200901000621001422000a"),  # Connack(session_present=True, properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
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
for name in list(links):
    show(name, 3)

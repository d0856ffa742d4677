#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ruff: noqa: E501
"""MQTT5-3.3.4-9/receive-maximum

No more QoS 1 and 2 messages are unacknowledged than the client's Receive Maximum allows.

MQTT5-3.3.4-9: The QoS 1 and QoS 2 PUBLISH packets of a Server still without PUBACK, PUBCOMP, or PUBREC with Reason Code 0x80 or greater from the Client never number more than Receive Maximum.
MQTT5-4.9.0-1: The initial send quota that a Client or Server sets is not zero and not above the Receive Maximum.
MQTT5-4.9.0-2: Client and Server decrement the send quota for each PUBLISH with QoS above 0 that they send, and send no further such PUBLISH when the quota has reached zero.
X5-quota-ack: Each PUBACK or PUBCOMP received adds 1 to the send quota, even one with an error Reason Code.
MQTT5-4.9.0-3: Even at a quota of zero, Client and Server go on processing and answering all other MQTT Control Packets.

Expected: nothing
Seen:     Publish(topic='conformance/a27563a131/t/t', payload=b'3', qos=1, packet_id=4)
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21883
STEPS = [
    ("client", "opened", ""),
    ("client", "out", "102100044d5154540502003c0321000100116361323735363361313331636c69656e74"),  # Connect(client_id='ca27563a131client', keep_alive=60, properties=ConnectProperties(receive_maximum=1))
    ("client", "in", "200900000621001422000a"),  # Connack(properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
    ("client", "out", "8220000100001a636f6e666f726d616e63652f613237353633613133312f742f7401"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/a27563a131/t/t', qos=1)])
    ("client", "in", "900400010001"),  # Suback(packet_id=1, reason_codes=[1])
    ("publisher", "opened", ""),
    ("publisher", "out", "102100044d5154540502003c00001463613237353633613133317075626c6973686572"),  # Connect(client_id='ca27563a131publisher', keep_alive=60)
    ("publisher", "in", "200900000621001422000a"),  # Connack(properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
    ("publisher", "out", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400010030"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'0', qos=1, packet_id=1)
    ("publisher", "in", "40020001"),  # Puback(packet_id=1)
    ("publisher", "out", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400020031"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'1', qos=1, packet_id=2)
    ("publisher", "in", "40020002"),  # Puback(packet_id=2)
    ("publisher", "out", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400030032"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'2', qos=1, packet_id=3)
    ("publisher", "in", "40020003"),  # Puback(packet_id=3)
    ("client", "in", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400010030"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'0', qos=1, packet_id=1)
    ("client", "out", "c000"),  # Pingreq()
    ("client", "in", "d000"),  # Pingresp()
    ("client", "out", "40020001"),  # Puback(packet_id=1)
    ("client", "in", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400020031"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'1', qos=1, packet_id=2)
    ("client", "out", "c000"),  # Pingreq()
    ("client", "in", "d000"),  # Pingresp()
    ("publisher", "out", "e000"),  # Disconnect()
    ("publisher", "closed", ""),
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "102100044d5154540502003c0321000200116361323735363361313331636c69656e74"),  # Connect(client_id='ca27563a131client', keep_alive=60, properties=ConnectProperties(receive_maximum=2))
    ("client", "in", "200900000621001422000a"),  # Connack(properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
    ("client", "out", "8220000200001a636f6e666f726d616e63652f613237353633613133312f742f7401"),  # Subscribe(packet_id=2, subscriptions=[Subscription(topic_filter='conformance/a27563a131/t/t', qos=1)])
    ("client", "in", "900400020001"),  # Suback(packet_id=2, reason_codes=[1])
    ("publisher", "opened", ""),
    ("publisher", "out", "102100044d5154540502003c00001463613237353633613133317075626c6973686572"),  # Connect(client_id='ca27563a131publisher', keep_alive=60)
    ("publisher", "in", "200900000621001422000a"),  # Connack(properties=ConnackProperties(receive_maximum=20, topic_alias_maximum=10))
    ("publisher", "out", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400010030"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'0', qos=1, packet_id=1)
    ("publisher", "in", "40020001"),  # Puback(packet_id=1)
    ("publisher", "out", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400020031"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'1', qos=1, packet_id=2)
    ("publisher", "in", "40020002"),  # Puback(packet_id=2)
    ("publisher", "out", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400030032"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'2', qos=1, packet_id=3)
    ("publisher", "in", "40020003"),  # Puback(packet_id=3)
    ("publisher", "out", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400040033"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'3', qos=1, packet_id=4)
    ("publisher", "in", "40020004"),  # Puback(packet_id=4)
    ("client", "in", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400010030"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'0', qos=1, packet_id=1)
    ("client", "in", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400020031"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'1', qos=1, packet_id=2)
    ("client", "out", "c000"),  # Pingreq()
    ("client", "in", "d000"),  # Pingresp()
    ("client", "out", "40020001"),  # Puback(packet_id=1)
    ("client", "in", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400030032"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'2', qos=1, packet_id=3)
    ("client", "in", "3220001a636f6e666f726d616e63652f613237353633613133312f742f7400040033"),  # Publish(topic='conformance/a27563a131/t/t', payload=b'3', qos=1, packet_id=4)
    ("client", "out", "c000"),  # Pingreq()
    ("client", "in", "d000"),  # Pingresp()
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

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT5-3.3.4-9/receive-maximum-qos2

A QoS 2 message counts until its PUBCOMP, not only until its PUBREC.

MQTT5-3.3.4-9: The QoS 1 and QoS 2 PUBLISH packets of a Server still without PUBACK, PUBCOMP, or PUBREC with Reason Code 0x80 or greater from the Client never number more than Receive Maximum.
X5-quota-pubrec: Each PUBREC received with Reason Code 0x80 or greater adds 1 to the send quota.
X5-quota-ack: Each PUBACK or PUBCOMP received adds 1 to the send quota, even one with an error Reason Code.
MQTT5-4.3.3-5: A QoS 2 sender takes its PUBREL as unacknowledged until the corresponding PUBCOMP has come from the receiver.
MQTT5-4.9.0-3: Even at a quota of zero, Client and Server go on processing and answering all other MQTT Control Packets.

Expected: nothing
Seen:     Publish(topic='conformance/d3684692dc/t/t', payload=b'1', qos=2, packet_id=2)
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21008
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "102100044d5154540502003c0321000100116364333638343639326463636c69656e74"),  # Connect(client_id='cd3684692dcclient', keep_alive=60, properties=ConnectProperties(receive_maximum=1))
    (0.0, "client", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (0.0, "client", "out", "8220000100001a636f6e666f726d616e63652f643336383436393264632f742f7402"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/d3684692dc/t/t', qos=2)])
    (0.1, "client", "in", "900400010002"),  # Suback(packet_id=1, reason_codes=[2])
    (0.1, "publisher", "opened", ""),
    (0.1, "publisher", "out", "102100044d5154540502003c00001463643336383436393264637075626c6973686572"),  # Connect(client_id='cd3684692dcpublisher', keep_alive=60)
    (0.1, "publisher", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (0.1, "publisher", "out", "3420001a636f6e666f726d616e63652f643336383436393264632f742f7400010030"),  # Publish(topic='conformance/d3684692dc/t/t', payload=b'0', qos=2, packet_id=1)
    (0.1, "client", "in", "3420001a636f6e666f726d616e63652f643336383436393264632f742f7400010030"),  # Publish(topic='conformance/d3684692dc/t/t', payload=b'0', qos=2, packet_id=1)
    (0.1, "publisher", "in", "50020001"),  # Pubrec(packet_id=1)
    (0.1, "publisher", "out", "62020001"),  # Pubrel(packet_id=1)
    (0.1, "publisher", "in", "70020001"),  # Pubcomp(packet_id=1)
    (0.1, "publisher", "out", "3420001a636f6e666f726d616e63652f643336383436393264632f742f7400020031"),  # Publish(topic='conformance/d3684692dc/t/t', payload=b'1', qos=2, packet_id=2)
    (0.1, "publisher", "in", "50020002"),  # Pubrec(packet_id=2)
    (0.1, "publisher", "out", "62020002"),  # Pubrel(packet_id=2)
    (0.1, "publisher", "in", "70020002"),  # Pubcomp(packet_id=2)
    (0.1, "client", "out", "50020001"),  # Pubrec(packet_id=1)
    (0.1, "client", "in", "62020001"),  # Pubrel(packet_id=1)
    (0.1, "client", "in", "3420001a636f6e666f726d616e63652f643336383436393264632f742f7400020031"),  # Publish(topic='conformance/d3684692dc/t/t', payload=b'1', qos=2, packet_id=2)
    (0.1, "client", "out", "c000"),  # Pingreq()
    (0.1, "client", "in", "d000"),  # Pingresp()
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

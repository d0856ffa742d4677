#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT311-4.3.2-1/wrong-ack

A QoS 1 message waits for its PUBACK, whatever other acknowledgement comes; closing is fine too.

MQTT311-4.3.2-1: The Sender of a QoS 1 message assigns an unused Packet Identifier to each new Application Message; sends a PUBLISH with this identifier, QoS 1 and DUP 0; and holds this PUBLISH as unacknowledged until the corresponding PUBACK has come from the Receiver.

Expected: what waits for a PUBACK again, which a PUBCOMP did not end
Seen:     nothing in time
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21002
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "101d00044d5154540400003c00116364343562663333316666636c69656e74"),  # Connect(client_id='cd45bf331ffclient', protocol_version=4, clean_start=False, keep_alive=60)
    (0.0, "client", "in", "20020000"),  # Connack()
    (0.0, "client", "out", "821f0001001a636f6e666f726d616e63652f643435626633333166662f742f7402"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/d45bf331ff/t/t', qos=2)])
    (0.0, "client", "in", "9003000102"),  # Suback(packet_id=1, reason_codes=[2])
    (0.6, "publisher", "opened", ""),
    (0.6, "publisher", "out", "102000044d5154540402003c001463643435626633333166667075626c6973686572"),  # Connect(client_id='cd45bf331ffpublisher', protocol_version=4, keep_alive=60)
    (0.6, "publisher", "in", "20020000"),  # Connack()
    (0.6, "publisher", "out", "321f001a636f6e666f726d616e63652f643435626633333166662f742f7400016d"),  # Publish(topic='conformance/d45bf331ff/t/t', payload=b'm', qos=1, packet_id=1)
    (0.6, "publisher", "in", "40020001"),  # Puback(packet_id=1)
    (0.6, "client", "in", "321f001a636f6e666f726d616e63652f643435626633333166662f742f7400016d"),  # Publish(topic='conformance/d45bf331ff/t/t', payload=b'm', qos=1, packet_id=1)
    (1.2, "client", "out", "70020001"),  # Pubcomp(packet_id=1)
    (1.2, "client", "out", "c000"),
    (1.2, "client", "in", "d000"),  # Pingresp()
    (1.2, "client", "dropped", ""),
    (1.8, "client", "opened", ""),
    (1.8, "client", "out", "101d00044d5154540400003c00116364343562663333316666636c69656e74"),  # Connect(client_id='cd45bf331ffclient', protocol_version=4, clean_start=False, keep_alive=60)
    (1.8, "client", "in", "20020100"),  # Connack(session_present=True)
    (47.9, "client", "dropped", ""),
    (48.5, "client", "opened", ""),
    (48.5, "client", "out", "101d00044d5154540402003c00116364343562663333316666636c69656e74"),  # Connect(client_id='cd45bf331ffclient', protocol_version=4, keep_alive=60)
    (48.5, "client", "in", "20020000"),  # Connack()
    (48.5, "client", "out", "e000"),  # Disconnect()
    (48.5, "client", "closed", ""),
    (49.1, "client", "opened", ""),
    (49.1, "client", "out", "101d00044d5154540400003c00116364343562663333316666636c69656e74"),  # Connect(client_id='cd45bf331ffclient', protocol_version=4, clean_start=False, keep_alive=60)
    (49.1, "client", "in", "20020000"),  # Connack()
    (49.1, "client", "out", "821f0002001a636f6e666f726d616e63652f643435626633333166662f742f7402"),  # Subscribe(packet_id=2, subscriptions=[Subscription(topic_filter='conformance/d45bf331ff/t/t', qos=2)])
    (49.1, "client", "in", "9003000202"),  # Suback(packet_id=2, reason_codes=[2])
    (49.8, "control", "opened", ""),
    (49.8, "control", "out", "101e00044d5154540402003c00126364343562663333316666636f6e74726f6c"),  # Connect(client_id='cd45bf331ffcontrol', protocol_version=4, keep_alive=60)
    (49.8, "control", "in", "20020000"),  # Connack()
    (49.8, "control", "out", "3225001a636f6e666f726d616e63652f643435626633333166662f742f740001636f6e74726f6c"),  # Publish(topic='conformance/d45bf331ff/t/t', payload=b'control', qos=1, packet_id=1)
    (49.8, "control", "in", "40020001"),  # Puback(packet_id=1)
    (49.8, "client", "in", "3225001a636f6e666f726d616e63652f643435626633333166662f742f740001636f6e74726f6c"),  # Publish(topic='conformance/d45bf331ff/t/t', payload=b'control', qos=1, packet_id=1)
    (50.4, "client", "dropped", ""),
    (51.0, "client", "opened", ""),
    (51.0, "client", "out", "101d00044d5154540400003c00116364343562663333316666636c69656e74"),  # Connect(client_id='cd45bf331ffclient', protocol_version=4, clean_start=False, keep_alive=60)
    (51.0, "client", "in", "20020100"),  # Connack(session_present=True)
    (51.0, "client", "in", "3a25001a636f6e666f726d616e63652f643435626633333166662f742f740001636f6e74726f6c"),  # Publish(topic='conformance/d45bf331ff/t/t', payload=b'control', qos=1, dup=True, packet_id=1)
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

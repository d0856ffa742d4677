#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT311-3.1.2-5/queued-qos2

QoS 2 messages that match a session's subscriptions wait for its client.

MQTT311-3.1.2-5: Once a Session with CleanSession 0 is disconnected, the Server stores in its Session state all further messages of QoS 1 and QoS 2 that match a subscription held by the Client at the moment of disconnection.
MQTT311-4.5.0-1: A Server that takes ownership of an incoming Application Message adds it to the Session state of every Client with a Subscription that matches by section 4.7.

Expected: message 1 of 1
Seen:     nothing in time
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21005
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "101d00044d5154540400003c00116338663863626663356464636c69656e74"),  # Connect(client_id='c8f8cbfc5ddclient', protocol_version=4, clean_start=False, keep_alive=60)
    (0.0, "client", "in", "20020000"),  # Connack()
    (0.0, "client", "out", "821f0001001a636f6e666f726d616e63652f386638636266633564642f742f7402"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/8f8cbfc5dd/t/t', qos=2)])
    (0.0, "client", "in", "9003000102"),  # Suback(packet_id=1, reason_codes=[2])
    (0.6, "client", "out", "e000"),  # Disconnect()
    (0.6, "client", "closed", ""),
    (1.3, "other", "opened", ""),
    (1.3, "other", "out", "101c00044d5154540402003c001063386638636266633564646f74686572"),  # Connect(client_id='c8f8cbfc5ddother', protocol_version=4, keep_alive=60)
    (1.3, "other", "in", "20020000"),  # Connack()
    (1.3, "other", "out", "3423001a636f6e666f726d616e63652f386638636266633564642f742f7400017477696365"),  # Publish(topic='conformance/8f8cbfc5dd/t/t', payload=b'twice', qos=2, packet_id=1)
    (1.3, "other", "in", "50020001"),  # Pubrec(packet_id=1)
    (1.3, "other", "out", "62020001"),  # Pubrel(packet_id=1)
    (1.3, "other", "in", "70020001"),  # Pubcomp(packet_id=1)
    (1.9, "client", "opened", ""),
    (1.9, "client", "out", "101d00044d5154540400003c00116338663863626663356464636c69656e74"),  # Connect(client_id='c8f8cbfc5ddclient', protocol_version=4, clean_start=False, keep_alive=60)
    (1.9, "client", "in", "20020000"),  # Connack()
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

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT311-3.8.4-6/downgrade

A message arrives at the lower of the QoS it was published with and the QoS granted.

MQTT311-3.8.4-6: The Server might grant a maximum QoS lower than requested; a message sent for a Subscription has the lower of the QoS it was originally published with and the maximum QoS granted; the Server may send a subscriber duplicates of a message that was published with QoS 1 where QoS 0 was granted.

Expected: 0
Seen:     1
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21005
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "101d00044d5154540402003c00116330303532626535626130636c69656e74"),  # Connect(client_id='c0052be5ba0client', protocol_version=4, keep_alive=60)
    (0.0, "client", "in", "20020000"),  # Connack()
    (0.0, "publisher", "opened", ""),
    (0.0, "publisher", "out", "102000044d5154540402003c001463303035326265356261307075626c6973686572"),  # Connect(client_id='c0052be5ba0publisher', protocol_version=4, keep_alive=60)
    (0.0, "publisher", "in", "20020000"),  # Connack()
    (0.0, "client", "out", "82200001001b636f6e666f726d616e63652f303035326265356261302f742f713000"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/0052be5ba0/t/q0')])
    (0.0, "client", "in", "9003000100"),  # Suback(packet_id=1, reason_codes=[0])
    (0.0, "publisher", "out", "301e001b636f6e666f726d616e63652f303035326265356261302f742f71306d"),  # Publish(topic='conformance/0052be5ba0/t/q0', payload=b'm')
    (0.0, "client", "in", "301e001b636f6e666f726d616e63652f303035326265356261302f742f71306d"),  # Publish(topic='conformance/0052be5ba0/t/q0', payload=b'm')
    (0.0, "publisher", "out", "3220001b636f6e666f726d616e63652f303035326265356261302f742f713000016d"),  # Publish(topic='conformance/0052be5ba0/t/q0', payload=b'm', qos=1, packet_id=1)
    (0.0, "publisher", "in", "40020001"),  # Puback(packet_id=1)
    (0.0, "client", "in", "301e001b636f6e666f726d616e63652f303035326265356261302f742f71306d"),  # Publish(topic='conformance/0052be5ba0/t/q0', payload=b'm')
    (0.0, "publisher", "out", "3420001b636f6e666f726d616e63652f303035326265356261302f742f713000026d"),  # Publish(topic='conformance/0052be5ba0/t/q0', payload=b'm', qos=2, packet_id=2)
    (0.0, "publisher", "in", "50020002"),  # Pubrec(packet_id=2)
    (0.0, "publisher", "out", "62020002"),  # Pubrel(packet_id=2)
    (0.0, "publisher", "in", "70020002"),  # Pubcomp(packet_id=2)
    (0.0, "client", "in", "301e001b636f6e666f726d616e63652f303035326265356261302f742f71306d"),  # Publish(topic='conformance/0052be5ba0/t/q0', payload=b'm')
    (0.0, "client", "out", "82200002001b636f6e666f726d616e63652f303035326265356261302f742f713101"),  # Subscribe(packet_id=2, subscriptions=[Subscription(topic_filter='conformance/0052be5ba0/t/q1', qos=1)])
    (0.0, "client", "in", "9003000201"),  # Suback(packet_id=2, reason_codes=[1])
    (0.0, "publisher", "out", "301e001b636f6e666f726d616e63652f303035326265356261302f742f71316d"),  # Publish(topic='conformance/0052be5ba0/t/q1', payload=b'm')
    (0.0, "client", "in", "3220001b636f6e666f726d616e63652f303035326265356261302f742f713100016d"),  # Publish(topic='conformance/0052be5ba0/t/q1', payload=b'm', qos=1, packet_id=1)
    (0.0, "client", "out", "40020001"),  # Puback(packet_id=1)
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

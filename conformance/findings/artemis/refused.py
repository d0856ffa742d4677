#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT5-4.3.3-4/refused-is-not-released

A PUBREC of 0x80 or above is not answered with a PUBREL, and frees the Packet Identifier.

MQTT5-4.3.3-4: A QoS 2 sender answers a PUBREC whose Reason Code is below 0x80 with a PUBREL that has the Packet Identifier of the original PUBLISH.
X5-packet-id-reuse: A Packet Identifier becomes free again once its sender has processed the acknowledgement: PUBACK for QoS 1, PUBCOMP or a PUBREC with Reason Code 0x80 or greater for QoS 2, SUBACK for SUBSCRIBE, UNSUBACK for UNSUBSCRIBE.
X5-negative-ack-alone: Reason Code 0x80 or greater in PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK or UNSUBACK concerns the acknowledged packet only, not other packets of the Session nor other Sessions.
MQTT5-4.4.0-2: A PUBLISH answered by PUBACK or PUBREC with Reason Code 0x80 or greater counts as acknowledged and is not transmitted again.
X5-quota-pubrec: Each PUBREC received with Reason Code 0x80 or greater adds 1 to the send quota.

Expected: nothing
Seen:     Pubrel(packet_id=1)
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21008
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "102100044d5154540502003c0321000100116330396238313437363865636c69656e74"),  # Connect(client_id='c09b814768eclient', keep_alive=60, properties=ConnectProperties(receive_maximum=1))
    (0.1, "client", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (0.1, "client", "out", "8220000100001a636f6e666f726d616e63652f303962383134373638652f742f7402"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/09b814768e/t/t', qos=2)])
    (0.1, "client", "in", "900400010002"),  # Suback(packet_id=1, reason_codes=[2])
    (0.1, "publisher", "opened", ""),
    (0.1, "publisher", "out", "102100044d5154540502003c00001463303962383134373638657075626c6973686572"),  # Connect(client_id='c09b814768epublisher', keep_alive=60)
    (0.1, "publisher", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (0.2, "publisher", "out", "3420001a636f6e666f726d616e63652f303962383134373638652f742f740001006d"),  # Publish(topic='conformance/09b814768e/t/t', payload=b'm', qos=2, packet_id=1)
    (0.2, "client", "in", "3420001a636f6e666f726d616e63652f303962383134373638652f742f740001006d"),  # Publish(topic='conformance/09b814768e/t/t', payload=b'm', qos=2, packet_id=1)
    (0.2, "publisher", "in", "50020001"),  # Pubrec(packet_id=1)
    (0.2, "publisher", "out", "62020001"),  # Pubrel(packet_id=1)
    (0.2, "publisher", "in", "70020001"),  # Pubcomp(packet_id=1)
    (0.2, "client", "out", "5003000180"),  # Pubrec(packet_id=1, reason_code=128)
    (0.2, "client", "out", "c000"),  # Pingreq()
    (0.2, "client", "in", "d000"),  # Pingresp()
    (0.2, "client", "in", "62020001"),  # Pubrel(packet_id=1)
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

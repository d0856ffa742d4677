#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT5-3.3.4-3/overlap-identifiers

One copy has the identifiers of all matching subscriptions; several copies have one each.

MQTT5-3.3.4-3: When the Client gave a Subscription Identifier for any of its overlapping subscriptions, the Server sends those Subscription Identifiers in the message it publishes because of them.
MQTT5-3.3.4-4: A Server that sends a single copy for overlapping subscriptions puts in that PUBLISH, in any order, the Subscription Identifiers of all matching subscriptions that have one.
MQTT5-3.3.4-5: A Server that sends several PUBLISH packets for overlapping subscriptions puts in each one the Subscription Identifier of its matching subscription, if there is one.
X5-subscription-identifier-foreign: A Subscription Identifier in a PUBLISH that was not received in a SUBSCRIBE that caused this PUBLISH is a Protocol Error.

Expected: [[], [11], [268435455]]
Seen:     [[11, 268435455], [11, 268435455], [11, 268435455]]
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21008
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "101e00044d5154540502003c0000116364386331326235353635636c69656e74"),  # Connect(client_id='cd8c12b5565client', keep_alive=60)
    (0.0, "client", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (0.0, "client", "out", "82240001020b0b001c636f6e666f726d616e63652f643863313262353536352f742f612f6200"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/d8c12b5565/t/a/b')], properties=SubscribeProperties(subscription_identifier=11))
    (0.0, "client", "in", "900400010000"),  # Suback(packet_id=1, reason_codes=[0])
    (0.6, "client", "out", "82270002050bffffff7f001c636f6e666f726d616e63652f643863313262353536352f742f612f2b00"),  # Subscribe(packet_id=2, subscriptions=[Subscription(topic_filter='conformance/d8c12b5565/t/a/+')], properties=SubscribeProperties(subscription_identifier=2684354
    (0.6, "client", "in", "900400020000"),  # Suback(packet_id=2, reason_codes=[0])
    (1.2, "client", "out", "8222000300001c636f6e666f726d616e63652f643863313262353536352f742f612f2300"),  # Subscribe(packet_id=3, subscriptions=[Subscription(topic_filter='conformance/d8c12b5565/t/a/#')])
    (1.2, "client", "in", "900400030000"),  # Suback(packet_id=3, reason_codes=[0])
    (1.8, "publisher", "opened", ""),
    (1.8, "publisher", "out", "102100044d5154540502003c00001463643863313262353536357075626c6973686572"),  # Connect(client_id='cd8c12b5565publisher', keep_alive=60)
    (1.8, "publisher", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (1.8, "publisher", "out", "3020001c636f6e666f726d616e63652f643863313262353536352f742f612f62006d"),  # Publish(topic='conformance/d8c12b5565/t/a/b', payload=b'm')
    (1.8, "client", "in", "3027001c636f6e666f726d616e63652f643863313262353536352f742f612f62070bffffff7f0b0b6d"),  # Publish(topic='conformance/d8c12b5565/t/a/b', payload=b'm', properties=PublishProperties(subscription_identifier=[268435455, 11]))
    (1.8, "client", "in", "3027001c636f6e666f726d616e63652f643863313262353536352f742f612f62070bffffff7f0b0b6d"),  # Publish(topic='conformance/d8c12b5565/t/a/b', payload=b'm', properties=PublishProperties(subscription_identifier=[268435455, 11]))
    (1.8, "client", "in", "3027001c636f6e666f726d616e63652f643863313262353536352f742f612f62070bffffff7f0b0b6d"),  # Publish(topic='conformance/d8c12b5565/t/a/b', payload=b'm', properties=PublishProperties(subscription_identifier=[268435455, 11]))
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

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT5-4.6.0-5/order-resend

What was not acknowledged comes first on a resumed session, then what was published meanwhile.

MQTT5-4.6.0-5: For messages published to an Ordered Topic, the Server sends the PUBLISH packets of one Topic and QoS to consumers in the order in which they came from any given Client.

Expected: [b'0', b'1', b'2', b'3', b'4', b'5']
Seen:     [b'2', b'3', b'4', b'5', b'0', b'1']
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21002
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "102300044d5154540502003c05110000003c00116362333937666632316639636c69656e74"),  # Connect(client_id='cb397ff21f9client', keep_alive=60, properties=ConnectProperties(session_expiry_interval=60))
    (0.0, "client", "in", "2006000003210400"),  # Connack(properties=ConnackProperties(receive_maximum=1024))
    (0.0, "client", "out", "8220000100001a636f6e666f726d616e63652f623339376666323166392f742f7401"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/b397ff21f9/t/t', qos=1)])
    (0.0, "client", "in", "900400010001"),  # Suback(packet_id=1, reason_codes=[1])
    (0.0, "publisher", "opened", ""),
    (0.0, "publisher", "out", "102100044d5154540502003c00001463623339376666323166397075626c6973686572"),  # Connect(client_id='cb397ff21f9publisher', keep_alive=60)
    (0.0, "publisher", "in", "2006000003210400"),  # Connack(properties=ConnackProperties(receive_maximum=1024))
    (0.0, "publisher", "out", "3220001a636f6e666f726d616e63652f623339376666323166392f742f7400010030"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'0', qos=1, packet_id=1)
    (0.0, "publisher", "in", "40020001"),  # Puback(packet_id=1)
    (0.0, "client", "in", "3225001a636f6e666f726d616e63652f623339376666323166392f742f74000105020001518030"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'0', qos=1, packet_id=1, properties=PublishProperties(message_expiry_interval=86400))
    (0.0, "publisher", "out", "3220001a636f6e666f726d616e63652f623339376666323166392f742f7400020031"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'1', qos=1, packet_id=2)
    (0.0, "publisher", "in", "40020002"),  # Puback(packet_id=2)
    (0.0, "client", "in", "3225001a636f6e666f726d616e63652f623339376666323166392f742f74000205020001518031"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'1', qos=1, packet_id=2, properties=PublishProperties(message_expiry_interval=86400))
    (0.0, "publisher", "out", "3220001a636f6e666f726d616e63652f623339376666323166392f742f7400030032"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'2', qos=1, packet_id=3)
    (0.0, "publisher", "in", "40020003"),  # Puback(packet_id=3)
    (0.0, "client", "in", "3225001a636f6e666f726d616e63652f623339376666323166392f742f74000305020001518032"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'2', qos=1, packet_id=3, properties=PublishProperties(message_expiry_interval=86400))
    (0.1, "client", "dropped", ""),
    (0.1, "publisher", "out", "3220001a636f6e666f726d616e63652f623339376666323166392f742f7400040033"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'3', qos=1, packet_id=4)
    (0.1, "publisher", "in", "40020004"),  # Puback(packet_id=4)
    (0.1, "publisher", "out", "3220001a636f6e666f726d616e63652f623339376666323166392f742f7400050034"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'4', qos=1, packet_id=5)
    (0.1, "publisher", "in", "40020005"),  # Puback(packet_id=5)
    (0.1, "publisher", "out", "3220001a636f6e666f726d616e63652f623339376666323166392f742f7400060035"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'5', qos=1, packet_id=6)
    (0.1, "publisher", "in", "40020006"),  # Puback(packet_id=6)
    (0.1, "client", "opened", ""),
    (0.1, "client", "out", "102300044d5154540500003c05110000003c00116362333937666632316639636c69656e74"),  # Connect(client_id='cb397ff21f9client', clean_start=False, keep_alive=60, properties=ConnectProperties(session_expiry_interval=60))
    (0.1, "client", "in", "2006010003210400"),  # Connack(session_present=True, properties=ConnackProperties(receive_maximum=1024))
    (0.1, "client", "in", "3a25001a636f6e666f726d616e63652f623339376666323166392f742f74000305020001518032"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'2', qos=1, dup=True, packet_id=3, properties=PublishProperties(message_expiry_interval=86400))
    (0.1, "client", "in", "3a25001a636f6e666f726d616e63652f623339376666323166392f742f74000405020001518033"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'3', qos=1, dup=True, packet_id=4, properties=PublishProperties(message_expiry_interval=86400))
    (0.1, "client", "in", "3a25001a636f6e666f726d616e63652f623339376666323166392f742f74000505020001518034"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'4', qos=1, dup=True, packet_id=5, properties=PublishProperties(message_expiry_interval=86400))
    (0.1, "client", "in", "3a25001a636f6e666f726d616e63652f623339376666323166392f742f74000605020001518035"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'5', qos=1, dup=True, packet_id=6, properties=PublishProperties(message_expiry_interval=86400))
    (0.1, "client", "in", "3a25001a636f6e666f726d616e63652f623339376666323166392f742f74000105020001518030"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'0', qos=1, dup=True, packet_id=1, properties=PublishProperties(message_expiry_interval=86400))
    (0.1, "client", "in", "3a25001a636f6e666f726d616e63652f623339376666323166392f742f74000205020001518031"),  # Publish(topic='conformance/b397ff21f9/t/t', payload=b'1', qos=1, dup=True, packet_id=2, properties=PublishProperties(message_expiry_interval=86400))
    (0.1, "client", "out", "40020003"),  # Puback(packet_id=3)
    (0.1, "client", "out", "40020004"),  # Puback(packet_id=4)
    (0.1, "client", "out", "40020005"),  # Puback(packet_id=5)
    (0.1, "client", "out", "40020006"),  # Puback(packet_id=6)
    (0.1, "client", "out", "40020001"),  # Puback(packet_id=1)
    (0.1, "client", "out", "40020002"),  # Puback(packet_id=2)
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

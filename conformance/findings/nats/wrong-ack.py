#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ruff: noqa: E501
"""MQTT311-3.3.4-1/wrong-ack

An acknowledgement of another kind than the message needs does not end its delivery; closing is fine too.

MQTT311-3.3.4-1: The receiver of a PUBLISH responds by its QoS: nothing for QoS 0, a PUBACK for QoS 1, a PUBREC for QoS 2.

Expected: what waits for a PUBREC again, which a PUBACK did not end
Seen:     nothing in time
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21886
STEPS = [
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020000"),  # Connack()
    ("client", "out", "821f0001001a636f6e666f726d616e63652f626362613533616637312f742f7402"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/bcba53af71/t/t', qos=2)])
    ("client", "in", "9003000102"),  # Suback(packet_id=1, reason_codes=[2])
    ("publisher", "opened", ""),
    ("publisher", "out", "102000044d5154540402003c001463626362613533616637317075626c6973686572"),  # Connect(client_id='cbcba53af71publisher', protocol_version=4, keep_alive=60)
    ("publisher", "in", "20020000"),  # Connack()
    ("publisher", "out", "321f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=1, packet_id=1)
    ("publisher", "in", "40020001"),  # Puback(packet_id=1)
    ("client", "in", "321f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=1, packet_id=1)
    ("client", "out", "70020001"),  # Pubcomp(packet_id=1)
    ("client", "out", "c000"),
    ("client", "in", "d000"),  # Pingresp()
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020100"),  # Connack(session_present=True)
    ("client", "in", "3a1f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=1, dup=True, packet_id=1)
    ("publisher", "out", "e000"),  # Disconnect()
    ("publisher", "closed", ""),
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540402003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, keep_alive=60)
    ("client", "in", "20020000"),  # Connack()
    ("client", "out", "e000"),  # Disconnect()
    ("client", "closed", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020000"),  # Connack()
    ("client", "out", "821f0002001a636f6e666f726d616e63652f626362613533616637312f742f7402"),  # Subscribe(packet_id=2, subscriptions=[Subscription(topic_filter='conformance/bcba53af71/t/t', qos=2)])
    ("client", "in", "9003000202"),  # Suback(packet_id=2, reason_codes=[2])
    ("publisher", "opened", ""),
    ("publisher", "out", "102000044d5154540402003c001463626362613533616637317075626c6973686572"),  # Connect(client_id='cbcba53af71publisher', protocol_version=4, keep_alive=60)
    ("publisher", "in", "20020000"),  # Connack()
    ("publisher", "out", "341f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=2, packet_id=1)
    ("publisher", "in", "50020001"),  # Pubrec(packet_id=1)
    ("publisher", "out", "62020001"),  # Pubrel(packet_id=1)
    ("publisher", "in", "70020001"),  # Pubcomp(packet_id=1)
    ("client", "in", "341f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=2, packet_id=1)
    ("client", "out", "70020001"),  # Pubcomp(packet_id=1)
    ("client", "out", "c000"),
    ("client", "in", "d000"),  # Pingresp()
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020100"),  # Connack(session_present=True)
    ("client", "in", "3c1f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=2, dup=True, packet_id=1)
    ("publisher", "out", "e000"),  # Disconnect()
    ("publisher", "closed", ""),
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540402003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, keep_alive=60)
    ("client", "in", "20020000"),  # Connack()
    ("client", "out", "e000"),  # Disconnect()
    ("client", "closed", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020000"),  # Connack()
    ("client", "out", "821f0003001a636f6e666f726d616e63652f626362613533616637312f742f7402"),  # Subscribe(packet_id=3, subscriptions=[Subscription(topic_filter='conformance/bcba53af71/t/t', qos=2)])
    ("client", "in", "9003000302"),  # Suback(packet_id=3, reason_codes=[2])
    ("publisher", "opened", ""),
    ("publisher", "out", "102000044d5154540402003c001463626362613533616637317075626c6973686572"),  # Connect(client_id='cbcba53af71publisher', protocol_version=4, keep_alive=60)
    ("publisher", "in", "20020000"),  # Connack()
    ("publisher", "out", "321f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=1, packet_id=1)
    ("publisher", "in", "40020001"),  # Puback(packet_id=1)
    ("client", "in", "321f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=1, packet_id=1)
    ("client", "out", "50020001"),  # Pubrec(packet_id=1)
    ("client", "out", "c000"),
    ("client", "in", "62020001"),  # Pubrel(packet_id=1)
    ("client", "in", "d000"),  # Pingresp()
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020100"),  # Connack(session_present=True)
    ("client", "in", "3a1f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=1, dup=True, packet_id=1)
    ("publisher", "out", "e000"),  # Disconnect()
    ("publisher", "closed", ""),
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540402003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, keep_alive=60)
    ("client", "in", "20020000"),  # Connack()
    ("client", "out", "e000"),  # Disconnect()
    ("client", "closed", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020000"),  # Connack()
    ("client", "out", "821f0004001a636f6e666f726d616e63652f626362613533616637312f742f7402"),  # Subscribe(packet_id=4, subscriptions=[Subscription(topic_filter='conformance/bcba53af71/t/t', qos=2)])
    ("client", "in", "9003000402"),  # Suback(packet_id=4, reason_codes=[2])
    ("publisher", "opened", ""),
    ("publisher", "out", "102000044d5154540402003c001463626362613533616637317075626c6973686572"),  # Connect(client_id='cbcba53af71publisher', protocol_version=4, keep_alive=60)
    ("publisher", "in", "20020000"),  # Connack()
    ("publisher", "out", "341f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=2, packet_id=1)
    ("publisher", "in", "50020001"),  # Pubrec(packet_id=1)
    ("publisher", "out", "62020001"),  # Pubrel(packet_id=1)
    ("publisher", "in", "70020001"),  # Pubcomp(packet_id=1)
    ("client", "in", "341f001a636f6e666f726d616e63652f626362613533616637312f742f7400016d"),  # Publish(topic='conformance/bcba53af71/t/t', payload=b'm', qos=2, packet_id=1)
    ("client", "out", "40020001"),  # Puback(packet_id=1)
    ("client", "out", "c000"),
    ("client", "in", "d000"),  # Pingresp()
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116362636261353361663731636c69656e74"),  # Connect(client_id='cbcba53af71client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020100"),  # Connack(session_present=True)
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

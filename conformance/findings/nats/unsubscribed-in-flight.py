#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ruff: noqa: E501
"""MQTT311-3.10.4-3/unsubscribed-in-flight

A QoS 1 message that was sent before the UNSUBSCRIBE is finished: it is sent again after a resume.

MQTT311-3.10.4-3: A Server that deletes a Subscription completes the delivery of the QoS 1 and QoS 2 messages it has already started sending to the Client.

Expected: PUBLISH
Seen:     nothing in time
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21886
STEPS = [
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116334393866643665613035636c69656e74"),  # Connect(client_id='c498fd6ea05client', protocol_version=4, clean_start=False, keep_alive=60)
    ("client", "in", "20020000"),  # Connack()
    ("client", "out", "821f0001001a636f6e666f726d616e63652f343938666436656130352f742f7401"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/498fd6ea05/t/t', qos=1)])
    ("client", "in", "9003000101"),  # Suback(packet_id=1, reason_codes=[1])
    ("publisher", "opened", ""),
    ("publisher", "out", "102000044d5154540402003c001463343938666436656130357075626c6973686572"),  # Connect(client_id='c498fd6ea05publisher', protocol_version=4, keep_alive=60)
    ("publisher", "in", "20020000"),  # Connack()
    ("publisher", "out", "321f001a636f6e666f726d616e63652f343938666436656130352f742f7400016d"),  # Publish(topic='conformance/498fd6ea05/t/t', payload=b'm', qos=1, packet_id=1)
    ("publisher", "in", "40020001"),  # Puback(packet_id=1)
    ("client", "in", "321f001a636f6e666f726d616e63652f343938666436656130352f742f7400016d"),  # Publish(topic='conformance/498fd6ea05/t/t', payload=b'm', qos=1, packet_id=1)
    ("client", "out", "a21e0002001a636f6e666f726d616e63652f343938666436656130352f742f74"),  # Unsubscribe(packet_id=2, topic_filters=['conformance/498fd6ea05/t/t'])
    ("client", "in", "b0020002"),  # Unsuback(packet_id=2)
    ("client", "dropped", ""),
    ("client", "opened", ""),
    ("client", "out", "101d00044d5154540400003c00116334393866643665613035636c69656e74"),  # Connect(client_id='c498fd6ea05client', protocol_version=4, clean_start=False, keep_alive=60)
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

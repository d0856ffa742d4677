#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT5-4.12.0-7/auth-without-method

An AUTH on a connection whose CONNECT had no Authentication Method is a Protocol Error.

MQTT5-4.12.0-7: After a CONNECT without an Authentication Method, the Client sends the Server no AUTH.
MQTT5-4.13.1-1: On a Malformed Packet or Protocol Error for which the specification gives a Reason Code, the Server that detects it closes the Network Connection.
X5-auth-other-method: An AUTH from Client or Server is a Protocol Error unless the CONNECT had the same Authentication Method.
MQTT5-4.12.1-1: A Client whose CONNECT had an Authentication Method may re-authenticate at any time after the CONNACK by AUTH 0x19 (Re-authentication), in which it sets the Authentication Method that was first used to authenticate the Network Connection.

Expected: closed
Seen:     the connection stays open
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21008
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "101e00044d5154540502003c0000116330613164326163343437636c69656e74"),  # Connect(client_id='c0a1d2ac447client', keep_alive=60)
    (0.1, "client", "in", "200b00000822ffff270fffffff"),  # Connack(properties=ConnackProperties(topic_alias_maximum=65535, maximum_packet_size=268435455))
    (0.1, "client", "out", "f0081906150003616e79"),  # Auth(reason_code=25, properties=AuthProperties(authentication_method='any'))
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

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT311-4.3.3-1/wrong-ack-qos2

A QoS 2 message waits for its PUBREC, and its PUBREL for a PUBCOMP, whatever else comes; closing is fine too.

MQTT311-4.3.3-1: The Sender of a QoS 2 message assigns an unused Packet Identifier to each new Application Message; sends a PUBLISH with this identifier, QoS 2 and DUP 0; holds this PUBLISH as unacknowledged until the corresponding PUBREC has come; answers the PUBREC with a PUBREL that has the Packet Identifier of the original PUBLISH; holds the PUBREL as unacknowledged until the corresponding PUBCOMP has come; and never re-sends the PUBLISH after its PUBREL.

Expected: what waits for a PUBREC again, which a PUBACK did not end
Seen:     nothing in time
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21886
STEPS = [
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "101d00044d5154540400003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, clean_start=False, keep_alive=60)
    (0.0, "client", "in", "20020000"),  # Connack()
    (0.0, "client", "out", "821f0001001a636f6e666f726d616e63652f326332653161616532652f742f7402"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/2c2e1aae2e/t/t', qos=2)])
    (0.0, "client", "in", "9003000102"),  # Suback(packet_id=1, reason_codes=[2])
    (0.0, "publisher", "opened", ""),
    (0.0, "publisher", "out", "102000044d5154540402003c001463326332653161616532657075626c6973686572"),  # Connect(client_id='c2c2e1aae2epublisher', protocol_version=4, keep_alive=60)
    (0.0, "publisher", "in", "20020000"),  # Connack()
    (0.0, "publisher", "out", "321f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=1, packet_id=1)
    (0.0, "publisher", "in", "40020001"),  # Puback(packet_id=1)
    (0.0, "client", "in", "321f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=1, packet_id=1)
    (0.0, "client", "out", "70020001"),  # Pubcomp(packet_id=1)
    (0.0, "client", "out", "c000"),
    (0.0, "client", "in", "d000"),  # Pingresp()
    (0.0, "client", "dropped", ""),
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "101d00044d5154540400003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, clean_start=False, keep_alive=60)
    (0.1, "client", "in", "20020100"),  # Connack(session_present=True)
    (1.0, "client", "in", "3a1f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=1, dup=True, packet_id=1)
    (1.0, "publisher", "out", "e000"),  # Disconnect()
    (1.0, "publisher", "closed", ""),
    (1.0, "client", "dropped", ""),
    (1.0, "client", "opened", ""),
    (1.0, "client", "out", "101d00044d5154540402003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, keep_alive=60)
    (1.0, "client", "in", "20020000"),  # Connack()
    (1.0, "client", "out", "e000"),  # Disconnect()
    (1.0, "client", "closed", ""),
    (1.0, "client", "opened", ""),
    (1.0, "client", "out", "101d00044d5154540400003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, clean_start=False, keep_alive=60)
    (1.0, "client", "in", "20020000"),  # Connack()
    (1.0, "client", "out", "821f0002001a636f6e666f726d616e63652f326332653161616532652f742f7402"),  # Subscribe(packet_id=2, subscriptions=[Subscription(topic_filter='conformance/2c2e1aae2e/t/t', qos=2)])
    (1.0, "client", "in", "9003000202"),  # Suback(packet_id=2, reason_codes=[2])
    (1.0, "publisher", "opened", ""),
    (1.0, "publisher", "out", "102000044d5154540402003c001463326332653161616532657075626c6973686572"),  # Connect(client_id='c2c2e1aae2epublisher', protocol_version=4, keep_alive=60)
    (1.0, "publisher", "in", "20020000"),  # Connack()
    (1.0, "publisher", "out", "341f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=2, packet_id=1)
    (1.0, "publisher", "in", "50020001"),  # Pubrec(packet_id=1)
    (1.0, "publisher", "out", "62020001"),  # Pubrel(packet_id=1)
    (1.0, "publisher", "in", "70020001"),  # Pubcomp(packet_id=1)
    (1.0, "client", "in", "341f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=2, packet_id=1)
    (1.0, "client", "out", "70020001"),  # Pubcomp(packet_id=1)
    (1.0, "client", "out", "c000"),
    (1.0, "client", "in", "d000"),  # Pingresp()
    (1.0, "client", "dropped", ""),
    (1.0, "client", "opened", ""),
    (1.0, "client", "out", "101d00044d5154540400003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, clean_start=False, keep_alive=60)
    (1.0, "client", "in", "20020100"),  # Connack(session_present=True)
    (2.0, "client", "in", "3c1f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=2, dup=True, packet_id=1)
    (2.0, "publisher", "out", "e000"),  # Disconnect()
    (2.0, "publisher", "closed", ""),
    (2.0, "client", "dropped", ""),
    (2.0, "client", "opened", ""),
    (2.0, "client", "out", "101d00044d5154540402003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, keep_alive=60)
    (2.0, "client", "in", "20020000"),  # Connack()
    (2.0, "client", "out", "e000"),  # Disconnect()
    (2.0, "client", "closed", ""),
    (2.0, "client", "opened", ""),
    (2.0, "client", "out", "101d00044d5154540400003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, clean_start=False, keep_alive=60)
    (2.0, "client", "in", "20020000"),  # Connack()
    (2.0, "client", "out", "821f0003001a636f6e666f726d616e63652f326332653161616532652f742f7402"),  # Subscribe(packet_id=3, subscriptions=[Subscription(topic_filter='conformance/2c2e1aae2e/t/t', qos=2)])
    (2.0, "client", "in", "9003000302"),  # Suback(packet_id=3, reason_codes=[2])
    (2.1, "publisher", "opened", ""),
    (2.1, "publisher", "out", "102000044d5154540402003c001463326332653161616532657075626c6973686572"),  # Connect(client_id='c2c2e1aae2epublisher', protocol_version=4, keep_alive=60)
    (2.1, "publisher", "in", "20020000"),  # Connack()
    (2.1, "publisher", "out", "321f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=1, packet_id=1)
    (2.1, "publisher", "in", "40020001"),  # Puback(packet_id=1)
    (2.1, "client", "in", "321f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=1, packet_id=1)
    (2.1, "client", "out", "50020001"),  # Pubrec(packet_id=1)
    (2.1, "client", "out", "c000"),
    (2.1, "client", "in", "62020001"),  # Pubrel(packet_id=1)
    (2.1, "client", "in", "d000"),  # Pingresp()
    (2.1, "client", "dropped", ""),
    (2.1, "client", "opened", ""),
    (2.1, "client", "out", "101d00044d5154540400003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, clean_start=False, keep_alive=60)
    (2.1, "client", "in", "20020100"),  # Connack(session_present=True)
    (3.1, "client", "in", "3a1f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=1, dup=True, packet_id=1)
    (3.1, "publisher", "out", "e000"),  # Disconnect()
    (3.1, "publisher", "closed", ""),
    (3.1, "client", "dropped", ""),
    (3.1, "client", "opened", ""),
    (3.1, "client", "out", "101d00044d5154540402003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, keep_alive=60)
    (3.1, "client", "in", "20020000"),  # Connack()
    (3.1, "client", "out", "e000"),  # Disconnect()
    (3.1, "client", "closed", ""),
    (3.1, "client", "opened", ""),
    (3.1, "client", "out", "101d00044d5154540400003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, clean_start=False, keep_alive=60)
    (3.1, "client", "in", "20020000"),  # Connack()
    (3.1, "client", "out", "821f0004001a636f6e666f726d616e63652f326332653161616532652f742f7402"),  # Subscribe(packet_id=4, subscriptions=[Subscription(topic_filter='conformance/2c2e1aae2e/t/t', qos=2)])
    (3.1, "client", "in", "9003000402"),  # Suback(packet_id=4, reason_codes=[2])
    (3.1, "publisher", "opened", ""),
    (3.1, "publisher", "out", "102000044d5154540402003c001463326332653161616532657075626c6973686572"),  # Connect(client_id='c2c2e1aae2epublisher', protocol_version=4, keep_alive=60)
    (3.1, "publisher", "in", "20020000"),  # Connack()
    (3.1, "publisher", "out", "341f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=2, packet_id=1)
    (3.1, "publisher", "in", "50020001"),  # Pubrec(packet_id=1)
    (3.1, "publisher", "out", "62020001"),  # Pubrel(packet_id=1)
    (3.1, "publisher", "in", "70020001"),  # Pubcomp(packet_id=1)
    (3.1, "client", "in", "341f001a636f6e666f726d616e63652f326332653161616532652f742f7400016d"),  # Publish(topic='conformance/2c2e1aae2e/t/t', payload=b'm', qos=2, packet_id=1)
    (3.1, "client", "out", "40020001"),  # Puback(packet_id=1)
    (3.1, "client", "out", "c000"),
    (3.1, "client", "in", "d000"),  # Pingresp()
    (3.1, "client", "dropped", ""),
    (3.1, "client", "opened", ""),
    (3.1, "client", "out", "101d00044d5154540400003c00116332633265316161653265636c69656e74"),  # Connect(client_id='c2c2e1aae2eclient', protocol_version=4, clean_start=False, keep_alive=60)
    (3.1, "client", "in", "20020100"),  # Connack(session_present=True)
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
for name in list(links):
    show(name, 3)

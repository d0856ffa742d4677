# SPDX-License-Identifier: MIT
"""Faults of MQTT 3.1, where it differs from 3.1.1."""

from __future__ import annotations

from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, published
from mqtt_conformance.proxy.rows.acks import answer
from mqtt_conformance.proxy.rows.connack import connack
from mqtt_conformance.proxy.rows.flow import keep_alive_ignored
from mqtt_conformance.proxy.rows.messages import at
from mqtt_conformance.proxy.rows.sessions import on_connect
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Publish, Suback, Unsuback, Will
from mqtt_ref.wire.violation import Violation

__all__ = ["rows"]


def _connect_31(data: bytes) -> bool:
    return data[0] >> 4 == 1


def _id_accepted(longest: bool) -> Rule:
    """A Client Identifier that is too long, or empty, is accepted."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if link.packets_up != 1 or not _connect_31(data):
            return None
        given = packet.client_id if isinstance(packet, Connect) else None
        wrong = isinstance(packet, Violation) or (given is not None and (len(given) > 23 if longest else not given))
        if not wrong:
            return None
        if isinstance(packet, Violation) and packet.field != "client_id":
            return None
        size = data[14] << 8 | data[15] if len(data) > 15 else 0
        if isinstance(packet, Violation) and (size > 23) != longest:
            return None
        made = Connect(f"short{link.world.next()}", 3)
        link.version = link.level = 3
        link.connect = made
        link.client_id = made.client_id
        return [made]

    return Hooks(up=up)


def _kept_clean(link: Link, packet: Connect) -> Out:
    if packet.clean_start and packet.client_id in link.world.sessions:
        return [packet.replace(clean_start=False)]
    return None


def _lost(link: Link, packet: Connect) -> Out:
    if not packet.clean_start and packet.client_id in link.world.sessions:
        return [packet.replace(clean_start=True)]
    return None


def _will(change: Any) -> Any:
    def done(link: Link, packet: Connect) -> Out:
        made: Will | None = change(packet.will) if packet.will is not None else None
        return None if made is None else [packet.replace(will=made)]

    return on_connect(done)


def _qos0_stored() -> Rule:
    """A message of QoS 0 for an absent client is delivered when it is back."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and not packet.qos:
            current = link.world.current
            for key, session in link.world.sessions.items():
                if key not in current and session.matching(packet.topic):
                    session.memo.setdefault("stored", []).append(packet)
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and link.session is not None and link.connect is not None:
            stored = link.session.memo.pop("stored", []) if not link.connect.clean_start else []
            return [packet, *(published(one, retain=False) for one in stored)] if stored else None
        return None

    return Hooks(up=up, down=down)


def _after_disconnect() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Disconnect) and link.connect is not None and link.connect.will is not None:
            link.end_server()
            return []
        return None

    return Hooks(up=up)


def _goodbye() -> Rule:
    def gone(link: Link) -> bool:
        if link.accepted:
            link.fired()
            link.to_client(b"\xe0\0")
        return False

    return Hooks(server_gone=gone)


def _violation_ignored() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        return [] if isinstance(packet, Violation) and link.accepted else None

    return Hooks(up=up)


def rows() -> list[Fault]:
    """Return the faults of this module."""
    f = []
    f.append(
        Fault(
            "31-connack-reserved",
            "X31-connack-reserved-byte",
            "connack",
            3,
            None,
            "the reserved byte of CONNACK is 1",
            connack(lambda link, p: [b"\x20\2\1" + bytes((p.reason_code,))]),
        )
    )
    f.append(
        Fault(
            "31-connack-code-6",
            "X31-connack-codes",
            "refusal",
            3,
            None,
            "a refusal has the code 6",
            connack(lambda link, p: [b"\x20\2\0\6"] if p.reason_code else None),
        )
    )
    f.append(
        Fault(
            "31-suback-failure",
            "X31-suback-codes",
            "suback",
            3,
            None,
            "SUBACK has the code 0x80",
            answer(Suback, lambda link, p: [encode(4, p.replace(reason_codes=[0x80] * len(p.reason_codes)))]),
        )
    )
    f.append(
        Fault(
            "31-unsuback-payload",
            "X31-unsuback-no-payload",
            "suback",
            3,
            None,
            "UNSUBACK has a payload",
            answer(Unsuback, lambda link, p: [b"\xb0\3" + p.packet_id.to_bytes(2, "big") + b"\0"]),
        )
    )
    f.append(
        Fault(
            "31-id-too-long",
            "X31-client-id-too-long",
            "refusal",
            3,
            None,
            "a Client Identifier of more than 23 characters is accepted",
            lambda: _id_accepted(True),
        )
    )
    f.append(
        Fault(
            "31-id-empty",
            "X31-client-id-empty",
            "refusal",
            3,
            None,
            "an empty Client Identifier is accepted",
            lambda: _id_accepted(False),
        )
    )
    f.append(
        Fault(
            "31-clean-ignored",
            "X31-clean-session-set",
            "session",
            3,
            None,
            "Clean Session 1 goes on with the old session",
            on_connect(_kept_clean),
        )
    )
    f.append(
        Fault(
            "31-session-lost",
            "X31-clean-session-unset",
            "session",
            3,
            None,
            "Clean Session 0 starts a new session",
            on_connect(_lost),
        )
    )
    f.append(
        Fault(
            "31-will-length",
            "X31-will-message-published",
            "will",
            3,
            None,
            "the length bytes are sent in the payload of a will",
            _will(lambda w: w.replace(payload=len(w.payload).to_bytes(2, "big") + w.payload)),
        )
    )
    f.append(
        Fault(
            "31-will-after-disconnect",
            "X31-will-situations",
            "will",
            3,
            None,
            "a will is published after DISCONNECT",
            _after_disconnect,
        )
    )
    f.append(
        Fault(
            "31-will-ignored",
            "X31-will-situations",
            "will",
            3,
            None,
            "wills are ignored",
            on_connect(lambda link, p: [p.replace(will=None)] if p.will is not None else None),
        )
    )
    f.append(
        Fault(
            "31-keep-alive-ignored",
            "X31-keep-alive",
            "keepalive",
            3,
            None,
            "a silent client is not disconnected",
            keep_alive_ignored,
        )
    )
    f.append(
        Fault(
            "31-qos-raised",
            "X31-delivery-qos",
            "live",
            3,
            0,
            "a message of QoS 0 is delivered with QoS 1",
            at("live", _raised, 0),
        )
    )
    f.append(
        Fault(
            "31-message-id-0",
            "X31-message-id-zero",
            "live",
            3,
            1,
            "a PUBLISH has the Message ID 0",
            at("live", _zero, 1),
        )
    )
    f.append(
        Fault(
            "31-qos0-stored",
            "X31-qos0-not-stored",
            "queued",
            3,
            0,
            "a message of QoS 0 is stored for an absent client",
            _qos0_stored,
        )
    )
    f.append(
        Fault(
            "31-disconnect-sent",
            "X31-protocol-violation",
            "close",
            3,
            None,
            "a client is sent a DISCONNECT before the close",
            _goodbye,
        )
    )
    f.append(
        Fault(
            "31-violation-ignored",
            "X31-protocol-violation",
            "close",
            3,
            None,
            "malformed packets are ignored",
            _violation_ignored,
        )
    )
    return f


def _raised(link: Link, d: Any) -> Any:
    made = published(d.packet, qos=1, packet_id=60_000 + link.world.next() % 5000)
    link.ours.add(made.packet_id)
    return made


def _zero(link: Link, d: Any) -> bytes:
    link.settle(d.packet)
    data = encode(3, d.packet)
    where = data.index(d.packet.topic.encode()) + len(d.packet.topic.encode())
    return data[:where] + b"\0\0" + data[where + 2 :]

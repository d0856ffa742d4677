# SPDX-License-Identifier: MIT
"""Faults in what the broker does with a CONNECT: its will, session, limits, keep alive and identifier."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Talk
from mqtt_conformance.faults.spoil import Alter, Out, by_hand, on, property_, set_
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Will,
)
from mqtt_ref.wire.primitives import V5

__all__ = ["faults"]


def faults() -> Iterator[Fault]:
    """All of them."""

    def will(talk: Talk, packet: Any) -> None:
        packet.will = None

    yield by_hand(
        "connect/will-lost",
        """MQTT5-3.1.2-7 MQTT5-3.1.2-8 MQTT311-3.1.2-8
        X5-will-on-network-failure X5-will-on-server-close X5-disconnect-with-will
        X31-will-situations X311-will-situations X5-will-delay-absent X5-will-on-client-close
        X5-will-payload-published X311-will-payload X31-will-message-published
        X5-takeover-will-no-delay X5-will-on-keep-alive-timeout
        X5-session-state-will
        X5-will-delay-first-event X5-takeover-will-session-end""",
        up=on(Connect)(will),
    )

    def change(**values: Any) -> Alter:
        def one(talk: Talk, packet: Any) -> None:
            for name, value in values.items():
                setattr(packet.will, name, value(packet.will) if callable(value) else value)

        return on(Connect, when=lambda talk, p: p.will is not None)(one)

    yield by_hand("connect/will-made-up", "MQTT311-3.1.2-12", up=_willed)
    yield by_hand(
        "connect/will-qos",
        """MQTT5-3.1.2-12 MQTT311-3.1.2-14 X311-will-qos X5-will-published-qos""",
        up=change(qos=lambda w: 2 - w.qos),
    )
    yield by_hand("connect/will-retained", "MQTT5-3.1.2-14 MQTT311-3.1.2-16", up=change(retain=True))
    yield by_hand("connect/will-not-retained", "MQTT5-3.1.2-15 MQTT311-3.1.2-17", up=change(retain=False))
    yield by_hand(
        "connect/will-payload",
        "X311-will-payload X31-will-message-published X5-will-payload-published",
        up=change(payload=lambda w: len(w.payload).to_bytes(2, "big") + w.payload),
    )
    yield by_hand(
        "connect/will-without-properties",
        """MQTT5-3.1.3-10 X5-will-properties-published X5-will-message-expiry-sent X5-will-delay-first-event
        MQTT5-3.1.3-9 X5-takeover-will""",
        up=change(properties=None),
    )
    yield by_hand(
        "connect/all-clean",
        """MQTT5-3.2.2-3 MQTT5-3.1.2-5 MQTT5-3.1.2-23 MQTT311-3.1.2-5 MQTT5-4.5.0-1 MQTT311-4.5.0-1
        MQTT5-4.1.0-1 MQTT311-4.1.0-1 X5-session-state-outbound X5-session-state-subscriptions
        X31-clean-session-unset MQTT311-3.1.2-4 X5-session-duration X5-session-state-existence""",
        up=set_(Connect, clean_start=True),
    )
    yield by_hand(
        "connect/none-clean",
        """MQTT5-3.1.2-4 MQTT311-3.1.2-6 MQTT5-3.1.4-4 MQTT311-3.1.4-3 MQTT5-3.2.2-2 MQTT311-3.2.2-1
        X31-clean-session-set""",
        up=set_(Connect, lambda talk, p: bool(p.client_id), clean_start=False),
    )
    yield by_hand(
        "connect/kept-for-ever",
        "MQTT5-4.1.0-2 X5-session-expiry-zero X5-session-state-end-time "
        "X5-session-duration X5-session-expiry-absent-connack",
        up=_forever,
        down=property_(Connack, "session_expiry_interval", None),
    )
    yield by_hand(
        "connect/no-limits",
        """MQTT5-3.1.2-24 X5-packet-size-definition MQTT5-3.14.2-3 MQTT5-3.9.2-1 MQTT5-3.4.2-2 MQTT5-3.5.2-2
        MQTT5-3.7.2-2 MQTT5-3.6.2-2 MQTT5-3.1.2-25""",
        up=_unlimited("maximum_packet_size"),
        down=_long,
    )
    yield by_hand(
        "connect/no-quota",
        "MQTT5-3.3.4-9 MQTT5-4.9.0-1 MQTT5-4.9.0-2 X5-quota-reset X5-quota-pubrec X5-quota-ceiling",
        up=_unlimited("receive_maximum"),
    )
    yield by_hand("connect/aliases-forced", "MQTT5-3.1.2-27 X5-topic-alias-directions MQTT5-3.1.2-26", up=_aliased)
    yield by_hand("connect/always-problems", "MQTT5-3.1.2-29", up=_unlimited("request_problem_information"))
    yield by_hand(
        "connect/keep-alive-off",
        "MQTT5-3.1.2-22 MQTT311-3.1.2-24 X31-keep-alive MQTT5-3.2.2-22 X5-will-on-keep-alive-timeout",
        up=set_(Connect, keep_alive=0),
    )
    yield by_hand(
        "connect/keep-alive-short", "X5-keep-alive-zero MQTT5-3.1.2-22 MQTT311-3.1.2-24", up=set_(Connect, keep_alive=1)
    )
    yield by_hand(
        "connect/other-client-id",
        """MQTT5-3.1.4-3 MQTT311-3.1.4-2 X31-client-id-in-use MQTT5-3.1.3-2 MQTT311-3.1.3-2 MQTT5-3.1.3-7""",
        up=_renamed,
    )
    yield by_hand(
        "connect/one-client-id",
        "MQTT311-3.1.3-6 MQTT5-3.1.3-6",
        up=set_(Connect, lambda talk, p: not p.client_id and p.clean_start, client_id="same"),
    )
    yield by_hand("connect/ids-refused", "MQTT5-3.1.3-5 MQTT311-3.1.3-5", down=on(Connack)(_picky))
    yield by_hand(
        "connect/one-version",
        "X5-connect-version-selects X31-protocol-violation MQTT311-3.1.2-1",
        down=on(Publish)(lambda talk, p: () if talk.version != V5 else None),
    )


def _willed(talk: Talk, packet: Packet) -> Out:
    """Add a Will Message to a CONNECT without one, on the topic of the last subscription."""
    if isinstance(packet, Subscribe):
        talk.all["topic"] = packet.subscriptions[0].topic_filter
    if isinstance(packet, Connect) and packet.will is None and "topic" in talk.all:
        packet = copy.deepcopy(packet)
        packet.will = Will(talk.all["topic"], b"made up")
    return (packet,)


def _forever(talk: Talk, packet: Packet) -> Out:
    if isinstance(packet, Connect) and packet.protocol_version == V5:
        packet = copy.deepcopy(packet)
        from mqtt_ref.wire.packets import ConnectProperties

        packet.properties = packet.properties or ConnectProperties()
        packet.properties.session_expiry_interval = 0xFFFFFFFF
    if isinstance(packet, Disconnect) and packet.properties is not None:
        packet = Disconnect(packet.reason_code)
    return (packet,)


def _unlimited(name: str) -> Alter:
    def change(talk: Talk, packet: Any) -> None:
        if packet.properties is not None:
            talk.here[name] = getattr(packet.properties, name)
            setattr(packet.properties, name, None)

    return on(Connect)(change)


def _long(talk: Talk, packet: Packet) -> Out:
    """Add Reason Strings to every packet that can have one, for a client that set a limit."""
    if talk.version != V5 or talk.here.get("maximum_packet_size") is None:
        return (packet,)
    if isinstance(packet, (Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect)):
        mine: Any = copy.deepcopy(packet)
        name = f"{type(packet).__name__}Properties"
        import mqtt_ref.wire.packets as all_packets

        mine.properties = getattr(all_packets, name)(reason_string="why" * 50)
        return (mine,)
    return (packet,)


def _aliased(talk: Talk, packet: Packet) -> Out:
    if isinstance(packet, Connect) and packet.protocol_version == V5:
        packet = copy.deepcopy(packet)
        from mqtt_ref.wire.packets import ConnectProperties

        packet.properties = packet.properties or ConnectProperties()
        packet.properties.topic_alias_maximum = 50
    return (packet,)


def _renamed(talk: Talk, packet: Packet) -> Out:
    if isinstance(packet, Connect) and packet.client_id:
        packet = copy.deepcopy(packet)
        talk.all["n"] = talk.all.get("n", 0) + 1
        packet.client_id = f"r{talk.all['n']}"
    return (packet,)


def _picky(talk: Talk, packet: Any) -> Out | None:
    if talk.connect is not None and len(talk.connect.client_id) > 22:
        return (encode(talk.version, Connack(0x85 if talk.version == V5 else 2)),)
    return None

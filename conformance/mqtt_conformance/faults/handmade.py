# SPDX-License-Identifier: MIT

"""Faults that are no row of a table: what a sound broker says, or is told, is spoilt on the way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Meddling, Talk
from mqtt_conformance.faults.spoil import Alter, Out, drop, on, property_, set_, twice
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnackProperties,
    Connect,
    Disconnect,
    DisconnectProperties,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    PubackProperties,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Suback,
    SubackProperties,
    Subscribe,
    Unsuback,
    UnsubackProperties,
    Unsubscribe,
    Will,
)
from mqtt_ref.wire.primitives import V5, V31

__all__ = ["faults"]


def _open(talk: Talk) -> bool:
    return True


def _fault(
    name: str,
    statements: str,
    *,
    up: Alter | None = None,
    down: Alter | None = None,
    linger: bool = False,
    farewell: bytes = b"",
    thorough: bool = True,
) -> Fault:
    meddling = Meddling(up, down, _open if linger else None, farewell)
    return Fault(f"handmade/{name}", tuple(statements.split()), meddling=meddling, thorough=thorough)


def faults() -> Iterator[Fault]:
    """All of them."""
    yield from _connacks()
    yield from _connack_properties()
    yield from _connects()
    yield from _messages()
    yield from _properties()
    yield from _acknowledgements()
    yield from _subscriptions()
    yield from _sizes()
    yield from _ends()


# ---------------------------------------------------------------- CONNECT and CONNACK


def _connacks() -> Iterator[Fault]:
    accepted: Callable[[Talk, Any], bool] = lambda talk, packet: packet.reason_code == 0  # noqa: E731
    yield _fault(
        "connack/session-present-always",
        """MQTT5-3.2.2-2 MQTT311-3.2.2-1 MQTT5-3.1.2-6 MQTT311-3.2.2-3 X5-session-expiry-zero MQTT5-4.1.0-2
        X5-session-state-end-time X31-connack-reserved-byte MQTT311-3.1.2-6""",
        down=on(Connack, when=accepted)(_present),
    )
    yield _fault(
        "connack/session-present-never",
        """MQTT5-3.2.2-3 MQTT311-3.2.2-2 MQTT5-3.1.2-5 MQTT311-3.1.2-4 X5-session-state-existence
        X5-session-expiry-never X5-session-duration X5-session-expiry-changed-connack
        X5-session-expiry-absent-connack X311-session-state-server""",
        down=set_(Connack, accepted, session_present=False),
    )
    refusing = on(Connack, when=lambda talk, packet: packet.reason_code != 0)
    yield _fault(
        "connack/refusal-with-session",
        "MQTT5-3.2.2-6 MQTT311-3.2.2-4",
        down=refusing(
            lambda talk, p: (
                bytes([0x20, 3, 1, p.reason_code, 0]) if talk.version == V5 else bytes([0x20, 2, 1, p.reason_code]),
            )
        ),
    )
    yield _fault(
        "connack/reserved-flags",
        "MQTT5-3.2.2-1 X311-connack-reserved-bits",
        down=on(Connack)(lambda talk, p: (b"\x20\x03\x02\x00\x00" if talk.version == V5 else b"\x20\x02\x02\x00",)),
    )
    yield _fault(
        "connack/undefined-code",
        "MQTT5-3.2.2-8 X311-connack-codes-reserved X31-connack-codes",
        down=on(Connack, when=accepted)(
            lambda talk, p: (b"\x20\x03\x00\x01\x00" if talk.version == V5 else b"\x20\x02\x00\x06",)
        ),
    )
    yield _fault(
        "connack/refused-in-3.1",
        "X31-password-missing X31-user-name-missing",
        down=set_(Connack, lambda talk, p: talk.version == V31, reason_code=2),
    )
    yield _fault("connack/two", "MQTT5-3.2.0-2", down=twice(Connack))
    yield _fault(
        "connack/not-first",
        """MQTT5-3.1.4-5 MQTT311-3.1.4-4 MQTT5-3.2.0-1 MQTT311-3.2.0-1 X5-delivery-after-connack
        X311-connect-accepted-start""",
        down=on(Connack)(lambda talk, p: (Pingresp(), p)),
    )
    yield _fault(
        "connack/refusal-code",
        "MQTT311-3.1.2-2 MQTT311-3.1.3-8 MQTT311-3.1.3-9 X31-unacceptable-version "
        "X31-client-id-empty X31-client-id-too-long",
        down=set_(Connack, lambda talk, p: talk.version != V5 and p.reason_code != 0, reason_code=3),
    )
    yield _fault(
        "connack/invented-refusal",
        "MQTT5-3.2.2-2 MQTT5-3.2.2-3",
        down=set_(Connack, accepted, reason_code=0x88, session_present=False),
        thorough=False,
    )


def _present(talk: Talk, packet: Any) -> Out | None:
    packet.session_present = True
    return None if talk.version == V5 else (b"\x20\x02\x01\x00",)


def _connack_properties() -> Iterator[Fault]:
    fives: Callable[[Talk, Any], bool] = lambda talk, p: talk.version == V5 and p.reason_code == 0  # noqa: E731

    def raw(properties: bytes) -> Alter:
        return on(Connack, when=fives)(
            lambda talk, p: (bytes([0x20, 3 + len(properties), p.session_present, 0, len(properties)]) + properties,)
        )

    once = {
        "assigned_client_identifier": b"\x12\x00\x01a",
        "maximum_qos": b"\x24\x01",
        "response_information": b"\x1a\x00\x01r",
        "retain_available": b"\x25\x01",
        "server_keep_alive": b"\x13\x00\x3c",
        "server_reference": b"\x1c\x00\x01s",
        "shared_subscription_available": b"\x2a\x01",
        "subscription_identifier_available": b"\x29\x01",
        "wildcard_subscription_available": b"\x28\x01",
    }
    for name, data in once.items():
        yield _fault(f"connack/{name}-twice", f"X5-{name}-once", down=raw(data * 2))
        if len(data) == 2:
            yield _fault(f"connack/{name}-above", f"X5-{name}-range", down=raw(data[:1] + b"\x02"))
    yield _fault("connack/no-maximum-qos", "MQTT5-3.2.2-9", down=property_(Connack, "maximum_qos", None))
    yield _fault(
        "connack/no-assigned-id",
        "MQTT5-3.1.3-6 MQTT5-3.1.3-7 MQTT5-3.2.2-16",
        down=property_(Connack, "assigned_client_identifier", None),
    )
    yield _fault(
        "connack/one-assigned-id",
        "MQTT5-3.2.2-16",
        down=property_(
            Connack, "assigned_client_identifier", lambda p: p.properties.assigned_client_identifier and "same"
        ),
        up=set_(Connect, lambda talk, p: not p.client_id, client_id="same"),
    )
    yield _fault(
        "connack/assigned-id-for-all",
        "X5-assigned-client-id-reason",
        down=property_(Connack, "assigned_client_identifier", "given", ConnackProperties),
    )
    yield _fault(
        "connack/response-information",
        "MQTT5-3.1.2-28 X5-request-response-information-absent",
        down=property_(Connack, "response_information", "here", ConnackProperties),
    )
    yield _fault(
        "connack/method",
        "MQTT5-4.12.0-6 X5-authentication-method-absent",
        down=property_(Connack, "authentication_method", "mine", ConnackProperties),
    )
    yield _fault(
        "connack/long-reason",
        "MQTT5-3.2.2-19 MQTT5-3.1.2-24",
        down=property_(Connack, "reason_string", "why" * 60, ConnackProperties),
    )
    yield _fault(
        "connack/user-properties",
        "MQTT5-3.2.2-20",
        down=property_(Connack, "user_property", [("a", "b" * 150)], ConnackProperties),
    )
    yield _fault(
        "auth/unasked",
        "MQTT5-4.12.0-6",
        down=on(Connack, when=fives)(lambda talk, p: (p, Auth(0x18, AuthProperties(authentication_method="mine")))),
    )


def _connects() -> Iterator[Fault]:
    def will(talk: Talk, packet: Any) -> None:
        packet.will = None

    yield _fault(
        "connect/will-lost",
        """MQTT5-3.1.2-7 MQTT5-3.1.2-8 MQTT311-3.1.2-8 MQTT5-3.1.2-12 MQTT311-3.1.2-14 MQTT5-3.1.2-15
        MQTT311-3.1.2-17 X5-will-on-network-failure X5-will-on-server-close X5-disconnect-with-will
        X31-will-situations X311-will-situations X5-will-delay-absent X5-will-on-client-close
        X5-will-payload-published X311-will-payload X31-will-message-published X5-will-properties-published
        X5-takeover-will-no-delay X5-will-on-keep-alive-timeout X5-will-message-expiry-sent
        X5-session-state-will MQTT5-3.14.1-1 X311-will-qos MQTT5-3.1.3-10 X5-will-published-qos
        X5-will-delay-first-event X5-takeover-will-session-end MQTT311-3.14.1-1""",
        up=on(Connect)(will),
    )

    def change(**values: Any) -> Alter:
        def one(talk: Talk, packet: Any) -> None:
            for name, value in values.items():
                setattr(packet.will, name, value(packet.will) if callable(value) else value)

        return on(Connect, when=lambda talk, p: p.will is not None)(one)

    yield _fault("connect/will-made-up", "MQTT311-3.1.2-12", up=_willed)
    yield _fault(
        "connect/will-qos",
        """MQTT5-3.1.2-12 MQTT311-3.1.2-14 X311-will-qos X5-will-published-qos""",
        up=change(qos=lambda w: 2 - w.qos),
    )
    yield _fault("connect/will-retained", "MQTT5-3.1.2-14 MQTT311-3.1.2-16", up=change(retain=True))
    yield _fault("connect/will-not-retained", "MQTT5-3.1.2-15 MQTT311-3.1.2-17", up=change(retain=False))
    yield _fault(
        "connect/will-payload",
        "X311-will-payload X31-will-message-published X5-will-payload-published",
        up=change(payload=lambda w: len(w.payload).to_bytes(2, "big") + w.payload),
    )
    yield _fault(
        "connect/will-without-properties",
        """MQTT5-3.1.3-10 X5-will-properties-published X5-will-message-expiry-sent X5-will-delay-first-event
        MQTT5-3.1.3-9 X5-takeover-will""",
        up=change(properties=None),
    )
    yield _fault(
        "connect/all-clean",
        """MQTT5-3.2.2-3 MQTT5-3.1.2-5 MQTT5-3.1.2-23 MQTT311-3.1.2-5 MQTT5-4.5.0-1 MQTT311-4.5.0-1
        MQTT5-4.1.0-1 MQTT311-4.1.0-1 X5-session-state-outbound X5-session-state-subscriptions
        X31-clean-session-unset MQTT311-3.1.2-4 X5-session-duration X5-session-state-existence
        X31-qos0-not-stored""",
        up=set_(Connect, clean_start=True),
    )
    yield _fault(
        "connect/none-clean",
        """MQTT5-3.1.2-4 MQTT311-3.1.2-6 MQTT5-3.1.4-4 MQTT311-3.1.4-3 MQTT5-3.2.2-2 MQTT311-3.2.2-1
        X31-clean-session-set""",
        up=set_(Connect, lambda talk, p: bool(p.client_id), clean_start=False),
    )
    yield _fault(
        "connect/kept-for-ever",
        "MQTT5-4.1.0-2 X5-session-expiry-zero X5-session-state-end-time "
        "X5-session-duration X5-session-expiry-absent-connack",
        up=_forever,
        down=property_(Connack, "session_expiry_interval", None),
    )
    yield _fault(
        "connect/no-limits",
        """MQTT5-3.1.2-24 X5-packet-size-definition MQTT5-3.14.2-3 MQTT5-3.9.2-1 MQTT5-3.4.2-2 MQTT5-3.5.2-2
        MQTT5-3.7.2-2 MQTT5-3.6.2-2 MQTT5-3.1.2-25""",
        up=_unlimited("maximum_packet_size"),
        down=_long,
    )
    yield _fault(
        "connect/no-quota",
        "MQTT5-3.3.4-9 MQTT5-4.9.0-1 MQTT5-4.9.0-2 X5-quota-reset X5-quota-pubrec X5-quota-ceiling",
        up=_unlimited("receive_maximum"),
    )
    yield _fault("connect/aliases-forced", "MQTT5-3.1.2-27 X5-topic-alias-directions MQTT5-3.1.2-26", up=_aliased)
    yield _fault("connect/always-problems", "MQTT5-3.1.2-29", up=_unlimited("request_problem_information"))
    yield _fault(
        "connect/keep-alive-off",
        "MQTT5-3.1.2-22 MQTT311-3.1.2-24 X31-keep-alive MQTT5-3.2.2-22 X5-will-on-keep-alive-timeout",
        up=set_(Connect, keep_alive=0),
    )
    yield _fault(
        "connect/keep-alive-short", "X5-keep-alive-zero MQTT5-3.1.2-22 MQTT311-3.1.2-24", up=set_(Connect, keep_alive=1)
    )
    yield _fault(
        "connect/other-client-id",
        """MQTT5-3.1.4-3 MQTT311-3.1.4-2 X31-client-id-in-use MQTT5-3.1.3-2 MQTT311-3.1.3-2 MQTT5-3.1.3-7""",
        up=_renamed,
    )
    yield _fault(
        "connect/one-client-id",
        "MQTT311-3.1.3-6 MQTT5-3.1.3-6",
        up=set_(Connect, lambda talk, p: not p.client_id and p.clean_start, client_id="same"),
    )
    yield _fault("connect/ids-refused", "MQTT5-3.1.3-5 MQTT311-3.1.3-5", down=on(Connack)(_picky))
    yield _fault(
        "connect/one-version",
        "X5-connect-version-selects X31-protocol-violation MQTT311-3.1.2-1",
        down=on(Publish)(lambda talk, p: () if talk.version != V5 else None),
    )


def _willed(talk: Talk, packet: Packet) -> Out:
    """A Will Message for whoever brings none, to the topic that was subscribed to last."""
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
    """Reason Strings on everything that can have one, for a client that set a limit."""
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


# ---------------------------------------------------------------- PUBLISH


def _messages() -> Iterator[Fault]:
    yield _fault(
        "publish/lost",
        """MQTT5-3.3.2-3 MQTT311-3.3.2-3 MQTT5-4.3.1-1 X5-message-to-every-match X311-deliver-to-matching
        X5-nonshared-own-copy X5-nonshared-own-session X5-multi-level-wildcard-matches
        X5-single-level-wildcard-matches X311-multi-level-wildcard X311-single-level-wildcard
        X5-topic-match-exact X311-topic-match-exact X5-topic-slash-distinct X311-topic-outer-slash
        X5-topic-level-empty X311-topic-empty-level X311-topic-separator X311-qos0-ownership MQTT311-4.3.1-1
        X5-subscription-created X5-retain-available-absent X311-new-subscription-retained
        X5-message-expiry-absent X5-shared-created X5-shared-joined X5-shared-subscription-absent
        X5-shared-one-receiver X5-shared-filter-syntax X5-shared-independent X5-shared-session-end
        X5-shared-and-nonshared X5-shared-outlives-creator X5-wildcard-subscription-absent
        X5-maximum-packet-size-absent-connect X5-property-order-free X5-payload-format-zero
        X311-topic-slash-only X5-utf8-string-any-length X5-retain-handling-only-subscribe
        X5-unsubscribe-no-match MQTT5-4.7.3-3 MQTT311-4.7.3-3 MQTT5-3.8.3-3 X5-retained-outlive-session
        MQTT311-3.1.2-7 X5-topic-level-count X311-topic-levels-unlimited X311-clients-independent
        X5-negative-ack-alone X5-packet-id-reuse X5-subscription-identifier-absent MQTT5-3.3.1-9
        MQTT311-3.3.1-6 X5-quota-qos0 MQTT5-3.3.4-10 X5-session-state-subscriptions MQTT311-4.1.0-2
        MQTT5-3.8.4-4 MQTT311-3.8.4-3 X5-quota-ack X5-puback-short-read X5-pubrec-short-read
        X5-pubcomp-short-read X5-packet-id-independent MQTT5-4.4.0-1 MQTT311-4.4.0-1 MQTT5-3.10.4-3
        MQTT311-3.10.4-3 X5-topic-case-sensitive X311-topic-case X31-retain-new-subscription
        X31-delivery-qos X5-session-state-outbound MQTT5-4.8.2-4 MQTT5-4.3.3-12 X5-topic-alias-known-empty
        X5-topic-alias-known-name X5-topic-alias-unknown-name X5-topic-alias-remapped MQTT5-3.3.2-12""",
        down=drop(Publish),
    )
    yield _fault(
        "publish/twice",
        """X5-shared-one-receiver MQTT5-4.3.3-10 MQTT311-4.3.3-2 MQTT5-3.8.4-3 MQTT311-3.8.4-3 X31-dup-hint
        X5-qos0-no-response X311-qos0-no-retry X5-session-state-inbound""",
        down=twice(Publish),
    )
    yield _fault(
        "publish/dup-set",
        """MQTT5-3.3.1-3 MQTT311-3.3.1-3 MQTT5-4.3.2-2 MQTT5-4.3.3-2 MQTT311-4.3.2-1 MQTT311-4.3.3-1
        X311-dup-meaning""",
        down=set_(Publish, lambda talk, p: p.qos > 0, dup=True),
    )
    yield _fault(
        "publish/never-resent",
        "MQTT5-4.3.3-3 MQTT5-4.3.3-7 MQTT5-4.3.3-13 MQTT5-4.4.0-1 MQTT311-4.4.0-1",
        down=drop(Publish, when=lambda talk, p: p.dup),
    )
    yield _fault("publish/wildcard-topic", "MQTT5-3.3.2-2", down=set_(Publish, topic=lambda p: p.topic + "/+"))
    yield _fault("publish/long-length", "MQTT5-1.5.5-1", down=on(Publish)(_long_length))
    yield _fault(
        "publish/dup-never",
        "MQTT5-3.3.1-1 MQTT311-3.3.1-1 MQTT5-4.4.0-1 X311-dup-meaning",
        down=set_(Publish, dup=False),
    )
    yield _fault(
        "publish/dup-at-qos0",
        "MQTT5-4.3.1-1 MQTT311-4.3.1-1 MQTT5-3.3.1-2 MQTT311-3.3.1-2",
        down=on(Publish, when=lambda talk, p: p.qos == 0)(
            lambda talk, p: (bytes([0x38]) + encode(talk.version, p)[1:],)
        ),
    )
    yield _fault(
        "publish/retain-set",
        "MQTT5-3.3.1-12 MQTT311-3.3.1-9 MQTT5-3.3.1-13 X31-retain-live X311-retain-empty-live",
        down=set_(Publish, retain=True),
    )
    yield _fault(
        "publish/retain-cleared",
        "MQTT311-3.3.1-8 X5-retained-retain-flag MQTT5-3.3.1-13 X31-retain-new-subscription",
        down=set_(Publish, retain=False),
    )
    yield _fault(
        "publish/qos-zero",
        """MQTT5-4.3.2-1 MQTT5-4.3.3-1 MQTT5-3.8.4-8 MQTT311-3.8.4-6 MQTT5-3.3.4-2 MQTT311-3.3.5-1
        X31-delivery-qos MQTT5-4.8.2-3 X5-shared-granted-qos""",
        down=set_(Publish, qos=0, packet_id=0, dup=False),
    )
    yield _fault(
        "publish/qos-raised",
        "MQTT5-3.8.4-8 MQTT311-3.8.4-6 MQTT5-4.8.2-3 X5-shared-granted-qos X31-delivery-qos X5-shared-subscribed-twice",
        down=set_(Publish, lambda talk, p: p.qos == 0, qos=1, packet_id=999),
    )
    yield _fault(
        "publish/one-identifier",
        "MQTT5-2.2.1-4 MQTT311-2.3.1-4 X5-packet-id-single-set",
        down=set_(Publish, lambda talk, p: p.qos > 0, packet_id=5),
    )
    yield _fault(
        "publish/no-identifier",
        "MQTT5-2.2.1-2 MQTT311-2.3.1-5",
        down=on(Publish, when=lambda talk, p: p.qos == 0)(lambda talk, p: (_with_identifier(talk, p),)),
    )
    yield _fault(
        "publish/other-topic",
        "MQTT5-3.3.2-3 MQTT311-3.3.2-3",
        down=set_(Publish, lambda talk, p: bool(p.topic), topic=lambda p: p.topic + "/"),
    )
    yield _fault(
        "publish/no-bom",
        "MQTT5-1.5.4-3 MQTT311-1.5.3-3",
        down=set_(Publish, topic=lambda p: p.topic.replace("\ufeff", "")),
    )
    yield _fault("publish/normalized", "MQTT5-4.7.3-4 MQTT311-4.7.3-4", up=on(Publish)(_normalized))
    yield _fault(
        "publish/upper-case",
        "X5-topic-case-sensitive X311-topic-case MQTT5-4.7.3-4 MQTT5-4.7.3-3 MQTT311-4.7.3-3",
        down=set_(Publish, topic=lambda p: p.topic.upper()),
    )
    yield _fault(
        "publish/cut",
        "X5-will-payload-published X5-property-order-free",
        down=set_(Publish, payload=lambda p: p.payload[1:]),
        thorough=False,
    )
    yield _fault(
        "publish/reordered", "MQTT5-4.6.0-5 MQTT5-4.6.0-6 MQTT311-4.6.0-5 MQTT311-4.6.0-6", down=on(Publish)(_swapped)
    )
    yield _fault(
        "publish/resend-reordered",
        "MQTT5-4.6.0-1 MQTT311-4.6.0-1 MQTT5-4.4.0-1",
        thorough=False,
        down=on(Publish, when=lambda talk, p: p.dup)(_swapped),
    )
    yield _fault(
        "publish/resent-unasked",
        "MQTT5-4.4.0-1",
        down=on(Publish, when=lambda talk, p: p.qos == 1)(
            lambda talk, p: (p, Publish(p.topic, p.payload, 1, p.retain, True, p.packet_id, p.properties))
        ),
    )
    yield _fault("publish/not-to-own", "MQTT5-3.8.3-3", up=on(Subscribe)(_all_no_local))
    yield _fault("publish/no-local-ignored", "MQTT5-3.8.3-3", up=on(Subscribe)(_no_no_local))


def _with_identifier(talk: Talk, packet: Any) -> bytes:
    raw = bytearray(encode(talk.version, packet))
    name = packet.topic.encode()
    at = raw.index(name) + len(name)
    raw[at:at] = b"\x00\x01"
    raw[1] += 2
    return bytes(raw)


def _normalized(talk: Talk, packet: Any) -> None:
    import unicodedata

    packet.topic = unicodedata.normalize("NFC", packet.topic)


def _long_length(talk: Talk, packet: Any) -> Out | None:
    raw = encode(talk.version, packet)
    return (raw[:1] + bytes([raw[1] | 0x80, 0]) + raw[2:],) if raw[1] < 0x80 else None


def _swapped(talk: Talk, packet: Any) -> Out:
    """Every second message comes before the first."""
    held = talk.here.pop("held", None)
    if held is None:
        talk.here["held"] = packet
        return ()
    return (packet, held)


def _all_no_local(talk: Talk, packet: Any) -> None:
    for one in packet.subscriptions:
        one.no_local = talk.version == V5 and not one.topic_filter.startswith("$share")


def _no_no_local(talk: Talk, packet: Any) -> None:
    for one in packet.subscriptions:
        one.no_local = False


def _properties() -> Iterator[Fault]:
    lost = {
        "payload_format_indicator": "MQTT5-3.3.2-4",
        "content_type": "MQTT5-3.3.2-20 MQTT5-3.3.2-19",
        "response_topic": "MQTT5-3.3.2-15 MQTT5-3.3.2-13",
        "correlation_data": "MQTT5-3.3.2-16",
        "message_expiry_interval": "MQTT5-3.3.2-6 X5-will-message-expiry-sent",
        "user_property": "MQTT5-3.3.2-17 MQTT5-3.1.3-10 X5-user-property-repeat-allowed",
        "subscription_identifier": "MQTT5-3.3.4-3 MQTT5-3.3.4-4 X5-subscription-identifier-stored "
        "X5-subscription-identifier-identical X5-subscription-identifier-shared X5-session-state-subscriptions",
    }
    for name, statements in lost.items():
        empty: Any = [] if name in ("user_property", "subscription_identifier") else None
        yield _fault(f"properties/{name}-lost", statements, down=property_(Publish, name, lambda p, e=empty: e))
    yield _fault(
        "properties/user-properties-sorted",
        "MQTT5-3.3.2-18 MQTT5-3.1.3-10 X5-will-properties-published",
        down=property_(Publish, "user_property", lambda p: sorted(p.properties.user_property)),
    )
    yield _fault(
        "properties/user-properties-unique",
        "MQTT5-3.3.2-17",
        down=property_(Publish, "user_property", lambda p: list(dict(p.properties.user_property).items())),
    )
    yield _fault(
        "properties/identifier-first-only",
        "MQTT5-3.3.4-4 X5-subscription-identifier-identical",
        down=property_(Publish, "subscription_identifier", lambda p: p.properties.subscription_identifier[:1]),
    )
    yield _fault(
        "properties/identifier-foreign",
        """X5-subscription-identifier-foreign MQTT5-3.3.4-5 MQTT5-3.3.4-3 X5-subscription-identifier-removed
        X5-subscription-identifier-shared""",
        down=property_(
            Publish, "subscription_identifier", lambda p: [*p.properties.subscription_identifier, 77], PublishProperties
        ),
    )
    yield _fault(
        "properties/identifier-kept",
        "X5-subscription-identifier-removed MQTT5-3.3.4-3",
        down=on(Publish)(_remembers),
        thorough=False,
    )
    yield _fault(
        "properties/identifier-reverts",
        "X5-subscription-identifier-no-revert",
        down=on(Publish, when=lambda talk, p: p.dup)(_reverts),
    )
    yield _fault(
        "properties/alias-forwarded",
        "X5-topic-alias-directions MQTT5-3.1.2-27 MQTT5-3.1.2-26",
        down=property_(Publish, "topic_alias", 60, PublishProperties),
    )
    yield _fault("properties/expiry-not-reduced", "MQTT5-3.3.2-6", down=on(Publish)(_rounded))
    yield _fault(
        "properties/expiry-made-up",
        "X5-message-expiry-absent",
        down=property_(Publish, "message_expiry_interval", 10, PublishProperties),
    )
    yield _fault(
        "properties/never-expires",
        "MQTT5-3.3.2-5 X5-retained-expired",
        up=property_(Publish, "message_expiry_interval", None),
    )
    yield _fault(
        "properties/aliases-forgotten",
        """X5-topic-alias-known-empty X5-topic-alias-remapped MQTT5-3.3.2-12 X5-topic-alias-known-name
        X5-topic-alias-unknown-name""",
        up=on(Publish)(_first_alias),
    )
    yield _fault("properties/alias-guessed", "X5-topic-alias-unknown-empty MQTT5-3.3.2-7", up=on(Publish)(_guessed))
    yield _fault(
        "properties/alias-not-known",
        "MQTT5-3.3.2-11 MQTT5-3.3.2-7 MQTT5-3.1.2-26",
        thorough=False,
        down=on(Publish, when=lambda talk, p: talk.version == V5)(_unknown_alias),
    )
    yield _fault(
        "properties/alias-above-accepted", "X5-topic-alias-invalid", up=property_(Publish, "topic_alias", None)
    )


def _remembers(talk: Talk, packet: Any) -> None:
    seen = talk.all.setdefault(talk.connect and talk.connect.client_id, [])
    if packet.properties and packet.properties.subscription_identifier:
        seen[:] = seen or packet.properties.subscription_identifier
    elif seen and talk.version == V5:
        packet.properties = packet.properties or PublishProperties()
        packet.properties.subscription_identifier = list(seen)


def _reverts(talk: Talk, packet: Any) -> None:
    name = talk.connect and talk.connect.client_id
    talk.all[name] = talk.all.get(name, 0) + 1
    if packet.properties is not None:
        packet.properties.subscription_identifier = [2 if talk.all[name] == 1 else 1]


def _rounded(talk: Talk, packet: Any) -> None:
    if packet.properties is not None and packet.properties.message_expiry_interval is not None:
        packet.properties.message_expiry_interval = (packet.properties.message_expiry_interval + 9) // 10 * 10


def _first_alias(talk: Talk, packet: Any) -> Out | None:
    """Only the first name of an alias is kept."""
    alias = packet.properties.topic_alias if packet.properties else None
    if alias is None:
        return None
    if not packet.topic:
        return ()
    return None


def _guessed(talk: Talk, packet: Any) -> None:
    if packet.properties is not None and packet.properties.topic_alias is not None and not packet.topic:
        packet.topic = "guessed"


def _unknown_alias(talk: Talk, packet: Any) -> None:
    limit = talk.connect.properties.topic_alias_maximum if talk.connect and talk.connect.properties else None
    if limit:
        packet.properties = packet.properties or PublishProperties()
        packet.properties.topic_alias = limit
        packet.topic = ""


# ---------------------------------------------------------------- acknowledgements


def _acknowledgements() -> Iterator[Fault]:
    yield _fault(
        "acks/puback-lost",
        """MQTT5-4.3.2-4 MQTT5-4.3.2-5 MQTT311-2.3.1-2 MQTT311-3.3.5-2 X31-publish-unauthorized MQTT5-3.3.4-1
        MQTT311-3.3.4-1 MQTT311-4.3.2-2 X5-packet-id-reuse""",
        down=drop(Puback),
    )
    yield _fault(
        "acks/puback-other-id",
        "MQTT5-2.2.1-5 MQTT311-2.3.1-6 MQTT5-4.3.2-4 MQTT311-4.3.2-2",
        down=set_(Puback, packet_id=lambda p: p.packet_id ^ 1 or 3),
    )
    yield _fault("acks/pubrec-lost", "MQTT5-4.3.3-8 MQTT5-4.3.3-10 MQTT311-4.3.3-2", down=drop(Pubrec))
    yield _fault(
        "acks/pubrec-other-id",
        "MQTT5-2.2.1-5 MQTT5-4.3.3-8",
        down=set_(Pubrec, packet_id=lambda p: p.packet_id ^ 1 or 3),
    )
    yield _fault("acks/pubrel-lost", "MQTT5-4.3.3-4 MQTT5-4.3.3-5 MQTT311-4.3.3-1 MQTT5-4.3.3-6", down=drop(Pubrel))
    yield _fault("acks/pubrel-other-id", "MQTT5-4.3.3-4", down=set_(Pubrel, packet_id=lambda p: p.packet_id ^ 1 or 3))
    yield _fault(
        "acks/pubrel-flags",
        "MQTT311-4.3.3-1",
        down=on(Pubrel)(lambda talk, p: (b"\x60\x02" + p.packet_id.to_bytes(2, "big"),)),
    )
    yield _fault(
        "acks/pubrel-after-refusal",
        "MQTT5-4.3.3-4 MQTT5-4.4.0-2",
        up=set_(Pubrec, lambda talk, p: p.reason_code >= 0x80, reason_code=0),
    )
    yield _fault(
        "acks/pubcomp-lost", "MQTT5-4.3.3-11 MQTT311-4.3.3-2 X5-pubrel-short-read X31-pubrel-flags", down=drop(Pubcomp)
    )
    yield _fault(
        "acks/pubcomp-not-found",
        "MQTT5-3.7.2-1 X5-session-state-inbound",
        down=set_(Pubcomp, lambda talk, p: talk.version == V5, reason_code=0x92),
    )
    yield _fault(
        "acks/pubcomp-unknown-code",
        "X5-pubcomp-id-not-found MQTT5-3.7.2-1",
        down=on(Pubcomp, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (b"\x70\x03" + p.packet_id.to_bytes(2, "big") + b"\x91",)
        ),
    )
    yield _fault(
        "acks/pubrel-unknown-code",
        "X5-pubrel-id-not-found MQTT5-3.6.2-1",
        down=on(Pubrel, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (b"\x62\x03" + p.packet_id.to_bytes(2, "big") + b"\x91",)
        ),
    )
    yield _fault(
        "acks/puback-unknown-code",
        "MQTT5-3.4.2-1 X5-packet-id-in-use",
        thorough=False,
        down=on(Puback, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (b"\x40\x03" + p.packet_id.to_bytes(2, "big") + b"\x05",)
        ),
    )
    yield _fault(
        "acks/in-use-always",
        "X5-packet-id-in-use MQTT5-3.4.2-1",
        down=set_(Puback, lambda talk, p: talk.version == V5, reason_code=0x91),
    )
    yield _fault(
        "acks/pubrec-unknown-code",
        "MQTT5-3.5.2-1",
        down=on(Pubrec, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (b"\x50\x03" + p.packet_id.to_bytes(2, "big") + b"\x05",)
        ),
    )
    yield _fault(
        "acks/no-subscribers-always",
        "X5-puback-no-subscribers-server",
        down=set_(Puback, lambda talk, p: talk.version == V5, reason_code=0x10),
    )
    yield _fault(
        "acks/qos0-acknowledged",
        "MQTT5-3.3.4-1 X5-qos0-no-response X311-qos0-no-response MQTT311-3.3.4-1",
        up=on(Publish, when=lambda talk, p: p.qos == 0)(_as_qos1),
    )
    yield _fault("acks/suback-lost", "MQTT5-3.8.4-1 MQTT311-3.8.4-1", down=drop(Suback))
    yield _fault(
        "acks/suback-other-id",
        "MQTT5-3.8.4-2 MQTT311-3.8.4-2 MQTT5-2.2.1-6 MQTT311-2.3.1-7",
        down=set_(Suback, packet_id=lambda p: p.packet_id ^ 1 or 3),
    )
    yield _fault(
        "acks/suback-reversed",
        "MQTT5-3.8.4-7 MQTT5-3.9.3-1 MQTT311-3.9.3-1 MQTT5-3.8.4-6 MQTT311-3.8.4-5",
        down=set_(Suback, reason_codes=lambda p: p.reason_codes[::-1]),
    )
    yield _fault(
        "acks/suback-short",
        """MQTT5-3.8.4-5 MQTT311-3.8.4-4 MQTT5-3.8.4-6 MQTT311-3.8.4-5 MQTT5-3.9.3-1 MQTT311-3.9.3-1""",
        down=set_(Suback, reason_codes=lambda p: p.reason_codes[:1]),
    )
    yield _fault("acks/suback-undefined", "MQTT5-3.9.3-2 MQTT311-3.9.3-2 X31-suback-codes", down=on(Suback)(_undefined))
    yield _fault(
        "acks/suback-granted-more",
        "MQTT5-3.8.4-7 X311-suback-granted",
        down=set_(Suback, reason_codes=lambda p: [2 for _ in p.reason_codes]),
    )
    yield _fault(
        "acks/suback-granted-always",
        "MQTT311-3.8.3-2 X311-suback-failure X5-wildcard-refused-suback",
        down=set_(Suback, reason_codes=lambda p: [0 for _ in p.reason_codes]),
    )
    yield _fault(
        "acks/suback-refused",
        "MQTT5-3.2.2-10 X31-subscribe-unauthorized",
        down=on(Suback)(lambda talk, p: (encode(talk.version, p)[:-1] + b"\x80",)),
    )
    yield _fault("acks/suback-parts", "MQTT5-3.8.4-5 MQTT311-3.8.4-4 MQTT5-3.8.4-6", up=on(Subscribe)(_apart))
    yield _fault(
        "acks/unsuback-lost", "MQTT5-3.10.4-4 MQTT5-3.10.4-5 MQTT311-3.10.4-4 MQTT311-3.10.4-5", down=drop(Unsuback)
    )
    yield _fault(
        "acks/unsuback-other-id",
        "MQTT5-2.2.1-6 MQTT311-2.3.1-7 MQTT5-3.10.4-4 MQTT311-3.10.4-4",
        down=set_(Unsuback, packet_id=lambda p: p.packet_id ^ 1 or 3),
    )
    yield _fault(
        "acks/unsuback-reversed",
        "MQTT5-3.11.3-1 X5-unsuback-no-subscription",
        thorough=False,
        down=set_(Unsuback, reason_codes=lambda p: sorted(p.reason_codes)),
    )
    yield _fault(
        "acks/unsuback-short",
        "MQTT5-3.10.4-6 X5-unsuback-reason-codes MQTT5-3.11.3-1",
        down=set_(Unsuback, lambda talk, p: talk.version == V5, reason_codes=lambda p: p.reason_codes[:1]),
    )
    yield _fault(
        "acks/unsuback-undefined",
        "MQTT5-3.11.3-2",
        down=on(Unsuback, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (encode(V5, Unsuback(p.packet_id, [0]))[:-1] + b"\x01",)
        ),
    )
    yield _fault(
        "acks/unsuback-all-found",
        "X5-unsuback-no-subscription MQTT5-3.11.3-2",
        thorough=False,
        down=set_(Unsuback, reason_codes=lambda p: [0 for _ in p.reason_codes]),
    )
    yield _fault(
        "acks/unsuback-payload",
        "X311-unsuback-no-payload X31-unsuback-no-payload",
        down=on(Unsuback, when=lambda talk, p: talk.version != V5)(
            lambda talk, p: (b"\xb0\x03" + p.packet_id.to_bytes(2, "big") + b"\x00",)
        ),
    )
    yield _fault("acks/unsuback-twice", "MQTT5-3.10.4-6 MQTT311-3.10.4-6", down=twice(Unsuback))
    yield _fault("acks/pingresp-lost", "MQTT5-3.12.4-1 MQTT311-3.12.4-1", down=drop(Pingresp))
    yield _fault("acks/pings-merged", "MQTT5-3.12.4-1", up=on(Pingreq)(_every_other), thorough=False)
    yield _fault(
        "acks/no-property-length",
        "MQTT5-2.2.2-1",
        down=on(Publish, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (encode(4, Publish(p.topic, p.payload, p.qos, p.retain, p.dup, p.packet_id)),)
        ),
    )


def _as_qos1(talk: Talk, packet: Any) -> None:
    packet.qos, packet.packet_id, packet.dup = 1, 4242, False


def _undefined(talk: Talk, packet: Any) -> Out:
    return (encode(talk.version, packet)[:-1] + b"\x03",)


def _apart(talk: Talk, packet: Any) -> Out:
    """Each filter of a SUBSCRIBE as one of its own: several SUBACKs come."""
    return [Subscribe(packet.packet_id, [one], packet.properties) for one in packet.subscriptions]


def _every_other(talk: Talk, packet: Any) -> Out | None:
    talk.here["n"] = talk.here.get("n", 0) + 1
    return () if talk.here["n"] == 2 else None


# ---------------------------------------------------------------- subscriptions


def _subscriptions() -> Iterator[Fault]:
    def options(**values: Any) -> Alter:
        def change(talk: Talk, packet: Any) -> None:
            for one in packet.subscriptions:
                for name, value in values.items():
                    if talk.version == V5 or name == "qos":
                        setattr(one, name, value)

        return on(Subscribe)(change)

    yield _fault(
        "subscribe/unsubscribe-ignored",
        """MQTT5-3.10.4-1 MQTT5-3.10.4-2 MQTT311-3.10.4-1 MQTT311-3.10.4-2 MQTT5-3.10.4-6 MQTT311-3.10.4-6
        X5-shared-unsubscribe-filter X5-unsubscribe-shared X5-shared-subscribed-twice""",
        up=on(Unsubscribe)(_elsewhere),
    )
    yield _fault(
        "subscribe/unsubscribe-first-only",
        "MQTT5-3.10.4-6 MQTT311-3.10.4-6",
        up=set_(Unsubscribe, topic_filters=lambda p: [p.topic_filters[0] for _ in p.topic_filters]),
    )
    yield _fault(
        "subscribe/unsubscribe-matching",
        "X5-unsubscribe-no-match MQTT5-3.10.4-1 MQTT311-3.10.4-1",
        thorough=False,
        up=on(Unsubscribe)(_loosely),
    )
    yield _fault("subscribe/first-only", """MQTT5-3.8.4-5 MQTT311-3.8.4-4""", up=on(Subscribe)(_first_filter))
    yield _fault("subscribe/retain-handling-ignored", "MQTT5-3.3.1-10 MQTT5-3.3.1-11", up=options(retain_handling=0))
    yield _fault(
        "subscribe/never-retained",
        "MQTT5-3.3.1-9 MQTT5-3.3.1-10 MQTT5-3.8.4-4 X5-subscription-created",
        up=options(retain_handling=2),
    )
    yield _fault("subscribe/retain-as-published", "MQTT5-3.3.1-12", up=options(retain_as_published=True))
    yield _fault("subscribe/retain-not-as-published", "MQTT5-3.3.1-13", up=options(retain_as_published=False))
    yield _fault(
        "subscribe/highest-qos",
        "MQTT5-3.8.4-8 MQTT311-3.8.4-6 MQTT5-3.8.4-3 MQTT311-3.8.4-3 X31-delivery-qos",
        up=options(qos=2),
        down=set_(Suback, reason_codes=lambda p: [min(c, 0) for c in p.reason_codes]),
    )
    yield _fault(
        "subscribe/lowest-qos",
        "MQTT5-3.3.4-2 MQTT311-3.3.5-1 MQTT5-3.8.4-8 MQTT5-4.3.2-1 MQTT5-4.3.3-1",
        up=options(qos=0),
    )
    yield _fault(
        "subscribe/shared-as-ordinary",
        """X5-shared-one-receiver X5-shared-filter-syntax X5-shared-no-retained X5-shared-outlives-creator
        X5-shared-unsubscribe-filter""",
        up=_ordinary,
    )
    yield _fault("subscribe/shared-name-ignored", "X5-shared-independent", up=on(Subscribe)(_one_group))
    yield _fault(
        "subscribe/dollar-matched",
        "MQTT5-4.7.2-1 MQTT311-4.7.2-1 X5-shared-match-prefix",
        up=on(Subscribe)(_everything),
        down=on(Suback)(_with_sys),
    )
    yield _fault(
        "subscribe/shared-stale",
        "X5-shared-end X5-shared-no-retained",
        up=on(Subscribe)(_share),
        down=on(Suback)(_stale),
    )
    yield _fault("subscribe/shared-moved", "MQTT5-4.8.2-5 MQTT5-4.8.2-6", up=_leaves, down=_moved)
    yield _fault(
        "subscribe/retained-on-resume",
        "X5-retained-on-subscribe MQTT5-3.3.1-9 MQTT5-3.3.1-10",
        thorough=False,
        down=on(Connack, when=lambda talk, p: p.session_present)(
            lambda talk, p: (p, Publish("retained/again", b"m", retain=True))
        ),
    )
    yield _fault(
        "subscribe/not-retained",
        """MQTT5-3.3.1-5 MQTT311-3.3.1-5 MQTT311-3.1.2-7 X5-retained-outlive-session MQTT5-3.3.1-9
        MQTT5-3.3.1-10 X5-subscription-created X31-retain-new-subscription X311-new-subscription-retained
        X5-retain-available-absent MQTT5-3.1.2-15""",
        up=set_(Publish, retain=False),
        thorough=False,
    )
    yield _fault(
        "subscribe/all-retained", "MQTT5-3.3.1-8 MQTT311-3.3.1-12 MQTT5-3.1.2-14", up=set_(Publish, retain=True)
    )
    yield _fault(
        "subscribe/not-removed",
        "MQTT5-3.3.1-6 MQTT311-3.3.1-10",
        up=drop(Publish, when=lambda talk, p: p.retain and not p.payload),
    )
    yield _fault(
        "subscribe/empty-kept",
        "MQTT5-3.3.1-7 MQTT311-3.3.1-11",
        up=set_(Publish, lambda talk, p: p.retain and not p.payload, payload=b" "),
    )
    yield _fault(
        "subscribe/oldest-retained",
        "MQTT5-3.3.1-5 MQTT311-3.3.1-5 MQTT311-3.3.1-7",
        up=on(Publish, when=lambda talk, p: p.retain and bool(p.payload))(_once),
    )
    yield _fault(
        "subscribe/share-apart", "X5-shared-joined X5-shared-created", thorough=False, up=on(Subscribe)(_own_group)
    )


def _share(talk: Talk, packet: Any) -> None:
    name = packet.subscriptions[0].topic_filter
    talk.here["share"] = name.split("/", 2)[-1] if name.startswith("$share/") else ""


def _stale(talk: Talk, packet: Any) -> Out | None:
    name = talk.here.get("share")
    return (packet, Publish(name, b"stale")) if name else None


def _everything(talk: Talk, packet: Any) -> None:
    talk.here["everything"] = any(one.topic_filter.endswith("#") for one in packet.subscriptions)


def _with_sys(talk: Talk, packet: Any) -> Out | None:
    return (packet, Publish("$SYS/spoilt", b"1")) if talk.here.get("everything") else None


def _leaves(talk: Talk, packet: Packet) -> Out:
    """Notes a message that its receiver refused, or left behind half received."""
    refused = isinstance(packet, (Puback, Pubrec)) and packet.reason_code >= 0x80
    if refused or (isinstance(packet, Disconnect) and talk.here.get("begun")):
        talk.all["again"] = talk.all.get("last")
    talk.here["begun"] = talk.here.get("begun") or isinstance(packet, Pubrec)
    return (packet,)


def _moved(talk: Talk, packet: Packet) -> Out:
    """Sends such a message to whoever comes next."""
    if isinstance(packet, Publish) and packet.qos:
        talk.all["last"] = packet
    again = talk.all.get("again")
    if isinstance(packet, Pingresp) and again is not None:
        talk.all["again"] = None
        return (packet, Publish(again.topic, again.payload, again.qos, packet_id=777))
    return (packet,)


def _elsewhere(talk: Talk, packet: Any) -> None:
    packet.topic_filters = [f + "/elsewhere" for f in packet.topic_filters]


def _loosely(talk: Talk, packet: Any) -> None:
    packet.topic_filters = [f.rpartition("/")[0] + "/+" for f in packet.topic_filters]


def _first_filter(talk: Talk, packet: Any) -> None:
    for one in packet.subscriptions[1:]:
        one.topic_filter += "/elsewhere"


def _ordinary(talk: Talk, packet: Packet) -> Out:
    if isinstance(packet, (Subscribe, Unsubscribe)):
        packet = copy.deepcopy(packet)
        if isinstance(packet, Subscribe):
            for one in packet.subscriptions:
                if one.topic_filter.startswith("$share/") and not one.no_local:
                    one.topic_filter = one.topic_filter.split("/", 2)[-1]
    return (packet,)


def _one_group(talk: Talk, packet: Any) -> None:
    for one in packet.subscriptions:
        if one.topic_filter.startswith("$share/"):
            one.topic_filter = "$share/all/" + one.topic_filter.split("/", 2)[-1]


def _own_group(talk: Talk, packet: Any) -> None:
    for number, one in enumerate(packet.subscriptions):
        if one.topic_filter.startswith("$share/"):
            talk.all["n"] = talk.all.get("n", 0) + 1
            one.topic_filter = f"$share/g{talk.all['n']}{number}/" + one.topic_filter.split("/", 2)[-1]


def _once(talk: Talk, packet: Any) -> Out | None:
    seen = talk.all.setdefault("topics", set())
    if packet.topic in seen:
        return (Publish(packet.topic + "/x", packet.payload, packet.qos, packet_id=packet.packet_id),)
    seen.add(packet.topic)
    return None


# ---------------------------------------------------------------- sizes, and how connections end


def _sizes() -> Iterator[Fault]:
    small: Callable[[Talk, Any], bool] = lambda talk, p: bool(  # noqa: E731
        talk.connect and talk.connect.properties and talk.connect.properties.maximum_packet_size
    )
    made: dict[type[Any], tuple[type[Any], str, str]] = {
        Puback: (PubackProperties, "MQTT5-3.4.2-2", "MQTT5-3.4.2-3"),
        Suback: (SubackProperties, "MQTT5-3.9.2-1", "MQTT5-3.9.2-2"),
        Unsuback: (UnsubackProperties, "MQTT5-3.11.2-1", "MQTT5-3.11.2-2"),
        Disconnect: (DisconnectProperties, "MQTT5-3.14.2-3", "MQTT5-3.14.2-4"),
    }
    import mqtt_ref.wire.packets as all_packets

    for kind, number in ((Pubrec, 5), (Pubrel, 6), (Pubcomp, 7)):
        properties = getattr(all_packets, kind.__name__ + "Properties")
        made[kind] = (properties, f"MQTT5-3.{number}.2-2", f"MQTT5-3.{number}.2-3")
    for kind, (properties, reason, user) in made.items():
        name = kind.__name__.lower()
        texts: dict[str, tuple[str, Any]] = {
            "reason-string": (reason, properties(reason_string="why" * 30)),
            "user-properties": (user, properties(user_property=[("a", "b" * 90)])),
        }
        for word, (statement, value) in texts.items():
            yield _fault(f"size/{name}-{word}", statement, down=set_(kind, small, properties=value))
    yield _fault(
        "size/problem-information",
        "MQTT5-3.1.2-29",
        down=on(Puback, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (Puback(p.packet_id, p.reason_code, PubackProperties(reason_string="why")),)
        ),
    )


def _ends() -> Iterator[Fault]:
    yield _fault(
        "end/stays-open",
        """MQTT5-3.1.0-1 MQTT311-3.1.0-1 MQTT5-3.1.0-2 MQTT311-3.1.0-2 MQTT5-3.1.2-2 MQTT5-3.1.4-2
        MQTT5-4.13.2-1 MQTT5-3.2.2-7 MQTT311-3.2.2-5 X31-connack-refused-close X311-connect-refused-close
        MQTT5-3.14.4-2 MQTT5-4.13.1-1 MQTT311-4.8.0-1 MQTT311-2.2.2-2 MQTT5-3.1.4-1 MQTT311-3.1.4-1
        MQTT5-3.1.4-3 MQTT311-3.1.4-2 X31-client-id-in-use MQTT5-4.12.0-1 MQTT5-4.12.0-7
        X5-auth-other-method X5-first-packet-not-connect MQTT5-3.8.3-4 X5-connect-reserved-flag-malformed
        MQTT5-3.1.2-3 MQTT311-3.1.2-3 MQTT311-3.1.3-8 MQTT311-3.1.3-9
        X5-disconnect-session-expiry-after-zero X5-disconnect-session-expiry-refused
        X5-topic-alias-unknown-empty X5-topic-alias-invalid X5-receive-maximum-exceeded-server MQTT5-3.3.4-7
        X5-publish-qos-malformed X5-subscribe-empty-payload X5-unsubscribe-empty-payload
        X5-string-pair-malformed X5-utf8-ill-formed-malformed X5-utf8-null-malformed
        X5-fixed-header-flags-malformed X5-error-generic-codes X5-will-qos-malformed MQTT5-3.1.2-1
        MQTT311-3.1.2-1 MQTT5-3.1.2-22 MQTT311-3.1.2-24 X31-keep-alive MQTT5-3.3.4-6 X5-closing-code-alone
        X5-disconnect-short-read MQTT5-3.1.3-2 MQTT311-3.1.3-2 X5-maximum-qos-exceeded MQTT5-3.2.2-11
        X5-retain-not-supported-protocol-error MQTT5-3.2.2-14 X5-wildcard-not-supported
        X5-shared-not-supported X5-packet-too-large-server MQTT5-3.2.2-15
        X5-subscription-identifier-not-supported MQTT5-3.2.2-12 MQTT5-3.2.2-13 MQTT5-3.1.3-8""",
        linger=True,
        down=drop(Disconnect),
    )
    yield _fault(
        "end/all-close",
        """X5-error-other-sessions X5-closing-code-alone MQTT311-4.8.0-1 MQTT311-2.2.2-2 X5-negative-ack-alone
        MQTT5-4.13.1-1""",
        thorough=False,
        down=on(Pingresp)(_closed_once),
        up=on(Pingreq)(_mark),
    )
    yield _fault(
        "end/disconnect-code",
        """X5-error-generic-codes MQTT5-3.1.4-3 MQTT5-3.1.2-22 X5-second-connect-code X5-maximum-qos-exceeded
        X5-receive-maximum-exceeded-server X5-packet-too-large-server X5-shared-not-supported
        X5-wildcard-not-supported X5-subscription-identifier-not-supported
        X5-retain-not-supported-disconnect""",
        down=set_(Disconnect, reason_code=0x8B),
    )
    yield _fault(
        "end/disconnect-before-connack", "MQTT5-3.14.0-1 X5-first-packet-not-connect", farewell=b"\xe0\x02\x82\x00"
    )
    yield _fault(
        "end/early-messages", "MQTT5-3.1.4-6 MQTT311-3.1.4-5 MQTT5-3.1.0-1 MQTT311-3.1.0-1", up=_kept_early, down=_early
    )
    yield _fault(
        "end/disconnect-with-expiry",
        "MQTT5-3.14.2-2",
        down=on(Disconnect)(lambda talk, p: (b"\xe0\x07" + bytes([p.reason_code]) + b"\x05\x11\x00\x00\x00\x01",)),
    )
    yield _fault(
        "end/disconnect-will",
        "X5-disconnect-with-will-client MQTT5-3.14.2-1",
        thorough=False,
        down=on(Disconnect)(lambda talk, p: (b"\xe0\x02\x04\x00",)),
    )
    yield _fault("end/after-disconnect", "MQTT5-3.14.4-1", down=on(Disconnect)(lambda talk, p: (p, Pingresp())))
    yield _fault(
        "end/will-after-goodbye",
        """MQTT5-3.14.4-3 MQTT311-3.14.4-3 MQTT5-3.1.2-10 MQTT311-3.1.2-10 X31-will-situations
        X5-disconnect-short-read""",
        up=drop(Disconnect),
    )
    yield _fault(
        "end/expiry-in-disconnect-ignored",
        "X5-disconnect-session-expiry X5-disconnect-session-expiry-after-zero X5-disconnect-session-expiry-refused",
        up=on(Disconnect)(lambda talk, p: (Disconnect(p.reason_code),)),
        thorough=False,
    )


def _closed_once(talk: Talk, packet: Any) -> Out | None:
    return ()


def _mark(talk: Talk, packet: Any) -> None:
    talk.here["pinged"] = True


def _kept_early(talk: Talk, packet: Packet) -> Out:
    """Keeps a message that comes behind a CONNECT that is no good, or without any."""
    if talk.connect is None and isinstance(packet, Publish):
        talk.all.setdefault("early", []).append(packet)
    return (packet,)


def _early(talk: Talk, packet: Packet) -> Out:
    """Delivers such a message to whoever is there."""
    early = talk.all.get("early", [])
    return (*early, packet) if isinstance(packet, Pingresp) else (packet,)

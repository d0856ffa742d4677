# SPDX-License-Identifier: MIT
"""Faults of subscriptions, retained messages and shared groups."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Talk
from mqtt_conformance.faults.spoil import Alter, Out, by_hand, drop, on, set_
from mqtt_ref.wire.packets import (
    Connack,
    Disconnect,
    Packet,
    Pingresp,
    Puback,
    Publish,
    Pubrec,
    Suback,
    Subscribe,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import V5

__all__ = ["faults"]


def _client(talk: Talk) -> str:
    return talk.connect.client_id if talk.connect is not None else ""


def _case(talk: Talk) -> str:
    """The common prefix of the Client Identifiers of one case."""
    return _client(talk)[:11]


@on(Subscribe)
def _remembered(talk: Talk, packet: Subscribe) -> None:
    talk.all[_client(talk)] = packet.subscriptions[0].topic_filter


def faults() -> Iterator[Fault]:
    """All of them."""

    def options(**values: Any) -> Alter:
        def change(talk: Talk, packet: Any) -> None:
            for one in packet.subscriptions:
                for name, value in values.items():
                    if talk.version == V5 or name == "qos":
                        setattr(one, name, value)

        return on(Subscribe)(change)

    yield by_hand(
        "subscribe/unsubscribe-ignored",
        """MQTT5-3.10.4-1 MQTT5-3.10.4-2 MQTT311-3.10.4-1 MQTT311-3.10.4-2 MQTT5-3.10.4-6 MQTT311-3.10.4-6
        X5-shared-unsubscribe-filter X5-unsubscribe-shared X5-shared-subscribed-twice""",
        up=on(Unsubscribe)(_elsewhere),
    )
    yield by_hand(
        "subscribe/unsubscribe-first-only",
        "MQTT5-3.10.4-6 MQTT311-3.10.4-6",
        up=set_(Unsubscribe, topic_filters=lambda p: [p.topic_filters[0] for _ in p.topic_filters]),
    )
    yield by_hand(
        "subscribe/unsubscribe-matching",
        "X5-unsubscribe-no-match MQTT5-3.10.4-1 MQTT311-3.10.4-1",
        thorough=False,
        up=on(Unsubscribe)(_loosely),
    )
    yield by_hand("subscribe/first-only", """MQTT5-3.8.4-5 MQTT311-3.8.4-4""", up=on(Subscribe)(_first_filter))
    yield by_hand("subscribe/retain-handling-ignored", "MQTT5-3.3.1-10 MQTT5-3.3.1-11", up=options(retain_handling=0))
    yield by_hand(
        "subscribe/never-retained",
        "MQTT5-3.3.1-9 MQTT5-3.3.1-10 X5-subscription-created",
        up=options(retain_handling=2),
    )
    yield by_hand("subscribe/retain-as-published", "MQTT5-3.3.1-12", up=options(retain_as_published=True))
    yield by_hand("subscribe/retain-not-as-published", "MQTT5-3.3.1-13", up=options(retain_as_published=False))
    yield by_hand(
        "subscribe/highest-qos",
        "MQTT5-3.8.4-8 MQTT311-3.8.4-6 MQTT5-3.8.4-3 MQTT311-3.8.4-3 X31-delivery-qos",
        up=options(qos=2),
        down=set_(Suback, reason_codes=lambda p: [min(c, 0) for c in p.reason_codes]),
    )
    yield by_hand(
        "subscribe/lowest-qos",
        "MQTT5-3.3.4-2 MQTT311-3.3.5-1 MQTT5-3.8.4-8 MQTT5-4.3.2-1 MQTT5-4.3.3-1",
        up=options(qos=0),
        down=set_(Suback, reason_codes=lambda p: [2 if c < 0x80 else c for c in p.reason_codes]),
    )
    yield by_hand(
        "subscribe/shared-as-ordinary",
        """X5-shared-one-receiver X5-shared-filter-syntax X5-shared-no-retained X5-shared-outlives-creator
        X5-shared-unsubscribe-filter""",
        up=_ordinary,
    )
    yield by_hand("subscribe/shared-name-ignored", "X5-shared-independent", up=on(Subscribe)(_one_group))
    yield by_hand(
        "subscribe/dollar-matched",
        "MQTT5-4.7.2-1 MQTT311-4.7.2-1 X5-shared-match-prefix",
        up=on(Subscribe)(_everything),
        down=on(Suback)(_with_sys),
    )
    yield by_hand(
        "subscribe/shared-stale",
        "X5-shared-end X5-shared-no-retained",
        up=on(Subscribe)(_share),
        down=on(Suback)(_stale),
    )
    yield by_hand("subscribe/shared-moved", "MQTT5-4.8.2-5 MQTT5-4.8.2-6", up=_leaves, down=_moved)
    yield by_hand(
        "subscribe/retained-on-resume",
        "X5-retained-on-subscribe MQTT5-3.3.1-9 MQTT5-3.3.1-10",
        thorough=False,
        up=_remembered,
        down=on(Connack, when=lambda talk, p: p.session_present)(
            lambda talk, p: (p, Publish(talk.all.get(_client(talk), "retained/again"), b"m", retain=True))
        ),
    )
    yield by_hand(
        "subscribe/not-retained",
        """MQTT5-3.3.1-5 MQTT311-3.3.1-5 MQTT311-3.1.2-7 X5-retained-outlive-session MQTT5-3.3.1-9
        MQTT5-3.3.1-10 X5-subscription-created X31-retain-new-subscription X311-new-subscription-retained
        X5-retain-available-absent MQTT5-3.1.2-15""",
        up=set_(Publish, retain=False),
        thorough=False,
    )
    yield by_hand("subscribe/all-retained", "MQTT5-3.3.1-8 MQTT311-3.3.1-12", up=set_(Publish, retain=True))
    yield by_hand(
        "subscribe/not-removed",
        "MQTT5-3.3.1-6 MQTT311-3.3.1-10",
        up=drop(Publish, when=lambda talk, p: p.retain and not p.payload),
    )
    yield by_hand(
        "subscribe/empty-kept",
        "MQTT5-3.3.1-7 MQTT311-3.3.1-11",
        up=set_(Publish, lambda talk, p: p.retain and not p.payload, payload=b" "),
    )
    yield by_hand(
        "subscribe/oldest-retained",
        "MQTT5-3.3.1-5 MQTT311-3.3.1-5 MQTT311-3.3.1-7",
        up=on(Publish, when=lambda talk, p: p.retain and bool(p.payload))(_once),
    )
    yield by_hand(
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
    """Note a message that its receiver refused, or left half received."""
    refused = isinstance(packet, (Puback, Pubrec)) and packet.reason_code >= 0x80
    if refused or (isinstance(packet, Disconnect) and talk.here.get("begun")):
        talk.all["again", _case(talk)] = talk.all.get(("last", _case(talk)))
    talk.here["begun"] = talk.here.get("begun") or isinstance(packet, Pubrec)
    return (packet,)


def _moved(talk: Talk, packet: Packet) -> Out:
    """Send such a message to the case's next client."""
    if isinstance(packet, Publish) and packet.qos:
        talk.all["last", _case(talk)] = packet
    again = talk.all.get(("again", _case(talk)))
    if isinstance(packet, Pingresp) and again is not None:
        talk.all["again", _case(talk)] = None
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

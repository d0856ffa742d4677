# SPDX-License-Identifier: MIT
"""Faults of a second author: more of 3.1.1 and 3.1."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.acks import Acks, unmatched
from mqtt_conformance.proxy.second.malformed import of
from mqtt_conformance.proxy.second.malformed_connect import bad_connect, with_flags
from mqtt_conformance.proxy.second.retained import RETAINED
from mqtt_conformance.proxy.second.suback import noting, unique_codes
from mqtt_conformance.proxy.second.tools import (
    LIVE,
    answering,
    body_of,
    changing,
    fault,
    forge,
    losing,
    publish_parts,
    remade,
    renouncing,
    requalified,
    rewriting,
    skip,
    spreading,
    tolerating,
    with_first,
)
from mqtt_conformance.proxy.second.will import BOTH_WILLS, WILL, break_off, will_retain
from mqtt_conformance.proxy.world import Delivery, Link, matches
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Suback,
    Subscribe,
    Unsubscribe,
)
from mqtt_ref.wire.violation import Violation

__all__: list[str] = []


@fault(
    "live-own-message-not-delivered-311",
    "X311-deliver-to-matching",
    "live",
    4,
    0,
    "a client does not get the messages that it publishes itself, as with No Local",
    ("MQTT311-4.5.0-1",),
)
def _() -> Rule:
    return renouncing(LIVE, lambda link, d: d.message is not None and d.message.publisher == link.client_id)()


@fault(
    "live-qos2-as-qos1-with-overlap-311",
    "MQTT311-3.8.4-6",
    "live",
    4,
    2,
    "a QoS 2 message that matches two subscriptions granted QoS 2 is delivered at QoS 1",
    ("MQTT311-3.3.5-1",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path == "live" and d.packet.qos == 2 and len(d.subs) > 1 and all(sub.qos == 2 for sub in d.subs):
            return requalified(link, d.packet, 1)
        return None

    return Hooks(publish=publish)


fault(
    "queued-bom-stripped-311",
    "MQTT311-1.5.3-3",
    "queued",
    4,
    1,
    "U+FEFF is taken out of the Topic Name of a message that waited for the client, wherever it stands",
)(
    changing(
        ("queued",),
        lambda packet, d: (
            {"topic": packet.topic.replace("\ufeff", "")}
            if "\ufeff" in packet.topic and packet.topic.replace("\ufeff", "")
            else None
        ),
    )
)


@fault(
    "retained-qos1-as-qos0-311",
    "MQTT311-3.8.4-6",
    "retained",
    4,
    1,
    "a retained message of QoS 1 is sent at QoS 0 to a new subscription granted QoS 1",
    ("MQTT311-3.3.1-5",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        return requalified(link, d.packet, 0) if d.path in RETAINED and d.packet.qos == 1 else None

    return Hooks(publish=publish)


@fault(
    "retained-to-first-subscriber-only-311",
    "MQTT311-3.3.1-6",
    "retained",
    4,
    None,
    "a retained message is sent to the first new subscription that matches it and to no later one",
    ("X311-new-subscription-retained", "MQTT311-3.3.1-5"),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path not in RETAINED or d.message is None or d.message.will:
            return None
        first = d.message.memo.setdefault("first", link.client_id)
        return skip(link, d) if first != link.client_id else None

    return Hooks(publish=publish)


@fault(
    "retained-for-first-filter-only-311",
    "MQTT311-3.8.4-4",
    "retained",
    4,
    None,
    "for a SUBSCRIBE with several filters only the retained messages of the first filter are sent",
    ("MQTT311-3.3.1-6", "X311-new-subscription-retained"),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe):
            link.memo["later"] = {one.topic_filter for one in packet.subscriptions[1:]} - {
                packet.subscriptions[0].topic_filter
            }
        return None

    def publish(link: Link, d: Delivery) -> Out:
        later = link.memo.get("later", ())
        if d.path in RETAINED and d.subs and all(sub.topic_filter in later for sub in d.subs):
            return skip(link, d)
        return None

    return Hooks(up=up, publish=publish)


@fault(
    "retained-empty-kept-311",
    "MQTT311-3.3.1-11",
    "retained",
    4,
    0,
    "a QoS 0 message of zero bytes with RETAIN 1 is kept: new subscribers get an empty retained message",
    ("MQTT311-3.3.1-10",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.retain:
            empty: set[str] = link.world.memo.setdefault("empty", set())
            (empty.add if not packet.payload and packet.qos == 0 else empty.discard)(packet.topic)
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Suback) and link.session is not None:
            for topic in link.world.memo.get("empty", ()):
                if any(not sub.memo.get("sent") for sub in link.session.matching(topic)):
                    link.later(0.01, partial(forge, link, topic, b"", retain=True))
            for sub in link.session.subs.values():
                sub.memo["sent"] = True
        return None

    return Hooks(up=up, down=down)


fault(
    "matching-case-folded-311",
    "X311-topic-case",
    "matching",
    4,
    0,
    "a message is delivered also to a filter without wildcard that differs from its Topic Name in letter case only",
    ("X311-topic-match-exact", "MQTT311-3.3.2-3"),
)(spreading(lambda wanted, topic: wanted.lower() == topic.lower()))
fault(
    "matching-hash-misses-parent-311",
    "X311-multi-level-wildcard",
    "matching",
    4,
    1,
    "a/# does not match a",
    ("MQTT311-4.5.0-1", "X311-deliver-to-matching"),
)(losing(lambda sub, topic: sub.plain == topic + "/#"))
fault(
    "matching-normalized-311",
    "MQTT311-4.7.3-4",
    "matching",
    4,
    0,
    "Topic Names and filters are compared in Unicode form NFKC: a ligature matches its letters",
    ("X311-topic-match-exact", "MQTT311-3.3.2-3"),
)(spreading(lambda wanted, topic: matches(unicodedata.normalize("NFKC", wanted), unicodedata.normalize("NFKC", topic))))
fault(
    "matching-filter-is-prefix-311",
    "X311-topic-match-exact",
    "matching",
    4,
    0,
    "a filter without wildcard matches the topics below it too: a message to a/b is delivered to a",
    ("MQTT311-3.3.2-3",),
)(spreading(lambda wanted, topic: "#" not in wanted and "+" not in wanted and topic.startswith(wanted + "/")))


@fault(
    "subscribe-beyond-third-filter-ignored-311",
    "MQTT311-3.8.4-4",
    "subscription",
    4,
    None,
    "of a SUBSCRIBE with more than three filters only the first three are carried out, though all are granted",
    ("MQTT311-4.5.0-1", "X311-suback-granted"),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Subscribe) or len(packet.subscriptions) <= 3:
            return None
        link.memo.setdefault("rest", {})[packet.packet_id] = [one.qos for one in packet.subscriptions[3:]]
        return [packet.replace(subscriptions=packet.subscriptions[:3])]

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Suback) and packet.packet_id in link.memo.get("rest", {}):
            return [packet.replace(reason_codes=[*packet.reason_codes, *link.memo["rest"].pop(packet.packet_id)])]
        return None

    return Hooks(up=up, down=down)


fault(
    "unsubscribe-case-folded-311",
    "MQTT311-3.10.4-1",
    "subscription",
    4,
    None,
    "UNSUBSCRIBE deletes also a subscription whose filter differs in letter case only",
    ("X311-topic-case",),
)(
    rewriting(
        Unsubscribe,
        lambda link, packet: _more_filters(
            link, packet, lambda wanted, held: wanted != held and wanted.lower() == held.lower()
        ),
    )
)


def _more_filters(link: Link, packet: Unsubscribe, test: Callable[[str, str], bool]) -> Any:
    held = link.session.subs if link.session is not None else {}
    more = [one for one in held if any(test(wanted, one) for wanted in packet.topic_filters)]
    return packet.replace(topic_filters=[*packet.topic_filters, *more]) if more else None


fault(
    "suback-id-swapped-311",
    "MQTT311-3.8.4-2",
    "suback",
    4,
    None,
    "the two bytes of the Packet Identifier of a SUBACK are swapped if both are used (identifiers above 256)",
    ("MQTT311-2.3.1-7",),
)(
    answering(
        Suback,
        lambda link, packet: (
            packet.replace(packet_id=(packet.packet_id & 0xFF) << 8 | packet.packet_id >> 8)
            if packet.packet_id > 256 and packet.packet_id & 0xFF and packet.packet_id & 0xFF != packet.packet_id >> 8
            else None
        ),
    )
)
fault(
    "suback-one-code-for-equal-filters-311",
    "MQTT311-3.8.4-5",
    "suback",
    4,
    None,
    "a SUBSCRIBE that has the same filter twice is answered with one return code for both",
)(noting(unique_codes, Subscribe, Suback))
fault(
    "connack-reserved-bit-311",
    "X311-connack-reserved-bits",
    "connack",
    4,
    None,
    "the Connect Acknowledge Flags are 0x81 when a Session is resumed",
)(answering(Connack, lambda link, packet: b"\x20\x02\x81\x00" if packet.session_present else None))


class Ending(Rule):
    """The next CONNECT of a client for which `note` was called finds no session."""

    def __init__(self, bad: bool = False, taken: bool = False) -> None:
        self._bad = bad
        self._taken = taken

    def up(self, link: Link, packet: Any, data: bytes) -> Out:
        lost: set[str] = link.world.memo.setdefault("lost", set())
        if isinstance(packet, Violation) and self._bad and link.accepted:
            lost.add(link.client_id)
        if isinstance(packet, Connect) and link.connect is None and not packet.clean_start:
            old = link.world.current.get(packet.client_id)
            over = self._taken and old is not None and old.client_open and old.server_open
            if over or packet.client_id in lost:
                lost.discard(packet.client_id)
                return [packet.replace(clean_start=True)]
        return None


fault(
    "session-lost-on-protocol-error-311",
    "MQTT311-4.1.0-1",
    "session",
    4,
    None,
    "a stored Session is discarded when the broker closes because of a malformed packet",
    ("MQTT311-3.1.2-4", "MQTT311-3.2.2-2"),
)(lambda: Ending(bad=True))
fault(
    "takeover-without-session-311",
    "MQTT311-3.1.2-4",
    "takeover",
    4,
    None,
    "a takeover with CleanSession 0 does not resume the Session of the connection that it ends",
    ("MQTT311-3.2.2-2", "MQTT311-4.1.0-1"),
)(lambda: Ending(taken=True))


@fault(
    "session-clean-session-survives-311",
    "MQTT311-3.1.2-6",
    "session",
    4,
    None,
    "the Session of a connection with CleanSession 1 is kept after it: a connection with CleanSession 0 resumes it",
    ("MQTT311-3.2.2-3",),
)
def _() -> Rule:
    return _kept_although_clean()


@fault(
    "session-clean-session-survives-31",
    "X31-clean-session-set",
    "session",
    3,
    None,
    "the subscriptions of a connection with Clean Session are kept after it: one without Clean Session has them",
)
def _() -> Rule:
    return _kept_although_clean()


def _kept_although_clean() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and link.connect is None and packet.client_id:
            known: set[str] = link.world.memo.setdefault("known", set())
            first = packet.client_id not in known
            known.add(packet.client_id)
            if packet.clean_start and first:
                return [packet.replace(clean_start=False)]
        return None

    return Hooks(up=up)


@fault(
    "will-once-per-client-311",
    "MQTT311-3.1.2-8",
    "will",
    4,
    None,
    "of a client whose Will Message was published once, no further one is published",
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.will is not None:
            number = link.world.memo.setdefault("wills", {})
            number[packet.client_id] = number.get(packet.client_id, 0) + 1
        return None

    def publish(link: Link, d: Delivery) -> Out:
        if d.path not in BOTH_WILLS or d.message is None:
            return None
        died: set[str] = link.world.memo.setdefault("died", set())
        if link.world.memo["wills"].get(d.message.publisher, 0) > 1 and d.message.publisher in died:
            return skip(link, d)
        died.add(d.message.publisher)
        return None

    return Hooks(up=up, publish=publish)


fault(
    "will-qos2-not-retained-311",
    "MQTT311-3.1.2-17",
    "retained-will",
    4,
    2,
    "a Will Message with Will Retain 1 is not kept as a retained message if its QoS is 2",
)(will_retain(False, lambda link, packet: packet.will is not None and packet.will.qos == 2))
fault(
    "will-live-with-retain-311",
    "MQTT311-3.3.1-9",
    "will",
    4,
    None,
    "a Will Message with Will Retain 1 has RETAIN 1 for a subscription that existed before",
)(
    changing(
        WILL,
        lambda packet, d: (
            {"retain": True} if d.message is not None and d.message.publish.retain and not packet.retain else None
        ),
    )
)
fault(
    "will-published-after-disconnect-31",
    "X31-will-situations",
    "will",
    3,
    None,
    "the Will Message is published although the client sent DISCONNECT",
)(
    rewriting(
        Disconnect,
        lambda link, packet: (
            break_off(link, packet) if link.connect is not None and link.connect.will is not None else None
        ),
    )
)


@fault(
    "live-qos-upgraded-31",
    "X31-delivery-qos",
    "live",
    3,
    1,
    "a QoS 1 message is delivered at QoS 2 to a subscription granted QoS 2",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path == "live" and d.packet.qos == 1 and max((sub.qos for sub in d.subs), default=0) == 2:
            return requalified(link, d.packet, 2)
        return None

    return Hooks(publish=publish)


fault(
    "keepalive-twice-as-long-311",
    "MQTT311-3.1.2-24",
    "keepalive",
    4,
    None,
    "a silent client is closed after 3 times its Keep Alive",
)(
    rewriting(
        Connect,
        lambda link, packet: (
            packet.replace(keep_alive=packet.keep_alive * 2) if 0 < packet.keep_alive < 30_000 else None
        ),
    )
)


fault(
    "puback-missing-for-dup-311",
    "MQTT311-4.3.2-2",
    "acks",
    4,
    1,
    "a QoS 1 PUBLISH with DUP 1 is delivered but not acknowledged",
    ("MQTT311-3.3.4-1",),
)(lambda: Acks(lambda link, asked, ack: [] if isinstance(ack, Puback) and asked.dup else None))
fault(
    "pubrec-missing-without-subscribers-311",
    "MQTT311-3.3.4-1",
    "acks",
    4,
    2,
    "a QoS 2 PUBLISH that matches no subscription is not answered by PUBREC",
    ("MQTT311-4.3.3-2",),
)(lambda: Acks(lambda link, asked, ack: [] if isinstance(ack, Pubrec) and unmatched(link, asked.topic) else None))
fault(
    "pubcomp-id-one-byte-311",
    "X311-pubcomp-packet-id",
    "acks",
    4,
    2,
    "the Packet Identifier of a PUBCOMP has its low byte only (identifiers above 256)",
    ("MQTT311-4.3.3-2",),
)(
    answering(
        Pubcomp,
        lambda link, packet: (
            packet.replace(packet_id=packet.packet_id & 0xFF)
            if packet.packet_id > 0xFF and packet.packet_id & 0xFF
            else None
        ),
    )
)

fault(
    "malformed-subscribe-flags-311",
    "MQTT311-3.8.1-1",
    "malformed",
    4,
    None,
    "a SUBSCRIBE with the DUP bit of 3.1 (0x8A) is carried out",
    ("MQTT311-2.2.2-2",),
)(tolerating(of(8, lambda data: data[0] == 0x8A), with_first(0x82)))
fault(
    "malformed-puback-flags-311",
    "MQTT311-2.2.2-2",
    "malformed",
    4,
    1,
    "a PUBACK with Fixed Header flags other than 0000 is accepted",
    ("MQTT311-2.2.2-1",),
)(tolerating(of(4, lambda data: data[0] & 15 != 0), with_first(0x40)))
fault(
    "malformed-suback-from-client-ignored-311",
    "X311-packet-direction",
    "malformed",
    4,
    None,
    "a CONNACK, SUBACK, UNSUBACK or PINGRESP from a client is ignored",
    ("MQTT311-4.8.0-1",),
)(tolerating(lambda link, found, data: link.accepted and data[0] >> 4 in (2, 9, 11, 13), lambda link, data: []))
fault(
    "malformed-filter-plus-in-level-311",
    "MQTT311-4.7.1-3",
    "malformed",
    4,
    None,
    "a filter in which + is only a part of its level, such as a+/b, is granted",
    ("MQTT311-4.8.0-1",),
)(tolerating(of(8, lambda data: b"+" in data)))
fault(
    "malformed-filter-truncated-311",
    "X311-field-truncated",
    "malformed",
    4,
    None,
    "a SUBSCRIBE whose filter is longer than the packet is granted",
    ("MQTT311-4.8.0-1",),
)(
    tolerating(
        of(
            8,
            lambda data: (
                len(data) > body_of(data) + 4
                and int.from_bytes(data[body_of(data) + 2 : body_of(data) + 4], "big") > len(data) - body_of(data) - 4
            ),
        )
    )
)
fault(
    "malformed-topic-with-surrogate-311",
    "MQTT311-1.5.3-1",
    "malformed",
    4,
    0,
    "a QoS 0 PUBLISH with an encoded surrogate in its Topic Name is dropped, the connection stays open",
)(tolerating(of(3, lambda data: not data[0] & 6 and b"\xed\xa0" in publish_parts(data)[0]), lambda link, data: []))


def _without_user_name_flag(data: bytes, at: int) -> bytes:
    return with_flags(data, at, data[at] & 0x3F)


fault(
    "connect-user-name-missing-accepted-311",
    "MQTT311-3.1.2-19",
    "malformed-connect",
    4,
    None,
    "a CONNECT that ends before the User Name for which its flag is set is accepted, as 3.1 had it",
    ("MQTT311-3.1.4-1", "X311-field-truncated"),
)(
    bad_connect(
        lambda data, at: data[at] & 0xC4 == 0x80 and len(data) == at + 5 + int.from_bytes(data[at + 3 : at + 5], "big"),
        _without_user_name_flag,
    )
)
fault(
    "connect-trailing-bytes-accepted-311",
    "X311-trailing-bytes",
    "malformed-connect",
    4,
    None,
    "a CONNECT with bytes behind its last field is accepted",
    ("MQTT311-3.1.4-1", "MQTT311-4.8.0-1"),
)(
    bad_connect(
        lambda data, at: not data[at] & 0xC4 and len(data) > at + 5 + int.from_bytes(data[at + 3 : at + 5], "big"),
        lambda data, at: remade(0x10, data[body_of(data) : at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")]),
    )
)

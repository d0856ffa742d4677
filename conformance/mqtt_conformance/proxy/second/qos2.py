# SPDX-License-Identifier: MIT
"""Faults of a second author: qos2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.acks import Acks, unmatched
from mqtt_conformance.proxy.second.resent import talks
from mqtt_conformance.proxy.second.tools import answering, fault, forge, remade
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Puback, Pubcomp, Publish, Pubrec, Pubrel

__all__: list[str] = []


def _repeat_delivers(test: Callable[[Link, Publish], bool]) -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Publish) or packet.qos != 2 or packet.packet_id not in link.up_open:
            return None
        if test(link, packet):
            topic = link.topic_up(packet)
            for one in [*link.world.others(link), link]:
                if one.session is not None and one.session.matching(topic):
                    forge(one, topic, packet.payload, min(sub.qos for sub in one.session.matching(topic)))
        return None

    return Hooks(up=up)


fault(
    "qos2-repeat-without-dup-delivered",
    "MQTT5-4.3.3-10",
    "qos2",
    5,
    2,
    "a QoS 2 PUBLISH that is sent again before its PUBREL is delivered again if its DUP is 0",
)(lambda: _repeat_delivers(lambda link, packet: not packet.dup))
fault(
    "qos2-repeat-delivered-311",
    "MQTT311-4.3.3-2",
    "qos2",
    4,
    2,
    "a QoS 2 PUBLISH that is sent again with DUP 1 before its PUBREL is delivered again",
)(lambda: _repeat_delivers(lambda link, packet: packet.dup))


@fault(
    "qos2-inbound-state-lost-on-resume",
    "X5-session-state-inbound",
    "session",
    5,
    2,
    "a QoS 2 PUBLISH that is sent again after a reconnection is delivered again: the Session forgot its identifier",
    ("MQTT5-4.3.3-10",),
)
def _() -> Rule:
    return _inbound_forgotten()


@fault(
    "qos2-inbound-state-lost-on-resume-311",
    "MQTT311-4.3.3-2",
    "session",
    4,
    2,
    "a QoS 2 PUBLISH that is sent again after a reconnection is delivered again: the Session forgot its identifier",
    ("X311-session-state-server",),
)
def _() -> Rule:
    return _inbound_forgotten()


def _inbound_forgotten() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if link.session is None:
            return None
        open_ids: dict[int, int] = link.session.memo.setdefault("open", {})
        if isinstance(packet, Pubrel):
            open_ids.pop(packet.packet_id, None)
        if not isinstance(packet, Publish) or packet.qos != 2:
            return None
        since = open_ids.setdefault(packet.packet_id, link.seq)
        if since != link.seq:
            open_ids[packet.packet_id] = link.seq
            topic = link.topic_up(packet)
            for one in [*link.world.others(link), link]:
                if one.session is not None and one.session.matching(topic):
                    forge(one, topic, packet.payload, min(sub.qos for sub in one.session.matching(topic)))
        return None

    return Hooks(up=up)


class Completed(Rule):
    """Takes a PUBLISH under an identifier that was used before for a repeat, if `test` holds."""

    def __init__(self, test: Callable[[Publish], bool], qos: int) -> None:
        self._test = test
        self._qos = qos

    def up(self, link: Link, packet: Any, data: bytes) -> Out:
        done: set[int] = link.memo.setdefault("done", set())
        mine: set[int] = link.memo.setdefault("mine", set())
        if isinstance(packet, Publish) and packet.qos == self._qos and packet.packet_id in done and self._test(packet):
            if packet.qos == 1:
                link.to_client(Puback(packet.packet_id))
            else:
                mine.add(packet.packet_id)
                link.to_client(Pubrec(packet.packet_id))
            return []
        if isinstance(packet, Pubrel) and packet.packet_id in mine:
            mine.discard(packet.packet_id)
            link.to_client(Pubcomp(packet.packet_id))
            return []
        return None

    def down(self, link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Puback if self._qos == 1 else Pubcomp):
            link.memo.setdefault("done", set()).add(packet.packet_id)
        return None


fault(
    "qos2-id-reused-with-dup-swallowed",
    "MQTT5-4.3.3-12",
    "qos2",
    5,
    2,
    "after PUBCOMP a PUBLISH with the same Packet Identifier and DUP 1 is taken for a repeat and not delivered",
)(lambda: Completed(lambda packet: packet.dup, 2))
fault(
    "qos2-id-reused-swallowed-311",
    "MQTT311-4.3.3-2",
    "qos2",
    4,
    2,
    "after PUBCOMP a PUBLISH with the same Packet Identifier is taken for a repeat and not delivered, whatever its DUP",
)(lambda: Completed(lambda packet: True, 2))
fault(
    "qos1-id-reused-with-dup-swallowed-311",
    "MQTT311-4.3.2-2",
    "acks",
    4,
    1,
    "after PUBACK a PUBLISH with the same Packet Identifier and DUP 1 is taken for a repeat and not delivered",
)(lambda: Completed(lambda packet: packet.dup, 1))


class UnknownRel(Rule):
    """Does something with a PUBREL whose identifier is not open. `do` returns what to forward."""

    def __init__(self, do: Callable[[Link, Pubrel], Out], again_only: bool = False) -> None:
        self._do = do
        self._again_only = again_only

    def up(self, link: Link, packet: Any, data: bytes) -> Out:
        done: set[int] = link.memo.setdefault("released", set())
        if not isinstance(packet, Pubrel):
            return None
        if packet.packet_id in link.up_open:
            done.add(packet.packet_id)
            return None
        if self._again_only and packet.packet_id not in done:
            return None
        return self._do(link, packet)


def _close_on(link: Link, packet: Pubrel) -> Out:
    link.end_client()
    link.end_server()
    return []


fault(
    "pubrel-unknown-unanswered",
    "MQTT5-4.3.3-11",
    "qos2",
    5,
    2,
    "a PUBREL with a Packet Identifier that is not in use is not answered",
)(lambda: UnknownRel(lambda link, packet: []))
fault(
    "pubrel-repeated-closes-311",
    "MQTT311-4.3.3-2",
    "qos2",
    4,
    2,
    "a second PUBREL for the same Packet Identifier is not answered by PUBCOMP: the connection is closed",
)(lambda: UnknownRel(_close_on, again_only=True))


@fault(
    "pubcomp-code-0x82-for-unknown",
    "MQTT5-3.7.2-1",
    "qos2",
    5,
    2,
    "a PUBREL with an unknown Packet Identifier is answered by PUBCOMP 0x82, which PUBCOMP does not have",
)
def _() -> Rule:
    def do(link: Link, packet: Pubrel) -> Out:
        link.to_client(remade(0x70, packet.packet_id.to_bytes(2, "big") + b"\x82\x00"))
        return []

    return UnknownRel(do)


fault(
    "pubrel-flags-zero",
    "MQTT5-3.6.1-1",
    "qos2",
    5,
    2,
    "PUBREL is sent with Fixed Header flags 0000",
)(answering(Pubrel, lambda link, packet: b"\x60" + encode(5, packet)[1:]))


@fault(
    "pubrel-dup-on-resume-311",
    "MQTT311-3.6.1-1",
    "resent",
    4,
    2,
    "a PUBREL that is sent again after a reconnection has the DUP bit of 3.1 (0x6A)",
    ("MQTT311-2.2.2-1",),
)
def _() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Pubrel) and packet.packet_id not in link.inflight:
            return [b"\x6a" + encode(4, packet)[1:]]
        return None

    return Hooks(down=down)


@fault(
    "pubrel-missing-after-pubrec-with-properties",
    "MQTT5-4.3.3-4",
    "qos2",
    5,
    2,
    "a PUBREC 0x00 that has a Reason String or User Property is taken for an error: no PUBREL follows",
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Pubrec) and packet.reason_code == 0 and talks(packet):
            link.memo.setdefault("given up", set()).add(packet.packet_id)
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Pubrel) and packet.packet_id in link.memo.get("given up", ()):
            link.memo["given up"].discard(packet.packet_id)
            link.to_server(Pubcomp(packet.packet_id))
            return []
        return None

    return Hooks(up=up, down=down)


@fault(
    "qos2-wrong-ack-without-subscribers",
    "MQTT5-3.3.4-1",
    "qos2",
    5,
    2,
    "a QoS 2 PUBLISH that matches no subscription is answered by PUBACK instead of PUBREC",
    ("MQTT5-4.3.3-8",),
)
def _() -> Rule:
    return Acks(
        lambda link, asked, ack: (
            Puback(ack.packet_id, 0x10) if isinstance(ack, Pubrec) and unmatched(link, link.topic_up(asked)) else None
        )
    )

# SPDX-License-Identifier: MIT
"""What the faults of the second set share: how a row is added, and how packets are made and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, published
from mqtt_conformance.proxy.world import Delivery, Link, Sub
from mqtt_ref.wire.packets import Connect, ConnectProperties, Pingresp, Pubcomp, Publish, PublishProperties, Pubrel
from mqtt_ref.wire.primitives import read_vbi
from mqtt_ref.wire.violation import Violation

__all__: list[str] = [
    "FAULTS",
    "LIVE",
    "After",
    "Make",
    "answering",
    "body_of",
    "changing",
    "client_prop",
    "connect_props",
    "fault",
    "forge",
    "id_at",
    "losing",
    "prop",
    "publish_parts",
    "remade",
    "renouncing",
    "requalified",
    "rewriting",
    "skip",
    "spreading",
    "tolerating",
    "with_first",
]

FAULTS: dict[str, Fault] = {}
Make = Callable[[], Rule]


def fault(
    identifier: str,
    statement: str,
    path: str,
    version: int,
    qos: int | None,
    breaks: str,
    also: tuple[str, ...] = (),
    options: tuple[tuple[str, str], ...] = (),
) -> Callable[[Make], Make]:
    """Add a row whose rule the decorated function makes."""

    def add(make: Make) -> Make:
        assert identifier not in FAULTS, identifier
        FAULTS[identifier] = Fault(identifier, statement, path, version, qos, breaks, make, also, options)
        return make

    return add


def own_id(link: Link) -> int:
    """A Packet Identifier whose acknowledgements the proxy answers itself."""
    number: int = link.memo.get("own", 64_000) + 1
    link.memo["own"] = number
    link.ours.add(number)
    return number


def forge(link: Link, topic: str, payload: bytes, qos: int = 0, **fields: Any) -> None:
    """Send a PUBLISH that the broker did not send, and count it."""
    packet = Publish(topic, payload, qos, packet_id=own_id(link) if qos else 0, **fields)
    link.to_client(packet)
    link.fired()


def skip(link: Link, delivery: Delivery) -> Out:
    """Do not deliver: the broker takes it for delivered."""
    link.settle(delivery.packet)
    return []


def requalified(link: Link, packet: Publish, qos: int) -> Out:
    """Deliver with another QoS."""
    if packet.qos:
        link.settle(packet)
    number = 0 if not qos else packet.packet_id or own_id(link)
    return [published(packet, qos=qos, packet_id=number, dup=False)]


def props_of(packet: Publish) -> PublishProperties:
    return packet.properties or PublishProperties()


def spread(link: Link, topic: str, payload: bytes, test: Callable[[str], bool], **fields: Any) -> None:
    """Send a message to all connected clients with a filter for which `test` holds and that does not match."""
    for one in [*link.world.others(link), link]:
        if not one.accepted or one.session is None or one.session.matching(topic):
            continue
        if any(test(sub.plain) for sub in one.session.subs.values() if not sub.share):
            forge(one, topic, payload, **fields)


def spreading(test: Callable[[str, str], bool]) -> Make:
    """A rule that delivers also where `test(filter, topic)` holds."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Publish):
                topic = link.topic_up(packet)
                spread(link, topic, packet.payload, lambda wanted: test(wanted, topic))
            return None

        return Hooks(up=up)

    return make


def losing(test: Callable[[Sub, str], bool], paths: tuple[str, ...] = ("live",)) -> Make:
    """A rule for which a subscription does not match if `test(sub, topic)` holds."""

    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            if d.path in paths and d.subs and all(test(sub, d.topic) for sub in d.subs):
                return skip(link, d)
            return None

        return Hooks(publish=publish)

    return make


def changing(
    paths: tuple[str, ...],
    change: Callable[[Publish, Delivery], dict[str, Any] | None],
    when: Callable[[Link, Delivery], bool] | None = None,
) -> Make:
    """A rule that changes fields or properties of a PUBLISH on these paths. None or {} leaves it."""

    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            if d.path not in paths or (when is not None and not when(link, d)):
                return None
            changes = change(d.packet, d)
            return [published(d.packet, **changes)] if changes else None

        return Hooks(publish=publish)

    return make


def renouncing(paths: tuple[str, ...], when: Callable[[Link, Delivery], bool]) -> Make:
    """A rule that does not deliver."""

    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            return skip(link, d) if d.path in paths and when(link, d) else None

        return Hooks(publish=publish)

    return make


def rewriting(kind: type, change: Callable[[Link, Any], Any]) -> Make:
    """A rule that forwards another packet of the client to the broker. `change` returns None, a packet or a list."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not isinstance(packet, kind):
                return None
            made = change(link, packet)
            return made if made is None or isinstance(made, list) else [made]

        return Hooks(up=up)

    return make


def answering(kind: type, change: Callable[[Link, Any], Any]) -> Make:
    """A rule that sends the client another packet than the broker sent."""

    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            if not isinstance(packet, kind):
                return None
            made = change(link, packet)
            return made if made is None or isinstance(made, list) else [made]

        return Hooks(down=down)

    return make


def connect_props(packet: Connect, **changes: Any) -> Connect:
    """Return a CONNECT with changed properties."""
    return packet.replace(properties=(packet.properties or ConnectProperties()).replace(**changes))


def prop(packet: Any, name: str) -> Any:
    """Return a property, or None."""
    return getattr(packet.properties, name) if packet.properties is not None else None


def client_prop(link: Link, name: str) -> Any:
    """Return a property of the CONNECT of a link, or None."""
    return prop(link.connect, name) if link.connect is not None else None


def body_of(data: bytes) -> int:
    """Offset of the variable header."""
    return 1 + (read_vbi(data, 1, len(data), False) & 7)


def remade(first: int, body: bytes) -> bytes:
    """A packet of less than 16,384 bytes from its first byte and what follows the Remaining Length."""
    size = len(body)
    head = bytes((size,)) if size < 128 else bytes((size & 127 | 128, size >> 7))
    return bytes((first,)) + head + body


def id_at(data: bytes) -> int:
    """The Packet Identifier at the start of the variable header."""
    at = body_of(data)
    return int.from_bytes(data[at : at + 2], "big")


def publish_parts(data: bytes) -> tuple[bytes, int, int]:
    """Topic, Packet Identifier and the offset behind it, of a PUBLISH that may be illegal."""
    at = body_of(data)
    size = int.from_bytes(data[at : at + 2], "big")
    topic = data[at + 2 : at + 2 + size]
    at += 2 + size
    if data[0] & 6:
        return topic, int.from_bytes(data[at : at + 2], "big"), at + 2
    return topic, 0, at


def swallow(link: Link, data: bytes) -> Out:
    """Take an illegal packet for a good one: acknowledge it, and do nothing."""
    kind = data[0] >> 4
    five = link.world.version == 5
    if kind == 3:
        _, number, _ = publish_parts(data)
        qos = data[0] >> 1 & 3
        if qos == 1:
            link.to_client(b"\x40\x02" + number.to_bytes(2, "big"))
        elif qos >= 2:
            link.to_client(b"\x50\x02" + number.to_bytes(2, "big"))
            link.memo.setdefault("swallowed", set()).add(number)
    elif kind == 8:
        link.to_client(remade(0x90, id_at(data).to_bytes(2, "big") + (b"\0\0" if five else b"\0")))
    elif kind == 10:
        link.to_client(remade(0xB0, id_at(data).to_bytes(2, "big") + (b"\0\0" if five else b"")))
    elif kind == 12:
        link.to_client(Pingresp())
    return []


def tolerating(test: Callable[[Link, Violation, bytes], bool], repair: Callable[[Link, bytes], Out] = swallow) -> Make:
    """A rule that does not notice an illegal packet for which `test` holds."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Violation):
                return repair(link, data) if test(link, packet, data) else None
            if isinstance(packet, Pubrel) and packet.packet_id in link.memo.get("swallowed", ()):
                link.memo["swallowed"].discard(packet.packet_id)
                link.to_client(Pubcomp(packet.packet_id))
                return []
            return None

        return Hooks(up=up)

    return make


def with_first(value: int) -> Callable[[Link, bytes], Out]:
    """A repair: another first byte."""
    return lambda link, data: [bytes((value,)) + data[1:]]


class After(Rule):
    """Delivers in another order: holds what `held` says, and sends it `seconds` later or when `release` says so."""

    def __init__(
        self, held: Callable[[Link, Delivery], bool], seconds: float, reverse: bool = False, with_next: bool = False
    ) -> None:
        self._held = held
        self._seconds = seconds
        self._reverse = reverse
        self._with_next = with_next

    def publish(self, link: Link, delivery: Delivery) -> Out:
        waiting: list[Publish] = link.memo.setdefault("after", [])
        if self._held(link, delivery):
            waiting.append(delivery.packet)
            if len(waiting) == 1:
                link.later(self._seconds, lambda: self._send(link))
            return []
        if waiting and self._with_next:
            out = [delivery.packet, *waiting]
            waiting.clear()
            return out
        return None

    def _send(self, link: Link) -> None:
        waiting: list[Publish] = link.memo["after"]
        link.to_client(*(reversed(waiting) if self._reverse else waiting))
        waiting.clear()


LIVE = ("live",)
PLAIN = ("live", "queued")

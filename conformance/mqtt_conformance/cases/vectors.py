# SPDX-License-Identifier: MIT
"""Cases made from the derived vectors: the broker has to refuse illegal input and accept legal edge cases."""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence

from mqtt_conformance.case import Body, add_case
from mqtt_conformance.credentials import refusals, with_credentials
from mqtt_conformance.peer import ANSWER, Peer
from mqtt_conformance.reacted import expect_reaction
from mqtt_conformance.rules import MALFORMED
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Failed, Inconclusive
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.generated.packets import PACKET_NAMES
from mqtt_ref.wire.generated.vectors import Vector, vectors
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Publish,
    Subscribe,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import CLIENT, V5

PLAYED = 2
"""The number of vectors of one group that a case runs, spread over the group."""
TAKEN = (Publish, Subscribe, Unsubscribe, Pingreq)
"""Legal packets that do not affect the connection itself."""

HUGE = b"\xff\xff\xff\x7f"
"""The end of an overlong Remaining Length. A decoder that follows section 1.5.5 stops after byte 4."""
UNCERTAIN = (
    "topic/01", "topic/7f", "topic/c29f", "topic/efbfbf", "topic/f48fbfbf",
    "filter/01", "filter/7f", "filter/c29f", "filter/efbfbf", "filter/f48fbfbf",
    "value/01", "value/7f", "value/c29f", "value/efbfbf", "value/f48fbfbf",
    "filter/$share", "filter/$share/", "filter/$share/g", "filter/$share//a", "filter/$share/+/a", "filter/65535-bytes",
)  # fmt: skip
"""Name endings of legal vectors that a broker may still refuse: characters that section 1.5.4 advises against, filters
that look shared, names of the largest size."""
SERVED = {5: "MQTT5-", 4: "MQTT311-"}
ANSWERED = {"PUBLISH": "3.3.4-1", "SUBSCRIBE": "3.8.4-1", "UNSUBSCRIBE": "3.10.4-4", "PINGREQ": "3.12.4-1"}
"""The rule about the server's answers. It has the same number in both versions."""
SENDERS = frozenset({(4, "topic-empty", "PUBLISH", "topic")})
"""Groups whose rule binds the sender here, though it binds servers elsewhere. A broker may continue after these."""
_names = itertools.cycle(itertools.product(string.ascii_letters + string.digits, repeat=2))
"""Client Identifiers of two characters. A long run uses them again, when the first ones are free."""

Group = tuple[int, str, str, str, str]


def _groups() -> dict[Group, list[Vector]]:
    """Vectors that a client may send on a connection, by version, statement, kind, packet and field."""
    out: dict[Group, list[Vector]] = {}
    for vector in vectors():
        if vector.sender != CLIENT or vector.version == 0 or vector.maximum or vector.kind == "legal":
            continue
        connects = vector.data[0] >> 4 == Connect.TYPE
        if connects and vector.judged != vector.version:
            continue
        if vector.kind == "protocol-level" and vector.id.endswith(f"-level-{0x80 | vector.version}"):
            continue  # a bridge sends these to brokers of its own kind, which may accept them
        key = (vector.judged, vector.statement, vector.kind, PACKET_NAMES[vector.data[0] >> 4], vector.field)
        out.setdefault(key, []).append(vector)
    return out


def _spread(group: Sequence[Vector]) -> list[Vector]:
    if len(group) <= PLAYED:
        return list(group)
    step = (len(group) - 1) / (PLAYED - 1)
    return [group[round(i * step)] for i in range(PLAYED)]


def _private(vector: Vector) -> bytes:
    """Return the vector with its own Client Identifier and without retaining anything. Its length stays the same."""
    data = bytearray(vector.data)
    if vector.kind == "vbi-long" and vector.field == "remaining_length" and len(data) < 6:
        data += HUGE
    if data[0] >> 4 == Publish.TYPE:
        data[0] &= 0xFE
        return bytes(data)
    own = "".join(next(_names)).encode()
    at = data.find(b"\x00\x02c1")
    if data[0] >> 4 == Connect.TYPE and at > 0:
        data[at + 2 : at + 4] = own
        flags = next((data.find(name) + len(name) + 1 for name in (b"\x04MQTT", b"\x06MQIsdp") if name in data), 0)
        if 0 < flags < at and vector.field != "connect_flags" and data[flags] & 0x04:
            data[flags] &= 0xDF
    return bytes(data)


def _carried(vector: Vector, target: Target) -> bytes | None:
    """Return the vector with the target's credentials. None if it has no room for them."""
    data = _private(vector)
    if data[0] >> 4 != Connect.TYPE:
        return data
    if vector.field == "remaining_length":
        return data  # a broker fails before it reads the credentials, so it does not need them
    return with_credentials(data, vector.version, target, rest=vector.kind == "trailing")


def _illegal(group: Sequence[Vector], *, overlooked: bool = False) -> Body:
    async def body(peer: Peer) -> None:
        for vector in _spread([v for v in group if _carried(v, peer.target)] or group):
            data = _carried(vector, peer.target)
            meaningless = await refusals(peer) if data is None else ()
            if vector.data[0] >> 4 == Connect.TYPE:
                await peer.open()
                state = "new"
            else:
                await peer.connect()
                state = "connected"
            await peer.send(data or _private(vector))
            try:
                outcome = await expect_reaction(
                    peer, vector.statement, vector.reason, state, meaningless=meaningless, overlooked=overlooked
                )
            except Failed as failed:
                failed.message += f" (vector {vector.id})"
                if vector.version == V5 and vector.data[0] >> 4 == Auth.TYPE:  # reserved in other versions
                    await _told_by_any_auth(peer, failed)
                raise
            if outcome == "ignore":
                peer.note("carries on")
            await peer.drop(record=False)

    return body


async def _told_by_any_auth(peer: Peer, failed: Failed) -> None:
    """Blame the reaction to a misplaced AUTH if the broker ignores every such AUTH: then it does not read them."""
    await peer.connect()
    await peer.send(Auth(0x19, AuthProperties(authentication_method="any")))
    try:
        await expect_reaction(peer, "MQTT5-4.12.0-7", 0x82, "connected")
    except Failed:
        message = f"the broker accepts any AUTH on a connection without Authentication Method: {failed.message}"
        raise peer.blame(MALFORMED, message, expected=failed.expected, seen=failed.seen) from failed


def _legal(played: Sequence[tuple[Vector, Publish | Subscribe | Unsubscribe | Pingreq]]) -> Body:
    async def body(peer: Peer) -> None:
        for vector, packet in played:
            await peer.connect()
            await peer.send(vector.data, Pingreq())
            await peer._wait(lambda: peer.closed or any(type(p).__name__ == "Pingresp" for p in peer.inbox), 3.0)
            last = next((p for p in reversed(peer.inbox) if isinstance(p, Disconnect)), None)
            refused = last is not None and last.reason_code in (0x87, 0x95, 0x97, 0x9A, 0x9B, 0x9E, 0xA1, 0xA2, 0x94)
            if peer.closed and not refused:
                if isinstance(packet, Publish) and peer.version != V5:
                    await _allowed(peer, packet.qos)
                raise Failed(
                    f"legal input is refused (vector {vector.id})", expected="served", seen=repr(last or "closed")
                )
            await peer.drop(record=False)

    return body


async def _allowed(peer: Peer, qos: int) -> None:
    """End the case if a plain message of this QoS closes the connection as well: the message may not be authorized.

    Before 5.0 a server cannot report that in another way.

    Cites: MQTT311-3.3.5-2
    """
    await peer.connect()
    await peer.send(Publish(peer.topic(), b"m", qos, packet_id=1 if qos else 0), Pingreq())
    await peer._wait(lambda: peer.closed or any(isinstance(p, Pingresp) for p in peer.inbox), ANSWER)
    if peer.closed:
        raise Inconclusive(f"the broker closes the connection on any message of QoS {qos}")


def _register() -> None:
    for (version, statement, kind, packet, field), group in _groups().items():
        place = f"{packet} {field}" if field else packet
        slug = f"vector-{kind}-{packet.lower()}" + (f"-{field}" if field else "")
        add_case(
            _illegal(group, overlooked=(version, kind, packet, field) in SENDERS),
            f"{_article(place)} that breaks the rule is not served ({kind}).",
            statement,
            slug=slug,
        )
    legal: dict[tuple[int, str], list[tuple[Vector, Publish | Subscribe | Unsubscribe | Pingreq]]] = {}
    for vector in vectors():
        if vector.kind == "legal" and vector.sender == CLIENT and vector.version:
            for taken in Decoder(vector.version, CLIENT).feed(vector.data):
                if isinstance(taken, TAKEN) and _harmless(taken) and _certain(vector):
                    legal.setdefault((vector.version, PACKET_NAMES[taken.TYPE]), []).append((vector, taken))
    for (version, name), some in legal.items():
        for at in range(0, len(some), 12):
            slug = f"vector-legal-{name.lower()}-{at // 12}"
            add_case(
                _legal(some[at : at + 12]),
                f"{_article(name)} that is just legal is served.",
                SERVED[version] + ANSWERED[name] if version != 3 else "X31-protocol-violation",
                slug=slug,
            )


def _article(name: str) -> str:
    return f"{'An' if name[0] in 'AEIOU' else 'A'} {name}"


def _certain(vector: Vector) -> bool:
    """True if nothing in the standard lets a broker refuse the vector. 3.1 leaves flags and their meaning open."""
    if vector.version == 3 and ("/flags-" in vector.id or ".options/" in vector.id):
        return False
    return not vector.id.endswith(UNCERTAIN)


def _harmless(packet: object) -> bool:
    """True if every broker has to accept the packet, whatever it offers."""
    if isinstance(packet, Publish):
        alias = packet.properties is not None and packet.properties.topic_alias is not None
        return not (packet.topic.startswith("$") or alias or packet.retain)
    if isinstance(packet, Subscribe):
        return packet.properties is None or packet.properties.subscription_identifier is None
    return True


_register()

# SPDX-License-Identifier: MIT
"""What a proxy does to the packets of a broker to make it odd and leave it lawful."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from random import Random
from typing import Any, ClassVar, Final

from mqtt_ref.wire.packets import (
    Connack,
    ConnackProperties,
    Connect,
    Disconnect,
    DisconnectProperties,
    Packet,
    Pingresp,
    Puback,
    PubackProperties,
    Pubcomp,
    PubcompProperties,
    Publish,
    PublishProperties,
    Pubrec,
    PubrecProperties,
    Pubrel,
    PubrelProperties,
    Suback,
    SubackProperties,
    Subscribe,
    Subscription,
    Unsuback,
    UnsubackProperties,
)
from tests.odd.proxy import Link, Quirk

__all__ = [
    "AckLanes",
    "AcksReversed",
    "AliasesAtRandom",
    "AliasesRemapped",
    "AssignedIdentifier",
    "ClosesSlowly",
    "Coalesced",
    "DeliversOnRelease",
    "EmptyConnackOnly",
    "ExtraProperties",
    "FailsDiscreetly",
    "Foreign",
    "GoneAtTakeover",
    "HoldsQos0",
    "Jittery",
    "LanePublish",
    "LastByteAlone",
    "LongForms",
    "LosesQos0UnderLoad",
    "MaximumConnectTime",
    "OneByte",
    "OtherCodes",
    "PacketIdsDescending",
    "PacketIdsHigh",
    "PacketIdsRandom",
    "PubcompAlwaysZero",
    "Quiet",
    "ResendsBehindTraffic",
    "ResendsLate",
    "Resets",
    "RetriesLive",
    "Slow",
    "SubackLast",
]


def refusal(packet: Packet) -> bool:
    """Whether a packet refuses something with a Reason Code of 5.0."""
    code = getattr(packet, "reason_code", 0)
    return isinstance(code, int) and code >= 0x80


# ---------------------------------------------------------------- timing


class Slow(Quirk):
    """Each packet is 100 to 500 ms late; their order is kept."""

    least, most = 0.1, 0.5

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.random = Random(len(link.proxy.links))

    def delay(self, packet: Packet | None) -> float:
        return self.random.uniform(self.least, self.most)


class Jittery(Slow):
    """Each packet is up to 60 ms late."""

    least, most = 0.0, 0.06


class ClosesSlowly(Quirk):
    """The connection is closed 700 ms after the last packet."""

    def delay(self, packet: Packet | None) -> float:
        return 0.7 if packet is None else 0.0


class Resets(Quirk):
    """Connections that the broker closes are reset, 50 ms after the last packet."""

    resets = True


class MaximumConnectTime(Quirk):
    """A connection lasts four seconds."""

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Connack) and packet.reason_code == 0:
            self.link.loop.call_later(4.0, self.end)
        return (packet,)

    def end(self) -> None:
        if not self.link.over:
            if self.link.version == 5:
                self.link.say(Disconnect(0xA0))
            self.link.cut()


class DeliversOnRelease(Quirk):
    """Messages of QoS 2 of 3.x clients reach the broker when their PUBREL has come: method A of 3.1.1."""

    rewrites = True

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.stored: dict[int, Publish] = {}
        self.releasing: set[int] = set()

    def from_client(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Connect) and not packet.clean_start and packet.protocol_version < 5:
            sessions = self.link.proxy.shared.setdefault("stored", {})
            assert isinstance(sessions, dict)
            self.stored = sessions.setdefault(packet.client_id, {})
        elif isinstance(packet, Connect):
            sessions = self.link.proxy.shared.setdefault("stored", {})
            assert isinstance(sessions, dict)
            sessions.pop(packet.client_id, None)
        elif self.link.version in (3, 4) and self.link.connected:
            if isinstance(packet, Publish) and packet.qos == 2:
                self.stored.setdefault(packet.packet_id, packet)
                self.link.say(Pubrec(packet.packet_id))
                return ()
            if isinstance(packet, Pubrel) and packet.packet_id in self.stored:
                self.releasing.add(packet.packet_id)
                return (self.stored.pop(packet.packet_id),)
        return (packet,)

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Pubrec) and packet.packet_id in self.releasing:
            self.releasing.discard(packet.packet_id)
            self.link.tell(Pubrel(packet.packet_id))
            return ()
        return (packet,)


class OneByte(Quirk):
    """Each byte is written by itself."""

    def pieces(self, data: bytes) -> Sequence[bytes]:
        if len(data) > 2000:
            return (data[:1], data[1:-1], data[-1:])
        return [data[at : at + 1] for at in range(len(data))]


class Coalesced(Quirk):
    """Packets are written together, up to 40 ms late."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.next = 0.0

    def delay(self, packet: Packet | None) -> float:
        now = self.link.loop.time()
        if self.next <= now:
            self.next = now + 0.04
        return self.next - now


class LastByteAlone(Quirk):
    """The last byte of each packet comes in a segment of its own."""

    def pieces(self, data: bytes) -> Sequence[bytes]:
        return (data[:-1], data[-1:])


# ---------------------------------------------------------------- order


class Lanes(Quirk):
    """Packets of some kinds are held for a while, in their order; the others overtake them."""

    waits: ClassVar[dict[type[Any], float]] = {}

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.held: list[Packet] = []

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Disconnect):
            return (*self.flush(), packet)
        wait = self.waits.get(type(packet))
        if wait is None:
            return (packet,)
        self.held.append(packet)
        self.link.loop.call_later(wait, self.release, packet)
        return ()

    def release(self, packet: Packet) -> None:
        """Let a packet go, unless it has gone."""
        if not self.link.over and any(one is packet for one in self.held):
            self.held = [one for one in self.held if one is not packet]
            self.link.say(packet)

    def flush(self) -> list[Packet]:
        held, self.held = self.held, []
        return held

    def closing(self) -> Sequence[Packet]:
        return self.flush()


class AckLanes(Lanes):
    """SUBACK, UNSUBACK, PUBACK, PUBREC, PUBCOMP and PINGRESP each wait on their own; messages overtake them."""

    waits: ClassVar[dict[type[Any], float]] = {
        Suback: 0.2,
        Unsuback: 0.05,
        Puback: 0.12,
        Pubrec: 0.25,
        Pubcomp: 0.08,
        Pingresp: 0.15,
    }


class SubackLast(Lanes):
    """A SUBACK comes behind retained messages and whatever else is ready within 150 ms."""

    waits: ClassVar[dict[type[Any], float]] = {Suback: 0.15}


class LanePublish(Lanes):
    """PUBLISH packets are 250 ms late; acknowledgements and PINGRESP overtake them."""

    waits: ClassVar[dict[type[Any], float]] = {Publish: 0.25}


class AcksReversed(Quirk):
    """PUBACK packets that come within 50 ms go out in the reverse order, and so do PUBREC and PUBCOMP."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.held: list[Packet] = []

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Disconnect):
            return (*self.flush(), packet)
        if not isinstance(packet, (Puback, Pubrec, Pubcomp)):
            return (packet,)
        if not self.held:
            self.link.loop.call_later(0.05, self.release)
        self.held.append(packet)
        return ()

    def flush(self) -> list[Packet]:
        held, self.held = self.held[::-1], []
        return held

    def release(self) -> None:
        for packet in self.flush():
            if not self.link.over:
                self.link.say(packet)

    def closing(self) -> Sequence[Packet]:
        return self.flush()


class ResendsLate(Quirk):
    """On a resumed session nothing is sent again, and no message at all, for two seconds."""

    wait = 2.0

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.held: list[Packet] | None = None

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Connack) and packet.reason_code == 0 and self.resumed(packet):
            self.held = []
            self.link.loop.call_later(self.wait, self.release)
        if self.held is not None and isinstance(packet, (Publish, Pubrel)):
            self.held.append(packet)
            return ()
        return (packet,)

    def resumed(self, packet: Connack) -> bool:
        """Whether the session was there; 3.1 says nothing of it, but an id with Clean Session 0 may have had one."""
        connect = self.link.connect
        return packet.session_present or (self.link.version == 3 and connect is not None and not connect.clean_start)

    def release(self) -> None:
        held, self.held = self.held or [], None
        for packet in held:
            if not self.link.over:
                self.link.say(packet)


class ResendsBehindTraffic(ResendsLate):
    """What is sent again comes behind the first answer to something, or after four seconds."""

    wait = 4.0

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        out = super().from_server(packet)
        if self.held and isinstance(packet, (Pingresp, Suback, Puback)):
            held, self.held = self.held, None
            return (*out, *held)
        return out


class HoldsQos0(Quirk):
    """QoS 0 messages wait while the send quota of the client is used up."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.flying: set[int] = set()
        self.held: list[Packet] = []

    @property
    def full(self) -> bool:
        properties = None if self.link.connect is None else self.link.connect.properties
        maximum = properties.receive_maximum if properties is not None else None
        return maximum is not None and len(self.flying) >= maximum

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Publish):
            if packet.qos:
                self.flying.add(packet.packet_id)
            elif self.full or self.held:
                self.held.append(packet)
                return ()
        return (packet,)

    def from_client(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, (Puback, Pubcomp)) or (isinstance(packet, Pubrec) and refusal(packet)):
            self.flying.discard(packet.packet_id)
            if not self.full:
                held, self.held = self.held, []
                for one in held:
                    self.link.say(one)
        return (packet,)


class LosesQos0UnderLoad(Quirk):
    """Of the QoS 0 messages of one connection, those above 20 within 100 ms are lost."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.since = 0.0
        self.count = 0

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Publish) and not packet.qos:
            now = self.link.loop.time()
            if now - self.since > 0.1:
                self.since, self.count = now, 0
            self.count += 1
            if self.count > 20:
                return ()
        return (packet,)


class RetriesLive(Quirk):
    """Clients of 3.x get what they do not acknowledge within 80 ms once more, on the same connection."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.open: dict[int, Packet] = {}

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if self.link.version in (3, 4) and ((isinstance(packet, Publish) and packet.qos) or isinstance(packet, Pubrel)):
            self.open[packet.packet_id] = packet
            self.link.loop.call_later(0.08, self.again, packet)
        return (packet,)

    def from_client(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, (Puback, Pubrec, Pubcomp)):
            self.open.pop(packet.packet_id, None)
        return (packet,)

    def again(self, packet: Publish | Pubrel) -> None:
        if not self.link.over and self.open.get(packet.packet_id) is packet:
            again = copy(packet)
            if isinstance(again, Publish):
                again.dup = True
            self.link.say(again)


# ---------------------------------------------------------------- packet identifiers


class PacketIds(Quirk):
    """Messages to the client have identifiers of this quirk's choice; one map for each session."""

    rewrites = True

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.random = Random(7)
        self.ours: dict[int, int] = {}
        self.theirs: dict[int, int] = {}
        self.next = 0

    def choose(self) -> int:
        """An identifier, which may be in use."""
        raise NotImplementedError

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Connack) and packet.reason_code == 0 and self.link.connect is not None:
            sessions = self.link.proxy.shared.setdefault("packet_ids", {})
            assert isinstance(sessions, dict)
            properties = packet.properties
            name = self.link.connect.client_id or (properties and properties.assigned_client_identifier) or id(self)
            if self.link.connect.clean_start or (self.link.version > 3 and not packet.session_present):
                sessions[name] = ({}, {})
            self.ours, self.theirs = sessions.setdefault(name, ({}, {}))
        elif (isinstance(packet, Publish) and packet.qos) or isinstance(packet, Pubrel):
            return (self.renamed(packet, self.outward(packet.packet_id)),)
        return (packet,)

    def outward(self, packet_id: int) -> int:
        """What the client knows an identifier of the broker as."""
        if packet_id not in self.ours:
            while (chosen := self.choose()) in self.theirs:
                pass
            self.pair(packet_id, chosen)
        return self.ours[packet_id]

    def pair(self, packet_id: int, chosen: int) -> None:
        self.ours[packet_id] = chosen
        self.theirs[chosen] = packet_id

    def from_client(self, packet: Packet) -> Sequence[Packet]:
        if not isinstance(packet, (Puback, Pubrec, Pubcomp)):
            return (packet,)
        chosen = packet.packet_id
        if chosen not in self.theirs:
            # Nobody has it: the broker is asked about one that it does not know either.
            unknown = next(one for one in range(40_000, 65_536) if one not in self.ours)
            self.pair(unknown, chosen)
        packet_id = self.theirs[chosen]
        if not isinstance(packet, Pubrec) or refusal(packet):
            del self.theirs[chosen], self.ours[packet_id]
        return (self.renamed(packet, packet_id),)

    def renamed(self, packet: Any, packet_id: int) -> Packet:
        other = copy(packet)
        other.packet_id = packet_id
        return other  # type: ignore[no-any-return]


class PacketIdsDescending(PacketIds):
    """65535, 65534, and so on."""

    def choose(self) -> int:
        self.next = self.next - 1 if self.next > 1 else 65_535
        return self.next


class PacketIdsRandom(PacketIds):
    """Any that is free."""

    def choose(self) -> int:
        return self.random.randint(1, 65_535)


class PacketIdsHigh(PacketIds):
    """Always the same two or three, as high as can be, and each used again at once."""

    def choose(self) -> int:
        free = (one for one in range(65_535, 0, -1) if one not in self.theirs)
        return next(free)


# ---------------------------------------------------------------- what is said


class Quiet(Quirk):
    """Connections are closed without a DISCONNECT."""

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        return () if isinstance(packet, Disconnect) else (packet,)


class EmptyConnackOnly(Quirk):
    """5.0 clients that are refused are told nothing: the connection is closed without CONNACK."""

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        return () if isinstance(packet, Connack) and self.link.version == 5 and packet.reason_code else (packet,)


class OtherCodes(Quirk):
    """Whatever went wrong, a DISCONNECT and a CONNACK say 0x80: the server does not want to reveal what."""

    code = 0x80

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if self.link.version != 5 or not isinstance(packet, (Disconnect, Connack)) or packet.reason_code < 0x80:
            return (packet,)
        if isinstance(packet, Disconnect):
            return (Disconnect(self.code, DisconnectProperties()),)
        return (Connack(self.code, False, ConnackProperties()),)


class FailsDiscreetly(Quirk):
    """Acknowledgements that refuse say 0x80, Unspecified error."""

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if self.link.version != 5:
            return (packet,)
        if isinstance(packet, (Puback, Pubrec)) and packet.reason_code >= 0x80:
            return (type(packet)(packet.packet_id, 0x80),)
        if isinstance(packet, (Suback, Unsuback)) and any(code >= 0x80 for code in packet.reason_codes):
            return (type(packet)(packet.packet_id, [min(code, 0x80) for code in packet.reason_codes]),)
        return (packet,)


class PubcompAlwaysZero(Quirk):
    """A PUBCOMP for an unknown identifier says 0x00."""

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        return (Pubcomp(packet.packet_id),) if isinstance(packet, Pubcomp) else (packet,)


class LongForms(Quirk):
    """Acknowledgements have a Reason Code and a Property Length also where both may be left out."""

    def spell(self, packet: Packet, data: bytes) -> bytes:
        if self.link.version != 5:
            return data
        if isinstance(packet, (Puback, Pubrec, Pubrel, Pubcomp)) and data[1] in (2, 3):
            longer = bytes((data[0], 4)) + data[2:4] + bytes((packet.reason_code, 0))
        elif isinstance(packet, Disconnect) and data[1] < 2:
            longer = bytes((data[0], 2, packet.reason_code, 0))
        else:
            return data
        return longer if len(longer) <= self.link.limit else data


PROPERTIES: Final[dict[type[Any], type[Any]]] = {
    Connack: ConnackProperties,
    Puback: PubackProperties,
    Pubrec: PubrecProperties,
    Pubrel: PubrelProperties,
    Pubcomp: PubcompProperties,
    Suback: SubackProperties,
    Unsuback: UnsubackProperties,
    Disconnect: DisconnectProperties,
}


class ExtraProperties(Quirk):
    """Reason Strings and User Properties wherever they may be, and a CONNACK that says everything."""

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        made = PROPERTIES.get(type(packet))
        if self.link.version != 5 or made is None:
            return (packet,)
        if not isinstance(packet, (Connack, Disconnect)) and not self.link.problem_information:
            return (packet,)
        more: Any = copy(packet)
        more.properties = copy(more.properties) if more.properties is not None else made()
        for name in made.__match_args__:
            if name == "user_property":
                more.properties.user_property = [*more.properties.user_property, ("odd", "1"), ("odd", "1"), ("", "")]
            elif name == "reason_string" and more.properties.reason_string is None:
                more.properties.reason_string = "as it happens: ünusual \U0001f42a"
        if isinstance(more, Connack) and more.reason_code == 0 and self.link.connect is not None:
            self.everything(more.properties, self.link.connect)
        return (more if self.link.fits(more) else packet,)

    def everything(self, properties: ConnackProperties, connect: Connect) -> None:
        """Say what need not be said, since it is the default or what the client has asked for."""
        asked = connect.properties
        if properties.session_expiry_interval is None:
            properties.session_expiry_interval = (asked and asked.session_expiry_interval) or 0
        if properties.server_keep_alive is None:
            properties.server_keep_alive = connect.keep_alive
        for name, value in (
            ("receive_maximum", 65_535),
            ("topic_alias_maximum", 0),
            ("retain_available", 1),
            ("maximum_packet_size", 268_435_460),
            ("wildcard_subscription_available", 1),
            ("subscription_identifier_available", 1),
            ("shared_subscription_available", 1),
        ):
            if getattr(properties, name) is None:
                setattr(properties, name, value)


class AssignedIdentifier(Quirk):
    """A client without identifier is given a long one, with characters of any kind."""

    rewrites = True
    count = 0

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.given = ""

    def from_client(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Connect) and not packet.client_id and packet.protocol_version == 5:
            AssignedIdentifier.count += 1
            self.given = f"{self.count} / an unusual identifier/+/# \u00e9\u6f22\U0001f42a {'x' * 300}"
            named = copy(packet)
            named.client_id = self.given
            return (named,)
        return (packet,)

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if self.given and isinstance(packet, Connack) and packet.reason_code == 0:
            told = copy(packet)
            told.properties = copy(packet.properties) if packet.properties is not None else ConnackProperties()
            told.properties.assigned_client_identifier = self.given
            return (told,)
        return (packet,)


class Aliases(Quirk):
    """Messages have Topic Aliases of this quirk's choice, if the client allows any; the broker sets none."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.topics: dict[int, str] = {}
        self.random = Random(3)

    def choose(self, topic: str, maximum: int) -> int:
        raise NotImplementedError

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        asked = None if self.link.connect is None else self.link.connect.properties
        maximum = 0 if asked is None or self.link.version != 5 else asked.topic_alias_maximum or 0
        if not maximum or not isinstance(packet, Publish):
            return (packet,)
        alias = self.choose(packet.topic, maximum)
        other = copy(packet)
        other.properties = copy(packet.properties) if packet.properties is not None else PublishProperties()
        other.properties.topic_alias = alias
        if self.topics.get(alias) == packet.topic:
            other.topic = ""
        if not self.link.fits(other):
            return (packet,)
        self.topics[alias] = packet.topic
        return (other,)


class AliasesRemapped(Aliases):
    """One alias only, the highest allowed, which stands for each topic in turn."""

    def choose(self, topic: str, maximum: int) -> int:
        return maximum


class AliasesAtRandom(Aliases):
    """Any alias that is allowed; a topic may have several."""

    def choose(self, topic: str, maximum: int) -> int:
        return self.random.randint(1, min(maximum, 3))


class Foreign(Quirk):
    """Each client is subscribed by the server to `odd/foreign/...`: messages come unasked, at any moment."""

    packet_id = 54_321

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.asked = False

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        if isinstance(packet, Connack) and packet.reason_code == 0:
            self.asked = True
            topics = (f"odd/foreign/{number}" for number in range(3))
            asked = [Subscription(topic, 2, retain_as_published=True) for topic in topics]
            self.link.loop.call_soon(self.link.tell, Subscribe(self.packet_id, asked))
        elif self.asked and isinstance(packet, Suback) and packet.packet_id == self.packet_id:
            self.asked = False
            return ()
        return (packet,)


class GoneAtTakeover(Quirk):
    """A client whose session another connection takes over is not told, and its connection is cut."""

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        return () if isinstance(packet, Disconnect) and packet.reason_code == 0x8E else (packet,)

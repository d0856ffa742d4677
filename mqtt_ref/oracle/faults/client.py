# SPDX-License-Identifier: MIT
"""A small client that follows every rule for clients, except those that are switched off."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from mqtt_ref.wire.codes import CONTINUE_AUTHENTICATION, FAILURE, RE_AUTHENTICATE
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import SERVER, V5
from mqtt_ref.wire.violation import Violation

__all__ = ["SWITCHES", "Client", "Refused"]

SECOND: Final = 1_000_000_000
SWITCHES: Final = frozenset(
    {
        "acks-at-will", "alias-unlimited", "alias-kept", "drop-expired", "dup-at-first", "features",
        "forget", "go-on-when-refused", "go-on-with-strange-session", "identifiers", "keep-lapsed", "no-dup",
        "no-ping", "no-ping-when-receiving", "no-server-keep-alive", "own-method", "puback-order", "pubrec-order",
        "pubrel-order", "quota", "renew-in-answer", "resend-order", "size", "wrong-ack",
        "wrong-identifier-in-ack",
    }
)  # fmt: skip
"""The rules that can be switched off, named by what the client then does."""


class Refused(Exception):
    """Raised if a rule of the standard forbids the requested action."""


class Client:
    """One client with its session, over several connections; no socket, no clock.

    `out` holds the bytes to send. `receive` handles received bytes, `tick` the passing of time. `now` is in
    nanoseconds. `faults` are names of `SWITCHES`: rules that the client breaks.
    """

    def __init__(self, client_id: str = "c", version: int = V5, faults: frozenset[str] = frozenset()) -> None:
        unknown = faults - SWITCHES
        if unknown:
            raise ValueError(f"unknown switch {', '.join(sorted(unknown))}; see SWITCHES")
        self.client_id = client_id
        self.version = version
        self.faults = faults
        self.outgoing: dict[int, Publish | Pubrel] = {}
        """Unacknowledged packets: a PUBLISH, or the PUBREL that followed it, in the original order."""
        self.expiries: dict[int, int] = {}
        self.messages: list[Publish] = []
        self.now = 0
        self.open = False
        self._next = 1
        self._begin()

    def _begin(self) -> None:
        """Reset the state that does not belong to the session, for a new connection."""
        self.out: list[bytes] = []
        self.decoder = Decoder(self.version, SERVER)
        self.connack: Connack | None = None
        self.connect_packet = Connect("")
        self.keep_alive = 0
        self.last_sent = self.now
        self.quota = 65_535
        self.quota_maximum = 65_535
        self.pending: set[int] = set()
        self.waiting: deque[Publish] = deque()
        if "alias-kept" not in self.faults or not hasattr(self, "aliases"):
            self.aliases: dict[str, int] = {}
        self.held: dict[str, list[Packet]] = {"puback": [], "pubrec": [], "pubrel": []}

    # ---------------------------------------------------------------- asked by the application

    def connect(self, **fields: Any) -> None:
        """Begin a connection with a CONNECT; `fields` are those of `Connect`."""
        self._begin()
        self.open = True
        fields.setdefault("clean_start", True)
        if fields["clean_start"] and "keep-lapsed" not in self.faults:
            self.outgoing.clear()
        self.connect_packet = Connect(self.client_id, protocol_version=self.version, **fields)
        self.keep_alive = self.connect_packet.keep_alive
        self.send(self.connect_packet)

    def publish(self, topic: str, payload: bytes = b"", qos: int = 0, **more: Any) -> None:
        """Publish a message; at QoS 1 and 2, wait for quota if needed.

        Raises:
            Refused: the server does not accept such a message.
        """
        packet = Publish(topic, payload, qos, **more)
        self._allowed(packet)
        if qos == 0:
            self.send(packet)
            return
        self.waiting.append(packet)
        self._flow()

    def _allowed(self, packet: Publish) -> None:
        told = self.connack.properties if self.connack is not None else None
        properties = packet.properties
        if self.connack is None:
            raise Refused("there is no CONNACK yet")
        alias = properties.topic_alias if properties is not None else None
        maximum = (told.topic_alias_maximum if told is not None else None) or 0
        if alias is not None and alias > maximum and "alias-unlimited" not in self.faults:
            raise Refused("the Topic Alias is above the server's maximum")
        if told is None:
            return
        if "features" not in self.faults:
            if told.maximum_qos is not None and packet.qos > told.maximum_qos:
                raise Refused("the QoS is above the server's Maximum QoS")
            if packet.retain and told.retain_available == 0:
                raise Refused("the server does not retain")
        if told.maximum_packet_size is not None and "size" not in self.faults:
            whole = Publish(packet.topic, packet.payload, packet.qos, packet.retain, False, 1, packet.properties)
            if len(encode(self.version, whole)) > told.maximum_packet_size:
                raise Refused("the message is larger than the server takes")

    def publish_short(self, topic: str, payload: bytes = b"") -> None:
        """Publish at QoS 0 with a Topic Alias, which is set by the first message of a topic."""
        if topic in self.aliases:
            self.publish("", payload, properties=PublishProperties(topic_alias=self.aliases[topic]))
        else:
            alias = len(self.aliases) + 1
            self.publish(topic, payload, properties=PublishProperties(topic_alias=alias))
            self.aliases[topic] = alias

    def subscribe(self, topic_filter: str, qos: int = 0, identifier: int = 0, **options: Any) -> None:
        """Subscribe to a Topic Filter.

        Raises:
            Refused: the server does not offer such subscriptions.
        """
        told = self.connack.properties if self.connack is not None else None
        if told is not None and "features" not in self.faults:
            wild = "#" in topic_filter or "+" in topic_filter
            shared = topic_filter.startswith("$share/")
            if (
                (wild and told.wildcard_subscription_available == 0)
                or (shared and told.shared_subscription_available == 0)
                or (identifier and told.subscription_identifier_available == 0)
            ):
                raise Refused("the server does not offer such subscriptions")
        packet_id = self._take()
        packet = Subscribe(packet_id, [Subscription(topic_filter, qos, **options)])
        if identifier:
            from mqtt_ref.wire.packets import SubscribeProperties

            packet.properties = SubscribeProperties(subscription_identifier=identifier)
        self.pending.add(packet_id)
        self.send(packet)

    def unsubscribe(self, topic_filter: str) -> None:
        """Unsubscribe from a Topic Filter."""
        packet_id = self._take()
        self.pending.add(packet_id)
        self.send(Unsubscribe(packet_id, [topic_filter]))

    def ping(self) -> None:
        """Send a PINGREQ if connected."""
        if self.open:
            self.send(Pingreq())

    def disconnect(self, reason_code: int = 0, **more: Any) -> None:
        """Send a DISCONNECT and close."""
        self.send(Disconnect(reason_code, **more))
        self.open = False

    def authenticate(self, reason_code: int, data: bytes | None = None) -> None:
        """Send an AUTH with the Authentication Method of the CONNECT."""
        properties = self.connect_packet.properties
        method = properties.authentication_method if properties is not None else None
        if "own-method" in self.faults:
            method = "another"
        self.send(Auth(reason_code, AuthProperties(authentication_method=method, authentication_data=data)))

    # ---------------------------------------------------------------- the protocol

    def send(self, packet: Packet) -> None:
        """Send a packet without any check."""
        self.send_raw(encode(self.version, packet))

    def send_raw(self, data: bytes) -> None:
        """Send any bytes."""
        self.out.append(data)
        self.last_sent = self.now

    def lost(self) -> None:
        """Handle the loss of the connection."""
        self.open = False

    def tick(self, now: int) -> None:
        """Advance the time to `now`, and send a PINGREQ if one is due."""
        self.now = now
        if self.open and self.keep_alive and "no-ping" not in self.faults and self.due() <= now:
            self.ping()

    def due(self) -> int:
        """Return when the next packet has to be sent at the latest."""
        return self.last_sent + self.keep_alive * SECOND

    def receive(self, data: bytes, now: int) -> None:
        """Handle bytes of the server."""
        self.now = now
        if "no-ping-when-receiving" in self.faults:
            self.last_sent = now
        for packet in self.decoder.feed(data):
            if not self.open:
                return
            if isinstance(packet, Violation):
                self.disconnect(packet.reason) if self.version == V5 else self.lost()
                return
            self._received(packet)

    def _received(self, packet: Packet) -> None:
        if isinstance(packet, Connack):
            self._accepted(packet)
        elif isinstance(packet, Publish):
            self.messages.append(packet)
            self._acknowledge(packet)
        elif isinstance(packet, Puback):
            self._ended(packet.packet_id)
        elif isinstance(packet, Pubrec):
            self._recorded(packet)
        elif isinstance(packet, Pubrel) and "acks-at-will" not in self.faults:
            number = packet.packet_id + 1 if "wrong-identifier-in-ack" in self.faults else packet.packet_id
            self.send(Pubcomp(number))
        elif isinstance(packet, Pubcomp):
            self._ended(packet.packet_id)
        elif isinstance(packet, Suback | Unsuback):
            self.pending.discard(packet.packet_id)
        elif isinstance(packet, Disconnect):
            self.lost()
        elif isinstance(packet, Auth):
            code = RE_AUTHENTICATE if "renew-in-answer" in self.faults else CONTINUE_AUTHENTICATION
            if packet.reason_code == CONTINUE_AUTHENTICATION:
                self.authenticate(code, b"answer")

    def _accepted(self, connack: Connack) -> None:
        self.connack = connack
        if connack.reason_code:
            if "go-on-when-refused" in self.faults:
                self.ping()
            self.lost()
            return
        properties = connack.properties
        if properties is not None:
            self.quota = self.quota_maximum = properties.receive_maximum or 65_535
            if properties.server_keep_alive is not None and "no-server-keep-alive" not in self.faults:
                self.keep_alive = properties.server_keep_alive
            if properties.assigned_client_identifier:
                self.client_id = properties.assigned_client_identifier
        if connack.session_present and self.connect_packet.clean_start:
            if "go-on-with-strange-session" not in self.faults:
                self.lost()
                return
        if not connack.session_present and "keep-lapsed" not in self.faults and self.version > 3:
            self.outgoing.clear()
        if "forget" not in self.faults:
            self.resend()
        self._flow()

    def resend(self) -> None:
        """Send all unacknowledged packets again."""
        packets = list(self.outgoing.values())
        if "resend-order" in self.faults:
            packets.reverse()
        for packet in packets:
            if "drop-expired" in self.faults and self.expiries.get(packet.packet_id, self.now) < self.now:
                continue
            if isinstance(packet, Publish):
                packet.dup = "no-dup" not in self.faults
                self.quota -= 1
            self.send(packet)

    def _flow(self) -> None:
        """Send waiting messages as far as the quota allows."""
        while self.waiting and (self.quota > 0 or "quota" in self.faults):
            packet = self.waiting.popleft()
            packet.packet_id = self._take()
            packet.dup = "dup-at-first" in self.faults
            self.outgoing[packet.packet_id] = packet
            expiry = packet.properties.message_expiry_interval if packet.properties is not None else None
            if expiry is not None:
                self.expiries[packet.packet_id] = self.now + expiry * SECOND
            self.quota -= 1
            self.send(packet)

    def _take(self) -> int:
        """Take a Packet Identifier that is not in use."""
        if "identifiers" in self.faults:
            return 1
        while self._next in self.outgoing or self._next in self.pending:
            self._next = self._next % 65_535 + 1
        taken = self._next
        self._next = self._next % 65_535 + 1
        return taken

    def _acknowledge(self, packet: Publish) -> None:
        number = packet.packet_id + 1 if "wrong-identifier-in-ack" in self.faults else packet.packet_id
        if packet.qos:
            first = (packet.qos == 1) != ("wrong-ack" in self.faults)
            if first:
                self._answer("puback", Puback(number))
            else:
                self._answer("pubrec", Pubrec(number))

    def _recorded(self, packet: Pubrec) -> None:
        number = packet.packet_id
        if packet.reason_code >= FAILURE:
            self._ended(number)
            return
        found = self.outgoing.get(number)
        if found is not None:
            self.outgoing[number] = Pubrel(number)
        self._answer("pubrel", Pubrel(number))

    def _answer(self, kind: str, packet: Packet) -> None:
        """Answer at once; with the switch, answer in pairs, the second packet first."""
        if "acks-at-will" in self.faults:
            return
        if f"{kind}-order" not in self.faults:
            self.send(packet)
            return
        held = self.held[kind]
        held.append(packet)
        if len(held) == 2:
            self.send(held[1])
            self.send(held[0])
            held.clear()

    def _ended(self, number: int) -> None:
        self.outgoing.pop(number, None)
        self.quota = min(self.quota + 1, self.quota_maximum)
        self._flow()

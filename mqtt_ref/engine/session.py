# SPDX-License-Identifier: MIT
"""The state of one session (section 4.1): what outlives a connection."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mqtt_ref.engine.generated.qos_send import IDLE
from mqtt_ref.engine.generated.session import ABSENT
from mqtt_ref.engine.generated.will import NONE

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.broker.replay import Replay
    from mqtt_ref.engine.backlog import Backlog
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.message import Message
    from mqtt_ref.wire.packets import Will

__all__ = ["Delivery", "Session"]


class Delivery:
    """One message for one subscriber: queued, or sent and not completely acknowledged."""

    __slots__ = (
        "batch",
        "charged",
        "group",
        "identifiers",
        "message",
        "order",
        "packet_id",
        "qos",
        "retain",
        "state",
    )

    def __init__(self, message: Message, qos: int, retain: bool, identifiers: tuple[int, ...], group: str = "") -> None:
        self.message = message
        self.qos = qos
        self.retain = retain
        self.identifiers = identifiers
        self.group = group
        """The full filter of the Shared Subscription through which it came, or empty."""
        self.packet_id = 0
        self.state: int = IDLE
        self.order = 0
        """Its position in the queue, for the store."""
        self.batch = 0
        """The batch that stores it in the queue; 0: it is stored, or need not be."""
        self.charged = False
        """True if it uses one unit of the send quota of the open connection."""

    def __repr__(self) -> str:
        return f"Delivery({self.message!r}, qos={self.qos}, packet_id={self.packet_id}, state={self.state})"


class Session:
    """What the server holds for one Client Identifier.

    Cites: MQTT5-3.1.3-2, MQTT311-3.1.3-2, X5-session-state-existence, X5-session-state-subscriptions,
    X5-session-state-inbound, X5-session-state-will, X5-session-state-end-time, X311-session-state-server,
    MQTT311-4.1.0-1
    """

    __slots__ = (
        "backlog",
        "broker",
        "client_id",
        "connection",
        "doubted",
        "ends_at",
        "expiry",
        "handle",
        "held_bytes",
        "inflight",
        "inflight_bytes",
        "kept",
        "listener",
        "next_order",
        "next_packet_id",
        "queue",
        "queued_bytes",
        "received",
        "remote",
        "replay",
        "resending",
        "rules",
        "state",
        "stored",
        "subscription_identifiers",
        "subscriptions",
        "username",
        "version",
        "wake_at",
        "will",
        "will_at",
        "will_state",
    )

    def __init__(self, broker: Broker, handle: int, client_id: str, version: int) -> None:
        self.broker = broker
        self.handle = handle
        self.client_id = client_id
        self.version = version
        self.username: str = ""
        self.remote = ""
        self.listener = ""
        """Address and listener of its last connection, set when that connection is over."""
        self.state: int = ABSENT
        self.connection: Connection | None = None
        self.expiry = 0
        """Seconds that it outlives its connection; 4294967295: it never expires."""
        self.kept = False
        """True if the store keeps all of it, because it outlives its connection."""
        self.stored = False
        """True if the store has it: it is kept, or it has a will, which is due even if the server fails."""
        self.ends_at = 0
        """Time at which it ends while its client is away; 0: unknown or never."""
        self.wake_at = 0
        """Time that its timer is set to, or 0."""
        self.subscriptions: dict[str, tuple[int, int]] = {}
        """By filter: the options byte with the granted QoS, and the Subscription Identifier (0: none)."""
        self.subscription_identifiers = 0
        """The number of subscriptions that have a Subscription Identifier."""
        self.inflight: dict[int, Delivery] = {}
        """Sent with QoS 1 or 2 and not completely acknowledged, by packet identifier, in the order first sent."""
        self.inflight_bytes = 0
        """Bytes of them, with `OVERHEAD` for each; only those of more than `Broker.bulky` bytes count."""
        self.held_bytes = 0
        """Bytes that the budget counts for this session, without its messages."""
        self.received: dict[int, int] = {}
        """By Packet Identifier of a QoS 2 message that awaits PUBREL: the serial of the connection that counts it."""
        self.queue: deque[Delivery] | None = None
        """What waits in memory: the first messages of the queue."""
        self.backlog: Backlog | None = None
        """What waits behind these, in the store."""
        self.queued_bytes = 0
        """Bytes of all messages that wait: topics, payloads and properties."""
        self.resending: deque[int] | None = None
        """Packet identifiers of a resumed session that wait for send quota to be sent again."""
        self.replay: Replay | None = None
        """Retained messages that it waits for."""
        self.next_packet_id = 1
        self.next_order = 1
        self.rules: int = broker.rules
        """`Broker.rules` when the waiting messages were last checked."""
        self.doubted = 0
        """Queued messages with a lower `order` are checked before they are sent: the client or the rules changed."""
        self.will: Will | None = None
        self.will_state: int = NONE
        self.will_at = 0

    def __repr__(self) -> str:
        return f"Session({self.handle}, {self.client_id!r})"

    @property
    def connected(self) -> bool:
        """True if its client is connected."""
        return self.connection is not None

    @property
    def queued(self) -> int:
        """The number of messages that wait for it."""
        count = 0 if self.queue is None else len(self.queue)
        return count if self.backlog is None else count + len(self.backlog)

    def subscribe(self, topic_filter: str, options: int, identifier: int) -> None:
        """Add a subscription, or replace it. `options` is the byte with the granted QoS; identifier 0: none."""
        before = self.subscriptions.get(topic_filter)
        if before is not None and before[1]:
            self.subscription_identifiers -= 1
        if identifier:
            self.subscription_identifiers += 1
        self.subscriptions[topic_filter] = (options, identifier)

    def unsubscribe(self, topic_filter: str) -> None:
        """Delete a subscription that there is."""
        if self.subscriptions.pop(topic_filter)[1]:
            self.subscription_identifiers -= 1

# SPDX-License-Identifier: MIT
"""The options of an operator: capabilities, bounds and decisions, with the defaults that the standards suggest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mqtt_ref.wire.codes import USE_ANOTHER_SERVER

__all__ = ["Bounds", "Capabilities", "Options", "Redirect", "Terms"]


@dataclass
class Capabilities:
    """What the server offers, as the CONNACK tells clients (section 3.2.2.3 of 5.0)."""

    versions: tuple[int, ...] = (3, 4, 5)
    """The protocol levels that are accepted."""
    maximum_qos: int = 2
    retain_available: bool = True
    maximum_packet_size: int = 268_435_460
    """Bytes of the largest packet that is accepted. The default is the protocol's maximum; it is not sent."""
    topic_alias_maximum: int = 100
    """Topic Aliases that a client may set. Each keeps a Topic Name in memory. 0 forbids them."""
    receive_maximum: int = 1024
    """QoS 1 and 2 messages of a client that may be unacknowledged at once."""
    wildcard_subscription_available: bool = True
    subscription_identifier_available: bool = True
    shared_subscription_available: bool = True
    maximum_keep_alive: int = 0
    """Seconds. A larger Keep Alive, or 0, becomes this one. 0: no maximum."""
    maximum_session_expiry: int = 4_294_967_295
    """Seconds. A longer Session Expiry Interval becomes this one. 4294967295: no maximum."""
    response_information: str = ""
    """Response Information for clients that request it, with `{client_id}` replaced; empty: none."""
    empty_client_id: bool = True
    """True if a client without a Client Identifier is assigned one."""
    minimum_keep_alive: int = 0
    """Seconds. A 5.0 client with a shorter Keep Alive, except 0, gets this one as Server Keep Alive."""


@dataclass
class Bounds:
    """Limits of what the server holds; every queue has one."""

    memory: int = 1024 * 1024 * 1024
    """Bytes that are held for all clients together, see `broker.budget`; 0: no limit."""
    maximum_inflight: int = 1024
    """Unacknowledged QoS 1 and 2 messages sent to one client; a smaller Receive Maximum takes precedence."""
    inflight_bytes: int = 64 * 1024 * 1024
    """Bytes of them from which no further one is sent. Each counts `engine.message.OVERHEAD` bytes more than its size.

    Those that are so small that `maximum_inflight` of them are less than this do not count.
    """
    queued_messages: int = 8192
    """Messages that wait for one session."""
    queued_bytes: int = 64 * 1024 * 1024
    """Bytes of messages that wait for one session: topics, payloads, properties, and `OVERHEAD` for each."""
    queued_memory: int = 256 * 1024 * 1024
    """Bytes of memory for the queues of all sessions; 0: any number. A message counts 500 more than its size.

    Beyond it, messages for clients that are away wait in the store alone, if there is one. For each client that is
    connected, 256 messages may be in memory nevertheless.
    """
    outbound_aliases: int = 64
    """Topic Aliases that the server assigns on one connection, if the client allows them."""
    connect_bytes: int = 1_048_576
    """Bytes of a CONNECT."""
    held_bytes: int = 1_048_576
    """Bytes that a client may send before it is accepted, or while one of its packets waits for an answer."""
    connect_timeout: int = 10
    """Seconds from the accepted link to the CONNECT."""
    answer_timeout: int = 30
    """Seconds for an authentication, including all its AUTH packets."""
    subscriptions: int = 100_000
    """Subscriptions of one session."""
    hook_timeout: float = 5.0
    """Seconds that one question to a hook may take; then the answer is no."""
    parts: int = 10_000
    """Topic Filters of a packet, or User Properties of one; 0: any number."""
    shared_subscriptions: int = 1_000
    """Shared Subscriptions of one session."""
    subscription_identifiers: int = 5_000
    """Subscriptions of one session that have a Subscription Identifier. One message may have to carry all of them."""
    topic_levels: int = 200
    """Levels of a Topic Name or Topic Filter. The largest possible number is 65,536.

    Cites: X5-topic-level-count, X311-topic-levels-unlimited
    """
    batches: int = 4
    """Batches that may be on their way to the store at once."""
    retained_messages: int = 1_000_000
    """Retained messages; 0: any number."""
    sessions: int = 10_000_000
    """Sessions, connected or not."""
    message_size: int = 0
    """Bytes of the payload of a PUBLISH or will; 0: no limit. A larger one is refused with 0x97 (Quota exceeded)."""
    connections: int = 1_000_000
    """Open links."""
    write_buffer: int = 256 * 1024
    """Bytes that the transport may hold for a client before messages to it are held back."""
    read_buffer: int = 64 * 1024
    """Largest number of bytes of one read, if the event loop allows a choice."""
    clients: int = 0
    """Clients connected at once; further ones are refused with 0x89 (3.x: 0x03). 0: any number."""
    message_expiry: int = 0
    """Seconds after which a message is no longer kept, even if its publisher asked for longer; 0: no limit.

    The Message Expiry Interval that subscribers receive is not changed.
    """

    @property
    def hard_limit(self) -> int:
        """Bytes that the transport may hold for a client before nothing more is read from it."""
        return 4 * self.write_buffer


@dataclass
class Terms:
    """Limits for the clients of one listener; None means the broker's own limit."""

    versions: tuple[int, ...] | None = None
    """The protocol levels that are accepted, out of those that the broker accepts."""
    maximum_qos: int | None = None
    """The highest QoS that clients may use to publish and that they are granted; never above the broker's."""
    maximum_connections: int | None = None
    """Links that may be open at once."""
    connect_timeout: int | None = None
    """Seconds from the accepted link to the CONNECT; 0: no limit. A TLS handshake before it gets the same time."""
    bytes_per_second: int | None = None
    """Bytes of packets that are read from one client in a second. More has to wait; nothing is dropped."""
    packets_per_second: int | None = None
    """Packets that are read from one client in a second. More have to wait; none is dropped."""

    def limit(self, capabilities: Capabilities) -> Capabilities:
        """Return what the broker offers through this listener: its capabilities, or fewer."""
        if self.versions is None and self.maximum_qos is None:
            return capabilities
        versions = capabilities.versions
        if self.versions is not None:
            versions = tuple(version for version in versions if version in self.versions)
        maximum_qos = capabilities.maximum_qos
        if self.maximum_qos is not None:
            maximum_qos = min(maximum_qos, self.maximum_qos)
        return replace(capabilities, versions=versions, maximum_qos=maximum_qos)


@dataclass
class Redirect:
    """Send clients to another server (section 4.11 of 5.0): 0x9C temporarily, 0x9D permanently."""

    code: int = USE_ANOTHER_SERVER
    server_reference: str = ""
    """The Server Reference that clients get: names of servers, separated by spaces.

    Cites: X5-server-reference-list
    """


@dataclass
class Options:
    """All options of a broker."""

    capabilities: Capabilities = field(default_factory=Capabilities)
    bounds: Bounds = field(default_factory=Bounds)
    decisions: dict[str, str] = field(default_factory=dict)
    """Values that replace the defaults, by the names of `spec/decisions.toml`."""
    refused_filters: tuple[str, ...] = ()
    """Topic Filters that no client may subscribe to: 0x87 (3.1.1: 0x80)."""
    reason_strings: bool = True
    """True if refusals carry a Reason String, to 5.0 clients that did not switch it off."""
    redirect: Redirect | None = None
    sys_topic_resend_interval: int = 10
    """Seconds between two updates of the `$SYS` topics; 0: there are none."""
    inline_client: bool = True
    """True if the embedding program may publish and subscribe."""
    restore_sys_info: bool = False
    """True if the totals in `$SYS` continue after a restart, provided that a hook stores them."""
    notes: bool = True
    """True if one log line says why a connection was closed."""

    def __post_init__(self) -> None:
        """See that the parts are of the right kind.

        Raises:
            TypeError: one is not, for example a dict.
        """
        for name, kind in (("capabilities", Capabilities), ("bounds", Bounds), ("decisions", dict)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                example = f"{kind.__name__}(...)" if kind is not dict else "a dict of strings"
                raise TypeError(f"Options: {name} is {value!r}; it must be {example}")

# SPDX-License-Identifier: MIT
"""What an operator may set: capabilities, bounds and decisions, with the defaults that the standards suggest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mqtt_ref.wire.codes import USE_ANOTHER_SERVER

__all__ = ["Bounds", "Capabilities", "Options", "Redirect", "Terms"]


@dataclass
class Capabilities:
    """What the server offers and tells clients in the CONNACK (section 3.2.2.3 of 5.0)."""

    versions: tuple[int, ...] = (3, 4, 5)
    """The protocol levels that are accepted."""
    maximum_qos: int = 2
    retain_available: bool = True
    maximum_packet_size: int = 268_435_460
    """Largest packet that is read; the size of the largest that there can be means no limit and is not told."""
    topic_alias_maximum: int = 100
    """Aliases that a client may set, each of which holds a topic name in memory; 0 forbids them."""
    receive_maximum: int = 1024
    """QoS 1 and 2 messages of a client that may be unacknowledged at once."""
    wildcard_subscription_available: bool = True
    subscription_identifier_available: bool = True
    shared_subscription_available: bool = True
    maximum_keep_alive: int = 0
    """Seconds; larger Keep Alives, and none at all, become this one. 0: whatever the client says."""
    maximum_session_expiry: int = 4_294_967_295
    """Seconds; longer Session Expiry Intervals become this one. 4294967295: never is allowed."""
    response_information: str = ""
    """What a client that asks for Response Information gets, `{client_id}` filled in; empty: nothing."""
    empty_client_id: bool = True
    """Whether a client without Client Identifier is given one."""
    minimum_keep_alive: int = 0
    """Seconds; a 5.0 client with a shorter Keep Alive (but not 0) is told this one."""


@dataclass
class Bounds:
    """What the server holds at most; every queue has a bound."""

    maximum_inflight: int = 1024
    """QoS 1 and 2 messages sent to one client and not acknowledged; a smaller Receive Maximum wins."""
    queued_messages: int = 8192
    """Messages that wait for one session."""
    queued_bytes: int = 64 * 1024 * 1024
    """Bytes of payloads and topics that wait for one session."""
    outbound_aliases: int = 64
    """Topic Aliases the server assigns on one connection where the client allows them."""
    connect_bytes: int = 1_048_576
    """Bytes of a CONNECT."""
    held_bytes: int = 1_048_576
    """Bytes that a client may send while the question whether it may connect is open."""
    connect_timeout: int = 10
    """Seconds from the accepted link to the CONNECT."""
    answer_timeout: int = 30
    """Seconds for an authentication, with all its AUTH packets."""
    subscriptions: int = 100_000
    """Subscriptions of one session."""
    hook_timeout: float = 5.0
    """Seconds that one question to a hook may take; then the answer is no."""
    topic_levels: int = 65_536
    """Levels of a topic name or filter; by default as many as there can be.

    Cites: X5-topic-level-count, X311-topic-levels-unlimited
    """
    batches: int = 4
    """Batches that may be on their way to the store at once."""
    retained_messages: int = 1_000_000
    """Retained messages; 0: any number."""
    sessions: int = 10_000_000
    """Sessions, connected or not."""
    connections: int = 1_000_000
    """Links."""
    write_buffer: int = 256 * 1024
    """Bytes the transport may hold for a client before messages to it are held back."""
    read_buffer: int = 64 * 1024
    """Bytes of one read at most, where the loop lets us choose."""
    clients: int = 0
    """Clients connected at once; another one is told 0x89 (3.x: 0x03). 0: any number."""
    message_expiry: int = 0
    """Seconds after which a message is kept no longer, whatever its publisher said; 0: for ever.

    What subscribers are told of its Message Expiry Interval is not changed by this.
    """

    @property
    def hard_limit(self) -> int:
        """Bytes it may hold, mostly answers to the client itself, before nothing more is read from that client."""
        return 4 * self.write_buffer


@dataclass
class Terms:
    """What holds for the clients of one listener; None is what holds for the broker."""

    versions: tuple[int, ...] | None = None
    """The protocol levels that are accepted, of those that the broker accepts."""
    maximum_qos: int | None = None
    """The highest QoS that clients may publish at and are granted; never above the broker's."""
    maximum_connections: int | None = None
    """Links that may be open at once."""
    connect_timeout: int | None = None
    """Seconds from the accepted link to the CONNECT; 0: any time. A TLS handshake before that has as long."""
    bytes_per_second: int | None = None
    """Bytes of packets that are read from one client; more has to wait, nothing is dropped."""
    packets_per_second: int | None = None
    """Packets that are read from one client; more have to wait, none is dropped."""

    def limit(self, capabilities: Capabilities) -> Capabilities:
        """What the broker offers through this listener: its capabilities, or fewer."""
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
    """Send clients elsewhere (section 4.11 of 5.0): 0x9C for now, 0x9D for good."""

    code: int = USE_ANOTHER_SERVER
    server_reference: str = ""
    """Where to, as clients get it: servers parted by spaces.

    Cites: X5-server-reference-list
    """


@dataclass
class Options:
    """All options of a broker."""

    capabilities: Capabilities = field(default_factory=Capabilities)
    bounds: Bounds = field(default_factory=Bounds)
    decisions: dict[str, str] = field(default_factory=dict)
    """By name of `spec/decisions.toml`: the value that is wanted instead of the default."""
    refused_filters: tuple[str, ...] = ()
    """Topic filters that nobody may subscribe to: 0x87 (3.1.1: 0x80)."""
    reason_strings: bool = True
    """Whether refusals say why, to 5.0 clients that did not ask for silence."""
    redirect: Redirect | None = None
    sys_topic_resend_interval: int = 10
    """Seconds between two looks at what the `$SYS` topics say; 0: there are none."""
    inline_client: bool = True
    """Whether the embedding program may publish and subscribe."""
    restore_sys_info: bool = False
    """Whether the totals in `$SYS` go on after a restart, where a hook keeps them."""
    notes: bool = True
    """Whether one line says why a connection was closed."""

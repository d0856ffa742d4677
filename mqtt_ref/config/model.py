# SPDX-License-Identifier: MIT
"""Schema of a configuration: the name, type, bounds, default and meaning of each option.

The JSON Schema for editors, the check of a file and the names of environment variables are derived from these classes.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, field

__all__ = [
    "SECRETS",
    "AclRule",
    "AuthRule",
    "Authentication",
    "Capabilities",
    "Certificates",
    "Compatibilities",
    "Config",
    "Custom",
    "Debug",
    "HealthListener",
    "Hooks",
    "InfoListener",
    "Ledger",
    "Listener",
    "LmdbStore",
    "Logging",
    "MqttListener",
    "NetListener",
    "Options",
    "Redirect",
    "RedisStore",
    "RocksDbStore",
    "Section",
    "SqliteStore",
    "Store",
    "TcpListener",
    "Tls",
    "UnixListener",
    "User",
    "WebSocketListener",
]

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Word16 = Annotated[int, Meta(ge=0, le=65_535)]
Word32 = Annotated[int, Meta(ge=0, le=4_294_967_295)]
Qos = Annotated[int, Meta(ge=0, le=2)]
Version = Literal["3.1", "3.1.1", "5.0"]
SECRETS: Final = frozenset({"password", "key_password", "token"})
"""Keys whose values are never shown."""


class Section(Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: a key that is not declared is refused."""


# -------------------------------------------------------------------- listeners


class Tls(Section):
    """Certificates of a listener. A reload reads the files again; open connections stay open."""

    certificate: Annotated[str, Meta(description="PEM file: the server's certificate and its chain")]
    key: Annotated[str, Meta(description="PEM file: the private key; empty: it is in `certificate`")] = ""
    key_password: Annotated[str, Meta(description="Password of the private key")] = ""
    client_ca: Annotated[str, Meta(description="PEM file: CA certificates for client certificates")] = ""
    require_certificate: Annotated[bool, Meta(description="Refuse clients without a certificate")] = False
    revocation_list: Annotated[str, Meta(description="PEM file: revoked certificates")] = ""
    minimum_version: Annotated[Literal["1.2", "1.3"], Meta(description="Oldest TLS version that is accepted")] = "1.2"


class MqttListener(Section):
    """Options of all MQTT listeners. An absent option has the value for the whole broker."""

    id: Annotated[str, Meta(description="Name in logs, hooks and the API; empty: the address")] = ""
    protocol_versions: Annotated[list[Version] | None, Meta(description="Accepted versions of MQTT")] = None
    maximum_qos: Annotated[Qos | None, Meta(description="Maximum QoS")] = None
    maximum_connections: Annotated[Positive | None, Meta(description="Maximum number of connections")] = None
    connect_timeout: Annotated[Count | None, Meta(description="Seconds from connection to CONNECT")] = None
    bytes_per_second: Annotated[Positive | None, Meta(description="Read rate of each connection")] = None
    packets_per_second: Annotated[Positive | None, Meta(description="Read rate of each connection")] = None


class TcpListener(MqttListener, tag_field="type", tag="tcp"):
    """MQTT over TCP, or over TLS with `tls`."""

    address: Annotated[str, Meta(description="host:port; :port: every address; port 0: a free one")] = "127.0.0.1:1883"
    tls: Tls | None = None


class WebSocketListener(MqttListener, tag_field="type", tag="ws"):
    """MQTT over WebSocket with sub-protocol `mqtt`, on any path; wss with `tls`."""

    address: Annotated[str, Meta(description="host:port; :port: every address; port 0: a free one")] = "127.0.0.1:1882"
    tls: Tls | None = None
    origins: Annotated[
        list[str] | None,
        Meta(description="Sites whose pages may connect, such as https://example.org; *: all; null: this machine's"),
    ] = None
    handshake_size: Annotated[
        int, Meta(ge=1024, description="Maximum bytes of the request line and headers of a client")
    ] = 32_768


class UnixListener(MqttListener, kw_only=True, tag_field="type", tag="unix"):
    """MQTT over a Unix domain socket."""

    address: Annotated[str, Meta(description="Path of the socket", min_length=1)]
    mode: Annotated[str, Meta(description="Permissions of the socket, octal", pattern="^0?[0-7]{3}$")] = "660"


class NetListener(MqttListener, kw_only=True, tag_field="type", tag="net"):
    """MQTT on a socket that is already bound: by systemd, or by the parent process."""

    address: Annotated[
        str,
        Meta(description="fd:N, or systemd:NAME for a socket passed by systemd", pattern="^(fd:[0-9]+|systemd:.*)$"),
    ]
    tls: Tls | None = None


class InfoListener(Section, tag_field="type", tag="sysinfo"):
    """HTTP: state, metrics and the API. Changes need the token."""

    id: Annotated[str, Meta(description="Name in logs")] = ""
    address: Annotated[str, Meta(description="host:port; :port: every address; port 0: a free one")] = "127.0.0.1:8080"
    tls: Tls | None = None
    token: Annotated[str, Meta(description="Token that changes need; empty: no changes are allowed")] = ""
    hosts: Annotated[list[str], Meta(description="Names of this host, besides localhost and addresses")] = field(
        default_factory=list
    )
    origins: Annotated[list[str], Meta(description="Sites whose pages may call the API")] = field(default_factory=list)
    token_for_reading: Annotated[bool, Meta(description="This machine needs the token for reading too")] = False


class HealthListener(Section, tag_field="type", tag="healthcheck"):
    """HTTP: 200 on /healthz while the broker serves, for load balancers."""

    id: Annotated[str, Meta(description="Name in logs")] = ""
    address: Annotated[str, Meta(description="host:port; :port: every address; port 0: a free one")] = "127.0.0.1:8081"
    tls: Tls | None = None


Listener = TcpListener | WebSocketListener | UnixListener | NetListener | InfoListener | HealthListener


# -------------------------------------------------------------------- hooks


Right = Literal["deny", "read", "write", "readwrite"] | Literal[0, 1, 2, 3]


class AuthRule(Section):
    """Allow or deny connections. An absent pattern or `*` matches anything; a `*` at the end matches any ending."""

    client: Annotated[str, Meta(description="Client Identifier")] = ""
    username: Annotated[str, Meta(description="User name")] = ""
    password: Annotated[str, Meta(description="Password, plain or as `mqtt-ref hash-password` prints it")] = ""
    remote: Annotated[str, Meta(description="Address of the client, such as 127.0.0.1:*")] = ""
    anonymous: Annotated[
        bool | None, Meta(description="True: only clients without user name; false: only clients with one")
    ] = None
    allow: Annotated[bool, Meta(description="This client may connect")] = False


class AclRule(Section):
    """What matching clients may write and read; without filters, everything."""

    client: Annotated[str, Meta(description="Client Identifier")] = ""
    username: Annotated[str, Meta(description="User name")] = ""
    remote: Annotated[str, Meta(description="Address of the client, such as 127.0.0.1:*")] = ""
    anonymous: Annotated[
        bool | None, Meta(description="True: only clients without user name; false: only clients with one")
    ] = None
    filters: Annotated[
        dict[str, Right],
        Meta(description="Topic Filter (%u: user name, %c: Client Identifier) to deny, read, write, readwrite"),
    ] = field(default_factory=dict)


class User(Section):
    """A user; checked before the rules."""

    password: Annotated[str, Meta(description="Password, plain or as `mqtt-ref hash-password` prints it")] = ""
    disallow: Annotated[bool, Meta(description="This user may not connect")] = False
    acl: Annotated[
        dict[str, Right],
        Meta(description="Topic Filter (%u: user name, %c: Client Identifier) to deny, read, write, readwrite"),
    ] = field(default_factory=dict)


class Ledger(Section):
    """Users, and rules for connecting, publishing and reading: see docs/access.md."""

    auth: Annotated[list[AuthRule], Meta(description="Rules for connecting; the first match decides")] = field(
        default_factory=list
    )
    acl: Annotated[list[AclRule], Meta(description="Rules for topics; the first match decides")] = field(
        default_factory=list
    )
    users: Annotated[dict[str, User], Meta(description="Users by name; checked before the rules")] = field(
        default_factory=dict
    )


class Certificates(Section):
    """Take the user name of a client from its certificate."""

    source: Annotated[
        Literal["common_name", "email", "dns", "uri"],
        Meta(description="The common name of the subject, or a subject alternative name of this kind"),
    ] = "common_name"
    required: Annotated[bool, Meta(description="Refuse clients without a certificate")] = False


class Authentication(Section):
    """Access control. If this section is empty, no client may connect."""

    allow_all: Annotated[bool, Meta(description="Every client may do everything")] = False
    ledger: Ledger | None = None
    certificates: Certificates | None = None
    scram: Annotated[
        dict[str, str] | None,
        Meta(description="SCRAM-SHA-256: user name to password, or to what `mqtt-ref hash-password --scheme` prints"),
    ] = None


class Debug(Section):
    """Logs every packet and event at level DEBUG."""

    enable: Annotated[bool, Meta(description="Switch the log on")] = False
    show_packet_data: Annotated[bool, Meta(description="Show payloads")] = False
    show_pings: Annotated[bool, Meta(description="Show PINGREQ and PINGRESP too")] = False
    show_passwords: Annotated[bool, Meta(description="Show passwords unmasked")] = False


class Custom(Section):
    """A hook of your own: its class and arguments."""

    hook: Annotated[str, Meta(description="module:Class", pattern=r"^[\w.]+:[\w.]+$")]
    arguments: Annotated[dict[str, Any], Meta(description="Its keyword arguments")] = field(default_factory=dict)


Durability = Annotated[
    Literal["full", "normal", "off"],
    Meta(description="full: survives a power failure; normal: survives the end of the process; off: neither"),
]


class SqliteStore(Section):
    """A file in SQLite."""

    path: Annotated[str, Meta(description="The file", min_length=1)]
    durability: Durability = "full"


class LmdbStore(Section):
    """A directory in LMDB."""

    path: Annotated[str, Meta(description="The directory", min_length=1)]
    durability: Durability = "full"


class RocksDbStore(Section):
    """A directory in RocksDB."""

    path: Annotated[str, Meta(description="The directory", min_length=1)]
    durability: Durability = "full"


class RedisStore(Section):
    """A Redis server. How durable it is, its own `appendfsync` decides."""

    address: Annotated[str, Meta(description="host:port", min_length=1)] = "localhost:6379"
    username: Annotated[str, Meta(description="User name; empty: the default user")] = ""
    password: Annotated[str, Meta(description="Password")] = ""
    database: Annotated[Count, Meta(description="Number of the database")] = 0
    h_prefix: Annotated[str, Meta(description="What its keys begin with", min_length=1)] = "mqtt_ref:"
    tls: Annotated[bool, Meta(description="Connect over TLS")] = False
    ca: Annotated[str, Meta(description="PEM file: who signed the server's certificate; empty: the system's")] = ""
    durability: Durability = "normal"


class Store(Section):
    """Where sessions and messages are kept: one of these. See docs/persistence.md."""

    sqlite: SqliteStore | None = None
    lmdb: LmdbStore | None = None
    rocksdb: RocksDbStore | None = None
    redis: RedisStore | None = None
    bolt: Annotated[dict[str, Any] | None, Meta(description="Not available here: use lmdb")] = None
    badger: Annotated[dict[str, Any] | None, Meta(description="Not available here: use rocksdb")] = None
    pebble: Annotated[dict[str, Any] | None, Meta(description="Not available here: use rocksdb")] = None
    on_failure: Annotated[
        Literal["refuse", "stop"],
        Meta(description="When a write fails: refuse what needs the store until it works again, or stop the broker"),
    ] = "refuse"


class Hooks(Section):
    """Hooks: access control, the debug log and your own."""

    auth: Authentication | None = None
    storage: Store | None = None
    debug: Debug | None = None
    custom: Annotated[list[Custom], Meta(description="Hooks of your own, in this order")] = field(default_factory=list)


# -------------------------------------------------------------------- options


class Compatibilities(Section):
    """Differences from the standard, or from the defaults of this broker, that some clients need."""

    obscure_not_authorized: Annotated[
        bool, Meta(description="Send Unspecified error (0x80) instead of Not authorized (0x87)")
    ] = False
    passive_client_disconnect: Annotated[
        bool, Meta(description="After a DISCONNECT of the server, wait for the client to close; against MQTT5-3.14.4-1")
    ] = False
    always_return_response_info: Annotated[
        bool, Meta(description="Send Response Information to clients that did not ask; against MQTT5-3.1.2-28")
    ] = False
    restore_sys_info_on_restart: Annotated[
        bool, Meta(description="Continue the totals in $SYS after a restart if a store keeps them")
    ] = False
    no_inherited_properties_on_ack: Annotated[
        bool, Meta(description="False: acknowledgements carry the User Properties of the packet they answer")
    ] = True


class Redirect(Section):
    """Send all clients to another server."""

    server_reference: Annotated[str, Meta(description="The other servers, separated by spaces", min_length=1)]
    permanent: Annotated[bool, Meta(description="Permanently (0x9D), not temporarily (0x9C)")] = False


class Capabilities(Section):
    """Features and limits of the broker."""

    maximum_clients: Annotated[Count, Meta(description="Maximum number of connected clients; 0: no limit")] = 0
    maximum_connections: Annotated[
        Positive, Meta(description="Maximum number of connections, of all MQTT listeners together")
    ] = 1_000_000
    maximum_message_size: Annotated[
        Count, Meta(description="Maximum bytes of a payload; larger ones are refused with 0x97. 0: no limit")
    ] = 0
    maximum_message_expiry_interval: Annotated[
        Word32, Meta(description="Seconds after which any message expires; 0: as set by its publisher")
    ] = 0
    maximum_client_writes_pending: Annotated[
        Positive, Meta(description="Maximum number of messages queued for one session; more are dropped")
    ] = 8192
    maximum_memory: Annotated[
        Count,
        Meta(description="Maximum bytes held for all clients together; beyond it, new ones are refused. 0: no limit"),
    ] = 1024 * 1024 * 1024
    maximum_queued_bytes: Annotated[
        Positive, Meta(description="Maximum bytes of messages queued for one session, with 600 more for each")
    ] = 64 * 1024 * 1024
    maximum_queued_memory: Annotated[
        Count, Meta(description="With a store: bytes of memory for all queues; more waits in the store. 0: no limit")
    ] = 256 * 1024 * 1024
    maximum_session_expiry_interval: Annotated[
        Word32, Meta(description="Seconds; longer Session Expiry Intervals are reduced to this. 4294967295: no limit")
    ] = 4_294_967_295
    maximum_packet_size: Annotated[Count, Meta(description="Maximum bytes of an incoming packet; 0: no limit")] = 0
    receive_maximum: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)], Meta(description="Maximum QoS 1 and 2 messages in flight from a client")
    ] = 1024
    maximum_inflight: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)], Meta(description="Maximum QoS 1 and 2 messages in flight to a client")
    ] = 1024
    maximum_inflight_bytes: Annotated[
        Positive, Meta(description="Bytes in flight to a client from which no further QoS 1 or 2 message is sent")
    ] = 64 * 1024 * 1024
    topic_alias_maximum: Annotated[Word16, Meta(description="Maximum Topic Aliases that a client may set")] = 100
    outbound_topic_aliases: Annotated[
        Word16, Meta(description="Maximum Topic Aliases that the broker sets, if the client allows them")
    ] = 64
    shared_sub_available: Annotated[bool, Meta(description="Shared Subscriptions")] = True
    minimum_protocol_version: Annotated[
        Annotated[int, Meta(ge=3, le=5)], Meta(description="3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0")
    ] = 3
    maximum_qos: Annotated[Qos, Meta(description="Maximum QoS")] = 2
    retain_available: Annotated[bool, Meta(description="Retained messages")] = True
    wildcard_sub_available: Annotated[bool, Meta(description="Wildcards in Topic Filters")] = True
    sub_id_available: Annotated[bool, Meta(description="Subscription Identifiers")] = True
    maximum_keep_alive: Annotated[
        Word16, Meta(description="Seconds; a longer Keep Alive, or none, becomes this. 0: no limit")
    ] = 0
    minimum_keep_alive: Annotated[
        Word16, Meta(description="Seconds; shorter Keep Alives of 5.0 clients become this")
    ] = 0
    zero_length_client_ids: Annotated[bool, Meta(description="Assign an id to clients without one")] = True
    refused_filters: Annotated[list[str], Meta(description="Topic Filters that no client may subscribe to")] = field(
        default_factory=list
    )
    maximum_subscriptions: Annotated[Positive, Meta(description="Maximum subscriptions of one session")] = 100_000
    maximum_parts: Annotated[
        Count, Meta(description="Maximum Topic Filters, or User Properties, of one packet; 0: no limit")
    ] = 10_000
    maximum_shared_subscriptions: Annotated[
        Positive, Meta(description="Maximum Shared Subscriptions of one session")
    ] = 1_000
    maximum_subscription_identifiers: Annotated[
        Positive, Meta(description="Maximum subscriptions of one session that have a Subscription Identifier")
    ] = 5_000
    maximum_topic_levels: Annotated[
        Annotated[int, Meta(ge=1, le=65_536)], Meta(description="Maximum levels of a Topic Name or Topic Filter")
    ] = 200
    maximum_retained: Annotated[Count, Meta(description="Maximum number of retained messages; 0: no limit")] = 1_000_000
    maximum_sessions: Annotated[Positive, Meta(description="Maximum number of sessions, connected or not")] = 10_000_000
    connect_timeout: Annotated[Count, Meta(description="Seconds from connection to CONNECT; 0: no limit")] = 10
    response_information: Annotated[
        str, Meta(description="Response Information for clients that ask; {client_id} is replaced")
    ] = ""
    redirect: Annotated[Redirect | None, Meta(description="Send all clients to another server")] = None
    compatibilities: Compatibilities = field(default_factory=Compatibilities)


class Options(Section):
    """Options of the broker."""

    capabilities: Capabilities = field(default_factory=Capabilities)
    client_net_write_buffer_size: Annotated[
        Positive, Meta(description="Bytes in the transport buffer above which messages to a client are held back")
    ] = 262_144
    client_net_read_buffer_size: Annotated[Positive, Meta(description="Maximum bytes of one read")] = 65_536
    sys_topic_resend_interval: Annotated[Count, Meta(description="Seconds between two updates of $SYS; 0: none")] = 10
    inline_client: Annotated[bool, Meta(description="The embedding program may publish and subscribe")] = True
    reason_strings: Annotated[bool, Meta(description="Send reasons of refusals, unless a client declined")] = True
    hook_timeout: Annotated[float, Meta(gt=0, description="Seconds that a hook may take to decide")] = 5.0
    decisions: Annotated[
        dict[str, str], Meta(description="Choices that the standards leave open: docs/machines/decisions.md")
    ] = field(default_factory=dict)


class Logging(Section):
    """The log on standard error."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="Lowest level to log")] = "WARNING"
    format: Annotated[Literal["text", "json"], Meta(description="Lines for people, or for programs")] = "text"


def _listeners() -> list[Listener]:
    return [TcpListener(), WebSocketListener(), InfoListener()]


class Config(Section):
    """A whole configuration."""

    listeners: Annotated[list[Listener], Meta(description="Where the broker can be reached")] = field(
        default_factory=_listeners
    )
    hooks: Hooks = field(default_factory=Hooks)
    options: Options = field(default_factory=Options)
    logging: Logging = field(default_factory=Logging)

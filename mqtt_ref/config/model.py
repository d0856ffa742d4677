# SPDX-License-Identifier: MIT
"""Everything that a configuration can say: names, types, bounds, defaults and what each of them means.

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
    "Logging",
    "MqttListener",
    "NetListener",
    "Options",
    "Redirect",
    "Section",
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
"""Keys whose values are shown to nobody."""


class Section(Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: a key that is not declared is refused."""


# -------------------------------------------------------------------- listeners


class Tls(Section):
    """Certificates of a listener. Files are read anew on a reload; connections that are open stay."""

    certificate: Annotated[str, Meta(description="PEM file: the server's certificate and those that lead to its root")]
    key: Annotated[str, Meta(description="PEM file: its private key; the same file when empty")] = ""
    key_password: Annotated[str, Meta(description="Password of the private key")] = ""
    client_ca: Annotated[str, Meta(description="PEM file: who may have signed certificates of clients")] = ""
    require_certificate: Annotated[bool, Meta(description="Refuse clients without a certificate")] = False
    revocation_list: Annotated[str, Meta(description="PEM file: certificates that are valid no longer")] = ""
    minimum_version: Annotated[Literal["1.2", "1.3"], Meta(description="The oldest TLS that is spoken")] = "1.2"


class MqttListener(Section):
    """What all listeners for MQTT have in common; what is not given holds as for the whole broker."""

    id: Annotated[str, Meta(description="Its name in logs, hooks and the API; the address when empty")] = ""
    protocol_versions: Annotated[list[Version] | None, Meta(description="Versions that it accepts")] = None
    maximum_qos: Annotated[Qos | None, Meta(description="Maximum QoS")] = None
    maximum_connections: Annotated[Positive | None, Meta(description="Connections at once")] = None
    connect_timeout: Annotated[Count | None, Meta(description="Seconds from the link to the CONNECT")] = None
    bytes_per_second: Annotated[Positive | None, Meta(description="What is read from each connection")] = None
    packets_per_second: Annotated[Positive | None, Meta(description="What is read from each connection")] = None


class TcpListener(MqttListener, tag_field="type", tag="tcp"):
    """MQTT over TCP, over TLS with `tls`."""

    address: Annotated[str, Meta(description="host:port; :port is every address, port 0 a free one")] = "127.0.0.1:1883"
    tls: Tls | None = None


class WebSocketListener(MqttListener, tag_field="type", tag="ws"):
    """MQTT over WebSocket with sub-protocol `mqtt`, on any path; wss with `tls`."""

    address: Annotated[str, Meta(description="host:port; :port is every address, port 0 a free one")] = "127.0.0.1:1882"
    tls: Tls | None = None
    origins: Annotated[
        list[str] | None, Meta(description="Sites whose pages may connect, such as https://example.org; empty: any")
    ] = None


class UnixListener(MqttListener, kw_only=True, tag_field="type", tag="unix"):
    """MQTT over a Unix domain socket."""

    address: Annotated[str, Meta(description="The path of the socket", min_length=1)]
    mode: Annotated[str, Meta(description="Its permissions, octal", pattern="^0?[0-7]{3}$")] = "660"


class NetListener(MqttListener, kw_only=True, tag_field="type", tag="net"):
    """MQTT on a socket that is bound already: by systemd, or by whoever started this process."""

    address: Annotated[
        str,
        Meta(
            description="fd:N, or systemd:NAME for a socket handed over by systemd", pattern="^(fd:[0-9]+|systemd:.*)$"
        ),
    ]
    tls: Tls | None = None


class InfoListener(Section, tag_field="type", tag="sysinfo"):
    """HTTP: state, metrics and the API. Changes need the token."""

    id: Annotated[str, Meta(description="Its name in logs")] = ""
    address: Annotated[str, Meta(description="host:port; :port is every address, port 0 a free one")] = "127.0.0.1:8080"
    tls: Tls | None = None
    token: Annotated[str, Meta(description="What a client has to know to change anything; empty: nobody may")] = ""
    hosts: Annotated[list[str], Meta(description="Names it is reached by, besides localhost and addresses")] = field(
        default_factory=list
    )
    origins: Annotated[list[str], Meta(description="Sites whose pages may call it")] = field(default_factory=list)
    token_for_reading: Annotated[bool, Meta(description="Whether this machine needs the token for reading too")] = False


class HealthListener(Section, tag_field="type", tag="healthcheck"):
    """HTTP: 200 on /healthz while the broker serves, for load balancers."""

    id: Annotated[str, Meta(description="Its name in logs")] = ""
    address: Annotated[str, Meta(description="host:port; :port is every address, port 0 a free one")] = "127.0.0.1:8081"
    tls: Tls | None = None


Listener = TcpListener | WebSocketListener | UnixListener | NetListener | InfoListener | HealthListener


# -------------------------------------------------------------------- hooks


Right = Literal["deny", "read", "write", "readwrite", 0, 1, 2, 3]


class AuthRule(Section):
    """Who may connect. What is left out, or `*`, matches anything; a `*` at the end any end."""

    client: Annotated[str, Meta(description="Client Identifier")] = ""
    username: Annotated[str, Meta(description="User name")] = ""
    password: Annotated[str, Meta(description="Password, plain or as `mqtt-ref hash-password` prints it")] = ""
    remote: Annotated[str, Meta(description="Address of the client, such as 127.0.0.1:*")] = ""
    allow: Annotated[bool, Meta(description="Whether this client may connect")] = False


class AclRule(Section):
    """What the clients that match may write and read; without filters, everything."""

    client: Annotated[str, Meta(description="Client Identifier")] = ""
    username: Annotated[str, Meta(description="User name")] = ""
    remote: Annotated[str, Meta(description="Address of the client, such as 127.0.0.1:*")] = ""
    filters: Annotated[dict[str, Right], Meta(description="Topic Filter: deny, read, write, readwrite, or 0 to 3")] = (
        field(default_factory=dict)
    )


class User(Section):
    """A user; looked at before the rules."""

    password: Annotated[str, Meta(description="Password, plain or as `mqtt-ref hash-password` prints it")] = ""
    disallow: Annotated[bool, Meta(description="This user may not connect")] = False
    acl: Annotated[dict[str, Right], Meta(description="Topic Filter: deny, read, write, readwrite, or 0 to 3")] = field(
        default_factory=dict
    )


class Ledger(Section):
    """User names and passwords, and who may publish and read what: see docs/access.md."""

    auth: Annotated[list[AuthRule], Meta(description="Who may connect; the first that matches decides")] = field(
        default_factory=list
    )
    acl: Annotated[list[AclRule], Meta(description="Who may do what; the first that matches decides")] = field(
        default_factory=list
    )
    users: Annotated[dict[str, User], Meta(description="By user name; looked at before the rules")] = field(
        default_factory=dict
    )


class Certificates(Section):
    """The user name of a client with a certificate is what its subject says."""

    source: Annotated[
        Literal["common_name", "email", "dns", "uri"],
        Meta(description="The common name of the subject, or a subject alternative name of this kind"),
    ] = "common_name"
    required: Annotated[bool, Meta(description="Whether a client without certificate is refused")] = False


class Authentication(Section):
    """Who may connect and do what. Without anything in here nobody may."""

    allow_all: Annotated[bool, Meta(description="Everybody may do everything")] = False
    ledger: Ledger | None = None
    certificates: Certificates | None = None
    scram: Annotated[
        dict[str, str] | None,
        Meta(description="SCRAM-SHA-256: user name to password, or to what `mqtt-ref hash-password --scheme` prints"),
    ] = None


class Debug(Section):
    """Logs every packet and event at level DEBUG."""

    enable: Annotated[bool, Meta(description="Whether it does anything")] = False
    show_packet_data: Annotated[bool, Meta(description="Show payloads")] = False
    show_pings: Annotated[bool, Meta(description="Show PINGREQ and PINGRESP too")] = False
    show_passwords: Annotated[bool, Meta(description="Show passwords as they are")] = False


class Custom(Section):
    """A hook of your own: a class, and what it is called with."""

    hook: Annotated[str, Meta(description="module:Class", pattern=r"^[\w.]+:[\w.]+$")]
    arguments: Annotated[dict[str, Any], Meta(description="Its keyword arguments")] = field(default_factory=dict)


class Hooks(Section):
    """What takes part in the broker's decisions and is told of its events."""

    auth: Authentication | None = None
    debug: Debug | None = None
    custom: Annotated[list[Custom], Meta(description="Hooks of your own, in this order")] = field(default_factory=list)


# -------------------------------------------------------------------- options


class Compatibilities(Section):
    """Departures from the standard, or from this broker's habits, that some clients want."""

    obscure_not_authorized: Annotated[
        bool, Meta(description="Say Unspecified error (0x80) instead of Not authorized (0x87)")
    ] = False
    passive_client_disconnect: Annotated[
        bool, Meta(description="After a DISCONNECT of the server, wait for the client to close; against MQTT5-3.14.4-1")
    ] = False
    always_return_response_info: Annotated[
        bool, Meta(description="Send Response Information to clients that did not ask; against MQTT5-3.1.2-28")
    ] = False
    restore_sys_info_on_restart: Annotated[
        bool, Meta(description="Let the totals in $SYS go on after a restart where a store keeps them")
    ] = False
    no_inherited_properties_on_ack: Annotated[
        bool, Meta(description="False: acknowledgements carry the User Properties of what they answer")
    ] = True


class Redirect(Section):
    """Send all clients to another server."""

    server_reference: Annotated[str, Meta(description="Where to: servers parted by spaces", min_length=1)]
    permanent: Annotated[bool, Meta(description="For good (0x9D), not for now (0x9C)")] = False


class Capabilities(Section):
    """What the broker offers, and how much of it."""

    maximum_clients: Annotated[Count, Meta(description="Clients connected at once; 0: any number")] = 0
    maximum_message_expiry_interval: Annotated[
        Word32, Meta(description="Seconds after which any message expires; 0: as its publisher says")
    ] = 0
    maximum_client_writes_pending: Annotated[
        Positive, Meta(description="Messages that wait for one session; more are dropped")
    ] = 8192
    maximum_queued_bytes: Annotated[Positive, Meta(description="Bytes of messages that wait for one session")] = (
        64 * 1024 * 1024
    )
    maximum_session_expiry_interval: Annotated[
        Word32, Meta(description="Seconds; longer Session Expiry Intervals become this. 4294967295: no limit")
    ] = 4_294_967_295
    maximum_packet_size: Annotated[Count, Meta(description="Bytes of a packet that is read; 0: any size")] = 0
    receive_maximum: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)], Meta(description="QoS 1 and 2 messages of a client in flight")
    ] = 1024
    maximum_inflight: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)], Meta(description="QoS 1 and 2 messages to a client in flight")
    ] = 1024
    topic_alias_maximum: Annotated[Word16, Meta(description="Topic Aliases that a client may set")] = 100
    outbound_topic_aliases: Annotated[
        Word16, Meta(description="Topic Aliases that the broker sets where the client allows it")
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
        Word16, Meta(description="Seconds; longer Keep Alives, and none, become this. 0: no limit")
    ] = 0
    minimum_keep_alive: Annotated[Word16, Meta(description="Seconds; shorter Keep Alives of 5.0 become this")] = 0
    zero_length_client_ids: Annotated[bool, Meta(description="Clients without id are given one")] = True
    refused_filters: Annotated[list[str], Meta(description="Topic Filters that nobody may subscribe to")] = field(
        default_factory=list
    )
    maximum_subscriptions: Annotated[Positive, Meta(description="Subscriptions of one session")] = 100_000
    maximum_topic_levels: Annotated[
        Annotated[int, Meta(ge=1, le=65_536)], Meta(description="Levels of a Topic Name or Filter")
    ] = 65_536
    maximum_retained: Annotated[Count, Meta(description="Retained messages; 0: any number")] = 1_000_000
    maximum_sessions: Annotated[Positive, Meta(description="Sessions, connected or not")] = 10_000_000
    connect_timeout: Annotated[Count, Meta(description="Seconds from the link to the CONNECT; 0: for ever")] = 10
    response_information: Annotated[
        str, Meta(description="Response Information for clients that ask; {client_id} is filled in")
    ] = ""
    redirect: Annotated[Redirect | None, Meta(description="Send all clients to another server")] = None
    compatibilities: Compatibilities = field(default_factory=Compatibilities)


class Options(Section):
    """How the broker works."""

    capabilities: Capabilities = field(default_factory=Capabilities)
    client_net_write_buffer_size: Annotated[
        Positive, Meta(description="Bytes that may wait in the transport before messages to a client are held back")
    ] = 262_144
    client_net_read_buffer_size: Annotated[Positive, Meta(description="Bytes of one read")] = 65_536
    sys_topic_resend_interval: Annotated[Count, Meta(description="Seconds between two updates of $SYS; 0: none")] = 10
    inline_client: Annotated[bool, Meta(description="Whether the embedding program may publish and subscribe")] = True
    reason_strings: Annotated[bool, Meta(description="Whether refusals say why, unless a client declined")] = True
    hook_timeout: Annotated[float, Meta(gt=0, description="Seconds that a hook may take to decide")] = 5.0
    decisions: Annotated[
        dict[str, str], Meta(description="Choices that the standards leave: docs/machines/decisions.md")
    ] = field(default_factory=dict)


class Logging(Section):
    """What is logged to standard error, and how."""

    level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="The least important that is logged")
    ] = "WARNING"
    format: Annotated[Literal["text", "json"], Meta(description="Lines for people, or for programs")] = "text"


def _listeners() -> list[Listener]:
    return [TcpListener(), WebSocketListener(), InfoListener()]


class Config(Section):
    """A whole configuration."""

    listeners: Annotated[list[Listener], Meta(description="Where the broker is reached")] = field(
        default_factory=_listeners
    )
    hooks: Hooks = field(default_factory=Hooks)
    options: Options = field(default_factory=Options)
    logging: Logging = field(default_factory=Logging)

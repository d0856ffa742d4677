# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/decisions.toml`. Change that, then run it again.
"""Choices that the standards leave open, and numbers that they set."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACKNOWLEDGEMENT_PROPERTIES_INHERIT",
    "ACKNOWLEDGEMENT_PROPERTIES_NONE",
    "DECISIONS",
    "DISALLOWED_UNICODE_ACCEPT",
    "DISALLOWED_UNICODE_REFUSE",
    "DOLLAR_PUBLISH_ALLOW",
    "DOLLAR_PUBLISH_REFUSE",
    "Decisions",
    "LIMITS",
    "LONG_CLIENT_ID_V31_ALLOW",
    "LONG_CLIENT_ID_V31_REFUSE",
    "Limits",
    "NOT_AUTHORIZED_OBSCURE",
    "NOT_AUTHORIZED_TELL",
    "NO_LOCAL_RETAINED_APPLY",
    "NO_LOCAL_RETAINED_IGNORE",
    "NO_MATCHING_SUBSCRIBERS_HIDE",
    "NO_MATCHING_SUBSCRIBERS_TELL",
    "OFFLINE_QOS0_DROP",
    "OFFLINE_QOS0_QUEUE",
    "OVERLAPPING_EACH",
    "OVERLAPPING_ONE",
    "PAYLOAD_FORMAT_CHECK",
    "PAYLOAD_FORMAT_TRUST",
    "PUBLISH_UNSUBSCRIBED_SHARED_DROP",
    "PUBLISH_UNSUBSCRIBED_SHARED_QUEUE",
    "QUEUE_FULL_NEWEST",
    "QUEUE_FULL_OLDEST",
    "RESPONSE_INFORMATION_ALWAYS",
    "RESPONSE_INFORMATION_ASKED",
    "SERVER_DISCONNECT_CLOSE",
    "SERVER_DISCONNECT_WAIT",
    "SHARED_FOR_V3_ORDINARY",
    "SHARED_FOR_V3_SHARE",
    "SHUTDOWN_WILLS_KEEP",
    "SHUTDOWN_WILLS_PUBLISH",
    "UNAUTHORIZED_CONNECT_CLOSE",
    "UNAUTHORIZED_CONNECT_TELL",
    "UNAUTHORIZED_PUBLISH_ACKNOWLEDGE",
    "UNAUTHORIZED_PUBLISH_CLOSE",
    "UNAUTHORIZED_SUBSCRIBE_GRANT",
    "UNAUTHORIZED_SUBSCRIBE_REFUSE",
    "UNAUTHORIZED_WILL_DROP",
    "UNAUTHORIZED_WILL_REFUSE",
    "UNAUTHORIZED_WILL_TELL",
]

OVERLAPPING_ONE: Final = 0
OVERLAPPING_EACH: Final = 1
SHARED_FOR_V3_SHARE: Final = 0
SHARED_FOR_V3_ORDINARY: Final = 1
DOLLAR_PUBLISH_REFUSE: Final = 0
DOLLAR_PUBLISH_ALLOW: Final = 1
UNAUTHORIZED_CONNECT_TELL: Final = 0
UNAUTHORIZED_CONNECT_CLOSE: Final = 1
UNAUTHORIZED_WILL_TELL: Final = 0
UNAUTHORIZED_WILL_REFUSE: Final = 1
UNAUTHORIZED_WILL_DROP: Final = 2
UNAUTHORIZED_PUBLISH_ACKNOWLEDGE: Final = 0
UNAUTHORIZED_PUBLISH_CLOSE: Final = 1
UNAUTHORIZED_SUBSCRIBE_REFUSE: Final = 0
UNAUTHORIZED_SUBSCRIBE_GRANT: Final = 1
NOT_AUTHORIZED_TELL: Final = 0
NOT_AUTHORIZED_OBSCURE: Final = 1
NO_MATCHING_SUBSCRIBERS_TELL: Final = 0
NO_MATCHING_SUBSCRIBERS_HIDE: Final = 1
LONG_CLIENT_ID_V31_REFUSE: Final = 0
LONG_CLIENT_ID_V31_ALLOW: Final = 1
NO_LOCAL_RETAINED_APPLY: Final = 0
NO_LOCAL_RETAINED_IGNORE: Final = 1
PAYLOAD_FORMAT_TRUST: Final = 0
PAYLOAD_FORMAT_CHECK: Final = 1
DISALLOWED_UNICODE_ACCEPT: Final = 0
DISALLOWED_UNICODE_REFUSE: Final = 1
QUEUE_FULL_NEWEST: Final = 0
QUEUE_FULL_OLDEST: Final = 1
OFFLINE_QOS0_DROP: Final = 0
OFFLINE_QOS0_QUEUE: Final = 1
SHUTDOWN_WILLS_PUBLISH: Final = 0
SHUTDOWN_WILLS_KEEP: Final = 1
PUBLISH_UNSUBSCRIBED_SHARED_QUEUE: Final = 0
PUBLISH_UNSUBSCRIBED_SHARED_DROP: Final = 1
SERVER_DISCONNECT_CLOSE: Final = 0
SERVER_DISCONNECT_WAIT: Final = 1
RESPONSE_INFORMATION_ASKED: Final = 0
RESPONSE_INFORMATION_ALWAYS: Final = 1
ACKNOWLEDGEMENT_PROPERTIES_NONE: Final = 0
ACKNOWLEDGEMENT_PROPERTIES_INHERIT: Final = 1

DECISIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "overlapping": (
        ("one", "each"),
        ("MQTT5-3.3.4-2", "MQTT5-3.3.4-5", "MQTT311-3.3.5-1"),
        "A message that several subscriptions of a session match: one copy with the maximum QoS, or one for each.",
    ),
    "shared_for_v3": (
        ("share", "ordinary"),
        ("MQTT5-4.8.2-1",),
        "`$share/group/filter` from a 3.x client: a Shared Subscription, as most brokers do, or an ordinary filter.",
    ),
    "dollar_publish": (
        ("refuse", "allow"),
        ("X311-dollar-exchange",),
        "PUBLISH to a topic that begins with `$`: refused with 0x90 (3.x: acknowledged and dropped), or delivered.",
    ),
    "unauthorized_connect": (
        ("tell", "close"),
        ("X5-connect-refused-connack", "X311-connect-refused-connack"),
        "A CONNECT that is not authorized: refused with a CONNACK that says why, or closed without a word.",
    ),
    "unauthorized_will": (
        ("tell", "refuse", "drop"),
        ("MQTT5-3.1.4-2", "X311-connect-checks"),
        "A will that is not authorized, or to a `$` topic: 5.0 is refused, 3.x loses it; all refused; all lose it.",
    ),
    "unauthorized_publish": (
        ("acknowledge", "close"),
        ("MQTT311-3.3.5-2", "MQTT5-3.4.2-1", "X31-publish-unauthorized"),
        "A PUBLISH that is not authorized: 5.0 says 0x87 in the acknowledgement, 3.x acknowledges; or close (not 3.1).",
    ),
    "unauthorized_subscribe": (
        ("refuse", "grant"),
        ("MQTT5-3.8.4-5", "MQTT5-3.8.4-6", "MQTT311-3.8.4-5"),
        "A filter that is not authorized: refused in the SUBACK, or granted there without any subscription.",
    ),
    "not_authorized": (
        ("tell", "obscure"),
        ("MQTT5-3.4.2-1", "MQTT5-3.5.2-1", "MQTT5-3.9.3-2"),
        "What acknowledgements to 5.0 clients say of what is not authorized: 0x87, or 0x80, which says nothing.",
    ),
    "no_matching_subscribers": (
        ("tell", "hide"),
        ("MQTT5-3.4.2-1",),
        "A PUBLISH that nobody has subscribed to: acknowledged with 0x10, or with 0x00.",
    ),
    "long_client_id_v31": (
        ("refuse", "allow"),
        ("X31-client-id-too-long",),
        "A Client Identifier of more than 23 characters from a 3.1 client: refused with 0x02, or accepted.",
    ),
    "no_local_retained": (
        ("apply", "ignore"),
        ("MQTT5-3.8.3-3",),
        "Retained messages of the subscriber itself: held back by No Local, or sent.",
    ),
    "payload_format": (
        ("trust", "check"),
        ("MQTT5-3.3.2-4",),
        "A payload that is said to be UTF-8: believed, or checked and refused with 0x99.",
    ),
    "disallowed_unicode": (
        ("accept", "refuse"),
        ("X5-disallowed-unicode-malformed", "X311-disallowed-unicode-received"),
        "Control characters and non-characters in names, filters and identifiers: accepted, or refused with 0x81.",
    ),
    "queue_full": (
        ("newest", "oldest"),
        ("MQTT5-4.5.0-1",),
        "A message for a session whose queue is full: the new message is dropped, or the oldest ones are.",
    ),
    "offline_qos0": (
        ("drop", "queue"),
        ("X311-session-qos0-stored",),
        "QoS 0 messages for a session whose client is away: dropped, or queued like the others.",
    ),
    "shutdown_wills": (
        ("publish", "keep"),
        ("MQTT5-3.1.2-8", "X311-will-deferred"),
        "Will Messages when the server shuts down: published, or left to its restart when a store keeps them.",
    ),
    "publish_unsubscribed_shared": (
        ("queue", "drop"),
        ("MQTT5-4.8.2-4",),
        "A message for a shared group none of whose members is connected: queued for one of them, or dropped.",
    ),
    "server_disconnect": (
        ("close", "wait"),
        ("MQTT5-3.14.4-1", "MQTT5-3.14.4-2"),
        "After a DISCONNECT of the server: it closes the connection, or lets the client do it for some seconds.",
    ),
    "response_information": (
        ("asked", "always"),
        ("MQTT5-3.1.2-28",),
        "Response Information: for clients that ask for it, or, against the standard, for all.",
    ),
    "acknowledgement_properties": (
        ("none", "inherit"),
        ("MQTT5-3.4.2-3", "MQTT5-3.5.2-3", "MQTT5-3.9.2-2", "MQTT5-3.11.2-2"),
        "User Properties of acknowledgements: none, or those of the packet that is acknowledged.",
    ),
}
"""By name: the values (the first is the default), the statements, the meaning."""

LIMITS: dict[str, tuple[int, tuple[str, ...], str]] = {
    "keep_alive_percent": (
        150,
        ("MQTT5-3.1.2-22", "MQTT311-3.1.2-24", "X31-keep-alive"),
        "The silence after which the connection is closed, in percent of the Keep Alive.",
    ),
    "packet_id_maximum": (
        65535,
        ("MQTT5-2.2.1-4", "MQTT311-2.3.1-4"),
        "The largest packet identifier.",
    ),
    "receive_maximum_default": (
        65535,
        ("MQTT5-3.3.4-9",),
        "Receive Maximum of a client that does not say one.",
    ),
    "session_expiry_never": (
        4294967295,
        ("MQTT5-3.1.2-23", "MQTT5-4.1.0-2", "MQTT311-3.1.2-4"),
        "The Session Expiry Interval that never ends; what Clean Session 0 of 3.x means.",
    ),
    "client_id_v31": (
        23,
        ("X31-client-id-too-long",),
        "The longest Client Identifier of 3.1, in characters.",
    ),
    "topic_v31": (
        32767,
        ("X31-topic-length",),
        "The longest Topic Name of 3.1, in characters.",
    ),
    "send_quota_share": (
        100,
        ("MQTT5-4.9.0-1", "MQTT5-3.3.4-9"),
        "The initial send quota, in percent of the client's Receive Maximum.",
    ),
    "receive_allowance": (
        0,
        ("MQTT5-3.3.4-7",),
        "How many messages above the Receive Maximum are let through before 0x93.",
    ),
    "packet_size_allowance": (
        0,
        ("MQTT5-3.1.2-24", "MQTT5-3.1.2-25"),
        "How many bytes above the client's Maximum Packet Size are sent all the same.",
    ),
    "topic_alias_allowance": (
        0,
        ("MQTT5-3.1.2-26", "MQTT5-3.3.2-11"),
        "How many aliases above the client's Topic Alias Maximum are assigned all the same.",
    ),
    "expiry_percent": (
        100,
        ("MQTT5-3.3.2-5",),
        "When a queued message is dropped, in percent of its Message Expiry Interval.",
    ),
    "waiting_percent": (
        100,
        ("MQTT5-3.3.2-6",),
        "What is taken off the Message Expiry Interval when a message goes out, in percent of the time it waited.",
    ),
    "will_delay_percent": (
        100,
        ("MQTT5-3.1.2-8",),
        "When a delayed Will Message is published, in percent of its Will Delay Interval.",
    ),
    "session_expiry_percent": (
        100,
        ("MQTT5-4.1.0-2",),
        "When a session ends, in percent of its Session Expiry Interval.",
    ),
    "granted_maximum": (
        2,
        ("MQTT5-3.8.4-8", "MQTT311-3.8.4-6"),
        "The highest QoS at which anything is delivered.",
    ),
    "retained_qos_maximum": (
        2,
        ("MQTT5-3.8.4-8",),
        "The highest QoS at which a retained message is delivered on a new subscription.",
    ),
}
"""By name: the value, the statements, the meaning."""


class Decisions:
    """The choice made for each decision, as the number of the value."""

    __slots__ = (
        "overlapping",
        "shared_for_v3",
        "dollar_publish",
        "unauthorized_connect",
        "unauthorized_will",
        "unauthorized_publish",
        "unauthorized_subscribe",
        "not_authorized",
        "no_matching_subscribers",
        "long_client_id_v31",
        "no_local_retained",
        "payload_format",
        "disallowed_unicode",
        "queue_full",
        "offline_qos0",
        "shutdown_wills",
        "publish_unsubscribed_shared",
        "server_disconnect",
        "response_information",
        "acknowledgement_properties",
    )

    def __init__(self) -> None:
        self.overlapping: int = 0
        self.shared_for_v3: int = 0
        self.dollar_publish: int = 0
        self.unauthorized_connect: int = 0
        self.unauthorized_will: int = 0
        self.unauthorized_publish: int = 0
        self.unauthorized_subscribe: int = 0
        self.not_authorized: int = 0
        self.no_matching_subscribers: int = 0
        self.long_client_id_v31: int = 0
        self.no_local_retained: int = 0
        self.payload_format: int = 0
        self.disallowed_unicode: int = 0
        self.queue_full: int = 0
        self.offline_qos0: int = 0
        self.shutdown_wills: int = 0
        self.publish_unsubscribed_shared: int = 0
        self.server_disconnect: int = 0
        self.response_information: int = 0
        self.acknowledgement_properties: int = 0


class Limits:
    """The numbers of the standards."""

    __slots__ = (
        "keep_alive_percent",
        "packet_id_maximum",
        "receive_maximum_default",
        "session_expiry_never",
        "client_id_v31",
        "topic_v31",
        "send_quota_share",
        "receive_allowance",
        "packet_size_allowance",
        "topic_alias_allowance",
        "expiry_percent",
        "waiting_percent",
        "will_delay_percent",
        "session_expiry_percent",
        "granted_maximum",
        "retained_qos_maximum",
    )

    def __init__(self) -> None:
        self.keep_alive_percent: int = 150
        self.packet_id_maximum: int = 65535
        self.receive_maximum_default: int = 65535
        self.session_expiry_never: int = 4294967295
        self.client_id_v31: int = 23
        self.topic_v31: int = 32767
        self.send_quota_share: int = 100
        self.receive_allowance: int = 0
        self.packet_size_allowance: int = 0
        self.topic_alias_allowance: int = 0
        self.expiry_percent: int = 100
        self.waiting_percent: int = 100
        self.will_delay_percent: int = 100
        self.session_expiry_percent: int = 100
        self.granted_maximum: int = 2
        self.retained_qos_maximum: int = 2

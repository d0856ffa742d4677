# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""The catalogue for look-ups: packets, properties and Reason Codes with titles and places."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = [
    "ATTRIBUTES",
    "PACKETS",
    "PROPERTIES",
    "REASONS",
    "RETURN_CODES",
    "PacketRow",
    "PropertyRow",
    "ReasonRow",
]


class PacketRow(NamedTuple):
    """A Control Packet: who may send it and its fields, by protocol level."""

    code: int
    name: str
    section: str
    flags: str
    senders: dict[int, str]
    fields: dict[int, tuple[str, ...]]


class PropertyRow(NamedTuple):
    """A property. `places` are packet, sender, section, and true if it may occur there more than once."""

    identifier: int
    name: str
    title: str
    type: str
    values: str
    places: tuple[tuple[str, str, str, bool], ...]


class ReasonRow(NamedTuple):
    """A Reason Code with one of its names. `places` are packet and sender. `v3` is the return code of 3.x or -1."""

    code: int
    name: str
    title: str
    places: tuple[tuple[str, str], ...]
    v3: int


PACKETS: Final = (
    PacketRow(
        1, "CONNECT", "3.1", "0000",
        {3: "client", 4: "client", 5: "client"},
        {
            3: ("protocol_version", "connect_flags", "keep_alive", "client_id", "will_topic (may be absent)", "will_payload (may be absent)", "username (may be absent)", "password (may be absent)"),
            4: ("protocol_version", "connect_flags", "keep_alive", "client_id", "will_topic (may be absent)", "will_payload (may be absent)", "username (may be absent)", "password (may be absent)"),
            5: ("protocol_version", "connect_flags", "keep_alive", "properties", "client_id", "will_properties (may be absent)", "will_topic (may be absent)", "will_payload (may be absent)", "username (may be absent)", "password (may be absent)"),
        },
    ),
    PacketRow(
        2, "CONNACK", "3.2", "0000",
        {3: "server", 4: "server", 5: "server"},
        {
            3: ("acknowledge_flags", "reason_code"),
            4: ("acknowledge_flags", "reason_code"),
            5: ("acknowledge_flags", "reason_code", "properties"),
        },
    ),
    PacketRow(
        3, "PUBLISH", "3.3", "dup qos retain",
        {3: "both", 4: "both", 5: "both"},
        {
            3: ("topic", "packet_id (may be absent)", "payload"),
            4: ("topic", "packet_id (may be absent)", "payload"),
            5: ("topic", "packet_id (may be absent)", "properties", "payload"),
        },
    ),
    PacketRow(
        4, "PUBACK", "3.4", "0000",
        {3: "both", 4: "both", 5: "both"},
        {
            3: ("packet_id",),
            4: ("packet_id",),
            5: ("packet_id", "reason_code (may be absent)", "properties (may be absent)"),
        },
    ),
    PacketRow(
        5, "PUBREC", "3.5", "0000",
        {3: "both", 4: "both", 5: "both"},
        {
            3: ("packet_id",),
            4: ("packet_id",),
            5: ("packet_id", "reason_code (may be absent)", "properties (may be absent)"),
        },
    ),
    PacketRow(
        6, "PUBREL", "3.6", "0010",
        {3: "both", 4: "both", 5: "both"},
        {
            3: ("packet_id",),
            4: ("packet_id",),
            5: ("packet_id", "reason_code (may be absent)", "properties (may be absent)"),
        },
    ),
    PacketRow(
        7, "PUBCOMP", "3.7", "0000",
        {3: "both", 4: "both", 5: "both"},
        {
            3: ("packet_id",),
            4: ("packet_id",),
            5: ("packet_id", "reason_code (may be absent)", "properties (may be absent)"),
        },
    ),
    PacketRow(
        8, "SUBSCRIBE", "3.8", "0010",
        {3: "client", 4: "client", 5: "client"},
        {
            3: ("packet_id", "subscriptions"),
            4: ("packet_id", "subscriptions"),
            5: ("packet_id", "properties", "subscriptions"),
        },
    ),
    PacketRow(
        9, "SUBACK", "3.9", "0000",
        {3: "server", 4: "server", 5: "server"},
        {
            3: ("packet_id", "reason_codes"),
            4: ("packet_id", "reason_codes"),
            5: ("packet_id", "properties", "reason_codes"),
        },
    ),
    PacketRow(
        10, "UNSUBSCRIBE", "3.10", "0010",
        {3: "client", 4: "client", 5: "client"},
        {
            3: ("packet_id", "topic_filters"),
            4: ("packet_id", "topic_filters"),
            5: ("packet_id", "properties", "topic_filters"),
        },
    ),
    PacketRow(
        11, "UNSUBACK", "3.11", "0000",
        {3: "server", 4: "server", 5: "server"},
        {
            3: ("packet_id",),
            4: ("packet_id",),
            5: ("packet_id", "properties", "reason_codes"),
        },
    ),
    PacketRow(
        12, "PINGREQ", "3.12", "0000",
        {3: "client", 4: "client", 5: "client"},
        {
            3: (),
            4: (),
            5: (),
        },
    ),
    PacketRow(
        13, "PINGRESP", "3.13", "0000",
        {3: "server", 4: "server", 5: "server"},
        {
            3: (),
            4: (),
            5: (),
        },
    ),
    PacketRow(
        14, "DISCONNECT", "3.14", "0000",
        {3: "client", 4: "client", 5: "both"},
        {
            3: (),
            4: (),
            5: ("reason_code (may be absent)", "properties (may be absent)"),
        },
    ),
    PacketRow(
        15, "AUTH", "3.15", "0000",
        {5: "both"},
        {
            5: ("reason_code (may be absent)", "properties (may be absent)"),
        },
    ),
)

PROPERTIES: Final = (
    PropertyRow(
        0x01, "payload_format_indicator", "Payload Format Indicator", "u8", "0 or 1",
        (("PUBLISH", "both", "3.3.2.3.2", False), ("WILL", "client", "3.1.3.2.3", False)),
    ),
    PropertyRow(
        0x02, "message_expiry_interval", "Message Expiry Interval", "u32", "",
        (("PUBLISH", "both", "3.3.2.3.3", False), ("WILL", "client", "3.1.3.2.4", False)),
    ),
    PropertyRow(
        0x03, "content_type", "Content Type", "utf8", "",
        (("PUBLISH", "both", "3.3.2.3.9", False), ("WILL", "client", "3.1.3.2.5", False)),
    ),
    PropertyRow(
        0x08, "response_topic", "Response Topic", "topic_name_property", "",
        (("PUBLISH", "both", "3.3.2.3.5", False), ("WILL", "client", "3.1.3.2.6", False)),
    ),
    PropertyRow(
        0x09, "correlation_data", "Correlation Data", "binary", "",
        (("PUBLISH", "both", "3.3.2.3.6", False), ("WILL", "client", "3.1.3.2.7", False)),
    ),
    PropertyRow(
        0x0B, "subscription_identifier", "Subscription Identifier", "vbi", "1 or more",
        (("SUBSCRIBE", "client", "3.8.2.1.2", False), ("PUBLISH", "server", "3.3.2.3.8", True)),
    ),
    PropertyRow(
        0x11, "session_expiry_interval", "Session Expiry Interval", "u32", "",
        (("CONNECT", "client", "3.1.2.11.2", False), ("CONNACK", "server", "3.2.2.3.2", False), ("DISCONNECT", "client", "3.14.2.2.2", False)),
    ),
    PropertyRow(
        0x12, "assigned_client_identifier", "Assigned Client Identifier", "utf8", "",
        (("CONNACK", "server", "3.2.2.3.7", False),),
    ),
    PropertyRow(
        0x13, "server_keep_alive", "Server Keep Alive", "u16", "",
        (("CONNACK", "server", "3.2.2.3.14", False),),
    ),
    PropertyRow(
        0x15, "authentication_method", "Authentication Method", "utf8", "",
        (("CONNECT", "client", "3.1.2.11.9", False), ("CONNACK", "server", "3.2.2.3.17", False), ("AUTH", "both", "3.15.2.2.2", False)),
    ),
    PropertyRow(
        0x16, "authentication_data", "Authentication Data", "binary", "",
        (("CONNECT", "client", "3.1.2.11.10", False), ("CONNACK", "server", "3.2.2.3.18", False), ("AUTH", "both", "3.15.2.2.3", False)),
    ),
    PropertyRow(
        0x17, "request_problem_information", "Request Problem Information", "u8", "0 or 1",
        (("CONNECT", "client", "3.1.2.11.7", False),),
    ),
    PropertyRow(
        0x18, "will_delay_interval", "Will Delay Interval", "u32", "",
        (("WILL", "client", "3.1.3.2.2", False),),
    ),
    PropertyRow(
        0x19, "request_response_information", "Request Response Information", "u8", "0 or 1",
        (("CONNECT", "client", "3.1.2.11.6", False),),
    ),
    PropertyRow(
        0x1A, "response_information", "Response Information", "utf8", "",
        (("CONNACK", "server", "3.2.2.3.15", False),),
    ),
    PropertyRow(
        0x1C, "server_reference", "Server Reference", "utf8", "",
        (("CONNACK", "server", "3.2.2.3.16", False), ("DISCONNECT", "server", "3.14.2.2.5", False)),
    ),
    PropertyRow(
        0x1F, "reason_string", "Reason String", "utf8", "",
        (("CONNACK", "server", "3.2.2.3.9", False), ("PUBACK", "both", "3.4.2.2.2", False), ("PUBREC", "both", "3.5.2.2.2", False), ("PUBREL", "both", "3.6.2.2.2", False), ("PUBCOMP", "both", "3.7.2.2.2", False), ("SUBACK", "server", "3.9.2.1.2", False), ("UNSUBACK", "server", "3.11.2.1.2", False), ("DISCONNECT", "both", "3.14.2.2.3", False), ("AUTH", "both", "3.15.2.2.4", False)),
    ),
    PropertyRow(
        0x21, "receive_maximum", "Receive Maximum", "u16", "1 or more",
        (("CONNECT", "client", "3.1.2.11.3", False), ("CONNACK", "server", "3.2.2.3.3", False)),
    ),
    PropertyRow(
        0x22, "topic_alias_maximum", "Topic Alias Maximum", "u16", "",
        (("CONNECT", "client", "3.1.2.11.5", False), ("CONNACK", "server", "3.2.2.3.8", False)),
    ),
    PropertyRow(
        0x23, "topic_alias", "Topic Alias", "u16", "1 or more",
        (("PUBLISH", "both", "3.3.2.3.4", False),),
    ),
    PropertyRow(
        0x24, "maximum_qos", "Maximum QoS", "u8", "0 or 1",
        (("CONNACK", "server", "3.2.2.3.4", False),),
    ),
    PropertyRow(
        0x25, "retain_available", "Retain Available", "u8", "0 or 1",
        (("CONNACK", "server", "3.2.2.3.5", False),),
    ),
    PropertyRow(
        0x26, "user_property", "User Property", "utf8_pair", "",
        (("CONNECT", "client", "3.1.2.11.8", True), ("WILL", "client", "3.1.3.2.8", True), ("CONNACK", "server", "3.2.2.3.10", True), ("PUBLISH", "both", "3.3.2.3.7", True), ("PUBACK", "both", "3.4.2.2.3", True), ("PUBREC", "both", "3.5.2.2.3", True), ("PUBREL", "both", "3.6.2.2.3", True), ("PUBCOMP", "both", "3.7.2.2.3", True), ("SUBSCRIBE", "client", "3.8.2.1.3", True), ("SUBACK", "server", "3.9.2.1.3", True), ("UNSUBSCRIBE", "client", "3.10.2.1.2", True), ("UNSUBACK", "server", "3.11.2.1.3", True), ("DISCONNECT", "both", "3.14.2.2.4", True), ("AUTH", "both", "3.15.2.2.5", True)),
    ),
    PropertyRow(
        0x27, "maximum_packet_size", "Maximum Packet Size", "u32", "1 or more",
        (("CONNECT", "client", "3.1.2.11.4", False), ("CONNACK", "server", "3.2.2.3.6", False)),
    ),
    PropertyRow(
        0x28, "wildcard_subscription_available", "Wildcard Subscription Available", "u8", "0 or 1",
        (("CONNACK", "server", "3.2.2.3.11", False),),
    ),
    PropertyRow(
        0x29, "subscription_identifier_available", "Subscription Identifier Available", "u8", "0 or 1",
        (("CONNACK", "server", "3.2.2.3.12", False),),
    ),
    PropertyRow(
        0x2A, "shared_subscription_available", "Shared Subscription Available", "u8", "0 or 1",
        (("CONNACK", "server", "3.2.2.3.13", False),),
    ),
)

REASONS: Final = (
    ReasonRow(0x00, "SUCCESS", "Success",
        (("CONNACK", "server"), ("PUBACK", "both"), ("PUBREC", "both"), ("PUBREL", "both"), ("PUBCOMP", "both"), ("UNSUBACK", "server"), ("AUTH", "server")), 0),
    ReasonRow(0x00, "NORMAL_DISCONNECTION", "Normal disconnection",
        (("DISCONNECT", "both"),), -1),
    ReasonRow(0x00, "GRANTED_QOS_0", "Granted QoS 0",
        (("SUBACK", "server"),), -1),
    ReasonRow(0x01, "GRANTED_QOS_1", "Granted QoS 1",
        (("SUBACK", "server"),), -1),
    ReasonRow(0x02, "GRANTED_QOS_2", "Granted QoS 2",
        (("SUBACK", "server"),), -1),
    ReasonRow(0x04, "DISCONNECT_WITH_WILL_MESSAGE", "Disconnect with Will Message",
        (("DISCONNECT", "client"),), -1),
    ReasonRow(0x10, "NO_MATCHING_SUBSCRIBERS", "No matching subscribers",
        (("PUBACK", "server"), ("PUBREC", "server")), -1),
    ReasonRow(0x11, "NO_SUBSCRIPTION_EXISTED", "No subscription existed",
        (("UNSUBACK", "server"),), -1),
    ReasonRow(0x18, "CONTINUE_AUTHENTICATION", "Continue authentication",
        (("AUTH", "both"),), -1),
    ReasonRow(0x19, "RE_AUTHENTICATE", "Re-authenticate",
        (("AUTH", "client"),), -1),
    ReasonRow(0x80, "UNSPECIFIED_ERROR", "Unspecified error",
        (("CONNACK", "server"), ("PUBACK", "both"), ("PUBREC", "both"), ("SUBACK", "server"), ("UNSUBACK", "server"), ("DISCONNECT", "both")), -1),
    ReasonRow(0x81, "MALFORMED_PACKET", "Malformed Packet",
        (("CONNACK", "server"), ("DISCONNECT", "both")), -1),
    ReasonRow(0x82, "PROTOCOL_ERROR", "Protocol Error",
        (("CONNACK", "server"), ("DISCONNECT", "both")), -1),
    ReasonRow(0x83, "IMPLEMENTATION_SPECIFIC_ERROR", "Implementation specific error",
        (("CONNACK", "server"), ("PUBACK", "both"), ("PUBREC", "both"), ("SUBACK", "server"), ("UNSUBACK", "server"), ("DISCONNECT", "both")), -1),
    ReasonRow(0x84, "UNSUPPORTED_PROTOCOL_VERSION", "Unsupported Protocol Version",
        (("CONNACK", "server"),), 1),
    ReasonRow(0x85, "CLIENT_IDENTIFIER_NOT_VALID", "Client Identifier not valid",
        (("CONNACK", "server"),), 2),
    ReasonRow(0x86, "BAD_USER_NAME_OR_PASSWORD", "Bad User Name or Password",
        (("CONNACK", "server"),), 4),
    ReasonRow(0x87, "NOT_AUTHORIZED", "Not authorized",
        (("CONNACK", "server"), ("PUBACK", "both"), ("PUBREC", "both"), ("SUBACK", "server"), ("UNSUBACK", "server"), ("DISCONNECT", "server")), 5),
    ReasonRow(0x88, "SERVER_UNAVAILABLE", "Server unavailable",
        (("CONNACK", "server"),), 3),
    ReasonRow(0x89, "SERVER_BUSY", "Server busy",
        (("CONNACK", "server"), ("DISCONNECT", "server")), 3),
    ReasonRow(0x8A, "BANNED", "Banned",
        (("CONNACK", "server"),), 5),
    ReasonRow(0x8B, "SERVER_SHUTTING_DOWN", "Server shutting down",
        (("DISCONNECT", "server"),), -1),
    ReasonRow(0x8C, "BAD_AUTHENTICATION_METHOD", "Bad authentication method",
        (("CONNACK", "server"),), 5),
    ReasonRow(0x8D, "KEEP_ALIVE_TIMEOUT", "Keep Alive timeout",
        (("DISCONNECT", "server"),), -1),
    ReasonRow(0x8E, "SESSION_TAKEN_OVER", "Session taken over",
        (("DISCONNECT", "server"),), -1),
    ReasonRow(0x8F, "TOPIC_FILTER_INVALID", "Topic Filter invalid",
        (("SUBACK", "server"), ("UNSUBACK", "server"), ("DISCONNECT", "server")), -1),
    ReasonRow(0x90, "TOPIC_NAME_INVALID", "Topic Name invalid",
        (("CONNACK", "server"), ("PUBACK", "both"), ("PUBREC", "both"), ("DISCONNECT", "both")), -1),
    ReasonRow(0x91, "PACKET_IDENTIFIER_IN_USE", "Packet Identifier in use",
        (("PUBACK", "both"), ("PUBREC", "both"), ("SUBACK", "server"), ("UNSUBACK", "server")), -1),
    ReasonRow(0x92, "PACKET_IDENTIFIER_NOT_FOUND", "Packet Identifier not found",
        (("PUBREL", "both"), ("PUBCOMP", "both")), -1),
    ReasonRow(0x93, "RECEIVE_MAXIMUM_EXCEEDED", "Receive Maximum exceeded",
        (("DISCONNECT", "both"),), -1),
    ReasonRow(0x94, "TOPIC_ALIAS_INVALID", "Topic Alias invalid",
        (("DISCONNECT", "both"),), -1),
    ReasonRow(0x95, "PACKET_TOO_LARGE", "Packet too large",
        (("CONNACK", "server"), ("DISCONNECT", "both")), -1),
    ReasonRow(0x96, "MESSAGE_RATE_TOO_HIGH", "Message rate too high",
        (("DISCONNECT", "both"),), -1),
    ReasonRow(0x97, "QUOTA_EXCEEDED", "Quota exceeded",
        (("CONNACK", "server"), ("PUBACK", "both"), ("PUBREC", "both"), ("SUBACK", "server"), ("DISCONNECT", "both")), 3),
    ReasonRow(0x98, "ADMINISTRATIVE_ACTION", "Administrative action",
        (("DISCONNECT", "both"),), -1),
    ReasonRow(0x99, "PAYLOAD_FORMAT_INVALID", "Payload format invalid",
        (("CONNACK", "server"), ("PUBACK", "both"), ("PUBREC", "both"), ("DISCONNECT", "both")), -1),
    ReasonRow(0x9A, "RETAIN_NOT_SUPPORTED", "Retain not supported",
        (("CONNACK", "server"), ("DISCONNECT", "server")), -1),
    ReasonRow(0x9B, "QOS_NOT_SUPPORTED", "QoS not supported",
        (("CONNACK", "server"), ("DISCONNECT", "server")), -1),
    ReasonRow(0x9C, "USE_ANOTHER_SERVER", "Use another server",
        (("CONNACK", "server"), ("DISCONNECT", "server")), -1),
    ReasonRow(0x9D, "SERVER_MOVED", "Server moved",
        (("CONNACK", "server"), ("DISCONNECT", "server")), -1),
    ReasonRow(0x9E, "SHARED_SUBSCRIPTIONS_NOT_SUPPORTED", "Shared Subscriptions not supported",
        (("SUBACK", "server"), ("DISCONNECT", "server")), -1),
    ReasonRow(0x9F, "CONNECTION_RATE_EXCEEDED", "Connection rate exceeded",
        (("CONNACK", "server"), ("DISCONNECT", "server")), 3),
    ReasonRow(0xA0, "MAXIMUM_CONNECT_TIME", "Maximum connect time",
        (("DISCONNECT", "server"),), -1),
    ReasonRow(0xA1, "SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED", "Subscription Identifiers not supported",
        (("SUBACK", "server"), ("DISCONNECT", "server")), -1),
    ReasonRow(0xA2, "WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED", "Wildcard Subscriptions not supported",
        (("SUBACK", "server"), ("DISCONNECT", "server")), -1),
)

RETURN_CODES: Final = (
    (0, "ACCEPTED", "Connection accepted"),
    (1, "UNACCEPTABLE_PROTOCOL_VERSION", "Unacceptable protocol version"),
    (2, "IDENTIFIER_REJECTED", "Identifier rejected"),
    (3, "SERVER_UNAVAILABLE", "Server unavailable"),
    (4, "BAD_USER_NAME_OR_PASSWORD", "Bad user name or password"),
    (5, "NOT_AUTHORIZED", "Not authorized"),
)
"""The return codes of a CONNACK in 3.1.1 and 3.1: code, name, title."""

ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "ConnectProperties": {
        "session_expiry_interval": "int",
        "authentication_method": "str",
        "authentication_data": "bytes",
        "request_problem_information": "int",
        "request_response_information": "int",
        "receive_maximum": "int",
        "topic_alias_maximum": "int",
        "user_property": "list[tuple[str, str]]",
        "maximum_packet_size": "int",
    },
    "WillProperties": {
        "payload_format_indicator": "int",
        "message_expiry_interval": "int",
        "content_type": "str",
        "response_topic": "str",
        "correlation_data": "bytes",
        "will_delay_interval": "int",
        "user_property": "list[tuple[str, str]]",
    },
    "ConnackProperties": {
        "session_expiry_interval": "int",
        "assigned_client_identifier": "str",
        "server_keep_alive": "int",
        "authentication_method": "str",
        "authentication_data": "bytes",
        "response_information": "str",
        "server_reference": "str",
        "reason_string": "str",
        "receive_maximum": "int",
        "topic_alias_maximum": "int",
        "maximum_qos": "int",
        "retain_available": "int",
        "user_property": "list[tuple[str, str]]",
        "maximum_packet_size": "int",
        "wildcard_subscription_available": "int",
        "subscription_identifier_available": "int",
        "shared_subscription_available": "int",
    },
    "PublishProperties": {
        "payload_format_indicator": "int",
        "message_expiry_interval": "int",
        "content_type": "str",
        "response_topic": "str",
        "correlation_data": "bytes",
        "subscription_identifier": "list[int]",
        "topic_alias": "int",
        "user_property": "list[tuple[str, str]]",
    },
    "PubackProperties": {
        "reason_string": "str",
        "user_property": "list[tuple[str, str]]",
    },
    "PubrecProperties": {
        "reason_string": "str",
        "user_property": "list[tuple[str, str]]",
    },
    "PubrelProperties": {
        "reason_string": "str",
        "user_property": "list[tuple[str, str]]",
    },
    "PubcompProperties": {
        "reason_string": "str",
        "user_property": "list[tuple[str, str]]",
    },
    "SubscribeProperties": {
        "subscription_identifier": "int",
        "user_property": "list[tuple[str, str]]",
    },
    "SubackProperties": {
        "reason_string": "str",
        "user_property": "list[tuple[str, str]]",
    },
    "UnsubscribeProperties": {
        "user_property": "list[tuple[str, str]]",
    },
    "UnsubackProperties": {
        "reason_string": "str",
        "user_property": "list[tuple[str, str]]",
    },
    "DisconnectProperties": {
        "session_expiry_interval": "int",
        "server_reference": "str",
        "reason_string": "str",
        "user_property": "list[tuple[str, str]]",
    },
    "AuthProperties": {
        "authentication_method": "str",
        "authentication_data": "bytes",
        "reason_string": "str",
        "user_property": "list[tuple[str, str]]",
    },
    "Will": {
        "topic": "str",
        "payload": "bytes",
        "qos": "int",
        "retain": "bool",
        "properties": "WillProperties",
    },
    "Connect": {
        "client_id": "str",
        "protocol_version": "int",
        "clean_start": "bool",
        "keep_alive": "int",
        "username": "str",
        "password": "bytes",
        "will": "Will",
        "properties": "ConnectProperties",
    },
    "Connack": {
        "reason_code": "int",
        "session_present": "bool",
        "properties": "ConnackProperties",
    },
    "Publish": {
        "topic": "str",
        "payload": "bytes",
        "qos": "int",
        "retain": "bool",
        "dup": "bool",
        "packet_id": "int",
        "properties": "PublishProperties",
    },
    "Puback": {
        "packet_id": "int",
        "reason_code": "int",
        "properties": "PubackProperties",
    },
    "Pubrec": {
        "packet_id": "int",
        "reason_code": "int",
        "properties": "PubrecProperties",
    },
    "Pubrel": {
        "packet_id": "int",
        "reason_code": "int",
        "properties": "PubrelProperties",
    },
    "Pubcomp": {
        "packet_id": "int",
        "reason_code": "int",
        "properties": "PubcompProperties",
    },
    "Subscription": {
        "topic_filter": "str",
        "qos": "int",
        "no_local": "bool",
        "retain_as_published": "bool",
        "retain_handling": "int",
    },
    "Subscribe": {
        "packet_id": "int",
        "subscriptions": "list[Subscription]",
        "properties": "SubscribeProperties",
    },
    "Suback": {
        "packet_id": "int",
        "reason_codes": "list[int]",
        "properties": "SubackProperties",
    },
    "Unsubscribe": {
        "packet_id": "int",
        "topic_filters": "list[str]",
        "properties": "UnsubscribeProperties",
    },
    "Unsuback": {
        "packet_id": "int",
        "reason_codes": "list[int]",
        "properties": "UnsubackProperties",
    },
    "Pingreq": {},
    "Pingresp": {},
    "Disconnect": {
        "reason_code": "int",
        "properties": "DisconnectProperties",
    },
    "Auth": {
        "reason_code": "int",
        "properties": "AuthProperties",
    },
}
"""The type of each attribute of the packet and property classes, without `| None`."""

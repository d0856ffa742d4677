# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""Reason Codes, packet types and property sizes as integers, which a compiler can inline."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADMINISTRATIVE_ACTION",
    "AUTH",
    "BAD_AUTHENTICATION_METHOD",
    "BAD_USER_NAME_OR_PASSWORD",
    "BANNED",
    "CLIENT_IDENTIFIER_NOT_VALID",
    "CONNACK",
    "CONNECT",
    "CONNECTION_RATE_EXCEEDED",
    "CONTINUE_AUTHENTICATION",
    "DISCONNECT",
    "DISCONNECT_WITH_WILL_MESSAGE",
    "FAILURE",
    "GRANTED_QOS_0",
    "GRANTED_QOS_1",
    "GRANTED_QOS_2",
    "IMPLEMENTATION_SPECIFIC_ERROR",
    "KEEP_ALIVE_TIMEOUT",
    "MALFORMED_PACKET",
    "MAXIMUM_CONNECT_TIME",
    "MESSAGE_RATE_TOO_HIGH",
    "NORMAL_DISCONNECTION",
    "NOT_AUTHORIZED",
    "NO_MATCHING_SUBSCRIBERS",
    "NO_SUBSCRIPTION_EXISTED",
    "PACKET_IDENTIFIER_IN_USE",
    "PACKET_IDENTIFIER_NOT_FOUND",
    "PACKET_TOO_LARGE",
    "PAYLOAD_FORMAT_INVALID",
    "PINGREQ",
    "PINGRESP",
    "PROPERTY_SIZES",
    "PROTOCOL_ERROR",
    "PUBACK",
    "PUBCOMP",
    "PUBLISH",
    "PUBREC",
    "PUBREL",
    "QOS_NOT_SUPPORTED",
    "QUOTA_EXCEEDED",
    "RECEIVE_MAXIMUM_EXCEEDED",
    "RETAIN_NOT_SUPPORTED",
    "RE_AUTHENTICATE",
    "SERVER_BUSY",
    "SERVER_MOVED",
    "SERVER_SHUTTING_DOWN",
    "SERVER_UNAVAILABLE",
    "SESSION_TAKEN_OVER",
    "SHARED_SUBSCRIPTIONS_NOT_SUPPORTED",
    "SUBACK",
    "SUBSCRIBE",
    "SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED",
    "SUCCESS",
    "TOPIC_ALIAS_INVALID",
    "TOPIC_FILTER_INVALID",
    "TOPIC_NAME_INVALID",
    "UNSPECIFIED_ERROR",
    "UNSUBACK",
    "UNSUBSCRIBE",
    "UNSUPPORTED_PROTOCOL_VERSION",
    "USE_ANOTHER_SERVER",
    "WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED",
]

CONNECT: Final = 1
CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
PUBREC: Final = 5
PUBREL: Final = 6
PUBCOMP: Final = 7
SUBSCRIBE: Final = 8
SUBACK: Final = 9
UNSUBSCRIBE: Final = 10
UNSUBACK: Final = 11
PINGREQ: Final = 12
PINGRESP: Final = 13
DISCONNECT: Final = 14
AUTH: Final = 15

SUCCESS: Final = 0x00
NORMAL_DISCONNECTION: Final = 0x00
GRANTED_QOS_0: Final = 0x00
GRANTED_QOS_1: Final = 0x01
GRANTED_QOS_2: Final = 0x02
DISCONNECT_WITH_WILL_MESSAGE: Final = 0x04
NO_MATCHING_SUBSCRIBERS: Final = 0x10
NO_SUBSCRIPTION_EXISTED: Final = 0x11
CONTINUE_AUTHENTICATION: Final = 0x18
RE_AUTHENTICATE: Final = 0x19
UNSPECIFIED_ERROR: Final = 0x80
MALFORMED_PACKET: Final = 0x81
PROTOCOL_ERROR: Final = 0x82
IMPLEMENTATION_SPECIFIC_ERROR: Final = 0x83
UNSUPPORTED_PROTOCOL_VERSION: Final = 0x84
CLIENT_IDENTIFIER_NOT_VALID: Final = 0x85
BAD_USER_NAME_OR_PASSWORD: Final = 0x86
NOT_AUTHORIZED: Final = 0x87
SERVER_UNAVAILABLE: Final = 0x88
SERVER_BUSY: Final = 0x89
BANNED: Final = 0x8A
SERVER_SHUTTING_DOWN: Final = 0x8B
BAD_AUTHENTICATION_METHOD: Final = 0x8C
KEEP_ALIVE_TIMEOUT: Final = 0x8D
SESSION_TAKEN_OVER: Final = 0x8E
TOPIC_FILTER_INVALID: Final = 0x8F
TOPIC_NAME_INVALID: Final = 0x90
PACKET_IDENTIFIER_IN_USE: Final = 0x91
PACKET_IDENTIFIER_NOT_FOUND: Final = 0x92
RECEIVE_MAXIMUM_EXCEEDED: Final = 0x93
TOPIC_ALIAS_INVALID: Final = 0x94
PACKET_TOO_LARGE: Final = 0x95
MESSAGE_RATE_TOO_HIGH: Final = 0x96
QUOTA_EXCEEDED: Final = 0x97
ADMINISTRATIVE_ACTION: Final = 0x98
PAYLOAD_FORMAT_INVALID: Final = 0x99
RETAIN_NOT_SUPPORTED: Final = 0x9A
QOS_NOT_SUPPORTED: Final = 0x9B
USE_ANOTHER_SERVER: Final = 0x9C
SERVER_MOVED: Final = 0x9D
SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Final = 0x9E
CONNECTION_RATE_EXCEEDED: Final = 0x9F
MAXIMUM_CONNECT_TIME: Final = 0xA0
SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Final = 0xA1
WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Final = 0xA2

FAILURE: Final = 0x80
"""Reason Codes of this value or more mean failure (section 2.4). A SUBACK of 3.1.1 has this value."""

PROPERTY_SIZES: Final[dict[int, int]] = {
    0x01: 1,  # Payload Format Indicator
    0x02: 4,  # Message Expiry Interval
    0x03: 0,  # Content Type
    0x08: 0,  # Response Topic
    0x09: 0,  # Correlation Data
    0x0B: -2,  # Subscription Identifier
    0x11: 4,  # Session Expiry Interval
    0x12: 0,  # Assigned Client Identifier
    0x13: 2,  # Server Keep Alive
    0x15: 0,  # Authentication Method
    0x16: 0,  # Authentication Data
    0x17: 1,  # Request Problem Information
    0x18: 4,  # Will Delay Interval
    0x19: 1,  # Request Response Information
    0x1A: 0,  # Response Information
    0x1C: 0,  # Server Reference
    0x1F: 0,  # Reason String
    0x21: 2,  # Receive Maximum
    0x22: 2,  # Topic Alias Maximum
    0x23: 2,  # Topic Alias
    0x24: 1,  # Maximum QoS
    0x25: 1,  # Retain Available
    0x26: -1,  # User Property
    0x27: 4,  # Maximum Packet Size
    0x28: 1,  # Wildcard Subscription Available
    0x29: 1,  # Subscription Identifier Available
    0x2A: 1,  # Shared Subscription Available
}
"""Identifier -> bytes of the value. 0: a string or Binary Data, -1: two strings, -2: a variable integer."""

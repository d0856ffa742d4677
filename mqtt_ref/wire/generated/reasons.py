# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""Reason Codes: all of them, one enum per packet, and the return codes of 3.x."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = [
    "REASON_TITLES",
    "RETURN_CODES",
    "RETURN_CODE_TITLES",
    "AuthReason",
    "ConnackReason",
    "DisconnectReason",
    "PubackReason",
    "PubcompReason",
    "PubrecReason",
    "PubrelReason",
    "ReasonCode",
    "ReturnCode",
    "SubackReason",
    "UnsubackReason",
]


class ReasonCode(IntEnum):
    """Every Reason Code of MQTT 5.0. The three meanings of 0x00 are one member with three names."""

    SUCCESS = 0x00
    NORMAL_DISCONNECTION = 0x00
    GRANTED_QOS_0 = 0x00
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL_MESSAGE = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    CONTINUE_AUTHENTICATION = 0x18
    RE_AUTHENTICATE = 0x19
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    USE_ANOTHER_SERVER = 0x9C
    SERVER_MOVED = 0x9D
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F
    MAXIMUM_CONNECT_TIME = 0xA0
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


class ConnackReason(IntEnum):
    """The Reason Codes of CONNACK (section 3.2)."""

    SUCCESS = 0x00  # server
    UNSPECIFIED_ERROR = 0x80  # server
    MALFORMED_PACKET = 0x81  # server
    PROTOCOL_ERROR = 0x82  # server
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83  # server
    UNSUPPORTED_PROTOCOL_VERSION = 0x84  # server
    CLIENT_IDENTIFIER_NOT_VALID = 0x85  # server
    BAD_USER_NAME_OR_PASSWORD = 0x86  # server
    NOT_AUTHORIZED = 0x87  # server
    SERVER_UNAVAILABLE = 0x88  # server
    SERVER_BUSY = 0x89  # server
    BANNED = 0x8A  # server
    BAD_AUTHENTICATION_METHOD = 0x8C  # server
    TOPIC_NAME_INVALID = 0x90  # server
    PACKET_TOO_LARGE = 0x95  # server
    QUOTA_EXCEEDED = 0x97  # server
    PAYLOAD_FORMAT_INVALID = 0x99  # server
    RETAIN_NOT_SUPPORTED = 0x9A  # server
    QOS_NOT_SUPPORTED = 0x9B  # server
    USE_ANOTHER_SERVER = 0x9C  # server
    SERVER_MOVED = 0x9D  # server
    CONNECTION_RATE_EXCEEDED = 0x9F  # server


class PubackReason(IntEnum):
    """The Reason Codes of PUBACK (section 3.4)."""

    SUCCESS = 0x00
    NO_MATCHING_SUBSCRIBERS = 0x10  # server
    UNSPECIFIED_ERROR = 0x80
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    NOT_AUTHORIZED = 0x87
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    QUOTA_EXCEEDED = 0x97
    PAYLOAD_FORMAT_INVALID = 0x99


class PubrecReason(IntEnum):
    """The Reason Codes of PUBREC (section 3.5)."""

    SUCCESS = 0x00
    NO_MATCHING_SUBSCRIBERS = 0x10  # server
    UNSPECIFIED_ERROR = 0x80
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    NOT_AUTHORIZED = 0x87
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    QUOTA_EXCEEDED = 0x97
    PAYLOAD_FORMAT_INVALID = 0x99


class PubrelReason(IntEnum):
    """The Reason Codes of PUBREL (section 3.6)."""

    SUCCESS = 0x00
    PACKET_IDENTIFIER_NOT_FOUND = 0x92


class PubcompReason(IntEnum):
    """The Reason Codes of PUBCOMP (section 3.7)."""

    SUCCESS = 0x00
    PACKET_IDENTIFIER_NOT_FOUND = 0x92


class SubackReason(IntEnum):
    """The Reason Codes of SUBACK (section 3.9)."""

    GRANTED_QOS_0 = 0x00  # server
    GRANTED_QOS_1 = 0x01  # server
    GRANTED_QOS_2 = 0x02  # server
    UNSPECIFIED_ERROR = 0x80  # server
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83  # server
    NOT_AUTHORIZED = 0x87  # server
    TOPIC_FILTER_INVALID = 0x8F  # server
    PACKET_IDENTIFIER_IN_USE = 0x91  # server
    QUOTA_EXCEEDED = 0x97  # server
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E  # server
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1  # server
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2  # server


class UnsubackReason(IntEnum):
    """The Reason Codes of UNSUBACK (section 3.11)."""

    SUCCESS = 0x00  # server
    NO_SUBSCRIPTION_EXISTED = 0x11  # server
    UNSPECIFIED_ERROR = 0x80  # server
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83  # server
    NOT_AUTHORIZED = 0x87  # server
    TOPIC_FILTER_INVALID = 0x8F  # server
    PACKET_IDENTIFIER_IN_USE = 0x91  # server


class DisconnectReason(IntEnum):
    """The Reason Codes of DISCONNECT (section 3.14)."""

    NORMAL_DISCONNECTION = 0x00
    DISCONNECT_WITH_WILL_MESSAGE = 0x04  # client
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    NOT_AUTHORIZED = 0x87  # server
    SERVER_BUSY = 0x89  # server
    SERVER_SHUTTING_DOWN = 0x8B  # server
    KEEP_ALIVE_TIMEOUT = 0x8D  # server
    SESSION_TAKEN_OVER = 0x8E  # server
    TOPIC_FILTER_INVALID = 0x8F  # server
    TOPIC_NAME_INVALID = 0x90
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A  # server
    QOS_NOT_SUPPORTED = 0x9B  # server
    USE_ANOTHER_SERVER = 0x9C  # server
    SERVER_MOVED = 0x9D  # server
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E  # server
    CONNECTION_RATE_EXCEEDED = 0x9F  # server
    MAXIMUM_CONNECT_TIME = 0xA0  # server
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1  # server
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2  # server


class AuthReason(IntEnum):
    """The Reason Codes of AUTH (section 3.15)."""

    SUCCESS = 0x00  # server
    CONTINUE_AUTHENTICATION = 0x18
    RE_AUTHENTICATE = 0x19  # client


class ReturnCode(IntEnum):
    """The return codes of a CONNACK in 3.1.1 and 3.1."""

    ACCEPTED = 0
    UNACCEPTABLE_PROTOCOL_VERSION = 1
    IDENTIFIER_REJECTED = 2
    SERVER_UNAVAILABLE = 3
    BAD_USER_NAME_OR_PASSWORD = 4
    NOT_AUTHORIZED = 5


REASON_TITLES: Final[dict[int, str]] = {
    0x00: "Success / Normal disconnection / Granted QoS 0",
    0x01: "Granted QoS 1",
    0x02: "Granted QoS 2",
    0x04: "Disconnect with Will Message",
    0x10: "No matching subscribers",
    0x11: "No subscription existed",
    0x18: "Continue authentication",
    0x19: "Re-authenticate",
    0x80: "Unspecified error",
    0x81: "Malformed Packet",
    0x82: "Protocol Error",
    0x83: "Implementation specific error",
    0x84: "Unsupported Protocol Version",
    0x85: "Client Identifier not valid",
    0x86: "Bad User Name or Password",
    0x87: "Not authorized",
    0x88: "Server unavailable",
    0x89: "Server busy",
    0x8A: "Banned",
    0x8B: "Server shutting down",
    0x8C: "Bad authentication method",
    0x8D: "Keep Alive timeout",
    0x8E: "Session taken over",
    0x8F: "Topic Filter invalid",
    0x90: "Topic Name invalid",
    0x91: "Packet Identifier in use",
    0x92: "Packet Identifier not found",
    0x93: "Receive Maximum exceeded",
    0x94: "Topic Alias invalid",
    0x95: "Packet too large",
    0x96: "Message rate too high",
    0x97: "Quota exceeded",
    0x98: "Administrative action",
    0x99: "Payload format invalid",
    0x9A: "Retain not supported",
    0x9B: "QoS not supported",
    0x9C: "Use another server",
    0x9D: "Server moved",
    0x9E: "Shared Subscriptions not supported",
    0x9F: "Connection rate exceeded",
    0xA0: "Maximum connect time",
    0xA1: "Subscription Identifiers not supported",
    0xA2: "Wildcard Subscriptions not supported",
}
"""The title of each Reason Code."""

RETURN_CODE_TITLES: Final[dict[int, str]] = {
    0: "Connection accepted",
    1: "Unacceptable protocol version",
    2: "Identifier rejected",
    3: "Server unavailable",
    4: "Bad user name or password",
    5: "Not authorized",
}
"""The title of each return code of 3.x."""

RETURN_CODES: Final[dict[int, int]] = {
    0x00: 0,
    0x84: 1,
    0x85: 2,
    0x86: 4,
    0x87: 5,
    0x88: 3,
    0x89: 3,
    0x8A: 5,
    0x8C: 5,
    0x97: 3,
    0x9F: 3,
}
"""Reason Code -> return code of 3.x. Other Reason Codes have no return code."""

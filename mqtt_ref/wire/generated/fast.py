# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""The fast codec: decodes and encodes one whole packet, for a version and a sender."""

from __future__ import annotations

from struct import Struct
from typing import Final

from mqtt_ref.wire.breach import (
    Cites,
    TextRules,
    broken,
    broken_protocol,
    broken_text,
    cut_string,
    cut_vbi,
    may_name_v31,
    protocol,
)
from mqtt_ref.wire.generated.packets import (
    Auth,
    AuthProperties,
    Block,
    Connack,
    ConnackProperties,
    Connect,
    ConnectProperties,
    Disconnect,
    DisconnectProperties,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    PubackProperties,
    Pubcomp,
    PubcompProperties,
    Publish,
    PublishProperties,
    Pubrec,
    PubrecProperties,
    Pubrel,
    PubrelProperties,
    Suback,
    SubackProperties,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    UnsubackProperties,
    Unsubscribe,
    UnsubscribeProperties,
    Will,
    WillProperties,
)
from mqtt_ref.wire.primitives import (
    CLIENT,
    NAMES,
    SERVER,
    check_filter,
    check_name,
    check_text,
    filter_text,
    name_text,
    read_vbi,
    text,
    vbi,
)
from mqtt_ref.wire.violation import Violation

__all__ = [
    "HEADERS",
    "HEADER_BREACHES",
    "PACKET_TOO_LARGE",
    "VBI_FOUR_BYTES",
    "VBI_MINIMAL",
    "block_for",
    "block_of",
    "decode",
    "encode",
    "encode_publish",
    "header_breach",
    "outgoing",
    "publish_bytes",
    "read_block",
    "will_block",
]

UNPACK_32: Final = Struct(">I").unpack_from
BYTES: Final = tuple(bytes((value,)) for value in range(256))
AUTH_CLIENT_CODES: Final = frozenset({0x18, 0x19})
AUTH_SERVER_CODES: Final = frozenset({0x00, 0x18})
CONNACK_SERVER_CODES: Final = frozenset({0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F})
CONNACK_V3_CODES: Final = frozenset({0x00, 0x01, 0x02, 0x03, 0x04, 0x05})
CONNACK_V4_CODES: Final = frozenset({0x00, 0x01, 0x02, 0x03, 0x04, 0x05})
C_MQTT311_3_1_2_22: Final[Cites] = ("", "", "", "X31-password-without-user-name", "MQTT311-3.1.2-22", "")
C_MQTT311_3_8_3_4: Final[Cites] = ("", "", "", "", "MQTT311-3.8.3-4", "")
C_MQTT5_1_5_4_1: Final[Cites] = ("MQTT5-1.5.4-1", "", "", "X31-utf8-well-formed", "MQTT311-1.5.3-1", "MQTT5-1.5.4-1")
C_MQTT5_1_5_4_2: Final[Cites] = ("MQTT5-1.5.4-2", "", "", "X31-utf8-no-null", "MQTT311-1.5.3-2", "MQTT5-1.5.4-2")
C_MQTT5_1_5_5_1: Final[Cites] = ("MQTT5-1.5.5-1", "", "", "", "", "MQTT5-1.5.5-1")
C_MQTT5_1_5_7_1: Final[Cites] = ("MQTT5-1.5.7-1", "", "", "", "", "MQTT5-1.5.7-1")
C_MQTT5_2_1_3_1: Final[Cites] = ("MQTT5-2.1.3-1", "", "", "", "MQTT311-2.2.2-1", "MQTT5-2.1.3-1")
C_MQTT5_2_2_1_3: Final[Cites] = ("MQTT5-2.2.1-3", "", "", "X31-message-id-zero", "MQTT311-2.3.1-1", "MQTT5-2.2.1-3")
C_MQTT5_2_2_1_4: Final[Cites] = ("MQTT5-2.2.1-4", "", "", "X31-message-id-zero", "MQTT311-2.3.1-1", "MQTT5-2.2.1-4")
C_MQTT5_2_2_1_5: Final[Cites] = ("MQTT5-2.2.1-5", "", "", "X31-message-id-zero", "MQTT311-2.3.1-6", "MQTT5-2.2.1-5")
C_MQTT5_2_2_1_5_2: Final[Cites] = ("MQTT5-2.2.1-5", "", "", "X31-message-id-zero", "X311-pubcomp-packet-id", "MQTT5-2.2.1-5")
C_MQTT5_2_2_1_6: Final[Cites] = ("MQTT5-2.2.1-6", "", "", "X31-message-id-zero", "MQTT311-2.3.1-7", "MQTT5-2.2.1-6")
C_MQTT5_3_10_1_1: Final[Cites] = ("MQTT5-3.10.1-1", "", "", "", "MQTT311-3.10.1-1", "MQTT5-3.10.1-1")
C_MQTT5_3_10_3_2: Final[Cites] = ("MQTT5-3.10.3-2", "", "", "X31-unsubscribe-empty", "MQTT311-3.10.3-2", "MQTT5-3.10.3-2")
C_MQTT5_3_11_3_2: Final[Cites] = ("MQTT5-3.11.3-2", "", "", "", "", "MQTT5-3.11.3-2")
C_MQTT5_3_14_1_1: Final[Cites] = ("MQTT5-3.14.1-1", "", "", "", "MQTT311-3.14.1-1", "MQTT5-3.14.1-1")
C_MQTT5_3_14_2_1: Final[Cites] = ("MQTT5-3.14.2-1", "", "", "", "", "MQTT5-3.14.2-1")
C_MQTT5_3_14_2_2: Final[Cites] = ("MQTT5-3.14.2-2", "", "", "", "", "MQTT5-3.14.2-2")
C_MQTT5_3_15_1_1: Final[Cites] = ("MQTT5-3.15.1-1", "", "", "", "", "MQTT5-3.15.1-1")
C_MQTT5_3_15_2_1: Final[Cites] = ("MQTT5-3.15.2-1", "", "", "", "", "MQTT5-3.15.2-1")
C_MQTT5_3_1_2_1: Final[Cites] = ("MQTT5-3.1.2-1", "", "", "X31-protocol-name", "MQTT311-3.1.2-1", "MQTT5-3.1.2-1")
C_MQTT5_3_1_2_11: Final[Cites] = ("MQTT5-3.1.2-11", "", "", "", "MQTT311-3.1.2-13", "MQTT5-3.1.2-11")
C_MQTT5_3_1_2_12: Final[Cites] = ("MQTT5-3.1.2-12", "", "", "X31-will-qos", "MQTT311-3.1.2-14", "MQTT5-3.1.2-12")
C_MQTT5_3_1_2_13: Final[Cites] = ("MQTT5-3.1.2-13", "", "", "", "MQTT311-3.1.2-15", "MQTT5-3.1.2-13")
C_MQTT5_3_1_2_17: Final[Cites] = ("MQTT5-3.1.2-17", "", "", "X31-field-truncated", "MQTT311-3.1.2-19", "MQTT5-3.1.2-17")
C_MQTT5_3_1_2_19: Final[Cites] = ("MQTT5-3.1.2-19", "", "", "X31-field-truncated", "MQTT311-3.1.2-21", "MQTT5-3.1.2-19")
C_MQTT5_3_1_2_2: Final[Cites] = ("MQTT5-3.1.2-2", "", "", "X31-protocol-version", "MQTT311-3.1.2-2", "MQTT5-3.1.2-2")
C_MQTT5_3_1_2_24: Final[Cites] = ("MQTT5-3.1.2-24", "", "", "X31-receiver-limit", "X311-receiver-limit", "MQTT5-3.1.2-24")
C_MQTT5_3_1_2_3: Final[Cites] = ("MQTT5-3.1.2-3", "", "", "", "MQTT311-3.1.2-3", "MQTT5-3.1.2-3")
C_MQTT5_3_1_2_9: Final[Cites] = ("MQTT5-3.1.2-9", "", "", "X31-field-truncated", "X311-field-truncated", "MQTT5-3.1.2-9")
C_MQTT5_3_1_2_9_2: Final[Cites] = ("MQTT5-3.1.2-9", "", "", "X31-field-truncated", "MQTT311-3.1.2-9", "MQTT5-3.1.2-9")
C_MQTT5_3_1_3_3: Final[Cites] = ("MQTT5-3.1.3-3", "", "", "X31-field-truncated", "MQTT311-3.1.3-3", "MQTT5-3.1.3-3")
C_MQTT5_3_2_2_1: Final[Cites] = ("MQTT5-3.2.2-1", "", "", "", "X311-connack-reserved-bits", "MQTT5-3.2.2-1")
C_MQTT5_3_2_2_15: Final[Cites] = ("MQTT5-3.2.2-15", "", "", "X31-receiver-limit", "X311-receiver-limit", "MQTT5-3.2.2-15")
C_MQTT5_3_2_2_6: Final[Cites] = ("MQTT5-3.2.2-6", "", "", "", "MQTT311-3.2.2-4", "MQTT5-3.2.2-6")
C_MQTT5_3_2_2_8: Final[Cites] = ("MQTT5-3.2.2-8", "", "", "X31-connack-codes", "X311-connack-codes-reserved", "MQTT5-3.2.2-8")
C_MQTT5_3_3_1_2: Final[Cites] = ("MQTT5-3.3.1-2", "", "", "", "MQTT311-3.3.1-2", "MQTT5-3.3.1-2")
C_MQTT5_3_3_1_4: Final[Cites] = ("MQTT5-3.3.1-4", "", "", "X31-publish-qos", "MQTT311-3.3.1-4", "MQTT5-3.3.1-4")
C_MQTT5_3_3_2_1: Final[Cites] = ("MQTT5-3.3.2-1", "", "", "X31-field-truncated", "MQTT311-3.3.2-1", "MQTT5-3.3.2-1")
C_MQTT5_3_3_2_14: Final[Cites] = ("MQTT5-3.3.2-14", "", "", "X31-topic-wildcards", "MQTT311-4.7.1-1", "MQTT5-3.3.2-14")
C_MQTT5_3_3_2_2: Final[Cites] = ("MQTT5-3.3.2-2", "", "", "X31-topic-wildcards", "MQTT311-3.3.2-2", "MQTT5-3.3.2-2")
C_MQTT5_3_3_2_8: Final[Cites] = ("MQTT5-3.3.2-8", "", "", "", "", "MQTT5-3.3.2-8")
C_MQTT5_3_3_4_6: Final[Cites] = ("MQTT5-3.3.4-6", "", "", "", "", "MQTT5-3.3.4-6")
C_MQTT5_3_4_2_1: Final[Cites] = ("MQTT5-3.4.2-1", "", "", "", "", "MQTT5-3.4.2-1")
C_MQTT5_3_5_2_1: Final[Cites] = ("MQTT5-3.5.2-1", "", "", "", "", "MQTT5-3.5.2-1")
C_MQTT5_3_6_1_1: Final[Cites] = ("MQTT5-3.6.1-1", "", "", "", "MQTT311-3.6.1-1", "MQTT5-3.6.1-1")
C_MQTT5_3_6_2_1: Final[Cites] = ("MQTT5-3.6.2-1", "", "", "", "", "MQTT5-3.6.2-1")
C_MQTT5_3_7_2_1: Final[Cites] = ("MQTT5-3.7.2-1", "", "", "", "", "MQTT5-3.7.2-1")
C_MQTT5_3_8_1_1: Final[Cites] = ("MQTT5-3.8.1-1", "", "", "", "MQTT311-3.8.1-1", "MQTT5-3.8.1-1")
C_MQTT5_3_8_3_2: Final[Cites] = ("MQTT5-3.8.3-2", "", "", "X31-subscribe-empty", "MQTT311-3.8.3-3", "MQTT5-3.8.3-2")
C_MQTT5_3_8_3_4: Final[Cites] = ("MQTT5-3.8.3-4", "", "", "", "", "MQTT5-3.8.3-4")
C_MQTT5_3_8_3_5: Final[Cites] = ("MQTT5-3.8.3-5", "", "", "", "", "MQTT5-3.8.3-5")
C_MQTT5_3_8_4_6: Final[Cites] = ("MQTT5-3.8.4-6", "", "", "X31-suback-codes", "MQTT311-3.8.4-5", "MQTT5-3.8.4-6")
C_MQTT5_3_9_3_2: Final[Cites] = ("MQTT5-3.9.3-2", "", "", "X31-suback-codes", "MQTT311-3.9.3-2", "MQTT5-3.9.3-2")
C_MQTT5_4_7_0_1: Final[Cites] = ("MQTT5-4.7.0-1", "", "", "X31-topic-wildcards", "MQTT311-4.7.1-1", "MQTT5-4.7.0-1")
C_MQTT5_4_7_1_1: Final[Cites] = ("MQTT5-4.7.1-1", "", "", "X31-filter-hash", "MQTT311-4.7.1-2", "MQTT5-4.7.1-1")
C_MQTT5_4_7_1_2: Final[Cites] = ("MQTT5-4.7.1-2", "", "", "X31-filter-plus", "MQTT311-4.7.1-3", "MQTT5-4.7.1-2")
C_MQTT5_4_7_3_1: Final[Cites] = ("MQTT5-4.7.3-1", "", "", "X31-topic-empty", "MQTT311-4.7.3-1", "MQTT5-4.7.3-1")
C_MQTT5_4_8_2_1: Final[Cites] = ("MQTT5-4.8.2-1", "", "", "", "", "MQTT5-4.8.2-1")
C_MQTT5_4_8_2_2: Final[Cites] = ("MQTT5-4.8.2-2", "", "", "", "", "MQTT5-4.8.2-2")
C_NONE: Final[Cites] = ("", "", "", "", "", "")
C_X5_ASSIGNED_CLIENT_IDENTIFIER_ONCE: Final[Cites] = ("X5-assigned_client_identifier-once", "", "", "", "", "X5-assigned_client_identifier-once")
C_X5_AUTHENTICATION_DATA_NEEDS: Final[Cites] = ("X5-authentication_data-needs", "", "", "", "", "X5-authentication_data-needs")
C_X5_AUTHENTICATION_DATA_ONCE: Final[Cites] = ("X5-authentication_data-once", "", "", "", "", "X5-authentication_data-once")
C_X5_AUTHENTICATION_METHOD_ONCE: Final[Cites] = ("X5-authentication_method-once", "", "", "", "", "X5-authentication_method-once")
C_X5_AUTH_AUTHENTICATION_METHOD_REQUIRED: Final[Cites] = ("X5-auth-authentication_method-required", "", "", "", "", "X5-auth-authentication_method-required")
C_X5_CONTENT_TYPE_ONCE: Final[Cites] = ("X5-content_type-once", "", "", "", "", "X5-content_type-once")
C_X5_CORRELATION_DATA_ONCE: Final[Cites] = ("X5-correlation_data-once", "", "", "", "", "X5-correlation_data-once")
C_X5_FIELD_TRUNCATED: Final[Cites] = ("X5-field-truncated", "", "", "X31-field-truncated", "X311-field-truncated", "X5-field-truncated")
C_X5_MAXIMUM_PACKET_SIZE_ONCE: Final[Cites] = ("X5-maximum_packet_size-once", "", "", "", "", "X5-maximum_packet_size-once")
C_X5_MAXIMUM_PACKET_SIZE_RANGE: Final[Cites] = ("X5-maximum_packet_size-range", "", "", "", "", "X5-maximum_packet_size-range")
C_X5_MAXIMUM_QOS_ONCE: Final[Cites] = ("X5-maximum_qos-once", "", "", "", "", "X5-maximum_qos-once")
C_X5_MAXIMUM_QOS_RANGE: Final[Cites] = ("X5-maximum_qos-range", "", "", "", "", "X5-maximum_qos-range")
C_X5_MESSAGE_EXPIRY_INTERVAL_ONCE: Final[Cites] = ("X5-message_expiry_interval-once", "", "", "", "", "X5-message_expiry_interval-once")
C_X5_PACKET_DIRECTION: Final[Cites] = ("X5-packet-direction", "", "", "X31-packet-direction", "X311-packet-direction", "X5-packet-direction")
C_X5_PACKET_TYPE_RESERVED: Final[Cites] = ("X5-packet-type-reserved", "", "", "X31-packet-type-reserved", "X311-packet-type-reserved", "X5-packet-type-reserved")
C_X5_PAYLOAD_FORMAT_INDICATOR_ONCE: Final[Cites] = ("X5-payload_format_indicator-once", "", "", "", "", "X5-payload_format_indicator-once")
C_X5_PAYLOAD_FORMAT_INDICATOR_RANGE: Final[Cites] = ("X5-payload_format_indicator-range", "", "", "", "", "X5-payload_format_indicator-range")
C_X5_PUBLISH_TOPIC_OR_ALIAS: Final[Cites] = ("X5-publish-topic-or-alias", "", "", "", "", "X5-publish-topic-or-alias")
C_X5_REASON_STRING_ONCE: Final[Cites] = ("X5-reason_string-once", "", "", "", "", "X5-reason_string-once")
C_X5_RECEIVE_MAXIMUM_ONCE: Final[Cites] = ("X5-receive_maximum-once", "", "", "", "", "X5-receive_maximum-once")
C_X5_RECEIVE_MAXIMUM_RANGE: Final[Cites] = ("X5-receive_maximum-range", "", "", "", "", "X5-receive_maximum-range")
C_X5_REQUEST_PROBLEM_INFORMATION_ONCE: Final[Cites] = ("X5-request_problem_information-once", "", "", "", "", "X5-request_problem_information-once")
C_X5_REQUEST_PROBLEM_INFORMATION_RANGE: Final[Cites] = ("X5-request_problem_information-range", "", "", "", "", "X5-request_problem_information-range")
C_X5_REQUEST_RESPONSE_INFORMATION_ONCE: Final[Cites] = ("X5-request_response_information-once", "", "", "", "", "X5-request_response_information-once")
C_X5_REQUEST_RESPONSE_INFORMATION_RANGE: Final[Cites] = ("X5-request_response_information-range", "", "", "", "", "X5-request_response_information-range")
C_X5_RESPONSE_INFORMATION_ONCE: Final[Cites] = ("X5-response_information-once", "", "", "", "", "X5-response_information-once")
C_X5_RESPONSE_TOPIC_ONCE: Final[Cites] = ("X5-response_topic-once", "", "", "", "", "X5-response_topic-once")
C_X5_RETAIN_AVAILABLE_ONCE: Final[Cites] = ("X5-retain_available-once", "", "", "", "", "X5-retain_available-once")
C_X5_RETAIN_AVAILABLE_RANGE: Final[Cites] = ("X5-retain_available-range", "", "", "", "", "X5-retain_available-range")
C_X5_SERVER_KEEP_ALIVE_ONCE: Final[Cites] = ("X5-server_keep_alive-once", "", "", "", "", "X5-server_keep_alive-once")
C_X5_SERVER_REFERENCE_ONCE: Final[Cites] = ("X5-server_reference-once", "", "", "", "", "X5-server_reference-once")
C_X5_SESSION_EXPIRY_INTERVAL_ONCE: Final[Cites] = ("X5-session_expiry_interval-once", "", "", "", "", "X5-session_expiry_interval-once")
C_X5_SHARED_SUBSCRIPTION_AVAILABLE_ONCE: Final[Cites] = ("X5-shared_subscription_available-once", "", "", "", "", "X5-shared_subscription_available-once")
C_X5_SHARED_SUBSCRIPTION_AVAILABLE_RANGE: Final[Cites] = ("X5-shared_subscription_available-range", "", "", "", "", "X5-shared_subscription_available-range")
C_X5_SUBSCRIBE_QOS: Final[Cites] = ("X5-subscribe-qos", "", "", "X31-subscribe-qos", "MQTT311-3.8.3-4", "X5-subscribe-qos")
C_X5_SUBSCRIBE_RETAIN_HANDLING: Final[Cites] = ("X5-subscribe-retain-handling", "", "", "", "", "X5-subscribe-retain-handling")
C_X5_SUBSCRIPTION_IDENTIFIER_AVAILABLE_ONCE: Final[Cites] = ("X5-subscription_identifier_available-once", "", "", "", "", "X5-subscription_identifier_available-once")
C_X5_SUBSCRIPTION_IDENTIFIER_AVAILABLE_RANGE: Final[Cites] = ("X5-subscription_identifier_available-range", "", "", "", "", "X5-subscription_identifier_available-range")
C_X5_SUBSCRIPTION_IDENTIFIER_ONCE: Final[Cites] = ("X5-subscription_identifier-once", "", "", "", "", "X5-subscription_identifier-once")
C_X5_SUBSCRIPTION_IDENTIFIER_RANGE: Final[Cites] = ("X5-subscription_identifier-range", "", "", "", "", "X5-subscription_identifier-range")
C_X5_TOPIC_ALIAS_MAXIMUM_ONCE: Final[Cites] = ("X5-topic_alias_maximum-once", "", "", "", "", "X5-topic_alias_maximum-once")
C_X5_TOPIC_ALIAS_ONCE: Final[Cites] = ("X5-topic_alias-once", "", "", "", "", "X5-topic_alias-once")
C_X5_TRAILING_BYTES: Final[Cites] = ("X5-trailing-bytes", "", "", "X31-trailing-bytes", "X311-trailing-bytes", "X5-trailing-bytes")
C_X5_UNSUBACK_REASON_CODES: Final[Cites] = ("X5-unsuback-reason-codes", "", "", "", "", "X5-unsuback-reason-codes")
C_X5_VBI_FOUR_BYTES: Final[Cites] = ("X5-vbi-four-bytes", "", "", "X31-vbi-four-bytes", "X311-vbi-four-bytes", "X5-vbi-four-bytes")
C_X5_WILDCARD_SUBSCRIPTION_AVAILABLE_ONCE: Final[Cites] = ("X5-wildcard_subscription_available-once", "", "", "", "", "X5-wildcard_subscription_available-once")
C_X5_WILDCARD_SUBSCRIPTION_AVAILABLE_RANGE: Final[Cites] = ("X5-wildcard_subscription_available-range", "", "", "", "", "X5-wildcard_subscription_available-range")
C_X5_WILL_DELAY_INTERVAL_ONCE: Final[Cites] = ("X5-will_delay_interval-once", "", "", "", "", "X5-will_delay_interval-once")
DISCONNECT_CLIENT_CODES: Final = frozenset({0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x8C, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9B})
DISCONNECT_SERVER_CODES: Final = frozenset({0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2})
PUBACK_CLIENT_CODES: Final = frozenset({0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
PUBACK_SERVER_CODES: Final = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
PUBCOMP_CLIENT_CODES: Final = frozenset({0x00, 0x92})
PUBCOMP_SERVER_CODES: Final = frozenset({0x00, 0x92})
PUBREC_CLIENT_CODES: Final = frozenset({0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
PUBREC_SERVER_CODES: Final = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
PUBREL_CLIENT_CODES: Final = frozenset({0x00, 0x92})
PUBREL_SERVER_CODES: Final = frozenset({0x00, 0x92})
SUBACK_SERVER_CODES: Final = frozenset({0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2})
SUBACK_V3_CODES: Final = frozenset({0x00, 0x01, 0x02})
SUBACK_V4_CODES: Final = frozenset({0x00, 0x01, 0x02, 0x80})
T_CLIENT_ID: Final[TextRules] = (
    (0, C_NONE),
    (0x81, C_MQTT5_1_5_4_1),
    (0x81, C_MQTT5_1_5_4_2),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
)
T_TOPIC_FILTER: Final[TextRules] = (
    (0, C_NONE),
    (0x81, C_MQTT5_1_5_4_1),
    (0x81, C_MQTT5_1_5_4_2),
    (0x81, C_MQTT5_4_7_3_1),
    (0, C_NONE),
    (0x81, C_MQTT5_4_7_1_1),
    (0x81, C_MQTT5_4_7_1_2),
    (0x81, C_MQTT5_4_8_2_1),
    (0x81, C_MQTT5_4_8_2_2),
)
T_TOPIC_NAME: Final[TextRules] = (
    (0, C_NONE),
    (0x81, C_MQTT5_1_5_4_1),
    (0x81, C_MQTT5_1_5_4_2),
    (0x81, C_MQTT5_4_7_3_1),
    (0x81, C_MQTT5_4_7_0_1),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
)
T_TOPIC_NAME_2: Final[TextRules] = (
    (0, C_NONE),
    (0x81, C_MQTT5_1_5_4_1),
    (0x81, C_MQTT5_1_5_4_2),
    (0x81, C_MQTT5_4_7_3_1),
    (0x81, C_MQTT5_3_3_2_2),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
)
T_TOPIC_NAME_OR_EMPTY: Final[TextRules] = (
    (0, C_NONE),
    (0x81, C_MQTT5_1_5_4_1),
    (0x81, C_MQTT5_1_5_4_2),
    (0, C_NONE),
    (0x81, C_MQTT5_3_3_2_2),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
)
T_TOPIC_NAME_PROPERTY: Final[TextRules] = (
    (0, C_NONE),
    (0x81, C_MQTT5_1_5_4_1),
    (0x81, C_MQTT5_1_5_4_2),
    (0x81, C_MQTT5_4_7_3_1),
    (0x81, C_MQTT5_3_3_2_14),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
)
T_UTF8: Final[TextRules] = (
    (0, C_NONE),
    (0x81, C_MQTT5_1_5_4_1),
    (0x81, C_MQTT5_1_5_4_2),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
)
T_UTF8_PAIR: Final[TextRules] = (
    (0, C_NONE),
    (0x81, C_MQTT5_1_5_7_1),
    (0x81, C_MQTT5_1_5_7_1),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
    (0, C_NONE),
)
UNSUBACK_SERVER_CODES: Final = frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91})

_LEVELS: Final = bytes.fromhex(
    # level 3, from the client
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # reserved
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # CONNECT
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # CONNACK
    "00 00 00 00 00 00 03 03 00 00 00 00 00 00 03 03"  # PUBLISH
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PUBACK
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PUBREC
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PUBREL
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PUBCOMP
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # SUBSCRIBE
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # SUBACK
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # UNSUBSCRIBE
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # UNSUBACK
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PINGREQ
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # PINGRESP
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # DISCONNECT
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # AUTH
    # level 3, from the server
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # reserved
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # CONNECT
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # CONNACK
    "00 00 00 00 00 00 03 03 00 00 00 00 00 00 03 03"  # PUBLISH
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PUBACK
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PUBREC
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PUBREL
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PUBCOMP
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # SUBSCRIBE
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # SUBACK
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # UNSUBSCRIBE
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # UNSUBACK
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # PINGREQ
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"  # PINGRESP
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # DISCONNECT
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # AUTH
    # level 4, from the client
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # reserved
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # CONNECT
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # CONNACK
    "00 00 00 00 00 00 03 03 05 05 00 00 00 00 03 03"  # PUBLISH
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBACK
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBREC
    "06 06 00 06 06 06 06 06 06 06 06 06 06 06 06 06"  # PUBREL
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBCOMP
    "07 07 00 07 07 07 07 07 07 07 07 07 07 07 07 07"  # SUBSCRIBE
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # SUBACK
    "08 08 00 08 08 08 08 08 08 08 08 08 08 08 08 08"  # UNSUBSCRIBE
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # UNSUBACK
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PINGREQ
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # PINGRESP
    "00 09 09 09 09 09 09 09 09 09 09 09 09 09 09 09"  # DISCONNECT
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # AUTH
    # level 4, from the server
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # reserved
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # CONNECT
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # CONNACK
    "00 00 00 00 00 00 03 03 05 05 00 00 00 00 03 03"  # PUBLISH
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBACK
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBREC
    "06 06 00 06 06 06 06 06 06 06 06 06 06 06 06 06"  # PUBREL
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBCOMP
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # SUBSCRIBE
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # SUBACK
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # UNSUBSCRIBE
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # UNSUBACK
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # PINGREQ
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PINGRESP
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # DISCONNECT
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # AUTH
    # level 5, from the client
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # reserved
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # CONNECT
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # CONNACK
    "00 00 00 00 00 00 03 03 05 05 00 00 00 00 03 03"  # PUBLISH
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBACK
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBREC
    "06 06 00 06 06 06 06 06 06 06 06 06 06 06 06 06"  # PUBREL
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBCOMP
    "07 07 00 07 07 07 07 07 07 07 07 07 07 07 07 07"  # SUBSCRIBE
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # SUBACK
    "08 08 00 08 08 08 08 08 08 08 08 08 08 08 08 08"  # UNSUBSCRIBE
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # UNSUBACK
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PINGREQ
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # PINGRESP
    "00 09 09 09 09 09 09 09 09 09 09 09 09 09 09 09"  # DISCONNECT
    "00 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a"  # AUTH
    # level 5, from the server
    "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01"  # reserved
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # CONNECT
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # CONNACK
    "00 00 00 00 00 00 03 03 05 05 00 00 00 00 03 03"  # PUBLISH
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBACK
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBREC
    "06 06 00 06 06 06 06 06 06 06 06 06 06 06 06 06"  # PUBREL
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PUBCOMP
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # SUBSCRIBE
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # SUBACK
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # UNSUBSCRIBE
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # UNSUBACK
    "02 02 02 02 02 02 02 02 02 02 02 02 02 02 02 02"  # PINGREQ
    "00 04 04 04 04 04 04 04 04 04 04 04 04 04 04 04"  # PINGRESP
    "00 09 09 09 09 09 09 09 09 09 09 09 09 09 09 09"  # DISCONNECT
    "00 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a 0a"  # AUTH
)
HEADERS: Final = _LEVELS[1024:] + bytes(1024) + _LEVELS
"""By `version << 9 | sender << 8 | first byte`: 0, or 1 plus an index of `HEADER_BREACHES`.

Level 0 (not known yet) is judged as 5.0, except a CONNECT that names 3.1. Levels 1 and 2 do not exist.
3.1 has no rule for flags that a packet does not use [X31-flags-unused], and none for DUP of a PUBLISH
with QoS 0 [X31-dup-qos0].
"""

HEADER_BREACHES: Final[tuple[tuple[int, Cites], ...]] = (
    (0x81, C_X5_PACKET_TYPE_RESERVED),
    (0x82, C_X5_PACKET_DIRECTION),
    (0x81, C_MQTT5_3_3_1_4),
    (0x81, C_MQTT5_2_1_3_1),
    (0x82, C_MQTT5_3_3_1_2),
    (0x81, C_MQTT5_3_6_1_1),
    (0x81, C_MQTT5_3_8_1_1),
    (0x81, C_MQTT5_3_10_1_1),
    (0x81, C_MQTT5_3_14_1_1),
    (0x81, C_MQTT5_3_15_1_1),
)

PLACEMENTS: Final[dict[int, Cites]] = {
    0x01: ("X5-payload_format_indicator-placement", "", "", "", "", "X5-payload_format_indicator-placement"),
    0x02: ("X5-message_expiry_interval-placement", "", "", "", "", "X5-message_expiry_interval-placement"),
    0x03: ("X5-content_type-placement", "", "", "", "", "X5-content_type-placement"),
    0x08: ("X5-response_topic-placement", "", "", "", "", "X5-response_topic-placement"),
    0x09: ("X5-correlation_data-placement", "", "", "", "", "X5-correlation_data-placement"),
    0x0B: ("X5-subscription_identifier-placement", "", "", "", "", "X5-subscription_identifier-placement"),
    0x11: ("X5-session_expiry_interval-placement", "", "", "", "", "X5-session_expiry_interval-placement"),
    0x12: ("X5-assigned_client_identifier-placement", "", "", "", "", "X5-assigned_client_identifier-placement"),
    0x13: ("X5-server_keep_alive-placement", "", "", "", "", "X5-server_keep_alive-placement"),
    0x15: ("X5-authentication_method-placement", "", "", "", "", "X5-authentication_method-placement"),
    0x16: ("X5-authentication_data-placement", "", "", "", "", "X5-authentication_data-placement"),
    0x17: ("X5-request_problem_information-placement", "", "", "", "", "X5-request_problem_information-placement"),
    0x18: ("X5-will_delay_interval-placement", "", "", "", "", "X5-will_delay_interval-placement"),
    0x19: ("X5-request_response_information-placement", "", "", "", "", "X5-request_response_information-placement"),
    0x1A: ("X5-response_information-placement", "", "", "", "", "X5-response_information-placement"),
    0x1C: ("X5-server_reference-placement", "", "", "", "", "X5-server_reference-placement"),
    0x1F: ("X5-reason_string-placement", "", "", "", "", "X5-reason_string-placement"),
    0x21: ("X5-receive_maximum-placement", "", "", "", "", "X5-receive_maximum-placement"),
    0x22: ("X5-topic_alias_maximum-placement", "", "", "", "", "X5-topic_alias_maximum-placement"),
    0x23: ("X5-topic_alias-placement", "", "", "", "", "X5-topic_alias-placement"),
    0x24: ("X5-maximum_qos-placement", "", "", "", "", "X5-maximum_qos-placement"),
    0x25: ("X5-retain_available-placement", "", "", "", "", "X5-retain_available-placement"),
    0x26: ("X5-user_property-placement", "", "", "", "", "X5-user_property-placement"),
    0x27: ("X5-maximum_packet_size-placement", "", "", "", "", "X5-maximum_packet_size-placement"),
    0x28: ("X5-wildcard_subscription_available-placement", "", "", "", "", "X5-wildcard_subscription_available-placement"),
    0x29: ("X5-subscription_identifier_available-placement", "", "", "", "", "X5-subscription_identifier_available-placement"),
    0x2A: ("X5-shared_subscription_available-placement", "", "", "", "", "X5-shared_subscription_available-placement"),
}
PROPERTY_NAMES: Final[dict[int, str]] = {
    0x01: "payload_format_indicator",
    0x02: "message_expiry_interval",
    0x03: "content_type",
    0x08: "response_topic",
    0x09: "correlation_data",
    0x0B: "subscription_identifier",
    0x11: "session_expiry_interval",
    0x12: "assigned_client_identifier",
    0x13: "server_keep_alive",
    0x15: "authentication_method",
    0x16: "authentication_data",
    0x17: "request_problem_information",
    0x18: "will_delay_interval",
    0x19: "request_response_information",
    0x1A: "response_information",
    0x1C: "server_reference",
    0x1F: "reason_string",
    0x21: "receive_maximum",
    0x22: "topic_alias_maximum",
    0x23: "topic_alias",
    0x24: "maximum_qos",
    0x25: "retain_available",
    0x26: "user_property",
    0x27: "maximum_packet_size",
    0x28: "wildcard_subscription_available",
    0x29: "subscription_identifier_available",
    0x2A: "shared_subscription_available",
}
PROPERTY_TEXTS: Final[dict[int, TextRules]] = {
    0x03: T_UTF8,
    0x12: T_UTF8,
    0x15: T_UTF8,
    0x1A: T_UTF8,
    0x1C: T_UTF8,
    0x1F: T_UTF8,
    0x26: T_UTF8_PAIR,
}
UNKNOWN_PROPERTY: Final[Cites] = ("X5-property-unknown", "", "", "", "", "X5-property-unknown")


def _misplaced(
    identifier: int, last: bool, packet: int, offset: int, version: int, sender: int, field: str
) -> Violation:
    """Return the violation of a property that this packet must not have, or of a bad identifier."""
    if identifier > 127 and last:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, packet, offset, version, sender, field)
    cites = PLACEMENTS.get(identifier)
    if cites is None:
        return broken(UNKNOWN_PROPERTY, 0x81, packet, offset, version, sender, field)
    field = f"{field}.{PROPERTY_NAMES[identifier]}"
    return broken(cites, 0x81, packet, offset, version, sender, field)


def _ill_formed(
    data: bytes, start: int, pos: int, end: int, identifier: int, packet: int, version: int, sender: int,
    field: str,
) -> Violation:
    """Return the violation of a string in `data[pos:end]` that is ill-formed or holds U+0000."""
    found = check_text(data, pos, end)
    field = f"{field}.{PROPERTY_NAMES[identifier]}"
    return broken_text(found, PROPERTY_TEXTS[identifier], packet, start, version, sender, field)


PACKET_TOO_LARGE: Final = (0x95, C_MQTT5_3_2_2_15, C_MQTT5_3_1_2_24, ("must", "", "", "may", "may", "must"))
VBI_FOUR_BYTES: Final = (0x81, C_X5_VBI_FOUR_BYTES, C_X5_VBI_FOUR_BYTES, ("must", "", "", "must", "must", "must"))
VBI_MINIMAL: Final = (0x81, C_MQTT5_1_5_5_1, C_MQTT5_1_5_5_1, ("must", "", "", "", "", "must"))

def _connect_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> ConnectProperties | Violation:
    """Decode the properties of CONNECT in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = ConnectProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x11:  # Session Expiry Interval
                if out.session_expiry_interval is not None:
                    return broken(C_X5_SESSION_EXPIRY_INTERVAL_ONCE, 0x82, 1, pos - start, version, sender, "properties.session_expiry_interval")
                pos += 1
                if end - pos < 4:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "properties.session_expiry_interval")
                out.session_expiry_interval = UNPACK_32(data, pos)[0]
                pos += 4
                identifier = data[pos] if pos < end else 0
            if identifier == 0x15:  # Authentication Method
                if out.authentication_method is not None:
                    return broken(C_X5_AUTHENTICATION_METHOD_ONCE, 0x82, 1, pos - start, version, sender, "properties.authentication_method")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "properties.authentication_method")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 1, version, sender, "properties")
                pos = stop
                out.authentication_method = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x16:  # Authentication Data
                if out.authentication_data is not None:
                    return broken(C_X5_AUTHENTICATION_DATA_ONCE, 0x82, 1, pos - start, version, sender, "properties.authentication_data")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "properties.authentication_data")
                out.authentication_data = data[pos + 2 : stop]
                pos = stop
                identifier = data[pos] if pos < end else 0
            if identifier == 0x17:  # Request Problem Information
                if out.request_problem_information is not None:
                    return broken(C_X5_REQUEST_PROBLEM_INFORMATION_ONCE, 0x82, 1, pos - start, version, sender, "properties.request_problem_information")
                pos += 1
                if pos >= end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "properties.request_problem_information")
                value = data[pos]
                pos += 1
                if value > 1:
                    return broken(C_X5_REQUEST_PROBLEM_INFORMATION_RANGE, 0x82, 1, pos - 1 - start, version, sender, "properties.request_problem_information")
                out.request_problem_information = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x19:  # Request Response Information
                if out.request_response_information is not None:
                    return broken(C_X5_REQUEST_RESPONSE_INFORMATION_ONCE, 0x82, 1, pos - start, version, sender, "properties.request_response_information")
                pos += 1
                if pos >= end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "properties.request_response_information")
                value = data[pos]
                pos += 1
                if value > 1:
                    return broken(C_X5_REQUEST_RESPONSE_INFORMATION_RANGE, 0x82, 1, pos - 1 - start, version, sender, "properties.request_response_information")
                out.request_response_information = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x21:  # Receive Maximum
                if out.receive_maximum is not None:
                    return broken(C_X5_RECEIVE_MAXIMUM_ONCE, 0x82, 1, pos - start, version, sender, "properties.receive_maximum")
                pos += 1
                if end - pos < 2:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "properties.receive_maximum")
                value = data[pos] << 8 | data[pos + 1]
                pos += 2
                if value < 1:
                    return broken(C_X5_RECEIVE_MAXIMUM_RANGE, 0x82, 1, pos - 1 - start, version, sender, "properties.receive_maximum")
                out.receive_maximum = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x22:  # Topic Alias Maximum
                if out.topic_alias_maximum is not None:
                    return broken(C_X5_TOPIC_ALIAS_MAXIMUM_ONCE, 0x82, 1, pos - start, version, sender, "properties.topic_alias_maximum")
                pos += 1
                if end - pos < 2:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "properties.topic_alias_maximum")
                out.topic_alias_maximum = data[pos] << 8 | data[pos + 1]
                pos += 2
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 1, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 1, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if identifier == 0x27:  # Maximum Packet Size
                if out.maximum_packet_size is not None:
                    return broken(C_X5_MAXIMUM_PACKET_SIZE_ONCE, 0x82, 1, pos - start, version, sender, "properties.maximum_packet_size")
                pos += 1
                if end - pos < 4:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "properties.maximum_packet_size")
                value = UNPACK_32(data, pos)[0]
                pos += 4
                if value < 1:
                    return broken(C_X5_MAXIMUM_PACKET_SIZE_RANGE, 0x82, 1, pos - 1 - start, version, sender, "properties.maximum_packet_size")
                out.maximum_packet_size = value
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 1, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 1, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _will_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> WillProperties | Violation:
    """Decode the properties of WILL in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = WillProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x01:  # Payload Format Indicator
                if out.payload_format_indicator is not None:
                    return broken(C_X5_PAYLOAD_FORMAT_INDICATOR_ONCE, 0x82, 1, pos - start, version, sender, "will_properties.payload_format_indicator")
                pos += 1
                if pos >= end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "will_properties.payload_format_indicator")
                value = data[pos]
                pos += 1
                if value > 1:
                    return broken(C_X5_PAYLOAD_FORMAT_INDICATOR_RANGE, 0x82, 1, pos - 1 - start, version, sender, "will_properties.payload_format_indicator")
                out.payload_format_indicator = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x02:  # Message Expiry Interval
                if out.message_expiry_interval is not None:
                    return broken(C_X5_MESSAGE_EXPIRY_INTERVAL_ONCE, 0x82, 1, pos - start, version, sender, "will_properties.message_expiry_interval")
                pos += 1
                if end - pos < 4:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "will_properties.message_expiry_interval")
                out.message_expiry_interval = UNPACK_32(data, pos)[0]
                pos += 4
                identifier = data[pos] if pos < end else 0
            if identifier == 0x03:  # Content Type
                if out.content_type is not None:
                    return broken(C_X5_CONTENT_TYPE_ONCE, 0x82, 1, pos - start, version, sender, "will_properties.content_type")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "will_properties.content_type")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 1, version, sender, "will_properties")
                pos = stop
                out.content_type = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x08:  # Response Topic
                if out.response_topic is not None:
                    return broken(C_X5_RESPONSE_TOPIC_ONCE, 0x82, 1, pos - start, version, sender, "will_properties.response_topic")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "will_properties.response_topic")
                name = NAMES.get(data[pos + 2 : stop]) or name_text(data, pos + 2, stop)
                if not name:
                    found = check_name(data, pos + 2, stop)
                    return broken_text(found, T_TOPIC_NAME_PROPERTY, 1, start, version, sender, "will_properties.response_topic")
                pos = stop
                out.response_topic = name
                identifier = data[pos] if pos < end else 0
            if identifier == 0x09:  # Correlation Data
                if out.correlation_data is not None:
                    return broken(C_X5_CORRELATION_DATA_ONCE, 0x82, 1, pos - start, version, sender, "will_properties.correlation_data")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "will_properties.correlation_data")
                out.correlation_data = data[pos + 2 : stop]
                pos = stop
                identifier = data[pos] if pos < end else 0
            if identifier == 0x18:  # Will Delay Interval
                if out.will_delay_interval is not None:
                    return broken(C_X5_WILL_DELAY_INTERVAL_ONCE, 0x82, 1, pos - start, version, sender, "will_properties.will_delay_interval")
                pos += 1
                if end - pos < 4:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "will_properties.will_delay_interval")
                out.will_delay_interval = UNPACK_32(data, pos)[0]
                pos += 4
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "will_properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 1, version, sender, "will_properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "will_properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 1, version, sender, "will_properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 1, pos - start, version, sender, "will_properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 1, version, sender, "will_properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, f"will_properties.{PROPERTY_NAMES[identifier]}")
    return out


def _connack_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> ConnackProperties | Violation:
    """Decode the properties of CONNACK in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = ConnackProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x11:  # Session Expiry Interval
                if out.session_expiry_interval is not None:
                    return broken(C_X5_SESSION_EXPIRY_INTERVAL_ONCE, 0x82, 2, pos - start, version, sender, "properties.session_expiry_interval")
                pos += 1
                if end - pos < 4:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.session_expiry_interval")
                out.session_expiry_interval = UNPACK_32(data, pos)[0]
                pos += 4
                identifier = data[pos] if pos < end else 0
            if identifier == 0x12:  # Assigned Client Identifier
                if out.assigned_client_identifier is not None:
                    return broken(C_X5_ASSIGNED_CLIENT_IDENTIFIER_ONCE, 0x82, 2, pos - start, version, sender, "properties.assigned_client_identifier")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_string(data, pos, end) - start, version, sender, "properties.assigned_client_identifier")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 2, version, sender, "properties")
                pos = stop
                out.assigned_client_identifier = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x13:  # Server Keep Alive
                if out.server_keep_alive is not None:
                    return broken(C_X5_SERVER_KEEP_ALIVE_ONCE, 0x82, 2, pos - start, version, sender, "properties.server_keep_alive")
                pos += 1
                if end - pos < 2:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.server_keep_alive")
                out.server_keep_alive = data[pos] << 8 | data[pos + 1]
                pos += 2
                identifier = data[pos] if pos < end else 0
            if identifier == 0x15:  # Authentication Method
                if out.authentication_method is not None:
                    return broken(C_X5_AUTHENTICATION_METHOD_ONCE, 0x82, 2, pos - start, version, sender, "properties.authentication_method")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_string(data, pos, end) - start, version, sender, "properties.authentication_method")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 2, version, sender, "properties")
                pos = stop
                out.authentication_method = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x16:  # Authentication Data
                if out.authentication_data is not None:
                    return broken(C_X5_AUTHENTICATION_DATA_ONCE, 0x82, 2, pos - start, version, sender, "properties.authentication_data")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_string(data, pos, end) - start, version, sender, "properties.authentication_data")
                out.authentication_data = data[pos + 2 : stop]
                pos = stop
                identifier = data[pos] if pos < end else 0
            if identifier == 0x1A:  # Response Information
                if out.response_information is not None:
                    return broken(C_X5_RESPONSE_INFORMATION_ONCE, 0x82, 2, pos - start, version, sender, "properties.response_information")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_string(data, pos, end) - start, version, sender, "properties.response_information")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 2, version, sender, "properties")
                pos = stop
                out.response_information = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x1C:  # Server Reference
                if out.server_reference is not None:
                    return broken(C_X5_SERVER_REFERENCE_ONCE, 0x82, 2, pos - start, version, sender, "properties.server_reference")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_string(data, pos, end) - start, version, sender, "properties.server_reference")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 2, version, sender, "properties")
                pos = stop
                out.server_reference = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x1F:  # Reason String
                if out.reason_string is not None:
                    return broken(C_X5_REASON_STRING_ONCE, 0x82, 2, pos - start, version, sender, "properties.reason_string")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_string(data, pos, end) - start, version, sender, "properties.reason_string")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 2, version, sender, "properties")
                pos = stop
                out.reason_string = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x21:  # Receive Maximum
                if out.receive_maximum is not None:
                    return broken(C_X5_RECEIVE_MAXIMUM_ONCE, 0x82, 2, pos - start, version, sender, "properties.receive_maximum")
                pos += 1
                if end - pos < 2:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.receive_maximum")
                value = data[pos] << 8 | data[pos + 1]
                pos += 2
                if value < 1:
                    return broken(C_X5_RECEIVE_MAXIMUM_RANGE, 0x82, 2, pos - 1 - start, version, sender, "properties.receive_maximum")
                out.receive_maximum = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x22:  # Topic Alias Maximum
                if out.topic_alias_maximum is not None:
                    return broken(C_X5_TOPIC_ALIAS_MAXIMUM_ONCE, 0x82, 2, pos - start, version, sender, "properties.topic_alias_maximum")
                pos += 1
                if end - pos < 2:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.topic_alias_maximum")
                out.topic_alias_maximum = data[pos] << 8 | data[pos + 1]
                pos += 2
                identifier = data[pos] if pos < end else 0
            if identifier == 0x24:  # Maximum QoS
                if out.maximum_qos is not None:
                    return broken(C_X5_MAXIMUM_QOS_ONCE, 0x82, 2, pos - start, version, sender, "properties.maximum_qos")
                pos += 1
                if pos >= end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.maximum_qos")
                value = data[pos]
                pos += 1
                if value > 1:
                    return broken(C_X5_MAXIMUM_QOS_RANGE, 0x82, 2, pos - 1 - start, version, sender, "properties.maximum_qos")
                out.maximum_qos = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x25:  # Retain Available
                if out.retain_available is not None:
                    return broken(C_X5_RETAIN_AVAILABLE_ONCE, 0x82, 2, pos - start, version, sender, "properties.retain_available")
                pos += 1
                if pos >= end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.retain_available")
                value = data[pos]
                pos += 1
                if value > 1:
                    return broken(C_X5_RETAIN_AVAILABLE_RANGE, 0x82, 2, pos - 1 - start, version, sender, "properties.retain_available")
                out.retain_available = value
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 2, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 2, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if identifier == 0x27:  # Maximum Packet Size
                if out.maximum_packet_size is not None:
                    return broken(C_X5_MAXIMUM_PACKET_SIZE_ONCE, 0x82, 2, pos - start, version, sender, "properties.maximum_packet_size")
                pos += 1
                if end - pos < 4:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.maximum_packet_size")
                value = UNPACK_32(data, pos)[0]
                pos += 4
                if value < 1:
                    return broken(C_X5_MAXIMUM_PACKET_SIZE_RANGE, 0x82, 2, pos - 1 - start, version, sender, "properties.maximum_packet_size")
                out.maximum_packet_size = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x28:  # Wildcard Subscription Available
                if out.wildcard_subscription_available is not None:
                    return broken(C_X5_WILDCARD_SUBSCRIPTION_AVAILABLE_ONCE, 0x82, 2, pos - start, version, sender, "properties.wildcard_subscription_available")
                pos += 1
                if pos >= end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.wildcard_subscription_available")
                value = data[pos]
                pos += 1
                if value > 1:
                    return broken(C_X5_WILDCARD_SUBSCRIPTION_AVAILABLE_RANGE, 0x82, 2, pos - 1 - start, version, sender, "properties.wildcard_subscription_available")
                out.wildcard_subscription_available = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x29:  # Subscription Identifier Available
                if out.subscription_identifier_available is not None:
                    return broken(C_X5_SUBSCRIPTION_IDENTIFIER_AVAILABLE_ONCE, 0x82, 2, pos - start, version, sender, "properties.subscription_identifier_available")
                pos += 1
                if pos >= end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.subscription_identifier_available")
                value = data[pos]
                pos += 1
                if value > 1:
                    return broken(C_X5_SUBSCRIPTION_IDENTIFIER_AVAILABLE_RANGE, 0x82, 2, pos - 1 - start, version, sender, "properties.subscription_identifier_available")
                out.subscription_identifier_available = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x2A:  # Shared Subscription Available
                if out.shared_subscription_available is not None:
                    return broken(C_X5_SHARED_SUBSCRIPTION_AVAILABLE_ONCE, 0x82, 2, pos - start, version, sender, "properties.shared_subscription_available")
                pos += 1
                if pos >= end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "properties.shared_subscription_available")
                value = data[pos]
                pos += 1
                if value > 1:
                    return broken(C_X5_SHARED_SUBSCRIPTION_AVAILABLE_RANGE, 0x82, 2, pos - 1 - start, version, sender, "properties.shared_subscription_available")
                out.shared_subscription_available = value
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 2, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 2, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _publish_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> PublishProperties | Violation:
    """Decode the properties of PUBLISH in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = PublishProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x01:  # Payload Format Indicator
                if out.payload_format_indicator is not None:
                    return broken(C_X5_PAYLOAD_FORMAT_INDICATOR_ONCE, 0x82, 3, pos - start, version, sender, "properties.payload_format_indicator")
                pos += 1
                if pos >= end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, pos - start, version, sender, "properties.payload_format_indicator")
                value = data[pos]
                pos += 1
                if value > 1:
                    return broken(C_X5_PAYLOAD_FORMAT_INDICATOR_RANGE, 0x82, 3, pos - 1 - start, version, sender, "properties.payload_format_indicator")
                out.payload_format_indicator = value
                identifier = data[pos] if pos < end else 0
            if identifier == 0x02:  # Message Expiry Interval
                if out.message_expiry_interval is not None:
                    return broken(C_X5_MESSAGE_EXPIRY_INTERVAL_ONCE, 0x82, 3, pos - start, version, sender, "properties.message_expiry_interval")
                pos += 1
                if end - pos < 4:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, pos - start, version, sender, "properties.message_expiry_interval")
                out.message_expiry_interval = UNPACK_32(data, pos)[0]
                pos += 4
                identifier = data[pos] if pos < end else 0
            if identifier == 0x03:  # Content Type
                if out.content_type is not None:
                    return broken(C_X5_CONTENT_TYPE_ONCE, 0x82, 3, pos - start, version, sender, "properties.content_type")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, cut_string(data, pos, end) - start, version, sender, "properties.content_type")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 3, version, sender, "properties")
                pos = stop
                out.content_type = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x08:  # Response Topic
                if out.response_topic is not None:
                    return broken(C_X5_RESPONSE_TOPIC_ONCE, 0x82, 3, pos - start, version, sender, "properties.response_topic")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, cut_string(data, pos, end) - start, version, sender, "properties.response_topic")
                name = NAMES.get(data[pos + 2 : stop]) or name_text(data, pos + 2, stop)
                if not name:
                    found = check_name(data, pos + 2, stop)
                    return broken_text(found, T_TOPIC_NAME_PROPERTY, 3, start, version, sender, "properties.response_topic")
                pos = stop
                out.response_topic = name
                identifier = data[pos] if pos < end else 0
            if identifier == 0x09:  # Correlation Data
                if out.correlation_data is not None:
                    return broken(C_X5_CORRELATION_DATA_ONCE, 0x82, 3, pos - start, version, sender, "properties.correlation_data")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, cut_string(data, pos, end) - start, version, sender, "properties.correlation_data")
                out.correlation_data = data[pos + 2 : stop]
                pos = stop
                identifier = data[pos] if pos < end else 0
            while identifier == 0x0B:  # Subscription Identifier
                if sender != SERVER:
                    return broken(C_MQTT5_3_3_4_6, 0x82, 3, pos - start, version, sender, "properties.subscription_identifier")
                pos += 1
                if pos < end and (value := data[pos]) < 128:
                    pos += 1
                else:
                    packed = read_vbi(data, pos, end, True)
                    if packed == -1:
                        return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, cut_vbi(pos, end) - start, version, sender, "properties.subscription_identifier")
                    if packed == -2:
                        return broken(C_X5_VBI_FOUR_BYTES, 0x81, 3, pos + 3 - start, version, sender, "properties.subscription_identifier")
                    if packed == -3:
                        while data[pos]:
                            pos += 1
                        return broken(C_MQTT5_1_5_5_1, 0x81, 3, pos - start, version, sender, "properties.subscription_identifier")
                    value = packed >> 3
                    pos += packed & 7
                if value < 1:
                    return broken(C_X5_SUBSCRIPTION_IDENTIFIER_RANGE, 0x82, 3, pos - 1 - start, version, sender, "properties.subscription_identifier")
                out.subscription_identifier.append(value)
                identifier = data[pos] if pos < end else 0
            if identifier == 0x23:  # Topic Alias
                if out.topic_alias is not None:
                    return broken(C_X5_TOPIC_ALIAS_ONCE, 0x82, 3, pos - start, version, sender, "properties.topic_alias")
                pos += 1
                if end - pos < 2:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, pos - start, version, sender, "properties.topic_alias")
                value = data[pos] << 8 | data[pos + 1]
                pos += 2
                if value < 1:
                    return broken(C_MQTT5_3_3_2_8, 0x94, 3, pos - 1 - start, version, sender, "properties.topic_alias")
                out.topic_alias = value
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 3, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 3, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 3, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 3, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _puback_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> PubackProperties | Violation:
    """Decode the properties of PUBACK in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = PubackProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x1F:  # Reason String
                if out.reason_string is not None:
                    return broken(C_X5_REASON_STRING_ONCE, 0x82, 4, pos - start, version, sender, "properties.reason_string")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 4, cut_string(data, pos, end) - start, version, sender, "properties.reason_string")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 4, version, sender, "properties")
                pos = stop
                out.reason_string = string
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 4, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 4, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 4, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 4, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 4, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 4, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 4, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _pubrec_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> PubrecProperties | Violation:
    """Decode the properties of PUBREC in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = PubrecProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x1F:  # Reason String
                if out.reason_string is not None:
                    return broken(C_X5_REASON_STRING_ONCE, 0x82, 5, pos - start, version, sender, "properties.reason_string")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 5, cut_string(data, pos, end) - start, version, sender, "properties.reason_string")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 5, version, sender, "properties")
                pos = stop
                out.reason_string = string
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 5, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 5, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 5, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 5, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 5, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 5, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 5, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _pubrel_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> PubrelProperties | Violation:
    """Decode the properties of PUBREL in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = PubrelProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x1F:  # Reason String
                if out.reason_string is not None:
                    return broken(C_X5_REASON_STRING_ONCE, 0x82, 6, pos - start, version, sender, "properties.reason_string")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 6, cut_string(data, pos, end) - start, version, sender, "properties.reason_string")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 6, version, sender, "properties")
                pos = stop
                out.reason_string = string
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 6, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 6, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 6, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 6, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 6, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 6, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 6, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _pubcomp_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> PubcompProperties | Violation:
    """Decode the properties of PUBCOMP in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = PubcompProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x1F:  # Reason String
                if out.reason_string is not None:
                    return broken(C_X5_REASON_STRING_ONCE, 0x82, 7, pos - start, version, sender, "properties.reason_string")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 7, cut_string(data, pos, end) - start, version, sender, "properties.reason_string")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 7, version, sender, "properties")
                pos = stop
                out.reason_string = string
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 7, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 7, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 7, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 7, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 7, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 7, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 7, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _subscribe_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> SubscribeProperties | Violation:
    """Decode the properties of SUBSCRIBE in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = SubscribeProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x0B:  # Subscription Identifier
                if out.subscription_identifier is not None:
                    return broken(C_X5_SUBSCRIPTION_IDENTIFIER_ONCE, 0x82, 8, pos - start, version, sender, "properties.subscription_identifier")
                pos += 1
                if pos < end and (value := data[pos]) < 128:
                    pos += 1
                else:
                    packed = read_vbi(data, pos, end, True)
                    if packed == -1:
                        return broken(C_X5_FIELD_TRUNCATED, 0x81, 8, cut_vbi(pos, end) - start, version, sender, "properties.subscription_identifier")
                    if packed == -2:
                        return broken(C_X5_VBI_FOUR_BYTES, 0x81, 8, pos + 3 - start, version, sender, "properties.subscription_identifier")
                    if packed == -3:
                        while data[pos]:
                            pos += 1
                        return broken(C_MQTT5_1_5_5_1, 0x81, 8, pos - start, version, sender, "properties.subscription_identifier")
                    value = packed >> 3
                    pos += packed & 7
                if value < 1:
                    return broken(C_X5_SUBSCRIPTION_IDENTIFIER_RANGE, 0x82, 8, pos - 1 - start, version, sender, "properties.subscription_identifier")
                out.subscription_identifier = value
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 8, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 8, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 8, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 8, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 8, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 8, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 8, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _suback_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> SubackProperties | Violation:
    """Decode the properties of SUBACK in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = SubackProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x1F:  # Reason String
                if out.reason_string is not None:
                    return broken(C_X5_REASON_STRING_ONCE, 0x82, 9, pos - start, version, sender, "properties.reason_string")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 9, cut_string(data, pos, end) - start, version, sender, "properties.reason_string")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 9, version, sender, "properties")
                pos = stop
                out.reason_string = string
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 9, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 9, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 9, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 9, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 9, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 9, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 9, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _unsubscribe_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> UnsubscribeProperties | Violation:
    """Decode the properties of UNSUBSCRIBE in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = UnsubscribeProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 10, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 10, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 10, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 10, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 10, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 10, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 10, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _unsuback_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> UnsubackProperties | Violation:
    """Decode the properties of UNSUBACK in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = UnsubackProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x1F:  # Reason String
                if out.reason_string is not None:
                    return broken(C_X5_REASON_STRING_ONCE, 0x82, 11, pos - start, version, sender, "properties.reason_string")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 11, cut_string(data, pos, end) - start, version, sender, "properties.reason_string")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 11, version, sender, "properties")
                pos = stop
                out.reason_string = string
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 11, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 11, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 11, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 11, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 11, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 11, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 11, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _disconnect_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> DisconnectProperties | Violation:
    """Decode the properties of DISCONNECT in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = DisconnectProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x11:  # Session Expiry Interval
                if sender != CLIENT:
                    return broken(C_MQTT5_3_14_2_2, 0x82, 14, pos - start, version, sender, "properties.session_expiry_interval")
                if out.session_expiry_interval is not None:
                    return broken(C_X5_SESSION_EXPIRY_INTERVAL_ONCE, 0x82, 14, pos - start, version, sender, "properties.session_expiry_interval")
                pos += 1
                if end - pos < 4:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 14, pos - start, version, sender, "properties.session_expiry_interval")
                out.session_expiry_interval = UNPACK_32(data, pos)[0]
                pos += 4
                identifier = data[pos] if pos < end else 0
            if identifier == 0x1C:  # Server Reference
                if out.server_reference is not None:
                    return broken(C_X5_SERVER_REFERENCE_ONCE, 0x82, 14, pos - start, version, sender, "properties.server_reference")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 14, cut_string(data, pos, end) - start, version, sender, "properties.server_reference")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 14, version, sender, "properties")
                pos = stop
                out.server_reference = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x1F:  # Reason String
                if out.reason_string is not None:
                    return broken(C_X5_REASON_STRING_ONCE, 0x82, 14, pos - start, version, sender, "properties.reason_string")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 14, cut_string(data, pos, end) - start, version, sender, "properties.reason_string")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 14, version, sender, "properties")
                pos = stop
                out.reason_string = string
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 14, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 14, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 14, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 14, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 14, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 14, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 14, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _auth_properties(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> AuthProperties | Violation:
    """Decode the properties of AUTH in `data[pos:end]`, in any order [X5-property-order-free]."""
    out = AuthProperties()
    identifier = stop = 0
    try:
        while pos < end:
            before = pos
            identifier = data[pos]
            if identifier == 0x15:  # Authentication Method
                if out.authentication_method is not None:
                    return broken(C_X5_AUTHENTICATION_METHOD_ONCE, 0x82, 15, pos - start, version, sender, "properties.authentication_method")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 15, cut_string(data, pos, end) - start, version, sender, "properties.authentication_method")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 15, version, sender, "properties")
                pos = stop
                out.authentication_method = string
                identifier = data[pos] if pos < end else 0
            if identifier == 0x16:  # Authentication Data
                if out.authentication_data is not None:
                    return broken(C_X5_AUTHENTICATION_DATA_ONCE, 0x82, 15, pos - start, version, sender, "properties.authentication_data")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 15, cut_string(data, pos, end) - start, version, sender, "properties.authentication_data")
                out.authentication_data = data[pos + 2 : stop]
                pos = stop
                identifier = data[pos] if pos < end else 0
            if identifier == 0x1F:  # Reason String
                if out.reason_string is not None:
                    return broken(C_X5_REASON_STRING_ONCE, 0x82, 15, pos - start, version, sender, "properties.reason_string")
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 15, cut_string(data, pos, end) - start, version, sender, "properties.reason_string")
                string = data[pos + 2 : stop].decode()
                if "\0" in string:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 15, version, sender, "properties")
                pos = stop
                out.reason_string = string
                identifier = data[pos] if pos < end else 0
            while identifier == 0x26:  # User Property
                pos += 1
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 15, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                key = data[pos + 2 : stop].decode()
                if "\0" in key:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 15, version, sender, "properties")
                pos = stop
                stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
                if stop > end:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 15, cut_string(data, pos, end) - start, version, sender, "properties.user_property")
                entry = data[pos + 2 : stop].decode()
                if "\0" in entry:
                    return _ill_formed(data, start, pos + 2, stop, identifier, 15, version, sender, "properties")
                pos = stop
                out.user_property.append((key, entry))
                identifier = data[pos] if pos < end else 0
            if pos == before:
                return _misplaced(identifier, pos + 1 == end, 15, pos - start, version, sender, "properties")
    except UnicodeDecodeError:
        return _ill_formed(data, start, pos + 2, stop, identifier, 15, version, sender, "properties")
    except IndexError:  # a cut-off length of two bytes
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 15, cut_string(data, pos, end) - start, version, sender, f"properties.{PROPERTY_NAMES[identifier]}")
    return out


def _publish_block(sender: int, data: bytes, start: int, end: int) -> Block | None:
    """Return the property list of PUBLISH in `data[start:end]` as a block, or None if it breaks a rule.

    If all bytes are ASCII, no string is decoded. Zero bytes are counted in advance: those that do not
    belong to a length or a number are U+0000 in a string. `cut` are the forwarded bytes before `cut_at`.
    """
    whole = data[start:end]
    size = end - start
    plain = whole.isascii()
    zeros = whole.count(0)
    at = length = present = topic_alias = cut_at = 0
    expiry_at = -1
    utf8 = False
    cut = b""
    try:
        while at < size:
            before = at
            identifier = whole[at]
            if identifier == 0x01:  # Payload Format Indicator
                if present & 0x01:
                    return None
                present |= 0x01
                at += 1
                value = whole[at]
                if not value:
                    zeros -= 1
                at += 1
                if value > 1:
                    return None
                utf8 = value == 1
                identifier = whole[at] if at < size else 0
            if identifier == 0x02:  # Message Expiry Interval
                if present & 0x02:
                    return None
                present |= 0x02
                at += 1
                stop = at + 4
                if stop > size:
                    return None
                zeros -= whole.count(0, at, stop)
                expiry_at = len(cut) + at - cut_at
                at = stop
                identifier = whole[at] if at < size else 0
            if identifier == 0x03:  # Content Type
                if present & 0x04:
                    return None
                present |= 0x04
                at += 1
                high = whole[at]
                length = whole[at + 1]
                if not length:
                    zeros -= 1
                if high:
                    length |= high << 8
                else:
                    zeros -= 1
                stop = at + 2 + length
                if stop > size:
                    return None
                if not plain:
                    whole[at + 2 : stop].decode()
                at = stop
                identifier = whole[at] if at < size else 0
            if identifier == 0x08:  # Response Topic
                if present & 0x08:
                    return None
                present |= 0x08
                at += 1
                high = whole[at]
                length = whole[at + 1]
                if not length:
                    zeros -= 1
                if high:
                    length |= high << 8
                else:
                    zeros -= 1
                stop = at + 2 + length
                if stop > size:
                    return None
                name = NAMES.get(whole[at + 2 : stop]) or name_text(whole, at + 2, stop)
                if not name:
                    return None
                at = stop
                identifier = whole[at] if at < size else 0
            if identifier == 0x09:  # Correlation Data
                if present & 0x10:
                    return None
                present |= 0x10
                at += 1
                high = whole[at]
                length = whole[at + 1]
                if not length:
                    zeros -= 1
                if high:
                    length |= high << 8
                else:
                    zeros -= 1
                stop = at + 2 + length
                if stop > size:
                    return None
                zeros -= whole.count(0, at + 2, stop)
                at = stop
                identifier = whole[at] if at < size else 0
            while identifier == 0x0B:  # Subscription Identifier
                if sender != SERVER:
                    return None
                present |= 0x20
                cut += whole[cut_at:at]
                at += 1
                value = whole[at]
                if value > 127:
                    packed = read_vbi(whole, at, size, True)
                    if packed < 0:
                        return None
                    value = packed >> 3
                    at += packed & 7
                else:
                    at += 1
                    if not value:
                        zeros -= 1
                if value < 1:
                    return None
                cut_at = at
                identifier = whole[at] if at < size else 0
            if identifier == 0x23:  # Topic Alias
                if present & 0x40:
                    return None
                present |= 0x40
                cut += whole[cut_at:at]
                at += 1
                stop = at + 2
                if stop > size:
                    return None
                zeros -= whole.count(0, at, stop)
                value = whole[at] << 8 | whole[at + 1]
                at = stop
                if value < 1:
                    return None
                topic_alias = value
                cut_at = at
                identifier = whole[at] if at < size else 0
            while identifier == 0x26:  # User Property
                present |= 0x80
                at += 1
                high = whole[at]
                length = whole[at + 1]
                if not length:
                    zeros -= 1
                if high:
                    length |= high << 8
                else:
                    zeros -= 1
                stop = at + 2 + length
                if stop > size:
                    return None
                if not plain:
                    whole[at + 2 : stop].decode()
                at = stop
                high = whole[at]
                length = whole[at + 1]
                if not length:
                    zeros -= 1
                if high:
                    length |= high << 8
                else:
                    zeros -= 1
                stop = at + 2 + length
                if stop > size:
                    return None
                if not plain:
                    whole[at + 2 : stop].decode()
                at = stop
                identifier = whole[at] if at < size else 0
            if at == before:
                return None
    except (IndexError, UnicodeDecodeError):  # a cut-off length of two bytes, an ill-formed string
        return None
    if zeros:
        return None
    kept = cut + whole[cut_at:] if cut_at else whole
    return Block(kept, whole, present, expiry_at, topic_alias, utf8)


def _connect(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Connect | Violation:
    """Decode CONNECT (section 3.1)."""
    size = 6 if data.startswith(b"\x00\x04MQTT", pos, end) else protocol(data, pos, end)
    if size < 0:
        truncated, name = (0x81, C_X5_FIELD_TRUNCATED), (0x84, C_MQTT5_3_1_2_1)
        return broken_protocol(truncated, name, data, start, pos, end, version, sender)
    pos += size
    if pos >= end:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "protocol_version")
    protocol_version = data[pos]
    pos += 1
    if size == 6:  # MQTT
        version = 4 if protocol_version & 0x7F <= 4 else 5  # 0x80: a bridge of that version
        if protocol_version != version:
            return broken(C_MQTT5_3_1_2_2, 0x84, 1, pos - 1 - start, version, sender, "protocol_version")
    elif size == 8:  # MQIsdp
        version = 3
        if protocol_version != 3:
            return broken(C_MQTT5_3_1_2_2, 0x84, 1, pos - 1 - start, version, sender, "protocol_version")
    if pos >= end:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "connect_flags")
    value = data[pos]
    pos += 1
    username_flag = value & 0x80 != 0
    password_flag = value & 0x40 != 0
    will_retain = value & 0x20 != 0
    will_qos = value >> 3 & 3
    will_flag = value & 0x04 != 0
    clean_start = value & 0x02 != 0
    reserved = value & 0x01 != 0
    if version != 3 and reserved:
        return broken(C_MQTT5_3_1_2_3, 0x81, 1, pos - 1 - start, version, sender, "connect_flags")
    if will_flag and will_qos == 3:
        return broken(C_MQTT5_3_1_2_12, 0x81, 1, pos - 1 - start, version, sender, "connect_flags")
    if version != 3 and not will_flag and will_qos:
        return broken(C_MQTT5_3_1_2_11, 0x82, 1, pos - 1 - start, version, sender, "connect_flags")
    if version != 3 and not will_flag and will_retain:
        return broken(C_MQTT5_3_1_2_13, 0x82, 1, pos - 1 - start, version, sender, "connect_flags")
    if version != 5 and password_flag and not username_flag:
        return broken(C_MQTT311_3_1_2_22, 0x82, 1, pos - 1 - start, version, sender, "connect_flags")
    if end - pos < 2:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - start, version, sender, "keep_alive")
    keep_alive = data[pos] << 8 | data[pos + 1]
    pos += 2
    properties: ConnectProperties | None = None
    if version == 5:
        if pos < end and (length := data[pos]) < 128:
            pos += 1
        else:
            packed = read_vbi(data, pos, end, True)
            if packed == -1:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_vbi(pos, end) - start, version, sender, "properties")
            if packed == -2:
                return broken(C_X5_VBI_FOUR_BYTES, 0x81, 1, pos + 3 - start, version, sender, "properties")
            if packed == -3:
                while data[pos]:
                    pos += 1
                return broken(C_MQTT5_1_5_5_1, 0x81, 1, pos - start, version, sender, "properties")
            length = packed >> 3
            pos += packed & 7
        stop = pos + length
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - 1 - start, version, sender, "properties")
        if length:
            read_properties = _connect_properties(version, sender, data, start, pos, stop)
            if not isinstance(read_properties, ConnectProperties):
                return read_properties
            properties = read_properties
            pos = stop
        if properties is not None and properties.authentication_data is not None and properties.authentication_method is None:
            return broken(C_X5_AUTHENTICATION_DATA_NEEDS, 0x82, 1, pos - 1 - start, version, sender, "properties")
    stop = pos + 2
    if stop <= end:
        stop += data[pos] << 8 | data[pos + 1]
    if stop > end:
        if pos >= end:
            return broken(C_MQTT5_3_1_3_3, 0x81, 1, pos - start, version, sender, "client_id")
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "client_id")
    client_id = text(data, pos + 2, stop)
    if client_id is None:
        found = check_text(data, pos + 2, stop)
        return broken_text(found, T_CLIENT_ID, 1, start, version, sender, "client_id")
    pos = stop
    will_properties: WillProperties | None = None
    if version == 5 and will_flag:
        if pos >= end:
            return broken(C_MQTT5_3_1_2_9, 0x81, 1, pos - start, version, sender, "will_properties")
        if pos < end and (length := data[pos]) < 128:
            pos += 1
        else:
            packed = read_vbi(data, pos, end, True)
            if packed == -1:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_vbi(pos, end) - start, version, sender, "will_properties")
            if packed == -2:
                return broken(C_X5_VBI_FOUR_BYTES, 0x81, 1, pos + 3 - start, version, sender, "will_properties")
            if packed == -3:
                while data[pos]:
                    pos += 1
                return broken(C_MQTT5_1_5_5_1, 0x81, 1, pos - start, version, sender, "will_properties")
            length = packed >> 3
            pos += packed & 7
        stop = pos + length
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, pos - 1 - start, version, sender, "will_properties")
        if length:
            read_will_properties = _will_properties(version, sender, data, start, pos, stop)
            if not isinstance(read_will_properties, WillProperties):
                return read_will_properties
            will_properties = read_will_properties
            pos = stop
    will_topic = ""
    if will_flag:
        stop = pos + 2
        if stop <= end:
            stop += data[pos] << 8 | data[pos + 1]
        if stop > end:
            if pos >= end:
                return broken(C_MQTT5_3_1_2_9_2, 0x81, 1, pos - start, version, sender, "will_topic")
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "will_topic")
        will_topic_ = NAMES.get(data[pos + 2 : stop]) or name_text(data, pos + 2, stop)
        if not will_topic_:
            found = check_name(data, pos + 2, stop)
            return broken_text(found, T_TOPIC_NAME, 1, start, version, sender, "will_topic")
        will_topic = will_topic_
        pos = stop
    will_payload = b""
    if will_flag:
        stop = pos + 2
        if stop <= end:
            stop += data[pos] << 8 | data[pos + 1]
        if stop > end:
            if pos >= end:
                return broken(C_MQTT5_3_1_2_9_2, 0x81, 1, pos - start, version, sender, "will_payload")
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "will_payload")
        will_payload = data[pos + 2 : stop]
        pos = stop
    username: str | None = None  # if the packet ends before it [X31-user-name-missing]
    if username_flag:
        if pos < end or version != 3:
            stop = pos + 2
            if stop <= end:
                stop += data[pos] << 8 | data[pos + 1]
            if stop > end:
                if pos >= end:
                    return broken(C_MQTT5_3_1_2_17, 0x81, 1, pos - start, version, sender, "username")
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "username")
            username = text(data, pos + 2, stop)
            if username is None:
                found = check_text(data, pos + 2, stop)
                return broken_text(found, T_UTF8, 1, start, version, sender, "username")
            pos = stop
    password: bytes | None = None  # if the packet ends before it [X31-password-missing]
    if password_flag:
        if pos < end or version != 3:
            stop = pos + 2
            if stop <= end:
                stop += data[pos] << 8 | data[pos + 1]
            if stop > end:
                if pos >= end:
                    return broken(C_MQTT5_3_1_2_19, 0x81, 1, pos - start, version, sender, "password")
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 1, cut_string(data, pos, end) - start, version, sender, "password")
            password = data[pos + 2 : stop]
            pos = stop
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 1, pos - start, version, sender, "")
    will: Will | None = None
    if will_flag:
        will = Will(will_topic, will_payload, will_qos, will_retain, will_properties)
    return Connect(client_id, protocol_version, clean_start, keep_alive, username, password, will, properties)


def _connack(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Connack | Violation:
    """Decode CONNACK (section 3.2)."""
    if pos >= end:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "acknowledge_flags")
    value = data[pos]
    pos += 1
    reserved = value >> 1 & 127
    session_present = version != 3 and value & 0x01 != 0
    if version != 3 and reserved:
        return broken(C_MQTT5_3_2_2_1, 0x81, 2, pos - 1 - start, version, sender, "acknowledge_flags")
    if pos >= end:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - start, version, sender, "reason_code")
    reason_code = data[pos]
    pos += 1
    if reason_code not in (CONNACK_V3_CODES if version == 3 else (CONNACK_V4_CODES if version == 4 else CONNACK_SERVER_CODES)):
        return broken(C_MQTT5_3_2_2_8, 0x82, 2, pos - 1 - start, version, sender, "reason_code")
    if version != 3 and session_present and reason_code:
        return broken(C_MQTT5_3_2_2_6, 0x82, 2, pos - 1 - start, version, sender, "reason_code")
    properties: ConnackProperties | None = None
    if version == 5:
        if pos < end and (length := data[pos]) < 128:
            pos += 1
        else:
            packed = read_vbi(data, pos, end, True)
            if packed == -1:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, cut_vbi(pos, end) - start, version, sender, "properties")
            if packed == -2:
                return broken(C_X5_VBI_FOUR_BYTES, 0x81, 2, pos + 3 - start, version, sender, "properties")
            if packed == -3:
                while data[pos]:
                    pos += 1
                return broken(C_MQTT5_1_5_5_1, 0x81, 2, pos - start, version, sender, "properties")
            length = packed >> 3
            pos += packed & 7
        stop = pos + length
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 2, pos - 1 - start, version, sender, "properties")
        if length:
            read_properties = _connack_properties(version, sender, data, start, pos, stop)
            if not isinstance(read_properties, ConnackProperties):
                return read_properties
            properties = read_properties
            pos = stop
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 2, pos - start, version, sender, "")
    return Connack(reason_code, session_present, properties)


def _puback(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Puback | Violation:
    """Decode PUBACK (section 3.4)."""
    if end - pos < 2:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 4, pos - start, version, sender, "packet_id")
    packet_id = data[pos] << 8 | data[pos + 1]
    pos += 2
    if packet_id == 0:
        return broken(C_MQTT5_2_2_1_5, 0x82, 4, pos - 1 - start, version, sender, "packet_id")
    reason_code = 0  # if the packet ends before it [X5-puback-short-read]
    if version == 5:
        if pos < end:
            if pos >= end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 4, pos - start, version, sender, "reason_code")
            reason_code = data[pos]
            pos += 1
            if reason_code not in (PUBACK_CLIENT_CODES if sender == CLIENT else PUBACK_SERVER_CODES):
                return broken(C_MQTT5_3_4_2_1, 0x82, 4, pos - 1 - start, version, sender, "reason_code")
    properties: PubackProperties | None = None  # if the packet ends before it [X5-puback-short-read]
    if version == 5:
        if pos < end:
            if pos < end and (length := data[pos]) < 128:
                pos += 1
            else:
                packed = read_vbi(data, pos, end, True)
                if packed == -1:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 4, cut_vbi(pos, end) - start, version, sender, "properties")
                if packed == -2:
                    return broken(C_X5_VBI_FOUR_BYTES, 0x81, 4, pos + 3 - start, version, sender, "properties")
                if packed == -3:
                    while data[pos]:
                        pos += 1
                    return broken(C_MQTT5_1_5_5_1, 0x81, 4, pos - start, version, sender, "properties")
                length = packed >> 3
                pos += packed & 7
            stop = pos + length
            if stop > end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 4, pos - 1 - start, version, sender, "properties")
            if length:
                read_properties = _puback_properties(version, sender, data, start, pos, stop)
                if not isinstance(read_properties, PubackProperties):
                    return read_properties
                properties = read_properties
                pos = stop
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 4, pos - start, version, sender, "")
    return Puback(packet_id, reason_code, properties)


def _pubrec(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Pubrec | Violation:
    """Decode PUBREC (section 3.5)."""
    if end - pos < 2:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 5, pos - start, version, sender, "packet_id")
    packet_id = data[pos] << 8 | data[pos + 1]
    pos += 2
    if packet_id == 0:
        return broken(C_MQTT5_2_2_1_5, 0x82, 5, pos - 1 - start, version, sender, "packet_id")
    reason_code = 0  # if the packet ends before it [X5-pubrec-short-read]
    if version == 5:
        if pos < end:
            if pos >= end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 5, pos - start, version, sender, "reason_code")
            reason_code = data[pos]
            pos += 1
            if reason_code not in (PUBREC_CLIENT_CODES if sender == CLIENT else PUBREC_SERVER_CODES):
                return broken(C_MQTT5_3_5_2_1, 0x82, 5, pos - 1 - start, version, sender, "reason_code")
    properties: PubrecProperties | None = None  # if the packet ends before it [X5-pubrec-short-read]
    if version == 5:
        if pos < end:
            if pos < end and (length := data[pos]) < 128:
                pos += 1
            else:
                packed = read_vbi(data, pos, end, True)
                if packed == -1:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 5, cut_vbi(pos, end) - start, version, sender, "properties")
                if packed == -2:
                    return broken(C_X5_VBI_FOUR_BYTES, 0x81, 5, pos + 3 - start, version, sender, "properties")
                if packed == -3:
                    while data[pos]:
                        pos += 1
                    return broken(C_MQTT5_1_5_5_1, 0x81, 5, pos - start, version, sender, "properties")
                length = packed >> 3
                pos += packed & 7
            stop = pos + length
            if stop > end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 5, pos - 1 - start, version, sender, "properties")
            if length:
                read_properties = _pubrec_properties(version, sender, data, start, pos, stop)
                if not isinstance(read_properties, PubrecProperties):
                    return read_properties
                properties = read_properties
                pos = stop
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 5, pos - start, version, sender, "")
    return Pubrec(packet_id, reason_code, properties)


def _pubrel(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Pubrel | Violation:
    """Decode PUBREL (section 3.6)."""
    if end - pos < 2:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 6, pos - start, version, sender, "packet_id")
    packet_id = data[pos] << 8 | data[pos + 1]
    pos += 2
    if packet_id == 0:
        return broken(C_MQTT5_2_2_1_5, 0x82, 6, pos - 1 - start, version, sender, "packet_id")
    reason_code = 0  # if the packet ends before it [X5-pubrel-short-read]
    if version == 5:
        if pos < end:
            if pos >= end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 6, pos - start, version, sender, "reason_code")
            reason_code = data[pos]
            pos += 1
            if reason_code not in (PUBREL_CLIENT_CODES if sender == CLIENT else PUBREL_SERVER_CODES):
                return broken(C_MQTT5_3_6_2_1, 0x82, 6, pos - 1 - start, version, sender, "reason_code")
    properties: PubrelProperties | None = None  # if the packet ends before it [X5-pubrel-short-read]
    if version == 5:
        if pos < end:
            if pos < end and (length := data[pos]) < 128:
                pos += 1
            else:
                packed = read_vbi(data, pos, end, True)
                if packed == -1:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 6, cut_vbi(pos, end) - start, version, sender, "properties")
                if packed == -2:
                    return broken(C_X5_VBI_FOUR_BYTES, 0x81, 6, pos + 3 - start, version, sender, "properties")
                if packed == -3:
                    while data[pos]:
                        pos += 1
                    return broken(C_MQTT5_1_5_5_1, 0x81, 6, pos - start, version, sender, "properties")
                length = packed >> 3
                pos += packed & 7
            stop = pos + length
            if stop > end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 6, pos - 1 - start, version, sender, "properties")
            if length:
                read_properties = _pubrel_properties(version, sender, data, start, pos, stop)
                if not isinstance(read_properties, PubrelProperties):
                    return read_properties
                properties = read_properties
                pos = stop
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 6, pos - start, version, sender, "")
    return Pubrel(packet_id, reason_code, properties)


def _pubcomp(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Pubcomp | Violation:
    """Decode PUBCOMP (section 3.7)."""
    if end - pos < 2:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 7, pos - start, version, sender, "packet_id")
    packet_id = data[pos] << 8 | data[pos + 1]
    pos += 2
    if packet_id == 0:
        return broken(C_MQTT5_2_2_1_5_2, 0x82, 7, pos - 1 - start, version, sender, "packet_id")
    reason_code = 0  # if the packet ends before it [X5-pubcomp-short-read]
    if version == 5:
        if pos < end:
            if pos >= end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 7, pos - start, version, sender, "reason_code")
            reason_code = data[pos]
            pos += 1
            if reason_code not in (PUBCOMP_CLIENT_CODES if sender == CLIENT else PUBCOMP_SERVER_CODES):
                return broken(C_MQTT5_3_7_2_1, 0x82, 7, pos - 1 - start, version, sender, "reason_code")
    properties: PubcompProperties | None = None  # if the packet ends before it [X5-pubcomp-short-read]
    if version == 5:
        if pos < end:
            if pos < end and (length := data[pos]) < 128:
                pos += 1
            else:
                packed = read_vbi(data, pos, end, True)
                if packed == -1:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 7, cut_vbi(pos, end) - start, version, sender, "properties")
                if packed == -2:
                    return broken(C_X5_VBI_FOUR_BYTES, 0x81, 7, pos + 3 - start, version, sender, "properties")
                if packed == -3:
                    while data[pos]:
                        pos += 1
                    return broken(C_MQTT5_1_5_5_1, 0x81, 7, pos - start, version, sender, "properties")
                length = packed >> 3
                pos += packed & 7
            stop = pos + length
            if stop > end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 7, pos - 1 - start, version, sender, "properties")
            if length:
                read_properties = _pubcomp_properties(version, sender, data, start, pos, stop)
                if not isinstance(read_properties, PubcompProperties):
                    return read_properties
                properties = read_properties
                pos = stop
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 7, pos - start, version, sender, "")
    return Pubcomp(packet_id, reason_code, properties)


def _subscribe(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Subscribe | Violation:
    """Decode SUBSCRIBE (section 3.8)."""
    if end - pos < 2:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 8, pos - start, version, sender, "packet_id")
    packet_id = data[pos] << 8 | data[pos + 1]
    pos += 2
    if packet_id == 0:
        return broken(C_MQTT5_2_2_1_3, 0x82, 8, pos - 1 - start, version, sender, "packet_id")
    properties: SubscribeProperties | None = None
    if version == 5:
        if pos < end and (length := data[pos]) < 128:
            pos += 1
        else:
            packed = read_vbi(data, pos, end, True)
            if packed == -1:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 8, cut_vbi(pos, end) - start, version, sender, "properties")
            if packed == -2:
                return broken(C_X5_VBI_FOUR_BYTES, 0x81, 8, pos + 3 - start, version, sender, "properties")
            if packed == -3:
                while data[pos]:
                    pos += 1
                return broken(C_MQTT5_1_5_5_1, 0x81, 8, pos - start, version, sender, "properties")
            length = packed >> 3
            pos += packed & 7
        stop = pos + length
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 8, pos - 1 - start, version, sender, "properties")
        if length:
            read_properties = _subscribe_properties(version, sender, data, start, pos, stop)
            if not isinstance(read_properties, SubscribeProperties):
                return read_properties
            properties = read_properties
            pos = stop
    if pos >= end:
        return broken(C_MQTT5_3_8_3_2, 0x82, 8, pos - start, version, sender, "subscriptions")
    subscriptions: list[Subscription] = []
    while pos < end:
        stop = pos + 2
        if stop <= end:
            stop += data[pos] << 8 | data[pos + 1]
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 8, cut_string(data, pos, end) - start, version, sender, "subscriptions.topic_filter")
        topic_filter = filter_text(data, pos + 2, stop, version == 5)
        if topic_filter is None:
            found = check_filter(data, pos + 2, stop, version == 5)
            return broken_text(found, T_TOPIC_FILTER, 8, start, version, sender, "subscriptions.topic_filter")
        pos = stop
        if pos >= end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 8, pos - start, version, sender, "subscriptions.options")
        value = data[pos]
        pos += 1
        reserved = (value >> 6 & 3) if version == 5 else 0
        retain_handling = (value >> 4 & 3) if version == 5 else 0
        retain_as_published = version == 5 and value & 0x08 != 0
        no_local = version == 5 and value & 0x04 != 0
        qos = value & 3
        if version == 5 and reserved:
            return broken(C_MQTT5_3_8_3_5, 0x81, 8, pos - 1 - start, version, sender, "subscriptions.options")
        if version == 4 and value > 3:
            return broken(C_MQTT311_3_8_3_4, 0x81, 8, pos - 1 - start, version, sender, "subscriptions.options")
        if qos == 3:
            return broken(C_X5_SUBSCRIBE_QOS, 0x82, 8, pos - 1 - start, version, sender, "subscriptions.options")
        if version == 5 and retain_handling == 3:
            return broken(C_X5_SUBSCRIBE_RETAIN_HANDLING, 0x82, 8, pos - 1 - start, version, sender, "subscriptions.options")
        if version == 5 and no_local and topic_filter.startswith("$share/"):
            return broken(C_MQTT5_3_8_3_4, 0x82, 8, pos - 1 - start, version, sender, "subscriptions.options")
        subscriptions.append(Subscription(topic_filter, qos, no_local, retain_as_published, retain_handling))
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 8, pos - start, version, sender, "")
    return Subscribe(packet_id, subscriptions, properties)


def _suback(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Suback | Violation:
    """Decode SUBACK (section 3.9)."""
    if end - pos < 2:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 9, pos - start, version, sender, "packet_id")
    packet_id = data[pos] << 8 | data[pos + 1]
    pos += 2
    if packet_id == 0:
        return broken(C_MQTT5_2_2_1_6, 0x82, 9, pos - 1 - start, version, sender, "packet_id")
    properties: SubackProperties | None = None
    if version == 5:
        if pos < end and (length := data[pos]) < 128:
            pos += 1
        else:
            packed = read_vbi(data, pos, end, True)
            if packed == -1:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 9, cut_vbi(pos, end) - start, version, sender, "properties")
            if packed == -2:
                return broken(C_X5_VBI_FOUR_BYTES, 0x81, 9, pos + 3 - start, version, sender, "properties")
            if packed == -3:
                while data[pos]:
                    pos += 1
                return broken(C_MQTT5_1_5_5_1, 0x81, 9, pos - start, version, sender, "properties")
            length = packed >> 3
            pos += packed & 7
        stop = pos + length
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 9, pos - 1 - start, version, sender, "properties")
        if length:
            read_properties = _suback_properties(version, sender, data, start, pos, stop)
            if not isinstance(read_properties, SubackProperties):
                return read_properties
            properties = read_properties
            pos = stop
    if pos >= end:
        return broken(C_MQTT5_3_8_4_6, 0x82, 9, pos - start, version, sender, "reason_codes")
    reason_codes = list(data[pos:end])
    allowed = (SUBACK_V3_CODES if version == 3 else (SUBACK_V4_CODES if version == 4 else SUBACK_SERVER_CODES))
    for code in reason_codes:
        pos += 1
        if code not in allowed:
            return broken(C_MQTT5_3_9_3_2, 0x82, 9, pos - 1 - start, version, sender, "reason_codes")
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 9, pos - start, version, sender, "")
    return Suback(packet_id, reason_codes, properties)


def _unsubscribe(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Unsubscribe | Violation:
    """Decode UNSUBSCRIBE (section 3.10)."""
    if end - pos < 2:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 10, pos - start, version, sender, "packet_id")
    packet_id = data[pos] << 8 | data[pos + 1]
    pos += 2
    if packet_id == 0:
        return broken(C_MQTT5_2_2_1_3, 0x82, 10, pos - 1 - start, version, sender, "packet_id")
    properties: UnsubscribeProperties | None = None
    if version == 5:
        if pos < end and (length := data[pos]) < 128:
            pos += 1
        else:
            packed = read_vbi(data, pos, end, True)
            if packed == -1:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 10, cut_vbi(pos, end) - start, version, sender, "properties")
            if packed == -2:
                return broken(C_X5_VBI_FOUR_BYTES, 0x81, 10, pos + 3 - start, version, sender, "properties")
            if packed == -3:
                while data[pos]:
                    pos += 1
                return broken(C_MQTT5_1_5_5_1, 0x81, 10, pos - start, version, sender, "properties")
            length = packed >> 3
            pos += packed & 7
        stop = pos + length
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 10, pos - 1 - start, version, sender, "properties")
        if length:
            read_properties = _unsubscribe_properties(version, sender, data, start, pos, stop)
            if not isinstance(read_properties, UnsubscribeProperties):
                return read_properties
            properties = read_properties
            pos = stop
    if pos >= end:
        return broken(C_MQTT5_3_10_3_2, 0x82, 10, pos - start, version, sender, "topic_filters")
    topic_filters: list[str] = []
    while pos < end:
        stop = pos + 2
        if stop <= end:
            stop += data[pos] << 8 | data[pos + 1]
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 10, cut_string(data, pos, end) - start, version, sender, "topic_filters.topic_filter")
        topic_filter = filter_text(data, pos + 2, stop, version == 5)
        if topic_filter is None:
            found = check_filter(data, pos + 2, stop, version == 5)
            return broken_text(found, T_TOPIC_FILTER, 10, start, version, sender, "topic_filters.topic_filter")
        pos = stop
        topic_filters.append(topic_filter)
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 10, pos - start, version, sender, "")
    return Unsubscribe(packet_id, topic_filters, properties)


def _unsuback(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Unsuback | Violation:
    """Decode UNSUBACK (section 3.11)."""
    if end - pos < 2:
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 11, pos - start, version, sender, "packet_id")
    packet_id = data[pos] << 8 | data[pos + 1]
    pos += 2
    if packet_id == 0:
        return broken(C_MQTT5_2_2_1_6, 0x82, 11, pos - 1 - start, version, sender, "packet_id")
    properties: UnsubackProperties | None = None
    if version == 5:
        if pos < end and (length := data[pos]) < 128:
            pos += 1
        else:
            packed = read_vbi(data, pos, end, True)
            if packed == -1:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 11, cut_vbi(pos, end) - start, version, sender, "properties")
            if packed == -2:
                return broken(C_X5_VBI_FOUR_BYTES, 0x81, 11, pos + 3 - start, version, sender, "properties")
            if packed == -3:
                while data[pos]:
                    pos += 1
                return broken(C_MQTT5_1_5_5_1, 0x81, 11, pos - start, version, sender, "properties")
            length = packed >> 3
            pos += packed & 7
        stop = pos + length
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 11, pos - 1 - start, version, sender, "properties")
        if length:
            read_properties = _unsuback_properties(version, sender, data, start, pos, stop)
            if not isinstance(read_properties, UnsubackProperties):
                return read_properties
            properties = read_properties
            pos = stop
    reason_codes: list[int] = []
    if version == 5:
        if pos >= end:
            return broken(C_X5_UNSUBACK_REASON_CODES, 0x82, 11, pos - start, version, sender, "reason_codes")
        reason_codes = list(data[pos:end])
        allowed = UNSUBACK_SERVER_CODES
        for code in reason_codes:
            pos += 1
            if code not in allowed:
                return broken(C_MQTT5_3_11_3_2, 0x82, 11, pos - 1 - start, version, sender, "reason_codes")
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 11, pos - start, version, sender, "")
    return Unsuback(packet_id, reason_codes, properties)


def _pingreq(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Pingreq | Violation:
    """Decode PINGREQ (section 3.12)."""
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 12, pos - start, version, sender, "")
    return Pingreq()


def _pingresp(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Pingresp | Violation:
    """Decode PINGRESP (section 3.13)."""
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 13, pos - start, version, sender, "")
    return Pingresp()


def _disconnect(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Disconnect | Violation:
    """Decode DISCONNECT (section 3.14)."""
    reason_code = 0  # if the packet ends before it [X5-disconnect-short-read]
    if version == 5:
        if pos < end:
            if pos >= end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 14, pos - start, version, sender, "reason_code")
            reason_code = data[pos]
            pos += 1
            if reason_code not in (DISCONNECT_CLIENT_CODES if sender == CLIENT else DISCONNECT_SERVER_CODES):
                return broken(C_MQTT5_3_14_2_1, 0x82, 14, pos - 1 - start, version, sender, "reason_code")
    properties: DisconnectProperties | None = None  # if the packet ends before it [X5-disconnect-short-read]
    if version == 5:
        if pos < end:
            if pos < end and (length := data[pos]) < 128:
                pos += 1
            else:
                packed = read_vbi(data, pos, end, True)
                if packed == -1:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 14, cut_vbi(pos, end) - start, version, sender, "properties")
                if packed == -2:
                    return broken(C_X5_VBI_FOUR_BYTES, 0x81, 14, pos + 3 - start, version, sender, "properties")
                if packed == -3:
                    while data[pos]:
                        pos += 1
                    return broken(C_MQTT5_1_5_5_1, 0x81, 14, pos - start, version, sender, "properties")
                length = packed >> 3
                pos += packed & 7
            stop = pos + length
            if stop > end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 14, pos - 1 - start, version, sender, "properties")
            if length:
                read_properties = _disconnect_properties(version, sender, data, start, pos, stop)
                if not isinstance(read_properties, DisconnectProperties):
                    return read_properties
                properties = read_properties
                pos = stop
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 14, pos - start, version, sender, "")
    return Disconnect(reason_code, properties)


def _auth(
    version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Auth | Violation:
    """Decode AUTH (section 3.15)."""
    reason_code = 0
    if version == 5:
        if pos < end:
            if pos >= end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 15, pos - start, version, sender, "reason_code")
            reason_code = data[pos]
            pos += 1
            if reason_code not in (AUTH_CLIENT_CODES if sender == CLIENT else AUTH_SERVER_CODES):
                return broken(C_MQTT5_3_15_2_1, 0x82, 15, pos - 1 - start, version, sender, "reason_code")
    properties: AuthProperties | None = None
    if version == 5:
        if pos < end:
            if pos < end and (length := data[pos]) < 128:
                pos += 1
            else:
                packed = read_vbi(data, pos, end, True)
                if packed == -1:
                    return broken(C_X5_FIELD_TRUNCATED, 0x81, 15, cut_vbi(pos, end) - start, version, sender, "properties")
                if packed == -2:
                    return broken(C_X5_VBI_FOUR_BYTES, 0x81, 15, pos + 3 - start, version, sender, "properties")
                if packed == -3:
                    while data[pos]:
                        pos += 1
                    return broken(C_MQTT5_1_5_5_1, 0x81, 15, pos - start, version, sender, "properties")
                length = packed >> 3
                pos += packed & 7
            stop = pos + length
            if stop > end:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 15, pos - 1 - start, version, sender, "properties")
            if length:
                read_properties = _auth_properties(version, sender, data, start, pos, stop)
                if not isinstance(read_properties, AuthProperties):
                    return read_properties
                properties = read_properties
                pos = stop
        if not (properties is not None and properties.authentication_method is not None):
            return broken(C_X5_AUTH_AUTHENTICATION_METHOD_REQUIRED, 0x82, 15, pos - 1 - start, version, sender, "properties")
    if pos != end:
        return broken(C_X5_TRAILING_BYTES, 0x81, 15, pos - start, version, sender, "")
    return Auth(reason_code, properties)


def header_breach(version: int, sender: int, first: int) -> Violation | None:
    """Return the violation of a wrong first byte (type, sender or flags), or None [MQTT5-2.1.3-1]."""
    at = HEADERS[version << 9 | sender << 8 | first]
    if at == 0:
        return None
    reason, cites = HEADER_BREACHES[at - 1]
    return broken(cites, reason, first >> 4, 0, version, sender, "fixed_header")


def decode(version: int, sender: int, data: bytes, start: int, pos: int, end: int) -> Packet | Violation:
    """Decode the packet in `data[start:end]`, whose variable header begins at `pos`.

    `version` is the protocol level (3, 4, 5; 0 while it is not known), `sender` is CLIENT or SERVER.
    A CONNECT is decoded by the version that it names. Never raises.
    """
    first = data[start]
    if HEADERS[version << 9 | sender << 8 | first]:
        if not may_name_v31(version, sender, first, data, pos, end - pos):
            breach = header_breach(version, sender, first)
            assert breach is not None
            return breach
    kind = first >> 4
    if not version and kind != 1:
        packet = decode(5, sender, data, start, pos, end)
        return packet._replace(version=0) if isinstance(packet, Violation) else packet
    if kind == 4 and end - pos == 2:
        # The shortest PUBACK: one comes for each message of QoS 1.
        packet_id = data[pos] << 8 | data[pos + 1]
        if packet_id:
            return Puback(packet_id)
    if kind != 3:
        return _other(kind, version, sender, data, start, pos, end)
    # PUBLISH (section 3.3), the most frequent packet, is decoded without another call.
    dup = first & 0x08 != 0
    qos = first >> 1 & 3
    retain = first & 0x01 != 0
    stop = pos + 2
    if stop <= end:
        stop += data[pos] << 8 | data[pos + 1]
    if stop > end:
        if pos >= end:
            return broken(C_MQTT5_3_3_2_1, 0x81, 3, pos - start, version, sender, "topic")
        return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, cut_string(data, pos, end) - start, version, sender, "topic")
    topic = NAMES.get(data[pos + 2 : stop]) or name_text(data, pos + 2, stop)
    if topic is None:
        found = check_name(data, pos + 2, stop)
        return broken_text(found, T_TOPIC_NAME_OR_EMPTY, 3, start, version, sender, "topic")
    pos = stop
    if not topic and version != 5:
        found = check_name(data, pos, pos)
        return broken_text(found, T_TOPIC_NAME_2, 3, start, version, sender, "topic")
    packet_id = 0
    if qos:
        if end - pos < 2:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, pos - start, version, sender, "packet_id")
        packet_id = data[pos] << 8 | data[pos + 1]
        pos += 2
        if packet_id == 0:
            cites = C_MQTT5_2_2_1_3 if sender == CLIENT else C_MQTT5_2_2_1_4
            return broken(cites, 0x82, 3, pos - 1 - start, version, sender, "packet_id")
    block: Block | None = None
    if version == 5:
        if pos < end and (length := data[pos]) < 128:
            pos += 1
        else:
            packed = read_vbi(data, pos, end, True)
            if packed == -1:
                return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, cut_vbi(pos, end) - start, version, sender, "properties")
            if packed == -2:
                return broken(C_X5_VBI_FOUR_BYTES, 0x81, 3, pos + 3 - start, version, sender, "properties")
            if packed == -3:
                while data[pos]:
                    pos += 1
                return broken(C_MQTT5_1_5_5_1, 0x81, 3, pos - start, version, sender, "properties")
            length = packed >> 3
            pos += packed & 7
        stop = pos + length
        if stop > end:
            return broken(C_X5_FIELD_TRUNCATED, 0x81, 3, pos - 1 - start, version, sender, "properties")
        if length:
            block = _publish_block(sender, data, pos, stop)
            if block is None:
                broke = _publish_properties(version, sender, data, start, pos, stop)
                assert isinstance(broke, Violation)
                return broke
            pos = stop
        if not topic and not (block is not None and block.present & 0x40 != 0):
            return broken(C_X5_PUBLISH_TOPIC_OR_ALIAS, 0x82, 3, pos - 1 - start, version, sender, "properties")
    made = Publish(topic, data[pos:end], qos, retain, dup, packet_id)
    made.received = block
    return made


def _other(
    kind: int, version: int, sender: int, data: bytes, start: int, pos: int, end: int
) -> Packet | Violation:
    """Decode any packet except PUBLISH."""
    if kind == 4:
        return _puback(version, sender, data, start, pos, end)
    if kind == 12:
        return _pingreq(version, sender, data, start, pos, end)
    if kind == 5:
        return _pubrec(version, sender, data, start, pos, end)
    if kind == 6:
        return _pubrel(version, sender, data, start, pos, end)
    if kind == 7:
        return _pubcomp(version, sender, data, start, pos, end)
    if kind == 1:
        return _connect(version, sender, data, start, pos, end)
    if kind == 2:
        return _connack(version, sender, data, start, pos, end)
    if kind == 8:
        return _subscribe(version, sender, data, start, pos, end)
    if kind == 9:
        return _suback(version, sender, data, start, pos, end)
    if kind == 10:
        return _unsubscribe(version, sender, data, start, pos, end)
    if kind == 11:
        return _unsuback(version, sender, data, start, pos, end)
    if kind == 13:
        return _pingresp(version, sender, data, start, pos, end)
    if kind == 14:
        return _disconnect(version, sender, data, start, pos, end)
    return _auth(version, sender, data, start, pos, end)


def _put_connect_properties(properties: ConnectProperties | None) -> bytes:
    """Encode the properties of CONNECT, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    value = properties.session_expiry_interval
    if value is not None:
        out.append(b"\x11" + value.to_bytes(4, "big"))
    string = properties.authentication_method
    if string is not None:
        out.append(b"\x15" + _string(string))
    binary = properties.authentication_data
    if binary is not None:
        out.append(b"\x16" + _binary(binary))
    value = properties.request_problem_information
    if value is not None:
        out.append(b"\x17" + value.to_bytes(1, "big"))
    value = properties.request_response_information
    if value is not None:
        out.append(b"\x19" + value.to_bytes(1, "big"))
    value = properties.receive_maximum
    if value is not None:
        out.append(b"\x21" + value.to_bytes(2, "big"))
    value = properties.topic_alias_maximum
    if value is not None:
        out.append(b"\x22" + value.to_bytes(2, "big"))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    value = properties.maximum_packet_size
    if value is not None:
        out.append(b"\x27" + value.to_bytes(4, "big"))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_will_properties(properties: WillProperties | None) -> bytes:
    """Encode the properties of WILL, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    value = properties.payload_format_indicator
    if value is not None:
        out.append(b"\x01" + value.to_bytes(1, "big"))
    value = properties.message_expiry_interval
    if value is not None:
        out.append(b"\x02" + value.to_bytes(4, "big"))
    string = properties.content_type
    if string is not None:
        out.append(b"\x03" + _string(string))
    string = properties.response_topic
    if string is not None:
        out.append(b"\x08" + _string(string))
    binary = properties.correlation_data
    if binary is not None:
        out.append(b"\x09" + _binary(binary))
    value = properties.will_delay_interval
    if value is not None:
        out.append(b"\x18" + value.to_bytes(4, "big"))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_connack_properties(properties: ConnackProperties | None) -> bytes:
    """Encode the properties of CONNACK, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    value = properties.session_expiry_interval
    if value is not None:
        out.append(b"\x11" + value.to_bytes(4, "big"))
    string = properties.assigned_client_identifier
    if string is not None:
        out.append(b"\x12" + _string(string))
    value = properties.server_keep_alive
    if value is not None:
        out.append(b"\x13" + value.to_bytes(2, "big"))
    string = properties.authentication_method
    if string is not None:
        out.append(b"\x15" + _string(string))
    binary = properties.authentication_data
    if binary is not None:
        out.append(b"\x16" + _binary(binary))
    string = properties.response_information
    if string is not None:
        out.append(b"\x1a" + _string(string))
    string = properties.server_reference
    if string is not None:
        out.append(b"\x1c" + _string(string))
    string = properties.reason_string
    if string is not None:
        out.append(b"\x1f" + _string(string))
    value = properties.receive_maximum
    if value is not None:
        out.append(b"\x21" + value.to_bytes(2, "big"))
    value = properties.topic_alias_maximum
    if value is not None:
        out.append(b"\x22" + value.to_bytes(2, "big"))
    value = properties.maximum_qos
    if value is not None:
        out.append(b"\x24" + value.to_bytes(1, "big"))
    value = properties.retain_available
    if value is not None:
        out.append(b"\x25" + value.to_bytes(1, "big"))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    value = properties.maximum_packet_size
    if value is not None:
        out.append(b"\x27" + value.to_bytes(4, "big"))
    value = properties.wildcard_subscription_available
    if value is not None:
        out.append(b"\x28" + value.to_bytes(1, "big"))
    value = properties.subscription_identifier_available
    if value is not None:
        out.append(b"\x29" + value.to_bytes(1, "big"))
    value = properties.shared_subscription_available
    if value is not None:
        out.append(b"\x2a" + value.to_bytes(1, "big"))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _publish_property_bytes(properties: PublishProperties) -> bytes:
    """Encode the properties of PUBLISH, without the Property Length."""
    out: list[bytes] = []
    value = properties.payload_format_indicator
    if value is not None:
        out.append(b"\x01" + value.to_bytes(1, "big"))
    value = properties.message_expiry_interval
    if value is not None:
        out.append(b"\x02" + value.to_bytes(4, "big"))
    string = properties.content_type
    if string is not None:
        out.append(b"\x03" + _string(string))
    string = properties.response_topic
    if string is not None:
        out.append(b"\x08" + _string(string))
    binary = properties.correlation_data
    if binary is not None:
        out.append(b"\x09" + _binary(binary))
    for number in properties.subscription_identifier:
        out.append(b"\x0b" + vbi(number))
    value = properties.topic_alias
    if value is not None:
        out.append(b"\x23" + value.to_bytes(2, "big"))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    return b"".join(out)


def _put_puback_properties(properties: PubackProperties | None) -> bytes:
    """Encode the properties of PUBACK, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    string = properties.reason_string
    if string is not None:
        out.append(b"\x1f" + _string(string))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_pubrec_properties(properties: PubrecProperties | None) -> bytes:
    """Encode the properties of PUBREC, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    string = properties.reason_string
    if string is not None:
        out.append(b"\x1f" + _string(string))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_pubrel_properties(properties: PubrelProperties | None) -> bytes:
    """Encode the properties of PUBREL, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    string = properties.reason_string
    if string is not None:
        out.append(b"\x1f" + _string(string))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_pubcomp_properties(properties: PubcompProperties | None) -> bytes:
    """Encode the properties of PUBCOMP, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    string = properties.reason_string
    if string is not None:
        out.append(b"\x1f" + _string(string))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_subscribe_properties(properties: SubscribeProperties | None) -> bytes:
    """Encode the properties of SUBSCRIBE, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    value = properties.subscription_identifier
    if value is not None:
        out.append(b"\x0b" + vbi(value))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_suback_properties(properties: SubackProperties | None) -> bytes:
    """Encode the properties of SUBACK, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    string = properties.reason_string
    if string is not None:
        out.append(b"\x1f" + _string(string))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_unsubscribe_properties(properties: UnsubscribeProperties | None) -> bytes:
    """Encode the properties of UNSUBSCRIBE, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_unsuback_properties(properties: UnsubackProperties | None) -> bytes:
    """Encode the properties of UNSUBACK, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    string = properties.reason_string
    if string is not None:
        out.append(b"\x1f" + _string(string))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_disconnect_properties(properties: DisconnectProperties | None) -> bytes:
    """Encode the properties of DISCONNECT, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    value = properties.session_expiry_interval
    if value is not None:
        out.append(b"\x11" + value.to_bytes(4, "big"))
    string = properties.server_reference
    if string is not None:
        out.append(b"\x1c" + _string(string))
    string = properties.reason_string
    if string is not None:
        out.append(b"\x1f" + _string(string))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _put_auth_properties(properties: AuthProperties | None) -> bytes:
    """Encode the properties of AUTH, with the Property Length."""
    if properties is None:
        return b"\0"
    out: list[bytes] = []
    string = properties.authentication_method
    if string is not None:
        out.append(b"\x15" + _string(string))
    binary = properties.authentication_data
    if binary is not None:
        out.append(b"\x16" + _binary(binary))
    string = properties.reason_string
    if string is not None:
        out.append(b"\x1f" + _string(string))
    for pair in properties.user_property:
        out.append(b"\x26" + _string(pair[0]) + _string(pair[1]))
    joined = b"".join(out)
    return vbi(len(joined)) + joined


def _encode_connect(version: int, packet: Connect) -> bytes:
    """Encode CONNECT (section 3.1)."""
    out: list[bytes] = []
    if version == 3:
        out.append(b"\x00\x06MQIsdp\x03")
    else:
        out.append(b"\x00\x04MQTT" + version.to_bytes(1, "big"))
    will = packet.will
    flags = 0x02 if packet.clean_start else 0
    if will is not None:
        flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
    if packet.username is not None:
        flags |= 0x80
    if packet.password is not None:
        flags |= 0x40
    out.append(flags.to_bytes(1, "big"))
    out.append(packet.keep_alive.to_bytes(2, "big"))
    if version == 5:
        out.append(_put_connect_properties(packet.properties))
    out.append(_string(packet.client_id))
    if will is not None and version == 5:
        out.append(_put_will_properties(will.properties))
    if will is not None:
        out.append(_string(will.topic))
    if will is not None:
        out.append(_binary(will.payload))
    plain = packet.username
    if plain is not None:
        out.append(_string(plain))
    secret = packet.password
    if secret is not None:
        out.append(_binary(secret))
    body = b"".join(out)
    return b"\x10" + vbi(len(body)) + body


def _encode_connack(version: int, packet: Connack) -> bytes:
    """Encode CONNACK (section 3.2)."""
    out: list[bytes] = []
    out.append(((0x01 if packet.session_present and version != 3 else 0)).to_bytes(1, "big"))
    out.append(packet.reason_code.to_bytes(1, "big"))
    if version == 5:
        out.append(_put_connack_properties(packet.properties))
    body = b"".join(out)
    return b"\x20" + vbi(len(body)) + body


def publish_bytes(
    version: int,
    topic: bytes,
    payload: bytes,
    qos: int,
    retain: bool,
    dup: bool,
    packet_id: int,
    properties: bytes,
    beside: int = 0,
) -> bytes:
    """Return the bytes of a PUBLISH made of its parts.

    `topic` is UTF-8. `properties` do not include the Property Length; they are ignored before 5.0
    (section 3.3). `beside` is the size of a payload that follows the result and is not in it.

    Raises:
        ValueError: the topic, or the packet, is too long.
    """
    named = len(topic)
    if named > 65_535:
        raise ValueError(f"a string has at most 65,535 bytes, not {named}")
    first = BYTES[0x30 | qos << 1 | (1 if retain else 0) | (8 if dup else 0)]
    remaining = 2 + named + len(payload) + beside
    identifier = b""
    if qos:
        identifier = packet_id.to_bytes(2, "big")
        remaining += 2
    high, low = BYTES[named >> 8], BYTES[named & 255]
    if version != 5:
        length = BYTES[remaining] if remaining < 128 else vbi(remaining)
        return b"".join([first, length, high, low, topic, identifier, payload])
    size = len(properties)
    length = BYTES[size] if size < 128 else vbi(size)
    remaining += len(length) + size
    return b"".join([first, vbi(remaining), high, low, topic, identifier, length, properties, payload])


def encode_publish(
    version: int,
    topic: bytes,
    payload: bytes,
    qos: int,
    retain: bool,
    dup: bool,
    packet_id: int,
    properties: PublishProperties | None,
) -> bytes:
    """Return a PUBLISH made of its parts. `topic` is UTF-8 (section 3.3)."""
    encoded = b"" if properties is None or version != 5 else _publish_property_bytes(properties)
    return publish_bytes(version, topic, payload, qos, retain, dup, packet_id, encoded)


def _encode_publish(version: int, packet: Publish) -> bytes:
    """Encode a PUBLISH (section 3.3). Its values alone decide the bytes, not the bytes received."""
    if packet.qos and not 0 < packet.packet_id < 65_536:
        raise _no_identifier(packet.packet_id)
    return encode_publish(
        version,
        packet.topic.encode(),
        packet.payload,
        packet.qos,
        packet.retain,
        packet.dup,
        packet.packet_id,
        packet._look(),
    )


def _encode_puback(version: int, packet: Puback) -> bytes:
    """Encode PUBACK (section 3.4)."""
    out: list[bytes] = []
    if not 0 < packet.packet_id < 65_536:
        raise _no_identifier(packet.packet_id)
    out.append(packet.packet_id.to_bytes(2, "big"))
    if version == 5 and (packet.reason_code or packet.properties is not None):
        out.append(packet.reason_code.to_bytes(1, "big"))
        if packet.properties is not None:
            out.append(_put_puback_properties(packet.properties))
    body = b"".join(out)
    return b"\x40" + vbi(len(body)) + body


def _encode_pubrec(version: int, packet: Pubrec) -> bytes:
    """Encode PUBREC (section 3.5)."""
    out: list[bytes] = []
    if not 0 < packet.packet_id < 65_536:
        raise _no_identifier(packet.packet_id)
    out.append(packet.packet_id.to_bytes(2, "big"))
    if version == 5 and (packet.reason_code or packet.properties is not None):
        out.append(packet.reason_code.to_bytes(1, "big"))
        if packet.properties is not None:
            out.append(_put_pubrec_properties(packet.properties))
    body = b"".join(out)
    return b"\x50" + vbi(len(body)) + body


def _encode_pubrel(version: int, packet: Pubrel) -> bytes:
    """Encode PUBREL (section 3.6)."""
    out: list[bytes] = []
    if not 0 < packet.packet_id < 65_536:
        raise _no_identifier(packet.packet_id)
    out.append(packet.packet_id.to_bytes(2, "big"))
    if version == 5 and (packet.reason_code or packet.properties is not None):
        out.append(packet.reason_code.to_bytes(1, "big"))
        if packet.properties is not None:
            out.append(_put_pubrel_properties(packet.properties))
    body = b"".join(out)
    return b"\x62" + vbi(len(body)) + body


def _encode_pubcomp(version: int, packet: Pubcomp) -> bytes:
    """Encode PUBCOMP (section 3.7)."""
    out: list[bytes] = []
    if not 0 < packet.packet_id < 65_536:
        raise _no_identifier(packet.packet_id)
    out.append(packet.packet_id.to_bytes(2, "big"))
    if version == 5 and (packet.reason_code or packet.properties is not None):
        out.append(packet.reason_code.to_bytes(1, "big"))
        if packet.properties is not None:
            out.append(_put_pubcomp_properties(packet.properties))
    body = b"".join(out)
    return b"\x70" + vbi(len(body)) + body


def _encode_subscribe(version: int, packet: Subscribe) -> bytes:
    """Encode SUBSCRIBE (section 3.8)."""
    out: list[bytes] = []
    if not 0 < packet.packet_id < 65_536:
        raise _no_identifier(packet.packet_id)
    out.append(packet.packet_id.to_bytes(2, "big"))
    if version == 5:
        out.append(_put_subscribe_properties(packet.properties))
    for entry in packet.subscriptions:
        options = entry.qos
        if version == 5:
            options |= entry.retain_handling << 4
            options |= (8 if entry.retain_as_published else 0) | (4 if entry.no_local else 0)
        out.append(_string(entry.topic_filter) + options.to_bytes(1, "big"))
    body = b"".join(out)
    return b"\x82" + vbi(len(body)) + body


def _encode_suback(version: int, packet: Suback) -> bytes:
    """Encode SUBACK (section 3.9)."""
    out: list[bytes] = []
    if not 0 < packet.packet_id < 65_536:
        raise _no_identifier(packet.packet_id)
    out.append(packet.packet_id.to_bytes(2, "big"))
    if version == 5:
        out.append(_put_suback_properties(packet.properties))
    out.append(bytes(packet.reason_codes))
    body = b"".join(out)
    return b"\x90" + vbi(len(body)) + body


def _encode_unsubscribe(version: int, packet: Unsubscribe) -> bytes:
    """Encode UNSUBSCRIBE (section 3.10)."""
    out: list[bytes] = []
    if not 0 < packet.packet_id < 65_536:
        raise _no_identifier(packet.packet_id)
    out.append(packet.packet_id.to_bytes(2, "big"))
    if version == 5:
        out.append(_put_unsubscribe_properties(packet.properties))
    for entry in packet.topic_filters:
        out.append(_string(entry))
    body = b"".join(out)
    return b"\xa2" + vbi(len(body)) + body


def _encode_unsuback(version: int, packet: Unsuback) -> bytes:
    """Encode UNSUBACK (section 3.11)."""
    out: list[bytes] = []
    if not 0 < packet.packet_id < 65_536:
        raise _no_identifier(packet.packet_id)
    out.append(packet.packet_id.to_bytes(2, "big"))
    if version == 5:
        out.append(_put_unsuback_properties(packet.properties))
    if version == 5:
        out.append(bytes(packet.reason_codes))
    body = b"".join(out)
    return b"\xb0" + vbi(len(body)) + body


def _encode_pingreq(version: int, packet: Pingreq) -> bytes:
    """Encode PINGREQ (section 3.12)."""
    return b"\xc0\0"


def _encode_pingresp(version: int, packet: Pingresp) -> bytes:
    """Encode PINGRESP (section 3.13)."""
    return b"\xd0\0"


def _encode_disconnect(version: int, packet: Disconnect) -> bytes:
    """Encode DISCONNECT (section 3.14)."""
    out: list[bytes] = []
    if version == 5 and (packet.reason_code or packet.properties is not None):
        out.append(packet.reason_code.to_bytes(1, "big"))
        if packet.properties is not None:
            out.append(_put_disconnect_properties(packet.properties))
    body = b"".join(out)
    return b"\xe0" + vbi(len(body)) + body


def _encode_auth(version: int, packet: Auth) -> bytes:
    """Encode AUTH (section 3.15)."""
    if version != 5:
        raise ValueError("AUTH exists only in MQTT 5.0")
    out: list[bytes] = []
    if version == 5 and (packet.reason_code or packet.properties is not None):
        out.append(packet.reason_code.to_bytes(1, "big"))
        if packet.properties is not None:
            out.append(_put_auth_properties(packet.properties))
    body = b"".join(out)
    return b"\xf0" + vbi(len(body)) + body


def _string(value: str) -> bytes:
    """Encode a UTF-8 Encoded String [MQTT5-1.5.4-1]."""
    return _binary(value.encode())


def _binary(value: bytes) -> bytes:
    """Encode Binary Data or a string: a two-byte length, up to 65,535 bytes [MQTT311-4.7.3-3]."""
    if len(value) > 65_535:
        raise ValueError(f"a string has at most 65,535 bytes, not {len(value)}")
    return len(value).to_bytes(2, "big") + value


def _no_identifier(value: int) -> ValueError:
    return ValueError(f"a Packet Identifier is 1 to 65,535, not {value}")


def encode(version: int, packet: Packet) -> bytes:
    """Return the bytes of a packet in `version` (3, 4, 5).

    Fields that the version does not have are left out.

    Raises:
        ValueError: a value does not fit its wire type, a Packet Identifier is 0, or the version lacks
            the packet.
    """
    try:
        if isinstance(packet, Publish):
            return _encode_publish(version, packet)
        if isinstance(packet, Puback):
            return _encode_puback(version, packet)
        if isinstance(packet, Pingreq):
            return _encode_pingreq(version, packet)
        if isinstance(packet, Pubrec):
            return _encode_pubrec(version, packet)
        if isinstance(packet, Pubrel):
            return _encode_pubrel(version, packet)
        if isinstance(packet, Pubcomp):
            return _encode_pubcomp(version, packet)
        if isinstance(packet, Connect):
            return _encode_connect(version, packet)
        if isinstance(packet, Connack):
            return _encode_connack(version, packet)
        if isinstance(packet, Subscribe):
            return _encode_subscribe(version, packet)
        if isinstance(packet, Suback):
            return _encode_suback(version, packet)
        if isinstance(packet, Unsubscribe):
            return _encode_unsubscribe(version, packet)
        if isinstance(packet, Unsuback):
            return _encode_unsuback(version, packet)
        if isinstance(packet, Pingresp):
            return _encode_pingresp(version, packet)
        if isinstance(packet, Disconnect):
            return _encode_disconnect(version, packet)
        if isinstance(packet, Auth):
            return _encode_auth(version, packet)
    except OverflowError as error:
        raise ValueError(f"a number in {packet!r} does not fit its field") from error
    raise ValueError(f"not a packet: {packet!r}")


def read_block(data: bytes, sender: int = SERVER) -> Block | None:
    """Return the block of the property bytes of a PUBLISH, None if there are none.

    `data` does not include the Property Length.

    Raises:
        ValueError: the properties break a rule. The text names the field and the statement.
    """
    if not data:
        return None
    block = _publish_block(sender, data, 0, len(data))
    if block is None:
        broke = _publish_properties(5, sender, data, 0, 0, len(data))
        assert isinstance(broke, Violation)
        raise ValueError(f"{broke.field} breaks {broke.statement}")
    return block


def block_of(properties: PublishProperties | None, sender: int = SERVER) -> Block | None:
    """Return the block of properties that were made or changed in Python, None if there are none.

    Raises:
        ValueError: the properties break a rule, or `sender` must not send them. The text says which.
    """
    if properties is None:
        return None
    try:
        data = _publish_property_bytes(properties)
    except (AttributeError, IndexError, OverflowError, TypeError) as error:
        raise ValueError(f"not properties that can be sent: {properties!r}: {error}") from error
    return read_block(data, sender)


def block_for(packet: Publish, sender: int = SERVER) -> Block | None:
    """Return the block of a packet: the received one, or a new one if its properties were changed.

    Only reading `packet.properties` is not a change.

    Raises:
        ValueError: as `block_of`.
    """
    came = packet.received
    given = packet._given
    if given is None or (came is not None and given == came.all_properties()):
        return came
    return block_of(given, sender)


def will_block(properties: WillProperties | None) -> Block | None:
    """Return the block of a published will: the Will Properties that PUBLISH has too, or None.

    Raises:
        ValueError: as `block_of`.
    """
    if properties is None:
        return None
    return block_of(
        PublishProperties(
            payload_format_indicator=properties.payload_format_indicator,
            message_expiry_interval=properties.message_expiry_interval,
            content_type=properties.content_type,
            response_topic=properties.response_topic,
            correlation_data=properties.correlation_data,
            user_property=properties.user_property,
        )
    )


def outgoing(block: Block | None, waited: int, identifiers: tuple[int, ...], alias: int) -> bytes:
    """Return the property bytes for one subscriber, without the Property Length.

    `waited` seconds are subtracted from the property that counts down, which never goes below 0. The
    Subscription Identifiers and the Topic Alias of the subscriber (0: none) are added at the end.
    """
    data = b"" if block is None else block.data
    if waited and block is not None and block.expiry_at >= 0:
        at = block.expiry_at
        left = max(0, block.expiry() - waited)
        data = data[:at] + left.to_bytes(4, "big") + data[at + 4 :]
    for identifier in identifiers:
        data += b"\x0b" + vbi(identifier)
    if alias:
        data += b"\x23" + alias.to_bytes(2, "big")
    return data

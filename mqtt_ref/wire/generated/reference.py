# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""The wire format of every packet in every version, declared with `construct`."""

from __future__ import annotations

from typing import Any, Final

from construct import If, Struct

from mqtt_ref.wire.constructs import (
    Binary,
    Bits,
    Check,
    FixedHeader,
    Header,
    Integer,
    Limits,
    ListOf,
    MayEnd,
    PacketFormat,
    PacketId,
    Property,
    PropertyList,
    PropertySet,
    Protocol,
    Reason,
    Reasons,
    RemainingLength,
    Rest,
    Rule,
    StringPair,
    Text,
    VariableByteInteger,
    has,
)
from mqtt_ref.wire.generated.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnackProperties,
    Connect,
    ConnectProperties,
    Disconnect,
    DisconnectProperties,
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
    WillProperties,
)
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311

__all__ = [
    "FIXED_HEADERS",
    "PACKETS",
    "PROPERTIES",
    "PROTOCOLS",
    "TRAILING",
    "TRUNCATED",
]

# ---------------------------------------------------------------- MQTT 5.0: rules and types

TRUNCATED_V5 = Rule("X5-field-truncated", "length", 0x81)
TRAILING_V5 = Rule("X5-trailing-bytes", "length", 0x81)
VBI_LONG_V5 = Rule("X5-vbi-four-bytes", "length", 0x81)
VBI_MINIMAL_V5 = Rule("MQTT5-1.5.5-1", "length", 0x81)
UTF8_ILL_FORMED_V5 = Rule("MQTT5-1.5.4-1", "utf8", 0x81)
UTF8_NULL_V5 = Rule("MQTT5-1.5.4-2", "utf8", 0x81)
PAIR_ILL_FORMED_V5 = Rule("MQTT5-1.5.7-1", "utf8", 0x81)
PAIR_NULL_V5 = Rule("MQTT5-1.5.7-1", "utf8", 0x81)
TOPIC_WILDCARD_V5 = Rule("MQTT5-4.7.0-1", "value", 0x81)
TOPIC_EMPTY_V5 = Rule("MQTT5-4.7.3-1", "value", 0x81)
FILTER_HASH_V5 = Rule("MQTT5-4.7.1-1", "value", 0x81)
FILTER_PLUS_V5 = Rule("MQTT5-4.7.1-2", "value", 0x81)
SHARE_NAME_EMPTY_V5 = Rule("MQTT5-4.8.2-1", "value", 0x81)
SHARE_NAME_FORM_V5 = Rule("MQTT5-4.8.2-2", "value", 0x81)

U8_V5 = Integer(1, truncated=TRUNCATED_V5)
U16_V5 = Integer(2, truncated=TRUNCATED_V5)
U32_V5 = Integer(4, truncated=TRUNCATED_V5)
VBI_V5 = VariableByteInteger(truncated=TRUNCATED_V5, vbi_long=VBI_LONG_V5, vbi_minimal=VBI_MINIMAL_V5)
UTF8_V5 = Text(truncated=TRUNCATED_V5, utf8_ill_formed=UTF8_ILL_FORMED_V5, utf8_null=UTF8_NULL_V5)
BINARY_V5 = Binary(truncated=TRUNCATED_V5)
UTF8_PAIR_V5 = StringPair(truncated=TRUNCATED_V5, pair_ill_formed=PAIR_ILL_FORMED_V5, pair_null=PAIR_NULL_V5)
TOPIC_NAME_V5 = Text(
    truncated=TRUNCATED_V5,
    utf8_ill_formed=UTF8_ILL_FORMED_V5,
    utf8_null=UTF8_NULL_V5,
    topic_empty=TOPIC_EMPTY_V5,
    topic_wildcard=TOPIC_WILDCARD_V5,
)
TOPIC_NAME_OR_EMPTY_V5 = Text(
    truncated=TRUNCATED_V5,
    utf8_ill_formed=UTF8_ILL_FORMED_V5,
    utf8_null=UTF8_NULL_V5,
    topic_wildcard=TOPIC_WILDCARD_V5,
)
TOPIC_FILTER_V5 = Text(
    truncated=TRUNCATED_V5,
    utf8_ill_formed=UTF8_ILL_FORMED_V5,
    utf8_null=UTF8_NULL_V5,
    topic_empty=TOPIC_EMPTY_V5,
    filter_hash=FILTER_HASH_V5,
    filter_plus=FILTER_PLUS_V5,
    share_name_empty=SHARE_NAME_EMPTY_V5,
    share_name_form=SHARE_NAME_FORM_V5,
)
TOPIC_NAME_PROPERTY_V5 = Text(
    truncated=TRUNCATED_V5,
    utf8_ill_formed=UTF8_ILL_FORMED_V5,
    utf8_null=UTF8_NULL_V5,
    topic_empty=TOPIC_EMPTY_V5,
    topic_wildcard=TOPIC_WILDCARD_V5,
)
CLIENT_ID_V5 = Text(truncated=TRUNCATED_V5, utf8_ill_formed=UTF8_ILL_FORMED_V5, utf8_null=UTF8_NULL_V5)

# ---------------------------------------------------------------- MQTT 3.1.1: rules and types

TRUNCATED_V311 = Rule("X311-field-truncated", "length", 0x81)
TRAILING_V311 = Rule("X311-trailing-bytes", "length", 0x81)
VBI_LONG_V311 = Rule("X311-vbi-four-bytes", "length", 0x81)
UTF8_ILL_FORMED_V311 = Rule("MQTT311-1.5.3-1", "utf8", 0x81)
UTF8_NULL_V311 = Rule("MQTT311-1.5.3-2", "utf8", 0x81)
TOPIC_WILDCARD_V311 = Rule("MQTT311-4.7.1-1", "value", 0x81)
TOPIC_EMPTY_V311 = Rule("MQTT311-4.7.3-1", "value", 0x81)
FILTER_HASH_V311 = Rule("MQTT311-4.7.1-2", "value", 0x81)
FILTER_PLUS_V311 = Rule("MQTT311-4.7.1-3", "value", 0x81)

U8_V311 = Integer(1, truncated=TRUNCATED_V311)
U16_V311 = Integer(2, truncated=TRUNCATED_V311)
U32_V311 = Integer(4, truncated=TRUNCATED_V311)
VBI_V311 = VariableByteInteger(truncated=TRUNCATED_V311, vbi_long=VBI_LONG_V311)
UTF8_V311 = Text(truncated=TRUNCATED_V311, utf8_ill_formed=UTF8_ILL_FORMED_V311, utf8_null=UTF8_NULL_V311)
BINARY_V311 = Binary(truncated=TRUNCATED_V311)
TOPIC_NAME_V311 = Text(
    truncated=TRUNCATED_V311,
    utf8_ill_formed=UTF8_ILL_FORMED_V311,
    utf8_null=UTF8_NULL_V311,
    topic_empty=TOPIC_EMPTY_V311,
    topic_wildcard=TOPIC_WILDCARD_V311,
)
TOPIC_NAME_OR_EMPTY_V311 = Text(
    truncated=TRUNCATED_V311,
    utf8_ill_formed=UTF8_ILL_FORMED_V311,
    utf8_null=UTF8_NULL_V311,
    topic_wildcard=TOPIC_WILDCARD_V311,
)
TOPIC_FILTER_V311 = Text(
    truncated=TRUNCATED_V311,
    utf8_ill_formed=UTF8_ILL_FORMED_V311,
    utf8_null=UTF8_NULL_V311,
    topic_empty=TOPIC_EMPTY_V311,
    filter_hash=FILTER_HASH_V311,
    filter_plus=FILTER_PLUS_V311,
)
TOPIC_NAME_PROPERTY_V311 = Text(
    truncated=TRUNCATED_V311,
    utf8_ill_formed=UTF8_ILL_FORMED_V311,
    utf8_null=UTF8_NULL_V311,
    topic_empty=TOPIC_EMPTY_V311,
    topic_wildcard=TOPIC_WILDCARD_V311,
)
CLIENT_ID_V311 = Text(truncated=TRUNCATED_V311, utf8_ill_formed=UTF8_ILL_FORMED_V311, utf8_null=UTF8_NULL_V311)

# ---------------------------------------------------------------- MQTT 3.1: rules and types

TRUNCATED_V31 = Rule("X31-field-truncated", "length", 0x81)
TRAILING_V31 = Rule("X31-trailing-bytes", "length", 0x81)
VBI_LONG_V31 = Rule("X31-vbi-four-bytes", "length", 0x81)
UTF8_ILL_FORMED_V31 = Rule("X31-utf8-well-formed", "utf8", 0x81)
UTF8_NULL_V31 = Rule("X31-utf8-no-null", "utf8", 0x81)
TOPIC_WILDCARD_V31 = Rule("X31-topic-wildcards", "value", 0x81)
TOPIC_EMPTY_V31 = Rule("X31-topic-empty", "value", 0x81)
FILTER_HASH_V31 = Rule("X31-filter-hash", "value", 0x81)
FILTER_PLUS_V31 = Rule("X31-filter-plus", "value", 0x81)

U8_V31 = Integer(1, truncated=TRUNCATED_V31)
U16_V31 = Integer(2, truncated=TRUNCATED_V31)
U32_V31 = Integer(4, truncated=TRUNCATED_V31)
VBI_V31 = VariableByteInteger(truncated=TRUNCATED_V31, vbi_long=VBI_LONG_V31)
UTF8_V31 = Text(truncated=TRUNCATED_V31, utf8_ill_formed=UTF8_ILL_FORMED_V31, utf8_null=UTF8_NULL_V31)
BINARY_V31 = Binary(truncated=TRUNCATED_V31)
TOPIC_NAME_V31 = Text(
    truncated=TRUNCATED_V31,
    utf8_ill_formed=UTF8_ILL_FORMED_V31,
    utf8_null=UTF8_NULL_V31,
    topic_empty=TOPIC_EMPTY_V31,
    topic_wildcard=TOPIC_WILDCARD_V31,
)
TOPIC_NAME_OR_EMPTY_V31 = Text(
    truncated=TRUNCATED_V31,
    utf8_ill_formed=UTF8_ILL_FORMED_V31,
    utf8_null=UTF8_NULL_V31,
    topic_wildcard=TOPIC_WILDCARD_V31,
)
TOPIC_FILTER_V31 = Text(
    truncated=TRUNCATED_V31,
    utf8_ill_formed=UTF8_ILL_FORMED_V31,
    utf8_null=UTF8_NULL_V31,
    topic_empty=TOPIC_EMPTY_V31,
    filter_hash=FILTER_HASH_V31,
    filter_plus=FILTER_PLUS_V31,
)
TOPIC_NAME_PROPERTY_V31 = Text(
    truncated=TRUNCATED_V31,
    utf8_ill_formed=UTF8_ILL_FORMED_V31,
    utf8_null=UTF8_NULL_V31,
    topic_empty=TOPIC_EMPTY_V31,
    topic_wildcard=TOPIC_WILDCARD_V31,
)
CLIENT_ID_V31 = Text(truncated=TRUNCATED_V31, utf8_ill_formed=UTF8_ILL_FORMED_V31, utf8_null=UTF8_NULL_V31)

# ---------------------------------------------------------------- The properties, and the packets that may carry them

PAYLOAD_FORMAT_INDICATOR = Property(
    0x01,
    "payload_format_indicator",
    U8_V5,
    placement=Rule("X5-payload_format_indicator-placement", "type", 0x81),
    once=Rule("X5-payload_format_indicator-once", "type", 0x82),
    limits=Limits(Rule("X5-payload_format_indicator-range", "value", 0x82), allowed=(0, 1)),
)
MESSAGE_EXPIRY_INTERVAL = Property(
    0x02,
    "message_expiry_interval",
    U32_V5,
    placement=Rule("X5-message_expiry_interval-placement", "type", 0x81),
    once=Rule("X5-message_expiry_interval-once", "type", 0x82),
)
CONTENT_TYPE = Property(
    0x03,
    "content_type",
    UTF8_V5,
    placement=Rule("X5-content_type-placement", "type", 0x81),
    once=Rule("X5-content_type-once", "type", 0x82),
)
RESPONSE_TOPIC = Property(
    0x08,
    "response_topic",
    TOPIC_NAME_PROPERTY_V5.citing(topic_wildcard=Rule("MQTT5-3.3.2-14", "value", 0x81)),
    placement=Rule("X5-response_topic-placement", "type", 0x81),
    once=Rule("X5-response_topic-once", "type", 0x82),
)
CORRELATION_DATA = Property(
    0x09,
    "correlation_data",
    BINARY_V5,
    placement=Rule("X5-correlation_data-placement", "type", 0x81),
    once=Rule("X5-correlation_data-once", "type", 0x82),
)
SUBSCRIPTION_IDENTIFIER = Property(
    0x0B,
    "subscription_identifier",
    VBI_V5,
    placement=Rule("X5-subscription_identifier-placement", "type", 0x81),
    once=Rule("X5-subscription_identifier-once", "type", 0x82),
    limits=Limits(Rule("X5-subscription_identifier-range", "value", 0x82), minimum=1),
)
SESSION_EXPIRY_INTERVAL = Property(
    0x11,
    "session_expiry_interval",
    U32_V5,
    placement=Rule("X5-session_expiry_interval-placement", "type", 0x81),
    once=Rule("X5-session_expiry_interval-once", "type", 0x82),
)
ASSIGNED_CLIENT_IDENTIFIER = Property(
    0x12,
    "assigned_client_identifier",
    UTF8_V5,
    placement=Rule("X5-assigned_client_identifier-placement", "type", 0x81),
    once=Rule("X5-assigned_client_identifier-once", "type", 0x82),
)
SERVER_KEEP_ALIVE = Property(
    0x13,
    "server_keep_alive",
    U16_V5,
    placement=Rule("X5-server_keep_alive-placement", "type", 0x81),
    once=Rule("X5-server_keep_alive-once", "type", 0x82),
)
AUTHENTICATION_METHOD = Property(
    0x15,
    "authentication_method",
    UTF8_V5,
    placement=Rule("X5-authentication_method-placement", "type", 0x81),
    once=Rule("X5-authentication_method-once", "type", 0x82),
)
AUTHENTICATION_DATA = Property(
    0x16,
    "authentication_data",
    BINARY_V5,
    placement=Rule("X5-authentication_data-placement", "type", 0x81),
    once=Rule("X5-authentication_data-once", "type", 0x82),
)
REQUEST_PROBLEM_INFORMATION = Property(
    0x17,
    "request_problem_information",
    U8_V5,
    placement=Rule("X5-request_problem_information-placement", "type", 0x81),
    once=Rule("X5-request_problem_information-once", "type", 0x82),
    limits=Limits(Rule("X5-request_problem_information-range", "value", 0x82), allowed=(0, 1)),
)
WILL_DELAY_INTERVAL = Property(
    0x18,
    "will_delay_interval",
    U32_V5,
    placement=Rule("X5-will_delay_interval-placement", "type", 0x81),
    once=Rule("X5-will_delay_interval-once", "type", 0x82),
)
REQUEST_RESPONSE_INFORMATION = Property(
    0x19,
    "request_response_information",
    U8_V5,
    placement=Rule("X5-request_response_information-placement", "type", 0x81),
    once=Rule("X5-request_response_information-once", "type", 0x82),
    limits=Limits(Rule("X5-request_response_information-range", "value", 0x82), allowed=(0, 1)),
)
RESPONSE_INFORMATION = Property(
    0x1A,
    "response_information",
    UTF8_V5,
    placement=Rule("X5-response_information-placement", "type", 0x81),
    once=Rule("X5-response_information-once", "type", 0x82),
)
SERVER_REFERENCE = Property(
    0x1C,
    "server_reference",
    UTF8_V5,
    placement=Rule("X5-server_reference-placement", "type", 0x81),
    once=Rule("X5-server_reference-once", "type", 0x82),
)
REASON_STRING = Property(
    0x1F,
    "reason_string",
    UTF8_V5,
    placement=Rule("X5-reason_string-placement", "type", 0x81),
    once=Rule("X5-reason_string-once", "type", 0x82),
)
RECEIVE_MAXIMUM = Property(
    0x21,
    "receive_maximum",
    U16_V5,
    placement=Rule("X5-receive_maximum-placement", "type", 0x81),
    once=Rule("X5-receive_maximum-once", "type", 0x82),
    limits=Limits(Rule("X5-receive_maximum-range", "value", 0x82), minimum=1),
)
TOPIC_ALIAS_MAXIMUM = Property(
    0x22,
    "topic_alias_maximum",
    U16_V5,
    placement=Rule("X5-topic_alias_maximum-placement", "type", 0x81),
    once=Rule("X5-topic_alias_maximum-once", "type", 0x82),
)
TOPIC_ALIAS = Property(
    0x23,
    "topic_alias",
    U16_V5,
    placement=Rule("X5-topic_alias-placement", "type", 0x81),
    once=Rule("X5-topic_alias-once", "type", 0x82),
    limits=Limits(Rule("MQTT5-3.3.2-8", "value", 0x94), minimum=1),
)
MAXIMUM_QOS = Property(
    0x24,
    "maximum_qos",
    U8_V5,
    placement=Rule("X5-maximum_qos-placement", "type", 0x81),
    once=Rule("X5-maximum_qos-once", "type", 0x82),
    limits=Limits(Rule("X5-maximum_qos-range", "value", 0x82), allowed=(0, 1)),
)
RETAIN_AVAILABLE = Property(
    0x25,
    "retain_available",
    U8_V5,
    placement=Rule("X5-retain_available-placement", "type", 0x81),
    once=Rule("X5-retain_available-once", "type", 0x82),
    limits=Limits(Rule("X5-retain_available-range", "value", 0x82), allowed=(0, 1)),
)
USER_PROPERTY = Property(
    0x26,
    "user_property",
    UTF8_PAIR_V5,
    placement=Rule("X5-user_property-placement", "type", 0x81),
)
MAXIMUM_PACKET_SIZE = Property(
    0x27,
    "maximum_packet_size",
    U32_V5,
    placement=Rule("X5-maximum_packet_size-placement", "type", 0x81),
    once=Rule("X5-maximum_packet_size-once", "type", 0x82),
    limits=Limits(Rule("X5-maximum_packet_size-range", "value", 0x82), minimum=1),
)
WILDCARD_SUBSCRIPTION_AVAILABLE = Property(
    0x28,
    "wildcard_subscription_available",
    U8_V5,
    placement=Rule("X5-wildcard_subscription_available-placement", "type", 0x81),
    once=Rule("X5-wildcard_subscription_available-once", "type", 0x82),
    limits=Limits(Rule("X5-wildcard_subscription_available-range", "value", 0x82), allowed=(0, 1)),
)
SUBSCRIPTION_IDENTIFIER_AVAILABLE = Property(
    0x29,
    "subscription_identifier_available",
    U8_V5,
    placement=Rule("X5-subscription_identifier_available-placement", "type", 0x81),
    once=Rule("X5-subscription_identifier_available-once", "type", 0x82),
    limits=Limits(Rule("X5-subscription_identifier_available-range", "value", 0x82), allowed=(0, 1)),
)
SHARED_SUBSCRIPTION_AVAILABLE = Property(
    0x2A,
    "shared_subscription_available",
    U8_V5,
    placement=Rule("X5-shared_subscription_available-placement", "type", 0x81),
    once=Rule("X5-shared_subscription_available-once", "type", 0x82),
    limits=Limits(Rule("X5-shared_subscription_available-range", "value", 0x82), allowed=(0, 1)),
)

PROPERTIES: Final[dict[int, Property]] = {
    0x01: PAYLOAD_FORMAT_INDICATOR,
    0x02: MESSAGE_EXPIRY_INTERVAL,
    0x03: CONTENT_TYPE,
    0x08: RESPONSE_TOPIC,
    0x09: CORRELATION_DATA,
    0x0B: SUBSCRIPTION_IDENTIFIER,
    0x11: SESSION_EXPIRY_INTERVAL,
    0x12: ASSIGNED_CLIENT_IDENTIFIER,
    0x13: SERVER_KEEP_ALIVE,
    0x15: AUTHENTICATION_METHOD,
    0x16: AUTHENTICATION_DATA,
    0x17: REQUEST_PROBLEM_INFORMATION,
    0x18: WILL_DELAY_INTERVAL,
    0x19: REQUEST_RESPONSE_INFORMATION,
    0x1A: RESPONSE_INFORMATION,
    0x1C: SERVER_REFERENCE,
    0x1F: REASON_STRING,
    0x21: RECEIVE_MAXIMUM,
    0x22: TOPIC_ALIAS_MAXIMUM,
    0x23: TOPIC_ALIAS,
    0x24: MAXIMUM_QOS,
    0x25: RETAIN_AVAILABLE,
    0x26: USER_PROPERTY,
    0x27: MAXIMUM_PACKET_SIZE,
    0x28: WILDCARD_SUBSCRIPTION_AVAILABLE,
    0x29: SUBSCRIPTION_IDENTIFIER_AVAILABLE,
    0x2A: SHARED_SUBSCRIPTION_AVAILABLE,
}

CONNECT_SET = PropertySet(
    ConnectProperties,
    client=(
        SESSION_EXPIRY_INTERVAL,
        AUTHENTICATION_METHOD,
        AUTHENTICATION_DATA,
        REQUEST_PROBLEM_INFORMATION,
        REQUEST_RESPONSE_INFORMATION,
        RECEIVE_MAXIMUM,
        TOPIC_ALIAS_MAXIMUM,
        USER_PROPERTY,
        MAXIMUM_PACKET_SIZE,
    ),
    many=(USER_PROPERTY,),
    needs=(
        ("authentication_data", "authentication_method", Rule("X5-authentication_data-needs", "cross_field", 0x82)),
    ),
)

WILL_SET = PropertySet(
    WillProperties,
    client=(
        PAYLOAD_FORMAT_INDICATOR,
        MESSAGE_EXPIRY_INTERVAL,
        CONTENT_TYPE,
        RESPONSE_TOPIC,
        CORRELATION_DATA,
        WILL_DELAY_INTERVAL,
        USER_PROPERTY,
    ),
    many=(USER_PROPERTY,),
)

CONNACK_SET = PropertySet(
    ConnackProperties,
    server=(
        SESSION_EXPIRY_INTERVAL,
        ASSIGNED_CLIENT_IDENTIFIER,
        SERVER_KEEP_ALIVE,
        AUTHENTICATION_METHOD,
        AUTHENTICATION_DATA,
        RESPONSE_INFORMATION,
        SERVER_REFERENCE,
        REASON_STRING,
        RECEIVE_MAXIMUM,
        TOPIC_ALIAS_MAXIMUM,
        MAXIMUM_QOS,
        RETAIN_AVAILABLE,
        USER_PROPERTY,
        MAXIMUM_PACKET_SIZE,
        WILDCARD_SUBSCRIPTION_AVAILABLE,
        SUBSCRIPTION_IDENTIFIER_AVAILABLE,
        SHARED_SUBSCRIPTION_AVAILABLE,
    ),
    many=(USER_PROPERTY,),
)

PUBLISH_SET = PropertySet(
    PublishProperties,
    client=(
        PAYLOAD_FORMAT_INDICATOR,
        MESSAGE_EXPIRY_INTERVAL,
        CONTENT_TYPE,
        RESPONSE_TOPIC,
        CORRELATION_DATA,
        TOPIC_ALIAS,
        USER_PROPERTY,
    ),
    server=(
        PAYLOAD_FORMAT_INDICATOR,
        MESSAGE_EXPIRY_INTERVAL,
        CONTENT_TYPE,
        RESPONSE_TOPIC,
        CORRELATION_DATA,
        SUBSCRIPTION_IDENTIFIER,
        TOPIC_ALIAS,
        USER_PROPERTY,
    ),
    many=(SUBSCRIPTION_IDENTIFIER, USER_PROPERTY),
    elsewhere={(0x0B, CLIENT): Rule("MQTT5-3.3.4-6", "type", 0x82)},
)

PUBACK_SET = PropertySet(
    PubackProperties,
    client=(REASON_STRING, USER_PROPERTY),
    server=(REASON_STRING, USER_PROPERTY),
    many=(USER_PROPERTY,),
)

PUBREC_SET = PropertySet(
    PubrecProperties,
    client=(REASON_STRING, USER_PROPERTY),
    server=(REASON_STRING, USER_PROPERTY),
    many=(USER_PROPERTY,),
)

PUBREL_SET = PropertySet(
    PubrelProperties,
    client=(REASON_STRING, USER_PROPERTY),
    server=(REASON_STRING, USER_PROPERTY),
    many=(USER_PROPERTY,),
)

PUBCOMP_SET = PropertySet(
    PubcompProperties,
    client=(REASON_STRING, USER_PROPERTY),
    server=(REASON_STRING, USER_PROPERTY),
    many=(USER_PROPERTY,),
)

SUBSCRIBE_SET = PropertySet(
    SubscribeProperties,
    client=(SUBSCRIPTION_IDENTIFIER, USER_PROPERTY),
    many=(USER_PROPERTY,),
)

SUBACK_SET = PropertySet(SubackProperties, server=(REASON_STRING, USER_PROPERTY), many=(USER_PROPERTY,))

UNSUBSCRIBE_SET = PropertySet(UnsubscribeProperties, client=(USER_PROPERTY,), many=(USER_PROPERTY,))

UNSUBACK_SET = PropertySet(UnsubackProperties, server=(REASON_STRING, USER_PROPERTY), many=(USER_PROPERTY,))

DISCONNECT_SET = PropertySet(
    DisconnectProperties,
    client=(SESSION_EXPIRY_INTERVAL, SERVER_REFERENCE, REASON_STRING, USER_PROPERTY),
    server=(SERVER_REFERENCE, REASON_STRING, USER_PROPERTY),
    many=(USER_PROPERTY,),
    elsewhere={(0x11, SERVER): Rule("MQTT5-3.14.2-2", "type", 0x82)},
)

AUTH_SET = PropertySet(
    AuthProperties,
    client=(AUTHENTICATION_METHOD, AUTHENTICATION_DATA, REASON_STRING, USER_PROPERTY),
    server=(AUTHENTICATION_METHOD, AUTHENTICATION_DATA, REASON_STRING, USER_PROPERTY),
    many=(USER_PROPERTY,),
    required=(("authentication_method", Rule("X5-auth-authentication_method-required", "cross_field", 0x82)),),
)

# ---------------------------------------------------------------- MQTT 5.0: packets

PROTOCOL_V5 = Protocol(
    names={b"MQTT": (4, 5), b"MQIsdp": (3,)},
    own=b"MQTT",
    name=Rule("MQTT5-3.1.2-1", "value", 0x84),
    level={
        3: Rule("X31-protocol-version", "value", 0x84),
        4: Rule("MQTT311-3.1.2-2", "value", 0x84),
        5: Rule("MQTT5-3.1.2-2", "value", 0x84),
    },
    truncated=TRUNCATED_V5,
)

FIXED_HEADER_V5 = Struct(
    "fixed_header" / FixedHeader(
        {
            1: Header((CLIENT,), flags=0b0000, flags_rule=Rule("MQTT5-2.1.3-1", "value", 0x81)),
            2: Header((SERVER,), flags=0b0000, flags_rule=Rule("MQTT5-2.1.3-1", "value", 0x81)),
            3: Header(
                (CLIENT, SERVER),
                bits={"dup": (3, 1), "qos": (1, 2), "retain": (0, 1)},
                checks=(
                    Check(lambda this: this.qos == 3, Rule("MQTT5-3.3.1-4", "value", 0x81)),
                    Check(lambda this: this.dup and (not this.qos), Rule("MQTT5-3.3.1-2", "value", 0x82)),
                ),
            ),
            4: Header((CLIENT, SERVER), flags=0b0000, flags_rule=Rule("MQTT5-2.1.3-1", "value", 0x81)),
            5: Header((CLIENT, SERVER), flags=0b0000, flags_rule=Rule("MQTT5-2.1.3-1", "value", 0x81)),
            6: Header((CLIENT, SERVER), flags=0b0010, flags_rule=Rule("MQTT5-3.6.1-1", "value", 0x81)),
            7: Header((CLIENT, SERVER), flags=0b0000, flags_rule=Rule("MQTT5-2.1.3-1", "value", 0x81)),
            8: Header((CLIENT,), flags=0b0010, flags_rule=Rule("MQTT5-3.8.1-1", "value", 0x81)),
            9: Header((SERVER,), flags=0b0000, flags_rule=Rule("MQTT5-2.1.3-1", "value", 0x81)),
            10: Header((CLIENT,), flags=0b0010, flags_rule=Rule("MQTT5-3.10.1-1", "value", 0x81)),
            11: Header((SERVER,), flags=0b0000, flags_rule=Rule("MQTT5-2.1.3-1", "value", 0x81)),
            12: Header((CLIENT,), flags=0b0000, flags_rule=Rule("MQTT5-2.1.3-1", "value", 0x81)),
            13: Header((SERVER,), flags=0b0000, flags_rule=Rule("MQTT5-2.1.3-1", "value", 0x81)),
            14: Header((CLIENT, SERVER), flags=0b0000, flags_rule=Rule("MQTT5-3.14.1-1", "value", 0x81)),
            15: Header((CLIENT, SERVER), flags=0b0000, flags_rule=Rule("MQTT5-3.15.1-1", "value", 0x81)),
        },
        reserved_type=Rule("X5-packet-type-reserved", "type", 0x81),
        wrong_sender=Rule("X5-packet-direction", "type", 0x82),
        truncated=TRUNCATED_V5,
    ),
    "remaining_length" / RemainingLength(truncated=TRUNCATED_V5, vbi_long=VBI_LONG_V5, vbi_minimal=VBI_MINIMAL_V5),
)

CONNECT_V5 = Struct(
    "protocol_version" / PROTOCOL_V5,
    "connect_flags" / Bits(
        {
            "username_flag": (7, 1),
            "password_flag": (6, 1),
            "will_retain": (5, 1),
            "will_qos": (3, 2),
            "will_flag": (2, 1),
            "clean_start": (1, 1),
            "reserved": (0, 1),
        },
        checks=(
            Check(lambda this: this.reserved, Rule("MQTT5-3.1.2-3", "value", 0x81)),
            Check(lambda this: this.will_flag and this.will_qos == 3, Rule("MQTT5-3.1.2-12", "value", 0x81)),
            Check(lambda this: not this.will_flag and this.will_qos, Rule("MQTT5-3.1.2-11", "value", 0x82)),
            Check(lambda this: not this.will_flag and this.will_retain, Rule("MQTT5-3.1.2-13", "value", 0x82)),
        ),
        truncated=TRUNCATED_V5,
    ),
    "keep_alive" / U16_V5,
    "properties" / PropertyList(
        CONNECT_SET,
        PROPERTIES,
        VBI_V5,
        Rule("X5-property-unknown", "type", 0x81),
        truncated=TRUNCATED_V5,
    ),
    "client_id" / CLIENT_ID_V5.citing(missing=Rule("MQTT5-3.1.3-3", "length", 0x81)),
    "will_properties" / If(
        lambda this: this.will_flag,
        PropertyList(
            WILL_SET,
            PROPERTIES,
            VBI_V5,
            Rule("X5-property-unknown", "type", 0x81),
            truncated=TRUNCATED_V5,
            missing=Rule("MQTT5-3.1.2-9", "length", 0x81),
        ),
    ),
    "will_topic" / If(lambda this: this.will_flag, TOPIC_NAME_V5.citing(missing=Rule("MQTT5-3.1.2-9", "length", 0x81))),
    "will_payload" / If(lambda this: this.will_flag, BINARY_V5.citing(missing=Rule("MQTT5-3.1.2-9", "length", 0x81))),
    "username" / If(lambda this: this.username_flag, UTF8_V5.citing(missing=Rule("MQTT5-3.1.2-17", "length", 0x81))),
    "password" / If(lambda this: this.password_flag, BINARY_V5.citing(missing=Rule("MQTT5-3.1.2-19", "length", 0x81))),
)

CONNACK_V5 = Struct(
    "acknowledge_flags" / Bits(
        {"reserved": (1, 7), "session_present": (0, 1)},
        checks=(Check(lambda this: this.reserved, Rule("MQTT5-3.2.2-1", "value", 0x81)),),
        truncated=TRUNCATED_V5,
    ),
    "reason_code" / Reason(
        {
            SERVER: (
                0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
                0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
            ),
        },
        {
            0x00: "Success",
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
            0x8C: "Bad authentication method",
            0x90: "Topic Name invalid",
            0x95: "Packet too large",
            0x97: "Quota exceeded",
            0x99: "Payload format invalid",
            0x9A: "Retain not supported",
            0x9B: "QoS not supported",
            0x9C: "Use another server",
            0x9D: "Server moved",
            0x9F: "Connection rate exceeded",
        },
        Rule("MQTT5-3.2.2-8", "value", 0x82),
        checks=(
            Check(lambda this: this.session_present and this.reason_code, Rule("MQTT5-3.2.2-6", "cross_field", 0x82)),
        ),
        truncated=TRUNCATED_V5,
    ),
    "properties" / PropertyList(
        CONNACK_SET,
        PROPERTIES,
        VBI_V5,
        Rule("X5-property-unknown", "type", 0x81),
        truncated=TRUNCATED_V5,
    ),
)

PUBLISH_V5 = Struct(
    "topic" / TOPIC_NAME_OR_EMPTY_V5.citing(
        missing=Rule("MQTT5-3.3.2-1", "length", 0x81),
        topic_wildcard=Rule("MQTT5-3.3.2-2", "value", 0x81),
    ),
    "packet_id" / If(
        lambda this: this._.qos,
        PacketId(
            {CLIENT: Rule("MQTT5-2.2.1-3", "value", 0x82), SERVER: Rule("MQTT5-2.2.1-4", "value", 0x82)},
            truncated=TRUNCATED_V5,
        ),
    ),
    "properties" / PropertyList(
        PUBLISH_SET,
        PROPERTIES,
        VBI_V5,
        Rule("X5-property-unknown", "type", 0x81),
        checks=(
            Check(
                lambda this: not this.topic and (not has(this.properties, "topic_alias")),
                Rule("X5-publish-topic-or-alias", "cross_field", 0x82),
            ),
        ),
        truncated=TRUNCATED_V5,
    ),
    "payload" / Rest(),
)

PUBACK_V5 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("MQTT5-2.2.1-5", "value", 0x82), SERVER: Rule("MQTT5-2.2.1-5", "value", 0x82)},
        truncated=TRUNCATED_V5,
    ),
    "reason_code" / MayEnd(
        Reason(
            {
                CLIENT: (0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99),
                SERVER: (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99),
            },
            {
                0x00: "Success",
                0x10: "No matching subscribers",
                0x80: "Unspecified error",
                0x83: "Implementation specific error",
                0x87: "Not authorized",
                0x90: "Topic Name invalid",
                0x91: "Packet Identifier in use",
                0x97: "Quota exceeded",
                0x99: "Payload format invalid",
            },
            Rule("MQTT5-3.4.2-1", "value", 0x82),
            truncated=TRUNCATED_V5,
        ),
    ),
    "properties" / MayEnd(
        PropertyList(PUBACK_SET, PROPERTIES, VBI_V5, Rule("X5-property-unknown", "type", 0x81), truncated=TRUNCATED_V5),
    ),
)

PUBREC_V5 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("MQTT5-2.2.1-5", "value", 0x82), SERVER: Rule("MQTT5-2.2.1-5", "value", 0x82)},
        truncated=TRUNCATED_V5,
    ),
    "reason_code" / MayEnd(
        Reason(
            {
                CLIENT: (0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99),
                SERVER: (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99),
            },
            {
                0x00: "Success",
                0x10: "No matching subscribers",
                0x80: "Unspecified error",
                0x83: "Implementation specific error",
                0x87: "Not authorized",
                0x90: "Topic Name invalid",
                0x91: "Packet Identifier in use",
                0x97: "Quota exceeded",
                0x99: "Payload format invalid",
            },
            Rule("MQTT5-3.5.2-1", "value", 0x82),
            truncated=TRUNCATED_V5,
        ),
    ),
    "properties" / MayEnd(
        PropertyList(PUBREC_SET, PROPERTIES, VBI_V5, Rule("X5-property-unknown", "type", 0x81), truncated=TRUNCATED_V5),
    ),
)

PUBREL_V5 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("MQTT5-2.2.1-5", "value", 0x82), SERVER: Rule("MQTT5-2.2.1-5", "value", 0x82)},
        truncated=TRUNCATED_V5,
    ),
    "reason_code" / MayEnd(
        Reason(
            {CLIENT: (0x00, 0x92), SERVER: (0x00, 0x92)},
            {0x00: "Success", 0x92: "Packet Identifier not found"},
            Rule("MQTT5-3.6.2-1", "value", 0x82),
            truncated=TRUNCATED_V5,
        ),
    ),
    "properties" / MayEnd(
        PropertyList(PUBREL_SET, PROPERTIES, VBI_V5, Rule("X5-property-unknown", "type", 0x81), truncated=TRUNCATED_V5),
    ),
)

PUBCOMP_V5 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("MQTT5-2.2.1-5", "value", 0x82), SERVER: Rule("MQTT5-2.2.1-5", "value", 0x82)},
        truncated=TRUNCATED_V5,
    ),
    "reason_code" / MayEnd(
        Reason(
            {CLIENT: (0x00, 0x92), SERVER: (0x00, 0x92)},
            {0x00: "Success", 0x92: "Packet Identifier not found"},
            Rule("MQTT5-3.7.2-1", "value", 0x82),
            truncated=TRUNCATED_V5,
        ),
    ),
    "properties" / MayEnd(
        PropertyList(
            PUBCOMP_SET,
            PROPERTIES,
            VBI_V5,
            Rule("X5-property-unknown", "type", 0x81),
            truncated=TRUNCATED_V5,
        ),
    ),
)

SUBSCRIBE_V5 = Struct(
    "packet_id" / PacketId({CLIENT: Rule("MQTT5-2.2.1-3", "value", 0x82)}, truncated=TRUNCATED_V5),
    "properties" / PropertyList(
        SUBSCRIBE_SET,
        PROPERTIES,
        VBI_V5,
        Rule("X5-property-unknown", "type", 0x81),
        truncated=TRUNCATED_V5,
    ),
    "subscriptions" / ListOf(
        Struct(
            "topic_filter" / TOPIC_FILTER_V5,
            "options" / Bits(
                {
                    "reserved": (6, 2),
                    "retain_handling": (4, 2),
                    "retain_as_published": (3, 1),
                    "no_local": (2, 1),
                    "qos": (0, 2),
                },
                checks=(
                    Check(lambda this: this.reserved, Rule("MQTT5-3.8.3-5", "value", 0x81)),
                    Check(lambda this: this.qos == 3, Rule("X5-subscribe-qos", "value", 0x82)),
                    Check(lambda this: this.retain_handling == 3, Rule("X5-subscribe-retain-handling", "value", 0x82)),
                    Check(
                        lambda this: this.no_local and this.topic_filter.startswith("$share/"),
                        Rule("MQTT5-3.8.3-4", "cross_field", 0x82),
                    ),
                ),
                truncated=TRUNCATED_V5,
            ),
        ),
        Subscription,
        truncated=TRUNCATED_V5,
        empty=Rule("MQTT5-3.8.3-2", "length", 0x82),
    ),
)

SUBACK_V5 = Struct(
    "packet_id" / PacketId({SERVER: Rule("MQTT5-2.2.1-6", "value", 0x82)}, truncated=TRUNCATED_V5),
    "properties" / PropertyList(
        SUBACK_SET,
        PROPERTIES,
        VBI_V5,
        Rule("X5-property-unknown", "type", 0x81),
        truncated=TRUNCATED_V5,
    ),
    "reason_codes" / Reasons(
        {SERVER: (0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2)},
        {
            0x00: "Granted QoS 0",
            0x01: "Granted QoS 1",
            0x02: "Granted QoS 2",
            0x80: "Unspecified error",
            0x83: "Implementation specific error",
            0x87: "Not authorized",
            0x8F: "Topic Filter invalid",
            0x91: "Packet Identifier in use",
            0x97: "Quota exceeded",
            0x9E: "Shared Subscriptions not supported",
            0xA1: "Subscription Identifiers not supported",
            0xA2: "Wildcard Subscriptions not supported",
        },
        Rule("MQTT5-3.9.3-2", "value", 0x82),
        truncated=TRUNCATED_V5,
        empty=Rule("MQTT5-3.8.4-6", "length", 0x82),
    ),
)

UNSUBSCRIBE_V5 = Struct(
    "packet_id" / PacketId({CLIENT: Rule("MQTT5-2.2.1-3", "value", 0x82)}, truncated=TRUNCATED_V5),
    "properties" / PropertyList(
        UNSUBSCRIBE_SET,
        PROPERTIES,
        VBI_V5,
        Rule("X5-property-unknown", "type", 0x81),
        truncated=TRUNCATED_V5,
    ),
    "topic_filters" / ListOf(
        "topic_filter" / TOPIC_FILTER_V5,
        truncated=TRUNCATED_V5,
        empty=Rule("MQTT5-3.10.3-2", "length", 0x82),
    ),
)

UNSUBACK_V5 = Struct(
    "packet_id" / PacketId({SERVER: Rule("MQTT5-2.2.1-6", "value", 0x82)}, truncated=TRUNCATED_V5),
    "properties" / PropertyList(
        UNSUBACK_SET,
        PROPERTIES,
        VBI_V5,
        Rule("X5-property-unknown", "type", 0x81),
        truncated=TRUNCATED_V5,
    ),
    "reason_codes" / Reasons(
        {SERVER: (0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91)},
        {
            0x00: "Success",
            0x11: "No subscription existed",
            0x80: "Unspecified error",
            0x83: "Implementation specific error",
            0x87: "Not authorized",
            0x8F: "Topic Filter invalid",
            0x91: "Packet Identifier in use",
        },
        Rule("MQTT5-3.11.3-2", "value", 0x82),
        truncated=TRUNCATED_V5,
        empty=Rule("X5-unsuback-reason-codes", "length", 0x82),
    ),
)

PINGREQ_V5 = Struct()

PINGRESP_V5 = Struct()

DISCONNECT_V5 = Struct(
    "reason_code" / MayEnd(
        Reason(
            {
                CLIENT: (
                    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x8C, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9B,
                ),
                SERVER: (
                    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
                    0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
                ),
            },
            {
                0x00: "Normal disconnection",
                0x04: "Disconnect with Will Message",
                0x80: "Unspecified error",
                0x81: "Malformed Packet",
                0x82: "Protocol Error",
                0x83: "Implementation specific error",
                0x87: "Not authorized",
                0x89: "Server busy",
                0x8B: "Server shutting down",
                0x8C: "Bad authentication method",
                0x8D: "Keep Alive timeout",
                0x8E: "Session taken over",
                0x8F: "Topic Filter invalid",
                0x90: "Topic Name invalid",
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
            },
            Rule("MQTT5-3.14.2-1", "value", 0x82),
            truncated=TRUNCATED_V5,
        ),
    ),
    "properties" / MayEnd(
        PropertyList(
            DISCONNECT_SET,
            PROPERTIES,
            VBI_V5,
            Rule("X5-property-unknown", "type", 0x81),
            truncated=TRUNCATED_V5,
        ),
    ),
)

AUTH_V5 = Struct(
    "reason_code" / MayEnd(
        Reason(
            {CLIENT: (0x18, 0x19), SERVER: (0x00, 0x18)},
            {0x00: "Success", 0x18: "Continue authentication", 0x19: "Re-authenticate"},
            Rule("MQTT5-3.15.2-1", "value", 0x82),
            truncated=TRUNCATED_V5,
        ),
    ),
    "properties" / MayEnd(
        PropertyList(AUTH_SET, PROPERTIES, VBI_V5, Rule("X5-property-unknown", "type", 0x81), truncated=TRUNCATED_V5),
    ),
)

# ---------------------------------------------------------------- MQTT 3.1.1: packets

PROTOCOL_V311 = Protocol(
    names={b"MQTT": (4, 5), b"MQIsdp": (3,)},
    own=b"MQTT",
    name=Rule("MQTT311-3.1.2-1", "value", 0x84),
    level={
        3: Rule("X31-protocol-version", "value", 0x84),
        4: Rule("MQTT311-3.1.2-2", "value", 0x84),
        5: Rule("MQTT5-3.1.2-2", "value", 0x84),
    },
    truncated=TRUNCATED_V311,
)

FIXED_HEADER_V311 = Struct(
    "fixed_header" / FixedHeader(
        {
            1: Header((CLIENT,), flags=0b0000, flags_rule=Rule("MQTT311-2.2.2-1", "value", 0x81)),
            2: Header((SERVER,), flags=0b0000, flags_rule=Rule("MQTT311-2.2.2-1", "value", 0x81)),
            3: Header(
                (CLIENT, SERVER),
                bits={"dup": (3, 1), "qos": (1, 2), "retain": (0, 1)},
                checks=(
                    Check(lambda this: this.qos == 3, Rule("MQTT311-3.3.1-4", "value", 0x81)),
                    Check(lambda this: this.dup and (not this.qos), Rule("MQTT311-3.3.1-2", "value", 0x82)),
                ),
            ),
            4: Header((CLIENT, SERVER), flags=0b0000, flags_rule=Rule("MQTT311-2.2.2-1", "value", 0x81)),
            5: Header((CLIENT, SERVER), flags=0b0000, flags_rule=Rule("MQTT311-2.2.2-1", "value", 0x81)),
            6: Header((CLIENT, SERVER), flags=0b0010, flags_rule=Rule("MQTT311-3.6.1-1", "value", 0x81)),
            7: Header((CLIENT, SERVER), flags=0b0000, flags_rule=Rule("MQTT311-2.2.2-1", "value", 0x81)),
            8: Header((CLIENT,), flags=0b0010, flags_rule=Rule("MQTT311-3.8.1-1", "value", 0x81)),
            9: Header((SERVER,), flags=0b0000, flags_rule=Rule("MQTT311-2.2.2-1", "value", 0x81)),
            10: Header((CLIENT,), flags=0b0010, flags_rule=Rule("MQTT311-3.10.1-1", "value", 0x81)),
            11: Header((SERVER,), flags=0b0000, flags_rule=Rule("MQTT311-2.2.2-1", "value", 0x81)),
            12: Header((CLIENT,), flags=0b0000, flags_rule=Rule("MQTT311-2.2.2-1", "value", 0x81)),
            13: Header((SERVER,), flags=0b0000, flags_rule=Rule("MQTT311-2.2.2-1", "value", 0x81)),
            14: Header((CLIENT,), flags=0b0000, flags_rule=Rule("MQTT311-3.14.1-1", "value", 0x81)),
        },
        reserved_type=Rule("X311-packet-type-reserved", "type", 0x81),
        wrong_sender=Rule("X311-packet-direction", "type", 0x82),
        truncated=TRUNCATED_V311,
    ),
    "remaining_length" / RemainingLength(truncated=TRUNCATED_V311, vbi_long=VBI_LONG_V311),
)

CONNECT_V311 = Struct(
    "protocol_version" / PROTOCOL_V311,
    "connect_flags" / Bits(
        {
            "username_flag": (7, 1),
            "password_flag": (6, 1),
            "will_retain": (5, 1),
            "will_qos": (3, 2),
            "will_flag": (2, 1),
            "clean_start": (1, 1),
            "reserved": (0, 1),
        },
        checks=(
            Check(lambda this: this.reserved, Rule("MQTT311-3.1.2-3", "value", 0x81)),
            Check(lambda this: this.will_flag and this.will_qos == 3, Rule("MQTT311-3.1.2-14", "value", 0x81)),
            Check(lambda this: not this.will_flag and this.will_qos, Rule("MQTT311-3.1.2-13", "value", 0x82)),
            Check(lambda this: not this.will_flag and this.will_retain, Rule("MQTT311-3.1.2-15", "value", 0x82)),
            Check(
                lambda this: this.password_flag and (not this.username_flag),
                Rule("MQTT311-3.1.2-22", "value", 0x82),
            ),
        ),
        truncated=TRUNCATED_V311,
    ),
    "keep_alive" / U16_V311,
    "client_id" / CLIENT_ID_V311.citing(missing=Rule("MQTT311-3.1.3-3", "length", 0x81)),
    "will_topic" / If(
        lambda this: this.will_flag,
        TOPIC_NAME_V311.citing(missing=Rule("MQTT311-3.1.2-9", "length", 0x81)),
    ),
    "will_payload" / If(
        lambda this: this.will_flag,
        BINARY_V311.citing(missing=Rule("MQTT311-3.1.2-9", "length", 0x81)),
    ),
    "username" / If(
        lambda this: this.username_flag,
        UTF8_V311.citing(missing=Rule("MQTT311-3.1.2-19", "length", 0x81)),
    ),
    "password" / If(
        lambda this: this.password_flag,
        BINARY_V311.citing(missing=Rule("MQTT311-3.1.2-21", "length", 0x81)),
    ),
)

CONNACK_V311 = Struct(
    "acknowledge_flags" / Bits(
        {"reserved": (1, 7), "session_present": (0, 1)},
        checks=(Check(lambda this: this.reserved, Rule("X311-connack-reserved-bits", "value", 0x81)),),
        truncated=TRUNCATED_V311,
    ),
    "reason_code" / Reason(
        {SERVER: (0x00, 0x01, 0x02, 0x03, 0x04, 0x05)},
        {
            0x00: "Connection accepted",
            0x01: "Unacceptable protocol version",
            0x02: "Identifier rejected",
            0x03: "Server unavailable",
            0x04: "Bad user name or password",
            0x05: "Not authorized",
        },
        Rule("X311-connack-codes-reserved", "value", 0x82),
        checks=(
            Check(lambda this: this.session_present and this.reason_code, Rule("MQTT311-3.2.2-4", "cross_field", 0x82)),
        ),
        truncated=TRUNCATED_V311,
    ),
)

PUBLISH_V311 = Struct(
    "topic" / TOPIC_NAME_V311.citing(
        missing=Rule("MQTT311-3.3.2-1", "length", 0x81),
        topic_wildcard=Rule("MQTT311-3.3.2-2", "value", 0x81),
    ),
    "packet_id" / If(
        lambda this: this._.qos,
        PacketId(
            {CLIENT: Rule("MQTT311-2.3.1-1", "value", 0x82), SERVER: Rule("MQTT311-2.3.1-1", "value", 0x82)},
            truncated=TRUNCATED_V311,
        ),
    ),
    "payload" / Rest(),
)

PUBACK_V311 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("MQTT311-2.3.1-6", "value", 0x82), SERVER: Rule("MQTT311-2.3.1-6", "value", 0x82)},
        truncated=TRUNCATED_V311,
    ),
)

PUBREC_V311 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("MQTT311-2.3.1-6", "value", 0x82), SERVER: Rule("MQTT311-2.3.1-6", "value", 0x82)},
        truncated=TRUNCATED_V311,
    ),
)

PUBREL_V311 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("MQTT311-2.3.1-6", "value", 0x82), SERVER: Rule("MQTT311-2.3.1-6", "value", 0x82)},
        truncated=TRUNCATED_V311,
    ),
)

PUBCOMP_V311 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("X311-pubcomp-packet-id", "value", 0x82), SERVER: Rule("X311-pubcomp-packet-id", "value", 0x82)},
        truncated=TRUNCATED_V311,
    ),
)

SUBSCRIBE_V311 = Struct(
    "packet_id" / PacketId({CLIENT: Rule("MQTT311-2.3.1-1", "value", 0x82)}, truncated=TRUNCATED_V311),
    "subscriptions" / ListOf(
        Struct(
            "topic_filter" / TOPIC_FILTER_V311,
            "options" / Bits(
                {"qos": (0, 2)},
                checks=(
                    Check(lambda this: this.value > 3, Rule("MQTT311-3.8.3-4", "value", 0x81)),
                    Check(lambda this: this.qos == 3, Rule("MQTT311-3.8.3-4", "value", 0x82)),
                ),
                truncated=TRUNCATED_V311,
            ),
        ),
        Subscription,
        truncated=TRUNCATED_V311,
        empty=Rule("MQTT311-3.8.3-3", "length", 0x82),
    ),
)

SUBACK_V311 = Struct(
    "packet_id" / PacketId({SERVER: Rule("MQTT311-2.3.1-7", "value", 0x82)}, truncated=TRUNCATED_V311),
    "reason_codes" / Reasons(
        {SERVER: (0x00, 0x01, 0x02, 0x80)},
        {0x00: "Granted QoS 0", 0x01: "Granted QoS 1", 0x02: "Granted QoS 2", 0x80: "Unspecified error"},
        Rule("MQTT311-3.9.3-2", "value", 0x82),
        truncated=TRUNCATED_V311,
        empty=Rule("MQTT311-3.8.4-5", "length", 0x82),
    ),
)

UNSUBSCRIBE_V311 = Struct(
    "packet_id" / PacketId({CLIENT: Rule("MQTT311-2.3.1-1", "value", 0x82)}, truncated=TRUNCATED_V311),
    "topic_filters" / ListOf(
        "topic_filter" / TOPIC_FILTER_V311,
        truncated=TRUNCATED_V311,
        empty=Rule("MQTT311-3.10.3-2", "length", 0x82),
    ),
)

UNSUBACK_V311 = Struct(
    "packet_id" / PacketId({SERVER: Rule("MQTT311-2.3.1-7", "value", 0x82)}, truncated=TRUNCATED_V311),
)

PINGREQ_V311 = Struct()

PINGRESP_V311 = Struct()

DISCONNECT_V311 = Struct()

# ---------------------------------------------------------------- MQTT 3.1: packets

PROTOCOL_V31 = Protocol(
    names={b"MQTT": (4, 5), b"MQIsdp": (3,)},
    own=b"MQIsdp",
    name=Rule("X31-protocol-name", "value", 0x84),
    level={
        3: Rule("X31-protocol-version", "value", 0x84),
        4: Rule("MQTT311-3.1.2-2", "value", 0x84),
        5: Rule("MQTT5-3.1.2-2", "value", 0x84),
    },
    truncated=TRUNCATED_V31,
)

FIXED_HEADER_V31 = Struct(
    "fixed_header" / FixedHeader(
        {
            1: Header((CLIENT,), flags=0b0000),
            2: Header((SERVER,), flags=0b0000),
            3: Header(
                (CLIENT, SERVER),
                bits={"dup": (3, 1), "qos": (1, 2), "retain": (0, 1)},
                checks=(Check(lambda this: this.qos == 3, Rule("X31-publish-qos", "value", 0x81)),),
            ),
            4: Header((CLIENT, SERVER), flags=0b0000),
            5: Header((CLIENT, SERVER), flags=0b0000),
            6: Header((CLIENT, SERVER), flags=0b0010),
            7: Header((CLIENT, SERVER), flags=0b0000),
            8: Header((CLIENT,), flags=0b0010),
            9: Header((SERVER,), flags=0b0000),
            10: Header((CLIENT,), flags=0b0010),
            11: Header((SERVER,), flags=0b0000),
            12: Header((CLIENT,), flags=0b0000),
            13: Header((SERVER,), flags=0b0000),
            14: Header((CLIENT,), flags=0b0000),
        },
        reserved_type=Rule("X31-packet-type-reserved", "type", 0x81),
        wrong_sender=Rule("X31-packet-direction", "type", 0x82),
        truncated=TRUNCATED_V31,
    ),
    "remaining_length" / RemainingLength(truncated=TRUNCATED_V31, vbi_long=VBI_LONG_V31),
)

CONNECT_V31 = Struct(
    "protocol_version" / PROTOCOL_V31,
    "connect_flags" / Bits(
        {
            "username_flag": (7, 1),
            "password_flag": (6, 1),
            "will_retain": (5, 1),
            "will_qos": (3, 2),
            "will_flag": (2, 1),
            "clean_start": (1, 1),
            "reserved": (0, 1),
        },
        checks=(
            Check(lambda this: this.will_flag and this.will_qos == 3, Rule("X31-will-qos", "value", 0x81)),
            Check(
                lambda this: this.password_flag and (not this.username_flag),
                Rule("X31-password-without-user-name", "value", 0x82),
            ),
        ),
        truncated=TRUNCATED_V31,
    ),
    "keep_alive" / U16_V31,
    "client_id" / CLIENT_ID_V31,
    "will_topic" / If(lambda this: this.will_flag, TOPIC_NAME_V31),
    "will_payload" / If(lambda this: this.will_flag, BINARY_V31),
    "username" / If(lambda this: this.username_flag, MayEnd(UTF8_V31)),
    "password" / If(lambda this: this.password_flag, MayEnd(BINARY_V31)),
)

CONNACK_V31 = Struct(
    "acknowledge_flags" / Bits({"reserved": (1, 7)}, truncated=TRUNCATED_V31),
    "reason_code" / Reason(
        {SERVER: (0x00, 0x01, 0x02, 0x03, 0x04, 0x05)},
        {
            0x00: "Connection accepted",
            0x01: "Unacceptable protocol version",
            0x02: "Identifier rejected",
            0x03: "Server unavailable",
            0x04: "Bad user name or password",
            0x05: "Not authorized",
        },
        Rule("X31-connack-codes", "value", 0x82),
        truncated=TRUNCATED_V31,
    ),
)

PUBLISH_V31 = Struct(
    "topic" / TOPIC_NAME_V31,
    "packet_id" / If(
        lambda this: this._.qos,
        PacketId(
            {CLIENT: Rule("X31-message-id-zero", "value", 0x82), SERVER: Rule("X31-message-id-zero", "value", 0x82)},
            truncated=TRUNCATED_V31,
        ),
    ),
    "payload" / Rest(),
)

PUBACK_V31 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("X31-message-id-zero", "value", 0x82), SERVER: Rule("X31-message-id-zero", "value", 0x82)},
        truncated=TRUNCATED_V31,
    ),
)

PUBREC_V31 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("X31-message-id-zero", "value", 0x82), SERVER: Rule("X31-message-id-zero", "value", 0x82)},
        truncated=TRUNCATED_V31,
    ),
)

PUBREL_V31 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("X31-message-id-zero", "value", 0x82), SERVER: Rule("X31-message-id-zero", "value", 0x82)},
        truncated=TRUNCATED_V31,
    ),
)

PUBCOMP_V31 = Struct(
    "packet_id" / PacketId(
        {CLIENT: Rule("X31-message-id-zero", "value", 0x82), SERVER: Rule("X31-message-id-zero", "value", 0x82)},
        truncated=TRUNCATED_V31,
    ),
)

SUBSCRIBE_V31 = Struct(
    "packet_id" / PacketId({CLIENT: Rule("X31-message-id-zero", "value", 0x82)}, truncated=TRUNCATED_V31),
    "subscriptions" / ListOf(
        Struct(
            "topic_filter" / TOPIC_FILTER_V31,
            "options" / Bits(
                {"qos": (0, 2)},
                checks=(Check(lambda this: this.qos == 3, Rule("X31-subscribe-qos", "value", 0x82)),),
                truncated=TRUNCATED_V31,
            ),
        ),
        Subscription,
        truncated=TRUNCATED_V31,
        empty=Rule("X31-subscribe-empty", "length", 0x82),
    ),
)

SUBACK_V31 = Struct(
    "packet_id" / PacketId({SERVER: Rule("X31-message-id-zero", "value", 0x82)}, truncated=TRUNCATED_V31),
    "reason_codes" / Reasons(
        {SERVER: (0x00, 0x01, 0x02)},
        {0x00: "Granted QoS 0", 0x01: "Granted QoS 1", 0x02: "Granted QoS 2"},
        Rule("X31-suback-codes", "value", 0x82),
        truncated=TRUNCATED_V31,
        empty=Rule("X31-suback-codes", "length", 0x82),
    ),
)

UNSUBSCRIBE_V31 = Struct(
    "packet_id" / PacketId({CLIENT: Rule("X31-message-id-zero", "value", 0x82)}, truncated=TRUNCATED_V31),
    "topic_filters" / ListOf(
        "topic_filter" / TOPIC_FILTER_V31,
        truncated=TRUNCATED_V31,
        empty=Rule("X31-unsubscribe-empty", "length", 0x82),
    ),
)

UNSUBACK_V31 = Struct(
    "packet_id" / PacketId({SERVER: Rule("X31-message-id-zero", "value", 0x82)}, truncated=TRUNCATED_V31),
)

PINGREQ_V31 = Struct()

PINGRESP_V31 = Struct()

DISCONNECT_V31 = Struct()

# ---------------------------------------------------------------- Everything by protocol level

TRUNCATED: Final[dict[int, Rule]] = {V31: TRUNCATED_V31, V311: TRUNCATED_V311, V5: TRUNCATED_V5}

TRAILING: Final[dict[int, Rule]] = {V31: TRAILING_V31, V311: TRAILING_V311, V5: TRAILING_V5}

PROTOCOLS: Final[dict[int, Protocol]] = {V31: PROTOCOL_V31, V311: PROTOCOL_V311, V5: PROTOCOL_V5}

FIXED_HEADERS: Final[dict[int, Any]] = {V31: FIXED_HEADER_V31, V311: FIXED_HEADER_V311, V5: FIXED_HEADER_V5}

PACKETS: Final[dict[int, dict[int, PacketFormat]]] = {
    V31: {
        1: PacketFormat("CONNECT", Connect, CONNECT_V31),
        2: PacketFormat("CONNACK", Connack, CONNACK_V31),
        3: PacketFormat("PUBLISH", Publish, PUBLISH_V31),
        4: PacketFormat("PUBACK", Puback, PUBACK_V31),
        5: PacketFormat("PUBREC", Pubrec, PUBREC_V31),
        6: PacketFormat("PUBREL", Pubrel, PUBREL_V31),
        7: PacketFormat("PUBCOMP", Pubcomp, PUBCOMP_V31),
        8: PacketFormat("SUBSCRIBE", Subscribe, SUBSCRIBE_V31),
        9: PacketFormat("SUBACK", Suback, SUBACK_V31),
        10: PacketFormat("UNSUBSCRIBE", Unsubscribe, UNSUBSCRIBE_V31),
        11: PacketFormat("UNSUBACK", Unsuback, UNSUBACK_V31),
        12: PacketFormat("PINGREQ", Pingreq, PINGREQ_V31),
        13: PacketFormat("PINGRESP", Pingresp, PINGRESP_V31),
        14: PacketFormat("DISCONNECT", Disconnect, DISCONNECT_V31),
    },
    V311: {
        1: PacketFormat("CONNECT", Connect, CONNECT_V311),
        2: PacketFormat("CONNACK", Connack, CONNACK_V311),
        3: PacketFormat("PUBLISH", Publish, PUBLISH_V311),
        4: PacketFormat("PUBACK", Puback, PUBACK_V311),
        5: PacketFormat("PUBREC", Pubrec, PUBREC_V311),
        6: PacketFormat("PUBREL", Pubrel, PUBREL_V311),
        7: PacketFormat("PUBCOMP", Pubcomp, PUBCOMP_V311),
        8: PacketFormat("SUBSCRIBE", Subscribe, SUBSCRIBE_V311),
        9: PacketFormat("SUBACK", Suback, SUBACK_V311),
        10: PacketFormat("UNSUBSCRIBE", Unsubscribe, UNSUBSCRIBE_V311),
        11: PacketFormat("UNSUBACK", Unsuback, UNSUBACK_V311),
        12: PacketFormat("PINGREQ", Pingreq, PINGREQ_V311),
        13: PacketFormat("PINGRESP", Pingresp, PINGRESP_V311),
        14: PacketFormat("DISCONNECT", Disconnect, DISCONNECT_V311),
    },
    V5: {
        1: PacketFormat("CONNECT", Connect, CONNECT_V5),
        2: PacketFormat("CONNACK", Connack, CONNACK_V5),
        3: PacketFormat("PUBLISH", Publish, PUBLISH_V5),
        4: PacketFormat("PUBACK", Puback, PUBACK_V5),
        5: PacketFormat("PUBREC", Pubrec, PUBREC_V5),
        6: PacketFormat("PUBREL", Pubrel, PUBREL_V5),
        7: PacketFormat("PUBCOMP", Pubcomp, PUBCOMP_V5),
        8: PacketFormat("SUBSCRIBE", Subscribe, SUBSCRIBE_V5),
        9: PacketFormat("SUBACK", Suback, SUBACK_V5),
        10: PacketFormat("UNSUBSCRIBE", Unsubscribe, UNSUBSCRIBE_V5),
        11: PacketFormat("UNSUBACK", Unsuback, UNSUBACK_V5),
        12: PacketFormat("PINGREQ", Pingreq, PINGREQ_V5),
        13: PacketFormat("PINGRESP", Pingresp, PINGRESP_V5),
        14: PacketFormat("DISCONNECT", Disconnect, DISCONNECT_V5),
        15: PacketFormat("AUTH", Auth, AUTH_V5),
    },
}

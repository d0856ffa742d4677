# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""Hypothesis strategies for valid packets, by version and sender."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
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
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311

__all__ = [
    "auth",
    "auth_properties",
    "connack",
    "connack_properties",
    "connect",
    "connect_properties",
    "disconnect",
    "disconnect_properties",
    "packets",
    "pingreq",
    "pingresp",
    "puback",
    "puback_properties",
    "pubcomp",
    "pubcomp_properties",
    "publish",
    "publish_properties",
    "pubrec",
    "pubrec_properties",
    "pubrel",
    "pubrel_properties",
    "suback",
    "suback_properties",
    "subscribe",
    "subscribe_properties",
    "texts",
    "topic_filters",
    "topic_names",
    "unsuback",
    "unsuback_properties",
    "unsubscribe",
    "unsubscribe_properties",
    "will_properties",
]

P = TypeVar("P")
LONG: Final = 60
MANY: Final = 4
CHARACTERS: Final = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
LEVEL: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#/"), max_size=8)

# fmt: off
AUTH_CODES_CLIENT: Final = {
    V5: (0x18, 0x19),
}
AUTH_CODES_SERVER: Final = {
    V5: (0x00, 0x18),
}
CONNACK_ACKNOWLEDGE_FLAGS: Final = {
    V5: (0x00, 0x01),
    V311: (0x00, 0x01),
    V31: (0x00,),
}
CONNACK_CODES: Final = {
    V5: (0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A,
        0x9B, 0x9C, 0x9D, 0x9F),
    V311: (0x00, 0x01, 0x02, 0x03, 0x04, 0x05),
    V31: (0x00, 0x01, 0x02, 0x03, 0x04, 0x05),
}
CONNECT_CONNECT_FLAGS: Final = {
    V5: (0x00, 0x02, 0x04, 0x06, 0x0C, 0x0E, 0x14, 0x16, 0x24, 0x26, 0x2C, 0x2E, 0x34, 0x36, 0x40, 0x42, 0x44, 0x46,
        0x4C, 0x4E, 0x54, 0x56, 0x64, 0x66, 0x6C, 0x6E, 0x74, 0x76, 0x80, 0x82, 0x84, 0x86, 0x8C, 0x8E, 0x94, 0x96,
        0xA4, 0xA6, 0xAC, 0xAE, 0xB4, 0xB6, 0xC0, 0xC2, 0xC4, 0xC6, 0xCC, 0xCE, 0xD4, 0xD6, 0xE4, 0xE6, 0xEC, 0xEE,
        0xF4, 0xF6),
    V311: (0x00, 0x02, 0x04, 0x06, 0x0C, 0x0E, 0x14, 0x16, 0x24, 0x26, 0x2C, 0x2E, 0x34, 0x36, 0x80, 0x82, 0x84,
        0x86, 0x8C, 0x8E, 0x94, 0x96, 0xA4, 0xA6, 0xAC, 0xAE, 0xB4, 0xB6, 0xC0, 0xC2, 0xC4, 0xC6, 0xCC, 0xCE, 0xD4,
        0xD6, 0xE4, 0xE6, 0xEC, 0xEE, 0xF4, 0xF6),
    V31: (0x00, 0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x14, 0x16, 0x18, 0x1A, 0x20, 0x22, 0x24,
        0x26, 0x28, 0x2A, 0x2C, 0x2E, 0x30, 0x32, 0x34, 0x36, 0x38, 0x3A, 0x40, 0x42, 0x44, 0x46, 0x48, 0x4A, 0x4C,
        0x4E, 0x50, 0x52, 0x54, 0x56, 0x58, 0x5A, 0x60, 0x62, 0x64, 0x66, 0x68, 0x6A, 0x6C, 0x6E, 0x70, 0x72, 0x74,
        0x76, 0x78, 0x7A, 0x80, 0x82, 0x84, 0x86, 0x88, 0x8A, 0x8C, 0x8E, 0x90, 0x92, 0x94, 0x96, 0x98, 0x9A, 0xA0,
        0xA2, 0xA4, 0xA6, 0xA8, 0xAA, 0xAC, 0xAE, 0xB0, 0xB2, 0xB4, 0xB6, 0xB8, 0xBA, 0xC0, 0xC2, 0xC4, 0xC6, 0xC8,
        0xCA, 0xCC, 0xCE, 0xD0, 0xD2, 0xD4, 0xD6, 0xD8, 0xDA, 0xE0, 0xE2, 0xE4, 0xE6, 0xE8, 0xEA, 0xEC, 0xEE, 0xF0,
        0xF2, 0xF4, 0xF6, 0xF8, 0xFA),
}
DISCONNECT_CODES_CLIENT: Final = {
    V5: (0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99),
}
DISCONNECT_CODES_SERVER: Final = {
    V5: (0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
        0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2),
}
PUBACK_CODES_CLIENT: Final = {
    V5: (0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99),
}
PUBACK_CODES_SERVER: Final = {
    V5: (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99),
}
PUBCOMP_CODES: Final = {
    V5: (0x00, 0x92),
}
PUBLISH_BITS: Final = {
    V5: (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0A, 0x0B, 0x0C, 0x0D),
    V311: (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0A, 0x0B, 0x0C, 0x0D),
    V31: (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D),
}
PUBREC_CODES_CLIENT: Final = {
    V5: (0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99),
}
PUBREC_CODES_SERVER: Final = {
    V5: (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99),
}
PUBREL_CODES: Final = {
    V5: (0x00, 0x92),
}
SUBACK_CODES: Final = {
    V5: (0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2),
    V311: (0x00, 0x01, 0x02, 0x80),
    V31: (0x00, 0x01, 0x02),
}
SUBSCRIBE_OPTIONS: Final = {
    V5: (0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0A, 0x0C, 0x0D, 0x0E, 0x10, 0x11, 0x12, 0x14, 0x15, 0x16,
        0x18, 0x19, 0x1A, 0x1C, 0x1D, 0x1E, 0x20, 0x21, 0x22, 0x24, 0x25, 0x26, 0x28, 0x29, 0x2A, 0x2C, 0x2D, 0x2E),
    V311: (0x00, 0x01, 0x02),
    V31: (0x00, 0x01, 0x02),
}
UNSUBACK_CODES: Final = {
    V5: (0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91),
}
# fmt: on


def texts() -> SearchStrategy[str]:
    """UTF-8 Encoded Strings, without surrogates and U+0000.

    Cites: MQTT5-1.5.4-1, MQTT5-1.5.4-2
    """
    return st.text(CHARACTERS, max_size=LONG // 4)


def topic_names() -> SearchStrategy[str]:
    """Topic Names, with at least one character and without wildcards.

    Cites: MQTT5-4.7.3-1, MQTT5-4.7.0-1
    """
    return st.lists(LEVEL, min_size=1, max_size=MANY).map("/".join).filter(bool)


def topic_filters(version: int = V5, *, shared: bool = True) -> SearchStrategy[str]:
    """Topic Filters, with wildcards. In 5.0, some are shared, unless `shared` is false."""
    levels = st.lists(LEVEL | st.just("+"), min_size=1, max_size=MANY)
    plain = st.builds(lambda some, last: "/".join([*some, *last]), levels, st.sampled_from([[], ["#"]]))
    plain = (plain | st.just("#")).filter(lambda text: text != "" and not text.startswith("$share/"))
    if version != V5 or not shared:
        return plain
    name = LEVEL.filter(bool)
    return plain | st.builds("$share/{}/{}".format, name, plain)


def _properties(
    cls: Callable[..., P],
    optional: Mapping[str, SearchStrategy[Any]],
    required: Mapping[str, SearchStrategy[Any]] | None = None,
    needs: Mapping[str, str] | None = None,
) -> SearchStrategy[P | None]:
    """Property sets. A set without properties is None."""

    def make(values: dict[str, Any]) -> P | None:
        for name, other in (needs or {}).items():
            if other not in values:
                values.pop(name, None)
        return cls(**values) if values else None

    return st.fixed_dictionaries(dict(required or {}), optional=dict(optional)).map(make)


def connect_properties() -> SearchStrategy[ConnectProperties | None]:
    """The properties of CONNECT, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "session_expiry_interval": st.integers(0, 4_294_967_295),
        "authentication_method": texts(),
        "authentication_data": st.binary(max_size=LONG),
        "request_problem_information": st.sampled_from([0, 1]),
        "request_response_information": st.sampled_from([0, 1]),
        "receive_maximum": st.integers(1, 65_535),
        "topic_alias_maximum": st.integers(0, 65_535),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
        "maximum_packet_size": st.integers(1, 4_294_967_295),
    }
    return _properties(ConnectProperties, optional, needs={"authentication_data": "authentication_method"})


def will_properties() -> SearchStrategy[WillProperties | None]:
    """The properties of the Will, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "payload_format_indicator": st.sampled_from([0, 1]),
        "message_expiry_interval": st.integers(0, 4_294_967_295),
        "content_type": texts(),
        "response_topic": topic_names(),
        "correlation_data": st.binary(max_size=LONG),
        "will_delay_interval": st.integers(0, 4_294_967_295),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    return _properties(WillProperties, optional)


def connack_properties() -> SearchStrategy[ConnackProperties | None]:
    """The properties of CONNACK, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "session_expiry_interval": st.integers(0, 4_294_967_295),
        "assigned_client_identifier": texts(),
        "server_keep_alive": st.integers(0, 65_535),
        "authentication_method": texts(),
        "authentication_data": st.binary(max_size=LONG),
        "response_information": texts(),
        "server_reference": texts(),
        "reason_string": texts(),
        "receive_maximum": st.integers(1, 65_535),
        "topic_alias_maximum": st.integers(0, 65_535),
        "maximum_qos": st.sampled_from([0, 1]),
        "retain_available": st.sampled_from([0, 1]),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
        "maximum_packet_size": st.integers(1, 4_294_967_295),
        "wildcard_subscription_available": st.sampled_from([0, 1]),
        "subscription_identifier_available": st.sampled_from([0, 1]),
        "shared_subscription_available": st.sampled_from([0, 1]),
    }
    return _properties(ConnackProperties, optional)


def publish_properties(sender: int = CLIENT) -> SearchStrategy[PublishProperties | None]:
    """The properties of PUBLISH, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "payload_format_indicator": st.sampled_from([0, 1]),
        "message_expiry_interval": st.integers(0, 4_294_967_295),
        "content_type": texts(),
        "response_topic": topic_names(),
        "correlation_data": st.binary(max_size=LONG),
        "topic_alias": st.integers(1, 65_535),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    if sender == SERVER:
        optional["subscription_identifier"] = st.lists(st.integers(1, 268_435_455), min_size=1, max_size=MANY)
    return _properties(PublishProperties, optional)


def puback_properties() -> SearchStrategy[PubackProperties | None]:
    """The properties of PUBACK, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "reason_string": texts(),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    return _properties(PubackProperties, optional)


def pubrec_properties() -> SearchStrategy[PubrecProperties | None]:
    """The properties of PUBREC, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "reason_string": texts(),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    return _properties(PubrecProperties, optional)


def pubrel_properties() -> SearchStrategy[PubrelProperties | None]:
    """The properties of PUBREL, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "reason_string": texts(),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    return _properties(PubrelProperties, optional)


def pubcomp_properties() -> SearchStrategy[PubcompProperties | None]:
    """The properties of PUBCOMP, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "reason_string": texts(),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    return _properties(PubcompProperties, optional)


def subscribe_properties() -> SearchStrategy[SubscribeProperties | None]:
    """The properties of SUBSCRIBE, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "subscription_identifier": st.integers(1, 268_435_455),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    return _properties(SubscribeProperties, optional)


def suback_properties() -> SearchStrategy[SubackProperties | None]:
    """The properties of SUBACK, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "reason_string": texts(),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    return _properties(SubackProperties, optional)


def unsubscribe_properties() -> SearchStrategy[UnsubscribeProperties | None]:
    """The properties of UNSUBSCRIBE, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    return _properties(UnsubscribeProperties, optional)


def unsuback_properties() -> SearchStrategy[UnsubackProperties | None]:
    """The properties of UNSUBACK, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "reason_string": texts(),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    return _properties(UnsubackProperties, optional)


def disconnect_properties(sender: int = CLIENT) -> SearchStrategy[DisconnectProperties | None]:
    """The properties of DISCONNECT, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "reason_string": texts(),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    if sender == CLIENT:
        optional["session_expiry_interval"] = st.integers(0, 4_294_967_295)
    if sender == SERVER:
        optional["server_reference"] = texts()
    return _properties(DisconnectProperties, optional)


def auth_properties() -> SearchStrategy[AuthProperties | None]:
    """The properties of AUTH, or None without properties."""
    optional: dict[str, SearchStrategy[Any]] = {
        "authentication_data": st.binary(max_size=LONG),
        "reason_string": texts(),
        "user_property": st.lists(st.tuples(texts(), texts()), min_size=1, max_size=MANY),
    }
    required: dict[str, SearchStrategy[Any]] = {
        "authentication_method": texts(),
    }
    return _properties(AuthProperties, optional, required)


@st.composite
def connect(draw: DrawFn, version: int = V5) -> Connect:
    """CONNECT packets (section 3.1)."""
    connect_flags = draw(st.sampled_from(CONNECT_CONNECT_FLAGS[version]))
    username_flag = connect_flags & 0x80 != 0
    password_flag = connect_flags & 0x40 != 0
    will_retain = connect_flags & 0x20 != 0
    will_qos = connect_flags >> 3 & 3
    will_flag = connect_flags & 0x04 != 0
    clean_start = connect_flags & 0x02 != 0
    keep_alive = draw(st.integers(0, 65_535))
    properties = None
    if version == V5:
        properties = draw(connect_properties())
    client_id = draw(texts())
    will_properties_ = None
    if will_flag and version == V5:
        will_properties_ = draw(will_properties())
    will_topic = ""
    if will_flag:
        will_topic = draw(topic_names())
    will_payload = b""
    if will_flag:
        will_payload = draw(st.binary(max_size=LONG))
    username = None
    if username_flag:
        username = draw(texts())
    password = None
    if password_flag:
        password = draw(st.binary(max_size=LONG))
    will = None
    if will_flag:
        will = Will(
            retain=will_retain,
            qos=will_qos,
            properties=will_properties_,
            topic=will_topic,
            payload=will_payload,
        )
    return Connect(
        protocol_version=version,
        clean_start=clean_start,
        keep_alive=keep_alive,
        properties=properties,
        client_id=client_id,
        username=username,
        password=password,
        will=will,
    )


@st.composite
def connack(draw: DrawFn, version: int = V5) -> Connack:
    """CONNACK packets (section 3.2)."""
    acknowledge_flags = draw(st.sampled_from(CONNACK_ACKNOWLEDGE_FLAGS[version]))
    session_present = acknowledge_flags & 0x01 != 0
    reason_code = draw(st.sampled_from(CONNACK_CODES[version]))
    session_present = session_present and not reason_code
    properties = None
    if version == V5:
        properties = draw(connack_properties())
    return Connack(
        session_present=session_present,
        reason_code=reason_code,
        properties=properties,
    )


@st.composite
def publish(draw: DrawFn, version: int = V5, sender: int = CLIENT) -> Publish:
    """PUBLISH packets (section 3.3) that `sender` may send."""
    header = draw(st.sampled_from(PUBLISH_BITS[version]))
    dup = header & 0x08 != 0
    qos = header >> 1 & 3
    retain = header & 0x01 != 0
    topic = draw(topic_names() if version != V5 else topic_names() | st.just(""))
    packet_id = 0
    if qos:
        packet_id = draw(st.integers(1, 65_535))
    properties = None
    if version == V5:
        properties = draw(publish_properties(sender))
    if not topic and (properties is None or properties.topic_alias is None):
        topic = draw(topic_names())
    payload = draw(st.binary(max_size=2 * LONG))
    return Publish(
        dup=dup,
        qos=qos,
        retain=retain,
        topic=topic,
        packet_id=packet_id,
        properties=properties,
        payload=payload,
    )


@st.composite
def puback(draw: DrawFn, version: int = V5, sender: int = CLIENT) -> Puback:
    """PUBACK packets (section 3.4) that `sender` may send."""
    packet_id = draw(st.integers(1, 65_535))
    codes = PUBACK_CODES_CLIENT if sender == CLIENT else PUBACK_CODES_SERVER
    reason_code = 0
    if version == V5:
        reason_code = draw(st.sampled_from(codes[version]))
    properties = None
    if version == V5:
        properties = draw(puback_properties())
    return Puback(
        packet_id=packet_id,
        reason_code=reason_code,
        properties=properties,
    )


@st.composite
def pubrec(draw: DrawFn, version: int = V5, sender: int = CLIENT) -> Pubrec:
    """PUBREC packets (section 3.5) that `sender` may send."""
    packet_id = draw(st.integers(1, 65_535))
    codes = PUBREC_CODES_CLIENT if sender == CLIENT else PUBREC_CODES_SERVER
    reason_code = 0
    if version == V5:
        reason_code = draw(st.sampled_from(codes[version]))
    properties = None
    if version == V5:
        properties = draw(pubrec_properties())
    return Pubrec(
        packet_id=packet_id,
        reason_code=reason_code,
        properties=properties,
    )


@st.composite
def pubrel(draw: DrawFn, version: int = V5, sender: int = CLIENT) -> Pubrel:
    """PUBREL packets (section 3.6) that `sender` may send."""
    packet_id = draw(st.integers(1, 65_535))
    reason_code = 0
    if version == V5:
        reason_code = draw(st.sampled_from(PUBREL_CODES[version]))
    properties = None
    if version == V5:
        properties = draw(pubrel_properties())
    return Pubrel(
        packet_id=packet_id,
        reason_code=reason_code,
        properties=properties,
    )


@st.composite
def pubcomp(draw: DrawFn, version: int = V5, sender: int = CLIENT) -> Pubcomp:
    """PUBCOMP packets (section 3.7) that `sender` may send."""
    packet_id = draw(st.integers(1, 65_535))
    reason_code = 0
    if version == V5:
        reason_code = draw(st.sampled_from(PUBCOMP_CODES[version]))
    properties = None
    if version == V5:
        properties = draw(pubcomp_properties())
    return Pubcomp(
        packet_id=packet_id,
        reason_code=reason_code,
        properties=properties,
    )


@st.composite
def _subscription(draw: DrawFn, version: int) -> Subscription:
    topic_filter = draw(topic_filters(version))
    options = draw(st.sampled_from(SUBSCRIBE_OPTIONS[version]))
    retain_handling = options >> 4 & 3
    retain_as_published = options & 0x08 != 0
    no_local = options & 0x04 != 0
    qos = options & 3
    no_local = no_local and not topic_filter.startswith("$share/")
    return Subscription(
        topic_filter=topic_filter,
        retain_handling=retain_handling,
        retain_as_published=retain_as_published,
        no_local=no_local,
        qos=qos,
    )


@st.composite
def subscribe(draw: DrawFn, version: int = V5) -> Subscribe:
    """SUBSCRIBE packets (section 3.8)."""
    packet_id = draw(st.integers(1, 65_535))
    properties = None
    if version == V5:
        properties = draw(subscribe_properties())
    subscriptions = draw(st.lists(_subscription(version), min_size=1, max_size=MANY))
    return Subscribe(
        packet_id=packet_id,
        properties=properties,
        subscriptions=subscriptions,
    )


@st.composite
def suback(draw: DrawFn, version: int = V5) -> Suback:
    """SUBACK packets (section 3.9)."""
    packet_id = draw(st.integers(1, 65_535))
    properties = None
    if version == V5:
        properties = draw(suback_properties())
    reason_codes = draw(st.lists(st.sampled_from(SUBACK_CODES[version]), min_size=1, max_size=MANY))
    return Suback(
        packet_id=packet_id,
        properties=properties,
        reason_codes=reason_codes,
    )


@st.composite
def unsubscribe(draw: DrawFn, version: int = V5) -> Unsubscribe:
    """UNSUBSCRIBE packets (section 3.10)."""
    packet_id = draw(st.integers(1, 65_535))
    properties = None
    if version == V5:
        properties = draw(unsubscribe_properties())
    topic_filters_ = draw(st.lists(topic_filters(version), min_size=1, max_size=MANY))
    return Unsubscribe(
        packet_id=packet_id,
        properties=properties,
        topic_filters=topic_filters_,
    )


@st.composite
def unsuback(draw: DrawFn, version: int = V5) -> Unsuback:
    """UNSUBACK packets (section 3.11)."""
    packet_id = draw(st.integers(1, 65_535))
    properties = None
    if version == V5:
        properties = draw(unsuback_properties())
    reason_codes = []
    if version == V5:
        reason_codes = draw(st.lists(st.sampled_from(UNSUBACK_CODES[version]), min_size=1, max_size=MANY))
    return Unsuback(
        packet_id=packet_id,
        properties=properties,
        reason_codes=reason_codes,
    )


def pingreq(version: int = V5) -> SearchStrategy[Pingreq]:
    """PINGREQ packets (section 3.12)."""
    return st.builds(Pingreq)


def pingresp(version: int = V5) -> SearchStrategy[Pingresp]:
    """PINGRESP packets (section 3.13)."""
    return st.builds(Pingresp)


@st.composite
def disconnect(draw: DrawFn, version: int = V5, sender: int = CLIENT) -> Disconnect:
    """DISCONNECT packets (section 3.14) that `sender` may send."""
    codes = DISCONNECT_CODES_CLIENT if sender == CLIENT else DISCONNECT_CODES_SERVER
    reason_code = 0
    if version == V5:
        reason_code = draw(st.sampled_from(codes[version]))
    properties = None
    if version == V5:
        properties = draw(disconnect_properties(sender))
    return Disconnect(
        reason_code=reason_code,
        properties=properties,
    )


@st.composite
def auth(draw: DrawFn, version: int = V5, sender: int = CLIENT) -> Auth:
    """AUTH packets (section 3.15) that `sender` may send."""
    codes = AUTH_CODES_CLIENT if sender == CLIENT else AUTH_CODES_SERVER
    reason_code = draw(st.sampled_from(codes[version]))
    properties = draw(auth_properties())
    return Auth(
        reason_code=reason_code,
        properties=properties,
    )


def packets(version: int = V5, sender: int = CLIENT) -> SearchStrategy[Packet]:
    """Generate any packet that `sender` may send in `version`."""
    out: list[SearchStrategy[Packet]] = []
    if sender == CLIENT:
        out.append(connect(version))
    if sender == SERVER:
        out.append(connack(version))
    out.append(publish(version, sender))
    out.append(puback(version, sender))
    out.append(pubrec(version, sender))
    out.append(pubrel(version, sender))
    out.append(pubcomp(version, sender))
    if sender == CLIENT:
        out.append(subscribe(version))
    if sender == SERVER:
        out.append(suback(version))
    if sender == CLIENT:
        out.append(unsubscribe(version))
    if sender == SERVER:
        out.append(unsuback(version))
    if sender == CLIENT:
        out.append(pingreq(version))
    if sender == SERVER:
        out.append(pingresp(version))
    if (version == V5) or (sender == CLIENT and version != V5):
        out.append(disconnect(version, sender))
    if version == V5:
        out.append(auth(version, sender))
    return st.one_of(out)

# SPDX-License-Identifier: MIT
"""A decoder without any check. It shows what the fast codec would cost if it tested nothing.

It builds the same packets in the same straight-line style, for CONNECT and PUBLISH of version 5. Its input must be
known to be legal.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from mqtt_ref.wire.generated.packets import Connect, ConnectProperties, Publish, PublishProperties, Will, WillProperties

__all__ = ["decode"]

UNPACK_32: Final = Struct(">I").unpack_from


def decode(version: int, sender: int, data: bytes, start: int, pos: int, end: int) -> Connect | Publish:
    """Decode the packet in `data[start:end]`, with its variable header at `pos`. Same arguments as `fast.decode`."""
    kind = data[start] >> 4
    if kind == 3:
        return _publish(version, data, start, pos, end)
    if kind == 1:
        return _connect(data, pos)
    raise NotImplementedError(kind)


def _vbi(data: bytes, pos: int) -> int:
    """Return value times 8 plus size of a Variable Byte Integer of more than one byte."""
    value = data[pos] & 127
    size = 1
    while data[pos + size - 1] > 127:
        value |= (data[pos + size] & 127) << (7 * size)
        size += 1
    return value << 3 | size


def _publish(version: int, data: bytes, start: int, pos: int, end: int) -> Publish:
    value = data[start]
    dup = value & 0x08 != 0
    qos = value >> 1 & 3
    retain = value & 0x01 != 0
    stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
    topic = data[pos + 2 : stop].decode()
    pos = stop
    packet_id = 0
    if qos:
        packet_id = data[pos] << 8 | data[pos + 1]
        pos += 2
    properties: PublishProperties | None = None
    if version == 5:
        length = data[pos]
        pos += 1
        if length > 127:
            packed = _vbi(data, pos - 1)
            length = packed >> 3
            pos += (packed & 7) - 1
        if length:
            stop = pos + length
            properties = _publish_properties(data, pos, stop)
            pos = stop
    return Publish(topic, data[pos:end], qos, retain, dup, packet_id, properties)


def _publish_properties(data: bytes, pos: int, end: int) -> PublishProperties:
    out = PublishProperties()
    while pos < end:
        identifier = data[pos]
        if identifier == 0x01:  # Payload Format Indicator
            pos += 1
            out.payload_format_indicator = data[pos]
            pos += 1
            identifier = data[pos] if pos < end else 0
        if identifier == 0x02:  # Message Expiry Interval
            pos += 1
            out.message_expiry_interval = UNPACK_32(data, pos)[0]
            pos += 4
            identifier = data[pos] if pos < end else 0
        if identifier == 0x03:  # Content Type
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.content_type = data[pos + 2 : stop].decode()
            pos = stop
            identifier = data[pos] if pos < end else 0
        if identifier == 0x08:  # Response Topic
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.response_topic = data[pos + 2 : stop].decode()
            pos = stop
            identifier = data[pos] if pos < end else 0
        if identifier == 0x09:  # Correlation Data
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.correlation_data = data[pos + 2 : stop]
            pos = stop
            identifier = data[pos] if pos < end else 0
        while identifier == 0x0B:  # Subscription Identifier
            pos += 1
            packed = _vbi(data, pos)
            out.subscription_identifier.append(packed >> 3)
            pos += packed & 7
            identifier = data[pos] if pos < end else 0
        if identifier == 0x23:  # Topic Alias
            pos += 1
            out.topic_alias = data[pos] << 8 | data[pos + 1]
            pos += 2
            identifier = data[pos] if pos < end else 0
        while identifier == 0x26:  # User Property
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            key = data[pos + 2 : stop].decode()
            pos = stop
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.user_property.append((key, data[pos + 2 : stop].decode()))
            pos = stop
            identifier = data[pos] if pos < end else 0
    return out


def _connect(data: bytes, pos: int) -> Connect:
    pos += 2 + (data[pos] << 8 | data[pos + 1])
    version = data[pos]
    value = data[pos + 1]
    username_flag = value & 0x80 != 0
    password_flag = value & 0x40 != 0
    will_retain = value & 0x20 != 0
    will_qos = value >> 3 & 3
    will_flag = value & 0x04 != 0
    clean_start = value & 0x02 != 0
    keep_alive = data[pos + 2] << 8 | data[pos + 3]
    pos += 4
    properties: ConnectProperties | None = None
    if version == 5:
        length = data[pos]
        pos += 1
        if length > 127:
            packed = _vbi(data, pos - 1)
            length = packed >> 3
            pos += (packed & 7) - 1
        if length:
            stop = pos + length
            properties = _connect_properties(data, pos, stop)
            pos = stop
    stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
    client_id = data[pos + 2 : stop].decode()
    pos = stop
    will: Will | None = None
    if will_flag:
        will_properties: WillProperties | None = None
        if version == 5:
            length = data[pos]
            pos += 1
            if length > 127:
                packed = _vbi(data, pos - 1)
                length = packed >> 3
                pos += (packed & 7) - 1
            if length:
                stop = pos + length
                will_properties = _will_properties(data, pos, stop)
                pos = stop
        stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
        will_topic = data[pos + 2 : stop].decode()
        pos = stop
        stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
        will_payload = data[pos + 2 : stop]
        pos = stop
        will = Will(will_topic, will_payload, will_qos, will_retain, will_properties)
    username: str | None = None
    if username_flag:
        stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
        username = data[pos + 2 : stop].decode()
        pos = stop
    password: bytes | None = None
    if password_flag:
        stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
        password = data[pos + 2 : stop]
    return Connect(client_id, version, clean_start, keep_alive, username, password, will, properties)


def _connect_properties(data: bytes, pos: int, end: int) -> ConnectProperties:
    out = ConnectProperties()
    while pos < end:
        identifier = data[pos]
        if identifier == 0x11:  # Session Expiry Interval
            pos += 1
            out.session_expiry_interval = UNPACK_32(data, pos)[0]
            pos += 4
            identifier = data[pos] if pos < end else 0
        if identifier == 0x15:  # Authentication Method
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.authentication_method = data[pos + 2 : stop].decode()
            pos = stop
            identifier = data[pos] if pos < end else 0
        if identifier == 0x16:  # Authentication Data
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.authentication_data = data[pos + 2 : stop]
            pos = stop
            identifier = data[pos] if pos < end else 0
        if identifier == 0x17:  # Request Problem Information
            pos += 1
            out.request_problem_information = data[pos]
            pos += 1
            identifier = data[pos] if pos < end else 0
        if identifier == 0x19:  # Request Response Information
            pos += 1
            out.request_response_information = data[pos]
            pos += 1
            identifier = data[pos] if pos < end else 0
        if identifier == 0x21:  # Receive Maximum
            pos += 1
            out.receive_maximum = data[pos] << 8 | data[pos + 1]
            pos += 2
            identifier = data[pos] if pos < end else 0
        if identifier == 0x22:  # Topic Alias Maximum
            pos += 1
            out.topic_alias_maximum = data[pos] << 8 | data[pos + 1]
            pos += 2
            identifier = data[pos] if pos < end else 0
        while identifier == 0x26:  # User Property
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            key = data[pos + 2 : stop].decode()
            pos = stop
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.user_property.append((key, data[pos + 2 : stop].decode()))
            pos = stop
            identifier = data[pos] if pos < end else 0
        if identifier == 0x27:  # Maximum Packet Size
            pos += 1
            out.maximum_packet_size = UNPACK_32(data, pos)[0]
            pos += 4
            identifier = data[pos] if pos < end else 0
    return out


def _will_properties(data: bytes, pos: int, end: int) -> WillProperties:
    out = WillProperties()
    while pos < end:
        identifier = data[pos]
        if identifier == 0x01:  # Payload Format Indicator
            pos += 1
            out.payload_format_indicator = data[pos]
            pos += 1
            identifier = data[pos] if pos < end else 0
        if identifier == 0x02:  # Message Expiry Interval
            pos += 1
            out.message_expiry_interval = UNPACK_32(data, pos)[0]
            pos += 4
            identifier = data[pos] if pos < end else 0
        if identifier == 0x03:  # Content Type
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.content_type = data[pos + 2 : stop].decode()
            pos = stop
            identifier = data[pos] if pos < end else 0
        if identifier == 0x08:  # Response Topic
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.response_topic = data[pos + 2 : stop].decode()
            pos = stop
            identifier = data[pos] if pos < end else 0
        if identifier == 0x09:  # Correlation Data
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.correlation_data = data[pos + 2 : stop]
            pos = stop
            identifier = data[pos] if pos < end else 0
        if identifier == 0x18:  # Will Delay Interval
            pos += 1
            out.will_delay_interval = UNPACK_32(data, pos)[0]
            pos += 4
            identifier = data[pos] if pos < end else 0
        while identifier == 0x26:  # User Property
            pos += 1
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            key = data[pos + 2 : stop].decode()
            pos = stop
            stop = pos + 2 + (data[pos] << 8 | data[pos + 1])
            out.user_property.append((key, data[pos + 2 : stop].decode()))
            pos = stop
            identifier = data[pos] if pos < end else 0
    return out

# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""The packet classes: one per Control Packet, for all versions, and one per property set."""

from __future__ import annotations

from struct import Struct
from typing import Any, ClassVar, Final

from mqtt_ref.wire.primitives import read_vbi
from mqtt_ref.wire.replacing import replaced

__all__ = [
    "PACKET_NAMES",
    "Auth",
    "AuthProperties",
    "Block",
    "Connack",
    "ConnackProperties",
    "Connect",
    "ConnectProperties",
    "Disconnect",
    "DisconnectProperties",
    "Packet",
    "Pingreq",
    "Pingresp",
    "Puback",
    "PubackProperties",
    "Pubcomp",
    "PubcompProperties",
    "Publish",
    "PublishProperties",
    "Pubrec",
    "PubrecProperties",
    "Pubrel",
    "PubrelProperties",
    "Suback",
    "SubackProperties",
    "Subscribe",
    "SubscribeProperties",
    "Subscription",
    "Unsuback",
    "UnsubackProperties",
    "Unsubscribe",
    "UnsubscribeProperties",
    "Will",
    "WillProperties",
]

UNPACK_32: Final = Struct(">I").unpack_from


class ConnectProperties:
    """The properties of CONNECT."""

    __slots__ = (
        "session_expiry_interval",
        "authentication_method",
        "authentication_data",
        "request_problem_information",
        "request_response_information",
        "receive_maximum",
        "topic_alias_maximum",
        "user_property",
        "maximum_packet_size",
    )
    __match_args__: ClassVar[tuple[str, ...]] = (
        "session_expiry_interval",
        "authentication_method",
        "authentication_data",
        "request_problem_information",
        "request_response_information",
        "receive_maximum",
        "topic_alias_maximum",
        "user_property",
        "maximum_packet_size",
    )

    def __init__(
        self,
        session_expiry_interval: int | None = None,
        authentication_method: str | None = None,
        authentication_data: bytes | None = None,
        request_problem_information: int | None = None,
        request_response_information: int | None = None,
        receive_maximum: int | None = None,
        topic_alias_maximum: int | None = None,
        user_property: list[tuple[str, str]] | None = None,
        maximum_packet_size: int | None = None,
    ) -> None:
        self.session_expiry_interval = session_expiry_interval
        self.authentication_method = authentication_method
        self.authentication_data = authentication_data
        self.request_problem_information = request_problem_information
        self.request_response_information = request_response_information
        self.receive_maximum = receive_maximum
        self.topic_alias_maximum = topic_alias_maximum
        self.user_property = [] if user_property is None else user_property
        self.maximum_packet_size = maximum_packet_size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConnectProperties):
            return NotImplemented
        return (
            self.session_expiry_interval == other.session_expiry_interval
            and self.authentication_method == other.authentication_method
            and self.authentication_data == other.authentication_data
            and self.request_problem_information == other.request_problem_information
            and self.request_response_information == other.request_response_information
            and self.receive_maximum == other.receive_maximum
            and self.topic_alias_maximum == other.topic_alias_maximum
            and self.user_property == other.user_property
            and self.maximum_packet_size == other.maximum_packet_size
        )

    def __hash__(self) -> int:
        raise TypeError("ConnectProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.session_expiry_interval is not None:
            parts.append(f"session_expiry_interval={self.session_expiry_interval!r}")
        if self.authentication_method is not None:
            parts.append(f"authentication_method={self.authentication_method!r}")
        if self.authentication_data is not None:
            parts.append(f"authentication_data={self.authentication_data!r}")
        if self.request_problem_information is not None:
            parts.append(f"request_problem_information={self.request_problem_information!r}")
        if self.request_response_information is not None:
            parts.append(f"request_response_information={self.request_response_information!r}")
        if self.receive_maximum is not None:
            parts.append(f"receive_maximum={self.receive_maximum!r}")
        if self.topic_alias_maximum is not None:
            parts.append(f"topic_alias_maximum={self.topic_alias_maximum!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        if self.maximum_packet_size is not None:
            parts.append(f"maximum_packet_size={self.maximum_packet_size!r}")
        return "ConnectProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> ConnectProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return ConnectProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> ConnectProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return ConnectProperties, (
            self.session_expiry_interval,
            self.authentication_method,
            self.authentication_data,
            self.request_problem_information,
            self.request_response_information,
            self.receive_maximum,
            self.topic_alias_maximum,
            self.user_property,
            self.maximum_packet_size,
        )


class WillProperties:
    """The properties of the Will Properties of CONNECT."""

    __slots__ = (
        "payload_format_indicator",
        "message_expiry_interval",
        "content_type",
        "response_topic",
        "correlation_data",
        "will_delay_interval",
        "user_property",
    )
    __match_args__: ClassVar[tuple[str, ...]] = (
        "payload_format_indicator",
        "message_expiry_interval",
        "content_type",
        "response_topic",
        "correlation_data",
        "will_delay_interval",
        "user_property",
    )

    def __init__(
        self,
        payload_format_indicator: int | None = None,
        message_expiry_interval: int | None = None,
        content_type: str | None = None,
        response_topic: str | None = None,
        correlation_data: bytes | None = None,
        will_delay_interval: int | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.payload_format_indicator = payload_format_indicator
        self.message_expiry_interval = message_expiry_interval
        self.content_type = content_type
        self.response_topic = response_topic
        self.correlation_data = correlation_data
        self.will_delay_interval = will_delay_interval
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WillProperties):
            return NotImplemented
        return (
            self.payload_format_indicator == other.payload_format_indicator
            and self.message_expiry_interval == other.message_expiry_interval
            and self.content_type == other.content_type
            and self.response_topic == other.response_topic
            and self.correlation_data == other.correlation_data
            and self.will_delay_interval == other.will_delay_interval
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("WillProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.payload_format_indicator is not None:
            parts.append(f"payload_format_indicator={self.payload_format_indicator!r}")
        if self.message_expiry_interval is not None:
            parts.append(f"message_expiry_interval={self.message_expiry_interval!r}")
        if self.content_type is not None:
            parts.append(f"content_type={self.content_type!r}")
        if self.response_topic is not None:
            parts.append(f"response_topic={self.response_topic!r}")
        if self.correlation_data is not None:
            parts.append(f"correlation_data={self.correlation_data!r}")
        if self.will_delay_interval is not None:
            parts.append(f"will_delay_interval={self.will_delay_interval!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "WillProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> WillProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return WillProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> WillProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return WillProperties, (
            self.payload_format_indicator,
            self.message_expiry_interval,
            self.content_type,
            self.response_topic,
            self.correlation_data,
            self.will_delay_interval,
            self.user_property,
        )


class ConnackProperties:
    """The properties of CONNACK."""

    __slots__ = (
        "session_expiry_interval",
        "assigned_client_identifier",
        "server_keep_alive",
        "authentication_method",
        "authentication_data",
        "response_information",
        "server_reference",
        "reason_string",
        "receive_maximum",
        "topic_alias_maximum",
        "maximum_qos",
        "retain_available",
        "user_property",
        "maximum_packet_size",
        "wildcard_subscription_available",
        "subscription_identifier_available",
        "shared_subscription_available",
    )
    __match_args__: ClassVar[tuple[str, ...]] = (
        "session_expiry_interval",
        "assigned_client_identifier",
        "server_keep_alive",
        "authentication_method",
        "authentication_data",
        "response_information",
        "server_reference",
        "reason_string",
        "receive_maximum",
        "topic_alias_maximum",
        "maximum_qos",
        "retain_available",
        "user_property",
        "maximum_packet_size",
        "wildcard_subscription_available",
        "subscription_identifier_available",
        "shared_subscription_available",
    )

    def __init__(
        self,
        session_expiry_interval: int | None = None,
        assigned_client_identifier: str | None = None,
        server_keep_alive: int | None = None,
        authentication_method: str | None = None,
        authentication_data: bytes | None = None,
        response_information: str | None = None,
        server_reference: str | None = None,
        reason_string: str | None = None,
        receive_maximum: int | None = None,
        topic_alias_maximum: int | None = None,
        maximum_qos: int | None = None,
        retain_available: int | None = None,
        user_property: list[tuple[str, str]] | None = None,
        maximum_packet_size: int | None = None,
        wildcard_subscription_available: int | None = None,
        subscription_identifier_available: int | None = None,
        shared_subscription_available: int | None = None,
    ) -> None:
        self.session_expiry_interval = session_expiry_interval
        self.assigned_client_identifier = assigned_client_identifier
        self.server_keep_alive = server_keep_alive
        self.authentication_method = authentication_method
        self.authentication_data = authentication_data
        self.response_information = response_information
        self.server_reference = server_reference
        self.reason_string = reason_string
        self.receive_maximum = receive_maximum
        self.topic_alias_maximum = topic_alias_maximum
        self.maximum_qos = maximum_qos
        self.retain_available = retain_available
        self.user_property = [] if user_property is None else user_property
        self.maximum_packet_size = maximum_packet_size
        self.wildcard_subscription_available = wildcard_subscription_available
        self.subscription_identifier_available = subscription_identifier_available
        self.shared_subscription_available = shared_subscription_available

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConnackProperties):
            return NotImplemented
        return (
            self.session_expiry_interval == other.session_expiry_interval
            and self.assigned_client_identifier == other.assigned_client_identifier
            and self.server_keep_alive == other.server_keep_alive
            and self.authentication_method == other.authentication_method
            and self.authentication_data == other.authentication_data
            and self.response_information == other.response_information
            and self.server_reference == other.server_reference
            and self.reason_string == other.reason_string
            and self.receive_maximum == other.receive_maximum
            and self.topic_alias_maximum == other.topic_alias_maximum
            and self.maximum_qos == other.maximum_qos
            and self.retain_available == other.retain_available
            and self.user_property == other.user_property
            and self.maximum_packet_size == other.maximum_packet_size
            and self.wildcard_subscription_available == other.wildcard_subscription_available
            and self.subscription_identifier_available == other.subscription_identifier_available
            and self.shared_subscription_available == other.shared_subscription_available
        )

    def __hash__(self) -> int:
        raise TypeError("ConnackProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.session_expiry_interval is not None:
            parts.append(f"session_expiry_interval={self.session_expiry_interval!r}")
        if self.assigned_client_identifier is not None:
            parts.append(f"assigned_client_identifier={self.assigned_client_identifier!r}")
        if self.server_keep_alive is not None:
            parts.append(f"server_keep_alive={self.server_keep_alive!r}")
        if self.authentication_method is not None:
            parts.append(f"authentication_method={self.authentication_method!r}")
        if self.authentication_data is not None:
            parts.append(f"authentication_data={self.authentication_data!r}")
        if self.response_information is not None:
            parts.append(f"response_information={self.response_information!r}")
        if self.server_reference is not None:
            parts.append(f"server_reference={self.server_reference!r}")
        if self.reason_string is not None:
            parts.append(f"reason_string={self.reason_string!r}")
        if self.receive_maximum is not None:
            parts.append(f"receive_maximum={self.receive_maximum!r}")
        if self.topic_alias_maximum is not None:
            parts.append(f"topic_alias_maximum={self.topic_alias_maximum!r}")
        if self.maximum_qos is not None:
            parts.append(f"maximum_qos={self.maximum_qos!r}")
        if self.retain_available is not None:
            parts.append(f"retain_available={self.retain_available!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        if self.maximum_packet_size is not None:
            parts.append(f"maximum_packet_size={self.maximum_packet_size!r}")
        if self.wildcard_subscription_available is not None:
            parts.append(f"wildcard_subscription_available={self.wildcard_subscription_available!r}")
        if self.subscription_identifier_available is not None:
            parts.append(f"subscription_identifier_available={self.subscription_identifier_available!r}")
        if self.shared_subscription_available is not None:
            parts.append(f"shared_subscription_available={self.shared_subscription_available!r}")
        return "ConnackProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> ConnackProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return ConnackProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> ConnackProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return ConnackProperties, (
            self.session_expiry_interval,
            self.assigned_client_identifier,
            self.server_keep_alive,
            self.authentication_method,
            self.authentication_data,
            self.response_information,
            self.server_reference,
            self.reason_string,
            self.receive_maximum,
            self.topic_alias_maximum,
            self.maximum_qos,
            self.retain_available,
            self.user_property,
            self.maximum_packet_size,
            self.wildcard_subscription_available,
            self.subscription_identifier_available,
            self.shared_subscription_available,
        )


class PublishProperties:
    """The properties of PUBLISH."""

    __slots__ = (
        "payload_format_indicator",
        "message_expiry_interval",
        "content_type",
        "response_topic",
        "correlation_data",
        "subscription_identifier",
        "topic_alias",
        "user_property",
    )
    __match_args__: ClassVar[tuple[str, ...]] = (
        "payload_format_indicator",
        "message_expiry_interval",
        "content_type",
        "response_topic",
        "correlation_data",
        "subscription_identifier",
        "topic_alias",
        "user_property",
    )

    def __init__(
        self,
        payload_format_indicator: int | None = None,
        message_expiry_interval: int | None = None,
        content_type: str | None = None,
        response_topic: str | None = None,
        correlation_data: bytes | None = None,
        subscription_identifier: list[int] | None = None,
        topic_alias: int | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.payload_format_indicator = payload_format_indicator
        self.message_expiry_interval = message_expiry_interval
        self.content_type = content_type
        self.response_topic = response_topic
        self.correlation_data = correlation_data
        self.subscription_identifier = [] if subscription_identifier is None else subscription_identifier
        self.topic_alias = topic_alias
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublishProperties):
            return NotImplemented
        return (
            self.payload_format_indicator == other.payload_format_indicator
            and self.message_expiry_interval == other.message_expiry_interval
            and self.content_type == other.content_type
            and self.response_topic == other.response_topic
            and self.correlation_data == other.correlation_data
            and self.subscription_identifier == other.subscription_identifier
            and self.topic_alias == other.topic_alias
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("PublishProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.payload_format_indicator is not None:
            parts.append(f"payload_format_indicator={self.payload_format_indicator!r}")
        if self.message_expiry_interval is not None:
            parts.append(f"message_expiry_interval={self.message_expiry_interval!r}")
        if self.content_type is not None:
            parts.append(f"content_type={self.content_type!r}")
        if self.response_topic is not None:
            parts.append(f"response_topic={self.response_topic!r}")
        if self.correlation_data is not None:
            parts.append(f"correlation_data={self.correlation_data!r}")
        if self.subscription_identifier:
            parts.append(f"subscription_identifier={self.subscription_identifier!r}")
        if self.topic_alias is not None:
            parts.append(f"topic_alias={self.topic_alias!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "PublishProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> PublishProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return PublishProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> PublishProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return PublishProperties, (
            self.payload_format_indicator,
            self.message_expiry_interval,
            self.content_type,
            self.response_topic,
            self.correlation_data,
            self.subscription_identifier,
            self.topic_alias,
            self.user_property,
        )


class PubackProperties:
    """The properties of PUBACK."""

    __slots__ = ("reason_string", "user_property")
    __match_args__: ClassVar[tuple[str, ...]] = ("reason_string", "user_property")

    def __init__(
        self,
        reason_string: str | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.reason_string = reason_string
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PubackProperties):
            return NotImplemented
        return (
            self.reason_string == other.reason_string
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("PubackProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.reason_string is not None:
            parts.append(f"reason_string={self.reason_string!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "PubackProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> PubackProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return PubackProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> PubackProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return PubackProperties, (self.reason_string, self.user_property)


class PubrecProperties:
    """The properties of PUBREC."""

    __slots__ = ("reason_string", "user_property")
    __match_args__: ClassVar[tuple[str, ...]] = ("reason_string", "user_property")

    def __init__(
        self,
        reason_string: str | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.reason_string = reason_string
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PubrecProperties):
            return NotImplemented
        return (
            self.reason_string == other.reason_string
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("PubrecProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.reason_string is not None:
            parts.append(f"reason_string={self.reason_string!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "PubrecProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> PubrecProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return PubrecProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> PubrecProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return PubrecProperties, (self.reason_string, self.user_property)


class PubrelProperties:
    """The properties of PUBREL."""

    __slots__ = ("reason_string", "user_property")
    __match_args__: ClassVar[tuple[str, ...]] = ("reason_string", "user_property")

    def __init__(
        self,
        reason_string: str | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.reason_string = reason_string
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PubrelProperties):
            return NotImplemented
        return (
            self.reason_string == other.reason_string
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("PubrelProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.reason_string is not None:
            parts.append(f"reason_string={self.reason_string!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "PubrelProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> PubrelProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return PubrelProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> PubrelProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return PubrelProperties, (self.reason_string, self.user_property)


class PubcompProperties:
    """The properties of PUBCOMP."""

    __slots__ = ("reason_string", "user_property")
    __match_args__: ClassVar[tuple[str, ...]] = ("reason_string", "user_property")

    def __init__(
        self,
        reason_string: str | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.reason_string = reason_string
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PubcompProperties):
            return NotImplemented
        return (
            self.reason_string == other.reason_string
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("PubcompProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.reason_string is not None:
            parts.append(f"reason_string={self.reason_string!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "PubcompProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> PubcompProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return PubcompProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> PubcompProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return PubcompProperties, (self.reason_string, self.user_property)


class SubscribeProperties:
    """The properties of SUBSCRIBE."""

    __slots__ = ("subscription_identifier", "user_property")
    __match_args__: ClassVar[tuple[str, ...]] = ("subscription_identifier", "user_property")

    def __init__(
        self,
        subscription_identifier: int | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.subscription_identifier = subscription_identifier
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SubscribeProperties):
            return NotImplemented
        return (
            self.subscription_identifier == other.subscription_identifier
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("SubscribeProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.subscription_identifier is not None:
            parts.append(f"subscription_identifier={self.subscription_identifier!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "SubscribeProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> SubscribeProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return SubscribeProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> SubscribeProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return SubscribeProperties, (self.subscription_identifier, self.user_property)


class SubackProperties:
    """The properties of SUBACK."""

    __slots__ = ("reason_string", "user_property")
    __match_args__: ClassVar[tuple[str, ...]] = ("reason_string", "user_property")

    def __init__(
        self,
        reason_string: str | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.reason_string = reason_string
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SubackProperties):
            return NotImplemented
        return (
            self.reason_string == other.reason_string
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("SubackProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.reason_string is not None:
            parts.append(f"reason_string={self.reason_string!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "SubackProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> SubackProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return SubackProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> SubackProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return SubackProperties, (self.reason_string, self.user_property)


class UnsubscribeProperties:
    """The properties of UNSUBSCRIBE."""

    __slots__ = ("user_property",)
    __match_args__: ClassVar[tuple[str, ...]] = ("user_property",)

    def __init__(
        self,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UnsubscribeProperties):
            return NotImplemented
        return self.user_property == other.user_property

    def __hash__(self) -> int:
        raise TypeError("UnsubscribeProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "UnsubscribeProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> UnsubscribeProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return UnsubscribeProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> UnsubscribeProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return UnsubscribeProperties, (self.user_property,)


class UnsubackProperties:
    """The properties of UNSUBACK."""

    __slots__ = ("reason_string", "user_property")
    __match_args__: ClassVar[tuple[str, ...]] = ("reason_string", "user_property")

    def __init__(
        self,
        reason_string: str | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.reason_string = reason_string
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UnsubackProperties):
            return NotImplemented
        return (
            self.reason_string == other.reason_string
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("UnsubackProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.reason_string is not None:
            parts.append(f"reason_string={self.reason_string!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "UnsubackProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> UnsubackProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return UnsubackProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> UnsubackProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return UnsubackProperties, (self.reason_string, self.user_property)


class DisconnectProperties:
    """The properties of DISCONNECT."""

    __slots__ = (
        "session_expiry_interval",
        "server_reference",
        "reason_string",
        "user_property",
    )
    __match_args__: ClassVar[tuple[str, ...]] = (
        "session_expiry_interval",
        "server_reference",
        "reason_string",
        "user_property",
    )

    def __init__(
        self,
        session_expiry_interval: int | None = None,
        server_reference: str | None = None,
        reason_string: str | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.session_expiry_interval = session_expiry_interval
        self.server_reference = server_reference
        self.reason_string = reason_string
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DisconnectProperties):
            return NotImplemented
        return (
            self.session_expiry_interval == other.session_expiry_interval
            and self.server_reference == other.server_reference
            and self.reason_string == other.reason_string
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("DisconnectProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.session_expiry_interval is not None:
            parts.append(f"session_expiry_interval={self.session_expiry_interval!r}")
        if self.server_reference is not None:
            parts.append(f"server_reference={self.server_reference!r}")
        if self.reason_string is not None:
            parts.append(f"reason_string={self.reason_string!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "DisconnectProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> DisconnectProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return DisconnectProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> DisconnectProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return DisconnectProperties, (
            self.session_expiry_interval,
            self.server_reference,
            self.reason_string,
            self.user_property,
        )


class AuthProperties:
    """The properties of AUTH."""

    __slots__ = (
        "authentication_method",
        "authentication_data",
        "reason_string",
        "user_property",
    )
    __match_args__: ClassVar[tuple[str, ...]] = (
        "authentication_method",
        "authentication_data",
        "reason_string",
        "user_property",
    )

    def __init__(
        self,
        authentication_method: str | None = None,
        authentication_data: bytes | None = None,
        reason_string: str | None = None,
        user_property: list[tuple[str, str]] | None = None,
    ) -> None:
        self.authentication_method = authentication_method
        self.authentication_data = authentication_data
        self.reason_string = reason_string
        self.user_property = [] if user_property is None else user_property

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AuthProperties):
            return NotImplemented
        return (
            self.authentication_method == other.authentication_method
            and self.authentication_data == other.authentication_data
            and self.reason_string == other.reason_string
            and self.user_property == other.user_property
        )

    def __hash__(self) -> int:
        raise TypeError("AuthProperties is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.authentication_method is not None:
            parts.append(f"authentication_method={self.authentication_method!r}")
        if self.authentication_data is not None:
            parts.append(f"authentication_data={self.authentication_data!r}")
        if self.reason_string is not None:
            parts.append(f"reason_string={self.reason_string!r}")
        if self.user_property:
            parts.append(f"user_property={self.user_property!r}")
        return "AuthProperties(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> AuthProperties:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return AuthProperties(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> AuthProperties:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return AuthProperties, (
            self.authentication_method,
            self.authentication_data,
            self.reason_string,
            self.user_property,
        )


class Block:
    """The checked properties of a PUBLISH, as the bytes that were received. A block is immutable.

    `data` are the properties that are forwarded with the message: those of the connection (Topic Alias) and of the
    subscriber (Subscription Identifier) are left out. `whole` are all properties, in the same object if none was left
    out. The Property Length is in neither. `expiry_at` is the offset in `data` of the four bytes that count down, or
    -1. `topic_alias` is 0 if it is absent. `utf8` is set if the sender declared the payload as UTF-8. `present` has
    a bit for each property in `whole`.
    """

    __slots__ = ("data", "expiry_at", "present", "topic_alias", "utf8", "whole")

    def __init__(self, data: bytes, whole: bytes, present: int, expiry_at: int, topic_alias: int, utf8: bool) -> None:
        self.data = data
        self.whole = whole
        self.present = present
        self.expiry_at = expiry_at
        self.topic_alias = topic_alias
        self.utf8 = utf8

    def properties(self) -> PublishProperties:
        """Decode the properties that are forwarded with the message. Returns a new object."""
        return _read_publish(self.data)

    def all_properties(self) -> PublishProperties:
        """Decode all properties. Returns a new object."""
        return _read_publish(self.whole)

    def kept(self) -> Block | None:
        """Return the block of the forwarded properties only: this block if they are all, None if there are none."""
        data = self.data
        if data is self.whole:
            return self
        return Block(data, data, self.present & 0x9F, self.expiry_at, 0, self.utf8) if data else None

    def expiry(self) -> int:
        """Return the seconds that count down, as received, or -1."""
        value: int = UNPACK_32(self.data, self.expiry_at)[0] if self.expiry_at >= 0 else -1
        return value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Block):
            return NotImplemented
        return self.whole == other.whole

    def __hash__(self) -> int:
        return hash(self.whole)

    def __repr__(self) -> str:
        return f"Block({self.all_properties()!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return Block, (self.data, self.whole, self.present, self.expiry_at, self.topic_alias, self.utf8)


def _read_publish(data: bytes) -> PublishProperties:
    """Decode properties from checked bytes."""
    out = PublishProperties()
    at = 0
    end = len(data)
    while at < end:
        identifier = data[at]
        at += 1
        if identifier == 0x01:  # Payload Format Indicator
            out.payload_format_indicator = data[at]
            at += 1
        elif identifier == 0x02:  # Message Expiry Interval
            out.message_expiry_interval = UNPACK_32(data, at)[0]
            at += 4
        elif identifier == 0x03:  # Content Type
            stop = at + 2 + (data[at] << 8 | data[at + 1])
            out.content_type = data[at + 2 : stop].decode()
            at = stop
        elif identifier == 0x08:  # Response Topic
            stop = at + 2 + (data[at] << 8 | data[at + 1])
            out.response_topic = data[at + 2 : stop].decode()
            at = stop
        elif identifier == 0x09:  # Correlation Data
            stop = at + 2 + (data[at] << 8 | data[at + 1])
            out.correlation_data = data[at + 2 : stop]
            at = stop
        elif identifier == 0x0B:  # Subscription Identifier
            packed = read_vbi(data, at, end, False)
            out.subscription_identifier.append(packed >> 3)
            at += packed & 7
        elif identifier == 0x23:  # Topic Alias
            out.topic_alias = data[at] << 8 | data[at + 1]
            at += 2
        elif identifier == 0x26:  # User Property
            stop = at + 2 + (data[at] << 8 | data[at + 1])
            key = data[at + 2 : stop].decode()
            at = stop
            stop = at + 2 + (data[at] << 8 | data[at + 1])
            out.user_property.append((key, data[at + 2 : stop].decode()))
            at = stop
    return out


class Will:
    """The Will Message that a CONNECT leaves with the server."""

    __slots__ = ("topic", "payload", "qos", "retain", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("topic", "payload", "qos", "retain", "properties")

    def __init__(
        self,
        topic: str,
        payload: bytes = b"",
        qos: int = 0,
        retain: bool = False,
        properties: WillProperties | None = None,
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Will):
            return NotImplemented
        return (
            self.topic == other.topic
            and self.payload == other.payload
            and self.qos == other.qos
            and self.retain == other.retain
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Will is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"topic={self.topic!r}")
        if self.payload:
            parts.append(f"payload={self.payload!r}")
        if self.qos:
            parts.append(f"qos={self.qos!r}")
        if self.retain:
            parts.append(f"retain={self.retain!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Will(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Will:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Will(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Will:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Will, (self.topic, self.payload, self.qos, self.retain, self.properties)


class Connect:
    """CONNECT (section 3.1)."""

    __slots__ = (
        "client_id",
        "protocol_version",
        "clean_start",
        "keep_alive",
        "username",
        "password",
        "will",
        "properties",
    )
    __match_args__: ClassVar[tuple[str, ...]] = (
        "client_id",
        "protocol_version",
        "clean_start",
        "keep_alive",
        "username",
        "password",
        "will",
        "properties",
    )
    TYPE: Final = 1

    def __init__(
        self,
        client_id: str,
        protocol_version: int = 5,
        clean_start: bool = True,
        keep_alive: int = 0,
        username: str | None = None,
        password: bytes | None = None,
        will: Will | None = None,
        properties: ConnectProperties | None = None,
    ) -> None:
        self.client_id = client_id
        self.protocol_version = protocol_version
        self.clean_start = clean_start
        self.keep_alive = keep_alive
        self.username = username
        self.password = password
        self.will = will
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Connect):
            return NotImplemented
        return (
            self.client_id == other.client_id
            and self.protocol_version == other.protocol_version
            and self.clean_start == other.clean_start
            and self.keep_alive == other.keep_alive
            and self.username == other.username
            and self.password == other.password
            and self.will == other.will
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Connect is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"client_id={self.client_id!r}")
        if self.protocol_version != 5:
            parts.append(f"protocol_version={self.protocol_version!r}")
        if not self.clean_start:
            parts.append(f"clean_start={self.clean_start!r}")
        if self.keep_alive:
            parts.append(f"keep_alive={self.keep_alive!r}")
        if self.username is not None:
            parts.append(f"username={self.username!r}")
        if self.password is not None:
            parts.append(f"password={self.password!r}")
        if self.will is not None:
            parts.append(f"will={self.will!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Connect(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Connect:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Connect(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Connect:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Connect, (
            self.client_id,
            self.protocol_version,
            self.clean_start,
            self.keep_alive,
            self.username,
            self.password,
            self.will,
            self.properties,
        )


class Connack:
    """CONNACK (section 3.2)."""

    __slots__ = ("reason_code", "session_present", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("reason_code", "session_present", "properties")
    TYPE: Final = 2

    def __init__(
        self,
        reason_code: int = 0,
        session_present: bool = False,
        properties: ConnackProperties | None = None,
    ) -> None:
        self.reason_code = reason_code
        self.session_present = session_present
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Connack):
            return NotImplemented
        return (
            self.reason_code == other.reason_code
            and self.session_present == other.session_present
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Connack is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.reason_code:
            parts.append(f"reason_code={self.reason_code!r}")
        if self.session_present:
            parts.append(f"session_present={self.session_present!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Connack(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Connack:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Connack(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Connack:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Connack, (self.reason_code, self.session_present, self.properties)


class Publish:
    """PUBLISH (section 3.3)."""

    __slots__ = (
        "topic",
        "payload",
        "qos",
        "retain",
        "dup",
        "packet_id",
        "received",
        "_given",
    )
    __match_args__: ClassVar[tuple[str, ...]] = (
        "topic",
        "payload",
        "qos",
        "retain",
        "dup",
        "packet_id",
        "properties",
    )
    TYPE: Final = 3

    def __init__(
        self,
        topic: str,
        payload: bytes = b"",
        qos: int = 0,
        retain: bool = False,
        dup: bool = False,
        packet_id: int = 0,
        properties: PublishProperties | None = None,
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.dup = dup
        self.packet_id = packet_id
        self.received: Block | None = None
        """The properties of a decoded packet, as they came. Later changes are not in it."""
        self._given = properties

    @property
    def properties(self) -> PublishProperties | None:
        """The properties as an object, made on first access. From then on, changes of the object are used."""
        given = self._given
        if given is None and self.received is not None:
            given = self._given = self.received.all_properties()
        return given

    @properties.setter
    def properties(self, value: PublishProperties | None) -> None:
        self._given = value
        self.received = None

    @property
    def has_properties(self) -> bool:
        """True if there are properties. No object is made."""
        return self.received is not None or self._given is not None

    @property
    def block(self) -> Block | None:
        """The properties as received bytes. None if there are none, or after an access to `properties`."""
        return self.received if self._given is None else None

    @block.setter
    def block(self, value: Block | None) -> None:
        self.received = value
        self._given = None

    def _look(self) -> PublishProperties | None:
        """Return the properties for a caller that neither keeps nor changes them."""
        given = self._given
        return self.received.all_properties() if given is None and self.received is not None else given

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Publish):
            return NotImplemented
        return (
            self.topic == other.topic
            and self.payload == other.payload
            and self.qos == other.qos
            and self.retain == other.retain
            and self.dup == other.dup
            and self.packet_id == other.packet_id
            and self._look() == other._look()
        )

    def __hash__(self) -> int:
        raise TypeError("Publish is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"topic={self.topic!r}")
        if self.payload:
            parts.append(f"payload={self.payload!r}")
        if self.qos:
            parts.append(f"qos={self.qos!r}")
        if self.retain:
            parts.append(f"retain={self.retain!r}")
        if self.dup:
            parts.append(f"dup={self.dup!r}")
        if self.packet_id:
            parts.append(f"packet_id={self.packet_id!r}")
        properties = self._look()
        if properties is not None:
            parts.append(f"properties={properties!r}")
        return "Publish(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Publish:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        if "properties" not in changes:
            made = Publish(*replaced(self, {**changes, "properties": None}))
            made.received = self.received
            made._given = None if self._given is None else self._given.replace()
            return made
        return Publish(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Publish:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Publish, (self.topic, self.payload, self.qos, self.retain, self.dup, self.packet_id, self.properties)


class Puback:
    """PUBACK (section 3.4)."""

    __slots__ = ("packet_id", "reason_code", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("packet_id", "reason_code", "properties")
    TYPE: Final = 4

    def __init__(
        self,
        packet_id: int,
        reason_code: int = 0,
        properties: PubackProperties | None = None,
    ) -> None:
        self.packet_id = packet_id
        self.reason_code = reason_code
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Puback):
            return NotImplemented
        return (
            self.packet_id == other.packet_id
            and self.reason_code == other.reason_code
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Puback is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"packet_id={self.packet_id!r}")
        if self.reason_code:
            parts.append(f"reason_code={self.reason_code!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Puback(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Puback:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Puback(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Puback:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Puback, (self.packet_id, self.reason_code, self.properties)


class Pubrec:
    """PUBREC (section 3.5)."""

    __slots__ = ("packet_id", "reason_code", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("packet_id", "reason_code", "properties")
    TYPE: Final = 5

    def __init__(
        self,
        packet_id: int,
        reason_code: int = 0,
        properties: PubrecProperties | None = None,
    ) -> None:
        self.packet_id = packet_id
        self.reason_code = reason_code
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pubrec):
            return NotImplemented
        return (
            self.packet_id == other.packet_id
            and self.reason_code == other.reason_code
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Pubrec is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"packet_id={self.packet_id!r}")
        if self.reason_code:
            parts.append(f"reason_code={self.reason_code!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Pubrec(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Pubrec:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Pubrec(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Pubrec:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Pubrec, (self.packet_id, self.reason_code, self.properties)


class Pubrel:
    """PUBREL (section 3.6)."""

    __slots__ = ("packet_id", "reason_code", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("packet_id", "reason_code", "properties")
    TYPE: Final = 6

    def __init__(
        self,
        packet_id: int,
        reason_code: int = 0,
        properties: PubrelProperties | None = None,
    ) -> None:
        self.packet_id = packet_id
        self.reason_code = reason_code
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pubrel):
            return NotImplemented
        return (
            self.packet_id == other.packet_id
            and self.reason_code == other.reason_code
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Pubrel is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"packet_id={self.packet_id!r}")
        if self.reason_code:
            parts.append(f"reason_code={self.reason_code!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Pubrel(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Pubrel:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Pubrel(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Pubrel:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Pubrel, (self.packet_id, self.reason_code, self.properties)


class Pubcomp:
    """PUBCOMP (section 3.7)."""

    __slots__ = ("packet_id", "reason_code", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("packet_id", "reason_code", "properties")
    TYPE: Final = 7

    def __init__(
        self,
        packet_id: int,
        reason_code: int = 0,
        properties: PubcompProperties | None = None,
    ) -> None:
        self.packet_id = packet_id
        self.reason_code = reason_code
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pubcomp):
            return NotImplemented
        return (
            self.packet_id == other.packet_id
            and self.reason_code == other.reason_code
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Pubcomp is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"packet_id={self.packet_id!r}")
        if self.reason_code:
            parts.append(f"reason_code={self.reason_code!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Pubcomp(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Pubcomp:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Pubcomp(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Pubcomp:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Pubcomp, (self.packet_id, self.reason_code, self.properties)


class Subscription:
    """One entry of SUBSCRIBE."""

    __slots__ = (
        "topic_filter",
        "qos",
        "no_local",
        "retain_as_published",
        "retain_handling",
    )
    __match_args__: ClassVar[tuple[str, ...]] = (
        "topic_filter",
        "qos",
        "no_local",
        "retain_as_published",
        "retain_handling",
    )

    def __init__(
        self,
        topic_filter: str,
        qos: int = 0,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: int = 0,
    ) -> None:
        self.topic_filter = topic_filter
        self.qos = qos
        self.no_local = no_local
        self.retain_as_published = retain_as_published
        self.retain_handling = retain_handling

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Subscription):
            return NotImplemented
        return (
            self.topic_filter == other.topic_filter
            and self.qos == other.qos
            and self.no_local == other.no_local
            and self.retain_as_published == other.retain_as_published
            and self.retain_handling == other.retain_handling
        )

    def __hash__(self) -> int:
        raise TypeError("Subscription is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"topic_filter={self.topic_filter!r}")
        if self.qos:
            parts.append(f"qos={self.qos!r}")
        if self.no_local:
            parts.append(f"no_local={self.no_local!r}")
        if self.retain_as_published:
            parts.append(f"retain_as_published={self.retain_as_published!r}")
        if self.retain_handling:
            parts.append(f"retain_handling={self.retain_handling!r}")
        return "Subscription(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Subscription:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Subscription(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Subscription:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Subscription, (
            self.topic_filter,
            self.qos,
            self.no_local,
            self.retain_as_published,
            self.retain_handling,
        )


class Subscribe:
    """SUBSCRIBE (section 3.8)."""

    __slots__ = ("packet_id", "subscriptions", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("packet_id", "subscriptions", "properties")
    TYPE: Final = 8

    def __init__(
        self,
        packet_id: int,
        subscriptions: list[Subscription],
        properties: SubscribeProperties | None = None,
    ) -> None:
        self.packet_id = packet_id
        self.subscriptions = subscriptions
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Subscribe):
            return NotImplemented
        return (
            self.packet_id == other.packet_id
            and self.subscriptions == other.subscriptions
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Subscribe is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"packet_id={self.packet_id!r}")
        parts.append(f"subscriptions={self.subscriptions!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Subscribe(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Subscribe:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Subscribe(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Subscribe:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Subscribe, (self.packet_id, self.subscriptions, self.properties)


class Suback:
    """SUBACK (section 3.9)."""

    __slots__ = ("packet_id", "reason_codes", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("packet_id", "reason_codes", "properties")
    TYPE: Final = 9

    def __init__(
        self,
        packet_id: int,
        reason_codes: list[int],
        properties: SubackProperties | None = None,
    ) -> None:
        self.packet_id = packet_id
        self.reason_codes = reason_codes
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Suback):
            return NotImplemented
        return (
            self.packet_id == other.packet_id
            and self.reason_codes == other.reason_codes
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Suback is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"packet_id={self.packet_id!r}")
        parts.append(f"reason_codes={self.reason_codes!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Suback(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Suback:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Suback(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Suback:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Suback, (self.packet_id, self.reason_codes, self.properties)


class Unsubscribe:
    """UNSUBSCRIBE (section 3.10)."""

    __slots__ = ("packet_id", "topic_filters", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("packet_id", "topic_filters", "properties")
    TYPE: Final = 10

    def __init__(
        self,
        packet_id: int,
        topic_filters: list[str],
        properties: UnsubscribeProperties | None = None,
    ) -> None:
        self.packet_id = packet_id
        self.topic_filters = topic_filters
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unsubscribe):
            return NotImplemented
        return (
            self.packet_id == other.packet_id
            and self.topic_filters == other.topic_filters
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Unsubscribe is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"packet_id={self.packet_id!r}")
        parts.append(f"topic_filters={self.topic_filters!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Unsubscribe(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Unsubscribe:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Unsubscribe(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Unsubscribe:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Unsubscribe, (self.packet_id, self.topic_filters, self.properties)


class Unsuback:
    """UNSUBACK (section 3.11)."""

    __slots__ = ("packet_id", "reason_codes", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("packet_id", "reason_codes", "properties")
    TYPE: Final = 11

    def __init__(
        self,
        packet_id: int,
        reason_codes: list[int] | None = None,
        properties: UnsubackProperties | None = None,
    ) -> None:
        self.packet_id = packet_id
        self.reason_codes = [] if reason_codes is None else reason_codes
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unsuback):
            return NotImplemented
        return (
            self.packet_id == other.packet_id
            and self.reason_codes == other.reason_codes
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Unsuback is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        parts.append(f"packet_id={self.packet_id!r}")
        if self.reason_codes:
            parts.append(f"reason_codes={self.reason_codes!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Unsuback(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Unsuback:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Unsuback(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Unsuback:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Unsuback, (self.packet_id, self.reason_codes, self.properties)


class Pingreq:
    """PINGREQ (section 3.12)."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    TYPE: Final = 12

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pingreq):
            return NotImplemented
        return True

    def __hash__(self) -> int:
        raise TypeError("Pingreq is mutable and has no hash")

    def __repr__(self) -> str:
        return "Pingreq()"

    def replace(self, **changes: Any) -> Pingreq:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Pingreq(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Pingreq:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Pingreq, ()


class Pingresp:
    """PINGRESP (section 3.13)."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    TYPE: Final = 13

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pingresp):
            return NotImplemented
        return True

    def __hash__(self) -> int:
        raise TypeError("Pingresp is mutable and has no hash")

    def __repr__(self) -> str:
        return "Pingresp()"

    def replace(self, **changes: Any) -> Pingresp:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Pingresp(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Pingresp:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Pingresp, ()


class Disconnect:
    """DISCONNECT (section 3.14)."""

    __slots__ = ("reason_code", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("reason_code", "properties")
    TYPE: Final = 14

    def __init__(
        self,
        reason_code: int = 0,
        properties: DisconnectProperties | None = None,
    ) -> None:
        self.reason_code = reason_code
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Disconnect):
            return NotImplemented
        return (
            self.reason_code == other.reason_code
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Disconnect is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.reason_code:
            parts.append(f"reason_code={self.reason_code!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Disconnect(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Disconnect:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Disconnect(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Disconnect:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Disconnect, (self.reason_code, self.properties)


class Auth:
    """AUTH (section 3.15)."""

    __slots__ = ("reason_code", "properties")
    __match_args__: ClassVar[tuple[str, ...]] = ("reason_code", "properties")
    TYPE: Final = 15

    def __init__(
        self,
        reason_code: int = 0,
        properties: AuthProperties | None = None,
    ) -> None:
        self.reason_code = reason_code
        self.properties = properties

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Auth):
            return NotImplemented
        return (
            self.reason_code == other.reason_code
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        raise TypeError("Auth is mutable and has no hash")

    def __repr__(self) -> str:
        parts: list[str] = []
        if self.reason_code:
            parts.append(f"reason_code={self.reason_code!r}")
        if self.properties is not None:
            parts.append(f"properties={self.properties!r}")
        return "Auth(" + ", ".join(parts) + ")"

    def replace(self, **changes: Any) -> Auth:
        """Return a copy with these fields changed; the others stay. TypeError: there is no such field."""
        return Auth(*replaced(self, changes))

    def __replace__(self, **changes: Any) -> Auth:
        """For `copy.replace`."""
        return self.replace(**changes)

    def __reduce__(self) -> tuple[object, ...]:
        return Auth, (self.reason_code, self.properties)


Packet = (
    Connect
    | Connack
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
    | Auth
)

PACKET_NAMES: Final = (
    "RESERVED",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
)
"""The name of each packet type, by its number."""

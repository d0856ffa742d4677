# SPDX-License-Identifier: MIT
"""Faults in the properties of messages, including Topic Aliases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Talk
from mqtt_conformance.faults.spoil import Out, by_hand, on, property_
from mqtt_ref.wire.packets import (
    Publish,
    PublishProperties,
)
from mqtt_ref.wire.primitives import V5

__all__ = ["faults"]


def faults() -> Iterator[Fault]:
    """All of them."""
    lost = {
        "payload_format_indicator": "MQTT5-3.3.2-4",
        "content_type": "MQTT5-3.3.2-20 MQTT5-3.3.2-19",
        "response_topic": "MQTT5-3.3.2-15 MQTT5-3.3.2-13",
        "correlation_data": "MQTT5-3.3.2-16",
        "message_expiry_interval": "MQTT5-3.3.2-6 X5-will-message-expiry-sent",
        "user_property": "MQTT5-3.3.2-17 MQTT5-3.1.3-10 X5-user-property-repeat-allowed",
        "subscription_identifier": "MQTT5-3.3.4-3 MQTT5-3.3.4-4 X5-subscription-identifier-stored "
        "X5-subscription-identifier-identical X5-subscription-identifier-shared X5-session-state-subscriptions "
        "X5-subscription-identifier-absent",
    }
    for name, statements in lost.items():
        empty: Any = [] if name in ("user_property", "subscription_identifier") else None
        yield by_hand(f"properties/{name}-lost", statements, down=property_(Publish, name, lambda p, e=empty: e))
    yield by_hand(
        "properties/user-properties-sorted",
        "MQTT5-3.3.2-18 MQTT5-3.1.3-10 X5-will-properties-published",
        down=property_(Publish, "user_property", lambda p: sorted(p.properties.user_property)),
    )
    yield by_hand(
        "properties/user-properties-unique",
        "MQTT5-3.3.2-17",
        down=property_(Publish, "user_property", lambda p: list(dict(p.properties.user_property).items())),
    )
    yield by_hand(
        "properties/identifier-first-only",
        "MQTT5-3.3.4-4 X5-subscription-identifier-identical",
        down=property_(Publish, "subscription_identifier", lambda p: p.properties.subscription_identifier[:1]),
    )
    yield by_hand(
        "properties/identifier-foreign",
        """X5-subscription-identifier-foreign MQTT5-3.3.4-5 MQTT5-3.3.4-3 X5-subscription-identifier-removed
        X5-subscription-identifier-shared""",
        down=property_(
            Publish, "subscription_identifier", lambda p: [*p.properties.subscription_identifier, 77], PublishProperties
        ),
    )
    yield by_hand(
        "properties/identifier-kept",
        "X5-subscription-identifier-removed MQTT5-3.3.4-3",
        down=on(Publish)(_remembers),
        thorough=False,
    )
    yield by_hand(
        "properties/identifier-reverts",
        "X5-subscription-identifier-no-revert",
        down=on(Publish, when=lambda talk, p: p.dup)(_reverts),
    )
    yield by_hand(
        "properties/alias-forwarded",
        "X5-topic-alias-directions MQTT5-3.1.2-27 MQTT5-3.1.2-26",
        down=property_(Publish, "topic_alias", 60, PublishProperties),
    )
    yield by_hand("properties/expiry-not-reduced", "MQTT5-3.3.2-6", down=on(Publish)(_rounded))
    yield by_hand(
        "properties/expiry-made-up",
        "X5-message-expiry-absent",
        down=property_(Publish, "message_expiry_interval", 10, PublishProperties),
    )
    yield by_hand(
        "properties/never-expires",
        "MQTT5-3.3.2-5 X5-retained-expired",
        up=property_(Publish, "message_expiry_interval", None),
    )
    yield by_hand(
        "properties/aliases-forgotten",
        """X5-topic-alias-known-empty X5-topic-alias-remapped MQTT5-3.3.2-12 X5-topic-alias-known-name
        X5-topic-alias-unknown-name""",
        up=on(Publish)(_first_alias),
    )
    yield by_hand("properties/alias-guessed", "X5-topic-alias-unknown-empty MQTT5-3.3.2-7", up=on(Publish)(_guessed))
    yield by_hand(
        "properties/alias-not-known",
        "MQTT5-3.3.2-11 MQTT5-3.3.2-7 MQTT5-3.1.2-26",
        thorough=False,
        down=on(Publish, when=lambda talk, p: talk.version == V5)(_unknown_alias),
    )
    yield by_hand(
        "properties/alias-above-accepted", "X5-topic-alias-invalid", up=property_(Publish, "topic_alias", None)
    )


def _remembers(talk: Talk, packet: Any) -> None:
    seen = talk.all.setdefault(talk.connect and talk.connect.client_id, [])
    if packet.properties and packet.properties.subscription_identifier:
        seen[:] = seen or packet.properties.subscription_identifier
    elif seen and talk.version == V5:
        packet.properties = packet.properties or PublishProperties()
        packet.properties.subscription_identifier = list(seen)


def _reverts(talk: Talk, packet: Any) -> None:
    name = talk.connect and talk.connect.client_id
    talk.all[name] = talk.all.get(name, 0) + 1
    if packet.properties is not None:
        packet.properties.subscription_identifier = [2 if talk.all[name] == 1 else 1]


def _rounded(talk: Talk, packet: Any) -> None:
    if packet.properties is not None and packet.properties.message_expiry_interval is not None:
        packet.properties.message_expiry_interval = (packet.properties.message_expiry_interval + 9) // 10 * 10


def _first_alias(talk: Talk, packet: Any) -> Out | None:
    """Keep only the first name of each alias."""
    alias = packet.properties.topic_alias if packet.properties else None
    if alias is None:
        return None
    if not packet.topic:
        return ()
    return None


def _guessed(talk: Talk, packet: Any) -> None:
    if packet.properties is not None and packet.properties.topic_alias is not None and not packet.topic:
        packet.topic = "guessed"


def _unknown_alias(talk: Talk, packet: Any) -> None:
    limit = talk.connect.properties.topic_alias_maximum if talk.connect and talk.connect.properties else None
    if limit:
        packet.properties = packet.properties or PublishProperties()
        packet.properties.topic_alias = limit
        packet.topic = ""

# SPDX-License-Identifier: MIT
"""Features that the server does not offer, according to the CONNACK, must not be used."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Monitor
from mqtt_ref.wire.packets import ConnackProperties, Publish, Subscribe

__all__ = ["Features"]

QOS = ("MQTT5-3.2.2-11", "X5-maximum-qos-exceeded")
RETAIN = ("MQTT5-3.2.2-14",)
WILDCARD = ("X5-wildcard-not-supported",)
IDENTIFIER = ("X5-subscription-identifier-not-supported",)
SHARED = ("X5-shared-not-supported",)


class Features(Monitor):
    """Checks Maximum QoS, Retain Available, and the three features of subscriptions."""

    decides = (*QOS, *RETAIN, *WILDCARD, *IDENTIFIER, *SHARED)
    idle_in_plain = ("sent_publish",)

    def _told(self) -> ConnackProperties | None:
        """Return the CONNACK properties, if the client knows them."""
        connack = self.talk.connack
        if connack is None or connack.properties is None or not self.talk.knows():
            return None
        return connack.properties

    def sent_publish(self, packet: Publish) -> None:
        if not packet.qos and not packet.retain:
            return
        told = self._told()
        if told is None or self.talk.must_send(packet):
            return
        if told.maximum_qos is not None and packet.qos > told.maximum_qos:
            self.accuse(QOS, f"QoS up to {told.maximum_qos} (Maximum QoS)", f"a PUBLISH of QoS {packet.qos}")
        if packet.retain and told.retain_available == 0:
            self.accuse(RETAIN, "RETAIN 0 (Retain Available 0)", "a PUBLISH with RETAIN 1")

    def sent_subscribe(self, packet: Subscribe) -> None:
        told = self._told()
        if told is None:
            return
        for subscription in packet.subscriptions:
            topic_filter = subscription.topic_filter
            shared = topic_filter.startswith("$share/")
            plain = topic_filter.split("/", 2)[2] if shared and topic_filter.count("/") > 1 else topic_filter
            if told.shared_subscription_available == 0 and shared:
                self.accuse(SHARED, "no Shared Subscription (Shared Subscription Available 0)", repr(topic_filter))
            if told.wildcard_subscription_available == 0 and ("#" in plain or "+" in plain):
                self.accuse(WILDCARD, "no wildcards (Wildcard Subscription Available 0)", repr(topic_filter))
        properties = packet.properties
        if properties is not None and properties.subscription_identifier is not None:
            if told.subscription_identifier_available == 0:
                expected = "no Subscription Identifier (Subscription Identifier Available 0)"
                self.accuse(IDENTIFIER, expected, f"Subscription Identifier {properties.subscription_identifier}")

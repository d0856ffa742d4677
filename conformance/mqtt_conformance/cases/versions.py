# SPDX-License-Identifier: MIT
"""Clients of several protocol versions at one broker. They share its topics, retained messages and identifiers."""

from __future__ import annotations

from mqtt_conformance.case import VERSION_NAMES, case
from mqtt_conformance.peer import Peer
from mqtt_ref.wire.packets import Publish, PublishProperties
from mqtt_ref.wire.primitives import V5


def _others(peer: Peer) -> list[int]:
    """Return the other versions that the broker speaks. The case is unsupported if there are none."""
    versions = sorted(peer.target.capabilities.versions - {peer.version})
    if not versions:
        peer.unsupported("the broker speaks one version only")
    return versions


@case("MQTT5-3.3.1-9", "MQTT311-3.3.1-6", "X31-retain-new-subscription", slug="retained-by-other-version",
      needs=["retain"])  # fmt: skip
async def retained_messages_are_for_all_versions(peer: Peer) -> None:
    """A new subscription brings a message that a client of another version retained."""
    await peer.connect()
    for version in _others(peer):
        topic = peer.topic(f"v{version}")
        other = peer.another(f"v{version}", version)
        await other.connect()
        properties = PublishProperties(content_type="text", user_property=[("a", "b")]) if version == V5 else None
        # QoS 1 if supported, because a server may discard retained messages of QoS 0 at any time.
        qos = min(1, peer.target.capabilities.maximum_qos)
        await other.publish(topic, b"kept", qos=qos, retain=True, properties=properties)
        await other.barrier()
        await peer.subscribe(topic)
        message = await _message(peer, version)
        peer.equal((message.topic, message.payload, message.retain), (topic, b"kept", True), "the message")


@case("X5-message-to-every-match", "X311-deliver-to-matching", "MQTT5-3.8.4-8", "MQTT311-3.8.4-6", "X31-delivery-qos",
      slug="published-by-other-version", needs=["qos1"])  # fmt: skip
async def messages_are_for_all_versions(peer: Peer) -> None:
    """A message from a client of another version is delivered, in the form of the subscriber's version."""
    await peer.connect()
    await peer.subscribe(peer.topic(), qos=1)
    for version in _others(peer):
        other = peer.another(f"v{version}", version)
        await other.connect()
        properties = PublishProperties(content_type="text", user_property=[("a", "b")]) if version == V5 else None
        for qos in (0, 1):
            await other.publish(peer.topic(), b"live", qos=qos, properties=properties)
            message = await _message(peer, version)
            peer.equal((message.payload, message.qos), (b"live", qos), "payload and QoS")


@case("MQTT5-3.1.4-3", "MQTT311-3.1.4-2", "X31-client-id-in-use", slug="takeover-by-other-version")
async def client_of_another_version_takes_over(peer: Peer) -> None:
    """A connection with the same Client Identifier ends the first one, in any mix of versions."""
    for version in _others(peer):
        await peer.connect()
        other = peer.another(f"v{version}", version)
        await other.connect(client_id=peer.client_id)
        await peer.expect_closed()
        await other.served()
        await other.disconnect()


async def _message(peer: Peer, version: int) -> Publish:
    message = await peer.find(Publish, say=f"the message of the MQTT {VERSION_NAMES[version]} client")
    await peer.acknowledge(message)
    return message

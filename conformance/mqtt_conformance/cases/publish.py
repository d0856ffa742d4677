# SPDX-License-Identifier: MIT
"""Chapter 3.3: what a PUBLISH carries to subscribers, and overlapping subscriptions."""

from __future__ import annotations

import asyncio

from mqtt_conformance.case import case
from mqtt_conformance.peer import Peer
from mqtt_conformance.rules import DELIVERY, PUBACK, QUEUED, RETAINED
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.packets import Disconnect, Puback, Publish, PublishProperties, Subscription
from mqtt_ref.wire.primitives import V5


async def pair(peer: Peer, qos: int = 0) -> Peer:
    """Subscribe the peer to its topic, and return another client that publishes."""
    await peer.connect()
    await peer.subscribe(peer.topic(), qos=qos)
    other = peer.another("publisher")
    await other.connect()
    return other


async def forwarded(peer: Peer, properties: PublishProperties, qos: int = 0) -> PublishProperties:
    """Return the properties of a message as they arrive."""
    other = await pair(peer, qos)
    await other.publish(peer.topic(), b"text", qos=qos, properties=properties)
    (message,) = await peer.messages(1, under=DELIVERY)
    return message.properties or PublishProperties()


@case(
    "MQTT5-3.3.2-3",
    "MQTT311-3.3.2-3",
    "MQTT5-4.3.1-1",
    "MQTT311-4.3.1-1",
    "X311-publish-payload-any",
    "X311-qos0-ownership",
    "MQTT5-3.3.1-2",
    "MQTT311-3.3.1-2",
    "MQTT5-3.3.2-2",
    "X5-message-to-every-match",
    "X311-deliver-to-matching",
    slug="delivery",
)
async def message_is_delivered(peer: Peer) -> None:
    """A QoS 0 message reaches its subscriber with the topic and payload that were sent, and DUP 0."""
    other = await pair(peer)
    await other.publish(peer.topic(), bytes(range(256)))
    (message,) = await peer.messages(1)
    peer.equal(message.topic, peer.topic(), "the Topic Name", proven=True)
    peer.equal(message.payload, bytes(range(256)), "the payload")
    peer.equal((message.qos, message.dup), (0, False), "QoS and DUP", proven=True)


@case("X5-publish-empty-payload", "X311-publish-payload-empty", slug="empty-payload")
async def empty_payload_is_delivered(peer: Peer) -> None:
    """A message without payload is valid and delivered."""
    other = await pair(peer)
    await other.publish(peer.topic(), b"")
    (message,) = await peer.messages(1)
    peer.equal(message.payload, b"", "the payload")


@case("MQTT5-3.3.1-3", "MQTT311-3.3.1-3", slug="dup-not-forwarded", needs=["qos1"])
async def dup_is_not_forwarded(peer: Peer) -> None:
    """The DUP flag of a delivered message does not depend on the DUP flag of the published one."""
    other = await pair(peer, 1)
    await other.send(Publish(peer.topic(), b"again", 1, dup=True, packet_id=9))
    peer.taken(await other.find(Puback, under=PUBACK))
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal(message.dup, False, "DUP", proven=True)


@case("MQTT5-3.3.1-12", "MQTT311-3.3.1-9", "X31-retain-live", slug="retain-cleared", needs=["retain"])
async def retain_is_cleared_when_forwarding(peer: Peer) -> None:
    """A message published with RETAIN 1 reaches an established subscription with RETAIN 0."""
    other = await pair(peer)
    await other.publish(peer.topic(), b"kept", retain=True)
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal(message.retain, False, "RETAIN")


@case("MQTT5-3.3.1-13", slug="retain-as-published", needs=["retain"])
async def retain_as_published(peer: Peer) -> None:
    """With Retain As Published the RETAIN flag arrives as it was sent."""
    await peer.connect()
    await peer.subscribe(Subscription(peer.topic(), retain_as_published=True))
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"kept", retain=True)
    await other.publish(peer.topic(), b"live")
    seen = [(m.payload, m.retain) for m in await peer.messages(2, under=DELIVERY)]
    peer.equal(seen, [(b"kept", True), (b"live", False)], "payload and RETAIN")


@case("MQTT5-3.3.2-4", slug="payload-format")
async def payload_format_is_forwarded(peer: Peer) -> None:
    """The Payload Format Indicator arrives unaltered."""
    for value in (0, 1):
        seen = await forwarded(peer, PublishProperties(payload_format_indicator=value))
        peer.equal(seen.payload_format_indicator or 0, value, "Payload Format Indicator", proven=True)


@case("MQTT5-3.3.2-20", "MQTT5-3.3.2-19", slug="content-type")
async def content_type_is_forwarded(peer: Peer) -> None:
    """The Content Type arrives unaltered."""
    seen = await forwarded(peer, PublishProperties(content_type="text/plain; charset=utf-8 \u00e9"))
    peer.equal(seen.content_type, "text/plain; charset=utf-8 \u00e9", "Content Type", proven=True)


@case("MQTT5-3.3.2-15", "MQTT5-3.3.2-13", slug="response-topic")
async def response_topic_is_forwarded(peer: Peer) -> None:
    """The Response Topic arrives unaltered."""
    seen = await forwarded(peer, PublishProperties(response_topic="some/where/else"))
    peer.equal(seen.response_topic, "some/where/else", "Response Topic", proven=True)


@case("MQTT5-3.3.2-16", slug="correlation-data")
async def correlation_data_is_forwarded(peer: Peer) -> None:
    """The Correlation Data arrives unaltered, with any bytes."""
    data = bytes(range(256))
    seen = await forwarded(peer, PublishProperties(response_topic="r", correlation_data=data))
    peer.equal(seen.correlation_data, data, "Correlation Data", proven=True)


@case("MQTT5-3.3.2-17", "MQTT5-3.3.2-18", "X5-user-property-repeat-allowed", slug="user-properties")
async def user_properties_are_forwarded(peer: Peer) -> None:
    """All User Properties arrive, unaltered and in order, including repeated names."""
    pairs = [("b", "2"), ("a", "1"), ("b", "0"), ("", ""), ("b", "2"), ("\u00fc", "\ufeff")]
    seen = await forwarded(peer, PublishProperties(user_property=list(pairs)))
    peer.equal(seen.user_property, pairs, "the User Properties", proven=True)


@case("MQTT5-3.3.2-6", "MQTT5-3.3.2-17", slug="properties-retained", needs=["retain"])
async def properties_are_kept_with_retained_messages(peer: Peer) -> None:
    """A retained message carries its properties to later subscribers."""
    await peer.connect()
    properties = PublishProperties(content_type="t", user_property=[("a", "b")], message_expiry_interval=100)
    await peer.publish(
        peer.topic(), b"kept", qos=min(1, peer.target.capabilities.maximum_qos), retain=True, properties=properties
    )
    await peer.barrier()
    await peer.subscribe(peer.topic())
    (message,) = await peer.messages(1, under=RETAINED)
    seen = message.properties or PublishProperties()
    peer.equal(seen.user_property, [("a", "b")], "the User Properties", under=("MQTT5-3.3.2-17",), proven=True)
    peer.equal(seen.content_type, "t", "Content Type", under=("MQTT5-3.3.2-20",), proven=True)
    left = seen.message_expiry_interval
    peer.check(left is not None and 95 <= left <= 100, "Message Expiry Interval", expected="about 100", seen=left)


@case("MQTT5-3.3.2-6", slug="expiry-forwarded")
async def message_expiry_is_forwarded(peer: Peer) -> None:
    """The Message Expiry Interval arrives, reduced by the seconds that the message waited."""
    seen = await forwarded(peer, PublishProperties(message_expiry_interval=60))
    left = seen.message_expiry_interval
    peer.check(left is not None and 57 <= left <= 60, "Message Expiry Interval", expected="about 60", seen=left)


@case("MQTT5-3.3.2-6", "MQTT5-3.3.2-5", slug="expiry-counts-down", needs=["session", "qos1"])
async def message_expiry_counts_while_waiting(peer: Peer) -> None:
    """The Message Expiry Interval of a queued message is reduced by the time it waited."""
    await peer.connect(clean=True, expiry=60)
    await peer.subscribe(peer.topic(), qos=1)
    await peer.disconnect()
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"m", qos=1, properties=PublishProperties(message_expiry_interval=100))
    await other.publish(peer.topic(), b"plain", qos=1)
    await asyncio.sleep(2.2)
    await peer.connect(clean=False, expiry=0)
    (message,) = await peer.messages(1, under=QUEUED)
    peer.equal(message.payload, b"m", "the first message that waited")
    left = message.properties.message_expiry_interval if message.properties else None
    peer.check(left is not None and left <= 98, "Message Expiry Interval", expected="at most 98", seen=left)
    peer.check(left is not None and left >= 97 - 4 * max(1, peer.target.factor), "Message Expiry Interval", seen=left)


@case("MQTT5-3.3.2-5", "X5-message-expiry-absent", slug="expired-while-waiting", needs=["session", "qos1"])
async def expired_message_is_not_delivered(peer: Peer) -> None:
    """A message whose Message Expiry Interval passed while it was queued is not delivered."""
    await peer.connect(clean=True, expiry=60)
    await peer.subscribe(peer.topic(), qos=1)
    await peer.disconnect()
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"old", qos=1, properties=PublishProperties(message_expiry_interval=1))
    await other.publish(peer.topic(), b"new", qos=1)
    await asyncio.sleep(2.5)
    await peer.connect(clean=False, expiry=0)
    (message,) = await peer.messages(1, under=QUEUED)
    peer.equal(message.payload, b"new", "the message")


@case("MQTT5-3.3.2-5", "X5-retained-expired", slug="expired-retained", needs=["retain"])
async def expired_retained_message_is_gone(peer: Peer) -> None:
    """A retained message whose Message Expiry Interval has passed is not sent to new subscribers."""
    await peer.connect()
    await peer.publish(
        peer.topic(),
        b"old",
        qos=min(1, peer.target.capabilities.maximum_qos),
        retain=True,
        properties=PublishProperties(message_expiry_interval=1),
    )
    await peer.barrier()
    await asyncio.sleep(2.5)
    await peer.subscribe(peer.topic())
    await peer.silent()


@case("MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "X5-qos0-no-response", "X311-qos0-no-response", slug="qos0-no-answer")
async def qos0_is_not_answered(peer: Peer) -> None:
    """A QoS 0 PUBLISH is not acknowledged."""
    await peer.connect()
    await peer.publish(peer.topic())
    await peer.silent(Puback)


@case("MQTT5-3.3.4-2", "MQTT311-3.3.5-1", slug="overlap-qos", needs=["wildcard", "qos2"])
async def overlapping_subscriptions_use_the_highest_qos(peer: Peer) -> None:
    """A message that matches several subscriptions of a client arrives at least once, at the highest QoS granted."""
    await peer.connect()
    await peer.subscribe(Subscription(peer.topic("a/#"), 0), Subscription(peer.topic("a/b"), 2),
                         Subscription(peer.topic("a/+"), 1))  # fmt: skip
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic("a/b"), b"m", qos=2)
    first = await peer.find(Publish, under=DELIVERY)
    await peer.acknowledge(first)
    qos = [first.qos]
    while True:
        await peer.barrier()
        more = await peer._next((Publish,), 0.1)
        if not isinstance(more, Publish):
            break
        qos.append(more.qos)
        await peer.acknowledge(more)
    peer.equal(max(qos), 2, "the highest QoS")
    peer.check(len(qos) <= 3, "more copies than subscriptions", expected="1 to 3", seen=len(qos))
    peer.note("one copy for overlapping subscriptions" if len(qos) == 1 else "one copy for each subscription")


@case("MQTT5-3.3.4-3", "MQTT5-3.3.4-4", "MQTT5-3.3.4-5", "X5-subscription-identifier-foreign",
      slug="overlap-identifiers", needs=["wildcard", "subscription_identifiers"])  # fmt: skip
async def overlapping_subscriptions_keep_their_identifiers(peer: Peer) -> None:
    """One copy has the identifiers of all matching subscriptions; of several copies each has one."""
    await peer.connect()
    await peer.subscribe(peer.topic("a/b"), identifier=11)
    await peer.subscribe(peer.topic("a/+"), identifier=268_435_455)
    await peer.subscribe(peer.topic("a/#"))
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic("a/b"), b"m")
    copies = [await peer.find(Publish, under=DELIVERY)]
    while isinstance(more := await peer._next((Publish,), 0.15), Publish):
        copies.append(more)
    seen = [sorted(m.properties.subscription_identifier) if m.properties else [] for m in copies]
    if len(copies) == 1:
        peer.equal(seen, [[11, 268_435_455]], "the identifiers of the one copy", under=("MQTT5-3.3.4-4",))
    else:
        peer.equal(sorted(seen), [[], [11], [268_435_455]], "the identifiers of the copies", under=("MQTT5-3.3.4-5",))


@case(
    "MQTT5-3.3.4-3",
    "X5-subscription-identifier-stored",
    "X5-subscription-identifier-absent",
    slug="identifier",
    needs=["subscription_identifiers"],
)
async def subscription_identifier_is_sent(peer: Peer) -> None:
    """A message carries the Subscription Identifier of the subscription that matches it."""
    await peer.connect()
    await peer.subscribe(peer.topic(), identifier=7)
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"m")
    (message,) = await peer.messages(1, under=DELIVERY)
    seen = message.properties.subscription_identifier if message.properties else []
    peer.equal(seen, [7], "the Subscription Identifiers")


@case("MQTT5-3.3.4-3", slug="identifier-retained", needs=["subscription_identifiers", "retain"])
async def subscription_identifier_of_retained_messages(peer: Peer) -> None:
    """A retained message carries the Subscription Identifier of the subscription that caused it."""
    await peer.connect()
    await peer.publish(peer.topic(), b"kept", qos=min(1, peer.target.capabilities.maximum_qos), retain=True)
    await peer.barrier()
    await peer.subscribe(peer.topic(), identifier=12)
    (message,) = await peer.messages(1, under=RETAINED)
    seen = message.properties.subscription_identifier if message.properties else []
    peer.equal(seen, [12], "the Subscription Identifiers")


@case(
    "MQTT5-3.3.4-3",
    "X5-subscription-identifier-removed",
    "X5-subscription-identifier-foreign",
    slug="identifier-replaced",
    needs=["subscription_identifiers"],
)
async def resubscribing_replaces_the_identifier(peer: Peer) -> None:
    """A repeated subscription has its new Subscription Identifier, or none."""
    await peer.connect()
    for identifier in (3, 4, None):
        await peer.subscribe(peer.topic(), identifier=identifier)
        await peer.publish(peer.topic(), b"m")
        (message,) = await peer.messages(1, under=DELIVERY)
        seen = message.properties.subscription_identifier if message.properties else []
        old = set(seen) - {identifier}
        peer.equal(seen, [] if identifier is None else [identifier], "the Subscription Identifiers",
                   under=("X5-subscription-identifier-removed",) if old else ())  # fmt: skip


@case(
    "MQTT311-3.3.5-2",
    "X5-topic-authorization",
    "X31-publish-unauthorized",
    "MQTT5-3.4.2-1",
    slug="unauthorized",
    needs=["users"],
)
async def unauthorized_publish_is_answered_or_closed(peer: Peer) -> None:
    """A PUBLISH that is not authorized is acknowledged, or the connection is closed."""
    await peer.connect()
    await peer.send(Publish("denied/topic", b"m", 1, packet_id=1))
    reply = await peer.expect(Puback, or_closed=True)
    if isinstance(reply, Puback) and peer.version == V5:
        peer.refusal_code(reply.reason_code, 0x87, 0, 0x10)


@case("MQTT5-3.3.4-6", slug="identifier-from-client")
async def subscription_identifier_from_a_client(peer: Peer) -> None:
    """A PUBLISH with a Subscription Identifier from a client is a Protocol Error and is not delivered."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic())
    await peer.connect()
    await peer.send(Publish(peer.topic(), b"m", properties=PublishProperties(subscription_identifier=[1])))
    last = await peer.expect_closed()
    if isinstance(last, Disconnect):
        peer.check(last.reason_code >= 0x80, "the Reason Code", expected="0x82", seen=hex(last.reason_code))
    await watcher.silent()


@case("X5-topic-alias-directions", slug="alias-not-forwarded", needs=["topic_alias"])
async def topic_alias_is_not_forwarded(peer: Peer) -> None:
    """The publisher's Topic Alias does not reach a subscriber that allows none."""
    other = await pair(peer)
    await other.publish(peer.topic(), b"1", properties=PublishProperties(topic_alias=1))
    await other.publish("", b"2", properties=PublishProperties(topic_alias=1))
    seen = await peer.messages(2)
    peer.equal([m.topic for m in seen], [peer.topic()] * 2, "the Topic Names", proven=True)
    peer.equal(
        [m.properties and m.properties.topic_alias for m in seen], [None, None], "the Topic Aliases", proven=True
    )


@case(
    "MQTT5-3.3.2-12",
    "X5-topic-alias-known-empty",
    "X5-topic-alias-unknown-name",
    slug="alias-accepted",
    needs=["topic_alias"],
)
async def every_alias_up_to_the_maximum(peer: Peer) -> None:
    """Every Topic Alias up to the server's Topic Alias Maximum is accepted."""
    other = await pair(peer)
    top = peer.target.capabilities.topic_alias_maximum
    for alias in sorted({1, top}):
        await other.publish(peer.topic(), b"set", properties=PublishProperties(topic_alias=alias))
        await other.publish("", b"used", properties=PublishProperties(topic_alias=alias))
        seen = [(m.topic, m.payload) for m in await peer.messages(2)]
        peer.equal(seen, [(peer.topic(), b"set"), (peer.topic(), b"used")], f"the messages with alias {alias}")


@case("X5-topic-alias-remapped", "X5-topic-alias-known-name", slug="alias-remapped", needs=["topic_alias"])
async def alias_is_remapped(peer: Peer) -> None:
    """A Topic Alias that is sent with another Topic Name means that name from then on."""
    await peer.connect()
    await peer.subscribe(peer.topic("#"))
    for name in ("a", "b"):
        await peer.publish(peer.topic(name), b"set", properties=PublishProperties(topic_alias=1))
        await peer.publish("", b"used", properties=PublishProperties(topic_alias=1))
    seen = sorted(m.topic for m in await peer.messages(4))  # no order is guaranteed between topics
    peer.equal(seen, [peer.topic("a")] * 2 + [peer.topic("b")] * 2, "the Topic Names")


@case("MQTT5-3.3.2-7", "X5-topic-alias-unknown-empty", slug="alias-not-carried-over", needs=["topic_alias", "session"])
async def alias_does_not_outlive_the_connection(peer: Peer) -> None:
    """A Topic Alias of an earlier connection means nothing, even if the session continues."""
    await peer.connect(clean=True, expiry=60)
    await peer.publish(peer.topic(), b"set", properties=PublishProperties(topic_alias=1))
    await peer.barrier()
    await peer.disconnect()
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic())
    await peer.connect(clean=False, expiry=0)
    await peer.send(Publish("", b"stale", properties=PublishProperties(topic_alias=1)))
    await peer.expect_closed()
    await watcher.silent()


@case("X5-topic-alias-invalid", slug="alias-above-maximum")
async def alias_above_the_maximum(peer: Peer) -> None:
    """A Topic Alias above the server's maximum closes the connection, with 0x94 if a DISCONNECT is sent."""
    await peer.connect()
    top = peer.target.capabilities.topic_alias_maximum
    if top == 65_535:
        raise Inconclusive("the server accepts every Topic Alias")
    await peer.send(Publish(peer.topic(), b"m", properties=PublishProperties(topic_alias=top + 1)))
    last = await peer.expect_closed()
    peer.closing_code(last, 0x94)

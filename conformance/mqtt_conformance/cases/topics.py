# SPDX-License-Identifier: MIT
"""Chapters 4.7 and 4.8: Topic Names, Topic Filters, wildcards, `$` topics, shared subscriptions."""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.peer import ClosedType, Peer
from mqtt_conformance.rules import DELIVERY, SUBACK
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.packets import Pingreq, Pingresp, Puback, Publish, Pubrec, Suback, Subscribe, Subscription

MATCHES = [
    ("#", "a", True), ("a/#", "a", True), ("a/#", "a/b", True), ("a/#", "a/b/c", True), ("a/#", "ab", False),
    ("a/+", "a/b", True), ("a/+", "a", False), ("a/+", "a/b/c", False), ("a/+", "a/", True), ("+/b", "a/b", True),
    ("+/+", "/b", True), ("a/+/c", "a/b/c", True), ("a/+/c", "a/b/d", False), ("a/+/#", "a/b", True),
    ("a/+/#", "a", False), ("a//b", "a//b", True), ("a//b", "a/b", False), ("a/+/b", "a//b", True), ("a", "A", False),
    ("a", "a ", False), ("a b", "a b", True), ("/a", "a", False), ("a/", "a", False), ("/", "/", True),
    ("+/+", "/", True), ("a/b", "a/b/c", False), ("a/b/c", "a/b", False),
]  # fmt: skip


@case("MQTT5-3.3.2-3", "MQTT311-3.3.2-3", "X5-multi-level-wildcard-matches",
      "X5-single-level-wildcard-matches", "X311-multi-level-wildcard", "X311-single-level-wildcard",
      "X5-topic-case-sensitive", "X311-topic-case", "X5-topic-level-empty", "X5-topic-match-exact",
      "X5-topic-slash-distinct", "X5-topic-space", "X5-wildcard-subscription-absent",
      "X311-topic-empty-level", "X311-topic-match-exact", "X311-topic-outer-slash", "X311-topic-separator",
      "X311-topic-space", "X311-wildcards-supported", slug="matching", needs=["wildcard"])  # fmt: skip
async def matching(peer: Peer) -> None:
    """A filter gets the messages of the topics that it matches, and no others."""
    other = peer.another("publisher")
    for number, (pattern, name, wanted) in enumerate(MATCHES):
        # Connect again each time: with pauses after each step one connection would last too long for some brokers.
        await other.connect()
        await peer.connect()
        base = peer.topic(str(number))
        await peer.subscribe(f"{base}/{pattern}")
        rules = _matched_by(pattern, name)
        await other.publish(f"{base}/{name}", b"m")
        await other.send(Pingreq())
        await other.find(Pingresp, say=f"PINGRESP after a message to {name!r}", under=rules)
        if wanted:
            message = await peer.find(Publish, say=f"a message: {pattern!r} matches {name!r}", under=rules)
            peer.equal(message.topic, f"{base}/{name}", "the Topic Name", proven=True)
        else:
            await peer.silent(settle=0.02, under=rules)


def _matched_by(pattern: str, name: str) -> tuple[str, ...]:
    """Return the rules on matching that a filter and a topic test."""
    if " " in pattern + name:
        return ("X5-topic-space", "X311-topic-space")
    if "#" in pattern:
        return ("X5-multi-level-wildcard-matches", "X311-multi-level-wildcard")
    if "+" in pattern:
        return ("X5-single-level-wildcard-matches", "X311-single-level-wildcard")
    if pattern.lower() == name.lower() and pattern != name:
        return ("X5-topic-case-sensitive", "X311-topic-case")
    if "//" in pattern:
        return ("X5-topic-level-empty", "X311-topic-empty-level")
    if pattern.strip("/") == name.strip("/"):
        return ("X5-topic-slash-distinct", "X311-topic-outer-slash")
    return ("X5-topic-match-exact", "X311-topic-match-exact")


@case("MQTT5-4.7.2-1", "MQTT311-4.7.2-1", slug="dollar", needs=["wildcard"], isolated=True)
async def wildcards_do_not_match_dollar_topics(peer: Peer) -> None:
    """A filter that begins with a wildcard does not match a topic that begins with `$`."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe("#", "+/" + peer.topic())
    direct = peer.another("direct")
    await direct.connect()
    await direct.subscribe("$other/" + peer.topic())
    await peer.connect()
    await peer.send(Publish("$other/" + peer.topic(), b"m"))
    await peer._wait(lambda: peer.closed, 0.2)
    mine = "$other/" + peer.topic()
    await watcher.barrier()
    await watcher._wait(lambda: any(isinstance(p, Publish) and p.topic == mine for p in watcher.inbox), 0.1)
    seen = [p.topic for p in watcher.inbox if isinstance(p, Publish) and p.topic == mine]
    peer.equal(seen, [], "the `$` topics that `#` brought", proven=True)
    await direct.barrier()
    came = any(isinstance(p, Publish) for p in direct.inbox)
    peer.note("clients may publish to topics that begin with $" if came else "clients may not publish to $ topics")


async def _no_dollar_topics(peer: Peer) -> None:
    """Check that the client gets no `$` topics. A broker may send some to a client that subscribed to nothing."""
    idle = peer.another("idle")
    await idle.connect()
    await idle.barrier()
    await peer.barrier()
    await peer._wait(lambda: False, 0.3)
    await idle.barrier()
    unasked = [topic for topic in peer.run.strangers if topic.startswith("$")]
    seen = [p.topic for p in peer.inbox if isinstance(p, Publish) and p.topic.startswith("$")]
    if unasked and seen:
        raise Inconclusive("the server sends `$` topics to a client that did not ask for them", seen=", ".join(unasked))
    peer.equal(seen, [], "the `$` topics")


@case("MQTT5-4.7.2-1", "MQTT311-4.7.2-1", slug="dollar-sys", needs=["wildcard"], isolated=True)
async def hash_does_not_match_sys(peer: Peer) -> None:
    """`#` and `+/#` bring no topic of `$SYS`."""
    await peer.connect()
    await peer.subscribe("#", "+/#")
    await _no_dollar_topics(peer)


@case("MQTT5-4.7.3-4", "MQTT311-4.7.3-4", "MQTT5-1.5.4-3", "MQTT311-1.5.3-3", slug="no-normalization")
async def topics_are_not_normalized(peer: Peer) -> None:
    """Similar Topic Names are different topics, and U+FEFF is kept."""
    await peer.connect()
    composed, decomposed = peer.topic("caf\u00e9"), peer.topic("cafe\u0301")
    marked = peer.topic("\ufeffx")
    await peer.subscribe(composed, marked)
    await peer.publish(decomposed, b"other")
    await peer.publish(peer.topic("x"), b"unmarked")
    await peer.publish(composed, b"same")
    await peer.publish(marked, b"marked")
    seen = sorted((m.topic, m.payload) for m in await peer.messages(2))  # no order is guaranteed between topics
    peer.equal(seen, sorted([(composed, b"same"), (marked, b"marked")]), "the messages")
    await peer.silent()


@case("X31-topic-length", slug="long-topic")
async def long_topic_of_3_1(peer: Peer) -> None:
    """A Topic Name of 3.1 may have up to 32,767 characters."""
    await peer.connect()
    for size in (10, 32_767 - len(peer.topic("")) - 1):
        name = peer.topic("x" * size)
        await peer.send(Subscribe(1, [Subscription(name)]))
        reply = await peer.expect(Suback, or_closed=True, under=SUBACK)
        if isinstance(reply, ClosedType):
            raise Inconclusive("the broker refuses long Topic Filters")
        await peer._settle()
        await peer.publish(name, b"m")
        (message,) = await peer.messages(1)
        peer.equal(message.topic, name, "the Topic Name", proven=True)


@case("MQTT5-4.7.3-3", "MQTT311-4.7.3-3", slug="long-topic")
async def long_topic(peer: Peer) -> None:
    """A long Topic Name without wildcards is delivered unaltered or refused; in both cases the broker keeps running."""
    await peer.connect()
    name = peer.topic("x" * 60_000)
    # QoS 1 if supported, because a QoS 0 message may be lost.
    qos = min(1, peer.target.capabilities.maximum_qos)
    await peer.send(Subscribe(1, [Subscription(name, qos)]))
    reply = await peer.expect(Suback, or_closed=True, under=SUBACK)
    if isinstance(reply, ClosedType) or reply.reason_codes[0] >= 0x80:
        raise Inconclusive("the broker refuses long Topic Filters")
    await peer._settle()
    await peer.publish(name, b"m", qos=qos)
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal(message.topic, name, "the Topic Name", proven=True)


@case("X5-message-to-every-match", "X311-deliver-to-matching", "X5-nonshared-own-copy", slug="every-subscriber")
async def every_subscriber_gets_a_copy(peer: Peer) -> None:
    """A message reaches every client that has a matching subscription."""
    others = [peer.another(f"s{n}") for n in range(5)]
    for other in others:
        await other.connect()
        await other.subscribe(peer.topic())
    await peer.connect()
    await peer.publish(peer.topic(), b"m")
    for other in others:
        await other.messages(1)
        await other.silent(settle=0.01)


# ---------------------------------------------------------------- shared subscriptions


async def group(peer: Peer, size: int, *, qos: int = 0, name: str = "g") -> list[Peer]:
    """Return clients that share one subscription to the peer's topic."""
    members = [peer.another(f"m{n}") for n in range(size)]
    for member in members:
        await member.connect()
        await member.subscribe(f"$share/{name}/{peer.topic()}", qos=qos)
    return members


async def received(members: list[Peer]) -> list[list[bytes]]:
    """Return what each member has received so far."""
    out = []
    for member in members:
        await member.barrier()
        await member._wait(lambda: False, 0.05)
        out.append([p.payload for p in member.inbox if isinstance(p, Publish)])
    return out


@case(
    "X5-shared-one-receiver",
    "X5-shared-filter-syntax",
    "X5-shared-created",
    "X5-shared-joined",
    "X5-shared-subscription-absent",
    slug="one-of-group",
    needs=["shared"],
)
async def shared_message_reaches_one_member(peer: Peer) -> None:
    """Each message to a shared subscription reaches exactly one of its clients."""
    members = await group(peer, 3)
    await peer.connect()
    wanted = [b"%d" % n for n in range(12)]
    for payload in wanted:
        await peer.publish(peer.topic(), payload)
    await peer.barrier()
    seen = await received(members)
    peer.equal(sorted(p for some in seen for p in some), sorted(wanted), "the messages of all members")


@case("X5-shared-independent", slug="groups-are-apart", needs=["shared"])
async def share_names_are_apart(peer: Peer) -> None:
    """Two ShareNames with the same Topic Filter are two subscriptions, each with its own copy."""
    first = await group(peer, 1, name="one")
    second = peer.another("second")
    await second.connect()
    await second.subscribe(f"$share/two/{peer.topic()}")
    await peer.connect()
    await peer.publish(peer.topic(), b"m")
    await first[0].messages(1)
    await second.messages(1)


@case("X5-shared-and-nonshared", slug="shared-and-not", needs=["shared"])
async def shared_and_nonshared_subscription(peer: Peer) -> None:
    """A client with a shared and a non-shared subscription gets the message for both."""
    await peer.connect()
    await peer.subscribe(f"$share/g/{peer.topic()}")
    await peer.subscribe(peer.topic())
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"m")
    await peer.messages(2)
    await peer.silent()


@case("X5-shared-no-retained", slug="shared-no-retained", needs=["shared", "retain"])
async def shared_subscription_gets_no_retained_messages(peer: Peer) -> None:
    """A new shared subscription brings no retained messages."""
    await peer.connect()
    await peer.publish(peer.topic(), b"kept", qos=min(1, peer.target.capabilities.maximum_qos), retain=True)
    await peer.barrier()
    await peer.subscribe(f"$share/g/{peer.topic()}")
    await peer.silent()


@case(
    "X5-shared-unsubscribe-filter",
    "X5-unsubscribe-shared",
    "X5-shared-outlives-creator",
    slug="shared-unsubscribe",
    needs=["shared"],
)
async def shared_member_leaves(peer: Peer) -> None:
    """A client that unsubscribes from a shared subscription gets no more of its messages; the others get all."""
    members = await group(peer, 2)
    await members[0].unsubscribe(f"$share/g/{peer.topic()}")
    await peer.connect()
    for number in range(6):
        await peer.publish(peer.topic(), b"%d" % number)
    await peer.barrier()
    seen = await received(members)
    peer.equal([len(s) for s in seen], [0, 6], "the messages of each member")


@case("MQTT5-4.8.2-3", "X5-shared-granted-qos", slug="shared-qos", needs=["shared", "qos1"])
async def shared_delivery_keeps_the_granted_qos(peer: Peer) -> None:
    """Each client gets shared messages at no more than the QoS granted to it."""
    low, high = peer.another("low"), peer.another("high")
    for member, qos in ((low, 0), (high, 1)):
        await member.connect()
        await member.subscribe(f"$share/g/{peer.topic()}", qos=qos)
    await peer.connect()
    for number in range(8):
        await peer.publish(peer.topic(), b"%d" % number, qos=1)
    await peer.barrier()
    seen = {}
    for member in (low, high):
        await member.barrier()
        await member._wait(lambda: False, 0.05)
        seen[member.name] = [p.qos for p in member.inbox if isinstance(p, Publish)]
    peer.check(all(q == 0 for q in seen["low"]), "a QoS above the granted one", seen=seen, proven=True)
    peer.check(all(q == 1 for q in seen["high"]), "a QoS below both", seen=seen, proven=True)
    peer.equal(len(seen["low"]) + len(seen["high"]), 8, "the number of messages")


@case("MQTT5-4.8.2-5", slug="shared-qos2-ends-with-session", needs=["shared", "qos2"])
async def started_qos2_delivery_is_not_moved(peer: Peer) -> None:
    """A QoS 2 message that was sent to a member goes to no other member when that member's session ends."""
    members = await group(peer, 2, qos=2)
    await peer.connect()
    await peer.publish(peer.topic(), b"m", qos=2)
    await peer._wait(lambda: any(isinstance(p, Publish) for m in members for p in m.inbox), 3)
    taker = next((m for m in members if any(isinstance(p, Publish) for p in m.inbox)), None)
    if taker is None:
        for member in members:
            await member.barrier()
        taker = next((m for m in members if any(isinstance(p, Publish) for p in m.inbox)), None)
    if taker is None:
        raise Inconclusive("no member got the message")
    other = next(m for m in members if m is not taker)
    message = await taker.find(Publish)
    await taker.send(Pubrec(message.packet_id))
    await taker.barrier()
    await taker.disconnect()
    await other.silent(settle=0.3)


@case("MQTT5-4.8.2-4", slug="shared-qos2-finishes", needs=["shared", "qos2", "session"])
async def started_qos2_delivery_is_finished(peer: Peer) -> None:
    """A QoS 2 delivery to a member is completed with that member when it reconnects."""
    member = peer.another("member")
    await member.connect(clean=True, expiry=60)
    await member.subscribe(f"$share/g/{peer.topic()}", qos=2)
    await peer.connect()
    await peer.publish(peer.topic(), b"m", qos=2)
    message = await member.find(Publish, under=DELIVERY)
    other = peer.another("other")
    await other.connect()
    await other.subscribe(f"$share/g/{peer.topic()}", qos=2)
    await member.drop()
    await other.silent(settle=0.2)
    await member.connect(clean=False, expiry=0)
    again = await member.again(Publish)
    peer.equal((again.packet_id, again.dup), (message.packet_id, True), "the message", proven=True)
    await member.acknowledge(again)


@case("MQTT5-4.8.2-6", slug="shared-refused", needs=["shared", "qos1"])
async def refused_shared_message_is_discarded(peer: Peer) -> None:
    """A shared message that a member refuses with 0x80 or above is sent to no other member."""
    members = await group(peer, 2, qos=1)
    await peer.connect()
    await peer.publish(peer.topic(), b"m", qos=1)
    taker = None
    for member in members:
        await member.barrier()
        await member._wait(lambda m=member: any(isinstance(p, Publish) for p in m.inbox), 0.1)  # type: ignore[misc]
        if any(isinstance(p, Publish) for p in member.inbox):
            taker = member
    if taker is None:
        raise Inconclusive("no member got the message")
    message = await taker.find(Publish)
    await taker.send(Puback(message.packet_id, 0x83))
    for member in members:
        await member.silent(settle=0.1)


@case("MQTT5-3.8.3-4", slug="shared-no-local")
async def no_local_on_a_shared_subscription(peer: Peer) -> None:
    """No Local on a shared subscription is a Protocol Error: the connection is closed."""
    await peer.connect()
    await peer.send(Subscribe(1, [Subscription(f"$share/g/{peer.topic()}", no_local=True)]))
    last = await peer.expect_closed()
    peer.closing_code(last, 0x82, 0x9E)


@case("MQTT5-4.7.2-1", "X5-shared-match-prefix", slug="shared-dollar", needs=["shared", "wildcard"],
      isolated=True)  # fmt: skip
async def shared_wildcard_does_not_match_dollar_topics(peer: Peer) -> None:
    """`$share/g/#` brings no topic that begins with `$`: only the filter after the ShareName is matched."""
    await peer.connect()
    await peer.subscribe("$share/" + peer.client_id + "/#")
    await _no_dollar_topics(peer)

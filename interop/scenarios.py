# SPDX-License-Identifier: MIT
"""The scenarios of `clients.toml`, a function each. Each cites the statements that it checks."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from interop.peer import (
    DEADLINE,
    NO_PROPERTIES,
    TAGS,
    V5,
    Client,
    Message,
    Options,
    Properties,
    SessionKind,
    summary,
)

#: Set by publishers of 5.0 in most scenarios. A 3.x subscriber must get the message without them.
SOME_PROPERTIES = Properties(content_type="text/plain", user_property=(("a", "1"), ("a", "2")))

#: Every property of PUBLISH that a broker forwards unchanged.
ALL_PROPERTIES = Properties(
    payload_format_indicator=1,
    message_expiry_interval=120,
    content_type="text/plain",
    response_topic="interop/answers",
    correlation_data=b"correlation-42",
    user_property=(("b", "first"), ("a", "second"), ("b", "third")),
)

MEBIBYTE = 1 << 20


class Factory(Protocol):
    """Creates a client that is not connected yet."""

    def __call__(self) -> Client: ...


@dataclass
class Side:
    """A client and the version it is to speak."""

    factory: Factory
    version: int


@dataclass
class Stage:
    """What a scenario gets: the broker's address, two sides, a QoS, and unique names."""

    host: str
    port: int
    publisher: Side
    subscriber: Side
    qos: int
    shared_in_v3: str = "any"
    websocket: bool = False
    base: str = field(default_factory=lambda: f"interop/{uuid.uuid4().hex[:12]}")
    clients: list[Client] = field(default_factory=list)

    def topic(self, name: str) -> str:
        """Return a topic name (or filter) of this run."""
        return f"{self.base}/{name}"

    def new_id(self) -> str:
        """Return a unique Client Identifier, short enough for MQTT 3.1 with room for a suffix (23 characters)."""
        return f"i{uuid.uuid4().hex[:15]}"

    def open(
        self,
        side: Side,
        *,
        client_id: str | None = None,
        session: SessionKind = "clean",
        will: Message | None = None,
        expect_present: bool = False,
    ) -> Client:
        """Connect a client and check its Session Present (3.1 has none)."""
        client = side.factory()
        self.clients.append(client)
        name = client_id or self.new_id()
        options = Options(self.host, self.port, side.version, name, session, will, websocket=self.websocket)
        present = client.connect(options)
        if present is not None and TAGS[side.version] != "v31":
            assert present == expect_present, f"Session Present is {present} [MQTT5-3.2.2-2, MQTT5-3.2.2-3]"
        return client

    def abandon(self) -> None:
        """Close every client of a run that has already failed."""
        for client in self.clients:
            client.close()

    def close(self) -> None:
        """Close every client. A link that was lost unexpectedly fails the run."""
        troubles = []
        for client in self.clients:
            client.close()
            if client.inbox.trouble is not None:
                troubles.append(client.inbox.trouble)
        assert not troubles, f"the broker closed a link: {troubles}"


def subscribe(client: Client, filters: list[str], qos: int, identifier: int | None = None) -> None:
    """Subscribe, and check that the requested QoS is granted."""
    granted = client.subscribe(filters, qos, identifier)
    assert granted == [qos] * len(filters), f"SUBACK {granted} for QoS {qos} [MQTT5-3.8.4-7]"


def last(topic: str, qos: int) -> Message:
    """Return a message that ends a scenario. An earlier message that is missing when it arrives will not come."""
    return Message(topic, b"the last one", qos)


def until_last(client: Client, topic: str) -> list[Message]:
    """Wait for the message of `last` and return all that came before it."""
    end = client.inbox.wait(lambda got: any(is_last(message, topic) for message in got), "the last message")
    return [message for message in end if not is_last(message, topic)]


def is_last(message: Message, topic: str) -> bool:
    """True if this is the message of `last`."""
    return message.topic == topic and message.payload == b"the last one"


def wait_for(client: Client, count: int, what: str) -> list[Message]:
    """Wait until that many messages have come."""
    return client.inbox.wait(lambda got: len(got) >= count, what)


def expect(got: list[Message], wanted: list[Message], cites: str) -> None:
    """Compare topic, payload, QoS and RETAIN, in order."""
    seen = [(m.topic, m.payload, m.qos, m.retain) for m in got]
    hoped = [(m.topic, m.payload, m.qos, m.retain) for m in wanted]
    assert seen == hoped, f"[{cites}]\n  wanted {summary(wanted)}\n  got    {summary(got)}"


def expect_properties(got: Message, wanted: Properties, cites: str) -> None:
    """Compare properties. The Message Expiry Interval may have been counted down."""
    seen = got.properties
    if wanted.message_expiry_interval is not None:
        interval = seen.message_expiry_interval
        assert interval is not None, f"Message Expiry Interval is missing [MQTT5-3.3.2-6] in {seen}"
        lowest = wanted.message_expiry_interval - 2 * DEADLINE
        fits = lowest <= interval <= wanted.message_expiry_interval
        assert fits, f"Message Expiry Interval {interval} of {wanted.message_expiry_interval} [MQTT5-3.3.2-6]"
        seen = replace(seen, message_expiry_interval=wanted.message_expiry_interval)
    assert seen == wanted, f"[{cites}]\n  wanted {wanted}\n  got    {seen}"


def numbered(stage: Stage, topic: str, count: int, qos: int) -> list[Message]:
    """Return messages with different payloads."""
    properties = SOME_PROPERTIES if stage.publisher.version == V5 else NO_PROPERTIES
    return [Message(topic, b"message %d" % number, qos, properties=properties) for number in range(count)]


def publish_all(client: Client, messages: list[Message]) -> None:
    """Publish one after the other, each to the end of its exchange."""
    for message in messages:
        client.publish(message)


def exchange(stage: Stage) -> None:
    """Messages arrive once, complete, in order and at their QoS, between all versions.

    Cites: MQTT5-4.6.0-5, MQTT311-4.6.0-6
    """
    topic = stage.topic("gr\u00fc\u00dfe/\u6e29\u5ea6")
    subscriber = stage.open(stage.subscriber)
    subscribe(subscriber, [topic], stage.qos)
    publisher = stage.open(stage.publisher)
    sent = numbered(stage, topic, 3, stage.qos)
    publish_all(publisher, [*sent, last(topic, stage.qos)])
    got = until_last(subscriber, topic)
    expect(got, sent, "MQTT5-4.6.0-5, MQTT311-4.6.0-6")
    for message in got:
        wanted = sent[0].properties if stage.subscriber.version == V5 else NO_PROPERTIES
        expect_properties(message, wanted, "MQTT5-3.3.2-17, MQTT5-3.3.2-20")
    publisher.disconnect()
    subscriber.disconnect()


def granted(stage: Stage) -> None:
    """A message is delivered at the lower of its QoS and the granted one.

    Cites: MQTT5-3.8.4-8, MQTT311-3.8.4-6
    """
    topic = stage.topic("granted")
    subscriber = stage.open(stage.subscriber)
    subscribe(subscriber, [topic], stage.qos)
    publisher = stage.open(stage.publisher)
    sent = [Message(topic, b"sent at %d" % qos, qos) for qos in (0, 1, 2)]
    for count, message in enumerate(sent, start=1):
        # Order is guaranteed within a QoS only [MQTT5-4.6.0-5], so each message is awaited.
        publisher.publish(message)
        wait_for(subscriber, count, message.payload.decode())
    got = subscriber.inbox.all()
    expect(got, [replace(message, qos=min(message.qos, stage.qos)) for message in sent], "MQTT5-3.8.4-8")


def retained(stage: Stage) -> None:
    """A retained message comes with RETAIN 1 for a new subscription, with 0 for an existing one, and can be removed.

    Cites: MQTT5-3.3.1-5, MQTT5-3.3.1-6, MQTT5-3.3.1-9, MQTT5-3.3.1-12, MQTT311-3.3.1-5, MQTT311-3.3.1-6,
    MQTT311-3.3.1-8, MQTT311-3.3.1-9, MQTT311-3.3.1-10
    """
    topic, end = stage.topic("retained"), stage.topic("end")
    present = stage.open(stage.subscriber)
    subscribe(present, [topic, end], stage.qos)
    publisher = stage.open(stage.publisher)
    old, new = Message(topic, b"old", stage.qos, retain=True), Message(topic, b"new", stage.qos, retain=True)
    publish_all(publisher, [old, new, last(end, stage.qos)])
    expect(until_last(present, end), [replace(old, retain=False), replace(new, retain=False)], "MQTT5-3.3.1-12")

    later = stage.open(stage.subscriber)
    subscribe(later, [topic, end], stage.qos)
    wait_for(later, 1, "the retained message [MQTT5-3.3.1-9]")
    publisher.publish(last(end, stage.qos))
    expect(until_last(later, end), [new], "MQTT5-3.3.1-5, MQTT5-3.3.1-9")

    publisher.publish(Message(topic, b"", stage.qos, retain=True))
    after = stage.open(stage.subscriber)
    subscribe(after, [topic, end], stage.qos)
    publisher.publish(last(end, stage.qos))
    expect(until_last(after, end), [], "MQTT5-3.3.1-6, MQTT5-3.3.1-7")


def will(stage: Stage) -> None:
    """The will of a client whose link is dropped is published.

    Cites: MQTT5-3.1.2-8, MQTT311-3.1.2-8
    """
    topic = stage.topic("will")
    witness = stage.open(stage.subscriber)
    subscribe(witness, [topic], stage.qos)
    message = Message(topic, b"gone", stage.qos)
    mortal = stage.open(stage.publisher, will=message)
    subscribe(mortal, [stage.topic("life")], 0)
    mortal.drop()
    expect(wait_for(witness, 1, "the will"), [message], "MQTT5-3.1.2-8")


def will_discarded(stage: Stage) -> None:
    """The will of a client that sends DISCONNECT is not published.

    Cites: MQTT5-3.14.4-3, MQTT311-3.14.4-3
    """
    topic = stage.topic("will")
    witness = stage.open(stage.subscriber)
    subscribe(witness, [topic], stage.qos)
    leaver = stage.open(stage.publisher, will=Message(topic, b"gone", stage.qos))
    subscribe(leaver, [stage.topic("life")], 0)
    leaver.disconnect()
    publisher = stage.open(stage.publisher)
    publisher.publish(last(topic, stage.qos))
    expect(until_last(witness, topic), [], "MQTT5-3.14.4-3")


def resume(stage: Stage) -> None:
    """A session gets what was published while its client was not connected, in order, once.

    Cites: MQTT5-3.1.2-5, MQTT5-4.6.0-5, MQTT311-3.1.2-4, MQTT311-3.1.2-5, MQTT311-4.6.0-6
    """
    topic = stage.topic("queued")
    client_id = stage.new_id()
    first = stage.open(stage.subscriber, client_id=client_id, session="new")
    subscribe(first, [topic], stage.qos)
    publisher = stage.open(stage.publisher)
    before = Message(topic, b"before", stage.qos)
    publisher.publish(before)
    expect(wait_for(first, 1, "a message before the drop"), [before], "MQTT5-3.3.4-2")
    first.disconnect()

    sent = numbered(stage, topic, 10, stage.qos)
    publish_all(publisher, sent)
    second = stage.open(stage.subscriber, client_id=client_id, session="resume", expect_present=True)
    publisher.publish(last(topic, stage.qos))
    # A message that was unacknowledged when the first link ended may come again. It is not checked here.
    queued = [message for message in until_last(second, topic) if message.payload != before.payload]
    expect(queued, sent, "MQTT5-3.1.2-5, MQTT5-4.6.0-5")
    second.drop()

    again = [replace(message, payload=b"again " + message.payload) for message in sent]
    publish_all(publisher, again)
    third = stage.open(stage.subscriber, client_id=client_id, session="resume", expect_present=True)
    end = Message(topic, b"the end", stage.qos)
    publisher.publish(end)
    got = third.inbox.wait(lambda got: any(message.payload == end.payload for message in got), "the end")
    # A message that was unacknowledged when the second link was dropped may come again. It is not checked here.
    fresh = [message for message in got if message.payload.startswith(b"again ")]
    expect(fresh, again, "MQTT5-4.4.0-1, MQTT5-4.6.0-5")


def shared(stage: Stage) -> None:
    """A message goes to one client of a shared subscription (section 4.8.2 of 5.0). For 3.x see `clients.toml`."""
    end = stage.topic("end")
    name = f"$share/{uuid.uuid4().hex[:8]}/{stage.topic('work')}"
    workers = [stage.open(stage.subscriber) for _ in range(2)]
    for worker in workers:
        granted_codes = worker.subscribe([name, end], stage.qos)
        if granted_codes[0] >= 0x80 and stage.subscriber.version != V5:
            assert stage.shared_in_v3 in ("any", "refused"), f"SUBACK {granted_codes}"
            return
        assert granted_codes == [stage.qos] * 2, f"SUBACK {granted_codes}"
    publisher = stage.open(stage.publisher)
    sent = numbered(stage, stage.topic("work"), 10, stage.qos)
    publish_all(publisher, [*sent, last(end, stage.qos)])
    got = [until_last(worker, end) for worker in workers]
    together = sorted((m.payload, m.topic, m.qos) for m in got[0] + got[1])
    if stage.subscriber.version != V5 and stage.shared_in_v3 in ("any", "plain") and not together:
        return
    assert stage.subscriber.version == V5 or stage.shared_in_v3 in ("any", "shared"), summary(got[0] + got[1])
    wanted = [(m.payload, m.topic, m.qos) for m in sent]
    shown = f"{summary(got[0])} and {summary(got[1])}"
    assert together == wanted, f"each of ten messages must come once, to one of the two (section 4.8.2): {shown}"


def large(stage: Stage) -> None:
    """A message of 1 MiB with any bytes arrives unaltered."""
    topic = stage.topic("large")
    payload = bytes(range(256)) * (MEBIBYTE // 256)
    subscriber = stage.open(stage.subscriber)
    subscribe(subscriber, [topic], stage.qos)
    publisher = stage.open(stage.publisher)
    publisher.publish(Message(topic, payload, stage.qos))
    got = wait_for(subscriber, 1, "1 MiB")
    assert [message.payload == payload for message in got] == [True], f"{len(got)} messages: {summary(got)}"
    assert got[0].qos == stage.qos


def properties(stage: Stage) -> None:
    """A message arrives with its properties, User Properties in order, and the Subscription Identifier.

    Cites: MQTT5-3.3.2-4, MQTT5-3.3.2-6, MQTT5-3.3.2-15, MQTT5-3.3.2-16, MQTT5-3.3.2-17, MQTT5-3.3.2-18, MQTT5-3.3.2-19,
    MQTT5-3.3.2-20, MQTT5-3.3.4-3
    """
    topic = stage.topic("properties")
    subscriber = stage.open(stage.subscriber)
    subscribe(subscriber, [topic], stage.qos, identifier=268_435_455)
    publisher = stage.open(stage.publisher)
    publisher.publish(Message(topic, b"payload", stage.qos, properties=ALL_PROPERTIES))
    got = wait_for(subscriber, 1, "the message")
    wanted = replace(ALL_PROPERTIES, subscription_identifier=(268_435_455,))
    expect_properties(got[0], wanted, "MQTT5-3.3.2-15 to MQTT5-3.3.2-20, MQTT5-3.3.4-3")


def retained_properties(stage: Stage) -> None:
    """A retained message keeps its properties.

    Cites: MQTT5-3.3.2-6, MQTT5-3.3.2-17, MQTT5-3.3.2-20
    """
    topic = stage.topic("properties")
    message = Message(topic, b"payload", stage.qos, retain=True, properties=ALL_PROPERTIES)
    publisher = stage.open(stage.publisher)
    publisher.publish(message)
    subscriber = stage.open(stage.subscriber)
    subscribe(subscriber, [topic], stage.qos, identifier=1)
    got = wait_for(subscriber, 1, "the retained message")
    publisher.publish(Message(topic, b"", stage.qos, retain=True))
    expect([got[0]], [message], "MQTT5-3.3.1-9")
    wanted = replace(ALL_PROPERTIES, subscription_identifier=(1,))
    expect_properties(got[0], wanted, "MQTT5-3.3.2-17, MQTT5-3.3.2-20, MQTT5-3.3.4-3")


def will_properties(stage: Stage) -> None:
    """A will is published with its properties (section 3.1.3.2), user properties in order.

    Cites: MQTT5-3.1.3-10
    """
    topic = stage.topic("will")
    witness = stage.open(stage.subscriber)
    subscribe(witness, [topic], stage.qos)
    mortal = stage.open(stage.publisher, will=Message(topic, b"gone", stage.qos, properties=ALL_PROPERTIES))
    subscribe(mortal, [stage.topic("life")], 0)
    mortal.drop()
    got = wait_for(witness, 1, "the will")
    expect_properties(got[0], ALL_PROPERTIES, "MQTT5-3.1.3-10")


def unsubscribe(stage: Stage) -> None:
    """After the UNSUBACK nothing new comes for that filter. Other filters are not affected.

    Cites: MQTT5-3.10.4-1, MQTT5-3.10.4-2
    """
    off, on = stage.topic("off"), stage.topic("on")
    subscriber = stage.open(stage.subscriber)
    subscribe(subscriber, [off, on], stage.qos)
    publisher = stage.open(stage.publisher)
    publisher.publish(Message(off, b"before", stage.qos))
    wait_for(subscriber, 1, "the message before")
    subscriber.unsubscribe(off)
    publish_all(publisher, [Message(off, b"after", stage.qos), last(on, stage.qos)])
    expect(until_last(subscriber, on), [Message(off, b"before", stage.qos)], "MQTT5-3.10.4-2, MQTT311-3.10.4-2")


def wildcards(stage: Stage) -> None:
    """`+` matches one level, `#` any number including none, and nothing else matches (section 4.7.1)."""
    end = stage.topic("end")
    subscriber = stage.open(stage.subscriber)
    subscribe(subscriber, [stage.topic("one/+/three"), stage.topic("deep/#"), end], stage.qos)
    publisher = stage.open(stage.publisher)
    matching = ["one/two/three", "one//three", "deep", "deep/a", "deep/a/b/c", "deep/"]
    others = ["one/three", "one/two/three/four", "one/two", "deeper/a", "Deep/a", "one/two/three/"]
    for name in [*others, *matching]:
        publisher.publish(Message(stage.topic(name), name.encode(), stage.qos))
    publisher.publish(last(end, stage.qos))
    got = sorted(message.payload.decode() for message in until_last(subscriber, end))
    assert got == sorted(matching), f"matched {got} (section 4.7.1)"


SCENARIOS: dict[str, Callable[[Stage], None]] = {
    function.__name__: function
    for function in (
        exchange,
        granted,
        retained,
        will,
        will_discarded,
        resume,
        shared,
        large,
        properties,
        retained_properties,
        will_properties,
        unsubscribe,
        wildcards,
    )
}

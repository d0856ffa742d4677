# SPDX-License-Identifier: MIT
"""A proxy of `mqtt_conformance.proxy` on a thread, and clients that use much of MQTT through it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Generator

from mqtt_conformance.proxy.fault import Rule
from mqtt_conformance.proxy.relay import Relay
from mqtt_conformance.proxy.world import World
from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsubscribe,
    Will,
    WillProperties,
)


class Proxied:
    """A proxy before the broker on `upstream`. `port` is where it listens."""

    def __init__(self, upstream: int, rule: Rule | None, version: int = 5) -> None:
        self.world = World(rule, version)
        self.errors: list[str] = []
        self.port = 0
        self._upstream = upstream
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: self.errors.append(repr(context.get("exception"))))
        self._stop = asyncio.Event()
        relay = Relay(self.world, "127.0.0.1", self._upstream)
        await relay.start()
        self.port = relay.listening
        self._ready.set()
        await self._stop.wait()
        await relay.stop()

    def __enter__(self) -> Proxied:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@contextlib.contextmanager
def step() -> Generator[None]:
    """A step that a fault may spoil."""
    with contextlib.suppress(LinkClosed, TimeoutError, AssertionError, AttributeError, OSError):
        yield


def exercise(port: int, version: int, patience: float = 10.0) -> list[object]:
    """Use much of MQTT: all QoS, properties, wills, retained messages, sessions. Returns what the clients got."""
    seen: list[object] = []
    made: list[RawClient] = []
    five = version == 5

    def client() -> RawClient:
        one = RawClient(port, version=version, timeout=patience)
        made.append(one)
        return one

    def props() -> PublishProperties | None:
        if not five:
            return None
        return PublishProperties(
            payload_format_indicator=1,
            message_expiry_interval=100,
            content_type="text",
            response_topic="answer",
            correlation_data=b"12",
            user_property=[("a", "1"), ("b", "2")],
        )

    def drain(one: RawClient) -> None:
        """Acknowledge and keep what comes, until a whole PINGREQ goes by without a message."""
        more = True
        while more:
            more = False
            one.send(Pingreq())
            while not isinstance(got := one.read(), Pingresp):
                more = True
                if isinstance(got, Publish):
                    seen.append(got)
                    if got.qos:
                        one.send(Puback(got.packet_id) if got.qos == 1 else Pubrec(got.packet_id))
                elif isinstance(got, Pubrel):
                    one.send(Pubcomp(got.packet_id))

    session = ConnectProperties(session_expiry_interval=50) if five else None
    subscriber = client()
    with step():
        subscriber.connect("sub", clean_start=False, properties=session)
        ids = SubscribeProperties(subscription_identifier=3) if five else None
        subscriber.send(Subscribe(1, [Subscription("s/#", 2), Subscription("s/+", 1)], ids))
        subscriber.ping()
    publisher = client()
    with step():
        will = Will("s/will", b"bye", 1, True, WillProperties(content_type="w") if five else None)
        publisher.connect("pub", will=will)
        for qos in (0, 1, 2):
            with step():
                publisher.publish("s/t", b"m%d" % qos, qos, 5 + qos, retain=qos == 1, properties=props())
        with step():
            publisher.publish("s/t", b"n", 1, 9)
    with step():
        drain(subscriber)
    with step():
        subscriber.send(Unsubscribe(4, ["s/+", "none"]))
        subscriber.ping()
    with step():
        subscriber.disconnect()
    with step():
        publisher.publish("s/q", b"queued", 1, 11, properties=props())
        publisher.publish("s/q", b"queued2", 2, 12, properties=props())
    with step():
        publisher.socket.shutdown(socket.SHUT_WR)
        publisher.until_closed()
    again = client()
    with step():
        again.connect("sub", clean_start=False, properties=session)
        again.ping()
        seen.extend(again.inbox)
    again.close()
    third = client()
    with step():
        third.connect("sub", clean_start=False, properties=session)
        drain(third)
    with step():
        third.send(Subscribe(7, [Subscription("s/t", 2)]), Subscribe(8, [Subscription("s/#", 1)]))
        drain(third)
    for packet in (b"\x36\4\0\1a\0", Connect("x", version), b"\xc1\0"):
        bad = client()
        with step():
            bad.connect("bad")
            bad.send(packet, b"\xe0\0")
            seen += bad.until_closed()
    with step():
        third.send(Disconnect())
    with step():
        publisher = client()
        publisher.connect("cleaner")
        publisher.send(Publish("s/t", b"", retain=True), Publish("s/will", b"", retain=True), Disconnect())
        publisher.until_closed()
    for one in made:
        one.close()
    return seen

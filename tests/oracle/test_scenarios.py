# SPDX-License-Identifier: MIT
"""The scenarios that statements without a detector need, as rules: each does what it says it does."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from mqtt_ref.oracle.coverage import scenarios
from mqtt_ref.oracle.facade import Oracle
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.plan import read_plan
from mqtt_ref.oracle.recorder import Condition
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import SERVER
from mqtt_ref.wire.violation import Violation

FILE = Path(__file__).resolve().parents[2] / "examples" / "oracle" / "scenarios.yaml"
KEPT = ConnectProperties(session_expiry_interval=60)
METHOD = "DIGEST"


class Peer:
    """A client of MQTT 5 that has been accepted."""

    def __init__(
        self, oracle: Oracle, name: str, clean_start: bool = True, properties: ConnectProperties = KEPT
    ) -> None:
        self.link = socket.create_connection(("127.0.0.1", oracle.port), 5)
        self.decoder = Decoder(5, SERVER, go_on=True)
        self.got: list[Packet | Violation] = []
        self.send(Connect(name, 5, clean_start, properties=properties))
        self.connack = self.next()
        assert isinstance(self.connack, Connack)

    def send(self, *packets: Packet) -> None:
        self.link.sendall(b"".join(encode(5, packet) for packet in packets))

    def next(self) -> Packet | Violation | None:
        while not self.got:
            data = self.link.recv(4096)
            if not data:
                return None
            self.got += self.decoder.feed(data)
        return self.got.pop(0)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle(rules=read_plan(FILE).rules, check=False) as found:
        yield found


Arrive = Callable[..., Peer]


@pytest.fixture
def arrive(oracle: Oracle) -> Iterator[Arrive]:
    """Clients that come, and are gone behind the test."""
    peers: list[Peer] = []

    def come(name: str, clean_start: bool = True, properties: ConnectProperties = KEPT) -> Peer:
        peers.append(Peer(oracle, name, clean_start, properties))
        return peers[-1]

    yield come
    for peer in peers:
        peer.link.close()


def test_the_rules_are_called_as_the_scenarios_are() -> None:
    named = {rule.name.partition(",")[0] for rule in read_plan(FILE).rules}
    assert named == set(scenarios())


def test_quota_held(arrive: Arrive) -> None:
    peer = arrive("quota-held-1")
    peer.send(Publish("a", b"", 1, packet_id=1), Pingreq())
    assert peer.next() == Pingresp()


def test_qos2_again(oracle: Oracle, arrive: Arrive) -> None:
    peer = arrive("qos2-again-1")
    peer.send(Subscribe(1, [Subscription("q", 2)]))
    assert isinstance(peer.next(), Suback)
    oracle.server.publish("q", "x", qos=2)
    first = peer.next()
    assert isinstance(first, Publish)
    peer.send(Pubrec(first.packet_id))
    assert peer.next() is None
    again = arrive("qos2-again-1", clean_start=False).next()
    assert isinstance(again, Publish)
    assert (again.packet_id, again.dup) == (first.packet_id, True)


def test_identifier_reused(arrive: Arrive) -> None:
    peer = arrive("identifier-reused-1")
    peer.send(Publish("a", b"", 2, packet_id=1))
    assert isinstance(peer.next(), Pubrec)
    message = peer.next()
    assert isinstance(message, Publish)
    assert (message.packet_id, message.dup) == (1, True)


def test_expired_in_flight(arrive: Arrive) -> None:
    peer = arrive("expired-in-flight-1")
    message = peer.next()
    assert isinstance(message, Publish)
    assert message.properties is not None
    assert (message.qos, message.properties.message_expiry_interval) == (2, 1)
    begun = monotonic()
    peer.send(Pubrec(message.packet_id))
    assert peer.next() == Pubrel(message.packet_id)
    assert monotonic() - begun > 1
    peer.send(Pubcomp(message.packet_id), Pingreq())
    assert peer.next() == Pingresp()


@pytest.mark.parametrize("allowed", [0, 1, 3, 65_535])
def test_aliases_to_client(arrive: Arrive, allowed: int) -> None:
    peer = arrive("aliases-to-client-1", properties=ConnectProperties(topic_alias_maximum=allowed))
    peer.send(Pingreq())
    used: list[int] = []
    while isinstance(message := peer.next(), Publish):
        assert message.properties is not None
        assert message.properties.topic_alias is not None
        used.append(message.properties.topic_alias)
        assert bool(message.topic) is (len(used) % 2 == 1)
    assert message == Pingresp()
    highest = {*range(1, min(allowed, 1000) + 1), allowed} - {0}
    assert used == [alias for alias in sorted(highest) for _ in range(2)]


def test_renewal_refused(arrive: Arrive) -> None:
    asked = ConnectProperties(authentication_method=METHOD)
    peer = arrive("renewal-refused-1", properties=asked)
    connack = peer.connack
    assert isinstance(connack, Connack)
    assert connack.properties is not None
    assert (connack.reason_code, connack.properties.authentication_method) == (0, METHOD)
    peer.send(Auth(0x19, AuthProperties(authentication_method=METHOD)), Pingreq())
    assert peer.next() == Disconnect(0x87)
    assert peer.next() == Pingresp()  # the server has not closed: that is left to the client


def test_unwanted_message(arrive: Arrive) -> None:
    peer = arrive("unwanted-message-1")
    found = [peer.next() for _ in range(3)]
    assert [one.qos for one in found if isinstance(one, Publish)] == [0, 1, 2]


def test_malformed_to_client(arrive: Arrive) -> None:
    peer = arrive("malformed-to-client-1")
    peer.send(Pingreq())
    assert isinstance(peer.next(), Violation)


def test_frames_cut(oracle: Oracle, arrive: Arrive) -> None:
    peer = arrive("frames-cut-1")
    peer.send(Pingreq())
    assert peer.next() == Pingresp()
    oracle.wait(Match(packet="PINGRESP", to="frames-cut-1"))


def test_open_after_goodbye(oracle: Oracle, arrive: Arrive) -> None:
    peer = arrive("open-after-goodbye-1")
    peer.send(Disconnect(), Pingreq())
    oracle.wait(Condition(fired="open-after-goodbye"))
    assert peer.next() == Pingresp()  # it is still there


def test_session_from_nowhere(arrive: Arrive) -> None:
    connack = arrive("session-from-nowhere-1").connack
    assert isinstance(connack, Connack)
    assert connack.session_present

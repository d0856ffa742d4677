# SPDX-License-Identifier: MIT
"""What is sent once more on a live connection: which repeats no case sees, and which each one does."""

from __future__ import annotations

import pytest

from mqtt_conformance.retries import Retries
from mqtt_ref.wire.packets import Pingreq, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel
from mqtt_ref.wire.primitives import V5, V31, V311

__all__: list[str] = []


def message(number: int = 1, payload: bytes = b"m", *, dup: bool = False, qos: int = 1) -> Publish:
    return Publish("t", payload, qos, dup=dup, packet_id=number)


@pytest.mark.parametrize(("version", "passed_over"), [(V5, False), (V311, True), (V31, True)])
def test_a_repeat_before_its_acknowledgement_is_for_older_versions(version: int, passed_over: bool) -> None:
    retries = Retries(version)
    assert not retries.repeats(message())
    assert retries.repeats(message(dup=True)) is passed_over


def test_what_is_not_the_same_is_seen() -> None:
    retries = Retries(V311)
    assert not retries.repeats(message(dup=True)), "of the connection before"
    assert not retries.repeats(message()), "no DUP"
    assert not retries.repeats(message(payload=b"n", dup=True)), "another message"
    assert not retries.repeats(message(2, dup=True)), "another identifier"
    retries.opened()
    assert not retries.repeats(message(payload=b"n", dup=True)), "on a new connection"


def test_a_repeat_may_cross_its_acknowledgement_but_not_a_barrier() -> None:
    retries = Retries(V311)
    retries.repeats(message())
    retries.sent(Puback(1))
    assert retries.repeats(message(dup=True))
    retries.sent(Pingreq())
    assert retries.repeats(message(dup=True))
    retries.repeats(Pingresp())
    assert not retries.repeats(message(dup=True))


def test_bytes_are_a_barrier_as_well() -> None:
    retries = Retries(V31)
    retries.repeats(message(qos=2))
    retries.sent(Pubrec(1))
    retries.sent(b"\xc0\x00")
    retries.repeats(Pingresp())
    assert not retries.repeats(message(qos=2, dup=True))


def test_each_pubrec_has_its_pubrel_and_more_are_repeats() -> None:
    retries = Retries(V311)
    retries.repeats(message(qos=2))
    retries.sent(Pubrec(1))
    assert not retries.repeats(Pubrel(1))
    assert retries.repeats(Pubrel(1))
    retries.sent(Pubrec(1))
    assert not retries.repeats(Pubrel(1)), "the answer to a second PUBREC"
    retries.sent(Pubcomp(1))
    retries.sent(Pingreq())
    retries.repeats(Pingresp())
    assert not retries.repeats(Pubrel(1)), "behind its PUBCOMP"
    retries.opened()
    assert not retries.repeats(Pubrel(1)), "of the connection before"

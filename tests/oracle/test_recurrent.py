# SPDX-License-Identifier: MIT
"""The mistakes that are reported of client libraries again and again: each is found, or it is said who sees it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from mqtt_ref.oracle.coverage import decided, rows, scenarios
from mqtt_ref.oracle.faults import __main__ as played  # noqa: F401  (it registers the faults)
from mqtt_ref.oracle.faults.catalogue import FAULTS
from mqtt_ref.oracle.faults.stage import Stage
from mqtt_ref.wire.primitives import V5


class Mistake(NamedTuple):
    """What clients do.

    `found`: by detector, the statements that it cites. `faults`: the clients that do it, which must be caught.
    `asked`: statements that are decided once the server does its part. `unseen`: what no broker can see of it.
    """

    what: str
    found: dict[str, tuple[str, ...]]
    faults: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    unseen: str = ""


MISTAKES = (
    Mistake(
        "a Topic Alias is kept over a reconnect",
        {"aliases": ("MQTT5-3.3.2-7", "X5-topic-alias-unknown-empty")},
        ("alias-of-an-earlier-connection", "alias-never-set"),
    ),
    Mistake(
        "a Topic Alias is above the server's maximum",
        {"aliases": ("MQTT5-3.3.2-9", "MQTT5-3.2.2-17", "MQTT5-3.2.2-18")},
        ("alias-above-the-maximum", "alias-where-there-are-none"),
    ),
    Mistake(
        "the server's Receive Maximum is ignored, also right after a reconnect",
        {"quota": ("MQTT5-3.3.4-7", "MQTT5-4.9.0-1", "MQTT5-4.9.0-2")},
        ("more-than-receive-maximum",),
    ),
    Mistake(
        "the client's own Receive Maximum is not enforced",
        {},
        asked=("X5-receive-maximum-exceeded-client",),
    ),
    Mistake(
        "the server's Maximum Packet Size is ignored, or is that of an earlier connection",
        {"sizes": ("MQTT5-3.2.2-15",)},
        ("message-too-large",),
        asked=("X5-packet-too-large-client",),
    ),
    Mistake(
        "DUP is missing in what is sent again, or set in a PUBREL",
        {"resending": ("MQTT5-3.3.1-1", "MQTT311-3.3.1-1"), "codec": ("MQTT5-3.6.1-1", "MQTT311-3.6.1-1")},
        ("again-without-dup",),
    ),
    Mistake(
        "unacknowledged messages are sent again though Session Present is 0",
        {"resending": ("MQTT5-3.2.2-5",)},
        ("again-without-a-session", "pubrel-without-a-session"),
    ),
    Mistake(
        "no PINGREQ while messages are received",
        {"keep_alive": ("MQTT5-3.1.2-20", "MQTT311-3.1.2-23")},
        ("no-ping", "no-ping-while-receiving"),
        unseen="a client that publishes at QoS 0 all the time keeps its Keep Alive with that, and need not ping",
    ),
    Mistake(
        "Server Keep Alive is ignored",
        {"keep_alive": ("MQTT5-3.2.2-21", "MQTT5-3.1.2-21")},
        ("own-keep-alive",),
    ),
    Mistake(
        "a refusing CONNACK is taken for success",
        {"goodbye": ("MQTT5-4.13.2-1",)},
        ("on-when-refused",),
        unseen="whether the application is told, and with which code",
    ),
    Mistake(
        "a legal property of the CONNACK is rejected",
        {},
        unseen="a client may leave when it wants; a test sends them with a script (`limit`) and sees who leaves",
    ),
    Mistake(
        "a PUBACK or PUBREC of 0x80 or more is taken for success",
        {"resending": ("MQTT5-4.3.3-4", "MQTT5-4.4.0-2")},
        ("pubrel-for-a-refused-message", "again-after-a-refusal"),
        unseen="what the application is told",
    ),
    Mistake(
        "ill-formed UTF-8 is sent, or accepted",
        {"codec": ("MQTT5-1.5.4-1", "MQTT311-1.5.3-1")},
        asked=("X5-error-client-close", "X31-protocol-violation"),
    ),
    Mistake(
        "a feature is used though the CONNACK says that it is not available",
        {
            "features": (
                "MQTT5-3.2.2-11",
                "MQTT5-3.2.2-14",
                "X5-wildcard-not-supported",
                "X5-shared-not-supported",
                "X5-subscription-identifier-not-supported",
            )
        },
        (
            "qos-above-the-maximum",
            "retain-where-there-is-none",
            "wildcard-where-there-is-none",
            "shared-where-there-is-none",
            "subscription-identifier-where-there-is-none",
        ),
    ),
    Mistake(
        "a PUBLISH before the SUBACK is not taken; what was under way is lost with the link",
        {"owing": ("MQTT5-4.4.0-1", "MQTT311-4.4.0-1")},
        ("not-again",),
        asked=("MQTT5-4.5.0-2", "MQTT311-4.5.0-2"),
    ),
    Mistake(
        "reconnects come without a pause",
        {},
        unseen="the standard gives no time for it; a script counts the connections (`docs/misbehaviour.md`)",
    ),
)
BY_ID = {fault.id: fault for fault in FAULTS}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.what)
def test_a_recurrent_mistake_has_its_detectors(mistake: Mistake) -> None:
    assert mistake.found or mistake.asked or mistake.unseen
    by = decided()
    for detector, statements in mistake.found.items():
        for one in statements:
            assert detector in by[one], one
    for one in mistake.asked:
        assert rows()[one]["scenario"] in scenarios()
    broken = {one for name in mistake.faults for one in BY_ID[name].breaks}
    told = {one for detector, ones in mistake.found.items() if detector != "codec" for one in ones}
    assert told <= broken


@pytest.mark.parametrize("name", sorted({name for mistake in MISTAKES for name in mistake.faults}))
def test_who_makes_it_is_named(name: str) -> None:
    fault = BY_ID[name]
    stage = Stage(V5, fault.switches)
    fault.play(stage)
    assert set(fault.expected(V5)) <= stage.rules()

# SPDX-License-Identifier: MIT
"""Faults of the CONNACK: its content, and when it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Talk
from mqtt_conformance.faults.spoil import Alter, Out, by_hand, on, property_, set_, twice
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnackProperties,
    Connect,
    Pingresp,
)
from mqtt_ref.wire.primitives import V5, V31

__all__ = ["faults"]


def faults() -> Iterator[Fault]:
    """All of them."""
    yield from _accepting()
    yield from _properties()


def _accepting() -> Iterator[Fault]:
    accepted: Callable[[Talk, Any], bool] = lambda talk, packet: packet.reason_code == 0  # noqa: E731
    yield by_hand(
        "connack/session-present-always",
        """MQTT5-3.2.2-2 MQTT311-3.2.2-1 MQTT5-3.1.2-6 MQTT311-3.2.2-3 X5-session-expiry-zero MQTT5-4.1.0-2
        X5-session-state-end-time X31-connack-reserved-byte MQTT311-3.1.2-6""",
        down=on(Connack, when=accepted)(_present),
    )
    yield by_hand(
        "connack/session-present-never",
        """MQTT5-3.2.2-3 MQTT311-3.2.2-2 MQTT5-3.1.2-5 MQTT311-3.1.2-4 X5-session-state-existence
        X5-session-expiry-never X5-session-duration X5-session-expiry-changed-connack
        X5-session-expiry-absent-connack X311-session-state-server""",
        down=set_(Connack, accepted, session_present=False),
    )
    refusing = on(Connack, when=lambda talk, packet: packet.reason_code != 0)
    yield by_hand(
        "connack/refusal-with-session",
        "MQTT5-3.2.2-6 MQTT311-3.2.2-4",
        down=refusing(
            lambda talk, p: (
                bytes([0x20, 3, 1, p.reason_code, 0]) if talk.version == V5 else bytes([0x20, 2, 1, p.reason_code]),
            )
        ),
    )
    yield by_hand(
        "connack/reserved-flags",
        "MQTT5-3.2.2-1 X311-connack-reserved-bits",
        down=on(Connack)(lambda talk, p: (b"\x20\x03\x02\x00\x00" if talk.version == V5 else b"\x20\x02\x02\x00",)),
    )
    yield by_hand(
        "connack/undefined-code",
        "MQTT5-3.2.2-8 X311-connack-codes-reserved X31-connack-codes",
        down=on(Connack, when=accepted)(
            lambda talk, p: (b"\x20\x03\x00\x01\x00" if talk.version == V5 else b"\x20\x02\x00\x06",)
        ),
    )
    yield by_hand(
        "connack/refused-in-3.1",
        "X31-password-missing X31-user-name-missing",
        down=set_(Connack, lambda talk, p: talk.version == V31, reason_code=2),
    )
    yield by_hand("connack/two", "MQTT5-3.2.0-2", down=twice(Connack))
    yield by_hand(
        "connack/not-first",
        """MQTT5-3.1.4-5 MQTT311-3.1.4-4 MQTT5-3.2.0-1 MQTT311-3.2.0-1 X5-delivery-after-connack
        X311-connect-accepted-start""",
        down=on(Connack)(lambda talk, p: (Pingresp(), p)),
    )
    yield by_hand(
        "connack/refusal-code",
        "MQTT311-3.1.2-2 MQTT311-3.1.3-8 MQTT311-3.1.3-9 X31-unacceptable-version "
        "X31-client-id-empty X31-client-id-too-long",
        down=set_(Connack, lambda talk, p: talk.version != V5 and p.reason_code != 0, reason_code=3),
    )
    yield by_hand(
        "connack/invented-refusal",
        "MQTT5-3.2.2-2 MQTT5-3.2.2-3",
        down=set_(Connack, accepted, reason_code=0x80, session_present=False),
        thorough=False,
    )


def _present(talk: Talk, packet: Any) -> Out | None:
    packet.session_present = True
    return None if talk.version == V5 else (b"\x20\x02\x01\x00",)


def _properties() -> Iterator[Fault]:
    fives: Callable[[Talk, Any], bool] = lambda talk, p: talk.version == V5 and p.reason_code == 0  # noqa: E731

    def raw(properties: bytes) -> Alter:
        return on(Connack, when=fives)(
            lambda talk, p: (bytes([0x20, 3 + len(properties), p.session_present, 0, len(properties)]) + properties,)
        )

    once = {
        "assigned_client_identifier": b"\x12\x00\x01a",
        "maximum_qos": b"\x24\x01",
        "response_information": b"\x1a\x00\x01r",
        "retain_available": b"\x25\x01",
        "server_keep_alive": b"\x13\x00\x3c",
        "server_reference": b"\x1c\x00\x01s",
        "shared_subscription_available": b"\x2a\x01",
        "subscription_identifier_available": b"\x29\x01",
        "wildcard_subscription_available": b"\x28\x01",
    }
    for name, data in once.items():
        yield by_hand(f"connack/{name}-twice", f"X5-{name}-once", down=raw(data * 2))
        if len(data) == 2:
            yield by_hand(f"connack/{name}-above", f"X5-{name}-range", down=raw(data[:1] + b"\x02"))
    yield by_hand("connack/no-maximum-qos", "MQTT5-3.2.2-9", down=property_(Connack, "maximum_qos", None))
    yield by_hand(
        "connack/no-assigned-id",
        "MQTT5-3.1.3-6 MQTT5-3.1.3-7 MQTT5-3.2.2-16",
        down=property_(Connack, "assigned_client_identifier", None),
    )
    yield by_hand(
        "connack/one-assigned-id",
        "MQTT5-3.2.2-16",
        down=property_(
            Connack, "assigned_client_identifier", lambda p: p.properties.assigned_client_identifier and "same"
        ),
        up=set_(Connect, lambda talk, p: not p.client_id, client_id="same"),
    )
    yield by_hand(
        "connack/assigned-id-for-all",
        "X5-assigned-client-id-reason",
        down=property_(Connack, "assigned_client_identifier", "given", ConnackProperties),
    )
    yield by_hand(
        "connack/response-information",
        "MQTT5-3.1.2-28 X5-request-response-information-absent",
        down=property_(Connack, "response_information", "here", ConnackProperties),
    )
    yield by_hand(
        "connack/method",
        "MQTT5-4.12.0-6 X5-authentication-method-absent",
        down=property_(Connack, "authentication_method", "mine", ConnackProperties),
    )
    yield by_hand(
        "connack/long-reason",
        "MQTT5-3.2.2-19 MQTT5-3.1.2-24",
        down=property_(Connack, "reason_string", "why" * 60, ConnackProperties),
    )
    yield by_hand(
        "connack/user-properties",
        "MQTT5-3.2.2-20",
        down=property_(Connack, "user_property", [("a", "b" * 150)], ConnackProperties),
    )
    yield by_hand(
        "auth/unasked",
        "MQTT5-4.12.0-6",
        down=on(Connack, when=fives)(lambda talk, p: (p, Auth(0x18, AuthProperties(authentication_method="mine")))),
    )

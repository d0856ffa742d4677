# SPDX-License-Identifier: MIT
"""Faults of enhanced authentication. They show in a broker that supports an Authentication Method."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Talk
from mqtt_conformance.faults.spoil import by_hand, drop, property_, set_
from mqtt_ref.wire.packets import Auth, Connack

__all__ = ["faults"]


def faults() -> Iterator[Fault]:
    """All of them."""
    success: Callable[[Talk, Any], bool] = lambda talk, p: p.reason_code == 0  # noqa: E731
    asked: Callable[[Talk, Any], bool] = lambda talk, p: bool(  # noqa: E731
        p.reason_code == 0 and p.properties and p.properties.authentication_method
    )
    yield by_hand("auth/no-data", "X5-authentication-data-sent", down=property_(Auth, "authentication_data", None))
    yield by_hand("auth/no-connack", "X5-authentication-accepted", down=drop(Connack, when=asked))
    yield by_hand("auth/other-method", "MQTT5-4.12.0-5", down=property_(Auth, "authentication_method", "another"))
    yield by_hand("auth/no-reply", "X5-reauthentication-reply MQTT5-4.12.1-1", down=drop(Auth, when=success))
    yield by_hand(
        "auth/server-asks-again",
        "X5-auth-reauthenticate-client",
        down=set_(Auth, reason_code=0x19),
    )

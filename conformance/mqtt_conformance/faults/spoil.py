# SPDX-License-Identifier: MIT
"""Builds hand-made faults from small functions that spoil packets."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Meddling, Talk
from mqtt_ref.wire.packets import Packet
from mqtt_ref.wire.primitives import V5

__all__ = ["Alter", "Out", "by_hand", "drop", "on", "property_", "set_", "twice"]

Out = Iterable["Packet | bytes"]
Alter = Callable[[Talk, Packet], Out]


def by_hand(
    name: str,
    statements: str,
    *,
    up: Alter | None = None,
    down: Alter | None = None,
    linger: bool = False,
    farewell: bytes = b"",
    thorough: bool = True,
) -> Fault:
    """Return a fault that spoils the client's packets (`up`) or the broker's (`down`). See `Meddling`."""
    meddling = Meddling(up, down, _always if linger else None, farewell)
    return Fault(f"handmade/{name}", tuple(statements.split()), meddling=meddling, thorough=thorough)


def _always(talk: Talk) -> bool:
    return True


def on(
    *kinds: type[Any], when: Callable[[Talk, Any], bool] | None = None
) -> Callable[[Callable[[Talk, Any], Any]], Alter]:
    """Apply a change to one kind of packet. Other packets pass unchanged.

    The change gets a copy. It returns what to send, or None for the copy that it changed in place.
    """

    def wrap(change: Callable[[Talk, Any], Any]) -> Alter:
        def alter(talk: Talk, packet: Packet) -> Out:
            if not isinstance(packet, kinds) or (when is not None and not when(talk, packet)):
                return (packet,)
            mine = copy.deepcopy(packet)
            out = change(talk, mine)
            return (mine,) if out is None else out

        return alter

    return wrap


def set_(kind: type[Any], when: Callable[[Talk, Any], bool] | None = None, **values: Any) -> Alter:
    """Set attributes of every packet of a kind."""

    @on(kind, when=when)
    def change(talk: Talk, packet: Any) -> None:
        for name, value in values.items():
            setattr(packet, name, value(packet) if callable(value) else value)

    return change


def drop(*kinds: type[Any], when: Callable[[Talk, Any], bool] | None = None) -> Alter:
    """Drop packets."""
    return on(*kinds, when=when)(lambda talk, packet: ())


def twice(*kinds: type[Any], when: Callable[[Talk, Any], bool] | None = None) -> Alter:
    """Pass packets on twice."""
    return on(*kinds, when=when)(lambda talk, packet: (packet, packet))


def property_(kind: type[Any], name: str, value: Any, made: type[Any] | None = None) -> Alter:
    """Set a property of every packet of a kind that has properties, or gets some from `made`. For 5.0 only."""

    @on(kind, when=lambda talk, packet: talk.version == V5)
    def change(talk: Talk, packet: Any) -> None:
        if packet.properties is None:
            if made is None:
                return
            packet.properties = made()
        setattr(packet.properties, name, value(packet) if callable(value) else value)

    return change

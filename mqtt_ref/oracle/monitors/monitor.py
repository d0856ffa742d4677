# SPDX-License-Identifier: MIT
"""What a monitor is: looks at every packet of a connection for one concern."""

from __future__ import annotations

from typing import Protocol

from mqtt_ref.oracle.state import Talk
from mqtt_ref.wire.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
)

__all__ = ["Accuse", "Monitor"]


class Accuse(Protocol):
    """How a monitor says that a rule was broken, by the packet that is looked at, or by silence where there is none."""

    def __call__(self, cites: tuple[str, ...], expected: str, seen: str) -> None: ...


class Monitor:
    """Watches one connection for one concern; a subclass overrides what it wants to see.

    `sent_...` is called with what the client sent, `got_...` with what the server did, before `Talk` is brought up to
    date. `decides` are the statements that it can find broken. A monitor that says nothing about a packet has found
    nothing, or could not know.
    """

    decides: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    """Methods that find nothing while `Talk.ordinary` holds: then they are not called."""
    idle_in_plain: tuple[str, ...] = ()
    """And those that then find nothing in a PUBLISH of QoS 0 without RETAIN and properties."""

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        self.talk = talk
        self.accuse = accuse

    def sent(self, packet: Packet) -> None:
        """Any packet of the client."""

    def sent_connect(self, packet: Connect) -> None: ...

    def sent_publish(self, packet: Publish) -> None: ...

    def sent_puback(self, packet: Puback) -> None: ...

    def sent_pubrec(self, packet: Pubrec) -> None: ...

    def sent_pubrel(self, packet: Pubrel) -> None: ...

    def sent_pubcomp(self, packet: Pubcomp) -> None: ...

    def sent_subscribe(self, packet: Subscribe) -> None: ...

    def sent_unsubscribe(self, packet: Unsubscribe) -> None: ...

    def sent_disconnect(self, packet: Disconnect) -> None: ...

    def sent_auth(self, packet: Auth) -> None: ...

    def got_connack(self, packet: Connack) -> None: ...

    def got_publish(self, packet: Publish) -> None: ...

    def got_puback(self, packet: Puback) -> None: ...

    def got_pubrec(self, packet: Pubrec) -> None: ...

    def got_pubcomp(self, packet: Pubcomp) -> None: ...

    def got_auth(self, packet: Auth) -> None: ...

    def passed(self, now: int) -> None:
        """Time has passed, without a packet."""

    def excuse(self, now: int) -> None:
        """Until now nobody listened to the client, or its bytes were kept from us: it has been silent since now."""

    def left(self, now: int) -> None:
        """The client closed its side of the connection; so it was there until now."""

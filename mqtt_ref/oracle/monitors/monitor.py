# SPDX-License-Identifier: MIT
"""The base class of monitors, which check the packets of a connection for one concern."""

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
    """Reports a broken rule: by the current packet, or by silence if there is none."""

    def __call__(self, cites: tuple[str, ...], expected: str, seen: str) -> None: ...


class Monitor:
    """Checks one connection for one concern. A subclass overrides the methods that it needs.

    `sent_...` is called with packets of the client, `got_...` with those of the server, before `Talk` is updated.
    `decides` are the statements that it can find broken. A monitor that is silent about a packet found no breach, or
    could not decide.
    """

    decides: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    """Methods that find nothing while `Talk.ordinary` is true, so they are not called then."""
    idle_in_plain: tuple[str, ...] = ()
    """Methods that in this case find nothing in a QoS 0 PUBLISH without RETAIN and properties."""

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        self.talk = talk
        self.accuse = accuse

    def sent(self, packet: Packet) -> None:
        """Check any packet of the client."""

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
        """Check for silence: no packet has come up to `now`."""

    def excuse(self, now: int) -> None:
        """Count the client's silence from `now`: before that, its data was not read."""

    def left(self, now: int) -> None:
        """Handle the close by the client, which was therefore present up to `now`."""

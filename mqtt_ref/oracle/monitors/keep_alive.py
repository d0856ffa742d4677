# SPDX-License-Identifier: MIT
"""Keep Alive: the maximum time between two packets of the client, whatever the server sends."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Accuse, Monitor
from mqtt_ref.oracle.state import SECOND, Talk
from mqtt_ref.wire.packets import Connack, Disconnect, Packet, Pingreq, Pingresp

__all__ = ["KeepAlive", "allowance"]

KEPT = ("MQTT5-3.1.2-20", "X5-keep-alive-interval", "MQTT311-3.1.2-23", "X311-keep-alive-interval")
SERVERS = ("MQTT5-3.1.2-21", "MQTT5-3.2.2-21")


def allowance(seconds: int) -> int:
    """Return the nanoseconds that a packet may be late, as arrival times and timers are not exact.

    It is a tenth of the Keep Alive, but at least a second. For a very short Keep Alive it is less than half of it, as
    servers close after one and a half.
    """
    exact = seconds * SECOND
    return min(exact * 45 // 100, max(SECOND, exact // 10))


class KeepAlive(Monitor):
    """Checks the time from the end of one packet to the beginning of the next."""

    decides = (*KEPT, *SERVERS)

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.last = 0
        """When the last packet of the client was complete; 0: unknown."""
        self.pinged = 0
        """When the unanswered PINGREQ was complete; 0: there is none."""
        self.told = False
        self.limit = 0
        """Nanoseconds between two packets above which a check is needed; 0: no limit."""

    def got_connack(self, packet: Connack) -> None:
        if packet.reason_code or self.talk.answered_at:
            return  # a refused client has no Keep Alive; a second CONNACK does not count
        connect = self.talk.connect
        given = packet.properties.server_keep_alive if packet.properties is not None else None
        seconds = connect.keep_alive if given is None and connect is not None else given or 0
        self.limit = seconds * SECOND + allowance(seconds) + self.talk.slack if seconds else 0

    def got_disconnect(self, packet: Disconnect) -> None:
        self.limit = 0  # the connection is over

    def excuse(self, now: int) -> None:
        if self.last:
            self.last = max(self.last, now)

    def sent(self, packet: Packet) -> None:
        talk = self.talk
        if self.limit and talk.first_byte_at - self.last > self.limit and self.last and not self.told:
            self._judge(talk.first_byte_at)
        self.last = talk.now
        self.told = False

    def sent_pingreq(self, packet: Pingreq) -> None:
        self.pinged = self.last

    def got_pingresp(self, packet: Pingresp) -> None:
        self.pinged = 0

    def passed(self, now: int) -> None:
        # A remote client may be gone or cut off without this being visible yet.
        if self.talk.local:
            self.left(now)

    def left(self, now: int) -> None:
        if self.pinged:
            return  # it waits for the PINGRESP, or closes after waiting in vain (3.1.2.10)
        if self.limit and now - self.last > self.limit and self.last and not self.told:
            self._judge(now)

    def _judge(self, now: int) -> None:
        talk = self.talk
        connect = talk.connect
        if connect is None or not talk.whole or not talk.timed or talk.disconnected_at:
            return
        own = connect.keep_alive
        connack = talk.connack
        given = None
        # Before the CONNACK a client may not know its Keep Alive, or may not be allowed to send [MQTT5-3.1.2-30].
        since = max(self.last, talk.answered_at)
        if connack is not None and connack.properties is not None:
            given = connack.properties.server_keep_alive
        seconds = own if given is None else given
        if not seconds or not talk.answered_at or not talk.certain:
            return
        if now - since > seconds * SECOND + allowance(seconds) + talk.slack:
            self.told = True
            cites = KEPT if given is None or given == own else SERVERS + KEPT
            name = "Keep Alive" if given is None else "Server Keep Alive"
            waited = (now - since) / SECOND
            self.accuse(cites, f"a packet at least every {seconds} s ({name})", f"no packet for {waited:.1f} s")

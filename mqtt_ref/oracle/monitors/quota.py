# SPDX-License-Identifier: MIT
"""Flow control: no more unacknowledged messages than the server's Receive Maximum."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Accuse, Monitor
from mqtt_ref.oracle.state import Talk
from mqtt_ref.wire.packets import Puback, Pubcomp, Publish, Pubrec
from mqtt_ref.wire.primitives import V5

__all__ = ["Quota"]

EXCEEDED = ("MQTT5-3.3.4-7", "MQTT5-4.9.0-2")
INITIAL = ("MQTT5-4.9.0-1",)


class Quota(Monitor):
    """Checks the send quota of section 4.9. Acknowledgements count as soon as the server has sent them."""

    decides = (*EXCEEDED, *INITIAL)
    idle_in_plain = ("sent_publish",)

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.acknowledged = False

    def sent_publish(self, packet: Publish) -> None:
        talk = self.talk
        if not packet.qos or talk.version != V5 or talk.used < talk.receive_maximum or not talk.certain:
            return
        if talk.knows():
            cites = EXCEEDED if self.acknowledged else EXCEEDED + INITIAL
            self.accuse(
                cites,
                f"at most {talk.receive_maximum} unacknowledged messages (Receive Maximum)",
                f"{talk.used + 1} of them",
            )

    def got_puback(self, packet: Puback) -> None:
        self.acknowledged = True

    def got_pubrec(self, packet: Pubrec) -> None:
        self.acknowledged = True

    def got_pubcomp(self, packet: Pubcomp) -> None:
        self.acknowledged = True

# SPDX-License-Identifier: MIT
"""Hook that logs packets and events, for debugging."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Final

from mqtt_ref.hooks.hook import Hook
from mqtt_ref.wire.packets import Auth, Connack, Connect, Pingreq, Pingresp, Publish

if TYPE_CHECKING:
    from mqtt_ref.broker.views import Client
    from mqtt_ref.engine.message import Message
    from mqtt_ref.wire.packets import Packet, Subscribe, Unsubscribe, Will

__all__ = ["Debug"]

LOG = logging.getLogger("mqtt_ref.hooks.debug")
MASK: Final = b"***"
SHOWN: Final = 256
"""Maximum number of characters of a packet in one line."""


class Debug(Hook):
    """Log connections, packets and their outcome to `mqtt_ref.hooks.debug` at level DEBUG.

    `enable` switches it on. `show_packet_data` adds the content of packets, `show_pings` adds PINGREQ and PINGRESP.
    `show_passwords` shows passwords and Authentication Data, which are masked otherwise.
    """

    id = "debug"

    def __init__(
        self,
        *,
        enable: bool = True,
        show_packet_data: bool = False,
        show_pings: bool = False,
        show_passwords: bool = False,
    ) -> None:
        self.enable = enable
        self.show_packet_data = show_packet_data
        self.show_pings = show_pings
        self.show_passwords = show_passwords

    def _log(self, event: str, client: Client | None, *words: object) -> None:
        if self.enable and LOG.isEnabledFor(logging.DEBUG):
            who = "the server" if client is None else f"{client.id!r} at {client.remote}"
            LOG.debug("%s: %s%s", event, who, "".join(f", {word}" for word in words))

    def _packet(self, event: str, client: Client, packet: Packet) -> None:
        if isinstance(packet, Pingreq | Pingresp) and not self.show_pings:
            return
        if self.enable and LOG.isEnabledFor(logging.DEBUG):
            self._log(event, client, *self._described(packet))

    def _described(self, packet: Packet) -> Iterable[str]:
        yield type(packet).__name__.upper()
        if isinstance(packet, Publish):
            yield f"{packet.topic!r}, {len(packet.payload)} bytes, QoS {packet.qos}"
        if self.show_packet_data:
            text = repr(packet if self.show_passwords else _masked(packet))
            yield text if len(text) <= SHOWN else text[:SHOWN] + "..."

    def on_started(self) -> None:
        if self.enable:
            LOG.debug("the server is started")

    def on_stopped(self) -> None:
        if self.enable:
            LOG.debug("the server has stopped")

    def on_session_established(self, client: Client, session_present: bool) -> None:
        version = {3: "3.1", 4: "3.1.1", 5: "5.0"}.get(client.protocol_version, "")
        self._log("connected", client, f"MQTT {version}", f"user {client.username!r}", f"resumed: {session_present}")

    def on_disconnect(self, client: Client, reason_code: int, text: str) -> None:
        self._log("disconnected", client, f"0x{reason_code:02X}", text or "goodbye")

    def on_packet_read(self, client: Client, packet: Packet) -> None:
        self._packet("read", client, packet)

    def on_packet_sent(self, client: Client, packet: Packet, data: bytes) -> None:
        self._packet("sent", client, packet)

    def on_subscribed(self, client: Client, packet: Subscribe, reason_codes: list[int]) -> None:
        filters = [one.topic_filter for one in packet.subscriptions]
        self._log("subscribed", client, f"{filters!r}", [f"0x{code:02X}" for code in reason_codes])

    def on_unsubscribed(self, client: Client, packet: Unsubscribe, reason_codes: list[int]) -> None:
        self._log("unsubscribed", client, f"{packet.topic_filters!r}", [f"0x{code:02X}" for code in reason_codes])

    def on_publish_dropped(self, client: Client | None, message: Message, reason: str) -> None:
        self._log("dropped", client, f"{message.topic!r}", reason)

    def on_qos_dropped(self, client: Client, message: Message, packet_id: int, reason: str) -> None:
        self._log("given up", client, f"{message.topic!r}", reason)

    def on_packet_id_exhausted(self, client: Client, message: Message) -> None:
        self._log("no packet identifier is free", client, f"{message.topic!r}")

    def on_retain_message(self, client: Client | None, message: Message, stored: bool) -> None:
        self._log("retained" if stored else "no longer retained", client, f"{message.topic!r}")

    def on_retained_expired(self, topic: str) -> None:
        if self.enable:
            LOG.debug("retained message expired: %r", topic)

    def on_will(self, client: Client, will: Will) -> None:
        self._log("will", client, f"{will.topic!r}")

    def on_client_expired(self, client: Client) -> None:
        self._log("session expired", client)


def _masked(packet: Packet) -> Packet:
    """Return the packet, or a copy with its secrets masked if it can have any."""
    if isinstance(packet, Connect | Connack | Auth):
        packet = deepcopy(packet)
        if isinstance(packet, Connect) and packet.password is not None:
            packet.password = MASK
        if packet.properties is not None and packet.properties.authentication_data is not None:
            packet.properties.authentication_data = MASK
    return packet

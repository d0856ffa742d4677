# SPDX-License-Identifier: MIT
"""A DISCONNECT from a client: its will, and its Session Expiry Interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine.ends import GOODBYE, LOST
from mqtt_ref.engine.reacting import breach
from mqtt_ref.wire.codes import DISCONNECT, PROTOCOL_ERROR
from mqtt_ref.wire.primitives import V5

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.wire.packets import Disconnect

__all__ = ["disconnect"]


def disconnect(connection: Connection, packet: Disconnect, now: int) -> None:
    """Handle a DISCONNECT. With reason 0x00 the will is not published.

    It may change the Session Expiry Interval, but not from 0 to a higher value.

    Cites: MQTT5-3.14.4-3, MQTT311-3.14.4-3, X5-disconnect-session-expiry, X5-disconnect-session-expiry-after-zero,
    X5-disconnect-session-expiry-refused, X5-disconnect-with-will, X5-disconnect-received-close,
    X31-disconnect-server-closes, X5-reason-string-not-parsed
    """
    session = connection.session
    if session is not None and packet.properties is not None and connection.version == V5:
        expiry = packet.properties.session_expiry_interval
        if expiry is not None:
            if expiry and not connection.agreement.lasting:
                cites = ("X5-disconnect-session-expiry-after-zero",)
                text = "A Session Expiry Interval above 0, after 0 in the CONNECT"
                breach(connection, cites, PROTOCOL_ERROR, DISCONNECT, now, text)
                return
            session.expiry = min(expiry, connection.agreement.capabilities.maximum_session_expiry)
            if connection.broker.journal is not None:
                connection.broker.journal.session(session)
    if packet.reason_code:
        connection.note(f"The client disconnected with reason 0x{packet.reason_code:02X}", packet.reason_code)
    connection.how = GOODBYE if packet.reason_code == 0 or connection.version != V5 else LOST

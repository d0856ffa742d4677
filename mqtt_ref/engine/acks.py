# SPDX-License-Identifier: MIT
"""Send acknowledgements, AUTH and DISCONNECT, cut down to the client's Maximum Packet Size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine.generated.decisions import ACKNOWLEDGEMENT_PROPERTIES_INHERIT
from mqtt_ref.wire.codes import DISCONNECT_WITH_WILL_MESSAGE, FAILURE, PUBACK, PUBREC, PUBREL, UNSPECIFIED_ERROR
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Disconnect,
    DisconnectProperties,
    Puback,
    PubackProperties,
    Pubcomp,
    PubcompProperties,
    Pubrec,
    PubrecProperties,
    Pubrel,
    PubrelProperties,
    Suback,
    SubackProperties,
    Unsuback,
    UnsubackProperties,
)
from mqtt_ref.wire.primitives import V5
from mqtt_ref.wire.reasons import REASON_TITLES, DisconnectReason

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.wire.packets import Packet

__all__ = ["HEADS", "answer", "auth", "disconnect", "fit", "inherited", "suback", "unsuback"]

_DISCONNECT_CODES: Final = frozenset(int(code) for code in DisconnectReason) - {DISCONNECT_WITH_WILL_MESSAGE}

HEADS: Final = {4: b"\x40\x02", 5: b"\x50\x02", 6: b"\x62\x02", 7: b"\x70\x02"}
"""Fixed header of the short form of PUBACK, PUBREC, PUBREL and PUBCOMP, by packet type."""


def answer(
    connection: Connection,
    kind: int,
    packet_id: int,
    code: int,
    text: str = "",
    inherited: list[tuple[str, str]] | None = None,
) -> bool:
    """Send a PUBACK, PUBREC, PUBREL or PUBCOMP. For 3.x the Reason Code is left out.

    The User Properties in `inherited`, if any, are tried first. Otherwise a refusal carries a Reason String if the
    client did not switch it off and the packet fits. Return False if not even the short form fits.

    Cites: MQTT5-3.1.2-29, MQTT5-3.4.2-2, MQTT5-3.5.2-2, MQTT5-3.6.2-2, MQTT5-3.7.2-2, MQTT5-3.4.2-3, MQTT5-3.5.2-3,
    MQTT5-3.6.2-3, MQTT5-3.7.2-3, X5-puback-short-sent, X5-pubrec-short-sent, X5-pubrel-short-sent,
    X5-pubcomp-short-sent, X5-request-problem-information-absent, X5-negative-ack-alone, X31-pubrel-flags
    """
    if inherited and connection.version == V5 and connection.agreement.problem_information:
        if fit(connection, _ack(kind, packet_id, code, "", inherited), None):
            return True
    if code == 0 or connection.version != V5:
        data = HEADS[kind] + packet_id.to_bytes(2, "big")
        if len(data) > connection.agreement.packet_limit:
            return False
        connection.send(data)
        return True
    if not _says_why(connection, code):
        return fit(connection, _ack(kind, packet_id, code, ""), None)
    return fit(connection, _ack(kind, packet_id, code, text or _title(code)), _ack(kind, packet_id, code, ""))


def _says_why(connection: Connection, code: int) -> bool:
    """True if an acknowledgement gets a Reason String.

    Cites: X5-request-problem-information-one
    """
    return code >= FAILURE and connection.agreement.problem_information and connection.broker.options.reason_strings


def _title(code: int) -> str:
    return REASON_TITLES.get(code, "")


def inherited(connection: Connection, user_properties: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
    """Return the User Properties that an acknowledgement copies from the packet it answers; None if it copies none.

    The decision `acknowledgement_properties` says whether they are copied.
    """
    if user_properties and connection.broker.decisions.acknowledgement_properties == ACKNOWLEDGEMENT_PROPERTIES_INHERIT:
        return user_properties
    return None


def _ack(
    kind: int, packet_id: int, code: int, text: str, user_properties: list[tuple[str, str]] | None = None
) -> Packet:
    if kind == PUBACK:
        ack = PubackProperties(reason_string=text or None, user_property=user_properties)
        return Puback(packet_id, code, ack if text or user_properties else None)
    if kind == PUBREC:
        rec = PubrecProperties(reason_string=text or None, user_property=user_properties)
        return Pubrec(packet_id, code, rec if text or user_properties else None)
    if kind == PUBREL:
        return Pubrel(packet_id, code, PubrelProperties(reason_string=text) if text else None)
    return Pubcomp(packet_id, code, PubcompProperties(reason_string=text) if text else None)


def fit(connection: Connection, packet: Packet, shorter: Packet | None) -> bool:
    """Send `packet` if the client takes its size, else `shorter`. Return False if neither fits.

    Cites: MQTT5-3.1.2-24, MQTT5-3.2.2-20, X5-packet-size-definition
    """
    limit = connection.agreement.packet_limit
    data = encode(connection.version, packet)
    if len(data) > limit:
        if shorter is None:
            return False
        data = encode(connection.version, shorter)
        if len(data) > limit:
            return False
    connection.send(data)
    return True


def suback(
    connection: Connection, packet_id: int, codes: list[int], text: str, inherited: list[tuple[str, str]] | None = None
) -> bool:
    """Send a SUBACK with one code for each filter, in their order.

    The User Properties in `inherited`, or else `text` as Reason String, are sent if they fit. Return False if not even
    the plain SUBACK fits.

    Cites: MQTT5-3.8.4-6, MQTT5-3.9.3-1, MQTT311-3.9.3-1, MQTT5-3.8.4-2, MQTT5-2.2.1-6, MQTT311-3.8.4-2,
    MQTT311-2.3.1-7, MQTT5-3.9.2-2, MQTT311-3.8.4-5, MQTT5-3.8.4-7, X311-suback-granted, X311-suback-failure
    """
    plain = Suback(packet_id, codes)
    if inherited and connection.version == V5 and connection.agreement.problem_information:
        return fit(connection, Suback(packet_id, codes, SubackProperties(user_property=inherited)), plain)
    if (
        text
        and connection.version == V5
        and connection.agreement.problem_information
        and connection.broker.options.reason_strings
    ):
        # [MQTT5-3.9.2-1]
        return fit(connection, Suback(packet_id, codes, SubackProperties(reason_string=text)), plain)
    return fit(connection, plain, None)


def unsuback(
    connection: Connection, packet_id: int, codes: list[int], text: str, inherited: list[tuple[str, str]] | None = None
) -> bool:
    """Send an UNSUBACK. In 3.x it has no codes.

    The User Properties in `inherited`, or else `text` as Reason String, are sent if they fit. Return False if not even
    the plain UNSUBACK fits.

    Cites: MQTT5-3.10.4-5, MQTT5-3.11.3-1, MQTT311-3.10.4-4, MQTT5-3.11.2-2, MQTT5-3.11.3-2, X5-unsuback-reason-codes,
    X311-unsuback-no-payload, X31-unsuback-no-payload
    """
    if connection.version != V5:
        return fit(connection, Unsuback(packet_id, []), None)
    plain = Unsuback(packet_id, codes)
    if inherited and connection.agreement.problem_information:
        return fit(connection, Unsuback(packet_id, codes, UnsubackProperties(user_property=inherited)), plain)
    if text and connection.agreement.problem_information and connection.broker.options.reason_strings:
        # [MQTT5-3.11.2-1]
        return fit(connection, Unsuback(packet_id, codes, UnsubackProperties(reason_string=text)), plain)
    return fit(connection, plain, None)


def auth(connection: Connection, code: int, method: str, data: bytes | None) -> bool:
    """Send an AUTH with the Authentication Method of the CONNECT. Return False if it does not fit.

    It has no Reason String and no User Properties.

    Cites: MQTT5-4.12.0-5, MQTT5-3.15.2-2, MQTT5-3.15.2-3, X5-authentication-data-sent
    """
    properties = AuthProperties(authentication_method=method, authentication_data=data)
    return fit(connection, Auth(code, properties), None)


def disconnect(connection: Connection, code: int, text: str, server_reference: str = "") -> None:
    """Send a DISCONNECT. If it does not fit, leave out the Reason String, then the Server Reference.

    Nothing is sent if not even the code fits. It has no User Properties and no Session Expiry Interval. A code that a
    server may not send, which an embedder may pass, becomes 0x80.

    Cites: MQTT5-3.14.2-3, MQTT5-3.14.2-4, MQTT5-3.14.2-2, MQTT5-3.14.2-1, X5-server-reference-codes,
    X5-disconnect-with-will-client, X5-disconnect-short-sent, X5-disconnect-before-close
    """
    if code not in _DISCONNECT_CODES:
        code = UNSPECIFIED_ERROR
    shortest = Disconnect(code)
    reference = server_reference or None
    if not text and reference is None:
        fit(connection, shortest, None)
        return
    if connection.broker.options.reason_strings and text:
        full = Disconnect(code, DisconnectProperties(reason_string=text, server_reference=reference))
        if fit(connection, full, None):
            return
    if reference is not None:
        fit(connection, Disconnect(code, DisconnectProperties(server_reference=reference)), shortest)
        return
    fit(connection, shortest, None)

# SPDX-License-Identifier: MIT
"""CONNECT: validate it, authenticate the client, and send the CONNACK that starts a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine import authenticate, qos_send, topics
from mqtt_ref.engine.access import ACCEPT, Verdict
from mqtt_ref.engine.generated.connection import DO_WAIT, DO_WELCOME, ON_ACCEPTED, ON_ASKED
from mqtt_ref.engine.generated.decisions import (
    LONG_CLIENT_ID_V31_REFUSE,
    RESPONSE_INFORMATION_ALWAYS,
    UNAUTHORIZED_CONNECT_CLOSE,
    UNAUTHORIZED_WILL_DROP,
    UNAUTHORIZED_WILL_REFUSE,
)
from mqtt_ref.engine.intercept import ASK, LATER, Refusal
from mqtt_ref.engine.message import SECOND
from mqtt_ref.engine.reacting import breach, dismiss, refuse
from mqtt_ref.engine.topics import DISALLOWED, disallowed
from mqtt_ref.engine.waiting import Suspended
from mqtt_ref.wire.block import will_block
from mqtt_ref.wire.codes import (
    BAD_AUTHENTICATION_METHOD,
    CLIENT_IDENTIFIER_NOT_VALID,
    CONNECT,
    MALFORMED_PACKET,
    NOT_AUTHORIZED,
    PACKET_TOO_LARGE,
    PAYLOAD_FORMAT_INVALID,
    QOS_NOT_SUPPORTED,
    QUOTA_EXCEEDED,
    RETAIN_NOT_SUPPORTED,
    SERVER_BUSY,
    SERVER_UNAVAILABLE,
    TOPIC_NAME_INVALID,
    UNSUPPORTED_PROTOCOL_VERSION,
)
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, ConnackProperties
from mqtt_ref.wire.primitives import MAXIMUM_PACKET_SIZE, V5, V31

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.wire.packets import Connect, ConnectProperties, Will

__all__ = ["accept", "answered", "connect", "deny", "go_on", "refused"]

# Stages at which a CONNECT may be suspended.
INTRODUCED = 1
"""`on_connect` was asked."""
WILL_JUDGED = 2
"""`on_acl_check` was asked about the will."""


def connect(connection: Connection, packet: Connect, now: int) -> None:
    """Check a CONNECT, then accept it, refuse it, or ask a hook.

    Cites: MQTT5-3.1.4-1, MQTT5-3.1.4-2, MQTT311-3.1.4-1, X5-connect-version-selects, X5-authentication-method-absent,
    X5-authentication-basic, X311-multiple-protocols, X5-multiple-protocols-one-port, X5-password-without-user-name
    """
    broker = connection.broker
    broker.counters.connects_received += 1
    version = packet.protocol_version
    agreement = connection.agreement
    connection.version = version
    connection.client_id = packet.client_id
    connection.auth = authenticate.Authentication(packet)
    agreement.clean_start = packet.clean_start
    properties = packet.properties
    if properties is not None:
        _learn(connection, properties)
    if version not in agreement.capabilities.versions:
        # [MQTT5-3.1.2-2, MQTT311-3.1.2-2, X31-unacceptable-version]
        refused(connection, UNSUPPORTED_PROTOCOL_VERSION, "This protocol version is not supported", now)
        return
    redirect = broker.options.redirect
    if redirect is not None:
        # [X5-redirect-codes, X5-redirect-reference]
        refused(connection, redirect.code, "Use another server", now, redirect.server_reference)
        return
    if broker.strict_text and (
        disallowed(packet.client_id)
        or disallowed(packet.username or "")
        or (packet.will is not None and _will_disallowed(packet.will))
    ):
        breach(connection, DISALLOWED, MALFORMED_PACKET, CONNECT, now, "A character that is not allowed")
        return
    if version == V31 and packet.will is not None and len(packet.will.topic) > broker.limits.topic_v31:
        text = "A Will Topic too long for 3.1"
        breach(connection, ("X31-topic-length",), TOPIC_NAME_INVALID, CONNECT, now, text)
        return
    code, text = _judge_client_id(connection, packet)
    if not code and packet.will is not None:
        code, text = _judge_will(connection, packet)
    if code:
        refused(connection, code, text, now)
        return
    intercept = broker.intercept
    if intercept.on_connect is None:
        _authenticate(connection, packet, now)
        return
    outcome = intercept.on_connect(connection, packet)
    if outcome is LATER:
        connection.suspend(Suspended("on_connect", INTRODUCED, packet), now, packet)
    else:
        _introduced(connection, packet, outcome, now)


def _will_disallowed(will: Will) -> bool:
    properties = will.properties
    response_topic = None if properties is None else properties.response_topic
    return disallowed(will.topic) or disallowed(response_topic or "")


def go_on(connection: Connection, packet: Connect, suspended: Suspended, outcome: object, now: int) -> None:
    """Continue a suspended CONNECT with the answer."""
    if suspended.stage == INTRODUCED:
        _introduced(connection, packet, outcome if isinstance(outcome, Refusal) else None, now)
    else:
        code = outcome if isinstance(outcome, int) else NOT_AUTHORIZED
        _will_judged(connection, packet, suspended.verdict, code, now)


def _introduced(connection: Connection, packet: Connect, refusal: Refusal | None, now: int) -> None:
    """Continue after `on_connect`: authenticate the client, unless a hook refused it."""
    if refusal is None:
        _authenticate(connection, packet, now)
    else:
        refused(connection, refusal.code or NOT_AUTHORIZED, refusal.text or "Not authorized", now)


def _authenticate(connection: Connection, packet: Connect, now: int) -> None:
    """Authenticate the client; accept it at once if no authentication is set up."""
    broker = connection.broker
    access = broker.access
    properties = packet.properties
    auth = connection.auth
    assert auth is not None
    if properties is not None and properties.authentication_method is not None:
        auth.method = properties.authentication_method
        if access is None or access.on_auth_packet is None or auth.method not in access.methods:
            # [MQTT5-4.12.0-1]
            refused(connection, BAD_AUTHENTICATION_METHOD, "This Authentication Method is not supported", now)
            return
        authenticate.begin(connection, auth, properties.authentication_data, now)
        return
    if access is None or access.on_connect_authenticate is None:
        accept(connection, packet, None, now)
        return
    verdict = access.on_connect_authenticate(connection, packet)  # [X311-connect-checks]
    if verdict is not None:
        answered(connection, verdict, now)
        return
    at = connection.step(ON_ASKED)
    if broker.tables.connection_action[at] == DO_WAIT:
        auth.deadline = now + broker.options.bounds.answer_timeout * SECOND
        broker.timers.wake(connection, auth.deadline)
        broker.questions.ask(connection, auth, packet.password, False, now)
    connection.done(at, now)


def answered(connection: Connection, verdict: Verdict, now: int) -> None:
    """Accept or refuse the client, as its authentication resulted."""
    auth = connection.auth
    if auth is None:
        return
    auth.question = 0
    auth.deadline = 0
    if verdict.outcome == ACCEPT:
        accept(connection, auth.connect, verdict, now)
    else:
        deny(connection, verdict, now)


def deny(connection: Connection, verdict: Verdict, now: int) -> None:
    """Refuse a client whose authentication failed."""
    why = f"login refused: {verdict.why}" if verdict.why else ""
    _denied(connection, verdict.code or NOT_AUTHORIZED, verdict.text or "Not authorized", now, why)


def _denied(connection: Connection, code: int, text: str, now: int, why: str = "") -> None:
    """Refuse a client that is not authorized, with a CONNACK or silently, as decided.

    Cites: MQTT5-3.1.4-2
    """
    silent = connection.broker.decisions.unauthorized_connect == UNAUTHORIZED_CONNECT_CLOSE
    refuse(connection, code, text, now, silent=silent, routine=True, why=why)


def refused(connection: Connection, code: int, text: str, now: int, server_reference: str = "") -> None:
    """Refuse a CONNECT with a CONNACK and close the connection.

    Cites: MQTT5-3.1.4-2, MQTT311-3.2.2-5, X31-connack-refused-close, X5-connect-refused-connack,
    X311-connect-refused-connack, X5-connack-failure-code, X311-connack-attempt, X311-connect-refused-close,
    X311-connack-code-2, X311-connack-code-3, X311-connack-code-4, X311-connack-code-5, X5-closing-code-alone
    """
    refuse(connection, code, text, now, server_reference)


def _learn(connection: Connection, properties: ConnectProperties) -> None:
    """Take over what the client's CONNECT properties say about it (3.1.2.11).

    Cites: X5-maximum-packet-size-absent-connect, X5-request-response-information-absent,
    X5-user-property-repeat-allowed
    """
    broker = connection.broker
    agreement = connection.agreement
    if properties.session_expiry_interval:
        agreement.lasting = True
    if properties.maximum_packet_size is not None:
        agreement.packet_limit = properties.maximum_packet_size + broker.limits.packet_size_allowance
    if properties.request_problem_information is not None:
        agreement.problem_information = properties.request_problem_information != 0
    if properties.request_response_information is not None:
        agreement.response_information = properties.request_response_information != 0
    if properties.topic_alias_maximum:
        bound = broker.options.bounds.outbound_aliases
        if bound:
            most = min(properties.topic_alias_maximum, bound)
            agreement.alias_out_maximum = most + broker.limits.topic_alias_allowance


def _judge_client_id(connection: Connection, packet: Connect) -> tuple[int, str]:
    """Return the Reason Code and text that refuse this Client Identifier, or `(0, "")`.

    If it is empty, the server assigns one, unless switched off: always in 5.0, only with Clean Session 1 in 3.1.1.
    3.1 needs a Client Identifier, of at most 23 characters if so decided.

    Cites: MQTT5-3.1.3-8, MQTT311-3.1.3-9, MQTT5-3.1.3-6, MQTT311-3.1.3-6, MQTT311-3.1.3-8, X31-client-id-empty,
    X31-client-id-too-long, MQTT5-3.1.3-5, MQTT311-3.1.3-5, X5-client-id-longer, X5-client-id-other-characters,
    X311-clientid-longer, X311-clientid-characters
    """
    broker = connection.broker
    client_id = packet.client_id
    version = packet.protocol_version
    if not client_id:
        given = connection.agreement.capabilities.empty_client_id
        if version == V31 or not given or (version != V5 and not packet.clean_start):
            return CLIENT_IDENTIFIER_NOT_VALID, "A Client Identifier is needed"
    elif (
        version == V31
        and len(client_id) > broker.limits.client_id_v31
        and broker.decisions.long_client_id_v31 == LONG_CLIENT_ID_V31_REFUSE
    ):
        return CLIENT_IDENTIFIER_NOT_VALID, "A Client Identifier of 3.1 has at most 23 characters"
    return 0, ""


def _judge_will(connection: Connection, packet: Connect) -> tuple[int, str]:
    """Return the Reason Code and text that refuse a CONNECT with this Will Message, or `(0, "")`.

    Cites: MQTT5-3.2.2-12, MQTT5-3.2.2-13
    """
    will = packet.will
    assert will is not None
    broker = connection.broker
    capabilities = connection.agreement.capabilities
    if will.qos > capabilities.maximum_qos:
        return QOS_NOT_SUPPORTED, "The Will QoS is above the maximum"
    if will.retain and not capabilities.retain_available:
        return RETAIN_NOT_SUPPORTED, "Retained messages are not supported"
    if broker.message_size and len(will.payload) > broker.message_size:
        return QUOTA_EXCEEDED, f"The Will Payload has more than {broker.message_size} bytes"
    block = will_block(will.properties) if broker.decisions.payload_format else None
    if block is not None and block.utf8:
        try:
            will.payload.decode()
        except UnicodeDecodeError:
            # [X5-will-payload-format-checked]
            return PAYLOAD_FORMAT_INVALID, "The Will Payload is not UTF-8"
    if topics.refused(broker, will.topic):
        if _will_refused(connection, packet):
            # 3.x has no return code for a refused topic, but one for a client that is not authorized.
            code = TOPIC_NAME_INVALID if packet.protocol_version == V5 else NOT_AUTHORIZED
            return code, "The Will Topic is refused"
        connection.agreement.will_denied = True
    return 0, ""


def _will_refused(connection: Connection, packet: Connect) -> bool:
    """True if a CONNECT is refused because of its will; False if only the will is dropped, as decided."""
    choice = connection.broker.decisions.unauthorized_will
    if choice == UNAUTHORIZED_WILL_REFUSE:
        return True
    return choice != UNAUTHORIZED_WILL_DROP and packet.protocol_version == V5


def accept(connection: Connection, packet: Connect, verdict: Verdict | None, now: int) -> None:
    """Continue with an authenticated client: ask if its will may be published."""
    broker = connection.broker
    if verdict is not None and verdict.username:
        connection.username = verdict.username
    else:
        connection.username = packet.username or ""
    access = broker.access
    will = packet.will
    if will is None or access is None or access.on_acl_check_publish is None:
        _welcome(connection, packet, verdict, now)
        return
    code = access.on_acl_check_publish(connection, will.topic, will.qos, will.retain)
    if code == ASK:
        suspended = Suspended("on_acl_check", WILL_JUDGED, packet, will.topic, None, verdict)
        connection.suspend(suspended, now, packet, will.topic, True)
    else:
        _will_judged(connection, packet, verdict, code, now)


def _will_judged(connection: Connection, packet: Connect, verdict: Verdict | None, code: int, now: int) -> None:
    """Continue after the check of the will. If it is denied, refuse the CONNECT or drop the will, as decided."""
    if code:
        if _will_refused(connection, packet):
            _denied(connection, code, "Not authorized to publish the Will Message", now)
            return
        connection.agreement.will_denied = True
    _welcome(connection, packet, verdict, now)


def _welcome(connection: Connection, packet: Connect, verdict: Verdict | None, now: int) -> None:
    """Give the client its session and send the CONNACK.

    Then send unacknowledged messages again, and those that waited.

    Cites: MQTT5-3.1.4-5, MQTT5-3.2.0-1, MQTT311-3.2.0-1, MQTT5-4.4.0-1, MQTT311-4.4.0-1, MQTT5-3.2.0-2,
    X5-delivery-after-connack, MQTT5-3.2.2-1, X311-connack-reserved-bits
    """
    broker = connection.broker
    sessions = broker.sessions
    agreement = connection.agreement
    client_id = packet.client_id
    if not client_id:
        # [MQTT5-3.1.3-7, MQTT5-3.2.2-16, MQTT311-3.1.3-6]
        client_id = connection.client_id = sessions.new_client_id()
    _set_limits(connection, packet)
    if not sessions.has_room(client_id, now):
        refused(connection, SERVER_BUSY, "No room for another client", now)
        return
    if not broker.budget.affords(sessions.by_client_id.get(client_id), client_id, packet.will):
        refused(connection, QUOTA_EXCEEDED, "The memory for clients is used up", now)
        return
    if broker.store_fails and sessions.needs_store(connection, packet, client_id):
        refused(connection, SERVER_UNAVAILABLE, "The store fails: no session can be kept", now)
        return
    connack: Connack | None = None
    if packet.protocol_version == V5:
        connack = _connack(connection, packet, verdict)
        if agreement.packet_limit < MAXIMUM_PACKET_SIZE and not _fits(connection, connack):
            # Nothing may be sent before a CONNACK, and without one there is no connection [MQTT5-3.2.0-1].
            dismiss(connection, PACKET_TOO_LARGE, "The CONNACK is larger than the client's Maximum Packet Size", now)
            return
    at = connection.step(ON_ACCEPTED)
    if broker.tables.connection_action[at] == DO_WELCOME:
        watch = broker.watch
        if watch.on_session_establish is not None:
            watch.on_session_establish(connection, packet)
        present = sessions.admit(connection, packet, client_id, now)
        session = connection.session
        assert session is not None, "the session table gave the client no session"
        _set_keep_alive(connection, packet, now)
        if connack is not None:
            connack.session_present = present
            connection.send(encode(V5, connack))
        else:
            # 3.1 has no Session Present [X31-connack-reserved-byte].
            flagged = present and packet.protocol_version != V31
            connection.send(b"\x20\x02\x01\x00" if flagged else b"\x20\x02\x00\x00")
        if connection.auth is not None and not connection.auth.method:
            connection.auth = None
        connection.refresh()
        broker.router.wake(session.handle)
        if watch.on_session_established is not None:
            watch.on_session_established(connection, present)
        if session.inflight or session.queue or session.backlog is not None:
            qos_send.resume(connection, session, now)
    connection.done(at, now)


def _set_limits(connection: Connection, packet: Connect) -> None:
    """Set the limits of the connection. The send quota is not above the client's Receive Maximum.

    Cites: MQTT5-4.9.0-1, MQTT5-3.3.4-9, X5-quota-reset, X5-receive-maximum-absent-connect
    """
    broker = connection.broker
    capabilities = connection.agreement.capabilities
    limits = broker.limits
    quota = limits.receive_maximum_default
    properties = packet.properties
    if properties is not None and properties.receive_maximum is not None:
        quota = properties.receive_maximum
    quota = max(1, quota * limits.send_quota_share // 100)
    connection.agreement.quota_maximum = connection.quota = min(quota, broker.options.bounds.maximum_inflight)
    connection.agreement.receive_maximum = capabilities.receive_maximum + limits.receive_allowance
    connection.agreement.alias_in_maximum = capabilities.topic_alias_maximum if packet.protocol_version == V5 else 0


def _server_keep_alive(connection: Connection, packet: Connect) -> int:
    """Return the Server Keep Alive in seconds, or -1 if the client's value holds.

    A Keep Alive of 0 counts as above any maximum. A 3.x client cannot be told, so its own value holds.

    Cites: MQTT5-3.2.2-22
    """
    capabilities = connection.agreement.capabilities
    asked = packet.keep_alive
    if packet.protocol_version != V5:
        return -1
    if capabilities.maximum_keep_alive and (asked == 0 or asked > capabilities.maximum_keep_alive):
        return capabilities.maximum_keep_alive
    if asked and asked < capabilities.minimum_keep_alive:
        return capabilities.minimum_keep_alive
    return -1


def _set_keep_alive(connection: Connection, packet: Connect, now: int) -> None:
    """Start the Keep Alive timer.

    Cites: MQTT5-3.1.2-22, MQTT311-3.1.2-24, X311-connect-accepted-start, X5-keep-alive-zero, X311-keep-alive-zero,
    X31-keep-alive-zero
    """
    seconds = _server_keep_alive(connection, packet)
    if seconds < 0:
        seconds = packet.keep_alive
    agreement = connection.agreement
    connection.heard = now
    agreement.keep_alive_seconds = seconds
    agreement.keep_alive = seconds * SECOND * connection.broker.limits.keep_alive_percent // 100
    if agreement.keep_alive:
        connection.broker.timers.wake(connection, now + agreement.keep_alive)


def _connack(connection: Connection, packet: Connect, verdict: Verdict | None) -> Connack:
    """Build the CONNACK for an accepted 5.0 client, with each limit that differs from the default (3.2.2.3).

    No property occurs twice. Properties that are switches are sent only as 0.

    Cites: X5-session-expiry-absent-connack, X5-receive-maximum-absent-connack, X5-maximum-qos-absent,
    X5-retain-available-absent, X5-maximum-packet-size-absent-connack, X5-wildcard-subscription-absent,
    X5-subscription-identifier-absent, X5-shared-subscription-absent, X5-assigned-client-id-reason,
    X5-response-information-returned, X5-assigned_client_identifier-once, X5-maximum_qos-once, X5-maximum_qos-range,
    X5-response_information-once, X5-retain_available-once, X5-retain_available-range, X5-server_keep_alive-once,
    X5-shared_subscription_available-once, X5-shared_subscription_available-range,
    X5-subscription_identifier_available-once, X5-subscription_identifier_available-range,
    X5-wildcard_subscription_available-once, X5-wildcard_subscription_available-range
    """
    broker = connection.broker
    agreement = connection.agreement
    capabilities = agreement.capabilities
    p = ConnackProperties()
    asked = packet.properties
    granted = broker.sessions.expiry_of(connection, packet)
    if granted != (0 if asked is None else asked.session_expiry_interval or 0):
        p.session_expiry_interval = granted  # [X5-session-expiry-changed-connack]
    if capabilities.receive_maximum != 65_535:
        p.receive_maximum = capabilities.receive_maximum
    if capabilities.maximum_qos < 2:
        p.maximum_qos = capabilities.maximum_qos  # [MQTT5-3.2.2-9]
    if not capabilities.retain_available:
        p.retain_available = 0
    if capabilities.maximum_packet_size < MAXIMUM_PACKET_SIZE:
        p.maximum_packet_size = capabilities.maximum_packet_size
    if not packet.client_id:
        p.assigned_client_identifier = connection.client_id  # [MQTT5-3.1.3-7, MQTT5-3.2.2-16]
    if capabilities.topic_alias_maximum:
        p.topic_alias_maximum = capabilities.topic_alias_maximum
    if not capabilities.wildcard_subscription_available:
        p.wildcard_subscription_available = 0
    if not capabilities.subscription_identifier_available:
        p.subscription_identifier_available = 0
    if not capabilities.shared_subscription_available:
        p.shared_subscription_available = 0
    seconds = _server_keep_alive(connection, packet)
    if seconds >= 0:
        p.server_keep_alive = seconds
    always = broker.decisions.response_information == RESPONSE_INFORMATION_ALWAYS
    if (agreement.response_information or always) and capabilities.response_information:
        # Only to a client that asked for it [MQTT5-3.1.2-28].
        p.response_information = capabilities.response_information.replace("{client_id}", connection.client_id)
    auth = connection.auth
    if auth is not None and auth.method:
        p.authentication_method = auth.method  # [MQTT5-4.12.0-5, MQTT5-4.12.0-6]
        if verdict is not None:
            p.authentication_data = verdict.data
    return Connack(0, False, p)


def _fits(connection: Connection, connack: Connack) -> bool:
    """True if the client takes a CONNACK of that size. Remove its Response Information if it is too large."""
    most = connection.agreement.packet_limit
    if len(encode(V5, connack)) <= most:
        return True
    if connack.properties is not None:
        connack.properties.response_information = None
    return len(encode(V5, connack)) <= most

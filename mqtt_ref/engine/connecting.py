# SPDX-License-Identifier: MIT
"""CONNECT: what is refused, what is asked, and the CONNACK that starts a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine import acks, auth, qos_send
from mqtt_ref.engine.access import ACCEPT, Verdict
from mqtt_ref.engine.generated.connection import (
    DO_CLOSE,
    DO_WELCOME,
    ON_ACCEPTED,
    ON_ASKED,
    ON_REFUSED,
    WIDTH,
)
from mqtt_ref.engine.generated.decisions import (
    LONG_CLIENT_ID_V31_REFUSE,
    RESPONSE_INFORMATION_ALWAYS,
    UNAUTHORIZED_CONNECT_CLOSE,
    UNAUTHORIZED_WILL_DROP,
    UNAUTHORIZED_WILL_REFUSE,
)
from mqtt_ref.engine.intercept import ASK, LATER, WILL_ACCESS, Pending, Refusal
from mqtt_ref.engine.intercept import CONNECT as CONNECT_STAGE
from mqtt_ref.engine.link import GOODBYE, LOST
from mqtt_ref.engine.message import SECOND
from mqtt_ref.engine.reacting import breach, refuse, stop
from mqtt_ref.engine.texts import DISALLOWED, disallowed
from mqtt_ref.wire.packets import Connack, ConnackProperties
from mqtt_ref.wire.primitives import MAXIMUM_PACKET_SIZE, V5, V31

if TYPE_CHECKING:
    from mqtt_ref.engine.link import Link
    from mqtt_ref.wire.packets import Connect, ConnectProperties

__all__ = ["answered", "connect", "introduced", "will_judged"]

CONNECT = 1
MALFORMED_PACKET = 0x81
UNSUPPORTED_PROTOCOL_VERSION = 0x84
CLIENT_IDENTIFIER_NOT_VALID = 0x85
NOT_AUTHORIZED = 0x87
SERVER_BUSY = 0x89
BAD_AUTHENTICATION_METHOD = 0x8C
TOPIC_NAME_INVALID = 0x90
PACKET_TOO_LARGE = 0x95
PAYLOAD_FORMAT_INVALID = 0x99
RETAIN_NOT_SUPPORTED = 0x9A
QOS_NOT_SUPPORTED = 0x9B


def connect(link: Link, packet: Connect, now: int) -> None:
    """Check a CONNECT, then accept, refuse or ask [MQTT5-3.1.4-1, MQTT5-3.1.4-2, MQTT311-3.1.4-1].

    [X5-connect-version-selects, X5-authentication-method-absent, X5-authentication-basic, X311-multiple-protocols,
    X5-multiple-protocols-one-port, X5-password-without-user-name]
    """
    hub = link.hub
    hub.counters.connects_received += 1
    version = packet.protocol_version
    link.version = version
    link.client_id = packet.client_id
    link.connect = packet
    link.clean_start = packet.clean_start
    properties = packet.properties
    if properties is not None:
        _learn(link, properties)
    if version not in link.offered.versions:
        # [MQTT5-3.1.2-2, MQTT311-3.1.2-2, X31-unacceptable-version]
        refused(link, UNSUPPORTED_PROTOCOL_VERSION, "This protocol version is not spoken here", now)
        return
    redirect = hub.options.redirect
    if redirect is not None:
        # [X5-redirect-codes, X5-redirect-reference]
        refused(link, redirect.code, "Use another server", now, redirect.server_reference)
        return
    if hub.strict_text and (
        disallowed(packet.client_id)
        or disallowed(packet.username or "")
        or (packet.will is not None and disallowed(packet.will.topic))
    ):
        breach(link, DISALLOWED, MALFORMED_PACKET, CONNECT, now, "A character that is not allowed")
        return
    if version == V31 and packet.will is not None and len(packet.will.topic) > hub.limits.topic_v31:
        breach(link, ("X31-topic-length",), TOPIC_NAME_INVALID, CONNECT, now, "A Will Topic too long for 3.1")
        return
    code, text = _judge_client_id(link, packet)
    if not code and packet.will is not None:
        code, text = _judge_will(link, packet)
    if code:
        refused(link, code, text, now)
        return
    intercept = hub.intercept
    if intercept is not None and intercept.connect is not None:
        outcome = intercept.connect(link, packet)
        if outcome is LATER:
            hub.suspend(link, Pending(CONNECT_STAGE, packet), "on_connect", now, packet)
        else:
            introduced(link, packet, outcome, now)
        return
    introduced(link, packet, None, now)


def introduced(link: Link, packet: Connect, refusal: Refusal | None, now: int) -> None:
    """Ask who the client is, unless a hook has refused it already."""
    hub = link.hub
    if refusal is not None:
        refused(link, refusal.code or NOT_AUTHORIZED, refusal.text or "Not authorized", now)
        return
    access = hub.access
    properties = packet.properties
    if properties is not None and properties.authentication_method is not None:
        link.method = properties.authentication_method
        if access is None or access.exchange is None or link.method not in access.methods:
            # [MQTT5-4.12.0-1]
            refused(link, BAD_AUTHENTICATION_METHOD, "This Authentication Method is not supported", now)
            return
        auth.begin(link, properties.authentication_data, now)
        return
    if access is None or access.authenticate is None:
        _accept(link, packet, None, now)
        return
    verdict = access.authenticate(link, packet)  # [X311-connect-checks]
    if verdict is None:
        tables = hub.tables
        link.state = tables.connection_next[link.base + ON_ASKED]
        link.base = link.state * WIDTH
        link.auth_deadline = now + hub.options.bounds.answer_timeout * SECOND
        hub.wake(link, link.auth_deadline)
        hub.ask(link, packet, "", packet.password, False, now)
        return
    answered(link, verdict, now)


def answered(link: Link, verdict: Verdict, now: int) -> None:
    """The answer to the question whether this client may connect."""
    packet = link.connect
    if packet is None:
        return
    link.question = 0
    link.auth_deadline = 0
    if verdict.outcome == ACCEPT:
        _accept(link, packet, verdict, now)
    else:
        _denied(link, verdict.code or NOT_AUTHORIZED, verdict.text or "Not authorized", now)


def _denied(link: Link, code: int, text: str, now: int) -> None:
    """Authentication or authorization failed: say why, or nothing, as decided [MQTT5-3.1.4-2]."""
    if link.hub.decisions.unauthorized_connect == UNAUTHORIZED_CONNECT_CLOSE:
        _close(link, code, text, now)
    else:
        refused(link, code, text, now)


def refused(link: Link, code: int, text: str, now: int, server_reference: str = "") -> None:
    """The client may not connect [MQTT5-3.1.4-2, MQTT311-3.2.2-5, X31-connack-refused-close].

    [X5-connect-refused-connack, X311-connect-refused-connack, X5-connack-failure-code, X311-connack-attempt,
    X311-connect-refused-close, X311-connack-code-2, X311-connack-code-3, X311-connack-code-4, X311-connack-code-5,
    X5-closing-code-alone]
    """
    if link.hub.tables.connection_action[link.base + ON_REFUSED] == DO_CLOSE:
        _close(link, code, text, now)
    else:
        refuse(link, code, text, now, server_reference)


def _close(link: Link, code: int, text: str, now: int) -> None:
    """The client may not connect, and is not told."""
    link.note(text, code)
    link.hub.counters.connections_refused += 1
    stop(link, now, LOST)


def _learn(link: Link, properties: ConnectProperties) -> None:
    """What the client says about itself (3.1.2.11).

    [X5-maximum-packet-size-absent-connect, X5-request-response-information-absent, X5-user-property-repeat-allowed]
    """
    if properties.session_expiry_interval:
        link.lasting = True
    if properties.maximum_packet_size is not None:
        link.limit = properties.maximum_packet_size + link.hub.limits.packet_size_allowance
    if properties.request_problem_information is not None:
        link.problem_information = properties.request_problem_information != 0
    if properties.request_response_information is not None:
        link.response_information = properties.request_response_information != 0
    if properties.topic_alias_maximum:
        bound = link.hub.options.bounds.outbound_aliases
        if bound:
            link.alias_out_maximum = min(properties.topic_alias_maximum, bound) + link.hub.limits.topic_alias_allowance


def _judge_client_id(link: Link, packet: Connect) -> tuple[int, str]:
    """0 or why this Client Identifier is refused [MQTT5-3.1.3-8, MQTT311-3.1.3-9].

    An empty one becomes one of ours in 5.0 always and in 3.1.1 with Clean Session 1 [MQTT5-3.1.3-6,
    MQTT311-3.1.3-6, MQTT311-3.1.3-8]; 3.1 has none, and none of more than 23 characters [X31-client-id-empty,
    X31-client-id-too-long].
    [MQTT5-3.1.3-5, MQTT311-3.1.3-5, X5-client-id-longer, X5-client-id-other-characters, X311-clientid-longer,
    X311-clientid-characters]
    """
    hub = link.hub
    client_id = packet.client_id
    version = packet.protocol_version
    if not client_id:
        if version == V31 or not link.offered.empty_client_id or (version != V5 and not packet.clean_start):
            return CLIENT_IDENTIFIER_NOT_VALID, "A Client Identifier is needed"
    elif (
        version == V31
        and len(client_id) > hub.limits.client_id_v31
        and hub.decisions.long_client_id_v31 == LONG_CLIENT_ID_V31_REFUSE
    ):
        return CLIENT_IDENTIFIER_NOT_VALID, "A Client Identifier of 3.1 has at most 23 characters"
    return 0, ""


def _judge_will(link: Link, packet: Connect) -> tuple[int, str]:
    """0 or why a CONNECT with this Will Message is refused [MQTT5-3.2.2-12, MQTT5-3.2.2-13]."""
    will = packet.will
    assert will is not None
    hub = link.hub
    offered = link.offered
    if will.qos > offered.maximum_qos:
        return QOS_NOT_SUPPORTED, "The Will QoS is above the maximum"
    if will.retain and not offered.retain_available:
        return RETAIN_NOT_SUPPORTED, "Retained messages are not supported"
    if will.properties is not None and will.properties.payload_format_indicator and hub.decisions.payload_format:
        try:
            will.payload.decode()
        except UnicodeDecodeError:
            # [X5-will-payload-format-checked]
            return PAYLOAD_FORMAT_INVALID, "The Will Payload is not UTF-8"
    if hub.refuses_topic(will.topic):
        if _will_refused(link, packet):
            # 3.x has no word for it, but one for a client that may not do that.
            code = TOPIC_NAME_INVALID if packet.protocol_version == V5 else NOT_AUTHORIZED
            return code, "The Will Topic is refused"
        link.will_denied = True
    return 0, ""


def _will_refused(link: Link, packet: Connect) -> bool:
    """Whether a CONNECT is refused for its will, and does not just lose it, as decided."""
    choice = link.hub.decisions.unauthorized_will
    if choice == UNAUTHORIZED_WILL_REFUSE:
        return True
    return choice != UNAUTHORIZED_WILL_DROP and packet.protocol_version == V5


def _accept(link: Link, packet: Connect, verdict: Verdict | None, now: int) -> None:
    """The client may connect; ask whether its will may be published."""
    hub = link.hub
    if verdict is not None and verdict.username:
        link.username = verdict.username
    else:
        link.username = packet.username or ""
    access = hub.access
    will = packet.will
    if will is not None and access is not None and access.publish is not None:
        code = access.publish(link, will.topic, will.qos, will.retain)
        if code == ASK:
            pending = Pending(WILL_ACCESS, packet, will.topic, None, verdict)
            hub.suspend(link, pending, "on_acl_check", now, packet, will.topic, True)
        else:
            will_judged(link, packet, verdict, code, now)
        return
    _welcome(link, packet, verdict, now)


def will_judged(link: Link, packet: Connect, verdict: Verdict | None, code: int, now: int) -> None:
    """Go on with a CONNECT whose will may be published, or with one that is refused or loses its will, as decided."""
    if code:
        if _will_refused(link, packet):
            _denied(link, code, "Not authorized to publish the Will Message", now)
            return
        link.will_denied = True
    _welcome(link, packet, verdict, now)


def _welcome(link: Link, packet: Connect, verdict: Verdict | None, now: int) -> None:
    """Give the client its session and say so in the CONNACK [MQTT5-3.1.4-5, MQTT5-3.2.0-1, MQTT311-3.2.0-1].

    What is not acknowledged is then sent again, and what waited is sent [MQTT5-4.4.0-1, MQTT311-4.4.0-1].
    [MQTT5-3.2.0-2, X5-delivery-after-connack, MQTT5-3.2.2-1, X311-connack-reserved-bits]
    """
    hub = link.hub
    at = link.base + ON_ACCEPTED
    if hub.tables.connection_action[at] != DO_WELCOME:
        return
    client_id = packet.client_id
    if not client_id:
        # [MQTT5-3.1.3-7, MQTT5-3.2.2-16, MQTT311-3.1.3-6]
        client_id = link.client_id = hub.new_client_id()
    link.state = hub.tables.connection_next[at]
    link.base = link.state * WIDTH
    _set_limits(link, packet)
    watch = hub.watch
    if watch is not None and watch.establishing is not None:
        watch.establishing(link, packet)
    present = hub.admit(link, packet, client_id, now)
    session = link.session
    if session is None:
        # The server has no room for another client or session.
        link.state = 0
        link.base = 0
        refused(link, SERVER_BUSY, "No room for another client", now)
        return
    _set_keep_alive(link, packet, now)
    if packet.protocol_version == V5:
        connack = _connack(link, packet, verdict, present)
        if not _fits(link, connack):
            # Nothing may be sent before a CONNACK [MQTT5-3.2.0-1], and without one there was no connection.
            link.note("The client takes no packet of the size of its CONNACK", PACKET_TOO_LARGE)
            stop(link, now, GOODBYE)
            return
    else:
        # 3.1 has no Session Present [X31-connack-reserved-byte].
        link.send(b"\x20\x02\x01\x00" if present and packet.protocol_version != V31 else b"\x20\x02\x00\x00")
    if not link.method:
        link.connect = None
    link.refresh()
    hub.online(session)
    if watch is not None and watch.connected is not None:
        watch.connected(link, session, present)
    if session.inflight or session.queue:
        qos_send.resume(link, session, now)


def _set_limits(link: Link, packet: Connect) -> None:
    """The send quota is not above the client's Receive Maximum [MQTT5-4.9.0-1, MQTT5-3.3.4-9, X5-quota-reset].

    [X5-receive-maximum-absent-connect]
    """
    hub = link.hub
    offered = link.offered
    limits = hub.limits
    quota = limits.receive_maximum_default
    properties = packet.properties
    if properties is not None and properties.receive_maximum is not None:
        quota = properties.receive_maximum
    quota = max(1, quota * limits.send_quota_share // 100)
    link.quota_maximum = link.quota = min(quota, hub.options.bounds.maximum_inflight)
    link.receive_maximum = offered.receive_maximum + limits.receive_allowance
    link.alias_in_maximum = offered.topic_alias_maximum if packet.protocol_version == V5 else 0


def _server_keep_alive(link: Link, packet: Connect) -> int:
    """The Keep Alive that the server sets instead of the client's, or -1 [MQTT5-3.2.2-22].

    None at all counts as more than any maximum. 3.x cannot be told, so its own value holds.
    """
    offered = link.offered
    asked = packet.keep_alive
    if packet.protocol_version != V5:
        return -1
    if offered.maximum_keep_alive and (asked == 0 or asked > offered.maximum_keep_alive):
        return offered.maximum_keep_alive
    if asked and asked < offered.minimum_keep_alive:
        return offered.minimum_keep_alive
    return -1


def _set_keep_alive(link: Link, packet: Connect, now: int) -> None:
    """Watch for silence from now on [MQTT5-3.1.2-22, MQTT311-3.1.2-24, X311-connect-accepted-start].

    [X5-keep-alive-zero, X311-keep-alive-zero, X31-keep-alive-zero]
    """
    seconds = _server_keep_alive(link, packet)
    if seconds < 0:
        seconds = packet.keep_alive
    link.heard = now
    link.keep_alive_seconds = seconds
    link.keep_alive = seconds * SECOND * link.hub.limits.keep_alive_percent // 100
    if link.keep_alive:
        link.hub.wake(link, now + link.keep_alive)


def _connack(link: Link, packet: Connect, verdict: Verdict | None, present: bool) -> Connack:
    """The CONNACK of an accepted 5.0 client, with what differs from what it may assume (3.2.2.3).

    [X5-session-expiry-absent-connack, X5-receive-maximum-absent-connack, X5-maximum-qos-absent,
    X5-retain-available-absent, X5-maximum-packet-size-absent-connack, X5-wildcard-subscription-absent,
    X5-subscription-identifier-absent, X5-shared-subscription-absent, X5-assigned-client-id-reason,
    X5-response-information-returned]. None is there twice, and those that say whether say no
    [X5-assigned_client_identifier-once, X5-maximum_qos-once, X5-maximum_qos-range, X5-response_information-once,
    X5-retain_available-once, X5-retain_available-range, X5-server_keep_alive-once,
    X5-shared_subscription_available-once, X5-shared_subscription_available-range,
    X5-subscription_identifier_available-once, X5-subscription_identifier_available-range,
    X5-wildcard_subscription_available-once, X5-wildcard_subscription_available-range].
    """
    offered = link.offered
    session = link.session
    assert session is not None
    p = ConnackProperties()
    asked = packet.properties
    expiry = 0 if asked is None else asked.session_expiry_interval or 0
    if session.expiry != expiry:
        p.session_expiry_interval = session.expiry  # [X5-session-expiry-changed-connack]
    if offered.receive_maximum != 65_535:
        p.receive_maximum = offered.receive_maximum
    if offered.maximum_qos < 2:
        p.maximum_qos = offered.maximum_qos  # [MQTT5-3.2.2-9]
    if not offered.retain_available:
        p.retain_available = 0
    if offered.maximum_packet_size < MAXIMUM_PACKET_SIZE:
        p.maximum_packet_size = offered.maximum_packet_size
    if not packet.client_id:
        p.assigned_client_identifier = link.client_id  # [MQTT5-3.1.3-7, MQTT5-3.2.2-16]
    if offered.topic_alias_maximum:
        p.topic_alias_maximum = offered.topic_alias_maximum
    if not offered.wildcard_subscription_available:
        p.wildcard_subscription_available = 0
    if not offered.subscription_identifier_available:
        p.subscription_identifier_available = 0
    if not offered.shared_subscription_available:
        p.shared_subscription_available = 0
    seconds = _server_keep_alive(link, packet)
    if seconds >= 0:
        p.server_keep_alive = seconds
    asked_for_it = link.response_information or link.hub.decisions.response_information == RESPONSE_INFORMATION_ALWAYS
    if asked_for_it and offered.response_information:
        # Only to a client that asked for it [MQTT5-3.1.2-28].
        p.response_information = offered.response_information.replace("{client_id}", link.client_id)
    if link.method:
        p.authentication_method = link.method  # [MQTT5-4.12.0-5, MQTT5-4.12.0-6]
        if verdict is not None:
            p.authentication_data = verdict.data
    return Connack(0, present, p)


def _fits(link: Link, connack: Connack) -> bool:
    """Send the CONNACK; Response Information gives way if it would make it too large."""
    if acks.fit(link, connack, None):
        return True
    if connack.properties is not None:
        connack.properties.response_information = None
    return acks.fit(link, connack, None)

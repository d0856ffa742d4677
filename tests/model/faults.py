# SPDX-License-Identifier: MIT
"""Faults that the random clients have to find: each is the standard with one row or one number changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mqtt_ref.engine.tables import TABLES, Tables, changed

__all__ = ["FAULTS", "Fault"]


@dataclass(frozen=True)
class Fault:
    """One broken rule: `make` gives the tables of a broker that breaks `statement`."""

    name: str
    statement: str
    make: Callable[[], Tables]


def _row(
    name: str, statement: str, machine: str, state: str, input: str,  # noqa: A002
    *, action: str | None = None, next: str | None = None,  # noqa: A002
) -> Fault:  # fmt: skip
    """A fault of one transition."""
    return Fault(name, statement, lambda: changed(TABLES, machine, state, input, action=action, next=next))


def _number(name: str, statement: str, limit: str, value: int) -> Fault:
    """A fault of one number."""
    return Fault(name, statement, lambda: changed(TABLES, limits={limit: value}))


_SEND: Final = (
    _row("QoS 1 is never sent", "MQTT5-4.3.2-1", "qos_send", "idle", "send_qos1", action="ignore", next="idle"),
    _row("QoS 2 is never sent", "MQTT5-4.3.3-1", "qos_send", "idle", "send_qos2", action="ignore", next="idle"),
    _row("QoS 2 awaits a PUBACK", "MQTT5-4.3.3-3", "qos_send", "idle", "send_qos2", next="await_puback"),
    _row("PUBACK is ignored", "MQTT5-4.3.2-3", "qos_send", "await_puback", "puback",
         action="ignore", next="await_puback"),
    _row("PUBACK frees no quota", "X5-quota-ack", "qos_send", "await_puback", "puback", action="ignore"),
    _row("refusing PUBACK is ignored", "MQTT5-4.4.0-2", "qos_send", "await_puback", "puback_error",
         action="ignore", next="await_puback"),
    _row("QoS 1 is lost on resume", "MQTT5-4.4.0-1", "qos_send", "await_puback", "resumed",
         action="ignore", next="idle"),
    _row("QoS 1 again without DUP", "MQTT5-3.3.1-1", "qos_send", "await_puback", "resumed",
         action="resend_publish_plain"),
    _row("QoS 1 in flight expires", "MQTT5-3.3.2-5", "qos_send", "await_puback", "expired",
         action="ignore", next="idle"),
    _row("QoS 2 without PUBREL", "MQTT5-4.3.3-4", "qos_send", "await_pubrec", "pubrec", action="ignore"),
    _row("QoS 2 is over at PUBREC", "MQTT5-4.3.3-3", "qos_send", "await_pubrec", "pubrec",
         action="complete", next="idle"),
    _row("PUBREL after a refusal", "MQTT5-4.3.3-4", "qos_send", "await_pubrec", "pubrec_error",
         action="send_pubrel", next="await_pubcomp"),
    _row("QoS 2 is lost on resume", "MQTT5-4.4.0-1", "qos_send", "await_pubrec", "resumed",
         action="ignore", next="idle"),
    _row("QoS 2 again without DUP", "MQTT5-3.3.1-1", "qos_send", "await_pubrec", "resumed",
         action="resend_publish_plain"),
    _row("QoS 2 in flight expires", "MQTT5-4.3.3-7", "qos_send", "await_pubrec", "expired",
         action="ignore", next="idle"),
    _row("PUBCOMP frees no quota", "X5-quota-ack", "qos_send", "await_pubcomp", "pubcomp", action="ignore"),
    _row("PUBCOMP is ignored", "MQTT5-4.3.3-4", "qos_send", "await_pubcomp", "pubcomp",
         action="ignore", next="await_pubcomp"),
    _row("PUBREL is lost on resume", "MQTT5-4.4.0-1", "qos_send", "await_pubcomp", "resumed",
         action="ignore", next="idle"),
    _row("PUBREL is not sent again", "MQTT5-4.4.0-1", "qos_send", "await_pubcomp", "resumed", action="ignore"),
    _row("QoS 2 again after its PUBREC", "MQTT5-4.3.3-6", "qos_send", "await_pubcomp", "resumed",
         action="resend_publish", next="await_pubrec"),
)  # fmt: skip

_RECEIVE: Final = (
    _row("QoS 1 is not taken", "MQTT5-4.3.2-4", "qos_receive", "free", "publish_qos1", action="silent"),
    _row("QoS 2 is not held", "MQTT5-4.3.3-10", "qos_receive", "free", "publish_qos2", next="free"),
    _row("a repeat of QoS 2 is delivered", "MQTT5-4.3.3-10", "qos_receive", "held", "publish_qos2",
         action="deliver_pubrec"),
    _row("a repeat of QoS 2 has no answer", "MQTT5-4.3.3-9", "qos_receive", "held", "publish_qos2", action="silent"),
    _row("a repeat of QoS 2 frees it", "MQTT5-4.3.3-10", "qos_receive", "held", "publish_qos2", next="free"),
    _row("PUBREL has no answer", "MQTT5-4.3.3-11", "qos_receive", "held", "pubrel", action="silent"),
    _row("PUBREL frees nothing", "MQTT5-4.3.3-12", "qos_receive", "held", "pubrel", next="held"),
    _row("PUBREL is not found", "MQTT5-4.3.3-11", "qos_receive", "held", "pubrel", action="pubcomp_not_found"),
)  # fmt: skip

_SESSION: Final = (
    _row("Clean Start resumes", "MQTT5-3.1.2-4", "session", "dormant", "connect_clean", action="resume"),
    _row("resuming starts clean", "MQTT5-3.1.2-5", "session", "dormant", "connect_resume", action="replace"),
    _row("a session lost is said to be there", "MQTT5-3.2.2-3", "session", "dormant", "connect_resume",
         action="create_present"),
    _row("Session Present 0 on resume", "MQTT5-3.2.2-3", "session", "dormant", "connect_resume",
         action="resume_unannounced"),
    _row("Session Present 1 on a new one", "MQTT5-3.2.2-2", "session", "absent", "connect_resume",
         action="create_present"),
    _row("a session is kept beyond its link", "MQTT5-4.1.0-2", "session", "active", "closed_ending",
         action="keep", next="dormant"),
    _row("a session ends with its link", "MQTT5-3.1.2-23", "session", "active", "closed_keeping",
         action="end", next="absent"),
    _row("a session never expires", "MQTT5-4.1.0-2", "session", "dormant", "expired", action="keep", next="dormant"),
)  # fmt: skip

_WILL: Final = (
    _row("the will is forgotten", "MQTT5-3.1.2-7", "will", "none", "stored", action="nothing", next="none"),
    _row("the will after a goodbye", "MQTT5-3.14.4-3", "will", "armed", "goodbye", action="publish"),
    _row("no will after a lost link", "MQTT5-3.1.2-8", "will", "armed", "closed", action="delete"),
    _row("the delayed will at once", "MQTT5-3.1.2-8", "will", "armed", "closed_delay", action="publish", next="none"),
    _row("the delayed will never", "MQTT5-3.1.2-8", "will", "armed", "closed_delay", action="delete", next="none"),
    _row("the will on a takeover", "MQTT5-3.1.3-9", "will", "armed", "taken_over", action="publish"),
    _row("the delay ends and no will", "MQTT5-3.1.2-8", "will", "delayed", "elapsed", action="delete"),
    _row("the session ends and no will", "MQTT5-3.1.2-8", "will", "delayed", "ended", action="delete"),
    _row("the will of one who came back", "MQTT5-3.1.3-9", "will", "delayed", "resumed", action="publish"),
)  # fmt: skip

_SUBSCRIPTION: Final = (
    _row("no retained messages", "MQTT5-3.3.1-9", "subscription", "absent", "handling_0", action="put"),
    _row("no retained messages for a new one", "MQTT5-3.3.1-10", "subscription", "absent", "handling_1", action="put"),
    _row("retained messages nobody wants", "MQTT5-3.3.1-11", "subscription", "absent", "handling_2",
         action="put_retained"),
    _row("retained messages not again", "MQTT5-3.8.4-3", "subscription", "present", "handling_0", action="put"),
    _row("retained messages again", "MQTT5-3.3.1-10", "subscription", "present", "handling_1", action="put_retained"),
    _row("nobody joins a group", "X5-shared-created", "subscription", "absent", "shared", next="absent"),
    _row("members of a group stay as they are", "X5-shared-subscribed-twice", "subscription", "present", "shared",
         next="absent"),
    _row("UNSUBSCRIBE does nothing", "MQTT5-3.10.4-2", "subscription", "present", "unsubscribe",
         action="not_found", next="present"),
    _row("UNSUBSCRIBE of nothing succeeds", "MQTT5-3.11.3-1", "subscription", "absent", "unsubscribe",
         action="delete"),
)  # fmt: skip

_CONNECTION: Final = (
    _row("PINGREQ has no answer", "MQTT5-3.12.4-1", "connection", "connected", "pingreq", action="ignore"),
    _row("taken over without a word", "MQTT5-3.1.4-3", "connection", "connected", "dismissed", action="close"),
    _row("DISCONNECT is overlooked", "MQTT5-3.14.4-1", "connection", "connected", "disconnect",
         action="ignore", next="connected"),
    _row("acknowledgements are overlooked", "MQTT5-4.3.2-3", "connection", "connected", "puback", action="ignore"),
    _row("PUBREL is overlooked", "MQTT5-4.3.3-11", "connection", "connected", "pubrel", action="ignore"),
)  # fmt: skip

_NUMBERS: Final = (
    _number("twice the Receive Maximum", "MQTT5-3.3.4-9", "send_quota_share", 200),
    _number("half the Receive Maximum", "MQTT5-4.9.0-1", "send_quota_share", 50),
    _number("one at a time for 3.x", "X311-qos1-in-flight", "receive_maximum_default", 1),
    _number("aliases the client does not take", "MQTT5-3.1.2-26", "topic_alias_allowance", 5),
    _number("messages expire late", "MQTT5-3.3.2-5", "expiry_percent", 300),
    _number("messages expire early", "MQTT5-3.3.2-5", "expiry_percent", 10),
    _number("expiry does not count down", "MQTT5-3.3.2-6", "waiting_percent", 0),
    _number("expiry counts down twice", "MQTT5-3.3.2-6", "waiting_percent", 200),
    _number("wills without delay", "MQTT5-3.1.2-8", "will_delay_percent", 0),
    _number("wills too late", "MQTT5-3.1.2-8", "will_delay_percent", 200),
    _number("sessions end early", "MQTT5-4.1.0-2", "session_expiry_percent", 50),
    _number("sessions end late", "MQTT5-4.1.0-2", "session_expiry_percent", 200),
    _number("3.x sessions end at once", "MQTT311-3.1.2-4", "session_expiry_never", 0),
    _number("QoS 1 at most", "MQTT5-3.8.4-8", "granted_maximum", 1),
    _number("retained messages with QoS 0", "MQTT5-3.8.4-8", "retained_qos_maximum", 0),
    _number("impatient keep alive", "MQTT5-3.1.2-22", "keep_alive_percent", 100),
    _number("patient keep alive", "MQTT5-3.1.2-22", "keep_alive_percent", 200),
    _number("short names for 3.1", "X31-topic-length", "topic_v31", 1),
    _number("short client identifiers for 3.1", "X31-client-id-too-long", "client_id_v31", 2),
)

FAULTS: Final[tuple[Fault, ...]] = (
    *_SEND, *_RECEIVE, *_SESSION, *_WILL, *_SUBSCRIPTION, *_CONNECTION, *_NUMBERS,
)  # fmt: skip
"""All of them; none may hide from the random clients for five minutes."""

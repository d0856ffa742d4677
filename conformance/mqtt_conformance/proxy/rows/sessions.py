# SPDX-License-Identifier: MIT
"""Faults of sessions: kept or lost wrongly, taken over, confused with one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, both
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    DisconnectProperties,
    Pingreq,
    Pingresp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
)

__all__ = ["expiry_of", "on_connect", "rows"]


def expiry_of(packet: Connect | None) -> int:
    """Return the Session Expiry Interval of a CONNECT in seconds."""
    if packet is None or packet.properties is None:
        return 0
    return packet.properties.session_expiry_interval or 0


def on_connect(
    change: Callable[[Link, Connect], Out], down: Callable[[Link, Any], Out] | None = None
) -> Callable[[], Rule]:
    """Change what the broker sees of a CONNECT."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Connect) and link.packets_up == 1:
                made = change(link, packet)
                if made is not None:
                    link.memo["changed"] = True
                return made
            return None

        return Hooks(up=up, down=down)

    return make


def _expiry(packet: Connect, seconds: int) -> Connect:
    return packet.replace(
        properties=(packet.properties or ConnectProperties()).replace(session_expiry_interval=seconds)
    )


def _hide_expiry(link: Link, packet: Any) -> Out:
    """The CONNACK does not tell about the changed interval."""
    if isinstance(packet, Connack) and link.memo.get("changed") and packet.properties is not None:
        if packet.properties.session_expiry_interval is not None:
            link.world.fired -= 1
            return [packet.replace(properties=packet.properties.replace(session_expiry_interval=None))]
    return None


def _present(value: bool) -> Callable[[Link, Any], Out]:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.reason_code == 0 and link.memo.get("changed"):
            if packet.session_present != value:
                link.world.fired -= 1
                return [packet.replace(session_present=value)]
        return None

    return down


def _known(link: Link, packet: Connect) -> bool:
    return bool(packet.client_id) and packet.client_id in link.world.sessions


def _resumed_empty(link: Link, packet: Connect) -> Out:
    """Clean Start 0: the session is discarded, and the CONNACK says the opposite."""
    if packet.clean_start or not _known(link, packet):
        return None
    return [packet.replace(clean_start=True)]


def _present_again(link: Link, packet: Any) -> Out:
    if isinstance(packet, Connack) and packet.reason_code == 0 and link.memo.get("changed"):
        link.world.fired -= 1
        return [packet.replace(session_present=True)]
    return None


def _honest_loss(link: Link, packet: Connect) -> Out:
    return [packet.replace(clean_start=True)] if not packet.clean_start and _known(link, packet) else None


def _kept_clean(link: Link, packet: Connect) -> Out:
    """Clean Start 1: the old session goes on, and the CONNACK does not say so."""
    if not packet.clean_start or not _known(link, packet):
        return None
    return [packet.replace(clean_start=False)]


def _ended_at_once(link: Link, packet: Connect) -> Out:
    return [_expiry(packet, 0)] if expiry_of(packet) else None


def _kept_at_zero(link: Link, packet: Connect) -> Out:
    return [_expiry(packet, 600)] if not expiry_of(packet) and packet.client_id else None


def _kept_longer(link: Link, packet: Connect) -> Out:
    seconds = expiry_of(packet)
    return [_expiry(packet, seconds + 600)] if 0 < seconds < 100 else None


def _ends_sooner(link: Link, packet: Connect) -> Out:
    seconds = expiry_of(packet)
    return [_expiry(packet, 1)] if 1 < seconds < 0xFFFFFFFF else None


def _never_is_now(link: Link, packet: Connect) -> Out:
    return [_expiry(packet, 0)] if expiry_of(packet) == 0xFFFFFFFF else None


def _disconnect(change: Callable[[Link, Disconnect], Out]) -> Callable[[], Rule]:
    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            return change(link, packet) if isinstance(packet, Disconnect) else None

        return Hooks(up=up)

    return make


def _ignore_new_expiry(link: Link, packet: Disconnect) -> Out:
    if packet.properties is None or packet.properties.session_expiry_interval is None:
        return None
    return [packet.replace(properties=packet.properties.replace(session_expiry_interval=None))]


def _disconnect_ends(link: Link, packet: Disconnect) -> Out:
    """A DISCONNECT without Session Expiry Interval ends the session."""
    if packet.properties is not None and packet.properties.session_expiry_interval is not None:
        return None
    if not expiry_of(link.connect):
        return None
    return [packet.replace(properties=(packet.properties or DisconnectProperties()).replace(session_expiry_interval=0))]


def _subscriptions_lost() -> Rule:
    """A resumed session has no subscriptions any more."""

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.session_present and link.session is not None and link.session.subs:
            link.fired()
            link.memo["lost"] = 65_000
            link.to_server(Unsubscribe(65_000, list(link.session.subs)))
        if type(packet).__name__ == "Unsuback" and getattr(packet, "packet_id", 0) == link.memo.get("lost"):
            link.memo.pop("lost")
            link.world.fired -= 1
            return []
        return None

    return Hooks(down=down)


def _identifiers_lost() -> Rule:
    """A resumed session has lost the Subscription Identifiers."""

    def publish(link: Link, d: Delivery) -> Out:
        given = d.packet.properties
        if given is None or not given.subscription_identifier or not d.subs or d.path == "resent":
            return None
        if all(sub.seq < link.seq for sub in d.subs):
            return [d.packet.replace(properties=given.replace(subscription_identifier=[]))]
        return None

    return Hooks(publish=publish)


def _inbound_lost() -> Rule:
    """QoS 2 messages of the client are forgotten with the connection: a repeat is delivered again."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if link.session is None:
            return None
        waiting: dict[int, str] = link.session.memo.setdefault("inbound", {})
        if isinstance(packet, Publish) and packet.qos == 2:
            if packet.packet_id in waiting and packet.packet_id not in link.up_open:
                link.fired()
                link.world.publish(Publish(link.topic_up(packet), packet.payload))
            waiting[packet.packet_id] = packet.topic
        elif isinstance(packet, Pubrel):
            waiting.pop(packet.packet_id, None)
        return None

    return Hooks(up=up)


def _existence_lost() -> Rule:
    """A session without subscriptions and messages is forgotten."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and not packet.clean_start and _known(link, packet):
            if not link.world.sessions[packet.client_id].subs:
                return [packet.replace(clean_start=True)]
        return None

    return Hooks(up=up)


def _case_ignored(link: Link, packet: Connect) -> Out:
    made = packet.client_id.lower()
    return [packet.replace(client_id=made)] if made != packet.client_id else None


def _cut_id(link: Link, packet: Connect) -> Out:
    return [packet.replace(client_id=packet.client_id[:-1])] if len(packet.client_id) > 1 else None


# ---------------------------------------------------------------- takeover


def _old_stays(told: bool) -> Callable[[], Rule]:
    """A client that is taken over stays connected; its PINGREQ is answered."""

    def make() -> Rule:
        def taken(link: Link) -> bool:
            other = link.world.current.get(link.client_id)
            waiting = any(
                one is not link
                and one.seq > link.seq
                and one.connect is not None
                and one.connect.client_id == link.client_id
                for one in link.world.links
            )
            return waiting or (other is not None and other is not link)

        def down(link: Link, packet: Any) -> Out:
            if isinstance(packet, Disconnect) and packet.reason_code == 0x8E:
                link.memo["taken"] = True
                return [packet] if told else []
            return None

        def gone(link: Link) -> bool:
            if link.memo.get("taken") or (link.version < 5 and link.accepted and taken(link)):
                link.memo["taken"] = True
                link.fired()
                return True
            return False

        def up(link: Link, packet: Any, data: bytes) -> Out:
            if link.memo.get("taken") and isinstance(packet, Pingreq):
                link.to_client(Pingresp())
                return []
            return None

        return Hooks(down=down, server_gone=gone, up=up)

    return make


def _new_refused() -> Rule:
    """The new connection is closed and the old one stays."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and link.packets_up == 1:
            old = link.world.current.get(packet.client_id)
            if old is not None and old.client_open and old.server_open:
                link.end_client()
                link.end_server()
                return []
        return None

    return Hooks(up=up)


def _fresh_after_takeover(link: Link, packet: Connect) -> Out:
    """The session of a client that is taken over is not resumed."""
    old = link.world.current.get(packet.client_id)
    if packet.clean_start or old is None or not old.client_open:
        return None
    return [packet.replace(clean_start=True)]


def _discarded_while_open() -> Rule:
    """Subscriptions end after a PINGREQ: the session is discarded while the connection is open."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Pingreq) and link.session is not None and link.session.subs:
            link.memo["gone"] = True
        elif isinstance(packet, Subscribe):
            link.memo.pop("gone", None)
        return None

    def publish(link: Link, d: Delivery) -> Out:
        if link.memo.get("gone") and not d.packet.qos:
            return []
        return None

    return Hooks(up=up, publish=publish)


def _pubrec_forgotten() -> Rule:
    """After a resumption PUBREC of the client is answered by PUBREL with 0x92 and the message is lost."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Pubrec) and packet.packet_id in link.inflight:
            if link.inflight[packet.packet_id].path == "resent":
                link.to_client(b"\x62\x04" + packet.packet_id.to_bytes(2, "big") + b"\x92\0")
                link.to_server(packet)
                link.ours.add(packet.packet_id)
                return []
        return None

    return Hooks(up=up)


def rows() -> list[Fault]:
    """Return the faults of this module."""
    found: list[Fault] = []
    found += both(
        "session-emptied",
        "MQTT5-3.1.2-5",
        "MQTT311-3.1.2-4",
        "session",
        None,
        "Clean Start 0 gets an empty session, Session Present is 1",
        on_connect(_resumed_empty, _present_again),
        ("X5-session-state-subscriptions", "X311-session-state-server", "X5-session-state-outbound"),
    )
    found += both(
        "session-lost",
        "MQTT5-3.1.2-5",
        "MQTT311-3.1.2-4",
        "session",
        None,
        "Clean Start 0 gets a new session and is told so",
        on_connect(_honest_loss),
        ("MQTT5-3.1.2-23", "MQTT5-3.2.2-3", "MQTT311-3.2.2-2"),
    )
    found += both(
        "session-kept-clean",
        "MQTT5-3.1.2-4",
        "MQTT311-3.1.2-6",
        "session",
        None,
        "Clean Start 1 goes on with the old session",
        on_connect(_kept_clean, _present(False)),
        ("MQTT5-3.1.4-4", "MQTT311-3.1.4-3"),
    )
    found.append(
        Fault(
            "session-kept-clean-told",
            "MQTT5-3.1.2-4",
            "session",
            5,
            None,
            "Clean Start 1 goes on with the old session and says so",
            on_connect(_kept_clean),
            ("MQTT5-3.2.2-2", "MQTT5-3.1.4-4"),
        )
    )
    found.append(
        Fault(
            "session-outlives-clean-311",
            "MQTT311-3.1.2-6",
            "session",
            4,
            None,
            "the session of CleanSession 1 is kept",
            _outlives_clean,
        )
    )
    found.append(
        Fault(
            "session-not-stored",
            "MQTT5-3.1.2-23",
            "session",
            5,
            None,
            "a Session Expiry Interval is ignored: the session ends at once",
            on_connect(_ended_at_once, _hide_expiry),
            ("X5-session-duration", "X5-session-expiry-changed-connack"),
        )
    )
    found.append(
        Fault(
            "session-kept-at-zero",
            "X5-session-expiry-zero",
            "session",
            5,
            None,
            "a session of Session Expiry Interval 0 is kept",
            on_connect(_kept_at_zero, _hide_expiry),
            ("MQTT5-4.1.0-2",),
        )
    )
    found.append(
        Fault(
            "session-kept-longer",
            "MQTT5-4.1.0-2",
            "session",
            5,
            None,
            "a session lasts 10 minutes too long",
            on_connect(_kept_longer, _hide_expiry),
            ("X5-session-duration",),
        )
    )
    found.append(
        Fault(
            "session-ends-sooner",
            "MQTT5-3.1.2-23",
            "session",
            5,
            None,
            "every session ends after a second",
            on_connect(_ends_sooner, _hide_expiry),
            ("X5-session-duration", "X5-session-expiry-changed-connack"),
        )
    )
    found.append(
        Fault(
            "session-never-is-now",
            "X5-session-expiry-never",
            "session",
            5,
            None,
            "0xFFFFFFFF ends the session at once",
            on_connect(_never_is_now, _hide_expiry),
            ("MQTT5-3.1.2-23",),
        )
    )
    found.append(
        Fault(
            "disconnect-expiry-ignored",
            "X5-disconnect-session-expiry",
            "session",
            5,
            None,
            "the Session Expiry Interval of DISCONNECT is ignored",
            _disconnect(_ignore_new_expiry),
        )
    )
    found.append(
        Fault(
            "disconnect-expiry-assumed-0",
            "X5-disconnect-session-expiry",
            "session",
            5,
            None,
            "a DISCONNECT without Session Expiry Interval ends the session",
            _disconnect(_disconnect_ends),
            ("MQTT5-3.1.2-23",),
        )
    )
    found += both(
        "session-subscriptions-lost",
        "X5-session-state-subscriptions",
        "X311-session-state-server",
        "session",
        None,
        "a resumed session has no subscriptions",
        _subscriptions_lost,
        ("MQTT5-3.1.2-5", "MQTT311-3.1.2-4"),
    )
    found.append(
        Fault(
            "session-identifiers-lost",
            "X5-session-state-subscriptions",
            "session",
            5,
            None,
            "a resumed session has no Subscription Identifiers",
            _identifiers_lost,
            ("MQTT5-3.3.4-3", "X5-subscription-identifier-stored", "MQTT5-3.3.4-4"),
        )
    )
    found += both(
        "session-inbound-lost",
        "X5-session-state-inbound",
        "X311-session-state-server",
        "session",
        2,
        "a QoS 2 message repeated after a reconnection is delivered again",
        _inbound_lost,
        ("MQTT5-4.3.3-10", "MQTT311-4.3.3-2"),
    )
    found += both(
        "session-existence-lost",
        "X5-session-state-existence",
        "X311-session-state-server",
        "session",
        None,
        "an empty session is forgotten",
        _existence_lost,
        ("MQTT5-3.2.2-3", "MQTT311-3.2.2-2"),
    )
    found += both(
        "client-id-case",
        "MQTT5-3.1.3-2",
        "MQTT311-3.1.3-2",
        "session",
        None,
        "Client Identifiers are the same in upper and lower case",
        on_connect(_case_ignored),
    )
    found += both(
        "client-id-cut",
        "MQTT5-3.1.3-2",
        "MQTT311-3.1.3-2",
        "session",
        None,
        "the last character of a Client Identifier does not count",
        on_connect(_cut_id),
    )
    found += both(
        "takeover-old-stays",
        "MQTT5-3.1.4-3",
        "MQTT311-3.1.4-2",
        "takeover",
        None,
        "a client that is taken over stays connected",
        _old_stays(False),
    )
    found.append(
        Fault(
            "takeover-told-stays",
            "MQTT5-3.14.4-2",
            "takeover",
            5,
            None,
            "a client that is taken over is told so, and stays connected",
            _old_stays(True),
            ("MQTT5-3.1.4-3", "MQTT5-4.13.2-1"),
        )
    )
    found += both(
        "takeover-new-refused",
        "MQTT5-3.1.4-3",
        "MQTT311-3.1.4-2",
        "takeover",
        None,
        "the new connection is closed, the old one stays",
        _new_refused,
        ("MQTT5-3.1.4-5", "MQTT311-3.1.4-4"),
    )
    found += both(
        "takeover-session-lost",
        "MQTT5-3.1.2-5",
        "MQTT311-3.1.2-4",
        "takeover",
        None,
        "a session is not resumed when it is taken over",
        on_connect(_fresh_after_takeover),
        ("MQTT5-3.2.2-3", "MQTT311-3.2.2-2"),
    )
    found += both(
        "session-ends-while-open",
        "MQTT5-4.1.0-1",
        "MQTT311-4.1.0-1",
        "session",
        0,
        "after a PINGREQ the subscriptions are gone",
        _discarded_while_open,
        ("MQTT311-4.1.0-2", "MQTT5-4.5.0-1", "MQTT311-4.5.0-1"),
    )
    found.append(
        Fault(
            "pubrec-forgotten",
            "X5-session-state-outbound",
            "session",
            5,
            2,
            "after a resumption PUBREC is answered by PUBREL 0x92",
            _pubrec_forgotten,
            ("MQTT5-4.3.3-4",),
        )
    )
    return found


def _outlives_clean() -> Rule:
    """The broker keeps the session: CleanSession 1 is made 0, after a clean connection has emptied the session."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.client_id:
            kept: set[str] = link.world.memo.setdefault("kept", set())
            if packet.clean_start and packet.client_id not in link.world.sessions:
                kept.add(packet.client_id)
                return [packet.replace(clean_start=False)]
        return None

    return Hooks(up=up)

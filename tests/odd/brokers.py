# SPDX-License-Identifier: MIT
"""The odd brokers: what each does, and what allows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from mqtt_ref.auth.ledger import AuthRule, Ledger
from mqtt_ref.auth.ledger_hook import LedgerHook
from mqtt_ref.engine.options import Terms
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.server import Server
from mqtt_ref.testing.settings import options
from tests.odd import hooks, quirks
from tests.odd.proxy import Link, Proxy, Quirk

__all__ = ["BROKERS", "Odd", "serve"]

USER, PASSWORD = "odd", "p w:/@#"


@dataclass(frozen=True)
class Odd:
    """One broker."""

    name: str
    why: str
    """The sections that allow it."""
    options: dict[str, Any] = field(default_factory=dict)
    hooks: tuple[Callable[[], Hook], ...] = ()
    quirks: tuple[Callable[[Link], Quirk], ...] = ()
    terms: Terms | None = None
    foreign: tuple[tuple[int, bool], ...] = ()
    """QoS and RETAIN of the messages that it publishes itself to `odd/foreign/...`, all the time."""
    password: bool = False
    """Whether it lets in one user only."""
    response_information: str = ""
    """What clients that ask get; `options` takes this name for a decision."""
    protocols: str = "5,3.1.1,3.1"
    """The versions that the suite is asked to run."""


@asynccontextmanager
async def serve(odd: Odd) -> AsyncIterator[str]:
    """Run an odd broker on loopback; gives its URL."""
    made = [hook() for hook in odd.hooks]
    access: Hook = AllowAll()
    if odd.password:
        access = LedgerHook(Ledger(auth=(AuthRule(username=USER, password=PASSWORD, allow=True),)))
    wanted = options(**odd.options)
    wanted.capabilities.response_information = odd.response_information
    server = Server(wanted, [TcpListener(port=0, terms=odd.terms)], hooks=[*made, access])
    for hook in made:
        if isinstance(hook, hooks.ForgetsRetainedQos0):
            hook.server = server
    async with server:
        publishing = asyncio.create_task(_publish(server, odd.foreign))
        try:
            if odd.quirks:
                async with Proxy("127.0.0.1", server.port, odd.quirks) as proxy:
                    yield proxy.url
            else:
                yield server.url
        finally:
            publishing.cancel()
            with suppress(asyncio.CancelledError):
                await publishing


async def _publish(server: Server, kinds: tuple[tuple[int, bool], ...]) -> None:
    """Publish messages of each kind, again and again."""
    number = 0
    while kinds:
        for qos, retain in kinds:
            number += 1
            server.publish(f"odd/foreign/{number % 3}", f"unasked {number}".encode(), qos=qos, retain=retain)
            await asyncio.sleep(0.05)


def _offers(name: str, section: str, **settings: Any) -> Odd:
    return Odd(name, f"5.0 {section}: a server may say so in its CONNACK; 4.13.2 for what it then refuses", settings)


def _decides(name: str, why: str, **settings: Any) -> Odd:
    return Odd(name, why, settings)


VERSIONS = "5.0 3.1.2.2, 3.1.1 3.1.2.2: a server need not support other versions"
UNASKED = (quirks.Foreign,)
ASSIGNED = "5.0 4.5 and 3.3.4, 3.1.1 4.5: a server may assign subscriptions to a client by itself"
LIMITS: dict[str, Any] = {
    "maximum_qos": 1,
    "retain_available": False,
    "wildcard_subscription_available": False,
    "shared_subscription_available": False,
    "subscription_identifier_available": False,
    "receive_maximum": 1,
    "topic_alias_maximum": 0,
    "maximum_packet_size": 2000,
    "maximum_session_expiry": 30,
    "maximum_keep_alive": 20,
}
MANNERS: dict[str, Any] = {
    "overlapping": "each",
    "empty_client_id": False,
    "dollar_publish": "allow",
    "unauthorized_publish": "close",
    "maximum_inflight": 1,
}

BROKERS: tuple[Odd, ...] = (
    # Subscriptions that the server makes.
    Odd("unasked-qos0", ASSIGNED, quirks=UNASKED, foreign=((0, False),)),
    Odd("unasked-qos1", ASSIGNED, quirks=UNASKED, foreign=((1, False),)),
    Odd("unasked-qos2", ASSIGNED, quirks=UNASKED, foreign=((2, False),)),
    Odd("unasked-retained", ASSIGNED, quirks=UNASKED, foreign=((0, True), (1, True), (2, True))),
    # What is granted.
    Odd("grants-less", "5.0 3.8.4, 3.1.1 3.8.4: a lower maximum QoS than asked for", hooks=(hooks.GrantsLess,)),
    Odd("grants-qos0", "5.0 3.8.4, 3.1.1 3.8.4: a lower maximum QoS than asked for", hooks=(hooks.GrantsNothing,)),
    Odd("refuses-some-filters", "5.0 3.9.3 (0x87), 3.1.1 3.9.3 (0x80)", hooks=(hooks.RefusesSomeFilters,)),
    Odd("refuses-some-topics", "5.0 3.4.2.1 and 3.5.2.1 (0x87), 4.7.3", hooks=(hooks.RefusesSomeTopics,)),
    Odd("refuses-dollar", "5.0 4.7.2, 3.9.3 (0x87): `$` topics are the server's own", hooks=(hooks.RefusesDollar,)),
    # Time.
    Odd("slow", "no section bounds how long an answer takes; 3.1.2.10 binds the client", quirks=(quirks.Slow,)),
    Odd("jittery", "no section bounds how long an answer takes", quirks=(quirks.Jittery,)),
    Odd("closes-slowly", "5.0 3.14.4: closes after DISCONNECT, no time given", quirks=(quirks.ClosesSlowly,)),
    Odd("slow-reader", "4.2: the transport holds back what is not read", terms=Terms(packets_per_second=60)),
    Odd("wills-late", "5.0 3.1.2.5: promptly, which is a SHOULD; 3.1.1 3.1.2.5", hooks=(hooks.DelaysWills,)),
    Odd("resends-late", "5.0 4.4, 3.1.1 4.4: resend after a reconnect, no time given", quirks=(quirks.ResendsLate,)),
    Odd("resends-behind-traffic", "5.0 4.4: no place is given among other packets",
        quirks=(quirks.ResendsBehindTraffic,)),
    Odd("retries-live", "3.1.1 4.4: a reconnect is the only case where it is required; 5.0 clients get none",
        quirks=(quirks.RetriesLive,)),
    # Order.
    Odd("acks-late", "5.0 3.8.4 (messages before the SUBACK), 4.6: no order among packets of different flows",
        quirks=(quirks.AckLanes,)),
    Odd("suback-last", "5.0 3.8.4, 3.1.1 3.8.4: messages may come before the SUBACK", quirks=(quirks.SubackLast,)),
    Odd("messages-late", "5.0 4.3, 4.6: acknowledged before delivered; no order against PINGRESP",
        quirks=(quirks.LanePublish,)),
    Odd("acks-reversed", "5.0 4.6, 3.1.1 4.6: the order of acknowledgements binds the client",
        quirks=(quirks.AcksReversed,)),
    Odd("holds-qos0", "5.0 3.3.4, 4.9: QoS 0 may be suspended with the send quota used up", quirks=(quirks.HoldsQos0,)),
    Odd("one-in-flight", "5.0 3.3.4: a server may send fewer than Receive Maximum", {"maximum_inflight": 1}),
    # Bytes.
    Odd("one-byte", "5.0 4.2: a stream of bytes", quirks=(quirks.OneByte,)),
    Odd("last-byte-alone", "5.0 4.2: a stream of bytes", quirks=(quirks.LastByteAlone,)),
    Odd("coalesced", "5.0 4.2: a stream of bytes", quirks=(quirks.Coalesced,)),
    Odd("long-forms", "5.0 3.4.2.1 and siblings: Reason Code and Property Length can be left out",
        quirks=(quirks.LongForms,)),
    # Packet identifiers.
    Odd("ids-descending", "5.0 2.2.1: any identifier that is not in use", quirks=(quirks.PacketIdsDescending,)),
    Odd("ids-random", "5.0 2.2.1: any identifier that is not in use", quirks=(quirks.PacketIdsRandom,)),
    Odd("ids-reused", "5.0 2.2.1: available again when acknowledged", quirks=(quirks.PacketIdsHigh,)),
    # Closing and refusing.
    Odd("closes-silently", "5.0 3.14, 4.13: DISCONNECT is a SHOULD; never sent to 3.x", quirks=(quirks.Quiet,)),
    Odd("refuses-silently", "5.0 3.1.4, 3.2.2.2: the CONNACK is a MAY", quirks=(quirks.EmptyConnackOnly,)),
    Odd("closes-with-0x80", "5.0 3.2.2.2, 3.14.2.1: 0x80 where the reason is not to be revealed; 4.13 is a SHOULD",
        quirks=(quirks.OtherCodes,)),
    Odd("fails-discreetly", "5.0 3.4.2.1, 3.9.3, 3.11.3: 0x80 where the reason is not to be revealed",
        quirks=(quirks.FailsDiscreetly,)),
    Odd("pubcomp-zero", "5.0 3.7.2.1, MQTT5-4.3.3-11: a PUBCOMP is due, its code is not said",
        quirks=(quirks.PubcompAlwaysZero,)),
    Odd("no-reason-strings", "5.0 3.2.2.3.9: a Reason String is optional", {"reason_strings": False}),
    Odd("busy", "5.0 3.2.2.2 (0x89), 3.1.1 3.2.2.3 (0x03): the server may be unavailable", hooks=(hooks.Busy,)),
    # Properties.
    Odd("extra-properties", "5.0 3.2.2.3, 3.4.2.2 and siblings: optional, within Maximum Packet Size and "
        "Request Problem Information", quirks=(quirks.ExtraProperties,)),
    Odd("response-information", "5.0 3.1.2.11.6: for clients that ask", response_information="reply/{client_id}"),
    Odd("assigned-identifier", "5.0 3.1.3.1, 3.2.2.3.7: any identifier, of any form",
        quirks=(quirks.AssignedIdentifier,)),
    Odd("aliases-remapped", "5.0 3.3.2.3.4, 3.3.4: an alias may be set anew at any time", {"outbound_aliases": 0},
        quirks=(quirks.AliasesRemapped,)),
    Odd("aliases-at-random", "5.0 3.3.2.3.4: several aliases may stand for a topic", {"outbound_aliases": 0},
        quirks=(quirks.AliasesAtRandom,)),
    Odd("no-aliases", "5.0 3.3.2.3.4: the server need not set any", {"outbound_aliases": 0}),
    # Limits that are announced.
    _offers("receive-maximum-1", "3.2.2.3.3", receive_maximum=1),
    _offers("no-client-aliases", "3.2.2.3.8", topic_alias_maximum=0),
    _offers("small-packets", "3.2.2.3.6", maximum_packet_size=200),
    _offers("tiny-packets", "3.2.2.3.6", maximum_packet_size=60),
    _offers("maximum-qos-0", "3.2.2.3.4", maximum_qos=0),
    _offers("maximum-qos-1", "3.2.2.3.4", maximum_qos=1),
    _offers("no-retain", "3.2.2.3.5", retain_available=False),
    _offers("no-wildcards", "3.2.2.3.11", wildcard_subscription_available=False),
    _offers("no-shared", "3.2.2.3.13", shared_subscription_available=False),
    _offers("no-identifiers", "3.2.2.3.12", subscription_identifier_available=False),
    _offers("no-sessions", "3.2.2.3.2 (3.x: 4.1, administrative limits)", maximum_session_expiry=0),
    _offers("short-sessions", "3.2.2.3.2 (3.x: 4.1, administrative limits)", maximum_session_expiry=2),
    _offers("short-keep-alive", "3.2.2.3.14 (3.x: 3.1.2.10, inactive clients may be cut)", maximum_keep_alive=3),
    _offers("long-keep-alive", "3.2.2.3.14", minimum_keep_alive=600),
    Odd("everything-limited", "5.0 3.2.2.3: all of these at once", LIMITS),
    # Who may connect.
    Odd("no-empty-identifiers", "5.0 3.1.3.1, 3.1.1 3.1.3.1: a server MAY allow them", {"empty_client_id": False}),
    Odd("password", "5.0 3.1.4, 3.1.1 3.1.4: a server may authenticate", password=True),
    Odd("only-5", VERSIONS, {"versions": (5,)}),
    Odd("only-3.1.1", VERSIONS, {"versions": (4,)}),
    Odd("only-3.1", VERSIONS, {"versions": (3,)}),
    Odd("no-3.1", VERSIONS, {"versions": (4, 5)}),
    # Decisions.
    _decides("overlapping-each", "5.0 3.3.4, 3.1.1 3.3.5", overlapping="each"),
    _decides("shared-for-v3-ordinary", "4.8.2 is of 5.0 only", shared_for_v3="ordinary"),
    _decides("dollar-publish", "5.0 4.7.2: SHOULD prevent", dollar_publish="allow"),
    _decides("unauthorized-close", "5.0 3.1.4, 3.1.1 3.3.5", unauthorized_connect="close", unauthorized_will="refuse",
             unauthorized_publish="close"),
    _decides("unauthorized-will-dropped", "5.0 3.1.4", unauthorized_will="drop", not_authorized="obscure"),
    _decides("no-matching-hidden", "5.0 3.4.2.1: 0x10 is a MAY", no_matching_subscribers="hide"),
    _decides("long-v31-identifiers", "3.1 (ambiguities 25)", long_client_id_v31="allow"),
    _decides("no-local-retained-ignored", "ambiguities 6", no_local_retained="ignore"),
    _decides("payload-checked", "5.0 3.3.2.3.2: a receiver MAY validate", payload_format="check"),
    _decides("unicode-refused", "5.0 1.5.4: MAY treat as malformed", disallowed_unicode="refuse"),
    _decides("oldest-dropped", "4.5, within bounds nobody reaches", queue_full="oldest"),
    _decides("qos0-queued", "5.0 4.1: QoS 0 pending transmission, optionally", offline_qos0="queue"),
    _decides("shared-offline-dropped", "5.0 4.8.2", publish_unsubscribed_shared="drop"),
    _decides("acks-inherit", "5.0 3.4.2.2.3: optional", acknowledgement_properties="inherit"),
    # Messages.
    Odd("first-member", "5.0 4.8.2: free to choose the session", hooks=(hooks.FirstMember,)),
    Odd("last-member", "5.0 4.8.2: free to choose the session", hooks=(hooks.LastMember,)),
    Odd("retained-qos0-forgotten", "5.0 3.3.1.3, 3.1.1 3.3.1.3: may be discarded at any time",
        hooks=(hooks.ForgetsRetainedQos0,)),
    Odd("qos0-lost", "5.0 4.3.1: at most once, not at all under load", quirks=(quirks.LosesQos0UnderLoad,)),
    Odd("no-sys", "4.7.2: `$SYS` is a custom", {"sys_topic_resend_interval": 0}),
    Odd("delivers-on-release", "3.1.1 4.3.3, figure 4.3: method A is as good as B", quirks=(quirks.DeliversOnRelease,)),
    Odd("chatty-sys", "4.7.2: `$` topics are the server's own", {"sys_topic_resend_interval": 1}),
    # Connections.
    Odd("resets", "5.0 1.2 (Network Connection), 4.13: closes, by whatever TCP has", quirks=(quirks.Resets,)),
    Odd("maximum-connect-time", "5.0 3.14.2.1 (0xA0), 3.1.2.10; 3.1.1 3.1.2.10: may close for reasons of its own",
        quirks=(quirks.MaximumConnectTime,)),
    Odd("few-subscriptions", "5.0 3.9.3 (0x97), 3.1.1 3.9.3 (0x80); 3.1 has no code that says so", {"subscriptions": 3},
        protocols="5,3.1.1"),
    Odd("impatient", "5.0 3.1.4, 3.1.1 3.1.4: a reasonable time for the CONNECT", {"connect_timeout": 1}),
    # Several at once.
    Odd("all-at-once", "each of these alone", {**LIMITS, "outbound_aliases": 0, "overlapping": "each"},
        quirks=(quirks.Foreign, quirks.PacketIdsRandom, quirks.AliasesRemapped, quirks.ExtraProperties,
                quirks.LongForms, quirks.SubackLast, quirks.OneByte),
        foreign=((0, False), (1, True))),
    Odd("odd-answers", "each of these alone", {"overlapping": "each", "no_matching_subscribers": "hide"},
        quirks=(quirks.PacketIdsDescending, quirks.FailsDiscreetly, quirks.OtherCodes, quirks.AcksReversed,
                quirks.Jittery)),
    Odd("odd-offer", "each of these alone", {**LIMITS, "outbound_aliases": 0, "no_matching_subscribers": "hide",
        "disallowed_unicode": "refuse", "offline_qos0": "queue"},
        quirks=(quirks.AliasesRemapped, quirks.ExtraProperties, quirks.LongForms, quirks.SubackLast,
                quirks.LastByteAlone)),
    Odd("odd-manners", "each of these alone", MANNERS, hooks=(hooks.GrantsLess, hooks.FirstMember),
        quirks=(quirks.Quiet, quirks.PacketIdsRandom), password=True),
)  # fmt: skip

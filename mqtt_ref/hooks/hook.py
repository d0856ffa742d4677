# SPDX-License-Identifier: MIT
"""The base class of hooks: every event is a method, declared here once."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, Union

from mqtt_ref.hooks.declare import decide, load, notify, transform

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.broker.selection import Selection
    from mqtt_ref.broker.views import Client
    from mqtt_ref.engine.message import Message
    from mqtt_ref.hooks.outcomes import Challenge, Decision
    from mqtt_ref.ports import InflightPut, QueuePut, ReceivedPut, RetainedPut, SessionPut, SubscriptionPut
    from mqtt_ref.wire.packets import Connect, Packet, Publish, Subscribe, Unsubscribe, Will

__all__ = ["Hook"]

T = TypeVar("T")

Told = Union[None, Awaitable[None]]  # noqa: UP007 - evaluated here, and None | ... is not a type
Answer = Union[T, None, Awaitable[Union[T, None]]]  # noqa: UP007


class Hook:
    """Base class of hooks: override the events that you want, and add the hook with `Server.add_hook`.

    Hooks are called in the order in which they were added. They are plain Python, also when the broker is compiled. A
    method may be `async def` unless its event says otherwise. If the broker needs the answer, only that connection
    waits, at most `bounds.hook_timeout` seconds. A plain method runs on the event loop: it must not block.

    What a handler raises is logged with the hook's `id` and goes no further; each event says what happens then.
    Packets that are passed in belong to the broker: to change one, return a changed copy. The broker validates it like
    a packet from a client. An illegal packet is logged and counts as raised.
    """

    id: str = ""
    """The name in the log; empty: the name of the class."""
    auth_methods: frozenset[str] = frozenset()
    """The Authentication Methods that `on_auth_packet` of this hook handles."""
    filters_only: bool = False
    """True if the answer of `on_acl_check` for a filter is valid for every topic that the filter matches.

    Must be True if `on_acl_check` is `async def`: the broker cannot wait for it when it delivers a message.
    """

    _brokers: tuple[Broker, ...] = ()

    def rules_changed(self) -> None:
        """Discard the cached answers of `on_acl_check` in every server that has this hook.

        Call this on the server's loop when the answers change.
        """
        for broker in self._brokers:
            broker.rules_changed()

    # ---------------------------------------------------------------- the server

    @notify(by="server")
    def on_started(self) -> Told:
        """The server has started and its listeners are open, or the hook was added to a running server."""

    @notify(by="server")
    def on_stopped(self) -> Told:
        """The server has stopped, or the hook was removed from a running server."""

    @notify()
    def on_sys_info_tick(self, values: Mapping[str, str]) -> Told:
        """The `$SYS` values were updated. `values` has the published text by topic."""

    # ---------------------------------------------------------------- access

    @decide(fails="the client is refused with 0x80")
    def on_connect(self, client: Client, connect: Connect) -> Told:
        """A legal CONNECT arrived; the client is not authenticated yet. Raise `Reject` to refuse it."""

    @decide(fails="denied", by="access")
    def on_connect_authenticate(self, client: Client, connect: Connect) -> Answer[bool | Decision]:
        """Decide if a client may connect: return `True`, `False` or a `Decision`. None leaves it to the next hook.

        If no hook decides, the client is refused. Clients with an Authentication Method go to `on_auth_packet` instead.
        """

    @decide(fails="denied", by="access")
    def on_auth_packet(
        self, client: Client, method: str, data: bytes | None, renewal: bool
    ) -> Answer[Challenge | Decision]:
        """Answer one step of enhanced authentication with one of this hook's `auth_methods` (section 4.12).

        `data` is the Authentication Data of the CONNECT, later that of each AUTH of the client. `renewal` is True if
        the client is already connected and re-authenticates.
        """

    @decide(fails="denied", by="access")
    def on_acl_check(self, client: Client, topic: str, write: bool) -> Answer[bool]:
        """Decide if a client may publish to a topic (`write`) or read it. None leaves it to the next hook.

        If no hook decides, access is denied. With `write` it is asked for every PUBLISH and for the will of a CONNECT.
        QoS 0 messages that arrive together with the same topic are asked about once. For reading it is asked for each
        filter of a SUBSCRIBE (without `$share/name/`), and again for each topic that is delivered. The answer for a
        delivered topic is cached until `rules_changed` is called or the client connects again.

        An `async def` method is not asked about delivered topics. Its hook must set `filters_only = True`, or it
        cannot be added. Its answer for the filter then applies to these topics unless a plain method of another hook
        decides, also when another user resumes the session.
        """

    # ---------------------------------------------------------------- connections

    @notify()
    def on_session_establish(self, client: Client, connect: Connect) -> Told:
        """The client may connect and is about to get its session. An older connection of it may still be open."""

    @notify()
    def on_session_established(self, client: Client, session_present: bool) -> Told:
        """The client has its session, and the CONNACK is being sent."""

    @notify()
    def on_disconnect(self, client: Client, reason_code: int, text: str) -> Told:
        """A connected client is gone. Code 0 and no text: it sent a normal DISCONNECT.

        Otherwise `reason_code` is the code that was sent or received, 0 if there was none, and `text` is the reason.
        """

    @transform(fails="the connection is closed with 0x80")
    def on_packet_read(self, client: Client, packet: Packet) -> Answer[Packet]:
        """A legal packet arrived and is not handled yet. Return another packet of the same type to change it.

        Raise `Reject` to close the connection with that Reason Code, or `Drop` to ignore the packet. For a CONNECT, the
        client is not yet known by its identifier.
        """

    @transform(fails="the packet is sent unchanged", waits=False, by="output")
    def on_packet_encode(self, client: Client, packet: Packet) -> Packet | None:
        """A packet is about to be sent. Return another one of the same type, Packet Identifier and QoS to change it.

        The packet is decoded for this hook and, if changed, encoded for this client alone. Never `async def`.
        """

    @notify(waits=False)
    def on_packet_sent(self, client: Client, packet: Packet, data: bytes) -> None:
        """A packet is passed to the transport, encoded as `data`. Never `async def`."""

    @notify()
    def on_packet_processed(self, client: Client, packet: Packet) -> Told:
        """A packet of the client was handled, with any outcome."""

    # ---------------------------------------------------------------- subscriptions

    @transform(fails="all filters are refused with 0x80")
    def on_subscribe(self, client: Client, packet: Subscribe) -> Answer[Subscribe]:
        """A SUBSCRIBE arrived. Access is checked for the returned packet. Raise `Reject` to refuse all its filters.

        The number of filters must stay the same, because the SUBACK has a code for each.
        """

    @notify()
    def on_subscribed(self, client: Client, packet: Subscribe, reason_codes: list[int]) -> Told:
        """The SUBACK is being sent: one code for each filter, as in 5.0. Retained messages follow.

        A refused filter has its Reason Code, even if the SUBACK grants it (`unauthorized_subscribe`).
        """

    @transform(fails="the message is not delivered", waits=False)
    def on_select_subscribers(self, message: Message, selection: Selection) -> Selection | None:
        """A message is about to be delivered. Return a changed `Selection` to choose who gets it. Never `async def`."""

    @transform(fails="the packet is used unchanged")
    def on_unsubscribe(self, client: Client, packet: Unsubscribe) -> Answer[Unsubscribe]:
        """An UNSUBSCRIBE arrived. Raise `Reject` to refuse all its filters; a 3.x client cannot see the refusal.

        The number of filters must stay the same, because the UNSUBACK has a code for each.
        """

    @notify()
    def on_unsubscribed(self, client: Client, packet: Unsubscribe, reason_codes: list[int]) -> Told:
        """The UNSUBACK is being sent: one code for each filter, as in 5.0."""

    # ---------------------------------------------------------------- messages

    @transform(fails="the message is refused with 0x80")
    def on_publish(self, client: Client, packet: Publish) -> Answer[Publish]:
        """A permitted PUBLISH arrived, with its full Topic Name. Return a changed one to deliver that instead.

        Raise `Reject` to refuse it, or `Drop` to acknowledge it without delivering it. A change has no effect on the
        acknowledgement. A hook may choose any topic: access was checked for the topic of the client.
        """

    @notify()
    def on_published(self, client: Client | None, message: Message, matched: bool) -> Told:
        """A message was delivered or queued. `matched`: it had a recipient. Without client: a message of the server."""

    @notify()
    def on_publish_dropped(self, client: Client | None, message: Message, reason: str) -> Told:
        """A subscriber does not get a message. Without client: no member of a shared group gets it.

        Reasons: `queue_full`, `slow`, `too_large`, `expired`, `offline` (QoS 0), `denied`, `unshared`, `memory`.
        """

    @notify()
    def on_retain_message(self, client: Client | None, message: Message, stored: bool) -> Told:
        """The retained message of a topic was replaced (`stored`) or removed by this message."""

    @notify()
    def on_retain_published(self, client: Client, message: Message) -> Told:
        """A retained message is sent to a client that has subscribed."""

    @notify()
    def on_qos_publish(self, client: Client, message: Message, packet_id: int, resent: bool) -> Told:
        """A message is sent to a client with QoS 1 or 2. `resent`: it is sent again because the session was resumed."""

    @notify()
    def on_qos_complete(self, client: Client, message: Message, packet_id: int) -> Told:
        """The client has acknowledged a message completely; the Packet Identifier is free."""

    @notify()
    def on_qos_dropped(self, client: Client, message: Message, packet_id: int, reason: str) -> Told:
        """A message in flight is given up. Reasons: `expired`, `too_large`, `session_ended`."""

    @notify()
    def on_packet_id_exhausted(self, client: Client, message: Message) -> Told:
        """All Packet Identifiers of a client are in use: the message waits until one is free."""

    # ---------------------------------------------------------------- wills and expiry

    @transform(fails="the will is not published")
    def on_will(self, client: Client, will: Will) -> Answer[Will]:
        """A Will Message is due. Return a changed one, or raise `Drop` or `Reject` to publish none."""

    @notify()
    def on_will_sent(self, client: Client, message: Message) -> Told:
        """A Will Message was published."""

    @notify()
    def on_client_expired(self, client: Client) -> Told:
        """The session of a disconnected client has expired."""

    @notify()
    def on_retained_expired(self, topic: str) -> Told:
        """A retained message has expired."""

    # ---------------------------------------------------------------- stored state

    @load()
    def stored_clients(self) -> Answer[Iterable[SessionPut]]:
        """Return the stored sessions."""

    @load()
    def stored_subscriptions(self) -> Answer[Iterable[SubscriptionPut]]:
        """Return the subscriptions of the stored sessions."""

    @load()
    def stored_inflight_messages(self) -> Answer[Iterable[InflightPut | QueuePut | ReceivedPut]]:
        """Return the in-flight and queued messages, and the Packet Identifiers of received QoS 2 messages."""

    @load()
    def stored_retained_messages(self) -> Answer[Iterable[RetainedPut]]:
        """Return the retained messages."""

    @load()
    def stored_sys_info(self) -> Answer[Mapping[str, int]]:
        """Return the stored counters, by their name in `mqtt_ref.engine.counters`."""

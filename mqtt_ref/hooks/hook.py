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
    """Override the events you want, in plain Python, also when the broker is compiled; add with `Server.add_hook`.

    Hooks are called in the order in which they were added. A method may be `async def` unless its event says otherwise:
    where the broker needs the answer, the connection waits for it (nobody else does), at most as long as
    `bounds.hook_timeout` says. A plain method runs on the event loop: it must not block.

    What a handler raises is logged with the hook's `id` and reaches nobody else; each event says what follows. Packets
    that are handed in belong to the broker: to change one, return a changed copy. What comes back is checked like
    anything that a client sends; an illegal packet is logged and counts as raised.
    """

    id: str = ""
    """The name in the log; empty: the name of the class."""
    auth_methods: frozenset[str] = frozenset()
    """The Authentication Methods that `on_auth_packet` of this hook is for."""
    filters_only: bool = False
    """Whether what `on_acl_check` says of a filter holds for every topic that the filter matches.

    It has to be True where `on_acl_check` is `async def`: nothing can wait for it when a topic is delivered.
    """

    _brokers: tuple[Broker, ...] = ()

    def rules_changed(self) -> None:
        """Call this, on the server's loop, when `on_acl_check` would answer otherwise than before.

        What was remembered of its answers is forgotten, in every server that has this hook.
        """
        for broker in self._brokers:
            broker.rules_changed()

    # ---------------------------------------------------------------- the server

    @notify(by="server")
    def on_started(self) -> Told:
        """The server is started and its listeners are open, or the hook was added to one that runs."""

    @notify(by="server")
    def on_stopped(self) -> Told:
        """The server has stopped, or the hook was removed from one that runs."""

    @notify()
    def on_sys_info_tick(self, values: Mapping[str, str]) -> Told:
        """The `$SYS` values were worked out anew: by topic, as they are published."""

    # ---------------------------------------------------------------- who may do what

    @decide(fails="the client is refused with 0x80")
    def on_connect(self, client: Client, connect: Connect) -> Told:
        """A CONNECT came that is legal; nobody has been asked yet who the client is. Raise `Reject` to refuse it."""

    @decide(fails="denied", by="access")
    def on_connect_authenticate(self, client: Client, connect: Connect) -> Answer[bool | Decision]:
        """May this client connect? `True`, `False` or a `Decision`; None leaves it to the next hook.

        When no hook decides, the answer is no. Not asked for clients with an Authentication Method: `on_auth_packet`.
        """

    @decide(fails="denied", by="access")
    def on_auth_packet(
        self, client: Client, method: str, data: bytes | None, renewal: bool
    ) -> Answer[Challenge | Decision]:
        """A step of enhanced authentication by one of this hook's `auth_methods` (section 4.12).

        First with the Authentication Data of the CONNECT, then with that of each AUTH of the client; `renewal` says
        that the client is connected and authenticates again.
        """

    @decide(fails="denied", by="access")
    def on_acl_check(self, client: Client, topic: str, write: bool) -> Answer[bool]:
        """May this client publish to the topic (`write`), or read it? None leaves it to the next hook.

        When no hook decides, the answer is no. Asked with `write` for every PUBLISH (once for messages with QoS 0 that
        came together and have one topic) and for the will of a CONNECT; to read, for each filter of a SUBSCRIBE
        (without `$share/name/`) and again for each topic that is delivered, where the answer is kept until
        `rules_changed` or the client comes anew.

        A hook whose method is `async def` has to say `filters_only = True`, or it cannot be added: it is not asked
        about topics that are delivered. Unless a plain method of another hook decides, what it said of the filter
        holds for them, also when the session is taken up by another user.
        """

    # ---------------------------------------------------------------- connections

    @notify()
    def on_session_establish(self, client: Client, connect: Connect) -> Told:
        """The client may connect, and is about to get its session; another connection of it is still there."""

    @notify()
    def on_session_established(self, client: Client, session_present: bool) -> Told:
        """The client has its session, and its CONNACK is on its way."""

    @notify()
    def on_disconnect(self, client: Client, reason_code: int, text: str) -> Told:
        """A client that had connected is gone; 0 and no text: it said goodbye.

        Otherwise the Reason Code that it gave or was given, or 0 where there is none, and why in words.
        """

    @transform(fails="the connection is closed with 0x80")
    def on_packet_read(self, client: Client, packet: Packet) -> Answer[Packet]:
        """A legal packet came; nothing has been done about it. Return another one of its kind to change it.

        Raise `Reject` to close the connection with that Reason Code, `Drop` to take no notice of the packet. Of a
        CONNECT, the client is not known by its identifier yet.
        """

    @transform(fails="the packet goes out unchanged", waits=False, by="output")
    def on_packet_encode(self, client: Client, packet: Packet) -> Packet | None:
        """A packet is about to be sent. Return another one of its kind, with the same identifier and QoS, to change it.

        What it sees is decoded and, if changed, encoded for this client alone. Never `async def`.
        """

    @notify(waits=False)
    def on_packet_sent(self, client: Client, packet: Packet, data: bytes) -> None:
        """A packet is handed to the transport, encoded as `data`. Never `async def`."""

    @notify()
    def on_packet_processed(self, client: Client, packet: Packet) -> Told:
        """A packet of the client was dealt with, whatever came of it."""

    # ---------------------------------------------------------------- subscriptions

    @transform(fails="all filters are refused with 0x80")
    def on_subscribe(self, client: Client, packet: Subscribe) -> Answer[Subscribe]:
        """A SUBSCRIBE came; access is checked for what this returns. Raise `Reject` to refuse all its filters.

        The number of filters has to stay the same, since the SUBACK answers each.
        """

    @notify()
    def on_subscribed(self, client: Client, packet: Subscribe, reason_codes: list[int]) -> Told:
        """The SUBACK is on its way: one code for each filter, as in 5.0; retained messages follow."""

    @transform(fails="nobody gets the message", waits=False)
    def on_select_subscribers(self, message: Message, selection: Selection) -> Selection | None:
        """Who gets a message, before it is delivered. Return a changed `Selection`. Never `async def`."""

    @transform(fails="the packet is taken unchanged")
    def on_unsubscribe(self, client: Client, packet: Unsubscribe) -> Answer[Unsubscribe]:
        """An UNSUBSCRIBE came. Raise `Reject` to refuse all its filters, of which 3.x clients cannot be told.

        The number of filters has to stay the same, since the UNSUBACK answers each.
        """

    @notify()
    def on_unsubscribed(self, client: Client, packet: Unsubscribe, reason_codes: list[int]) -> Told:
        """The UNSUBACK is on its way: one code for each filter, as in 5.0."""

    # ---------------------------------------------------------------- messages

    @transform(fails="the message is refused with 0x80")
    def on_publish(self, client: Client, packet: Publish) -> Answer[Publish]:
        """A PUBLISH that the client may send, with its full topic name. What this returns is delivered.

        Raise `Reject` to refuse it, `Drop` to acknowledge it and deliver it to nobody. What is changed does not change
        how the client is answered. A hook may publish anywhere: access was checked for what the client asked.
        """

    @notify()
    def on_published(self, client: Client | None, message: Message, matched: bool) -> Told:
        """A message was delivered or queued, to anybody if `matched`; without client, one of the server itself."""

    @notify()
    def on_publish_dropped(self, client: Client | None, message: Message, reason: str) -> Told:
        """A subscriber does not get a message; without client, nobody of a shared group does.

        Reasons: `queue_full`, `slow`, `too_large`, `expired`, `offline` (QoS 0), `denied`, `unshared`.
        """

    @notify()
    def on_retain_message(self, client: Client | None, message: Message, stored: bool) -> Told:
        """The retained message of a topic was replaced (`stored`) or removed by this message."""

    @notify()
    def on_retain_published(self, client: Client, message: Message) -> Told:
        """A retained message goes to a client that has subscribed."""

    @notify()
    def on_qos_publish(self, client: Client, message: Message, packet_id: int, resent: bool) -> Told:
        """A message goes to a client with QoS 1 or 2; `resent`: again, since its session was resumed."""

    @notify()
    def on_qos_complete(self, client: Client, message: Message, packet_id: int) -> Told:
        """The client has acknowledged a message to the end; the packet identifier is free."""

    @notify()
    def on_qos_dropped(self, client: Client, message: Message, packet_id: int, reason: str) -> Told:
        """A message in flight is given up. Reasons: `expired`, `too_large`, `session_ended`."""

    @notify()
    def on_packet_id_exhausted(self, client: Client, message: Message) -> Told:
        """All packet identifiers of a client are in use: the message waits until one is free."""

    # ---------------------------------------------------------------- wills, and what expires

    @transform(fails="the will is not published")
    def on_will(self, client: Client, will: Will) -> Answer[Will]:
        """A Will Message is due. Return a changed one, or raise `Drop` or `Reject` to publish none."""

    @notify()
    def on_will_sent(self, client: Client, message: Message) -> Told:
        """A Will Message was published."""

    @notify()
    def on_client_expired(self, client: Client) -> Told:
        """The session of a client that was away has expired."""

    @notify()
    def on_retained_expired(self, topic: str) -> Told:
        """A retained message has expired."""

    # ---------------------------------------------------------------- what outlives the server

    @load()
    def stored_clients(self) -> Answer[Iterable[SessionPut]]:
        """The sessions to begin with."""

    @load()
    def stored_subscriptions(self) -> Answer[Iterable[SubscriptionPut]]:
        """The subscriptions of those sessions."""

    @load()
    def stored_inflight_messages(self) -> Answer[Iterable[InflightPut | QueuePut | ReceivedPut]]:
        """The messages in flight and waiting of those sessions, and the identifiers of QoS 2 messages taken in."""

    @load()
    def stored_retained_messages(self) -> Answer[Iterable[RetainedPut]]:
        """The retained messages."""

    @load()
    def stored_sys_info(self) -> Answer[Mapping[str, int]]:
        """The counters to go on from, by their name in `mqtt_ref.engine.counters`."""

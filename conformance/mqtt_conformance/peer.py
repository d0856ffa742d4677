# SPDX-License-Identifier: MIT
"""A client that a case controls packet by packet, and that can break the rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal, TypeVar, cast, overload

from mqtt_conformance.judging import Judging
from mqtt_conformance.record import PER_PACKET, Record, Run
from mqtt_conformance.retries import Retries
from mqtt_conformance.rules import ALIKE, CONNACK, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, Rules
from mqtt_conformance.strangers import Strangers
from mqtt_conformance.target import Stream, Target
from mqtt_conformance.verdict import FLOOD, CaseEnd, Failed, Flooded, Inconclusive, Unsupported
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Auth,
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from mqtt_ref.wire.primitives import SERVER, V5
from mqtt_ref.wire.violation import Violation

__all__ = ["ANSWER", "CLOSED", "GOODBYE", "ClosedType", "Peer", "show"]

P = TypeVar("P")
ANSWER: Final = 3.0
"""The time, in seconds (times the factor), within which a broker has to answer. A fast broker does not use it up."""
SETTLE: Final = 0.05
"""The time, in seconds (times the factor), after a barrier until silence counts."""
GOODBYE: Final = 8.0
"""The time, in seconds (times the factor), for a broker to close after its DISCONNECT. The client may close first."""
RESENT: Final = 20.0
"""The time, in seconds (times the factor), for a broker to send something again on a resumed session. Used when a
failed case is tried again. The standards require the resend but set no time for it, and some brokers use a timer."""
PATIENCE: Final = 0.3
"""The time, in seconds (times the factor), that each step gets to take effect when a failed case is tried again."""


BUSY: Final = (0x88, 0x89, 0x9F)
"""The Reason Codes of a CONNACK that refuses every client: unavailable, busy, connection rate exceeded."""
UNAVAILABLE: Final = (3,)
"""The return code of 3.1 and 3.1.1 for an unavailable server."""
ROUNDED: Final = 1.0
"""The time, in seconds, by which a session may end early, as a server may count in whole seconds."""


class ClosedType:
    """The result of `expect` if the broker closed the connection and the case allows that."""

    def __repr__(self) -> str:
        return "CLOSED"


CLOSED: Final = ClosedType()


class Peer(Judging):
    """One client of the broker under test. A case gets one that is not connected, and creates more with `another`.

    Everything it sends and receives is recorded. Messages that do not concern the case are acknowledged and passed
    over: a case sees only those on its own topics, or that match a filter it subscribed to. A wait ends as soon as its
    condition holds. Its full time passes only if the broker does not do what it should, or to detect silence.
    """

    def __init__(self, run: Run, target: Target, version: int, name: str = "client") -> None:
        self.run, self.target, self.version, self.name = run, target, version, name
        self.client_id = f"{run.prefix}{name}"[:23]
        self.decoder = Decoder(version, SERVER, go_on=True)
        self.inbox: list[Packet | Violation] = []
        self.connack: Connack | None = None
        self.closed = False
        self.mute = False
        """True if it answers nothing by itself, not even messages that are passed over. Set where silence counts."""
        self._strangers = Strangers(run, version, self.client_id)
        self._retries = Retries(version)
        self._lasts: tuple[str, int] | None = None
        self._ended = 0.0
        self._stream: Stream | None = None
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._next_id = 0
        run.peers.append(self)

    @property
    def stream(self) -> Stream | None:
        """The transport, for cases that test it."""
        return self._stream

    # ---------------------------------------------------------------- names

    def topic(self, tail: str = "t") -> str:
        """Return a topic that no other case uses."""
        return f"{self.run.topic_prefix}/{tail}"

    def another(self, name: str, version: int | None = None) -> Peer:
        """Return one more client, not connected yet."""
        return Peer(self.run, self.target, version or self.version, name)

    def packet_id(self) -> int:
        """Return a Packet Identifier that this peer has not used yet."""
        self._next_id += 1
        return self._next_id

    # ---------------------------------------------------------------- sending

    async def open(self) -> None:
        """Open the transport. `connect` and `send` do so when needed."""
        if self._reading is not None:
            await self.drop()
        self.decoder = Decoder(self.version, SERVER, go_on=True)
        self._strangers.opened()
        self._retries.opened()
        self.mute = False
        self.inbox.clear()
        self.closed, self._ended = False, 0.0
        self.connack = None
        self._stream = await self.target.open()
        self._record("opened")
        self._reading = asyncio.create_task(self._read(self._stream))

    async def send(self, *packets: Packet | bytes) -> None:
        """Send packets, or raw bytes, in one write. A packet too large for the broker ends the case."""
        if self._stream is None:
            await self.open()
        data = b""
        for packet in packets:
            if isinstance(packet, (Puback, Pubrec, Pubcomp)) and not packet.packet_id:
                # Another case says what QoS the message should have.
                raise Inconclusive(
                    "a message came with QoS 0, so there is nothing to acknowledge", expected="QoS 1, 2", seen="0"
                )
            raw = packet if isinstance(packet, bytes) else encode(self.version, packet)
            if not isinstance(packet, bytes):
                self._fits(packet, len(raw))
                self._strangers.sent(packet)
            self._retries.sent(packet)
            self._record("out", raw, packet)
            self.mute = self.mute or raw[:1] == b"\xe0"  # no packet may follow a DISCONNECT
            if isinstance(packet, Publish) and packet.retain and packet.payload:
                self.run.retained.add(packet.topic)
            if isinstance(packet, Connect) and packet.will is not None and packet.will.retain:
                self.run.retained.add(packet.will.topic)
            data += raw
        stream = self._stream
        assert stream is not None
        await stream.write(data)

    def connect_packet(
        self,
        *,
        clean: bool = True,
        keep_alive: int = 60,
        expiry: int | None = None,
        will: Will | None = None,
        properties: ConnectProperties | None = None,
        client_id: str | None = None,
    ) -> Connect:
        """Return a legal CONNECT of this peer, with the credentials of the target.

        `expiry` is the Session Expiry Interval of 5.0 in seconds. Other versions keep a session if `clean` is false.
        """
        if self.version == V5 and expiry is not None:
            properties = properties or ConnectProperties()
            properties.session_expiry_interval = expiry
        return Connect(
            self.client_id if client_id is None else client_id,
            protocol_version=self.version,
            clean_start=clean,
            keep_alive=keep_alive,
            username=self.target.username,
            password=self.target.password,
            will=will,
            properties=properties if self.version == V5 else None,
        )

    async def connect(
        self,
        *,
        clean: bool = True,
        keep_alive: int = 60,
        expiry: int | None = None,
        will: Will | None = None,
        properties: ConnectProperties | None = None,
        client_id: str | None = None,
    ) -> Connack:
        """Connect. Other cases check this step, so a refusal makes this case inconclusive."""
        await self.open()
        packet = self.connect_packet(
            clean=clean, keep_alive=keep_alive, expiry=expiry, will=will, properties=properties, client_id=client_id
        )
        await self.send(packet)
        reply = await self._next((Connack,), ANSWER)
        if not isinstance(reply, Connack) or reply.reason_code:
            raise Inconclusive(f"{self.name} was not accepted", expected="CONNACK 0x00", seen=show(reply))
        self.connack = reply
        over = self.run.over.pop(packet.client_id, None)
        if not clean and not reply.session_present and over is not None and time.monotonic() >= over:
            raise Inconclusive(
                "the server shortened the Session Expiry Interval, and the session has ended since",
                expected="Session Present 1", seen=show(reply),
            )  # fmt: skip
        self._shortened(packet, reply)
        return reply

    def _shortened(self, packet: Connect, reply: Connack) -> None:
        """Note that the server shortened the lifetime of the session."""
        asked = packet.properties.session_expiry_interval if packet.properties else None
        told = reply.properties.session_expiry_interval if reply.properties else None
        self._lasts = (packet.client_id, told) if told is not None and told < (asked or 0) else None

    async def accepted(self) -> Connack:
        """Return the CONNACK that accepts a CONNECT already sent.

        A refusal makes the case inconclusive, as in `connect`. If the case is about CONNACK, a refusal fails it.
        """
        reply = await self.expect(Connack, under=CONNACK)
        if reply.reason_code:
            seen = show(reply)
            if set(CONNACK) & set(self.run.statements):
                raise Failed(f"{self.name} was not accepted", expected="CONNACK 0x00", seen=seen)
            raise Inconclusive(f"{self.name} was not accepted", expected="CONNACK 0x00", seen=seen)
        self.connack = reply
        return reply

    def _fits(self, packet: Packet, size: int) -> None:
        limit = self.target.capabilities.maximum_packet_size
        if limit and size > limit and not isinstance(packet, Connect):
            raise Unsupported(f"the case needs a packet of {size} bytes, the broker takes {limit}")

    async def subscribe(
        self,
        *filters: str | Subscription,
        qos: int = 0,
        identifier: int | None = None,
        packet_id: int | None = None,
    ) -> Suback:
        """Subscribe. A refusal, or a lower QoS than requested, makes the case inconclusive."""
        entries = [f if isinstance(f, Subscription) else Subscription(f, qos) for f in filters]
        properties = SubscribeProperties(subscription_identifier=identifier) if identifier is not None else None
        await self.send(Subscribe(packet_id or self.packet_id(), entries, properties))
        reply = await self._next((Suback,), ANSWER)
        if not isinstance(reply, Suback) or any(code >= 0x80 for code in reply.reason_codes):
            raise Inconclusive(f"the subscription of {self.name} was refused", expected="SUBACK", seen=show(reply))
        if any(code < wanted.qos for code, wanted in zip(reply.reason_codes, entries, strict=False)):
            raise Inconclusive(
                f"{self.name} was granted a lower QoS than requested, which the standard allows",
                expected=", ".join(str(e.qos) for e in entries), seen=show(reply),
            )  # fmt: skip
        return reply

    async def unsubscribe(self, *filters: str) -> Unsuback:
        """Unsubscribe. A missing answer makes the case inconclusive."""
        await self.send(Unsubscribe(self.packet_id(), list(filters)))
        reply = await self._next((Unsuback,), ANSWER)
        if not isinstance(reply, Unsuback):
            raise Inconclusive("no UNSUBACK came", expected="UNSUBACK", seen=show(reply))
        return reply

    async def publish(
        self,
        topic: str,
        payload: bytes = b"payload",
        qos: int = 0,
        retain: bool = False,
        properties: PublishProperties | None = None,
        packet_id: int | None = None,
    ) -> int:
        """Publish with the whole handshake of the QoS. Return the Packet Identifier (0 for QoS 0)."""
        number = (packet_id or self.packet_id()) if qos else 0
        await self.send(Publish(topic, payload, qos, retain, packet_id=number, properties=properties))
        if qos == 1:
            await self._acknowledged(Puback, number)
        elif qos == 2:
            await self._acknowledged(Pubrec, number)
            await self.send(Pubrel(number))
            await self._acknowledged(Pubcomp, number)
        await self._settle()
        return number

    async def _acknowledged(self, kind: type[Puback] | type[Pubrec] | type[Pubcomp], number: int) -> None:
        kinds = (Puback, Pubrec) if kind is not Pubcomp else (Puback, Pubcomp)
        reply = await self._next(kinds, ANSWER, lambda p: getattr(p, "packet_id", 0) == number)
        if isinstance(reply, kind) and reply.reason_code < 0x80:
            return
        if isinstance(reply, kinds) and not isinstance(reply, kind):
            rules = {Puback: PUBACK, Pubrec: PUBREC, Pubcomp: PUBCOMP}[kind]
            wanted = kind.__name__.upper()
            raise self.blame(rules, "the wrong kind of acknowledgement", expected=wanted, seen=show(reply))
        raise Inconclusive("the message was not accepted", expected=kind.__name__.upper(), seen=show(reply))

    async def disconnect(self, packet: Disconnect | bytes | None = None) -> None:
        """Send DISCONNECT and wait until the broker closes. Close if it does not."""
        if self._stream is None or self.closed:
            return
        await self.send(packet or Disconnect())
        await self._stream.finish()
        with suppress(Flooded):
            await self._wait(lambda: self.closed, 1.0)
        await self.drop(record=False)
        await self._settle()

    async def drop(self, *, reset: bool = False, record: bool = True) -> None:
        """Close the link without a DISCONNECT. With `reset` the link breaks as in a network failure."""
        if self._stream is None:
            return
        if self._lasts is not None:
            client_id, seconds = self._lasts
            self.run.over[client_id] = (self._ended or time.monotonic()) + seconds - ROUNDED
            self._lasts = None
        if record:
            self._record("reset" if reset else "dropped")
        if reset:
            self._stream.abort()
        else:
            await self._stream.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._stream = self._reading = None
        self.closed = True
        if record:
            await self._settle()

    async def _settle(self) -> None:
        """Give a step time to take effect when the case is tried again. No rule says how fast a broker has to be."""
        if self.run.patient:
            self.run.extend(PATIENCE * self.target.factor)
            await asyncio.sleep(PATIENCE * self.target.factor)

    async def restart(self, *, kill: bool = False) -> None:
        """Let the profile stop the broker and start it again. With `kill` it is killed instead of shut down cleanly.

        No connection is open afterwards.

        Raises:
            ProfileError: the profile's command failed.
            TargetError: the broker does not accept connections again.
        """
        begun = time.monotonic()
        if self.run.outage is not None:
            await self.run.outage.wait()
            self.run.extend(time.monotonic() - begun)
        else:
            await self.run.profile.command("kill" if kill else "restart")
        self._record("killed" if kill else "restarted")
        for peer in self.run.peers:
            await peer.drop(record=False)
        await self.target.ready()

    # ---------------------------------------------------------------- seeing

    @overload
    async def expect(
        self,
        kind: type[P],
        *,
        where: Callable[[P], bool] | None = None,
        within: float = ANSWER,
        say: str = "",
        under: Rules = (),
    ) -> P: ...
    @overload
    async def expect(
        self,
        kind: type[P],
        *,
        or_closed: Literal[True],
        where: Callable[[P], bool] | None = None,
        within: float = ANSWER,
        say: str = "",
        under: Rules = (),
    ) -> P | ClosedType: ...
    async def expect(
        self,
        kind: type[P],
        *,
        or_closed: bool = False,
        where: Callable[[P], bool] | None = None,
        within: float = ANSWER,
        say: str = "",
        under: Rules = (),
    ) -> P | ClosedType:
        """Return the next packet. It has to be of this kind (and satisfy `where`); anything else fails the case.

        `under` names the rule to blame if the case is about another one.

        With `or_closed` a close returns `CLOSED`, also after a DISCONNECT, except before a CONNACK. `within` is in
        seconds, times the factor.
        """
        found = await self._next(None, within)
        if or_closed and isinstance(found, Disconnect) and kind not in (Connack, Disconnect):
            await self._wait(lambda: self.closed, GOODBYE)
            found = CLOSED if self.closed else found
        if isinstance(found, ClosedType) and or_closed:
            return found
        if isinstance(found, kind) and (where is None or where(found)):
            return found
        wanted = say or kind.__name__.upper()
        proven = kind is Connack and found is not None and not isinstance(found, (ClosedType, Auth))
        raise self.blame(under, f"expected {wanted}", expected=wanted, seen=show(found), proven=proven)

    async def find(
        self,
        kind: type[P],
        *,
        where: Callable[[P], bool] | None = None,
        within: float = ANSWER,
        say: str = "",
        under: Rules = (),
    ) -> P:
        """Return the next packet of this kind that satisfies `where`. The others stay in the inbox."""
        found = await self._next((kind,), within, cast("Callable[[object], bool] | None", where))
        if isinstance(found, kind):
            return found
        wanted = say or kind.__name__.upper()
        raise self.blame(under, f"expected {wanted}", expected=wanted, seen=show(found))

    async def again(
        self,
        kind: type[P],
        *,
        where: Callable[[P], bool] | None = None,
        within: float = ANSWER,
        say: str = "",
        under: Rules = (),
    ) -> P:
        """Like `find`, for a packet that the broker has to send again because the session continues.

        No standard says how soon it has to come. A packet that comes late makes the case inconclusive.
        """
        fits = cast("Callable[[object], bool] | None", where)
        found = await self._next((kind,), within, fits)
        wanted = say or kind.__name__.upper()
        if found is None and self.run.patient:
            begun = time.monotonic()
            self.run.extend(RESENT * self.target.factor)
            found = await self._next((kind,), RESENT, fits)
            if isinstance(found, kind):
                took = time.monotonic() - begun + within * self.target.factor
                raise Inconclusive(
                    f"{wanted} comes on the resumed session, but {took:.0f} s later; the standard sets no time for it",
                    expected=wanted, seen=show(found),
                )  # fmt: skip
        if isinstance(found, kind):
            return found
        raise self.blame(under, f"expected {wanted}", expected=wanted, seen=show(found))

    async def messages(
        self,
        count: int,
        *,
        acknowledge: bool = True,
        within: float = ANSWER,
        again: bool = False,
        under: Rules = (),
    ) -> list[Publish]:
        """Return the next `count` messages, and acknowledge them as their QoS requires.

        Fewer messages fail the case, or blame `under`. With `again` they are expected a second time, on a resumed
        session, which may take its time. Without `acknowledge` fewer messages make the case inconclusive: a broker may
        have less in flight than its client allows.

        Cites: MQTT5-4.9.0-1
        """
        out: list[Publish] = []
        while len(out) < count:
            if out and not acknowledge and not await self.comes(Publish, within):
                raise Inconclusive(f"the broker has no more than {len(out)} messages in flight to a client")
            get = self.again if again else self.find
            message = await get(Publish, within=within, say=f"message {len(out) + 1} of {count}", under=under)
            out.append(message)
            if acknowledge:
                await self.acknowledge(message)
        return out

    async def comes(self, kind: type[object], within: float = ANSWER) -> bool:
        """True if a packet of this kind is there or comes in time. An illegal packet counts too."""

        def there() -> bool:
            return any(isinstance(p, (kind, Violation)) for p in self.inbox)

        await self._wait(lambda: self.closed or there(), within)
        return there()

    async def acknowledge(self, message: Publish) -> None:
        """Acknowledge a message as its QoS requires, through PUBCOMP."""
        if message.qos == 1:
            await self.send(Puback(message.packet_id))
        elif message.qos == 2:
            await self.send(Pubrec(message.packet_id))
            await self.find(Pubrel, where=lambda p: p.packet_id == message.packet_id, under=PUBREL)
            await self.send(Pubcomp(message.packet_id))

    async def barrier(self) -> None:
        """Wait until the broker has answered everything sent so far on this connection."""
        await self.send(Pingreq())
        reply = await self._next((Pingresp,), ANSWER)
        if not isinstance(reply, Pingresp):
            under = () if reply is CLOSED else PINGRESP
            raise self.blame(under, "the broker does not answer a PINGREQ", expected="PINGRESP", seen=show(reply))

    async def served(self) -> None:
        """Check that the broker still serves the connection: a barrier for cases that are about it."""
        await self.send(Pingreq())
        reply = await self._next((Pingresp,), ANSWER)
        if not isinstance(reply, Pingresp):
            raise Failed("the broker no longer serves the connection", expected="PINGRESP", seen=show(reply))

    async def quiet(self) -> None:
        """Wait until the broker has answered everything, or closed. Both are allowed."""
        await self.send(Pingreq())
        await self._wait(lambda: self.closed or any(isinstance(p, Pingresp) for p in self.inbox), ANSWER)

    async def silent(
        self, kind: type[object] = Publish, *, settle: float = SETTLE, under: Rules = (), proven: bool = False
    ) -> None:
        """Check that nothing of this kind comes before a barrier, nor for `settle` seconds (times the factor) after it.

        Set `proven` (see `Failed`) if no earlier step can still be taking effect. `under` is as in `expect`.
        """
        await self.barrier()
        await self._wait(lambda: any(isinstance(p, kind) for p in self.inbox), settle)
        found = next((p for p in self.inbox if isinstance(p, kind)), None)
        if found is not None:
            wanted = f"no {kind.__name__.upper()} should come"
            raise self.blame(under, wanted, expected="nothing", seen=show(found), proven=proven)

    async def expect_closed(self, *, within: float = ANSWER, under: Rules = ()) -> Packet | None:
        """Wait until the broker closes. Return the CONNACK or DISCONNECT that it sent before, if any.

        Other packets before the close are ignored, since they may have been sent earlier. `under` is as in `expect`.
        """
        await self._wait(lambda: self.closed, within)
        if not self.closed and any(isinstance(p, Disconnect) for p in self.inbox):
            await self._wait(lambda: self.closed, GOODBYE)
        wrong = next((p for p in self.inbox if isinstance(p, Violation)), None)
        if wrong is not None:
            raise self.illegal(wrong)
        if not self.closed:
            seen = ", ".join(show(p) for p in self.inbox) or "the connection stays open"
            raise self.blame(under, "the broker has to close the connection", expected="closed", seen=seen)
        last = next((p for p in reversed(self.inbox) if isinstance(p, (Connack, Disconnect))), None)
        self.inbox.clear()
        self._available(last)
        return last

    # ---------------------------------------------------------------- inside

    async def _next(
        self, kinds: tuple[type, ...] | None, within: float, where: Callable[[object], bool] | None = None
    ) -> Packet | Violation | ClosedType | None:
        """Take the first packet that fits from the inbox. None after the timeout. A close ends the wait."""

        def fits(packet: object) -> bool:
            if kinds is None or isinstance(packet, Violation):
                return True
            return isinstance(packet, kinds) and (where is None or where(packet))

        def first() -> int:
            return next((i for i, p in enumerate(self.inbox) if fits(p)), -1)

        await self._wait(lambda: first() >= 0 or self.closed, within)
        at = first()
        if at < 0:
            return CLOSED if self.closed else None
        packet = self.inbox.pop(at)
        if isinstance(packet, Violation):
            raise self.illegal(packet)
        if isinstance(packet, (Suback, Unsuback)):
            await self._settle()
        self._available(packet)
        return packet

    def _available(self, packet: object) -> None:
        """End the case if a CONNACK says that the broker currently serves no client."""
        if isinstance(packet, Connack) and packet.reason_code in (BUSY if self.version == V5 else UNAVAILABLE):
            raise Inconclusive("the broker says that it is unavailable", expected="CONNACK", seen=show(packet))

    def illegal(self, packet: Violation) -> CaseEnd:
        """Return how a case ends that saw an illegal packet."""
        self.run.violations.append(packet)
        return self.blame(
            (packet.statement, *ALIKE.get((packet.statement, packet.packet), ())),
            f"the broker sent a packet that breaks {packet.statement}",
            proven=True,
            expected="a legal packet",
            seen=f"{packet.statement} broken at byte {packet.offset} ({packet.field or 'end'})",
        )

    async def _wait(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds * self.target.factor
        while not done():
            if self.run.flooded:
                raise Flooded
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                return

    async def _read(self, stream: Stream) -> None:
        while data := await self._data(stream):
            self.run.received += len(data)
            for packet in [] if self.run.flooded else self.decoder.feed(data):
                self.run.received += PER_PACKET
                if self.run.flooded:
                    break
                if isinstance(packet, Violation):
                    self._record("in", data, packet)
                    if not self._is_foreign(packet, data):
                        self.inbox.append(packet)
                    continue
                raw = encode(self.version, packet)
                self._record("in", raw, packet)
                if self._retries.repeats(packet):
                    self.run.repeats += 1
                    continue
                seen, answer = self._strangers.sort(packet, len(raw))
                self.inbox += seen
                if answer is not None and not self.mute:
                    raw = encode(self.version, answer)
                    self._retries.sent(answer)
                    self._record("out", raw, answer)
                    await stream.write(raw)
            if self.run.flooded:
                self._record("flooded")
                stream.abort()
                for peer in self.run.peers:
                    peer._news.set()
                return
            self._news.set()
        self._record("closed")
        self.closed, self._ended = True, time.monotonic()
        self._news.set()

    async def _data(self, stream: Stream) -> bytes:
        try:
            return await stream.read()
        except Flooded:
            self.run.received += FLOOD
            return b"\0"  # no packet: it is not decoded

    def _is_foreign(self, packet: Violation, data: bytes) -> bool:
        """True if a broken PUBLISH is a message of another case, received through a filter like `#`."""
        return packet.packet == Publish.TYPE and self.run.topic_prefix.encode() not in data

    def _record(self, what: str, raw: bytes = b"", packet: object = None) -> None:
        self.run.trace.append(Record(time.monotonic() - self.run.started, self.name, what, raw, packet))


def show(packet: object) -> str:
    """Return what came, as a report shows it."""
    return "nothing in time" if packet is None else "the connection closed" if packet is CLOSED else repr(packet)

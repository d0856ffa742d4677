# SPDX-License-Identifier: MIT
"""One Network Connection as data: what it has agreed on, what it may send, and its output."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mqtt_ref.engine.effects import Note
from mqtt_ref.engine.generated.auth import UNUSED
from mqtt_ref.engine.generated.connection import AWAIT_CONNECT
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.primitives import CLIENT, MAXIMUM_PACKET_SIZE, V5

if TYPE_CHECKING:
    from mqtt_ref.engine.hub import Hub
    from mqtt_ref.engine.intercept import Pending
    from mqtt_ref.engine.options import Capabilities
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Connect, Packet
    from mqtt_ref.wire.violation import Violation

__all__ = ["GOODBYE", "LOST", "TAKEN", "TAKEN_CLEAN", "Gate", "Link"]

# How a connection ended, for its will and its session.
GOODBYE: Final = 1
"""DISCONNECT with reason 0x00, or any DISCONNECT of 3.x."""
LOST: Final = 2
"""Any other end."""
TAKEN: Final = 3
"""A new connection goes on with the session."""
TAKEN_CLEAN: Final = 4
"""A new connection starts the session afresh."""


class Gate:
    """Output that waits for a batch."""

    __slots__ = ("acks", "batch", "out")

    def __init__(self, batch: int, out: list[bytes], acks: int) -> None:
        self.batch = batch
        self.out = out
        self.acks = acks


class Link:
    """The state of one Network Connection; `Connection` adds the protocol on it."""

    __slots__ = (
        "acks",
        "alias_in",
        "alias_in_maximum",
        "alias_out",
        "alias_out_maximum",
        "auth_deadline",
        "auth_state",
        "base",
        "behind",
        "burst",
        "choked",
        "clean_start",
        "client_id",
        "connect",
        "connect_by",
        "deadline",
        "decoder",
        "ending",
        "fast",
        "gates",
        "gone",
        "heard",
        "held",
        "held_bytes",
        "how",
        "hub",
        "keep_alive",
        "keep_alive_seconds",
        "lasting",
        "limit",
        "listener",
        "method",
        "offered",
        "opened",
        "out",
        "patient",
        "peer_certificate",
        "pending",
        "problem_information",
        "question",
        "queued",
        "quota",
        "quota_maximum",
        "ready",
        "reason_code",
        "reason_text",
        "receive_maximum",
        "receiving",
        "remote",
        "response_information",
        "serial",
        "session",
        "state",
        "touched",
        "unsettled",
        "username",
        "version",
        "view",
        "will_denied",
    )

    def __init__(self, hub: Hub, serial: int, now: int, listener: str, remote: str) -> None:
        self.hub = hub
        self.serial = serial
        self.listener = listener
        self.remote = remote
        self.opened = now
        self.offered: Capabilities = hub.options.capabilities
        """What the server offers this client: its capabilities, or fewer where its listener says so."""
        self.peer_certificate: dict[str, object] | None = None
        """What the client's certificate says, as `ssl` gives it, if one was asked for and sent."""
        self.connect_by = 0
        """When the CONNECT has to be there, or 0."""
        self.decoder = Decoder(0, CLIENT, hub.options.capabilities.maximum_packet_size, hub.tables.go_on)
        self.state: int = AWAIT_CONNECT
        self.base = 0
        """`state` times the width of the table of connections."""
        self.version = 0
        self.client_id = ""
        self.username = ""
        self.session: Session | None = None
        self.connect: Connect | None = None
        """The CONNECT, until it is answered; with enhanced authentication, to the end."""

        self.out: list[bytes] = []
        self.queued = False
        """Whether it stands in `hub.dirty`."""
        self.ready: list[bytes] | None = None
        """Output that waited for a batch and may go now, before `out`."""
        self.ending = False
        """Whether nothing follows what is queued."""
        self.patient = False
        """Whether closing is left to the client for a while."""
        self.how: int = LOST
        self.gates: deque[Gate] | None = None
        self.touched = 0
        """The batch that the output of this tick waits for, or 0."""
        self.acks = 0
        """PUBACKs in the output of this tick that wait for its batch."""
        self.unsettled = 0
        """PUBACKs that wait for a batch: messages that still count against our Receive Maximum."""

        self.fast: int = 0
        """Form of a plain QoS 0 message that may be queued as it is: 1 for 3.x, 2 for 5.0, 0 if more is to be done."""
        self.burst = 0
        """What the retained messages that were queued since the last write come to, in bytes."""
        self.choked = False
        """Whether the transport holds as much as it may."""
        self.limit: int = MAXIMUM_PACKET_SIZE
        self.quota = 0
        self.quota_maximum = 0
        self.receive_maximum = 0
        self.receiving = 0
        """QoS 2 messages of this connection that are not completed."""
        self.problem_information = True
        self.response_information = False
        self.alias_in: dict[int, str] | None = None
        self.alias_in_maximum = 0
        self.alias_out: dict[str, int] | None = None
        self.alias_out_maximum = 0
        self.will_denied = False
        """Whether the will is not published and the client not told: since 3.x cannot be told, or as decided."""

        self.keep_alive = 0
        """Nanoseconds of silence after which it is closed, or 0."""
        self.heard = now
        self.deadline = 0
        self.auth_state: int = UNUSED
        self.auth_deadline = 0
        self.method = ""
        self.question = 0
        self.held: deque[Packet | Violation] | None = None
        """What came before the client was accepted, to be handled then."""
        self.pending: Pending | None = None
        """What is half done while a question about it is open."""
        self.behind: deque[Packet | Violation] | None = None
        """What came behind it, and was not looked at."""
        self.held_bytes = 0
        self.gone = 0
        """Until when there is time for what is pending, after the link was lost; 0: it is not."""
        self.reason_code = 0
        self.reason_text = ""
        """Why it is over, in the words of the log."""

        self.lasting = False
        """Whether the CONNECT asked for a session that outlives its connection, whatever was granted."""
        self.clean_start = False
        self.keep_alive_seconds = 0
        self.view: object | None = None
        """What others are shown of it (`broker.views.Client`), once somebody has looked."""

    def __repr__(self) -> str:
        return f"Link({self.serial}, {self.client_id!r}, {self.remote!r})"

    def send(self, data: bytes) -> None:
        """Queue a packet for the write at the end of the tick."""
        self.out.append(data)
        if not self.queued:
            self.queued = True
            self.hub.dirty.append(self)

    @property
    def sated(self) -> bool:
        """Whether it is to be written to before more of its packets, which may ask for more, are looked at."""
        return self.burst > 0 and self.burst > self.hub.options.bounds.hard_limit

    @property
    def closing(self) -> bool:
        """Whether the link is to be closed once what `take` gave was written."""
        return self.ending and self.gates is None

    def take(self) -> list[bytes]:
        """What is to be written now; the driver calls it for each connection of `Broker.dirty`."""
        out = self.out
        self.out = []
        self.burst = 0
        self.queued = False
        if self.ready is not None:
            out = self.ready + out
            self.ready = None
        if self.gone:
            return []
        output = self.hub.output
        return out if output is None or not out else output(self, out)

    def shut(self) -> None:
        """Close the link once what is queued was written."""
        if not self.ending:
            self.ending = True
            self.fast = 0
            if not self.queued:
                self.queued = True
                self.hub.dirty.append(self)

    def note(self, text: str, code: int = 0, statement: str = "") -> None:
        """Say in one line of the log why this connection is refused or closed."""
        hub = self.hub
        self.reason_code = code
        self.reason_text = text
        if hub.options.notes:
            hub.effects.append(Note(text, code, statement, self.client_id, self.remote, self.listener))

    def refresh(self) -> None:
        """Work out which short way messages may take to this connection."""
        if self.ending or self.choked or self.alias_out_maximum or self.limit < MAXIMUM_PACKET_SIZE:
            self.fast = 0
        else:
            self.fast = 2 if self.version == V5 else 1

# SPDX-License-Identifier: MIT
"""What a fault is: a row that names the broken statement, and the rule of the proxy that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mqtt_ref.wire.packets import Packet, Publish, PublishProperties
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_conformance.proxy.world import Delivery, Link

__all__ = ["PATHS", "Fault", "Hooks", "Out", "Rule", "both", "published"]

Out = Sequence[Packet | bytes] | None
"""The packets or bytes to send in place of one; None leaves it as it is."""

PATHS = (
    "live",
    "queued",
    "resent",
    "retained",
    "retained-wildcard",
    "will",
    "retained-will",
    "connack",
    "suback",
    "acks",
    "qos2",
    "session",
    "takeover",
    "subscription",
    "shared",
    "matching",
    "limits",
    "alias",
    "keepalive",
    "close",
    "refusal",
    "malformed",
    "malformed-connect",
    "auth",
)
"""The paths by which the score is added up: the way of a message, or the part of the protocol."""


class Rule:
    """The behaviour of one fault. A hook returns None to leave the packet, or what to send in its place.

    A hook that answers by itself or waits calls `link.fired()`; a result other than None counts as fired.
    """

    def up(self, link: Link, packet: Packet | Violation, data: bytes) -> Out:
        """A packet of the client. It is a Violation if it is illegal."""
        return None

    def down(self, link: Link, packet: Packet, data: bytes) -> Out:
        """A packet of the broker other than PUBLISH."""
        return None

    def publish(self, link: Link, delivery: Delivery) -> Out:
        """A PUBLISH of the broker."""
        return None

    def lost(self, link: Link, data: bytes) -> Out:
        """Bytes of the client in which no end of a packet can be found."""
        return None

    def client_gone(self, link: Link) -> None:
        """The client closed. What is sent to the broker now still arrives."""

    def server_gone(self, link: Link) -> bool:
        """The broker closed. True: the client is not told."""
        return False


class Hooks(Rule):
    """A rule made of functions."""

    def __init__(
        self,
        up: Callable[[Link, Any, bytes], Out] | None = None,
        down: Callable[[Link, Any], Out] | None = None,
        publish: Callable[[Link, Delivery], Out] | None = None,
        client_gone: Callable[[Link], None] | None = None,
        server_gone: Callable[[Link], bool] | None = None,
        lost: Callable[[Link, bytes], Out] | None = None,
    ) -> None:
        self._up = up
        self._down = down
        self._publish = publish
        self._client_gone = client_gone
        self._server_gone = server_gone
        self._lost = lost

    def up(self, link: Link, packet: Packet | Violation, data: bytes) -> Out:
        return self._up(link, packet, data) if self._up is not None else None

    def down(self, link: Link, packet: Packet, data: bytes) -> Out:
        return self._down(link, packet) if self._down is not None else None

    def publish(self, link: Link, delivery: Delivery) -> Out:
        return self._publish(link, delivery) if self._publish is not None else None

    def client_gone(self, link: Link) -> None:
        if self._client_gone is not None:
            self._client_gone(link)

    def server_gone(self, link: Link) -> bool:
        return self._server_gone(link) if self._server_gone is not None else False

    def lost(self, link: Link, data: bytes) -> Out:
        return self._lost(link, data) if self._lost is not None else None


class Fault(NamedTuple):
    """One row.

    `statement` is the rule that is broken; `also` are statements that say the same. `version` is the protocol level,
    `qos` the QoS that it concerns, or None. `options` are capabilities of the broker behind the proxy.
    """

    id: str
    statement: str
    path: str
    version: int
    qos: int | None
    breaks: str
    make: Callable[[], Rule]
    also: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()

    @property
    def protocol(self) -> str:
        """The version as the command line of the suite names it."""
        return {5: "5", 4: "3.1.1", 3: "3.1"}[self.version]


def both(
    identifier: str,
    five: str,
    four: str,
    path: str,
    qos: int | None,
    breaks: str,
    make: Callable[[], Rule],
    also: tuple[str, ...] = (),
) -> list[Fault]:
    """Return a row for 5.0 and one for 3.1.1, each with its own statement. `also` is split by version."""
    return [
        Fault(identifier, five, path, 5, qos, breaks, make, tuple(one for one in also if "5-" in one[:6])),
        Fault(f"{identifier}-311", four, path, 4, qos, breaks, make, tuple(one for one in also if "311-" in one[:8])),
    ]


def published(packet: Publish, **changes: Any) -> Publish:
    """Return a copy of a PUBLISH in which fields or properties are changed."""
    fields = {name: value for name, value in changes.items() if name in ("topic", "payload", "qos", "retain", "dup")}
    if "packet_id" in changes:
        fields["packet_id"] = changes["packet_id"]
    made = packet.replace(**fields)
    props = {name: value for name, value in changes.items() if name not in fields}
    if props:
        made.properties = (made.properties or PublishProperties()).replace(**props)
    return made

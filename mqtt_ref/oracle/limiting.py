# SPDX-License-Identifier: MIT
"""Limits of the server for one client: sent in its CONNACK, and enforced by the broker."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from mqtt_ref.engine.options import Capabilities
from mqtt_ref.oracle.flow import Offer, Step
from mqtt_ref.oracle.validation import validate
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, ConnackProperties, Connect
from mqtt_ref.wire.primitives import V5, V31

if TYPE_CHECKING:
    from mqtt_ref.oracle.matching import Passing

__all__ = ["Limit"]

OFFERED: Final = (
    "maximum_qos",
    "retain_available",
    "maximum_packet_size",
    "topic_alias_maximum",
    "receive_maximum",
    "maximum_session_expiry",
    "wildcard_subscription_available",
    "subscription_identifier_available",
    "shared_subscription_available",
)


class Limit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="limit"):
    """Limits for one client instead of the broker's own. The rule must match a CONNECT. None: as for all clients.

    The broker enforces these limits. It cannot announce them to 3.x clients, like any server.
    """

    receive_maximum: Annotated[int, Meta(ge=1, le=65535)] | None = None
    maximum_qos: Annotated[int, Meta(ge=0, le=2)] | None = None
    retain_available: bool | None = None
    maximum_packet_size: Annotated[int, Meta(description="Bytes", ge=16, le=268_435_460)] | None = None
    topic_alias_maximum: Annotated[int, Meta(ge=0, le=65535)] | None = None
    maximum_session_expiry: Annotated[int, Meta(description="Seconds", ge=0, le=4_294_967_295)] | None = None
    wildcard_subscription_available: bool | None = None
    subscription_identifier_available: bool | None = None
    shared_subscription_available: bool | None = None
    server_keep_alive: Annotated[int, Meta(description="Seconds; 5.0 only", ge=1, le=65535)] | None = None
    assigned_client_identifier: Annotated[str, Meta(description="For clients without one", min_length=1)] | None = None
    server_reference: Annotated[str, Meta(description="Sent in an accepting CONNACK", min_length=1)] | None = None

    def __post_init__(self) -> None:
        validate(self)

    def offered(self, before: Capabilities) -> Capabilities:
        """Return the capabilities with these limits."""
        found = {name: getattr(self, name) for name in OFFERED if getattr(self, name) is not None}
        if self.server_keep_alive is not None:
            found |= {"maximum_keep_alive": self.server_keep_alive, "minimum_keep_alive": self.server_keep_alive}
        return replace(before, **found)

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        """Return the steps of a CONNECT, with an `Offer` of these limits before them."""
        return [Offer(self), *(self._named(step, passing) for step in steps)]

    def _named(self, step: Step, passing: Passing) -> Step:
        """Put the Assigned Client Identifier into a CONNECT without one, so that the session gets it."""
        packet = passing.packet
        name = self.assigned_client_identifier
        if name is None or step is not passing.data or not isinstance(packet, Connect) or packet.client_id:
            return step
        if packet.protocol_version == V31:
            return step
        passing.client_id = name
        named = copy(packet)
        named.client_id = name
        return encode(packet.protocol_version, named)

    def told(self, connack: Connack, version: int, nameless: bool) -> bytes | None:
        """Add to the CONNACK what the broker does not send itself; None if there is nothing to add."""
        name = self.assigned_client_identifier if nameless else None
        if version != V5 or connack.reason_code or (name is None and self.server_reference is None):
            return None
        properties = connack.properties or ConnackProperties()
        if name is not None:
            properties.assigned_client_identifier = name
        if self.server_reference is not None:
            properties.server_reference = self.server_reference
        return encode(version, Connack(0, connack.session_present, properties))

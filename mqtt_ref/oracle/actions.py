# SPDX-License-Identifier: MIT
"""The actions of rules. Each action transforms the steps of a packet."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from mqtt_ref.oracle.flow import Aside, Behind, Pause, Reply, Step, Stop
from mqtt_ref.oracle.illegal import illegal, known
from mqtt_ref.oracle.limiting import Limit
from mqtt_ref.oracle.matching import Passing
from mqtt_ref.oracle.validation import validate
from mqtt_ref.wire.codes import NOT_AUTHORIZED
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.jsonform import packet_from_json
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnackProperties,
    Connect,
    Packet,
    Publish,
    PublishProperties,
)
from mqtt_ref.wire.primitives import CLIENT, V5
from mqtt_ref.wire.reasons import RETURN_CODE_TITLES, RETURN_CODES, ReturnCode
from mqtt_ref.wire.violation import Violation

__all__ = [
    "Action",
    "Aliases",
    "Answer",
    "Close",
    "Corrupt",
    "Delay",
    "Drop",
    "Duplicate",
    "Freeze",
    "HalfOpen",
    "Insert",
    "Limit",
    "Refuse",
    "Reorder",
    "Replace",
    "Split",
    "Truncate",
]

SECOND: Final = 1_000_000_000

Seconds = Annotated[float, Meta(description="Seconds", ge=0, le=86_400)]


class _Deed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the actions."""

    def __post_init__(self) -> None:
        validate(self)


class Drop(_Deed, frozen=True, tag="drop"):
    """Drop the packet."""

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        return []


class Delay(_Deed, frozen=True, tag="delay"):
    """Delay the packet and all later ones. With `overtaken`, later packets do not wait."""

    seconds: Seconds
    overtaken: bool = False

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        time = int(self.seconds * SECOND)
        return [Aside(time, steps)] if self.overtaken else [Pause(time), *steps]


class Duplicate(_Deed, frozen=True, tag="duplicate"):
    """Send the packet again, byte for byte, `times` more times."""

    times: Annotated[int, Meta(ge=1, le=1000)] = 1

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        return steps * (self.times + 1)


class Reorder(_Deed, frozen=True, tag="reorder"):
    """Move the packet after the next `behind` packets. If they do not come, it passes after `within` seconds."""

    behind: Annotated[int, Meta(description="How many packets overtake it", ge=1, le=1000)] = 1
    within: Seconds = 5.0

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        return [Behind(self.behind, int(self.within * SECOND), steps)]


class Corrupt(_Deed, frozen=True, tag="corrupt"):
    """Change one byte, or parts of the packet by name.

    `at` is the index of the byte, from the end if negative; its bits in `xor` are flipped. `fields` holds new values
    for parts of the packet, which may be illegal: `{"flags": 6, "remaining_length": 200, "topic.length": 9}`. The parts
    are those of `mqtt_ref.wire.raw`. A packet that is too short, or has no such part, passes unchanged.
    """

    at: int | None = None
    xor: Annotated[int, Meta(ge=1, le=255)] = 0xFF
    fields: dict[str, int] = {}

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.at is None) == (not self.fields):
            raise ValueError("`corrupt` needs exactly one of `at` (a byte) and `fields`")

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        return [self._corrupted(step, passing) if isinstance(step, bytes) else step for step in steps]

    def _corrupted(self, data: bytes, passing: Passing) -> bytes:
        if self.at is None:
            return _with_fields(data, self.fields, passing)
        at = self.at + (len(data) if self.at < 0 else 0)
        if not 0 <= at < len(data):
            return data
        return data[:at] + bytes((data[at] ^ self.xor,)) + data[at + 1 :]


class Truncate(_Deed, frozen=True, tag="truncate"):
    """Send only the first `length` bytes of the packet, then close the link. If `close` is false, continue."""

    length: Annotated[int, Meta(description="Bytes that pass", ge=0)]
    close: bool = True

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        cut: list[Step] = [step[: self.length] if isinstance(step, bytes) else step for step in steps]
        return [*cut, Stop("close")] if self.close else cut


class Split(_Deed, frozen=True, tag="split"):
    """Send the packet in pieces, each in a write of its own."""

    size: Annotated[int, Meta(description="Bytes of a piece", ge=1)] = 1
    pause: Annotated[float, Meta(description="Seconds between two pieces", ge=0, le=60)] = 0.001

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        out: list[Step] = []
        for step in steps:
            if isinstance(step, bytes):
                for at in range(0, len(step), self.size):
                    out += [step[at : at + self.size], Pause(int(self.pause * SECOND))]
            else:
                out.append(step)
        return out


class _Other(_Deed, frozen=True):
    """Base of actions with another packet, given in one of three ways."""

    packet: Annotated[dict[str, Any], Meta(description="In the JSON form of the trace")] | None = None
    hex: Annotated[str, Meta(description="Any bytes")] | None = None
    illegal: (
        Annotated[str, Meta(description="What no server may send: a name from `mqtt-ref oracle illegal`")] | None
    ) = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(one is not None for one in (self.packet, self.hex, self.illegal)) != 1:
            raise ValueError("give the packet as exactly one of `packet`, `hex` and `illegal`")
        if self.packet is not None:
            encode(V5, packet_from_json(self.packet))
        if self.hex is not None:
            bytes.fromhex(self.hex)
        if self.illegal is not None and not known(self.illegal):
            raise ValueError(f"there is no illegal packet {self.illegal!r}; `mqtt-ref oracle illegal` lists them")

    def data(self, passing: Passing) -> bytes:
        """Return the bytes of the other packet, encoded for the version of the connection."""
        if self.packet is not None:
            return encode(passing.version or V5, self.said(passing, packet_from_json(self.packet)))
        if self.hex is not None:
            return bytes.fromhex(self.hex)
        assert self.illegal is not None
        try:
            return illegal(self.illegal, passing.version or V5).data
        except KeyError:
            return passing.data  # this version has no such packet

    def said(self, passing: Passing, packet: Packet) -> Packet:
        """Complete the packet of `packet` with values that depend on the packet in transit."""
        return packet


class Replace(_Other, frozen=True, tag="replace"):
    """Send another packet instead."""

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        return [self.data(passing)]


class Insert(_Other, frozen=True, tag="insert"):
    """Send another packet before or after the packet, in the same direction."""

    place: Literal["before", "after"] = "after"

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        other = self.data(passing)
        return [other, *steps] if self.place == "before" else [*steps, other]


class Answer(_Other, frozen=True, tag="answer"):
    """Drop the packet and send another packet back to its sender.

    A CONNACK or AUTH without properties gets the Authentication Method of the packet that it answers.
    """

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        data = self.data(passing)
        return steps if data is passing.data else [Reply(data)]

    def said(self, passing: Passing, packet: Packet) -> Packet:
        asked = passing.packet
        if isinstance(asked, Connect | Auth) and isinstance(packet, Connack | Auth) and packet.properties is None:
            method = asked.properties.authentication_method if asked.properties is not None else None
            if method is not None:
                kind = AuthProperties if isinstance(packet, Auth) else ConnackProperties
                packet.properties = kind(authentication_method=method)
        return packet


class Aliases(_Deed, frozen=True, tag="aliases"):
    """Send messages with the Topic Aliases that the client allows, after the packet.

    For each alias: one message with the topic `alias/N`, and one with the alias only.
    """

    lowest: Annotated[int, Meta(description="Number of lowest aliases; the highest is added", ge=0, le=65535)] = 1000

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        maximum = passing.topic_alias_maximum
        used = [*range(1, min(self.lowest, maximum - 1) + 1), maximum] if maximum else []
        return steps + [_aliased(alias, topic) for alias in used for topic in (f"alias/{alias}", "")]


class Close(_Deed, frozen=True, tag="close"):
    """Close the link: before the packet, which is then lost, or after it."""

    place: Literal["before", "after"] = "before"

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        return [Stop("close")] if self.place == "before" else [*steps, Stop("close")]


class HalfOpen(_Deed, frozen=True, tag="half_open"):
    """From this packet on, read and write nothing, but keep the link open, as if a cable were cut.

    With `seconds` the link resumes after that time, and the data sent meanwhile arrives.
    """

    seconds: Annotated[float, Meta(description="For how long; 0: forever", ge=0, le=86_400)] = 0.0

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        return [Stop("half_open", int(self.seconds * SECOND)), *steps]


class Freeze(_Deed, frozen=True, tag="freeze"):
    """From this packet on, read and discard everything from the client, and answer nothing."""

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        return [Stop("freeze")]


class Refuse(_Deed, frozen=True, tag="refuse"):
    """Refuse a CONNECT with a CONNACK and close the link. The broker does not receive the CONNECT.

    `code` is a Reason Code of 5.0, which is mapped to the nearest return code for 3.x clients, or a return code of 3.x
    (1 to 5).
    """

    code: Annotated[int, Meta(ge=1, le=255)] = NOT_AUTHORIZED
    server_reference: str = ""
    reason_string: str = ""

    def apply(self, steps: list[Step], passing: Passing) -> list[Step]:
        if passing.sender != CLIENT or not isinstance(passing.packet, Connect):
            return steps
        version = passing.packet.protocol_version
        if version != V5:
            code = self.code
            if code not in RETURN_CODE_TITLES:
                code = RETURN_CODES.get(code, ReturnCode.SERVER_UNAVAILABLE)
            return [Reply(encode(version, Connack(code))), Stop("close")]
        properties = None
        if self.server_reference or self.reason_string:
            properties = ConnackProperties()
            properties.server_reference = self.server_reference or None
            properties.reason_string = self.reason_string or None
        return [Reply(encode(version, Connack(self.code, False, properties))), Stop("close")]


Action = (
    Drop
    | Delay
    | Duplicate
    | Reorder
    | Corrupt
    | Truncate
    | Split
    | Replace
    | Insert
    | Answer
    | Aliases
    | Close
    | HalfOpen
    | Freeze
    | Refuse
    | Limit
)


def _aliased(alias: int, topic: str) -> bytes:
    return encode(V5, Publish(topic, b"", properties=PublishProperties(topic_alias=alias)))


def _with_fields(data: bytes, fields: dict[str, int], passing: Passing) -> bytes:
    """Return the packet with new values in some of its parts; unchanged if it has no such part."""
    from mqtt_ref.wire.raw import RawBits, build
    from mqtt_ref.wire.reference import raw  # imported only when needed: it loads construct

    packet = passing.packet
    if packet is None or isinstance(packet, Violation) or data is not passing.data:
        return data
    try:
        tree = raw(passing.version or V5, packet)
        for name, value in fields.items():
            path, _, last = name.rpartition(".")
            part: Any = tree[path] if path else tree
            if isinstance(part, RawBits) and last in part.layout:
                part.put(last, value)
            elif last in ("flags", "type", "remaining_length", "width", "length", "value"):
                setattr(part, last, value)
            else:
                part[last].value = value
        return build(tree)
    except (KeyError, ValueError, AttributeError):
        return data

# SPDX-License-Identifier: MIT
"""The fast codec, to be imported from here, and the acknowledgements that a broker sends most often."""

from __future__ import annotations

from typing import Final

from mqtt_ref.wire.generated.fast import decode, encode, encode_publish, publish_bytes, publish_header

__all__ = [
    "PINGRESP",
    "decode",
    "encode",
    "encode_publish",
    "puback",
    "pubcomp",
    "publish_bytes",
    "publish_header",
    "pubrec",
    "pubrel",
]

PINGRESP: Final = b"\xd0\x00"


def puback(packet_id: int) -> bytes:
    """Return a PUBACK that accepts, for any version (section 3.4)."""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def pubrec(packet_id: int) -> bytes:
    """Return a PUBREC that accepts, for any version (section 3.5)."""
    return b"\x50\x02" + packet_id.to_bytes(2, "big")


def pubrel(packet_id: int) -> bytes:
    """Return a PUBREL that releases, for any version (section 3.6)."""
    return b"\x62\x02" + packet_id.to_bytes(2, "big")


def pubcomp(packet_id: int) -> bytes:
    """Return a PUBCOMP that completes, for any version (section 3.7)."""
    return b"\x70\x02" + packet_id.to_bytes(2, "big")

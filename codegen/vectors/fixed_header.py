# SPDX-License-Identifier: MIT
"""Damage of the first byte: reserved types, packets of the other side, illegal flags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codegen.model import V5, V31, V311, Packet, Spec
from codegen.vectors.book import NEW, Vector
from codegen.vectors.breaches import breach, check_breach, rule_breach
from codegen.vectors.draft import Pieces, vbi
from codegen.vectors.samples import bit_names, draft

__all__ = ["first_bytes"]


def first_bytes(spec: Spec, version: int, sender: str) -> Iterator[Vector]:
    """Yield packets with every first byte from `sender`, on a connection of `version` or on a new one."""
    types = {p.code: p for p in spec.packets if p.senders.get(version or V5)}
    for code in range(16):
        if code not in types:
            yield from _reserved(spec, version, sender, code)
    for packet in types.values():
        if sender in packet.senders[version or V5]:
            yield from _flags(spec, version, sender, packet)
        else:
            yield from _wrong_sender(spec, version, sender, packet)


def _reserved(spec: Spec, version: int, sender: str, code: int) -> Iterator[Vector]:
    found = rule_breach(spec, "reserved_type", version, 0, "fixed_header")
    for flags in (0, 2, 15):
        for body in (b"", b"\x00\x01"):
            packet = Pieces(version, sender, [bytes([code << 4 | flags]), vbi(len(body)), body])
            yield Vector("reserved-type", f"{code}/flags-{flags:04b}-length-{len(body)}", packet, found)


def _wrong_sender(spec: Spec, version: int, sender: str, packet: Packet) -> Iterator[Vector]:
    judged = version or V5
    sent = replace(draft(spec, packet, judged, next(iter(packet.senders[judged]))), sender=sender)
    found = rule_breach(spec, "wrong_sender", version, 0, "fixed_header")
    yield Vector("wrong-sender", packet.name, sent, found, version)
    yield Vector("wrong-sender", f"{packet.name}/flags-too", replace(sent, flags=sent.flags ^ 1), found, version)


def _flags(spec: Spec, version: int, sender: str, packet: Packet) -> Iterator[Vector]:
    """Yield all values of the flags. On a new connection, legal flags are left out, except those of CONNECT."""
    judged = version or V5
    plain = draft(spec, packet, judged, sender)
    for flags in range(16):
        sample, bad = replace(plain, flags=flags), None
        if packet.header_bits:
            sample = draft(spec, packet, judged, sender, flags=flags)
            names = bit_names(packet.header_bits, flags, judged)
            bad, _ = check_breach(spec, packet.header_checks, version, names, 0, "fixed_header")
        elif flags != packet.flags:
            bad = breach(spec, packet.flag_cites, "MALFORMED_PACKET", version, 0, "fixed_header")
        if version != NEW or bad or packet.name == "CONNECT":
            yield Vector("flags" if bad else "legal", f"{packet.name}/flags-{flags:04b}", sample, bad, version)
    if version == NEW and packet.name == "CONNECT":
        yield from _flags_before_the_name(spec, sender, packet)


def _flags_before_the_name(spec: Spec, sender: str, packet: Packet) -> Iterator[Vector]:
    """Yield all flags of a CONNECT that names an older version. They are legal if that one has no rule for them."""
    for named in (V311, V31):
        plain = draft(spec, packet, named, sender)
        for flags in range(16):
            bad = None
            if flags and named in packet.flag_cites:
                bad = breach(spec, packet.flag_cites, "MALFORMED_PACKET", NEW, 0, "fixed_header")
            where = f"{packet.name}/level-{named}-flags-{flags:04b}"
            yield Vector("flags" if bad else "legal", where, replace(plain, flags=flags), bad, NEW)

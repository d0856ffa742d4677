# SPDX-License-Identifier: MIT
"""Every derived vector: both codecs find the statement, the Reason Code, the byte and the field that it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from mqtt_ref.wire import reference
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.generated.vectors import Vector, vectors
from mqtt_ref.wire.packets import Packet
from mqtt_ref.wire.reasons import ReasonCode
from mqtt_ref.wire.statements import STATEMENTS
from mqtt_ref.wire.violation import Violation

KINDS = {
    "legal",
    # the fixed header
    "flags", "reserved-type", "wrong-sender", "packet-too-large",
    # lengths
    "truncation", "missing", "trailing", "string-length", "property-length", "property-crossing", "vbi-long",
    "vbi-minimal", "vbi-cut",
    # text
    "utf8-continuation", "utf8-overlong-2", "utf8-overlong-3", "utf8-overlong-4", "utf8-surrogate", "utf8-above",
    "utf8-lead", "utf8-broken", "utf8-truncated", "utf8-null", "utf8-order", "topic-empty", "topic-wildcard",
    "filter-hash", "filter-plus", "share-name-empty", "share-name-form",
    # values
    "bits", "packet-id-zero", "reason-code", "range", "empty-list", "protocol-name", "protocol-level",
    # properties
    "property-unknown", "property-placement", "property-twice", "property-needs", "property-required",
    # several fields
    "cross-field", "order",
}  # fmt: skip


def expected(vector: Vector) -> Violation:
    return Violation(
        vector.statement,
        vector.reason,
        vector.data[0] >> 4,
        vector.offset,
        vector.judged,
        vector.sender,
        vector.field,
        vector.level,
    )


def describe(vector: Vector, found: object) -> str:
    wanted = "a packet" if vector.kind == "legal" else repr(expected(vector))
    return f"{vector.id} ({vector.kind})\n  {vector.data[:200].hex(' ')}\n  wanted {wanted}\n  found  {found!r}"


def check(decide: Callable[[Vector], object], of: list[Vector]) -> None:
    wrong = []
    for vector in of:
        found = decide(vector)
        if vector.kind == "legal":
            fine = found is not None and not isinstance(found, Violation)
        else:
            fine = found == expected(vector)
        if not fine:
            wrong.append(describe(vector, found))
    assert not wrong, f"{len(wrong)} of {len(of)} vectors:\n" + "\n".join(wrong[:10])


def by_framer(vector: Vector) -> object:
    decoder = Decoder(
        vector.version, vector.sender, **({"maximum_packet_size": vector.maximum} if vector.maximum else {})
    )
    out = decoder.feed(vector.data)
    if len(out) != 1 or (decoder.buffered and vector.kind == "legal"):
        return out
    return out[0]


def by_bytes(vector: Vector) -> object:
    """One byte at a time, until something is found."""
    decoder = Decoder(
        vector.version, vector.sender, **({"maximum_packet_size": vector.maximum} if vector.maximum else {})
    )
    out: list[Packet | Violation] = []
    for at in range(len(vector.data)):
        out += decoder.feed(vector.data[at : at + 1])
    return out[0] if len(out) == 1 else out


def by_reference(vector: Vector) -> object:
    return reference.decode(vector.version, vector.sender, vector.data)


def test_no_kind_is_empty_and_none_is_new() -> None:
    counts = Counter(v.kind for v in vectors())
    assert set(counts) == KINDS


def test_ids_are_unique() -> None:
    assert len({v.id for v in vectors()}) == len(vectors())


def test_every_vector_cites_statements_that_exist_and_bind_its_version() -> None:
    codes = {int(code) for code in ReasonCode}
    for vector in vectors():
        if vector.kind == "legal":
            continue
        statement = STATEMENTS[vector.statement]
        assert statement.version == (vector.judged or 5), vector.id
        assert statement.level == vector.level, vector.id
        assert vector.reason in codes, vector.id
        assert 0 <= vector.offset <= len(vector.data), vector.id
        for other in vector.also:
            assert STATEMENTS[other].version == statement.version, vector.id


def test_every_version_and_sender_is_there_for_the_kinds_that_all_have() -> None:
    seen = {(v.kind, v.version, v.sender) for v in vectors()}
    for kind in ("flags", "reserved-type", "wrong-sender", "truncation", "trailing", "vbi-long", "utf8-null", "legal"):
        for version in (3, 4, 5):
            for sender in (0, 1):
                # 3.1 has no rule for flags but that of the QoS of a PUBLISH
                assert (kind, version, sender) in seen, (kind, version, sender)


@pytest.mark.parametrize(
    ("name", "decide"),
    [("whole", by_framer), ("by-byte", by_bytes), ("reference", by_reference)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_vectors(name: str, decide: Callable[[Vector], object]) -> None:
    chosen = list(vectors())
    if name == "reference":
        chosen = [v for v in chosen if v.kind != "packet-too-large"]  # the limit is the framer's
    if name == "by-byte":
        chosen = [v for v in chosen if len(v.data) < 1000]
    check(decide, chosen)


def test_behind_its_level_a_connect_is_judged_the_same_whatever_the_connection_was() -> None:
    chosen = []
    for vector in vectors():
        if vector.data[0] >> 4 != 1 or vector.version == 0 or vector.kind == "legal" or vector.maximum:
            continue
        if vector.field not in ("fixed_header", "remaining_length", "protocol_version", ""):
            chosen += [vector._replace(version=version, judged=vector.judged) for version in (0, 3, 4, 5)]
    assert len(chosen) > 1000
    check(by_framer, chosen)
    check(by_reference, chosen)

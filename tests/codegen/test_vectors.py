# SPDX-License-Identifier: MIT
"""What vectors are made with: packets whose offsets are known, and a book that says one thing of the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codegen.load import load
from codegen.model import CLIENT, SERVER, V5, Spec
from codegen.vectors.book import NEW, Book, Vector
from codegen.vectors.breaches import rule_breach
from codegen.vectors.draft import Pieces, padded, string, vbi
from codegen.vectors.samples import draft, entries


@pytest.fixture(scope="module")
def spec(root: Path) -> Spec:
    return load(root / "spec")


@pytest.mark.parametrize(("value", "data"), [(0, "00"), (127, "7f"), (128, "8001"), (268_435_455, "ffffff7f")])
def test_a_variable_byte_integer(value: int, data: str) -> None:
    assert vbi(value).hex() == data


def test_the_same_value_in_more_bytes() -> None:
    assert padded(b"\x05", 3) == b"\x85\x80\x00"
    assert padded(b"\x80\x01", 4) == b"\x80\x81\x80\x00"


def test_a_draft_knows_where_its_pieces_are(spec: Spec) -> None:
    two = [p for p in spec.properties if p.name in ("receive_maximum", "user_property")]
    sample = draft(spec, spec.packet("CONNACK"), V5, SERVER, sets={"CONNACK": entries(spec, two)})
    assert b"".join(sample.pieces()) == bytes.fromhex("200d 00 00 0a 210001 2600016b000176")
    length = sample.find("properties", "proplen")
    assert sample.at(length) == 4
    assert sample.section_size("properties") == 10
    assert sample.last_byte(length) == sample.size() - 1 == 14
    name = sample.find("properties.user_property", "utf8")
    assert (sample.at(name), sample.last_byte(name), sample.end_of(name)) == (9, 11, 15)
    longer = sample.put(name, string("kk"))
    assert longer.head() == [b"\x20", b"\x0e"]
    assert longer.filled()[length] == b"\x0b"


def test_a_length_that_is_set_stays(spec: Spec) -> None:
    sample = replace(draft(spec, spec.packet("PINGREQ"), V5, CLIENT), length=b"\x80\x00")
    assert sample.pieces() == [b"\xc0", b"\x80\x00"]


def test_the_same_bytes_are_noted_once(spec: Spec) -> None:
    book = Book(spec)
    ping = Pieces(V5, CLIENT, [b"\xc0", b"\x00"])
    book.note([Vector("legal", "PINGREQ/plain", ping), Vector("legal", "PINGREQ/again", ping)])
    assert book.lines == ["v5/client/PINGREQ/plain | legal | c0 00"]


def test_the_same_bytes_cannot_break_two_things(spec: Spec) -> None:
    wrong = Pieces(V5, CLIENT, [b"\xc0", b"\x01", b"\x00"])
    found = rule_breach(spec, "trailing", V5, 2, "")
    book = Book(spec)
    book.note([Vector("trailing", "PINGREQ/and-00", wrong, found)])
    with pytest.raises(AssertionError, match=r"PINGREQ/other: .*PINGREQ/and-00: "):
        book.note([Vector("trailing", "PINGREQ/other", wrong, rule_breach(spec, "truncated", V5, 2, ""))])


def test_the_book_says_how_a_packet_is_taken(spec: Spec) -> None:
    book = Book(spec)
    wrong = Pieces(V5, CLIENT, [b"\xc0", b"\x81\x00", b"\x00"])
    found = rule_breach(spec, "vbi_minimal", V5, 2, "remaining_length")
    assert found is not None
    book.note(Vector("vbi-minimal", "PINGREQ/long", wrong, found, version=v) for v in (V5, NEW))
    book.note([Vector("vbi-minimal", "PINGREQ/long", wrong, found, maximum=9)])
    assert [line.split(" | ", 3)[0] for line in book.lines] == [
        "v5/client/PINGREQ/long",
        "new/client/PINGREQ/long",
        "v5/client/PINGREQ/long-2",
    ]
    said = f"vbi-minimal | c0 8100 00 | {found.statement} | {found.reason:02x} 2 remaining_length"
    assert [line.split(" | ", 1)[1] for line in book.lines] == [said, f"{said} | judged=5", f"{said} | maximum=9"]


def test_a_long_run_is_written_short(spec: Spec) -> None:
    book = Book(spec)
    book.note([Vector("legal", "PUBLISH/long", Pieces(V5, CLIENT, [b"\x30", b"\xff\xff", b"a" * 65_535]))])
    assert book.lines == ["v5/client/PUBLISH/long | legal | 30 ffff 61*65535"]


@pytest.mark.parametrize("found", [None, "X5-no-such-statement"])
def test_what_is_not_legal_breaks_a_statement_there_is(spec: Spec, found: str | None) -> None:
    breach = rule_breach(spec, "trailing", V5, 2, "")
    assert breach is not None
    told = None if found is None else replace(breach, statement=found)
    with pytest.raises(AssertionError, match="PINGREQ/odd"):
        Book(spec).note([Vector("trailing", "PINGREQ/odd", Pieces(V5, CLIENT, [b"\xc0\x01\x00"]), told)])

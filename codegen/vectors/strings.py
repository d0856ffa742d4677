# SPDX-License-Identifier: MIT
"""Damage of strings: ill-formed UTF-8 and U+0000. Also unusual strings that are legal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codegen.model import V5, Field, Property, Spec
from codegen.vectors.book import Vector
from codegen.vectors.breaches import rule_breach
from codegen.vectors.draft import Atom, Draft, string
from codegen.vectors.topics import GOOD_FILTERS, NO_SHARED_FILTERS, spoilt_topics

__all__ = ["odd_strings", "property_strings", "strings"]

# kind, the bytes between "a" and "b", the offset in them of the invalid byte
ILL_FORMED = (
    ("utf8-continuation", b"\x80", 0),
    ("utf8-continuation", b"\xbf", 0),
    ("utf8-overlong-2", b"\xc0\x80", 0),
    ("utf8-overlong-2", b"\xc1\xbf", 0),
    ("utf8-overlong-3", b"\xe0\x80\x80", 1),
    ("utf8-overlong-3", b"\xe0\x9f\xbf", 1),
    ("utf8-overlong-4", b"\xf0\x80\x80\x80", 1),
    ("utf8-overlong-4", b"\xf0\x8f\xbf\xbf", 1),
    ("utf8-surrogate", b"\xed\xa0\x80", 1),
    ("utf8-surrogate", b"\xed\xbf\xbf", 1),
    ("utf8-above", b"\xf4\x90\x80\x80", 1),
    ("utf8-lead", b"\xf5\x80\x80\x80", 0),
    ("utf8-lead", b"\xf8\x88\x80\x80\x80", 0),
    ("utf8-lead", b"\xfe", 0),
    ("utf8-lead", b"\xff", 0),
    ("utf8-broken", b"\xc3\x28", 1),
    ("utf8-broken", b"\xe2\x28\xa1", 1),
    ("utf8-broken", b"\xe2\x82\x28", 2),
    ("utf8-broken", b"\xf0\x28\x8c\xbc", 1),
    ("utf8-broken", b"\xf0\x9f\x28\xbc", 2),
    ("utf8-broken", b"\xf0\x9f\x92\x28", 3),
)
CUT_SHORT = (b"\xc3", b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x92", b"\xe0\x80")
# kind, the whole text, the rule that it breaks, the offset of the byte
WHOLE = (
    ("utf8-null", b"a\x00b", "utf8_null", 1),
    ("utf8-null", b"\x00", "utf8_null", 0),
    ("utf8-null", b"ab\x00\xff", "utf8_null", 2),
    ("utf8-surrogate", b"\xed\xa0\xbd\xed\xb8\x80", "utf8_ill_formed", 1),
    ("utf8-order", b"\xff\x00", "utf8_ill_formed", 0),
)
WELL_FORMED = (
    "", "\x01", "\x7f", "\x9f", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufeff", "\uffff", "\U00010000", "\U0010ffff",
)  # fmt: skip


def strings(spec: Spec, draft: Draft) -> Iterator[Vector]:
    """Yield all kinds of damage of each field that is a string."""
    for i, atom in _fields(draft):
        yield from _spoilt(spec, draft, i, f"{draft.packet.name}/{atom.field}")


def property_strings(spec: Spec, draft: Draft, prop: Property, where: str) -> Iterator[Vector]:
    """Yield all kinds of damage of a property that is a string, or of both strings of a pair."""
    parts = [i for i, a in draft.indexed("utf8") if a.source is prop]
    labels = {0: (), 1: ("",), 2: ("/key", "/value")}[len(parts)]
    for i, label in zip(parts, labels, strict=True):
        yield from _spoilt(spec, draft, i, f"{where}{label}")


def odd_strings(spec: Spec, draft: Draft) -> Iterator[Vector]:
    """Yield unusual but legal strings for each field."""
    for i, atom in _fields(draft):
        rules = _rules(spec, atom, draft.version)
        where = f"{draft.packet.name}/{atom.field}"
        for text in WELL_FORMED:
            if text or ("topic_empty" not in rules and atom.field != "topic"):
                yield Vector("legal", f"{where}/{text.encode().hex() or 'empty'}", draft.put(i, string(text)))
        if "filter_hash" in rules:
            for text in GOOD_FILTERS:
                good = draft.put(i, string(text))
                if good.atoms[min(i + 1, len(good.atoms) - 1)].role == "bits":
                    good = good.put(i + 1, b"\x00")
                yield Vector("legal", f"{where}/{text}", good)
            if draft.version != V5:
                for text in NO_SHARED_FILTERS:
                    yield Vector("legal", f"{where}/{text}", draft.put(i, string(text)))
        if not atom.field.startswith("will"):
            yield _longest(draft, i, where)


def _fields(draft: Draft) -> Iterator[tuple[int, Atom]]:
    """Yield the first string of each field, without properties."""
    done = set()
    for i, atom in draft.indexed("utf8"):
        if atom.field not in done and not atom.section:
            done.add(atom.field)
            yield i, atom


def _rules(spec: Spec, atom: Atom, version: int) -> tuple[str, ...]:
    source = atom.source
    return spec.type_rules(source.types[version] if isinstance(source, Field) else source.type)


def _spoilt(spec: Spec, draft: Draft, index: int, where: str) -> Iterator[Vector]:
    """Yield all kinds of damage of the string with that number."""
    atom = draft.atoms[index]
    version = draft.version
    texts = [(kind, b"a" + data + b"b", "utf8_ill_formed", 1 + at) for kind, data, at in ILL_FORMED]
    texts += [("utf8-truncated", b"a" + data, "utf8_ill_formed", 1) for data in CUT_SHORT]
    texts += WHOLE
    rules = _rules(spec, atom, version)
    texts += spoilt_topics(rules, version)
    for kind, data, rule, at in texts:
        wrong = draft.put(index, string(data))
        found = rule_breach(spec, rule, version, wrong.at(index) + 2 + at, atom.field, atom.source)
        label = f"{kind}-{data.hex()}" if kind.startswith("utf8") else data.decode("ascii", "backslashreplace")
        label = label.replace("\\", "%").replace("\0", "%x00")
        yield Vector(kind if found else "legal", f"{where}/{label}", wrong, found)
    if "topic_empty" in rules:
        wrong = draft.put(index, b"\0\0")
        found = rule_breach(spec, "topic_empty", version, wrong.at(index) + 1, atom.field, atom.source)
        yield Vector("topic-empty", f"{where}/empty", wrong, found)


def _longest(draft: Draft, index: int, where: str) -> Vector:
    """Return a packet with a string of 65,535 bytes."""
    atom = draft.atoms[index]
    length, text = replace(atom, data=b"\xff\xff"), replace(atom, data=b"a" * 65_535)
    return Vector("legal", f"{where}/65535-bytes", draft.replaced(index, length, text))

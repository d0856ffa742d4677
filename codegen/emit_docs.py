# SPDX-License-Identifier: MIT
"""Emits the reference pages in Markdown: packets, properties, reason codes, types, reactions and statements."""

from __future__ import annotations

from codegen.emit_registry import statement_order
from codegen.model import BLOCK, BOTH, VERSIONS, Field, Property, Spec

__all__ = ["emit"]

NOTE = "<!-- Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again. -->"
LABELS = {3: "3.1", 4: "3.1.1", 5: "5.0"}


def emit(spec: Spec) -> dict[str, str]:
    """Return the pages, by path."""
    pages = {
        "packets": _packets(spec),
        "properties": _properties(spec),
        "reason-codes": _reasons(spec),
        "types": _types(spec),
        "reactions": _reactions(spec),
    }
    for version, label in LABELS.items():
        pages[f"statements-{label}"] = _statements(spec, version)
    return {f"docs/reference/{name}.md": text for name, text in pages.items()}


def _page(title: str, intro: str, source: str) -> list[str]:
    return [f"# {title}", "", NOTE, "", intro, "", f"Taken from: {source}.", ""]


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"


def _head(*cells: str) -> list[str]:
    return [_row(*cells), "|" + "---|" * len(cells)]


def _who(senders: frozenset[str]) -> str:
    return "both" if senders == BOTH else next(iter(senders))


def _versions(versions: frozenset[int]) -> str:
    return "all" if len(versions) == len(VERSIONS) else ", ".join(LABELS[v] for v in sorted(versions))


def _packets(spec: Spec) -> str:
    intro = "The fields of each packet in wire order, and when a receiver refuses them."
    out = _page("Control Packets", intro, spec.sources["packets.toml"])
    for packet in spec.packets:
        senders = "; ".join(f"{LABELS[v]}: {_who(who)}" for v, who in sorted(packet.senders.items()))
        flags = "DUP, QoS, RETAIN" if packet.header_bits else f"{packet.flags:04b}"
        out += [
            f"## {packet.name} ({packet.code})",
            "",
            f"Section {packet.section}. Sent by: {senders}. Flags: {flags}.",
            "",
        ]
        if packet.fields:
            out += _head("field", "type", "versions", "present", "refused when")
            out += [_field(f) for f in packet.every_field()]
            out.append("")
        for check in packet.header_checks:
            out += [f"- refused when `{check.expression}`: {', '.join(check.cites.values())}"]
        if packet.header_checks:
            out.append("")
    return "\n".join(out)


def _field(field: Field) -> str:
    kind = field.type
    if field.bits:
        kind = "bits: " + ", ".join(
            f"{b.name} ({b.at + b.width - 1}-{b.at})" if b.width > 1 else f"{b.name} ({b.at})" for b in field.bits
        )
    breaches = [f"`{c.expression}`: {', '.join(c.cites.values())}" for c in field.checks]
    present = f"when {field.when}" if field.when else "always"
    if field.optional:
        present += f"; may be left out at the end ({_versions(field.optional)})"
    return _row(field.name, kind, _versions(field.versions), present, "<br>".join(breaches))


def _properties(spec: Spec) -> str:
    out = _page("Properties", "The properties of MQTT 5.0.", spec.sources["properties.toml"])
    out += _head("id", "name", "type", "allowed in (sent by)", "repeat", "range", "when forwarded")
    for prop in spec.properties:
        places = ", ".join(
            f"{p.packet} ({_who(p.senders)}, {p.section}{', repeatable' if p.many else ''})" for p in prop.places
        )
        limits = ""
        if prop.limits:
            limits = " or ".join(map(str, prop.limits.allowed)) or f"at least {prop.limits.minimum}"
            limits += f"; else {prop.limits.breach}"
        repeat = prop.repeat or "may repeat"
        out.append(_row(f"0x{prop.id:02X}", prop.title, prop.type, places, repeat, limits, _forwarded(prop)))
    return "\n".join([*out, ""])


def _forwarded(prop: Property) -> str:
    """Return what a server does with a property when it forwards the message."""
    place = prop.place(BLOCK)
    if place is None:
        return ""
    if place.belongs != "message":
        return f"belongs to the {place.belongs}"
    return "counts down" if place.counts_down else "declares the payload format" if place.says_utf8 else "unchanged"


def _reasons(spec: Spec) -> str:
    intro = "The packets that may carry each code, and the side that may send it."
    out = _page("Reason Codes", intro, spec.sources["reasons.toml"])
    out += _head("code", "name", "packets (sent by)", "3.x return code")
    for reason in sorted(spec.reasons, key=lambda r: r.code):
        places = ", ".join(f"{p} ({_who(who)}{', tolerated' if slip else ''})" for p, who, slip in reason.places)
        out.append(_row(f"0x{reason.code:02X}", reason.title, places, "" if reason.v3 is None else reason.v3))
    out += ["", "Return codes of a 3.x CONNACK:", ""]
    out += [f"- {r.code}: {r.title}" for r in spec.return_codes]
    return "\n".join([*out, ""])


def _types(spec: Spec) -> str:
    out = _page("Wire types", "The types of fields, and the rules for their values.", spec.sources["types.toml"])
    out += _head("type", "section", "Python", "bytes", "rules")
    for wire in spec.wires.values():
        out.append(_row(wire.name, wire.section, f"`{wire.python}`", wire.bytes or "by value", ", ".join(wire.rules)))
    for semantic in spec.semantics.values():
        out.append(_row(semantic.name, semantic.section, "", f"as {semantic.wire}", ", ".join(semantic.rules)))
    out += ["", *_head("rule", "kind", "breach", "statements", "level", "binds")]
    for rule in (*spec.rules.values(), spec.unknown_property):
        cited = ", ".join(dict.fromkeys((*rule.cites.values(), *rule.server.values())))
        out.append(_row(rule.name, rule.kind, rule.reason, cited, rule.level, rule.binds))
    return "\n".join([*out, ""])


def _reactions(spec: Spec) -> str:
    intro = "What the receiver of a broken rule does, and what else it may do. The first row that fits decides."
    out = _page("Reactions", intro, spec.sources["reactions.toml"])
    out += _head("rule", "versions", "state", "receiver", "does", "allowed", "cites")
    for row in spec.reactions:
        versions = ", ".join(LABELS.get(v, "not known yet") for v in sorted(row.versions))
        does = f"{row.action} {row.code}".strip()
        out.append(_row(row.rule, versions, row.state, row.receiver, does, ", ".join(row.allowed), row.cites))
    return "\n".join([*out, ""])


def _statements(spec: Spec, version: int) -> str:
    rows = [s for s in sorted(spec.statements.values(), key=statement_order) if s.version == version]
    numbered = sum(not s.minted for s in rows)
    intro = f"{len(rows)} rules, {numbered} of them numbered by the standard. The wording is that of this project."
    out = _page(f"Statements of MQTT {LABELS[version]}", intro, "; ".join(dict.fromkeys(s.source for s in rows)))
    out += _head("id", "section", "level", "binds", "meaning", *(["confirmed by"] if version == 3 else []))
    for s in rows:
        out.append(_row(s.id, s.section, s.level, s.binds, s.meaning, *([s.confirmed] if version == 3 else [])))
    return "\n".join([*out, ""])

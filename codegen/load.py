# SPDX-License-Identifier: MIT
"""Reads `spec/` into the model; a bad row is refused by file, row and column."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from codegen.mint import mint
from codegen.model import (
    BOTH,
    KINDS,
    VERSIONS,
    Bit,
    Check,
    Cites,
    Field,
    Limits,
    Packet,
    Place,
    Placement,
    Property,
    Reaction,
    Reason,
    ReturnCode,
    Rule,
    Semantic,
    Spec,
    Statement,
    Wire,
)

__all__ = ["SpecError", "load"]

ALL = frozenset(VERSIONS.values())
SPECIAL = {"bits", "protocol", "properties", "reason", "reasons", "list", "rest"}
SENDERS = {"client": frozenset({"client"}), "server": frozenset({"server"}), "both": BOTH}
LEVELS = ("must", "should", "may")
ID = re.compile(r"(MQTT5|MQTT311|X5|X311|X31)-[A-Za-z0-9][A-Za-z0-9._-]*")


class SpecError(Exception):
    """A table says something that cannot be: names the file, the row and the column."""

    def __init__(self, file: str, row: str, column: str, message: str) -> None:
        super().__init__(f"{file}: {row}: {column}: {message}")
        self.file, self.row, self.column = file, row, column


class Reader:
    """One table row while it is read: fetches columns with their types, and refuses what is left over."""

    def __init__(self, file: str, row: str, data: Mapping[str, Any]) -> None:
        if not isinstance(data, Mapping):
            raise SpecError(file, row, "-", f"a table is needed here, not {data!r}")
        self.file, self.row, self.data = file, row, dict(data)

    def error(self, column: str, message: str) -> SpecError:
        """The refusal of one column of this row."""
        return SpecError(self.file, self.row, column, message)

    def take(self, column: str, kind: type, default: Any = None) -> Any:
        """The column's value; without a default it has to be there."""
        if column not in self.data:
            if default is None:
                raise self.error(column, "is missing")
            return default
        value = self.data.pop(column)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(column, f"should be {kind.__name__}, is {value!r}")
        return value

    def one_of(self, column: str, choices: Iterable[str], default: str | None = None) -> str:
        """A string column with a closed list of values."""
        value: str = self.take(column, str, default)
        choices = tuple(choices)
        if value not in choices:
            raise self.error(column, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def cites(self, column: str, default: Mapping[str, str] | None = None) -> Cites:
        """A table of statements by version."""
        value = self.take(column, dict, {} if default is None else default)
        out = {}
        for version, statement in value.items():
            if version not in VERSIONS:
                raise self.error(column, f"{version!r} is not a version; {', '.join(VERSIONS)} are")
            out[VERSIONS[version]] = self.identifier(column, statement)
        return out

    def identifier(self, column: str, value: Any) -> str:
        """A statement id, well formed."""
        if not isinstance(value, str) or not ID.fullmatch(value):
            raise self.error(column, f"{value!r} is not a statement id")
        return value

    def versions(self, column: str) -> frozenset[int]:
        """A list of versions; all of them when the column is absent."""
        if column not in self.data:
            return ALL
        value = self.take(column, list)
        for version in value:
            if version not in VERSIONS:
                raise self.error(column, f"{version!r} is not a version; {', '.join(VERSIONS)} are")
        return frozenset(VERSIONS[v] for v in value)

    def sub(self, column: str, name: str, data: Mapping[str, Any]) -> Reader:
        """A row nested in this one."""
        return Reader(self.file, f"{self.row}, {name}", data)

    def subs(self, column: str) -> list[Mapping[str, Any]]:
        """A list of nested rows; empty when absent."""
        value: list[Mapping[str, Any]] = self.take(column, list, [])
        return value

    def done(self) -> None:
        """Refuse columns that nobody asked for."""
        for column in self.data:
            raise self.error(column, "is not a column of this table")


def load(root: Path) -> Spec:
    """Read and check all tables below `root` (the folder `spec`).

    Raises:
        SpecError: a row that cannot be right.
    """
    types = _toml(root / "types.toml")
    packets_file = _toml(root / "packets.toml")
    rules = _unique(
        [_rule("types.toml", r) for r in types.rows("rule")]
        + [_rule("packets.toml", r) for r in packets_file.rows("rule")],
        "types.toml",
    )
    wires = _unique([_wire(r) for r in types.rows("wire")], "types.toml")
    semantics = _unique([_semantic(r) for r in types.rows("semantic")], "types.toml")
    for holder in (*wires.values(), *semantics.values()):
        for name in holder.rules:
            if name not in rules:
                raise SpecError("types.toml", f"type {holder.name}", "rules", f"there is no rule {name!r}")
    for semantic in semantics.values():
        if semantic.wire not in wires:
            raise SpecError("types.toml", f"type {semantic.name}", "wire", f"there is no wire type {semantic.wire!r}")

    reasons_file = _toml(root / "reasons.toml")
    reasons = tuple(_reason(r) for r in reasons_file.rows("reason"))
    _unique(list(reasons), "reasons.toml")
    return_codes = tuple(_return_code(r) for r in reasons_file.rows("return_code"))
    names = {r.name for r in reasons}

    known = frozenset(wires) | frozenset(semantics)
    packets = tuple(_packet(r, known, frozenset(rules)) for r in packets_file.rows("packet"))
    _unique(list(packets), "packets.toml")
    if sorted(p.code for p in packets) != list(range(1, 16)):
        raise SpecError("packets.toml", "packets", "code", "the codes 1 to 15 are needed, once each")

    properties_file = _toml(root / "properties.toml")
    unknown = _unknown(properties_file.take("unknown"))
    sets = frozenset(f.set for p in packets for f in p.fields if f.set)
    properties = tuple(_property(r, known, sets) for r in properties_file.rows("property"))
    by_name = _unique(list(properties), "properties.toml")
    ids: dict[int, str] = {}
    for prop in properties:
        if prop.id in ids:
            raise SpecError(
                "properties.toml", f"property {prop.name}", "id", f"0x{prop.id:02X} is taken by {ids[prop.id]}"
            )
        ids[prop.id] = prop.name
        if prop.needs and prop.needs not in by_name:
            raise SpecError("properties.toml", f"property {prop.name}", "needs", f"there is no property {prop.needs!r}")

    for where, reason in _breaches(rules, packets, properties, unknown):
        if reason not in names:
            raise SpecError(where[0], where[1], where[2], f"there is no Reason Code {reason!r}")
    for reason_row in reasons:
        for packet, _, _ in reason_row.places:
            if packet not in {p.name for p in packets}:
                raise SpecError("reasons.toml", f"reason {reason_row.name}", "in", f"there is no packet {packet!r}")

    reactions_file = _toml(root / "reactions.toml")
    reactions = tuple(_reaction(r, n, names) for n, r in enumerate(reactions_file.rows("reaction"), 1))

    sources = {f.name: f.source for f in (types, packets_file, reasons_file, properties_file, reactions_file)}
    statements: dict[str, Statement] = {}
    for path in sorted((root / "statements").glob("*.toml")):
        table = _toml(path, f"statements/{path.name}")
        version = table.take("version")
        sources[table.name] = table.source
        for data in table.rows("statement"):
            _add(statements, _statement(table.name, data, version, table.source), table.name)
        table.done()
    for table in (types, packets_file, reasons_file, properties_file, reactions_file):
        table.done()
    spec = Spec(
        rules=rules,
        wires=wires,
        semantics=semantics,
        packets=packets,
        properties=properties,
        unknown_property=unknown,
        reasons=reasons,
        return_codes=return_codes,
        statements=statements,
        reactions=reactions,
        sources=sources,
    )
    written = frozenset(statements)
    for statement, where_from in mint(spec):
        if statement.id in written:
            continue
        if statement.id in statements and statements[statement.id].meaning != statement.meaning:
            raise SpecError(*where_from, f"{statement.id} is minted twice with different meanings")
        statements[statement.id] = statement
    for (file, row, column), cited in _citations(spec):
        if cited not in statements:
            raise SpecError(file, row, column, f"there is no statement {cited!r}")
    _check_lock(root / "statements" / "ids.lock", statements)
    return spec


class _File:
    """A TOML file of tables, which remembers what of it was read."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name, self.data = name, data
        source = data.pop("source", None)
        if not isinstance(source, str) or not source:
            raise SpecError(name, "file", "source", "has to name the document that the table was taken from")
        self.source: str = source

    def rows(self, key: str) -> list[dict[str, Any]]:
        rows = self.data.pop(key, [])
        if not isinstance(rows, list):
            raise SpecError(self.name, key, "-", "a list of tables is needed here")
        return rows

    def take(self, key: str) -> Any:
        if key not in self.data:
            raise SpecError(self.name, "file", key, "is missing")
        return self.data.pop(key)

    def done(self) -> None:
        for key in self.data:
            raise SpecError(self.name, "file", key, "is not a table of this file")


def _toml(path: Path, name: str | None = None) -> _File:
    name = name or path.name
    try:
        with path.open("rb") as file:
            return _File(name, tomllib.load(file))
    except FileNotFoundError:
        raise SpecError(name, "file", "-", "is missing") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(name, "file", "-", f"is not TOML: {error}") from None


def _unique(rows: list[Any], file: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for row in rows:
        if row.name in out:
            raise SpecError(file, f"{type(row).__name__.lower()} {row.name}", "name", "stands here twice")
        out[row.name] = row
    return out


def _add(statements: dict[str, Statement], row: Statement, file: str) -> None:
    if row.id in statements:
        raise SpecError(file, f"statement {row.id}", "id", "stands here twice")
    statements[row.id] = row


def _rule(file: str, data: Mapping[str, Any]) -> Rule:
    r = Reader(file, f"rule {data.get('name')}", data)
    name = r.take("name", str)
    cites = r.cites("cites")
    rule = Rule(
        name=name,
        kind=r.one_of("kind", KINDS),
        reason=r.take("reason", str),
        cites=cites,
        server=r.cites("server") or cites,
        section=r.take("section", str, ""),
        binds=r.one_of("binds", (*SENDERS, ""), ""),
        level=r.one_of("level", LEVELS, "must"),
        meaning=r.take("meaning", str, ""),
    )
    r.done()
    return rule


def _wire(data: Mapping[str, Any]) -> Wire:
    r = Reader("types.toml", f"wire type {data.get('name')}", data)
    wire = Wire(
        name=r.take("name", str),
        python=r.take("python", str),
        bytes=r.take("bytes", int),
        rules=tuple(r.take("rules", list)),
        section=r.take("section", str),
    )
    r.done()
    return wire


def _semantic(data: Mapping[str, Any]) -> Semantic:
    r = Reader("types.toml", f"semantic type {data.get('name')}", data)
    semantic = Semantic(
        name=r.take("name", str),
        wire=r.take("wire", str),
        rules=tuple(r.take("rules", list)),
        section=r.take("section", str),
    )
    r.done()
    return semantic


def _bits(r: Reader) -> tuple[Bit, ...]:
    out = []
    used = 0
    for data in r.subs("bits"):
        b = r.sub("bits", f"bit {data.get('name')}", data)
        bit = Bit(
            name=b.take("name", str),
            at=b.take("at", int),
            width=b.take("width", int, 1),
            versions=b.versions("versions"),
        )
        b.done()
        mask = ((1 << bit.width) - 1) << bit.at
        if bit.width < 1 or bit.at < 0 or mask > 255 or mask & used:
            raise b.error("at", "bits overlap or leave the byte")
        used |= mask
        out.append(bit)
    return tuple(out)


def _checks(r: Reader, names: set[str]) -> tuple[Check, ...]:
    out = []
    for number, data in enumerate(r.subs("check"), 1):
        c = r.sub("check", f"check {number}", data)
        expression = c.take("if", str)
        _expression(c, "if", expression, names)
        check = Check(
            expression=expression,
            kind=c.one_of("kind", KINDS),
            reason=c.take("reason", str),
            cites=c.cites("cites"),
            section=c.take("section", str, ""),
            binds=c.one_of("binds", (*SENDERS, ""), ""),
            meaning=c.take("meaning", str, ""),
        )
        c.done()
        out.append(check)
    return tuple(out)


def _expression(r: Reader, column: str, text: str, names: set[str]) -> None:
    """Refuse an expression that is more than a condition over known names."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        raise r.error(column, f"{text!r} is not an expression") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in names and not node.id.startswith("has_"):
            raise r.error(column, f"{node.id!r} is not read before; {', '.join(sorted(names))} are")
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] != "startswith":
            raise r.error(column, "only startswith may be called")


def _field(r: Reader, known: frozenset[str], rules: frozenset[str], names: set[str]) -> Field:
    name = r.take("name", str)
    kind = r.take("type", str)
    versions = r.versions("versions")
    types = dict.fromkeys(versions, kind)
    for version, other in r.take("types", dict, {}).items():
        if version not in VERSIONS:
            raise r.error("types", f"{version!r} is not a version")
        types[VERSIONS[version]] = other
    for value in types.values():
        if value not in known and value not in SPECIAL:
            raise r.error("type", f"there is no type {value!r}")
    when = r.take("when", str, "")
    if when:
        _expression(r, "when", when, names)
    bits = _bits(r)
    names |= {name, "value"} | {b.name for b in bits}
    items: list[Field] = []
    item_names = set(names)
    for data in r.subs("item"):
        sub = r.sub("item", f"item {data.get('name')}", data)
        items.append(_field(sub, known, rules, item_names))
    overrides = {}
    for rule, cites in r.take("rules", dict, {}).items():
        if rule not in rules:
            raise r.error("rules", f"there is no rule {rule!r}")
        overrides[rule] = r.sub("rules", f"rule {rule}", {"cites": cites}).cites("cites")
    zero = {}
    for sender, cites in r.take("zero", dict, {}).items():
        if sender not in SENDERS:
            raise r.error("zero", f"{sender!r} is not a sender")
        zero[sender] = r.sub("zero", sender, {"cites": cites}).cites("cites")
    codes = {}
    for version, values in r.take("codes", dict, {}).items():
        if version not in VERSIONS:
            raise r.error("codes", f"{version!r} is not a version")
        codes[VERSIONS[version]] = tuple(values)
    row = Field(
        name=name,
        types=types,
        versions=versions,
        when=when,
        optional=r.versions("optional") if "optional" in r.data else frozenset(),
        missing=r.cites("missing"),
        also=r.cites("also"),
        absent=r.cites("absent"),
        rules=overrides,
        bits=bits,
        checks=_checks(r, names),
        codes=codes,
        cites=r.cites("cites"),
        zero=zero,
        empty=r.cites("empty"),
        items=tuple(items),
        item_class=r.take("class", str, ""),
        set=r.take("set", str, ""),
        names={k: tuple(v) for k, v in r.take("names", dict, {}).items()},
        reason=r.take("reason", str, "PROTOCOL_ERROR"),
        section=r.take("section", str, ""),
        binds=r.one_of("binds", (*SENDERS, ""), ""),
        meaning=r.take("meaning", str, ""),
    )
    r.done()
    return row


def _packet(data: Mapping[str, Any], known: frozenset[str], rules: frozenset[str]) -> Packet:
    r = Reader("packets.toml", f"packet {data.get('name')}", data)
    code = r.take("code", int)
    senders = r.data.pop("from", None)
    if isinstance(senders, str):
        senders = dict.fromkeys(VERSIONS, senders)
    if not isinstance(senders, dict):
        raise r.error("from", "names who may send the packet: client, server, both, or a table by version")
    for version, who in senders.items():
        if version not in VERSIONS or who not in SENDERS:
            raise r.error("from", f"{version} = {who!r} is not a version and a sender")
    flags = r.take("flags", dict, {})
    f = r.sub("flags", "flags", flags)
    value = f.take("value", int, 0)
    flag_cites = f.cites("cites")
    f.done()
    h = r.sub("header", "header", r.take("header", dict, {}))
    header_bits = _bits(h)
    names = {"value"} | {b.name for b in header_bits}
    header_checks = _checks(h, names)
    h.done()
    fields = [_field(r.sub("field", f"field {d.get('name')}", d), known, rules, names) for d in r.subs("field")]
    packet = Packet(
        code=code,
        name=r.take("name", str),
        class_name=r.take("class", str),
        section=r.take("section", str),
        senders={VERSIONS[v]: SENDERS[who] for v, who in senders.items()},
        flags=value,
        flag_cites=flag_cites,
        header_bits=header_bits,
        header_checks=header_checks,
        fields=tuple(fields),
    )
    r.done()
    return packet


def _unknown(data: Mapping[str, Any]) -> Rule:
    r = Reader("properties.toml", "unknown", data)
    rule = Rule(
        name="unknown_property",
        kind="type",
        reason=r.take("reason", str),
        cites={5: r.identifier("cites", r.take("cites", str))},
        server={},
        section=r.take("section", str),
        binds="both",
        level="must",
        meaning=r.take("meaning", str),
    )
    r.done()
    return rule


def _property(data: Mapping[str, Any], known: frozenset[str], sets: frozenset[str]) -> Property:
    r = Reader("properties.toml", f"property {data.get('name')}", data)
    kind = r.take("type", str)
    if kind not in known:
        raise r.error("type", f"there is no type {kind!r}")
    places = []
    for place in r.subs("in"):
        p = r.sub("in", f"in {place.get('packet')}", place)
        packet = p.take("packet", str)
        if packet not in sets:
            raise p.error("packet", f"{packet!r} has no properties; {', '.join(sorted(sets))} have")
        places.append(
            Place(
                packet=packet,
                senders=SENDERS[p.one_of("from", SENDERS)],
                section=p.take("section", str),
                many=p.take("many", bool, False),
                required=p.take("required", str, ""),
            )
        )
        p.done()
    if not places:
        raise r.error("in", "a property has to stand in at least one packet")
    limits = None
    if "range" in r.data:
        g = r.sub("range", "range", r.take("range", dict))
        limits = Limits(
            minimum=g.take("min", int, 0),
            allowed=tuple(g.take("allowed", list, [])),
            breach=g.take("breach", str),
            cites=g.identifier("cites", g.take("cites", str)) if "cites" in g.data else "",
        )
        g.done()
    repeat = r.sub("repeat", "repeat", r.take("repeat", dict, {}))
    breach = repeat.take("breach", str, "")
    repeat.done()
    if not breach and not all(p.many for p in places):
        raise r.error("repeat", "a property that may stand only once says what its breach is")
    needs = r.sub("needs", "needs", r.take("needs", dict, {}))
    elsewhere = []
    for place in r.subs("elsewhere"):
        p = r.sub("elsewhere", f"elsewhere {place.get('packet')}", place)
        elsewhere.append(
            Placement(
                packet=p.take("packet", str),
                sender=p.one_of("from", ("client", "server")),
                breach=p.take("breach", str),
                cites=p.identifier("cites", p.take("cites", str)),
            )
        )
        p.done()
    row = Property(
        id=r.take("id", int),
        name=r.take("name", str),
        title=r.take("title", str),
        type=kind,
        places=tuple(places),
        repeat=breach,
        limits=limits,
        needs=needs.take("property", str, ""),
        needs_in=tuple(needs.take("in", list, [])),
        needs_breach=needs.take("breach", str, ""),
        elsewhere=tuple(elsewhere),
        also=tuple(r.identifier("also", i) for i in r.take("also", list, [])),
        cites={k: r.identifier("cites", v) for k, v in r.take("cites", dict, {}).items()},
    )
    needs.done()
    r.done()
    return row


def _reason(data: Mapping[str, Any]) -> Reason:
    r = Reader("reasons.toml", f"reason {data.get('name')}", data)
    places = []
    for place in r.subs("in"):
        p = r.sub("in", f"in {place.get('packet')}", place)
        places.append((p.take("packet", str), SENDERS[p.one_of("from", SENDERS)], p.take("tolerated", bool, False)))
        p.done()
    row = Reason(
        code=r.take("code", int),
        name=r.take("name", str),
        title=r.take("title", str),
        places=tuple(places),
        v3=r.take("v3", int) if "v3" in r.data else None,
    )
    if not 0 <= row.code <= 255:
        raise r.error("code", f"{row.code} is not a byte")
    r.done()
    return row


def _return_code(data: Mapping[str, Any]) -> ReturnCode:
    r = Reader("reasons.toml", f"return code {data.get('name')}", data)
    row = ReturnCode(code=r.take("code", int), name=r.take("name", str), title=r.take("title", str))
    r.done()
    return row


def _statement(file: str, data: Mapping[str, Any], version: int, source: str) -> Statement:
    r = Reader(file, f"statement {data.get('id')}", data)
    identifier = r.identifier("id", r.take("id", str))
    row = Statement(
        id=identifier,
        version=version,
        level=r.one_of("level", LEVELS),
        binds=r.one_of("binds", SENDERS),
        section=r.take("section", str),
        meaning=r.take("meaning", str),
        source=source,
        minted=identifier.startswith("X"),
        confirmed=r.take("confirmed", str, ""),
    )
    prefix = {5: ("MQTT5-", "X5-"), 4: ("MQTT311-", "X311-"), 3: ("X31-",)}[version]
    if not identifier.startswith(prefix):
        raise r.error("id", f"a statement of this file starts with {' or '.join(prefix)}")
    if not row.meaning.endswith("."):
        raise r.error("meaning", "is one sentence, ended by a full stop")
    r.done()
    return row


ACTIONS = ("close", "connack", "disconnect", "puback", "pubrec", "pubcomp", "suback", "unsuback", "ignore")


def _reaction(data: Mapping[str, Any], number: int, reasons: set[str]) -> Reaction:
    r = Reader("reactions.toml", f"reaction {number}", data)
    code = r.take("code", str, "")
    if code and code != "breach" and code not in reasons:
        raise r.error("code", f"there is no Reason Code {code!r}")
    row = Reaction(
        rule=r.take("rule", str),
        versions=r.versions("versions") | ({0} if "unknown" in r.data and r.take("unknown", bool) else set()),
        state=r.one_of("state", ("new", "connecting", "connected", "any")),
        receiver=r.one_of("receiver", ("server", "client")),
        action=r.one_of("action", ACTIONS),
        code=code,
        allowed=tuple(r.take("allowed", list)),
        cites=r.identifier("cites", r.take("cites", str)),
    )
    for outcome in row.allowed:
        if outcome.split(":")[0] not in ACTIONS:
            raise r.error("allowed", f"{outcome!r} is not an outcome; they start with {', '.join(ACTIONS)}")
    r.done()
    return row


def _breaches(
    rules: Mapping[str, Rule], packets: Iterable[Packet], properties: Iterable[Property], unknown: Rule
) -> Iterable[tuple[tuple[str, str, str], str]]:
    for rule in (*rules.values(), unknown):
        yield ("types.toml, packets.toml", f"rule {rule.name}", "reason"), rule.reason
    for packet in packets:
        row = f"packet {packet.name}"
        for check in packet.header_checks:
            yield ("packets.toml", row, "check.reason"), check.reason
        todo = list(packet.fields)
        while todo:
            field = todo.pop()
            todo.extend(field.items)
            yield ("packets.toml", f"{row}, field {field.name}", "reason"), field.reason
            for check in field.checks:
                yield ("packets.toml", f"{row}, field {field.name}", "check.reason"), check.reason
    for prop in properties:
        row = f"property {prop.name}"
        if prop.limits:
            yield ("properties.toml", row, "range.breach"), prop.limits.breach
        if prop.repeat:
            yield ("properties.toml", row, "repeat.breach"), prop.repeat
        if prop.needs:
            yield ("properties.toml", row, "needs.breach"), prop.needs_breach
        for place in prop.places:
            if place.required:
                yield ("properties.toml", row, "required"), place.required
        for other in prop.elsewhere:
            yield ("properties.toml", row, "elsewhere.breach"), other.breach


def _citations(spec: Spec) -> Iterable[tuple[tuple[str, str, str], str]]:
    for rule in spec.rules.values():
        for cited in (*rule.cites.values(), *rule.server.values()):
            yield ("types.toml, packets.toml", f"rule {rule.name}", "cites"), cited
    for packet in spec.packets:
        row = f"packet {packet.name}"
        for cited in packet.flag_cites.values():
            yield ("packets.toml", row, "flags.cites"), cited
        for check in packet.header_checks:
            for cited in check.cites.values():
                yield ("packets.toml", row, "check.cites"), cited
        todo = list(packet.fields)
        while todo:
            field = todo.pop()
            todo.extend(field.items)
            tables: list[tuple[str, Cites]] = [
                ("missing", field.missing),
                ("also", field.also),
                ("absent", field.absent),
                ("cites", field.cites),
                ("empty", field.empty),
                *(("rules", c) for c in field.rules.values()),
                *(("zero", c) for c in field.zero.values()),
                *(("check.cites", c.cites) for c in field.checks),
            ]
            for column, cites in tables:
                for cited in cites.values():
                    yield ("packets.toml", f"{row}, field {field.name}", column), cited
    for prop in spec.properties:
        row = f"property {prop.name}"
        if prop.limits and prop.limits.cites:
            yield ("properties.toml", row, "range.cites"), prop.limits.cites
        for cited in (*prop.also, *prop.cites.values(), *(e.cites for e in prop.elsewhere)):
            yield ("properties.toml", row, "cites"), cited
    for number, reaction in enumerate(spec.reactions, 1):
        yield ("reactions.toml", f"reaction {number}", "cites"), reaction.cites
        if not reaction.rule.startswith("breach:") and reaction.rule != "*":
            yield ("reactions.toml", f"reaction {number}", "rule"), reaction.rule


def _check_lock(path: Path, statements: Mapping[str, Statement]) -> None:
    """Ids are never renumbered: one that was ever published stays."""
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        if not line.startswith("#") and line not in statements:
            raise SpecError("statements/ids.lock", line, "id", "was published once and has no row any more")

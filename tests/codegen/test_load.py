# SPDX-License-Identifier: MIT
"""A table row that cannot be right is refused, by file, row and column."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from codegen.__main__ import main
from codegen.load import load
from codegen.model import Spec
from codegen.tables.reader import SpecError

Damage = Callable[[str, str, str], None]


@pytest.fixture
def tables(root: Path, tmp_path: Path) -> Path:
    """A copy of `spec/`, to be damaged."""
    return Path(shutil.copytree(root / "spec", tmp_path / "spec"))


@pytest.fixture
def damage(tables: Path) -> Damage:
    """`damage(file, old, new)`: replaces what stands in a table, once."""

    def replace(file: str, old: str, new: str) -> None:
        path = tables / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1))

    return replace


def refusal(tables: Path) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load(tables)
    return caught.value


def test_the_tables_are_right(root: Path) -> None:
    spec = load(root / "spec")
    assert isinstance(spec, Spec)
    assert [p.code for p in spec.packets] == list(range(1, 16))
    assert len(spec.properties) == 27
    assert sum(not s.minted for s in spec.statements.values() if s.version == 5) == 251
    assert sum(not s.minted for s in spec.statements.values() if s.version == 4) == 141


KEEP_ALIVE = '{ packet = "CONNACK", from = "server", section = "3.2.2.3.14" }'
NORMAL = 'title = "Normal disconnection"\n'
SUBSCRIBE = 'name    = "SUBSCRIBE"'
CASES = {
    # what is damaged: file, old, new, then what the message names: file, row, column, and a word of the reason
    "check of a text": (
        (
            "packets.toml",
            '[[packet.field]]\nname = "packet_id"\ntype = "packet_id"\nwhen = "qos"',
            ("[[packet.field.check]]\nif = \"topic == 'x'\"\nkind = \"value\"\nreason = \"PROTOCOL_ERROR\"\n"
            'cites = { v5 = "MQTT5-3.3.2-1" }\n[[packet.field]]\n'
            'name = "packet_id"\ntype = "packet_id"\nwhen = "qos"'),
        ),
        ("packets.toml", "packet PUBLISH, field topic", "check", "a later one of bits, properties, reason, reasons"),
    ),
    "unknown type of a field": (
        ("packets.toml", 'name = "keep_alive"\ntype = "u16"', 'name = "keep_alive"\ntype = "u17"'),
        ("packets.toml", "packet CONNECT, field keep_alive", "type", "'u17'"),
    ),
    "unknown type of a property": (
        ("properties.toml", 'title  = "Content Type"\ntype   = "utf8"', 'title  = "Content Type"\ntype   = "utf9"'),
        ("properties.toml", "property content_type", "type", "'utf9'"),
    ),
    "unknown wire type of a semantic type": (
        ("types.toml", 'name    = "client_id"\nwire    = "utf8"', 'name    = "client_id"\nwire    = "utf16"'),
        ("types.toml", "type client_id", "wire", "'utf16'"),
    ),
    "unknown rule of a type": (
        ("types.toml", 'rules   = ["topic_wildcard"]', 'rules   = ["topic_wildcat"]'),
        ("types.toml", "type topic_name_or_empty", "rules", "'topic_wildcat'"),
    ),
    "property in no packet": (
        ("properties.toml", f"in     = [\n  {KEEP_ALIVE},\n]", "in = []"),
        ("properties.toml", "property server_keep_alive", "in", "at least one packet"),
    ),
    "property in a packet that has none": (
        ("properties.toml", KEEP_ALIVE, KEEP_ALIVE.replace("CONNACK", "PINGREQ")),
        ("properties.toml", "property server_keep_alive, in PINGREQ", "packet", "'PINGREQ'"),
    ),
    "property sent by nobody": (
        ("properties.toml", KEEP_ALIVE, KEEP_ALIVE.replace("server", "nobody")),
        ("properties.toml", "property server_keep_alive, in CONNACK", "from", "'nobody'"),
    ),
    "property that may stand once, without a breach": (
        ("properties.toml", f'{KEEP_ALIVE},\n]\nrepeat = {{ breach = "PROTOCOL_ERROR" }}', f"{KEEP_ALIVE},\n]"),
        ("properties.toml", "property server_keep_alive", "repeat", "breach"),
    ),
    "property that belongs to nobody known": (
        ("properties.toml", 'belongs = "connection"', 'belongs = "server"'),
        ("properties.toml", "property topic_alias, in PUBLISH", "belongs", "'server'"),
    ),
    "no property that belongs to the connection": (
        ("properties.toml", ', belongs = "connection"', ""),
        ("properties.toml", "packet PUBLISH", "belongs = connection", "not none"),
    ),
    "two properties that count down": (
        ("properties.toml", 'section = "3.3.2.3.9" }', 'section = "3.3.2.3.9", counts_down = true }'),
        ("properties.toml", "packet PUBLISH", "counts_down", "message_expiry_interval, content_type"),
    ),
    "text that counts down": (
        ("properties.toml", 'title  = "Message Expiry Interval"\ntype   = "u32"', 'title  = "Expiry"\ntype   = "utf8"'),
        ("properties.toml", "property message_expiry_interval", "counts_down", "u32"),
    ),
    "subscriber's property that may stand once": (
        ("properties.toml", 'many = true, belongs = "subscriber"', 'belongs = "subscriber"'),
        ("properties.toml", "property subscription_identifier", "belongs = subscriber", "many"),
    ),
    "alias that may be 0": (
        ("properties.toml", 'min = 1, breach = "TOPIC_ALIAS_INVALID"', 'breach = "TOPIC_ALIAS_INVALID"'),
        ("properties.toml", "property topic_alias", "range.min", "1 or more"),
    ),
    "payload format that may be 2": (
        ("properties.toml", "range  = { allowed = [0, 1],", "range  = { allowed = [0, 1, 2],"),
        ("properties.toml", "property payload_format_indicator", "range.allowed", "0 or 1"),
    ),
    "property of a connection that counts down": (
        ("properties.toml", 'belongs = "connection"', 'belongs = "connection", counts_down = true'),
        ("properties.toml", "property topic_alias, in PUBLISH", "belongs, counts_down, says_utf8", "only one"),
    ),
    "property forwarded from a packet that is not": (
        ("properties.toml", KEEP_ALIVE, KEEP_ALIVE.replace(" }", ", counts_down = true }")),
        ("properties.toml", "property server_keep_alive, in CONNACK", "belongs, counts_down, says_utf8", "PUBLISH"),
    ),
    "property that goes on, but that no server may send": (
        ("properties.toml", 'from = "both", section = "3.3.2.3.9"', 'from = "client", section = "3.3.2.3.9"'),
        ("properties.toml", "property content_type, in PUBLISH", "from", "goes on"),
    ),
    "property of a will that may stand more often than in a PUBLISH": (
        ("properties.toml", 'section = "3.1.3.2.5" }', 'section = "3.1.3.2.5", many = true }'),
        ("properties.toml", "property content_type, in PUBLISH", "many", "WILL"),
    ),
    "property needed that does not exist": (
        ("properties.toml", 'needs  = { property = "authentication_method"', 'needs  = { property = "authentication"'),
        ("properties.toml", "property authentication_data", "needs", "'authentication'"),
    ),
    "breach that is no Reason Code": (
        ("properties.toml", 'breach = "TOPIC_ALIAS_INVALID"', 'breach = "TOPIC_ALIAS"'),
        ("properties.toml", "property topic_alias", "range.breach", "'TOPIC_ALIAS'"),
    ),
    "Reason Code in an unknown packet": (
        ("reasons.toml", f'{NORMAL}in    = [{{ packet = "DISC', f'{NORMAL}in    = [{{ packet = "DISK'),
        ("reasons.toml", "reason NORMAL_DISCONNECTION", "in", "'DISKONNECT'"),
    ),
    "Reason Code that is no byte": (
        ("reasons.toml", "code  = 0xA2", "code  = 0x1A2"),
        ("reasons.toml", "reason WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED", "code", "418"),
    ),
    "cited statement that does not exist, by a field": (
        ("packets.toml", 'cites = { v5 = "MQTT5-3.4.2-1" }', 'cites = { v5 = "MQTT5-3.4.2-99" }'),
        ("packets.toml", "packet PUBACK, field reason_code", "cites", "'MQTT5-3.4.2-99'"),
    ),
    "cited statement that does not exist, by a check": (
        ("packets.toml", 'v311 = "MQTT311-3.1.2-22"', 'v311 = "MQTT311-3.1.2-220"'),
        ("packets.toml", "packet CONNECT, field connect_flags", "check.cites", "'MQTT311-3.1.2-220'"),
    ),
    "cited statement that does not exist, by a property": (
        ("properties.toml", 'also   = ["MQTT5-3.3.2-19"]', 'also   = ["MQTT5-3.3.2-190"]'),
        ("properties.toml", "property content_type", "cites", "'MQTT5-3.3.2-190'"),
    ),
    "cited statement that does not exist, by a rule": (
        ("types.toml", 'cites   = { v5 = "MQTT5-1.5.5-1" }', 'cites   = { v5 = "MQTT5-1.5.5-9" }'),
        ("types.toml", "rule vbi_minimal", "cites", "'MQTT5-1.5.5-9'"),
    ),
    "cited statement that does not exist, by a reaction": (
        ("reactions.toml", 'cites    = "MQTT5-4.13.2-1"', 'cites    = "MQTT5-4.13.2-2"'),
        ("reactions.toml", "reaction *", "cites", "'MQTT5-4.13.2-2'"),
    ),
    "reaction to a rule that does not exist": (
        ("reactions.toml", 'rule     = "X31-protocol-version"', 'rule     = "X31-protocol-venison"'),
        ("reactions.toml", "reaction *", "rule", "'X31-protocol-venison'"),
    ),
    "reaction that is no action": (
        ("reactions.toml", 'action   = "disconnect"', 'action   = "explode"'),
        ("reactions.toml", "reaction *", "action", "'explode'"),
    ),
    "outcome that is no action": (
        ("reactions.toml", 'allowed  = ["disconnect:*", "close"]', 'allowed  = ["disconnects:*", "close"]'),
        ("reactions.toml", "reaction *", "allowed", "'disconnects:*'"),
    ),
    "id that is none": (
        ("packets.toml", 'cites = { v5 = "MQTT5-3.4.2-1" }', 'cites = { v5 = "MQTT-3.4.2-1" }'),
        ("packets.toml", "packet PUBACK, field reason_code", "cites", "'MQTT-3.4.2-1'"),
    ),
    "version that does not exist": (
        ("packets.toml", 'cites = { v5 = "MQTT5-3.4.2-1" }', 'cites = { v6 = "MQTT5-3.4.2-1" }'),
        ("packets.toml", "packet PUBACK, field reason_code", "cites", "'v6'"),
    ),
    "duplicate id of a statement": (
        ("statements/mqtt5.toml", 'id      = "MQTT5-1.5.4-2"', 'id      = "MQTT5-1.5.4-1"'),
        ("statements/mqtt5.toml", "statement MQTT5-1.5.4-1", "id", "twice"),
    ),
    "statement of another version's file": (
        ("statements/mqtt5.toml", 'id      = "MQTT5-1.5.4-2"', 'id      = "MQTT311-1.5.4-2"'),
        ("statements/mqtt5.toml", "statement MQTT311-1.5.4-2", "id", "MQTT5-"),
    ),
    "statement of unknown level": (
        ("statements/mqtt5.toml", '"must"', '"shall"'),
        ("statements/mqtt5.toml", "statement MQTT5-1.5.4-1", "level", "'shall'"),
    ),
    "duplicate id of a property": (
        ("properties.toml", "id     = 0x2A", "id     = 0x29"),
        ("properties.toml", "property shared_subscription_available", "id", "0x29"),
    ),
    "duplicate name of a property": (
        ("properties.toml", 'name   = "receive_maximum"', 'name   = "topic_alias_maximum"'),
        ("properties.toml", "property topic_alias_maximum", "name", "twice"),
    ),
    "duplicate name of a packet": (
        ("packets.toml", SUBSCRIBE, 'name    = "PUBLISH"'),
        ("packets.toml", "packet PUBLISH", "name", "twice"),
    ),
    "duplicate code of a packet": (
        ("packets.toml", "code    = 8", "code    = 9"),
        ("packets.toml", "packets", "code", "1 to 15"),
    ),
    "duplicate name of a rule": (
        ("types.toml", 'name    = "utf8_null"', 'name    = "trailing"'),
        ("types.toml", "rule trailing", "name", "twice"),
    ),
    "unknown column of a packet": (
        ("packets.toml", f"{SUBSCRIBE}\n", f"{SUBSCRIBE}\ncolour = \"red\"\n"),
        ("packets.toml", "packet SUBSCRIBE", "colour", "not a column"),
    ),
    "unknown column of a field": (
        ("packets.toml", 'name = "keep_alive"\n', 'name = "keep_alive"\nunits = "seconds"\n'),
        ("packets.toml", "packet CONNECT, field keep_alive", "units", "not a column"),
    ),
    "unknown column of a check": (
        ("packets.toml", 'if = "reserved"\n', 'if = "reserved"\nunless = "value"\n'),
        ("packets.toml", "packet CONNECT, field connect_flags, check 1", "unless", "not a column"),
    ),
    "unknown column of a bit": (
        ("packets.toml", '{ name = "will_flag", at = 2 }', '{ name = "will_flag", at = 2, of = 8 }'),
        ("packets.toml", "packet CONNECT, field connect_flags, bit will_flag", "of", "not a column"),
    ),
    "unknown column of a property": (
        ("properties.toml", 'name   = "topic_alias"\n', 'name   = "topic_alias"\nsize = 2\n'),
        ("properties.toml", "property topic_alias", "size", "not a column"),
    ),
    "unknown column of a place": (
        ("properties.toml", 'section = "3.3.2.3.4", belongs', 'section = "3.3.2.3.4", often = true, belongs'),
        ("properties.toml", "property topic_alias, in PUBLISH", "often", "not a column"),
    ),
    "unknown column of a reason": (
        ("reasons.toml", 'title = "Normal disconnection"\n', 'title = "Normal disconnection"\nbad = false\n'),
        ("reasons.toml", "reason NORMAL_DISCONNECTION", "bad", "not a column"),
    ),
    "unknown column of a statement": (
        ("statements/mqtt5.toml", 'id      = "MQTT5-1.5.4-2"\n', 'id      = "MQTT5-1.5.4-2"\nquote = "no"\n'),
        ("statements/mqtt5.toml", "statement MQTT5-1.5.4-2", "quote", "not a column"),
    ),
    "unknown column of a reaction": (
        ("reactions.toml", 'rule     = "X31-protocol-version"\n', 'rule     = "X31-protocol-version"\nwhy = "no"\n'),
        ("reactions.toml", "reaction *", "why", "not a column"),
    ),
    "unknown table": (
        ("reasons.toml", "[[return_code]]", "[[return_codes]]"),
        ("reasons.toml", "file", "return_codes", "not a table"),
    ),
    "string for an integer": (
        ("packets.toml", "code    = 8", 'code    = "8"'),
        ("packets.toml", "packet SUBSCRIBE", "code", "must be int"),
    ),
    "truth for an integer": (
        ("packets.toml", '{ name = "will_flag", at = 2 }', '{ name = "will_flag", at = true }'),
        ("packets.toml", "packet CONNECT, field connect_flags, bit will_flag", "at", "must be int"),
    ),
    "integer for a string": (
        ("properties.toml", 'title  = "Topic Alias"', "title  = 35"),
        ("properties.toml", "property topic_alias", "title", "must be str"),
    ),
    "string for a list": (
        ("types.toml", 'rules   = ["topic_wildcard"]', 'rules   = "topic_wildcard"'),
        ("types.toml", "semantic type topic_name_or_empty", "rules", "must be list"),
    ),
    "string for a table": (
        ("properties.toml", 'repeat = { breach = "PROTOCOL_ERROR" }', 'repeat = "PROTOCOL_ERROR"'),
        ("properties.toml", "property payload_format_indicator", "repeat", "must be dict"),
    ),
    "column that is missing": (
        ("properties.toml", "id     = 0x2A\n", ""),
        ("properties.toml", "property shared_subscription_available", "id", "missing"),
    ),
    "source that is missing": (
        ("reasons.toml", "source = ", "# source = "),
        ("reasons.toml", "file", "source", "document"),
    ),
    "overlapping bits": (
        ("packets.toml", '{ name = "will_flag", at = 2 }', '{ name = "will_flag", at = 3 }'),
        ("packets.toml", "packet CONNECT, field connect_flags, bit will_flag", "at", "overlap"),
    ),
    "bits outside the byte": (
        ("packets.toml", '{ name = "username_flag", at = 7 }', '{ name = "username_flag", at = 7, width = 2 }'),
        ("packets.toml", "packet CONNECT, field connect_flags, bit username_flag", "at", "leave the byte"),
    ),
    "expression with an unknown name": (
        ("packets.toml", 'if = "will_flag and will_qos == 3"', 'if = "will_flag and will_quality == 3"'),
        ("packets.toml", "packet CONNECT, field connect_flags, check 2", "if", "'will_quality'"),
    ),
    "expression over a field that comes later": (
        ("packets.toml", 'if = "session_present and reason_code"', 'if = "session_present and properties"'),
        ("packets.toml", "packet CONNACK, field reason_code, check 1", "if", "'properties'"),
    ),
    "condition with an unknown name": (
        ("packets.toml", 'when = "qos"', 'when = "quality"'),
        ("packets.toml", "packet PUBLISH, field packet_id", "when", "'quality'"),
    ),
    "expression that is none": (
        ("packets.toml", 'if = "qos == 3"', 'if = "qos == "'),
        ("packets.toml", "packet PUBLISH, header, check 1", "if", "not an expression"),
    ),
    "expression that calls": (
        ("packets.toml", "topic_filter.startswith('$share/')", "topic_filter.encode()"),
        ("packets.toml", "packet SUBSCRIBE, field subscriptions, item options, check 5", "if", "startswith"),
    ),
    "unknown kind of a check": (
        ("packets.toml", 'kind = "cross_field"', 'kind = "cross"'),
        ("packets.toml", "packet CONNACK, field reason_code, check 1", "kind", "'cross'"),
    ),
    "unknown sender of a packet": (
        ("packets.toml", 'from = { v5 = "both" }'.replace("from ", "from    "), 'from    = { v5 = "all" }'),
        ("packets.toml", "packet AUTH", "from", "'all'"),
    ),
    "rule that overrides none": (
        ("packets.toml", "rules = { topic_wildcard = {", "rules = { topic_wild = {"),
        ("packets.toml", "packet PUBLISH, field topic", "rules", "'topic_wild'"),
    ),
    "not TOML": (
        ("types.toml", "[[wire]]", "[[wire]"),
        ("types.toml", "file", "-", "not TOML"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_damage_is_named(name: str, tables: Path, damage: Damage, capsys: pytest.CaptureFixture[str]) -> None:
    (file, old, new), (named, row, column, word) = CASES[name]
    damage(file, old, new)
    error = refusal(tables)
    message = str(error)
    assert named in error.file, message
    assert error.row == row or (row.endswith(" *") and error.row.startswith(row[:-1])), message
    assert error.column == column, message
    assert word in message.split(": ", 3)[3], message
    for mode in (["--check"], []):
        assert main([*mode, "--root", str(tables.parent)]) == 2
        out = capsys.readouterr()
        assert out.err.strip() == f"spec/{message}"
        assert out.out == ""
    assert not (tables.parent / "mqtt_ref").exists()


@pytest.mark.parametrize("file", ["types.toml", "packets.toml", "properties.toml", "reasons.toml", "reactions.toml"])
def test_missing_file(file: str, tables: Path) -> None:
    (tables / file).unlink()
    assert re.fullmatch(rf"{file}: file: -: is missing", str(refusal(tables)))


def test_missing_statements(tables: Path) -> None:
    (tables / "statements" / "mqtt311.toml").unlink()
    assert "there is no statement 'MQTT311-" in str(refusal(tables))


def test_published_id_that_went(tables: Path) -> None:
    with (tables / "statements" / "ids.lock").open("a") as lock:
        lock.write("X5-once-upon-a-time\n")
    error = refusal(tables)
    assert (error.file, error.row, error.column) == ("statements/ids.lock", "X5-once-upon-a-time", "id")

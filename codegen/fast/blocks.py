# SPDX-License-Identifier: MIT
"""Writes the part of the fast codec that keeps a property list as bytes: check it, forward it, make one.

The check only finds out if the list is legal. If not, the decoder of property objects finds the violation, since it
knows the statement and the byte of every rule. So a legal list is read once, and no object is made for its properties.
"""

from __future__ import annotations

from codegen.fast.values import Values
from codegen.fast.writer import SENDERS, is_plain_text
from codegen.model import BLOCK, Field, Place, Property
from codegen.shapes import class_name

__all__ = ["Blocks"]

NAME = BLOCK.lower()


class Blocks(Values):
    """Writes the check of a property list as bytes, and the conversions to and from a block."""

    def block(self, depth: int, field: Field) -> None:
        """Write code that reads a property list as bytes into `block`."""
        self.add(depth, f"block = _{NAME}_block(sender, data, pos, stop)", "if block is None:")
        self.judge(depth + 1, "version, sender, data, start, pos, stop")
        self.add(depth + 1, "return broke")
        self.add(depth, "pos = stop")

    def judge(self, depth: int, arguments: str) -> None:
        """Write code that finds the violation in a list that was not accepted: `broke`."""
        self.add(depth, f"broke = _{NAME}_properties({arguments})", "assert isinstance(broke, Violation)")

    def read_block(self) -> None:
        """Write the check of a property list."""
        self.add(
            0,
            f"def _{NAME}_block(sender: int, data: bytes, start: int, end: int) -> Block | None:",
            f'    """Return the property list of {BLOCK} in `data[start:end]` as a block, or None if it breaks a rule.',
            "",
            "    If all bytes are ASCII, no string is decoded. Zero bytes are counted in advance: those that do not",
            "    belong to a length or a number are U+0000 in a string. `cut` are the forwarded bytes before `cut_at`.",
            '    """',
            "    whole = data[start:end]",
            "    size = end - start",
            "    plain = whole.isascii()",
            "    zeros = whole.count(0)",
            f"    at = length = present = {self.owned('connection').name} = cut_at = 0",
            "    expiry_at = -1",
            "    utf8 = False",
            '    cut = b""',
            "    try:",
            "        while at < size:",
            "            before = at",
            "            identifier = whole[at]",
        )
        for bit, prop, place in self.spec.block_set():
            word = "while" if place.many else "if"
            self.add(3, f"{word} identifier == 0x{prop.id:02X}:  # {prop.title}")
            self.checked_property(bit, prop, place)
            self.add(4, "identifier = whole[at] if at < size else 0")
        self.add(
            1,
            "        if at == before:",
            "            return None",
            "except (IndexError, UnicodeDecodeError):  # a cut-off length of two bytes, an ill-formed string",
            "    return None",
            "if zeros:",
            "    return None",
            "kept = cut + whole[cut_at:] if cut_at else whole",
            f"return Block(kept, whole, present, expiry_at, {self.owned('connection').name}, utf8)",
            "",
            "",
        )

    def checked_property(self, bit: int, prop: Property, place: Place) -> None:
        spec = self.spec
        if len(place.senders) == 1:
            self.add(4, f"if sender != {SENDERS[next(iter(place.senders))]}:", "    return None")
        if not place.many:
            self.add(4, f"if present & 0x{bit:02X}:", "    return None")
        self.add(4, f"present |= 0x{bit:02X}")
        if place.belongs != "message":
            self.add(4, "cut += whole[cut_at:at]")
        self.add(4, "at += 1")
        wire = spec.wire_of(prop.type)
        size = spec.wires[wire].bytes
        if wire == "u8":
            self.add(4, "value = whole[at]", "if not value:", "    zeros -= 1", "at += 1")
        elif size:
            self.add(4, f"stop = at + {size}", "if stop > size:", "    return None")
            self.add(4, "zeros -= whole.count(0, at, stop)")
            if place.counts_down:
                self.add(4, "expiry_at = len(cut) + at - cut_at")
            elif wire == "u16":
                self.add(4, "value = whole[at] << 8 | whole[at + 1]")
            elif prop.limits:
                self.add(4, f"value = UNPACK_{8 * size}(whole, at)[0]")
            self.add(4, "at = stop")
        elif wire == "vbi":
            self.add(4, "value = whole[at]", "if value > 127:")
            self.add(5, "packed = read_vbi(whole, at, size, True)", "if packed < 0:", "    return None")
            self.add(5, "value = packed >> 3", "at += packed & 7")
            self.add(4, "else:", "    at += 1", "    if not value:", "        zeros -= 1")
        elif wire == "binary":
            self.checked_length()
            self.add(4, "zeros -= whole.count(0, at + 2, stop)", "at = stop")
        elif wire == "utf8_pair":
            self.checked_text(prop)
            self.checked_text(prop)
        else:
            self.checked_text(prop)
        if prop.limits:
            limits = prop.limits
            wrong = f"value > {max(limits.allowed)}" if limits.allowed else f"value < {limits.minimum}"
            self.add(4, f"if {wrong}:", "    return None")
        if place.says_utf8:
            self.add(4, "utf8 = value == 1")
        if place.belongs == "connection":
            self.add(4, f"{prop.name} = value")
        if place.belongs != "message":
            self.add(4, "cut_at = at")

    def checked_length(self) -> None:
        """Write code that finds the end of a length-prefixed value: `stop`."""
        self.add(4, "high = whole[at]", "length = whole[at + 1]")
        self.add(4, "if not length:", "    zeros -= 1")
        self.add(4, "if high:", "    length |= high << 8", "else:", "    zeros -= 1")
        self.add(4, "stop = at + 2 + length", "if stop > size:", "    return None")

    def checked_text(self, prop: Property) -> None:
        """Write code that checks a string by the rules of its type."""
        self.checked_length()
        rules = self.spec.type_rules(prop.type)
        if is_plain_text(self.spec, prop):
            self.add(4, "if not plain:", "    whole[at + 2 : stop].decode()")
        elif "filter_hash" in rules:
            self.add(4, "if check_filter(whole, at + 2, stop, True):", "    return None")
        elif "topic_wildcard" in rules:
            self.add(4, "name = NAMES.get(whole[at + 2 : stop]) or name_text(whole, at + 2, stop)")
            self.add(4, "if not name:" if "topic_empty" in rules else "if name is None:", "    return None")
        else:
            self.add(4, "if check_text(whole, at + 2, stop):", "    return None")
        self.add(4, "at = stop")

    def owned(self, owner: str) -> Property:
        """Return the property that belongs to `owner`: the connection or the subscriber."""
        return next(prop for _, prop, place in self.spec.block_set() if place.belongs == owner)

    # ------------------------------------------------------------ from objects

    def make_blocks(self) -> None:
        cls = class_name(BLOCK)
        self.add(
            0,
            "def read_block(data: bytes, sender: int = SERVER) -> Block | None:",
            f'    """Return the block of the property bytes of a {BLOCK}, None if there are none.',
            "",
            "    `data` does not include the Property Length.",
            "",
            "    Raises:",
            "        ValueError: the properties break a rule. The text names the field and the statement.",
            '    """',
            "    if not data:",
            "        return None",
            f"    block = _{NAME}_block(sender, data, 0, len(data))",
            "    if block is None:",
        )
        self.judge(2, "5, sender, data, 0, 0, len(data)")
        self.add(
            0,
            '        raise ValueError(f"{broke.field} breaks {broke.statement}")',
            "    return block",
            "",
            "",
            f"def block_of(properties: {cls} | None, sender: int = SERVER) -> Block | None:",
            '    """Return the block of properties that were made or changed in Python, None if there are none.',
            "",
            "    Raises:",
            "        ValueError: the properties break a rule, or `sender` must not send them. The text says which.",
            '    """',
            "    if properties is None:",
            "        return None",
            "    try:",
            f"        data = _{NAME}_property_bytes(properties)",
            "    except (AttributeError, IndexError, OverflowError, TypeError) as error:",
            '        raise ValueError(f"not properties that can be sent: {properties!r}: {error}") from error',
            "    return read_block(data, sender)",
            "",
            "",
            "def block_for(packet: Publish, sender: int = SERVER) -> Block | None:",
            '    """Return the block of a packet: the received one, or a new one if its properties were changed.',
            "",
            "    Only reading `packet.properties` is not a change.",
            "",
            "    Raises:",
            "        ValueError: as `block_of`.",
            '    """',
            "    came = packet.received",
            "    given = packet._given",
            "    if given is None or (came is not None and given == came.all_properties()):",
            "        return came",
            "    return block_of(given, sender)",
            "",
            "",
            f"def will_block(properties: {class_name('WILL')} | None) -> Block | None:",
            f'    """Return the block of a published will: the Will Properties that {BLOCK} has too, or None.',
            "",
            "    Raises:",
            "        ValueError: as `block_of`.",
            '    """',
            "    if properties is None:",
            "        return None",
            "    return block_of(",
            f"        {cls}(",
            *(f"            {prop.name}=properties.{prop.name}," for prop in self.spec.will_set()),
            "        )",
            "    )",
            "",
            "",
        )

    def outgoing(self) -> None:
        alias, identifier = self.owned("connection"), self.owned("subscriber")
        self.add(
            0,
            "def outgoing(block: Block | None, waited: int, identifiers: tuple[int, ...], alias: int) -> bytes:",
            '    """Return the property bytes for one subscriber, without the Property Length.',
            "",
            "    `waited` seconds are subtracted from the property that counts down, which never goes below 0. The",
            "    Subscription Identifiers and the Topic Alias of the subscriber (0: none) are added at the end.",
            '    """',
            '    data = b"" if block is None else block.data',
            "    if waited and block is not None and block.expiry_at >= 0:",
            "        at = block.expiry_at",
            "        left = max(0, block.expiry() - waited)",
            '        data = data[:at] + left.to_bytes(4, "big") + data[at + 4 :]',
            "    for identifier in identifiers:",
            f"        data += {self.put_owned(identifier, 'identifier')}",
            "    if alias:",
            f"        data += {self.put_owned(alias, 'alias')}",
            "    return data",
            "",
            "",
        )

    def put_owned(self, prop: Property, name: str) -> str:
        if self.spec.wire_of(prop.type) == "vbi":
            return f'b"\\x{prop.id:02x}" + vbi({name})'
        return f'b"\\x{prop.id:02x}" + {name}.to_bytes(2, "big")'

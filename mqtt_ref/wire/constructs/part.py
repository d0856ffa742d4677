# SPDX-License-Identifier: MIT
"""The base of every wire type: a field with its rules, which can be read, written and explained."""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any, Final, Self

from construct import Construct

from mqtt_ref.wire.constructs.rules import Breach, Rule
from mqtt_ref.wire.constructs.trace import Trace
from mqtt_ref.wire.fields import FieldNode
from mqtt_ref.wire.raw import Raw

__all__ = ["OMITTED", "MayEnd", "Part", "Source"]

if TYPE_CHECKING:
    Base = Construct[Any, Any]
else:
    Base = Construct

OMITTED: Final = object()
"""The value of a field that is absent because the packet ends before it."""


class Source(io.BytesIO):
    """The bytes of one packet while they are parsed, and their sender.

    `limit` is the end of the packet or property list that contains the current field.
    """

    def __init__(self, data: bytes, sender: int, trace: Trace | None = None) -> None:
        super().__init__(data)
        self.limit = len(data)
        self.sender = sender
        self.trace = trace


class Part(Base):
    """A wire type, with the rules that hold for one field of it.

    Every part has the rule `truncated`. If it has the rule `missing`, a packet that ends before the field breaks that
    rule instead.
    """

    def __init__(self, **rules: Rule | None) -> None:
        super().__init__()
        self.rules: dict[str, Rule] = {name: rule for name, rule in rules.items() if rule is not None}

    def citing(self, **rules: Rule) -> Self:
        """Return a copy that cites other statements for some of its rules."""
        other = copy.copy(self)
        other.rules = {**self.rules, **rules}
        return other

    def read(self, source: Source, context: Any, path: str) -> Any:
        """Parse the field at the position of `source`."""
        raise NotImplementedError

    def absent(self, source: Source, context: Any, path: str) -> Any:
        """Return the value for a packet that ends before this field, if it may."""
        return None

    def raw(self, name: str, value: Any) -> Raw:
        """Return the raw field of a value."""
        raise NotImplementedError

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        """Return value, text and inner fields of a field that was read from `data[start:end]`."""
        return None, "", ()

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        source: Source = stream
        start = source.tell()
        number = 0
        if source.trace is not None:
            number = source.trace.open(path.rpartition(" -> ")[2], self, start)
        if start >= source.limit and "missing" in self.rules:
            raise Breach(self.rules["missing"], start, path)
        value = self.read(source, context, path)
        if source.trace is not None:
            source.trace.close(number, source.tell())
        return value

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        stream.write(self.raw(path.rpartition(" -> ")[2], obj).encode())
        return obj


class MayEnd(Base):
    """A field before which the packet may end."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        if stream.tell() >= stream.limit:
            return self.part.absent(stream, context, path)
        return self.part._parse(stream, context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return obj if obj is OMITTED else self.part._build(obj, stream, context, path)

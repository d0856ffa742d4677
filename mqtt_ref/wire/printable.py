# SPDX-License-Identifier: MIT
"""Text for terminals and logs: characters that could act on a terminal, break a line or hide text are escaped.

Peers choose much of what is shown. Besides the C0 and C1 control characters (U+009B begins an escape sequence), line
and paragraph separators, bidirectional controls, surrogates and unassigned characters are escaped: all that
`str.isprintable` calls not printable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["json_text", "printable"]


def printable(text: str, keep: str = "") -> str:
    r"""Return the text with each character that is not printable written as in a Python string: `\x9b`, `\u202e`.

    Characters in `keep`, such as a newline, stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def json_text(value: object, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:
    """Return a value as JSON text. Characters that are not printable are escaped, others are not."""
    import json  # it takes 10 ms, and a broker with text lines does not need it

    text = json.dumps(value, ensure_ascii=False, indent=indent, default=default)
    if text.isprintable():
        return text
    # Outside of strings, JSON has only printable characters, and newlines if it is indented.
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)

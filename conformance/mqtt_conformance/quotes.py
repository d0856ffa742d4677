# SPDX-License-Identifier: MIT
"""Reads the standard's own text of each statement from a copy that the user has (text or Markdown)."""

from __future__ import annotations

import re
from pathlib import Path

from mqtt_ref.wire.statements import resolve

__all__ = ["read_quotes"]

TAG = re.compile(r"\[(MQTT-\d+\.\d+\.\d+-\d+)\]")
LONGEST = 700


def read_quotes(path: Path) -> dict[str, str]:
    """Return the sentence that ends in each `[MQTT-x.y.z-n]` tag, by statement id.

    The title of the file tells the version of the standard.

    Raises:
        OSError: the file cannot be read.
    """
    text = path.read_text(errors="replace")
    version = 4 if "3.1.1" in text[:20_000] and "Version 5.0" not in text[:20_000] else 5
    quotes: dict[str, str] = {}
    flat = re.sub(r"\s+", " ", re.sub(r"[*_`]", "", text))
    end = 0
    for match in TAG.finditer(flat):
        before = flat[max(end, match.start() - LONGEST) : match.start()]
        end = match.end()
        cut = max(before.rfind(". "), before.rfind("| "), before.rfind("# "))
        sentence = before[cut + 1 :].strip(" .|#") if cut >= 0 else before.strip(" .|#")
        for statement in resolve(match.group(1), version):
            quotes.setdefault(statement.id, sentence)
    return quotes

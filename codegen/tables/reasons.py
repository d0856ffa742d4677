# SPDX-License-Identifier: MIT
"""Reads `reasons.toml`: the Reason Codes with the packets that may carry them, and the return codes of 3.x."""

from __future__ import annotations

from codegen.model import Reason, ReturnCode
from codegen.tables.reader import SENDERS, Reader, TableFile, unique

__all__ = ["read_reasons"]


def read_reasons(file: TableFile) -> tuple[tuple[Reason, ...], tuple[ReturnCode, ...], int]:
    """Read both in the order of their tables. Also returns the lowest Reason Code that means failure."""
    reasons = tuple(_reason(row) for row in file.rows("reason"))
    unique(reasons, file.file)
    return_codes = tuple(_return_code(row) for row in file.rows("return_code", "return code"))
    return reasons, return_codes, file.take("failures_from", int)


def _reason(r: Reader) -> Reason:
    places = [
        (p.take("packet", str), SENDERS[p.one_of("from", SENDERS)], p.take("tolerated", bool, False))
        for p in r.rows("in", key="packet")
    ]
    row = Reason(
        code=r.take("code", int),
        name=r.take("name", str),
        title=r.take("title", str),
        places=tuple(places),
        v3=r.take("v3", int) if "v3" in r.data else None,
    )
    if not 0 <= row.code <= 255:
        raise r.error("code", f"must be 0 to 255, not {row.code}")
    return row


def _return_code(r: Reader) -> ReturnCode:
    return ReturnCode(code=r.take("code", int), name=r.take("name", str), title=r.take("title", str))

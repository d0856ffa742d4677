# SPDX-License-Identifier: MIT
"""Holes: what is missing in a recording, and what is not judged because of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mqtt_ref.wire.primitives import CLIENT

__all__ = ["ALL", "BYTES", "ORDER", "TIMES", "Hole", "hole_to_json"]

BYTES, ORDER, TIMES = "bytes", "order", "times"
"""What may be missing: bytes of one side, the order between the two sides, or reliable times."""
SIDES: Final = ("client", "server")
ALL: Final = "nothing of this connection is judged"
OF_CLIENT: Final = "nothing that the client does after that is judged"
OF_SERVER: Final = (
    "from there on, nothing is judged that depends on the server: acknowledgements, Packet Identifiers, flow control, "
    "sessions, Keep Alive"
)
OF_TIME: Final = "nothing that depends on time is judged on this connection: Keep Alive, timeouts"


@dataclass
class Hole:
    """A part of a connection that was not recorded.

    Bytes are missing after the first `behind` bytes that `sender` sent. `size` is the number of all missing bytes, in
    `count` places; 0: unknown. `begun` is true if the CONNECT was seen before.
    """

    connection: str
    remote: str
    kind: str
    sender: int
    behind: int
    size: int
    begun: bool
    count: int = 1

    @property
    def unjudged(self) -> str:
        """What is not judged because of the hole."""
        if self.kind == TIMES:
            return OF_TIME
        if self.sender != CLIENT:
            return OF_SERVER
        return OF_CLIENT if self.begun else ALL

    def __str__(self) -> str:
        where = f"connection {self.connection}"
        if self.remote and not self.connection.endswith(self.remote):
            where += f", {self.remote}"
        return f"{where}: {self._what()}; {self.unjudged}"

    def _what(self) -> str:
        side = SIDES[self.sender]
        if self.kind == TIMES:
            return "its records are out of order, so their times are not reliable"
        if self.kind == ORDER:
            return f"the order between client and server is unknown after byte {self.behind:,} of the {side}"
        if not self.size:
            return f"nothing of the {side} was recorded"
        what = f"{self.size:,} byte{'' if self.size == 1 else 's'} of the {side} {'is' if self.size == 1 else 'are'}"
        what += f" missing after byte {self.behind:,}"
        if self.count > 1:
            what += f" and in {self.count - 1} more place{'' if self.count == 2 else 's'}"
        return what


def hole_to_json(hole: Hole) -> dict[str, Any]:
    """The JSON form of a hole."""
    return {
        "conn": hole.connection,
        "remote": hole.remote,
        "kind": hole.kind,
        "from": None if hole.kind == TIMES else SIDES[hole.sender],
        "behind": hole.behind,
        "bytes": hole.size or None,
        "places": hole.count,
        "unjudged": hole.unjudged,
    }

# SPDX-License-Identifier: MIT
"""What is missing in a recording, and what therefore was not judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mqtt_ref.wire.primitives import CLIENT

__all__ = ["Hole", "hole_to_json"]

SIDES: Final = ("client", "server")
ALL: Final = "nothing of this connection is judged"
OF_CLIENT: Final = "nothing that the client did from there on is judged"
OF_SERVER: Final = (
    "from there on nothing is judged that depends on the server: acknowledgements, Packet Identifiers, flow control, "
    "sessions, Keep Alive"
)


@dataclass
class Hole:
    """Bytes of one side of a connection that were not recorded.

    The first of them are missing behind the first `behind` bytes that `sender` sent; `size` counts all that are
    missing, in `count` places. `size` is 0 where nobody knows it. `begun` says that the CONNECT was seen before.
    """

    connection: str
    remote: str
    sender: int
    behind: int
    size: int
    begun: bool
    count: int = 1

    @property
    def unjudged(self) -> str:
        """What nothing is said about."""
        if self.sender != CLIENT:
            return OF_SERVER
        return OF_CLIENT if self.begun else ALL

    def __str__(self) -> str:
        where = f"connection {self.connection}" + (f", {self.remote}" if self.remote else "")
        side = SIDES[self.sender]
        if self.size:
            what = (
                f"{self.size:,} byte{'' if self.size == 1 else 's'} of the {side} {'is' if self.size == 1 else 'are'}"
            )
            what += f" missing behind byte {self.behind:,}"
            if self.count > 1:
                what += f" and in {self.count - 1} more place{'' if self.count == 2 else 's'}"
        elif self.behind:
            what = f"the order of what the two sides sent is not known behind byte {self.behind:,} of the {side}"
        else:
            what = f"nothing of the {side} was recorded"
        return f"{where}: {what}; {self.unjudged}"


def hole_to_json(hole: Hole) -> dict[str, Any]:
    """The JSON form of a hole."""
    return {
        "conn": hole.connection,
        "remote": hole.remote,
        "from": SIDES[hole.sender],
        "behind": hole.behind,
        "bytes": hole.size or None,
        "places": hole.count,
        "unjudged": hole.unjudged,
    }

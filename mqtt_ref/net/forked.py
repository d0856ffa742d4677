# SPDX-License-Identifier: MIT
"""Sockets of a server in a child of `os.fork`. The server runs only in the parent: the child lets go of them.

Otherwise the port of a stopped server would still accept connections that nothing serves, and clients would not see
that their links are closed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Protocol
from weakref import WeakSet

__all__ = ["Holder", "release_in_children"]


class Holder(Protocol):
    """Something that has open sockets."""

    def sockets(self) -> Iterable[int]:
        """Return their descriptors."""


_HOLDERS: WeakSet[Holder] = WeakSet()


def release_in_children(holder: Holder) -> None:
    """Close the sockets of `holder` in each child that is forked from now on."""
    _HOLDERS.add(holder)


def _release() -> None:
    """Put an empty file in the place of each socket: the objects that hold its number may still close it."""
    null = -1
    for holder in list(_HOLDERS):
        for descriptor in list(holder.sockets()):
            if null < 0:
                null = os.open(os.devnull, os.O_RDWR)
            try:
                os.dup2(null, descriptor, inheritable=False)
            except OSError:
                pass
    if null >= 0:
        os.close(null)
    _HOLDERS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release)

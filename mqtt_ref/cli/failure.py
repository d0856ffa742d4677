# SPDX-License-Identifier: MIT
"""Error texts of the command line about files and peers."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from mqtt_ref.wire.printable import printable

__all__ = ["named", "plainly"]


def plainly(error: Exception) -> str:
    """Return the text of an error, without error numbers of the system and characters that act on a terminal."""
    return printable(_text(error), "\n")


def _text(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    if isinstance(error, socket.gaierror):
        return "there is no host of that name" if error.errno == socket.EAI_NONAME else str(error.strerror)
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: no server listens there"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    untrusted = getattr(error, "verify_message", None)
    if untrusted:
        return f"its certificate is not trusted: {untrusted}"
    reason = getattr(error, "reason", None)
    if reason:  # of an SSLError, as in WRONG_VERSION_NUMBER
        return f"no TLS: {str(reason).replace('_', ' ').lower()}"
    what = error.strerror or str(error)
    return what if error.filename is None else f"{error.filename}: {what}"


def named(url: str) -> str:
    """Return a URL as it can be shown, with its password masked."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return printable(url)
    if parts.password is None:
        return printable(url)
    return printable(parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl())

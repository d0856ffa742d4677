# SPDX-License-Identifier: MIT
"""Hook that takes the user name of a client from its TLS certificate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final

from mqtt_ref.hooks import Decision, Hook
from mqtt_ref.log import Throttle
from mqtt_ref.wire.codes import NOT_AUTHORIZED

if TYPE_CHECKING:
    from mqtt_ref.broker.views import Client
    from mqtt_ref.wire.packets import Connect

__all__ = ["SOURCES", "CertificateIdentity", "identities"]

LOG = logging.getLogger("mqtt_ref.auth")
LINES: Final = Throttle(LOG.warning)

SOURCES: Final = {
    "common_name": ("subject", "commonName"),
    "email": ("subjectAltName", "email"),
    "dns": ("subjectAltName", "DNS"),
    "uri": ("subjectAltName", "URI"),
}
"""By source: the part of the certificate, and the type of the name in it."""


def identities(certificate: Mapping[str, Any], source: str) -> list[str]:
    """Return the names of this source in a certificate that `ssl.SSLSocket.getpeercert` returned.

    Raises:
        ValueError: `source` is unknown.
    """
    if source not in SOURCES:
        raise ValueError(f"source {source!r} is unknown; it must be one of {', '.join(SOURCES)}")
    part, wanted = SOURCES[source]
    pairs: Iterable[tuple[str, str]] = certificate.get(part, ())
    if part == "subject":
        pairs = [pair for names in certificate.get(part, ()) for pair in names]
    return [value for name, value in pairs if name == wanted and value]


class CertificateIdentity(Hook):
    """Accept clients with a certificate. The name in it becomes the user name, whatever the CONNECT says.

    Put it before the `LedgerHook`, so that its ACL uses that name. `allow` decides which names may connect (None: every
    name that TLS has verified). Use `LedgerHook.may_connect` for it to respect `disallow`. Clients without a
    certificate are left to the next hook, or refused if `required`. A certificate must have exactly one name of the
    source.

    Raises:
        ValueError: `source` is unknown.
    """

    id = "certificate-identity"

    def __init__(
        self, source: str = "common_name", *, allow: Callable[[str], bool] | None = None, required: bool = False
    ) -> None:
        identities({}, source)
        self.source = source
        self.allow = allow
        self.required = required

    def on_connect_authenticate(self, client: Client, connect: Connect) -> Decision | None:
        """Decide by the certificate, if the client has one."""
        certificate = client.certificate
        if not certificate:
            return self._refused(client, "it has no certificate") if self.required else None
        names = identities(certificate, self.source)
        if len(names) != 1:
            return self._refused(client, f"its certificate must have one name of type {self.source}, not {len(names)}")
        if self.allow is not None and not self.allow(names[0]):
            return self._refused(client, f"{names[0]!r} may not connect")
        return Decision(True, username=names[0])

    def _refused(self, client: Client, why: str) -> Decision:
        if LINES.passes(monotonic_ns()):
            LOG.warning("login refused: client %r at %s: %s", client.id, client.remote, why)
        return Decision(False, NOT_AUTHORIZED, "Not authorized")

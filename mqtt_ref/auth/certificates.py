# SPDX-License-Identifier: MIT
"""The identity of a client from its certificate: the one that TLS has verified."""

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
"""Where the name may stand: in the subject, or in a subject alternative name."""


def identities(certificate: Mapping[str, Any], source: str) -> list[str]:
    """The names of this source in a certificate as `ssl.SSLSocket.getpeercert` gives it.

    Raises:
        ValueError: there is no such source.
    """
    if source not in SOURCES:
        raise ValueError(f"there is no source {source!r}; {', '.join(SOURCES)}")
    part, wanted = SOURCES[source]
    pairs: Iterable[tuple[str, str]] = certificate.get(part, ())
    if part == "subject":
        pairs = [pair for names in certificate.get(part, ()) for pair in names]
    return [value for name, value in pairs if name == wanted and value]


class CertificateIdentity(Hook):
    """Lets in who shows a certificate, under the name in it, whatever user name the CONNECT has.

    Put it before the `LedgerHook`, whose ACL then knows the client by that name. `allow` says which names may connect
    (None: every one that TLS has verified); `LedgerHook.may_connect` is one that respects `disallow`. Clients without a
    certificate are left to the next hook, or refused if it is `required`. A certificate without exactly one name of
    the source is refused.

    Raises:
        ValueError: there is no such source.
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
        """By the certificate, if there is one."""
        certificate = client.certificate
        if not certificate:
            return self._refused(client, "it shows no certificate") if self.required else None
        names = identities(certificate, self.source)
        if len(names) != 1:
            return self._refused(client, f"its certificate has {len(names)} names of the kind {self.source}, not one")
        if self.allow is not None and not self.allow(names[0]):
            return self._refused(client, f"{names[0]!r} may not connect")
        return Decision(True, username=names[0])

    def _refused(self, client: Client, why: str) -> Decision:
        if LINES.passes(monotonic_ns()):
            LOG.warning("login refused: client %r at %s: %s", client.id, client.remote, why)
        return Decision(False, NOT_AUTHORIZED, "Not authorized")

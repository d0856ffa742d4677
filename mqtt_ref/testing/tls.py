# SPDX-License-Identifier: MIT
"""A TLS lab: valid certificates, and some with one fault each. They are made at each start."""

from __future__ import annotations

import datetime
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings

if TYPE_CHECKING:
    from mqtt_ref.threaded import ThreadedServer

__all__ = ["TlsLab"]

NAMES: Final = ("localhost", "127.0.0.1", "::1")
ELSEWHERE: Final = "elsewhere.example"
CLIENT: Final = "client.example"


class TlsLab:
    """Certificates as PEM files in a folder, and listeners that use them. Needs the extra `tls`.

    Each listener has `host`, `port` and `urls`. A client that trusts `ca` must accept `good` and `mutual`, and must
    refuse `expired`, `wrong_host` and `unknown_ca`. `mutual` requires a client certificate.

    Files: `ca` is the authority to trust. `client`, `expired_client` and `unknown_client` each hold a certificate and
    its key. `mutual` accepts the first and refuses the others.

    Raises:
        ImportError: the extra is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            import trustme
        except ImportError as error:
            raise ImportError("the TLS lab needs trustme: pip install 'mqtt_ref[tls]'") from error
        self.folder = Path(folder)
        known, unknown = trustme.CA(), trustme.CA()
        now = datetime.datetime.now(datetime.UTC)
        past: dict[str, Any] = {
            "not_before": now - datetime.timedelta(days=30),
            "not_after": now - datetime.timedelta(days=1),
        }
        self.ca = self.folder / "ca.pem"
        known.cert_pem.write_to_path(str(self.ca))
        self.client = self._write("client", known.issue_cert(CLIENT, common_name="client"))
        self.expired_client = self._write("expired-client", known.issue_cert(CLIENT, common_name="client", **past))
        self.unknown_client = self._write("unknown-client", unknown.issue_cert(CLIENT, common_name="client"))
        server = self._write("server", known.issue_cert(*NAMES))
        self.good = _listener("tls-good", server)
        self.expired = _listener("tls-expired", self._write("expired", known.issue_cert(*NAMES, **past)))
        self.wrong_host = _listener("tls-wrong-host", self._write("wrong-host", known.issue_cert(ELSEWHERE)))
        self.unknown_ca = _listener("tls-unknown-ca", self._write("unknown-ca", unknown.issue_cert(*NAMES)))
        settings = TlsSettings(server, client_ca=self.ca, require_certificate=True)
        self.mutual = TcpListener(port=0, name="tls-mutual", tls=settings)

    @property
    def listeners(self) -> list[TcpListener]:
        """All listeners of the lab, for a server."""
        return [self.good, self.expired, self.wrong_host, self.unknown_ca, self.mutual]

    def add_to(self, server: ThreadedServer) -> None:
        """Open all listeners on a server that runs."""
        for listener in self.listeners:
            server.add_listener(listener)

    def context(self, client: Path | None = None) -> ssl.SSLContext:
        """Return the context of a client that trusts `ca` and checks the host. It sends the certificate `client`."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if client is not None:
            context.load_cert_chain(client)
        return context

    def _write(self, name: str, certificate: Any) -> Path:
        path = self.folder / f"{name}.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path


def _listener(name: str, certificate: Path) -> TcpListener:
    return TcpListener(port=0, name=name, tls=TlsSettings(certificate))

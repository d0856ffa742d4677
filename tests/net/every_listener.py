# SPDX-License-Identifier: MIT
"""A broker with a listener of every kind, for tests: `every_listener.py FOLDER`; the folder has the certificates."""

from __future__ import annotations

import sys
from pathlib import Path

from mqtt_ref import log
from mqtt_ref.cli.serve import run_loop, serve
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.net.unix import UnixListener
from mqtt_ref.net.websocket import WebSocketListener
from mqtt_ref.server import Server

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    server_only = TlsSettings(folder / "server.pem")
    mutual = TlsSettings(folder / "server.pem", client_ca=folder / "ca.pem", require_certificate=True)
    listeners = [
        TcpListener(port=0),
        TcpListener(port=0, tls=server_only),
        TcpListener(port=0, tls=mutual),
        WebSocketListener(port=0),
        WebSocketListener(port=0, tls=server_only),
        UnixListener(folder / "mqtt.sock"),
    ]
    log.setup()
    server = Server(listeners=listeners, hooks=[AllowAll()])
    sys.exit(run_loop(serve(server, lambda url: print(f"listening on {url}", flush=True))))

# SPDX-License-Identifier: MIT
"""TLS with client certificates: a client needs one of this authority, and the broker reads the client's name from it.

Prints:
    connected over mqtts
    the certificate says: melon
"""

import tempfile
from pathlib import Path
from threading import Event

import trustme
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from mqtt_ref import AllowAll, TcpListener, ThreadedServer
from mqtt_ref.auth.certificates import identities
from mqtt_ref.net.tls import TlsSettings

with tempfile.TemporaryDirectory() as folder:
    authority = trustme.CA()
    ca, ours, theirs = (str(Path(folder, name)) for name in ("ca.pem", "server.pem", "client.pem"))
    authority.cert_pem.write_to_path(ca)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(ours)
    named = authority.issue_cert("melon.example", common_name="melon")
    named.private_key_and_cert_chain_pem.write_to_path(theirs)

    settings = TlsSettings(ours, client_ca=ca, require_certificate=True)
    with ThreadedServer(listeners=[TcpListener(port=0, tls=settings)], hooks=[AllowAll()]) as server:
        client = Client(CallbackAPIVersion.VERSION2, "melon")
        client.tls_set(ca, theirs)
        connected = Event()
        client.on_connect = lambda *_: connected.set()
        client.connect(server.host, server.port)
        client.loop_start()
        connected.wait(5)
        print("connected over", server.url.partition(":")[0])
        visitor = server.client("melon")
        assert visitor is not None
        print("the certificate says:", *identities(dict(visitor.certificate or {}), "common_name"))
        client.disconnect()
        client.loop_stop()

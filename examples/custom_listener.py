# SPDX-License-Identifier: MIT
"""A custom listener: it connects to its clients instead of waiting for them, as a broker behind a firewall has to.

Prints:
    dialled a client: Success
    its listener: dial
"""

import asyncio
import socket
from collections.abc import Callable

from mqtt_ref import AllowAll, ThreadedServer
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.driver import Driver
from mqtt_ref.net.listener import Listener
from mqtt_ref.testing.rawclient import RawClient


class Dial(Listener):
    """Connects to a client that waits at an address."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__("dial")
        self.host, self.port = host, port

    async def open(self, driver: Driver, channel: Callable[[Driver, Listener], Channel] = Channel) -> None:
        """Connect once. A real listener would connect again when the connection is lost."""
        await asyncio.get_running_loop().create_connection(lambda: channel(driver, self), self.host, self.port)
        self.urls = [f"dial://{self.host}:{self.port}"]

    async def close(self) -> None:
        """Do nothing: the connection belongs to the broker."""


with socket.create_server(("127.0.0.1", 0)) as waiting:
    with ThreadedServer(listeners=[Dial(*waiting.getsockname())], hooks=[AllowAll()]) as server:
        with RawClient(connected=waiting.accept()[0]) as client:
            answer = client.connect("melon")
            print("dialled a client:", "Success" if answer.reason_code == 0 else answer)
            print("its listener:", server.clients()[0].listener)
            client.disconnect()

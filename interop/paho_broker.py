# SPDX-License-Identifier: MIT
"""Our broker as the Eclipse Paho suite takes it for granted; started as a script, it says where it listens.

Everything here is configuration: a filter that is refused with 0x80, a greatest Keep Alive, a Receive Maximum small
enough to be exceeded in a moment, and no Reason Strings, which the suite's client cannot read in a PUBACK. That topic
aliases are assigned, and that overlapping subscriptions give one copy, are defaults.
"""

import asyncio
import os
import signal

from mqtt_ref.broker.views import Client
from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.hooks import AllowAll, Hook, Reject
from mqtt_ref.server import Server

#: A filter that nobody may have. `Options.refused_filters` would answer 0x87 to 5.0, and the suite asks for 0x80.
REFUSED = "test/nosubscribe"
UNSPECIFIED_ERROR = 0x80

OPTIONS = Options(capabilities=Capabilities(maximum_keep_alive=60, receive_maximum=20), reason_strings=False)


class OneFilterRefused(Hook):
    """Refuses one filter, and leaves the others to the next hook."""

    def on_acl_check(self, client: Client, topic: str, write: bool) -> None:
        """Not 0x87, which is what False comes to."""
        if topic == REFUSED and not write:
            raise Reject(UNSPECIFIED_ERROR)


async def serve() -> None:
    """Serve on a free port of the loopback interface until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Server(OPTIONS, hooks=[OneFilterRefused(), AllowAll()]) as server:
        print(f"listening on {server.url}", flush=True)
        await stop.wait()


def wait_for_your_turn() -> None:
    """Do not take the processor from the suite's client in the middle of its `send`.

    Its `disconnect` stops the thread that reads, and then waits in vain for acknowledgements which that thread has not
    read yet. `test_client_topic_alias` asks for that: it looks for its own message right after it has sent it. When the
    kernel lets a woken broker run before `send` returns, the message is there and its PUBACK, sent with it, is unread.
    """
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


if __name__ == "__main__":
    wait_for_your_turn()
    asyncio.run(serve())

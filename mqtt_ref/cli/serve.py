# SPDX-License-Identifier: MIT
"""`mqtt-ref serve`: the broker."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final

from mqtt_ref import log
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.net.tcp import TcpListener, is_loopback
from mqtt_ref.server import Server

if TYPE_CHECKING:
    from mqtt_ref.broker.views import Client
    from mqtt_ref.net.trace import Trace

__all__ = ["configure", "run", "run_loop", "serve"]

FINE, USAGE = 0, 2
CLIENTS = logging.getLogger("mqtt_ref.connection")
NET = logging.getLogger("mqtt_ref.net")
FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
DESCRIPTORS: Final = 1_048_576
EXAMPLE: Final = """\
example:
  mqtt-ref serve --port 0 --trace
  mosquitto_sub -p PORT -t 'greetings/#' &
  mosquitto_pub -p PORT -t greetings/world -m hello

Without --host it listens on this machine only, and lets everybody on it do everything. Ctrl-C says goodbye to the
clients and ends it; a second Ctrl-C ends it at once. MQTT_REF_LOOP=asyncio makes it do without uvloop.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("--port", type=_port, default=1883, help="TCP port, 0 takes a free one (default: 1883)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--allow-all", action="store_true", help="listen on addresses that others can reach, and let everybody in"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log who connects and disconnects")
    parser.add_argument(
        "--trace",
        nargs="?",
        const="text",
        choices=("text", "jsonl"),
        help="print each packet; as JSON records, one per line, with --trace=jsonl",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    if not args.allow_all and not is_loopback(args.host):
        print(
            f"mqtt-ref serve: refused to listen on {args.host!r}: others can reach that address, and without rules "
            "everybody would be let in. --allow-all says that this is wanted.",
            file=sys.stderr,
        )
        return USAGE
    log.setup(logging.INFO if args.verbose else logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    _raise_limit()
    trace: Trace | None = None
    if args.trace:
        from mqtt_ref.net.trace import Trace

        trace = Trace(sys.stdout, args.trace)
    server = Server(listeners=[TcpListener(args.host, args.port)], hooks=[AllowAll()], trace=trace)
    if args.verbose:
        server.add_hook(_Visits())
    # Records are for programs: they have standard output to themselves.
    say = sys.stderr if args.trace == "jsonl" else sys.stdout
    try:
        return run_loop(serve(server, lambda url: print(f"listening on {url}", file=say, flush=True)))
    except ListenerError as error:
        print(f"mqtt-ref serve: {error}", file=sys.stderr)
        return USAGE


class _Visits(Hook):
    """Logs who comes and goes."""

    id = "visits"

    def on_session_established(self, client: Client, session_present: bool) -> None:
        level = {3: "3.1", 4: "3.1.1", 5: "5.0"}.get(client.protocol_version)
        how = ", resumed" if session_present else ""
        CLIENTS.info("%r at %s connected, MQTT %s%s", client.id, client.remote, level, how)

    def on_disconnect(self, client: Client, reason_code: int, text: str) -> None:
        CLIENTS.info("%r at %s disconnected", client.id, client.remote)


async def serve(server: Server, ready: Callable[[str], None]) -> int:
    """Run a server until a signal comes; `ready` is told each address."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_LoopErrors())
    stop = asyncio.Event()
    _on_signals(loop, stop)
    async with server:
        for listener in server.listeners:
            for url in listener.urls:
                ready(url)
        await stop.wait()
    return FINE


def _on_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """The first Ctrl-C or SIGTERM sets `stop`; the second one ends the process where it stands."""

    def came(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, came, number)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda got, frame: loop.call_soon_threadsafe(came, got))


class _LoopErrors:
    """Logs what no caller can be told: a failed accept, say, or a bug in a callback."""

    def __init__(self) -> None:
        self.full = log.Throttle(NET.error, 1)

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in FULL:
            if self.full.passes(monotonic_ns()):
                NET.error("no new connection can be accepted for the moment: %s", error.strerror)
        else:
            NET.error("%s", context.get("message", error), exc_info=error)


def _raise_limit() -> None:
    """Let the process have as many descriptors, one per connection, as the system allows it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:
            NET.info("the limit of open files stays %d: %s", soft, error)


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """`asyncio.run` on the faster loop where there is one."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if sys.platform != "win32" and os.environ.get("MQTT_REF_LOOP") != "asyncio":
        try:
            import uvloop
        except ImportError:
            pass
        else:
            factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"a port is 0 to 65535, not {port}")
    return port

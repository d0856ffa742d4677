# SPDX-License-Identifier: MIT
"""`mqtt-ref serve`: runs the broker."""

from __future__ import annotations

import argparse
import asyncio
import errno
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TextIO

from mqtt_ref import log
from mqtt_ref.cli import planning
from mqtt_ref.cli.collecting import Collecting
from mqtt_ref.cli.failure import plainly
from mqtt_ref.cli.planning import Plan, Refused, plan
from mqtt_ref.clocks import monotonic
from mqtt_ref.hooks import Hook
from mqtt_ref.net.driver import SILENCE
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.outlet import Outlet, left_out
from mqtt_ref.server import Server
from mqtt_ref.storage.port import StoreError
from mqtt_ref.wire.printable import printable

if TYPE_CHECKING:
    from mqtt_ref.broker.views import Client
    from mqtt_ref.net.trace import Trace

__all__ = ["configure", "run", "run_loop", "serve", "set_up", "teller"]

FINE, FAILED, USAGE = 0, 1, 2
CLIENTS = logging.getLogger("mqtt_ref.connection")
CONFIG = logging.getLogger("mqtt_ref.config")
NET = logging.getLogger("mqtt_ref.net")
FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
DESCRIPTORS: Final = 1_048_576
EXAMPLE: Final = """\
examples:
  mqtt-ref serve --port 0 --trace
  mosquitto_sub -p PORT -t 'greetings/#' &
  mosquitto_pub -p PORT -t greetings/world -m hello

  mqtt-ref serve --config broker.yaml
  MQTT_REF__OPTIONS__CAPABILITIES__MAXIMUM_QOS=1 mqtt-ref serve

Without a configuration it listens on TCP, WebSocket and HTTP for this machine only, and every client may do
everything. Every option of a configuration has an environment variable, which overrides the file. SIGHUP reads rules,
users and certificates again. Ctrl-C disconnects the clients and stops the broker; a second Ctrl-C stops it at once.
With MQTT_REF_LOOP=asyncio it does not use uvloop.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLE
    planning.configure(parser)
    planning.configure_store(parser)
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="log clients that connect or disconnect; twice: log all"
    )
    parser.add_argument("--print-config", action="store_true", help="print the configuration with defaults, and exit")
    parser.add_argument(
        "--trace",
        nargs="?",
        const="text",
        choices=("text", "jsonl"),
        help="print each packet without its secrets; --trace=jsonl: complete JSON records, one per line",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    try:
        if args.print_config:
            return _print_config(args)
        made = plan(args, os.environ)
    except (Refused, ValueError) as error:
        print(f"mqtt-ref serve: {plainly(error)}", file=sys.stderr)
        return USAGE
    set_up(made, args.verbose)
    trace = make_trace(args.trace)
    if CLIENTS.isEnabledFor(logging.INFO):
        made.hooks.append(_Visits())
    server = Server(
        made.options,
        made.listeners,
        hooks=made.hooks,
        trace=trace,
        storage=made.storage,
        on_store_failure=made.on_store_failure,
    )
    # Programs read the records: nothing else may go to standard output.
    say = sys.stderr if args.trace == "jsonl" else sys.stdout
    reload = None if made.reloader is None else made.reloader(server)
    try:
        return run_loop(serve(server, teller(say), reload))
    except (ListenerError, StoreError) as error:
        print(f"mqtt-ref serve: {plainly(error)}", file=sys.stderr)
        return USAGE


def make_trace(form: str | None) -> Trace | None:
    """Return a trace to standard output in this form. None: no trace is wanted."""
    if form is None:
        return None
    from mqtt_ref.net.trace import Trace, dropped_record

    return Trace(Outlet(sys.stdout, dropped_record if form == "jsonl" else left_out), form)


def set_up(made: Plan, verbose: int = 0) -> Outlet:
    """Set up the log, write the warnings to it, and raise the limit of descriptors. Returns the stream of the log."""
    level = min(made.level, (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    handler = log.setup(level, made.log_form)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    for warning in made.warnings:
        CONFIG.warning("%s", warning)
    _raise_limit()
    return handler.stream


def teller(stream: TextIO) -> Callable[[str], None]:
    """Return a function that prints an address. It continues if the reader has ended, as in `| head -1`."""

    def tell(url: str) -> None:
        try:
            print(printable(f"listening on {url}"), file=stream, flush=True)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    return tell


def _print_config(args: argparse.Namespace) -> int:
    from mqtt_ref.config.load import effective, load

    print(effective(load(args.config, os.environ).config), end="")
    return FINE


class _Visits(Hook):
    """Logs clients that connect and disconnect."""

    id = "visits"

    def on_session_established(self, client: Client, session_present: bool) -> None:
        level = {3: "3.1", 4: "3.1.1", 5: "5.0"}.get(client.protocol_version)
        how = ", resumed" if session_present else ""
        CLIENTS.info("%r at %s connected, MQTT %s%s", client.id, client.remote, level, how)

    def on_disconnect(self, client: Client, reason_code: int, text: str) -> None:
        CLIENTS.info("%r at %s disconnected", client.id, client.remote)


async def serve(server: Server, ready: Callable[[str], None], reload: Callable[[], None] | None = None) -> int:
    """Run a server until a signal comes. `ready` is called with each address, `reload` for SIGHUP and by the API."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_LoopErrors())
    stop = asyncio.Event()
    _on_signals(loop, stop)
    async with server:
        # The collector never looks at what was loaded: with a large store that would stop the broker for a second.
        gc.freeze()
        if reload is not None:
            server.driver.on_reload = reload
            _on_hangup(loop, reload)
        for listener in server.listeners:
            # One line for each listener: programs read the port from it. `localhost` has two addresses with one port.
            for url in listener.urls[:1] if listener.host == "localhost" else listener.urls:
                ready(url)
        ended = asyncio.ensure_future(server.stopped.wait())
        told = asyncio.ensure_future(stop.wait())
        with Collecting(server.broker, loop.call_soon_threadsafe):
            await asyncio.wait((ended, told), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        told.cancel()
    if server.store_error is not None:
        print(f"mqtt-ref: the broker has stopped because the store failed: {server.store_error}", file=sys.stderr)
        return FAILED
    return FINE


def _on_hangup(loop: asyncio.AbstractEventLoop, reload: Callable[[], None]) -> None:
    """Reload the configuration on SIGHUP. If it is invalid, log the problems and keep the old one."""

    def came() -> None:
        try:
            reload()
        except ValueError as error:
            for line in str(error).splitlines():
                CONFIG.error("the configuration stays as it was: %s", line)

    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, came)


def _on_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """The first Ctrl-C or SIGTERM sets `stop`; the second one ends the process at once."""

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
    """Logs errors that no caller gets: a failed accept, for example, or a bug in a callback."""

    def __init__(self) -> None:
        self._full_at = -SILENCE

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in FULL:
            now = monotonic()
            if now - self._full_at >= SILENCE:
                self._full_at = now
                NET.error(
                    "no new connection can be accepted for the moment: %s; raise the limit of open files (ulimit -n)",
                    error.strerror,
                )
        else:
            NET.error("%s", context.get("message", error), exc_info=error)


def _raise_limit() -> None:
    """Raise the limit of descriptors, one per connection, as far as the system allows."""
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
    """Like `asyncio.run`, on uvloop if it is installed."""
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

# SPDX-License-Identifier: MIT
"""Plans what `mqtt-ref serve` runs, from its arguments or from a configuration."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mqtt_ref.engine.options import Options
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.net.tcp import TcpListener, is_loopback

if TYPE_CHECKING:
    from mqtt_ref.net.listener import Listener
    from mqtt_ref.server import Server

__all__ = ["Plan", "Refused", "configure", "plan"]

TCP, WEB_SOCKET, HTTP = 1883, 1882, 8080
OF_LISTENERS: Final = ("host", "port", "ws_port", "http_port", "no_ws", "no_http")
"""Arguments that change the default listeners."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that define what to run."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML or JSON: see docs/config.md")
    parser.add_argument("--port", type=_port, help="TCP port (default: 1883); 0 takes free ports for all listeners")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--ws-port", type=_port, help="WebSocket port, 0 takes a free one (default: 1882)")
    parser.add_argument("--http-port", type=_port, help="HTTP port, 0 takes a free one (default: 8080)")
    parser.add_argument("--no-ws", action="store_true", help="no WebSocket")
    parser.add_argument("--no-http", action="store_true", help="no HTTP: no state, health, metrics and API")
    parser.add_argument(
        "--allow-all",
        action="store_true",
        help="listen on addresses that other machines can reach, and accept every client",
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port must be 0 to 65535, not {text}")
    return int(text)


class Refused(Exception):
    """The arguments contradict each other, or would let everyone in. The text says why."""


class Plan:
    """The parts of a server, its log settings, and how to reload its configuration."""

    def __init__(self, options: Options, listeners: Sequence[Listener], hooks: Sequence[Hook]) -> None:
        self.options = options
        self.listeners = listeners
        self.hooks = list(hooks)
        self.level = logging.WARNING
        self.log_form = "text"
        self.reloader: Callable[[Server], Callable[[], None]] | None = None
        self.warnings: list[str] = []


def plan(args: argparse.Namespace, environment: Mapping[str, str]) -> Plan:
    """Decide what to run. Nothing is opened.

    Raises:
        Refused: the arguments contradict each other, or other machines could reach a broker that accepts every client.
        ConfigError: the configuration is wrong.
    """
    # Without a configuration its modules are not imported, which saves time.
    configured = args.config is not None or any(name.startswith("MQTT_REF__") for name in environment)
    return _configured(args, environment) if configured else _plain(args)


def _plain(args: argparse.Namespace) -> Plan:
    listeners = _default_listeners(args)
    if not args.allow_all:
        _keep_to_this_machine(listeners)
    return Plan(Options(), listeners, [AllowAll()])


def _configured(args: argparse.Namespace, environment: Mapping[str, str]) -> Plan:
    from mqtt_ref.cli.reloading import Reloader
    from mqtt_ref.config.compose import compose
    from mqtt_ref.config.load import load

    loaded = load(args.config, environment)
    config = loaded.config
    own = args.config is not None or any(name.startswith("MQTT_REF__LISTENERS") for name in environment)
    if own:
        given = [name for name in OF_LISTENERS if getattr(args, name) is not None and getattr(args, name) is not False]
        if given:
            flags = ", ".join("--" + name.replace("_", "-") for name in given)
            raise Refused(f"{flags}: the configuration says where to listen, under `listeners`")
    else:
        config.listeners = []
    parts = compose(loaded)
    made = Plan(parts.options, parts.listeners if own else _default_listeners(args), parts.own_hooks)
    made.hooks += parts.authentication
    if own and not parts.listeners:
        made.warnings.append("no client can reach the broker: the configuration has no listeners")
    if args.allow_all:
        made.hooks.append(AllowAll())
    elif config.hooks.auth is None:
        if args.config is None:
            _keep_to_this_machine(made.listeners)
            made.hooks.append(AllowAll())
        elif not config.hooks.custom:
            made.warnings.append(
                "no client may connect: the configuration has no hooks.auth, and there is no --allow-all"
            )
    made.level = getattr(logging, config.logging.level)
    made.log_form = config.logging.format
    made.reloader = lambda server: Reloader(server, args.config, environment, loaded, parts)
    return made


def _default_listeners(args: argparse.Namespace) -> list[Listener]:
    """Build the TCP, WebSocket and HTTP listeners. With TCP port 0, the others take free ports too by default."""
    host = "127.0.0.1" if args.host is None else args.host
    free = args.port == 0

    def port(given: int | None, usual: int) -> int:
        return given if given is not None else 0 if free else usual

    made: list[Listener] = [TcpListener(host, port(args.port, TCP))]
    if not args.no_ws:
        from mqtt_ref.net.websocket import ANY_PAGE, WebSocketListener

        # A browser lets the pages of any site connect: by default only those of this machine may.
        origins = [ANY_PAGE] if args.allow_all else None
        made.append(WebSocketListener(host, port(args.ws_port, WEB_SOCKET), origins=origins))
    if not args.no_http:
        from mqtt_ref.http.listener import HttpListener

        made.append(HttpListener(host, port(args.http_port, HTTP)))
    return made


def _keep_to_this_machine(listeners: Sequence[Listener]) -> None:
    """Check that other machines cannot reach listeners that accept every client.

    Raises:
        Refused: a listener has an address that other machines can reach.
    """
    for listener in listeners:
        if not isinstance(listener, TcpListener):
            continue
        if not is_loopback(listener.host):
            raise Refused(
                f"refused to listen on {listener.host!r}: other machines can reach that address, and without rules "
                "every client would be accepted. Use --allow-all if this is wanted."
            )

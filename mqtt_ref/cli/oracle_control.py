# SPDX-License-Identifier: MIT
"""`mqtt-ref oracle control`, the oracle over HTTP; `mqtt-ref oracle illegal`, the packets that no server may send."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from typing import Any, Final

from mqtt_ref.cli.failure import plainly

__all__ = ["VARIABLE", "configure", "control", "illegal"]

FINE, USAGE = 0, 2
VARIABLE: Final = "MQTT_REF_ORACLE_TOKEN"
PROTOCOLS: Final = {"5": 5, "3.1.1": 4, "3.1": 3}


def configure(commands: argparse._SubParsersAction[Any]) -> None:
    """Declare the subcommands."""
    control = commands.add_parser("control", help="start such brokers, inject faults and read findings over HTTP")
    control.add_argument("--port", type=int, default=8090, help="HTTP port, 0 takes a free one (default: 8090)")
    control.add_argument("--host", default="127.0.0.1", help="address of the API (default: 127.0.0.1)")
    control.add_argument("--brokers-host", metavar="HOST", help="address of the brokers (default: that of the API)")
    control.add_argument("--first-port", type=int, metavar="N", help="start a broker on this port, with id 1")
    control.add_argument("--brokers", type=int, default=64, metavar="N", help="maximum number of brokers (default: 64)")
    control.add_argument(
        "--token",
        help=f"token that changes need, as `Authorization: Bearer` (default: ${VARIABLE}, or a new one)",
    )
    control.add_argument("--known-as", action="append", default=[], metavar="NAME", help="a host name of this machine")
    control.add_argument("--allow-all", action="store_true", help="listen on addresses that other machines can reach")

    illegal = commands.add_parser("illegal", help="list packets that no server may send, for scripts")
    illegal.add_argument("word", nargs="?", default="", help="only packets with this text in name, kind or statement")
    illegal.add_argument("--protocol", choices=sorted(PROTOCOLS), default="5", help="(default: 5)")


def control(args: argparse.Namespace) -> int:
    """Serve the control API until a signal comes."""
    from mqtt_ref.cli.serve import run_loop, serve
    from mqtt_ref.http import Guard, HttpListener
    from mqtt_ref.net.listener import ListenerError
    from mqtt_ref.net.tcp import is_loopback
    from mqtt_ref.oracle.control import Control
    from mqtt_ref.server import Server

    host = args.brokers_host or args.host
    for one in (args.host, host):
        if not args.allow_all and not is_loopback(one):
            print(
                f"mqtt-ref oracle control: refused to listen on {one!r}: other machines can reach that address. "
                "Use --allow-all if this is wanted.",
                file=sys.stderr,
            )
            return USAGE
    given = args.token or os.environ.get(VARIABLE, "")
    token = given or secrets.token_urlsafe(16)
    made = Control(host, args.brokers, args.first_port)
    guard = Guard(token, hosts=args.known_as)
    server = Server(listeners=[HttpListener(args.host, args.port, made.app, guard=guard)], hooks=[made])

    def ready(url: str) -> None:
        print(f"listening on {url}", flush=True)
        if not given:
            print(f"token {token}", flush=True)

    try:
        return run_loop(serve(server, ready))
    except ListenerError as error:
        print(f"mqtt-ref oracle control: {plainly(error)}", file=sys.stderr)
        return USAGE


def illegal(args: argparse.Namespace) -> int:
    """Print the packets, one per line."""
    from mqtt_ref.oracle.illegal import illegal_packets

    for one in illegal_packets(PROTOCOLS[args.protocol]):
        if args.word in f"{one.name} {one.kind} {one.statement}":
            print(f"{one.name:52} {one.statement:34} {one.data[:16].hex(' ')}{'...' if len(one.data) > 16 else ''}")
    return FINE

# SPDX-License-Identifier: MIT
"""A broker with small bounds, as a process: `small_broker.py '{"connect_timeout": 1}'`."""

import json
import logging
import sys

from mqtt_ref import log
from mqtt_ref.cli.serve import run_loop, serve
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.hooks import AllowAll
from mqtt_ref.server import Server

__all__: list[str] = []

log.setup(logging.INFO)
options = Options(bounds=Bounds(**json.loads(sys.argv[1])))
sys.exit(run_loop(serve(Server(options, hooks=[AllowAll()]), lambda url: print(f"listening on {url}", flush=True))))

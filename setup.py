# SPDX-License-Identifier: MIT
"""The mypyc build; everything else about the package stands in `pyproject.toml`.

`MQTT_REF_COMPILE=1 pip install .` compiles the modules that `[tool.mqtt_ref.compile]` names. It is all or nothing: if
any of them fails, the wheel is the pure one, with a warning. `MQTT_REF_COMPILE=require` makes a failure an error.
Only wheels are compiled: an editable install must run the source as it stands.
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
import warnings
from pathlib import Path
from typing import Any

from setuptools import setup

ROOT = Path(__file__).resolve().parent
WISH = os.environ.get("MQTT_REF_COMPILE", "")
REQUIRED = WISH == "require"


def modules() -> list[str]:
    """The files to compile, relative to here."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        table = tomllib.load(file)["tool"]["mqtt_ref"]["compile"]
    named = {path for glob in table["include"] for path in ROOT.glob(glob)}
    left_out = {path for glob in table["exclude"] for path in ROOT.glob(glob)}
    return sorted(path.relative_to(ROOT).as_posix() for path in named - left_out)


def extensions() -> list[Any]:
    """Translate to C. A type error ends mypyc with SystemExit."""
    from mypyc.build import mypycify

    options = ["--config-file=", "--ignore-missing-imports", "--cache-dir=build/mypy"]
    return mypycify([*options, *modules()], group_name="mqtt_ref", debug_level="0")


def sweep() -> None:
    """Remove what an earlier build left, so that none of it gets into this wheel."""
    for left in ROOT.glob("build/lib*"):
        shutil.rmtree(left, ignore_errors=True)


def compiled() -> bool:
    """Build the compiled wheel; False when that cannot be done."""
    try:
        setup(ext_modules=extensions())
    except (Exception, SystemExit) as error:
        if REQUIRED:
            raise
        sweep()
        warnings.warn(f"not compiled, plain Python instead: {error!r}", stacklevel=1)
        return False
    return True


if WISH not in ("", "0", "1", "require"):
    raise SystemExit(f"MQTT_REF_COMPILE={WISH}: only 1, require, 0 or nothing")
if "bdist_wheel" in sys.argv:
    sweep()
if WISH in ("", "0"):
    setup()
elif "bdist_wheel" not in sys.argv:
    setup(setup_requires=["mypy>=2.4", "setuptools>=77.0.3"])  # so that an isolated build has it
elif not compiled():
    setup()

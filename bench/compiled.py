# SPDX-License-Identifier: MIT
"""Builds a compiled wheel of the current source, and unpacks it where a measurement can run it.

The tree is never built in place. A copy is built under `build/bench/`, named by a digest of its input, so that a second
run can reuse it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

__all__ = ["CACHE", "ROOT", "compiled_site"]

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "bench"
PACKAGED = ("mqtt_ref", "conformance/mqtt_conformance")
FILES = ("setup.py", "pyproject.toml", "LICENSE", "README.md")
TIME_LIMIT = 1800


def compiled_site(also: tuple[str, ...] = (), only: str = "") -> Path:
    """Return a folder for `PYTHONPATH` that holds the compiled packages.

    `also` names files of this repository to compile together with them, as mypyc needs this for direct calls between
    modules. `only` selects the modules under a path. Other dependencies come from this interpreter.
    """
    sources = [path for name in PACKAGED for path in sorted((ROOT / name).rglob("*")) if _is_source(path)]
    packages = [str(Path(name).parent / "__init__.py") for name in also]
    sources += [ROOT / name for name in (*FILES, *also, *packages) if (ROOT / name).exists()]
    place = CACHE / _digest(sources, only)
    site = place / "site"
    if (place / "done").exists():
        return site
    shutil.rmtree(place, ignore_errors=True)
    tree = place / "tree"
    for source in sources:
        target = tree / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    (tree / "README.md").touch()
    project = tree / "pyproject.toml"
    project.write_text(_narrowed(project.read_text(), also, only))
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    _run([*pip, "wheel", "--no-build-isolation", "--no-deps", "-w", str(place), str(tree)], place)
    wheel = next(place.glob("*.whl"))
    _run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], place)
    if not list(site.rglob("*.so")):
        raise SystemExit(f"{wheel.name} holds no compiled module")
    shutil.rmtree(tree)
    (place / "done").touch()
    return site


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".pyc", ".so")


def _digest(sources: list[Path], only: str) -> str:
    digest = hashlib.sha256(f"{sys.version} {version('mypy')} {only}".encode())
    for source in sources:
        digest.update(f"{source.relative_to(ROOT)} {source.stat().st_size}\n".encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _narrowed(project: str, also: tuple[str, ...], only: str) -> str:
    """Return the project file with a changed list of modules to compile."""

    def listed(match: re.Match[str]) -> str:
        names = [*(n for n in re.findall(r'"([^"]+)"', match[2]) if n.startswith(only)), *also]
        return match[1] + "".join(f'    "{name}",\n' for name in names) + "]"

    return re.sub(r"(\[tool\.mqtt_ref\.compile\]\ninclude = \[\n)([^]]*)\]", listed, project, count=1)


def _run(command: list[str], place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "MQTT_REF_COMPILE": "require"}
    done = subprocess.run(
        command, env=environment, cwd=place, timeout=TIME_LIMIT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
        raise SystemExit(f"failed: {' '.join(command[2:5])}")

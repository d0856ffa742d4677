# SPDX-License-Identifier: MIT
"""Hold the conformance suite against odd brokers: `python -m tests.odd.run unasked-qos1 slow`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.odd.brokers import BROKERS, PASSWORD, USER, Odd, serve

__all__ = ["brief", "by_name", "judge", "main", "summary"]


def by_name(name: str) -> Odd:
    """The odd broker of this name.

    Raises:
        LookupError: there is none.
    """
    for odd in BROKERS:
        if odd.name == name:
            return odd
    raise LookupError(f"no odd broker {name!r}; there are {', '.join(odd.name for odd in BROKERS)}")


async def judge(odd: Odd, arguments: Sequence[str] = (), limit: float = 900) -> tuple[int, dict[str, Any], str]:
    """Run the suite against an odd broker for `limit` seconds at most; its exit code, JSON report and output.

    Raises:
        TimeoutError: the suite did not end.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        async with serve(odd) as url:
            if odd.password:
                url = url.replace("://", f"://{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@")
            command = [sys.executable, "-m", "mqtt_ref", "conformance", url, "--protocol", odd.protocols]
            suite = await asyncio.create_subprocess_exec(
                *command,
                *arguments,
                "--json",
                str(report),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            try:
                out, _ = await asyncio.wait_for(suite.communicate(), limit)
            except BaseException:
                if suite.returncode is None:
                    suite.kill()
                raise
        code = suite.returncode if suite.returncode is not None else -1
        return code, _read(report), out.decode(errors="replace")


def _read(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty if there is no file."""
    return json.loads(path.read_text()) if path.exists() else {}


def summary(code: int, report: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What a report says, by version: how many of each verdict, and the cases that did not simply pass."""
    versions: dict[str, Any] = {}
    for result in report.get("results", []):
        version = versions.setdefault(result["protocol"], {"counts": {}})
        verdict = result["verdict"]
        version["counts"][verdict] = version["counts"].get(verdict, 0) + 1
        if verdict in ("fail", "non-strict", "inconclusive"):
            version.setdefault(verdict, {})[result["id"]] = _reason(result)
    return {"exit": code, "seconds": round(seconds), "versions": versions}


def brief(found: dict[str, Any]) -> dict[str, Any]:
    """A summary without what differs from run to run: reasons and seconds."""
    versions = {
        version: {key: value if key == "counts" else sorted(value) for key, value in one.items()}
        for version, one in found["versions"].items()
    }
    return {"exit": found["exit"], "why": found["why"], "versions": versions}


def _reason(result: dict[str, Any]) -> str:
    said = [str(result[key]) for key in ("message", "expected", "seen") if result.get(key)]
    return " | ".join(said)[:300]


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the named brokers, or all; 1 if any was accused of anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.odd.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which odd brokers; all when none is named")
    parser.add_argument("--list", action="store_true", help="list them, with what allows each, and stop")
    parser.add_argument("--serve", action="store_true", help="run one until interrupted, and say where")
    parser.add_argument("--protocol", help="versions to run, of 5, 3.1.1, 3.1")
    parser.add_argument("--select", nargs="+", default=[], metavar="ID", help="only these statements or cases")
    parser.add_argument("--record", metavar="FILE", type=Path, help="write verdicts and case ids as JSON")
    parser.add_argument("--details", metavar="FILE", type=Path, help="write the same with reasons and seconds")
    parser.add_argument("--limit", type=float, default=900, metavar="SECONDS", help="for each of them")
    parser.add_argument("-v", "--verbose", action="store_true", help="say which cases failed, and why")
    given = parser.parse_args(arguments)
    if given.list:
        for odd in BROKERS:
            print(f"{odd.name:28} {odd.why}")
        return 0
    try:
        chosen = [by_name(name) for name in given.names] or list(BROKERS)
    except LookupError as error:
        parser.error(str(error))
    if given.serve:
        asyncio.run(_serve(chosen[0]))
        return 0
    return asyncio.run(_all(chosen, given))


async def _serve(odd: Odd) -> None:
    async with serve(odd) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


async def _all(chosen: Sequence[Odd], given: argparse.Namespace) -> int:
    records = {path: _read(path) for path in (given.record, given.details) if path is not None}
    more = ["--select", *given.select] if given.select else []
    more += ["--protocol", given.protocol] if given.protocol else []
    accused = False
    for odd in chosen:
        begun = time.monotonic()
        try:
            code, report, out = await judge(odd, more, given.limit)
        except TimeoutError:
            code, report, out = -1, {}, f"the suite did not end within {given.limit} seconds"
        found = summary(code, report, time.monotonic() - begun)
        found["why"] = odd.why
        if not report:
            found["output"] = out[-1000:]
        accused = accused or code != 0
        parts = (f"{version}: {one['counts']}" for version, one in found["versions"].items())
        print(f"{odd.name:26} {code} {found['seconds']}s  {'  '.join(parts) or out[-300:]}", flush=True)
        for version, one in found["versions"].items() if given.verbose else ():
            for case, reason in one.get("fail", {}).items():
                print(f"    {version} {case}: {reason}", flush=True)
        for path, results in records.items():
            results[odd.name] = found if path == given.details else brief(found)
            _write(path, results)
    return 1 if accused else 0


def _write(path: Path, results: dict[str, Any]) -> None:
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())

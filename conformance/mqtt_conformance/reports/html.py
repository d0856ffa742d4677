# SPDX-License-Identifier: MIT
"""Writes one self-contained HTML page: a matrix by section, each rule with its cases, each failure with its packets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from mqtt_conformance.case import VERSION_NAMES
from mqtt_conformance.reports.steps import lines
from mqtt_conformance.reports.summary import by_section, counts, failures, headline, plain, rule_of
from mqtt_conformance.runner import Result
from mqtt_conformance.verdict import Verdict
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["render"]

STYLE = """
:root{--bg:#fff;--fg:#1b1f24;--soft:#f4f5f7;--line:#d9dde2;--pass:#1a7f37;--fail:#c4262e;--non-strict:#9a6700;
--informational:#0969da;--inconclusive:#6e7781;--unsupported:#a5adb5}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e8eb;--soft:#1e2328;--line:#363c43;--pass:#4ac26b;
--fail:#ff6b70;--non-strict:#d4a72c;--informational:#6cb6ff;--inconclusive:#8b949e;--unsupported:#5c646d}}
*{box-sizing:border-box}body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:70rem;
margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:left}
td.n,th.n{text-align:right;vertical-align:top;width:4.2rem;
font-variant-numeric:tabular-nums}details{border:1px solid var(--line);border-radius:6px;
margin:.5rem 0;background:var(--soft)}summary{cursor:pointer;padding:.5rem .8rem}details>div{padding:0 .8rem .8rem}
pre{overflow-x:auto;background:var(--bg);border:1px solid var(--line);border-radius:4px;padding:.6rem;font-size:12.5px}
code{font-size:.92em}.v{font-weight:600}.cells{display:flex;flex-wrap:wrap;gap:2px}.cells a{width:13px;height:13px;
border-radius:2px;display:block}blockquote{border-left:3px solid var(--line);margin:.4rem 0;padding-left:.8rem}
.bar{display:flex;height:14px;border-radius:7px;overflow:hidden;gap:2px;margin:1rem 0 .3rem}
.key span{margin-right:1rem}.s{background:none}.s .v{display:inline-block;min-width:6.5rem}
summary code{overflow-wrap:anywhere}td:nth-child(-n+2){white-space:nowrap;vertical-align:top}
dt{font-weight:600}dd{margin:0 0 .4rem 0}
""" + "".join(f".{v}{{color:var(--{v})}}.cells .{v},.bar .{v}{{background:var(--{v})}}" for v in Verdict)


SHORT = {Verdict.NON_STRICT: "advice", Verdict.INFORMATIONAL: "info", Verdict.INCONCLUSIVE: "unclear",
         Verdict.UNSUPPORTED: "n/a"}  # fmt: skip
OPEN = 25
"""The most failures that are shown open. If there are more, all are closed, so that the page stays short."""


def render(results: Sequence[Result], quotes: Mapping[str, str], broker: str) -> str:
    """Return the whole page as text."""
    out = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>MQTT conformance of {escape(broker)}</title><style>{STYLE}</style>",
        f"<h1>MQTT conformance</h1><p>{escape(broker)}: {escape(headline(results))}</p>",
        "<div class=bar>"
        + "".join(
            f"<span class={v} style='flex-grow:{n}' title='{n} {v}'></span>" for v, n in counts(results).items() if n
        )
        + "</div><p class=key>"
        + " ".join(f"<span class='v {v}'>{n} {v}</span>" for v, n in counts(results).items() if n)
        + "<h2>By section</h2><table><tr><th>MQTT<th>section<th>cases"
        + "".join(f"<th class=n title={v}>{SHORT.get(v, str(v))}" for v in Verdict),
    ]
    silent = {
        v for v in VERSION_NAMES
        if (mine := [r for r in results if r.case.version == v]) and all(r.verdict is Verdict.UNSUPPORTED for r in mine)
    }  # fmt: skip
    for version in sorted(silent, reverse=True):
        mine = [r for r in results if r.case.version == version]
        reasons = ", ".join(sorted({r.message for r in mine})[:3])
        out.append(
            f"<tr><td>{VERSION_NAMES[version]}<td>all<td class=unsupported>{escape(reasons)}<td><td><td><td><td>"
            f"<td class='n unsupported'>{len(mine)}"
        )
    for (version, section), some in by_section(results).items():
        if version in silent:
            continue
        row = counts(some)
        cells = "".join(
            f"<a class={r.verdict} href='#{_anchor(r)}' title='{escape(r.case.id)}: {r.verdict}'></a>"
            for r in some
            if r.verdict is not Verdict.UNSUPPORTED
        )
        out.append(
            f"<tr><td>{VERSION_NAMES[version]}<td>{section}<td><div class=cells>{cells}</div>"
            + "".join(f"<td class='n {v}'>{row[v] or ''}" for v in Verdict)
        )
    out.append("</table>")
    broken = failures(results)
    if broken:
        out.append("<h2>Failures</h2>")
        out += [_details(r, quotes, opened=number < OPEN) for number, r in enumerate(broken)]
    for (version, section), some in by_section(results).items():
        rest = [r for r in some if r.verdict is not Verdict.FAIL]
        if rest and version not in silent:
            row = counts(rest)
            some_counts = ", ".join(f"<span class={v}>{n} {v}</span>" for v, n in row.items() if n)
            title = f"MQTT {VERSION_NAMES[version]}, section {section}"
            out.append(f"<details class=s><summary><b>{title}</b> {some_counts}</summary><div>")
            out += [_details(r, quotes) for r in rest]
            out.append("</div></details>")
    return plain("\n".join([*out, "</html>", ""]))


def _anchor(result: Result) -> str:
    return escape(result.case.id.replace("/", "-"), quote=True)


def _details(result: Result, quotes: Mapping[str, str], *, opened: bool = False) -> str:
    title = f"<code>{escape(result.case.id)}</code> {escape(result.case.intent)}"
    out = [
        f"<details id='{_anchor(result)}'{' open' if opened else ''}>",
        f"<summary><span class='v {result.verdict}'>{result.verdict}</span> {title}</summary><div><dl>",
    ]
    for name in result.case.statements:
        rule = STATEMENTS[name]
        out.append(f"<dt>{name} ({rule.level}, section {rule.section})<dd>{escape(rule.meaning)}")
        if name in quotes:
            out.append(f"<blockquote>{escape(quotes[name])}</blockquote>")
    broken = rule_of(result) if result.verdict is Verdict.FAIL and len(result.case.statements) > 1 else ""
    for label, text in (
        ("broken", broken),
        ("verdict", result.message),
        ("expected", result.expected),
        ("seen", result.seen),
    ):
        if text:
            out.append(f"<dt>{label}<dd>{escape(text[:2000])}")
    out += [f"<dt>note<dd>{escape(note[:2000])}" for note in result.notes if note not in result.message]
    out.append("</dl>")
    if result.verdict not in (Verdict.PASS, Verdict.UNSUPPORTED) and result.trace:
        out.append("<pre>" + escape("\n".join(lines(result.trace))) + "</pre>")
    return "".join([*out, "</div></details>"])

# SPDX-License-Identifier: MIT
"""Emits the page about hooks from the class that declares them, which is read, not imported."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from textwrap import dedent

from codegen.model import Spec

__all__ = ["SOURCE", "emit"]

SOURCE = Path(__file__).resolve().parent.parent / "mqtt_ref" / "hooks" / "hook.py"
GROUP = re.compile(r"\s+# -{10,} (.+)")
KINDS = {
    "notify": "told",
    "transform": "changes",
    "decide": "decides",
    "load": "loads",
}
ANSWERS = re.compile(r"Answer\[(.*)\]")

INTRO = """\
# Hooks

<!-- Written by `python -m codegen` from `mqtt_ref/hooks/hook.py`. Change that, then run it again. -->

A hook watches, changes or decides what happens in the broker. Subclass `Hook`, override the events that you want, and
add it:

```python
from mqtt_ref.broker.views import Client
from mqtt_ref.hooks import AllowAll, Hook, Reject
from mqtt_ref.server import Server
from mqtt_ref.wire.packets import Publish


class Stamp(Hook):
    def on_publish(self, client: Client, packet: Publish) -> Publish | None:
        if packet.topic.startswith("admin/"):
            raise Reject(0x87, "not from here")
        if packet.topic == "hello":
            return Publish(packet.topic, client.id.encode() + b": " + packet.payload, packet.qos)
        return None


server = Server(hooks=[Stamp(), AllowAll()])
```

`Server.add_hook` and `Server.remove_hook` do it while the server runs. With no hook that decides access, everything is
denied.

| kind | what a handler returns |
|---|---|
| told | nothing |
| changes | what is to go on in place of what it got, or None for the same; the next hook gets that |
| decides | an answer, or None to leave it to the next hook |
| loads | what it has kept, or None to leave it to the next hook |

- Hooks are called in the order in which they were added.
- Handlers run on the event loop and must not block: nothing can end a plain one that never returns. They may be
  `async def`, except for events marked *plain*. The connection that such a question is about waits for the answer, and
  what it sends meanwhile is held, in order; nobody else waits. After `bounds.hook_timeout` seconds (5) the answer is
  no. An `async def` that is only told something is a task of its own, one of at most 1,024.
- What a handler raises is logged with the `id` of its hook and reaches nobody else; each event says what follows.
- Packets that are handed in belong to the broker: return a changed copy. What comes back is checked like anything that
  a client sends. An illegal packet is logged, counts as raised, and is never sent.
- `Reject(reason_code, text)` refuses what a client asks for, `Drop()` lets it vanish, where the event says so.
- What nobody handles costs nothing. A handler of `on_packet_sent` or `on_packet_encode` has every packet that goes out
  decoded; one of `on_packet_read` or `on_packet_processed` takes packets out of the short way on which they go in one
  pass.
- A hook whose rules about who may read what have changed says so with `self.rules_changed()`.
- For topics that are delivered nothing can wait: a hook with an `async def on_acl_check` is not asked about them, and
  has to say that this is right with `filters_only = True`. Where it is not, let a plain `on_acl_check` look into what a
  task has brought together; it may leave `write` to another hook, which waits.
"""


def emit(_: Spec) -> dict[str, str]:
    """The page, by path."""
    text = SOURCE.read_text(encoding="utf-8")
    groups = {number: found[1] for number, line in enumerate(text.splitlines(), 1) if (found := GROUP.fullmatch(line))}
    (hook,) = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    out = [INTRO]
    title = current = ""
    for node in hook.body:
        if not isinstance(node, ast.FunctionDef) or not node.decorator_list:
            continue
        for number, name in groups.items():
            if number < node.lineno:
                current = name
        if current != title:
            title = current
            out += [f"## {title[0].upper()}{title[1:]}", ""]
        out += _event(node)
    return {"docs/hooks.md": "\n".join(out)}


def _event(node: ast.FunctionDef) -> list[str]:
    """One event: its signature, its kind, what it is for."""
    (mark,) = node.decorator_list
    assert isinstance(mark, ast.Call)
    assert isinstance(mark.func, ast.Name)
    given = {one.arg: ast.literal_eval(one.value) for one in mark.keywords}
    arguments = ", ".join(f"{arg.arg}: {ast.unparse(arg.annotation)}" for arg in node.args.args[1:] if arg.annotation)
    assert node.returns is not None
    returns = ast.unparse(node.returns)
    found = ANSWERS.fullmatch(returns)
    returns = "None" if returns == "Told" else f"{found[1]} | None" if found else returns
    facts = [KINDS[mark.func.id]]
    if not given.get("waits", True):
        facts.append("plain")
    fails = given.get("fails") or {"load": "the server does not start"}.get(mark.func.id, "nothing follows")
    facts.append(f"when it raises: {fails}")
    body = ast.get_docstring(node) or ""
    return [
        f"### `{node.name}({arguments}) -> {returns}`",
        "",
        f"*{'; '.join(facts)}*",
        "",
        dedent(body),
        "",
    ]

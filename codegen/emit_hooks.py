# SPDX-License-Identifier: MIT
"""Emits the page about hooks, and what the engine calls, from the class that declares the events."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

from codegen.events import HOOK, Declared, declared, imported
from codegen.model import Spec

__all__ = ["SOURCE", "emit"]

SOURCE = Path(__file__).resolve().parent.parent / HOOK
SLOTS = "mqtt_ref/engine/generated/events.py"
KINDS = {
    "notify": "told",
    "transform": "changes",
    "decide": "decides",
    "load": "loads",
}
ANSWERS = re.compile(r"Answer\[(.*)\]")
WORD = re.compile(r"\w+")
SEEN = {"Client": "Connection | Session", "Selection": "Subscribers"}
"""What the engine has where a hook sees another type."""
ENGINE = {
    "Connection": "mqtt_ref.engine.connection",
    "Subscribers": "mqtt_ref.broker.router",
    "Refusal": "mqtt_ref.engine.intercept",
    "Session": "mqtt_ref.engine.session",
}
"""Where those types are."""

MARK = '''\
# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `mqtt_ref/hooks/hook.py`. Change that, then run it again.
"""Hook events as the engine sees them: a callable for each, or None where no hook has a handler."""

from __future__ import annotations
'''
WATCH = """Notifications, each under the name of its event. What is called must neither raise nor call back.

    A `Client` of the declaration is what the engine has of one here: its connection, or its session.
    """
INTERCEPT = """What may be changed or refused, each under the name of its event; None changes nothing and costs nothing.

    Each returns what is to go on in place of its last argument, None for the same, a `Refusal`, or `LATER`: then an
    `Ask` leaves, the connection waits, and the answer comes back through `Broker.answer`. What they return is legal.
    Unless `waits`, none of them ever returns `LATER`.
    """

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
    """The page and the slots of the engine, by path."""
    text = SOURCE.read_text(encoding="utf-8")
    events = list(declared(text))
    return {"docs/hooks.md": _page(events), SLOTS: _slots(events, imported(text))}


def _page(events: list[Declared]) -> str:
    out = [INTRO]
    group = ""
    for event in events:
        if event.group != group:
            group = event.group
            out += [f"## {group[0].upper()}{group[1:]}", ""]
        out += _event(event)
    return "\n".join(out)


def _event(event: Declared) -> list[str]:
    """One event on the page: its signature, its kind, what it is for."""
    arguments = ", ".join(f"{name}: {kind}" for name, kind in event.arguments.items())
    returns = event.returns
    found = ANSWERS.fullmatch(returns)
    returns = "None" if returns == "Told" else f"{found[1]} | None" if found else returns
    facts = [KINDS[event.kind]]
    if not event.options.get("waits", True):
        facts.append("plain")
    fails = event.options.get("fails") or {"load": "the server does not start"}.get(event.kind, "nothing follows")
    facts.append(f"when it raises: {fails}")
    return [
        f"### `{event.name}({arguments}) -> {returns}`",
        "",
        f"*{'; '.join(facts)}*",
        "",
        dedent(event.doc),
        "",
    ]


def _slots(events: list[Declared], modules: dict[str, str]) -> str:
    """The classes through which the engine calls hooks: a slot for each event, under its name."""
    told: dict[str, str] = {}
    changed: dict[str, str] = {}
    for event in events:
        seen = [_seen(kind) for kind in event.arguments.values()]
        if event.of_engine and event.kind == "notify":
            told[event.name] = f"Callable[[{', '.join(seen)}], None] | None"
        elif event.of_engine:
            answer = f"{seen[-1]} | Refusal | None" if event.kind == "transform" else "Refusal | None"
            changed[event.name] = f"Callable[[{', '.join(seen)}], {answer}] | None"
    body = [_class("Watch", WATCH, told), "", "", _class("Intercept", INTERCEPT, changed, "waits: bool = True")]
    modules = modules | ENGINE
    imports: dict[str, set[str]] = {"collections.abc": {"Callable"}}
    late: dict[str, set[str]] = {}
    for name in sorted(set(WORD.findall(" ".join([*told.values(), *changed.values()]))) & modules.keys()):
        module = modules[name]
        (late if module.startswith("mqtt_ref") else imports).setdefault(module, set()).add(name)
    lines = [MARK.rstrip(), "", *_imports(imports, ""), "from typing import TYPE_CHECKING", "", "if TYPE_CHECKING:"]
    lines += [*_imports(late, "    "), "", '__all__ = ["Intercept", "Watch"]', "", "", *body]
    return "\n".join(lines)


def _imports(modules: dict[str, set[str]], indent: str) -> list[str]:
    return [f"{indent}from {module} import {', '.join(sorted(names))}" for module, names in sorted(modules.items())]


def _class(name: str, doc: str, slots: dict[str, str], *more: str) -> str:
    """A class of callables; `more` are other arguments that it takes and keeps."""
    others = [one.split(":")[0] for one in more]
    lines = [f"class {name}:", f'    """{doc}"""', "", "    __slots__ = ("]
    lines += [f'        "{slot}",' for slot in sorted([*slots, *others])]
    lines += ["    )", "", "    def __init__(", "        self,", "        *,", *(f"        {one}," for one in more)]
    lines += [f"        {slot}: {kind} = None," for slot, kind in slots.items()]
    lines += ["    ) -> None:", *(f"        self.{slot} = {slot}" for slot in [*others, *slots])]
    return "\n".join(lines)


def _seen(kind: str) -> str:
    """The type that the engine hands in for an argument of this type."""
    return " | ".join(SEEN.get(one, one) for one in kind.split(" | "))

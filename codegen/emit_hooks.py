# SPDX-License-Identifier: MIT
"""Emits the page about hooks, and the slots that the engine calls, from the class that declares the events."""

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
    "notify": "notifies",
    "transform": "changes",
    "decide": "decides",
    "load": "loads",
}
ANSWERS = re.compile(r"Answer\[(.*)\]")
WORD = re.compile(r"\w+")
SEEN = {"Client": "Connection | Session", "Selection": "Subscribers"}
"""Types of the declaration -> the types that the engine passes instead."""
ENGINE = {
    "Connection": "mqtt_ref.engine.connection",
    "Subscribers": "mqtt_ref.broker.matching",
    "Refusal": "mqtt_ref.engine.intercept",
    "Session": "mqtt_ref.engine.session",
}
"""The modules of the engine's types."""

MARK = '''\
# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `mqtt_ref/hooks/hook.py`. Change that, then run it again.
"""Hook events as the engine calls them: a callable for each event, or None if no hook has a handler."""

from __future__ import annotations
'''
WATCH = """Notification hooks, each with the name of its event. A callable must not raise, and must not call the broker.

    Where the declaration has a `Client`, the engine passes its connection or its session.
    """
INTERCEPT = """Hooks that change or refuse, each with the name of its event. None changes nothing and costs nothing.

    A callable returns the replacement of its last argument, None to keep it, a `Refusal`, or `LATER`. After `LATER`, an
    `Ask` is emitted, the connection is suspended, and the answer arrives through `Broker.answer`. A replacement must be
    legal. If `waits` is false, none of them returns `LATER`.
    """

INTRO = """\
# Hooks

<!-- Written by `python -m codegen` from `mqtt_ref/hooks/hook.py`. Change that, then run it again. -->

A hook observes, changes or decides what happens in the broker. Subclass `Hook`, override the methods of the events that
you want to handle, and add the hook to a server:

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
            return packet.replace(payload=client.id.encode() + b": " + packet.payload)
        return None


server = Server(hooks=[Stamp(), AllowAll()])
```

`Server.add_hook` and `Server.remove_hook` add and remove a hook while the server runs. Without a hook that decides
access, everything is denied.

| kind | what a handler returns |
|---|---|
| notifies | nothing |
| changes | a replacement of its last argument, which the next hook gets, or None to keep it |
| decides | an answer, or None to leave the decision to the next hook |
| loads | the stored data, or None to leave it to the next hook |

- Hooks are called in the order in which they were added.
- Handlers run on the event loop and must not block: a plain handler that never returns cannot be stopped. A handler may
  be `async def`, except for events marked *plain*. While it runs, only the connection in question waits: its later
  packets are held, in order. After `bounds.hook_timeout` seconds (5) the answer is no; a client that wants to connect
  is told Server unavailable (0x88), since no hook has judged it. An `async def` handler of a
  notification runs as a task of its own; at most 1,024 such tasks run at a time.
- An exception of a handler is logged with the `id` of its hook and goes no further. Each event says what happens then.
- Packets that a handler gets belong to the broker: return a changed copy. A returned packet is checked like one that a
  client sends. If it is illegal, it is never sent; it is logged and handled like an exception.
- `Reject(reason_code, text)` refuses a request of a client. `Drop()` drops it without an answer, where the event allows
  it.
- An event without a handler costs nothing. A handler of `on_packet_sent` or `on_packet_encode` causes every outgoing
  packet to be decoded. A handler of `on_packet_read` or `on_packet_processed` turns off the fast path for incoming
  packets.
- If a hook changes its rules about read access, it must call `self.rules_changed()`.
- Delivery cannot wait for an answer. So a hook with an `async def on_acl_check` is not asked about the topics of
  messages that are delivered, and must confirm this with `filters_only = True`. If the topics have to be checked, use a
  plain `on_acl_check` that reads data which a task has collected. It may leave `write` to another hook, which may wait.
"""


def emit(_: Spec) -> dict[str, str]:
    """Return the page and the module of slots for the engine, by path."""
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
    """Return the lines of one event on the page: its signature, its kind, its docstring."""
    arguments = ", ".join(f"{name}: {kind}" for name, kind in event.arguments.items())
    returns = event.returns
    found = ANSWERS.fullmatch(returns)
    returns = "None" if returns == "Told" else f"{found[1]} | None" if found else returns
    facts = [KINDS[event.kind]]
    if not event.options.get("waits", True):
        facts.append("plain")
    fails = event.options.get("fails") or {"load": "the server does not start"}.get(event.kind, "no effect")
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
    """Return the classes through which the engine calls hooks: they have a slot for each event, with its name."""
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
    """Return the source of a class of callables. `more` are other arguments that it stores."""
    others = [one.split(":")[0] for one in more]
    lines = [f"class {name}:", f'    """{doc}"""', "", "    __slots__ = ("]
    lines += [f'        "{slot}",' for slot in sorted([*slots, *others])]
    lines += ["    )", "", "    def __init__(", "        self,", "        *,", *(f"        {one}," for one in more)]
    lines += [f"        {slot}: {kind} = None," for slot, kind in slots.items()]
    lines += ["    ) -> None:", *(f"        self.{slot} = {slot}" for slot in [*others, *slots])]
    return "\n".join(lines)


def _seen(kind: str) -> str:
    """Return the type that the engine passes for an argument of this type."""
    return " | ".join(SEEN.get(one, one) for one in kind.split(" | "))

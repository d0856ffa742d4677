# SPDX-License-Identifier: MIT
"""Strict clients on the real broker, with the judge at the broker's side of a network that delays and loses."""

from __future__ import annotations

from typing import Any

from mqtt_ref.broker.broker import Broker
from mqtt_ref.engine.connection import Connection
from mqtt_ref.engine.options import Options
from mqtt_ref.oracle.faults.client import Client, Refused
from mqtt_ref.oracle.judge import Judge, Watched

SECOND = 1_000_000_000


class Rig:
    """One broker, one judge, some clients, one clock."""

    def __init__(self, options: Options, clients: list[Client]) -> None:
        self.now = 1000 * SECOND
        self.broker = Broker(options, seed=5)
        self.judge = Judge()
        self.ends = [End(self, client) for client in clients]
        self.by_serial: dict[int, End] = {}

    def turn(self) -> None:
        self.broker.tick(self.now)
        dirty, self.broker.dirty = self.broker.dirty, []
        for link in dirty:
            end = self.by_serial.get(link.serial)
            data = b"".join(link.take())
            if end is not None and end.link is link:
                if data:
                    assert end.watched is not None
                    end.watched.server(data, self.now)
                    end.down.append(data)
                if link.closing:
                    end.closing = True
        self.judge.passed(self.now)

    def pass_time(self, seconds: float) -> None:
        """Time passes in small steps; what is on the way arrives within one of them."""
        until = self.now + int(seconds * SECOND)
        while self.now < until:
            self.now = min(until, self.now + SECOND // 5)
            for end in self.ends:
                end.client.tick(self.now)
                if end.client.out:
                    end.deliver_up()
                if end.down:
                    end.deliver_down()
            due = self.broker.next_deadline()
            if due is not None and due <= self.now:
                self.broker.on_deadline(self.now)
            self.turn()


class End:
    """A client and its link: `up` and `down` are what is on the way."""

    def __init__(self, rig: Rig, client: Client) -> None:
        self.rig = rig
        self.client = client
        self.link: Connection | None = None
        self.watched: Watched | None = None
        self.down: list[bytes] = []
        self.closing = False

    def connect(self, **fields: Any) -> None:
        if self.link is not None:
            return
        rig = self.rig
        self.link = rig.broker.connect(rig.now, "test", "peer")
        rig.by_serial[self.link.serial] = self
        self.watched = rig.judge.open(str(self.link.serial), rig.now)
        self.down = []
        self.closing = False
        self.client.now = rig.now
        self.client.connect(**fields)

    def act(self, name: str, *args: Any, **more: Any) -> None:
        """Something that the application wants, where the client is connected and the standard allows it."""
        if self.link is None or not self.client.open or self.client.connack is None:
            return
        self.client.now = self.rig.now
        try:
            getattr(self.client, name)(*args, **more)
        except Refused:
            pass

    def deliver_up(self) -> None:
        """What the client sent arrives."""
        if self.link is None:
            return
        assert self.watched is not None
        out, self.client.out = self.client.out, []
        for data in out:
            self.watched.client(data, self.rig.now)
            self.link.receive(data, self.rig.now)
        self.rig.turn()
        if not self.client.open and not self.client.out:
            self.drop()

    def deliver_down(self) -> None:
        """What the broker sent arrives."""
        down, self.down = self.down, []
        for data in down:
            self.client.receive(data, self.rig.now)
        if self.closing:
            self.drop()

    def drop(self) -> None:
        """The link breaks; what is on the way is lost."""
        if self.link is None:
            return
        assert self.watched is not None
        self.client.lost()
        self.client.out = []
        self.watched.closed(self.rig.now)
        self.link.lost(self.rig.now)
        self.link = None
        self.down = []
        self.rig.turn()

    def settle(self) -> None:
        """Everything arrives, until nothing more is on the way."""
        for _ in range(50):
            self.deliver_up()
            self.deliver_down()
            if not self.client.out and not self.down:
                return

# SPDX-License-Identifier: MIT
"""The control API over HTTP: start brokers, inject faults, wait for events, read trace and verdict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from mqtt_ref import __version__
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.http.app import App, HttpError, Request, Response
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.oracle import control_models as models
from mqtt_ref.oracle.finding import finding_to_json
from mqtt_ref.oracle.illegal import illegal_packets
from mqtt_ref.oracle.recorder import Condition
from mqtt_ref.wire.jsonform import packet_to_json, violation_to_json
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.oracle.facade import AsyncOracle
    from mqtt_ref.oracle.recorder import Happening

__all__ = ["MAXIMUM", "Control"]

MAXIMUM: Final = 64
"""Default maximum of running brokers."""
KEPT: Final = 10_000
"""Events that each broker keeps."""
KEPT_BYTES: Final = 16 * 1024 * 1024
"""Bytes of memory that the packets among them may use."""
JSONL: Final = "application/jsonl"
VERSIONS: Final = {"": None, "5": 5, "3.1.1": 4, "3.1": 3}
MISSING: Final = {404: "There is no such broker"}


class Control(Hook):
    """The running brokers, and the HTTP application that controls them.

    It is a hook of the server whose HTTP listener serves `app`, so the brokers stop with that server. `host` is the
    address that they listen on, `maximum` how many may run at once. With `first_port` one broker starts with the
    server, on that port.
    """

    id = "control"

    def __init__(self, host: str = "127.0.0.1", maximum: int = MAXIMUM, first_port: int | None = None) -> None:
        self.host = host
        self.first_port = first_port
        self.maximum = maximum
        self.oracles: dict[str, AsyncOracle] = {}
        about = "Brokers to test MQTT clients with: judged, traced, with injected faults."
        self.app = App("mqtt_ref oracle", __version__, about)
        self._started = 0
        self._add_brokers()
        self._add_rules()
        self._add_observing()

    async def on_started(self) -> None:
        """Start the first broker, if there is a `first_port`."""
        if self.first_port is not None:
            await self._start(models.Wanted(port=self.first_port))

    async def on_stopped(self) -> None:
        """Stop all brokers."""
        while self.oracles:
            _, oracle = self.oracles.popitem()
            await oracle.stop()

    # ---------------------------------------------------------------- routes

    def _add_brokers(self) -> None:
        app = self.app

        @app.get("/v1/brokers", summary="The running brokers", response=models.Brokers)
        def brokers(request: Request) -> models.Brokers:
            return models.Brokers([_form(name, oracle) for name, oracle in self.oracles.items()], self.maximum)

        @app.post(
            "/v1/brokers",
            summary="Start a broker",
            body=models.Wanted,
            response=models.Broker,
            status=201,
            errors={409: "The port cannot be used", 429: "The maximum number of brokers runs"},
        )
        async def start(request: Request) -> models.Broker:
            """It shares nothing with the others. When the response is sent, it listens."""
            if len(self.oracles) >= self.maximum:
                raise HttpError(429, f"{self.maximum} brokers run, which is the maximum: delete one first")
            try:
                return await self._start(request.body)
            except ListenerError as error:
                raise HttpError(409, str(error)) from None

        @app.get("/v1/brokers/{id}", summary="A broker", response=models.Broker, errors=MISSING)
        def broker(request: Request) -> models.Broker:
            return _form(request.params["id"], self._oracle(request))

        @app.delete("/v1/brokers/{id}", summary="Stop a broker", errors=MISSING)
        async def stop(request: Request) -> None:
            oracle = self._oracle(request)
            del self.oracles[request.params["id"]]
            await oracle.stop()

        @app.post("/v1/brokers/{id}/reset", summary="Reset a broker to its start state", errors=MISSING)
        async def reset(request: Request) -> None:
            """Disconnects clients, discards sessions, messages, trace and findings, restores rules and clock."""
            await self._oracle(request).reset()

    def _add_rules(self) -> None:
        app = self.app
        errors = {**MISSING, 409: "Two rules have the same name"}

        @app.get("/v1/brokers/{id}/rules", summary="The installed rules", response=models.RulesNow, errors=MISSING)
        def rules(request: Request) -> models.RulesNow:
            script = self._oracle(request).script
            return models.RulesNow(script.rules, dict(script.fired))

        @app.put("/v1/brokers/{id}/rules", summary="Replace all rules", body=models.Rules, errors=errors)
        def put(request: Request) -> None:
            """Their counters begin at 0."""
            oracle = self._oracle(request)
            try:
                oracle.rules = request.body.rules
            except ValueError as error:
                raise HttpError(409, str(error)) from None

        @app.post("/v1/brokers/{id}/rules", summary="Append rules", body=models.Rules, errors=errors)
        def post(request: Request) -> None:
            """The counters of the installed rules are kept."""
            oracle = self._oracle(request)
            try:
                oracle.add(*request.body.rules)
            except ValueError as error:
                raise HttpError(409, str(error)) from None

        @app.post("/v1/brokers/{id}/clock", summary="Change the clock", body=models.ClockChange, errors=MISSING)
        def clock(request: Request) -> None:
            """The time of the clients does not change."""
            oracle = self._oracle(request)
            if request.body.scale is not None:
                oracle.clock.scale = request.body.scale
            if request.body.jump:
                oracle.clock.jump(request.body.jump)

        @app.post(
            "/v1/brokers/{id}/publish",
            summary="Publish a message from the broker itself",
            body=models.Message,
            response=models.Published,
            errors=MISSING,
        )
        def publish(request: Request) -> models.Published:
            message: models.Message = request.body
            try:
                matched = self._oracle(request).server.publish(
                    message.topic, message.payload, qos=message.qos, retain=message.retain
                )
            except ValueError as error:
                raise HttpError(400, f"body: {error}") from None
            return models.Published(matched)

    def _add_observing(self) -> None:
        app = self.app

        @app.post(
            "/v1/brokers/{id}/wait",
            summary="Wait until something happens",
            body=models.Waiting,
            response=models.Waited,
            errors={**MISSING, 408: "It did not happen in time"},
        )
        async def wait(request: Request) -> models.Waited:
            """Earlier events count too, unless `since` excludes them."""
            waiting: models.Waiting = request.body
            condition = Condition(**{name: getattr(waiting, name) for name in Condition.__struct_fields__})
            try:
                happening = await self._oracle(request).wait(condition, waiting.within)
            except TimeoutError as error:
                raise HttpError(408, str(error)) from None
            return _waited(happening)

        @app.get("/v1/brokers/{id}/trace", summary="All packets", response=str, media=JSONL, errors=MISSING)
        def trace(request: Request) -> Response:
            """One JSON record per line, as `mqtt-ref serve --trace=jsonl` writes them."""
            lines = [json.dumps(record) + "\n" for record in self._oracle(request).records]
            return Response(200, "".join(lines).encode(), JSONL)

        @app.get("/v1/brokers/{id}/verdict", summary="What the judge says", response=models.Verdict, errors=MISSING)
        def verdict(request: Request) -> models.Verdict:
            oracle = self._oracle(request)
            found = oracle.findings
            must = sum(1 for finding in found if finding.level == "must")
            return models.Verdict(
                clean=not must,
                must=must,
                should=len(found) - must,
                connections=oracle.judge.connections,
                findings=[finding_to_json(finding) for finding in found],
            )

        @app.get(
            "/v1/illegal",
            summary="Packets that no server may send",
            query=models.IllegalQuery,
            response=models.IllegalPackets,
        )
        def illegal(request: Request) -> models.IllegalPackets:
            query: models.IllegalQuery = request.query
            if query.protocol not in VERSIONS:
                raise HttpError(400, f"query: protocol is 5, 3.1.1 or 3.1, not {query.protocol!r}")
            return models.IllegalPackets(
                [
                    models.Illegal(one.name, one.kind, one.version, one.statement, one.data.hex())
                    for one in illegal_packets(VERSIONS[query.protocol])
                    if query.word in f"{one.name} {one.kind} {one.statement}"
                ]
            )

    async def _start(self, wanted: models.Wanted) -> models.Broker:
        oracle = wanted.oracle(
            listeners=[TcpListener(self.host, wanted.port)], hooks=[AllowAll()], kept=KEPT, kept_bytes=KEPT_BYTES
        )
        self._started += 1
        name = str(self._started)
        self.oracles[name] = oracle
        try:
            await oracle.start()
        except BaseException:
            del self.oracles[name]
            raise
        return _form(name, oracle)

    def _oracle(self, request: Request) -> AsyncOracle:
        oracle = self.oracles.get(request.params["id"])
        if oracle is None:
            raise HttpError(404, f"there is no broker {request.params['id']!r}")
        return oracle


def _form(name: str, oracle: AsyncOracle) -> models.Broker:
    broker = oracle.server.broker
    return models.Broker(
        id=name, url=oracle.url, port=oracle.port, clients=broker.sessions.connected, clock=oracle.clock.scale
    )


def _waited(happening: Happening) -> models.Waited:
    packet = None
    if happening.passing is not None and happening.passing.packet is not None:
        found = happening.passing.packet
        packet = violation_to_json(found) if isinstance(found, Violation) else packet_to_json(found)
    return models.Waited(happening.number, happening.kind, happening.name, packet)

// SPDX-License-Identifier: MIT
// A test in JavaScript over HTTP: a PUBACK is lost together with the link, and MQTT.js has to send its message again.
//   mqtt-ref oracle control --token secret &
//   npm install mqtt && TOKEN=secret node --test examples/oracle/lost_puback.mjs
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

const { ORACLE = "http://127.0.0.1:8090", TOKEN = "", MODULES = import.meta.url } = process.env;
const mqtt = createRequire(MODULES)("mqtt");
// A known fault of this client does not fail its tests: MQTT.js 5 sends the message again without DUP.
const KNOWN = ["MQTT311-3.3.1-1"];
let broker;

async function call(method, path, body) {
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const answer = await fetch(ORACLE + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}

before(async () => {
  const rules = [{ when: { packet: "PUBACK", to: "sensor", nth: 1 }, do: { type: "close" } }];
  broker = await call("POST", "/v1/brokers", { rules });
});
after(() => call("DELETE", `/v1/brokers/${broker.id}`));

test("a message whose PUBACK was lost is sent again", async () => {
  const client = mqtt.connect(broker.url, { clientId: "sensor", clean: false, reconnectPeriod: 100 });
  client.on("error", () => {});
  await client.publishAsync("temperature", "21.5", { qos: 1 });
  const again = { packet: { packet: "PUBLISH", from: "sensor", connection: 2 } };
  const { packet } = await call("POST", `/v1/brokers/${broker.id}/wait`, again);
  assert.equal(packet.payload, "21.5");
  await client.endAsync();
  const verdict = await call("GET", `/v1/brokers/${broker.id}/verdict`);
  const broken = verdict.findings.map((finding) => finding.rule);
  assert.deepEqual(broken.filter((rule) => !KNOWN.includes(rule)), []);
});

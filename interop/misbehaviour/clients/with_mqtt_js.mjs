// SPDX-License-Identifier: MIT
// MQTT.js as an application would use it, reconnecting by itself. Prints each event.
import { createRequire } from "node:module";
import { argv, env, stdin, stdout } from "node:process";

const mqtt = createRequire(`${env.MQTT_JS_FOLDER}/peer.mjs`)("mqtt");
const [port, clientId, keepalive] = argv.slice(2);
const say = (event, more = {}) => stdout.write(`${JSON.stringify({ event, ...more })}\n`);

const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
  protocolVersion: 5,
  clientId,
  clean: false,
  keepalive: Number(keepalive),
  reconnectPeriod: 1000,
  connectTimeout: 3000,
  properties: { sessionExpiryInterval: 60 },
});
let begun = false;
client.on("connect", () => {
  say("connected");
  if (begun) return;
  begun = true;
  client.subscribe("to/client", { qos: 2 }, (error) => say(error ? "error" : "subscribed", { reason: `${error ?? ""}` }));
  for (const [payload, qos] of [["one", 1], ["two", 2], ["three", 1]]) {
    client.publish("from/client", payload, { qos }, (error) =>
      say(error ? "error" : "published", { reason: error ? String(error) : payload }),
    );
  }
});
client.on("message", (_topic, payload) => say("message", { payload: payload.toString() }));
client.on("close", () => say("disconnected"));
client.on("error", (error) => say("error", { reason: String(error) }));
stdin.on("end", () => process.exit(0)).resume();

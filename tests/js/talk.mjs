// SPDX-License-Identifier: MIT
// One client that subscribes, publishes to itself, and says as JSON what it saw: node talk.mjs '{"url": ..., "version": 5}'
import { readFileSync } from "node:fs";
import mqtt from "mqtt";

const { url, version, topic, sizes, ca, cert, key } = JSON.parse(process.argv[2]);
const options = {
  protocolVersion: version,
  protocolId: version === 3 ? "MQIsdp" : "MQTT",
  clientId: topic.replaceAll("/", "-").slice(0, 23),
  reconnectPeriod: 0,
  connectTimeout: 10_000,
};
if (ca) options.ca = readFileSync(ca);
if (cert) options.cert = readFileSync(cert);
if (key) options.key = readFileSync(key);

const client = await mqtt.connectAsync(url, options);
const seen = [];
const wanted = sizes.length * 3;
const all = new Promise((resolve) => {
  client.on("message", (name, payload, packet) => {
    seen.push([name, payload.length, packet.qos, packet.properties?.contentType ?? null]);
    if (seen.length === wanted) resolve();
  });
});
const granted = await client.subscribeAsync(`${topic}/#`, { qos: 2 });
for (const qos of [0, 1, 2]) {
  for (const size of sizes) {
    const properties = version === 5 ? { contentType: "bytes" } : undefined;
    await client.publishAsync(`${topic}/${qos}`, Buffer.alloc(size, qos), { qos, properties });
  }
}
await all;
await client.endAsync();
console.log(JSON.stringify({ granted: granted.map((one) => one.qos), seen }));

// SPDX-License-Identifier: MIT
// MQTT.js as a client that is told what to do: a JSON record per line on standard input, answers and messages on output.
import { createInterface } from "node:readline";
import mqtt from "mqtt";

let client = null;
let leaving = false;

const say = (record) => process.stdout.write(`${JSON.stringify(record)}\n`);
const bytes = (text) => Buffer.from(text, "base64");

const toProperties = (p) => {
  const found = {};
  if (p.payload_format_indicator !== undefined) found.payloadFormatIndicator = p.payload_format_indicator !== 0;
  if (p.message_expiry_interval !== undefined) found.messageExpiryInterval = p.message_expiry_interval;
  if (p.content_type !== undefined) found.contentType = p.content_type;
  if (p.response_topic !== undefined) found.responseTopic = p.response_topic;
  if (p.correlation_data !== undefined) found.correlationData = bytes(p.correlation_data);
  for (const [name, value] of p.user_property ?? []) {
    found.userProperties ??= {};
    (found.userProperties[name] ??= []).push(value);
  }
  return found;
};

const fromProperties = (p = {}) => ({
  payload_format_indicator: p.payloadFormatIndicator === undefined ? null : Number(p.payloadFormatIndicator),
  message_expiry_interval: p.messageExpiryInterval ?? null,
  content_type: p.contentType ?? null,
  response_topic: p.responseTopic ?? null,
  correlation_data: p.correlationData ? p.correlationData.toString("base64") : null,
  user_property: Object.entries(p.userProperties ?? {}).flatMap(([k, v]) => [v].flat().map((one) => [k, one])),
  subscription_identifier: p.subscriptionIdentifier === undefined ? [] : [p.subscriptionIdentifier].flat(),
});

const message = (topic, payload, packet) =>
  say({
    message: {
      topic,
      payload: payload.toString("base64"),
      qos: packet.qos,
      retain: packet.retain,
      dup: packet.dup,
      properties: fromProperties(packet.properties),
    },
  });

const commands = {
  connect: ({ url, options, will, will_properties }) =>
    new Promise((resolve, reject) => {
      leaving = false;
      if (will) {
        options.will = { ...will, payload: bytes(will.payload) };
        if (options.protocolVersion === 5) options.will.properties = toProperties(will_properties);
      }
      client = mqtt.connect(url, { ...options, reconnectPeriod: 0, resubscribe: false });
      client.on("message", message);
      client.on("connect", (packet) => resolve(packet.sessionPresent));
      client.on("error", reject);
      client.on("close", () => {
        reject(new Error("closed"));
        if (!leaving) say({ lost: "MQTT.js: closed" });
      });
    }),
  subscribe: ({ filters, qos, identifier }) =>
    new Promise((resolve, reject) => {
      const properties = identifier === null ? undefined : { subscriptionIdentifier: identifier };
      client.subscribe(filters, { qos, properties }, (error, granted, packet) =>
        packet ? resolve([...packet.granted]) : reject(error ?? new Error("no SUBACK")),
      );
    }),
  unsubscribe: ({ filter }) => client.unsubscribeAsync(filter).then(() => null),
  publish: ({ topic, payload, qos, retain, properties }) =>
    client
      .publishAsync(topic, bytes(payload), {
        qos,
        retain,
        properties: client.options.protocolVersion === 5 ? toProperties(properties) : undefined,
      })
      .then(() => null),
  disconnect: async () => {
    leaving = true;
    await client.endAsync();
  },
  drop: async () => {
    leaving = true;
    const closed = new Promise((resolve) => client.once("close", resolve));
    client.stream.destroy();
    await closed;
    client.end(true);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, ...rest } = JSON.parse(line);
  commands[command](rest).then(
    (value) => say({ id, value: value ?? null }),
    (error) => say({ id, error: String(error?.message ?? error) }),
  );
}
process.exit(0);

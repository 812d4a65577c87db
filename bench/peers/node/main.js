// The Node side of the benchmark: npm's pusher, driven over stdin.
// Protocol: see ../../README.md. argv: inputs.json, port of the server.
"use strict"

const fs = require("fs")
const http = require("http")
const readline = require("readline")
const Pusher = require("pusher")

const inputs = JSON.parse(fs.readFileSync(process.argv[2], "utf8"))
const client = new Pusher({
  appId: inputs.app_id,
  key: inputs.key,
  secret: inputs.secret,
  host: "127.0.0.1",
  port: process.argv[3],
  useTLS: false,
  timeout: 5000,
  encryptionMasterKeyBase64: inputs.master_key_base64,
  agent: new http.Agent({ keepAlive: true, maxSockets: 2 * inputs.in_flight }),
})

// authorizeChannel takes the socket and the channel as two arguments, so unlike the other sides
// this one need not decode the form.
const form = (text) => Object.fromEntries(new URLSearchParams(text))
const privateForm = form(inputs.private_form)
const presenceForm = form(inputs.presence_form)
const encryptedForm = form(inputs.encrypted_form)
const authorize = (f, member) => JSON.stringify(client.authorizeChannel(f.socket_id, f.channel_name, member))
const webhook = (rawBody, signature, count) => {
  const headers = { "x-pusher-key": inputs.key, "x-pusher-signature": signature, "content-type": "application/json" }
  return () => {
    const hook = client.webhook({ headers, rawBody })
    if (!hook.isValid()) throw new Error("webhook refused")
    return hook.getEvents()[count - 1].data
  }
}

// The response must be read to its end, or the connection is not used again.
const finish = async (call) => {
  await (await call).text()
  return "ok"
}

const cases = {
  authorize_private: () => authorize(privateForm),
  authorize_presence: () => authorize(presenceForm, inputs.member),
  authorize_encrypted: () => authorize(encryptedForm),
  webhook: webhook(inputs.webhook_body, inputs.webhook_signature, 1),
  webhook_10: webhook(inputs.webhook_10_body, inputs.webhook_10_signature, 10),
}

const batch = () =>
  finish(client.triggerBatch(Array.from({ length: 10 }, () => (
    { channel: inputs.channel, name: inputs.event, data: inputs.event_data }))))

// Calls over the network: the operation, and how many are in flight. NAME_N are the growth cases.
const calls = (name) => {
  const trigger = (channels, data) => () => finish(client.trigger(channels, inputs.event, data))
  const [, kind, digits] = name.match(/^(size|channels|flight)_(\d+)$/) || []
  const n = Number(digits)
  if (name === "trigger") return [trigger(inputs.channel, inputs.data), 1]
  if (name === "in_flight") return [trigger(inputs.channel, inputs.data), inputs.in_flight]
  if (name === "publisher") return [trigger(inputs.channel, inputs.event_data), inputs.in_flight]
  if (name === "batch") return [batch, 1]
  if (kind === "size") return [trigger(inputs.channel, "x".repeat(n)), 1]
  if (kind === "channels") return [trigger(Array.from({ length: n }, (_, i) => `${inputs.channel}-${i + 1}`), inputs.data), 1]
  if (kind === "flight") return [trigger(inputs.channel, inputs.data), n]
  return []
}

const runSync = (op, n) => {
  for (let i = 0; i < n; i++) op()
}

const runAsync = async (op, n, chains) => {
  let left = n
  const chain = async () => {
    while (left-- > 0) await op()
  }
  await Promise.all(Array.from({ length: chains }, chain))
}

const reply = async (line) => {
  const [first, second] = line.split(" ")
  const name = first === "show" ? second : first
  const [call, chains] = calls(name)
  const op = call || cases[name]
  if (!op) return "none"
  if (first === "show") return op()
  const cpuBefore = process.cpuUsage()
  const wallBefore = process.hrtime.bigint()
  if (call) await runAsync(op, Number(second), chains)
  else runSync(op, Number(second))
  const wall = process.hrtime.bigint() - wallBefore
  const cpu = process.cpuUsage(cpuBefore)
  return `${wall} ${(cpu.user + cpu.system) * 1000}`
}

// One line at a time: the runner waits for each reply before it sends the next.
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  Promise.resolve()
    .then(() => reply(line))
    .catch((failure) => "error " + failure.message)
    .then((text) => console.log(text))
})

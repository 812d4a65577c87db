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
  agent: new http.Agent({ keepAlive: true, maxSockets: inputs.in_flight }),
})

// authorizeChannel takes the socket and the channel as two arguments, so unlike the other sides
// this one need not decode the form.
const form = (text) => Object.fromEntries(new URLSearchParams(text))
const privateForm = form(inputs.private_form)
const presenceForm = form(inputs.presence_form)
const encryptedForm = form(inputs.encrypted_form)
const authorize = (f, member) => JSON.stringify(client.authorizeChannel(f.socket_id, f.channel_name, member))
const webhookRequest = {
  headers: {
    "x-pusher-key": inputs.key,
    "x-pusher-signature": inputs.webhook_signature,
    "content-type": "application/json",
  },
  rawBody: inputs.webhook_body,
}

const cases = {
  authorize_private: () => authorize(privateForm),
  authorize_presence: () => authorize(presenceForm, inputs.member),
  authorize_encrypted: () => authorize(encryptedForm),
  webhook: () => {
    const hook = client.webhook(webhookRequest)
    if (!hook.isValid()) throw new Error("webhook refused")
    return hook.getEvents()[0].data
  },
  // The response must be read to its end, or the connection is not used again.
  trigger: async () => {
    const response = await client.trigger(inputs.channel, inputs.event, inputs.data)
    await response.text()
    return "ok"
  },
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
  if (first === "show") return second in cases ? cases[second]() : "none"
  const name = first === "in_flight" ? "trigger" : first
  if (!(name in cases)) return "none"
  const cpuBefore = process.cpuUsage()
  const wallBefore = process.hrtime.bigint()
  if (name === "trigger") await runAsync(cases[name], Number(second), first === "in_flight" ? inputs.in_flight : 1)
  else runSync(cases[name], Number(second))
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

// npm's `pusher` carries out the calls that its argument lists, and prints a line of JSON with a result for each:
// { text } of an authorization, {} of a request that was sent, { skipped } when this library has no such call.
'use strict';

const Pusher = require('pusher');

const { app, calls } = JSON.parse(process.argv[2]);
const client = new Pusher({
  appId: app.app_id, key: app.key, secret: app.secret, host: app.host, port: String(app.port), useTLS: false,
  encryptionMasterKeyBase64: app.master_key,
});

const read = (path, params) => client.get({ path, params });
const text = (value) => ({ text: JSON.stringify(value) });

const ops = {
  trigger: (c) => client.trigger(c.channels, c.event, c.data, { socket_id: c.socket_id, info: c.info }),
  batch: (c) => client.triggerBatch(c.events),
  send_to_user: (c) => client.sendToUser(c.user, c.event, c.data),
  terminate: (c) => client.terminateUserConnections(c.user),
  channels: (c) => read('/channels', c.params),
  channel: (c) => read(`/channels/${c.channel}`, c.params),
  users: (c) => read(`/channels/${c.channel}/users`, {}),
  authorize: (c) => text(client.authorizeChannel(c.socket_id, c.channel, c.member)),
  authenticate: (c) => text(client.authenticateUser(c.socket_id, c.user)),
};

(async () => {
  const results = [];
  for (const call of calls) {
    const result = await ops[call.op](call);
    results.push(result.text && typeof result.text === 'string' ? result : {});
  }
  process.stdout.write(`${JSON.stringify(results)}\n`);
})();

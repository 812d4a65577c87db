// The official clients, `pusher` (server side) and `pusher-js` (subscriber), with the local Channels server.
// They work with it as with pusher.com, so it may stand in for that.
'use strict';

const assert = require('node:assert/strict');
const { execFile, spawn } = require('node:child_process');
const http = require('node:http');
const path = require('node:path');
const readline = require('node:readline');
const { after, before, describe, it } = require('node:test');
const Pusher = require('pusher');
const PusherJS = require('pusher-js');
const Inbox = require('./inbox');

const PROGRAM = path.join(__dirname, '../../../tools/local_server/channels/main.lua');

let server; // the handshake: ports, key, secret, …
let child;
let api; // the official server library
let hooks; // the receiver of webhooks
const received = new Inbox();

function startServer(options) {
  child = spawn('luajit', [PROGRAM, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    child.once('exit', () => reject(new Error('the local server did not start')));
  });
}

async function control(command, args = {}) {
  const response = await fetch(`http://127.0.0.1:${server.port}/_control/${command}`, {
    method: 'POST', body: JSON.stringify(args),
  });
  return (await response.json()).result;
}

function newApi(settings = {}) {
  return new Pusher({
    appId: server.app_id,
    key: server.key,
    secret: server.secret,
    host: '127.0.0.1',
    port: String(server.port),
    encryptionMasterKeyBase64: server.master_key_base64,
    ...settings,
  });
}

const open = [];

// A connected subscriber; `user` authorizes as that member and signs in as that user.
function subscriber(user, settings = {}) {
  const client = new PusherJS(server.key, {
    wsHost: '127.0.0.1',
    wsPort: server.port,
    forceTLS: false,
    enabledTransports: ['ws'],
    cluster: 'local',
    channelAuthorization: {
      customHandler: ({ socketId, channelName }, callback) => {
        const presence = channelName.startsWith('presence-') ? { user_id: user, user_info: { name: user } } : undefined;
        callback(null, api.authorizeChannel(socketId, channelName, presence));
      },
    },
    userAuthentication: {
      customHandler: ({ socketId }, callback) => callback(null, api.authenticateUser(socketId, settings.user || { id: user })),
    },
    ...settings.options,
  });
  const inbox = new Inbox();
  client.connection.bind_global((event, data) => inbox.add({ on: 'connection', event, data }));
  open.push(client);
  return { client, inbox };
}

async function join({ client, inbox }, name) {
  const channel = client.subscribe(name);
  channel.bind_global((event, data) => inbox.add({ on: name, event, data }));
  const done = await inbox.nextOf([
    { on: name, event: 'pusher:subscription_succeeded' },
    { on: name, event: 'pusher:subscription_error' },
    { on: 'connection', event: 'error' },
  ]);
  assert.ok(done, `no reply to the subscription to ${name}`);
  assert.equal(done.event, 'pusher:subscription_succeeded', JSON.stringify(done.data));
  return channel;
}

async function refusedWith(promise, status, text) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.status, status);
    assert.match(error.body, text);
    return true;
  });
}

before(async () => {
  const receiver = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const hook = api.webhook({ headers: request.headers, rawBody: Buffer.concat(parts).toString() });
      received.add({ hook: true, valid: hook.isValid() });
      for (const event of hook.getEvents()) received.add({ kind: event.name, channel: event.channel, event });
      response.end();
    });
  });
  hooks = await new Promise((resolve) => { receiver.listen(0, '127.0.0.1', () => resolve(receiver)); });
  server = await startServer({ announce_counts: true, webhook_url: `http://127.0.0.1:${hooks.address().port}/hooks` });
  api = newApi();
});

after(() => {
  open.forEach((client) => client.disconnect());
  hooks.closeAllConnections();
  hooks.close();
  child.removeAllListeners('exit');
  child.kill();
  // A socket that pusher-js closes twice (when the server closed it first) keeps a timer for 30 s.
  setTimeout(() => process.exit(), 1000).unref();
});

describe('publishing', () => {
  it('an event arrives', async () => {
    const ada = subscriber('ada');
    await join(ada, 'news');
    const response = await api.trigger('news', 'greeting', { text: 'héllo', list: [] });
    assert.equal(response.status, 200);
    assert.deepEqual((await ada.inbox.next({ on: 'news', event: 'greeting' })).data, { text: 'héllo', list: [] });
  });

  it('many channels, an excluded socket, and the requested counts', async () => {
    const ada = subscriber('ada');
    const bob = subscriber('bob');
    await join(ada, 'presence-lobby');
    await join(bob, 'presence-lobby');
    const response = await api.trigger(['presence-lobby', 'empty'], 'tick', { n: 1 }, {
      socket_id: ada.client.connection.socket_id, info: 'user_count,subscription_count',
    });
    assert.deepEqual(await response.json(), {
      channels: { empty: { subscription_count: 0 }, 'presence-lobby': { subscription_count: 2, user_count: 2 } },
    });
    assert.deepEqual((await bob.inbox.next({ event: 'tick' })).data, { n: 1 });
    await api.trigger('presence-lobby', 'tick', { n: 2 });
    assert.deepEqual((await ada.inbox.next({ event: 'tick' })).data, { n: 2 });
  });

  it('a batch arrives in order', async () => {
    const ada = subscriber('ada');
    await join(ada, 'batches');
    const batch = Array.from({ length: 10 }, (_, n) => ({ channel: 'batches', name: 'item', data: { n }, info: 'subscription_count' }));
    const response = await api.triggerBatch(batch);
    assert.deepEqual(await response.json(), { batch: Array(10).fill({ subscription_count: 1 }) });
    for (let n = 0; n < 10; n += 1) {
      assert.deepEqual((await ada.inbox.next({ event: 'item' })).data, { n });
    }
  });

  it('an encrypted event is opened by the subscriber only', async () => {
    const ada = subscriber('ada');
    await join(ada, 'private-encrypted-vault');
    await api.trigger('private-encrypted-vault', 'secret', { code: 42 });
    assert.deepEqual((await ada.inbox.next({ on: 'private-encrypted-vault', event: 'secret' })).data, { code: 42 });
    const seen = (await control('events')).find((event) => event.channel === 'private-encrypted-vault');
    assert.deepEqual(Object.keys(JSON.parse(seen.data)).sort(), ['ciphertext', 'nonce']);
  });

  it('a cache channel misses, then replays', async () => {
    const ada = subscriber('ada');
    await join(ada, 'private-cache-state');
    assert.ok(await ada.inbox.next({ on: 'private-cache-state', event: 'pusher:cache_miss' }));
    await api.trigger('private-cache-state', 'state', { n: 7 });
    const bob = subscriber('bob');
    await join(bob, 'private-cache-state');
    assert.deepEqual((await bob.inbox.next({ event: 'state' })).data, { n: 7 });
    const info = await (await api.get({ path: '/channels/private-cache-state', params: { info: 'cache' } })).json();
    assert.equal(info.cache.data, '{"n":7}');
    assert.ok(info.cache.ttl > 0);
  });
});

describe('presence', () => {
  it('members join, are listed, and leave', async () => {
    const ada = subscriber('ada');
    const channel = await join(ada, 'presence-club');
    const bob = subscriber('bob');
    await join(bob, 'presence-club');
    assert.deepEqual((await ada.inbox.next({ event: 'pusher:member_added' })).data, { id: 'bob', info: { name: 'bob' } });
    assert.equal(channel.members.count, 2);
    assert.equal(channel.members.me.id, 'ada');
    const users = await (await api.get({ path: '/channels/presence-club/users' })).json();
    assert.deepEqual(users, { users: [{ id: 'ada' }, { id: 'bob' }] });
    bob.client.disconnect();
    assert.equal((await ada.inbox.next({ event: 'pusher:member_removed' })).data.id, 'bob');
  });

  it('a user with two connections is one member', async () => {
    const ada = subscriber('ada');
    const channel = await join(ada, 'presence-twice');
    const again = subscriber('ada');
    await join(again, 'presence-twice');
    const response = await api.get({ path: '/channels/presence-twice', params: { info: 'user_count,subscription_count' } });
    assert.deepEqual(await response.json(), { occupied: true, user_count: 1, subscription_count: 2 });
    assert.equal(channel.members.count, 1);
  });
});

describe('client events', () => {
  it('reach the others of a private channel', async () => {
    const ada = subscriber('ada');
    const bob = subscriber('bob');
    const sending = await join(ada, 'private-desk');
    await join(bob, 'private-desk');
    sending.trigger('client-typing', { on: [] });
    assert.deepEqual((await bob.inbox.next({ event: 'client-typing' })).data, { on: [] });
  });

  it('are refused on a public channel', async () => {
    const ada = subscriber('ada');
    await join(ada, 'square');
    ada.client.send_event('client-shout', {}, 'square');
    const { data } = await ada.inbox.next({ on: 'connection', event: 'error' });
    assert.match(data.data.message, /only supported on private and presence channels/);
  });
});

describe('users', () => {
  it('sign in, get messages and are disconnected', async () => {
    const ada = subscriber('ada');
    const notes = new Inbox();
    ada.client.user.bind('note', (data) => notes.add({ data }));
    ada.client.signin();
    await ada.client.user.signinDonePromise;
    const channel = ada.client.user.serverToUserChannel;
    if (!channel.subscribed) await new Promise((resolve) => { channel.bind('pusher:subscription_succeeded', resolve); });
    await api.sendToUser('ada', 'note', { n: 1 });
    assert.deepEqual((await notes.next()).data, { n: 1 });
    await api.terminateUserConnections('ada');
    assert.ok(await ada.inbox.next({ on: 'connection', event: 'disconnected' }));
  });

  it('are notified about their watchlist', async () => {
    const ada = subscriber('ada', { user: { id: 'watcher', watchlist: ['watched'] } });
    const seen = new Inbox();
    for (const name of ['online', 'offline']) {
      ada.client.user.watchlist.bind(name, (event) => seen.add({ name: event.name, ids: event.user_ids }));
    }
    ada.client.signin();
    assert.deepEqual(await seen.next(), { name: 'offline', ids: ['watched'] });
    const bob = subscriber('watched');
    bob.client.signin();
    assert.deepEqual(await seen.next(), { name: 'online', ids: ['watched'] });
    bob.client.disconnect();
    assert.deepEqual(await seen.next(), { name: 'offline', ids: ['watched'] });
  });
});

describe('webhooks', () => {
  it('of each kind arrive, and each is signed', async () => {
    const ada = subscriber('ada');
    const channel = await join(ada, 'presence-cache-hooked');
    channel.trigger('client-hello', { a: 1 });
    await join(ada, 'counted');
    ada.client.unsubscribe('presence-cache-hooked');
    const expected = { presence: ['channel_occupied', 'member_added', 'cache_miss', 'client_event', 'member_removed', 'channel_vacated'] };
    for (const kind of expected.presence) {
      assert.ok(await received.next({ kind, channel: 'presence-cache-hooked' }), kind);
    }
    assert.equal((await received.next({ kind: 'subscription_count', channel: 'counted' })).event.subscription_count, 1);
    assert.equal((await received.next({ hook: true })).valid, true);
    assert.equal(await received.next({ valid: false, timeout: 0 }), false);
  });
});

describe('refusals', () => {
  it('have a plain text message', async () => {
    await refusedWith(newApi({ secret: 'wrong' }).trigger('a', 'b', 'c'), 401, /Invalid signature: you should have sent HmacSHA256Hex\("POST\\n/);
    await refusedWith(newApi({ key: 'other' }).trigger('a', 'b', 'c'), 401, /Unknown auth_key: other/);
    await refusedWith(newApi({ appId: '99' }).trigger('a', 'b', 'c'), 404, /Did you forget to specify the cluster/);
    await refusedWith(api.trigger('a', 'b', 'x'.repeat(10241)), 413, /10240/);
    await refusedWith(api.get({ path: '/channels/news/users' }), 400, /presence/);
    await refusedWith(api.get({ path: '/nothing' }), 404, /Not found/);
    await refusedWith(api.triggerBatch(Array(11).fill({ channel: 'a', name: 'b', data: 'c' })), 400, /Batch too large/);
  });

  it('name both clocks when a timestamp is too old', async () => {
    await control('set', { clock_offset: 660 });
    await refusedWith(api.trigger('a', 'b', 'c'), 401, /Timestamp expired: Given timestamp \(.*Z\) not within 600s of server time \(.*Z\)/);
    await control('set', { clock_offset: 0 });
  });

  it('of an app that is disabled', async () => {
    await control('set', { enabled: false });
    await refusedWith(api.trigger('a', 'b', 'c'), 403, /disabled/);
    await control('set', { enabled: true });
  });

  it('of a connection: unknown key', async () => {
    const client = new PusherJS('nobody', { wsHost: '127.0.0.1', wsPort: server.port, forceTLS: false, enabledTransports: ['ws'], cluster: 'local' });
    const inbox = new Inbox();
    client.connection.bind('error', (error) => inbox.add(error));
    open.push(client);
    const error = await inbox.next();
    assert.equal(error.error.data.code, 4001);
  });
});

describe('TLS', () => {
  // The CA must be known when Node starts, hence another process.
  it('both clients work with the throw-away CA', async () => {
    const script = `
      const Pusher = require('pusher'); const PusherJS = require('pusher-js');
      const server = JSON.parse(process.argv[1]);
      const api = new Pusher({ appId: server.app_id, key: server.key, secret: server.secret, host: 'localhost',
        port: String(server.tls_port), useTLS: true });
      const client = new PusherJS(server.key, { wsHost: 'localhost', wssPort: server.tls_port, forceTLS: true,
        enabledTransports: ['ws', 'wss'], cluster: 'local' });
      const channel = client.subscribe('tls');
      channel.bind('pusher:subscription_succeeded', () => api.trigger('tls', 'hello', { n: 1 }));
      channel.bind('hello', (data) => { console.log(JSON.stringify(data)); process.exit(0); });
      setTimeout(() => process.exit(1), 30000);`;
    const text = await new Promise((resolve, reject) => {
      // The server listens on IPv4 only, and Node 18 tries just the first address of "localhost".
      execFile(process.execPath, ['--dns-result-order=ipv4first', '-e', script, JSON.stringify(server)], {
        cwd: __dirname, env: { ...process.env, NODE_EXTRA_CA_CERTS: server.ca_file },
      }, (error, stdout) => (error ? reject(error) : resolve(stdout)));
    });
    assert.deepEqual(JSON.parse(text), { n: 1 });
  });
});

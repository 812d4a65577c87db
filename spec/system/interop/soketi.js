// Runs soketi for a spec: on free ports, as the user nobody when we are root, killed with its parent.
// Options: `config`, a file whose settings and first app are used; `webhook_url`; `redis`, the socket of the Redis
// server that makes this one a node of a cluster; `events_per_second`, above which the server refuses events with 429.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const program = require('./program');
const { freePorts, launch, makeHome, mayRead, ready, run } = require('./unprivileged');

const SCRIPT = 'node_modules/@soketi/soketi/bin/server.js';
const NOISE = /^Warning: uWS.HttpResponse writes must be made from within a corked callback/;

const { config: configFile, webhook_url: webhookUrl, redis, events_per_second: eventsPerSecond = -1 } = program.options;
const webhooks = webhookUrl ? [{
  url: webhookUrl,
  event_types: ['client_event', 'channel_occupied', 'channel_vacated', 'member_added', 'member_removed', 'cache_miss'],
}] : [];

const given = configFile ? JSON.parse(fs.readFileSync(configFile)) : {};
const [givenApp] = given['appManager.array.apps'] || [];

// A normal app, and one whose users sign in: there soketi disconnects those who do not.
const app = givenApp || {
  id: 'app-id', key: 'app-key', secret: 'app-secret', enableClientMessages: true, webhooks,
  maxBackendEventsPerSecond: eventsPerSecond,
};
const users = { id: 'users-id', key: 'users-key', secret: 'users-secret', enableUserAuthentication: true };

// A folder where the user nobody can read soketi: this one, or a copy when the checkout is private.
function readableFolder() {
  const folder = path.join(__dirname, 'soketi');
  if (mayRead(path.join(folder, SCRIPT))) return folder;
  const copy = path.join(program.directory, 'soketi');
  fs.cpSync(folder, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

function writeConfig(port, metricsPort) {
  const file = path.join(program.directory, 'config.json');
  fs.writeFileSync(file, JSON.stringify({
    ...given,
    host: '127.0.0.1',
    port,
    'metrics.host': '127.0.0.1',
    'metrics.port': metricsPort,
    userAuthenticationTimeout: 600000,
    'eventLimits.maxPayloadInKb': 10,
    'appManager.array.apps': [app, users],
    ...(redis && { 'adapter.driver': 'redis', 'cache.driver': 'redis', 'database.redis.path': redis }),
  }));
  return file;
}

async function isListening(port) {
  try {
    return (await fetch(`http://127.0.0.1:${port}/ready`)).ok;
  } catch {
    return false;
  }
}

run(async () => {
  const [port, metricsPort] = await freePorts(2);
  const config = writeConfig(port, metricsPort);
  const home = makeHome();
  const folder = readableFolder();
  const child = launch([process.execPath, path.join(folder, SCRIPT), 'start', `--config=${config}`], {
    cwd: folder, home, noise: NOISE,
  });
  await ready(child, () => isListening(port));
  program.start({
    pid: child.pid, // what the spec kills; this program then ends as well
    host: '127.0.0.1',
    port,
    app_id: app.id,
    key: app.key,
    secret: app.secret,
    users: { app_id: users.id, key: users.key, secret: users.secret },
  }, {});
});

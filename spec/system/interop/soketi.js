// Runs soketi for a spec: on free ports, as the user nobody when we are root, killed with its parent.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const program = require('./program');

const NOBODY = 65534;
const READY_TIMEOUT = 30000; // milliseconds

const { webhook_url: webhookUrl } = program.options;
const webhooks = webhookUrl ? [{
  url: webhookUrl,
  event_types: ['client_event', 'channel_occupied', 'channel_vacated', 'member_added', 'member_removed', 'cache_miss'],
}] : [];

// A normal app, and one whose users sign in: there soketi disconnects those who do not.
const app = { id: 'app-id', key: 'app-key', secret: 'app-secret', enableClientMessages: true, webhooks };
const users = { id: 'users-id', key: 'users-key', secret: 'users-secret', enableUserAuthentication: true };

function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer());
  return Promise.all(servers.map((server) => new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  }))).then((ports) => {
    servers.forEach((server) => server.close());
    return ports;
  });
}

const asNobody = process.getuid() === 0
  ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--pdeathsig=KILL'] : [];

// A folder where the user nobody can read soketi: this one, or a copy when the checkout is private.
function readableFolder() {
  const folder = path.join(__dirname, 'soketi');
  const script = path.join(folder, 'node_modules/@soketi/soketi/bin/server.js');
  if (asNobody.length === 0 || spawnSync(asNobody[0], [...asNobody.slice(1), 'test', '-r', script]).status === 0) {
    return folder;
  }
  const copy = path.join(program.directory, 'soketi');
  fs.cpSync(folder, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

function writeConfig(port, metricsPort) {
  const file = path.join(program.directory, 'config.json');
  fs.writeFileSync(file, JSON.stringify({
    host: '127.0.0.1',
    port,
    'metrics.host': '127.0.0.1',
    'metrics.port': metricsPort,
    userAuthenticationTimeout: 600000,
    'eventLimits.maxPayloadInKb': 10,
    'appManager.array.apps': [app, users],
  }));
  return file;
}

function launch(config) {
  const home = path.join(program.directory, 'home');
  fs.mkdirSync(home);
  fs.chmodSync(program.directory, 0o755);
  if (asNobody.length) fs.chownSync(home, NOBODY, NOBODY);
  const folder = readableFolder();
  const command = [...asNobody, process.execPath, path.join(folder, 'node_modules/@soketi/soketi/bin/server.js'),
    'start', `--config=${config}`];
  return spawn(command[0], command.slice(1), {
    cwd: folder, env: { PATH: process.env.PATH, HOME: home, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function ready(port, child) {
  const deadline = Date.now() + READY_TIMEOUT;
  while (child.exitCode === null && Date.now() < deadline) {
    try {
      if ((await fetch(`http://127.0.0.1:${port}/ready`)).ok) return;
    } catch { /* not listening yet */ }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('soketi did not start');
}

async function main() {
  const [port, metricsPort] = await freePorts(2);
  const child = launch(writeConfig(port, metricsPort));
  program.atExit(() => child.kill('SIGKILL'));
  child.on('exit', program.end);
  await ready(port, child);
  program.start({
    pid: child.pid, // what the spec kills; this program then ends as well
    host: '127.0.0.1',
    port,
    app_id: app.id,
    key: app.key,
    secret: app.secret,
    users: { app_id: users.id, key: users.key, secret: users.secret },
  }, {});
}

main().catch((error) => {
  process.stdout.write(`${error.message}\n`);
  process.exit(1);
});

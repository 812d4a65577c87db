// Starts servers of others: as the user nobody when we are root, in a private folder, killed with this program.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const readline = require('node:readline');
const program = require('./program');

const NOBODY = 65534;
const READY_TIMEOUT = 30000; // milliseconds
const POLL_INTERVAL = 20;

const prefix = process.getuid() === 0
  ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--pdeathsig=KILL'] : [];

function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer());
  return Promise.all(servers.map((server) => new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  }))).then((ports) => {
    servers.forEach((server) => server.close());
    return ports;
  });
}

// Where the server may write; everything beside it may be read by it.
function makeHome() {
  const home = path.join(program.directory, 'home');
  fs.mkdirSync(home);
  fs.chmodSync(program.directory, 0o755);
  if (prefix.length) fs.chownSync(home, NOBODY, NOBODY);
  return home;
}

function mayRead(file) {
  return prefix.length === 0 || spawnSync(prefix[0], [...prefix.slice(1), 'test', '-r', file]).status === 0;
}

// This program ends when the server does, and the other way round. Lines on stderr that match `noise` are not shown.
function launch(command, { cwd, home, noise = /^$/ }) {
  const [file, ...args] = [...prefix, ...command];
  const child = spawn(file, args, {
    cwd, env: { PATH: process.env.PATH, HOME: home, NODE_NO_WARNINGS: '1' }, stdio: ['ignore', 'ignore', 'pipe'],
  });
  readline.createInterface({ input: child.stderr }).on('line', (line) => {
    if (!noise.test(line)) process.stderr.write(`${line}\n`);
  });
  program.atExit(() => child.kill('SIGKILL'));
  child.on('exit', program.end);
  return child;
}

async function ready(child, isReady) {
  const deadline = Date.now() + READY_TIMEOUT;
  while (child.exitCode === null && Date.now() < deadline) {
    if (await isReady()) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
  throw new Error('the server did not start');
}

// Runs a program's main function; what it throws is the line that the spec shows.
function run(main) {
  main().catch((error) => {
    process.stdout.write(`${error.message}\n`);
    process.exit(1);
  });
}

module.exports = { freePorts, launch, makeHome, mayRead, ready, run };

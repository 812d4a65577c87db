// A Node program that tools/local_server.lua can start: prints one line of JSON, then executes one
// line of JSON per command from a FIFO, and ends when the FIFO's other end is closed.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pusher-interop.'));
const atExit = [];

function cleanUp() {
  for (const action of atExit) action();
  fs.rmSync(directory, { recursive: true, force: true });
}

function say(value) {
  process.stdout.write(JSON.stringify(value) + '\n');
}

async function reply(handlers, line) {
  try {
    const { command, arguments: args } = JSON.parse(line);
    if (!handlers[command]) throw new Error('unknown command ' + command);
    const result = await handlers[command](args || {});
    say({ result: result === undefined ? true : result });
  } catch (error) {
    say({ error: String(error.message || error) });
  }
}

// Prints the handshake and executes commands. `handlers`: command name -> function(arguments), may be async.
function start(hello, handlers) {
  const control = path.join(directory, 'control');
  execFileSync('mkfifo', [control]);
  say({ pid: process.pid, ...hello, control });
  const lines = readline.createInterface({ input: fs.createReadStream(control) });
  let last = Promise.resolve();
  lines.on('line', (line) => { last = last.then(() => reply(handlers, line)); });
  lines.on('close', end);
}

// Node's own exit waits for the thread that reads the FIFO, and another program may hold its other end.
function end() {
  cleanUp();
  process.kill(process.pid, 'SIGKILL');
}

process.on('exit', cleanUp);

module.exports = {
  start,
  end,
  directory,
  atExit: (action) => atExit.push(action),
  options: JSON.parse(process.argv[2] || '{}'),
};

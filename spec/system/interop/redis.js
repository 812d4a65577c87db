// Runs a Redis server for a spec: on a socket in its own folder, with nothing on disk, killed with its parent.
'use strict';

const net = require('node:net');
const path = require('node:path');
const program = require('./program');
const { launch, makeHome, ready, run } = require('./unprivileged');

function respondsToPing(socket) {
  return new Promise((resolve) => {
    const connection = net.connect(socket, () => connection.write('PING\r\n'));
    connection.on('data', (bytes) => {
      connection.destroy();
      resolve(String(bytes).startsWith('+PONG'));
    });
    connection.on('error', () => resolve(false));
  });
}

run(async () => {
  const home = makeHome();
  const socket = path.join(home, 'socket');
  const child = launch(['redis-server', '--port', '0', '--unixsocket', socket, '--unixsocketperm', '777', '--save', '',
    '--dir', home], { cwd: home, home });
  await ready(child, () => respondsToPing(socket));
  program.start({ pid: child.pid, socket }, {});
});

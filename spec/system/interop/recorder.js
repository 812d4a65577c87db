// An HTTP server that records requests and judges them by rules of its own: nothing of the library is used here.
// Commands: `take` returns what came since the last one; `judge` checks authorizations.
'use strict';

const { createHash, createHmac } = require('node:crypto');
const http = require('node:http');
const { isDeepStrictEqual } = require('node:util');
const program = require('./program');

const app = { app_id: '3', key: 'app-key', secret: 'app-secret' };
const LIBRARY_PARAMETERS = ['auth_key', 'auth_timestamp', 'auth_version', 'auth_signature', 'body_md5'];
const MAX_SKEW = 600; // seconds

// What every client finds in it that looks for something in a response.
const RESPONSE = JSON.stringify({ channels: {}, users: [], batch: [] });

let recorded = [];

const md5 = (bytes) => createHash('md5').update(bytes).digest('hex');
const hmac = (text) => createHmac('sha256', app.secret).update(text).digest('hex');

// Data is JSON text, which libraries space and escape as they like.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function readEvent(event) {
  return typeof event.data === 'string' ? { ...event, data: parsed(event.data), data_is_text: true } : event;
}

function readBody(text) {
  const body = text && JSON.parse(text);
  return body.batch ? { ...body, batch: body.batch.map(readEvent) } : body && readEvent(body);
}

// Channels docs, "HTTP API authentication".
function faultOf(method, path, query, body, headers) {
  const signed = [...query].filter(([name]) => name !== 'auth_signature')
    .map(([name, value]) => `${name.toLowerCase()}=${value}`).sort().join('&');
  if (query.get('auth_signature') !== hmac(`${method}\n${path}\n${signed}`)) return 'auth_signature';
  if (query.get('auth_key') !== app.key) return 'auth_key';
  if (query.get('auth_version') !== '1.0') return 'auth_version';
  if (Math.abs(Date.now() / 1000 - Number(query.get('auth_timestamp'))) > MAX_SKEW) return 'auth_timestamp';
  if (body.length && query.get('body_md5') !== md5(body)) return 'body_md5';
  if (body.length && !/^application\/json/.test(headers['content-type'])) return 'content-type';
  return '';
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    const [path, search] = request.url.split('?');
    const query = new URLSearchParams(search);
    recorded.push({
      fault: faultOf(request.method, path, query, body, request.headers),
      request: {
        method: request.method,
        path,
        query: Object.fromEntries([...query].filter(([name]) => !LIBRARY_PARAMETERS.includes(name))),
        body: readBody(body.toString()),
      },
    });
    response.setHeader('Content-Type', 'application/json');
    response.end(RESPONSE);
  });
});

// What is wrong with the authorization that a library made for a call; '' when nothing is.
function faultOfAuthorization({ op, socket_id: socketId, channel, member, user }, text) {
  const given = JSON.parse(text);
  const data = op === 'authenticate' ? given.user_data : given.channel_data;
  const subject = op === 'authenticate' ? [socketId, '', 'user', '', data] : [socketId, channel, ...(data ? [data] : [])];
  if (given.auth !== `${app.key}:${hmac(subject.join(':'))}`) return 'auth';
  if (!isDeepStrictEqual(data && JSON.parse(data), user || member)) return 'data';
  return '';
}

const commands = {
  take() {
    const taken = recorded;
    recorded = [];
    return taken;
  },
  judge({ calls, texts }) {
    return calls.map((call, index) => faultOfAuthorization(call, texts[index]));
  },
};

server.listen(0, '127.0.0.1', () => {
  program.start({ host: '127.0.0.1', port: server.address().port, ...app }, commands);
});

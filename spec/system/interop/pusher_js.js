// A subscriber on the real pusher-js, driven by a spec: connects, subscribes, signs in, sends client
// events, and hands out what it received. Authorizations are given to it, made by the library under test.
'use strict';

const Pusher = require('pusher-js');
const Inbox = require('./inbox');
const program = require('./program');

const { host = '127.0.0.1', port, key = 'app-key' } = program.options;
const inbox = new Inbox();
const authorizations = {}; // channel name -> the response of the auth endpoint
let userAuthentication;

const pusher = new Pusher(key, {
  wsHost: host,
  wsPort: port,
  forceTLS: false,
  enabledTransports: ['ws'],
  cluster: 'local',
  disableStats: true,
  channelAuthorization: {
    customHandler: ({ channelName }, callback) => {
      const given = authorizations[channelName];
      callback(given ? null : new Error('not allowed'), given);
    },
  },
  userAuthentication: {
    customHandler: (_, callback) => callback(null, userAuthentication),
  },
});

function collect(emitter, channel) {
  emitter.bind_global((event, data) => {
    if (event === 'message') {
      inbox.add({ wire: data.event, on: data.channel, data: data.data, user_id: data.user_id });
    } else {
      inbox.add({ channel, event, data });
    }
  });
}

const REPLY_TIMEOUT = 20000; // milliseconds

// Some servers refuse the channel of users whose id has other characters than a channel's name.
function signedIn(user, withChannel) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('no reply to the sign-in')), REPLY_TIMEOUT).unref();
    pusher.signin();
    user.signinDonePromise.then(() => {
      const channel = user.serverToUserChannel;
      if (!withChannel || channel.subscribed) resolve();
      channel.bind('pusher:subscription_succeeded', resolve);
    });
  });
}

const commands = {
  async subscribe({ channel: name, authorization }) {
    authorizations[name] = authorization;
    const channel = pusher.subscribe(name);
    collect(channel, name);
    const done = await inbox.nextOf([
      { channel: name, event: 'pusher:subscription_succeeded' },
      { channel: name, event: 'pusher:subscription_error' },
      { channel: 'connection', event: 'error' },
    ]);
    if (!done) throw new Error('no reply to the subscription');
    return { event: done.event, data: done.data };
  },
  members({ channel: name }) {
    const found = {};
    pusher.channel(name).members.each(({ id, info }) => { found[id] = info || true; });
    return found;
  },
  unsubscribe({ channel }) { pusher.unsubscribe(channel); },
  trigger({ channel, event, data }) { return pusher.channel(channel).trigger(event, data); },
  async sign_in({ authentication, channel = true }) {
    userAuthentication = authentication;
    collect(pusher.user, 'user');
    await signedIn(pusher.user, channel);
    return pusher.user.user_data;
  },
  // Matches `event` and `channel` as pusher-js emits them, or `wire` and `on` as they arrived.
  next_event(wanted) { return inbox.next(wanted); },
  // The data of the next `count` such events; fewer when one does not come.
  async next_events({ count, ...wanted }) {
    const found = [];
    while (found.length < count) {
      const event = await inbox.next(wanted);
      if (!event) break;
      found.push(event.data);
    }
    return found;
  },
  state() { return pusher.connection.state; },
};

collect(pusher.connection, 'connection');
pusher.connection.bind('connected', () => {
  if (!commands.started) {
    commands.started = true;
    program.start({ socket_id: pusher.connection.socket_id }, commands);
  }
});
setTimeout(() => {
  if (!commands.started) {
    process.stdout.write('pusher-js did not connect\n');
    process.exit(1);
  }
}, 30000).unref();

// The web-worker build of pusher-js, which authorizes by fetch.
'use strict';

importScripts('vendor/pusher-js/dist/worker/pusher-with-encryption.worker.min.js');

self.onmessage = ({ data: { key, options } }) => {
  const client = new Pusher(key, {
    ...options,
    channelAuthorization: { endpoint: '/broadcasting/auth', params: { theme: 'dark & "quoted"' } },
    userAuthentication: { endpoint: '/broadcasting/user' },
  });
  const collect = (emitter, channel) => emitter.bind_global((event, data) => {
    self.postMessage({ channel, event, data: JSON.parse(JSON.stringify(data === undefined ? null : data)) });
  });
  for (const name of ['private-orders', 'private-encrypted-vault', 'presence-lobby', 'private-forbidden']) {
    collect(client.subscribe(name), name);
  }
  client.signin();
  client.user.signinDonePromise.then(() => self.postMessage({ channel: 'user', event: 'signed_in', data: client.user.user_data }));
};

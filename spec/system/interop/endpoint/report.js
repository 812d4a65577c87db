// Events that a page got, for browser.js to collect; and the options by which pusher-js finds the Channels server.
'use strict';

const query = new URLSearchParams(location.search);
const options = {
  wsHost: '127.0.0.1',
  wsPort: Number(query.get('port')),
  forceTLS: false,
  enabledTransports: ['ws'],
  cluster: 'local',
  disableStats: true,
};
const key = query.get('key');

window.reports = [];

function report(channel, event, data) {
  window.reports.push({ channel, event, data });
}

function reportAll(channel) {
  channel.bind_global((event, data) => report(channel.name, event, data));
}

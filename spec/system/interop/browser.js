// Chromium for a spec: opens pages of the endpoint, and hands out what they report.
'use strict';

const path = require('node:path');
const program = require('./program');
const { run } = require('./unprivileged');
const { chromium } = require(path.join(__dirname, '../nginx/browser/node_modules/playwright-core'));

const TIMEOUT_MS = 20000;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

let page;
const errors = [];

const commands = {
  async open({ url }) {
    await page.goto(url);
  },
  // The first report with this channel and event, taken off the page's list; false when none comes.
  async next_report({ channel, event }) {
    const found = await page.waitForFunction((wanted) => {
      const index = window.reports.findIndex((one) => one.channel === wanted.channel && one.event === wanted.event);
      return index >= 0 && window.reports.splice(index, 1)[0];
    }, { channel, event }).catch(() => false);
    return found && found.jsonValue();
  },
  errors() { return errors; },
};

run(async () => {
  process.env.TMPDIR = program.directory; // for the profile
  const server = await chromium.launchServer({
    host: '127.0.0.1', executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true, args: FLAGS,
  });
  server.on('close', program.end);
  program.atExit(() => server.process().kill('SIGKILL'));
  page = await (await chromium.connect(server.wsEndpoint())).newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  page.on('pageerror', (error) => errors.push(String(error)));
  // What the spec kills; this program then ends as well.
  program.start({ pid: server.process().pid }, commands);
});

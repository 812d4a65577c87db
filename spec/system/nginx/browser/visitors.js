// What drives the chat of examples/openresty: starts it as `make openresty-demo` does, and lets visitors come and talk, each
// in a Chromium of their own, which share nothing.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { chromium } = require('playwright-core');

const ROOT = path.join(__dirname, '..', '..', '..', '..');
const TIMEOUT_MS = 20000;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

let demo;
let address;
const visitors = {};

// Resolves when the demo has printed its address, or fails with its output.
function startDemo() {
  demo = spawn('make', ['-s', 'openresty-demo'], { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let said = '';
    const listen = (bytes) => {
      said += bytes;
      const found = said.match(/^chat +(http\S+)/m);
      if (found) resolve(address = found[1]);
    };
    demo.stdout.on('data', listen);
    demo.stderr.on('data', listen);
    demo.on('exit', () => reject(new Error(`the demo ended: ${said}`)));
  });
}

// Closes the browsers, and ends the demo by Ctrl-C, as a terminal sends it: to make and all it started.
async function endDemo() {
  for (const { browser, folder } of Object.values(visitors)) {
    await browser.close().catch(() => {});
    fs.rmSync(folder, { recursive: true, force: true });
  }
  await new Promise((resolve) => {
    demo.removeAllListeners('exit');
    demo.on('exit', resolve);
    process.kill(-demo.pid, 'SIGINT');
  });
}

// `options` are Playwright's, of a context.
async function openBrowser(name, options = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'chat-'));
  const browser = await chromium.launchPersistentContext(folder, {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: true,
    args: FLAGS,
    viewport: { width: 1080, height: 720 },
    ...options,
  });
  browser.setDefaultTimeout(TIMEOUT_MS);
  const page = browser.pages()[0] || await browser.newPage();
  const visitor = { name, folder, browser, page, frames: [], errors: [], hosts: new Set() };
  page.on('websocket', (socket) => {
    visitor.hosts.add(new URL(socket.url()).hostname);
    socket.on('framereceived', ({ payload }) => visitor.frames.push(String(payload)));
  });
  page.on('request', (request) => visitor.hosts.add(new URL(request.url()).hostname));
  page.on('console', (message) => { if (message.type() === 'error') visitor.errors.push(message.text()); });
  page.on('pageerror', (error) => visitor.errors.push(String(error)));
  visitors[name] = visitor;
  return visitor;
}

const goToChat = (page) => page.goto(address);

async function join(name, options) {
  const { page } = await openBrowser(name, options);
  await goToChat(page);
  await page.fill('#name', name);
  await page.click('#join button');
  await page.waitForSelector('#connection[data-state="connected"]');
  await seesPeople(page, name);
  return page;
}

const seesPeople = (page, ...names) => Promise.all(names.map((name) => page.waitForSelector(`#people .name:text-is("${name}")`)));
const seesText = (page, room, text) => page.waitForSelector(`.messages[data-room="${room}"] .text:text-is("${text}")`);
const seesNotice = (page, text) => page.waitForSelector(`.notice:has-text("${text}")`);

async function say(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

module.exports = { ROOT, visitors, startDemo, endDemo, openBrowser, goToChat, join, say, seesPeople, seesText, seesNotice };

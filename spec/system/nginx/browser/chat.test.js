// Drives the chat of examples/openresty as `make openresty-demo` starts it, in two Chromiums that share nothing.
// Screenshots go to build/openresty/.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { ROOT, visitors, startDemo, endDemo, openBrowser, goToChat, join, say, seesPeople, seesText, seesNotice } =
  require('./visitors');

const SHOTS = path.join(ROOT, 'build', 'openresty');

before(async () => {
  fs.mkdirSync(SHOTS, { recursive: true });
  await startDemo();
});

after(endDemo);

test('a visitor is asked for a name, and an invalid one is refused with a message', async () => {
  const { page } = await openBrowser('Ada');
  await goToChat(page);
  await page.waitForSelector('#welcome[open]');
  assert.ok(await page.evaluate(() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)));
  await page.screenshot({ path: path.join(SHOTS, 'welcome.png') });
  await page.fill('#name', '\u2028');
  await page.click('#join button');
  await page.waitForSelector('#refused:text("1 to 24 characters")');
  visitors.Ada.errors.length = 0; // Chromium itself reports the 400
  await page.fill('#name', 'Ada');
  await page.click('#join button');
  await page.waitForSelector('#connection[data-state="connected"]');
  await seesPeople(page, 'Ada');
});

test('the presence list and a webhook show who joined', async () => {
  await join('Grace');
  await seesPeople(visitors.Ada.page, 'Ada', 'Grace');
  await seesPeople(visitors.Grace.page, 'Ada', 'Grace');
  assert.strictEqual(await visitors.Ada.page.textContent('#count'), '2');
  await seesNotice(visitors.Ada.page, 'Grace came in');
});

test('a message typed in one browser appears in the other', async () => {
  await say(visitors.Ada.page, 'Is anybody there?');
  await seesText(visitors.Grace.page, 'lobby', 'Is anybody there?');
  await say(visitors.Grace.page, 'Only me, and the kettle. ☕');
  await seesText(visitors.Ada.page, 'lobby', 'Only me, and the kettle. ☕');
});

test('markup in a message stays text', async () => {
  const markup = "<b onmouseover=alert(1)>bold</b>";
  await say(visitors.Ada.page, markup);
  await seesText(visitors.Grace.page, 'lobby', markup);
  assert.strictEqual(await visitors.Grace.page.locator('.messages b').count(), 0);
});

test('one sees the other typing, by a client event', async () => {
  await visitors.Grace.page.type('#text', 'Let me think');
  await visitors.Ada.page.waitForSelector('#typing:text("Grace is typing")');
  await visitors.Ada.page.screenshot({ path: path.join(SHOTS, 'lobby.png') });
  await visitors.Grace.page.fill('#text', '');
  await visitors.Ada.page.waitForSelector('#typing:text-is("")', { state: 'attached' });
});

test('the encrypted channel shows plaintext to its members and ciphertext on the wire', async () => {
  const secret = 'The treasure is under the third oak';
  await visitors.Ada.page.click('.room[data-room="den"]');
  await say(visitors.Ada.page, secret);
  await visitors.Grace.page.waitForSelector('.room[data-room="den"] .unread:text-is("1")');
  await visitors.Grace.page.click('.room[data-room="den"]');
  await seesText(visitors.Grace.page, 'den', secret);
  await say(visitors.Grace.page, 'I shall bring a spade.');
  await seesText(visitors.Ada.page, 'den', 'I shall bring a spade.');
  await seesText(visitors.Grace.page, 'den', 'I shall bring a spade.');
  const frames = visitors.Grace.frames;
  const sealed = frames.filter((frame) => frame.includes('private-encrypted-den') && frame.includes('"message"'));
  assert.strictEqual(sealed.length, 2);
  for (const frame of sealed) {
    const { ciphertext, nonce } = JSON.parse(JSON.parse(frame).data);
    assert.ok(ciphertext.length > 40 && nonce.length === 32, frame);
  }
  assert.ok(frames.some((frame) => frame.includes('Is anybody there?')), 'the lobby is not encrypted, so frames are seen');
  assert.ok(!frames.some((frame) => frame.includes('treasure') || frame.includes('spade')), 'plaintext on the wire');
  await visitors.Ada.page.screenshot({ path: path.join(SHOTS, 'den.png') });
});

test('the presence list follows a closed tab, and a webhook shows who left', async () => {
  const { page } = visitors.Ada;
  await page.click('.room[data-room="lobby"]');
  await visitors.Grace.page.close();
  await page.waitForSelector('#people .name:text-is("Grace")', { state: 'detached' });
  assert.strictEqual(await page.textContent('#count'), '1');
  await seesNotice(page, 'Grace left');
});

test('it works in dark mode and on a phone', async () => {
  const { page } = visitors.Ada;
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.screenshot({ path: path.join(SHOTS, 'dark.png') });
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 390, height: 760 });
  assert.ok(await page.isVisible('#text'));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.strictEqual(overflow, 0);
  await page.screenshot({ path: path.join(SHOTS, 'phone.png') });
});

test('all requests were local, and no browser reported an error', () => {
  for (const { hosts, errors } of Object.values(visitors)) {
    assert.deepStrictEqual([...hosts], ['127.0.0.1']);
    assert.deepStrictEqual(errors, []);
  }
});

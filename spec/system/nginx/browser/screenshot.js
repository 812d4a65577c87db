// Photographs the chat with two visitors, one above the other: node screenshot.js FILE.png; `make screenshot` calls it.
'use strict';

const { startDemo, endDemo, openBrowser, join, say, seesPeople, seesText } = require('./visitors');

// The narrowest that shows the list of people, for the picture is read on phones, too.
const WINDOW = { viewport: { width: 680, height: 390 }, deviceScaleFactor: 1.5 };
const GAP = 14;

async function talk(ada, grace) {
  await seesPeople(ada, 'Ada', 'Grace');
  await seesPeople(grace, 'Ada', 'Grace');
  const lines = [[ada, 'Is anybody there?'], [grace, 'Only me, and the kettle.']];
  for (const [page, text] of lines) {
    await say(page, text);
    await Promise.all([seesText(ada, 'lobby', text), seesText(grace, 'lobby', text)]);
  }
  await ada.type('#text', 'Let me think');
  await grace.waitForSelector('#typing:text("Ada is typing")');
}

const photograph = (page) => page.screenshot({ animations: 'disabled', caret: 'hide' });

async function stack(pictures, file) {
  const { width, height } = WINDOW.viewport;
  const { page } = await openBrowser('both', {
    ...WINDOW, viewport: { width, height: pictures.length * (height + GAP) - GAP },
  });
  const images = pictures.map((bytes) => `<img width="${width}" src="data:image/png;base64,${bytes.toString('base64')}">`);
  await page.setContent(`<body style="margin:0;display:grid;gap:${GAP}px">${images.join('')}</body>`);
  await page.screenshot({ path: file, omitBackground: true });
}

async function main(file) {
  await startDemo();
  try {
    const ada = await join('Ada', { ...WINDOW, colorScheme: 'light' });
    const grace = await join('Grace', { ...WINDOW, colorScheme: 'dark' });
    await talk(ada, grace);
    await stack([await photograph(ada), await photograph(grace)], file);
  } finally {
    await endDemo();
  }
}

main(process.argv[2]);

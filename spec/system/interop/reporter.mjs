// Reports like the specs in Lua: what failed, then "N passed, M failed". On a terminal it says which test runs, as
// tools/progress.lua does; how many there are is not known before.
const began = Date.now();
const { isTTY, columns } = process.stderr;
const isShown = isTTY && (process.env.TERM || 'dumb') !== 'dumb';

function say(text) {
  if (isShown) process.stderr.write(`\r\x1b[K${text.slice(0, (columns || 80) - 1)}`);
}

function elapsed() {
  const seconds = Math.floor((Date.now() - began) / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export default async function* report(source) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of source) {
    if (type === 'test:dequeue' || type === 'test:start') {
      say(`${passed + failed + 1}, ${elapsed()}  ${data.name}`);
      continue;
    }
    const leaf = data && data.details && data.details.type !== 'suite';
    if (type === 'test:pass' && leaf) {
      if (data.skip === undefined && data.todo === undefined) passed += 1; else failed += 1;
    } else if (type === 'test:fail' && leaf) {
      failed += 1;
      const { error } = data.details;
      say('');
      yield `\nFAILED  ${data.name}\n${(error.cause && error.cause.stack) || error.cause || error}\n`;
    } else if (type === 'test:stderr' || type === 'test:stdout') {
      yield data.message;
    }
  }
  say('');
  yield `\n${passed} passed, ${failed} failed\n`;
}

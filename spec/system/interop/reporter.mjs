// Reports like the specs in Lua: what failed, then "N passed, M failed".
export default async function* report(source) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of source) {
    const leaf = data && data.details && data.details.type !== 'suite';
    if (type === 'test:pass' && leaf) {
      if (data.skip === undefined && data.todo === undefined) passed += 1; else failed += 1;
    } else if (type === 'test:fail' && leaf) {
      failed += 1;
      const { error } = data.details;
      yield `\nFAILED  ${data.name}\n${(error.cause && error.cause.stack) || error.cause || error}\n`;
    } else if (type === 'test:stderr' || type === 'test:stdout') {
      yield data.message;
    }
  }
  yield `\n${passed} passed, ${failed} failed\n`;
}

#!/bin/sh
# Installs soketi below this folder. Its one dependency outside npm, uWebSockets.js, is struck from its package.json
# and comes from ./uws-shim; npm's own means for that, "overrides", fails with the npm of Debian 12.
set -eu
cd "$(dirname "$0")"
rm -rf node_modules package
archive=$(npm pack --silent @soketi/soketi@1.6.1)
tar -xzf "$archive"
node -e '
  const file = "./package/package.json", manifest = require(file);
  delete manifest.dependencies["uWebSockets.js"];
  require("fs").writeFileSync(file, JSON.stringify(manifest, null, 2));'
tar -czf "$archive" package
npm install --ignore-scripts --omit=dev --no-audit --no-fund --no-package-lock
cp -r uws-shim node_modules/uWebSockets.js
rm -r "$archive" package
touch node_modules/.installed

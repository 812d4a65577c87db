#!/bin/sh
# Installs soketi below this folder: its package in ./package, what that needs as package-lock.json has it. Its one
# dependency outside npm, uWebSockets.js, is struck from its package.json and comes from ./uws-shim; npm's own means for
# that, "overrides", fails with the npm of Debian 12. `sh install.sh install` writes a new package-lock.json.
set -eu
cd "$(dirname "$0")"
rm -rf node_modules package
archive=$(npm pack --silent @soketi/soketi@1.6.1)
tar -xzf "$archive" package/package.json package/LICENSE package/bin package/dist
rm "$archive"
node -e '
  const file = "./package/package.json", manifest = require(file);
  delete manifest.dependencies["uWebSockets.js"];
  delete manifest.devDependencies;
  require("fs").writeFileSync(file, JSON.stringify(manifest, null, 2));'
npm "${1:-ci}" --ignore-scripts --omit=dev --no-audit --no-fund
cp -r uws-shim node_modules/uWebSockets.js
touch node_modules/.installed

'use strict';

const path = require('node:path');

const binary = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
module.exports = require(path.join(__dirname, '..', 'uws-pack', 'dist', 'bin', binary));

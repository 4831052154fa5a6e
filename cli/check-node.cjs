/*
 * Guard of the npm scripts, in old syntax: npm puts node_modules/.bin first, where the npm package `node` lies. When its
 * install script did not run, the scripts would silently run on whatever Node.js is there.
 */
'use strict'

var REQUIRED_MAJOR = 24

if (parseInt(process.versions.node.split('.')[0], 10) < REQUIRED_MAJOR) {
  process.stderr.write(
    'kith: this needs Node.js ' +
      REQUIRED_MAJOR +
      ' or newer, and ' +
      process.version +
      ' runs it\n' +
      'hint: run npm ci without --ignore-scripts (npm rebuild node if it was used), or install Node.js ' +
      REQUIRED_MAJOR +
      '\n',
  )
  process.exit(1)
}

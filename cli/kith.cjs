#!/usr/bin/env node
/*
 * The executable `kith`. CommonJS in old syntax, so that an old Node.js reads it too: it runs the program when this
 * Node.js is new enough, else with the one that the npm package `node` brought, else it says what is missing.
 */
'use strict'

var childProcess = require('child_process')
var fs = require('fs')
var path = require('path')
var url = require('url')

var REQUIRED_MAJOR = 24

/* In a checkout the source runs as it is; Node.js does not strip types under node_modules, so a package has dist/. */
function programPath() {
  var source = path.join(__dirname, 'main.ts')
  if (fs.existsSync(source)) return source
  return path.join(__dirname, '..', 'dist', 'cli', 'main.js')
}

function fail(text, hint) {
  process.stderr.write('kith: ' + text + '\nhint: ' + hint + '\n')
  process.exit(2)
}

function major(version) {
  return parseInt(version.split('.')[0], 10)
}

/* The Node.js of the npm package `node`, or why there is none. */
function packagedNode() {
  var manifest
  try {
    manifest = require.resolve('node/package.json')
  } catch {
    return { missing: 'package' }
  }
  if (major(require(manifest).version) < REQUIRED_MAJOR) return { missing: 'package' }
  var name = process.platform === 'win32' ? 'node.exe' : 'node'
  var file = path.join(path.dirname(manifest), 'bin', name)
  try {
    fs.accessSync(file, fs.constants.X_OK)
    if (fs.statSync(file).size === 0) return { missing: 'binary' }
  } catch {
    return { missing: 'binary' }
  }
  return { file: file }
}

/* Descriptors that the arguments name must reach the program: --passphrase-fd 3, --passphrase-file /dev/fd/63. */
function namedDescriptors(args) {
  var found = []
  for (var i = 0; i < args.length; i++) {
    var match = /^--passphrase-fd(?:=(.*))?$/.exec(args[i])
    var text = match === null ? undefined : match[1] === undefined ? args[i + 1] : match[1]
    if (match === null) {
      match = /(?:^|=)\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(args[i])
      if (match !== null) text = match[1]
    }
    if (text !== undefined && /^\d{1,3}$/.test(text) && Number(text) > 2) found.push(Number(text))
  }
  return found
}

function runWith(node, program, args) {
  var stdio = [0, 1, 2]
  namedDescriptors(args).forEach(function (descriptor) {
    while (stdio.length < descriptor) stdio.push('ignore')
    stdio[descriptor] = descriptor
  })
  stdio.push('ipc')
  var environment = Object.assign({}, process.env, { KITH_LAUNCHED: '1' })
  var child = childProcess.spawn(node, [program].concat(args), { stdio: stdio, env: environment })
  var signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  var forward = {}
  signals.forEach(function (signal) {
    forward[signal] = function () {
      child.kill(signal)
    }
    process.on(signal, forward[signal])
  })
  child.on('error', function (error) {
    fail('cannot run ' + node + ' (' + error.code + ')', 'run npm ci again, or install Node.js 24 or newer')
  })
  child.on('exit', function (status, signal) {
    if (signal === null) process.exit(status)
    signals.forEach(function (name) {
      process.removeListener(name, forward[name])
    })
    process.kill(process.pid, signal)
  })
}

function main() {
  var program = programPath()
  if (!fs.existsSync(program)) {
    fail('the program is missing (' + program + ')', 'install kith again; in a checkout run npm run build')
  }
  var args = process.argv.slice(2)
  if (major(process.versions.node) >= REQUIRED_MAJOR) {
    import(url.pathToFileURL(program).href).catch(function (error) {
      var text = error && error.code === 'ERR_MODULE_NOT_FOUND' ? 'a dependency is missing' : 'cannot start'
      fail(text + ': ' + (error && error.message), 'run npm ci again')
    })
    return
  }
  var node = packagedNode()
  if (node.file !== undefined) {
    runWith(node.file, program, args)
    return
  }
  var needs = 'kith needs Node.js ' + REQUIRED_MAJOR + ' or newer, this is ' + process.version
  if (node.missing === 'binary') {
    fail(
      needs + ', and the npm package node has no binary (was it installed with --ignore-scripts?)',
      'run npm rebuild node, or install Node.js ' + REQUIRED_MAJOR,
    )
  }
  fail(needs, 'install Node.js ' + REQUIRED_MAJOR + ' from https://nodejs.org; in a checkout npm ci brings it')
}

main()

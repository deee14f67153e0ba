// reference.mjs - tests of test262 in the engine's own Node, for comparison with glovebox.
//
// usage: node --experimental-vm-modules reference.mjs DIR < LINES
//
// LINES are those that test262 printed of tests that failed: "fail\tpath\tvariant\twhy". Each runs in a
// Node of its own; what passes there is glovebox's own fault, and is printed.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import vm from 'node:vm'

const TIMEOUT_MS = 10000
const [root, one, itsVariant] = process.argv.slice(2)
const read = name => fs.readFileSync(path.join(root, name), 'utf8')

// What test262.c gives a test too, in Node's own realm: some of V8's answers are others in a vm context.
function prepare() {
  let said
  const told = new Promise(resolve => { said = resolve })
  globalThis.print = text => String(text).startsWith('Test262:') && said(text)
  globalThis.$262 = { global: globalThis, evalScript: text => vm.runInThisContext(text),
    detachArrayBuffer: buffer => { buffer.transfer(); return null } }
  return told
}

function frontMatter(source) {
  const yaml = source.slice(source.indexOf('/*---') + 5, source.indexOf('---*/'))
  const list = key => {
    const found = yaml.match(new RegExp(`^${key}:\\s*(?:\\[([^\\]]*)\\]|((?:\\n\\s+- .*)+))`, 'm'))
    return (found?.[1]?.split(',') ?? found?.[2]?.split(/\n\s+- /) ?? []).map(item => item.trim()).filter(Boolean)
  }
  return { flags: list('flags'), includes: list('includes'), negative: yaml.match(/^negative:[^]*?type: (\w+)/m)?.[1] }
}

async function moduleOf(file, cache) {
  const known = cache.get(file)
  if (known) return known
  const module = file.endsWith('.json')
    ? new vm.SyntheticModule(['default'], function () { this.setExport('default', JSON.parse(read(file))) })
    : new vm.SourceTextModule(read(file), { identifier: file,
        importModuleDynamically: specifier => imported(file, specifier, cache) })
  cache.set(file, module)
  return module
}

async function imported(from, specifier, cache) {
  const module = await moduleOf(path.join(path.dirname(from), specifier), cache)
  if (module.status === 'unlinked') await module.link((name, referrer) => moduleOf(path.join(path.dirname(referrer.identifier), name), cache))
  await module.evaluate()
  return module
}

async function passes(file, variant) {
  const source = read(path.join('test', file)), from = path.join('test', file), cache = new Map()
  const { flags, includes, negative } = frontMatter(source)
  const told = prepare()
  if (!flags.includes('raw'))
    for (const name of ['assert.js', 'sta.js', ...(flags.includes('async') ? ['doneprintHandle.js'] : []), ...includes])
      vm.runInThisContext(read(`harness/${name}`))
  try {
    if (variant === 'module') await imported(from, `./${path.basename(file)}`, cache)
    else
      vm.runInThisContext(variant === 'strict' ? `"use strict";\n${source}` : source,
        { importModuleDynamically: specifier => imported(from, specifier, cache) })
  } catch (error) {
    return negative !== undefined && (error?.name === negative || error?.constructor?.name === negative)
  }
  if (negative) return false
  return !flags.includes('async') || await told === 'Test262:AsyncTestComplete'
}

function run(file, variant) {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], root, file, variant], { stdio: 'ignore' })
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  return new Promise(resolve => child.on('exit', code => { clearTimeout(timer); resolve(code === 0) }))
}

if (one !== undefined) {
  process.on('unhandledRejection', () => {})
  process.exitCode = 1 // also when it never says that it is done
  if (await passes(one, itsVariant).catch(() => false)) process.exit(0)
  process.exit(1)
}

const lines = fs.readFileSync(0, 'utf8').split('\n').filter(line => line.startsWith('fail\t'))
let ours = 0
async function work() {
  for (let line; (line = lines.pop()) !== undefined;) {
    const [, file, variant, why] = line.split('\t')
    if (!await run(file, variant)) continue
    ours++
    console.log(`ours\t${file}\t${variant}\t${why}`)
  }
}
const all = lines.length
await Promise.all(Array.from({ length: os.availableParallelism() }, work))
console.log(`reference: of ${all} that failed, ${all - ours} fail in the engine's own Node too; ${ours} do not`)

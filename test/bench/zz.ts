import { Bench, benchDirectory } from './bench.ts'
import { printGroup } from './report.ts'
const b = new Bench(process.argv[3] === 'quick', await benchDirectory())
const [name, fn] = process.argv[2]!.split(':')
const m = await import(`./${name}.ts`)
const t = performance.now()
try {
  printGroup(await m[fn!](b))
} finally {
  await b.end()
}
console.log(((performance.now() - t) / 1000).toFixed(1), 's')
process.exit(0)

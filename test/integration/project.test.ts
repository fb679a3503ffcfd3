import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'
import { directory } from '../support/directory.ts'

const ROOT = resolve(import.meta.dirname, '../..')

t.test('lint refuses imports that point upwards, cycles, and I/O in status/', async (t) => {
  const place = directory(t, { '.oxlintrc.json': readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8') })
  const refused: Record<string, string> = {
    'status/pure.ts': 'node:fs/promises',
    'status/up.ts': '../store/store.ts',
    'store/up.ts': '../http/app.ts',
    'access/up.ts': '../http/app.ts',
    'http/inside.ts': '../store/record.ts',
    'page/other.ts': '../status/time.ts',
    'store/one.ts': './two.ts',
  }
  const allowed = {
    'store/two.ts': './one.ts',
    'http/fine.ts': '../store/store.ts',
    'store/fine.ts': '../status/time.ts',
  }
  for (const [file, target] of Object.entries({ ...refused, ...allowed })) {
    mkdirSync(join(place, 'src', dirname(file)), { recursive: true })
    writeFileSync(join(place, 'src', file), `import { a } from '${target}'\nexport { a }\n`)
  }
  // `env` keeps out the modules that tap loads into every child process.
  const lint = ['NODE_OPTIONS=', join(ROOT, 'node_modules/.bin/oxlint'), '--format=unix', 'src']
  const { stdout, stderr } = spawnSync('env', lint, { cwd: place, encoding: 'utf8' })
  const found = stdout
    .split('\n')
    .filter((line) => /no-restricted-imports|no-cycle/.test(line))
    .map((line) => /src\/([\w/]+\.ts):/.exec(line)?.[1] ?? line)
  t.same(new Set(found), new Set([...Object.keys(refused), 'store/two.ts']), stderr)
})

t.test('nothing lies around unused', async (t) => {
  const entries = ['cli.ts', 'page/main.tsx', 'page/vite.config.ts']
  const reached = new Set([...entries, ...sources().flatMap(importsOf)])
  t.same(
    sources().filter((file) => !reached.has(file)),
    [],
  )
})

t.test(
  'the tests, and what they start by name, run on the Node that CI asks for; the image has the newest of them',
  (t) => {
    const expected = process.env['EXPECTED_NODE'] ?? process.versions.node.split('.')[0]
    t.match(process.version, new RegExp(`^v${expected}\\.`))
    t.equal(execFileSync('node', ['--version'], { encoding: 'utf8' }).trim(), process.version)
    const [, lts = ''] = /^NODE_LTS=(\d+)$/m.exec(readFileSync(join(ROOT, '.ci/run'), 'utf8')) ?? []
    const images = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').matchAll(/^FROM (?:--platform=\S+ )?node:(\d+)/gm)
    t.same(
      [...images].map(([, major]) => major),
      [lts, lts],
    )
    t.end()
  },
)

t.test('every source file is loaded by a test', async (t) => {
  // cli.ts runs when it is loaded; program.test.ts runs it. The page runs in the browser of page.test.ts, built.
  for (const file of sources().filter((name) => name !== 'cli.ts' && !name.startsWith('page/')))
    t.ok(await import(join(ROOT, 'src', file)), file)
})

function sources(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(?<!\.d)\.tsx?$/.test(name),
  )
}

/** The project's own files that a file imports. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, 'src', file), 'utf8')
  const names = [...text.matchAll(/(?:from |import |import\()'(\.[^']+)'/g)].map(([, name]) => name ?? '')
  return names.map((name) => relative('', join(dirname(file), name)))
}

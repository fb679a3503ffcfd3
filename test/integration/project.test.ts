import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { PROBLEMS } from '../../src/http/problems.ts'
import { settingsTable } from '../../src/settings.ts'
import { directory } from '../support/directory.ts'
import { ask, eventually, post } from '../support/http.ts'
import { needs } from '../support/machine.ts'
import { fileOf, serve } from '../support/server.ts'
import { DRIFTED } from '../support/snapshots.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

t.test('README: the commands of the first screen do what it shows', needs('curl'), async (t) => {
  const server = await serve(t)
  const [start = '', curl = '', edit = ''] = blocks('sh')
  const [answer = '', file = ''] = blocks('json')
  const [grepped = ''] = blocks('')
  t.equal(start, 'npm ci && npm start')
  const order = [start, curl, answer, file, edit, grepped].map((block) => readme.indexOf(block))
  t.same(
    order,
    order.toSorted((a, b) => a - b),
  )

  const here = (command: string): Promise<string> => sh(command, server.url, server.dataDir)
  t.same(JSON.parse(await here(curl)), JSON.parse(answer))
  const stamped = file.replace(/"updated_at": "[^"]*"/, `"updated_at": "${fileOf(server).updated_at}"`)
  t.equal(readFileSync(server.file, 'utf8'), `${stamped}\n`)
  t.equal((await ask(`${server.url}/status.json`)).text, `${stamped}\n`)
  t.equal(await here(edit.replace('sleep 0.5', 'sleep 1')), grepped)
})

t.test('README: its tables are what the code says', async (t) => {
  const problems = Object.entries(PROBLEMS).map(([code, { status, title }]) => [`\`${code}\``, String(status), title])
  t.same(table('problems'), [['code', 'status', 'meaning'], ...problems])
  const [head, ...rows] = settingsTable()
  t.same(table('settings'), [head, ...rows.map((row) => row.map((cell, index) => (index < 3 ? `\`${cell}\`` : cell)))])
})

t.test('README: every fault in its table has the test that it names', async (t) => {
  const [, section = ''] = /## What can go wrong([^]*?)\n## /.exec(readme) ?? []
  const named = [...section.matchAll(/\| `([^`]+)` +\|$/gm)].map(([, name]) => name ?? '')
  t.ok(named.length >= 18, `${named.length} faults`)
  for (const name of named) t.match(tests(), new RegExp(`t\\.test\\(\\s*['\`]${name}`), name)
})

t.test('docs/architecture.md: every invariant has the tests that it names, every module is there', async (t) => {
  const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')
  const [, section = ''] = /## What always holds([^]*)$/.exec(text) ?? []
  const rows = [...section.matchAll(/\| +(`[^|]+`) +\|$/gm)].map(([, names]) => names ?? '')
  t.ok(rows.length >= 9, `${rows.length} invariants`)
  for (const [, name = ''] of rows.join('\n').matchAll(/`([^`]+)`/g)) {
    t.match(tests(), new RegExp(`t\\.test\\(\\s*['\`]${name}`), name)
  }
  const files = sources().filter((file) => file.startsWith('store/') && !file.endsWith('.d.ts'))
  const missing = files.filter((file) => !text.includes(`\`${file.slice('store/'.length)}\``))
  t.same(missing, ['store/store-error.ts'], 'all parts of the store but its error')
})

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
    const images = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').matchAll(/^FROM node:(\d+)/gm)
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

t.test('npm pack: holds what it should, installs and runs', { timeout: 120_000, ...needs('npm') }, async (t) => {
  const place = directory(t)
  const [{ filename, files }] = JSON.parse(
    npm(['pack', '--json', '--ignore-scripts', '--pack-destination', place], ROOT),
  ) as [{ filename: string; files: { path: string }[] }]
  const packed = files.map(({ path }) => path)
  for (const path of [
    'dist/cli.js',
    'dist/server.js',
    'dist/server.d.ts',
    'dist/page/index.html',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'package.json',
  ]) {
    t.ok(packed.includes(path), path)
  }
  t.same(
    packed.filter(
      (path) => !/^(dist\/[\w/-]+\.(js|d\.ts|js\.map|html|css|svg)|[A-Z]+(\.md)?|package\.json)$/.test(path),
    ),
    [],
  )

  npm(['init', '-y'], place)
  npm(['install', '--no-audit', '--no-fund', '--prefer-offline', join(place, filename)], place)
  const bin = join(place, 'node_modules', '.bin', 'gitops-status-server')
  t.match(execFileSync(bin, ['--version'], { encoding: 'utf8' }), /^\d+\.\d+\.\d+\n$/)
  const script = "import { start } from 'gitops-status-server'; console.log(typeof start)"
  const imported = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: place,
    encoding: 'utf8',
  })
  t.equal(imported, 'function\n', 'the package can be imported')
  const child = spawn(bin, ['--port', '0'], { cwd: place, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  const url = await eventually(() => {
    const [, found] = /"url":"([^"]+)"/.exec(output) ?? []
    if (found === undefined) throw new Error(output)
    return found
  })
  t.match(await ask(`${url}/`), { status: 200, text: /^<!doctype html>/ })
  t.equal((await post(url, DRIFTED)).status, 201)
  t.match(fileOf({ file: join(place, 'data', 'status.json') }), { statuses: [DRIFTED] })
})

function npm(args: string[], cwd: string): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

/** The code blocks of the README in one language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(/^```(\w*)\n([^]*?)\n```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text ?? '')
}

/** The cells of the table between two markers. */
function table(name: string): string[][] {
  const [, text = ''] = new RegExp(`<!-- ${name} -->([^]*)<!-- /${name} -->`).exec(readme) ?? []
  const rows = text
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  return rows.filter((_, index) => index !== 1)
}

/** Runs a command of the README, with the server of the test in place of the one that the reader has. */
async function sh(command: string, url: string, dataDir: string): Promise<string> {
  const here = command
    .replaceAll('http://127.0.0.1:8080', url)
    .replaceAll('data/status.json', join(dataDir, 'status.json'))
  const { stdout } = await promisify(execFile)('sh', ['-ec', here])
  return stdout.trimEnd()
}

function sources(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(?<!\.d)\.tsx?$/.test(name),
  )
}

/** The text of all tests. The names of some are made of parts. */
function tests(): string {
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(ROOT, 'test', name), 'utf8'))
    .join('\n')
    .replaceAll('${kind}', 'xfs')
    .replaceAll('${namespaces}', 'two PID namespaces')
}

/** The project's own files that a file imports. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, 'src', file), 'utf8')
  const names = [...text.matchAll(/(?:from |import |import\()'(\.[^']+)'/g)].map(([, name]) => name ?? '')
  return names.map((name) => relative('', join(dirname(file), name)))
}

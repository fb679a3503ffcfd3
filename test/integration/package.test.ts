import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { Clone, runIn } from '../support/clone.ts'
import { directory } from '../support/directory.ts'
import { ask, eventually, post } from '../support/http.ts'
import { needs } from '../support/machine.ts'
import { REGISTRY } from '../support/registry.ts'
import { fileOf } from '../support/server.ts'
import { DRIFTED } from '../support/snapshots.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** The versions of Node that are supported: the oldest, those with long-term support. */
const MAJORS = [20, 22, 24]

t.test(
  'npm start and npm test build only if something has changed',
  { timeout: 300_000, ...needs('npm', 'git') },
  async (t) => {
    const clone = new Clone(t)
    const log = join(clone.root, 'builds')
    const manifest = JSON.parse(clone.read('package.json')) as {
      scripts: Record<string, string>
    }
    for (const script of ['prestart', 'pretest']) t.equal(manifest.scripts[script], 'npm run --silent build:if-changed')
    // The build itself takes its time; here it fails if it is told to.
    manifest.scripts['build'] = `echo >>${log}; mkdir -p dist; test ! -e broken`
    clone.write('package.json', JSON.stringify(manifest))
    let builds = 0
    const built = async (expected: boolean, what: string, status = 0): Promise<void> => {
      t.equal((await clone.run(['node_modules/.bin/tsx', 'scripts/build-if-changed.ts'])).status, status, what)
      if (expected) builds += 1
      t.equal(readFileSync(log, 'utf8').length, builds, what)
    }
    await built(true, 'the first time')
    await built(false, 'nothing has changed')
    await clone.run(['touch', 'src/cli.ts', 'package.json'])
    clone.write('README.md', 'other')
    await built(false, 'times have changed, and what the build does not read')
    const source = clone.read('src/log.ts')
    clone.write('src/log.ts', `${source}//\n`)
    await built(true, 'a source')
    clone.write('broken', '')
    clone.write('src/log.ts', `${source}// broken\n`)
    await built(true, 'a build that fails', 1)
    clone.write('src/log.ts', `${source}//\n`)
    await clone.run(['rm', 'broken'])
    await built(true, 'what it had built may be from the sources that failed')
    await clone.run(['rm', 'src/page/words.ts'])
    await built(true, 'a source is gone')
    await clone.run(['mv', 'src/page/listing.ts', 'src/page/listing2.ts'])
    await built(true, 'a source has another name')
    for (const file of ['tsconfig.json', 'package-lock.json']) {
      clone.write(file, `${clone.read(file)}\n`)
      await built(true, file)
    }
    await clone.run(['rm', '-r', 'dist'])
    await built(true, 'dist is gone')
    await built(false, 'nothing has changed since')
  },
)

t.test(
  'npm pack: the package runs with each Node, and holds nothing else',
  { timeout: 600_000, ...REGISTRY },
  async (t) => {
    const clone = new Clone(t)
    const before = clone.read('package.json')
    // A module that is no more, and an old stamp.
    mkdirSync(join(clone.root, 'dist'))
    for (const left of ['dist/left-over.js', 'dist/.inputs']) clone.write(left, '')
    const packed = await clone.run(['npm', 'pack', '--silent'])
    t.equal(packed.status, 0, packed.stderr)
    t.equal(packed.stderr, '')
    t.equal(clone.read('package.json'), before, 'package.json is as before')
    const archive = join(clone.root, packed.stdout.trim())
    t.equal((await clone.run(['tar', '-xzf', archive])).status, 0)

    t.test('what it holds', async (t) => {
      const root = join(clone.root, 'package')
      const packedFiles = filesBelow(root)
      const page = packedFiles.filter((name) => name.startsWith('dist/page/assets/'))
      t.ok(page.length > 5, `${page.length} assets`)
      for (const name of page) t.match(name, /^dist\/page\/assets\/[\w-]+-[\w-]{8}\.(js|css|svg)$/)
      const modules = filesBelow(join(ROOT, 'src')).filter(
        (name) => /(?<!\.d)\.ts$/.test(name) && !name.startsWith('page/'),
      )
      const compiled = modules.flatMap((name) =>
        ['js', 'd.ts'].map((end) => `dist/${name.slice(0, -'ts'.length)}${end}`),
      )
      const others = [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'package.json',
        'dist/page/index.html',
        'dist/page/licenses.md',
        'deploy/systemd/gitops-status-server.default',
        'deploy/systemd/gitops-status-server.service',
      ]
      t.same(packedFiles.toSorted(), [...others, ...compiled, ...page].toSorted())
      for (const name of packedFiles)
        t.notMatch(readFileSync(join(root, name), 'utf8'), /\n\/\/# sourceMappingURL/, name)

      const own = JSON.parse(before) as Manifest
      const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
      const address = own.repository.url.replace(/^git\+(.*)\.git$/, '$1')
      t.match(address, /^https:\/\/[^/]+\/.*[^/]$/)
      t.same(manifest, { ...own, homepage: `${address}#readme`, bugs: { url: `${address}/issues` } })
      t.match(manifest, { description: /\w/, license: 'MIT', keywords: ['gitops', 'drift'] })
    })

    for (const major of MAJORS) {
      t.test(`Node ${major}`, async (t) => {
        const node = await nodeOf(t, major)
        const place = directory(t)
        const path = { PATH: `${node}:${process.env['PATH']}` }
        const install = [
          'npm',
          'install',
          '--global',
          '--prefix',
          place,
          '--engine-strict',
          '--prefer-offline',
          archive,
        ]
        const installed = await runIn(place, install, path)
        t.match(installed, { status: 0, stderr: '' })
        t.notMatch(installed.stdout, /warn|deprecated/i)
        const { stdout } = await runIn(place, [join(place, 'bin/gitops-status-server'), '--version'], path)
        t.match(stdout, /^\d+\.\d+\.\d+\n$/)
        await tryOut(t, join(place, 'bin/gitops-status-server'), path)

        const script =
          "import { start } from 'gitops-status-server'; console.log(process.versions.node.split('.')[0], typeof start)"
        const imported = await runIn(join(place, 'lib'), ['node', '--input-type=module', '-e', script], path)
        t.equal(imported.stdout, `${major} function\n`, `the package can be imported: ${imported.stderr}`)
      })
    }

    t.test('npx', async (t) => {
      // A cache of its own, in which npx finds no package that it has installed before.
      const env = { npm_config_cache: directory(t), npm_config_yes: 'true' }
      const { status, stdout, stderr } = await runIn(
        directory(t),
        ['npx', '--package', archive, 'gitops-status-server', '--version'],
        env,
      )
      t.match({ status, stdout, stderr }, { status: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' })
    })
  },
)

t.test('each library in the files of the page is named with its licence, and counts as shipped', async (t) => {
  const { shippedPackages } = await import('../../scripts/shipped.ts')
  const names = [...readFileSync(join(ROOT, 'dist/page/licenses.md'), 'utf8').matchAll(/^## (\S+) - (\S+) \(/gm)]
  t.ok(names.length >= 5, `${names.length} libraries`)
  const shipped = new Set(shippedPackages(ROOT).map(({ name, version }) => `${name} ${version}`))
  for (const [, name = '', version] of names) t.ok(shipped.has(`${name} ${version}`), name)
})

interface Manifest {
  readonly repository: { readonly url: string }
  readonly keywords: readonly string[]
}

/** The directory of a Node of this major version. */
async function nodeOf(t: Test, major: number): Promise<string> {
  if (process.versions.node.startsWith(`${major}.`)) return join(process.execPath, '..')
  const place = directory(t)
  const installed = await runIn(place, [
    'npm',
    'install',
    '--silent',
    '--prefer-offline',
    '--prefix',
    place,
    `node@${major}`,
  ])
  t.equal(installed.status, 0, installed.stderr)
  return join(place, 'node_modules/node/bin')
}

/** Starts the installed program, posts a snapshot, and reads it on the page's addresses. */
async function tryOut(t: Test, program: string, env: Readonly<Record<string, string>>): Promise<void> {
  const dataDir = directory(t)
  const child = spawn(program, ['--port', '0', '--data-dir', dataDir], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (output += String(chunk)))
  const url = await eventually(() => {
    const [, found] = /"url":"([^"]+)"/.exec(output) ?? []
    if (found === undefined) throw new Error(output)
    return found
  })
  t.equal((await post(url, DRIFTED)).status, 201)
  const page = await ask(`${url}/`)
  t.match(page, { status: 200, text: /^<!doctype html>/ })
  const [, script = ''] = /src="\.\/(assets\/[^"]+\.js)"/.exec(page.text) ?? []
  t.match(await ask(`${url}/${script}`), { status: 200, headers: { 'content-type': /javascript/ } })
  t.match(await ask(`${url}/status.json`), { status: 200, text: readFileSync(join(dataDir, 'status.json'), 'utf8') })
  t.match(fileOf({ file: join(dataDir, 'status.json') }), { statuses: [DRIFTED] })
  t.notMatch(output, /warn|deprecated/i, 'nothing but its log')
}

/** The files below a directory, by their paths from it. */
function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
}

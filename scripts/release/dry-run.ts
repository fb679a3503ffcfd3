/*
 * Does what a release would do, as far as this machine can, and publishes nothing: npm run release:dry-run [-- DIRECTORY]
 * The files of the release are left in the directory. Prints what each step did; the exit code is 1 if a release would fail.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { version } from '../../src/project.ts'
import { obstacles, plan } from './check.ts'
import { CHART, NPM_PACKAGE, STEPS, assetsIn, emptyDirectory, run } from './steps.ts'

const temporary = mkdtempSync(join(tmpdir(), 'release-work-'))
const directory = resolve(process.argv[2] ?? mkdtempSync(join(tmpdir(), 'release-')))
/** A key takes the place of the identity of the workflow, and nothing is recorded in the public log. */
const KEY = join(temporary, 'release')
const SIGN = ['--key', `${KEY}.key`, '--use-signing-config=false', '--tlog-upload=false']
const VERIFY = ['--key', `${KEY}.pub`, '--insecure-ignore-tlog']
const rows: string[] = []

emptyDirectory(directory)
await attempt('check', [], () => {
  const found = obstacles(`v${version}`)
  if (found.length > 0) throw new Error(found.join('; '))
  return JSON.stringify(plan())
})
for (const { name, programs, build } of STEPS) {
  await attempt(name, programs, () => {
    const before = new Set(assetsIn(directory))
    build(directory)
    const made = assetsIn(directory).filter((file) => !before.has(file))
    return made.join(', ')
  })
}
await attempt('signatures of the files', ['cosign'], () => {
  process.env['COSIGN_PASSWORD'] = ''
  run('cosign', 'generate-key-pair', '--output-key-prefix', KEY)
  run('scripts/release/sign.sh', directory, ...SIGN)
  const files = assetsIn(directory).map((name) => join(directory, name))
  for (const file of files) run('cosign', 'verify-blob', ...VERIFY, '--bundle', `${file}.sigstore.json`, file)
  return `${files.length} signed and verified, with a key of this machine`
})
await attempt('npm', [], () => {
  run('scripts/release/publish-npm.sh', join(directory, NPM_PACKAGE), plan().channel, '--dry-run', '--no-provenance')
  return 'a dry run of npm publish'
})
await attempt('chart', ['helm', 'cosign', 'registry'], () =>
  withRegistry((registry) => {
    const chart = join(directory, CHART)
    const args = [chart, `oci://${registry}/charts`, '--plain-http']
    const { stdout, status } = spawnSync('scripts/release/publish-chart.sh', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error('publish-chart.sh failed')
    run('cosign', 'sign', '--yes', ...SIGN, '--allow-http-registry', stdout.trim())
    run('cosign', 'verify', ...VERIFY, '--allow-http-registry', stdout.trim())
    return `pushed to a registry on this machine, signed and verified: ${stdout.trim()}`
  }),
)
rows.push('not run  image: deploy/image-test.sh builds it and tries it, which takes minutes')
rows.push('not run  release on GitHub: needs GitHub. npm run release:notes prints its text')

rmSync(temporary, { recursive: true })
process.stdout.write(`\n${rows.join('\n')}\n${directory}\n`)

/** Runs a step, if its programs are there, and adds its result to the rows. */
async function attempt(name: string, programs: readonly string[], step: () => string | Promise<string>): Promise<void> {
  const missing = programs.filter((program) => spawnSync('which', [program]).status !== 0)
  if (missing.length > 0) {
    rows.push(`not run  ${name}: needs ${missing.join(', ')}`)
    return
  }
  try {
    rows.push(`ok       ${name}: ${await step()}`)
  } catch (error) {
    rows.push(`FAILED   ${name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}

/** Runs a registry of containers as long as `use` needs it. */
async function withRegistry(use: (address: string) => string): Promise<string> {
  const config = join(temporary, 'registry.yaml')
  const storage = { filesystem: { rootdirectory: join(temporary, 'registry') } }
  writeFileSync(config, JSON.stringify({ version: '0.1', storage, http: { addr: '127.0.0.1:0' } }))
  const registry = spawn('registry', ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(registry, 'exit')
  try {
    for await (const line of createInterface({ input: registry.stderr })) {
      const [address] = /127\.0\.0\.1:[1-9]\d*/.exec(line) ?? []
      if (address !== undefined) return use(address)
    }
    throw new Error('the registry did not start')
  } finally {
    registry.kill()
    await ended
  }
}

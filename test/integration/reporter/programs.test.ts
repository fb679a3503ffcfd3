import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { assembled, placesOf } from '../../../reporter/assemble.ts'
import { needs } from '../../support/machine.ts'
import { REPORTER, report } from '../../support/reporter.ts'

const SOURCE = join(REPORTER, 'src')
const SOURCES = [SOURCE, join(REPORTER, 'test')]
const PYTHONPATH = [SOURCE, join(SOURCE, 'playbook'), join(SOURCE, 'tools')].join(':')

t.test('what is committed is what is assembled', async (t) => {
  for (const [name, text] of Object.entries(assembled())) {
    for (const place of placesOf(name)) {
      t.equal(readFileSync(place, 'utf8'), text, place)
      t.ok(statSync(place).mode & 0o100, `${place} can be run`)
    }
  }
  t.match(await report(t, ['--version']), { code: 0, stdout: /^update-gitops-status \d+\.\d+\.\d+\n$/ })
})

t.test('ruff finds nothing in the programs of the reporter', needs('ruff'), async (t) => {
  succeeds(t, 'ruff', ['check', '--no-cache', ...SOURCES])
  succeeds(t, 'ruff', ['format', '--check', '--no-cache', ...SOURCES])
})

t.test('mypy finds nothing in the programs of the reporter', needs('mypy'), async (t) => {
  const options = ['--strict', '--ignore-missing-imports', '--cache-dir', t.testdir()]
  for (const programs of ['playbook', 'tools']) {
    succeeds(t, 'mypy', [...options, join(SOURCE, programs)], { ...process.env, MYPYPATH: SOURCE })
  }
})

t.test('the unit tests of the programs', needs('python3'), async (t) => {
  const env = { ...process.env, PYTHONPATH, PYTHONDONTWRITEBYTECODE: '1' }
  const ran = succeeds(t, 'python3', ['-m', 'unittest', 'discover', '--start-directory', join(REPORTER, 'test')], env)
  t.match(ran, /^Ran [1-9]\d+ tests/m)
})

function succeeds(t: Test, program: string, args: readonly string[], env = process.env): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env })
  t.equal(status, 0, stdout + stderr)
  return stdout + stderr
}

import { spawnSync } from 'node:child_process'
import { accessSync, constants, lstatSync, readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { linksOf } from '../../support/docs/links.ts'
import { needs } from '../../support/machine.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const WORKFLOWS = '.github/workflows'
const FORMS = '.github/ISSUE_TEMPLATE'

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const manifest = JSON.parse(read('package.json')) as {
  repository: { url: string }
  scripts: Record<string, string>
  homepage?: string
  bugs?: unknown
}
const workflows = readdirSync(join(ROOT, WORKFLOWS)).map((name) => join(WORKFLOWS, name))
/** The files of the repository, also those that are not committed yet. */
const tracked = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .stdout.split('\0')
  .filter((name) => name !== '' && lstatSync(join(ROOT, name), { throwIfNoEntry: false })?.isFile() === true)

t.test('the address of the project stands once, in package.json', needs('git'), async (t) => {
  const { host, pathname } = new URL(manifest.repository.url)
  // A placeholder is recognised by its host. Other addresses may share theirs.
  const address = host.endsWith('.example') ? host : `${host}${pathname.replace(/\.git$/, '')}`
  const found = tracked.flatMap((file) =>
    read(file)
      .split(address)
      .slice(1)
      .map(() => file),
  )
  t.same(found, ['package.json'])
  t.match(manifest, { homepage: undefined, bugs: undefined }, 'npm pack adds what follows from it: npm run postpack')
})

t.test('actionlint finds nothing in the workflows of this repository', needs('actionlint'), async (t) => {
  const { status, stdout, stderr } = spawnSync('actionlint', workflows, { cwd: ROOT, encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
})

t.test('shellcheck finds nothing in the scripts of a release', needs('shellcheck'), async (t) => {
  const scripts = readdirSync(join(ROOT, 'scripts/release')).filter((name) => name.endsWith('.sh'))
  t.ok(scripts.length >= 4, scripts.join(' '))
  const { status, stdout } = spawnSync('shellcheck', scripts, { cwd: join(ROOT, 'scripts/release'), encoding: 'utf8' })
  t.equal(status, 0, stdout)
})

t.test('the workflows: actions are pinned, rights are as few as they can be, scripts are there', async (t) => {
  for (const file of workflows) {
    const text = read(file)
    for (const [line, action] of text.matchAll(/^.* uses: (\S+).*$/gm)) {
      if (action?.startsWith('./') === true) accessSync(join(ROOT, action))
      else t.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, file)
    }
    const workflow = parse(text) as Workflow
    t.same(workflow.permissions, { contents: 'read' }, file)
    for (const [name, { permissions = {} }] of Object.entries(workflow.jobs)) {
      const rights = Object.keys(permissions).filter((right) => permissions[right] === 'write')
      t.same(rights, WRITES[`${file}: ${name}`] ?? [], `${file}: ${name}`)
    }
    for (const [, script = ''] of text.matchAll(/(?<![\w/.])((?:scripts|deploy|\.ci)\/[\w./-]+)/g))
      t.doesNotThrow(() => accessSync(join(ROOT, script), constants.X_OK), `${file}: ${script}`)
    for (const [, script = ''] of text.matchAll(/npm run (?:--silent )?(?!--)([\w:-]+)/g))
      t.ok(manifest.scripts[script], `${file}: npm run ${script}`)
  }
})

t.test(
  'a release publishes what has been checked and tested, and what comes last is the release on GitHub',
  async (t) => {
    const { on, jobs } = parse(read(join(WORKFLOWS, 'release.yaml'))) as Workflow
    t.same(on, { push: { tags: ['v*'] } })
    for (const [name, { permissions = {} }] of Object.entries(jobs)) {
      const before = new Set(allBefore(jobs, name))
      if (Object.values(permissions).includes('write')) {
        for (const each of ['check', 'tests', 'files']) t.ok(before.has(each), `${name} needs ${each}`)
      }
      if (name === 'github') t.same(before, new Set(Object.keys(jobs).filter((each) => each !== 'github')))
    }
  },
)

t.test('the forms for issues are as GitHub wants them', async (t) => {
  const files = readdirSync(join(ROOT, FORMS)).filter((name) => name !== 'config.yml')
  t.ok(files.length >= 2, files.join(' '))
  for (const file of files) {
    const form = parse(read(join(FORMS, file))) as Form
    t.match(form, { name: /\w/, description: /\w/, body: Array }, file)
    const ids = form.body.flatMap(({ id }) => id ?? [])
    t.equal(new Set(ids).size, ids.length, `${file}: each id stands once`)
    for (const { type, id, attributes, ...rest } of form.body) {
      const where = `${file}: ${type} ${id}`
      t.match(type, /^(markdown|input|textarea|dropdown|checkboxes)$/, where)
      t.same(
        Object.keys(rest).filter((key) => key !== 'validations'),
        [],
        where,
      )
      if (type === 'markdown') t.type(attributes.value, 'string', where)
      else t.match({ id, attributes }, { id: /^[\w-]+$/, attributes: { label: /\w/ } }, where)
      if (type === 'dropdown') t.ok(new Set(attributes.options).size > 1, where)
    }
  }
})

t.test('the security policy, how to release and how to contribute are reached from the README', async (t) => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const { path } of linksOf(read(page))) {
      const target = join(page, '..', path)
      if (tracked.includes(target) && target.endsWith('.md')) reached.add(target)
    }
  }
  for (const page of ['SECURITY.md', 'CONTRIBUTING.md', 'docs/releasing.md', 'docs/architecture.md'])
    t.ok(reached.has(page), page)
})

t.test('the files are as .editorconfig says', async (t) => {
  const printed = /^test\/integration\/reporter\/(recordings|tools)\//
  const texts = tracked.filter((file) => !printed.test(file) && !/\.(png|woff2?)$/.test(file))
  t.ok(texts.length > 400, `${texts.length} files`)
  for (const file of texts) {
    const text = read(file)
    if (/[\t ]+$/m.test(text)) t.fail(`${file}: blanks at the end of a line`)
    if (text.includes('\r')) t.fail(`${file}: a line that ends with CR`)
    if (/^\t/m.test(text)) t.fail(`${file}: a tab`)
    if (text !== '' && !text.endsWith('\n')) t.fail(`${file}: no newline at the end`)
  }
})

t.test('Renovate finds every version that scripts pin', async (t) => {
  const { customManagers } = JSON.parse(read('.github/renovate.json')) as { customManagers: readonly Manager[] }
  const files = ['.ci/run', '.ci/ansible', 'scripts/release/tools.sh']
  for (const file of files) {
    const text = read(file)
    const managers = customManagers.filter(({ managerFilePatterns }) =>
      managerFilePatterns.some((pattern) => new RegExp(pattern.slice(1, -1)).test(file)),
    )
    const found = managers.flatMap(({ matchStrings, depNameTemplate, datasourceTemplate }) =>
      matchStrings.flatMap((each) =>
        [...text.matchAll(new RegExp(each, 'g'))].map(
          ({ groups }) => `${datasourceTemplate} ${depNameTemplate ?? groups?.['depName']} ${groups?.['currentValue']}`,
        ),
      ),
    )
    const pinned = [...text.matchAll(/(?:@v?|==|\b(?:NEWEST|UV)=)(\d+\.\d+\.\d+)/g)].map(([, version = '']) => version)
    t.ok(pinned.length >= 2, `${file}: ${pinned.join(' ')}`)
    t.same(found.map((each) => each.replace(/.* v?/, '')).toSorted(), pinned.toSorted(), found.join('\n'))
  }
})

/** The jobs that may change something, and what. */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  [`${WORKFLOWS}/release.yaml: npm`]: ['id-token'],
  [`${WORKFLOWS}/release.yaml: image`]: ['packages', 'id-token'],
  [`${WORKFLOWS}/release.yaml: chart`]: ['packages', 'id-token'],
  [`${WORKFLOWS}/release.yaml: github`]: ['contents', 'id-token'],
  [`${WORKFLOWS}/site.yaml: publish`]: ['pages', 'id-token'],
}

interface Job {
  readonly needs?: string | readonly string[]
  readonly permissions?: Readonly<Record<string, string>>
}
interface Workflow {
  readonly on: unknown
  readonly permissions: unknown
  readonly jobs: Readonly<Record<string, Job>>
}
interface Form {
  readonly body: readonly {
    readonly type: string
    readonly id?: string
    readonly attributes: { readonly value?: string; readonly label?: string; readonly options?: readonly string[] }
  }[]
}
interface Manager {
  readonly managerFilePatterns: readonly string[]
  readonly matchStrings: readonly string[]
  readonly depNameTemplate?: string
  readonly datasourceTemplate: string
}

/** The jobs that have ended well before a job begins. */
function allBefore(jobs: Workflow['jobs'], name: string): string[] {
  const needed = [jobs[name]?.needs ?? []].flat()
  return needed.flatMap((each) => [each, ...allBefore(jobs, each)])
}

import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { type IncomingHttpHeaders, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { json } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { sectionOf, unwrapped, withAbsoluteLinks } from '../../../scripts/release/changelog.ts'
import { channelOf } from '../../../scripts/release/check.ts'
import { sbom } from '../../../scripts/release/sbom.ts'
import { shippedPackages } from '../../../scripts/shipped.ts'
import { Clone, type Result, runIn } from '../../support/clone.ts'
import { directory } from '../../support/directory.ts'
import { has, needs } from '../../support/machine.ts'
import { REGISTRY } from '../../support/registry.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const TSX = 'node_modules/.bin/tsx'
const ADDRESS = 'https://github.com/Some-Owner/gitops-status-server'
const IMAGE = 'ghcr.io/some-owner/gitops-status-server'
const COMMITTER = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a' }

t.test('the section of a version in the changelog', async (t) => {
  const changelog = '# Changelog\n\n## [1.10.0] - unreleased\n\n### Added\n\n- a\n\n## [1.1.0] - 2026-01-31\n\n- b\n'
  t.same(sectionOf(changelog, '1.10.0'), { date: 'unreleased', text: '### Added\n\n- a' })
  t.same(sectionOf(changelog, '1.1.0'), { date: '2026-01-31', text: '- b' })
  for (const version of ['1.1', '1.1.00', '1.10', '.1.0']) t.equal(sectionOf(changelog, version), undefined, version)
  t.equal(
    withAbsoluteLinks('[a](docs/a.md#b) [c](https://c/) [d](#e) [f](../x)', 'https://r'),
    '[a](https://r/docs/a.md#b) [c](https://c/) [d](#e) [f](https://r/../x)',
  )
  t.equal(
    unwrapped('- a\n  b\n  c\n- d\n\ne\nf\n\n### g\n\n```sh\nh\n  i\n```\n\n| j |\n| k |\n'),
    '- a b c\n- d\n\ne f\n\n### g\n\n```sh\nh\n  i\n```\n\n| j |\n| k |\n',
  )
})

t.test('a version is the latest if no later one is released, and never if it comes before a release', async (t) => {
  const tags = ['v0.9.9', 'v0.10.0', 'v0.11.0-rc.1']
  t.equal(channelOf('0.10.1', tags), 'latest')
  t.equal(channelOf('0.11.0', tags), 'latest')
  t.equal(channelOf('0.10.0', tags), 'latest', 'the tag itself is among them')
  t.equal(channelOf('0.9.10', tags), 'release-0.9')
  t.equal(channelOf('0.12.0-rc.1', tags), 'next')
})

t.test('release:check refuses what cannot be released', needs('git', 'npm'), async (t) => {
  const clone = releasable(t)
  const check = async (tag: string, env: Record<string, string> = {}): Promise<Result> =>
    clone.run([TSX, 'scripts/release/check.ts', tag], env)
  const { version } = JSON.parse(clone.read('package.json')) as { version: string }
  const [line] = /^\d+\.\d+/.exec(version) ?? []
  t.same(await check(`v${version}`), {
    status: 0,
    stdout: [
      `version=${version}`,
      'channel=latest',
      `image=${IMAGE}`,
      `tags=${IMAGE}:${version},${IMAGE}:${line},${IMAGE}:latest`,
      `charts=oci://${IMAGE}/charts`,
      `source=${ADDRESS}`,
      '',
    ].join('\n'),
    stderr: '',
  })
  await clone.run(['git', 'tag', 'v99.0.0'])
  t.match(await check(`v${version}`), { stdout: `channel=release-${line}\n` })
  t.match(await check(`v${version}`), { stdout: `tags=${IMAGE}:${version},${IMAGE}:${line}\n` })

  const ofGitHub = { GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'Some-Owner/gitops-status-server' }
  t.match(await check(`v${version}`, ofGitHub), { status: 0, stderr: '' })
  const fork = await check(`v${version}`, { ...ofGitHub, GITHUB_REPOSITORY: 'fork/gitops-status-server' })
  t.same(fork, {
    status: 1,
    stdout: '',
    stderr: `package.json: repository.url is ${ADDRESS}, and this is https://github.com/fork/gitops-status-server\n`,
  })
  t.match(await check('v9.9.9'), { stderr: `package.json has the version ${version}, and the tag v9.9.9 has 9.9.9\n` })

  const placeholder = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest).repository.url
  const section = `## [${version}] - 2026-01-31`
  const faults: [file: string, from: string | RegExp, to: string, fault: string | RegExp][] = [
    [
      'package.json',
      `git+${ADDRESS}.git`,
      placeholder,
      /^package.json: repository.url is still a placeholder: https:.*\n$/,
    ],
    ['package-lock.json', `"version": "${version}"`, '"version": "9.9.9"', /, and package-lock.json has 9.9.9\n$/],
    [CHART, `\nversion: ${version}`, '\nversion: 9.9.9', /, and \S+\/Chart.yaml \(version\) has 9.9.9\n$/],
    [CHART, `\nappVersion: ${version}`, '\nappVersion: 9.9.9', /, and \S+\/Chart.yaml \(appVersion\) has 9.9.9\n$/],
    [BASE, `newTag: ${version}`, 'newTag: 9.9.9', `, and ${BASE} has 9.9.9\n`],
    ['CHANGELOG.md', section, '## [9.9.9] - 2026-01-31', `CHANGELOG.md has no section [${version}]\n`],
    ['CHANGELOG.md', section, `${section}\n\n## [0.0.1] - 2026-01-31`, `CHANGELOG.md has no section [${version}]\n`],
    [
      'CHANGELOG.md',
      section,
      `## [${version}] - unreleased`,
      `CHANGELOG.md: [${version}] needs a date in place of unreleased\n`,
    ],
  ]
  for (const [file, from, to, fault] of faults) {
    const text = clone.read(file)
    t.not(text.replace(from, to), text, `${file} has ${from}`)
    clone.write(file, text.replace(from, to))
    t.match(await check(`v${version}`), { status: 1, stdout: '', stderr: fault })
    clone.write(file, text)
  }
})

t.test(
  'npm version writes the version everywhere, dates the changelog, commits and tags',
  needs('git', 'npm'),
  async (t) => {
    const clone = releasable(t)
    clone.write('CHANGELOG.md', clone.read('CHANGELOG.md').replace(/(?=^## )/m, '## [97.1.0] - unreleased\n\n- a\n\n'))
    await clone.run(['git', 'commit', '--quiet', '--all', '--message', 'releasable'], COMMITTER)
    const versioned = await clone.run(['npm', 'version', '97.1.0'], COMMITTER)
    t.match(versioned, { status: 0, stdout: /^v97.1.0$/m }, versioned.stderr)
    t.match(await clone.run(['git', 'tag', '--points-at', 'HEAD']), { stdout: 'v97.1.0\n' })
    t.match(await clone.run(['git', 'status', '--porcelain']), { stdout: '' }, 'everything is in the commit')
    const { stdout } = await clone.run(['git', 'show', '--format=', '--name-only', 'HEAD'])
    const places = ['CHANGELOG.md', CHART, BASE, 'package-lock.json', 'package.json']
    for (const place of places) t.match(stdout, `${place}\n`)
    t.match(clone.read('CHANGELOG.md'), new RegExp(`^## \\[97\\.1\\.0\\] - 2\\d{3}-\\d\\d-\\d\\d\n`, 'm'))
    t.match(await clone.run([TSX, 'scripts/release/check.ts', 'v97.1.0']), { status: 0, stdout: /^channel=latest$/m })
    const refused = await clone.run(['npm', 'version', '97.2.0'], COMMITTER)
    t.match(refused, { status: 1, stderr: /^CHANGELOG.md has no section \[97.2.0\]$/m })
    t.match(await clone.run(['git', 'tag', '--list', 'v97.2.0']), { stdout: '' })

    const notes = await clone.run([TSX, 'scripts/release/notes.ts'])
    t.match(notes, { status: 1, stderr: /CHANGELOG.md has no section \[97.2.0\]/ })
    clone.write(
      'CHANGELOG.md',
      clone.read('CHANGELOG.md').replace('[97.1.0]', '[97.2.0]').replace('- a\n', '- [a](docs/api.md)\n'),
    )
    t.match(await clone.run([TSX, 'scripts/release/notes.ts']), {
      status: 0,
      stdout: `- [a](${ADDRESS}/blob/v97.2.0/docs/api.md)\n`,
    })
  },
)

t.test('the bill of materials has everything that is shipped, and nothing else', needs('npm'), async (t) => {
  const { metadata, components, dependencies } = sbom()
  const shipped = shippedPackages(ROOT)
  t.same(
    components.map((each) => each['bom-ref']).toSorted(),
    [...new Set(shipped.map(({ name, version }) => `${name}@${version}`))].toSorted(),
  )
  const { dependencies: own } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
  const names = new Set(components.map(({ name }) => name))
  for (const name of [...Object.keys(own), 'preact', 'diff']) t.ok(names.has(name), name)
  for (const name of ['tap', 'typescript', 'vite']) t.notOk(names.has(name), name)
  t.equal(metadata.component.name, 'gitops-status-server')
  const known = new Set([metadata.component['bom-ref'], ...components.map((each) => each['bom-ref'])])
  for (const { ref, dependsOn } of dependencies) for (const each of [ref, ...dependsOn]) t.ok(known.has(each), each)
  t.notMatch(JSON.stringify(components), /development|"optional"/)
  const bundled = components.filter(({ properties }) =>
    properties.some(({ name }) => name === 'cdx:npm:package:bundled'),
  )
  t.same(
    new Set(bundled.map(({ name }) => name)),
    new Set(shipped.filter((each) => each.bundled).map(({ name }) => name)),
  )
})

t.test('publish-npm.sh: what npm sends to its registry', needs('npm', 'bash'), async (t) => {
  const place = directory(t, { 'package.json': JSON.stringify({ name: 'a-package', version: '1.2.3' }) })
  t.match(await runIn(place, ['npm', 'pack', '--silent']), { status: 0 })
  const { url, requests } = await registry(t)
  const publish = async (channel: string, ...more: string[]): Promise<Result> => {
    const args = [join(place, 'a-package-1.2.3.tgz'), channel, ...more]
    const env = { npm_config_registry: url, NPM_TOKEN: 'npm_of-this-test', npm_config_fetch_retries: '0' }
    return runIn(place, [join(ROOT, 'scripts/release/publish-npm.sh'), ...args], env)
  }
  t.match(await publish('next', '--no-provenance'), { status: 0 })
  const [sent] = requests
  t.match(sent, {
    headers: { authorization: 'Bearer npm_of-this-test' },
    body: {
      'dist-tags': { next: '1.2.3' },
      access: 'public',
      _attachments: { 'a-package-1.2.3.tgz': { data: readFileSync(join(place, 'a-package-1.2.3.tgz'), 'base64') } },
    },
  })
  t.match(
    await publish('latest'),
    { status: 1, stderr: /provenance/ },
    'outside of CI nobody can say where it was built',
  )
  t.equal(requests.length, 1)
})

t.test(
  'release:dry-run builds the files of a release and publishes nothing',
  { timeout: 600_000, ...REGISTRY },
  async (t) => {
    const clone = releasable(t)
    await clone.run(['git', 'commit', '--quiet', '--all', '--message', 'releasable'], COMMITTER)
    const files = join(directory(t), 'files')
    const { status, stdout, stderr } = await clone.run([TSX, 'scripts/release/dry-run.ts', files])
    t.equal(status, 0, stdout)
    if (status !== 0) t.comment(stderr)
    const rows = Object.fromEntries(
      [...stdout.matchAll(/^(ok|FAILED|not run) +([\w ]+): (.*)$/gm)].map(([, ...row]) => [row[1], row]),
    )
    for (const name of ['check', 'npm package', 'bill of materials', 'checksums', 'npm'])
      t.equal(rows[name]?.[0], 'ok', name)
    const needed = {
      'Debian package': ['nfpm'],
      'Helm chart': ['helm'],
      'signatures of the files': ['cosign'],
      chart: ['helm', 'cosign', 'registry'],
    }
    for (const [name, programs] of Object.entries(needed))
      t.equal(
        rows[name]?.[0],
        programs.every((program) => has(program)) ? 'ok' : 'not run',
        `${name}: ${rows[name]?.[2]}`,
      )
    t.match(await runIn(files, ['sha256sum', '--check', '--strict', 'SHA256SUMS']), { status: 0 })
    const listed = readFileSync(join(files, 'SHA256SUMS'), 'utf8').matchAll(/^\w+ {2}(.*)$/gm)
    const others = readdirSync(files).filter((name) => !/^SHA256SUMS|\.sigstore\.json$/.test(name))
    t.same(new Set([...listed].map(([, name]) => name)), new Set(others))

    clone.write('CHANGELOG.md', '')
    const refused = await clone.run([TSX, 'scripts/release/dry-run.ts', files])
    t.match(refused, { status: 1, stderr: /is not empty/ })
  },
)

interface Manifest {
  readonly repository: { readonly url: string }
  readonly dependencies: Readonly<Record<string, string>>
}

const CHART = 'deploy/helm/gitops-status-server/Chart.yaml'
const BASE = 'deploy/kubernetes/base/kustomization.yaml'

/** A copy of this clone in which the present version can be released. */
function releasable(t: Test): Clone {
  const clone = new Clone(t)
  const manifest = JSON.parse(clone.read('package.json')) as Manifest & { version: string }
  const repository = { ...manifest.repository, url: `git+${ADDRESS}.git` }
  clone.write('package.json', `${JSON.stringify({ ...manifest, repository }, undefined, 2)}\n`)
  const heading = `## [${manifest.version}] - `
  clone.write(
    'CHANGELOG.md',
    clone
      .read('CHANGELOG.md')
      .replace(new RegExp(`^${heading.replaceAll(/[[\].]/g, '\\$&')}.*$`, 'm'), `${heading}2026-01-31`),
  )
  return clone
}

interface Published {
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

/** A registry that has no packages and takes what is published. */
async function registry(t: Test): Promise<{ url: string; requests: Published[] }> {
  const requests: Published[] = []
  const server = createServer((request, response) => {
    void (async () => {
      if (request.method === 'PUT') requests.push({ headers: request.headers, body: await json(request) })
      response.writeHead(request.method === 'PUT' ? 201 : 404, { 'Content-Type': 'application/json' })
      response.end('{}')
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests }
}

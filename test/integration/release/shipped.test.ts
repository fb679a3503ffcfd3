import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { ALLOWED, faultsOf } from '../../../scripts/licenses.ts'
import { shippedPackages } from '../../../scripts/shipped.ts'
import { Clone } from '../../support/clone.ts'
import { needs } from '../../support/machine.ts'

const TSX = 'node_modules/.bin/tsx'

t.test('lint: each licence of what is shipped is in the list, and the list has no other', async (t) => {
  const shipped = shippedPackages()
  t.same(faultsOf(shipped), [])
  for (const license of ALLOWED) {
    const faults = faultsOf(shipped, new Set([...ALLOWED].filter((each) => each !== license)))
    t.ok(faults.length > 0, `without ${license}`)
    if (license !== 'MIT') for (const fault of faults) t.match(fault, license)
  }
  t.match(faultsOf(shipped, ALLOWED, {}), [/^color-convert \S+: no licence$/])

  // `diff` is in the files of the page, `once` is a production dependency of another.
  const expressions = {
    '(MIT OR GPL-3.0-only)': 0,
    '(MIT AND GPL-3.0-only)': 1,
    'Apache-2.0 AND ISC': 0,
    'GPL-3.0-only': 1,
  }
  for (const name of ['diff', 'once']) {
    for (const [license, faults] of Object.entries(expressions)) {
      const other = shipped.map((each) => (each.name === name ? { ...each, license } : each))
      t.equal(faultsOf(other).length, faults, `${name}: ${license}`)
    }
  }
})

t.test('npm run lint fails if a licence is not in the list', needs('git'), async (t) => {
  const clone = new Clone(t)
  clone.write('scripts/licenses.ts', clone.read('scripts/licenses.ts').replace("'ISC', ", ''))
  t.match(await clone.run([TSX, 'scripts/licenses.ts']), {
    status: 1,
    stderr: /^These packages .* does not allow:\n(\S+ \d\S*: ISC\n)+$/,
  })
  t.match(clone.read('package.json'), /"lint": ".* && tsx scripts\/licenses.ts"/)
})

t.test('npm run audit: what is shipped, by the answer of the registry', needs('npm', 'git'), async (t) => {
  const clone = new Clone(t)
  const audit = async (registry: Registry): Promise<{ status: number | null; output: string }> => {
    const env = { npm_config_registry: await serve(t, registry), npm_config_fetch_retries: '0' }
    const { status, stdout, stderr } = await clone.run([TSX, 'scripts/audit.ts'], env)
    return { status, output: stdout + stderr }
  }
  t.match(await audit({ status: 200, advisories: {} }), {
    status: 0,
    output: /^0 vulnerable packages of 1\d\d that are shipped$/m,
  })
  // `tap` is for development only.
  t.match(await audit({ status: 200, advisories: { tap: [ADVISORY] } }), { status: 0, output: /^0 vulnerable/m })
  for (const name of ['fast-uri', 'preact']) {
    const { status, output } = await audit({ status: 200, advisories: { [name]: [ADVISORY] } })
    t.equal(status, 1)
    t.match(output, new RegExp(`^${name}: high: a made-up fault https://advisories.example.net/1$`, 'm'))
  }
  for (const status of [404, 405, 501]) {
    t.match(await audit({ status }), {
      status: 77,
      output: `Not checked: the registry has no audit service (${status})\n`,
    })
  }
  for (const status of [401, 500, 503]) {
    t.match(await audit({ status }), { status: 1, output: /^npm audit failed: .*\d{3}/ })
  }
})

interface Registry {
  /** How it answers when it is asked for advisories. */
  readonly status: number
  readonly advisories?: object
}

const ADVISORY = {
  id: 1,
  url: 'https://advisories.example.net/1',
  title: 'a made-up fault',
  severity: 'high',
  vulnerable_versions: '*',
  cwe: [],
  cvss: { score: 0, vectorString: null },
}

/** A registry that knows advisories, and of its packages nothing else. */
async function serve(t: Test, { status, advisories }: Registry): Promise<string> {
  const server = createServer((request, response) => {
    const isAudit = request.method === 'POST' && request.url === '/-/npm/v1/security/advisories/bulk'
    response.writeHead(isAudit ? status : 404, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(isAudit ? (advisories ?? {}) : {}))
    request.resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

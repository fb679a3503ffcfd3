import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { OCCUPY_PORT, SERVICE, VERDICT, commandsOf, post, until } from '../../support/booted/commands.ts'
import { BOOTED_MACHINE, boot } from '../../support/booted/machine.ts'
import { directory } from '../../support/directory.ts'
import { repository, version } from '../../../src/project.ts'
import { needs } from '../../support/machine.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const PAGE = 'docs/install/debian.md'
const PROGRAMS = ['apt-get', 'curl', 'jq']
const DATA = `/var/lib/private/${SERVICE}`

const architecture = textOf('dpkg', ['--print-architecture']).trim()
const BUILT = needs('nfpm', 'dpkg-deb', 'npm')
const out = directory(t)
if (BUILT.skip === undefined) {
  // The test of the package does not build the program again. tap sets NODE_OPTIONS.
  const { NODE_OPTIONS: _, ...rest } = process.env
  const env = { ...rest, npm_config_ignore_scripts: 'true', SOURCE_DATE_EPOCH: '1000000000' }
  const built = spawnSync(join(ROOT, 'deploy/debian/build.sh'), [out, architecture], { env, encoding: 'utf8' })
  t.match(built, { status: 0, stderr: '' })
}
const [name = ''] = readdirSync(out)
const PACKAGE = join(out, name)

t.test('the fields and the files of the package', BUILT, async (t) => {
  t.equal(name, `${SERVICE}_${version}_${architecture}.deb`)
  const fields = textOf('dpkg-deb', ['--field', PACKAGE])
  for (const line of [
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Homepage: ${repository}#readme`,
    'Depends: nodejs (>= 20.19), libc6',
  ])
    t.ok(fields.split('\n').includes(line), line, { fields })
  t.match(fields, /^Maintainer: .+ <.+>$/m)
  t.same(textOf('dpkg-deb', ['--info', PACKAGE, 'conffiles']).trim().split('\n'), [
    `/etc/default/${SERVICE}`,
    `/etc/${SERVICE}/tokens.json`,
  ])

  // MODE OWNER/GROUP SIZE DATE TIME ./PATH
  const files = textOf('dpkg-deb', ['--contents', PACKAGE])
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/))
  const paths = files.map(([, , , , , path = '']) => path)
  t.same(
    files.filter(([mode = '', owner, , date]) => {
      return owner !== 'root/root' || !/^[d-]rw[x-]r-[x-]r-[x-]$/.test(mode) || date !== '2001-09-09'
    }),
    [],
    'all belong to root, who alone may write, and have the time of the commit',
  )
  t.same(
    paths.filter((path) => /prebuilds\/.*[^/]$/.test(path)).map((path) => path.replace(/.*prebuilds\//, '')),
    [`linux-${process.arch}/fs-native-extensions.node`],
    'compiled for this architecture only',
  )
  t.ok(paths.includes(`./usr/lib/${SERVICE}/node_modules/express/package.json`))
  t.same(
    paths.filter((path) => /\/(tap|typescript|vite)\/|\.(ts|map)$|\/\.[^/]+$/.test(path)),
    [],
    'no more than runs',
  )
  t.same(
    paths.filter((path) => /^\.\/(etc|usr\/(bin|lib\/systemd|share\/doc))\/.*[^/]$/.test(path)),
    [
      `./etc/default/${SERVICE}`,
      `./etc/${SERVICE}/tokens.json`,
      `./usr/bin/${SERVICE}`,
      `./usr/lib/systemd/system/${SERVICE}.service`,
      `./usr/share/doc/${SERVICE}/CHANGELOG.md.gz`,
      `./usr/share/doc/${SERVICE}/changelog.gz`,
      `./usr/share/doc/${SERVICE}/copyright`,
    ],
  )
})

t.test('its scripts are what shellcheck accepts', needs('shellcheck'), async (t) => {
  const scripts = ['build.sh', 'postinst', 'prerm', 'postrm', SERVICE].map((file) => join(ROOT, 'deploy/debian', file))
  t.match(spawnSync('shellcheck', scripts, { encoding: 'utf8' }), { status: 0, stdout: '' })
})

t.test(
  'installed, upgraded and removed by the commands of the page',
  { ...needs(BOOTED_MACHINE, ...PROGRAMS), ...BUILT },
  async (t) => {
    const machine = await boot(t)
    const { succeed } = machine
    const version = (): string => succeed(`dpkg-query --show --showformat '\${Version}' ${SERVICE}`)
    const add = (file: string): void => copyFileSync(file, join(machine.session, name))
    const older = olderVersionOf(PACKAGE, directory(t))

    t.test('install: the service runs, and anybody on this machine can post', async (t) => {
      add(older)
      t.match(succeed(commandsOf(PAGE, 'Install')), /"ready":true/)
      t.equal(succeed(`systemctl is-active ${SERVICE}; systemctl is-enabled ${SERVICE}`), 'active\nenabled\n')
      t.match(version(), /~test1$/)
      t.match(succeed('cat /proc/net/tcp /proc/net/tcp6'), /0100007F:1F90/)
      succeed(post('web-1'))
    })

    t.test('upgrade: the service has restarted, with its data and the settings', async (t) => {
      succeed(`echo STALE_AFTER=1200 >>/etc/default/${SERVICE}`)
      add(PACKAGE)
      const { version: expected } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
        string,
        string
      >
      const pid = succeed(`systemctl show --property MainPID ${SERVICE}`)
      t.match(succeed(commandsOf(PAGE, 'Upgrade')), new RegExp(`^${expected}$`, 'm'))
      t.equal(version(), expected)
      t.not(succeed(`systemctl show --property MainPID ${SERVICE}`), pid)
      t.equal(succeed(VERDICT), '1 target is in sync.\n')
      t.match(succeed(`journalctl --unit ${SERVICE} --output cat`), /"staleAfter":1200/)
    })

    t.test('remove: the service is gone, the data and the settings are not', async (t) => {
      succeed(commandsOf(PAGE, 'Remove it'))
      t.not(machine.run(`systemctl is-active ${SERVICE}`).code, 0)
      t.not(machine.run(`systemctl cat ${SERVICE}`).code, 0)
      succeed(`test -s ${DATA}/status.json; grep STALE_AFTER=1200 /etc/default/${SERVICE}`)
    })

    t.test(
      'install again while the port is in use: it is installed, and has its data when the port is free',
      async (t) => {
        succeed(OCCUPY_PORT)
        t.match(succeed(`apt-get install ./${name}`), /did not start/)
        succeed('systemctl stop other')
        succeed(until(`${VERDICT} | grep '^1 target is in sync'`))
      },
    )

    t.test('an upgrade does not start what an administrator has disabled', async (t) => {
      succeed(`systemctl disable --now ${SERVICE}`)
      // As dpkg calls it at the end of an upgrade.
      succeed(`DPKG_MAINTSCRIPT_PACKAGE=${SERVICE} /var/lib/dpkg/info/${SERVICE}.postinst configure ${version()}`)
      t.match(
        machine.run(`systemctl is-active ${SERVICE} || systemctl is-enabled ${SERVICE}`).printed,
        'inactive\ndisabled\n',
      )
    })

    t.test('purge: nothing is left', async (t) => {
      succeed(`touch /etc/${SERVICE}/tokens.json.old`)
      succeed(commandsOf(PAGE, 'Remove the data too'))
      t.equal(succeed(`find /etc /usr/lib /usr/bin /var/lib -maxdepth 4 -name '*${SERVICE}*'`), '')
    })

    t.test('purge: what is mounted as the data directory stays', async (t) => {
      succeed(`dpkg-deb --control ${name} control
mkdir --parents ${DATA}
mount -t tmpfs tmpfs ${DATA}
ln -s private/${SERVICE} /var/lib/${SERVICE}
touch ${DATA}/status.json`)
      t.match(
        succeed('DPKG_MAINTSCRIPT_PACKAGE=x control/postrm purge'),
        /not removed, because a volume is mounted there/,
      )
      succeed(`ls ${DATA}/status.json; umount ${DATA}`)
      succeed(`DPKG_MAINTSCRIPT_PACKAGE=x control/postrm purge; [ ! -e ${DATA} ] && [ ! -L /var/lib/${SERVICE} ]`)
    })

    t.test('without a running systemd, the package installs the command', async (t) => {
      const commands = `dpkg --install ${name} && ${SERVICE} --version && dpkg --purge ${SERVICE}`
      t.match(succeed(`unshare --mount sh -c 'mount -t tmpfs tmpfs /run/systemd; ${commands}'`), /^\d+\.\d+\.\d+/m)
    })
  },
)

/** The same package with a lower version. */
function olderVersionOf(file: string, place: string): string {
  textOf('dpkg-deb', ['--raw-extract', file, join(place, 'files')])
  const control = join(place, 'files/DEBIAN/control')
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, '$&~test1'))
  textOf('dpkg-deb', ['-Znone', '--root-owner-group', '--build', join(place, 'files'), join(place, 'older.deb')])
  return join(place, 'older.deb')
}

function textOf(program: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program}: ${stderr}`)
  return stdout
}

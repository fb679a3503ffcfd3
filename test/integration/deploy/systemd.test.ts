import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import t from 'tap'
import { SERVICE, VERDICT, commandsOf, post, until } from '../../support/booted/commands.ts'
import { BOOTED_MACHINE, type BootedMachine, boot } from '../../support/booted/machine.ts'
import { needs } from '../../support/machine.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const UNIT = join(ROOT, 'deploy/systemd/gitops-status-server.service')
const PAGE = 'docs/install/systemd.md'

/** What the unit does not restrict, as `systemd-analyze security` names it. The page says why. */
const UNRESTRICTED = new Set([
  'RootDirectoryOrRootImage',
  'MemoryDenyWriteExecute',
  'RestrictAddressFamilies_AF_UNIX',
  'RestrictAddressFamilies_AF_INET_INET6',
  'PrivateNetwork',
  'DeviceAllow',
  'IPAddressDeny',
  'NotifyAccess',
  'UMask',
])

t.test('systemd rates the exposure of the unit at 2.0 of 10 at most', needs('systemd-analyze'), async (t) => {
  const analyze = ['security', '--offline=true', '--threshold=20', '--json=short', UNIT]
  const { status, stdout } = spawnSync('systemd-analyze', analyze, { encoding: 'utf8' })
  t.equal(status, 0, 'exposure')
  const checks = JSON.parse(stdout) as { set: boolean | null; json_field: string }[]
  t.ok(checks.length > 60, 'all settings are rated')
  const missing = checks.filter(({ set }) => set === false).map(({ json_field: field }) => field)
  t.same(
    missing.filter((field) => !UNRESTRICTED.has(field)),
    [],
    'nothing else is left open',
  )
})

t.test('the unit, installed from npm by the commands of the page', needs(BOOTED_MACHINE, 'curl', 'jq'), async (t) => {
  const machine = await boot(t)
  const { succeed } = machine
  const ownerOf = (file: string): string => succeed(`stat --format %u /var/lib/${SERVICE}/${file}`).trim()
  // What npm makes of "bin" in package.json.
  succeed(`cat >/usr/local/bin/${SERVICE} <<'END'
#!/bin/sh
exec node /usr/local/lib/node_modules/${SERVICE}/dist/cli.js "$@"
END
chmod +x /usr/local/bin/${SERVICE}`)

  t.test('it is active when the server answers', async (t) => {
    t.match(succeed(commandsOf(PAGE, 'systemd')), /"ready":true/)
    t.equal(succeed(`systemctl is-active ${SERVICE}`), 'active\n')
    t.equal(succeed(`systemctl show --property StatusText --value ${SERVICE}`), 'listening on http://127.0.0.1:8080\n')
    succeed(post('web-1'))
  })

  t.test('its process is confined', async () => {
    const status = succeed(`cat /proc/${mainPid(machine)}/status`)
    t.match(status, /^CapBnd:\t0+$/m)
    t.match(status, /^NoNewPrivs:\t1$/m)
    t.match(status, /^Seccomp:\t2$/m)
    t.notMatch(status, /^Uid:\t0/m)
    t.equal(ownerOf('status.json'), /^Uid:\t(\d+)/m.exec(status)?.[1])
    t.notMatch(succeed(`journalctl --unit ${SERVICE} --output cat`), /"level":"(warn|error|fatal)"/)
  })

  t.test('it starts again after a crash, with its data', async () => {
    const pid = mainPid(machine)
    succeed(`systemctl kill --signal KILL ${SERVICE}`)
    succeed(until(`${VERDICT} | grep '^1 target is in sync'`))
    t.not(mainPid(machine), pid)
  })

  t.test('it reads an edit of root, and the file belongs to it again after the next write', async () => {
    succeed(`jq '.note = "edited"' /var/lib/${SERVICE}/status.json >edited.json
mv edited.json /var/lib/${SERVICE}/status.json`)
    succeed(until('curl http://127.0.0.1:8080/status.json | grep edited'))
    succeed(post('web-2'))
    t.equal(ownerOf('status.json'), ownerOf('history.jsonl'))
  })

  t.test('a backup is restored by the commands of the page', async () => {
    succeed('mkdir backup; curl --output backup/status.json http://127.0.0.1:8080/status.json')
    succeed("curl -X DELETE 'http://127.0.0.1:8080/api/status?server=web-1'")
    t.match(succeed(commandsOf(PAGE, 'Back up and restore')), /web-1: comes back/)
    succeed(until(`${VERDICT} | grep '2 targets are in sync'`))
  })

  t.test('a setting that is not valid: the start fails, and no other is tried', async () => {
    succeed(`cp /etc/default/${SERVICE} before; echo STALE_AFTER=soon >>/etc/default/${SERVICE}`)
    t.not(machine.run(`systemctl restart ${SERVICE}`).code, 0)
    t.match(succeed(`systemctl show --property ActiveState,NRestarts ${SERVICE}`), /NRestarts=0\nActiveState=failed/)
    succeed(`cp before /etc/default/${SERVICE}`)
  })

  t.test('tokens and another address to listen on, from the settings of the page', async () => {
    succeed(commandsOf(PAGE, 'Settings'))
    t.match(succeed(`systemctl show --property StatusText ${SERVICE}`), 'listening on http://0.0.0.0:8080')
    t.match(machine.run(post('web-3')).printed, /"status":401/)
    succeed(post('web-3', BEARER))
  })

  t.test('a user of its own: others can read the data, which is still there', async () => {
    const pid = mainPid(machine)
    succeed(`systemctl reload ${SERVICE}`)
    t.equal(mainPid(machine), pid, 'a reload is no restart')
    succeed(commandsOf(PAGE, 'Edit the document'))
    succeed(post('web-4', BEARER))
    t.match(succeed(VERDICT), '4 targets are in sync')
    for (const file of ['status.json', 'history.jsonl'])
      t.match(succeed(`setpriv --reuid nobody --clear-groups cat /var/lib/${SERVICE}/${file}`), /"web-4"/)
  })

  t.test('it stops, and the commands of the page leave nothing', async () => {
    succeed(commandsOf(PAGE, 'Remove it'))
    t.match(succeed(`journalctl --unit ${SERVICE} --output cat --lines 20`), /"msg":"stopped"/)
    t.equal(succeed(`find /etc /var/lib -maxdepth 4 -name '*${SERVICE}*'`), '')
  })
})

const BEARER = '--header "Authorization: Bearer $(head -n 1 ~/ci.token)"'
function mainPid({ run }: BootedMachine): string {
  return run(`systemctl show --property MainPID --value ${SERVICE}`).printed.trim()
}

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { directory } from '../support/directory.ts'
import { eventually, matches } from '../support/http.ts'
import { needs } from '../support/machine.ts'
import { runServer } from '../support/server.ts'

/** Prints what it receives, as systemd would. */
const MANAGER = `
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(manager.recv(4096).decode(), flush=True)
`

t.test('systemd is told once when the server answers', needs('python3', 'systemd-notify'), async (t) => {
  const socket = join(directory(t), 'notify')
  const manager = spawn('python3', ['-c', MANAGER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => manager.kill())
  let received = ''
  manager.stdout.on('data', (chunk) => (received += String(chunk)))
  await eventually(() => matches(received, /^bound$/m))
  const { url } = await runServer(t, directory(t), { NOTIFY_SOCKET: socket })
  await eventually(() => matches(received, /^READY=1$/m))
  t.ok(received.split('\n').includes(`STATUS=listening on ${url}`), received)
  t.equal(received.match(/READY=1/g)?.length, 1)
})

t.test('without systemd-notify the server runs, and says so', async (t) => {
  const server = await runServer(t, directory(t), { NOTIFY_SOCKET: '/nowhere', PATH: '/nowhere' })
  await eventually(() => matches(server.stdout(), /"level":"warn".*"msg":"systemd not notified"/))
})

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'

/** The server has the first core to itself, the load the second. */
export const SERVER_CORE = '0'
const START_MAX_MS = 120_000

const HERE = import.meta.dirname
const PROGRAM = resolve(HERE, '..', 'dist', 'cli.js')
const require = createRequire(import.meta.url)

/** A contender as a process of its own. */
export interface Running {
  readonly url: string
  readonly pid: number
  /** From its start to its first answer, in ms. */
  readonly startMs: number
  stop(): Promise<void>
}

/** Whether a program is installed. */
export function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

/**
 * This server, on a directory.
 *
 * @param nodeArgs options of Node
 * @param program the program of another version
 */
export async function startOurs(
  directory: string,
  nodeArgs: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  program = PROGRAM,
): Promise<Running> {
  const command = (port: string): string[] => [
    process.execPath,
    ...nodeArgs,
    program,
    '--port',
    port,
    '--data-dir',
    directory,
  ]
  return start('/healthz', command, env)
}

/** @param like sends the very answers of this URL, headers and all; without one, the file with three headers */
export async function startBareHttp(file: string, like?: string): Promise<Running> {
  const args = like === undefined ? [file] : [file, like]
  return start('/', (port) => [process.execPath, join(HERE, 'contenders', 'bare-http.mjs'), port, ...args])
}

export async function startExpressStatic(directory: string): Promise<Running> {
  return start('/status.json', (port) => [
    process.execPath,
    join(HERE, 'contenders', 'express-static.mjs'),
    port,
    directory,
  ])
}

export async function startNaive(file: string): Promise<Running> {
  return start('/', (port) => [process.execPath, join(HERE, 'contenders', 'naive.mjs'), port, file])
}

/** nginx with one worker, from the page cache; Debian's defaults otherwise. */
export async function startNginx(directory: string, work: string): Promise<Running> {
  mkdirSync(work, { recursive: true })
  const config = join(work, 'nginx.conf')
  return start('/status.json', (port) => {
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${work}/${name};`,
    )
    const lines = [
      process.getuid?.() === 0 ? 'user root;' : '',
      `worker_processes 1; pid ${work}/pid; events { worker_connections 1024; }`,
      `http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; ${paths.join(' ')}`,
      'open_file_cache max=10; types { application/json json; }',
      `server { listen 127.0.0.1:${port}; root ${directory}; } }`,
    ]
    writeFileSync(config, lines.join('\n'))
    return ['nginx', '-e', 'stderr', '-c', config, '-g', 'daemon off;']
  })
}

/** The Pushgateway, with its persistence on. */
export async function startPushgateway(file: string, checked = true): Promise<Running> {
  return start('/-/ready', (port) => [
    'prometheus-pushgateway',
    `--web.listen-address=127.0.0.1:${port}`,
    `--persistence.file=${file}`,
    ...(checked ? [] : ['--push.disable-consistency-check']),
  ])
}

export async function startJsonServer(file: string): Promise<Running> {
  const bin = join(dirname(require.resolve('json-server/package.json')), 'lib', 'cli', 'bin.js')
  return start('/statuses?_limit=1', (port) => [
    process.execPath,
    bin,
    '--port',
    port,
    '--host',
    '127.0.0.1',
    '--quiet',
    file,
  ])
}

async function start(
  path: string,
  command: (port: string) => string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const port = await freePort()
  const args = ['-c', SERVER_CORE, ...command(String(port))]
  const started = performance.now()
  const child = spawn('taskset', args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
  let said = ''
  child.stderr.on('data', (chunk) => (said += String(chunk)))
  const url = `http://127.0.0.1:${port}`
  while (!(await answers(url + path))) {
    if (child.exitCode !== null || performance.now() - started > START_MAX_MS) throw new Error(`not started: ${said}`)
    await new Promise((later) => {
      setTimeout(later, 5)
    })
  }
  return {
    url,
    pid: child.pid ?? 0,
    startMs: performance.now() - started,
    stop: async () => ended(child),
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url)
    await response.arrayBuffer()
    // A server that is still loading its document answers 503.
    return response.status !== 503
  } catch {
    return false
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise<void>((done) => {
    child.once('close', () => done())
    child.kill('SIGTERM')
  })
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((listening) => {
    probe.listen(0, '127.0.0.1', listening)
  })
  const address = probe.address()
  await new Promise((closed) => {
    probe.close(closed)
  })
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}

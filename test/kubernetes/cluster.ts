/*
 * A Kubernetes API server with its controllers, on loopback addresses and in a directory of its own. It has no nodes: pods are admitted
 * and created, and stay Pending. Nothing of it needs root.
 *
 *   npx tsx test/kubernetes/cluster.ts COMMAND [ARGUMENT]...   runs a command with KUBECONFIG set; its exit code is that of the command
 *   npx tsx test/kubernetes/cluster.ts                         runs $SHELL
 *
 * etcd, kube-apiserver, kube-controller-manager and kubectl are taken from PATH. KUBE_APISERVER_FLAGS adds flags.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/port.ts'

/** The programs that a cluster needs. */
export const CLUSTER_PROGRAMS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const

/** Milliseconds until the API server and the controllers work. A loaded machine needs some ten seconds. */
const START_DEADLINE_MS = 120_000
const STOP_DEADLINE_MS = 20_000

export interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface KubectlOptions {
  /** Standard input. */
  readonly input?: string
  /** The exit code is not checked. */
  readonly mayFail?: boolean
}

export class Cluster {
  /** A file for `KUBECONFIG`. Its user has all rights. */
  readonly kubeconfig: string
  readonly #directory: string
  readonly #children: ChildProcess[] = []
  readonly #killAll = (): void => this.#children.forEach((child) => child.kill('SIGKILL'))

  private constructor(directory: string) {
    this.#directory = directory
    this.kubeconfig = join(directory, 'kubeconfig')
    process.once('exit', this.#killAll)
  }

  /** Starts a cluster, and returns when namespaces get their service account. */
  static async start(): Promise<Cluster> {
    const cluster = new Cluster(mkdtempSync(join(tmpdir(), 'gitops-status-cluster-')))
    try {
      await cluster.#start()
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  /** The environment of a program that uses the cluster. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, KUBECONFIG: this.kubeconfig, KUBECACHEDIR: this.#file('cache') }
  }

  /** @throws {Error} with what kubectl says, if it fails and may not */
  kubectl(args: readonly string[], { input = '', mayFail = false }: KubectlOptions = {}): Result {
    const { status, stdout, stderr } = spawnSync('kubectl', args, {
      encoding: 'utf8',
      env: this.environment,
      input,
      maxBuffer: 2 ** 28,
    })
    if (status !== 0 && !mayFail) throw new Error(`kubectl ${args.join(' ')}: exit code ${status}\n${stderr}`)
    return { code: status, stdout, stderr }
  }

  create(object: object): void {
    this.kubectl(['create', '--filename=-'], { input: JSON.stringify(object) })
  }

  /** Ends all processes and removes the directory. */
  async stop(): Promise<void> {
    process.off('exit', this.#killAll)
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const killing = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
      await ended
      clearTimeout(killing)
    }
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10 })
  }

  async #start(): Promise<void> {
    const [etcd, peer, port] = [await freePort(), await freePort(), await freePort()]
    const [admin, manager] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')]
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const serviceAccounts = this.#write('service-accounts.key', privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const tokens = this.#write(
      'tokens.csv',
      [
        `${admin},admin,admin,system:masters`,
        `${manager},system:kube-controller-manager,system:kube-controller-manager`,
      ].join('\n'),
    )

    this.#run('etcd', [
      `--data-dir=${this.#file('etcd')}`,
      `--listen-client-urls=http://127.0.0.1:${etcd}`,
      `--advertise-client-urls=http://127.0.0.1:${etcd}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
    ])
    this.#run('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${etcd}`,
      '--bind-address=127.0.0.1',
      // The address in the endpoints of the Service `kubernetes` may not be a loopback address. Nothing uses them.
      '--endpoint-reconciler-type=none',
      `--secure-port=${port}`,
      // It makes a certificate here, and the authority that has signed it.
      `--cert-dir=${this.#file('certificates')}`,
      `--token-auth-file=${tokens}`,
      '--authorization-mode=RBAC',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-signing-key-file=${serviceAccounts}`,
      `--service-account-key-file=${serviceAccounts}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      ...(process.env['KUBE_APISERVER_FLAGS']?.split(' ').filter(Boolean) ?? []),
    ])

    const authority = this.#file('certificates/apiserver.crt')
    this.#write('kubeconfig', kubeconfig(port, authority, admin))
    await this.#until('the API server is ready', ['get', '--raw', '/readyz'])
    this.#run('kube-controller-manager', [
      `--kubeconfig=${this.#write('manager.kubeconfig', kubeconfig(port, authority, manager))}`,
      '--use-service-account-credentials',
      `--service-account-private-key-file=${serviceAccounts}`,
      `--root-ca-file=${authority}`,
      '--leader-elect=false',
      // Every 15 s by default: tests wait for claims.
      '--pvclaimbinder-sync-period=1s',
      '--secure-port=0',
    ])
    await this.#until('the controllers work', ['get', 'serviceaccount', 'default'])
  }

  #run(program: string, args: readonly string[]): void {
    const log = openSync(this.#file(`${program}.log`), 'w')
    const child = spawn(program, args, { stdio: ['ignore', log, log] })
    // A program that is not there has no exit code; `#until` says that the cluster does not start.
    child.on('error', () => undefined)
    closeSync(log)
    this.#children.push(child)
  }

  /** Waits until kubectl succeeds. */
  async #until(what: string, args: readonly string[]): Promise<void> {
    for (const end = Date.now() + START_DEADLINE_MS; ; await sleep(200)) {
      const { code, stderr } = this.kubectl(args, { mayFail: true })
      if (code === 0) return
      const dead = this.#children.find((child) => child.pid === undefined || child.exitCode !== null)
      if (dead === undefined && Date.now() < end) continue
      const logs = CLUSTER_PROGRAMS.map((program) => `${program}:\n${this.#endOfLog(program)}`)
      throw new Error([`not reached: ${what}`, stderr, ...logs].join('\n'))
    }
  }

  #endOfLog(program: string): string {
    try {
      return readFileSync(this.#file(`${program}.log`), 'utf8')
        .split('\n')
        .slice(-20)
        .join('\n')
    } catch {
      return ''
    }
  }

  #file(name: string): string {
    return join(this.#directory, name)
  }

  #write(name: string, content: string | Buffer): string {
    const file = this.#file(name)
    writeFileSync(file, content, { mode: 0o600 })
    return file
  }
}

function kubeconfig(port: number, authority: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': authority } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [command = process.env['SHELL'] ?? 'sh', ...args] = process.argv.slice(2)
  const cluster = await Cluster.start()
  const child = spawn(command, args, { stdio: 'inherit', env: cluster.environment })
  // A terminal sends Ctrl-C to the command too; the cluster ends after it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const [code] = (await once(child, 'exit')) as [number | null]
  await cluster.stop()
  process.exitCode = code ?? 1
}

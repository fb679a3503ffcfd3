// Posts made-up results of checks, a new round every 10 seconds: node deploy/demo.mjs [address] [rounds]
//
// All its targets have the label demo=true. It stops if the server has a target without it, so that made-up results never get
// between real ones. STATUS_TOKEN is the secret of a token with the right to post, if the server requires one.
const [address = 'http://127.0.0.1:8080', rounds = 'Infinity'] = process.argv.slice(2)

const FILES = { rsyslog: ['rsyslog.conf', 'rsyslog.d/30-lab.conf'], nginx: ['nginx.conf', 'sites-available/shop.conf'] }
const TARGETS = Object.keys(FILES).flatMap((repo) =>
  ['lab', 'prod-1', 'prod-2'].map((name) => ({ repo, server: `${repo}-${name}` })),
)
/** Its only check was an hour ago. */
const STALE = 'nginx-prod-2'
const PERIOD_MS = 10_000
const HOUR_MS = 3_600_000

/** The drifted files by server; they change from time to time. */
const drifted = new Map([['rsyslog-lab', FILES.rsyslog]])

/** The first round is always the same. */
function changeSome() {
  for (const { repo, server } of TARGETS) {
    if (server !== STALE && Math.random() < 0.1)
      drifted.set(
        server,
        FILES[repo].filter(() => Math.random() < 0.4),
      )
  }
}

function check({ repo, server }) {
  const files = (drifted.get(server) ?? []).map((name) => ({ name }))
  return {
    repo,
    server,
    sync_status: files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC',
    drift_count: files.length,
    files,
    last_check: new Date(Date.now() - (server === STALE ? HOUR_MS : 0)).toISOString(),
    labels: { demo: 'true' },
  }
}

/** Sends a request, and returns its JSON. It throws an error with the answer if the server refuses. */
async function ask(path, options = {}) {
  const { STATUS_TOKEN: token } = process.env
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) }
  const response = await fetch(`${address}${path}`, { ...options, headers })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
  return JSON.parse(text)
}

async function hasOtherTargets() {
  const { targets } = await ask('/api/summary')
  const { targets: own } = await ask('/api/summary?label=demo%3Dtrue')
  return targets > own
}

let isPosted = false
for (let round = 1; round <= Number(rounds); round += 1) {
  isPosted = false
  try {
    if (await hasOtherTargets()) {
      process.stderr.write(`${address} has targets that are not of the demo: nothing is posted\n`)
      process.exit(1)
    }
    if (round > 1) changeSome()
    const snapshots = TARGETS.filter(({ server }) => round === 1 || server !== STALE).map(check)
    await ask('/api/status', { method: 'POST', body: JSON.stringify(snapshots) })
    isPosted = true
    process.stdout.write(`round ${round}: ${snapshots.filter(({ files }) => files.length > 0).length} drifted\n`)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  }
  if (round < Number(rounds)) await new Promise((resolve) => setTimeout(resolve, PERIOD_MS))
}
process.exit(isPosted ? 0 : 1)

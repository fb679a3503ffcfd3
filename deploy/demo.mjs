// Posts made-up drift checks of a few servers, a new round every 10 seconds: node deploy/demo.mjs [address] [rounds]
const [address = 'http://127.0.0.1:8080/api/status', rounds = 'Infinity'] = process.argv.slice(2)

const FILES = { rsyslog: ['rsyslog.conf', 'rsyslog.d/30-lab.conf'], nginx: ['nginx.conf', 'sites-available/shop.conf'] }
const TARGETS = Object.keys(FILES).flatMap((repo) =>
  ['lab', 'prod-1', 'prod-2'].map((name) => [repo, `${repo}-${name}`]),
)
const PERIOD_MS = 10_000

/** What has drifted, by server; now and then it changes. */
const drifted = new Map()

function check([repo, server]) {
  if (Math.random() < 0.1)
    drifted.set(
      server,
      FILES[repo].filter(() => Math.random() < 0.4),
    )
  const files = (drifted.get(server) ?? []).map((name) => ({ name }))
  return {
    repo,
    server,
    sync_status: files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC',
    drift_count: files.length,
    files,
    last_check: new Date().toISOString(),
  }
}

for (let round = 1; round <= Number(rounds); round += 1) {
  // A check that did not come: its target becomes stale after a while.
  const snapshots = TARGETS.filter(([, server]) => server !== 'nginx-prod-2' || round % 30 < 10).map(check)
  try {
    const response = await fetch(address, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(snapshots),
    })
    process.stdout.write(`${response.status}: ${snapshots.filter(({ files }) => files.length > 0).length} drifted\n`)
    if (!response.ok) process.stderr.write(`${await response.text()}\n`)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  }
  if (round < Number(rounds)) await new Promise((resolve) => setTimeout(resolve, PERIOD_MS))
}
process.exit()

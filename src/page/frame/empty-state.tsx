import type { JSX } from 'preact'
import { addressed } from '../data/addressed.ts'

/** Shown until the first snapshot is posted, with a command that posts one. */
export function EmptyState(): JSX.Element {
  const address = addressed('api/status').href
  const snapshot = {
    repo: 'rsyslog',
    server: 'rsyslog-lab',
    sync_status: 'OUT_OF_SYNC',
    drift_count: 1,
    files: [{ name: 'rsyslog.conf' }],
    last_check: `${new Date().toISOString().slice(0, 19)}Z`,
  }
  return (
    <section class="empty">
      <h2>No target yet</h2>
      <p>A target appears after its first snapshot. CI posts a snapshot after each drift check. To post one by hand:</p>
      <pre tabIndex={0} role="region" aria-label="Command to post a first snapshot">
        curl {address} \{'\n'} -H 'Content-Type: application/json' \{'\n'} -d '{JSON.stringify(snapshot)}'
      </pre>
    </section>
  )
}

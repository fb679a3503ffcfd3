import type { JSX } from 'preact'

/** Shown until the first snapshot is posted: how to post one. */
export function EmptyState(): JSX.Element {
  const address = new URL('api/status', document.baseURI).href
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
      <p>A target appears here with its first snapshot. CI posts it after a drift check; this does it by hand:</p>
      <pre tabIndex={0} role="region" aria-label="Command that posts a first snapshot">
        curl {address} \{'\n'} -H 'Content-Type: application/json' \{'\n'} -d '{JSON.stringify(snapshot)}'
      </pre>
    </section>
  )
}

import type { JSX } from 'preact'
import { addressOf, follow, setView, view } from '../address/navigation.ts'
import { Ago } from '../parts/parts.tsx'
import { connection, newestCheck, now, statusDocument } from '../data/state.ts'
import { THEMES } from '../address/view.ts'
import { exact } from '../words.ts'

/** The connection, the theme, and the ways to the file and to the wall. */
export function Footer(): JSX.Element {
  const generation = statusDocument.value?.generation
  const { kiosk } = view.value
  const other = { kiosk: !kiosk, target: undefined }
  return (
    <footer class="quiet">
      <Freshness />
      <span class="printed">{exact(now.value)}</span>
      {!kiosk && generation !== undefined && <span>Generation {generation}</span>}
      {!kiosk && <a href="status.json">status.json</a>}
      <a href={addressOf(other)} onClick={(event) => follow(event, other)}>
        {kiosk ? 'Leave the wall view' : 'Wall view'}
      </a>
      {!kiosk && <Colours />}
    </footer>
  )
}

function Colours(): JSX.Element {
  return (
    <label>
      Colours{' '}
      <select
        value={view.value.theme ?? ''}
        onChange={({ currentTarget }) => setView({ theme: THEMES.find((each) => each === currentTarget.value) })}
      >
        <option value="">as the system</option>
        {THEMES.map((theme) => (
          <option key={theme} value={theme}>
            {theme}
          </option>
        ))}
      </select>
    </label>
  )
}

/** The connection to the server, and the age of the newest check. Neither is a verdict on the targets. */
function Freshness(): JSX.Element {
  return (
    <p class="freshness">
      <span class={`lamp ${connection.value.kind}`} />
      {connection.value.kind === 'lost' ? 'Not connected' : 'Connected'}
      {newestCheck.value !== undefined && (
        <span class="quiet">
          , newest check <Ago time={newestCheck.value} />
        </span>
      )}
    </p>
  )
}

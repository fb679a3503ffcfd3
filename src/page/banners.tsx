import type { ComponentChildren, JSX } from 'preact'
import { Name } from './parts.tsx'
import { type Trouble, connection, counts, newestCheck, now, troubles } from './state.ts'
import { ago, count, exact, sentence, visible } from './words.ts'

const FAULTS_MAX = 5
/** Where nobody flips `stale`, a page must say by itself that the picture is old: the server's own default, in ms. */
const STALE_AFTER_MS = 600_000

/** What stands between who looks and the truth, worst first. */
export function Banners(): JSX.Element {
  return (
    <div class="banners">
      <Lost />
      <Unattended />
      {troubles.value?.map((trouble) => (
        <Banner key={trouble.kind} title={titleOf(trouble)}>
          <p>
            {trouble.file !== undefined && <code>{visible(trouble.file)}: </code>}
            {visible(sentence(trouble.detail))}.
          </p>
          {trouble.faults.length > 0 && <Faults faults={trouble.faults} />}
        </Banner>
      ))}
    </div>
  )
}

function Banner({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <section class="banner" role="alert">
      <h2>{title}</h2>
      {children}
    </section>
  )
}

function Lost(): JSX.Element | false {
  if (connection.value.kind !== 'lost') return false
  const { since, reason } = connection.value
  return (
    <Banner title="Connection lost">
      <p>
        {sentence(reason)}.{' '}
        {since === undefined ? (
          'There is nothing to show yet.'
        ) : (
          <>
            What you see is how things stood <time title={exact(since)}>{ago(now.value - since)}</time>.
          </>
        )}{' '}
        The page keeps trying.
      </p>
    </Banner>
  )
}

/** A copy of the file that no server keeps up to date: `stale` does not flip in it. */
function Unattended(): JSX.Element | false {
  const newest = newestCheck.value
  if (connection.value.kind !== 'live' || troubles.value !== undefined || newest === undefined) return false
  if (now.value - newest < STALE_AFTER_MS || counts.value.drift + counts.value['in-sync'] === 0) return false
  return (
    <Banner title={`Nothing newer than ${ago(now.value - newest).replace(' ago', '')}`}>
      <p>
        This is a copy of status.json, and the server that keeps it up to date does not answer here. Do not trust it.
      </p>
    </Banner>
  )
}

function Faults({ faults }: Pick<Trouble, 'faults'>): JSX.Element {
  return (
    <ul>
      {faults.slice(0, FAULTS_MAX).map(({ place, detail }) => (
        <li key={`${place} ${detail}`}>
          <b>{place}</b>: <Name>{detail}</Name>
        </li>
      ))}
      {faults.length > FAULTS_MAX && <li>and {count(faults.length - FAULTS_MAX, 'fault')} more</li>}
    </ul>
  )
}

function titleOf({ kind }: Trouble): string {
  if (kind === 'rejected-edit') return 'An edit was rejected'
  return kind === 'tokens-file' ? 'The tokens are as before' : 'Nothing can be committed'
}

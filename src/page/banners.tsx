import type { ComponentChildren, JSX } from 'preact'
import { Name } from './parts.tsx'
import { type Trouble, connection, now, outdatedCopy, troubles } from './state.ts'
import { ago, count, exact, sentence, visible } from './words.ts'

const FAULTS_MAX = 5

/** Titles of troubles that do not keep the server from committing. */
const TITLES: Readonly<Record<string, string>> = {
  'rejected-edit': 'An edit was rejected',
  'tokens-file': 'The tokens file was rejected',
  'internal-error': 'Internal error of the server',
}

/** What keeps the page from showing the present state, worst first. */
export function Banners(): JSX.Element {
  return (
    <div class="banners">
      <ConnectionLost />
      <StaleCopy />
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

function ConnectionLost(): JSX.Element | false {
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
            The page shows the state of <time title={exact(since)}>{ago(now.value - since)}</time>.
          </>
        )}{' '}
        The page keeps trying.
      </p>
    </Banner>
  )
}

/** A static copy of the file that is no longer updated. */
function StaleCopy(): JSX.Element | false {
  const newest = outdatedCopy.value
  if (newest === undefined) return false
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
  return TITLES[kind] ?? 'Nothing can be committed'
}

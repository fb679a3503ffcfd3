import type { ComponentChildren, JSX } from 'preact'
import { Name } from '../parts/parts.tsx'
import { type Trouble, connection, now, outdatedCopy, statusDocument, troubles } from '../data/state.ts'
import { ago, count, exact, sentence, visible } from '../words.ts'

const FAULTS_MAX = 5

const TITLES: Readonly<Record<string, string>> = {
  'volume-full': 'Nothing can be written',
  'no-lock': 'Nothing can be written',
  unavailable: 'Nothing can be written',
  'rejected-edit': 'An edit was rejected',
  'tokens-file': 'The tokens file was rejected',
  'internal-error': 'Internal server error',
  history: 'The history cannot be written',
}

/** The remedy of a trouble. */
const ADVICE: Readonly<Record<string, string>> = {
  'rejected-edit':
    'Correct the text and save it as status.json. Until then the server serves the last valid document. The next snapshot from CI moves the rejected text to a file of its own, which is then named here.',
  history:
    'New changes are missing from the history. The server keeps them in memory and writes them as soon as it can. A restart before that loses them.',
}

/** The reasons why the page may not show the current state, the worst first. */
export function Banners(): JSX.Element {
  return (
    <div class="banners">
      <ConnectionLost />
      <StaleCopy />
      <Unread />
      {troubles.value?.map((trouble) => (
        <Banner key={trouble.kind} title={titleOf(trouble)}>
          <p>
            {trouble.file !== undefined && <code>{visible(trouble.file)}: </code>}
            {visible(sentence(trouble.detail))}.
          </p>
          {trouble.faults.length > 0 && <Faults faults={trouble.faults} />}
          {ADVICE[trouble.kind] !== undefined && <p>{ADVICE[trouble.kind]}</p>}
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
          'There is no data to show yet.'
        ) : (
          <>
            The page shows the state of <time title={exact(since)}>{ago(now.value - since)}</time>.
          </>
        )}{' '}
        The page tries again.
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
      <p>This page reads a copy of status.json that is not updated any more. Do not trust it.</p>
    </Banner>
  )
}

/** A copy that was edited by hand may have them. */
function Unread(): JSX.Element | false {
  const unread = statusDocument.value?.unread ?? 0
  if (unread === 0) return false
  return (
    <Banner title={`${count(unread, 'entry', 'entries')} cannot be read`}>
      <p>
        In <a href="status.json">status.json</a>, repo or server is missing or is not a text. The page leaves these
        entries out.
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
  return TITLES[kind] ?? 'The server reports a problem'
}

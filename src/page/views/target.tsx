import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { addressOf, follow, isInner } from '../address/navigation.ts'
import { targetNamed } from '../data/state.ts'
import { type Target, beginOf, keyOf } from '../data/targets.ts'
import { CopyButton } from '../parts/copy.tsx'
import { Ago, Name, StateWord } from '../parts/parts.tsx'
import { sinceWhen } from '../parts/since.ts'
import { Commands } from '../target/command-list.tsx'
import { Facts, Reasons } from '../target/details.tsx'
import { Differences } from '../target/differences.tsx'
import { Past } from '../target/past.tsx'
import { count, exact, visibleName } from '../words.ts'

/** The page of a target: everything that is known of it. */
export function TargetPage({ repo, server }: { repo: string; server: string }): JSX.Element {
  const target = targetNamed(repo, server)
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [repo, server])
  return (
    <article class="target-page">
      <p>
        <WayBack />
      </p>
      <h2 ref={heading} tabIndex={-1}>
        <Name>{server}</Name>
        <CopyButton text={server} what={`the name ${visibleName(server)}`} />
      </h2>
      <p class="repo">
        Repository <Name>{repo}</Name>
      </p>
      {target === undefined ? (
        <>
          <p class="banner">This target does not exist. It may have been removed or renamed; see its history.</p>
          <Past target={{ repo, server, key: keyOf(repo, server) }} mark="" />
        </>
      ) : (
        <Present target={target} />
      )}
    </article>
  )
}

/** A link to the previous view, or to all targets. */
function WayBack(): JSX.Element {
  return (
    <a href={addressOf({ target: undefined })} onClick={goBack}>
      {isInner() ? '← Back' : '← All targets'}
    </a>
  )
}

function goBack(event: MouseEvent): void {
  if (!isInner()) return follow(event, { target: undefined })
  event.preventDefault()
  return history.back()
}

function Present({ target }: { target: Target }): JSX.Element {
  const { state, note, files, lastCheck } = target
  return (
    <>
      <p class={`now ${state}`}>
        <StateWord state={state} /> <Since target={target} />
        <span class="quiet">
          last check <Ago time={lastCheck} />
        </span>
      </p>
      {note !== undefined && (
        <p class="note">
          <Name>{note}</Name>
        </p>
      )}
      <section class="details">
        <Reasons target={target} />
        <Facts target={target} />
      </section>
      {files.length > 0 && (
        <section class="details">
          <h3>{count(files.length, 'difference')}</h3>
          <Differences target={target} isFolded={false} />
        </section>
      )}
      <Past target={target} mark={`${state} ${target.since} ${files.length}`} />
      <Commands target={target} />
    </>
  )
}

/** The start of the state, or the acceptance. */
function Since({ target }: { target: Target }): JSX.Element | false {
  const begin = beginOf(target)
  return (
    begin !== undefined && (
      <span>
        {sinceWhen(target)} (since <time dateTime={new Date(begin).toISOString()}>{exact(begin)}</time>),{' '}
      </span>
    )
  )
}

import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { fileLink } from '../parts/links.ts'
import { Diff } from '../parts/diff.tsx'
import { Ago, Name, OtherSite } from '../parts/parts.tsx'
import type { DriftedFile, Target } from '../data/targets.ts'
import { differences } from '../words.ts'

const FILES_MAX = 200

/** The differences that the reader folded or unfolded; the choice outlives the row. */
const unfolded = signal<ReadonlyMap<string, boolean>>(new Map())

/** The differences of a target, with their times and texts. */
export function Differences({ target, isFolded }: { target: Target; isFolded: boolean }): JSX.Element | false {
  const { key, files } = target
  if (files.length === 0) return false
  return (
    <>
      <ul class="files" role="list">
        {files.slice(0, FILES_MAX).map((file) => (
          <File
            key={file.name}
            file={file}
            id={`${key}\n${file.name}`}
            url={fileLink(target, file)}
            isFolded={isFolded}
          />
        ))}
      </ul>
      {files.length > FILES_MAX && (
        <p>
          And <Name>{differences(files.slice(FILES_MAX))}</Name> more, in <a href="status.json">status.json</a>.
        </p>
      )}
    </>
  )
}

interface FileProps {
  readonly file: DriftedFile
  readonly id: string
  readonly url: string | undefined
  readonly isFolded: boolean
}

function File({ file: { name, kind, since, diff }, id, url, isFolded }: FileProps): JSX.Element {
  const isOpen = unfolded.value.get(id) ?? !isFolded
  return (
    <li>
      <div class="file">
        {kind === 'other' ? (
          <span class="other">
            <Name>{name}</Name>
          </span>
        ) : (
          <OtherSite url={url}>
            <code>
              <Name>{name}</Name>
            </code>
          </OtherSite>
        )}
        {since !== undefined && (
          <span class="quiet">
            drifted <Ago time={since} />
          </span>
        )}
      </div>
      {diff !== undefined && (
        <details
          open={isOpen}
          onToggle={({ currentTarget: { open } }) => {
            if (open !== isOpen) unfolded.value = new Map([...unfolded.value, [id, open]])
          }}
        >
          <summary>Difference</summary>
          {isOpen && <Diff text={diff} name={name} />}
        </details>
      )}
    </li>
  )
}

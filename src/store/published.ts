import type { StatusDocument } from '../status/document.ts'
import { timeOf } from '../status/time.ts'
import type { Rendered } from './render.ts'

/** The document for readers, and the bytes of `status.json` that hold it. */
export interface PublishedDocument extends Rendered {
  /** The time at which the document was made, in ms since the epoch. */
  readonly modifiedAt: number
  readonly document: StatusDocument
}

/** The document that readers get. Reading it never waits for a commit. */
export class Published {
  #current: PublishedDocument | undefined
  #announce: () => void = () => undefined
  /** Resolves when there is a document. */
  readonly once = new Promise<void>((resolve) => {
    this.#announce = resolve
  })

  /** @throws if nothing has been published yet */
  get current(): PublishedDocument {
    if (this.#current === undefined) throw new Error('nothing is published before start')
    return this.#current
  }

  get isEmpty(): boolean {
    return this.#current === undefined
  }

  /** Publishes a document; one that is published already keeps its identity. */
  set(rendered: Rendered): void {
    if (this.#current?.digest === rendered.digest) return
    this.#current = { ...rendered, modifiedAt: timeOf(rendered.document.updatedAt) }
    this.#announce()
  }
}

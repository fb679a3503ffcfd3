import type { PublishedDocument } from '../store/store.ts'

/** Requests differ in what they filter; more answers than this are not kept. */
const ANSWERS_MAX = 200

/** Answers that are computed once for each published document, by the address that is asked for. */
export class Prepared<T> {
  #of: PublishedDocument | undefined
  readonly #answers = new Map<string, T>()

  of(published: PublishedDocument, address: string, compute: () => T): T {
    if (this.#of !== published || this.#answers.size >= ANSWERS_MAX) {
      this.#of = published
      this.#answers.clear()
    }
    const known = this.#answers.get(address)
    if (known !== undefined) return known
    const answer = compute()
    this.#answers.set(address, answer)
    return answer
  }
}

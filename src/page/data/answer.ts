import { useEffect, useState } from 'preact/hooks'

const AGAIN_MS = 15_000

/**
 * Asks the server something: again when what is asked for changes, and after a while if it has not answered. An answer that
 * comes when something else is asked for is dropped.
 *
 * @param ask asks; undefined: there is nothing to ask
 * @param take takes the answer, undefined if there was none
 * @param about what is asked for
 */
export function useAnswer<T>(
  ask: (() => Promise<T>) | undefined,
  take: (answer: T | undefined) => void,
  about: readonly unknown[],
): void {
  const [tries, setTries] = useState(0)
  useEffect(() => {
    let isWanted = true
    let timer: ReturnType<typeof setTimeout> | undefined
    ask?.().then(
      (answer) => isWanted && take(answer),
      () => {
        if (!isWanted) return
        take(undefined)
        timer = setTimeout(() => setTries(tries + 1), AGAIN_MS)
      },
    )
    return () => {
      isWanted = false
      clearTimeout(timer)
    }
  }, [...about, ask === undefined, tries])
}

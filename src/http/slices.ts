import type { IncomingMessage, ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'

/** A slice takes a fraction of a millisecond to make and to send. */
const SLICE_LENGTH = 32 * 1024
/** Pieces may be empty: a metric that no target has takes time as well. */
const SLICE_PIECES = 1000

/** Joins pieces of text into slices of about the same size. */
export function* slicesOf(pieces: Iterable<string>): Generator<string> {
  let slice = ''
  let count = 0
  for (const piece of pieces) {
    slice += piece
    count += 1
    if (slice.length >= SLICE_LENGTH || count >= SLICE_PIECES) {
      yield slice
      slice = ''
      count = 0
    }
  }
  yield slice
}

/**
 * Sends a large text, and lets other requests have their turn after each slice. A slice is made when the client has taken
 * those before it, so that a slow client costs no memory. Ends early if the client disconnects.
 */
export async function sendSlices(req: IncomingMessage, res: ServerResponse, slices: Iterable<string>): Promise<void> {
  const { socket } = req
  let goOn: (() => void) | undefined
  const onReady = (): void => goOn?.()
  // One listener for all slices: Express's compression passes it on to a stream of its own, and never removes it there.
  res.on('drain', onReady)
  // Not the event of the answer: it has none while it waits behind another answer of its connection.
  socket.once('close', onReady)
  try {
    for (const slice of slices) {
      if (socket.destroyed) return
      if (!res.write(Buffer.from(slice))) {
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
      }
      await setImmediate()
    }
    res.end()
  } finally {
    socket.removeListener('close', onReady)
  }
}

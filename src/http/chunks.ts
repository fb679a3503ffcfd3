import type { IncomingMessage, ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'

/**
 * Sends a large text, and lets other requests have their turn after each chunk. A chunk is made when the client has taken
 * those before it, so that a slow client costs no memory. Ends early if the client disconnects.
 */
export async function sendChunks(req: IncomingMessage, res: ServerResponse, chunks: Iterable<string>): Promise<void> {
  const { socket } = req
  let goOn: (() => void) | undefined
  const onReady = (): void => goOn?.()
  // One listener for all chunks: Express's compression passes it on to a stream of its own, and never removes it there.
  res.on('drain', onReady)
  // Not the event of the answer: it has none while it waits behind another answer of its connection.
  socket.once('close', onReady)
  try {
    for (const chunk of chunks) {
      if (socket.destroyed) return
      if (!res.write(Buffer.from(chunk))) {
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

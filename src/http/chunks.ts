import type { IncomingMessage, ServerResponse } from 'node:http'
import { Slices } from '../slices.ts'

/** Small chunks are written together, so many bytes or a little more at once. */
const WRITE_BYTES = 64 * 1024

/**
 * Sends a large answer whose chunks are made one after the other, in slices: between them other requests have their turn. A
 * chunk is made when the client has taken those before it, so that a slow client costs no memory. Ends early if the client
 * disconnects.
 */
export async function sendChunks(
  req: IncomingMessage,
  res: ServerResponse,
  chunks: Iterable<Uint8Array>,
): Promise<void> {
  const { socket } = req
  let goOn: (() => void) | undefined
  const onReady = (): void => goOn?.()
  // One listener for all chunks: Express's compression passes it on to a stream of its own, and never removes it there.
  res.on('drain', onReady)
  // Not the event of the answer: it has none while it waits behind another answer of its connection.
  socket.once('close', onReady)
  const slices = new Slices()
  let parts: Uint8Array[] = []
  let bytes = 0
  try {
    for (const chunk of chunks) {
      if (socket.destroyed) return
      parts.push(chunk)
      bytes += chunk.length
      if (bytes < WRITE_BYTES && !slices.isOver) continue
      if (!res.write(Buffer.concat(parts))) {
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
      }
      parts = []
      bytes = 0
      await slices.next()
    }
    res.end(Buffer.concat(parts))
  } finally {
    socket.removeListener('close', onReady)
  }
}

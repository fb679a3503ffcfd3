import { type BigIntStats, close, closeSync, fstat, fstatSync, open, openSync, stat, statSync } from 'node:fs'
import { promisify } from 'node:util'

/**
 * System calls about names and sizes of files, by file descriptor. On a volume of this machine the kernel answers them from
 * memory; on a network volume they can wait for a file server.
 */
export interface FileCalls {
  open(path: string, flags: string): Promise<number>
  close(fd: number): Promise<void>
  fstat(fd: number): Promise<BigIntStats>
  stat(path: string): Promise<BigIntStats>
}

const BIGINT = { bigint: true } as const

/** In the thread pool of Node: the event loop does not wait. */
export const pooledCalls: FileCalls = {
  open: promisify(open),
  close: promisify(close),
  fstat: async (fd) => promisify(fstat)(fd, BIGINT),
  stat: async (path) => promisify(stat)(path, BIGINT),
}

/** At once: the way to the thread pool and back takes ten times as long as such a call. */
export const directCalls: FileCalls = {
  open: async (path, flags) => openSync(path, flags),
  close: async (fd) => closeSync(fd),
  fstat: async (fd) => fstatSync(fd, BIGINT),
  stat: async (path) => statSync(path, BIGINT),
}

import { openHeld } from './displaced.ts'
import { isUnchanged, readState } from './durable-file.ts'
import { directCalls } from './file-calls.ts'
import { codeOf } from './store-error.ts'
import type { FileAccess } from './volume-files.ts'

/** A volume of this machine: the kernel knows every name and size. */
export const localFiles: FileAccess = {
  calls: directCalls,
  watchesByName: false,
  reviewAfterMs: [1000],
  unfinishedMaxMs: 1000,
  refresh: async () => undefined,
  read: async (path, expected) => readState(path, directCalls, expected),
  stat: async (path) => {
    try {
      const { ino, size, mtimeMs } = await directCalls.stat(path)
      return { ino: Number(ino), size: Number(size), mtimeMs: Number(mtimeMs) }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  },
  isUnchanged: async (path, state) => isUnchanged(path, state, directCalls),
  openDisplaced: openHeld,
}

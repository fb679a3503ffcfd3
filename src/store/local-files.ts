import { stat } from 'node:fs/promises'
import { openHeld } from './displaced.ts'
import { isUnchanged, readState } from './durable-file.ts'
import { codeOf } from './store-error.ts'
import type { FileAccess } from './volume-files.ts'

/** A volume of this machine: the kernel knows every name and size. */
export const localFiles: FileAccess = {
  watchesByName: false,
  reviewAfterMs: [1000],
  unfinishedMaxMs: 1000,
  refresh: async () => undefined,
  read: readState,
  stat: async (path) => {
    try {
      return await stat(path)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  },
  isUnchanged,
  openDisplaced: openHeld,
}

import { copyFile, link, rename, rm } from 'node:fs/promises'
import { swap } from 'fs-native-extensions'
import { codeOf } from './store-error.ts'

/** Errors of `renameat2` on file systems that cannot exchange two names. */
const CANNOT_EXCHANGE: ReadonlySet<string> = new Set(['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'])

/**
 * Puts a staged file in the place of another, whole or not at all.
 *
 * @returns true if the staged name now holds what was there before; false if nothing was there
 * @throws the system's error; both files are then as they were
 */
export async function place(staged: string, path: string): Promise<boolean> {
  for (;;) {
    try {
      // One step: an edit that is saved at this moment is either displaced or comes after.
      await swap(staged, path)
      return true
    } catch (error) {
      const code = codeOf(error) ?? ''
      if (CANNOT_EXCHANGE.has(code)) return linkAndRename(staged, path)
      if (code !== 'ENOENT') throw error
    }
    try {
      await link(staged, path)
      await rm(staged)
      return false
    } catch (error) {
      // Somebody has just saved: exchange what they saved.
      if (codeOf(error) !== 'EEXIST') throw error
    }
  }
}

/** Undoes `place`, if names can be exchanged. */
export async function undoPlace(staged: string, path: string): Promise<void> {
  await swap(staged, path)
}

/** For file systems that cannot exchange names. An edit that is saved by rename between the first two calls is lost. */
async function linkAndRename(staged: string, path: string): Promise<boolean> {
  const kept = `${staged}.kept`
  await link(path, kept).catch(() => copyFile(path, kept))
  await rename(staged, path)
  await rename(kept, staged)
  return true
}

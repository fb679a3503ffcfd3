import { link, rename, unlink } from 'node:fs/promises'
import { swap } from 'fs-native-extensions'
import { removeIfPresent } from './durable-file.ts'
import { codeOf } from './store-error.ts'

/**
 * How a staged file comes into the place of another, whole or not at all. Which of them a volume gets is found out by
 * trying (`inspectVolume`).
 */
export interface Placement {
  /**
   * @returns the paths of what was there before, oldest first; more than one if another program saved meanwhile
   * @throws the system's error; both files are then as they were
   */
  place(staged: string, path: string): Promise<string[]>
  /**
   * Puts back what `place` displaced.
   *
   * @returns the path of what was in its place: the staged file, or a text that was saved since
   */
  undo(staged: string, path: string, displaced: readonly string[]): Promise<string>
}

/** One step, with no moment without a file: an edit that is saved at this moment is either displaced or comes after. */
export const exchange: Placement = {
  place: async (staged, path) => {
    for (;;) {
      try {
        await swap(staged, path)
        return [staged]
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
      }
      if (await isLinked(staged, path)) {
        await unlink(staged)
        return []
      }
    }
  },
  undo: async (staged, path) => {
    await swap(staged, path)
    return staged
  },
}

/**
 * Moves what is there out by its name, so that it is what the file server has and not what this client remembers; then
 * links the staged file, which fails if somebody has saved meanwhile. Between the two steps there is no file.
 */
export const moveAndLink: Placement = moveOutThen(async (staged, path) => {
  if (!(await isLinked(staged, path))) return false
  await removeIfPresent(staged)
  return true
})

/** For volumes without hard links: a file that is saved between the two steps is overwritten. */
export const moveAndRename: Placement = moveOutThen(async (staged, path) => {
  await rename(staged, path)
  return true
})

/** @param moveIn returns false if something is in the way */
function moveOutThen(moveIn: (staged: string, path: string) => Promise<boolean>): Placement {
  return {
    place: async (staged, path) => {
      const displaced: string[] = []
      for (;;) {
        const kept = `${staged}.kept${displaced.length + 1}`
        if (await isMoved(path, kept)) displaced.push(kept)
        try {
          if (await moveIn(staged, path)) return displaced
        } catch (error) {
          await putBack(displaced.at(-1), path).catch(() => undefined)
          throw error
        }
      }
    },
    undo: async (staged, path, displaced) => {
      const out = `${staged}.undone`
      await rename(path, out)
      await putBack(displaced.at(-1), path)
      return out
    },
  }
}

/** Moves a displaced file back, unless another program saved meanwhile: then it stays, to be recovered. */
async function putBack(displaced: string | undefined, path: string): Promise<void> {
  if (displaced === undefined) return
  try {
    if (await isLinked(displaced, path)) await unlink(displaced)
  } catch {
    await rename(displaced, path)
  }
}

/** Returns false if a file is there. */
async function isLinked(from: string, to: string): Promise<boolean> {
  return isDone('EEXIST', async () => link(from, to))
}

/** Returns false if there is no file to move. */
async function isMoved(from: string, to: string): Promise<boolean> {
  return isDone('ENOENT', async () => rename(from, to))
}

/** Returns false if `work` fails with this code of the system. */
async function isDone(code: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (codeOf(error) === code) return false
    throw error
  }
}

import type { DisplacedFile } from './displaced.ts'
import type { FileState } from './durable-file.ts'
import type { FileCalls } from './file-calls.ts'
import { localFiles } from './local-files.ts'
import { networkFiles } from './network-files.ts'
import { type Placement, exchange, moveAndLink, moveAndRename } from './placement.ts'
import type { Volume } from './volume.ts'

/** Access to files on a volume. */
export interface FileAccess {
  readonly calls: FileCalls
  /** True if displaced files keep their private names while they are watched. */
  readonly watchesByName: boolean
  /**
   * How long after its displacement a file is looked at again, in ms, oldest first: an editor that had it open may still
   * write into it. After the last time it is let go.
   */
  readonly reviewAfterMs: readonly number[]
  /** The time that an incomplete text has to become complete, in ms. */
  readonly unfinishedMaxMs: number
  /** Makes the kernel look up a name and the size of its file again. Under the lock, before a shared file is read. */
  refresh(path: string): Promise<void>
  /** Reads a file, which probably holds `expected`; `undefined` if there is none. */
  read(path: string, expected?: Buffer): Promise<FileState | undefined>
  /** The file of a name; `undefined` if there is none. */
  stat(path: string): Promise<FileStats | undefined>
  /** True if a file is certain to be as it was when it was read. */
  isUnchanged(path: string, state: FileState | undefined): Promise<boolean>
  /** Opens a file that a commit has displaced, and reads it. It probably holds `expected`. */
  openDisplaced(path: string, expected?: Buffer): Promise<DisplacedFile>
}

export interface FileStats {
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
}

/**
 * The files of a volume: how they are looked at, and how one comes into the place of another. Everything that differs
 * between volumes is behind it.
 */
export class VolumeFiles {
  #access: FileAccess = networkFiles
  #placement: Placement = moveAndLink

  /** Until it is known what the volume can do, nothing is taken for granted. */
  get access(): FileAccess {
    return this.#access
  }

  get placement(): Placement {
    return this.#placement
  }

  adaptTo({ exchange: canExchange, hardLinks, edits }: Pick<Volume, 'exchange' | 'hardLinks' | 'edits'>): void {
    this.#access = canExchange && edits === 'events' ? localFiles : networkFiles
    this.#placement = canExchange ? exchange : hardLinks ? moveAndLink : moveAndRename
  }
}
